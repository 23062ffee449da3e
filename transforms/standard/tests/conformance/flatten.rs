use lavka_api::data::{Datum, Schema, SchemaBuilder, Type, Value};

use crate::harness::{Case, bare, fails, fails_with_data, gives, json, makes, of, record, run, sink};

const NAME: &str = "Flatten$Value";
const NONE: &[(&str, &str)] = &[];

fn ints() -> Schema {
    Schema::array(Schema::of(Type::Int32))
}

/// The schema of `y` in rows F1 and F2.
fn inner() -> Schema {
    let inner = Schema::structure().field("z", Schema::of(Type::String)).field("arr", ints());
    inner.optional().build().unwrap()
}

fn nested(y: Value) -> Datum {
    record([("x", Schema::of(Type::Int32), Value::Int32(1)), ("y", inner(), y)])
}

fn flat(z: Value, arr: Value) -> Datum {
    record([
        ("x", Schema::of(Type::Int32), Value::Int32(1)),
        ("y.z", Schema::optional(Type::String), z),
        ("y.arr", ints().to_builder().optional().build().unwrap(), arr),
    ])
}

fn text(default: &str) -> SchemaBuilder {
    Schema::builder(Type::String).optional().default_value(Value::from(default))
}

/// Row F7: an optional struct whose default says the one field, and a field that says its own.
fn with_defaults() -> (Datum, Datum) {
    let fields = Schema::structure()
        .field("req_field", Schema::of(Type::String))
        .field("opt_field", text("child_default").build().unwrap());
    let plain = fields.clone().optional().build().unwrap();
    let default = of(plain, vec!["req_default".into(), Value::Null]).value;
    let schema = fields.optional().default_value(default).build().unwrap();
    let flat = Schema::structure()
        .field("req_field", text("req_default").build().unwrap())
        .field("opt_field", text("child_default").build().unwrap());
    (
        of(schema, vec!["r".into(), Value::Null]),
        of(flat.build().unwrap(), vec!["r".into(), "child_default".into()]),
    )
}

pub(crate) fn table() -> Vec<Case> {
    let items = || Value::from(vec![Value::Int32(1)]);
    let y = of(inner(), vec!["q".into(), items()]).value;
    let (given, expected) = with_defaults();
    let map = Schema::map(Schema::of(Type::String), Schema::of(Type::Int32));
    let entries = Value::Map(Box::new([("k".into(), Value::Int32(1))]));
    vec![
        gives("F1", NAME, NONE, nested(y), flat("q".into(), items())),
        gives("F2", NAME, NONE, nested(Value::Null), flat(Value::Null, Value::Null)),
        gives(
            "F3",
            NAME,
            NONE,
            json(r#"{"a":{"b":{"c":1},"n":null},"l":[{"q":1}],"e":{}}"#),
            json(r#"{"a.b.c":1,"a.n":null,"l":[{"q":1}]}"#),
        ),
        gives("F4", NAME, NONE, json(r#"{"a.b":1,"a":{"b":2}}"#), json(r#"{"a.b":2}"#)),
        fails_with_data(
            "F5",
            NAME,
            NONE,
            bare(Value::Int64(42)),
            "Only Map objects supported in absence of schema for [flattening], found: java.lang.Long",
        ),
        fails_with_data(
            "F5",
            NAME,
            NONE,
            crate::harness::map([("a", crate::harness::map([("b", Value::Timestamp(0))]).value)]),
            "Flatten transformation was passed a value of type class java.util.Date which is not supported by Connect's \
             data API",
        ),
        fails_with_data(
            "F5",
            NAME,
            NONE,
            Datum::new(map.clone(), entries.clone()),
            "Only Struct objects supported for [flattening], found: java.util.HashMap",
        ),
        fails_with_data(
            "a map in a struct",
            NAME,
            NONE,
            record([("a", map, entries)]),
            "Flatten transformation does not support MAP for record with schemas (for field a).",
        ),
        fails(
            "a key that is no text",
            NAME,
            NONE,
            sink(bare(Value::Map(Box::new([(Value::Int64(1), Value::Null)])))),
            "ClassCastException",
            "class java.lang.Long cannot be cast to class java.lang.String…",
        ),
        gives(
            "F6",
            NAME,
            &[("delimiter", "#")],
            json(r#"{"A":{"B":{"int8":8}}}"#),
            json(r##"{"A#B#int8":8}"##),
        ),
        gives("F7", NAME, NONE, given, expected),
        makes("null passes", "Flatten$Key", NONE, sink(Datum::NULL), sink(Datum::NULL)),
        fails_with_data(
            "an unset struct leaves required fields unset",
            NAME,
            NONE,
            record([(
                "y",
                Schema::structure().field("z", Schema::of(Type::String)).build().unwrap(),
                of(
                    Schema::structure().field("z", Schema::of(Type::String)).build().unwrap(),
                    vec![Value::Null],
                )
                .value,
            )]),
            "Invalid value: null used for required field: \"y.z\", schema type: STRING",
        ),
        fails(
            "two fields of one name",
            NAME,
            NONE,
            sink(record([
                ("a.b", Schema::of(Type::Int32), Value::Int32(1)),
                (
                    "a",
                    Schema::structure().field("b", Schema::of(Type::Int32)).build().unwrap(),
                    record([("b", Schema::of(Type::Int32), Value::Int32(2))]).value,
                ),
            ])),
            "SchemaBuilderException",
            "Cannot create field because of field name duplication a.b",
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}
