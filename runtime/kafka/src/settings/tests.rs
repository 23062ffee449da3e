//! The translation, key by key; the table of client differences in the conformance cases (section 7) is behind it.

use std::collections::BTreeSet;

use super::*;

const SERVERS: (&str, &str) = ("bootstrap.servers", "localhost:9092");

fn config(entries: &[(&str, &str)]) -> Config {
    [SERVERS].iter().chain(entries).copied().collect()
}

fn produced(entries: &[(&str, &str)]) -> Native {
    producer(&config(entries)).unwrap().native
}

fn consumer_settings(entries: &[(&str, &str)]) -> ConsumerSettings {
    let buffer = Buffer { records: 10_000, bytes: 32 << 20 };
    consumer(&[("group.id", "g")].iter().chain(&[SERVERS]).chain(entries).copied().collect(), buffer).unwrap()
}

fn consumed(entries: &[(&str, &str)]) -> Native {
    consumer_settings(entries).native
}

fn refusal(entries: &[(&str, &str)]) -> String {
    producer(&config(entries)).unwrap_err().to_string()
}

#[test]
fn every_key_has_one_row_for_each_client_and_a_reason() {
    for kind in [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin] {
        let mut seen = BTreeSet::new();
        for row in table::ROWS {
            assert!(!row.why.is_empty(), "{}", row.key);
            let found = table::find(kind, row.key);
            if found.is_some_and(|found| std::ptr::eq(found, row)) {
                assert!(seen.insert(row.key), "{} has two rows for {kind:?}", row.key);
            }
            if let Rule::Number { min, max, .. } = row.rule {
                assert!(min < max, "{}", row.key);
            }
        }
    }
}

/// One value for each key of a kind, so that librdkafka sees every name and range that the table can produce.
fn all_keys(kind: ClientKind, number: i64) -> Vec<(&'static str, String)> {
    let special = [
        ("metadata.recovery.strategy", "REBOOTSTRAP"),
        ("acks", "-1"),
        ("compression.type", "zstd"),
        ("group.protocol", "classic"),
        ("auto.offset.reset", "none"),
        ("isolation.level", "read_committed"),
        ("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
        ("enable.auto.commit", "true"),
        ("client.dns.lookup", "use_all_dns_ips"),
        // Without KIP-848 there is no remote assignor.
        ("group.remote.assignor", ""),
        // Both bounds have rules between keys, which have tests of their own.
        ("delivery.timeout.ms", "2147483647"),
        ("max.in.flight.requests.per.connection", "5"),
        ("retries", "2147483647"),
    ];
    let rows =
        table::ROWS.iter().filter(|row| row.clients.covers(kind) && !matches!(row.rule, Rule::Security(_)));
    rows.filter(|row| row.key != "bootstrap.servers" && row.key != "group.id")
        .map(|row| {
            let fixed = special.iter().find(|(key, _)| *key == row.key).map(|(_, value)| (*value).to_owned());
            let value = fixed.unwrap_or_else(|| match row.rule {
                Rule::Flag(_) => "true".into(),
                Rule::Text(_) => "text".into(),
                Rule::Number { kind: lavka_api::config::Kind::Long, .. } => number.to_string(),
                _ => number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)).to_string(),
            });
            (row.key, value)
        })
        .collect()
}

#[test]
fn librdkafka_takes_every_name_at_both_ends_of_every_range() {
    for number in [i64::MIN, 0, i64::MAX] {
        for kind in [ClientKind::Producer, ClientKind::Consumer] {
            let entries = all_keys(kind, number);
            let entries: Vec<_> = entries.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let (native, outcome) = match kind {
                ClientKind::Producer => {
                    let native = produced(&entries);
                    let outcome =
                        native.client_config().create::<rdkafka::producer::BaseProducer>().map(drop);
                    (native, outcome)
                }
                _ => {
                    let native = consumed(&entries);
                    let outcome =
                        native.client_config().create::<rdkafka::consumer::BaseConsumer>().map(drop);
                    (native, outcome)
                }
            };
            assert!(outcome.is_ok(), "{kind:?} with {number}: {outcome:?} {:?}", native.0);
        }
    }
}

#[test]
fn an_unset_producer_is_like_javas() {
    let native = produced(&[]);
    for (key, value) in [
        ("partitioner", "murmur2_random"),
        ("linger.ms", "5"),
        ("enable.idempotence", "true"),
        ("max.in.flight.requests.per.connection", "5"),
        ("delivery.timeout.ms", "120000"),
        ("message.max.bytes", "1048576"),
        ("queue.buffering.max.kbytes", "32768"),
        ("client.id", "lavka"),
    ] {
        assert_eq!(native.get(key), Some(value), "{key}");
    }
}

/// connect-worker-config.md, section 8.
#[test]
fn the_frameworks_defaults_for_source_producers_are_taken_up() {
    let native = produced(&[
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("enable.idempotence", "false"),
        ("max.block.ms", "9223372036854775807"),
        ("delivery.timeout.ms", "2147483647"),
        ("client.id", "connector-producer-c-0"),
        ("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer"),
        ("metrics.context.connect.kafka.cluster.id", "x"),
    ]);
    for (key, value) in [
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("enable.idempotence", "false"),
        ("delivery.timeout.ms", "0"),
        ("client.id", "connector-producer-c-0"),
    ] {
        assert_eq!(native.get(key), Some(value), "{key}");
    }
}

#[test]
fn an_unset_consumer_is_like_javas() {
    let settings = consumer_settings(&[]);
    for (key, value) in [
        ("isolation.level", "read_uncommitted"),
        ("auto.offset.reset", "latest"),
        ("partition.assignment.strategy", "range"),
        ("check.crcs", "true"),
        ("enable.auto.commit", "false"),
        ("allow.auto.create.topics", "true"),
    ] {
        assert_eq!(settings.native.get(key), Some(value), "{key}");
    }
    assert_eq!(settings.max_records, 500);
    assert_eq!(settings.handover, Duration::from_secs(287));
    assert!(!settings.wire.read_committed);
}

#[test]
fn idempotence_yields_to_what_excludes_it_and_refuses_it_when_asked_for() {
    for (key, value, text) in [
        ("acks", "1", "Must set acks to all in order to use the idempotent producer. "),
        ("retries", "0", "Must set retries to non-zero when using the idempotent producer."),
        (
            "max.in.flight.requests.per.connection",
            "6",
            "Must set max.in.flight.requests.per.connection to at most 5 ",
        ),
    ] {
        assert_eq!(produced(&[(key, value)]).get("enable.idempotence"), Some("false"), "{key}");
        let text_shown = refusal(&[(key, value), ("enable.idempotence", "true")]);
        assert!(text_shown.starts_with(text), "{text_shown}");
    }
}

#[test]
fn the_delivery_timeout_leaves_time_for_a_request() {
    let text = "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms";
    assert_eq!(refusal(&[("delivery.timeout.ms", "1000")]), text);
    let native = produced(&[("request.timeout.ms", "200000")]);
    assert_eq!(native.get("delivery.timeout.ms"), Some("200005"));
    assert_eq!(native.get("socket.timeout.ms"), Some("200000"));
}

#[test]
fn levels_of_other_codecs_do_not_count() {
    let levels =
        [("compression.zstd.level", "19"), ("compression.gzip.level", "6"), ("compression.lz4.level", "9")];
    for (codec, level) in [("zstd", Some("12")), ("gzip", Some("6")), ("LZ4", Some("9")), ("snappy", None)] {
        let entries: Vec<_> = levels.into_iter().chain([("compression.type", codec)]).collect();
        assert_eq!(produced(&entries).get("compression.level"), level, "{codec}");
    }
}

#[test]
fn assignors_of_java_have_counterparts() {
    let package = "org.apache.kafka.clients.consumer.";
    for (classes, names) in [
        (vec!["RangeAssignor"], "range"),
        (vec!["RoundRobinAssignor", "RangeAssignor"], "roundrobin,range"),
        (vec!["CooperativeStickyAssignor"], "cooperative-sticky"),
        (vec!["RangeAssignor", "CooperativeStickyAssignor"], "range"),
    ] {
        let list = classes.iter().map(|class| format!("{package}{class}")).collect::<Vec<_>>().join(", ");
        assert_eq!(
            consumed(&[("partition.assignment.strategy", &list)]).get("partition.assignment.strategy"),
            Some(names)
        );
    }
    let error = rules::assignment_strategy("com.example.Mine").unwrap_err();
    assert_eq!(error, "Class com.example.Mine could not be found.");
    assert!(
        rules::assignment_strategy(&format!("{package}StickyAssignor")).unwrap_err().contains("Cooperative")
    );
}

#[test]
fn settings_that_librdkafka_ties_together_are_kept_together() {
    let native = consumed(&[("max.poll.interval.ms", "10000"), ("request.timeout.ms", "5000")]);
    assert_eq!(native.get("max.poll.interval.ms"), Some("45000"));
    let native = consumed(&[("fetch.max.wait.ms", "60000"), ("request.timeout.ms", "5000")]);
    assert_eq!(native.get("fetch.wait.max.ms"), Some("4000"));
    let native = consumed(&[("reconnect.backoff.ms", "9000"), ("retry.backoff.ms", "5000")]);
    assert_eq!(
        (native.get("reconnect.backoff.max.ms"), native.get("retry.backoff.max.ms")),
        (Some("9000"), Some("5000"))
    );
    let native = consumed(&[("fetch.max.bytes", "2000")]);
    assert_eq!(
        (native.get("fetch.max.bytes"), native.get("message.max.bytes")),
        (Some("2000"), Some("2000"))
    );
    let native = consumed(&[("group.protocol", "CONSUMER"), ("session.timeout.ms", "6000")]);
    assert_eq!((native.get("group.protocol"), native.get("session.timeout.ms")), (Some("consumer"), None));
}

#[test]
fn wrong_values_are_refused_as_java_words_it() {
    for (key, value, text) in [
        ("linger.ms", "soon", "Invalid value soon for configuration linger.ms: Not a number of type LONG"),
        ("batch.size", "1e3", "Invalid value 1e3 for configuration batch.size: Not a number of type INT"),
        (
            "enable.idempotence",
            "yes",
            "Invalid value yes for configuration enable.idempotence: Expected value to be either true or false",
        ),
        (
            "compression.type",
            "brotli",
            "Invalid value brotli for configuration compression.type: String must be one of: none, gzip, snappy, lz4, \
             zstd",
        ),
        ("bootstrap.servers", "kafka", "Invalid url in bootstrap.servers: kafka"),
    ] {
        assert_eq!(refusal(&[(key, value)]), text);
    }
    let missing = producer(&Config::new()).unwrap_err().to_string();
    assert_eq!(missing, "Missing required configuration \"bootstrap.servers\" which has no default value.");
    let missing = consumer(&config(&[]), Buffer { records: 1, bytes: 1 }).unwrap_err().to_string();
    assert_eq!(missing, "Missing required configuration \"group.id\" which has no default value.");
}

#[test]
fn unknown_keys_never_fail_and_every_fate_can_be_asked_for() {
    assert_eq!(produced(&[("compresion.type", "gzip")]).get("compression.type"), None);
    assert_eq!(key_fate(ClientKind::Producer, "compresion.type"), KeyFate::Unknown);
    assert_eq!(key_fate(ClientKind::Producer, "linger.ms"), KeyFate::Understood);
    assert_eq!(key_fate(ClientKind::Consumer, "linger.ms"), KeyFate::Unknown);
    assert!(matches!(key_fate(ClientKind::Producer, "key.serializer"), KeyFate::Ignored(_)));
    assert!(matches!(key_fate(ClientKind::Admin, "metrics.context.connect.group.id"), KeyFate::Ignored(_)));
}

#[test]
fn a_null_value_is_no_value_and_debug_shows_none() {
    let mut config = config(&[("sasl.jaas.config", "secret")]);
    config.set_nullable("linger.ms", None);
    let settings = producer(&config).unwrap();
    assert_eq!(settings.native.get("linger.ms"), Some("5"));
    let shown = format!("{:?}", settings.native);
    assert!(shown.contains("linger.ms") && !shown.contains("murmur2"), "{shown}");
}

#[test]
fn what_is_read_ahead_follows_the_buffer() {
    let read_ahead = |bytes| {
        let buffer = Buffer { records: 500, bytes };
        let config = [("group.id", "g"), SERVERS].into_iter().collect();
        let native = consumer(&config, buffer).unwrap().native;
        (native.number("queued.max.messages.kbytes").unwrap(), native.number("fetch.max.bytes").unwrap())
    };
    assert_eq!(read_ahead(8 << 20), (2048, 8 << 20));
    assert_eq!(read_ahead(1), (256, 1 << 20));
    assert_eq!(read_ahead(usize::MAX), (65_536, 52_428_800));
}

#[test]
fn the_table_tells_the_names_that_values_come_under() {
    for number in [i64::MIN, 0, i64::MAX] {
        for kind in [ClientKind::Producer, ClientKind::Consumer] {
            for (key, value) in all_keys(kind, number) {
                let Some(row) = table::find(kind, key) else { panic!("{key}") };
                for (name, _) in apply(row, &value).unwrap() {
                    assert!(row.names().contains(&name), "{key} comes under {name}");
                }
            }
        }
    }
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required username=a password=b;";
    let pem = "-----BEGIN CERTIFICATE----- QUJD -----END CERTIFICATE-----";
    let stores = [
        vec![("ssl.truststore.location", "t"), ("ssl.keystore.location", "k"), ("ssl.key.password", "p")],
        vec![
            ("ssl.truststore.certificates", pem),
            ("ssl.keystore.certificate.chain", pem),
            ("ssl.keystore.key", pem),
        ],
    ];
    let told: Vec<&str> = translations(ClientKind::Producer).flat_map(|row| row.native).collect();
    for mut entries in stores {
        entries.extend([
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", scram),
            ("ssl.truststore.type", "PEM"),
            ("ssl.keystore.type", "PEM"),
        ]);
        for (name, _) in Security::from_config(&config(&entries)).unwrap().native() {
            assert!(told.contains(&name), "{name}");
        }
    }
}

#[test]
fn translations_list_every_key_once() {
    for kind in [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin] {
        let keys: Vec<&str> = translations(kind).map(|row| row.key).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{kind:?}");
    }
    let of = |kind, key: &str| translations(kind).find(|row| row.key == key);
    assert_eq!(of(ClientKind::Consumer, "fetch.max.wait.ms").unwrap().native, ["fetch.wait.max.ms"]);
    assert_eq!(of(ClientKind::Admin, "linger.ms"), None);
    assert_eq!(
        of(ClientKind::Producer, "request.timeout.ms").unwrap().native,
        ["request.timeout.ms", "socket.timeout.ms"]
    );
}
