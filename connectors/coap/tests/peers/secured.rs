//! DTLS with libcoap on OpenSSL and on GnuTLS, from both sides.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::Value;
use lavka_testkit::{cannot_run, free_port, temp_dir, write_file};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};

use crate::bad_input::Device;
use crate::libcoap_server::Server;
use crate::source::Source;

const CLIENTS: [&str; 2] = ["coap-client-openssl", "coap-client-gnutls"];

/// What `program` prints; none where there is no such program. Where no answer `is_expected` it does not wait for one for
/// long.
async fn client(test: &str, program: &str, is_expected: bool, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let seconds = if is_expected { "30" } else { "5" };
    command.args(["-v", "7", "-B", seconds]).args(arguments).stdin(Stdio::null());
    match tokio::task::spawn_blocking(move || command.output()).await.unwrap() {
        Ok(output) => Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            cannot_run(test, "libcoap's coap-client (Debian: libcoap3-bin)");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn identities(source: &Source) -> Vec<Value> {
    let identity =
        |record: &lavka_api::data::Record| record.headers.last("coap.identity").unwrap().value.clone();
    source.records().iter().map(identity).collect()
}

#[tokio::test]
async fn devices_with_a_pre_shared_key() {
    let test = "devices_with_a_pre_shared_key";
    let folder = temp_dir();
    // "secretPSK" and "other".
    write_file(folder.path(), "psk", b"d1:73656372657450534b\nd2:6f74686572\n");
    let config = Config::from([
        ("lavka.coap.resources", "r".to_owned()),
        ("lavka.coap.dtls", "true".to_owned()),
        ("lavka.coap.dtls.psk.file", path(folder.path(), "psk")),
    ]);
    let source = Source::serve(config, Duration::from_millis(700)).await;
    let uri = format!("coaps://127.0.0.1:{}/r", source.port);
    let large = "x".repeat(3000);
    // Whoever speaks no DTLS, or forges it, is in nobody's way.
    let hello =
        [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 1, 0, 0, 46, 0, 0, 0, 0, 0, 0, 0, 46, 0xfe, 0xfd];
    let shapes = [&hello[..], &[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40], &[0x40, 2, 0, 1, 0xb1, b'r']];
    Device::of(source.port).await.blast(&shapes).await;
    for program in CLIENTS {
        for payload in ["21.5", &large] {
            let arguments = ["-u", "d1", "-k", "secretPSK", "-m", "post", "-e", payload, &uri];
            let Some(printed) = client(test, program, true, &arguments).await else { return };
            assert!(printed.contains("c:2.04"), "{program}: {printed}");
        }
        let arguments = ["-u", "d2", "-k", "secretPSK", "-m", "post", "-e", "no", &uri];
        let printed = client(test, program, false, &arguments).await.unwrap();
        assert!(!printed.contains("c:2.04"), "{program}: {printed}");
    }
    let twice = ["21.5", &large, "21.5", &large].map(|payload| payload.as_bytes().to_vec());
    assert_eq!(source.payloads(), twice);
    assert_eq!(identities(&source), vec![Value::from("d1"); 4]);
}

/// A certificate of an authority, or that of an authority, with its key; in files `name.pem` and `name.key`.
fn certificate(folder: &Path, name: &str, by: Option<&Issuer<'static, KeyPair>>) -> Issuer<'static, KeyPair> {
    certificate_with(folder, name, by, |_| {})
}

fn certificate_with(
    folder: &Path,
    name: &str,
    by: Option<&Issuer<'static, KeyPair>>,
    change: impl FnOnce(&mut CertificateParams),
) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    let certificate = match by {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(&key).unwrap()
        }
    };
    write_file(folder, &format!("{name}.pem"), certificate.pem());
    write_file(folder, &format!("{name}.key"), key.serialize_pem());
    Issuer::new(params, key)
}

#[tokio::test]
async fn devices_with_a_certificate() {
    let test = "devices_with_a_certificate";
    let folder = temp_dir();
    let folder = folder.path();
    let authority = certificate(folder, "authority", None);
    certificate(folder, "server", Some(&authority));
    certificate(folder, "device", Some(&authority));
    let stranger = certificate(folder, "stranger-authority", None);
    certificate(folder, "stranger", Some(&stranger));
    certificate_with(folder, "expired", Some(&authority), |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let config = Config::from([
        ("lavka.coap.resources", "r".to_owned()),
        ("lavka.coap.dtls", "true".to_owned()),
        ("lavka.coap.dtls.cert.pem", path(folder, "server.pem")),
        ("lavka.coap.dtls.key.pem", path(folder, "server.key")),
        ("lavka.coap.dtls.ca.pem", path(folder, "authority.pem")),
    ]);
    let source = Source::serve(config, Duration::ZERO).await;
    let uri = format!("coaps://127.0.0.1:{}/r", source.port);
    for program in CLIENTS {
        for (device, let_in) in [("device", true), ("stranger", false), ("expired", false)] {
            let (certificate, key) =
                (path(folder, &format!("{device}.pem")), path(folder, &format!("{device}.key")));
            let authority = path(folder, "authority.pem");
            let arguments =
                ["-c", &certificate, "-j", &key, "-C", &authority, "-m", "post", "-e", device, &uri];
            let Some(printed) = client(test, program, let_in, &arguments).await else { return };
            assert_eq!(printed.contains("c:2.04"), let_in, "{program}, {device}: {printed}");
        }
    }
    assert_eq!(source.payloads(), [b"device".to_vec(), b"device".to_vec()]);
    assert!(source.count("coap-dtls-failed-total") >= 4);
    for identity in identities(&source) {
        assert!(identity.as_str().unwrap().contains("CN=device"), "{identity:?}");
    }
}

#[tokio::test]
async fn a_server_is_observed_with_a_pre_shared_key() {
    let test = "a_server_is_observed_with_a_pre_shared_key";
    for program in ["coap-server-openssl", "coap-server-gnutls"] {
        let more = ["-k", "secretPSK", "-h", "hint"];
        let Some(server) = Server::start_with(test, program, free_port(), &more).await else { return };
        let uri = format!("coaps://127.0.0.1:{}", server.port + 1);
        let key = [("lavka.coap.dtls.psk.identity", "lavka"), ("lavka.coap.dtls.psk.key", "secretPSK")];
        let source = Source::observe(&uri, "time", &key).await;
        source.wait_for("times", |payloads| payloads.len() >= 3).await;
        source.notification().await;
    }
}

#[tokio::test]
async fn a_server_is_observed_with_certificates() {
    let test = "a_server_is_observed_with_certificates";
    let folder = temp_dir();
    let folder = folder.path();
    let authority = certificate(folder, "authority", None);
    certificate(folder, "server", Some(&authority));
    certificate(folder, "client", Some(&authority));
    certificate_with(folder, "elsewhere", Some(&authority), |params| {
        params.subject_alt_names = vec![SanType::DnsName("elsewhere.example".try_into().unwrap())];
    });
    let authority = path(folder, "authority.pem");
    for program in ["coap-server-openssl", "coap-server-gnutls"] {
        for (name, good) in [("server", true), ("elsewhere", false)] {
            let (certificate, key) =
                (path(folder, &format!("{name}.pem")), path(folder, &format!("{name}.key")));
            let more = ["-c", &certificate, "-j", &key, "-C", &authority];
            let Some(server) = Server::start_with(test, program, free_port(), &more).await else { return };
            let uri = format!("coaps://127.0.0.1:{}", server.port + 1);
            let own = [
                ("lavka.coap.dtls.cert.pem", path(folder, "client.pem")),
                ("lavka.coap.dtls.key.pem", path(folder, "client.key")),
                ("lavka.coap.dtls.ca.pem", authority.clone()),
            ];
            let own: Vec<(&str, &str)> = own.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let source = Source::observe(&uri, "time", &own).await;
            if good {
                source.wait_for("times", |payloads| payloads.len() >= 3).await;
                continue;
            }
            // It is tried again and again, and nothing is asked of a server that is not the one that was meant.
            source.wait_for("failures", |_| source.count("coap-dtls-failed-total") >= 3).await;
            assert_eq!((source.records().len(), source.count("coap-dtls-connected-total")), (0, 0));
        }
    }
}
