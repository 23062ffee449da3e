//! Whatever comes: an error, never a panic.

use lavka_schema_registry::{ResolvedSchema, SchemaText, SchemaType};
use proptest::prelude::*;

use super::{Rig, settings};
use crate::compatibility::accepts;
use crate::connect::schema_of;
use crate::load::load;

const SCHEMA: &str = r#"{"type":"object","properties":{
    "n":{"type":"integer","connect.type":"int16"},"f":{"type":"number"},"s":{"oneOf":[{"type":"null"},{"type":"string"}]},
    "b":{"type":"string","connect.type":"bytes"},"a":{"type":"array","items":{"type":"integer"}},
    "m":{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{"type":"string"}}}},
    "u":{"oneOf":[{"type":"integer"},{"type":"object","properties":{"x":{"type":"integer"}}},{"type":"object","properties":{"y":{"type":"integer"}}}]},
    "d":{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes","connect.parameters":{"scale":"2"}}}}"#;

/// Text that looks like JSON now and then.
fn jsonish() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"n\"",
        "\"a\"",
        "\"u\"",
        "\"m\"",
        "\"key\"",
        "\"value\"",
        "\"x\"",
        "1",
        "-1.5e3",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "\\",
        " ",
    ]);
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// Pieces of JSON schemas put together.
fn schemaish() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop::sample::select(vec![
        r#"{"type":"integer"}"#,
        r##"{"$ref":"#"}"##,
        r##"{"$ref":"#/properties/a"}"##,
        r##"{"$ref":"#/oneOf/0"}"##,
        "{}",
        "true",
        r#"{"type":["null","string"]}"#,
        r#"{"enum":[null,1,"a"]}"#,
        r#"{"type":"array"}"#,
        r#"{"const":{}}"#,
        r#"{"type":"string","default":{}}"#,
        r#"{"not":{}}"#,
        r#"{"connect.parameters":{"a":1}}"#,
    ])
    .prop_map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    leaf.prop_recursive(5, 40, 4, |inner| {
        (
            prop::sample::select(vec!["oneOf", "allOf", "anyOf", "properties", "items"]),
            proptest::collection::vec(inner, 1..4),
        )
            .prop_map(|(keyword, parts)| match keyword {
                "properties" => {
                    let members =
                        ["a", "b", "c"].into_iter().zip(parts).map(|(name, part)| (name.to_owned(), part));
                    serde_json::json!({ "properties": members.collect::<serde_json::Map<_, _>>() })
                }
                "items" => serde_json::json!({ "items": parts.into_iter().next() }),
                keyword => serde_json::json!({ keyword: parts }),
            })
    })
}

proptest! {
    #[test]
    fn payloads(text in jsonish(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut rig = Rig::new(&[]);
        rig.registry.put("t-value", &SchemaText::new(SchemaType::Json, SCHEMA));
        let _ = rig.decode(Some(&[b"\0\0\0\0\x01", text.as_bytes()].concat()));
        let _ = rig.decode(Some(&[b"\0\0\0\0\x01".as_slice(), &bytes].concat()));
        let _ = rig.decode(Some(&bytes));
    }

    #[test]
    fn schemas(first in schemaish(), second in schemaish()) {
        let text = |json: &serde_json::Value| SchemaText::new(SchemaType::Json, json.to_string());
        let resolved = ResolvedSchema::alone(text(&first));
        if let Ok(model) = load(&resolved) {
            let _ = schema_of(&model, Some(1), &settings(&[]));
            let _ = schema_of(&model, None, &settings(&[("generalized.sum.type.support", "true"), ("flatten.singleton.unions", "false")]));
        }
        let _ = accepts(&resolved, &text(&second));
        prop_assert_eq!(accepts(&resolved, &text(&first)), Ok(()));
    }
}

#[test]
fn deep_and_long_schemas_end() {
    let deep = format!("{}{{\"type\":\"string\"}}{}", r#"{"items":"#.repeat(120), "}".repeat(120));
    let chain: String =
        (0..5000).map(|at| format!(r##""d{at}":{{"$ref":"#/$defs/d{}"}},"##, at + 1)).collect();
    let chain = format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{chain}"d5000":{{"type":"string"}}}}}}"##);
    for text in [deep, chain] {
        let loaded = load(&ResolvedSchema::alone(SchemaText::new(SchemaType::Json, text)));
        let _ = loaded.and_then(|model| schema_of(&model, None, &settings(&[])));
    }
}
