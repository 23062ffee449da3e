//! Whatever comes: an error, never a panic.

use lavka_api::data::{Schema, Type};
use lavka_schema_registry::{ResolvedSchema, SchemaText, SchemaType};
use proptest::prelude::*;

use super::{Rig, settings};
use crate::compatibility::accepts;
use crate::connect::schema_of;
use crate::load::load;
use crate::text::text_of;

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

fn json(text: impl Into<String>) -> SchemaText {
    SchemaText::new(SchemaType::Json, text.into())
}

/// Definitions `D0`, which is `lowest`, to `D{count}`, each made of the one before; and `top` above them.
fn chain(top: &str, lowest: &str, count: usize, next: impl Fn(usize) -> String) -> SchemaText {
    let definitions: String = (1..=count).map(|at| format!(r#","D{at}":{}"#, next(at - 1))).collect();
    json(format!(r#"{{{top},"$defs":{{"D0":{lowest}{definitions}}}}}"#))
}

const BOOLEAN: &str = r#"{"type":"boolean"}"#;

/// References to `D1` and all above it, which are loaded one after another: none of them is deep.
fn references(count: usize) -> String {
    let parts: Vec<String> = (1..=count).map(|at| format!(r##"{{"$ref":"#/$defs/D{at}"}}"##)).collect();
    parts.join(",")
}

#[test]
fn long_chains_are_compared_by_their_links() {
    let of = |more: &str| {
        let top = format!(r#""oneOf":[{}]{more}"#, references(20_000));
        chain(&top, BOOLEAN, 20_000, |before| format!(r##"{{"allOf":[{{"$ref":"#/$defs/D{before}"}}]}}"##))
    };
    let (shallow, boolean) = (ResolvedSchema::alone(of("")), json(BOOLEAN));
    assert_eq!(accepts(&shallow, &boolean), Ok(()));
    let refused = accepts(&shallow, &json(r#"{"type":"string"}"#)).unwrap_err();
    assert_eq!(refused, "none of the cases fits, as the value would be a string, and not a boolean");
    // The first that is compared leads down the whole chain.
    let deep = ResolvedSchema::alone(of(r##","anyOf":[{"$ref":"#/$defs/D20000"}]"##));
    assert_eq!(accepts(&deep, &boolean).unwrap_err(), "the value is nested too deep");
}

#[test]
fn pairs_that_were_refused_are_not_compared_again() {
    let twice = |before: usize| {
        let before = format!(r##"{{"$ref":"#/$defs/D{before}"}}"##);
        format!(r#"{{"oneOf":[{before},{before}]}}"#)
    };
    let wide = chain(r##""$ref":"#/$defs/D50""##, BOOLEAN, 50, twice);
    let refused = accepts(&ResolvedSchema::alone(wide), &json(r#"{"type":"string"}"#)).unwrap_err();
    assert!(refused.starts_with("none of the cases fits, as none of the cases fits, as"), "{refused}");
    assert!(refused.len() <= 503 && refused.ends_with('…'), "{refused}");
}

/// A pair that was accepted because another was taken to be is looked at again once that one is refused.
#[test]
fn what_was_accepted_by_an_assumption_does_not_outlive_it() {
    let of = |required: &str| {
        let inner = r##"{"type":"object","properties":{"back":{"$ref":"#/$defs/L"}}}"##;
        let members = r##"{"inner":{"$ref":"#/$defs/I"},"r":{"type":"string"}}"##;
        let list = format!(r#"{{"type":"object","properties":{members},"required":[{required}]}}"#);
        let alone = r##"{"type":"object","properties":{"inner":{"$ref":"#/$defs/I"}}}"##;
        let either = format!(r##"{{"oneOf":[{{"$ref":"#/$defs/L"}},{alone}]}}"##);
        json(format!(
            r#"{{"$defs":{{"I":{inner},"L":{list}}},"type":"object","properties":{{"a":{either}}},"title":"T"}}"#
        ))
    };
    let check = |reads: &str, writes: &str| accepts(&ResolvedSchema::alone(of(reads)), &of(writes));
    assert_eq!(check("", "\"r\""), Ok(()));
    let refused = check("\"r\"", "").unwrap_err();
    assert!(refused.contains("member r of member a of the value is required"), "{refused}");
}

/// Each schema has the one before in two members.
#[test]
fn schemas_that_are_referred_to_again_and_again_are_made_once() {
    let two = |before: usize| {
        let before = format!(r##"{{"$ref":"#/$defs/D{before}"}}"##);
        format!(r#"{{"type":"object","properties":{{"x":{before},"y":{before}}}}}"#)
    };
    let of = |top: &str, count| load(&ResolvedSchema::alone(chain(top, BOOLEAN, count, two))).unwrap();
    let loaded = |count| of(&format!(r##""allOf":[{{"$ref":"#/$defs/D{count}"}}]"##), count);
    let flat = settings(&[]);
    let schema = schema_of(&loaded(18), None, &flat).unwrap();
    let fields: Vec<&Schema> = schema.fields().iter().map(|field| field.schema()).collect();
    assert!(fields[0].same(fields[1]));
    assert!(schema_of(&loaded(40), None, &flat).is_ok());
    // As deep as before, wherever they were met first.
    let shallow = of(&format!(r#""oneOf":[{}]"#, references(120)), 120);
    let error = schema_of(&shallow, None, &flat).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 200 levels"), "{error}");
}

/// Unions are numbered one after another, so that none is that of another place.
#[test]
fn schemas_of_too_many_parts_are_refused() {
    let two = |before: usize| {
        let before = format!(r##"{{"$ref":"#/$defs/D{before}"}}"##);
        format!(r#"{{"type":"object","properties":{{"x":{before},"y":{before}}}}}"#)
    };
    let union = r#"{"oneOf":[{"type":"integer"},{"type":"string"}]}"#;
    let of = |count: usize| {
        let top = format!(
            r##""title":"Doubling","type":"object","properties":{{"a":{{"$ref":"#/$defs/D{count}"}}}}"##
        );
        load(&ResolvedSchema::alone(chain(&top, union, count, two))).unwrap()
    };
    let numbered = settings(&[("generalized.sum.type.support", "true")]);
    assert!(schema_of(&of(10), None, &numbered).is_ok());
    let error = schema_of(&of(18), None, &numbered).unwrap_err();
    assert!(
        error.to_string().contains("The JSON schema Doubling describes more than 100000 parts"),
        "{error}"
    );
    assert!(schema_of(&of(40), None, &settings(&[])).is_ok());
}

#[test]
fn texts_of_schemas_are_bounded() {
    let lowest = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
    let schema = (0..19).fold(lowest, |inner, at| {
        let builder = Schema::structure().name(format!("R{at}"));
        builder.field("x", inner.clone()).field("y", inner).build().unwrap()
    });
    let error = text_of(&schema, &settings(&[])).unwrap_err();
    assert!(error.to_string().contains("Schema{R18:STRUCT} as a JSON schema is larger than"), "{error}");
}

/// Each array has an element of two arrays, whose members are read as the defaults of those.
#[test]
fn defaults_are_bounded() {
    let two = |before: usize| {
        let before = format!(r##"{{"$ref":"#/$defs/D{before}"}}"##);
        let element = format!(r#"{{"type":"object","properties":{{"x":{before},"y":{before}}}}}"#);
        format!(r#"{{"type":"array","items":{element},"default":[{{}}]}}"#)
    };
    let lowest = r#"{"type":"integer","default":1}"#;
    let top = r##""type":"object","properties":{"a":{"$ref":"#/$defs/D18"}}"##;
    let model = load(&ResolvedSchema::alone(chain(top, lowest, 18, two))).unwrap();
    let error = schema_of(&model, None, &settings(&[])).unwrap_err();
    assert!(
        error.to_string().contains("The default of Schema{ARRAY} is larger than 1048576 bytes"),
        "{error}"
    );
    // Each of them small enough, but not all together.
    let many: Vec<String> = (0..400)
        .map(|at| {
            let element = r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/D10"}}}"##;
            format!(r#""a{at}":{{"type":"array","items":{element},"default":[{{}}]}}"#)
        })
        .collect();
    let top = format!(r#""type":"object","properties":{{{}}}"#, many.join(","));
    let model = load(&ResolvedSchema::alone(chain(&top, lowest, 10, two))).unwrap();
    let error = schema_of(&model, None, &settings(&[])).unwrap_err();
    assert!(error.to_string().contains("The defaults of the JSON schema, up to that of Schema{"), "{error}");
}
