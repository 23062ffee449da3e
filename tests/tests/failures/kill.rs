//! kill -9 in mid-stream, over the whole way: MQTT, Kafka, Parquet.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lavka_testkit::{
    Chance, KafkaClient, KafkaKind, Mosquitto, MosquittoConfig, count, eventually, services, unique,
};
use serde_json::{Value, json};

use crate::lake::{complaints, count_rows, finished, leftovers};
use crate::lives::{Moment, Story};
use crate::over::Over;
use crate::publisher::Publisher;
use crate::standalone::{PATIENCE, Standalone};

/// Readings published at once, and the pause after them: about 800 a second.
const BURST: u64 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// Two tasks: one with QoS 1, one with QoS 2.
fn source(mqtt: u16, topic: &str, version: &str) -> Value {
    json!({
        "connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
        "mqtt.server.uri": format!("tcp://127.0.0.1:{mqtt}"),
        "tasks.max": "2",
        "mqtt.topics": "sensors/+/reading,meters/+/reading",
        "mqtt.qos": "2",
        "lavka.mqtt.version": version,
        "mqtt.clean.session.enabled": "false",
        "lavka.mqtt.client.id": "killed",
        "kafka.topic": topic,
        "lavka.payload.format": "json",
        // Some dozens of records are on their way to Kafka at any moment, so that a kill hits them.
        "producer.override.linger.ms": "50",
    })
}

/// Several files open at a time, short ones: most kills hit some stage of a commit.
pub(crate) fn sink(topic: &str, url: &str) -> Value {
    // The server of the tests allows a second, others by default six.
    let session_timeout = if services().kafka.kind() == KafkaKind::Real { "1000" } else { "6000" };
    json!({
        "connector.class": "io.lavka.connect.lake.LakeSinkConnector",
        "tasks.max": "2",
        "topics": topic,
        "store.url": url,
        "format.class": "Parquet",
        "flush.size": "300",
        "rotate.interval.ms": "300",
        "partitioner.class": "Field",
        "partition.field.name": "device",
        "transforms": "place",
        "transforms.place.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.place.partition.field": "kafka_partition",
        "transforms.place.offset.field": "kafka_offset",
        "consumer.override.auto.offset.reset": "earliest",
        // A killed member keeps its partitions for that long.
        "consumer.override.session.timeout.ms": session_timeout,
        "consumer.override.heartbeat.interval.ms": "300",
    })
}

/// The ids of the readings in a topic.
fn ids(client: &KafkaClient, topic: &str) -> HashSet<u64> {
    client.consume_all(topic).iter().filter_map(|record| record.value_json()["id"].as_u64()).collect()
}

#[test]
fn killed_in_mid_stream_every_accepted_message_is_in_parquet_once_per_record() {
    let mut chance = Chance::new();
    let mut story = Story::new(&chance);
    let version = if chance.below(2) == 0 { "3.1.1" } else { "5" };
    println!("seed: LAVKA_SEED={}, MQTT {version}", story.seed);
    let mosquitto = Mosquitto::start(&MosquittoConfig {
        persistence: true,
        max_inflight: Some(200),
        ..MosquittoConfig::default()
    })
    .unwrap();
    let kafka = services().kafka.client();
    let topic = unique("killed");
    kafka.create_topic(&topic, 3);
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let lake = worker.folder().join("lake");
    let worker = worker
        .connector("source", &source(mosquitto.port(), &topic, version))
        .connector("sink", &sink(&topic, &format!("file://{}", lake.display())));

    // What is published before the session is there goes nowhere.
    let mut process = worker.start();
    eventually("the subscriptions", PATIENCE, || {
        (mosquitto.log().matches("Sending SUBACK").count() == 2).then_some(())
    });

    let began = Instant::now();
    let rounds = count(20, 200);
    let mut publisher = Publisher::connect(mosquitto.port()).with_meters();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = Over(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                publisher.publish(BURST);
                std::thread::sleep(PAUSE);
            }
        });
        for round in 0..rounds {
            let moment = Moment::draw(round, &mut chance);
            moment.wait(|| finished(&lake).len());
            assert!(process.is_running(), "it ended by itself:\n{}", process.log_tail(60));
            process.kill9();
            story.add_life(round, moment, &process, finished(&lake).len());
            process = worker.start();
        }
        drop(stop);
    });
    println!("{rounds} kills took {:.1?}", began.elapsed());

    publisher.wait_accepted(PATIENCE);
    let wanted = publisher.published();
    let missing = || -> Vec<String> {
        let arrived = ids(&kafka, &topic);
        (0..wanted).filter(|id| !arrived.contains(id)).map(|id| format!("id {id} is not in Kafka")).collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while !missing().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    story.last_log = process.log_tail(40);
    story.expect_nothing("accepted by the MQTT server, and lost", &missing());

    let rows_are_there = || {
        let records: i64 = kafka.end_offsets(&topic).iter().sum();
        count_rows(&lake) >= usize::try_from(records).unwrap()
    };
    let deadline = Instant::now() + PATIENCE;
    while !rows_are_there() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(process.stop().success(), "{}", process.log_tail(40));
    story.last_log = process.log_tail(40);
    let records = kafka.consume_all(&topic);
    story.expect_nothing("records of Kafka and rows of the lake differ", &complaints(&lake, &records));
    let leftovers: Vec<String> = leftovers(&lake).iter().map(|path| path.display().to_string()).collect();
    story.expect_nothing("left behind by a worker that was stopped", &leftovers);
    println!(
        "{wanted} readings, {} records, {} files, {:.1?}",
        records.len(),
        finished(&lake).len(),
        began.elapsed()
    );
}
