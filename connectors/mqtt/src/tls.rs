//! TLS from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::validate::KeyError;

const CA: &str = "lavka.mqtt.ssl.ca.pem";
const CERTIFICATE: &str = "lavka.mqtt.ssl.cert.pem";
const KEY: &str = "lavka.mqtt.ssl.key.pem";

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
    pub(crate) trust_store: String,
    /// The client's certificate and key, a Java key store.
    pub(crate) key_store: String,
}

/// Reads the files that `config` names. Blocks.
///
/// # Errors
/// What is wrong with them, by key.
pub(crate) fn client_config(config: &Files) -> Result<Arc<ClientConfig>, KeyError> {
    let roots = match &config.ca {
        Some(file) => named_roots(file)?,
        None => system_roots()?,
    };
    // The provider is named, because a process in which two are linked has no default one.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| KeyError::new(CA, format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let client = match (&config.certificate, &config.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates(CERTIFICATE, certificate)?;
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                KeyError::invalid(KEY, key, format!("it does not go with {CERTIFICATE}: {error}"))
            })?
        }
        (Some(_), None) => {
            return Err(KeyError::new(KEY, format!("{KEY} is missing: {CERTIFICATE} needs its private key")));
        }
        (None, Some(_)) => {
            return Err(KeyError::new(
                CERTIFICATE,
                format!("{CERTIFICATE} is missing: {KEY} needs its certificate"),
            ));
        }
    };
    Ok(Arc::new(client))
}

fn named_roots(file: &str) -> Result<RootCertStore, KeyError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, file)? {
        roots.add(certificate).map_err(|error| KeyError::invalid(CA, file, error.to_string()))?;
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

/// How to make PEM files of a Java key store with a client's certificate or with trusted ones.
pub(crate) fn conversion(store: &str, holds_key: bool) -> String {
    let (format, source, first) = match magic(Path::new(store)) {
        Some([0xfe, 0xed, 0xfe, 0xed]) => ("a JKS key store", "store.p12", true),
        Some([0x30, ..]) => ("a PKCS#12 key store", store, false),
        // Whatever it is, keytool reads it if Java can.
        _ => ("a Java key store", "store.p12", true),
    };
    let mut steps = Vec::new();
    if first {
        steps.push(format!(
            "keytool -importkeystore -srckeystore {store} -destkeystore store.p12 -deststoretype PKCS12"
        ));
    }
    let keys = if holds_key {
        steps.push(format!("openssl pkcs12 -in {source} -nokeys -out cert.pem"));
        steps.push(format!("openssl pkcs12 -in {source} -nocerts -nodes -out key.pem"));
        format!("{CERTIFICATE}=cert.pem and {KEY}=key.pem")
    } else {
        steps.push(format!("openssl pkcs12 -in {source} -nokeys -out ca.pem"));
        format!("{CA}=ca.pem")
    };
    format!("{format} cannot be read; convert it with `{}` and set {keys}", steps.join(" && "))
}

fn magic(file: &Path) -> Option<[u8; 4]> {
    use std::io::Read as _;
    let mut magic = [0; 4];
    std::fs::File::open(file).ok()?.read_exact(&mut magic).ok()?;
    Some(magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_fit_the_format_of_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let jks = file("a.jks", &[0xfe, 0xed, 0xfe, 0xed, 0, 0]);
        let p12 = file("a.p12", &[0x30, 0x82, 1, 2, 3]);
        let text = conversion(&jks, false);
        assert!(text.contains("JKS") && text.contains("keytool -importkeystore -srckeystore"), "{text}");
        assert!(text.contains("openssl pkcs12 -in store.p12 -nokeys") && text.contains(CA), "{text}");
        let text = conversion(&p12, true);
        assert!(text.contains("PKCS#12") && !text.contains("keytool"), "{text}");
        assert!(text.contains(&format!("openssl pkcs12 -in {p12} -nocerts")) && text.contains(KEY), "{text}");
        assert!(conversion("/no/such/store", true).contains("keytool"));
    }
}
