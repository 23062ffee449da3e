//! Files with keys and certificates, and what is said of wrong ones.

use std::process::Command;

use lavka_testkit::{TempDir, cannot_run, temp_dir, write_file};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore as Pkcs12, KeyStoreEntry, MacAlgorithm, PrivateKey,
    PrivateKeyChain,
};
use rcgen::{CertificateParams, KeyPair};

use super::*;

fn file(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) -> String {
    write_file(folder.path(), name, contents).to_str().unwrap().to_owned()
}

fn message(result: Result<Option<DtlsCertificate>, KeyError>) -> String {
    result.unwrap_err().message
}

/// A certificate and its key.
fn pair() -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap(), key)
}

/// A PKCS#12 file with keys and trusted certificates under these aliases.
fn store(keys: &[&str], trusted: &[&str]) -> Vec<u8> {
    let mut store = Pkcs12::new();
    for alias in keys {
        let (certificate, key) = pair();
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        let key = PrivateKey::from_der(&key.serialize_der()).unwrap();
        let chain = PrivateKeyChain::new(alias.as_bytes(), key, [certificate]);
        store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
    }
    for alias in trusted {
        let certificate = Certificate::from_der(pair().0.der()).unwrap();
        store.add_entry(alias, KeyStoreEntry::Certificate(certificate));
    }
    let writer = store.writer("secret").encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256);
    writer.mac_algorithm(MacAlgorithm::HmacSha256).write().unwrap()
}

#[test]
fn pem_files() {
    let folder = temp_dir();
    let (first, key) = pair();
    let files = Files {
        certificate: file(&folder, "cert", first.pem()),
        key: file(&folder, "key", key.serialize_pem()),
        ..Files::default()
    };
    assert_eq!(certificate(&files).unwrap().unwrap().certificate, first.der().to_vec());
    let only = Files { key: String::new(), ..files.clone() };
    assert!(message(certificate(&only)).contains("lavka.coap.dtls.key.pem is missing"));
    let only = Files { certificate: String::new(), ..files.clone() };
    assert!(message(certificate(&only)).contains("lavka.coap.dtls.cert.pem is missing"));
    for (name, contents, part) in [
        ("none", "x".to_owned(), "no private key in PEM"),
        (
            "sealed",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n".into(),
            "openssl pkey",
        ),
        ("other", pair().1.serialize_pem(), "does not go with its certificate"),
    ] {
        let wrong = Files { key: file(&folder, name, contents), ..files.clone() };
        let error = certificate(&wrong).unwrap_err();
        assert!(error.key == KEY && error.message.contains(part), "{error:?}");
    }
    let none = Files { certificate: file(&folder, "no-cert", "x"), ..files };
    assert!(message(certificate(&none)).contains("no certificate in PEM"));
}

#[test]
fn an_rsa_key_is_refused_with_the_remedy() {
    let folder = temp_dir();
    let files = Files {
        certificate: file(&folder, "cert", pair().0.pem()),
        // An empty sequence is as good as any: the label says what it is.
        key: file(&folder, "rsa", "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n"),
        ..Files::default()
    };
    let error = message(certificate(&files));
    assert!(
        error.contains("RSA is not supported") && error.contains("openssl genpkey -algorithm EC"),
        "{error}"
    );
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
    assert!(certificate(&files(&one, "client")).unwrap().is_some());
    let two = store(&["a", "client"], &[]);
    assert!(certificate(&files(&two, "client")).is_ok());
    let error = message(certificate(&files(&two, "x")));
    assert!(error.contains("it has 2 keys, and none with the alias 'x'"), "{error}");
    let wrong = Files { store_password: Password::new("other-secret"), ..files(&one, "") };
    let error = message(certificate(&wrong));
    assert!(error.contains("is the password right?") && !error.contains("other-secret"), "{error}");
    let error = message(certificate(&files(&[0xce, 0xce, 0xce, 0xce, 0, 0], "")));
    assert!(error.contains("keytool -importkeystore -srckeystore"), "{error}");
}

/// What Lenses' configurations name: the stores that Java makes of the old kind.
#[test]
fn java_key_stores_of_the_old_kind() {
    if Command::new("keytool").arg("-help").output().is_err() {
        cannot_run("java_key_stores_of_the_old_kind", "keytool of a JDK");
        return;
    }
    let folder = temp_dir();
    let path = folder.path().join("keys.jks").to_str().unwrap().to_owned();
    let make = [
        "-genkeypair",
        "-alias",
        "Client",
        "-keyalg",
        "EC",
        "-groupname",
        "secp256r1",
        "-dname",
        "CN=client",
    ];
    let store = ["-keystore", &path, "-storetype", "JKS", "-storepass", "rootPass", "-keypass", "rootPass"];
    let made = Command::new("keytool").args(make).args(store).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let files = Files {
        store: path.clone(),
        store_password: Password::new("rootPass"),
        store_alias: "client".into(),
        trusted: path,
        trusted_password: Password::new("rootPass"),
        trusted_aliases: vec!["client".into()],
        ..Files::default()
    };
    assert!(certificate(&files).unwrap().is_some());
    assert_eq!(roots(&files).unwrap().len(), 1);
    let wrong = Files { store_password: Password::new("other-secret"), ..files };
    assert!(message(certificate(&wrong)).contains("the password is wrong"));
}

#[test]
fn trusted_certificates_in_a_key_store() {
    let folder = temp_dir();
    let files = |aliases: &[&str]| Files {
        trusted: file(&folder, "trusted", store(&[], &["ca1", "ca2"])),
        trusted_password: Password::new("secret"),
        trusted_aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        ..Files::default()
    };
    for (aliases, count) in [(&[][..], 2), (&["CA2"], 1)] {
        assert_eq!(roots(&files(aliases)).unwrap().len(), count);
    }
    assert!(roots(&files(&["x"])).unwrap_err().message.contains("no certificates"));
    let missing = Files { trusted: "/nowhere/at/all".into(), ..Files::default() };
    assert!(roots(&missing).unwrap_err().message.contains("cannot be read"));
}
