use lavka_api::data::{Datum, Schema, Type, Value};

use crate::harness::{Case, apply, fails, failure, gives, map, of, record, refuses, run, sink};

const NAME: &str = "ReplaceField$Value";

/// The struct of many rows.
pub(crate) fn dont_abc_foo() -> Datum {
    record([
        ("dont", Schema::of(Type::String), "whatever".into()),
        ("abc", Schema::of(Type::Int32), Value::Int32(42)),
        ("foo", Schema::of(Type::Boolean), true.into()),
    ])
}

pub(crate) fn table() -> Vec<Case> {
    let swapped = record([
        ("dont", Schema::of(Type::String), "whatever".into()),
        ("foo", Schema::of(Type::Int32), Value::Int32(42)),
        ("abc", Schema::of(Type::Boolean), true.into()),
    ]);
    vec![
        gives(
            "RF1",
            NAME,
            &[("include", "abc,foo"), ("exclude", "foo"), ("renames", "abc:xyz")],
            dont_abc_foo(),
            record([("xyz", Schema::of(Type::Int32), Value::Int32(42))]),
        ),
        gives("RF2", NAME, &[("renames", "abc:foo,foo:abc")], dont_abc_foo(), swapped),
        fails(
            "RF3",
            NAME,
            &[("renames", "abc:foo")],
            sink(dont_abc_foo()),
            "SchemaBuilderException",
            "Cannot create field because of field name duplication foo",
        ),
        refuses(
            "RF4",
            NAME,
            &[("renames", "abc")],
            "Invalid value [abc] for configuration renames: Invalid rename mapping: abc",
        ),
        refuses(
            "RF4",
            NAME,
            &[("renames", "abc:")],
            "Invalid value [abc:] for configuration renames: Invalid rename mapping: abc:",
        ),
        refuses(
            "two colons",
            NAME,
            &[("renames", "a:b:c")],
            "Invalid value [a:b:c] for configuration renames: Invalid rename mapping: a:b:c",
        ),
        refuses(
            "an empty item",
            NAME,
            &[("renames", "a:b,")],
            "Invalid value [a:b, ] for configuration renames: Invalid rename mapping: ",
        ),
        refuses(
            "an empty name",
            NAME,
            &[("exclude", "a,,b")],
            "Configuration 'exclude' values must not be empty.",
        ),
        gives("RF5", NAME, &[("blacklist", "dont")], dont_abc_foo(), dont_abc_foo()),
        gives(
            "RF6",
            NAME,
            &[("exclude", "dont"), ("renames", "abc:xyz,foo:bar")],
            map([
                ("dont", "whatever".into()),
                ("abc", Value::Int32(42)),
                ("foo", true.into()),
                ("etc", "etc".into()),
            ]),
            map([("xyz", Value::Int32(42)), ("bar", true.into()), ("etc", "etc".into())]),
        ),
        gives(
            "the last of two counts",
            NAME,
            &[("renames", "a:b")],
            map([("a", Value::Int32(1)), ("b", Value::Int32(2))]),
            map([("b", Value::Int32(2))]),
        ),
    ]
}

#[test]
fn rows() {
    run(table());
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
