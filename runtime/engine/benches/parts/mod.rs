//! Both loops with everything around them in memory and free of charge: batches that were made before, a producer
//! that acknowledges at once, a sink that takes everything.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::config::{Config, ConfigDef, ConfigSpec};
use lavka_api::data::{
    Datum, OffsetMap, Record, SourcePosition, SourceRecord, TimestampType, Topic, TopicPartition, Value,
};
use lavka_api::plugin::{
    Catalogue, Converter, ConverterRole, Factory, HeaderConverter, OffsetReader, Offsets, Plugin, SinkBatch,
    SinkContext, SinkTask, SinkTaskStart, SourceTask, SourceTaskStart, TaskId, Transform, Verdict,
};
use lavka_engine::chain::Chain;
use lavka_engine::errors::{ErrorPolicy, ErrorSettings};
use lavka_engine::sink::{Decoder, SinkTaskSpec, TopicSelection, spawn_sink};
use lavka_engine::source::{Delivery, Encoder, OffsetStore, SourceTaskSpec, spawn_source};
use lavka_engine::task::{Target, TaskHandle, TaskObserver, TaskState};
use lavka_ports::{
    Ack, Buffer, ConsumedRecord, Consumer, ConsumerEvent, OutgoingRecord, Producer, SendError, Subscription,
};
use lavka_telemetry::metrics::Metrics;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

pub(crate) const BATCH: usize = 1000;

const TEXT: &str =
    "a reading of a sensor, as long as readings of sensors are when they are put into words, more or less";

fn id() -> TaskId {
    TaskId { connector: "bench".into(), task: 0 }
}

/// Batches of a source: one source partition, an offset each, and headers where wanted.
pub(crate) fn source_batches(batches: usize, headers: usize) -> Vec<Vec<SourceRecord>> {
    let partition = OffsetMap::new([("file", Value::from("a.txt"))]);
    let topic = Topic::from("readings");
    let record = |number: usize| {
        let mut record = Record::for_topic(topic.clone());
        record.key = Datum::schemaless(i64::try_from(number).unwrap());
        record.value = Datum::schemaless(TEXT);
        for _ in 0..headers {
            record.headers.add("h", Datum::schemaless("x"));
        }
        let offset = OffsetMap::new([("position", Value::Int64(i64::try_from(number).unwrap()))]);
        let position = Some(SourcePosition { partition: partition.clone(), offset });
        SourceRecord { record, position, token: number as u64 }
    };
    (0..batches).map(|batch| (0..BATCH).map(|i| record(batch * BATCH + i)).collect()).collect()
}

/// What a consumer of one partition has read.
pub(crate) fn sink_batches(batches: usize) -> Vec<Vec<ConsumedRecord>> {
    let topic = Topic::from("readings");
    let record = |offset: usize| ConsumedRecord {
        topic: topic.clone(),
        partition: 0,
        offset: i64::try_from(offset).unwrap(),
        leader_epoch: None,
        timestamp: Some(1_700_000_000_000),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: Some(TEXT.as_bytes().into()),
        headers: Vec::new(),
    };
    (0..batches).map(|batch| (0..BATCH).map(|i| record(batch * BATCH + i)).collect()).collect()
}

/// Sends every batch through the source loop, and sees them all acknowledged and committed.
pub(crate) fn run_source(batches: Vec<Vec<SourceRecord>>) {
    run(|done| {
        let target = watch::Sender::new(Target::Running);
        let metrics = Metrics::new();
        let (key, value, header) = converters("JsonConverter");
        spawn_source(SourceTaskSpec {
            id: id(),
            task: Box::new(Ready { batches: batches.into_iter(), done }),
            chain: chain(),
            encoder: Encoder::new(key, value, header),
            policy: policy(&metrics, &target),
            dead_letters: None,
            topic_creation: None,
            delivery: Delivery::AtLeastOnce {
                producer: Arc::new(Generous { acks: Mutex::default(), arrived: Notify::new() }),
                offsets: Arc::new(Forgetful),
            },
            flush_interval: Duration::from_secs(60),
            flush_timeout: Duration::from_secs(60),
            in_flight: Buffer { records: 20_000, bytes: 32 << 20 },
            metrics: metrics.source_task("bench", 0),
            observer: Arc::new(Nobody),
            target,
        })
    });
}

/// Sends every batch through the sink loop, and sees its offset committed.
pub(crate) fn run_sink(batches: Vec<Vec<ConsumedRecord>>) {
    run(|done| {
        let target = watch::Sender::new(Target::Running);
        let metrics = Metrics::new();
        let (key, value, header) = converters("ByteArrayConverter");
        spawn_sink(SinkTaskSpec {
            id: id(),
            task: Box::new(Abyss),
            chain: chain(),
            decoder: Decoder::new(key, value, header),
            policy: policy(&metrics, &target),
            consumer: Box::new(Read { batches: batches.into_iter(), assigned: false, done }),
            topics: TopicSelection::Named(vec!["readings".into()]),
            topics_refresh: Duration::from_secs(60),
            commit_interval: Duration::from_secs(60),
            max_batch: BATCH,
            metrics: metrics.sink_task("bench", 0),
            observer: Arc::new(Nobody),
            target,
        })
    });
}

/// Runs a task on this thread until its input is at its end, and stops it.
fn run(task: impl FnOnce(Arc<Notify>) -> TaskHandle) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let done = Arc::new(Notify::new());
        let handle = task(Arc::clone(&done));
        done.notified().await;
        handle.set_target(Target::Stopping);
        assert!(handle.stopped(Duration::from_secs(60)).await, "the task stops");
    });
}

fn policy(metrics: &Metrics, target: &watch::Sender<Target>) -> ErrorPolicy {
    let settings = ErrorSettings::from_config(&Config::new()).unwrap();
    ErrorPolicy::new(id(), &settings, None, metrics.errors("bench", 0), target.subscribe())
}

type Named<T> = (String, Box<T>);

fn converters(name: &str) -> (Named<dyn Converter>, Named<dyn Converter>, Named<dyn HeaderConverter>) {
    let catalogue = Catalogue::new(lavka_converters::plugins());
    let config = Config::from([("schemas.enable", "false")]);
    let converter = |role| {
        let class = format!(
            "org.apache.kafka.connect.{}",
            if name == "JsonConverter" { "json." } else { "converters." }
        );
        let class = format!("{class}{name}");
        match catalogue.find(&class, |kind| kind == lavka_api::plugin::PluginKind::Converter).unwrap().factory
        {
            Factory::Converter(make) => (class, make(&config, role).unwrap()),
            _ => panic!("{class} is no converter"),
        }
    };
    let class = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
    let header = match catalogue.find(class, |_| true).unwrap().factory {
        Factory::HeaderConverter(make) => (class.to_owned(), make(&Config::new()).unwrap()),
        _ => panic!("{class} is no header converter"),
    };
    (converter(ConverterRole::Key), converter(ConverterRole::Value), header)
}

/// A chain of one transform, which sets the timestamp.
fn chain() -> Chain {
    struct Stamp;
    impl Transform for Stamp {
        fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
            record.timestamp = Some(1_700_000_000_001);
            Ok(Verdict::Keep)
        }
    }
    let plugin = Plugin {
        class: "bench.Stamp",
        aliases: &[],
        version: "1",
        doc: "For benches.",
        definition: ConfigDef::new,
        factory: Factory::Transform(|_| Ok(Box::new(Stamp))),
    };
    let config = Config::from([("transforms", "s"), ("transforms.s.type", "bench.Stamp")]);
    Chain::from_config(&config, &Catalogue::new([plugin])).unwrap()
}

struct Nobody;

impl TaskObserver for Nobody {
    fn changed(&self, _: &TaskId, state: TaskState) {
        assert!(!matches!(state, TaskState::Failed(_)), "{state:?}");
    }

    fn topic_used(&self, _: &TaskId, _: &Topic) {}
}

struct Ready {
    batches: std::vec::IntoIter<Vec<SourceRecord>>,
    done: Arc<Notify>,
}

#[async_trait]
impl SourceTask for Ready {
    async fn start(&mut self, _: SourceTaskStart) -> Result<()> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        match self.batches.next() {
            Some(batch) => {
                // Lets the acknowledgements in, as a source that waits does.
                tokio::task::yield_now().await;
                Ok(batch)
            }
            None => {
                self.done.notify_one();
                pending().await
            }
        }
    }

    async fn stop(&mut self) {}
}

struct Generous {
    acks: Mutex<Vec<Ack>>,
    arrived: Notify,
}

#[async_trait]
impl Producer for Generous {
    fn send(&self, record: OutgoingRecord<'_>) -> std::result::Result<(), SendError> {
        std::hint::black_box(&record);
        self.acks.lock().unwrap().push(Ack { token: record.token, outcome: Ok((0, 0)) });
        self.arrived.notify_one();
        Ok(())
    }

    async fn acks(&self, out: &mut Vec<Ack>) {
        loop {
            {
                let mut acks = self.acks.lock().unwrap();
                if !acks.is_empty() {
                    out.append(&mut acks);
                    return;
                }
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

struct Forgetful;

#[async_trait]
impl OffsetStore for Forgetful {
    async fn write(&self, _: &str, _: &[(OffsetMap, Option<OffsetMap>)]) -> Result<()> {
        Ok(())
    }

    async fn read_all(&self, _: &str) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        Ok(Vec::new())
    }

    fn reader(&self, _: &str) -> Arc<dyn OffsetReader> {
        Arc::new(Forgetful)
    }
}

#[async_trait]
impl OffsetReader for Forgetful {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

struct Read {
    batches: std::vec::IntoIter<Vec<ConsumedRecord>>,
    assigned: bool,
    done: Arc<Notify>,
}

#[async_trait]
impl Consumer for Read {
    async fn subscribe(&mut self, _: &Subscription) -> Result<()> {
        Ok(())
    }

    async fn next(&mut self, _: usize, _: Duration) -> Result<ConsumerEvent> {
        if !std::mem::replace(&mut self.assigned, true) {
            return Ok(ConsumerEvent::Assigned(vec![TopicPartition::new("readings", 0)]));
        }
        match self.batches.next() {
            Some(batch) => Ok(ConsumerEvent::Records(batch)),
            None => {
                self.done.notify_one();
                pending().await
            }
        }
    }

    async fn seek(&mut self, _: &TopicPartition, _: i64, _: Option<i32>) -> Result<()> {
        Ok(())
    }

    async fn pause(&mut self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    async fn resume(&mut self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    async fn commit(&mut self, _: &Offsets) -> Result<()> {
        Ok(())
    }

    async fn topics(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn close(self: Box<Self>) {}
}

struct Abyss;

#[async_trait]
impl SinkTask for Abyss {
    async fn start(&mut self, _: SinkTaskStart) -> Result<()> {
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, _: &mut SinkContext) -> Result<()> {
        std::hint::black_box(&batch);
        Ok(())
    }

    async fn stop(&mut self) {}
}
