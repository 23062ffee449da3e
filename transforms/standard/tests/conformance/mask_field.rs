use lavka_api::data::{Datum, Decimal, Logical, Schema, Type, Value};

use crate::harness::{
    Case, bare, fails_with_data, gives, json, logical, map, of, record, refuses, run, typed,
};

const NAME: &str = "MaskField$Value";
const ALL: &[(&str, &str)] = &[("fields", "a,b,c,d,e,f,g,h")];
const A: &[(&str, &str)] = &[("fields", "a")];
const A_BY_7: &[(&str, &str)] = &[("fields", "a"), ("replacement", "7")];

fn a(value: impl Into<Value>) -> Datum {
    map([("a", value.into())])
}

fn a_typed(datum: Datum) -> Datum {
    record([("a", datum.schema.unwrap(), datum.value)])
}

fn decimal(value: Decimal) -> Datum {
    a_typed(logical(Logical::Decimal(1), value))
}

pub(crate) fn table() -> Vec<Case> {
    let values = |text: &str, int, float, boolean: bool, list, object, date, decimal| {
        map([
            ("a", text.into()),
            ("b", Value::Int64(int)),
            ("c", Value::Float64(float)),
            ("d", boolean.into()),
            ("e", json(list).value),
            ("f", json(object).value),
            ("g", Value::Timestamp(date)),
            ("h", decimal),
        ])
    };
    let mut cases = vec![
        gives(
            "M1",
            NAME,
            ALL,
            values("abc", 5, 1.5, true, "[1]", "{\"a\":1}", 99, Decimal::new(25, 1).into()),
            values("", 0, 0.0, false, "[]", "{}", 0, Decimal::new(0, 0).into()),
        ),
        fails_with_data("M2", NAME, A, a(Value::Bytes((&[1]).into())), "Cannot mask value of type: class [B"),
        fails_with_data(
            "a struct has no empty value",
            NAME,
            A,
            a_typed(record([("b", Schema::of(Type::Int32), Value::Int32(1))])),
            "Cannot mask value of type: class org.apache.kafka.connect.data.Struct",
        ),
        gives("M3", NAME, A_BY_7, a("x"), a("7")),
        gives("M3", NAME, A_BY_7, a(Value::Int64(1)), a(Value::Int64(7))),
        gives("M3", NAME, A_BY_7, a(Value::Float64(1.5)), a(Value::Float64(7.0))),
        gives("M3", NAME, A_BY_7, decimal(Decimal::new(25, 1)), decimal(Decimal::new(7, 0))),
        gives(
            "integers lose what does not fit",
            NAME,
            &[("fields", "a"), ("replacement", "300.7")],
            a_typed(typed(Type::Int8, Value::Int8(1))),
            a_typed(typed(Type::Int8, Value::Int8(44))),
        ),
        fails_with_data(
            "M5",
            NAME,
            &[("fields", "a"), ("replacement", "abc")],
            a(Value::Int32(5)),
            "Unable to convert abc (class java.lang.String) to a number",
        ),
        fails_with_data(
            "decimals word it without an article",
            NAME,
            &[("fields", "a"), ("replacement", "abc")],
            decimal(Decimal::new(25, 1)),
            "Unable to convert abc (class java.lang.String) to number",
        ),
        refuses(
            "M6",
            NAME,
            &[("fields", "a"), ("replacement", "")],
            "Invalid value  for configuration replacement: String must be non-empty",
        ),
        gives(
            "M7",
            NAME,
            &[("fields", "zz")],
            map([("i", Value::Int64(5))]),
            map([("i", Value::Int64(5)), ("zz", Value::Null)]),
        ),
        gives("M7", NAME, A, a(Value::Null), a(Value::Null)),
        gives("M7", NAME, A_BY_7, a(Value::Null), a(Value::Null)),
        fails_with_data(
            "null operands",
            NAME,
            A,
            Datum::NULL,
            "Only Map objects supported in absence of schema for [mask fields], found: null",
        ),
        fails_with_data(
            "null operands with a schema",
            NAME,
            A,
            Datum::new(Schema::optional(Type::String), Value::Null),
            "Only Struct objects supported for [mask fields], found: null",
        ),
        gives(
            "the default that a null stands for is masked",
            NAME,
            A_BY_7,
            of(with_default(), vec![Value::Null]),
            of(with_default(), vec![Value::Int32(7)]),
        ),
        gives("dates of every kind", NAME, &[("fields", "d,t,s")], dates(1, 2, 3), dates(0, 0, 0)),
    ];
    for (value, message) in [
        (true.into(), "Cannot mask value of type class java.lang.Boolean with custom replacement."),
        (json("[1]").value, "Cannot mask value of type class java.util.ArrayList with custom replacement."),
        (
            json("{\"q\":1}").value,
            "Cannot mask value of type class java.util.HashMap with custom replacement.",
        ),
        (Value::Timestamp(0), "Cannot mask value of type class java.util.Date with custom replacement."),
        (Value::Bytes((&[1]).into()), "Cannot mask value of type class [B with custom replacement."),
    ] {
        cases.push(fails_with_data("M4", NAME, A_BY_7, bare(a(value).value), message));
    }
    cases
}

fn with_default() -> Schema {
    let a = Schema::builder(Type::Int32).optional().default_value(Value::Int32(5)).build().unwrap();
    Schema::structure().field("a", a).build().unwrap()
}

fn dates(days: i32, time: i32, timestamp: i64) -> Datum {
    record([
        ("d", Schema::logical_of(Logical::Date), Value::Date(days)),
        ("t", Schema::logical_of(Logical::Time), Value::Time(time)),
        ("s", Schema::logical_of(Logical::Timestamp), Value::Timestamp(timestamp)),
    ])
}

#[test]
fn rows() {
    run(table());
}
