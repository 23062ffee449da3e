//! The main job on an embedded broker that goes wrong on purpose, in every way it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lavka_devbroker::{Broker, BrokerConfig, Fault};
use lavka_testkit::{KafkaClient, LavkaProcess, Mosquitto, MosquittoConfig, RestClient, eventually};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::lake::{finished, has_epoch, leftovers, rows};
use crate::pipeline::{expect_in_kafka, expect_in_lake, lake_sink, missing_ids, mqtt_source};
use crate::publisher::Publisher;
use crate::standalone::{PATIENCE, Standalone};

/// A way to go wrong: its name, what `lavka broker --fault` is given for it, and the seed of the choice.
type Row = (&'static str, &'static [&'static str], u64);

/// Under these Kafka keeps what it has acknowledged.
const KEEPING: [Row; 12] = [
    ("drop", &["drop:share=0.1"], 1),
    ("drop-produce", &["drop:api=Produce,share=0.5"], 2),
    ("cut", &["cut:share=0.1"], 3),
    ("cut-produce", &["cut:api=Produce,share=0.5"], 4),
    ("delay", &["delay:by=200ms,share=0.5"], 5),
    ("not-leader", &["error:api=Produce,code=NOT_LEADER_OR_FOLLOWER,share=0.5"], 6),
    (
        "timed-out",
        &[
            "error:api=Produce,code=REQUEST_TIMED_OUT,share=0.5",
            "error:api=OffsetCommit,code=REQUEST_TIMED_OUT,share=0.5",
        ],
        7,
    ),
    (
        "coordinator-errors",
        &[
            "error:api=OffsetCommit,code=NOT_COORDINATOR,share=0.3",
            "error:api=OffsetCommit,code=COORDINATOR_LOAD_IN_PROGRESS,share=0.3",
            "error:api=OffsetCommit,code=COORDINATOR_NOT_AVAILABLE,share=0.3",
        ],
        8,
    ),
    (
        "group-errors",
        &[
            "error:api=Heartbeat,code=UNKNOWN_MEMBER_ID,share=0.2",
            "error:api=OffsetCommit,code=REBALANCE_IN_PROGRESS,share=0.5",
        ],
        9,
    ),
    ("move-coordinator", &["move-coordinator:every=700ms,away=300ms"], 10),
    ("full-disk", &["full-disk:after=300ms,lasting=1500ms"], 11),
    (
        "all-at-once",
        &[
            "drop:share=0.03",
            "cut:share=0.03",
            "delay:by=100ms,share=0.2",
            "full-disk:after=1s,lasting=500ms",
        ],
        12,
    ),
];

/// Under this one it does not.
const LOSING: Row = ("unclean-election", &["unclean-election:every=600ms,lose=5"], 13);

/// Jobs at a time.
const SIDE_BY_SIDE: usize = 4;

/// Bursts published while the fault is in force, their readings, and the pause after each; and how often all that is done
/// while a fault has not struck.
const BURSTS: usize = 15;
const BURST: u64 = 30;
const PAUSE: Duration = Duration::from_millis(200);
const ROUNDS: usize = 4;

const TOPIC: &str = "readings";
const PARTITIONS: i32 = 3;

/// Elections while nothing is on its way to Kafka, after which what was lost is known exactly.
const QUIET_ELECTIONS: usize = 3;
const LOST_AT_A_TIME: u64 = 5;

/// What the brokers run on.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// MQTT to Kafka to Parquet, with servers of its own. What is above uses what is below, and ends before it.
struct Job {
    publisher: Publisher,
    rest: RestClient,
    process: LavkaProcess,
    lake: PathBuf,
    _worker: Standalone,
    kafka: KafkaClient,
    broker: Broker,
    mosquitto: Mosquitto,
}

impl Job {
    fn start(runtime: &Runtime, seed: u64) -> Self {
        let mosquitto = Mosquitto::start(&MosquittoConfig::default()).unwrap();
        let config = BrokerConfig {
            fault_seed: seed,
            min_session_timeout: Duration::from_secs(1),
            ..BrokerConfig::default()
        };
        let broker = runtime.block_on(Broker::start(config)).unwrap();
        let kafka = KafkaClient::new(broker.bootstrap());
        kafka.create_topic(TOPIC, PARTITIONS);
        let worker = Standalone::new(&broker.bootstrap(), &[]);
        let lake = worker.folder().join("lake");
        let mut sink = lake_sink(TOPIC, &lake);
        sink["consumer.override.session.timeout.ms"] = "2000".into();
        sink["consumer.override.heartbeat.interval.ms"] = "300".into();
        let worker =
            worker.connector("source", &mqtt_source(mosquitto.port(), TOPIC)).connector("sink", &sink);
        let (process, rest) = worker.serve();
        // What is published before the session is there goes nowhere.
        eventually("the subscription", PATIENCE, || mosquitto.log().contains("Sending SUBACK").then_some(()));
        let publisher = Publisher::connect(mosquitto.port());
        Self { publisher, rest, process, lake, _worker: worker, kafka, broker, mosquitto }
    }

    fn set_faults(&self, faults: &[&str]) {
        self.broker.set_faults(faults.iter().map(|fault| fault.parse::<Fault>().unwrap()).collect());
    }

    /// Publishes while the faults are in force, and a little more when they are over. Each of them has struck by then; how
    /// often in the last round is returned.
    fn go_through(&mut self, faults: &[&str]) -> Vec<u64> {
        let mut idle: Vec<&str> = faults.to_vec();
        let mut struck = Vec::new();
        for _ in 0..ROUNDS {
            self.set_faults(faults);
            for _ in 0..BURSTS {
                self.publisher.publish(BURST);
                std::thread::sleep(PAUSE);
            }
            struck = self.broker.faults().into_iter().map(|(_, struck)| struck).collect();
            idle.retain(|fault| {
                faults.iter().zip(&struck).any(|(other, struck)| other == fault && *struck == 0)
            });
            if idle.is_empty() {
                break;
            }
        }
        assert_eq!(idle, Vec::<&str>::new(), "these never struck");
        self.set_faults(&[]);
        self.publisher.publish(BURST);
        self.publisher.wait_accepted(PATIENCE);
        struck
    }

    /// Waits until the source has let the MQTT server forget every message, which it does when Kafka has it.
    fn expect_acknowledged(&self) {
        let published = usize::try_from(self.publisher.published()).unwrap();
        eventually("the source to acknowledge all readings", PATIENCE, || {
            (self.mosquitto.log().matches("Received PUBACK from").count() >= published).then_some(())
        });
    }

    /// The ids of the messages that no record of the topic has.
    fn missing(&self) -> BTreeSet<i64> {
        let missing = missing_ids(&self.kafka, TOPIC, self.publisher.published());
        missing.into_iter().map(|id| i64::try_from(id).unwrap()).collect()
    }

    /// What is in the lake against what is in the topic, when all of it has been read: each record of the topic has one row.
    /// Other rows are those of records that the broker lost after the sink had read them, one each at most: of messages
    /// that are `lost`, or that were sent again. Returns how many they are.
    fn expect_in_lake_beside_lost_ones(&self, lost: &BTreeSet<i64>) -> usize {
        let mut found: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
        for row in finished(&self.lake).iter().flat_map(|path| rows(path)) {
            found.entry((row.partition, row.offset)).or_default().push(row.id);
        }
        let (mut sent, mut complaints) = (BTreeSet::new(), Vec::new());
        for record in self.kafka.consume_all(TOPIC) {
            let id = record.value_json()["id"].as_i64().unwrap();
            sent.insert(id);
            let rows = found.entry((i64::from(record.partition), record.offset)).or_default();
            match rows.iter().position(|row| *row == id) {
                Some(place) => drop(rows.swap_remove(place)),
                None => {
                    complaints.push(format!("{}+{}: id {id} is missing", record.partition, record.offset));
                }
            }
            if rows.contains(&id) {
                complaints.push(format!("{}+{}: id {id} is there twice", record.partition, record.offset));
            }
        }
        for (place, others) in &found {
            let distinct: BTreeSet<&i64> = others.iter().collect();
            if distinct.len() < others.len()
                || others.iter().any(|id| !lost.contains(id) && !sent.contains(id))
            {
                complaints.push(format!("{place:?}: {others:?} were not lost"));
            }
        }
        assert_eq!(complaints, Vec::<String>::new());
        found.values().map(Vec::len).sum()
    }

    /// Waits until the sink has committed every offset, which it does when the records are in the lake.
    fn expect_committed(&self) -> Vec<i64> {
        let end_offsets = self.kafka.end_offsets(TOPIC);
        eventually("all offsets to be committed", PATIENCE, || {
            let committed = self.kafka.committed("connect-sink", TOPIC);
            (committed.iter().map(|offset| offset.unwrap_or(0)).eq(end_offsets.iter().copied())).then_some(())
        });
        end_offsets
    }

    /// Nothing is stuck: every offset gets committed, every task runs, and a worker that is told to stop does so.
    fn finish(mut self) {
        let end_offsets = self.expect_committed();
        for connector in ["source", "sink"] {
            let status = self.rest.get(&format!("/connectors/{connector}/status"));
            let states: Vec<&Value> = [&status.body["connector"]]
                .into_iter()
                .chain(status.body["tasks"].as_array().unwrap())
                .map(|part| &part["state"])
                .collect();
            assert_eq!(states, ["RUNNING", "RUNNING"], "{connector}: {}", status.text);
        }
        assert!(self.process.stop().success(), "{}", self.process.log_tail(20));
        assert_eq!(leftovers(&self.lake), Vec::<PathBuf>::new());
        assert_eq!(self.kafka.end_offsets(TOPIC), end_offsets, "records came after all had come");
    }
}

/// Under `faults` nothing that was accepted is lost, and each record is in the lake once.
fn keeps_everything(runtime: &Runtime, (name, faults, seed): Row) {
    let began = Instant::now();
    let mut job = Job::start(runtime, seed);
    let struck = job.go_through(faults);
    let accepted = job.publisher.published();
    expect_in_kafka(&job.kafka, TOPIC, accepted);
    expect_in_lake(&job.kafka, TOPIC, &job.lake);
    let records = job.kafka.consume_all(TOPIC).len();
    let warnings = job.process.log().lines().filter(|line| line.contains("WARN")).count();
    println!(
        "{name} {faults:?} struck {struck:?}, seed {seed}: {accepted} readings, {records} records, {} files, {warnings} \
         warnings, {:.1?}",
        finished(&job.lake).len(),
        began.elapsed()
    );
    job.finish();
}

#[test]
fn faults_of_a_broker_that_keeps_its_records_cost_time_and_nothing_else() {
    let runtime = runtime();
    let waiting = Mutex::new(KEEPING.iter().rev().copied().collect::<Vec<_>>());
    let next = || waiting.lock().unwrap().pop();
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(row) = next() {
                    // A row that fails says why itself, and lets the others run.
                    if catch_unwind(AssertUnwindSafe(|| keeps_everything(&runtime, row))).is_err() {
                        failed.lock().unwrap().push(row);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), [], "these failed, with what is above");
}

#[test]
fn faults_that_lose_records_leave_nothing_stuck_and_are_accounted_for() {
    let runtime = runtime();
    let (name, faults, seed) = LOSING;
    let mut job = Job::start(&runtime, seed);

    // While nothing is under way, what goes missing is what the broker lost.
    let mut lost = BTreeSet::new();
    for _ in 0..QUIET_ELECTIONS {
        job.publisher.publish(BURST);
        job.publisher.wait_accepted(PATIENCE);
        eventually("what was not lost to be in Kafka", PATIENCE, || (job.missing() == lost).then_some(()));
        job.expect_acknowledged();
        if lost.is_empty() {
            // What the first election takes away is in the lake, where others will have its offsets.
            job.expect_committed();
        }
        job.broker.elect_uncleanly(LOST_AT_A_TIME);
        let before = lost.len();
        lost = job.missing();
        assert!(lost.len() > before, "the election lost nothing");
    }
    let quietly = lost.len();

    // While records flow: a message that is missing was acknowledged, so Kafka had it.
    let struck = job.go_through(faults);
    // More than an election takes away, so that every partition grows beyond what it was.
    let after = i64::try_from(job.publisher.published()).unwrap();
    job.publisher.publish(4 * BURST);
    job.publisher.wait_accepted(PATIENCE);
    job.expect_acknowledged();
    let lost = job.missing();
    assert!(lost.range(after..).next().is_none(), "lost after the last election: {lost:?}");
    job.expect_committed();
    let beside = job.expect_in_lake_beside_lost_ones(&lost);
    let overtaken = finished(&job.lake).iter().filter(|path| has_epoch(path)).count();
    println!(
        "{name} {faults:?} struck {struck:?}, seed {seed}: {} readings, {} lost by the broker ({quietly} of them while \
         nothing was under way), {beside} rows of records that were lost, {overtaken} files over offsets of theirs",
        job.publisher.published(),
        lost.len()
    );
    assert!(overtaken > 0, "no record took the offset of a lost one: this shows nothing of the lake");
    let log = job.process.log();
    assert!(log.contains("the topic has lost its records from offset"), "the lake said nothing of it");
    job.finish();
}
