//! The converter over a registry in memory.

use lavka_api::config::{Config, ConfigSpec as _};
use lavka_api::data::{Blob, Datum, Headers, Logical, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_api::{ErrorClass, Result};
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};

use crate::ProtobufConverter;

fn converter(mock: &MockRegistry, keys: &[(&str, &str)]) -> ProtobufConverter {
    let mut config = Config::new();
    config.set("schema.registry.url", "http://127.0.0.1:1");
    for (key, value) in keys {
        config.set(*key, *value);
    }
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Protobuf).unwrap();
    ProtobufConverter::over(session, &config).unwrap()
}

async fn write(converter: &mut ProtobufConverter, topic: &str, datum: &Datum) -> Result<Option<Vec<u8>>> {
    let topic = Topic::from(topic);
    converter.prepare_encode(&[(&topic, datum)]).await?;
    let mut out = Vec::new();
    let present =
        converter.encode(&topic, &mut Headers::new(), datum.schema.as_ref(), &datum.value, &mut out)?;
    Ok(present.then_some(out))
}

async fn read(converter: &mut ProtobufConverter, topic: &str, bytes: &[u8]) -> Result<Datum> {
    let (topic, payload) = (Topic::from(topic), Blob::from(bytes));
    let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
    converter.prepare_decode(&[undecoded]).await?;
    converter.decode_record(&undecoded)
}

fn reading() -> Datum {
    let schema = Schema::structure()
        .name("org.example.Reading")
        .field("device", Schema::of(Type::String))
        .field("at", Schema::logical_of(Logical::Timestamp))
        .build()
        .unwrap();
    let record = Struct::new(schema.clone(), ["d-1".into(), Value::Timestamp(1000)]).unwrap();
    Datum::new(schema, record)
}

#[tokio::test]
async fn records_go_out_and_come_back() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[]);
    let bytes = write(&mut converter, "t", &reading()).await.unwrap().unwrap();
    assert_eq!(bytes, b"\x00\x00\x00\x00\x01\x00\x0a\x03d-1\x12\x02\x08\x01");
    let registered = mock.versions("t-value");
    assert!(registered[0].text().starts_with("syntax = \"proto3\";\npackage org.example;\n"));
    assert!(registered[0].references().is_empty());
    let read = read(&mut converter, "t", &bytes).await.unwrap();
    let schema = read.schema.unwrap();
    assert_eq!((schema.name().unwrap().as_str(), schema.version()), ("Reading", Some(1)));
    let Value::Struct(record) = read.value else { panic!("no struct") };
    assert_eq!(record.values(), ["d-1".into(), Value::Timestamp(1000)]);
    // The same again asks nothing.
    let asked = mock.requests().len();
    write(&mut converter, "t", &reading()).await.unwrap();
    super::converting::read(&mut converter, "t", &bytes).await.unwrap();
    assert_eq!(mock.requests().len(), asked);
}

#[tokio::test]
async fn nulls_are_null_and_data_without_a_schema_is_refused() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[]);
    assert_eq!(write(&mut converter, "t", &Datum::NULL).await.unwrap(), None);
    assert_eq!(
        write(&mut converter, "t", &Datum::new(Schema::optional(Type::Int32), Value::Null)).await.unwrap(),
        None
    );
    let error = write(&mut converter, "t", &Datum::schemaless(1_i64)).await.unwrap_err();
    assert_eq!(error.message(), Some("Failed to serialize Protobuf data from topic t:"));
    assert!(error.to_string().contains("Protobuf needs a schema"));
    assert_eq!(converter.decode(&Topic::from("t"), None).unwrap(), Datum::NULL);
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn imports_are_registered_first_where_that_is_asked_for() {
    for (strategy, subject) in [
        ("DefaultReferenceSubjectNameStrategy", "google/protobuf/timestamp.proto"),
        ("QualifiedReferenceSubjectNameStrategy", "google.protobuf.timestamp"),
    ] {
        let mock = MockRegistry::new();
        let strategy = format!("io.confluent.kafka.serializers.subject.{strategy}");
        let keys = [("skip.known.types", "false"), ("reference.subject.name.strategy", strategy.as_str())];
        let mut converter = converter(&mock, &keys);
        let bytes = write(&mut converter, "t", &reading()).await.unwrap().unwrap();
        let imported = mock.versions(subject);
        let field = "int64 seconds = 1 [json_name = \"seconds\"];";
        assert!(imported[0].text().contains(field), "{}", imported[0].text());
        let registered = mock.versions("t-value");
        let reference = &registered[0].references()[0];
        assert_eq!((&*reference.name, &*reference.subject), ("google/protobuf/timestamp.proto", subject));
        assert_eq!(reference.version, 1);
        assert!(read(&mut converter, "t", &bytes).await.is_ok());
    }
}

#[tokio::test]
async fn schemas_with_imports_are_read() {
    let mock = MockRegistry::new();
    let imported =
        SchemaText::new(SchemaType::Protobuf, "syntax = \"proto3\"; package p; message N { int32 x = 1; }");
    mock.put("n", &imported);
    let reference =
        lavka_schema_registry::Reference { name: "n.proto".into(), subject: "n".into(), version: 1 };
    let text = "syntax = \"proto3\"; import \"n.proto\"; message A {} message B { message C { p.N n = 1; } }";
    let id = mock.put("t-value", &SchemaText::with_references(SchemaType::Protobuf, text, vec![reference]));
    let mut converter = converter(&mock, &[]);
    // The message at 1, 0.
    let mut bytes = vec![0, 0, 0, 0, u8::try_from(id).unwrap(), 4, 2, 0];
    bytes.extend([0x0a, 2, 8, 7]);
    let datum = read(&mut converter, "t", &bytes).await.unwrap();
    assert_eq!(datum.schema.unwrap().name().unwrap().as_str(), "C");
    let Value::Struct(record) = datum.value else { panic!("no struct") };
    assert!(matches!(record.get("n"), Some(Value::Struct(n)) if n.values() == [Value::Int32(7)]));
    let beyond = [0, 0, 0, 0, u8::try_from(id).unwrap(), 2, 6];
    let error = read(&mut converter, "t", &beyond).await.unwrap_err();
    assert!(error.to_string().contains("Invalid message indexes: [3]"), "{error}");
}

#[tokio::test]
async fn the_newest_schema_is_written_with_and_read_with() {
    let mock = MockRegistry::new();
    let newest = "syntax = \"proto3\"; package org.example; import \"google/protobuf/timestamp.proto\"; message Other {} message \
                  Reading { string device = 1; google.protobuf.Timestamp at = 2; int32 more = 3; }";
    mock.put("t-value", &SchemaText::new(SchemaType::Protobuf, newest));
    let keys = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut latest = converter(&mock, &keys);
    let bytes = write(&mut latest, "t", &reading()).await.unwrap().unwrap();
    // The message is the second of that file.
    assert_eq!(bytes[..7], [0, 0, 0, 0, 1, 2, 2]);
    let datum = read(&mut latest, "t", &bytes).await.unwrap();
    assert!(datum.schema.unwrap().field("more").is_some());
    // What cannot be read with the newest schema is refused, as the record's fault.
    let clash = "syntax = \"proto3\"; package org.example; message Reading { int32 device = 1; }";
    mock.put("u-value", &SchemaText::new(SchemaType::Protobuf, clash));
    let error = write(&mut latest, "u", &reading()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data);
    assert!(error.to_string().contains("org.example") || error.to_string().contains("Reading"), "{error}");
    let mut lax = converter(&mock, &[keys[0], keys[1], ("latest.compatibility.strict", "false")]);
    assert!(write(&mut lax, "u", &reading()).await.is_ok());
}

/// Room for one schema is enough for a batch of several: what a batch needs is kept until the next one.
#[tokio::test]
async fn a_batch_may_need_more_schemas_than_the_cache_holds() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[("schemas.cache.config", "1")]);
    let topic = Topic::from("t");
    let refused = Datum::new(Schema::structure().build().unwrap(), Value::Null);
    let of = |name: &str| {
        let schema = Schema::structure().name(name).field("x", Schema::of(Type::Int32)).build().unwrap();
        Datum::new(schema.clone(), Struct::new(schema, [Value::Int32(7)]).unwrap())
    };
    let batch = [of("A"), of("B"), of("C"), refused, of("A")];
    for _ in 0..2 {
        let together: Vec<_> = batch.iter().map(|datum| (&topic, datum)).collect();
        converter.prepare_encode(&together).await.unwrap();
        let mut messages = Vec::new();
        for datum in &batch {
            let mut out = Vec::new();
            let schema = datum.schema.as_ref();
            if converter.encode(&topic, &mut Headers::new(), schema, &datum.value, &mut out).unwrap() {
                messages.push(Blob::from(out));
            }
        }
        let together: Vec<_> = messages
            .iter()
            .map(|payload| Undecoded { topic: &topic, payload: Some(payload), headers: &[] })
            .collect();
        converter.prepare_decode(&together).await.unwrap();
        let names: Vec<_> = together
            .iter()
            .map(|undecoded| converter.decode_record(undecoded).unwrap().schema.unwrap())
            .map(|schema| schema.name().unwrap().to_string())
            .collect();
        assert_eq!(names, ["A", "B", "C", "A"]);
    }
}

#[tokio::test]
async fn trouble_of_the_registry_keeps_its_class() {
    let mock = MockRegistry::new();
    let mut converter = converter(&mock, &[("max.retries", "0")]);
    mock.refuse(503, 50_003, "later");
    let error = write(&mut converter, "t", &reading()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    mock.refuse(409, 40_901, "not compatible");
    let error = write(&mut converter, "t", &reading()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data);
    assert!(error.to_string().contains("not compatible"), "{error}");
    assert!(write(&mut converter, "t", &reading()).await.is_ok());
    let error = read(&mut converter, "t", b"\x05hello").await.unwrap_err();
    assert_eq!(error.message(), Some("Failed to deserialize data for topic t to Protobuf:"));
    assert!(error.to_string().contains("Unknown magic byte!"));
}

#[test]
fn keys_that_would_be_ignored_are_refused() {
    let definition = (crate::plugins()[0].definition)();
    for (key, value) in [
        ("derive.type", "true"),
        ("specific.protobuf.value.type", "org.example.Mine"),
        ("validation.rules.execution", "BEFORE_DOMAIN_RULES"),
        ("schema.backup.enabled", "true"),
        ("reference.subject.name.strategy", "org.example.Mine"),
        ("schemas.cache.config", "0"),
    ] {
        let config = Config::from([("schema.registry.url", "http://127.0.0.1:1"), (key, value)]);
        let reports = definition.validate(&config);
        let wrong: Vec<&str> =
            reports.iter().filter(|report| !report.errors.is_empty()).map(|r| r.name.as_str()).collect();
        assert_eq!(wrong, [key]);
    }
    assert!(crate::MappingSettings::from_config(&Config::new()).is_ok());
}
