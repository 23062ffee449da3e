//! The source path with Avro, and what the converter takes of it.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lavka_api::async_trait;
use lavka_api::config::{Config, ConfigDef};
use lavka_api::data::{Datum, Headers, Logical, Record, Schema, SourceRecord, Struct, Topic, Type, Value};
use lavka_api::plugin::{
    Catalogue, ConnectorContext, ConverterRole, Factory, Plugin, PluginKind, SourceConnector, SourceTask,
    SourceTaskStart,
};
use lavka_telemetry::metrics::Metrics;

use super::usage::{Run, Stopwatch};
use super::worker;

/// Records a round.
pub(crate) const RECORDS: u32 = 1_000_000;

/// Records a poll.
const BATCH: u32 = 1000;

const TOPIC: &str = "bench-avro";
const CONVERTER: &str = "io.confluent.connect.avro.AvroConverter";

/// Twenty fields of mixed types.
fn values() -> Result<(Schema, Vec<Value>), Box<dyn Error>> {
    let types =
        [Type::Int64, Type::String, Type::Int32, Type::Float64, Type::Boolean, Type::Float32, Type::Int64];
    let mut builder = Schema::structure().name("org.example.Reading");
    for field in 0..18 {
        let ty = types.get(field % types.len()).copied().unwrap_or(Type::Int32);
        let schema = if field % 6 == 5 { Schema::optional(ty) } else { Schema::of(ty) };
        builder = builder.field(format!("field{field}"), schema);
    }
    builder = builder
        .field("at", Schema::logical_of(Logical::Timestamp))
        .field("day", Schema::logical_of(Logical::Date));
    let schema = builder.build()?;
    let value = |id: u32| -> Result<Value, Box<dyn Error>> {
        let fields =
            schema.fields().iter().map(|field| match (field.schema().logical(), field.schema().ty()) {
                (Some(Logical::Date), _) => Value::Date(20_000),
                (Some(_), _) => Value::Timestamp(1_760_000_000_000 + i64::from(id)),
                (None, Type::Int64) => Value::Int64(i64::from(id) * 7919),
                (None, Type::String) => format!("device-{id:04}").into(),
                (None, Type::Int32) => Value::Int32(id.cast_signed()),
                (None, Type::Float64) => Value::Float64(f64::from(id) / 7.0),
                (None, Type::Float32) => Value::Float32(21.5),
                _ => Value::Boolean(id.is_multiple_of(2)),
            });
        Ok(Value::from(Struct::new(schema.clone(), fields.collect::<Vec<_>>())?))
    };
    let values = (0..BATCH).map(value).collect::<Result<_, _>>()?;
    Ok((schema, values))
}

/// Through a worker: connector, converter, producer.
pub(crate) async fn lavka(bootstrap: &str, registry: &str) -> Result<Run, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let settings = [("producer.linger.ms", "5"), ("producer.max.in.flight.requests.per.connection", "5")];
    let metrics = Metrics::new();
    let plugins = lavka_avro::plugins().into_iter().chain([plugin()]).collect();
    let worker = worker::start(bootstrap, folder.path(), metrics.clone(), plugins, &settings)?;
    let connector = Config::from([
        ("connector.class", "bench.AvroSource"),
        ("value.converter", CONVERTER),
        ("value.converter.schema.registry.url", registry),
    ]);
    let watch = Stopwatch::start();
    worker.handle().put_connector("bench-avro".into(), connector, None, true).await?;
    while worker::total(&metrics, "source-record-write-total") < f64::from(RECORDS) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let run = watch.stop(RECORDS);
    worker.shutdown().await;
    Ok(run)
}

/// What the converter takes of that: the same batches prepared and encoded, and nothing else.
pub(crate) async fn converting(registry: &str) -> Result<Run, Box<dyn Error>> {
    let catalogue = Catalogue::new(lavka_avro::plugins());
    let plugin = catalogue.find(CONVERTER, |kind| kind == PluginKind::Converter)?;
    let Factory::Converter(make) = plugin.factory else { return Err("no converter".into()) };
    let config = Config::from([("schema.registry.url", registry), ("converter.type", "value")]);
    let mut converter = make(&config, ConverterRole::Value)?;
    let (schema, values) = values()?;
    let topic = Topic::from(TOPIC);
    let batch: Vec<Datum> = values.into_iter().map(|value| Datum::new(schema.clone(), value)).collect();
    let records: Vec<(&Topic, &Datum)> = batch.iter().map(|datum| (&topic, datum)).collect();
    let (mut headers, mut out) = (Headers::new(), Vec::new());
    let watch = Stopwatch::start();
    for _ in 0..RECORDS / BATCH {
        converter.prepare_encode(&records).await?;
        for (topic, datum) in &records {
            out.clear();
            converter.encode(topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out)?;
            std::hint::black_box(&out);
        }
    }
    Ok(watch.stop(RECORDS))
}

/// A registry that gives every schema the same id, and for it the last one; its URL. It ends with the process.
pub(crate) fn registry() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let last = Arc::new(Mutex::new(String::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let last = last.clone();
            std::thread::spawn(move || answer(stream, &last));
        }
    });
    Ok(url)
}

fn answer(mut stream: TcpStream, last: &Mutex<String>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        request.extend_from_slice(piece.get(..count).unwrap_or_default());
        // The body is one object, and nothing of it ends a line before.
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, sent)) = text.split_once("\r\n\r\n") else { continue };
        let asks = head.starts_with("GET");
        if asks || sent.ends_with('}') {
            request.clear();
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let body = if asks {
                last.clone()
            } else {
                sent.clone_into(&mut last);
                "{\"id\":1}".to_owned()
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n";
            let length = body.len();
            if write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").is_err() {
                return;
            }
        }
    }
}

fn plugin() -> Plugin {
    Plugin {
        class: "bench.AvroSource",
        aliases: &[],
        version: "1",
        doc: "Makes records with a schema as fast as they are taken.",
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
        let (schema, values) = values().map_err(|error| lavka_api::Error::fatal(error.to_string()))?;
        Ok(Box::new(BenchTask { schema, values, next: AtomicU32::new(0) }))
    }

    async fn stop(&mut self) {}
}

struct BenchTask {
    schema: Schema,
    values: Vec<Value>,
    next: AtomicU32,
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
            let mut record = Record::for_topic(TOPIC);
            record.value = Datum::new(self.schema.clone(), value.clone());
            SourceRecord { record, position: None, token: u64::from(id) }
        };
        Ok((first..RECORDS).zip(&self.values).map(make).collect())
    }

    async fn stop(&mut self) {}
}
