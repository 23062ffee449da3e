//! What is in a key store.

use std::{fmt, fs};

use p12_keystore::{KeyStoreEntry, Pkcs12ImportPolicy};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{elliptic, jks};

/// A key store.
#[derive(Debug, Default)]
pub struct KeyStore {
    /// Certificates that are trusted, in order.
    pub trusted: Vec<Trusted>,
    /// Private keys with their certificates, in order.
    pub keys: Vec<KeyEntry>,
}

/// A certificate that stands for itself.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// Its name; Java's are without regard to upper and lower case.
    pub alias: String,
    /// The certificate.
    pub certificate: CertificateDer<'static>,
}

/// A private key.
#[derive(Debug)]
pub struct KeyEntry {
    /// Its name; Java's are without regard to upper and lower case.
    pub alias: String,
    /// Its certificates, its own first.
    pub chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Key,
}

pub(crate) enum Key {
    Open(PrivateKeyDer<'static>),
    /// Under a password of its own, as JKS has it.
    Sealed(Vec<u8>),
}

impl fmt::Debug for Key {
    /// Nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A key store larger than this is none.
const LARGEST: u64 = 16 * 1024 * 1024;
pub(crate) const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
pub(crate) const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

impl KeyStore {
    /// Reads the key store `file` under its password. Blocks.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub fn read(file: &str, password: &str) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
        if fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
            return Err("the file is too large for a key store".to_owned());
        }
        Self::open(&fs::read(file).map_err(unreadable)?, file, password)
    }

    /// Opens a key store, the contents of `file`, under its password. Of a JKS without password nobody checks whether it was
    /// changed, as in Java.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub fn open(bytes: &[u8], file: &str, password: &str) -> Result<Self, String> {
        if bytes.starts_with(&JKS) {
            jks::open(bytes, password)
        } else if bytes.starts_with(&JCEKS) {
            Err(format!(
                "a JCEKS key store cannot be read; convert it with `keytool -importkeystore -srckeystore {file} \
                 -srcstoretype JCEKS -destkeystore {file}.p12 -deststoretype PKCS12`"
            ))
        } else if bytes.first() == Some(&0x30) {
            pkcs12(bytes, password)
        } else {
            Err("it is neither a JKS nor a PKCS#12 key store".to_owned())
        }
    }
}

impl KeyEntry {
    /// The key in PKCS#8, under its password, which JKS asks for.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub fn private_key(&self, password: &str) -> Result<PrivateKeyDer<'static>, String> {
        let key = match &self.key {
            Key::Open(key) => key.clone_key(),
            Key::Sealed(sealed) => PrivateKeyDer::Pkcs8(jks::unseal(sealed, password)?.into()),
        };
        let completed =
            self.chain.first().and_then(|certificate| elliptic::completed(key.secret_der(), certificate));
        Ok(completed.map_or(key, |completed| PrivateKeyDer::Pkcs8(completed.into())))
    }
}

fn pkcs12(bytes: &[u8], password: &str) -> Result<KeyStore, String> {
    let store = p12_keystore::KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed);
    let store = store.map_err(|error| match password {
        "" => format!("it cannot be opened without a password: {error}"),
        _ => format!("it cannot be opened; is the password right? ({error})"),
    })?;
    let mut contents = KeyStore::default();
    for (alias, entry) in store.entries() {
        let alias = alias.to_owned();
        match entry {
            KeyStoreEntry::Certificate(certificate) => {
                let certificate = CertificateDer::from(certificate.as_der().to_vec());
                contents.trusted.push(Trusted { alias, certificate });
            }
            KeyStoreEntry::PrivateKeyChain(chain) => {
                let certificates = chain.certs().iter();
                let key = PrivateKeyDer::Pkcs8(chain.key().as_der().to_vec().into());
                contents.keys.push(KeyEntry {
                    alias,
                    chain: certificates.map(|one| CertificateDer::from(one.as_der().to_vec())).collect(),
                    key: Key::Open(key),
                });
            }
            _ => {}
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use lavka_testkit::{cannot_run, temp_dir};
    use rustls::crypto::ring::sign::any_supported_type;

    use super::*;

    /// Made by Java's keytool.
    fn keytool(arguments: &[&str]) {
        let made = Command::new("keytool").args(arguments).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    }

    fn made(folder: &Path, kind: &str, algorithm: &str, key_password: &str) -> (String, String) {
        let path = |name: &str| folder.join(format!("{kind}-{algorithm}{name}")).to_str().unwrap().to_owned();
        let (keys, trusted, certificate) = (path("-keys"), path("-trusted"), path(".cer"));
        let common = ["-storetype", kind, "-storepass", "changeit"];
        let make =
            ["-genkeypair", "-alias", "Me", "-keyalg", algorithm, "-dname", "CN=me", "-keystore", &keys];
        keytool(&[&make[..], &common[..], &["-keypass", key_password]].concat());
        let export = ["-exportcert", "-alias", "me", "-file", &certificate, "-keystore", &keys];
        keytool(&[&export[..], &common[..]].concat());
        let import =
            ["-importcert", "-noprompt", "-alias", "ca", "-file", &certificate, "-keystore", &trusted];
        keytool(&[&import[..], &common[..]].concat());
        (keys, trusted)
    }

    #[test]
    fn stores_of_javas_keytool() {
        if Command::new("keytool").arg("-help").output().is_err() {
            cannot_run("stores_of_javas_keytool", "keytool of a JDK");
            return;
        }
        let folder = temp_dir();
        for (kind, algorithm, key_password) in
            [("JKS", "EC", "of-the-key"), ("JKS", "RSA", "changeit"), ("PKCS12", "EC", "changeit")]
        {
            let (keys, trusted) = made(folder.path(), kind, algorithm, key_password);
            let store = KeyStore::read(&keys, "changeit").unwrap();
            let [key] = store.keys.as_slice() else { panic!("{store:?}") };
            assert!(key.alias == "me" && store.trusted.is_empty(), "{kind}");
            // What signs with it takes it, though Java leaves the public key out where it is on a curve.
            let private = key.private_key(key_password).unwrap();
            assert!(any_supported_type(&private).is_ok(), "{kind} {algorithm}");
            let store = KeyStore::read(&trusted, "changeit").unwrap();
            let [ca] = store.trusted.as_slice() else { panic!("{store:?}") };
            assert!(ca.alias == "ca" && [ca.certificate.clone()] == key.chain[..], "{kind}");
            let error = KeyStore::read(&keys, "wrong").unwrap_err();
            assert!(error.contains("password"), "{kind}: {error}");
            assert!(format!("{store:?} {key:?}").contains("[hidden]"));
            if key_password == "of-the-key" {
                assert!(key.private_key("changeit").unwrap_err().contains("private key is wrong"));
                assert_eq!(KeyStore::read(&trusted, "").unwrap().trusted.len(), 1);
            }
        }
    }

    #[test]
    fn what_is_no_key_store() {
        for (bytes, part) in [
            (&b"text"[..], "neither a JKS nor"),
            (&JCEKS, "keytool -importkeystore -srckeystore a.store"),
            (&JKS, "cut off"),
            (b"\x30\x01", "cannot be opened"),
        ] {
            let error = KeyStore::open(bytes, "a.store", "").unwrap_err();
            assert!(error.contains(part), "{bytes:?}: {error}");
        }
        assert!(KeyStore::read("/nowhere/at/all", "").unwrap_err().contains("cannot be read"));
    }
}
