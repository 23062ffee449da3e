//! `SimpleHeaderConverter`: the table of section 3.3, and the other converters in the role of header converters.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Object, Schema, Type, Value};

use crate::describe::describe;
use crate::{header_converter, topic};

fn read(text: &str) -> String {
    let mut converter = header_converter("SimpleHeaderConverter");
    describe(&converter.decode(&topic(), "h", Some(&Blob::from(text.as_bytes()))))
}

fn write(datum: &Datum) -> Option<String> {
    let mut out = Vec::new();
    let written = header_converter("SimpleHeaderConverter").encode(&topic(), "h", datum, &mut out).unwrap();
    written.then(|| String::from_utf8(out).unwrap())
}

const DECIMAL: &str = "BYTES(org.apache.kafka.connect.data.Decimal)v1{scale";

#[test]
fn table_3_3_scalars() {
    for (text, expected) in [
        ("", "STRING \"\""),
        ("null", "- null"),
        (" null ", "- null"),
        ("true", "BOOLEAN true"),
        (" true ", "BOOLEAN true"),
        ("True", "STRING \"True\""),
        ("1", "INT8 b1"),
        ("127", "INT8 b127"),
        ("-128", "INT8 b-128"),
        ("128", "INT16 s128"),
        ("32768", "INT32 i32768"),
        ("2147483648", "INT64 l2147483648"),
        ("9223372036854775808", &format!("{DECIMAL}=0}} D9223372036854775808/0")),
        ("1e400", &format!("{DECIMAL}=-400}} D1/-400")),
        ("1.0", "INT8 b1"),
        ("1e3", "INT16 s1000"),
        ("1E2", "INT8 b100"),
        ("1.5", &format!("FLOAT32 f{:08x}", 1.5f32.to_bits())),
        ("0.1", &format!("FLOAT32 f{:08x}", 0.1f32.to_bits())),
        ("-1.5e-3", &format!("FLOAT32 f{:08x}", (-1.5e-3f32).to_bits())),
        ("3.4e39", &format!("FLOAT64 d{:016x}", 3.4e39f64.to_bits())),
        ("007", "INT8 b7"),
        ("+5", "INT8 b5"),
        ("-0", "INT8 b0"),
        ("1_000", "STRING \"1_000\""),
        ("0x10", "STRING \"0x10\""),
        ("NaN", "STRING \"NaN\""),
        ("abc,def", "STRING \"abc,def\""),
        ("2023-01-02", "INT32(org.apache.kafka.connect.data.Date)v1 T1672617600000"),
        ("2023-01-02T03:04:05.006Z", "INT64(org.apache.kafka.connect.data.Timestamp)v1 T1672628645006"),
        ("03:04:05.006Z", "INT32(org.apache.kafka.connect.data.Time)v1 T11045006"),
        ("2020-13-45", "INT32(org.apache.kafka.connect.data.Date)v1 T1613260800000"),
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn table_3_3_containers() {
    for (text, expected) in [
        ("[1,2,3]", "ARRAY<INT8> [b1,b2,b3,]"),
        ("[1, 300]", "ARRAY<INT16> [s1,s300,]"),
        ("[1,\"a\"]", "ARRAY<-> [b1,\"a\",]"),
        ("[]", "ARRAY<-> []"),
        ("[null]", "ARRAY<-> [null,]"),
        ("[1.0,2.5]", "ARRAY<FLOAT32> [f3f800000,f40200000,]"),
        ("{}", "MAP<-,-> {}"),
        ("{\"a\":1}", "MAP<STRING,INT8> {\"a\":b1,}"),
        ("{\"a\":1,\"b\":\"x\"}", "MAP<STRING,-> {\"a\":b1,\"b\":\"x\",}"),
        ("{\"a\":null}", "MAP<STRING,-> {\"a\":null,}"),
        ("[true, false]", "ARRAY<BOOLEAN> [true,false,]"),
        ("{3: null}", "MAP<INT8,-> {b3:null,}"),
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn table_3_3_texts_that_stay_strings() {
    for text in [
        "\"quoted\"",
        "[1,",
        "{a:1}",
        "foo",
        "{foo: 3}",
        "{3: foo}",
        "[foo]",
        "{6:9 4:20}",
        "[0 1 2]",
        "{null: 3}",
        "true}",
        "false]",
    ] {
        let quoted = text.replace('"', "\\\"");
        assert_eq!(read(text), format!("STRING \"{quoted}\""), "{text:?}");
    }
}

#[test]
fn table_3_3_output() {
    let list = Value::from(vec!["a\"b".into(), "c\\d".into()]);
    let map = Object::from_entries([("a", Value::Int32(1)), ("b", "x".into()), ("c", Value::Null)]);
    for (datum, text) in [
        (Datum::schemaless("a\"b"), "a\"b"),
        (Datum::schemaless(list), r#"["a\"b","c\\d"]"#),
        (Datum::schemaless(map), r#"{"a":1,"b":"x","c":null}"#),
        (Datum::schemaless(Value::Bytes((&[1, 2]).into())), "AQI="),
        (Datum::schemaless(1e7), "1.0E7"),
        (Datum::schemaless(Decimal::new(150, 2)), "1.50"),
        (Datum::new(Schema::logical_of(Logical::Timestamp), Value::Timestamp(-1)), "23:59:59.999Z"),
        (Datum::new(Schema::logical_of(Logical::Date), Value::Date(0)), "00:00:00.000Z"),
        (Datum::new(Schema::logical_of(Logical::Time), Value::Time(1234)), "00:00:01.234Z"),
        (Datum::schemaless(""), ""),
    ] {
        assert_eq!(write(&datum).as_deref(), Some(text));
    }
    assert_eq!(write(&Datum::NULL), None);
    assert_eq!(write(&Datum::new(Schema::optional(Type::String), Value::Null)), None);
}

#[test]
fn null_headers() {
    let mut simple = header_converter("SimpleHeaderConverter");
    assert_eq!(simple.decode(&topic(), "h", None).unwrap(), Datum::NULL);
    let null = Datum::new(Schema::optional(Type::Int32), Value::Null);
    let mut out = Vec::new();
    assert!(header_converter("JsonConverter").encode(&topic(), "h", &null, &mut out).unwrap());
    assert_eq!(out, br#"{"schema":{"type":"int32","optional":true},"payload":null}"#);
    for class in ["StringConverter", "IntegerConverter"] {
        assert!(!header_converter(class).encode(&topic(), "h", &null, &mut Vec::new()).unwrap());
    }
    for class in ["ByteArrayConverter", "BooleanConverter"] {
        assert!(header_converter(class).encode(&topic(), "h", &null, &mut Vec::new()).is_err());
        assert!(header_converter(class).decode(&topic(), "h", None).unwrap().is_null());
    }
}

#[test]
fn hostile_headers_are_strings_in_no_time() {
    for text in [
        "[".repeat(1_000_000),
        "{\"a\":".repeat(200_000),
        "[[1],".repeat(100_000),
        "\"".repeat(1_000_000),
        "1".repeat(1_000_000),
        format!("1e{}", "9".repeat(1000)),
    ] {
        assert!(read(&text).starts_with("STRING "));
    }
    let many: String = (0..100_000).map(|i| format!("{i}:1,")).collect();
    assert!(read(&format!("{{{many}}}")).starts_with("MAP<INT32,INT8> "));
}
