//! Against a real registry, and with the serializers of another implementation (confluent-kafka for Python).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Blob, Datum, Decimal, Schema, Struct, Topic, Type, Value};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::{DrivenConverter, PythonExchange, from_hex, services, unique, write_file};

/// The converter as a worker makes it.
fn converter(url: &str, keys: &[(&str, &str)]) -> DrivenConverter {
    let plugin = lavka_protobuf::plugins().remove(0);
    DrivenConverter::new(&plugin, &[&[("schema.registry.url", url)], keys].concat())
}

/// What the program prints, run with what it reads.
fn exchange(python: &PythonExchange, topic: &str, what: &str, messages: &[Vec<u8>]) -> Vec<String> {
    for (name, text) in [
        ("exchange.proto", include_str!("exchange.proto")),
        ("full.json", include_str!("full.json")),
        ("confluent/meta.proto", include_str!("../../known/confluent/meta.proto")),
        ("confluent/type/decimal.proto", include_str!("../../known/confluent/type/decimal.proto")),
    ] {
        write_file(python.folder.path(), name, text);
    }
    python.run(include_str!("exchange.py"), &[topic, what], messages)
}

fn from_lines(lines: &[String]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| from_hex(line)).collect()
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
    let Some(python) = PythonExchange::new("messages_go_to_python_and_back") else { return };
    let theirs = Topic::from(python.topic.as_str());
    let messages = from_lines(&exchange(&python, &theirs, "write", &[]));
    assert_eq!(messages.len(), 3);

    let mut converter = converter(&python.url, &[("optional.for.nullables", "true")]);
    let records: Vec<Datum> =
        messages.iter().map(|message| converter.read(&theirs, message).unwrap()).collect();
    check_full(&records[0]);
    check_empty(&records[1]);
    check_extremes(&records[2]);

    let ours = Topic::from(unique("lavka"));
    let written: Vec<Vec<u8>> =
        records.iter().map(|record| converter.write(&ours, record).unwrap()).collect();
    // Under a schema of our own: the same message, but the first of its file.
    assert!(written.iter().zip(&messages).all(|(ours, theirs)| ours[..6] != theirs[..6]));
    assert_eq!(exchange(&python, &ours, "read", &written), exchange(&python, &theirs, "read", &messages));
    // And here it is what it was.
    for (record, message) in records.iter().zip(&written) {
        let again = converter.read(&ours, message).unwrap();
        assert_eq!(
            format!("{:?}", without_schemas(&again.value)),
            format!("{:?}", without_schemas(&record.value))
        );
    }
}

/// The form that names the schema in a header, by its GUID and the place of the message. Apicurio Registry knows no GUIDs,
/// so this is over a registry in memory.
#[test]
fn python_reads_and_writes_the_header_form() {
    let server = MockRegistry::new().serve().unwrap();
    let Some(python) = PythonExchange::with("python_reads_and_writes_the_header_form", &server.url()) else {
        return;
    };
    let form = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    let keys = [("optional.for.nullables", "true"), ("value.schema.id.serializer", form)];
    let mut converter = converter(&python.url, &keys);
    let (theirs, ours) = (Topic::from(python.topic.as_str()), Topic::from(unique("lavka")));
    let messages = from_lines(&exchange(&python, &theirs, "write-header", &[]));
    let records: Vec<Datum> = messages
        .chunks(2)
        .map(|message| converter.read_with_header(&theirs, &message[0], &message[1]).unwrap())
        .collect();
    check_full(&records[0]);
    check_empty(&records[1]);
    check_extremes(&records[2]);
    let written: Vec<Vec<u8>> =
        records.iter().flat_map(|record| converter.write_with_header(&ours, record).unwrap()).collect();
    assert!(written.iter().step_by(2).all(|name| name.len() == 18 && name[0] == 1 && name[17] == 0));
    assert_eq!(
        exchange(&python, &ours, "read-header", &written),
        exchange(&python, &theirs, "read-header", &messages)
    );
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
        let topic = Topic::from(unique("orders"));
        let mut first = converter(registry.url(), keys);
        let bytes = first.write(&topic, &datum).unwrap();
        // Another converter is told the same id.
        let mut second = converter(registry.url(), keys);
        assert_eq!(second.write(&topic, &datum).unwrap(), bytes, "{keys:?}");
        let read = second.read(&topic, &bytes).unwrap();
        let (Value::Struct(read), Value::Struct(written)) = (&read.value, &datum.value) else {
            panic!("no struct")
        };
        assert_eq!(read.values(), written.values(), "{keys:?}");
    }
    // A record that is a plain value.
    let mut numbers = converter(registry.url(), &[]);
    let topic = Topic::from(unique("numbers"));
    let bytes = numbers.write(&topic, &Datum::new(Schema::of(Type::Int64), 7_i64)).unwrap();
    assert_eq!(bytes[5..], [2, 4, 8, 7]);
    let read = numbers.read(&topic, &bytes).unwrap();
    assert_eq!((read.schema.unwrap().ty(), read.value), (Type::Int64, Value::Int64(7)));
}
