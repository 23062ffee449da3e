//! The MQTT source keeps what the runtime counts on, against a real Mosquitto.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails, fails its test")]

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{Mosquitto, MosquittoConfig, acceptance, eventually};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

/// Fewer than Mosquitto sends without an acknowledgement.
const MESSAGES: usize = 8;

/// Publishes a round's messages, once the source's subscription is there to keep them.
fn publish(broker: &Mosquitto, config: &Config) {
    let client = config.get("lavka.mqtt.client.id").unwrap();
    let subscribed = format!("Sending SUBACK to {client}-0");
    eventually("the subscription", Duration::from_secs(30), || {
        broker.log().contains(&subscribed).then_some(())
    });
    let topic = config.get("mqtt.topics").unwrap().replace('#', "1");
    let (publisher, mut connection) =
        Client::new(MqttOptions::new("publisher", "127.0.0.1", broker.port()), 100);
    for message in 0..MESSAGES {
        publisher.publish(topic.as_str(), QoS::AtLeastOnce, false, message.to_string()).unwrap();
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
        .fill(move |config| publish(&broker, config))
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
