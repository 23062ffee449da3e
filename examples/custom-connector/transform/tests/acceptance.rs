//! The transform keeps what the runtime counts on.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made fails its test")]

use lavka_api::data::{Datum, Object, Record, Schema, Struct, Type, Value};
use lavka_api::plugin::{Factory, Verdict};
use lavka_testkit::acceptance;

const LATITUDE: f64 = 57.649_11;
const LONGITUDE: f64 = 10.407_44;

fn record(value: Datum) -> Record {
    Record { value, ..Record::for_topic("positions") }
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Record {
    record(Datum::schemaless(Object::from_entries(entries)))
}

fn structure<const N: usize>(fields: [(&str, Type, Value); N]) -> Record {
    let mut builder = Schema::structure().name("org.example.Position").version(3);
    let mut values = Vec::new();
    for (name, ty, value) in fields {
        builder = builder.field(name, Schema::optional(ty));
        values.push(value);
    }
    let schema = builder.build().unwrap();
    record(Datum::new(schema.clone(), Struct::new(schema, values).unwrap()))
}

fn position() -> Record {
    structure([
        ("latitude", Type::Float64, LATITUDE.into()),
        ("who", Type::String, "bus-1".into()),
        ("longitude", Type::Float64, LONGITUDE.into()),
    ])
}

#[test]
fn geohash() {
    let replaced = [("geohash", "old".into()), ("latitude", 1_i64.into()), ("longitude", 2_i64.into())];
    acceptance::transform(geohash_transform::plugins().remove(0))
        .record(position())
        .record(object([("latitude", LATITUDE.into()), ("longitude", LONGITUDE.into())]))
        .record(object(replaced))
        .record(structure([
            ("latitude", Type::Float32, Value::Null),
            ("longitude", Type::Int8, Value::Int8(9)),
        ]))
        .untouched(object([("latitude", LATITUDE.into())]))
        .untouched(structure([("longitude", Type::Float64, LONGITUDE.into())]))
        .untouched(record(Datum::schemaless("57.6, 10.4")))
        .check()
        .assert_clean();
}

#[test]
fn a_struct_gets_one_field_more_and_a_schema_that_says_so() {
    let Factory::Transform(make) = geohash_transform::plugins().remove(0).factory else { return };
    let mut transform = make(&[("precision", "11")].into()).unwrap();
    let mut record = position();
    assert_eq!(transform.apply(&mut record).unwrap(), Verdict::Keep);
    let schema = record.value.schema.clone().unwrap();
    lavka_api::data::validate(None, &schema, &record.value.value).unwrap();
    assert_eq!((schema.name().unwrap().as_str(), schema.version()), ("org.example.Position", Some(3)));
    let Value::Struct(value) = record.value.value else { panic!("{:?}", record.value) };
    assert_eq!(value.get("geohash"), Some(&"u4pruydqqvj".into()));
    assert_eq!(value.get("who"), Some(&"bus-1".into()));
    assert_eq!(schema.fields().len(), 4);

    let mut lost = object([("latitude", 91_i64.into()), ("longitude", 0_i64.into())]);
    let error = transform.apply(&mut lost).unwrap_err();
    assert!(error.to_string().starts_with("latitude 91, longitude 0 is no position"), "{error}");
}
