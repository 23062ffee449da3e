//! Against a real registry, and with the serializers of another implementation (confluent-kafka for Python).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::path::Path;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Decimal, Headers, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter as _, ConverterRole, Undecoded};
use lavka_protobuf::ProtobufConverter;
use lavka_testkit::{Python, Unavailable, cannot_run, services, temp_dir, unique, write_file};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(60);

/// A converter and what it runs on.
struct Bench {
    converter: ProtobufConverter,
    runtime: Runtime,
}

impl Bench {
    fn new(url: &str, keys: &[(&str, &str)]) -> Self {
        let mut config = Config::from([("schema.registry.url", url)]);
        for (key, value) in keys {
            config.set(*key, *value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let converter = {
            let _entered = runtime.enter();
            ProtobufConverter::new(&config, ConverterRole::Value).unwrap()
        };
        Self { converter, runtime }
    }

    fn read(&mut self, topic: &str, bytes: &[u8]) -> Datum {
        let (topic, payload) = (Topic::from(topic), Blob::from(bytes));
        let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
        self.runtime.block_on(self.converter.prepare_decode(&[undecoded])).unwrap();
        self.converter.decode_record(&undecoded).unwrap()
    }

    fn write(&mut self, topic: &str, datum: &Datum) -> Vec<u8> {
        let (topic, mut out) = (Topic::from(topic), Vec::new());
        self.runtime.block_on(self.converter.prepare_encode(&[(&topic, datum)])).unwrap();
        let mut headers = Headers::new();
        let written =
            self.converter.encode(&topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out);
        assert!(written.unwrap());
        out
    }
}

fn python(test: &str) -> Option<Python> {
    match Python::for_registry() {
        Ok(python) => Some(python),
        Err(Unavailable::Unresolvable(failure)) => {
            cannot_run(test, &format!("Python with confluent-kafka: {failure}"));
            None
        }
        Err(Unavailable::Broken(failure)) => panic!("{failure}"),
    }
}

/// Runs the program in a folder of its own, with what it reads.
fn exchange(python: &Python, arguments: &[&str]) -> String {
    let folder = temp_dir();
    lay_out(folder.path());
    python.run(folder.path(), &[&["exchange.py"], arguments].concat(), LIMIT).unwrap()
}

fn lay_out(folder: &Path) {
    write_file(folder, "exchange.py", include_str!("exchange.py"));
    write_file(folder, "exchange.proto", include_str!("exchange.proto"));
    write_file(folder, "full.json", include_str!("full.json"));
    let types = folder.join("confluent/type");
    std::fs::create_dir_all(&types).unwrap();
    write_file(folder.join("confluent"), "meta.proto", include_str!("../../known/confluent/meta.proto"));
    write_file(types, "decimal.proto", include_str!("../../known/confluent/type/decimal.proto"));
}

fn from_hex(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn field(record: &Datum, name: &str) -> Value {
    match &record.value {
        Value::Struct(record) => record.get(name).unwrap_or_else(|| panic!("no field {name}")).clone(),
        other => panic!("{other:?} is no struct"),
    }
}

fn inner(value: &Value) -> Vec<Value> {
    match value {
        Value::Struct(record) => record.values().to_vec(),
        other => panic!("{other:?} is no struct"),
    }
}

/// Every type there is, in both directions: what Python writes is read here; what was read is written again, under the
/// schema that is made of the record's; and Python reads that as what it wrote.
#[test]
fn messages_go_to_python_and_back() {
    let test = "messages_go_to_python_and_back";
    let Some(registry) = services().schema_registry_for(test) else { return };
    let Some(python) = python(test) else { return };
    let theirs = unique("python");
    let lines = exchange(&python, &[registry.url(), &theirs, "write"]);
    let messages: Vec<&str> = lines.lines().collect();
    assert_eq!(messages.len(), 3, "{lines}");

    let mut bench = Bench::new(registry.url(), &[("optional.for.nullables", "true")]);
    let records: Vec<Datum> = messages.iter().map(|line| bench.read(&theirs, &from_hex(line))).collect();
    check_full(&records[0]);
    check_empty(&records[1]);
    check_extremes(&records[2]);

    let ours = unique("lavka");
    let written: Vec<String> = records.iter().map(|record| to_hex(&bench.write(&ours, record))).collect();
    // Under a schema of our own: the same message, but the first of its file.
    assert!(written.iter().zip(&messages).all(|(ours, theirs)| ours[..12] != theirs[..12]));
    let read = |topic: &str, messages: &[&str]| {
        exchange(&python, &[&[registry.url(), topic, "read"], messages].concat())
    };
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    assert_eq!(read(&ours, &written), read(&theirs, &messages));
    // And here it is what it was.
    for (record, bytes) in records.iter().zip(&written) {
        let again = bench.read(&ours, &from_hex(bytes));
        assert_eq!(
            format!("{:?}", without_schemas(&again.value)),
            format!("{:?}", without_schemas(&record.value))
        );
    }
}

/// Values alone: the schemas of ours have other names and versions.
fn without_schemas(value: &Value) -> Value {
    match value {
        Value::Struct(record) => record.values().iter().map(without_schemas).collect::<Vec<_>>().into(),
        Value::Array(items) => items.iter().map(without_schemas).collect::<Vec<_>>().into(),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(key, item)| (key.clone(), without_schemas(item))).collect())
        }
        Value::Bytes(bytes) => format!("{:?}", bytes.as_slice()).into(),
        other => other.clone(),
    }
}

fn check_full(record: &Datum) {
    for (name, value) in [
        ("f_double", Value::Float64(1.5)),
        ("f_float", Value::Float32(-0.25)),
        ("f_int32", Value::Int32(-7)),
        ("f_int64", Value::Int64(9_007_199_254_740_993)),
        ("f_uint32", Value::Int64(3_000_000_000)),
        ("f_uint64", Value::Int64(-1)),
        ("f_sint32", Value::Int32(-150)),
        ("f_sint64", Value::Int64(-9_007_199_254_740_993)),
        ("f_fixed32", Value::Int64(4_000_000_000)),
        ("f_fixed64", Value::Int64(123_456_789_012)),
        ("f_sfixed32", Value::Int32(-5)),
        ("f_sfixed64", Value::Int64(-6)),
        ("f_bool", Value::Boolean(true)),
        ("f_string", "Příliš žluťoučký kůň 🐎".into()),
        ("f_bytes", Blob::from(&[0, 1, 255]).into()),
        ("f_optional", Value::Int32(0)),
        ("f_numbers", [1, 0, -300].map(Value::Int32).to_vec().into()),
        ("f_texts", ["a", "", "c"].map(Value::from).to_vec().into()),
        ("f_signed", [-1, 1].map(Value::Int64).to_vec().into()),
        ("f_status", "OPEN".into()),
        ("f_timestamp", Value::Timestamp(1_795_260_600_123)),
        ("f_date", Value::Date(19_782)),
        ("f_time", Value::Time(86_398_007)),
        ("f_decimal", Decimal::new(-156, 2).into()),
    ] {
        assert_eq!(field(record, name), value, "{name}");
    }
    let Value::Map(entries) = field(record, "f_map") else { panic!("no map") };
    let mut entries = entries.into_vec();
    entries.sort_by_key(|(key, _)| key.as_str().map(str::to_owned));
    assert_eq!(entries, [("one".into(), Value::Int32(1)), ("zero".into(), Value::Int32(0))]);
    assert_eq!(inner(&field(record, "f_place")), ["Praha".into(), Value::Float64(50.08)]);
    let Value::Array(places) = field(record, "f_places") else { panic!("no array") };
    assert_eq!(
        places.iter().map(inner).collect::<Vec<_>>(),
        [["Brno".into(), Value::Float64(0.0)], ["".into(), Value::Float64(0.0)]]
    );
    assert_eq!(inner(&field(record, "f_choice_0")), ["".into(), Value::Null]);
    assert_eq!(field(record, "f_wrapped"), "".into());
    let Value::Map(entries) = field(record, "f_places_by_number") else { panic!("no map") };
    assert_eq!(entries[0].0, Value::Int64(-5));
    assert_eq!(inner(&entries[0].1), ["below".into(), Value::Float64(0.0)]);
    let schema = record.schema.as_ref().unwrap();
    assert_eq!((schema.name().unwrap().as_str(), schema.version()), ("Reading", Some(1)));
}

fn check_empty(record: &Datum) {
    for (name, value) in [
        ("f_int64", Value::Int64(0)),
        ("f_string", "".into()),
        ("f_optional", Value::Null),
        ("f_numbers", Vec::new().into()),
        ("f_map", Value::Map([].into())),
        ("f_place", Value::Null),
        ("f_status", "UNKNOWN".into()),
        ("f_choice_0", Value::Null),
        ("f_timestamp", Value::Null),
        ("f_decimal", Value::Null),
        ("f_wrapped", Value::Null),
    ] {
        assert_eq!(field(record, name), value, "{name}");
    }
}

fn check_extremes(record: &Datum) {
    for (name, value) in [
        ("f_int32", Value::Int32(i32::MIN)),
        ("f_int64", Value::Int64(i64::MIN)),
        ("f_uint32", Value::Int64(u32::MAX.into())),
        ("f_uint64", Value::Int64(-1)),
        ("f_sint32", Value::Int32(i32::MIN)),
        ("f_sint64", Value::Int64(i64::MAX)),
        ("f_fixed32", Value::Int64(u32::MAX.into())),
        ("f_sfixed64", Value::Int64(i64::MIN)),
        ("f_status", "CLOSED".into()),
        ("f_timestamp", Value::Timestamp(-62_135_596_800_000)),
    ] {
        assert_eq!(field(record, name), value, "{name}");
    }
    let choice = inner(&field(record, "f_choice_0"));
    assert_eq!((&choice[0], inner(&choice[1])), (&Value::Null, vec!["there".into(), Value::Float64(0.0)]));
}

/// The registry takes the texts: with options that have no import, with imports that are registered or are not.
#[test]
fn the_registry_takes_every_text() {
    let Some(registry) = services().schema_registry_for("the_registry_takes_every_text") else { return };
    let decimal = Schema::logical_of(lavka_api::data::Logical::Decimal(2));
    let schema = Schema::structure()
        .name("org.example.Order")
        .field("small", Schema::of(Type::Int8))
        .field("total", decimal)
        .field("tags", Schema::map(Schema::of(Type::String), Schema::of(Type::Int32)))
        .build()
        .unwrap();
    let tags = Value::Map([("a".into(), Value::Int32(1))].into());
    let record = Struct::new(schema.clone(), [Value::Int8(5), Decimal::new(5, 2).into(), tags]).unwrap();
    let datum = Datum::new(schema, record);
    for keys in [
        &[][..],
        &[("skip.known.types", "false")],
        &[("normalize.schemas", "true")],
        &[("value.subject.name.strategy", "io.confluent.kafka.serializers.subject.RecordNameStrategy")],
    ] {
        let topic = unique("orders");
        let mut first = Bench::new(registry.url(), keys);
        let bytes = first.write(&topic, &datum);
        // Another converter is told the same id.
        let mut second = Bench::new(registry.url(), keys);
        assert_eq!(second.write(&topic, &datum), bytes, "{keys:?}");
        let read = second.read(&topic, &bytes);
        let (Value::Struct(read), Value::Struct(written)) = (&read.value, &datum.value) else {
            panic!("no struct")
        };
        assert_eq!(read.values(), written.values(), "{keys:?}");
    }
    // A record that is a plain value.
    let mut bench = Bench::new(registry.url(), &[]);
    let topic = unique("numbers");
    let bytes = bench.write(&topic, &Datum::new(Schema::of(Type::Int64), 7_i64));
    assert_eq!(bytes[5..], [2, 4, 8, 7]);
    let read = bench.read(&topic, &bytes);
    assert_eq!((read.schema.unwrap().ty(), read.value), (Type::Int64, Value::Int64(7)));
}
