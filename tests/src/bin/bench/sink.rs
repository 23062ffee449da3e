//! The sink path: JSON messages of twenty fields in Kafka to Parquet files with zstd.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::usage::{Run, Stopwatch};
use super::worker;

/// Records a round.
pub(crate) const RECORDS: u32 = 400_000;
/// Records a file.
const FILE: u32 = 100_000;
/// Records a batch of the bare loop.
const BATCH: usize = 5_000;
const TOPIC: &str = "bench-readings";

/// What the bare loop decodes into: it knows its data when it is compiled.
#[derive(Debug, Serialize, Deserialize)]
struct Reading {
    id: i64,
    at: i64,
    sequence: i64,
    battery: i64,
    errors: i64,
    device: String,
    site: String,
    state: String,
    on: bool,
    alarm: bool,
    temperature: f64,
    humidity: f64,
    pressure: f64,
    voltage: f64,
    current: f64,
    power: f64,
    latitude: f64,
    longitude: f64,
    speed: f64,
    signal: f64,
}

fn reading(id: u32) -> Reading {
    let number = f64::from(id);
    Reading {
        id: id.into(),
        at: 1_700_000_000_000 + i64::from(id),
        sequence: i64::from(id) % 1000,
        battery: 100 - i64::from(id) % 100,
        errors: i64::from(id.is_multiple_of(97)),
        device: format!("device-{}", id % 500),
        site: format!("site-{}", id % 7),
        state: ["idle", "running", "stopped"][id as usize % 3].to_owned(),
        on: id.is_multiple_of(2),
        alarm: id.is_multiple_of(97),
        temperature: 20.0 + (number * 0.01).sin() * 5.0,
        humidity: 50.0 + (number * 0.02).cos() * 10.0,
        pressure: 1013.0 + (number * 0.001).sin(),
        voltage: 230.0 + (number * 0.3).sin(),
        current: 1.5 + (number * 0.2).cos() / 3.0,
        power: 345.25 + (number * 0.05).sin() * 40.0,
        latitude: 50.0875 + number * 1e-7,
        longitude: 14.4213 + number * 1e-7,
        speed: number % 130.0,
        signal: -70.5 - number % 20.0,
    }
}

/// Puts the messages into Kafka, once for all rounds.
pub(crate) async fn prepare(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let bootstrap = bootstrap.to_owned();
    let prepared = tokio::task::spawn_blocking(move || -> Result<(), KafkaError> {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("linger.ms", "20")
            .set("enable.idempotence", "true")
            .create()?;
        for id in 0..RECORDS {
            let payload = serde_json::to_vec(&reading(id)).unwrap_or_default();
            let mut record: BaseRecord<'_, (), [u8]> =
                BaseRecord::to(TOPIC).partition(0).payload(payload.as_slice());
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error);
                }
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        producer.flush(Duration::from_secs(60))
    });
    Ok(prepared.await??)
}

/// serde_json into structs, arrays by column, the arrow writer.
pub(crate) async fn bare(bootstrap: &str) -> Result<Run, Box<dyn Error>> {
    let bootstrap = bootstrap.to_owned();
    let run = tokio::task::spawn_blocking(move || -> Result<Run, Box<dyn Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "bench-bare")
            .set("enable.auto.commit", "false")
            // librdkafka's second of silence after each full queue would be most of what is measured.
            .set("fetch.queue.backoff.ms", "50")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, 0, Offset::Beginning)?;
        consumer.assign(&assignment)?;
        let mut watch = None;
        let mut rows = Vec::with_capacity(BATCH);
        let mut writer = None;
        for read in 1..=RECORDS {
            let message = loop {
                if let Some(message) = consumer.poll(Duration::from_secs(30)) {
                    break message?;
                }
            };
            watch.get_or_insert_with(Stopwatch::start);
            rows.push(serde_json::from_slice::<Reading>(message.payload().unwrap_or_default())?);
            if rows.len() == BATCH {
                let batch = columns(&rows)?;
                rows.clear();
                let open = match &mut writer {
                    Some(open) => open,
                    none => none.insert(create(folder.path(), read, &batch)?),
                };
                open.write(&batch)?;
            }
            if read % FILE == 0
                && let Some(open) = writer.take()
            {
                open.into_inner()?.sync_all()?;
            }
        }
        Ok(watch.unwrap_or_else(Stopwatch::start).stop(RECORDS))
    });
    run.await?.map_err(|error| error.to_string().into())
}

fn create(
    folder: &Path,
    read: u32,
    batch: &RecordBatch,
) -> Result<ArrowWriter<File>, Box<dyn Error + Send + Sync>> {
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let file = File::create(folder.join(format!("{read}.parquet")))?;
    Ok(ArrowWriter::try_new(file, batch.schema(), Some(properties))?)
}

fn columns(rows: &[Reading]) -> Result<RecordBatch, Box<dyn Error + Send + Sync>> {
    fn longs(rows: &[Reading], field: impl Fn(&Reading) -> i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(field)))
    }
    fn doubles(rows: &[Reading], field: impl Fn(&Reading) -> f64) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(field)))
    }
    fn texts(rows: &[Reading], field: impl Fn(&Reading) -> &str) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(field)))
    }
    fn flags(rows: &[Reading], field: impl Fn(&Reading) -> bool) -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(field(row))).collect::<BooleanArray>())
    }
    Ok(RecordBatch::try_from_iter([
        ("id", longs(rows, |row| row.id)),
        ("at", longs(rows, |row| row.at)),
        ("sequence", longs(rows, |row| row.sequence)),
        ("battery", longs(rows, |row| row.battery)),
        ("errors", longs(rows, |row| row.errors)),
        ("device", texts(rows, |row| &row.device)),
        ("site", texts(rows, |row| &row.site)),
        ("state", texts(rows, |row| &row.state)),
        ("on", flags(rows, |row| row.on)),
        ("alarm", flags(rows, |row| row.alarm)),
        ("temperature", doubles(rows, |row| row.temperature)),
        ("humidity", doubles(rows, |row| row.humidity)),
        ("pressure", doubles(rows, |row| row.pressure)),
        ("voltage", doubles(rows, |row| row.voltage)),
        ("current", doubles(rows, |row| row.current)),
        ("power", doubles(rows, |row| row.power)),
        ("latitude", doubles(rows, |row| row.latitude)),
        ("longitude", doubles(rows, |row| row.longitude)),
        ("speed", doubles(rows, |row| row.speed)),
        ("signal", doubles(rows, |row| row.signal)),
    ])?)
}

/// The same through a worker: consumer group, JsonConverter, lake sink with an inferred schema, each row exactly once.
///
/// Like the bare loop it is timed from the first record on, so that joining the group does not count.
pub(crate) async fn lavka(bootstrap: &str, round: usize) -> Result<Run, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let metrics = Metrics::new();
    let worker =
        worker::start(bootstrap, folder.path(), metrics.clone(), lavka_connector_lake::plugins(), &[])?;
    let lake = folder.path().join("lake");
    let connector = Config::from([
        ("connector.class", "io.lavka.connect.lake.LakeSinkConnector".to_owned()),
        ("topics", TOPIC.into()),
        ("store.url", format!("file://{}", lake.display())),
        ("format.class", "io.confluent.connect.hdfs.parquet.ParquetFormat".into()),
        ("parquet.codec", "zstd".into()),
        ("flush.size", FILE.to_string()),
    ]);
    worker.handle().put_connector(format!("bench-sink-{round}"), connector, None, true).await?;
    let pause = Duration::from_millis(2);
    while worker::total(&metrics, "sink-record-read-total") < 1.0 {
        tokio::time::sleep(pause).await;
    }
    let watch = Stopwatch::start();
    let files = lake.join("topics").join(TOPIC).join("partition=0");
    let complete = usize::try_from(RECORDS / FILE)?;
    while std::fs::read_dir(&files).map_or(0, Iterator::count) < complete {
        tokio::time::sleep(pause).await;
    }
    let run = watch.stop(RECORDS);
    worker.shutdown().await;
    Ok(run)
}
