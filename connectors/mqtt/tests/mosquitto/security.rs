//! Who is let in.

use std::path::{Path, PathBuf};

use lavka_api::config::Config;
use lavka_testkit::{Authority, Identity, Mosquitto, MosquittoConfig, MosquittoTls, temp_dir, write_file};

use crate::VERSIONS;
use crate::source::{Source, config, errors, payloads, publish, until};

fn with_user() -> Mosquitto {
    let users = vec![("me".to_owned(), "right".to_owned())];
    Mosquitto::start(&MosquittoConfig { users, ..MosquittoConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_wrong_password_fails_the_task_with_the_keys() {
    let broker = with_user();
    for version in VERSIONS {
        for entries in [&[("mqtt.username", "me"), ("mqtt.password", "wr0ng")][..], &[]] {
            let mut config = config(&broker, entries);
            config.set("lavka.mqtt.version", version);
            let error = Source::start(&config).await.failure().await;
            let text = error.to_string();
            assert!(text.contains("mqtt.username") && text.contains("mqtt.password"), "{text}");
            assert!(text.contains("lavka-sensors-0") && !text.contains("wr0ng"), "{text}");
            assert!(!error.is_retriable());
        }
    }
}

#[tokio::test]
async fn the_right_password_is_let_in() {
    let broker = with_user();
    for version in VERSIONS {
        let entries = [("mqtt.username", "me"), ("mqtt.password", "right"), ("lavka.mqtt.version", version)];
        Source::subscribed(&config(&broker, &entries), &broker).await.stop().await;
    }
}

#[tokio::test]
async fn a_client_id_that_is_not_accepted_names_the_key() {
    let settings = vec!["clientid_prefixes other-".to_owned()];
    let broker = Mosquitto::start(&MosquittoConfig { settings, ..MosquittoConfig::default() }).unwrap();
    for version in VERSIONS {
        let refused = config(&broker, &[("lavka.mqtt.version", version)]);
        let text = Source::start(&refused).await.failure().await.to_string();
        assert!(text.contains("lavka-sensors-0"), "{text}");
        let entries = [("lavka.mqtt.client.id", "other-one"), ("lavka.mqtt.version", version)];
        let mut source = Source::start(&config(&broker, &entries)).await;
        assert!(source.rest().await.is_empty());
        assert!(broker.log().contains("as other-one-0"));
    }
}

/// A broker with TLS and what a client needs for it.
struct Secure {
    broker: Mosquitto,
    authority: Authority,
    folder: lavka_testkit::TempDir,
}

impl Secure {
    fn start(ask_clients: bool) -> Self {
        let authority = Authority::new("test authority");
        let Identity { certificate, key } = authority.server();
        let client_authority = ask_clients.then(|| authority.certificate().to_owned());
        let tls = Some(MosquittoTls { certificate, key, client_authority });
        let broker = Mosquitto::start(&MosquittoConfig { tls, ..MosquittoConfig::default() }).unwrap();
        Self { broker, authority, folder: temp_dir() }
    }

    fn file(&self, name: &str, pem: &str) -> PathBuf {
        write_file(&self.folder, name, pem)
    }

    fn config(&self, host: &str, entries: &[(&str, &Path)]) -> Config {
        let mut config = config(&self.broker, &[]);
        config.set("mqtt.server.uri", format!("ssl://{host}:{}", self.broker.port()));
        for (key, value) in entries {
            config.set(*key, value.to_str().unwrap());
        }
        config
    }
}

#[tokio::test]
async fn tls_with_a_trusted_certificate() {
    let secure = Secure::start(false);
    let ca = secure.file("ca.pem", secure.authority.certificate());
    for host in ["localhost", "127.0.0.1"] {
        for version in VERSIONS {
            let mut config = secure.config(host, &[("lavka.mqtt.ssl.ca.pem", &ca)]);
            config.set("lavka.mqtt.version", version);
            Source::subscribed(&config, &secure.broker).await.stop().await;
        }
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let secure = Secure::start(false);
    let other = secure.file("other.pem", Authority::new("someone else").certificate());
    for version in VERSIONS {
        let mut config = secure.config("localhost", &[("lavka.mqtt.ssl.ca.pem", &other)]);
        config.set("lavka.mqtt.version", version);
        let text = Source::start(&config).await.failure().await.to_string();
        assert!(text.contains("UnknownIssuer") && text.contains("lavka.mqtt.ssl.ca.pem"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let secure = Secure::start(false);
    let ca = secure.file("ca.pem", secure.authority.certificate());
    let config = secure.config("127.0.0.2", &[("lavka.mqtt.ssl.ca.pem", &ca)]);
    let settings = config.get("mqtt.server.uri").unwrap().to_owned();
    // Mosquitto listens on 127.0.0.1 alone; a forwarder stands in for another host.
    let forward = Forwarder::start(secure.broker.port()).await;
    let mut config = config.clone();
    config.set(
        "mqtt.server.uri",
        settings.replace(&secure.broker.port().to_string(), &forward.port.to_string()),
    );
    let text = Source::start(&config).await.failure().await.to_string();
    assert!(text.contains("mqtt.server.uri") && text.contains("127.0.0.2"), "{text}");
}

/// Passes connections to 127.0.0.2 on to a port of 127.0.0.1.
struct Forwarder {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Forwarder {
    async fn start(to: u16) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.2", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
        Self { port, task }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn client_certificates() {
    let secure = Secure::start(true);
    let ca = secure.file("ca.pem", secure.authority.certificate());
    let Identity { certificate, key } = secure.authority.client("sensor gateway");
    let certificate = secure.file("cert.pem", &certificate);
    let key = secure.file("key.pem", &key);
    let good = secure.config(
        "localhost",
        &[
            ("lavka.mqtt.ssl.ca.pem", &ca),
            ("lavka.mqtt.ssl.cert.pem", &certificate),
            ("lavka.mqtt.ssl.key.pem", &key),
        ],
    );
    Source::subscribed(&good, &secure.broker).await.stop().await;

    let none = secure.config("localhost", &[("lavka.mqtt.ssl.ca.pem", &ca)]);
    for version in VERSIONS {
        let mut none = none.clone();
        none.set("lavka.mqtt.version", version);
        let text = Source::start(&none).await.failure().await.to_string();
        assert!(text.contains("lavka.mqtt.ssl.cert.pem"), "{text}");
    }

    let Identity { key: foreign, .. } = secure.authority.client("another");
    let foreign = secure.file("foreign.pem", &foreign);
    let mut mixed = good.clone();
    mixed.set("lavka.mqtt.ssl.key.pem", foreign.to_str().unwrap());
    let found = errors(&mixed).await;
    assert!(matches!(found.as_slice(), [text] if text.contains("does not go with")), "{found:?}");
}

/// A PKCS#12 key store of what is in these PEM texts.
fn pkcs12(certificate: &str, key: Option<&str>, password: &str) -> Vec<u8> {
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let certificate = Certificate::from_der(&certificate).unwrap();
    let entry = match key {
        None => KeyStoreEntry::Certificate(certificate),
        Some(key) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            let key = PrivateKey::from_der(key.secret_der()).unwrap();
            KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("one", key, [certificate]))
        }
    };
    let mut store = KeyStore::new();
    store.add_entry("entry", entry);
    store.writer(password).write().unwrap()
}

#[tokio::test]
async fn java_key_stores() {
    let secure = Secure::start(true);
    let Identity { certificate, key } = secure.authority.client("sensor gateway");
    let path = |name: &str, bytes: Vec<u8>| {
        let path = secure.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let trusted = path("trusted.p12", pkcs12(secure.authority.certificate(), None, "of trust"));
    let keys = path("keys.p12", pkcs12(&certificate, Some(&key), "of keys"));
    let stores = [("mqtt.ssl.trust.store.path", &*trusted), ("mqtt.ssl.key.store.path", &*keys)];
    let mut config = secure.config("localhost", &stores);
    config.set("mqtt.ssl.trust.store.password", "of trust");
    config.set("mqtt.ssl.key.store.password", "wr0ng");
    let found = errors(&config).await;
    assert!(
        matches!(found.as_slice(), [text] if text.contains("mqtt.ssl.key.store.path") && text.contains("password") && !text.contains("wr0ng")),
        "{found:?}"
    );
    config.set("mqtt.ssl.key.store.password", "of keys");
    for version in VERSIONS {
        config.set("lavka.mqtt.version", version);
        Source::subscribed(&config, &secure.broker).await.stop().await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let mut expired = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = expired.self_signed(&key).unwrap().pem();
    let tls =
        MosquittoTls { certificate: certificate.clone(), key: key.serialize_pem(), client_authority: None };
    let broker = Mosquitto::start(&MosquittoConfig { tls: Some(tls), ..MosquittoConfig::default() }).unwrap();
    let folder = temp_dir();
    let ca = write_file(&folder, "ca.pem", &certificate);
    let mut config = config(&broker, &[("lavka.mqtt.ssl.ca.pem", ca.to_str().unwrap())]);
    config.set("mqtt.server.uri", format!("ssl://localhost:{}", broker.port()));
    let error = Source::start(&config).await.failure().await;
    assert!(error.to_string().contains("expired") && !error.is_retriable(), "{error}");
}

#[tokio::test]
async fn the_server_name_may_be_another_and_protocols_are_offered() {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let authority = Authority::new("test authority");
    let Identity { certificate, key } = authority.server();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let mut server = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    server.alpn_protocols = vec![b"other".to_vec(), b"mqtt".to_vec()];
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(stream).await.unwrap();
        let (_, session) = stream.get_ref();
        (session.server_name().map(str::to_owned), session.alpn_protocol().map(<[u8]>::to_vec))
    });
    let folder = temp_dir();
    let ca = write_file(&folder, "ca.pem", authority.certificate());
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let mut config = config(
        &broker,
        &[
            ("lavka.mqtt.ssl.ca.pem", ca.to_str().unwrap()),
            ("lavka.mqtt.ssl.server.name", "localhost"),
            ("lavka.mqtt.ssl.alpn", "mqtt"),
        ],
    );
    config.set("mqtt.server.uri", format!("ssl://127.0.0.1:{port}"));
    let source = Source::start(&config).await;
    assert_eq!(seen.await.unwrap(), (Some("localhost".to_owned()), Some(b"mqtt".to_vec())));
    source.stop().await;
}

/// A broker that speaks WebSocket too, as `settings` say, and the port for that. Another process may
/// take that port first: then it is another.
fn with_websockets(settings: &[String]) -> (Mosquitto, u16) {
    let mut tries = (0..5).map(|_| {
        let port = lavka_testkit::free_port();
        // Here Mosquitto wants the name of the interface.
        let settings = [&[format!("listener {port} lo")], settings].concat();
        let broker = Mosquitto::start(&MosquittoConfig { settings, ..MosquittoConfig::default() });
        broker.map(|broker| (broker, port))
    });
    tries.find_map(Result::ok).expect("no broker with WebSocket starts")
}

#[tokio::test]
async fn websockets_with_and_without_tls() {
    let authority = Authority::new("test authority");
    let Identity { certificate, key } = authority.server();
    let folder = temp_dir();
    let ca = write_file(&folder, "ca.pem", authority.certificate());
    let (certificate, key) =
        (write_file(&folder, "server.pem", &certificate), write_file(&folder, "server.key", &key));
    for scheme in ["ws", "wss"] {
        let mut settings = vec!["protocol websockets".to_owned()];
        if scheme == "wss" {
            settings.push(format!("certfile {}", certificate.display()));
            settings.push(format!("keyfile {}", key.display()));
        }
        let (broker, port) = with_websockets(&settings);
        for version in VERSIONS {
            let mut config = config(&broker, &[("lavka.mqtt.version", version)]);
            config.set("mqtt.server.uri", format!("{scheme}://127.0.0.1:{port}/mqtt"));
            if scheme == "wss" {
                config.set("lavka.mqtt.ssl.ca.pem", ca.to_str().unwrap());
            }
            config.set("lavka.mqtt.client.id", format!("ws-{version}"));
            let mut source = Source::start(&config).await;
            until(|| broker.log().contains(&format!("Sending SUBACK to ws-{version}-0"))).await;
            // A payload of many frames, and small ones before and behind it.
            let mut publisher = crate::sink::config(port, &[]);
            publisher.set("mqtt.server.uri", config.get("mqtt.server.uri").unwrap());
            publisher.set("lavka.mqtt.topic", "t/${key}");
            if scheme == "wss" {
                publisher.set("lavka.mqtt.ssl.ca.pem", ca.to_str().unwrap());
            }
            let long = "x".repeat(300_000);
            let mut sink = crate::sink::Sink::start(&publisher).await;
            let records = crate::sink::batch(&[("a", "1"), ("b", &long), ("c", "3")]);
            sink.put(&records, false).await.unwrap();
            assert_eq!(payloads(&source.drain(3).await), ["1", &long, "3"], "{scheme} {version}");
            source.stop().await;
        }
    }
}

#[tokio::test]
async fn a_server_without_websockets_is_named() {
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let mut both = config(&broker, &[]);
    let port = broker.port();
    both.set("mqtt.server.uri", format!("ws://127.0.0.1:{port}/mqtt,tcp://127.0.0.1:{port}"));
    let mut source = Source::subscribed(&both, &broker).await;
    publish(&broker, "t/1", 1, &["x".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
}

#[tokio::test]
async fn tls_to_a_port_that_speaks_none_is_tried_again() {
    let broker = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let folder = temp_dir();
    let ca = write_file(&folder, "ca.pem", Authority::new("a").certificate());
    let mut wrong = config(&broker, &[("lavka.mqtt.ssl.ca.pem", ca.to_str().unwrap())]);
    wrong.set(
        "mqtt.server.uri",
        format!("ssl://127.0.0.1:{},tcp://127.0.0.1:{}", broker.port(), broker.port()),
    );
    let mut source = Source::subscribed(&wrong, &broker).await;
    publish(&broker, "t/1", 1, &["x".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["x"]);
}
