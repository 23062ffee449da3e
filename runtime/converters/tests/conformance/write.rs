//! `JsonConverter`, writing: rows J1 to J19 and the golden record.

use lavka_api::data::{Datum, Decimal, Logical, Object, Schema, SchemaBuilder, Struct, Type, Value};

use crate::{encode, json, message, plain};

fn schema(builder: SchemaBuilder) -> Schema {
    builder.build().unwrap()
}

/// What is written with `schemas.enable=true` and otherwise `config`.
fn enveloped<const N: usize>(config: [(&str, &str); N], datum: &Datum) -> String {
    encode(&mut *json(config), datum).unwrap().unwrap()
}

/// What is written with `schemas.enable=false`.
fn bare(datum: &Datum) -> String {
    encode(&mut *json([("schemas.enable", "false")]), datum).unwrap().unwrap()
}

fn numeric(datum: &Datum) -> String {
    let config = [("schemas.enable", "false"), ("decimal.format", "numeric")];
    encode(&mut *json(config), datum).unwrap().unwrap()
}

fn refused(datum: &Datum) -> String {
    let error = encode(&mut *json([("schemas.enable", "false")]), datum).unwrap_err();
    message(&error).to_owned()
}

fn golden() -> Datum {
    let required = Schema::of;
    let schema = Schema::structure()
        .name("com.x.Rec")
        .version(3)
        .doc("d")
        .optional()
        .field("id", required(Type::Int32))
        .field("n", Schema::optional(Type::String))
        .field("ts", Schema::logical_of(Logical::Timestamp))
        .field("amt", Schema::logical_of(Logical::Decimal(2)))
        .field("tags", schema(Schema::array(required(Type::String)).to_builder().optional()))
        .field("m", Schema::map(required(Type::String), required(Type::Float64)))
        .field("im", Schema::map(required(Type::Int32), required(Type::Boolean)))
        .field("f", required(Type::Float32))
        .field("b", required(Type::Bytes))
        .field("dv", schema(Schema::builder(Type::Int16).optional().default_value(Value::Int16(7))));
    let schema = self::schema(schema);
    let values = vec![
        Value::Int32(1),
        Value::Null,
        Value::Timestamp(1_700_000_000_123),
        Decimal::new(-156, 2).into(),
        vec!["a".into(), "é\"\u{1}/".into()].into(),
        Value::Map(Box::new([("k".into(), 1.0.into())])),
        Value::Map(Box::new([(Value::Int32(5), true.into())])),
        Value::Float32(1.1),
        Value::Bytes((&[0, 0xff]).into()),
        Value::Null,
    ];
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

const GOLDEN: &str = r#"{"id":1,"n":null,"ts":1700000000123,"amt":"/2Q=","tags":["a","é\"\u0001/"],"m":{"k":1.0},"im":[[5,true]],"f":1.1,"b":"AP8=","dv":7}"#;
const GOLDEN_SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"n"},{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"ts"},{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"amt"},{"type":"array","items":{"type":"string","optional":false},"optional":true,"field":"tags"},{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"double","optional":false},"optional":false,"field":"m"},{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"boolean","optional":false},"optional":false,"field":"im"},{"type":"float","optional":false,"field":"f"},{"type":"bytes","optional":false,"field":"b"},{"type":"int16","optional":true,"default":7,"field":"dv"}],"optional":true,"name":"com.x.Rec","version":3,"doc":"d"}"#;

#[test]
fn golden_record() {
    let golden = golden();
    assert_eq!(bare(&golden), GOLDEN);
    assert_eq!(numeric(&golden), GOLDEN.replace("\"/2Q=\"", "-1.56"));
    let keep = [("schemas.enable", "false"), ("replace.null.with.default", "false")];
    assert_eq!(
        encode(&mut *json(keep), &golden).unwrap().unwrap(),
        GOLDEN.replace("\"dv\":7", "\"dv\":null")
    );
    // Twice from one converter: the second time plan and schema text come from the cache.
    let mut converter = json([]);
    let expected = format!("{{\"schema\":{GOLDEN_SCHEMA},\"payload\":{GOLDEN}}}");
    for _ in 0..2 {
        assert_eq!(encode(&mut *converter, &golden).unwrap().unwrap(), expected);
    }
}

#[test]
fn golden_record_reads_back() {
    let mut converter = json([]);
    let written = encode(&mut *converter, &golden()).unwrap().unwrap();
    let mut read = crate::decode(&mut *converter, &written).unwrap();
    let mut expected = golden();
    if let Value::Struct(record) = &mut expected.value {
        record.set("dv", Value::Int16(7));
    }
    assert_eq!(read.schema, expected.schema);
    assert_eq!(read.value, expected.value);
    // What was read is the same data in the eyes of the writer, too.
    read.schema = golden().schema;
    assert_eq!(encode(&mut *converter, &read).unwrap().unwrap(), written);
}

#[test]
fn j1_to_j3_and_j6_schemas_and_envelopes() {
    let annotated = schema(
        Schema::builder(Type::Boolean)
            .optional()
            .name("b")
            .version(2)
            .doc("x")
            .parameter("z", "1")
            .parameter("a", "2")
            .default_value(Value::Boolean(true)),
    );
    let logical = |logical, value: Value| Datum::new(Schema::logical_of(logical), value);
    for (row, datum, text) in [
        (
            "J1",
            Datum::new(annotated, false),
            r#"{"schema":{"type":"boolean","optional":true,"name":"b","version":2,"doc":"x","parameters":{"z":"1","a":"2"},"default":true},"payload":false}"#,
        ),
        (
            "J2",
            logical(Logical::Date, Value::Date(3)),
            r#"{"schema":{"type":"int32","optional":false,"name":"org.apache.kafka.connect.data.Date","version":1},"payload":3}"#,
        ),
        (
            "J3",
            logical(Logical::Time, Value::Time(1234)),
            r#"{"schema":{"type":"int32","optional":false,"name":"org.apache.kafka.connect.data.Time","version":1},"payload":1234}"#,
        ),
        (
            "J6",
            Datum::new(Schema::optional(Type::String), Value::Null),
            r#"{"schema":{"type":"string","optional":true},"payload":null}"#,
        ),
        (
            "J16",
            Datum::schemaless(Object::from_entries([
                ("b", Value::Int32(1)),
                ("a", vec![Value::Int32(1), "x".into(), 2.5.into()].into()),
            ])),
            r#"{"schema":null,"payload":{"b":1,"a":[1,"x",2.5]}}"#,
        ),
    ] {
        assert_eq!(enveloped([], &datum), text, "{row}");
    }
    assert_eq!(bare(&Datum::new(Schema::optional(Type::String), Value::Null)), "null", "J6");
}

#[test]
fn j4_j5_decimals() {
    let decimal = |unscaled: i64, scale: i32| {
        Datum::new(Schema::logical_of(Logical::Decimal(scale)), Decimal::new(unscaled, scale))
    };
    assert_eq!(bare(&decimal(156, 2)), "\"AJw=\"", "J4");
    assert_eq!(bare(&decimal(-156, 2)), "\"/2Q=\"", "J4");
    for (unscaled, scale, text) in
        [(15600, 4, "1.5600"), (5, -3, "5E+3"), (1, 10, "1E-10"), (0, 10, "0E-10"), (100, 0, "100")]
    {
        assert_eq!(numeric(&decimal(unscaled, scale)), text, "J5");
    }
    let mismatch = Datum::new(Schema::logical_of(Logical::Decimal(3)), Decimal::new(15, 1));
    assert_eq!(
        refused(&mismatch),
        "Decimal value has mismatching scale for given Decimal schema. Schema has scale 3, value has scale 1."
    );
    assert_eq!(numeric(&mismatch), "1.5");
}

#[test]
fn j7_to_j9_nulls() {
    for enable in ["true", "false"] {
        let mut converter = json([("schemas.enable", enable)]);
        assert_eq!(encode(&mut *converter, &Datum::NULL).unwrap(), None, "J7");
        let error = encode(&mut *converter, &Datum::new(Schema::of(Type::String), Value::Null)).unwrap_err();
        assert_eq!(
            message(&error),
            "Conversion error: null value for field that is required and has no default value",
            "J8"
        );
    }
    let with_default = Schema::builder(Type::String).optional().default_value(Value::from("d"));
    let datum = Datum::new(schema(with_default), Value::Null);
    let text = |payload: &str| {
        format!(r#"{{"schema":{{"type":"string","optional":true,"default":"d"}},"payload":{payload}}}"#)
    };
    assert_eq!(enveloped([], &datum), text("\"d\""), "J9");
    assert_eq!(enveloped([("replace.null.with.default", "false")], &datum), text("null"), "J9");
    let required = schema(Schema::builder(Type::Int32).default_value(Value::Int32(5)));
    let record = schema(Schema::structure().field("f", required));
    let empty = Datum::new(record.clone(), Struct::empty(record).unwrap());
    assert_eq!(bare(&empty), r#"{"f":5}"#);
    let error = encode(&mut *json([("replace.null.with.default", "false")]), &empty).unwrap_err();
    assert!(message(&error).starts_with("Conversion error: null value"));
}

#[test]
fn j10_to_j12_floating_point() {
    for (value, text) in [
        (1.0, "1.0"),
        (1e7, "1.0E7"),
        (9_999_999.0, "9999999.0"),
        (0.001, "0.001"),
        (9.9e-4, "9.9E-4"),
        (123_456_789_012.0, "1.23456789012E11"),
        (1e21, "1.0E21"),
        (-0.0, "-0.0"),
        (5e-324, "4.9E-324"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::NAN, "\"NaN\""),
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
    ] {
        assert_eq!(plain(value), text, "J10, J11");
        assert_eq!(bare(&Datum::new(Schema::of(Type::Float64), value)), text, "J10, J11");
    }
    for (value, text) in [
        (1.1f32, "1.1"),
        (16_777_216.0, "1.6777216E7"),
        (f32::MAX, "3.4028235E38"),
        (1e-5, "1.0E-5"),
        (f32::NAN, "\"NaN\""),
    ] {
        assert_eq!(plain(value), text, "J12");
        assert_eq!(bare(&Datum::new(Schema::of(Type::Float32), value)), text, "J12");
    }
}

#[test]
fn j13_to_j15_strings() {
    assert_eq!(plain("\u{8}\u{c}\n\r\t\0\u{1f}"), r#""\b\f\n\r\t\u0000\u001F""#, "J13");
    assert_eq!(plain("😀"), "\"\\uD83D\\uDE00\"", "J14");
    assert_eq!(plain("😀").len(), 14, "J14");
    assert_eq!(plain(Object::from_entries([("😀", 1i32)])), "{\"\\uD83D\\uDE00\":1}", "J14");
    for text in ["é", "\u{2028}", "\u{7f}", "/", "<"] {
        assert_eq!(plain(text), format!("\"{text}\""), "J15");
    }
    let named = schema(Schema::builder(Type::Int32).name("n\"😀").parameter("a\n", "b").doc("é"));
    assert_eq!(
        enveloped([], &Datum::new(named, 1i32)),
        r#"{"schema":{"type":"int32","optional":false,"name":"n\"\uD83D\uDE00","doc":"é","parameters":{"a\n":"b"}},"payload":1}"#
    );
    let record = schema(Schema::structure().field("a\"😀", Schema::of(Type::Int32)));
    let datum = Datum::new(record.clone(), Struct::new(record, vec![Value::Int32(1)]).unwrap());
    assert_eq!(bare(&datum), "{\"a\\\"\\uD83D\\uDE00\":1}");
}

#[test]
fn j17_maps() {
    let map = |entries: Vec<(Value, Value)>| Value::Map(entries.into_boxed_slice());
    assert_eq!(plain(map(vec![(Value::Int32(1), Value::Int32(2))])), "[[1,2]]", "J17");
    assert_eq!(plain(map(vec![])), "{}");
    assert_eq!(plain(map(vec![("a".into(), Value::Null)])), r#"{"a":null}"#);
    let mixed = vec![("a".into(), Value::Int32(1)), (Value::Int32(2), Value::Null)];
    assert_eq!(plain(map(mixed)), r#"[["a",1],[2,null]]"#);
    assert_eq!(plain(map(vec![(Value::Null, Value::Int32(1))])), "[[null,1]]");
    let of = |keys: Schema| Schema::map(keys, Schema::of(Type::Int32));
    let entry = |key: Value| map(vec![(key, Value::Int32(1))]);
    let with_default = schema(Schema::builder(Type::String).default_value(Value::from("d")));
    for (keys, value, text) in [
        (Schema::of(Type::String), entry("k".into()), r#"{"k":1}"#),
        (Schema::of(Type::String), Object::from_entries([("k", 1i32)]).into(), r#"{"k":1}"#),
        (Schema::optional(Type::String), entry(Value::Null), r#"{"null":1}"#),
        (with_default, entry(Value::Null), r#"{"d":1}"#),
        (Schema::of(Type::Int32), map(vec![]), "[]"),
        (Schema::array(Schema::of(Type::Int32)), entry(vec![Value::Int32(1)].into()), "[[[1],1]]"),
    ] {
        assert_eq!(bare(&Datum::new(of(keys), value)), text);
    }
    assert!(
        refused(&Datum::new(of(Schema::of(Type::String)), entry(Value::Null)))
            .starts_with("Conversion error")
    );
}

#[test]
fn j18_values_of_another_type() {
    let of = Schema::of;
    let logical = Schema::logical_of;
    let empty = Struct::empty(schema(Schema::structure())).unwrap();
    let other = schema(Schema::structure().field("a", of(Type::Int32)));
    for (schema, value, text) in [
        (of(Type::Int32), "x".into(), "Invalid type for INT32: class java.lang.String"),
        (of(Type::Int64), Value::Int8(1), "Invalid type for INT64: class java.lang.Byte"),
        (of(Type::Bytes), "x".into(), "Invalid type for bytes type: class java.lang.String"),
        (of(Type::Int64), Value::Timestamp(0), "Invalid type for INT64: class java.util.Date"),
        (Schema::array(of(Type::Int8)), 1i8.into(), "Invalid type for ARRAY: class java.lang.Byte"),
        (
            Schema::map(of(Type::String), of(Type::Int8)),
            1i8.into(),
            "Invalid type for MAP: class java.lang.Byte",
        ),
        (other.clone(), 1i8.into(), "Invalid type for STRUCT: class java.lang.Byte"),
        (other, empty.into(), "Mismatching schema."),
        (
            logical(Logical::Date),
            Value::Int32(1),
            "Invalid type for Date, expected Date but was class java.lang.Integer",
        ),
        (
            logical(Logical::Time),
            "x".into(),
            "Invalid type for Time, expected Date but was class java.lang.String",
        ),
        (
            logical(Logical::Timestamp),
            Value::Int64(1),
            "Invalid type for Timestamp, expected Date but was class java.lang.Long",
        ),
        (
            logical(Logical::Decimal(1)),
            1.5.into(),
            "Invalid type for Decimal, expected BigDecimal but was class java.lang.Double",
        ),
    ] {
        assert_eq!(refused(&Datum::new(schema, value)), text, "J18");
    }
}

#[test]
fn j19_schemaless_values_without_a_type() {
    for (value, class) in [
        (Value::from(Decimal::new(1, 0)), "java.math.BigDecimal"),
        (Value::Date(0), "java.util.Date"),
        (Value::Time(0), "java.util.Date"),
        (Value::Timestamp(0), "java.util.Date"),
    ] {
        let text = format!("Java class class {class} does not have corresponding schema type.");
        assert_eq!(refused(&Datum::schemaless(value.clone())), text, "J19");
        assert_eq!(refused(&Datum::schemaless(vec![value])), text, "J19");
    }
    let record = Struct::empty(schema(Schema::structure())).unwrap();
    assert_eq!(refused(&Datum::schemaless(record)), "Mismatching schema.");
}

#[test]
fn one_instant_may_stand_for_another_as_java_has_one_class() {
    let day = 86_400_000;
    let date_text = "Kafka Connect Date type should not have any time fields set to non-zero values.";
    let time_text = "Kafka Connect Time type should not have any date fields set to non-zero values.";
    for (logical, value, outcome) in [
        (Logical::Date, Value::Timestamp(2 * day), Ok("2")),
        (Logical::Date, Value::Timestamp(1), Err(date_text)),
        (Logical::Date, Value::Timestamp(-day), Ok("-1")),
        (Logical::Time, Value::Timestamp(day), Ok("86400000")),
        (Logical::Time, Value::Date(1), Ok("86400000")),
        (Logical::Time, Value::Timestamp(day + 1), Err(time_text)),
        (Logical::Time, Value::Time(-1), Err(time_text)),
        (Logical::Timestamp, Value::Date(-1), Ok("-86400000")),
        (Logical::Timestamp, Value::Time(5), Ok("5")),
    ] {
        let datum = Datum::new(Schema::logical_of(logical), value);
        match outcome {
            Ok(text) => assert_eq!(bare(&datum), text),
            Err(text) => assert_eq!(refused(&datum), text),
        }
    }
}

#[test]
fn containers_of_inferred_headers_have_no_inner_schema() {
    let list = Datum::new(Schema::array_of_null(), vec![Value::Int8(1), "a".into()]);
    assert_eq!(
        enveloped([], &list),
        r#"{"schema":{"type":"array","items":null,"optional":false},"payload":[1,"a"]}"#
    );
    let map = Datum::new(Schema::map_of_null(), Value::Map(Box::default()));
    assert_eq!(
        enveloped([], &map),
        r#"{"schema":{"type":"map","keys":null,"values":null,"optional":false},"payload":[]}"#
    );
}
