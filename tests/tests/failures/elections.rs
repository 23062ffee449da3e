//! Unclean elections and retention while no sink is there to see them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use lavka_devbroker::{Broker, BrokerConfig};
use lavka_testkit::{KafkaClient, LavkaProcess, NewRecord, eventually};

use crate::lake::{LakeRow, complaints, count_rows, finished, has_epoch, rows};
use crate::pipeline::{expect_in_lake, lake_sink};
use crate::standalone::{PATIENCE, Standalone};

const TOPIC: &str = "readings";
/// The sink's warning about records in the place of lost ones.
const LOST: &str = "the topic has lost its records from offset";

struct Scene {
    kafka: KafkaClient,
    worker: Standalone,
    lake: PathBuf,
    ids: i64,
}

impl Scene {
    fn new(broker: &Broker) -> Self {
        let kafka = KafkaClient::new(broker.bootstrap());
        kafka.create_topic(TOPIC, 1);
        let worker = Standalone::new(&broker.bootstrap(), &[]);
        let lake = worker.folder().join("lake");
        let mut sink = lake_sink(TOPIC, &lake);
        // A worker that was killed is forgotten soon.
        sink["consumer.override.session.timeout.ms"] = "2000".into();
        sink["consumer.override.heartbeat.interval.ms"] = "300".into();
        Self { kafka, worker: worker.connector("sink", &sink), lake, ids: 0 }
    }

    /// Writes batches of five records each, so that an election takes away whole ones.
    fn write(&mut self, batches: usize) {
        for _ in 0..batches {
            let records = (self.ids..self.ids + 5).map(|id| NewRecord::of(format!("{{\"id\":{id}}}")));
            self.kafka.produce(TOPIC, records);
            self.ids += 5;
        }
    }

    fn start(&self) -> LavkaProcess {
        self.worker.serve().0
    }

    fn rows(&self) -> Vec<LakeRow> {
        finished(&self.lake).iter().flat_map(|path| rows(path)).collect()
    }
}

/// Runs `body` beside an embedded broker.
pub(crate) fn with_broker(body: impl FnOnce(&Broker)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = BrokerConfig { min_session_timeout: Duration::from_secs(1), ..BrokerConfig::default() };
    let broker = runtime.block_on(Broker::start(config)).unwrap();
    body(&broker);
}

#[test]
fn records_that_took_the_place_of_lost_ones_while_the_worker_was_dead_come_to_the_lake() {
    with_broker(|broker| {
        let mut scene = Scene::new(broker);
        scene.write(8);
        let mut process = scene.start();
        expect_in_lake(&scene.kafka, TOPIC, &scene.lake);
        process.kill9();

        // The log becomes shorter than the lake, and longer again.
        broker.elect_uncleanly(10);
        scene.write(6);
        let process = scene.start();
        let records = scene.kafka.consume_all(TOPIC);
        assert_eq!(records.len(), 60);
        eventually("the records of the topic and the lost ones", PATIENCE, || {
            (count_rows(&scene.lake) >= 70).then_some(())
        });
        let mut by_offset: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for row in scene.rows() {
            assert!(by_offset.entry(row.offset).or_default().insert(row.id), "{row:?} is there twice");
        }
        for record in records {
            let id = record.value_json()["id"].as_i64().unwrap();
            let mut wanted = BTreeSet::from([id]);
            if (30..40).contains(&record.offset) {
                wanted.insert(record.offset);
            }
            assert_eq!(by_offset.remove(&record.offset), Some(wanted), "offset {}", record.offset);
        }
        assert_eq!(by_offset, BTreeMap::new());
        assert!(process.log().contains(LOST), "{}", process.log_tail(20));
        assert!(finished(&scene.lake).iter().any(|path| has_epoch(path)));
    });
}

#[test]
fn retention_that_deletes_what_was_not_read_is_not_taken_for_an_election() {
    with_broker(|broker| {
        let mut scene = Scene::new(broker);
        scene.write(4);
        let mut process = scene.start();
        expect_in_lake(&scene.kafka, TOPIC, &scene.lake);
        assert!(process.stop().success());

        // A clean change of leaders on the way, so that epochs differ.
        broker.elect_uncleanly(0);
        scene.write(4);
        scene.kafka.delete_records(TOPIC, 0, 30);
        let process = scene.start();
        eventually("what is left", PATIENCE, || (count_rows(&scene.lake) >= 30).then_some(()));
        let mut offsets: Vec<i64> = scene.rows().iter().map(|row| row.offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, (0..20).chain(30..40).collect::<Vec<_>>());
        let gone: Vec<String> = complaints(&scene.lake, &scene.kafka.consume_all(TOPIC));
        assert_eq!(gone.len(), 20, "the first twenty are no longer in Kafka: {gone:?}");
        assert!(!process.log().contains(LOST), "{}", process.log_tail(20));
        assert!(process.log().contains("offset reset"), "{}", process.log_tail(20));
        assert!(!finished(&scene.lake).iter().any(|path| has_epoch(path)));
    });
}
