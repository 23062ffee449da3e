//! Who is let in.

use std::path::{Path, PathBuf};

use lavka_api::config::Config;
use lavka_testkit::{Authority, Identity, Mosquitto, MosquittoConfig, MosquittoTls, temp_dir, write_file};

use crate::VERSIONS;
use crate::source::{Source, config, errors, payloads, publish};

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
