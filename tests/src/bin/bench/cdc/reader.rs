//! Our readers: a task whose JSON is discarded, and a whole worker.

use std::sync::Arc;

use lavka_api::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, SourceRecord};
use lavka_api::plugin::{DeliveryListener, Factory, OffsetReader, SourceTask, SourceTaskStart, TaskId};
use lavka_converters::json::{JsonWriter, WriteOptions};
use lavka_testkit::Postgres;

use super::Outcome;
use crate::usage::{Run, Stopwatch};

/// The configuration of both connectors, with more entries.
pub(super) fn config(server: &Postgres, slot: &str, more: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector".to_owned()),
        // Debezium's metrics of one prefix stand in each other's way.
        ("topic.prefix", slot.into()),
        ("database.hostname", "127.0.0.1".into()),
        ("database.port", server.port().to_string()),
        ("database.user", Postgres::USER.into()),
        ("database.password", Postgres::PASSWORD.into()),
        ("database.dbname", Postgres::DATABASE.into()),
        ("plugin.name", "pgoutput".into()),
        ("slot.name", slot.into()),
        ("publication.name", "bench".into()),
        ("publication.autocreate.mode", "disabled".into()),
        ("tombstones.on.delete", "false".into()),
        ("table.exclude.list", "public.last".into()),
        ("snapshot.mode", "no_data".into()),
        ("poll.interval.ms", "10".into()),
    ]);
    for (key, value) in more {
        config.set(*key, *value);
    }
    config
}

/// No offsets.
struct Nothing;

#[async_trait]
impl OffsetReader for Nothing {
    async fn offsets(&self, partitions: &[OffsetMap]) -> lavka_api::Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

/// A task whose records become JSON without schemas, and then nothing.
pub(super) struct Reader {
    task: Box<dyn SourceTask>,
    listener: Option<Arc<dyn DeliveryListener>>,
    json: JsonWriter,
    out: Vec<u8>,
}

impl Reader {
    pub(super) async fn start(config: &Config) -> Outcome<Self> {
        let Factory::Source(make) = lavka_connector_postgres::plugins().remove(0).factory else {
            return Err("the connector is no source".into());
        };
        let mut task = make().task(config)?;
        let id = TaskId { connector: "bench".into(), task: 0 };
        task.start(SourceTaskStart { id, offsets: Arc::new(Nothing) }).await?;
        let listener = task.delivery_listener();
        Ok(Self { task, listener, json: JsonWriter::new(WriteOptions::default(), 16), out: Vec::new() })
    }

    /// Reads until so many records went by.
    pub(super) async fn read(&mut self, records: u32) -> Outcome<()> {
        let mut left = records;
        while left > 0 {
            let batch = self.task.poll().await?;
            for record in &batch {
                self.write(record)?;
                left = left.saturating_sub(u32::from(!record.is_progress()));
            }
            let last = batch.iter().rev().find_map(|record| record.position.clone());
            if let Some((listener, last)) = self.listener.as_ref().zip(last) {
                listener.committed(&[(last.partition, last.offset)]);
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &SourceRecord) -> Outcome<()> {
        for datum in [&record.record.key, &record.record.value] {
            self.out.clear();
            self.json.write(datum.schema.as_ref(), &datum.value, &mut self.out)?;
            std::hint::black_box(&self.out);
        }
        Ok(())
    }

    pub(super) async fn stop(&mut self) {
        self.task.stop().await;
    }
}

/// Reads so many records from the start.
pub(super) async fn discard(config: &Config, records: u32) -> Outcome<Run> {
    let watch = Stopwatch::start();
    let mut reader = Reader::start(config).await?;
    reader.read(records).await?;
    let run = watch.stop(records);
    reader.stop().await;
    Ok(run)
}
