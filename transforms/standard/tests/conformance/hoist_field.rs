use lavka_api::data::{Datum, Schema, Type, Value};

use crate::harness::{Case, bare, fails_with_data, gives, map, record, run, typed};

const NAME: &str = "HoistField$Value";
const KEYS: &[(&str, &str)] = &[("field", "f")];

pub(crate) fn table() -> Vec<Case> {
    vec![
        gives("H1", NAME, KEYS, bare(Value::Int32(42)), map([("f", Value::Int32(42))])),
        gives(
            "H1",
            NAME,
            KEYS,
            typed(Type::Int32, Value::Int32(42)),
            record([("f", Schema::of(Type::Int32), Value::Int32(42))]),
        ),
        gives("H1", NAME, KEYS, Datum::NULL, map([("f", Value::Null)])),
        fails_with_data(
            "null without a place",
            NAME,
            KEYS,
            typed(Type::String, Value::Null),
            "Invalid value: null used for required field: \"f\", schema type: STRING",
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}
