//! Checks that look at more than one key, or at files.

use lavka_api::config::{Config, KeyError};

use crate::access::Access;
use crate::config::MqttConfig;
use crate::tls::Files;

/// The producer's `acks`, which decides what an acknowledgement to the MQTT server is worth.
const ACKS: &str = "producer.override.acks";

/// Everything that is wrong with the source's `config` beyond its single keys. Reads files, so it blocks.
pub(crate) fn cross_check(config: &Config, parsed: &MqttConfig) -> Vec<KeyError> {
    let mut errors = Vec::new();
    errors.extend(acks(config));
    errors.extend(properties(parsed));
    errors.extend(check_access(&parsed.access()));
    errors
}

/// Everything that is wrong with the way to the servers. Reads files, so it blocks.
pub(crate) fn check_access(access: &Access) -> Vec<KeyError> {
    let mut errors = Vec::new();
    errors.extend(credentials(access));
    errors.extend(keep_alive(access));
    if access.wants_tls() {
        errors.extend(access.tls().err());
    } else {
        errors.extend(unused_tls(&access.files));
    }
    errors
}

fn acks(config: &Config) -> Option<KeyError> {
    let value = config.get(ACKS)?.trim();
    (!matches!(value.to_ascii_lowercase().as_str(), "all" | "-1")).then(|| {
        KeyError::invalid(
            ACKS,
            value,
            "must be all. A message is acknowledged to the MQTT server, which then forgets it, as soon as Kafka \
             acknowledges its record; with less than all, Kafka may still lose it after that.",
        )
    })
}

fn credentials(access: &Access) -> Option<KeyError> {
    (access.username.is_empty() && !access.password.reveal().is_empty()).then(|| {
        KeyError::missing(
            "mqtt.username",
            "MQTT knows no password without a user name (mqtt.password is set)",
        )
    })
}

fn keep_alive(access: &Access) -> Option<KeyError> {
    (access.v5 && access.keep_alive < 5).then(|| {
        KeyError::invalid(
            "mqtt.keepalive.interval.seconds",
            access.keep_alive,
            "must be at least 5 with lavka.mqtt.version=5",
        )
    })
}

fn properties(parsed: &MqttConfig) -> Vec<KeyError> {
    let mut errors = Vec::new();
    if !parsed.is_v5() && parsed.v5_headers {
        errors.push(KeyError::invalid(
            "lavka.mqtt.v5.headers",
            true,
            "only MQTT 5 has these properties; set lavka.mqtt.version=5",
        ));
    }
    if !parsed.is_v5() && parsed.goes_by_content_type() {
        errors.push(KeyError::invalid(
            "lavka.payload.format",
            "auto",
            "only MQTT 5 has content types; set lavka.mqtt.version=5, or name the format",
        ));
    }
    if let Some(shared) =
        parsed.topics.iter().find(|filter| parsed.is_sparkplug() && filter.starts_with("$share/"))
    {
        errors.push(KeyError::invalid(
            "mqtt.topics",
            shared,
            "with lavka.payload.format=sparkplug-b all messages of a node must come to one task, which remembers its births; \
             a shared subscription spreads them. Name groups or nodes instead: spBv1.0/GROUP/#",
        ));
    }
    errors
}

/// Certificates for servers that are all spoken to in the clear: whoever configured that expects otherwise.
fn unused_tls(files: &Files) -> Option<KeyError> {
    let set = [
        ("lavka.mqtt.ssl.ca.pem", &files.ca),
        ("lavka.mqtt.ssl.cert.pem", &files.certificate),
        ("lavka.mqtt.ssl.key.pem", &files.key),
    ];
    let pem = set.into_iter().find_map(|(key, file)| Some((key, file.as_ref()?)));
    let stores = [
        ("mqtt.ssl.trust.store.path", &files.trust_store.path),
        ("mqtt.ssl.key.store.path", &files.key_store.path),
    ];
    let (key, file) = pem.or_else(|| stores.into_iter().find(|(_, path)| !path.is_empty()))?;
    Some(KeyError::invalid(
        key,
        file,
        "no address in mqtt.server.uri begins with ssl:// or wss://, so messages and password would go unencrypted",
    ))
}

#[cfg(test)]
mod tests {
    use lavka_api::config::ConfigSpec;

    use super::*;

    fn errors(entries: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let mut config = Config::from([("mqtt.server.uri", "tcp://h"), ("mqtt.topics", "a/#")]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        let parsed = MqttConfig::from_config(&config).unwrap();
        cross_check(&config, &parsed).into_iter().map(|e| (e.key, e.message)).collect()
    }

    #[test]
    fn confluents_configurations_pass() {
        assert_eq!(errors(&[]), []);
        assert_eq!(
            errors(&[
                ("kafka.topic", "readings"),
                ("mqtt.qos", "2"),
                ("mqtt.username", "u"),
                ("mqtt.password", "p"),
                ("mqtt.clean.session.enabled", "false"),
                ("mqtt.ssl.trust.store.path", ""),
                ("mqtt.ssl.key.store.password", ""),
                ("records.buffer.queue.size", "10000"),
                ("records.buffer.queue.max.batch.size", "100"),
                ("records.buffer.queue.empty.timeout", "10"),
                ("confluent.license", ""),
                ("confluent.topic.bootstrap.servers", "k:9092"),
                ("confluent.topic.replication.factor", "1"),
                ("producer.override.acks", "ALL"),
            ]),
            []
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_key() {
        for (entries, key, part) in [
            (&[("producer.override.acks", "1")][..], "producer.override.acks", "must be all"),
            (&[("producer.override.acks", "0")], "producer.override.acks", "must be all"),
            (&[("mqtt.password", "secret")], "mqtt.username", "mqtt.password is set"),
            (
                &[("lavka.mqtt.version", "5"), ("mqtt.keepalive.interval.seconds", "4")],
                "mqtt.keepalive.interval.seconds",
                "at least 5",
            ),
            (&[("lavka.mqtt.v5.headers", "true")], "lavka.mqtt.v5.headers", "lavka.mqtt.version=5"),
            (&[("mqtt.ssl.trust.store.path", "/t.jks")], "mqtt.ssl.trust.store.path", "unencrypted"),
            (
                &[("mqtt.server.uri", "wss://h"), ("mqtt.ssl.trust.store.path", "/t.jks")],
                "mqtt.ssl.trust.store.path",
                "cannot be read",
            ),
            (&[("lavka.mqtt.ssl.ca.pem", "/ca.pem")], "lavka.mqtt.ssl.ca.pem", "unencrypted"),
            (
                &[("lavka.payload.format", "sparkplug-b"), ("mqtt.topics", "$share/g/spBv1.0/#")],
                "mqtt.topics",
                "shared subscription",
            ),
            (
                &[("mqtt.server.uri", "tcp://a,ssl://b"), ("lavka.mqtt.ssl.ca.pem", "/no/such.pem")],
                "lavka.mqtt.ssl.ca.pem",
                "cannot be read",
            ),
        ] {
            let found = errors(entries);
            assert!(
                matches!(found.as_slice(), [(k, message)] if *k == key && message.contains(part)),
                "{entries:?}: {found:?}"
            );
            assert!(!found[0].1.contains("secret"));
        }
    }

    #[test]
    fn pem_files_take_precedence_over_java_key_stores() {
        let found = errors(&[
            ("mqtt.server.uri", "ssl://h"),
            ("mqtt.ssl.trust.store.path", "/t.jks"),
            ("lavka.mqtt.ssl.ca.pem", "/no/such.pem"),
        ]);
        assert!(matches!(found.as_slice(), [("lavka.mqtt.ssl.ca.pem", _)]), "{found:?}");
    }

    #[test]
    fn pem_files_are_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let junk = file("junk.pem", "not PEM at all");
        let encrypted = file(
            "key.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let authority = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
        let good = file("ca.pem", &authority.cert.pem());
        let key = file("plain.pem", &authority.signing_key.serialize_pem());
        let tls = |entries: &[(&str, &str)]| {
            let mut all = vec![("mqtt.server.uri", "ssl://h"), ("lavka.mqtt.ssl.ca.pem", good.as_str())];
            all.extend_from_slice(entries);
            errors(&all)
        };
        assert_eq!(tls(&[]), []);
        assert_eq!(tls(&[("lavka.mqtt.ssl.cert.pem", &good), ("lavka.mqtt.ssl.key.pem", &key)]), []);
        for (entries, key, part) in [
            (&[("lavka.mqtt.ssl.ca.pem", junk.as_str())][..], "lavka.mqtt.ssl.ca.pem", "no certificate"),
            (&[("lavka.mqtt.ssl.cert.pem", &good)], "lavka.mqtt.ssl.key.pem", "is missing"),
            (&[("lavka.mqtt.ssl.key.pem", &key)], "lavka.mqtt.ssl.cert.pem", "is missing"),
            (
                &[("lavka.mqtt.ssl.cert.pem", &good), ("lavka.mqtt.ssl.key.pem", &encrypted)],
                "lavka.mqtt.ssl.key.pem",
                "openssl pkey",
            ),
            (
                &[("lavka.mqtt.ssl.cert.pem", &good), ("lavka.mqtt.ssl.key.pem", &junk)],
                "lavka.mqtt.ssl.key.pem",
                "no private key",
            ),
        ] {
            let found = tls(entries);
            assert!(
                matches!(found.as_slice(), [(k, message)] if *k == key && message.contains(part)),
                "{entries:?}: {found:?}"
            );
        }
    }
}
