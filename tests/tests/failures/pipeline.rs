//! The connectors that most tests put between a fault and what must not be lost by it.

use std::collections::HashSet;
use std::path::Path;

use lavka_testkit::{KafkaClient, eventually};
use serde_json::{Value, json};

use crate::lake::{complaints, count_rows};
use crate::standalone::PATIENCE;

/// An MQTT source with a kept session.
pub(crate) fn mqtt_source(mqtt: u16, topic: &str) -> Value {
    json!({
        "connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
        "mqtt.server.uri": format!("tcp://127.0.0.1:{mqtt}"),
        "mqtt.topics": "sensors/+/reading",
        "mqtt.qos": "1",
        "mqtt.clean.session.enabled": "false",
        "mqtt.keepalive.interval.seconds": "1",
        "lavka.mqtt.reconnect.backoff.max.ms": "500",
        "kafka.topic": topic,
        "lavka.payload.format": "json",
    })
}

/// A lake sink whose rows say which record they were.
pub(crate) fn lake_sink(topic: &str, lake: &Path) -> Value {
    json!({
        "connector.class": "io.lavka.connect.lake.LakeSinkConnector",
        "topics": topic,
        "store.url": format!("file://{}", lake.display()),
        "format.class": "Parquet",
        "flush.size": "300",
        "rotate.interval.ms": "300",
        "retry.backoff.ms": "200",
        "transforms": "place",
        "transforms.place.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.place.partition.field": "kafka_partition",
        "transforms.place.offset.field": "kafka_offset",
    })
}

/// `config` with one more key.
pub(crate) fn with(mut config: Value, key: &str, value: &str) -> Value {
    config[key] = value.into();
    config
}

/// The ids below `count` that no record of the topic has.
pub(crate) fn missing_ids(kafka: &KafkaClient, topic: &str, count: u64) -> Vec<u64> {
    let records = kafka.consume_all(topic);
    let arrived: HashSet<u64> =
        records.iter().filter_map(|record| record.value_json()["id"].as_u64()).collect();
    (0..count).filter(|id| !arrived.contains(id)).collect()
}

/// Waits until the readings with the ids below `count` are all in Kafka.
#[track_caller]
pub(crate) fn expect_in_kafka(kafka: &KafkaClient, topic: &str, count: u64) {
    eventually("all readings to be in Kafka", PATIENCE, || {
        missing_ids(kafka, topic, count).is_empty().then_some(())
    });
}

/// Waits until the lake has as many rows as the topic records, and compares them.
#[track_caller]
pub(crate) fn expect_in_lake(kafka: &KafkaClient, topic: &str, lake: &Path) {
    eventually("all records to be in the lake", PATIENCE, || {
        let records: i64 = kafka.end_offsets(topic).iter().sum();
        (count_rows(lake) >= usize::try_from(records).unwrap()).then_some(())
    });
    assert_eq!(complaints(lake, &kafka.consume_all(topic)), Vec::<String>::new());
}
