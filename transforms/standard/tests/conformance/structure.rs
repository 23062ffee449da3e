use lavka_api::data::{Datum, Logical, Record, RecordKind, Schema, SchemaBuilder, Type, Value};
use lavka_api::plugin::Verdict;

use crate::harness::{apply, apply_to, failure, map, of, record, refusal, sink, transform};

const ALL_INSERTIONS: &[(&str, &str)] = &[
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

#[test]
fn i1_inserts_into_structs() {
    let timestamp = SchemaBuilder::logical(Logical::Timestamp).optional().build().unwrap();
    let expected = record([
        ("a", Schema::of(Type::Int32), Value::Int32(1)),
        ("tp", Schema::of(Type::String), "t".into()),
        ("pt", Schema::optional(Type::Int32), Value::Int32(0)),
        ("of", Schema::optional(Type::Int64), Value::Int64(0)),
        ("ts", timestamp, Value::Timestamp(789)),
        ("st", Schema::optional(Type::String), "sv".into()),
    ]);
    assert_eq!(apply("InsertField$Value", ALL_INSERTIONS, a_and(1)).unwrap(), expected);
}

#[test]
fn i2_inserts_into_maps() {
    let expected = map([
        ("a", Value::Int64(1)),
        ("tp", "t".into()),
        ("pt", Value::Int32(0)),
        ("of", Value::Int64(0)),
        ("ts", Value::Int64(789)),
        ("st", "sv".into()),
    ]);
    assert_eq!(apply("InsertField$Value", ALL_INSERTIONS, map([("a", Value::Int64(1))])).unwrap(), expected);
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
fn i3_configurations_without_anything_to_insert() {
    assert_eq!(refusal("InsertField$Value", &[]), "No field insertion configured");
    assert_eq!(refusal("InsertField$Key", &[("static.value", "x")]), "No field insertion configured");
    assert_eq!(
        refusal("InsertField$Value", &[("static.field", "a")]),
        "Invalid value null for configuration static.value: No value specified for static field: a"
    );
}

#[test]
fn i4_existing_names() {
    let keys = &[("topic.field", "a")];
    assert_eq!(
        failure("InsertField$Value", keys, sink(a_and(1))),
        ("SchemaBuilderException", "Cannot create field because of field name duplication a".into())
    );
    let overwritten = apply("InsertField$Value", keys, map([("a", Value::Int64(1)), ("b", Value::Null)]));
    assert_eq!(overwritten.unwrap(), map([("a", "t".into()), ("b", Value::Null)]));
    assert_eq!(
        failure("InsertField$Value", &[("topic.field", "!")], sink(a_and(1))),
        ("SchemaBuilderException", "fieldName cannot be null.".into())
    );
}

#[test]
fn i5_offsets_are_of_sink_records() {
    let message = "Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord";
    for value in [a_and(1), map([("a", Value::Int64(1))])] {
        let source = Record { value, ..Record::for_topic("t") };
        assert_eq!(
            failure("InsertField$Value", &[("offset.field", "o")], source),
            ("DataException", message.into())
        );
    }
}

#[test]
fn i6_null_operands_pass() {
    let mut tombstone = sink(Datum::NULL);
    tombstone.value = Datum::new(Schema::optional(Type::String), Value::Null);
    for name in ["InsertField$Key", "InsertField$Value"] {
        assert_eq!(apply_to(name, &[("topic.field", "t")], tombstone.clone()).unwrap(), tombstone);
    }
    // Not even the kind of record matters then.
    let source = Record { kind: RecordKind::Source, ..tombstone };
    assert_eq!(apply_to("InsertField$Key", &[("offset.field", "o")], source.clone()).unwrap(), source);
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

fn dont_abc_foo() -> Datum {
    record([
        ("dont", Schema::of(Type::String), "whatever".into()),
        ("abc", Schema::of(Type::Int32), Value::Int32(42)),
        ("foo", Schema::of(Type::Boolean), true.into()),
    ])
}

#[test]
fn rf1_rf2_rf5_structs() {
    let keys = &[("include", "abc,foo"), ("exclude", "foo"), ("renames", "abc:xyz")];
    let expected = record([("xyz", Schema::of(Type::Int32), Value::Int32(42))]);
    assert_eq!(apply("ReplaceField$Value", keys, dont_abc_foo()).unwrap(), expected, "RF1");
    let expected = record([
        ("dont", Schema::of(Type::String), "whatever".into()),
        ("foo", Schema::of(Type::Int32), Value::Int32(42)),
        ("abc", Schema::of(Type::Boolean), true.into()),
    ]);
    let swapped = apply("ReplaceField$Value", &[("renames", "abc:foo,foo:abc")], dont_abc_foo());
    assert_eq!(swapped.unwrap(), expected, "RF2");
    let old_key = apply("ReplaceField$Value", &[("blacklist", "dont")], dont_abc_foo());
    assert_eq!(old_key.unwrap(), dont_abc_foo(), "RF5");
}

#[test]
fn rf3_two_fields_of_one_name() {
    assert_eq!(
        failure("ReplaceField$Value", &[("renames", "abc:foo")], sink(dont_abc_foo())),
        ("SchemaBuilderException", "Cannot create field because of field name duplication foo".into())
    );
}

#[test]
fn rf4_renames_that_are_none() {
    for item in ["abc", "abc:", "a:b:c"] {
        assert_eq!(
            refusal("ReplaceField$Value", &[("renames", item)]),
            format!("Invalid value [{item}] for configuration renames: Invalid rename mapping: {item}")
        );
    }
    assert_eq!(
        refusal("ReplaceField$Value", &[("renames", "a:b,")]),
        "Invalid value [a:b, ] for configuration renames: Invalid rename mapping: "
    );
    assert_eq!(
        refusal("ReplaceField$Value", &[("exclude", "a,,b")]),
        "Configuration 'exclude' values must not be empty."
    );
}

#[test]
fn rf6_maps() {
    let keys = &[("exclude", "dont"), ("renames", "abc:xyz,foo:bar")];
    let given = map([
        ("dont", "whatever".into()),
        ("abc", Value::Int32(42)),
        ("foo", true.into()),
        ("etc", "etc".into()),
    ]);
    let expected = map([("xyz", Value::Int32(42)), ("bar", true.into()), ("etc", "etc".into())]);
    assert_eq!(apply("ReplaceField$Value", keys, given).unwrap(), expected);
    let doubled = map([("a", Value::Int32(1)), ("b", Value::Int32(2))]);
    let doubled = apply("ReplaceField$Value", &[("renames", "a:b")], doubled).unwrap();
    assert_eq!(doubled, map([("b", Value::Int32(2))]), "the last of two counts");
}

/// New names are looked up backwards, also for fields that were not renamed.
#[test]
fn replace_field_reads_by_the_old_name() {
    let given = || {
        let schema = Schema::structure().name("n").optional().field("a", Schema::of(Type::Int32));
        let schema = schema.field("b", Schema::of(Type::String)).field("c", Schema::optional(Type::String));
        of(schema.build().unwrap(), vec![Value::Int32(1), "B".into(), "C".into()])
    };
    let keys = &[("renames", "c:b"), ("exclude", "c")];
    let Value::Struct(swapped) = apply("ReplaceField$Value", keys, given()).unwrap().value else { panic!() };
    assert_eq!(swapped.values(), [Value::Int32(1), "C".into()]);
    assert_eq!(swapped.schema().name().map(|name| name.as_str()), Some("n"));
    assert!(!swapped.schema().is_optional());
    for (keys, message) in [
        (
            &[("renames", "a:b"), ("exclude", "a")][..],
            "Invalid Java object for schema with type STRING: class java.lang.Integer for field: \"b\"",
        ),
        (&[("renames", "zz:b")], "zz is not a valid field name"),
    ] {
        let failed = failure("ReplaceField$Value", keys, sink(given()));
        assert_eq!(failed, ("DataException", message.into()));
    }
    let Value::Struct(kept) = apply("ReplaceField$Value", &[("renames", "a:x,zz:x")], given()).unwrap().value
    else {
        panic!()
    };
    assert_eq!(kept.get("x"), Some(&Value::Int32(1)));
    let unset = of(given().schema.unwrap(), vec![Value::Null, "B".into(), Value::Null]);
    assert_eq!(
        failure("ReplaceField$Value", &[("renames", "a:q")], sink(unset)).1,
        "Invalid value: null used for required field: \"q\", schema type: INT32"
    );
}

#[test]
fn replace_field_on_other_operands() {
    let integer_keys = Value::Map(Box::new([(Value::Int32(1), Value::Int32(2))]));
    for (datum, exception, message) in [
        (
            Datum::schemaless("x"),
            "DataException",
            "Only Map objects supported in absence of schema for [field replacement], found: java.lang.String",
        ),
        (
            Datum::new(Schema::of(Type::String), "x"),
            "DataException",
            "Only Struct objects supported for [field replacement], found: java.lang.String",
        ),
        (
            Datum::schemaless(integer_keys),
            "ClassCastException",
            "class java.lang.Integer cannot be cast to class java.lang.String (java.lang.Integer and java.lang.String \
             are in module java.base of loader 'bootstrap')",
        ),
    ] {
        let failed = failure("ReplaceField$Value", &[("renames", "a:q")], sink(datum));
        assert_eq!(failed, (exception, message.into()));
    }
    let null = apply("ReplaceField$Key", &[("renames", "a:q")], Datum::NULL).unwrap();
    assert_eq!(null, Datum::NULL);
}

#[test]
fn h1_hoist_field() {
    let keys = &[("field", "f")];
    let hoisted = |datum| apply("HoistField$Value", keys, datum);
    assert_eq!(hoisted(Datum::schemaless(Value::Int32(42))).unwrap(), map([("f", Value::Int32(42))]));
    assert_eq!(
        hoisted(Datum::new(Schema::of(Type::Int32), Value::Int32(42))).unwrap(),
        record([("f", Schema::of(Type::Int32), Value::Int32(42))])
    );
    assert_eq!(hoisted(Datum::NULL).unwrap(), map([("f", Value::Null)]));
    assert_eq!(
        failure("HoistField$Value", keys, sink(Datum::new(Schema::of(Type::String), Value::Null))).1,
        "Invalid value: null used for required field: \"f\", schema type: STRING"
    );
}

#[test]
fn v1_to_v4_value_to_key() {
    let key = |fields: &str, value| apply_to("ValueToKey", &[("fields", fields)], sink(value)).map(|r| r.key);
    let expected = record([
        ("abc", Schema::of(Type::Int32), Value::Int32(42)),
        ("foo", Schema::of(Type::Boolean), true.into()),
    ]);
    assert_eq!(key("abc,foo", dont_abc_foo()).unwrap(), expected, "V1");
    assert_eq!(
        key("abc,zz", map([("abc", Value::Int32(1))])).unwrap(),
        map([("abc", Value::Int32(1)), ("zz", Value::Null)]),
        "V2"
    );
    for (row, value, message) in [
        ("V3", dont_abc_foo(), "Field does not exist: zz"),
        (
            "V4",
            Datum::NULL,
            "Only Map objects supported in absence of schema for [copying fields from value to key], found: null",
        ),
        (
            "V4",
            Datum::new(Schema::optional(Type::String), Value::Null),
            "Only Struct objects supported for [copying fields from value to key], found: null",
        ),
    ] {
        let failed = failure("ValueToKey", &[("fields", "zz")], sink(value));
        assert_eq!(failed, ("DataException", message.into()), "{row}");
    }
    assert_eq!(
        refusal("ValueToKey", &[("fields", "")]),
        "Configuration 'fields' must not be empty. Valid values include: any non-empty value"
    );
}

#[test]
fn x1_to_x7_extract_field() {
    let v1 = |field: &str, value| apply("ExtractField$Value", &[("field", field)], value);
    fn v2_keys(field: &str) -> [(&str, &str); 2] {
        [("field", field), ("field.syntax.version", "v2")]
    }
    let v2 = |field: &str, value| apply("ExtractField$Value", &v2_keys(field), value);
    let one = || Datum::schemaless(Value::Int64(1));
    let nested = |value: Value| map([("a", map([("b", value)]).value)]);
    assert_eq!(v2("a.b", nested(Value::Int64(1))).unwrap(), one(), "X1, X7");
    let dotted = map([("a.b", Value::Int64(1)), ("a", map([("b", Value::Int64(2))]).value)]);
    assert_eq!(v1("a.b", dotted).unwrap(), one(), "X2");
    assert_eq!(v2("a.b.c", nested(Value::Null)).unwrap(), Datum::NULL, "X3");
    assert_eq!(
        failure("ExtractField$Value", &v2_keys("a.b.c"), sink(nested(Value::Int64(1)))).1,
        "Only Map objects supported in absence of schema for [nested field access], found: java.lang.Long",
        "X3"
    );
    let magic = record([("magic", Schema::of(Type::Int32), Value::Int32(42))]);
    assert_eq!(v1("nonexistent", map([("magic", Value::Int64(42))])).unwrap(), Datum::NULL, "X4");
    for (keys, field) in [(&v2_keys("magic")[..1], "nonexistent"), (&v2_keys("no.such")[..], "no.such")] {
        let keys: Vec<(&str, &str)> =
            keys.iter().map(|&(key, text)| (key, if key == "field" { field } else { text })).collect();
        assert_eq!(
            failure("ExtractField$Value", &keys, sink(magic.clone())),
            ("IllegalArgumentException", format!("Unknown field: {field}")),
            "X4"
        );
    }
    assert_eq!(v1("magic", magic.clone()).unwrap(), Datum::new(Schema::of(Type::Int32), Value::Int32(42)));
    let optional = magic.schema.unwrap().to_builder().optional().build().unwrap();
    assert_eq!(
        v1("magic", Datum::new(optional, Value::Null)).unwrap(),
        Datum::new(Schema::of(Type::Int32), Value::Null),
        "X5"
    );
    let with_default =
        Schema::builder(Type::Int32).optional().default_value(Value::Int32(42)).build().unwrap();
    for (replace, value) in [("true", Value::Int32(42)), ("false", Value::Null)] {
        let keys = &[("field", "magic"), ("replace.null.with.default", replace)];
        let unset = record([("magic", with_default.clone(), Value::Null)]);
        assert_eq!(apply("ExtractField$Value", keys, unset).unwrap().value, value, "X6");
    }
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
        failure("ExtractField$Value", keys, sink(a_and(1))).1,
        "Cannot look up fields on non-struct type"
    );
}

#[test]
fn headers_are_dropped_by_name() {
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
}

#[test]
fn filter_drops() {
    let mut filter = transform("Filter", &[]).unwrap();
    assert_eq!(filter.apply(&mut sink(Datum::NULL)).ok(), Some(Verdict::Drop));
}
