//! TLS from PEM files and Java key stores.

use std::sync::Arc;

use lavka_api::config::{KeyError, Password};
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::keystore::{self, Identity};

const CA: &str = "lavka.mqtt.ssl.ca.pem";
const CERTIFICATE: &str = "lavka.mqtt.ssl.cert.pem";
const KEY: &str = "lavka.mqtt.ssl.key.pem";
const TRUST_STORE: &str = "mqtt.ssl.trust.store.path";
const KEY_STORE: &str = "mqtt.ssl.key.store.path";

/// The files that a configuration names; empty stores are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Trusted certificates, PEM.
    pub(crate) ca: Option<String>,
    /// The client's certificate and the chain above it, PEM.
    pub(crate) certificate: Option<String>,
    /// Its private key, PEM.
    pub(crate) key: Option<String>,
    /// Trusted certificates, a Java key store.
    pub(crate) trust_store: Store,
    /// The client's certificate and key, a Java key store.
    pub(crate) key_store: Store,
    /// Of the key in it, where it is another.
    pub(crate) key_password: Password,
    /// What is offered to be spoken inside of TLS, the preferred first (RFC 7301).
    pub(crate) alpn: Vec<String>,
}

/// A key store; one without a path is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) path: String,
    pub(crate) password: Password,
}

impl Store {
    pub(crate) fn is_none(&self) -> bool {
        self.path.is_empty()
    }
}

/// Reads the files that `config` names. Blocks.
///
/// # Errors
/// What is wrong with them, by key.
pub(crate) fn client_config(config: &Files) -> Result<Arc<ClientConfig>, KeyError> {
    let roots = match &config.ca {
        Some(file) => named_roots(file)?,
        None if !config.trust_store.is_none() => stored_roots(&config.trust_store)?,
        None => system_roots()?,
    };
    // The provider is named, because a process in which two are linked has no default one.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| KeyError::new(CA, format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let mut client = match (&config.certificate, &config.key) {
        (None, None) if !config.key_store.is_none() => {
            let (chain, key) = stored_identity(&config.key_store, &config.key_password)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                KeyError::invalid(
                    KEY_STORE,
                    &config.key_store.path,
                    format!("its key cannot be used: {error}"),
                )
            })?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates(CERTIFICATE, certificate)?;
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                KeyError::invalid(KEY, key, format!("it does not go with {CERTIFICATE}: {error}"))
            })?
        }
        (Some(_), None) => {
            return Err(KeyError::missing(KEY, format!("{CERTIFICATE} needs its private key")));
        }
        (None, Some(_)) => {
            return Err(KeyError::missing(CERTIFICATE, format!("{KEY} needs its certificate")));
        }
    };
    client.alpn_protocols = config.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(client))
}

fn stored_roots(store: &Store) -> Result<RootCertStore, KeyError> {
    let wrong = |what: String| KeyError::invalid(TRUST_STORE, &store.path, what);
    let trusted = keystore::trusted(&store.path, store.password.reveal()).map_err(wrong)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() {
        return Err(wrong("there is no trusted certificate in it".to_owned()));
    }
    Ok(roots)
}

fn stored_identity(store: &Store, key_password: &Password) -> Result<Identity, KeyError> {
    keystore::identity(&store.path, store.password.reveal(), key_password.reveal())
        .map_err(|what| KeyError::invalid(KEY_STORE, &store.path, what))
}

fn named_roots(file: &str) -> Result<RootCertStore, KeyError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, file)? {
        roots.add(certificate).map_err(|error| KeyError::invalid(CA, file, error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, KeyError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old stores hold certificates that rustls cannot use; they are no reason to refuse the others.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        return Err(KeyError::new(
            CA,
            format!(
                "{CA} is missing, and the operating system's trusted certificates cannot be used: {why}. Install them \
                 (Debian: ca-certificates), or name a PEM file with the authority that signed the server's certificate."
            ),
        ));
    }
    Ok(roots)
}

fn certificates(key: &'static str, file: &str) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    let pem = read(key, file)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| KeyError::invalid(key, file, format!("not a PEM file: {error}")))?;
    if found.is_empty() {
        return Err(KeyError::invalid(
            key,
            file,
            "no certificate in it; it must hold blocks of -----BEGIN CERTIFICATE-----".to_owned(),
        ));
    }
    Ok(found)
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let pem = read(KEY, file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let why = if pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            format!("the key is encrypted; decrypt it with: openssl pkey -in {file} -out plain.pem")
        } else if matches!(error, PemError::NoItemsFound) {
            "no private key in it; it must hold a block of -----BEGIN PRIVATE KEY-----".to_owned()
        } else {
            format!("not a PEM file: {error}")
        };
        KeyError::invalid(KEY, file, why)
    })
}

fn read(key: &'static str, file: &str) -> Result<Vec<u8>, KeyError> {
    std::fs::read(file)
        .map_err(|error| KeyError::invalid(key, file, format!("the file cannot be read: {error}")))
}
