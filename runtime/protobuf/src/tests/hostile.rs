//! Bytes and schemas that mean harm: errors, in bounded time and memory.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lavka_api::data::{Schema, Type};
use proptest::prelude::*;

use super::plan;
use crate::MappingSettings;
use crate::decode::DecodePlan;
use crate::mapping::derive;
use crate::schema::{File, Pool};
use crate::wire::{WireType, tag, write_delimited, write_varint};

/// Something of everything.
const TEXT: &str = "import \"google/protobuf/struct.proto\"; import \"google/protobuf/timestamp.proto\"; import \
    \"google/protobuf/wrappers.proto\"; import \"google/type/date.proto\"; import \"confluent/type/decimal.proto\"; message M { \
    optional int32 a = 1; repeated int64 b = 2 [packed = true]; repeated string c = 3; map<int32, N> d = 4; optional N e = 5; \
    oneof o { string f = 6; N g = 7; bool h = 8; } optional group Gr = 9 { repeated N n = 1; optional G2 x = 2; } \
    optional google.protobuf.Struct i = 10; optional google.protobuf.Timestamp j = 11; optional confluent.type.Decimal k = 12; \
    optional google.type.Date l = 13; optional E m = 14; repeated fixed32 n = 15; optional google.protobuf.StringValue q = 16; \
    message N { repeated sint32 x = 1; optional double y = 2; optional P p = 3; } message P { optional bytes z = 1; } \
    message G2 { optional P p = 3; } enum E { ONE = 1; } }";

fn settings() -> [MappingSettings; 2] {
    [
        MappingSettings::default(),
        MappingSettings {
            flatten_unions: true,
            wrapper_for_nullables: true,
            struct_for_nulls: true,
            int_for_enums: true,
            optional_for_proto2: false,
            ..MappingSettings::default()
        },
    ]
}

fn plans() -> Vec<DecodePlan> {
    settings().iter().map(|settings| plan(TEXT, "M", settings).unwrap()).collect()
}

/// Tags of the message's fields with any wire type, among other bytes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (1..17_u8, 0..6_u8).prop_map(|(number, wire)| if number < 16 {
            vec![number << 3 | wire]
        } else {
            vec![0x80 | wire, 1]
        }),
        (1..16_u8, 0..12_u8).prop_map(|(number, length)| vec![number << 3 | 2, length]),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in bytes()) {
        for plan in plans() {
            if let Ok(value) = plan.read(&bytes) {
                // A byte of a packed list is a value of 24.
                prop_assert!(value.heap_size() <= 8192 + 200 * bytes.len());
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z0-9 {}=;\"<>,.\\[\\]():\\n/*-]|message |enum |oneof |map<|repeated |option |group |syntax |import |extend ){0,60}") {
        let _ = File::parse("x.proto", &text).and_then(|file| Pool::link(&Arc::new(file), &HashMap::new()));
    }

    #[test]
    fn a_spoilt_text_is_read_or_refused(at in 0..TEXT.len(), with in "\\PC{0,3}", cut in 0..9_usize) {
        let mut text = TEXT.to_owned();
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &with);
        for settings in settings() {
            let _ = plan(&text, "M", &settings);
        }
    }

    #[test]
    fn any_descriptor_is_read_or_refused(bytes in bytes()) {
        if let Ok(file) = File::parse("x.proto", &BASE64_STANDARD.encode(&bytes)) {
            let _ = file.to_text();
            let _ = Pool::link(&Arc::new(file), &HashMap::new());
        }
    }
}

#[test]
fn nesting_has_an_end() {
    // In a text: messages within messages.
    let mut text = String::from("syntax = \"proto3\";");
    (0..5000).for_each(|_| text.push_str("message M {"));
    (0..5000).for_each(|_| text.push('}'));
    assert!(File::parse("x.proto", &text).is_err());
    // In a descriptor.
    let mut bytes = b"\x0a\x01M".to_vec();
    for _ in 0..5000 {
        let mut outer = b"\x0a\x01M\x1a".to_vec();
        write_delimited(&mut outer, |out| {
            out.extend_from_slice(&bytes);
            Ok(())
        })
        .unwrap();
        bytes = outer;
    }
    let mut file = vec![0x22];
    write_delimited(&mut file, |out| {
        out.extend_from_slice(&bytes);
        Ok(())
    })
    .unwrap();
    assert!(File::parse("x.proto", &BASE64_STANDARD.encode(&file)).is_err());
    // One message after another, each a field of the one before.
    let mut text = String::from("syntax = \"proto3\";");
    (0..5000).for_each(|i| text.push_str(&format!("message M{i} {{ M{} f = 1; }}", i + 1)));
    text.push_str("message M5000 {}");
    let error = plan(&text, "M0", &MappingSettings::default()).unwrap_err().to_string();
    assert!(error.contains("nested deeper than 100 levels"), "{error}");
    // In a value: JSON in JSON, groups in groups.
    let structs = &plans()[0];
    let mut value = vec![0x20, 1];
    for _ in 0..5000 {
        let mut list = vec![0x0a];
        write_delimited(&mut list, |out| {
            out.extend_from_slice(&value);
            Ok(())
        })
        .unwrap();
        let mut outer = vec![0x32];
        write_delimited(&mut outer, |out| {
            out.extend_from_slice(&list);
            Ok(())
        })
        .unwrap();
        value = outer;
    }
    let mut entry = b"\x0a\x01a\x12".to_vec();
    write_delimited(&mut entry, |out| {
        out.extend_from_slice(&value);
        Ok(())
    })
    .unwrap();
    let mut object = vec![0x0a];
    write_delimited(&mut object, |out| {
        out.extend_from_slice(&entry);
        Ok(())
    })
    .unwrap();
    let mut bytes = vec![0x52];
    write_delimited(&mut bytes, |out| {
        out.extend_from_slice(&object);
        Ok(())
    })
    .unwrap();
    assert!(structs.read(&bytes).unwrap_err().to_string().contains("nested deeper than 100 levels"));
    assert!(structs.read(&[0x4b; 10_000]).is_err());
    assert!(structs.read(&[0xa3, 1].repeat(10_000)).is_err());
}

#[test]
fn lengths_beyond_the_rest_take_no_memory() {
    let plan = &plans()[0];
    let mut bytes = vec![0x12];
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    let info = allocation_counter::measure(|| assert!(plan.read(&bytes).is_err()));
    assert!(info.bytes_max < 16_384, "{info:?}");
}

#[test]
fn many_of_everything_stay_within_bounds() {
    let plan = &plans()[0];
    // Messages to merge, members that replace each other, entries of one key, a long packed list.
    for part in [&[0x2a, 0][..], &[0x3a, 0, 0x40, 1], &[0x22, 2, 8, 1], &[8, 1], &[0x1a, 0], &[0x0a, 0]] {
        let bytes = part.repeat(100_000);
        let info = allocation_counter::measure(|| assert!(plan.read(&bytes).is_ok()));
        assert!(info.bytes_max < 200 * bytes.len() as u64, "{part:?}: {info:?}");
    }
    let mut packed = vec![0x12];
    write_delimited(&mut packed, |out| {
        out.resize(out.len() + 100_000, 0);
        Ok(())
    })
    .unwrap();
    let info = allocation_counter::measure(|| assert!(plan.read(&packed).is_ok()));
    assert!(info.bytes_max < 60 * packed.len() as u64, "{info:?}");
}

#[test]
fn defaults_do_not_grow_beyond_measure() {
    // Each message holds two of the next: 2^60 structs if all of them were made.
    let mut text = String::from("syntax = \"proto3\";");
    (0..60).for_each(|i| text.push_str(&format!("message M{i} {{ M{n} f = 1; M{n} g = 2; }}", n = i + 1)));
    text.push_str("message M60 { int32 x = 1; }");
    assert!(plan(&text, "M0", &MappingSettings::default()).is_ok());
    let generating = MappingSettings { struct_for_nulls: true, ..MappingSettings::default() };
    let error = plan(&text, "M0", &generating).unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
}

#[test]
fn schemas_that_are_used_again_and_again_are_bounded() {
    // Without names each place has a message of its own.
    let lowest = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
    let schema = (0..16).fold(lowest, |inner, _| {
        Schema::structure().field("x", inner.clone()).field("y", inner).build().unwrap()
    });
    let error = derive(&schema, &MappingSettings::default()).unwrap_err().to_string();
    assert!(error.contains("The schema has more than 100000 fields"), "{error}");
}

#[test]
fn wide_oneofs_cost_what_is_in_the_message() {
    let members: String = (1..=20_000).map(|i| format!("int32 f{i} = {i}; ")).collect();
    let text = format!("syntax = \"proto3\"; message M {{ oneof o {{ {members} }} }}");
    let mut bytes = Vec::new();
    for i in 1..=20_000_u32 {
        write_varint(&mut bytes, tag(i % 15 + 1, WireType::Varint).into());
        write_varint(&mut bytes, i.into());
    }
    for flatten_unions in [false, true] {
        let settings = MappingSettings { flatten_unions, ..MappingSettings::default() };
        let plan = plan(&text, "M", &settings).unwrap();
        let info = allocation_counter::measure(|| assert!(plan.read(&bytes).is_ok()));
        // One struct of all members, not one for each time that a member is met.
        assert!(info.bytes_total < 4_000_000, "{info:?}");
    }
}
