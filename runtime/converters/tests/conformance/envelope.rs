//! Reading envelopes: order, white space, caches.

use lavka_api::data::{Datum, Schema, Value};
use lavka_api::plugin::Converter;

use crate::{decode, encode, json};

fn schema_of(converter: &mut dyn Converter, document: &str) -> Schema {
    decode(converter, document).unwrap().schema.unwrap()
}

const SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"string","optional":true,"field":"b"}]}"#;

#[test]
fn the_same_schema_text_gives_the_same_schema() {
    let mut converter = json([]);
    let document = |a: i32| format!(r#"{{"schema":{SCHEMA},"payload":{{"a":{a},"b":"x"}}}}"#);
    let first = schema_of(&mut *converter, &document(1));
    assert!(first.same(&schema_of(&mut *converter, &document(2))));
    let reversed = format!(r#"{{"payload":{{"a":3}},"schema":{SCHEMA}}}"#);
    assert!(first.same(&schema_of(&mut *converter, &reversed)));
    let spaced = format!(" {{ \"schema\"\n:\t{SCHEMA} ,\r\"payload\" : {{}} }} ");
    assert!(decode(&mut *converter, &spaced).is_err());
    // Another text is another schema, though an equal one; both stay cached.
    let other = document(1).replace("\"field\":\"a\"", "\"field\" : \"a\"");
    let second = schema_of(&mut *converter, &other);
    assert!(!first.same(&second) && first == second);
    assert!(first.same(&schema_of(&mut *converter, &document(3))));
    assert!(second.same(&schema_of(&mut *converter, &other)));
}

#[test]
fn caches_are_bounded() {
    let mut converter = json([("schemas.cache.size", "3")]);
    let document = |i: i32| format!(r#"{{"schema":{{"type":"int32","version":{i}}},"payload":{i}}}"#);
    let first = schema_of(&mut *converter, &document(0));
    for i in 0..3 {
        schema_of(&mut *converter, &document(i));
    }
    assert!(first.same(&schema_of(&mut *converter, &document(0))));
    for i in 1..20 {
        let datum = decode(&mut *converter, document(i)).unwrap();
        assert_eq!(datum.value, Value::Int32(i));
        assert_eq!(
            encode(&mut *converter, &datum).unwrap().unwrap(),
            document(i).replace(",\"version\"", ",\"optional\":false,\"version\"")
        );
    }
    let again = schema_of(&mut *converter, &document(0));
    assert!(!first.same(&again) && first == again);
}

#[test]
fn more_schemas_than_are_compared_directly() {
    let mut converter = json([]);
    let document = |i: i32| format!(r#"{{"schema":{{"type":"int32","version":{i}}},"payload":{i}}}"#);
    let schemas: Vec<_> = (0..10).map(|i| schema_of(&mut *converter, &document(i))).collect();
    for (i, schema) in (0..10).zip(&schemas) {
        assert!(schema.same(&schema_of(&mut *converter, &document(i))));
        assert_eq!(schema.version(), Some(i));
    }
}

#[test]
fn members_may_come_in_any_order_and_more_than_once() {
    for document in [
        r#"{"schema":{"type":"int8"},"payload":5}"#,
        r#"{"payload":5,"schema":{"type":"int8"}}"#,
        r#"{"payload":"x","payload":5,"schema":{"type":"int8"}}"#,
        r#"{"schema":{"type":"string"},"payload":5,"schema":{"type":"int8"}}"#,
        r#"{"schema":null,"schema":{"type":"int8"},"payload":7,"payload":5}"#,
        r#"{"\u0073chema":{"type":"int8"},"p\u0061yload":5}"#,
    ] {
        let datum = decode(&mut *json([]), document).unwrap();
        assert_eq!(datum.value, Value::Int8(5), "{document}");
    }
    let datum = decode(&mut *json([]), r#"{"schema":{"type":"int8"},"payload":5,"schema":null}"#).unwrap();
    assert_eq!(datum, Datum::schemaless(5i64));
}

#[test]
fn a_schema_text_is_whole_even_if_a_cached_one_begins_alike() {
    let mut converter = json([]);
    let short = r#"{"schema":{"type":"int8"},"payload":1}"#;
    let broken = r#"{"schema":{"type":"int8"}x,"payload":1}"#;
    let long = r#"{"schema":{"type":"int8","version":2},"payload":1}"#;
    schema_of(&mut *converter, short);
    assert!(decode(&mut *converter, broken).is_err());
    assert_eq!(schema_of(&mut *converter, long).version(), Some(2));
    assert_eq!(schema_of(&mut *converter, short).version(), None);
}

#[test]
fn structs_are_read_whatever_the_order_and_number_of_fields() {
    let names: Vec<String> = (0..150).map(|i| format!("f{i}")).collect();
    let fields: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"type":"int32","optional":true,"default":-1,"field":"{name}"}}"#))
        .collect();
    let schema = format!(r#"{{"type":"struct","fields":[{}]}}"#, fields.join(","));
    let mut converter = json([]);
    let orders: Vec<Vec<usize>> = vec![
        (0..150).collect(),
        (0..150).rev().collect(),
        (0..75).collect(),
        (75..150).collect(),
        vec![149, 0, 70],
        vec![0, 1, 3, 2, 149],
        (0..150).step_by(3).collect(),
        vec![],
    ];
    for order in orders {
        let members: Vec<String> = order.iter().map(|i| format!(r#""f{i}":{i}"#)).collect();
        let document = format!(r#"{{"schema":{schema},"payload":{{{}}}}}"#, members.join(", "));
        let Value::Struct(record) = decode(&mut *converter, document).unwrap().value else {
            panic!("not a struct");
        };
        for (i, value) in record.values().iter().enumerate() {
            let expected = if order.contains(&i) { i32::try_from(i).unwrap() } else { -1 };
            assert_eq!(*value, Value::Int32(expected), "field {i} of {order:?}");
        }
    }
}
