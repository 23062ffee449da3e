//! The bytes of records, and records from bytes.

use lavka_api::data::{Blob, Decimal, Logical, Schema, Struct, Type, Value};

use super::{encode, round_trip};
use crate::MappingSettings;

fn settings() -> MappingSettings {
    MappingSettings::default()
}

fn one(schema: Schema, value: impl Into<Value>) -> (Schema, Value) {
    let schema = Schema::structure().name("M").field("f", schema).build().unwrap();
    let record = Struct::new(schema.clone(), [value.into()]).unwrap();
    (schema, record.into())
}

#[test]
fn numbers_and_texts_have_their_bytes() {
    let typed = |ty, name: &str| {
        Schema::builder(ty).parameter("io.confluent.connect.protobuf.Type", name).build().unwrap()
    };
    let of = Schema::of;
    for (schema, value, bytes) in [
        (of(Type::Int32), Value::Int32(150), &[0x08, 0x96, 0x01][..]),
        (of(Type::Int32), Value::Int32(-1), &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        (of(Type::Int8), Value::Int8(5), &[0x08, 5]),
        (of(Type::Int16), Value::Int16(300), &[0x08, 0xac, 2]),
        (of(Type::Int64), Value::Int64(0), &[]),
        (of(Type::Float32), Value::Float32(1.0), &[0x0d, 0, 0, 0x80, 0x3f]),
        (of(Type::Float64), Value::Float64(0.0), &[]),
        (of(Type::Float64), Value::Float64(-0.0), &[0x09, 0, 0, 0, 0, 0, 0, 0, 0x80]),
        (of(Type::Boolean), Value::Boolean(true), &[0x08, 1]),
        (of(Type::Boolean), Value::Boolean(false), &[]),
        (of(Type::String), "testing".into(), b"\x0a\x07testing"),
        (of(Type::String), "".into(), &[]),
        (of(Type::Bytes), Blob::from(&[0, 1]).into(), &[0x0a, 2, 0, 1]),
        (typed(Type::Int32, "sint32"), Value::Int32(-2), &[0x08, 3]),
        (typed(Type::Int32, "sfixed32"), Value::Int32(-1), &[0x0d, 255, 255, 255, 255]),
        (typed(Type::Int64, "uint32"), Value::Int64(4_294_967_295), &[0x08, 255, 255, 255, 255, 15]),
        (typed(Type::Int64, "fixed32"), Value::Int64(1), &[0x0d, 1, 0, 0, 0]),
        (typed(Type::Int64, "sint64"), Value::Int64(-1), &[0x08, 1]),
        (typed(Type::Int64, "fixed64"), Value::Int64(1), &[0x09, 1, 0, 0, 0, 0, 0, 0, 0]),
        (
            Schema::array(of(Type::Int32)),
            vec![Value::Int32(3), Value::Int32(270)].into(),
            &[0x0a, 3, 3, 0x8e, 2],
        ),
        (Schema::array(of(Type::Int32)), Vec::new().into(), &[]),
        (Schema::array(of(Type::String)), vec!["a".into(), "".into()].into(), &[0x0a, 1, b'a', 0x0a, 0]),
    ] {
        let (schema, value) = one(schema, value);
        assert_eq!(encode(&schema, &value, &settings()).unwrap(), bytes, "{value:?}");
        let (_, read) = round_trip(&schema, &value, &settings()).unwrap();
        let (Value::Struct(read), Value::Struct(written)) = (read, value) else { panic!("no struct") };
        assert_eq!(read.values(), written.values());
    }
}

#[test]
fn instants_and_decimals_are_messages() {
    for (logical, value, bytes) in [
        (Logical::Timestamp, Value::Timestamp(1500), &[0x0a, 8, 8, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 1][..]),
        (Logical::Timestamp, Value::Timestamp(0), &[0x0a, 0]),
        (
            Logical::Timestamp,
            Value::Timestamp(-1),
            &[0x0a, 17, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0x10, 0xc0, 0x8f, 0xae, 0xdc, 3],
        ),
        (Logical::Date, Value::Date(19_782), &[0x0a, 7, 8, 0xe8, 0x0f, 0x10, 2, 0x18, 29]),
        (Logical::Time, Value::Time(3_661_001), &[0x0a, 10, 8, 1, 0x10, 1, 0x18, 1, 0x20, 0xc0, 0x84, 0x3d]),
        (Logical::Decimal(2), Decimal::new(156, 2).into(), &[0x0a, 8, 0x0a, 2, 0, 0x9c, 0x10, 3, 0x18, 2]),
        (Logical::Decimal(0), Decimal::new(0, 0).into(), &[0x0a, 5, 0x0a, 1, 0, 0x10, 1]),
    ] {
        let (schema, value) = one(Schema::logical_of(logical), value);
        assert_eq!(encode(&schema, &value, &settings()).unwrap(), bytes, "{value:?}");
        let (_, read) = round_trip(&schema, &value, &settings()).unwrap();
        let (Value::Struct(read), Value::Struct(written)) = (read, value) else { panic!("no struct") };
        assert_eq!(read.values(), written.values());
    }
    // A whole day is the beginning of the next, as in Java.
    let (schema, value) = one(Schema::logical_of(Logical::Time), Value::Time(86_400_000));
    assert_eq!(encode(&schema, &value, &settings()).unwrap(), [0x0a, 0]);
    for (logical, value, part) in [
        (Logical::Timestamp, Value::Timestamp(i64::MAX), "must be in range"),
        (Logical::Date, Value::Timestamp(1), "time fields set to non-zero values"),
        (Logical::Date, Value::Date(i32::MIN), "google.type.Date can hold"),
        (Logical::Time, Value::Time(-1), "Time values must use number of millis"),
        (Logical::Decimal(0), Value::Int32(1), "expected BigDecimal but was class java.lang.Integer"),
    ] {
        let (schema, value) = one(Schema::logical_of(logical), value);
        let error = encode(&schema, &value, &settings()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("Field f"), "{error}");
    }
}

#[test]
fn nulls_are_left_out_and_defaults_stand_in() {
    let schema = Schema::structure()
        .name("M")
        .field("a", Schema::optional(Type::Int32))
        .field("b", Schema::builder(Type::Int32).optional().default_value(Value::Int32(7)).build().unwrap())
        .build()
        .unwrap();
    let nulls = Value::from(Struct::empty(schema.clone()).unwrap());
    assert_eq!(encode(&schema, &nulls, &settings()).unwrap(), [0x10, 7]);
    let ignoring = MappingSettings { ignore_default_for_nullables: true, ..settings() };
    assert!(encode(&schema, &nulls, &ignoring).unwrap().is_empty());
    // With presence, a zero is not a null.
    let labelled = MappingSettings { optional_for_nullables: true, ..ignoring };
    let zero = Value::from(Struct::new(schema.clone(), [Value::Int32(0), Value::Null]).unwrap());
    assert_eq!(encode(&schema, &zero, &labelled).unwrap(), [0x08, 0]);
    for value in [zero, nulls] {
        let Value::Struct(read) = round_trip(&schema, &value, &labelled).unwrap().1 else {
            panic!("no struct")
        };
        let Value::Struct(written) = value else { panic!("no struct") };
        assert_eq!(read.values(), written.values());
    }
}

#[test]
fn wrappers_tell_nulls_from_zeros() {
    let wrapping = MappingSettings { wrapper_for_nullables: true, ..settings() };
    for (ty, zero) in [
        (Type::Int8, Value::Int8(0)),
        (Type::Int64, Value::Int64(0)),
        (Type::Float32, Value::Float32(0.0)),
        (Type::Boolean, Value::Boolean(false)),
        (Type::String, "".into()),
        (Type::Bytes, Blob::default().into()),
    ] {
        let (schema, value) = one(Schema::optional(ty), zero.clone());
        assert_eq!(encode(&schema, &value, &wrapping).unwrap(), [0x0a, 0]);
        let (read_schema, read) = round_trip(&schema, &value, &wrapping).unwrap();
        let Value::Struct(read) = read else { panic!("no struct") };
        // Which of the smaller integers was in a wrapper is not said.
        let expected = if ty == Type::Int8 { Value::Int32(0) } else { zero };
        assert_eq!(read.values(), [expected]);
        assert!(read_schema.field("f").unwrap().schema().is_optional());
        let (schema, null) = one(Schema::optional(ty), Value::Null);
        let Value::Struct(read) = round_trip(&schema, &null, &wrapping).unwrap().1 else {
            panic!("no struct")
        };
        assert_eq!(read.values(), [Value::Null]);
    }
    // A signed wrapper stands in for an unsigned one, as Java has it.
    let unsigned = Schema::builder(Type::Int64)
        .optional()
        .parameter("io.confluent.connect.protobuf.Type", "uint32")
        .build()
        .unwrap();
    let (schema, value) = one(unsigned, Value::Int64(1));
    assert_eq!(encode(&schema, &value, &wrapping).unwrap(), [0x0a, 2, 8, 1]);
}

#[test]
fn maps_are_entries() {
    let map = Schema::map(Schema::of(Type::String), Schema::of(Type::Int32))
        .to_builder()
        .name("m")
        .build()
        .unwrap();
    let entries = Value::Map([("a".into(), Value::Int32(1)), ("".into(), Value::Int32(0))].into());
    let (schema, value) = one(map, entries.clone());
    assert_eq!(encode(&schema, &value, &settings()).unwrap(), [0x0a, 5, 0x0a, 1, b'a', 0x10, 1, 0x0a, 0]);
    let (read_schema, read) = round_trip(&schema, &value, &settings()).unwrap();
    let Value::Struct(read) = read else { panic!("no struct") };
    assert_eq!(read.values(), [entries]);
    let read_map = read_schema.field("f").unwrap().schema().clone();
    assert_eq!((read_map.ty(), read_map.name().unwrap().as_str()), (Type::Map, "m"));
}

#[test]
fn unions_are_oneofs() {
    let member = |ty, tag: &str| {
        Schema::builder(ty).optional().parameter("io.confluent.connect.protobuf.Tag", tag).build().unwrap()
    };
    let union = Schema::structure()
        .name("io.confluent.connect.protobuf.Union.kind")
        .optional()
        .field("text", member(Type::String, "2"))
        .field("number", member(Type::Int32, "1"))
        .build()
        .unwrap();
    let schema = Schema::structure().name("M").field("kind_0", union.clone()).build().unwrap();
    let with = |text: Value, number: Value| {
        let members = Struct::new(union.clone(), [text, number]).unwrap();
        Value::from(Struct::new(schema.clone(), [members.into()]).unwrap())
    };
    assert_eq!(encode(&schema, &with("".into(), Value::Null), &settings()).unwrap(), [0x12, 0]);
    assert_eq!(encode(&schema, &with(Value::Null, Value::Int32(0)), &settings()).unwrap(), [0x08, 0]);
    let value = with(Value::Null, Value::Int32(5));
    assert_eq!(encode(&schema, &value, &settings()).unwrap(), [0x08, 5]);
    let (read_schema, read) = round_trip(&schema, &value, &settings()).unwrap();
    let Value::Struct(read) = read else { panic!("no struct") };
    let kind = read_schema.field("kind_0").unwrap();
    assert_eq!(kind.schema().name().unwrap().as_str(), "io.confluent.connect.protobuf.Union.kind");
    let Some(Value::Struct(members)) = read.get("kind_0") else { panic!("no union") };
    assert_eq!((members.get("number"), members.get("text")), (Some(&Value::Int32(5)), Some(&Value::Null)));
    let nothing = with(Value::Null, Value::Null);
    let error = encode(&schema, &nothing, &settings()).unwrap_err();
    assert!(error.to_string().contains("Cannot find non-null field"));
    let flat = MappingSettings { flatten_unions: true, ..settings() };
    let Value::Struct(read) = round_trip(&schema, &value, &flat).unwrap().1 else { panic!("no struct") };
    assert_eq!(read.get("number"), Some(&Value::Int32(5)));
    assert_eq!(read.get("text"), Some(&Value::Null));
}

#[test]
fn primitive_roots_go_both_ways() {
    for (value, bytes) in [
        (Value::Int32(7), &[8, 7][..]),
        (Value::Int64(0), &[]),
        (Value::Boolean(true), &[8, 1]),
        ("x".into(), &[0x0a, 1, b'x']),
        (Value::Float64(1.5), &[9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    ] {
        let schema = Schema::of(value.natural_type().unwrap());
        assert_eq!(encode(&schema, &value, &settings()).unwrap(), bytes);
        assert_eq!(round_trip(&schema, &value, &settings()).unwrap(), (schema, value));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_field() {
    for (schema, value, part) in [
        (Schema::of(Type::Int32), Value::from("x"), "Invalid type for INT32: class java.lang.String"),
        (Schema::of(Type::String), Value::Int32(1), "Invalid type for STRING: class java.lang.Integer"),
        (Schema::array(Schema::of(Type::Int32)), vec![Value::Null].into(), "An array has a null in it"),
        (Schema::array(Schema::of(Type::Int32)), Value::Int32(1), "Invalid type for ARRAY"),
        (
            Schema::map(Schema::of(Type::String), Schema::of(Type::Int32)),
            Value::Int32(1),
            "Invalid type for MAP",
        ),
    ] {
        let (schema, value) = one(schema, value);
        let error = encode(&schema, &value, &settings()).unwrap_err().to_string();
        assert!(error.contains("Field f cannot be written") && error.contains(part), "{error}");
    }
    let (schema, _) = one(Schema::of(Type::Int32), Value::Null);
    let (other, value) = one(Schema::of(Type::Int64), Value::Null);
    assert_ne!(schema, other);
    assert_eq!(
        encode(&schema, &value, &settings()).unwrap_err().message(),
        Some("Mismatching struct schema")
    );
}
