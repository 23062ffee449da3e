//! Keys and certificates of a task, from files.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dimpl::{Config, DtlsCertificate, PskResolver};
use lavka_api::{Error, Result};
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::hello;

/// What the configuration names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Identities and pre-shared keys: `identity:key`, the key in hexadecimal digits, one a line.
    pub(crate) psk: String,
    /// The identity to use, of a client.
    pub(crate) identity: Option<String>,
    /// A certificate, and its private key; PEM.
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// Both, as PKCS#12, and its password.
    pub(crate) store: String,
    pub(crate) store_password: lavka_api::config::Password,
    /// Of its key, where there are several.
    pub(crate) store_alias: String,
    /// Certificates that are trusted, PEM or PKCS#12; of the latter the password, and the aliases if not all are meant.
    pub(crate) trusted: String,
    pub(crate) trusted_password: lavka_api::config::Password,
    pub(crate) trusted_aliases: Vec<String>,
}

/// The keys.
const PSK: &str = "lavka.coap.dtls.psk.file";
const IDENTITY: &str = "lavka.coap.dtls.psk.identity";
const CERTIFICATE: &str = "lavka.coap.dtls.cert.pem";
const KEY: &str = "lavka.coap.dtls.key.pem";
const STORE: &str = "lavka.coap.dtls.keystore.path";
const TRUSTED: &str = "lavka.coap.dtls.ca.pem";
const CONVERT: &str =
    "Convert it: keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12";

/// Pre-shared keys by identity.
#[derive(Default)]
pub(super) struct Keys {
    keys: HashMap<Vec<u8>, Vec<u8>>,
    /// The identity asked for last: the library does not tell a session's, but asks while it is looked at.
    asked: Mutex<Option<Vec<u8>>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

impl PskResolver for Keys {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.to_vec());
        self.keys.get(identity).cloned()
    }
}

impl Keys {
    /// The identity asked for since the last call.
    pub(super) fn take_asked(&self) -> Option<Vec<u8>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read(file: &str) -> Result<Self> {
        let text = String::from_utf8(read(PSK, file)?).map_err(|_| invalid(PSK, file, "it is not UTF-8"))?;
        let mut keys = HashMap::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // An identity may have colons.
            let entry =
                line.rsplit_once(':').and_then(|(identity, key)| Some((identity, from_hex(key.trim())?)));
            let Some((identity, key)) =
                entry.filter(|(identity, key)| !identity.is_empty() && !key.is_empty())
            else {
                // The line is not shown, for it may hold a key.
                return Err(invalid(
                    PSK,
                    file,
                    &format!("line {} is not identity:key with the key in hexadecimal digits", place + 1),
                ));
            };
            keys.insert(identity.trim().as_bytes().to_vec(), key);
        }
        match keys.is_empty() {
            true => Err(invalid(PSK, file, "it has no identities")),
            false => Ok(Self { keys, asked: Mutex::default() }),
        }
    }
}

/// What sessions are made with. Clones share it.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) certificate: Option<DtlsCertificate>,
    /// Of sessions with pre-shared keys, and of those with certificates.
    pub(super) psk: Option<Arc<Config>>,
    pub(super) certificates: Option<Arc<Config>>,
    pub(super) trust: Trust,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("keys", &self.keys)
            .field("certificate", &self.certificate.is_some())
            .field("trust", &self.trust)
            .finish()
    }
}

/// Whose certificates are accepted.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// A server that asks for none.
    Nobody,
    Clients(Arc<dyn ClientCertVerifier>),
    Servers(Arc<WebPkiServerVerifier>),
}

impl Trust {
    /// Whether a certificate (DER) holds for its owner: a client, or the server `name`.
    pub(super) fn accepts(&self, certificate: &[u8], name: Option<&str>) -> std::result::Result<(), String> {
        let certificate = CertificateDer::from(certificate);
        let now = UnixTime::now();
        match self {
            Self::Nobody => Ok(()),
            Self::Clients(verifier) => verifier
                .verify_client_cert(&certificate, &[], now)
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Servers(verifier) => {
                let name =
                    ServerName::try_from(name.unwrap_or_default()).map_err(|error| error.to_string())?;
                let verified = verifier.verify_server_cert(&certificate, &[], &name, &[], now);
                verified.map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

impl Credentials {
    /// Of a server. Blocks.
    ///
    /// # Errors
    /// What is wrong with the files, by key.
    pub(crate) fn of_server(files: &Files) -> Result<Self> {
        let keys = (!files.psk.is_empty()).then(|| Keys::read(&files.psk)).transpose()?.map(Arc::new);
        let certificate = certificate(files)?;
        let trust = match files.trusted.as_str() {
            "" => Trust::Nobody,
            file => {
                let provider = Arc::new(ring::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(files)?), provider);
                Trust::Clients(verifier.build().map_err(|error| invalid(TRUSTED, file, &error.to_string()))?)
            }
        };
        if keys.is_none() && certificate.is_none() {
            return Err(Error::config(format!(
                "DTLS needs something that devices know the server by: {PSK} for pre-shared keys, or {CERTIFICATE} and \
                 {KEY}, or {STORE}, for a certificate"
            )));
        }
        let psk = keys.clone().map(|keys| config(|builder| builder.with_psk_server(None, keys)));
        let asks = matches!(trust, Trust::Clients(_));
        let certificates =
            certificate.is_some().then(|| config(|builder| builder.require_client_certificate(asks)));
        Ok(Self { keys, certificate, psk: psk.transpose()?, certificates: certificates.transpose()?, trust })
    }

    /// Of a client: a pre-shared key, or a certificate. Blocks.
    ///
    /// # Errors
    /// What is wrong with the files, by key.
    pub(crate) fn of_client(files: &Files) -> Result<Self> {
        if !files.psk.is_empty() {
            let keys = Keys::read(&files.psk)?;
            let identity = match (&files.identity, keys.keys.len()) {
                (Some(identity), _) => identity.as_bytes().to_vec(),
                (None, 1) => keys.keys.keys().next().cloned().unwrap_or_default(),
                (None, _) => {
                    return Err(Error::config(format!(
                        "{IDENTITY} is missing: {PSK} has several identities"
                    )));
                }
            };
            return Self::of_client_with(keys, identity);
        }
        let Some(certificate) = certificate(files)? else {
            return Err(Error::config(format!(
                "A server with coaps:// needs something to know this client by: {PSK} for a pre-shared key, or \
                 {CERTIFICATE} and {KEY}, or {STORE}, for a certificate"
            )));
        };
        if files.trusted.is_empty() {
            return Err(Error::config(format!(
                "{TRUSTED} is missing: it says whose certificates servers may have"
            )));
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(files)?), provider).build();
        let verifier = verifier.map_err(|error| invalid(TRUSTED, &files.trusted, &error.to_string()))?;
        Ok(Self {
            keys: None,
            certificate: Some(certificate),
            psk: None,
            certificates: Some(config(|builder| builder)?),
            trust: Trust::Servers(verifier),
        })
    }

    /// Of a client with one pre-shared key, which the configuration has itself.
    ///
    /// # Errors
    /// Where the library refuses its settings.
    pub(crate) fn of_client_with_key(identity: &str, key: &[u8]) -> Result<Self> {
        let keys = HashMap::from([(identity.as_bytes().to_vec(), key.to_vec())]);
        Self::of_client_with(Keys { keys, asked: Mutex::default() }, identity.as_bytes().to_vec())
    }

    fn of_client_with(keys: Keys, identity: Vec<u8>) -> Result<Self> {
        if !keys.keys.contains_key(&identity) {
            let identity = String::from_utf8_lossy(&identity).into_owned();
            return Err(Error::invalid_value(IDENTITY, identity, format!("{PSK} has no such identity")));
        }
        let keys = Arc::new(keys);
        let resolver = Arc::clone(&keys);
        Ok(Self {
            keys: Some(keys),
            certificate: None,
            psk: Some(config(|builder| builder.with_psk_client(identity, resolver))?),
            certificates: None,
            trust: Trust::Nobody,
        })
    }
}

fn config(change: impl FnOnce(dimpl::ConfigBuilder) -> dimpl::ConfigBuilder) -> Result<Arc<Config>> {
    let builder = Config::builder()
        .with_crypto_provider(hello::provider())
        .handshake_timeout(Duration::from_secs(40))
        // Datagrams of CoAP have up to 1152 bytes (RFC 7252, section 4.6); DTLS adds up to 29.
        .mtu(1280);
    let built = change(builder).build();
    built.map(Arc::new).map_err(|error| Error::config(format!("DTLS cannot be set up: {error}")))
}

fn read(key: &str, file: &str) -> Result<Vec<u8>> {
    std::fs::read(Path::new(file)).map_err(|error| invalid(key, file, &format!("it cannot be read: {error}")))
}

fn invalid(key: &str, file: &str, why: &str) -> Error {
    Error::invalid_value(key, file, why)
}

fn roots(files: &Files) -> Result<RootCertStore> {
    let file = files.trusted.as_str();
    let bytes = read(TRUSTED, file)?;
    let mut roots = RootCertStore::empty();
    let mut add =
        |certificate| roots.add(certificate).map_err(|error| invalid(TRUSTED, file, &error.to_string()));
    if bytes.windows(5).any(|window| window == b"-----") {
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            add(certificate.map_err(|error| invalid(TRUSTED, file, &error.to_string()))?)?;
        }
    } else {
        let store = open_store(TRUSTED, file, &bytes, files.trusted_password.reveal())?;
        let wanted = &files.trusted_aliases;
        for (alias, entry) in store.entries() {
            if let KeyStoreEntry::Certificate(certificate) = entry
                && (wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(alias)))
            {
                add(certificate.as_der().to_vec().into())?;
            }
        }
    }
    match roots.is_empty() {
        true => Err(invalid(TRUSTED, file, "it has no certificates (of these aliases, if it is PKCS#12)")),
        false => Ok(roots),
    }
}

fn open_store(key: &str, file: &str, bytes: &[u8], password: &str) -> Result<KeyStore> {
    const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
    if bytes.starts_with(&JKS) {
        return Err(invalid(key, file, &format!("it is a Java key store of the old kind (JKS). {CONVERT}")));
    }
    KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed).map_err(|error| {
        invalid(key, file, &format!("it cannot be opened as PKCS#12 with its password: {error}"))
    })
}

fn certificate(files: &Files) -> Result<Option<DtlsCertificate>> {
    let (file, key, certificate, private_key) = match (files.certificate.as_str(), files.key.as_str()) {
        ("", "") if files.store.is_empty() => return Ok(None),
        ("", "") => {
            let (certificate, key) = from_store(files)?;
            (&files.store, STORE, certificate, key)
        }
        (_, "") => {
            return Err(Error::config(format!("{KEY} is missing: {CERTIFICATE} needs its private key")));
        }
        ("", _) => {
            return Err(Error::config(format!("{CERTIFICATE} is missing: {KEY} needs its certificate")));
        }
        (certificate, key) => {
            let pem = read(CERTIFICATE, certificate)?;
            let first = CertificateDer::from_pem_slice(&pem)
                .map_err(|_| invalid(CERTIFICATE, certificate, "it has no certificate in PEM"))?;
            let pem = read(KEY, key)?;
            let private = PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|_| invalid(KEY, key, "it has no private key in PEM that is not encrypted"))?;
            (&files.key, KEY, first.to_vec(), private.secret_der().to_vec())
        }
    };
    // The library takes the key on trust, and aborts where it is none.
    let usable = hello::provider().key_provider.load_private_key(&private_key);
    usable.map_err(|_| {
        invalid(key, file, "its key is not of an elliptic curve, P-256 or P-384, which DTLS needs here (RSA is not supported)")
    })?;
    Ok(Some(DtlsCertificate { certificate, private_key }))
}

fn from_store(files: &Files) -> Result<(Vec<u8>, Vec<u8>)> {
    let file = files.store.as_str();
    let bytes = read(STORE, file)?;
    let store = open_store(STORE, file, &bytes, files.store_password.reveal())?;
    let chains: Vec<_> = store
        .entries()
        .filter_map(|(alias, entry)| match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => Some((alias, chain)),
            _ => None,
        })
        .collect();
    let named = chains.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&files.store_alias));
    let only = chains.first().filter(|_| chains.len() == 1);
    let found = named.or(only).and_then(|(_, chain)| {
        Some((chain.certs().first()?.as_der().to_vec(), chain.key().as_der().to_vec()))
    });
    found.ok_or_else(|| {
        let why = match chains.len() {
            0 => "it has no private key with its certificate".to_owned(),
            several => format!("it has {several} keys, and none with the alias '{}'", files.store_alias),
        };
        invalid(STORE, file, &why)
    })
}

pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((high << 4 | low) as u8),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests;
