//! Credentials from files, and what is said of wrong ones.

use lavka_api::config::Password;
use lavka_testkit::{TempDir, temp_dir, write_file};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use rcgen::{CertificateParams, KeyPair};

use super::*;

fn file(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) -> String {
    write_file(folder.path(), name, contents).to_str().unwrap().to_owned()
}

fn message(result: Result<Credentials>) -> String {
    result.unwrap_err().to_string()
}

/// A certificate and its key, DER.
fn pair() -> (Vec<u8>, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.der().to_vec(), key.serialize_der())
}

/// A PKCS#12 file with keys and trusted certificates under these aliases.
fn store(keys: &[&str], trusted: &[&str]) -> Vec<u8> {
    let mut store = KeyStore::new();
    for alias in keys {
        let (certificate, key) = pair();
        let certificate = Certificate::from_der(&certificate).unwrap();
        let chain =
            PrivateKeyChain::new(alias.as_bytes(), PrivateKey::from_der(&key).unwrap(), [certificate]);
        store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
    }
    for alias in trusted {
        let certificate = Certificate::from_der(&pair().0).unwrap();
        store.add_entry(alias, KeyStoreEntry::Certificate(certificate));
    }
    let writer = store.writer("secret").encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256);
    writer.mac_algorithm(MacAlgorithm::HmacSha256).write().unwrap()
}

#[test]
fn keys_of_devices() {
    let folder = temp_dir();
    let read = |text: &str| Keys::read(&file(&folder, "psk", text));
    let keys = read("# comment\n\n d1 : 0aFF \nurn:dev:2:01\n").unwrap();
    assert_eq!(keys.resolve(b"d1"), Some(vec![0x0a, 0xff]));
    assert_eq!(keys.resolve(b"urn:dev:2"), Some(vec![1]));
    assert_eq!((keys.resolve(b"x"), keys.take_asked(), keys.take_asked()), (None, Some(b"x".to_vec()), None));
    for text in ["d1:0a\nd2:secret", "d1:0a\nd2", "d1:0a\nd2:abc", "d1:0a\nd2:"] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
    assert!(read("# nothing").unwrap_err().to_string().contains("no identities"));
    assert_eq!(format!("{keys:?}"), "Keys(2)");
}

#[test]
fn a_server_needs_something() {
    let error = message(Credentials::of_server(&Files::default()));
    assert!(error.contains(PSK) && error.contains(CERTIFICATE) && error.contains(STORE), "{error}");
    let missing = Files { psk: "/nowhere/at/all".into(), ..Files::default() };
    assert!(message(Credentials::of_server(&missing)).contains("cannot be read"));
}

#[test]
fn pem_files() {
    let folder = temp_dir();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = Files {
        certificate: file(&folder, "cert", certificate.pem()),
        key: file(&folder, "key", key.serialize_pem()),
        ..Files::default()
    };
    let credentials = Credentials::of_server(&files).unwrap();
    assert!(credentials.certificate.is_some() && matches!(credentials.trust, Trust::Nobody));
    let only = Files { key: String::new(), ..files.clone() };
    assert!(message(Credentials::of_server(&only)).contains("lavka.coap.dtls.key.pem is missing"));
    let none = Files { key: file(&folder, "none", "x"), ..files.clone() };
    assert!(message(Credentials::of_server(&none)).contains("no private key in PEM"));
    let client = Credentials::of_client(&files);
    assert!(message(client).contains("lavka.coap.dtls.ca.pem is missing"));
}

#[test]
fn key_stores() {
    let folder = temp_dir();
    let files = |bytes: &[u8], alias: &str| Files {
        store: file(&folder, "store", bytes),
        store_password: Password::new("secret"),
        store_alias: alias.into(),
        ..Files::default()
    };
    let one = store(&["a"], &[]);
    assert!(Credentials::of_server(&files(&one, "client")).unwrap().certificate.is_some());
    let two = store(&["a", "client"], &[]);
    assert!(Credentials::of_server(&files(&two, "client")).is_ok());
    assert!(
        message(Credentials::of_server(&files(&two, "x")))
            .contains("it has 2 keys, and none with the alias 'x'")
    );
    let wrong = Files { store_password: Password::new("other-secret"), ..files(&one, "") };
    let error = message(Credentials::of_server(&wrong));
    assert!(error.contains("with its password") && !error.contains("other-secret"), "{error}");
    let jks = files(&[0xfe, 0xed, 0xfe, 0xed, 0, 0], "");
    assert!(message(Credentials::of_server(&jks)).contains("keytool -importkeystore"));
}

#[test]
fn trusted_certificates_in_a_key_store() {
    let folder = temp_dir();
    let files = |aliases: &[&str]| Files {
        store: file(&folder, "store", store(&["client"], &[])),
        store_password: Password::new("secret"),
        trusted: file(&folder, "trusted", store(&[], &["ca1", "ca2"])),
        trusted_password: Password::new("secret"),
        trusted_aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        ..Files::default()
    };
    for (aliases, count) in [(&[][..], 2), (&["CA2"], 1)] {
        assert_eq!(roots(&files(aliases)).unwrap().len(), count);
    }
    assert!(Credentials::of_client(&files(&[])).is_ok());
    assert!(message(Credentials::of_client(&files(&["x"]))).contains("no certificates"));
}
