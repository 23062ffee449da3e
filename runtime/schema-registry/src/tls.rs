//! TLS from PEM, in files or in the configuration itself.

use std::sync::Arc;

use lavka_api::{Error, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::RegistryConfig;

const TRUST_FILE: &str = "schema.registry.ssl.truststore.location";
const TRUST_TEXT: &str = "schema.registry.ssl.truststore.certificates";
const KEY_FILE: &str = "schema.registry.ssl.keystore.location";
const KEY_CHAIN: &str = "schema.registry.ssl.keystore.certificate.chain";
const KEY_KEY: &str = "schema.registry.ssl.keystore.key";

/// The configuration of TLS. Reads files, as converters do when they are made. The operating system's certificates are
/// read only if `needed`.
pub(crate) fn client_config(keys: &RegistryConfig, needed: bool) -> Result<ClientConfig> {
    let roots = match (&keys.trust_location, &keys.trust_certificates) {
        (Some(_), Some(_)) => {
            return Err(Error::config(format!("Only one of {TRUST_FILE} and {TRUST_TEXT} may be set")));
        }
        (Some(file), None) => trusted(TRUST_FILE, &read(TRUST_FILE, file, "-nokeys", "trusted.pem")?)?,
        (None, Some(text)) => trusted(TRUST_TEXT, text.reveal().as_bytes())?,
        (None, None) if needed => system_roots()?,
        (None, None) => RootCertStore::empty(),
    };
    // The provider is named, because a process in which two are linked has no default one.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let own = match (&keys.key_location, &keys.key_certificates, &keys.key_key) {
        (None, None, None) => None,
        (Some(file), None, None) => {
            let pem = read(KEY_FILE, file, "-nodes", "client.pem")?;
            Some((KEY_FILE, certificates(KEY_FILE, &pem)?, private_key(KEY_FILE, &pem)?))
        }
        (None, Some(chain), Some(key)) => Some((
            KEY_KEY,
            certificates(KEY_CHAIN, chain.reveal().as_bytes())?,
            private_key(KEY_KEY, key.reveal().as_bytes())?,
        )),
        _ => {
            return Err(Error::config(format!(
                "Either {KEY_FILE} alone, or {KEY_CHAIN} and {KEY_KEY} both have to be set"
            )));
        }
    };
    match own {
        None => Ok(builder.with_no_client_auth()),
        Some((key, chain, private)) => builder.with_client_auth_cert(chain, private).map_err(|error| {
            Error::config(format!("{key}: the private key does not go with the certificate: {error}"))
        }),
    }
}

fn trusted(key: &str, pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, pem)? {
        roots
            .add(certificate)
            .map_err(|error| Error::config(format!("{key}: a certificate cannot be used: {error}")))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old stores hold certificates that rustls cannot use; they are no reason to refuse the others.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        return Err(Error::config(format!(
            "{TRUST_FILE} is missing, and the operating system's trusted certificates cannot be used: {why}. Install them \
             (Debian: ca-certificates), or name a PEM file with the authority that signed the registry's certificate."
        )));
    }
    Ok(roots)
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| Error::config(format!("{key}: not PEM: {error}")))?;
    if found.is_empty() {
        return Err(Error::config(format!(
            "{key}: no certificate in it; it must hold blocks of -----BEGIN CERTIFICATE-----"
        )));
    }
    Ok(found)
}

fn private_key(key: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let why = if pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            "the private key is encrypted; decrypt it with: openssl pkey -in key.pem -out plain.pem"
                .to_owned()
        } else if matches!(error, PemError::NoItemsFound) {
            "no private key in it; it must hold a block of -----BEGIN PRIVATE KEY-----".to_owned()
        } else {
            format!("not PEM: {error}")
        };
        Error::config(format!("{key}: {why}"))
    })
}

/// Reads a PEM file; a Java key store is recognised, and the error says how to convert it.
fn read(key: &str, file: &str, part: &str, pem: &str) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file)
        .map_err(|error| Error::invalid_value(key, file, format!("the file cannot be read: {error}")))?;
    let (format, convert) = match bytes.get(..4) {
        Some([0xfe, 0xed, 0xfe, 0xed]) => (
            "a JKS key store",
            format!(
                "keytool -importkeystore -srckeystore {file} -destkeystore store.p12 -deststoretype PKCS12 && openssl \
                 pkcs12 -in store.p12 {part} -out {pem}"
            ),
        ),
        Some([0x30, ..]) => ("a PKCS#12 key store", format!("openssl pkcs12 -in {file} {part} -out {pem}")),
        _ => return Ok(bytes),
    };
    Err(Error::invalid_value(
        key,
        file,
        format!("{format} cannot be read; convert it with `{convert}` and set {key}={pem}"),
    ))
}
