//! What credentials are made of, and until when they hold.

use lavka_testkit::{TempDir, temp_dir, write_file};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

fn message(result: Result<Credentials, KeyError>) -> String {
    result.unwrap_err().message
}

fn file(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) -> String {
    write_file(folder.path(), name, contents).to_str().unwrap().to_owned()
}

/// Files with a certificate that holds in the year 2001.
fn files(folder: &TempDir) -> Files {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    Files {
        certificate: file(folder, "cert", params.self_signed(&key).unwrap().pem()),
        key: file(folder, "key", key.serialize_pem()),
        ..Files::default()
    }
}

#[test]
fn a_server_needs_something() {
    let error = message(Credentials::of_server(&Files::default()));
    assert!(error.contains(PSK) && error.contains(CERTIFICATE) && error.contains(STORE), "{error}");
    let missing = Files { psk: "/nowhere/at/all".into(), ..Files::default() };
    assert!(message(Credentials::of_server(&missing)).contains("cannot be read"));
}

#[test]
fn a_client_needs_something_and_somebody_to_trust() {
    let folder = temp_dir();
    let error = message(Credentials::of_client(&Files::default()));
    assert!(error.contains(PSK) && error.contains(CERTIFICATE) && error.contains(STORE), "{error}");
    let files = files(&folder);
    assert!(message(Credentials::of_client(&files)).contains("lavka.coap.dtls.ca.pem is missing"));
    let trusting = Files { trusted: files.certificate.clone(), ..files };
    assert!(Credentials::of_client(&trusting).is_ok());
    let keys = |identity: Option<&str>| Files {
        psk: file(&folder, "psk", "a:00\nb:01\n"),
        identity: identity.map(str::to_owned),
        ..Files::default()
    };
    assert!(message(Credentials::of_client(&keys(None))).contains("several identities"));
    assert!(message(Credentials::of_client(&keys(Some("c")))).contains("no such identity"));
    assert!(Credentials::of_client(&keys(Some("b"))).is_ok());
}

#[test]
fn an_own_certificate_out_of_its_time_is_named() {
    let credentials = Credentials::of_server(&files(&temp_dir())).unwrap();
    assert!(matches!(credentials.trust, Trust::Nobody));
    // 2000, 2001 and 2003.
    let [before, within, after] =
        [950_000_000, 990_000_000, 1_050_000_000].map(|now| credentials.outdated(now));
    assert!(before.unwrap().contains("is not valid before Jan  1"));
    assert_eq!(within, None);
    assert!(after.unwrap().contains("has expired on Jan  1"));
    let keys = Credentials::of_client_with_key("a", b"b").unwrap();
    assert_eq!(keys.outdated(0), None);
}
