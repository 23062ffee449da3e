use lavka_api::ErrorClass;
use lavka_api::data::{Datum, Decimal, Logical, Object, Schema, SchemaBuilder, Type, Value};

use crate::harness::{Case, apply, failure, gives, logical, map, of, record, refuses, run, sink, typed};

const NAME: &str = "Cast$Value";

pub(crate) fn table() -> Vec<Case> {
    let mut cases = vec![
        Case::new("C21", whole_value_keeps_what_the_schema_says),
        Case::new("C26", null_stays_with_its_schema),
        Case::new("fields keep their place", fields_of_a_struct_keep_their_place_and_of_a_key_too),
        Case::new("maps with other keys than texts", maps_with_other_keys_than_texts),
    ];
    cases.extend(whole_values());
    cases.extend(whole_logical_values());
    cases.extend(texts_that_are_no_numbers());
    cases.extend(defaults_of_cast_fields());
    cases.extend(absent_fields());
    cases.extend(values_that_are_not_cast());
    cases.extend(configurations());
    cases.extend(configurations_that_are_fine());
    cases
}

#[test]
fn rows() {
    run(table());
}

fn whole_values() -> Vec<Case> {
    use Value::{Boolean, Float32, Float64, Int8, Int32, Int64};
    let rows = [
        ("C1", "int8", Int32(300), Int8(44)),
        ("C2", "int32", Float64(1e20), Int32(i32::MAX)),
        ("C3", "int64", Float64(1e20), Int64(i64::MAX)),
        ("C4", "int32", Float64(f64::NAN), Int32(0)),
        ("C5", "int32", Float64(-1.9), Int32(-1)),
        ("C6", "int32", "42".into(), Int32(42)),
        ("C10", "float32", "1e3".into(), Float32(1000.0)),
        ("C11", "float32", Int32(16_777_217), Float32(16_777_216.0)),
        ("C12", "boolean", "TRUE".into(), Boolean(true)),
        ("C12", "boolean", "yes".into(), Boolean(false)),
        ("C13", "boolean", Float64(0.5), Boolean(false)),
        ("C13", "boolean", Int32(2), Boolean(true)),
        ("C14", "int8", Boolean(true), Int8(1)),
        ("C15", "string", Float32(1.0), "1.0".into()),
        ("C15", "string", Float64(1e7), "1.0E7".into()),
        ("C15", "string", Boolean(true), "true".into()),
        ("C16", "string", Value::Bytes((&[1, 2]).into()), "AQI=".into()),
        ("a double narrows to a byte by way of an int", "int8", Float64(1e20), Int8(-1)),
        ("an int wraps to a short", "int16", Int32(65_537), Value::Int16(1)),
        ("a float saturates", "int64", Float32(f32::NEG_INFINITY), Int64(i64::MIN)),
        ("false becomes zero", "float64", Boolean(false), Float64(0.0)),
        ("the same type", "string", "x".into(), "x".into()),
    ];
    let case = |(row, spec, value, result): (&'static str, &'static str, Value, Value)| {
        Case::new(row, move || {
            let schema = Schema::of(value.natural_type().unwrap());
            let with_schema = apply(NAME, &[("spec", spec)], Datum::new(schema, value.clone())).unwrap();
            assert_eq!(with_schema.value, result, "{row}");
            assert_eq!(with_schema.schema, Some(Schema::of(result.natural_type().unwrap())), "{row}");
            let schemaless = apply(NAME, &[("spec", spec)], Datum::schemaless(value.clone())).unwrap();
            assert_eq!(schemaless, Datum::schemaless(result.clone()), "{row}");
        })
    };
    rows.into_iter().map(case).collect()
}

fn whole_logical_values() -> Vec<Case> {
    use Value::{Boolean, Float64, Int32, Int64};
    let two_to_31 = || Value::from(Decimal::new(2_147_483_648_i64, 0));
    let rows = [
        ("C17", "string", logical(Logical::Decimal(-3), Decimal::new(1, -3)), "1E+3".into()),
        ("C18", "string", logical(Logical::Timestamp, Value::Timestamp(0)), "00:00:00.000Z".into()),
        (
            "C18",
            "string",
            logical(Logical::Timestamp, Value::Timestamp(1_700_000_000_123)),
            "2023-11-14T22:13:20.123Z".into(),
        ),
        ("C19", "int32", logical(Logical::Date, Value::Date(1)), Int32(1)),
        ("C20", "int32", logical(Logical::Decimal(0), two_to_31()), Int32(i32::MIN)),
        (
            "a decimal is not rounded",
            "float64",
            logical(Logical::Decimal(1), Decimal::new(15, 1)),
            Float64(1.5),
        ),
        ("a decimal is true", "boolean", logical(Logical::Decimal(0), two_to_31()), Boolean(true)),
        ("a time", "int64", logical(Logical::Time, Value::Time(1234)), Int64(1234)),
    ];
    let case = |(row, spec, datum, result): (&'static str, &'static str, Datum, Value)| {
        Case::new(row, move || {
            let cast = apply(NAME, &[("spec", spec)], datum.clone()).unwrap();
            assert_eq!(cast.value, result, "{row}");
        })
    };
    rows.into_iter().map(case).collect()
}

fn texts_that_are_no_numbers() -> Vec<Case> {
    let rows = [
        ("C7", "int32", " 42", "For input string: \" 42\""),
        ("C8", "int32", "4.2", "For input string: \"4.2\""),
        ("C9", "int8", "300", "Value out of range. Value:\"300\" Radix:10"),
        ("not a float", "float32", "x", "For input string: \"x\""),
        ("no text", "float64", "", "empty String"),
    ];
    let case = |(row, spec, text, cause)| {
        Case::new(row, move || {
            let error = apply(NAME, &[("spec", spec)], typed(Type::String, text)).unwrap_err();
            let message = format!("Value ({text}) was out of range for requested data type");
            assert_eq!(error.message(), Some(message.as_str()), "{row}");
            assert_eq!(error.exception(), "org.apache.kafka.connect.errors.DataException");
            let reason = error.cause().unwrap();
            assert_eq!(
                (reason.exception(), reason.message()),
                ("java.lang.NumberFormatException", Some(cause))
            );
        })
    };
    rows.into_iter().map(case).collect()
}

fn whole_value_keeps_what_the_schema_says() {
    let datum = logical(Logical::Timestamp, Value::Timestamp(0));
    let schema = apply(NAME, &[("spec", "string")], datum).unwrap().schema.unwrap();
    assert_eq!((schema.ty(), schema.version()), (Type::String, Some(1)));
    assert_eq!(schema.name().map(|name| name.as_str()), Some(Logical::TIMESTAMP));

    let everything = |ty, default: Value| {
        let builder = Schema::builder(ty).name("n").version(2).doc("d").parameter("p", "q").optional();
        builder.default_value(default).build().unwrap()
    };
    let datum = Datum::new(everything(Type::String, "12".into()), "7");
    assert_eq!(
        apply(NAME, &[("spec", "int32")], datum).unwrap(),
        Datum::new(everything(Type::Int32, Value::Int32(12)), Value::Int32(7))
    );

    let bad_default = Schema::builder(Type::String).default_value(Value::from("x")).build().unwrap();
    let (_, message) = failure(NAME, &[("spec", "int32")], sink(Datum::new(bad_default, "7")));
    assert_eq!(message, "Value (x) was out of range for requested data type");
}

/// The schema and value of rows C22 and C23.
fn defaulted() -> Datum {
    let a = Schema::builder(Type::Int32).optional().default_value(Value::Int32(5)).name("N").doc("x");
    let schema = Schema::structure().name("n").version(1).doc("d").optional();
    let schema = schema.field("a", a.build().unwrap()).field("b", Schema::of(Type::String)).build().unwrap();
    of(schema, vec![Value::Null, "x".into()])
}

fn defaults_of_cast_fields() -> Vec<Case> {
    let a = Schema::builder(Type::String).optional().default_value(Value::from("5")).build().unwrap();
    let schema = Schema::structure().name("n").version(1).doc("d").optional();
    let schema = schema.field("a", a).field("b", Schema::of(Type::String)).build().unwrap();
    let filled = of(schema.clone(), vec!["5".into(), "x".into()]);
    let unset = of(schema, vec![Value::Null, "x".into()]);
    let keep = &[("spec", "a:string"), ("replace.null.with.default", "false")];
    vec![
        gives("C22", NAME, &[("spec", "a:string")], defaulted(), filled),
        gives("C23", NAME, keep, defaulted(), unset),
    ]
}

fn absent_fields() -> Vec<Case> {
    let schemaless = map([("a", Value::Int64(1))]);
    let with_null = map([("a", Value::Int64(1)), ("zz", Value::Null)]);
    let typed = record([("a", Schema::of(Type::Int32), Value::Int32(1))]);
    vec![
        gives("C24", NAME, &[("spec", "zz:int8")], schemaless, with_null),
        gives("C25", NAME, &[("spec", "zz:int8")], typed.clone(), typed),
    ]
}

fn null_stays_with_its_schema() {
    let null = Datum::new(Schema::optional(Type::String), Value::Null);
    assert_eq!(apply(NAME, &[("spec", "int32")], null.clone()).unwrap(), null);
    assert_eq!(apply(NAME, &[("spec", "a:int32")], null.clone()).unwrap(), null);
}

fn values_that_are_not_cast() -> Vec<Case> {
    let from = |ty: &str| {
        format!(
            "Cast transformation does not support casting from {ty}; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
        )
    };
    let unknown = |class: &str| {
        format!(
            "Cast transformation was passed a value of type class {class} which is not supported by Connect's data API"
        )
    };
    let list = || Value::from(vec![Value::Int64(1)]);
    let rows = [
        ("C27", "int32", Datum::schemaless(list()), from("ARRAY")),
        ("C27", "int32", Datum::new(Schema::array(Schema::of(Type::Int64)), list()), from("ARRAY")),
        ("C27", "int32", map([]), from("MAP")),
        ("C27, a field", "a:int32", map([("a", list())]), from("ARRAY")),
        ("C27, a struct", "string", defaulted(), from("STRUCT")),
        ("C28", "int32", Datum::schemaless(Value::Timestamp(0)), unknown("java.util.Date")),
        ("C28, a decimal", "int32", Datum::schemaless(Decimal::new(1, 0)), unknown("java.math.BigDecimal")),
        (
            "bytes are no number",
            "int32",
            typed(Type::Bytes, Value::Bytes((&[1]).into())),
            "Unexpected type in Cast transformation: class [B".into(),
        ),
        (
            "fields of no map",
            "a:int32",
            Datum::schemaless(Value::Int32(5)),
            "Only Map objects supported in absence of schema for [cast types], found: java.lang.Integer"
                .into(),
        ),
        (
            "fields of no struct",
            "a:int32",
            typed(Type::Int32, Value::Int32(5)),
            "Cannot list fields on non-struct type".into(),
        ),
        (
            "null where the schema wants a value",
            "a:string",
            of(defaulted().schema.unwrap(), vec![Value::Null, Value::Null]),
            "Invalid value: null used for required field: \"b\", schema type: STRING".into(),
        ),
    ];
    let case = |(row, spec, datum, message): (_, _, Datum, String)| {
        Case::new(row, move || {
            let failed = failure(NAME, &[("spec", spec)], sink(datum.clone()));
            assert_eq!(failed, ("DataException", message.clone()), "{row}");
        })
    };
    rows.into_iter().map(case).collect()
}

fn configurations() -> Vec<Case> {
    const SINGLE: &str = "Cast transformations that specify a type to cast the entire value to may only specify a single \
                          cast in their spec";
    const NOT_TO: &str = "Cast transformation does not support casting to …";
    let mut cases = vec![refuses(
        "no spec",
        NAME,
        &[],
        "Missing required configuration \"spec\" which has no default value.",
    )];
    for (row, keys, message) in [
        ("C29", &[("spec", "")], "Must specify at least one field to cast."),
        ("C30", &[("spec", "foo:faketype")], "Invalid type found in casting spec: faketype"),
        ("C30", &[("spec", "foo:array")], NOT_TO),
        ("C30", &[("spec", "array")], NOT_TO),
        ("C30", &[("spec", "foo:bytes")], NOT_TO),
        ("C30", &[("spec", "foo:int8,int32")], SINGLE),
        ("C30", &[("spec", "int8,int32")], SINGLE),
        (
            "C30",
            &[("spec", "foo:int8:extra")],
            "Invalid value [foo:int8:extra] for configuration renames: Invalid rename mapping: foo:int8:extra",
        ),
        ("C30", &[("spec", "foo:int32,")], "Invalid type found in casting spec: "),
        ("C33", &[("spec", "foo:")], "Invalid type found in casting spec: foo"),
    ] {
        cases.push(refuses(row, NAME, keys, message));
    }
    cases
}

fn configurations_that_are_fine() -> Vec<Case> {
    let one = |value| map([("foo", value)]);
    vec![
        gives("C31", NAME, &[("spec", "foo:int32,foo:int64")], one(Value::Int32(1)), one(Value::Int64(1))),
        gives("C32", NAME, &[("spec", " foo : INT8 ")], one(Value::Int32(1)), one(Value::Int8(1))),
    ]
}

fn fields_of_a_struct_keep_their_place_and_of_a_key_too() {
    let datum = record([
        ("a", Schema::of(Type::String), "1".into()),
        ("b", Schema::of(Type::Boolean), true.into()),
        ("c", Schema::optional(Type::Float64), 2.5.into()),
    ]);
    let expected = record([
        ("a", Schema::of(Type::Int16), Value::Int16(1)),
        ("b", Schema::of(Type::Boolean), true.into()),
        ("c", Schema::optional(Type::String), "2.5".into()),
    ]);
    let mut given = sink(Datum::NULL);
    given.key = datum;
    let mut wanted = given.clone();
    wanted.key = expected;
    assert_eq!(crate::harness::apply_to("Cast$Key", &[("spec", "c:string,a:int16")], given).unwrap(), wanted);
}

fn maps_with_other_keys_than_texts() {
    let entries = |extra: &[(Value, Value)]| {
        let mut entries = vec![(Value::Int32(1), Value::Int32(2)), ("a".into(), "3".into())];
        entries.extend_from_slice(extra);
        Datum::schemaless(Value::Map(entries.into_boxed_slice()))
    };
    let cast = apply(NAME, &[("spec", "q:int8")], entries(&[])).unwrap();
    assert_eq!(cast, entries(&[("q".into(), Value::Null)]));
    let Value::Map(cast) = apply(NAME, &[("spec", "a:int8")], entries(&[])).unwrap().value else { panic!() };
    assert_eq!(cast.last(), Some(&("a".into(), Value::Int8(3))));
}

#[test]
fn the_default_of_a_whole_struct_is_not_cast() {
    let fields = || SchemaBuilder::field(Schema::structure(), "a", Schema::of(Type::Int32));
    let plain = fields().build().unwrap();
    let Value::Struct(default) = of(plain, vec![Value::Int32(1)]).value else { panic!() };
    let schema = fields().default_value(Value::Struct(default)).build().unwrap();
    let (_, message) = failure(NAME, &[("spec", "a:int8")], sink(of(schema, vec![Value::Int32(2)])));
    assert!(message.starts_with("Cast transformation does not support casting from STRUCT"));
}

#[test]
fn errors_count_against_the_record() {
    let object = Object::from_entries([("a", "x")]);
    let error = apply(NAME, &[("spec", "a:int8")], Datum::schemaless(object)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data);
}
