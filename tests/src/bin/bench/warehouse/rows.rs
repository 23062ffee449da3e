//! The rows, as messages and as `COPY` takes them.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Headers, Logical, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Catalogue, ConverterRole, Factory, PluginKind};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::{BATCH, Outcome};

/// Records of a topic.
pub(crate) const RECORDS: u32 = 300_000;
/// The topic of Avro.
pub(super) const AVRO: &str = "bench-rows-avro";
/// That of JSON with schemas.
pub(crate) const JSON: &str = "bench-rows-json";
pub(super) const CONVERTER: &str = "io.confluent.connect.avro.AvroConverter";

const TEXT: &str = "a text of some forty characters, as usual";
const AT: i64 = 1_700_000_000_000;

fn schema() -> Outcome<Schema> {
    let schema = Schema::structure()
        .name("org.example.Row")
        .field("id", Schema::of(Type::Int64))
        .field("device", Schema::of(Type::String))
        .field("site", Schema::of(Type::String))
        .field("a", Schema::of(Type::Int64))
        .field("b", Schema::of(Type::Int32))
        .field("c", Schema::of(Type::Float64))
        .field("d", Schema::of(Type::Float64))
        .field("e", Schema::of(Type::Boolean))
        .field("f", Schema::of(Type::String))
        .field("at", Schema::logical_of(Logical::Timestamp));
    Ok(schema.build()?)
}

fn device(id: u32) -> String {
    format!("device-{:06}", id % 5000)
}

fn site(id: u32) -> String {
    format!("site-{}", id % 40)
}

fn value(schema: &Schema, id: u32) -> Outcome<Value> {
    let values = [
        Value::Int64(id.into()),
        device(id).into(),
        site(id).into(),
        Value::Int64(i64::from(id) * 7),
        Value::Int32((id % 1000).cast_signed()),
        Value::Float64(21.5),
        Value::Float64(0.25),
        Value::Boolean(id.is_multiple_of(2)),
        TEXT.into(),
        Value::Timestamp(AT + i64::from(id)),
    ];
    Ok(Value::from(Struct::new(schema.clone(), values)?))
}

/// Puts the rows into `topic`, converted as its name says.
pub(crate) async fn produce(bootstrap: &str, topic: &'static str, registry: &str) -> Outcome<()> {
    let plugins = lavka_avro::plugins().into_iter().chain(lavka_converters::plugins());
    let catalogue = Catalogue::new(plugins);
    let (class, config) = if topic == AVRO {
        (CONVERTER, Config::from([("schema.registry.url", registry), ("converter.type", "value")]))
    } else {
        let config = Config::from([("schemas.enable", "true"), ("converter.type", "value")]);
        ("org.apache.kafka.connect.json.JsonConverter", config)
    };
    let plugin = catalogue.find(class, |kind| kind == PluginKind::Converter)?;
    let Factory::Converter(make) = plugin.factory else { return Err("no converter".into()) };
    let mut converter = make(&config, ConverterRole::Value)?;
    let (schema, name) = (schema()?, Topic::from(topic));
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut headers = Headers::new();
    for id in 0..RECORDS {
        let datum = Datum::new(schema.clone(), value(&schema, id)?);
        if id == 0 {
            converter.prepare_encode(&[(&name, &datum)]).await?;
        }
        let mut out = Vec::new();
        converter.encode(&name, &mut headers, datum.schema.as_ref(), &datum.value, &mut out)?;
        messages.push(out);
    }
    let bootstrap = bootstrap.to_owned();
    let produced = tokio::task::spawn_blocking(move || -> Result<(), KafkaError> {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("linger.ms", "20")
            .set("enable.idempotence", "true")
            .create()?;
        for message in &messages {
            let mut record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).partition(0).payload(message);
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
    Ok(produced.await??)
}

/// The rows in `COPY`'s binary form, a batch each, without header and end.
pub(super) fn encoded() -> Vec<Vec<u8>> {
    (0..RECORDS / BATCH).map(|batch| encode(batch * BATCH..(batch + 1) * BATCH)).collect()
}

fn encode(ids: std::ops::Range<u32>) -> Vec<u8> {
    fn field(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend(u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        out.extend(bytes);
    }
    let mut out = Vec::new();
    for id in ids {
        let number = i64::from(id);
        out.extend(10_i16.to_be_bytes());
        field(&mut out, &number.to_be_bytes());
        field(&mut out, device(id).as_bytes());
        field(&mut out, site(id).as_bytes());
        field(&mut out, &(number * 7).to_be_bytes());
        field(&mut out, &(id % 1000).to_be_bytes());
        field(&mut out, &21.5_f64.to_be_bytes());
        field(&mut out, &0.25_f64.to_be_bytes());
        field(&mut out, &[u8::from(id.is_multiple_of(2))]);
        field(&mut out, TEXT.as_bytes());
        // Microseconds since 2000.
        field(&mut out, &((AT + number) * 1000 - 946_684_800_000_000).to_be_bytes());
    }
    out
}
