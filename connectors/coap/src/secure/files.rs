//! Files with keys and certificates, and what can be wrong with them.

use dimpl::DtlsCertificate;
use lavka_api::config::{KeyError, Password};
use lavka_key_stores::KeyStore;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

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
    /// Both in a Java key store (JKS or PKCS#12), and its password.
    pub(crate) store: String,
    pub(crate) store_password: Password,
    /// Of its key, where there are several.
    pub(crate) store_alias: String,
    /// Certificates that are trusted, PEM or a Java key store; of the latter the password, and the aliases if not all are meant.
    pub(crate) trusted: String,
    pub(crate) trusted_password: Password,
    pub(crate) trusted_aliases: Vec<String>,
}

pub(super) const PSK: &str = "lavka.coap.dtls.psk.file";
pub(super) const CERTIFICATE: &str = "lavka.coap.dtls.cert.pem";
pub(super) const KEY: &str = "lavka.coap.dtls.key.pem";
pub(super) const STORE: &str = "lavka.coap.dtls.keystore.path";
pub(super) const TRUSTED: &str = "lavka.coap.dtls.ca.pem";

/// A file larger than this holds no keys.
const LARGEST: u64 = 16 * 1024 * 1024;

impl Files {
    /// The first key whose file would be read, with the file.
    pub(crate) fn first(&self) -> Option<(&'static str, &str)> {
        let all = [
            (PSK, &self.psk),
            (CERTIFICATE, &self.certificate),
            (KEY, &self.key),
            (STORE, &self.store),
            (TRUSTED, &self.trusted),
        ];
        all.into_iter().find(|(_, file)| !file.is_empty()).map(|(key, file)| (key, file.as_str()))
    }
}

/// The bytes of the file that `key` names. Blocks.
pub(super) fn read(key: &'static str, file: &str) -> Result<Vec<u8>, KeyError> {
    let unreadable =
        |error: std::io::Error| KeyError::invalid(key, file, format!("it cannot be read: {error}"));
    if std::fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
        return Err(KeyError::invalid(key, file, "it is too large to be keys or certificates"));
    }
    std::fs::read(file).map_err(unreadable)
}

/// The trusted certificates. Blocks.
pub(super) fn roots(files: &Files) -> Result<RootCertStore, KeyError> {
    let file = files.trusted.as_str();
    let invalid = |why: String| KeyError::invalid(TRUSTED, file, why);
    let bytes = read(TRUSTED, file)?;
    let mut roots = RootCertStore::empty();
    let mut add = |certificate| roots.add(certificate).map_err(|error| invalid(error.to_string()));
    if bytes.windows(5).any(|window| window == b"-----") {
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            add(certificate.map_err(|error| invalid(error.to_string()))?)?;
        }
    } else {
        let store = KeyStore::open(&bytes, file, files.trusted_password.reveal()).map_err(invalid)?;
        let wanted = &files.trusted_aliases;
        let named = |alias: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(alias));
        for entry in store.trusted.into_iter().filter(|entry| wanted.is_empty() || named(&entry.alias)) {
            add(entry.certificate)?;
        }
        // As with Java, a name may be that of a key too.
        for entry in store.keys.into_iter().filter(|entry| named(&entry.alias)) {
            entry.chain.into_iter().next().map_or(Ok(()), &mut add)?;
        }
    }
    match roots.is_empty() {
        true => Err(invalid("it has no certificates (of these aliases, if it is a key store)".to_owned())),
        false => Ok(roots),
    }
}

/// A certificate and its private key, if the configuration names any. Blocks.
pub(super) fn certificate(files: &Files) -> Result<Option<DtlsCertificate>, KeyError> {
    let (key, file, certificate, private_key) = match (files.certificate.as_str(), files.key.as_str()) {
        ("", "") if files.store.is_empty() => return Ok(None),
        ("", "") => {
            let (certificate, private_key) = from_store(files)?;
            (STORE, files.store.as_str(), certificate, private_key)
        }
        (_, "") => return Err(KeyError::missing(KEY, format!("{CERTIFICATE} needs its private key"))),
        ("", _) => return Err(KeyError::missing(CERTIFICATE, format!("{KEY} needs its certificate"))),
        (certificate, key) => {
            let pem = read(CERTIFICATE, certificate)?;
            let first = CertificateDer::from_pem_slice(&pem)
                .map_err(|_| KeyError::invalid(CERTIFICATE, certificate, "it has no certificate in PEM"))?;
            let pem = read(KEY, key)?;
            let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
                let why = "it has no private key in PEM that is not encrypted; openssl pkey -in FILE -out PLAIN takes the \
                           encryption away";
                KeyError::invalid(KEY, key, why)
            })?;
            (KEY, key, first, private)
        }
    };
    // The library takes the key on trust, and aborts where it is none.
    let usable = hello::provider().key_provider.load_private_key(private_key.secret_der());
    usable.map_err(|_| {
        let why = "its key is not of an elliptic curve, P-256 or P-384, which DTLS needs here (RSA is not supported). Make \
                   one, and have a certificate signed for it: openssl genpkey -algorithm EC -pkeyopt \
                   ec_paramgen_curve:P-256 -out key.pem";
        KeyError::invalid(key, file, why)
    })?;
    let pair =
        DtlsCertificate { certificate: certificate.to_vec(), private_key: private_key.secret_der().to_vec() };
    CertifiedKey::from_der(vec![certificate], private_key, &ring::default_provider()).map_err(|error| {
        KeyError::invalid(key, file, format!("it does not go with its certificate: {error}"))
    })?;
    Ok(Some(pair))
}

fn from_store(files: &Files) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), KeyError> {
    let (file, password) = (files.store.as_str(), files.store_password.reveal());
    let invalid = |why: String| KeyError::invalid(STORE, file, why);
    let store = KeyStore::open(&read(STORE, file)?, file, password).map_err(invalid)?;
    let named = store.keys.iter().find(|entry| entry.alias.eq_ignore_ascii_case(&files.store_alias));
    let only = store.keys.first().filter(|_| store.keys.len() == 1);
    let Some((entry, certificate)) =
        named.or(only).and_then(|entry| Some((entry, entry.chain.first()?.clone())))
    else {
        return Err(invalid(match store.keys.len() {
            0 => "it has no private key with its certificate".to_owned(),
            several => format!("it has {several} keys, and none with the alias '{}'", files.store_alias),
        }));
    };
    Ok((certificate, entry.private_key(password).map_err(invalid)?))
}

#[cfg(test)]
mod tests;
