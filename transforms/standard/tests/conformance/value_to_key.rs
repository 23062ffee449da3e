use lavka_api::data::{Datum, Record, Schema, Type, Value};

use crate::harness::{Case, Keys, apply_to, fails_with_data, map, record, refuses, run, sink};
use crate::replace_field::dont_abc_foo;

const NAME: &str = "ValueToKey";

/// The key that comes of a value, which stays.
fn keys(row: &'static str, keys: Keys<'static>, value: Datum, key: Datum) -> Case {
    Case::new(row, move || {
        let expected = Record { key: key.clone(), ..sink(value.clone()) };
        assert_eq!(apply_to(NAME, keys, sink(value.clone())).unwrap(), expected, "{row}");
    })
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        keys(
            "V1",
            &[("fields", "abc,foo")],
            dont_abc_foo(),
            record([
                ("abc", Schema::of(Type::Int32), Value::Int32(42)),
                ("foo", Schema::of(Type::Boolean), true.into()),
            ]),
        ),
        keys(
            "V2",
            &[("fields", "abc,zz")],
            map([("abc", Value::Int32(1))]),
            map([("abc", Value::Int32(1)), ("zz", Value::Null)]),
        ),
        fails_with_data("V3", NAME, &[("fields", "zz")], dont_abc_foo(), "Field does not exist: zz"),
        fails_with_data(
            "V4",
            NAME,
            &[("fields", "zz")],
            Datum::NULL,
            "Only Map objects supported in absence of schema for [copying fields from value to key], found: null",
        ),
        fails_with_data(
            "V4",
            NAME,
            &[("fields", "zz")],
            Datum::new(Schema::optional(Type::String), Value::Null),
            "Only Struct objects supported for [copying fields from value to key], found: null",
        ),
        refuses(
            "no fields",
            NAME,
            &[("fields", "")],
            "Configuration 'fields' must not be empty. Valid values include: any non-empty value",
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}
