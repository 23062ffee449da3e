//! The sink path: messages of twenty fields in Kafka, JSON or Avro, to Parquet files with zstd.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use lavka_worker::Worker;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use serde_avro_fast::ser::SerializerConfig;
use tempfile::TempDir;

use super::usage::{Run, Stopwatch, forget_peak, peak};
use super::worker;

/// Records a round.
pub(crate) const RECORDS: u32 = 400_000;
/// Records a file.
const FILE: u32 = 100_000;
/// Records a batch of the bare loop.
const BATCH: usize = 5_000;
/// Schema Registry's frame: a zero and four bytes of id.
const FRAME: usize = 5;

/// How the messages are written.
pub(crate) enum Form {
    /// Without a schema.
    Json,
    /// In Schema Registry's frame, with the URL of the registry and the schema that it has.
    Avro { registry: String, schema: Box<serde_avro_fast::Schema> },
}

impl Form {
    /// Avro with the schema of a reading, which goes into the registry.
    pub(crate) async fn avro(registry: String) -> Result<Self, Box<dyn Error>> {
        let fields = FIELDS.map(|(name, ty)| serde_json::json!({"name": name, "type": ty}));
        let schema = serde_json::json!({"type": "record", "name": "Reading", "fields": fields}).to_string();
        let url = format!("{registry}/subjects/{AVRO_TOPIC}-value/versions");
        let body = serde_json::json!({"schema": schema}).to_string();
        tokio::task::spawn_blocking(move || ureq::post(url).send(&body).map(drop)).await??;
        Ok(Self::Avro { registry, schema: Box::new(schema.parse()?) })
    }

    fn topic(&self) -> &'static str {
        match self {
            Self::Json => "bench-readings",
            Self::Avro { .. } => AVRO_TOPIC,
        }
    }

    fn encode(&self, reading: &Reading) -> Outcome<Vec<u8>> {
        match self {
            Self::Json => Ok(serde_json::to_vec(reading)?),
            Self::Avro { schema, .. } => {
                let message = vec![0, 0, 0, 0, 1];
                Ok(serde_avro_fast::to_datum(reading, message, &mut SerializerConfig::new(schema))?)
            }
        }
    }

    fn decode(&self, message: &[u8]) -> Outcome<Reading> {
        match self {
            Self::Json => Ok(serde_json::from_slice(message)?),
            Self::Avro { schema, .. } => {
                Ok(serde_avro_fast::from_datum_slice(message.get(FRAME..).unwrap_or_default(), schema)?)
            }
        }
    }

    /// What a connector is told about it.
    fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Json => Vec::new(),
            Self::Avro { registry, .. } => vec![
                ("value.converter", "io.confluent.connect.avro.AvroConverter".into()),
                ("value.converter.schema.registry.url", registry.clone()),
            ],
        }
    }
}

const AVRO_TOPIC: &str = "bench-readings-avro";

/// The fields of a [`Reading`] with Avro's types.
const FIELDS: [(&str, &str); 20] = [
    ("id", "long"),
    ("at", "long"),
    ("sequence", "long"),
    ("battery", "long"),
    ("errors", "long"),
    ("device", "string"),
    ("site", "string"),
    ("state", "string"),
    ("on", "boolean"),
    ("alarm", "boolean"),
    ("temperature", "double"),
    ("humidity", "double"),
    ("pressure", "double"),
    ("voltage", "double"),
    ("current", "double"),
    ("power", "double"),
    ("latitude", "double"),
    ("longitude", "double"),
    ("speed", "double"),
    ("signal", "double"),
];

/// Of work on a thread of its own.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

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
pub(crate) async fn prepare(bootstrap: &str, form: &Arc<Form>) -> Result<(), Box<dyn Error>> {
    let (bootstrap, form) = (bootstrap.to_owned(), form.clone());
    let prepared = tokio::task::spawn_blocking(move || -> Outcome<()> {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("linger.ms", "20")
            .set("enable.idempotence", "true")
            .create()?;
        for id in 0..RECORDS {
            let payload = form.encode(&reading(id))?;
            let mut record: BaseRecord<'_, (), [u8]> =
                BaseRecord::to(form.topic()).partition(0).payload(payload.as_slice());
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(producer.flush(Duration::from_secs(60))?)
    });
    prepared.await?.map_err(|error| error.to_string().into())
}

/// serde into structs, arrays by column, the arrow writer.
pub(crate) async fn bare(bootstrap: &str, form: &Arc<Form>) -> Result<Run, Box<dyn Error>> {
    let (bootstrap, form) = (bootstrap.to_owned(), form.clone());
    let run = tokio::task::spawn_blocking(move || -> Outcome<Run> {
        let folder = tempfile::tempdir()?;
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "bench-bare")
            .set("enable.auto.commit", "false")
            // librdkafka's second of silence after each full queue would be most of what is measured.
            .set("fetch.queue.backoff.ms", "50")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(form.topic(), 0, Offset::Beginning)?;
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
            rows.push(form.decode(message.payload().unwrap_or_default())?);
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

fn create(folder: &Path, read: u32, batch: &RecordBatch) -> Outcome<ArrowWriter<File>> {
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let file = File::create(folder.join(format!("{read}.parquet")))?;
    Ok(ArrowWriter::try_new(file, batch.schema(), Some(properties))?)
}

fn columns(rows: &[Reading]) -> Outcome<RecordBatch> {
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

/// The same through a worker: consumer group, converter, lake sink, each row exactly once.
///
/// Like the bare loop it is timed from the first record on, so that joining the group does not count.
pub(crate) async fn lavka(bootstrap: &str, form: &Form, round: usize) -> Result<Run, Box<dyn Error>> {
    let sink = Sink::start(bootstrap, form, &format!("bench-sink-{round}"), &[]).await?;
    let watch = Stopwatch::start();
    let files = sink.lake().join("topics").join(form.topic()).join("partition=0");
    let complete = usize::try_from(RECORDS / FILE)?;
    while std::fs::read_dir(&files).map_or(0, Iterator::count) < complete {
        tokio::time::sleep(PAUSE).await;
    }
    let run = watch.stop(RECORDS);
    sink.worker.shutdown().await;
    Ok(run)
}

/// The most memory that this process, worker and all, has resident while the sink writes all messages to a hundred
/// directories at once, as they come; and what of it was there before.
pub(crate) async fn hundred_partitions(bootstrap: &str, form: &Form) -> Result<String, Box<dyn Error>> {
    let keys = [
        ("partitioner.class", "io.confluent.connect.storage.partitioner.FieldPartitioner"),
        // It has a hundred values, which take turns.
        ("partition.field.name", "battery"),
        // No file is finished before all messages are there.
        ("flush.size", "1000000"),
    ];
    forget_peak()?;
    let before = peak(std::process::id());
    let sink = Sink::start(bootstrap, form, "bench-sink-partitions", &keys).await?;
    while worker::total(&sink.metrics, "sink-record-send-total") < f64::from(RECORDS) {
        tokio::time::sleep(PAUSE).await;
    }
    let open = worker::total(&sink.metrics, "file-open-count");
    if open < 100.0 {
        return Err(format!("{open} files are open, not 100").into());
    }
    let most = peak(std::process::id());
    let files = worker::total(&sink.metrics, "file-open-memory-bytes") / 1e6;
    sink.worker.shutdown().await;
    Ok(format!("{most} MB resident at most, {before} MB before; the files count {files:.0} MB"))
}

const PAUSE: Duration = Duration::from_millis(2);

/// A worker with the lake sink.
struct Sink {
    worker: Worker,
    metrics: Metrics,
    folder: TempDir,
}

impl Sink {
    /// Returns when it has taken the first record.
    async fn start(
        bootstrap: &str,
        form: &Form,
        name: &str,
        keys: &[(&'static str, &str)],
    ) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let metrics = Metrics::new();
        let plugins = lavka_connector_lake::plugins().into_iter().chain(lavka_avro::plugins()).collect();
        let worker = worker::start(bootstrap, folder.path(), metrics.clone(), plugins, &[])?;
        let sink = Self { worker, metrics, folder };
        let mut connector = Config::from([
            ("connector.class", "io.lavka.connect.lake.LakeSinkConnector".to_owned()),
            ("topics", form.topic().into()),
            ("store.url", format!("file://{}", sink.lake().display())),
            ("format.class", "io.confluent.connect.hdfs.parquet.ParquetFormat".into()),
            ("parquet.codec", "zstd".into()),
            ("flush.size", FILE.to_string()),
        ]);
        for (key, value) in form.settings() {
            connector.set(key.to_owned(), value);
        }
        for (key, value) in keys {
            connector.set((*key).to_owned(), *value);
        }
        sink.worker.handle().put_connector(name.into(), connector, None, true).await?;
        while worker::total(&sink.metrics, "sink-record-read-total") < 1.0 {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(sink)
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }
}
