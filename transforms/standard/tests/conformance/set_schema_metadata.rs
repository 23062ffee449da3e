use lavka_api::data::{Datum, Schema, Type, Value};

use crate::harness::{Case, fails_with_data, gives, map, of, refuses, run, typed};

const NAME: &str = "SetSchemaMetadata$Value";
const KEYS: &[(&str, &str)] = &[("schema.name", "foo"), ("schema.version", "42")];
const NAME_ONLY: &[(&str, &str)] = &[("schema.name", "foo")];

/// A struct whose schema says everything that a schema can, with another name and version.
fn everything(name: &str, version: i32, value: Value) -> Datum {
    let a = Schema::builder(Type::Int32).optional().default_value(Value::Int32(5)).build().unwrap();
    let builder = Schema::structure().name(name).version(version).doc("d").parameter("p", "q").optional();
    of(builder.field("a", a).build().unwrap(), vec![value])
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        gives("S1", NAME, KEYS, everything("n", 1, Value::Int32(1)), everything("foo", 42, Value::Int32(1))),
        gives(
            "a name alone",
            NAME,
            NAME_ONLY,
            everything("n", 1, Value::Int32(1)),
            everything("foo", 1, Value::Int32(1)),
        ),
        gives(
            "nulls get defaults",
            NAME,
            KEYS,
            everything("n", 1, Value::Null),
            everything("foo", 42, Value::Int32(5)),
        ),
        gives(
            "nulls stay",
            NAME,
            &[("schema.name", "foo"), ("schema.version", "42"), ("replace.null.with.default", "false")],
            everything("n", 1, Value::Null),
            everything("foo", 42, Value::Null),
        ),
        gives(
            "null with a schema",
            NAME,
            NAME_ONLY,
            Datum { value: Value::Null, ..everything("n", 1, Value::Null) },
            Datum { value: Value::Null, ..everything("foo", 1, Value::Null) },
        ),
        fails_with_data(
            "S2",
            NAME,
            KEYS,
            map([("a", Value::Int64(1))]),
            "Schema required for [updating schema metadata]",
        ),
        gives("S3", NAME, KEYS, Datum::NULL, Datum::NULL),
        fails_with_data(
            "S4",
            NAME,
            KEYS,
            typed(Type::Int32, Value::Int32(1)),
            "Cannot list fields on non-struct type",
        ),
        refuses("nothing to set", NAME, &[], "Neither schema name nor version configured"),
    ]
}

#[test]
fn rows() {
    run(table());
}
