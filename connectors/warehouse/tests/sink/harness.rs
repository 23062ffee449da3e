//! A task in the hands of a test, and records for it.

use std::sync::atomic::{AtomicU64, Ordering};

use lavka_api::Result;
use lavka_api::config::{Config, KeyReport};
use lavka_api::data::{
    Datum, KafkaOrigin, Logical, Record, RecordKind, Schema, SinkRecord, Struct, TimestampType,
    TopicPartition, Type, Value,
};
use lavka_api::plugin::{ErrantRecord, Factory, Offsets, SinkContext, SinkTask, SinkTaskStart, TaskId};
use tokio::runtime::Runtime;

use crate::databases::Db;

pub(crate) const CONFLUENT: &str = "io.confluent.connect.jdbc.JdbcSinkConnector";
pub(crate) const DEBEZIUM: &str = "io.debezium.connector.jdbc.JdbcSinkConnector";

/// A name that no other test uses.
pub(crate) fn name(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A started task.
pub(crate) struct Rig {
    pub(crate) runtime: Runtime,
    pub(crate) task: Box<dyn SinkTask>,
    /// Whether errant records are taken.
    pub(crate) tolerant: bool,
    pub(crate) errant: Vec<ErrantRecord>,
    pub(crate) context: SinkContext,
}

pub(crate) fn config(class: &str, db: Db, place: &str, keys: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    config.set("name", "sink");
    config.set("connector.class", class);
    for (key, value) in db.connection(place) {
        config.set(key, value);
    }
    for (key, value) in
        [("retry.backoff.ms", "10"), ("flush.retry.delay.ms", "10"), ("connection.backoff.ms", "50")]
    {
        config.set(key, value);
    }
    for (key, value) in keys {
        config.set(*key, *value);
    }
    config
}

impl Rig {
    pub(crate) fn new(db: Db, place: &str, keys: &[(&str, &str)]) -> Self {
        Self::of(CONFLUENT, db, place, keys)
    }

    pub(crate) fn of(class: &str, db: Db, place: &str, keys: &[(&str, &str)]) -> Self {
        let plugin =
            lavka_connector_warehouse::plugins().into_iter().find(|plugin| plugin.class == class).unwrap();
        let Factory::Sink(make) = plugin.factory else { panic!("{class} is a sink") };
        let mut task = make().task(&config(class, db, place, keys)).unwrap();
        // What is written ahead goes on between the calls.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let id = TaskId { connector: "sink".into(), task: 0 };
        runtime.block_on(task.start(SinkTaskStart { id })).unwrap();
        Self { runtime, task, tolerant: true, errant: Vec::new(), context: SinkContext::at(0) }
    }

    /// One call of `put`.
    pub(crate) fn try_put(&mut self, records: Vec<SinkRecord>) -> Result<()> {
        self.context = SinkContext { takes_errant_records: self.tolerant, ..SinkContext::at(0) };
        let outcome = self.runtime.block_on(self.task.put(records.into(), &mut self.context));
        self.errant.append(&mut self.context.errant);
        outcome
    }

    /// Puts as the engine does, until all is written: again after retriable errors, and where it was written ahead in vain.
    pub(crate) fn put(&mut self, records: Vec<SinkRecord>) {
        for _ in 0..20 {
            let outcome = self.try_put(records.clone()).and_then(|()| {
                let asked = !self.context.rewind.is_empty();
                Ok(asked || !self.settle()?.is_empty())
            });
            match outcome {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) if error.is_retriable() => {
                    std::thread::sleep(std::time::Duration::from_millis(
                        self.context.retry_after_ms.unwrap_or(10),
                    ));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("it never went well");
    }

    /// One call of `put` with records of one partition. Tells where the engine goes on: `behind` them, unless it is asked
    /// to go back.
    pub(crate) fn feed(&mut self, records: Vec<SinkRecord>, behind: i64) -> Result<i64> {
        self.try_put(records)?;
        Ok(self.context.rewind.values().next().copied().unwrap_or(behind))
    }

    /// A call of `put` without records, after which nothing is under way any more: where to read on.
    pub(crate) fn settle(&mut self) -> Result<Offsets> {
        self.try_put(Vec::new())?;
        Ok(std::mem::take(&mut self.context.rewind))
    }

    /// What of `seen` is durable.
    pub(crate) fn pre_commit(&mut self, seen: &Offsets) -> Offsets {
        self.context = SinkContext::at(0);
        self.runtime.block_on(self.task.pre_commit(seen, &mut self.context)).unwrap()
    }

    pub(crate) fn open(&mut self, partitions: &[TopicPartition]) {
        self.context = SinkContext::at(0);
        self.runtime.block_on(self.task.open(partitions, &mut self.context)).unwrap();
    }

    pub(crate) fn stop(mut self) {
        self.runtime.block_on(self.task.stop());
    }
}

/// The keys with which something is wrong.
pub(crate) fn faulty(reports: &[KeyReport]) -> Vec<&str> {
    let faulty = reports.iter().filter(|report| !report.errors.is_empty());
    faulty.map(|report| report.name.as_str()).collect()
}

/// A record of `topic` at an offset.
pub(crate) fn record(topic: &str, offset: i64, key: Datum, value: Datum) -> SinkRecord {
    let record = Record {
        partition: Some(0),
        key,
        value,
        timestamp: Some(1_700_000_000_000),
        kind: RecordKind::Sink { offset, timestamp_type: TimestampType::CreateTime },
        ..Record::for_topic(topic)
    };
    let origin = KafkaOrigin { topic: topic.into(), partition: 0, offset, leader_epoch: None };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

/// A struct by its fields.
pub(crate) fn row(schema: &Schema, values: impl IntoIterator<Item = Value>) -> Datum {
    let values: Vec<Value> = values.into_iter().collect();
    Datum::new(schema.clone(), Struct::new(schema.clone(), values).unwrap())
}

/// `{id INT32}`.
pub(crate) fn key_schema() -> Schema {
    Schema::structure().field("id", Schema::of(Type::Int32)).build().unwrap()
}

/// `{name STRING?, amount INT64?}`.
pub(crate) fn value_schema() -> Schema {
    Schema::structure()
        .field("name", Schema::optional(Type::String))
        .field("amount", Schema::optional(Type::Int64))
        .build()
        .unwrap()
}

/// The key `id`.
pub(crate) fn key(id: i32) -> Datum {
    thread_local! { static SCHEMA: Schema = key_schema(); }
    SCHEMA.with(|schema| row(schema, [Value::Int32(id)]))
}

/// The value `name`, `amount`.
pub(crate) fn value(name: &str, amount: i64) -> Datum {
    thread_local! { static SCHEMA: Schema = value_schema(); }
    SCHEMA.with(|schema| row(schema, [name.into(), Value::Int64(amount)]))
}

/// A schema with a logical type.
pub(crate) fn logical(logical: Logical) -> Schema {
    Schema::logical_of(logical).to_builder().optional().build().unwrap()
}
