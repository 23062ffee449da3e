//! Sessions and subscriptions.

use lavka_api::data::Value;
use lavka_api::plugin::ConnectorContext;
use lavka_testkit::{Mosquitto, MosquittoConfig};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use crate::VERSIONS;
use crate::source::{Source, config, connector, count, errors, payloads, publish, until};

fn broker() -> Mosquitto {
    Mosquitto::start(&MosquittoConfig::default()).unwrap()
}

#[tokio::test]
async fn a_clean_session_starts_anew() {
    let broker = broker();
    for version in VERSIONS {
        let entries = [("mqtt.clean.session.enabled", "true"), ("lavka.mqtt.version", version)];
        let config = config(&broker, &entries);
        Source::subscribed(&config, &broker).await.stop().await;
        publish(&broker, "t/1", 1, &["away".into()]).await;
        let mut source = Source::subscribed(&config, &broker).await;
        publish(&broker, "t/1", 1, &["here".into()]).await;
        assert_eq!(payloads(&source.take(1).await), ["here"], "MQTT {version}");
    }
}

/// The server cannot be told to forget a filter whose text nobody knows any more, and its messages may be the last
/// ones of a filter that moved to another task.
#[tokio::test]
async fn messages_of_a_removed_filter_are_taken_while_the_session_has_it() {
    let broker = broker();
    let both = config(&broker, &[("mqtt.topics", "t/#,old/#")]);
    Source::subscribed(&both, &broker).await.stop().await;
    let one = config(&broker, &[("mqtt.topics", "t/#")]);
    let mut source = Source::subscribed(&one, &broker).await;
    publish(&broker, "old/1", 1, &["old".into()]).await;
    publish(&broker, "t/1", 1, &["new".into()]).await;
    assert_eq!(payloads(&source.take(2).await), ["old", "new"]);
}

#[tokio::test]
async fn retained_messages_are_marked() {
    let broker = broker();
    let options = MqttOptions::new("publisher", "127.0.0.1", broker.port());
    let (client, mut events) = AsyncClient::new(options, 10);
    client.publish("t/state", QoS::AtLeastOnce, true, "on").await.unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    for version in VERSIONS {
        let entries = [("mqtt.clean.session.enabled", "true"), ("lavka.mqtt.version", version)];
        let mut source = Source::start(&config(&broker, &entries)).await;
        let records = source.take(1).await;
        assert_eq!(payloads(&records), ["on"]);
        let retained = records[0].record.headers.last("mqtt.retained").unwrap();
        assert_eq!(retained.value, Value::Boolean(true), "MQTT {version}");
    }
}

/// The server throws out the first of two clients with one id. The one that comes back goes on where it was.
#[tokio::test]
async fn a_connection_that_was_taken_over_comes_back() {
    for version in VERSIONS {
        let broker = broker();
        let config = config(&broker, &[("lavka.mqtt.version", version)]);
        let mut source = Source::subscribed(&config, &broker).await;
        publish(&broker, "t/1", 1, &["one".into()]).await;
        let one = source.take(1).await;
        let mut options = MqttOptions::new("lavka-sensors-0", "127.0.0.1", broker.port());
        options.set_clean_session(false).set_manual_acks(true);
        let (_client, mut intruder) = AsyncClient::new(options, 10);
        assert!(matches!(intruder.poll().await, Ok(Event::Incoming(Packet::ConnAck(_)))));
        drop(intruder);
        until(|| count(&broker, "Sending CONNACK to lavka-sensors-0") == 3).await;
        // For the connection before; it must not acknowledge anything on this one.
        source.deliver(&one);
        let again = source.take(1).await;
        assert_eq!(payloads(&again), ["one"], "MQTT {version}");
        assert_eq!(count(&broker, "Received PUBACK from lavka-sensors-0"), 0, "MQTT {version}");
        source.deliver(&again);
        until(|| count(&broker, "Received PUBACK from lavka-sensors-0") == 1).await;
    }
}

#[tokio::test]
async fn the_producers_acks_must_be_all() {
    let broker = broker();
    let weak = config(&broker, &[("producer.override.acks", "1")]);
    let found = errors(&weak).await;
    assert!(matches!(found.as_slice(), [text] if text.contains("producer.override.acks")), "{found:?}");
    let error = connector().start(ConnectorContext::new("c", || {}), &weak).await.unwrap_err();
    assert!(error.to_string().contains("must be all"), "{error}");
    assert_eq!(errors(&config(&broker, &[("producer.override.acks", "-1")])).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_wrong_key_is_reported() {
    let broker = broker();
    let wrong = config(
        &broker,
        &[
            ("mqtt.server.uri", "http://x"),
            ("mqtt.topics", "a/#/b"),
            ("mqtt.qos", "3"),
            ("lavka.mqtt.version", "4"),
            ("lavka.payload.format", "xml"),
        ],
    );
    let found = errors(&wrong).await;
    assert_eq!(found.len(), 5, "{found:?}");
    for (text, key) in found.iter().zip([
        "mqtt.server.uri",
        "mqtt.topics",
        "mqtt.qos",
        "lavka.mqtt.version",
        "lavka.payload.format",
    ]) {
        assert!(text.contains(&format!("for configuration {key}: ")), "{text}");
    }
}
