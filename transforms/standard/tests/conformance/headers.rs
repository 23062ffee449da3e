//! InsertHeader, HeaderFrom and DropHeaders.

use lavka_api::data::{Datum, Header, Record, Schema, Type, Value};

use crate::harness::{
    Case, Keys, apply_to, fails, fails_with_data, makes, map, of, record, refusal, refuses, run, sink, typed,
};
use crate::replace_field::dont_abc_foo;

const INSERT: &str = "InsertHeader";
const FROM: &str = "HeaderFrom$Value";

fn with_headers<const N: usize>(value: Datum, headers: [(&str, Datum); N]) -> Record {
    let headers = headers.into_iter().map(|(key, datum)| Header { key: key.into(), datum });
    Record { headers: headers.collect(), ..sink(value) }
}

fn inserts(literal: &'static str, datum: Datum) -> Case {
    Case::new("HD1", move || {
        let keys = [("header", "h"), ("value.literal", literal)];
        // A header of the name that is there stays.
        let given = with_headers(Datum::NULL, [("h", typed(Type::String, "first"))]);
        let expected = with_headers(Datum::NULL, [("h", typed(Type::String, "first")), ("h", datum.clone())]);
        assert_eq!(apply_to(INSERT, &keys, given).unwrap(), expected, "HD1 {literal}");
    })
}

const MOVE_TWICE: Keys<'static> =
    &[("fields", "field1,field1"), ("headers", "inserted1,inserted2"), ("operation", "move")];
const MOVE: Keys<'static> = &[("fields", "a"), ("headers", "h"), ("operation", "move")];
const COPY: Keys<'static> = &[("fields", "a"), ("headers", "h"), ("operation", "copy")];
const MISSING: Keys<'static> = &[("fields", "zz"), ("headers", "h"), ("operation", "copy")];

pub(crate) fn table() -> Vec<Case> {
    let int = |value| typed(Type::Int32, Value::Int32(value));
    let a = || map([("a", Value::Int64(1))]);
    vec![
        inserts("1", typed(Type::Int8, Value::Int8(1))),
        inserts("abc", typed(Type::String, "abc")),
        inserts("true", typed(Type::Boolean, true)),
        inserts("[1]", Datum::new(Schema::array(Schema::of(Type::Int8)), vec![Value::Int8(1)])),
        inserts("null", Datum::NULL),
        inserts("1.5", typed(Type::Float32, Value::Float32(1.5))),
        inserts("", typed(Type::String, "")),
        makes(
            "HD2",
            FROM,
            &[("fields", "abc,foo"), ("headers", "h1,h1"), ("operation", "move")],
            sink(dont_abc_foo()),
            with_headers(
                record([("dont", Schema::of(Type::String), "whatever".into())]),
                [("h1", int(42)), ("h1", typed(Type::Boolean, true))],
            ),
        ),
        makes(
            "a copy leaves the fields",
            FROM,
            &[("fields", "foo,abc"), ("headers", "x,y"), ("operation", "copy")],
            with_headers(dont_abc_foo(), [("w", Datum::NULL)]),
            with_headers(
                dont_abc_foo(),
                [("w", Datum::NULL), ("x", typed(Type::Boolean, true)), ("y", int(42))],
            ),
        ),
        refuses(
            "HD3",
            FROM,
            &[("fields", "a"), ("headers", "b,c"), ("operation", "move")],
            "'fields' config must have the same number of elements as 'headers' config.",
        ),
        refuses(
            "HD4",
            FROM,
            &[("fields", "a"), ("headers", "b"), ("operation", "x")],
            "Invalid value x for configuration operation: String must be one of: move, copy",
        ),
        makes("HD5", FROM, MISSING, sink(a()), with_headers(a(), [("h", Datum::NULL)])),
        fails("HD5", FROM, MISSING, sink(dont_abc_foo()), "NullPointerException", "There is no field zz…"),
        makes(
            "HD6",
            FROM,
            MOVE_TWICE,
            sink(record([
                ("field1", Schema::of(Type::Int32), Value::Int32(1)),
                ("field2", Schema::of(Type::Int32), Value::Int32(2)),
            ])),
            with_headers(
                record([("field2", Schema::of(Type::Int32), Value::Int32(2))]),
                [("inserted1", int(1)), ("inserted2", int(1))],
            ),
        ),
        makes(
            "HD6",
            FROM,
            MOVE_TWICE,
            sink(map([("field1", Value::Int64(1)), ("b", Value::Null)])),
            with_headers(
                map([("b", Value::Null)]),
                [
                    ("inserted1", Datum::schemaless(Value::Int64(1))),
                    ("inserted2", Datum::schemaless(Value::Int64(1))),
                ],
            ),
        ),
        fails_with_data(
            "null operands",
            FROM,
            MOVE,
            Datum::NULL,
            "Only Map objects supported in absence of schema for [header move], found: null",
        ),
        fails_with_data(
            "null operands with a schema",
            FROM,
            COPY,
            Datum::new(Schema::optional(Type::String), Value::Null),
            "Only Struct objects supported for [header copy], found: null",
        ),
        fails_with_data(
            "null in a required field",
            FROM,
            COPY,
            of(record([("a", Schema::of(Type::Int32), Value::Int32(1))]).schema.unwrap(), vec![Value::Null]),
            "A null value requires an optional schema but was Schema{INT32}",
        ),
        drops(),
    ]
}

fn drops() -> Case {
    Case::new("headers are dropped by name", || {
        let mut given = sink(Datum::NULL);
        for name in ["a", "b", "A", "a"] {
            given.headers.add(name, Datum::schemaless(name));
        }
        let kept = apply_to("DropHeaders", &[("headers", "a,x")], given).unwrap().headers;
        assert_eq!(kept.iter().map(|header| header.key.as_str()).collect::<Vec<_>>(), ["b", "A"]);
        assert_eq!(
            refusal("DropHeaders", &[("headers", "a,,b")]),
            "Configuration 'headers' values must not be empty."
        );
    })
}

#[test]
fn rows() {
    run(table());
}
