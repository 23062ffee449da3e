//! The MQTT source and the MQTT sink keep what the runtime counts on, against a real Mosquitto.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails, fails its test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, Record, SourceRecord, Value};
use lavka_testkit::{Mosquitto, MosquittoConfig, acceptance, eventually};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

/// Fewer than Mosquitto sends without an acknowledgement.
const MESSAGES: usize = 8;

/// Publishes a round's messages to `topic`, once the subscription of `client` is there to keep them.
fn publish(broker: &Mosquitto, client: &str, topic: &str) {
    let subscribed = format!("Sending SUBACK to {client}");
    eventually("the subscription", Duration::from_secs(30), || {
        // The whole line: client 10 is not client 100.
        broker.log().lines().any(|line| line.ends_with(&subscribed)).then_some(())
    });
    let (publisher, mut connection) =
        Client::new(MqttOptions::new("publisher", "127.0.0.1", broker.port()), 100);
    for message in 0..MESSAGES {
        publisher.publish(topic, QoS::AtLeastOnce, false, message.to_string()).unwrap();
    }
    let acknowledged = connection
        .iter()
        .filter(|event| matches!(event.as_ref().unwrap(), Event::Incoming(Packet::PubAck(_))))
        .take(MESSAGES);
    assert_eq!(acknowledged.count(), MESSAGES);
}

/// What tells one message of a round from another.
fn payload(handed: &SourceRecord) -> String {
    match &handed.record.value.value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn check(version: &'static str) {
    let broker = Arc::new(Mosquitto::start(&MosquittoConfig::default()).unwrap());
    let port = broker.port();
    let round = move |round: usize| {
        Config::from([
            ("mqtt.server.uri", format!("tcp://127.0.0.1:{port}")),
            ("mqtt.topics", format!("round{round}/#")),
            ("mqtt.qos", "1".into()),
            ("mqtt.clean.session.enabled", "false".into()),
            ("lavka.mqtt.version", version.into()),
            ("lavka.mqtt.client.id", format!("round{round}")),
            ("lavka.mqtt.reconnect.backoff.ms", "20".into()),
        ])
    };
    acceptance::source(lavka_connector_mqtt::plugins().remove(0))
        .config(round(0))
        .refuses("mqtt.server.uri", "http://localhost")
        .refuses("mqtt.topics", "a/#/b")
        .records(MESSAGES)
        // A message that was acknowledged when the connection broke may come again.
        .may_repeat()
        .round(round)
        .fill(move |config| {
            let client = format!("{}-0", config.get("lavka.mqtt.client.id").unwrap());
            publish(&broker, &client, &config.get("mqtt.topics").unwrap().replace('#', "1"));
        })
        // The key names the round's topic.
        .identity(payload)
        .check()
        .assert_clean();
}

#[test]
fn mqtt_source_of_3_1_1() {
    check("3.1.1");
}

#[test]
fn mqtt_source_of_5() {
    check("5");
}

#[test]
fn mqtt_source_of_lenses() {
    let broker = Arc::new(Mosquitto::start(&MosquittoConfig::default()).unwrap());
    let port = broker.port();
    let round = move |round: usize| {
        Config::from([
            ("connect.mqtt.hosts", format!("tcp://127.0.0.1:{port}")),
            ("connect.mqtt.kcql", format!("INSERT INTO k SELECT * FROM lenses{round}/#")),
            ("connect.mqtt.service.quality", "1".into()),
            ("connect.mqtt.clean", "false".into()),
            ("connect.mqtt.client.id", format!("lenses{round}")),
            ("lavka.mqtt.reconnect.backoff.ms", "20".into()),
        ])
    };
    acceptance::source(lavka_connector_mqtt::plugins().remove(1))
        .config(round(0))
        .refuses("connect.mqtt.hosts", "http://localhost")
        .refuses("connect.mqtt.kcql", "INSERT INTO k")
        .records(MESSAGES)
        .may_repeat()
        .round(round)
        .fill(move |config| {
            let client = config.get("connect.mqtt.client.id").unwrap();
            publish(&broker, client, &format!("{client}/1"));
        })
        .identity(payload)
        .check()
        .assert_clean();
}

/// A subscriber to everything below `sink/`.
struct Reader {
    broker: Mosquitto,
    seen: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Reader {
    fn start() -> Self {
        let config = MosquittoConfig { max_inflight: Some(0), ..MosquittoConfig::default() };
        let broker = Mosquitto::start(&config).unwrap();
        let (client, mut connection) =
            Client::new(MqttOptions::new("reader", "127.0.0.1", broker.port()), 100);
        client.subscribe("sink/#", QoS::AtLeastOnce).unwrap();
        let seen = Arc::new(Mutex::new(HashMap::<String, Vec<String>>::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for event in connection.iter() {
                // The broker ends with the test.
                let Ok(event) = event else { return };
                if let Event::Incoming(Packet::Publish(message)) = event {
                    let payload = String::from_utf8(message.payload.to_vec()).unwrap();
                    shared.lock().unwrap().entry(message.topic).or_default().push(payload);
                }
            }
            drop(client);
        });
        eventually("the subscription", Duration::from_secs(30), || {
            broker.log().contains("Sending SUBACK to reader").then_some(())
        });
        Self { broker, seen }
    }

    /// Partition and offset of what was published below `sink/ROUND/` and acknowledged so far.
    fn written(&self, round: &str) -> Vec<(i32, i64)> {
        // What comes behind everything else of the broker tells that everything else has come.
        let marker = lavka_testkit::unique("sink/marker");
        let (client, mut connection) =
            Client::new(MqttOptions::new("marker", "127.0.0.1", self.broker.port()), 10);
        client.publish(&marker, QoS::AtLeastOnce, false, "").unwrap();
        let acknowledged =
            connection.iter().any(|event| matches!(event.unwrap(), Event::Incoming(Packet::PubAck(_))));
        assert!(acknowledged);
        eventually("the marker", Duration::from_secs(30), || {
            self.seen.lock().unwrap().contains_key(&marker).then_some(())
        });
        let seen = self.seen.lock().unwrap();
        let topics = seen.iter().filter(|(topic, _)| topic.starts_with(&format!("sink/{round}/")));
        let place = |payload: &String| {
            let value: serde_json::Value = serde_json::from_str(payload).unwrap();
            let number = |key: &str| value.get(key).and_then(serde_json::Value::as_i64).unwrap();
            (i32::try_from(number("partition")).unwrap(), number("offset"))
        };
        topics.flat_map(|(_, payloads)| payloads).map(place).collect()
    }
}

fn without_partition() -> Record {
    let value = Object::from_entries([("offset", 1i64)]);
    Record { value: Datum::schemaless(value), ..Record::for_topic("t") }
}

fn check_sink(version: &'static str, qos: &'static str) {
    let reader = Arc::new(Reader::start());
    let port = reader.broker.port();
    let round = move |round: usize| {
        Config::from([
            ("mqtt.server.uri", format!("tcp://127.0.0.1:{port}")),
            ("mqtt.qos", qos.into()),
            ("lavka.mqtt.topic", format!("sink/{round}/${{value.partition}}")),
            ("lavka.mqtt.version", version.into()),
            // Each round of the suite is as a connector of its own.
            ("lavka.mqtt.client.id", lavka_testkit::unique("sink")),
            ("lavka.mqtt.reconnect.backoff.ms", "20".into()),
        ])
    };
    acceptance::sink(lavka_connector_mqtt::plugins().remove(2))
        .config(round(0))
        .refuses("mqtt.server.uri", "http://localhost")
        .refuses("lavka.mqtt.topic", "a/#")
        .refuses("lavka.mqtt.topic", "${offset}")
        .written(move |config| {
            let topic = config.get("lavka.mqtt.topic").unwrap();
            reader.written(topic.split('/').nth(1).unwrap())
        })
        .unwritable(without_partition())
        .round(round)
        .check()
        .assert_clean();
}

#[test]
fn mqtt_sink_of_3_1_1() {
    check_sink("3.1.1", "1");
}

#[test]
fn mqtt_sink_of_5() {
    check_sink("5", "2");
}

#[test]
fn mqtt_sink_of_lenses() {
    let reader = Arc::new(Reader::start());
    let port = reader.broker.port();
    let round = move |round: usize| {
        Config::from([
            ("connect.mqtt.hosts", format!("tcp://127.0.0.1:{port}")),
            (
                "connect.mqtt.kcql",
                format!("INSERT INTO sink/{round}/x SELECT partition, offset FROM acceptance"),
            ),
            ("connect.mqtt.service.quality", "1".into()),
            ("connect.mqtt.client.id", lavka_testkit::unique("lenses")),
            ("lavka.mqtt.reconnect.backoff.ms", "20".into()),
        ])
    };
    acceptance::sink(lavka_connector_mqtt::plugins().remove(3))
        .config(round(0))
        .refuses("connect.mqtt.hosts", "http://localhost")
        .refuses("connect.mqtt.kcql", "INSERT INTO a/# SELECT * FROM k")
        .written(move |config| {
            let kcql = config.get("connect.mqtt.kcql").unwrap();
            reader.written(kcql.split('/').nth(1).unwrap())
        })
        .unwritable(without_partition())
        .round(round)
        .check()
        .assert_clean();
}
