//! What records look like.

use std::time::Duration;

use lavka_api::data::{Datum, Object, Schema, Type, Value};
use lavka_testkit::{Mosquitto, MosquittoConfig};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PublishProperties};

use crate::source::{LIMIT, Source, config, payloads, publish, until};

fn broker() -> Mosquitto {
    Mosquitto::start(&MosquittoConfig::default()).unwrap()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn key_value_and_headers_are_confluents() {
    let broker = broker();
    let config = config(&broker, &[("mqtt.topics", "sensors/+/temp, other"), ("kafka.topic", "readings")]);
    let mut source = Source::subscribed(&config, &broker).await;
    let before = now();
    publish(&broker, "sensors/ä/temp", 1, &["21.5".into()]).await;
    publish(&broker, "sensors/x/y/temp", 1, &["no".into()]).await;
    publish(&broker, "other", 0, &["".into()]).await;
    let records = source.take(2).await;
    assert_eq!(payloads(&records), ["21.5", ""]);
    let record = &records[0].record;
    assert_eq!(record.topic.as_str(), "readings");
    assert_eq!(record.key, Datum::new(Schema::of(Type::String), "sensors/ä/temp"));
    assert_eq!(record.value.schema, Some(Schema::of(Type::Bytes)));
    assert!((before..=now()).contains(&record.timestamp.unwrap()));
    assert_eq!((&record.partition, &records[0].position), (&None, &None));
    let header =
        |record: &lavka_api::data::Record, name: &str| record.headers.last(name).unwrap().value.clone();
    assert_eq!(header(record, "mqtt.qos"), Value::Int32(1));
    assert!(matches!(header(record, "mqtt.message.id"), Value::Int32(1..)));
    assert_eq!(header(record, "mqtt.retained"), Value::Boolean(false));
    assert_eq!(header(record, "mqtt.duplicate"), Value::Boolean(false));
    assert_eq!(header(&records[1].record, "mqtt.qos"), Value::Int32(0));
    assert_eq!(header(&records[1].record, "mqtt.message.id"), Value::Int32(0));
}

#[tokio::test]
async fn json_payloads_are_decoded() {
    let broker = broker();
    let config = config(&broker, &[("lavka.payload.format", "json")]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &[r#"{"t":21.5}"#.into(), "broken".into()]).await;
    let records = source.take(2).await;
    let decoded = Object::from_entries([("t", Value::Float64(21.5))]);
    assert_eq!(records[0].record.value, Datum::schemaless(decoded));
    assert_eq!(payloads(&records[1..]), ["broken"]);
    assert!(records[1].record.headers.last("lavka.payload.error").is_some());
}

#[tokio::test]
async fn properties_of_mqtt_5_become_headers_if_wanted() {
    let broker = broker();
    for (wanted, headers) in [("false", 4), ("true", 8)] {
        let entries = [
            ("lavka.mqtt.version", "5"),
            ("lavka.mqtt.v5.headers", wanted),
            ("mqtt.clean.session.enabled", "true"),
        ];
        let config = config(&broker, &entries);
        let mut source = Source::subscribed(&config, &broker).await;
        publish_with_properties(broker.port()).await;
        let records = source.take(1).await;
        let found = &records[0].record.headers;
        assert_eq!(found.len(), headers, "{found:?}");
        if wanted == "true" {
            let value = |name: &str| found.last(name).unwrap().value.clone();
            assert_eq!(value("mqtt.content.type"), "text/plain".into());
            assert_eq!(value("mqtt.correlation.data"), Value::Bytes((&[1, 2]).into()));
            assert_eq!(value("mqtt.user.site"), "north".into());
            assert!(matches!(value("mqtt.message.expiry.seconds"), Value::Int64(1..=100)));
        }
        source.stop().await;
    }
}

async fn publish_with_properties(port: u16) {
    let options = rumqttc::v5::MqttOptions::new("publisher", "127.0.0.1", port);
    let (client, mut events) = rumqttc::v5::AsyncClient::new(options, 10);
    let properties = PublishProperties {
        content_type: Some("text/plain".into()),
        correlation_data: Some(vec![1, 2].into()),
        user_properties: vec![("site".into(), "north".into())],
        message_expiry_interval: Some(100),
        ..PublishProperties::default()
    };
    client.publish_with_properties("t/1", QoS::AtLeastOnce, false, "x", properties).await.unwrap();
    loop {
        if let rumqttc::v5::Event::Incoming(Packet::PubAck(_)) = events.poll().await.unwrap() {
            return;
        }
    }
}

#[tokio::test]
async fn tasks_share_the_filters() {
    let broker = broker();
    let config = config(&broker, &[("mqtt.topics", "a/#,b/#,c/#")]);
    let mut sources = Source::start_all(&config, 2).await;
    assert_eq!(sources.len(), 2);
    until(|| broker.log().matches("Sending SUBACK to lavka-sensors-").count() == 2).await;
    for topic in ["a/1", "b/1", "c/1"] {
        publish(&broker, topic, 1, &[topic.into()]).await;
    }
    let (mut second, mut first) = (sources.pop().unwrap(), sources.pop().unwrap());
    assert_eq!(payloads(&first.take(2).await), ["a/1", "b/1"]);
    assert_eq!(payloads(&second.take(1).await), ["c/1"]);
    assert!(first.rest().await.is_empty() && second.rest().await.is_empty());
}

#[tokio::test]
async fn a_shared_subscription_spreads_its_messages() {
    let broker = broker();
    let entries = [("mqtt.topics", "$share/workers/t/#"), ("lavka.mqtt.share.every.task", "true")];
    let config = config(&broker, &entries);
    let mut sources = Source::start_all(&config, 2).await;
    until(|| broker.log().matches("Sending SUBACK to lavka-sensors-").count() == 2).await;
    let sent = crate::source::numbers(20);
    publish(&broker, "t/1", 1, &sent).await;
    let mut parts = vec![Vec::new(); sources.len()];
    let all = async {
        while parts.iter().map(Vec::len).sum::<usize>() < sent.len() {
            for (source, part) in sources.iter_mut().zip(&mut parts) {
                part.extend(payloads(&source.rest().await));
            }
        }
    };
    let done = tokio::time::timeout(LIMIT, all).await;
    assert!(done.is_ok() && parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    let mut seen = parts.concat();
    seen.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn large_payloads_pass_and_too_large_ones_name_the_key() {
    let broker = broker();
    let config = config(&broker, &[("lavka.mqtt.max.packet.bytes", "2000000")]);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &["x".repeat(1_000_000)]).await;
    assert_eq!(payloads(&source.take(1).await)[0].len(), 1_000_000);
    publish(&broker, "t/1", 1, &["x".repeat(2_100_000)]).await;
    let error = source.failure().await.to_string();
    assert!(error.contains("lavka.mqtt.max.packet.bytes") && error.contains("2000000"), "{error}");
}

/// An MQTT 5 server is told the limit and leaves such messages out.
#[tokio::test]
async fn an_mqtt_5_server_leaves_too_large_messages_out() {
    let broker = broker();
    let entries = [("lavka.mqtt.version", "5"), ("lavka.mqtt.max.packet.bytes", "1000")];
    let config = config(&broker, &entries);
    let mut source = Source::subscribed(&config, &broker).await;
    publish(&broker, "t/1", 1, &["x".repeat(2_000), "small".into()]).await;
    assert_eq!(payloads(&source.take(1).await), ["small"]);
    assert!(tokio::time::timeout(Duration::from_millis(100), source.failure()).await.is_err());
}
