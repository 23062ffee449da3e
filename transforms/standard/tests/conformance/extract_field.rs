use lavka_api::data::{Datum, Schema, Type, Value};

use crate::harness::{
    Case, Keys, apply, bare, fails, fails_with_data, failure, gives, json, map, of, record, refuses, run,
    sink, typed,
};

const NAME: &str = "ExtractField$Value";

fn magic() -> Datum {
    record([("magic", Schema::of(Type::Int32), Value::Int32(42))])
}

/// A null whose field has the default 42.
fn unset() -> Datum {
    let schema = Schema::builder(Type::Int32).optional().default_value(Value::Int32(42)).build().unwrap();
    record([("magic", schema, Value::Null)])
}

/// The steps of a V2 path are those that lead to the 1 in `given`.
fn steps(row: &'static str, keys: Keys<'static>, given: &str) -> Case {
    gives(row, NAME, keys, json(given), bare(Value::Int64(1)))
}

pub(crate) fn table() -> Vec<Case> {
    let with_default =
        Schema::builder(Type::Int32).optional().default_value(Value::Int32(42)).build().unwrap();
    let null_struct = magic().schema.unwrap().to_builder().optional().build().unwrap();
    vec![
        steps("X1", &[("field", "a.b"), ("field.syntax.version", "V2")], r#"{"a":{"b":1}}"#),
        steps("X2", &[("field", "a.b")], r#"{"a.b":1,"a":{"b":2}}"#),
        gives(
            "X3",
            NAME,
            &[("field", "a.b.c"), ("field.syntax.version", "V2")],
            json(r#"{"a":{"b":null}}"#),
            Datum::NULL,
        ),
        fails_with_data(
            "X3",
            NAME,
            &[("field", "a.b.c"), ("field.syntax.version", "V2")],
            json(r#"{"a":{"b":1}}"#),
            "Only Map objects supported in absence of schema for [nested field access], found: java.lang.Long",
        ),
        gives("X4", NAME, &[("field", "nonexistent")], map([("magic", Value::Int64(42))]), Datum::NULL),
        fails(
            "X4",
            NAME,
            &[("field", "nonexistent")],
            sink(magic()),
            "IllegalArgumentException",
            "Unknown field: nonexistent",
        ),
        fails(
            "X4",
            NAME,
            &[("field", "no.such"), ("field.syntax.version", "V2")],
            sink(magic()),
            "IllegalArgumentException",
            "Unknown field: no.such",
        ),
        gives("a field", NAME, &[("field", "magic")], magic(), typed(Type::Int32, Value::Int32(42))),
        gives(
            "X5",
            NAME,
            &[("field", "magic")],
            Datum::new(null_struct, Value::Null),
            typed(Type::Int32, Value::Null),
        ),
        gives(
            "X6",
            NAME,
            &[("field", "magic"), ("replace.null.with.default", "true")],
            unset(),
            Datum::new(with_default.clone(), Value::Int32(42)),
        ),
        gives(
            "X6",
            NAME,
            &[("field", "magic"), ("replace.null.with.default", "false")],
            unset(),
            Datum::new(with_default, Value::Null),
        ),
        steps("X7", &[("field", "a.b"), ("field.syntax.version", "v2")], r#"{"a":{"b":1}}"#),
        steps("P1", &[("field", ".."), ("field.syntax.version", "V2")], r#"{"":{"":{"":1}}}"#),
        steps(
            "P2",
            &[("field", "foo.`bar.baz`"), ("field.syntax.version", "V2")],
            r#"{"foo":{"bar.baz":1}}"#,
        ),
        steps(
            "P3",
            &[("field", "foo.``bar.baz`"), ("field.syntax.version", "V2")],
            r#"{"foo":{"`bar.baz":1}}"#,
        ),
        refuses(
            "P4",
            NAME,
            &[("field", "a.`b"), ("field.syntax.version", "V2")],
            "Incomplete backtick pair in path: [a.`b], consider adding a backslash before backtick at position 2 to \
             escape it",
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}

#[test]
fn extract_field_below_defaults_and_nulls() {
    let inner = Schema::structure().field("b", Schema::of(Type::Int32)).build().unwrap();
    let default = of(inner.clone(), vec![Value::Int32(7)]).value;
    let with_default = inner.to_builder().default_value(default).build().unwrap();
    let optional = inner.to_builder().optional().build().unwrap();
    let keys = &[("field", "a.b"), ("field.syntax.version", "V2"), ("replace.null.with.default", "false")];
    for (schema, value) in [(with_default, Value::Int32(7)), (optional, Value::Null)] {
        let unset = record([("a", schema, Value::Null)]);
        assert_eq!(
            apply("ExtractField$Value", keys, unset).unwrap(),
            Datum::new(Schema::of(Type::Int32), value)
        );
    }
    assert_eq!(
        failure("ExtractField$Value", keys, sink(record([("a", Schema::of(Type::Int32), Value::Int32(1))])))
            .1,
        "Cannot look up fields on non-struct type"
    );
}
