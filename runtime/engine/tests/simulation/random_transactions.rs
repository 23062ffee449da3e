//! Exactly-once delivery against a broker that remembers, with a task that is cut down at random moments and started again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{OffsetMap, SourceRecord, Topic, Value};
use lavka_api::plugin::{OffsetReader, SourceTask, SourceTaskStart};
use lavka_api::{Error, Result};
use lavka_engine::chain::Chain;
use lavka_engine::errors::{ErrorPolicy, ErrorSettings};
use lavka_engine::source::{
    Boundary, Delivery, Encoder, ExactlyOnce, OffsetRecord, OffsetTopic, SourceTaskSpec, spawn_source,
};
use lavka_engine::task::{Target, TaskHandle};
use lavka_ports::{Ack, Buffer, OutgoingRecord, Producer, SendError, TransactionalProducer};
use lavka_telemetry::metrics::Metrics;
use proptest::prelude::*;
use tokio::sync::{Notify, watch};

use crate::plugins::{CONVERTER, TextConverter, catalogue, record};
use crate::rig::{Observer, id};
use crate::transactions::{FakeGeneration, number};

const PARTITIONS: i64 = 3;
const RECORDS: i64 = 60;

/// What readers of committed records see, and the epoch of the transactional id.
#[derive(Default)]
struct Log {
    seen: Vec<String>,
    offsets: BTreeMap<i64, i64>,
    epoch: u64,
}

type Shared = Arc<Mutex<Log>>;

/// A producer of one life of the task.
struct Transactional {
    log: Shared,
    epoch: Mutex<u64>,
    open: Mutex<Vec<(String, String)>>,
    acks: Mutex<Vec<Ack>>,
    arrived: Notify,
    /// How long the broker takes for anything.
    delay: Duration,
}

impl Transactional {
    fn fenced(&self) -> Result<()> {
        if *self.epoch.lock().unwrap() == self.log.lock().unwrap().epoch {
            return Ok(());
        }
        Err(Error::fatal("fenced"))
    }
}

#[async_trait]
impl Producer for Transactional {
    fn send(&self, record: OutgoingRecord<'_>) -> std::result::Result<(), SendError> {
        let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        self.open.lock().unwrap().push((record.topic.to_string(), text));
        self.acks.lock().unwrap().push(Ack { token: record.token, outcome: Ok((0, 0)) });
        self.arrived.notify_one();
        Ok(())
    }

    async fn acks(&self, out: &mut Vec<Ack>) {
        loop {
            let acks = std::mem::take(&mut *self.acks.lock().unwrap());
            if !acks.is_empty() {
                out.extend(acks);
                return;
            }
            self.arrived.notified().await;
        }
    }

    async fn flush(&self, _: Duration) -> bool {
        true
    }

    async fn partitions(&self, _: &Topic, _: Duration) -> Result<Option<i32>> {
        Ok(Some(1))
    }
}

#[async_trait]
impl TransactionalProducer for Transactional {
    async fn init(&self, _: Duration) -> Result<()> {
        tokio::time::sleep(self.delay).await;
        let mut log = self.log.lock().unwrap();
        log.epoch += 1;
        *self.epoch.lock().unwrap() = log.epoch;
        Ok(())
    }

    fn begin(&self) -> Result<()> {
        self.open.lock().unwrap().clear();
        Ok(())
    }

    /// The broker commits half-way: who is cut down then does not know of it.
    async fn commit(&self, _: Duration) -> Result<()> {
        tokio::time::sleep(self.delay).await;
        self.fenced()?;
        {
            let mut log = self.log.lock().unwrap();
            for (topic, text) in self.open.lock().unwrap().drain(..) {
                match (topic.as_str(), text.split_once('=')) {
                    ("offsets", Some((partition, offset))) => {
                        log.offsets.insert(partition.parse().unwrap(), offset.parse().unwrap());
                    }
                    _ => log.seen.push(text),
                }
            }
        }
        tokio::time::sleep(self.delay).await;
        Ok(())
    }

    async fn abort(&self, _: Duration) -> Result<()> {
        self.open.lock().unwrap().clear();
        Ok(())
    }
}

struct Offsets(Topic, Shared);

struct Reader(BTreeMap<i64, i64>);

#[async_trait]
impl OffsetReader for Reader {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        let of = |p: &OffsetMap| Some(OffsetMap::new([("o", Value::Int64(*self.0.get(&number(p, "p"))?))]));
        Ok(partitions.iter().map(of).collect())
    }
}

#[async_trait]
impl OffsetTopic for Offsets {
    fn topic(&self) -> &Topic {
        &self.0
    }

    async fn reader(&self) -> Result<Arc<dyn OffsetReader>> {
        Ok(Arc::new(Reader(self.1.lock().unwrap().offsets.clone())))
    }

    fn records(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<Vec<OffsetRecord>> {
        let value =
            |p: &OffsetMap, o: &OffsetMap| format!("{}={}", number(p, "p"), number(o, "o")).into_bytes();
        Ok(offsets.iter().map(|(p, o)| OffsetRecord { key: Vec::new(), value: value(p, o) }).collect())
    }

    fn committed(&self, _: &[(OffsetMap, OffsetMap)]) {}

    async fn close(&self) {}
}

/// Numbers of several partitions, each from behind its offset; some are dropped on the way.
struct Numbers {
    next: Vec<i64>,
    batch: usize,
}

#[async_trait]
impl SourceTask for Numbers {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let partitions: Vec<_> = (0..PARTITIONS).map(|p| OffsetMap::new([("p", Value::Int64(p))])).collect();
        let offsets = start.offsets.offsets(&partitions).await?;
        self.next =
            offsets.iter().map(|offset| offset.as_ref().map_or(0, |map| number(map, "o") + 1)).collect();
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut batch = Vec::new();
        for _ in 0..self.batch {
            let Some(p) =
                (0..self.next.len()).filter(|p| self.next[*p] < RECORDS).min_by_key(|p| self.next[*p])
            else {
                break;
            };
            let number = self.next[p];
            self.next[p] += 1;
            let text = if number % 7 == 3 { format!("drop-{p}-{number}") } else { format!("{p}-{number}") };
            batch.push(record(&text, p as i64, number));
        }
        Ok(batch)
    }

    async fn stop(&mut self) {}
}

fn spawn(log: &Shared, batch: usize, boundary: Boundary, delay: Duration) -> TaskHandle {
    let config = crate::plugins::scripted(&[]);
    let target = watch::Sender::new(Target::Running);
    let metrics = Metrics::new();
    let converter = || (CONVERTER.to_owned(), Box::new(TextConverter::default()) as _);
    let settings = ErrorSettings::from_config(&Config::new()).unwrap();
    let producer = Transactional {
        log: Arc::clone(log),
        epoch: Mutex::default(),
        open: Mutex::default(),
        acks: Mutex::default(),
        arrived: Notify::new(),
        delay,
    };
    spawn_source(SourceTaskSpec {
        id: id(),
        task: Box::new(Numbers { next: Vec::new(), batch }),
        chain: Chain::from_config(&config, &catalogue()).unwrap(),
        encoder: Encoder::new(
            converter(),
            converter(),
            (CONVERTER.into(), Box::new(TextConverter::default())),
        ),
        policy: ErrorPolicy::new(id(), &settings, None, metrics.errors("c", 0), target.subscribe()),
        dead_letters: None,
        topic_creation: None,
        delivery: Delivery::ExactlyOnce(ExactlyOnce {
            producer: Arc::new(producer),
            offsets: Arc::new(Offsets(Topic::from("offsets"), Arc::clone(log))),
            generation: Arc::<FakeGeneration>::default(),
            boundary,
        }),
        flush_interval: Duration::from_secs(60),
        flush_timeout: Duration::from_secs(5),
        in_flight: Buffer { records: 10, bytes: 1 << 20 },
        metrics: metrics.source_task("c", 0),
        observer: Arc::<Observer>::default(),
        target,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However often and whenever the task is cut down, in the end readers of committed records have seen each record
    /// once, and those of a partition in order.
    #[test]
    fn every_record_is_seen_once(
        lives in prop::collection::vec(0..40u64, 0..12),
        batch in 1..9usize,
        interval in prop::option::of(1..12u64),
        delay in 0..4u64,
    ) {
        let boundary = interval.map_or(Boundary::Poll, |ms| Boundary::Interval(Duration::from_millis(ms)));
        let delay = Duration::from_millis(delay);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let log = Shared::default();
        runtime.block_on(async {
            for life in lives {
                let task = spawn(&log, batch, boundary.clone(), delay);
                tokio::time::sleep(Duration::from_millis(life)).await;
                // Dropped where it stands.
                task.stopped(Duration::ZERO).await;
            }
            let last = spawn(&log, batch, boundary.clone(), delay);
            tokio::time::sleep(Duration::from_secs(3)).await;
            last.set_target(Target::Stopping);
            assert!(last.stopped(Duration::from_secs(60)).await);
        });
        let log = log.lock().unwrap();
        for p in 0..PARTITIONS {
            let own: Vec<&str> =
                log.seen.iter().map(String::as_str).filter(|text| text.starts_with(&format!("{p}-"))).collect();
            let wanted: Vec<String> =
                (0..RECORDS).filter(|n| n % 7 != 3).map(|number| format!("{p}-{number}")).collect();
            prop_assert_eq!(own, wanted);
            prop_assert_eq!(log.offsets.get(&p), Some(&(RECORDS - 1)));
        }
    }
}
