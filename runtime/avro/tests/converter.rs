//! The converter with a registry in memory: what is asked, when, and what becomes of refusals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Object, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_api::{ErrorClass, Result};
use lavka_avro::AvroConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn converter(mock: &MockRegistry, settings: &[(&str, &str)]) -> AvroConverter {
    let mut config: Config = settings.iter().copied().collect();
    config.set("schema.registry.url", "http://registry");
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Avro).unwrap();
    AvroConverter::over(session, &config).unwrap()
}

fn reading(name: &str, more: bool) -> Datum {
    let mut builder = Schema::structure().name(name).field("a", Schema::of(Type::Int32));
    let mut values = vec![Value::Int32(7)];
    if more {
        builder = builder.field("b", Schema::optional(Type::String));
        values.push("x".into());
    }
    let schema = builder.build().unwrap();
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

type Sent = (Option<Blob>, Headers);

fn encoded(converter: &mut AvroConverter, topic: &Topic, batch: &[Datum]) -> Result<Vec<Result<Sent>>> {
    let records: Vec<(&Topic, &Datum)> = batch.iter().map(|datum| (topic, datum)).collect();
    block_on(converter.prepare_encode(&records))?;
    Ok(batch
        .iter()
        .map(|datum| {
            let (mut headers, mut out) = (Headers::new(), Vec::new());
            let some =
                converter.encode(topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out)?;
            Ok((some.then(|| Blob::from(out)), headers))
        })
        .collect())
}

fn decoded(converter: &mut AvroConverter, topic: &Topic, batch: &[Sent]) -> Result<Vec<Result<Datum>>> {
    let headers: Vec<Vec<(Str, Option<Blob>)>> = batch
        .iter()
        .map(|(_, headers)| {
            let bytes = |value: &Value| match value {
                Value::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            };
            headers.iter().map(|header| (header.key.clone(), bytes(&header.datum.value))).collect()
        })
        .collect();
    let batch: Vec<Undecoded<'_>> = batch
        .iter()
        .zip(&headers)
        .map(|((payload, _), headers)| Undecoded { topic, payload: payload.as_ref(), headers })
        .collect();
    block_on(converter.prepare_decode(&batch))?;
    Ok(batch.iter().map(|undecoded| converter.decode_record(undecoded)).collect())
}

#[test]
fn records_go_out_and_come_back() {
    for form in ["Prefix", "Header"] {
        let mock = MockRegistry::new();
        let class = format!("io.confluent.kafka.serializers.schema.id.{form}SchemaIdSerializer");
        let mut converter = converter(&mock, &[("value.schema.id.serializer", &class)]);
        let topic = Topic::from("t");
        let object =
            Object::from_entries([("k", Value::Int64(1)), ("l", Value::Array([Value::Null].into()))]);
        let batch = [
            reading("org.example.R", false),
            Datum::NULL,
            reading("org.example.R", true),
            Datum::schemaless(object),
            reading("org.example.R", false),
        ];
        let sent: Vec<Sent> =
            encoded(&mut converter, &topic, &batch).unwrap().into_iter().collect::<Result<_>>().unwrap();
        assert_eq!(sent[1].0, None);
        assert_eq!(mock.versions("t-value").len(), 3, "of five records three schemas");
        let first = sent[0].0.as_ref().unwrap().as_slice();
        match form {
            "Prefix" => assert_eq!(first, [0, 0, 0, 0, 1, 14]),
            _ => assert_eq!((first, sent[0].1.len()), (&[14_u8][..], 1)),
        }
        let back: Vec<Datum> =
            decoded(&mut converter, &topic, &sent).unwrap().into_iter().collect::<Result<_>>().unwrap();
        for (before, after) in batch.iter().zip(&back) {
            match (&before.value, &after.value) {
                (Value::Struct(before), Value::Struct(after)) => assert_eq!(before.values(), after.values()),
                (before, after) => assert_eq!(before, after),
            }
        }
        // The registry's version of the subject, and one schema for all that have it.
        let schemas: Vec<&Schema> = back.iter().filter_map(|datum| datum.schema.as_ref()).collect();
        assert_eq!(
            schemas.iter().map(|schema| schema.version()).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(1)]
        );
        assert!(schemas[0].same(schemas[2]));
        // The second time nobody is asked.
        let asked = mock.requests().len();
        encoded(&mut converter, &topic, &batch).unwrap();
        decoded(&mut converter, &topic, &sent).unwrap();
        assert_eq!(mock.requests().len(), asked);
    }
}

#[test]
fn subjects_follow_the_strategy() {
    let package = "io.confluent.kafka.serializers.subject.";
    for (strategy, subject) in [
        ("TopicNameStrategy", "t-value"),
        ("RecordNameStrategy", "org.example.R"),
        ("TopicRecordNameStrategy", "t-org.example.R"),
    ] {
        let mock = MockRegistry::new();
        let mut converter =
            converter(&mock, &[("value.subject.name.strategy", &format!("{package}{strategy}"))]);
        let topic = Topic::from("t");
        let plain = Datum::new(Schema::of(Type::Int32), 5_i32);
        let sent = encoded(&mut converter, &topic, &[reading("org.example.R", false), plain]).unwrap();
        assert_eq!(mock.versions(subject).len(), if strategy == "TopicNameStrategy" { 2 } else { 1 });
        assert_eq!(sent[1].is_ok(), strategy == "TopicNameStrategy", "only records have names");
    }
}

/// Whether one schema is refused does not concern records of others.
#[test]
fn a_refused_schema_is_its_records_fault() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[]);
    let topic = Topic::from("t");
    mock.refuse(409, 409, "Schema being registered is incompatible");
    let batch = [reading("R", false), reading("R", true), reading("R", false)];
    let sent = encoded(&mut converter, &topic, &batch).unwrap();
    let error = sent[0].as_ref().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data);
    let text = error.to_string();
    for part in ["Failed to serialize Avro data from topic t:", "\"name\":\"R\"", "incompatible", "409"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(sent[1].is_ok() && sent[2].is_err());
    // It is tried again with the next batch.
    assert!(encoded(&mut converter, &topic, &batch).unwrap().iter().all(Result::is_ok));
}

#[test]
fn a_registry_that_is_away_keeps_the_batch() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[("max.retries", "0")]);
    let topic = Topic::from("t");
    mock.disconnect();
    let error = encoded(&mut converter, &topic, &[reading("R", false)]).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable, "{error}");
    assert!(encoded(&mut converter, &topic, &[reading("R", false)]).unwrap()[0].is_ok());
    mock.refuse(401, 40101, "Unauthorized");
    let error = encoded(&mut converter, &topic, &[reading("R", true)]).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config, "{error}");
}

/// A cache of one schema is enough for a batch of two.
#[test]
fn the_batch_is_larger_than_the_cache() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[("schemas.cache.config", "1")]);
    let topic = Topic::from("t");
    let batch = [reading("R", false), reading("R", true), reading("R", false)];
    let sent: Vec<Sent> =
        encoded(&mut converter, &topic, &batch).unwrap().into_iter().collect::<Result<_>>().unwrap();
    assert!(decoded(&mut converter, &topic, &sent).unwrap().iter().all(Result::is_ok));
}

#[test]
fn the_newest_schema_is_written_and_read() {
    let mock = MockRegistry::new();
    let topic = Topic::from("t");
    let newest = r#"{"type":"record","name":"R","fields":[{"name":"extra","type":["null","long"],"default":null},
        {"name":"a","type":"long"}],"connect.name":"R"}"#;
    let own = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}],"connect.name":"R"}"#;
    mock.put("t-value", &SchemaText::new(SchemaType::Avro, own));
    mock.put("t-value", &SchemaText::new(SchemaType::Avro, newest));
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut converter = converter(&mock, &settings);
    let sent = encoded(&mut converter, &topic, &[reading("R", false)]).unwrap();
    let (payload, headers) = sent[0].as_ref().unwrap();
    assert_eq!(
        payload.as_ref().unwrap().as_slice(),
        [0, 0, 0, 0, 2, 0, 14],
        "with the default, and as a long"
    );
    // Data of the old schema is read as the newest.
    let old = (Some(Blob::from(&[0, 0, 0, 0, 1, 14])), headers.clone());
    let back = decoded(&mut converter, &topic, &[old]).unwrap().remove(0).unwrap();
    let Value::Struct(record) = &back.value else { panic!("{back:?}") };
    assert_eq!(record.values(), [Value::Null, Value::Int64(7)]);

    // What the newest schema cannot take is refused, and says so.
    let other = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}"#;
    mock.put("s-value", &SchemaText::new(SchemaType::Avro, other));
    let error =
        encoded(&mut converter, &Topic::from("s"), &[reading("R", false)]).unwrap().remove(0).unwrap_err();
    for part in ["latest.compatibility.strict", "the writer has int and the reader string at /a"] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
}

#[test]
fn foreign_bytes_name_their_trouble() {
    let mock = MockRegistry::new();
    mock.put("t-value", &SchemaText::new(SchemaType::Avro, "\"string\""));
    mock.put("t-value", &SchemaText::new(SchemaType::Avro, "{\"type\":\"odd\"}"));
    let mut converter = converter(&mock, &[]);
    let topic = Topic::from("t");
    let sent = |bytes: &[u8]| (Some(Blob::from(bytes)), Headers::new());
    let batch =
        [sent(b"{}"), sent(&[0, 0, 0, 0, 1, 9, 65]), sent(&[0, 0, 0, 0, 99]), sent(&[0, 0, 0, 0, 2, 0])];
    let errors: Vec<String> = decoded(&mut converter, &topic, &batch)
        .unwrap()
        .into_iter()
        .map(|datum| {
            let error = datum.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Data);
            error.to_string()
        })
        .collect();
    let parts = ["Unknown magic byte!", "Length is negative", "40403", "\"odd\" is not a defined name"];
    for (error, part) in errors.iter().zip(parts) {
        assert!(error.starts_with("Failed to deserialize data for topic t to Avro:"), "{error}");
        assert!(error.contains(part), "{part} in {error}");
    }
}

/// Bytes behind the data are left alone, as in Java, unless they are to be an error.
#[test]
fn trailing_bytes_are_refused_where_that_is_asked_for() {
    let mock = MockRegistry::new();
    mock.put("t-value", &SchemaText::new(SchemaType::Avro, "\"int\""));
    let topic = Topic::from("t");
    let batch = [(Some(Blob::from(&[0, 0, 0, 0, 1, 14, 0, 0])), Headers::new())];
    let mut lenient = converter(&mock, &[]);
    let read = decoded(&mut lenient, &topic, &batch).unwrap().remove(0).unwrap();
    assert_eq!(read.value, Value::Int32(7));
    let mut strict = converter(&mock, &[("avro.fail.on.trailing.data", "true")]);
    let error = decoded(&mut strict, &topic, &batch).unwrap().remove(0).unwrap_err();
    assert!(error.to_string().contains("2 bytes behind the data"), "{error}");
}

/// Schemas that refer to others are read with them.
#[test]
fn references_are_followed() {
    use lavka_schema_registry::Reference;

    let mock = MockRegistry::new();
    let address =
        r#"{"type":"record","name":"Address","namespace":"o","fields":[{"name":"city","type":"string"}]}"#;
    let person =
        r#"{"type":"record","name":"Person","namespace":"o","fields":[{"name":"home","type":"Address"}]}"#;
    mock.put("o.Address", &SchemaText::new(SchemaType::Avro, address));
    let reference = Reference { name: "o.Address".into(), subject: "o.Address".into(), version: 1 };
    mock.put("t-value", &SchemaText::with_references(SchemaType::Avro, person, vec![reference]));
    let mut converter = converter(&mock, &[]);
    let message = (Some(Blob::from(&[0, 0, 0, 0, 2, 4, b'O', b'v'])), Headers::new());
    let back = decoded(&mut converter, &Topic::from("t"), &[message]).unwrap().remove(0).unwrap();
    let Value::Struct(person) = back.value else { panic!("no struct") };
    let Some(Value::Struct(home)) = person.get("home") else { panic!("no struct") };
    assert_eq!(home.get("city"), Some(&"Ov".into()));
}

/// What this converter does not do is refused by name; what Confluent's understands is understood.
#[test]
fn settings_are_checked() {
    use lavka_api::plugin::Factory;

    let plugin = lavka_avro::plugins().remove(0);
    let definition = (plugin.definition)();
    for key in [
        "enhanced.avro.schema.support",
        "scrub.invalid.names",
        "connect.meta.data",
        "allow.optional.map.keys",
        "flatten.singleton.unions",
        "generalized.sum.type.support",
        "ignore.default.for.nullables",
        "discard.type.doc.default",
        "schemas.cache.config",
        "auto.register.schemas",
    ] {
        assert!(definition.get(key).is_some(), "{key}");
    }
    let Factory::Converter(make) = plugin.factory else { panic!("no converter") };
    for (key, value) in [
        ("specific.avro.reader", "true"),
        ("avro.use.logical.type.converters", "true"),
        ("specific.avro.value.type", "org.example.Mine"),
        ("schema.reflection", "true"),
        ("schema.backup.enabled", "true"),
        ("schemas.cache.config", "0"),
        ("scrub.invalid.names", "perhaps"),
    ] {
        let config: Config = [("schema.registry.url", "http://registry"), (key, value)].into_iter().collect();
        let error = make(&config, ConverterRole::Value).err().unwrap();
        assert_eq!(error.class(), ErrorClass::Config);
        assert!(error.to_string().contains(key), "{error}");
    }
    let missing = make(&Config::new(), ConverterRole::Value).err().unwrap();
    assert!(missing.to_string().contains("schema.registry.url"), "{missing}");
}
