//! Rules of the mapping beyond what `JsonConverter` can say, and where this differs from Java on purpose.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Schema, ShapeTable, Struct, Type, Value};
use lavka_avro::{AvroSchema, Decoder, Encoder, Mapping};

fn point(name: &str, field: &str) -> Schema {
    Schema::structure().name(name).field(field, Schema::of(Type::Int32)).build().unwrap()
}

/// Java writes the first definition and the data of the second, which nobody can read.
#[test]
fn two_types_of_one_name_are_refused() {
    let of = |first: Schema, second: Schema| {
        let both = Schema::structure().name("T").field("a", first).field("b", second).build().unwrap();
        Mapping::default().to_avro(Some(&both))
    };
    for second in [
        point("R", "y"),
        Schema::array(point("R", "y")),
        point("R", "y").to_builder().optional().build().unwrap(),
        Schema::map(Schema::of(Type::String), point("R", "y")),
    ] {
        let error = of(point("R", "x"), second).unwrap_err();
        assert!(error.to_string().starts_with("Can't redefine: R."), "{error}");
    }
    // What does not change the bytes may differ.
    let documented = point("R", "x").to_builder().doc("another").build().unwrap();
    let schema = of(point("R", "x"), documented).unwrap();
    assert_eq!(
        schema.to_string(),
        r#"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[{"name":"x","type":"int"}],"connect.name":"R"}},{"name":"b","type":"R"}],"connect.name":"T"}"#
    );
}

/// The default of a struct, which is the field's and the property's.
#[test]
fn defaults_of_structs_go_both_ways() {
    let bare = point("D", "x");
    let default = Value::from(Struct::new(bare.clone(), [Value::Int32(1)]).unwrap());
    let with_default = bare.to_builder().default_value(default).build().unwrap();
    let schema = Schema::structure().name("T").field("s", with_default).build().unwrap();
    let mapping = Mapping::default();
    let avro = mapping.to_avro(Some(&schema)).unwrap();
    assert_eq!(
        avro.to_string(),
        r#"{"type":"record","name":"T","fields":[{"name":"s","type":{"type":"record","name":"D","fields":[{"name":"x","type":"int"}],"connect.default":{"x":1},"connect.name":"D"},"default":{"x":1}}],"connect.name":"T"}"#
    );
    let back = mapping.to_connect(&AvroSchema::parse(&avro.to_string()).unwrap(), None).unwrap().unwrap();
    let Some(Value::Struct(default)) = back.field("s").unwrap().schema().default_value() else {
        panic!("no default")
    };
    assert_eq!(default.values(), [Value::Int32(1)]);
    // A null is written as the default.
    let record = Value::from(Struct::new(schema.clone(), [Value::Null]).unwrap());
    let mut bytes = Vec::new();
    assert!(Encoder::new(&mapping, Some(&schema), &avro).unwrap().encode(&record, &mut bytes).unwrap());
    assert_eq!(bytes, [2]);
}

#[test]
fn the_members_of_a_union_have_defaults_too() {
    let text = r#"{"type":"record","name":"R","fields":[{"name":"u","type":["int","string"],"default":4}]}"#;
    let reader = AvroSchema::parse(text).unwrap();
    let writer = AvroSchema::parse(r#"{"type":"record","name":"R","fields":[]}"#).unwrap();
    let decoder = Decoder::new(&Mapping::default(), &writer, &reader, None).unwrap();
    let Value::Struct(record) = decoder.decode(&[], &mut ShapeTable::new(1)).unwrap() else {
        panic!("no struct")
    };
    let Some(Value::Struct(union)) = record.get("u") else { panic!("no union") };
    assert_eq!(union.values(), [Value::Int32(4), Value::Null]);
}

#[test]
fn readers_resolve_what_writers_wrote() {
    // (writer, reader, bytes, what is read)
    for (writer, reader, bytes, read) in [
        ("\"int\"", "\"long\"", &[14][..], Value::Int64(7)),
        ("\"int\"", "\"float\"", &[14], Value::Float32(7.0)),
        ("\"long\"", "\"double\"", &[13], Value::Float64(-7.0)),
        ("\"float\"", "\"double\"", &[0, 0, 0x80, 0x3F], Value::Float64(1.0)),
        ("\"string\"", r#"["null","bytes"]"#, &[2, 65], Value::Bytes(b"A".into())),
        (r#"["int","null"]"#, r#"["null","long"]"#, &[0, 14], Value::Int64(7)),
        (r#"["int","null"]"#, r#"["null","long"]"#, &[2], Value::Null),
        (r#"["int","string"]"#, "\"long\"", &[0, 14], Value::Int64(7)),
        (
            r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
            r#"{"type":"enum","name":"E","symbols":["A","Z"],"default":"Z"}"#,
            &[2],
            "Z".into(),
        ),
        (
            r#"{"type":"array","items":"int"}"#,
            r#"{"type":"array","items":"double"}"#,
            &[1, 2, 14, 0],
            vec![Value::Float64(7.0)].into(),
        ),
        (
            r#"{"type":"fixed","name":"old.F","size":1}"#,
            r#"{"type":"fixed","name":"new.F","aliases":["old.F"],"size":1}"#,
            &[9],
            Value::Bytes(b"\x09".into()),
        ),
    ] {
        let (w, r) = (AvroSchema::parse(writer).unwrap(), AvroSchema::parse(reader).unwrap());
        let decoder = Decoder::new(&Mapping::default(), &w, &r, None).unwrap();
        assert_eq!(decoder.decode(bytes, &mut ShapeTable::new(1)).unwrap(), read, "{writer} as {reader}");
    }
    for (writer, reader, why) in [
        ("\"long\"", "\"int\"", "Found long, expecting int"),
        ("\"string\"", r#"["null","int"]"#, "Found string, expecting union"),
        (
            r#"{"type":"record","name":"R","fields":[]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}"#,
            "missing required field x",
        ),
        (
            r#"{"type":"fixed","name":"F","size":1}"#,
            r#"{"type":"fixed","name":"F","size":2}"#,
            "Found F, expecting F",
        ),
    ] {
        let (w, r) = (AvroSchema::parse(writer).unwrap(), AvroSchema::parse(reader).unwrap());
        let error = Decoder::new(&Mapping::default(), &w, &r, None).err().unwrap();
        assert!(error.to_string().contains(why), "{why} in {error}");
    }
}

/// Fields move, come, go and are renamed.
#[test]
fn records_evolve() {
    let writer = r#"{"type":"record","name":"R","fields":[{"name":"gone","type":{"type":"map","values":"R"}},
        {"name":"b","type":"string"},{"name":"old","type":"int"}]}"#;
    let reader = r#"{"type":"record","name":"R","fields":[{"name":"new","type":"long","aliases":["old"]},
        {"name":"more","type":["null","int"],"default":null},{"name":"b","type":"string"},
        {"name":"unit","type":"string","default":"C"}]}"#;
    let (w, r) = (AvroSchema::parse(writer).unwrap(), AvroSchema::parse(reader).unwrap());
    let decoder = Decoder::new(&Mapping::default(), &w, &r, None).unwrap();
    // A map of one record of the same kind, which is passed over, and the same in a block with its length.
    let inner = [0, 2, b'i', 2];
    let plain = [&[2, 2, b'k'][..], &inner, &[0, 2, b'B', 14]].concat();
    let sized = [&[1, 12, 2, b'k'][..], &inner, &[0, 2, b'B', 14]].concat();
    for bytes in [plain, sized] {
        let Value::Struct(record) = decoder.decode(&bytes, &mut ShapeTable::new(1)).unwrap() else {
            panic!("no struct")
        };
        assert_eq!(record.values(), [Value::Int64(7), Value::Null, "B".into(), "C".into()]);
    }
}
