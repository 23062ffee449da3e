//! TLS and passwords through librdkafka.

use std::time::Duration;

use lavka_devbroker::{Broker, BrokerConfig, SaslConfig, TlsConfig};
use lavka_testkit::Authority;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};

use super::{PATIENCE, Running};

/// Whether a client with these settings gets an answer.
fn gets_in(running: &Running, settings: &[(&str, &str)], patience: Duration) -> bool {
    let mut config: ClientConfig = running.client();
    for (key, value) in settings {
        config.set(*key, *value);
    }
    let client: BaseConsumer = config.create().unwrap();
    client.fetch_metadata(None, patience).is_ok_and(|metadata| metadata.brokers().len() == 1)
}

/// How long a client that is refused goes on trying.
const REFUSED: Duration = Duration::from_secs(2);

#[test]
fn passwords_are_asked_for_in_every_mechanism() {
    let sasl = Some(SaslConfig::user("alice", "wonder,land=1"));
    let running = Running::with(BrokerConfig { sasl, ..BrokerConfig::default() });
    let with = |mechanism, password| {
        [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", "alice"),
            ("sasl.password", password),
        ]
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert!(gets_in(&running, &with(mechanism, "wonder,land=1"), PATIENCE), "{mechanism}");
    }
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        assert!(!gets_in(&running, &with(mechanism, "wonder"), REFUSED), "{mechanism}");
    }
    assert!(!gets_in(&running, &[], REFUSED), "without a password");
    running.shutdown();
}

#[test]
fn connections_are_encrypted_and_clients_show_certificates() {
    let authority = Authority::new("broker tests");
    let stranger = Authority::new("somebody else");
    let server = authority.server();
    let tls = TlsConfig {
        certificate: server.certificate,
        key: server.key,
        client_authorities: Some(authority.certificate().to_owned()),
    };
    let config = BrokerConfig {
        tls: Some(tls.clone()),
        sasl: Some(SaslConfig::user("alice", "a")),
        ..BrokerConfig::default()
    };
    assert!(!format!("{config:?}").contains("PRIVATE KEY"));
    let running = Running::with(config);
    let client = authority.client("alice");
    let other = stranger.client("mallory");
    let protocol = ("security.protocol", "sasl_ssl");
    let password = [("sasl.mechanism", "PLAIN"), ("sasl.username", "alice"), ("sasl.password", "a")];
    let ca = ("ssl.ca.pem", authority.certificate());
    let with = |more: &[(&'static str, &str)]| {
        let all: Vec<(&str, &str)> = [&[protocol, ca][..], &password, more].concat();
        all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let get = |settings: Vec<(String, String)>, patience| {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        gets_in(&running, &settings, patience)
    };
    let shown = [("ssl.certificate.pem", client.certificate.as_str()), ("ssl.key.pem", client.key.as_str())];
    assert!(get(with(&shown), PATIENCE));
    assert!(!get(with(&[]), REFUSED), "without a certificate");
    let shown = [("ssl.certificate.pem", other.certificate.as_str()), ("ssl.key.pem", other.key.as_str())];
    assert!(!get(with(&shown), REFUSED), "with a stranger's certificate");
    running.shutdown();
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let identity = Authority::new("broker tests").server();
    let refused = |certificate: &str, key: &str, client_authorities: Option<&str>| {
        let tls = TlsConfig {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_authorities: client_authorities.map(str::to_owned),
        };
        let config = BrokerConfig { tls: Some(tls), ..BrokerConfig::default() };
        runtime.block_on(Broker::start(config)).unwrap_err().to_string()
    };
    let key = "the embedded broker's private key: no private key in PEM was found";
    assert_eq!(refused(&identity.certificate, "nonsense", None), key);
    let certificate = "the embedded broker's certificate: no certificate in PEM was found";
    assert_eq!(refused("nonsense", &identity.key, None), certificate);
    let authorities = "the embedded broker's client authorities: no certificate in PEM was found";
    assert_eq!(refused(&identity.certificate, &identity.key, Some("")), authorities);
}
