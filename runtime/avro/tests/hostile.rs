//! Bytes and schemas that nobody vouches for: errors, but no panic, no endless work, and no memory out of proportion.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Schema, ShapeTable, Struct, Type, Value};
use lavka_avro::{AvroSchema, Decoder, Encoder, Mapping, write_length};
use proptest::prelude::*;

const SCHEMAS: &[&str] = &[
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]},{"name":"c","type":{"type":"array","items":"long"}},{"name":"d","type":{"type":"map","values":["int","string",{"type":"fixed","name":"F","size":3}]}},{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},{"name":"f","type":"double"}]}"#,
    r#"{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}"#,
    r#"{"type":"array","items":{"type":"array","items":{"type":"fixed","name":"Zero","size":0}}}"#,
    r#"{"type":"array","items":{"type":"array","items":{"type":"map","values":"bytes"}}}"#,
    r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"long"},{"name":"value","type":["null","string"]}]}}"#,
    r#"{"type":"record","name":"D","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"b","type":{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9,"scale":2}},{"name":"c","type":{"type":"int","logicalType":"date"}}]}"#,
    r#"{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[{"name":"boolean","type":["null","boolean"]},{"name":"bytes","type":["null","bytes"]},{"name":"double","type":["null","double"]},{"name":"float","type":["null","float"]},{"name":"int","type":["null","int"]},{"name":"long","type":["null","long"]},{"name":"string","type":["null","string"]},{"name":"array","type":["null",{"type":"array","items":"Anything"}]},{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}]}]}"#,
    r#"["null","int",{"type":"record","name":"R","fields":[{"name":"x","type":"float"}]},{"type":"array","items":"boolean"}]"#,
    "\"bytes\"",
];

/// A reader that lacks all of a writer's fields has to pass over them, recursive ones too.
const SKIPPED: &str = r#"{"type":"record","name":"S","fields":[{"name":"t","type":{"type":"record","name":"T","fields":[{"name":"l","type":["null","T"]},{"name":"r","type":{"type":"array","items":"T"}},{"name":"m","type":{"type":"map","values":"T"}}]}},{"name":"e","type":{"type":"array","items":{"type":"record","name":"E","fields":[]}}}]}"#;
const SKIPPING: &str = r#"{"type":"record","name":"S","fields":[]}"#;

fn decoders() -> Vec<Decoder> {
    let mapping = Mapping::default();
    let parse = |text: &str| AvroSchema::parse(text).unwrap();
    let mut all: Vec<Decoder> = SCHEMAS
        .iter()
        .map(|text| Decoder::new(&mapping, &parse(text), &parse(text), None).unwrap())
        .collect();
    all.push(Decoder::new(&mapping, &parse(SKIPPED), &parse(SKIPPING), None).unwrap());
    all
}

/// Bytes that allocate at most this many times their length, and so much at least: the values that take no bytes.
const TIMES: u64 = 200;
const AT_LEAST: u64 = 8 << 20;

fn check(decoder: &Decoder, bytes: &[u8]) {
    let measured = allocation_counter::measure(|| {
        drop(decoder.decode(bytes, &mut ShapeTable::new(100)));
    });
    let allowed = AT_LEAST + TIMES * bytes.len() as u64;
    assert!(measured.bytes_max <= allowed, "{} bytes for {} bytes", measured.bytes_max, bytes.len());
}

/// Bytes as an attacker makes them: lengths and counts of every size between short runs.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        any::<i64>(),
        -70..70_i64,
        Just(i64::MIN),
        Just(i64::MAX),
        (0..63_u32).prop_map(|shift| 1 << shift),
        (0..63_u32).prop_map(|shift| -(1 << shift)),
    ];
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        number.prop_map(|value: i64| {
            let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
            let mut out = Vec::new();
            while rest >= 0x80 {
                out.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            out.push(rest as u8);
            out
        }),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_read_or_refused(bytes in bytes()) {
        for decoder in decoders() {
            check(&decoder, &bytes);
        }
    }

    #[test]
    fn schemas_are_read_or_refused(which in 0..SCHEMAS.len(), at in any::<prop::sample::Index>(), cut in 0..40_usize,
        insert in "[\\[\\]{}\",:a-z0-9]{0,12}") {
        let mut text = SCHEMAS[which].to_owned();
        let start = at.index(text.len());
        text.replace_range(start..(start + cut).min(text.len()), &insert);
        if let Ok(schema) = AvroSchema::parse(&text) {
            let printed = schema.to_string();
            prop_assert_eq!(AvroSchema::parse(&printed).unwrap().to_string(), printed);
            let mapping = Mapping::default();
            if let Ok(decoder) = Decoder::new(&mapping, &schema, &schema, None) {
                check(&decoder, &[2, 2, 2, 2, 0, 0, 0, 0]);
            }
        }
    }

    #[test]
    fn text_is_a_schema_or_refused(text in ".{0,60}") {
        drop(AvroSchema::parse(&text));
    }
}

#[test]
fn counts_that_cannot_be_are_found_before_memory_is() {
    let zigzag = |value: i64| {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        let mut out = Vec::new();
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
        out
    };
    for decoder in decoders() {
        for count in [i64::MAX, i64::MIN, -1, 1 << 31, 1 << 40, -(1 << 40)] {
            for prefix in [&[][..], &[0], &[2], &[0, 0], &[2, 2, 2]] {
                let bytes = [prefix, &zigzag(count), &[2], &zigzag(count), &[0, 0]].concat();
                check(&decoder, &bytes);
            }
        }
    }
}

/// Levels upon levels of whatever can be nested, in data and in schemas.
#[test]
fn depth_is_bounded() {
    let mapping = Mapping::default();
    let anything = AvroSchema::parse(SCHEMAS[6]).unwrap();
    let decoder = Decoder::new(&mapping, &anything, &anything, None).unwrap();
    // Arrays of one array of one array.
    let nested = [0, 0, 0, 0, 0, 0, 0, 2, 2].repeat(100_000);
    let error = decoder.decode(&nested, &mut ShapeTable::new(10)).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");

    let recursive = Decoder::new(
        &mapping,
        &AvroSchema::parse(SKIPPED).unwrap(),
        &AvroSchema::parse(SKIPPING).unwrap(),
        None,
    )
    .unwrap();
    let error = recursive.decode(&[2; 100_000], &mut ShapeTable::new(10)).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");

    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(100_000), "}".repeat(100_000));
    assert!(AvroSchema::parse(&deep).is_err());
}

/// Shallow text can mean deep types: each record of a list holds the one before.
#[test]
fn chains_of_names_are_bounded() {
    let mapping = Mapping::default();
    let chain = |length: usize, fields: usize| {
        let record = |i: usize| {
            let ty = if i == 0 { "int".to_owned() } else { format!("R{}", i - 1) };
            let fields: Vec<String> =
                (0..fields).map(|j| format!(r#"{{"name":"f{j}","type":"{ty}"}}"#)).collect();
            format!(r#"{{"type":"record","name":"R{i}","fields":[{}]}}"#, fields.join(","))
        };
        format!("[{}]", (0..length).map(record).collect::<Vec<_>>().join(","))
    };
    let error = AvroSchema::parse(&chain(5000, 1)).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");

    // A record of two of the one before, thirty times: a thousand million fields.
    let wide = AvroSchema::parse(&chain(31, 2)).unwrap();
    let decoder = Decoder::new(&mapping, &wide, &wide, None).unwrap();
    assert!(decoder.decode(&[60, 1, 2, 3], &mut ShapeTable::new(10)).is_err());
    let schema = decoder.schema().unwrap();
    assert!(mapping.to_avro(Some(schema)).is_ok());

    // The same with nothing in it takes no bytes at all.
    let nothing =
        AvroSchema::parse(&chain(31, 2).replace("\"type\":\"int\"", "\"type\":\"Empty\"").replacen(
            '[',
            r#"[{"type":"record","name":"Empty","fields":[]},"#,
            1,
        ))
        .unwrap();
    let decoder = Decoder::new(&mapping, &nothing, &nothing, None).unwrap();
    let error = decoder.decode(&[62], &mut ShapeTable::new(10)).unwrap_err();
    assert!(error.to_string().contains("values that take no bytes"), "{error}");

    let references: Vec<String> = (0..400)
        .map(|i| {
            let ty = if i == 0 { "int".to_owned() } else { format!("R{}", i - 1) };
            format!(r#"{{"type":"record","name":"R{i}","fields":[{{"name":"f","type":"{ty}"}}]}}"#)
        })
        .collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    assert!(AvroSchema::parse_with("\"R399\"", &references).is_err());
    assert!(AvroSchema::parse_with("\"R50\"", &references).is_ok());
}

#[test]
fn recursion_is_refused_with_its_reason() {
    let list = r#"{"type":"record","name":"List","fields":[{"name":"next","type":["null","List"]}]}"#;
    let schema = AvroSchema::parse(list).unwrap();
    let error = Mapping::default().to_connect(&schema, None).unwrap_err();
    assert!(error.to_string().contains("The Avro record List contains itself"), "{error}");
}

/// Items that a newer schema dropped, or added fields to, are paid for by their own bytes.
#[test]
fn many_honest_items_are_read_by_a_newer_schema() {
    const MANY: usize = 3 * 65_537;
    let decoder = |writer: &str, reader: &str| {
        let record = |fields: &str| {
            AvroSchema::parse(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)).unwrap()
        };
        Decoder::new(&Mapping::default(), &record(writer), &record(reader), None).unwrap()
    };
    let bytes = |item: &[u8]| {
        let mut bytes = Vec::new();
        write_length(&mut bytes, MANY);
        bytes.extend(item.repeat(MANY));
        bytes.extend([0, 14]);
        bytes
    };
    let rest = r#"{"name":"rest","type":"int"}"#;
    let items = |fields: &str| {
        let items = format!(r#"{{"type":"record","name":"I","fields":[{fields}]}}"#);
        format!(r#"{{"name":"items","type":{{"type":"array","items":{items}}}}},{rest}"#)
    };
    let (a, b) = (r#"{"name":"a","type":"int"}"#, r#"{"name":"b","type":"int","default":0}"#);
    let floats = format!(r#"{{"name":"items","type":{{"type":"array","items":"float"}}}},{rest}"#);
    for (writer, reader, item) in [
        (&floats, rest, &[0, 0, 128, 63][..]),
        (&items(a), rest, &[2]),
        (&items(a), &items(&format!("{a},{b}")), &[2]),
        (&items(a), &items(b), &[2]),
        (&items(&format!("{a},{b}")), &items(a), &[2, 2]),
    ] {
        let value = decoder(writer, reader).decode(&bytes(item), &mut ShapeTable::new(10)).unwrap();
        let Value::Struct(record) = value else { panic!("no struct") };
        assert_eq!(record.get("rest"), Some(&Value::Int32(7)), "{writer} as {reader}");
        if let Some(items) = record.get("items") {
            assert!(matches!(items, Value::Array(items) if items.len() == MANY), "{writer} as {reader}");
        }
    }
}

/// What takes no bytes is bounded where it is skipped, too.
#[test]
fn items_of_no_bytes_are_not_skipped_for_ever() {
    let writer =
        r#"{"type":"record","name":"R","fields":[{"name":"n","type":{"type":"array","items":TYPE}}]}"#;
    for ty in [
        r#""null""#,
        r#"{"type":"fixed","name":"F","size":0}"#,
        r#"{"type":"record","name":"E","fields":[]}"#,
    ] {
        let writer = AvroSchema::parse(&writer.replace("TYPE", ty)).unwrap();
        let reader = AvroSchema::parse(r#"{"type":"record","name":"R","fields":[]}"#).unwrap();
        let decoder = Decoder::new(&Mapping::default(), &writer, &reader, None).unwrap();
        let mut bytes = Vec::new();
        write_length(&mut bytes, 1 << 40);
        bytes.push(0);
        let error = decoder.decode(&bytes, &mut ShapeTable::new(10)).unwrap_err();
        assert!(error.to_string().contains("values that take no bytes"), "{error}");
    }
}

/// Room is made for what is there, whatever might be.
#[test]
fn nulls_take_no_room() {
    let lowest =
        Schema::structure().name("R").field("a", Schema::of(Type::Int32)).optional().build().unwrap();
    let schema = (0..22).fold(lowest, |inner, level| {
        let builder = Schema::structure().name(format!("R{level}")).optional();
        builder.field("x", inner.clone()).field("y", inner).build().unwrap()
    });
    let mapping = Mapping::default();
    let avro = mapping.to_avro(Some(&schema)).unwrap();
    let encoder = Encoder::new(&mapping, Some(&schema), &avro).unwrap();
    let value = Value::from(Struct::empty(schema).unwrap());
    let mut out = Vec::new();
    let measured = allocation_counter::measure(|| assert!(encoder.encode(&value, &mut out).unwrap()));
    assert!(measured.bytes_max < 1 << 16, "{} bytes", measured.bytes_max);
    assert_eq!(out.len(), 3);
}

/// Each record has the one before in two fields, with a default: every place is a schema of its own.
#[test]
fn defaults_made_of_defaults_are_bounded() {
    // Each default is ten times that of the level below, in no more text.
    let lists = |levels: usize| {
        let lowest = r#"{"type":"record","name":"R0","fields":[{"name":"a","type":"int","default":1}]}"#;
        (1..=levels).fold(lowest.to_owned(), |inner, level| {
            let ten = ["{}"; 10].join(",");
            let x = format!(r#"{{"name":"x","type":{{"type":"array","items":{inner}}},"default":[{ten}]}}"#);
            format!(r#"{{"type":"record","name":"R{level}","fields":[{x}]}}"#)
        })
    };
    for (levels, has_default) in [(3, true), (20, false)] {
        let schema = AvroSchema::parse(&lists(levels)).unwrap();
        let schema = Mapping::default().to_connect(&schema, None).unwrap().unwrap();
        assert_eq!(schema.fields()[0].schema().default_value().is_some(), has_default, "{levels}");
    }
}

#[test]
fn places_with_defaults_are_bounded() {
    let two = |levels: usize| {
        let lowest = r#"{"type":"record","name":"R0","fields":[{"name":"a","type":"int","default":0}]}"#;
        (1..=levels).fold(lowest.to_owned(), |inner, level| {
            let x = format!(r#"{{"name":"x","type":{inner},"default":{{}}}}"#);
            let y = format!(r#"{{"name":"y","type":"R{}","default":{{}}}}"#, level - 1);
            format!(r#"{{"type":"record","name":"R{level}","fields":[{x},{y}]}}"#)
        })
    };
    let mapping = Mapping::default();
    assert!(mapping.to_connect(&AvroSchema::parse(&two(8)).unwrap(), None).is_ok());
    let wide = AvroSchema::parse(&two(16)).unwrap();
    let error = mapping.to_connect(&wide, None).unwrap_err();
    assert!(error.to_string().contains("The Avro schema R16 describes more than 100000 parts"), "{error}");

    // As a field that the data lacks it is written as a constant.
    let registered = format!(
        r#"{{"type":"record","name":"S","fields":[{{"name":"b","type":"int"}},{{"name":"r","type":{},"default":{{}}}}]}}"#,
        two(20)
    );
    let own = Schema::structure().name("S").field("b", Schema::of(Type::Int32)).build().unwrap();
    let error = Encoder::new(&mapping, Some(&own), &AvroSchema::parse(&registered).unwrap()).err().unwrap();
    assert!(error.to_string().contains("the default of r in S is too large"), "{error}");
}
