use lavka_api::data::{Datum, Logical, Record, RecordKind, Schema, SchemaBuilder, Type, Value};

use crate::harness::{
    Case, Keys, apply, apply_to, fails, failure, gives, makes, map, of, record, refuses, run, sink,
};

const NAME: &str = "InsertField$Value";
const ALL_INSERTIONS: Keys<'static> = &[
    ("topic.field", "tp!"),
    ("partition.field", "pt"),
    ("offset.field", "of?"),
    ("timestamp.field", "ts"),
    ("static.field", "st"),
    ("static.value", "sv"),
];

fn a_and(value: i32) -> Datum {
    record([("a", Schema::of(Type::Int32), Value::Int32(value))])
}

pub(crate) fn table() -> Vec<Case> {
    let timestamp = SchemaBuilder::logical(Logical::Timestamp).optional().build().unwrap();
    let typed = record([
        ("a", Schema::of(Type::Int32), Value::Int32(1)),
        ("tp", Schema::of(Type::String), "t".into()),
        ("pt", Schema::optional(Type::Int32), Value::Int32(0)),
        ("of", Schema::optional(Type::Int64), Value::Int64(0)),
        ("ts", timestamp, Value::Timestamp(789)),
        ("st", Schema::optional(Type::String), "sv".into()),
    ]);
    let schemaless = map([
        ("a", Value::Int64(1)),
        ("tp", "t".into()),
        ("pt", Value::Int32(0)),
        ("of", Value::Int64(0)),
        ("ts", Value::Int64(789)),
        ("st", "sv".into()),
    ]);
    let a = || map([("a", Value::Int64(1))]);
    let only_sinks = "Only SinkRecord supported for [field insertion], found: \
                      org.apache.kafka.connect.source.SourceRecord";
    let source = |value| Record { value, ..Record::for_topic("t") };
    let tombstone = || sink(Datum::new(Schema::optional(Type::String), Value::Null));
    let null_source = || Record { kind: RecordKind::Source, ..tombstone() };
    vec![
        gives("I1", NAME, ALL_INSERTIONS, a_and(1), typed),
        gives("I2", NAME, ALL_INSERTIONS, a(), schemaless),
        refuses("I3", NAME, &[], "No field insertion configured"),
        refuses("I3", "InsertField$Key", &[("static.value", "x")], "No field insertion configured"),
        refuses(
            "I3",
            NAME,
            &[("static.field", "a")],
            "Invalid value null for configuration static.value: No value specified for static field: a",
        ),
        fails(
            "I4",
            NAME,
            &[("topic.field", "a")],
            sink(a_and(1)),
            "SchemaBuilderException",
            "Cannot create field because of field name duplication a",
        ),
        gives(
            "I4",
            NAME,
            &[("topic.field", "a")],
            map([("a", Value::Int64(1)), ("b", Value::Null)]),
            map([("a", "t".into()), ("b", Value::Null)]),
        ),
        fails(
            "a name that is none",
            NAME,
            &[("topic.field", "!")],
            sink(a_and(1)),
            "SchemaBuilderException",
            "fieldName cannot be null.",
        ),
        fails("I5", NAME, &[("offset.field", "o")], source(a_and(1)), "DataException", only_sinks),
        fails("I5", NAME, &[("offset.field", "o")], source(a()), "DataException", only_sinks),
        makes("I6", "InsertField$Key", &[("topic.field", "t")], tombstone(), tombstone()),
        makes("I6", NAME, &[("topic.field", "t")], tombstone(), tombstone()),
        makes(
            "null passes whatever the record",
            "InsertField$Key",
            &[("offset.field", "o")],
            null_source(),
            null_source(),
        ),
    ]
}

#[test]
fn rows() {
    run(table());
}

#[test]
fn what_a_record_lacks_is_not_inserted() {
    let keys = &[("topic.field", "t"), ("partition.field", "p!"), ("timestamp.field", "ts")];
    let bare = |value: Datum| Record { value, ..Record::for_topic("x") };
    let schemaless = apply_to("InsertField$Value", keys, bare(map([("a", Value::Null)]))).unwrap();
    assert_eq!(schemaless.value, map([("a", Value::Null), ("t", "x".into())]));
    let typed = apply_to("InsertField$Value", keys, bare(a_and(1))).unwrap().value.value;
    let Value::Struct(typed) = typed else { panic!() };
    assert_eq!(typed.values(), [Value::Int32(1), "x".into(), Value::Null, Value::Null]);
}

#[test]
fn insert_field_on_other_operands() {
    for (datum, message) in [
        (
            Datum::schemaless("x"),
            "Only Map objects supported in absence of schema for [field insertion], found: java.lang.String",
        ),
        (
            Datum::new(Schema::of(Type::String), "x"),
            "Only Struct objects supported for [field insertion], found: java.lang.String",
        ),
    ] {
        let failed = failure("InsertField$Value", &[("topic.field", "t")], sink(datum));
        assert_eq!(failed, ("DataException", message.into()));
    }
    let entries = |entries: &[(Value, Value)]| Datum::schemaless(Value::Map(entries.into()));
    let other_keys =
        apply("InsertField$Value", &[("topic.field", "q")], entries(&[(Value::Int32(1), Value::Int32(2))]));
    assert_eq!(other_keys.unwrap(), entries(&[(Value::Int32(1), Value::Int32(2)), ("q".into(), "t".into())]));
}

#[test]
fn nulls_with_defaults() {
    let required = Schema::builder(Type::Int32).default_value(Value::Int32(5)).build().unwrap();
    let optional = Schema::builder(Type::Int32).default_value(Value::Int32(6)).optional().build().unwrap();
    let fields = || SchemaBuilder::field(Schema::structure(), "a", optional.clone());
    let unset = || of(fields().optional().build().unwrap(), vec![Value::Null]);
    let inserted = |value: Value| {
        let schema = fields().field("b", Schema::optional(Type::String)).build().unwrap();
        of(schema, vec![value, "t".into()])
    };
    let keep = &[("topic.field", "b"), ("replace.null.with.default", "false")];
    assert_eq!(apply("InsertField$Value", &keep[..1], unset()).unwrap(), inserted(Value::Int32(6)));
    assert_eq!(apply("InsertField$Value", keep, unset()).unwrap(), inserted(Value::Null));
    // Without its default a required field has no value to copy.
    let unset = record([("a", required, Value::Null)]);
    assert_eq!(
        failure("InsertField$Value", keep, sink(unset)).1,
        "Invalid value: null used for required field: \"a\", schema type: INT32"
    );
}
