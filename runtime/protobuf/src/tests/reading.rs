//! Messages that others wrote.

use lavka_api::data::{Logical, Type, Value};

use super::plan;
use crate::MappingSettings;
use crate::wire::{WireType, tag, write_varint};

fn settings() -> MappingSettings {
    MappingSettings::default()
}

fn read(text: &str, bytes: &[u8]) -> Vec<Value> {
    let plan = plan(text, "M", &settings()).unwrap();
    match plan.read(bytes).unwrap() {
        Value::Struct(record) => record.into_values().into_vec(),
        other => panic!("{other:?} is no struct"),
    }
}

#[test]
fn the_last_value_counts_and_messages_are_merged() {
    let text = "syntax = \"proto3\"; message M { int32 a = 1; N n = 2; message N { int32 x = 1; repeated int32 l = 2; string s \
                = 3; } }";
    // a = 1, n = {x: 1, l: [1]}, a = 2, n = {l: [2], s: "t"}
    let bytes = [8, 1, 0x12, 4, 8, 1, 0x10, 1, 8, 2, 0x12, 5, 0x10, 2, 0x1a, 1, b't'];
    let values = read(text, &bytes);
    assert_eq!(values[0], Value::Int32(2));
    let Value::Struct(n) = &values[1] else { panic!("no struct") };
    assert_eq!(n.values(), [Value::Int32(1), vec![Value::Int32(1), Value::Int32(2)].into(), "t".into()]);
}

#[test]
fn members_of_a_oneof_replace_each_other() {
    let text = "syntax = \"proto3\"; message M { oneof o { int32 a = 1; N n = 2; N m = 3; } message N { int32 x = 1; int32 y = 2; } }";
    let chosen = |bytes: &[u8]| {
        let values = read(text, bytes);
        let Value::Struct(union) = &values[0] else { panic!("no union") };
        union
            .iter()
            .find(|(_, value)| !value.is_null())
            .map(|(field, value)| (field.name().to_string(), value.clone()))
            .unwrap()
    };
    let xy = |value: &Value| match value {
        Value::Struct(n) => n.values().to_vec(),
        other => panic!("{other:?} is no struct"),
    };
    assert_eq!(chosen(&[8, 1]), ("a".into(), Value::Int32(1)));
    assert_eq!(chosen(&[0x12, 2, 8, 5, 8, 1]), ("a".into(), Value::Int32(1)));
    // n, n: merged.
    let (name, value) = chosen(&[8, 1, 0x12, 2, 8, 5, 0x12, 2, 0x10, 6]);
    assert_eq!((name.as_str(), xy(&value)), ("n", vec![Value::Int32(5), Value::Int32(6)]));
    // n, a, n: the first n is gone.
    let (name, value) = chosen(&[0x12, 2, 8, 5, 8, 1, 0x12, 2, 0x10, 6]);
    assert_eq!((name.as_str(), xy(&value)), ("n", vec![Value::Int32(0), Value::Int32(6)]));
    // n, m, n: as well.
    let (name, value) = chosen(&[0x12, 2, 8, 5, 0x1a, 0, 0x12, 2, 0x10, 6]);
    assert_eq!((name.as_str(), xy(&value)), ("n", vec![Value::Int32(0), Value::Int32(6)]));
    let flat = MappingSettings { flatten_unions: true, ..settings() };
    let plan = plan(text, "M", &flat).unwrap();
    let Value::Struct(record) = plan.read(&[0x12, 2, 8, 5, 8, 1]).unwrap() else { panic!("no struct") };
    assert_eq!(record.values(), [Value::Int32(1), Value::Null, Value::Null]);
    let Value::Struct(record) = plan.read(&[8, 1, 0x12, 2, 8, 5]).unwrap() else { panic!("no struct") };
    assert!(record.values()[0].is_null() && !record.values()[1].is_null());
}

#[test]
fn lists_are_read_packed_or_not_and_unknown_fields_are_passed_over() {
    let text =
        "syntax = \"proto3\"; message M { repeated int32 a = 1; repeated fixed32 b = 2 [packed = false]; }";
    // 1, then packed 2 3, then unknown fields of each kind, then 4.
    let bytes = [
        8, 1, 0x0a, 2, 2, 3, 0x50, 9, 0x51, 1, 2, 3, 4, 5, 6, 7, 8, 0x52, 1, 0, 0x53, 0x50, 1, 0x54, 0x55, 1,
        2, 3, 4, 8, 4, 0x12, 4, 1, 0, 0, 0, 0x15, 2, 0, 0, 0,
    ];
    let values = read(text, &bytes);
    assert_eq!(values[0], [1, 2, 3, 4].map(Value::Int32).to_vec().into());
    assert_eq!(values[1], [1, 2].map(Value::Int64).to_vec().into());
    // A known number with another wire type is unknown.
    assert_eq!(read(text, &[0x0d, 1, 2, 3, 4])[0], Vec::new().into());
}

#[test]
fn missing_fields_are_what_their_kind_says() {
    let text = "syntax = \"proto3\"; message M { int32 a = 1; optional int32 b = 2; N c = 3; repeated int32 d = 4; map<string, N> \
                e = 5; E f = 6; string g = 7; bytes h = 8; oneof o { int32 i = 9; } message N { int32 x = 1; } enum E { ZERO \
                = 0; ONE = 1; } }";
    let values = read(text, &[]);
    assert_eq!(
        values,
        [
            Value::Null,
            Value::Int32(0),
            Value::Null,
            Value::Null,
            Vec::new().into(),
            Value::Map([].into()),
            "ZERO".into(),
            "".into(),
            lavka_api::data::Blob::default().into(),
        ]
    );
    let generating = MappingSettings { struct_for_nulls: true, ..settings() };
    let Value::Struct(record) = plan(text, "M", &generating).unwrap().read(&[]).unwrap() else {
        panic!("no struct")
    };
    assert_eq!(record.get("b"), Some(&Value::Int32(0)));
    let Some(Value::Struct(c)) = record.get("c") else { panic!("no struct") };
    assert_eq!(c.values(), [Value::Int32(0)]);
    // A map's missing key and value are there: as their defaults.
    let Value::Map(entries) = &read(text, &[0x2a, 0])[5] else { panic!("no map") };
    assert_eq!(entries[0].0, "".into());
    assert!(matches!(&entries[0].1, Value::Struct(n) if n.values() == [Value::Int32(0)]));
}

#[test]
fn enums_are_symbols_or_numbers() {
    let text = "syntax = \"proto3\"; package p; message M { E a = 1; repeated E b = 2; } enum E { ZERO = 0; ONE = 1; }";
    let of = |settings: &MappingSettings| {
        let plan = plan(text, "p.M", settings).unwrap();
        let Value::Struct(record) = plan.read(&[8, 7, 0x12, 2, 1, 9]).unwrap() else { panic!("no struct") };
        (plan.schema().clone(), record.into_values().into_vec())
    };
    let (schema, values) = of(&settings());
    assert_eq!(values[0], "UNKNOWN_ENUM_VALUE_E_7".into());
    assert_eq!(values[1], vec!["ONE".into(), "UNKNOWN_ENUM_VALUE_E_9".into()].into());
    let a = schema.field("a").unwrap().schema();
    assert_eq!(
        (a.ty(), a.name().unwrap().as_str(), schema.name().unwrap().as_str()),
        (Type::String, "E", "M")
    );
    assert_eq!(a.parameter("io.confluent.connect.protobuf.Enum.ONE").unwrap().as_str(), "1");
    assert_eq!(a.parameter("io.confluent.connect.protobuf.Tag").unwrap().as_str(), "1");
    let numbers = MappingSettings { int_for_enums: true, enhanced_schemas: true, ..settings() };
    let (schema, values) = of(&numbers);
    assert_eq!(values, [Value::Int32(7), vec![Value::Int32(1), Value::Int32(9)].into()]);
    assert_eq!(schema.name().unwrap().as_str(), "p.M");
    assert_eq!(schema.field("a").unwrap().schema().name().unwrap().as_str(), "p.E");
    let general = MappingSettings { generalized_sum_types: true, ..settings() };
    let (schema, _) = of(&general);
    let a = schema.field("a").unwrap().schema();
    assert_eq!(a.parameter("org.apache.kafka.connect.data.Enum.ONE").unwrap().as_str(), "1");
}

#[test]
fn proto2_has_defaults_required_fields_groups_and_closed_enums() {
    let text = "message M { required int32 a = 1; optional int32 b = 2 [default = 5]; optional E c = 3 [default = TWO]; optional \
                group G = 4 { optional int32 x = 1; } repeated group L = 5 { optional int32 y = 1; } optional string s = 6; enum \
                E { ONE = 1; TWO = 2; } }";
    // a = 1, c = 9 (unknown), G {x: 3}, L {y: 4}, L {}, G again {}, s = not UTF-8
    let bytes = [8, 1, 0x18, 9, 0x23, 8, 3, 0x24, 0x2b, 8, 4, 0x2c, 0x2b, 0x2c, 0x23, 0x24, 0x32, 1, 0xff];
    let values = read(text, &bytes);
    assert_eq!(values[..3], [Value::Int32(1), Value::Null, Value::Null]);
    assert!(matches!(&values[3], Value::Struct(g) if g.values() == [Value::Int32(3)]));
    let Value::Array(list) = &values[4] else { panic!("no list") };
    assert!(
        matches!(&list[..], [Value::Struct(a), Value::Struct(b)] if a.values() == [Value::Int32(4)] && b.values() == [Value::Null])
    );
    assert_eq!(values[5], "\u{fffd}".into());
    let filling = MappingSettings { optional_for_proto2: false, ..settings() };
    let filled = plan(text, "M", &filling).unwrap();
    let Value::Struct(record) = filled.read(&[8, 1]).unwrap() else { panic!("no struct") };
    assert_eq!((record.get("b"), record.get("c")), (Some(&Value::Int32(5)), Some(&"TWO".into())));
    assert_eq!(filled.read(&[]).unwrap_err().message(), Some("Message missing required fields: a"));
}

#[test]
fn well_known_messages_are_values() {
    let text = "syntax = \"proto3\"; import \"google/protobuf/struct.proto\"; import \"google/protobuf/wrappers.proto\"; import \
                \"google/type/date.proto\"; import \"google/protobuf/timestamp.proto\"; import \
                \"confluent/type/decimal.proto\"; message M { google.protobuf.Struct s = 1; google.protobuf.Int64Value w = 2; \
                google.type.Date d = 3; google.protobuf.Timestamp t = 4; confluent.type.Decimal c = 5 \
                [(confluent.field_meta).params = {key: 'scale' value: '3'}, (confluent.field_meta) = {params: [{key: \
                \"precision\", value: \"7\"}]}]; }";
    // {"a": [null, 1.5, "x\"", true]}
    let list = [
        0x0a, 2, 8, 0, 0x0a, 9, 0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x0a, 4, 0x1a, 2, b'x', b'"', 0x0a, 2,
        0x20, 1,
    ];
    let mut value = vec![0x32, 25];
    value.extend(list);
    let mut entry = vec![0x0a, 1, b'a', 0x12, 27];
    entry.extend(value);
    let mut structure = vec![0x0a, 32];
    structure.extend(entry);
    let mut bytes = vec![0x0a, 34];
    bytes.extend(structure);
    bytes.extend([0x12, 2, 8, 6]);
    let values = read(text, &bytes);
    assert_eq!(values[0], "{\"a\":[null,1.5,\"x\\\"\",true]}".into());
    assert_eq!(values[1], Value::Int64(6));
    let schema = plan(text, "M", &settings()).unwrap().schema().clone();
    let of = |field: &str| schema.field(field).unwrap().schema().clone();
    assert_eq!((of("s").ty(), of("s").name().unwrap().as_str()), (Type::String, "google.protobuf.Struct"));
    assert_eq!((of("d").logical(), of("t").logical()), (Some(Logical::Date), Some(Logical::Timestamp)));
    assert_eq!(of("c").logical(), Some(Logical::Decimal(3)));
    assert_eq!(of("c").parameter("connect.decimal.precision").unwrap().as_str(), "7");
    let wrappers = "import \"google/protobuf/wrappers.proto\";";
    let root = plan(wrappers, "google.protobuf.UInt32Value", &settings()).unwrap();
    assert_eq!((root.schema().ty(), root.read(&[8, 3]).unwrap()), (Type::Int64, Value::Int64(3)));
    let kept = MappingSettings { wrapper_for_raw_primitives: false, ..settings() };
    assert_eq!(plan(wrappers, "google.protobuf.UInt32Value", &kept).unwrap().schema().ty(), Type::Struct);
}

#[test]
fn decimals_are_rounded_to_their_precision() {
    let text = "syntax = \"proto3\"; import \"confluent/type/decimal.proto\"; message M { confluent.type.Decimal c = 1; }";
    let decimal = |unscaled: &[u8], precision: u64, scale: u8| {
        let mut inner = vec![0x0a, unscaled.len() as u8];
        inner.extend(unscaled);
        inner.push(0x10);
        write_varint(&mut inner, precision);
        inner.extend([0x18, scale]);
        let mut bytes = vec![0x0a, inner.len() as u8];
        bytes.extend(inner);
        read(text, &bytes)[0].clone()
    };
    let shown = |value: Value| match value {
        Value::Decimal(decimal) => decimal.to_string(),
        other => panic!("{other:?} is no decimal"),
    };
    // 12345 at scale 2
    assert_eq!(shown(decimal(&[0x30, 0x39], 0, 2)), "123.45");
    assert_eq!(shown(decimal(&[0x30, 0x39], 5, 2)), "123.45");
    assert_eq!(shown(decimal(&[0x30, 0x39], 4, 2)), "123.5");
    assert_eq!(shown(decimal(&[0x30, 0x39], 1, 2)), "1E+2");
    // -999 rounds up to one digit more
    assert_eq!(shown(decimal(&[0xfc, 0x19], 2, 0)), "-1.0E+3");
    let error = plan(text, "M", &settings()).unwrap().read(&[0x0a, 2, 0x18, 1]).unwrap_err();
    assert_eq!(error.message(), Some("Zero length BigInteger"));
}

#[test]
fn messages_that_hold_themselves_are_refused() {
    let text = "syntax = \"proto3\"; message M { N n = 1; message N { repeated M m = 1; } }";
    let error = plan(text, "M", &settings()).unwrap_err().to_string();
    assert!(error.contains("Message M holds itself"), "{error}");
    let map = "syntax = \"proto3\"; message M { map<string, M> m = 1; }";
    assert!(plan(map, "M", &settings()).unwrap_err().to_string().contains("Message M holds itself"));
    let entry = "syntax = \"proto3\"; message M { repeated AEntry a = 1; message AEntry { string key = 1; BEntry value = 2; } message \
                 BEntry { AEntry key = 1; string value = 2; } }";
    assert!(plan(entry, "M", &settings()).unwrap_err().to_string().contains("holds itself"));
    // One that holds a message twice does not.
    let twice = "syntax = \"proto3\"; message M { N a = 1; repeated N b = 2; message N { int32 x = 1; } }";
    assert!(plan(twice, "M", &settings()).is_ok());
}

#[test]
fn high_numbers_are_found() {
    let text = "syntax = \"proto3\"; message M { int32 a = 536870911; int32 b = 3; int32 c = 256; }";
    let mut bytes = Vec::new();
    for (number, value) in [(536_870_911, 1), (3, 2), (256, 3)] {
        write_varint(&mut bytes, tag(number, WireType::Varint).into());
        write_varint(&mut bytes, value);
    }
    assert_eq!(read(text, &bytes), [Value::Int32(1), Value::Int32(2), Value::Int32(3)]);
}

#[test]
fn base64_of_a_descriptor_is_a_schema_too() {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    // name "a.proto", message M { string f = 1 [(confluent.field_meta) = {params {key: "k" value: "v"}}]; }, proto3
    let bytes = b"\x0a\x07a.proto\x22\x1c\x0a\x01M\x12\x17\x0a\x01f\x18\x01\x20\x01\x28\x09\x42\x0c\x82\x44\x09\x12\x07\x0a\x01k\x12\x02vw\x62\x06proto3";
    let mut fixed = bytes.to_vec();
    // Lengths follow from the parts.
    let meta = b"\x12\x07\x0a\x01k\x12\x02vw";
    let mut options = vec![0x82, 0x44, meta.len() as u8];
    options.extend(meta);
    let mut field = b"\x0a\x01f\x18\x01\x20\x01\x28\x09\x42".to_vec();
    field.push(options.len() as u8);
    field.extend(&options);
    let mut message = b"\x0a\x01M\x12".to_vec();
    message.push(field.len() as u8);
    message.extend(&field);
    fixed.clear();
    fixed.extend(b"\x0a\x07a.proto\x22");
    fixed.push(message.len() as u8);
    fixed.extend(&message);
    fixed.extend(b"\x62\x06proto3");
    let file = crate::schema::File::parse("a.proto", &BASE64_STANDARD.encode(&fixed)).unwrap();
    assert_eq!(
        file.to_text(),
        "syntax = \"proto3\";\n\nmessage M {\n  string f = 1 [(confluent.field_meta) = {\n    params: [\n      {\n        key: \
         \"k\",\n        value: \"vw\"\n      }\n    ]\n  }];\n}\n"
    );
    assert!(
        crate::schema::File::parse("a.proto", "message {")
            .unwrap_err()
            .to_string()
            .contains("Could not parse Protobuf")
    );
}
