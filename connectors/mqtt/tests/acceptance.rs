//! The MQTT source keeps what the runtime counts on, against a real Mosquitto.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails, fails its test")]

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{Mosquitto, MosquittoConfig, acceptance, eventually};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

/// Fewer than Mosquitto sends without an acknowledgement.
const MESSAGES: usize = 8;

/// Publishes a round's messages to `topic`, once the subscription of `client` is there to keep them.
fn publish(broker: &Mosquitto, client: &str, topic: &str) {
    let subscribed = format!("Sending SUBACK to {client}");
    eventually("the subscription", Duration::from_secs(30), || {
        broker.log().contains(&subscribed).then_some(())
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
        .identity(|handed| format!("{:?}", handed.record.value.value))
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
        .identity(|handed| format!("{:?}", handed.record.value.value))
        .check()
        .assert_clean();
}
