//! What a connection needs of Java's key stores.

use lavka_key_stores::KeyStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A private key and its certificates, its own first.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The certificates that are trusted by the key store `file`: those that stand for themselves, and those of private keys, as
/// Java has it. Blocks.
///
/// # Errors
/// What is wrong with it, for the end of an error text.
pub(crate) fn trusted(file: &str, password: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let store = KeyStore::read(file, password)?;
    let of_keys = store.keys.into_iter().filter_map(|entry| entry.chain.into_iter().next());
    Ok(store.trusted.into_iter().map(|entry| entry.certificate).chain(of_keys).collect())
}

/// The first private key of the key store `file`, under `key_password` where that is not empty, else under `password`.
/// Blocks.
///
/// # Errors
/// What is wrong with it, for the end of an error text.
pub(crate) fn identity(file: &str, password: &str, key_password: &str) -> Result<Identity, String> {
    let key_password = if key_password.is_empty() { password } else { key_password };
    let store = KeyStore::read(file, password).or_else(|error| {
        // A PKCS#12 has one password for all, which users may have put at either key.
        let other = (key_password != password).then(|| KeyStore::read(file, key_password).ok()).flatten();
        other.ok_or(error)
    })?;
    let entry = store.keys.into_iter().next().ok_or_else(|| "there is no private key in it".to_owned())?;
    let key = entry.private_key(key_password)?;
    Ok((entry.chain, key))
}

#[cfg(test)]
mod tests {
    use lavka_testkit::temp_dir;
    use p12_keystore::{Certificate, KeyStore as Pkcs12, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    #[test]
    fn keys_and_whom_they_make_trusted() {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["me".to_owned()]).unwrap();
        let certificate = || Certificate::from_der(cert.der()).unwrap();
        let key = PrivateKey::from_der(&signing_key.serialize_der()).unwrap();
        let chain = PrivateKeyChain::new("me", key, [certificate()]);
        let folder = temp_dir();
        let file = |name: &str, entry: KeyStoreEntry| {
            let mut store = Pkcs12::new();
            store.add_entry(name, entry);
            let path = folder.path().join(name);
            std::fs::write(&path, store.writer("secret").write().unwrap()).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let keys = file("keys", KeyStoreEntry::PrivateKeyChain(chain));
        let certificates = file("certificates", KeyStoreEntry::Certificate(certificate()));
        for (store, password, key_password) in
            [(&keys, "secret", ""), (&keys, "secret", "other"), (&keys, "other", "secret")]
        {
            assert_eq!(identity(store, password, key_password).unwrap().0, [cert.der().clone()]);
        }
        for store in [&keys, &certificates] {
            assert_eq!(trusted(store, "secret").unwrap(), [cert.der().clone()]);
        }
        assert!(identity(&certificates, "secret", "").unwrap_err().contains("no private key"));
        let error = identity(&keys, "other", "another").unwrap_err();
        assert!(error.contains("is the password right?") && !error.contains("another"), "{error}");
    }
}
