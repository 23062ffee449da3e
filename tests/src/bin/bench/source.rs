//! The source path.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use lavka_api::async_trait;
use lavka_api::config::{Config, ConfigDef};
use lavka_api::data::{Datum, Object, Record, Shape, SourceRecord, Str, Value};
use lavka_api::plugin::{ConnectorContext, Factory, Plugin, SourceConnector, SourceTask, SourceTaskStart};
use lavka_telemetry::metrics::Metrics;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::usage::{Run, Stopwatch};
use super::worker;

/// Records a round.
pub(crate) const RECORDS: u32 = 300_000;

const FIELDS: usize = 20;

/// Records a poll.
const BATCH: u32 = 1000;

/// Client settings of both sides.
const SETTINGS: [(&str, &str); 2] = [("linger.ms", "5"), ("max.in.flight.requests.per.connection", "5")];

/// Twenty fields, about 1 KB as JSON.
fn value(id: u32, shape: &Shape) -> Value {
    let mut values = Vec::with_capacity(FIELDS);
    values.push(Value::Int64(id.into()));
    values.push(Value::Float64(f64::from(id) * 0.5));
    for field in 2..FIELDS {
        values.push(Value::from(format!("value of field {field}, long enough for a kilobyte")));
    }
    Object::new(shape.clone(), values).into()
}

fn shape() -> Shape {
    Shape::new((0..FIELDS).map(|field| Str::from(format!("field{field}"))).collect::<Vec<_>>())
}

/// A librdkafka producer loop with bytes that are there already.
pub(crate) async fn bare(bootstrap: &str) -> Result<Run, Box<dyn Error>> {
    let bootstrap = bootstrap.to_owned();
    let run = tokio::task::spawn_blocking(move || -> Result<Run, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("acks", "all")
            .set("queue.buffering.max.messages", "100000");
        for (key, value) in SETTINGS {
            config.set(key, value);
        }
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        let mut payload = Vec::new();
        let _ = lavka_converters::json::write_value(&value(1, &shape()), &mut payload);
        let watch = Stopwatch::start();
        for _ in 0..RECORDS {
            let mut record: BaseRecord<'_, (), [u8]> = BaseRecord::to("bench-bare").payload(&payload);
            loop {
                match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        record = back;
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err((error, _)) => return Err(error),
                }
            }
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(watch.stop(RECORDS))
    });
    Ok(run.await??)
}

/// What making the records alone takes, which [`lavka`] does and [`bare`] does not.
pub(crate) async fn making() -> Result<Run, Box<dyn Error>> {
    let mut task = BenchTask::new();
    let watch = Stopwatch::start();
    for _ in 0..RECORDS / BATCH {
        drop(std::hint::black_box(task.poll().await?));
    }
    Ok(watch.stop(RECORDS))
}

/// The same through a worker: connector, chain, converter, producer.
pub(crate) async fn lavka(bootstrap: &str) -> Result<Run, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let settings = SETTINGS.map(|(key, value)| (format!("producer.{key}"), value));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let metrics = Metrics::new();
    let worker = worker::start(bootstrap, folder.path(), metrics.clone(), vec![plugin()], &settings)?;
    let connector = Config::from([
        ("connector.class", "bench.Source"),
        ("transforms", "insert,replace,cast"),
        ("transforms.insert.type", "org.apache.kafka.connect.transforms.InsertField$Value"),
        ("transforms.insert.static.field", "origin"),
        ("transforms.insert.static.value", "bench"),
        ("transforms.replace.type", "org.apache.kafka.connect.transforms.ReplaceField$Value"),
        ("transforms.replace.exclude", "field19"),
        ("transforms.cast.type", "org.apache.kafka.connect.transforms.Cast$Value"),
        ("transforms.cast.spec", "field0:string"),
    ]);
    let watch = Stopwatch::start();
    worker.handle().put_connector("bench".into(), connector, None, true).await?;
    while worker::total(&metrics, "source-record-write-total") < f64::from(RECORDS) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let run = watch.stop(RECORDS);
    worker.shutdown().await;
    Ok(run)
}

fn plugin() -> Plugin {
    Plugin {
        class: "bench.Source",
        aliases: &[],
        version: "1",
        doc: "Makes records as fast as they are taken.",
        definition: ConfigDef::new,
        factory: Factory::Source(|| Box::new(BenchConnector)),
    }
}

struct BenchConnector;

#[async_trait]
impl SourceConnector for BenchConnector {
    async fn start(&mut self, _context: ConnectorContext, _config: &Config) -> lavka_api::Result<()> {
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: u32) -> lavka_api::Result<Vec<Config>> {
        Ok(vec![Config::new()])
    }

    fn task(&self, _config: &Config) -> lavka_api::Result<Box<dyn SourceTask>> {
        Ok(Box::new(BenchTask::new()))
    }

    async fn stop(&mut self) {}
}

/// Hands out values that were made before, as the bare loop sends bytes that were made before.
struct BenchTask {
    values: Vec<Value>,
    next: AtomicU32,
}

impl BenchTask {
    fn new() -> Self {
        let shape = shape();
        Self { values: (0..BATCH).map(|id| value(id, &shape)).collect(), next: AtomicU32::new(0) }
    }
}

#[async_trait]
impl SourceTask for BenchTask {
    async fn start(&mut self, _start: SourceTaskStart) -> lavka_api::Result<()> {
        Ok(())
    }

    async fn poll(&mut self) -> lavka_api::Result<Vec<SourceRecord>> {
        let first = self.next.fetch_add(BATCH, Relaxed);
        if first >= RECORDS {
            std::future::pending::<()>().await;
        }
        let make = |(id, value): (u32, &Value)| {
            let mut record = Record::for_topic("bench-lavka");
            record.value = Datum::schemaless(value.clone());
            SourceRecord { record, position: None, token: u64::from(id) }
        };
        Ok((first..RECORDS).zip(&self.values).map(make).collect())
    }

    async fn stop(&mut self) {}
}
