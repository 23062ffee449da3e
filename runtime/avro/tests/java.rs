//! Holds the mapping and the codec against what Java's `AvroData` and Avro library made of the same schemas and values.
//!
//! `testdata/java.jsonl` has a case a line. With `connect`, an envelope of `JsonConverter`: `avro` is the text of
//! `fromConnectSchema`, `hex` the datum, and `back` what `toConnectData` makes of it for version 7 of a subject. With
//! `avro` alone: `text` is how Avro's library prints it, and `schema` what `toConnectSchema` makes of it. `error` is what
//! Java threw instead. The cases named `random` were drawn.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Blob, Datum, Object, ShapeTable, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory};
use lavka_avro::{AvroSchema, Decoder, Encoder, Mapping};
use lavka_converters::json::parse_schema;
use serde_json::Value as Json;

const CASES: &str = include_str!("../testdata/java.jsonl");

/// What Java prints where we say more, or where `JsonConverter` failed before Avro had a say.
const OTHER_WORDS: &[&str] = &["enum unknown symbol", "null in required"];

#[test]
fn every_case_is_as_in_java() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for line in CASES.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let error = case["error"].as_str();
        // JsonConverter has no way for defaults of structs; `tests/mapping.rs` has those.
        let beyond_json =
            ["SchemaBuilderException: Invalid default value", "DataException: Mismatching schema."];
        if error.is_some_and(|error| beyond_json.iter().any(|part| error.contains(part))) {
            continue;
        }
        checked += 1;
        let outcome = if case.get("connect").is_some() { written(&case) } else { read(&case) };
        match (outcome, error) {
            (Ok(()), None) => {}
            (Ok(()), Some(error)) => failures.push(format!("{name}: Java says {error}")),
            (Err(_), Some(_)) if OTHER_WORDS.contains(&name) => {}
            (Err(ours), Some(error)) if ours.starts_with(error) => {}
            (Err(ours), Some(error)) => failures.push(format!("{name}: {ours}\n  Java says {error}")),
            (Err(ours), None) => failures.push(format!("{name}: {ours}")),
        }
    }
    assert!(failures.is_empty(), "{} of {checked} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 550, "{checked}");
}

fn mapping(case: &Json) -> Mapping {
    let mut mapping = Mapping::default();
    for (key, value) in case.get("options").and_then(Json::as_object).into_iter().flatten() {
        let slot = match key.as_str() {
            "enhanced.avro.schema.support" => &mut mapping.enhanced_avro_schema_support,
            "scrub.invalid.names" => &mut mapping.scrub_invalid_names,
            "connect.meta.data" => &mut mapping.connect_meta_data,
            "allow.optional.map.keys" => &mut mapping.allow_optional_map_keys,
            "flatten.singleton.unions" => &mut mapping.flatten_singleton_unions,
            "generalized.sum.type.support" => &mut mapping.generalized_sum_type_support,
            "ignore.default.for.nullables" => &mut mapping.ignore_default_for_nullables,
            "discard.type.doc.default" => &mut mapping.discard_type_doc_default,
            other => panic!("{other}"),
        };
        *slot = value.as_bool().unwrap();
    }
    mapping
}

fn written(case: &Json) -> Result<(), String> {
    let said =
        |error: lavka_api::Error| format!("{}: {}", error.exception(), error.message().unwrap_or_default());
    let mapping = mapping(case);
    let datum = envelope(&case["connect"])?;
    let avro = mapping.to_avro(datum.schema.as_ref()).map_err(said)?;
    same("schema", &avro.to_string(), case["avro"].as_str().unwrap_or_default())?;
    let encoder = Encoder::new(&mapping, datum.schema.as_ref(), &avro).map_err(said)?;
    let mut bytes = Vec::new();
    let some = encoder.encode(&datum.value, &mut bytes).map_err(said)?;
    let hex = some.then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    same("bytes", hex.as_deref().unwrap_or("null"), case["hex"].as_str().unwrap_or("null"))?;
    let Some(back) = case.get("back") else { return Ok(()) };
    // Through the text, as a registry gives it back.
    let parsed = AvroSchema::parse(&avro.to_string()).map_err(said)?;
    same("text", &parsed.to_string(), &avro.to_string())?;
    let decoder = Decoder::new(&mapping, &parsed, &parsed, Some(7)).map_err(said)?;
    let value = decoder.decode(&bytes, &mut ShapeTable::new(100)).map_err(said)?;
    let expected = envelope(back)?;
    same("schema back", &format!("{:?}", decoder.schema()), &format!("{:?}", expected.schema))?;
    if decoder.schema() != expected.schema.as_ref() {
        return Err(format!("schema back: {:?}", decoder.schema().map(lavka_converters::json::schema_text)));
    }
    same("value back", &format!("{:?}", plain(&value)), &format!("{:?}", plain(&expected.value)))
}

/// Maps in one form, and the numbers of schemaless JSON, which has one of each kind.
fn plain(value: &Value) -> Value {
    match value {
        Value::Map(entries) if entries.iter().all(|(key, _)| key.as_str().is_some()) => {
            let entries = entries.iter().map(|(key, item)| (key.as_str().unwrap(), plain(item)));
            Value::from(Object::from_entries(entries))
        }
        Value::Object(object) => {
            Value::from(Object::from_entries(object.iter().map(|(key, item)| (key.clone(), plain(item)))))
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn read(case: &Json) -> Result<(), String> {
    let said =
        |error: lavka_api::Error| format!("{}: {}", error.exception(), error.message().unwrap_or_default());
    let text = match &case["avro"] {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let avro = AvroSchema::parse(&text).map_err(said)?;
    if let Some(text) = case["text"].as_str() {
        same("text", &avro.to_string(), text)?;
    }
    let schema = mapping(case).to_connect(&avro, None).map_err(said)?.unwrap();
    let Some(expected) = case.get("schema") else { return Ok(()) };
    let expected = parse_schema(&expected.to_string()).map_err(said)?;
    if schema != expected {
        let ours = lavka_converters::json::schema_text(&schema).map_err(said)?;
        return Err(format!("schema\n  ours {ours}\n  Java {}", case["schema"]));
    }
    Ok(())
}

fn same(what: &str, ours: &str, java: &str) -> Result<(), String> {
    if ours == java { Ok(()) } else { Err(format!("{what}\n  ours {ours}\n  Java {java}")) }
}

fn envelope(json: &Json) -> Result<Datum, String> {
    let plugins = lavka_converters::plugins();
    let json_converter = plugins.iter().find(|plugin| plugin.class.ends_with(".JsonConverter")).unwrap();
    let Factory::Converter(make) = json_converter.factory else { panic!("no converter") };
    let mut settings = vec![("replace.null.with.default", "false")];
    let document = if json["schema"].is_null() {
        settings.push(("schemas.enable", "false"));
        json["payload"].to_string()
    } else {
        json.to_string()
    };
    let mut converter: Box<dyn Converter> =
        make(&settings.into_iter().collect(), ConverterRole::Value).unwrap();
    let payload = Blob::from(document.into_bytes());
    converter
        .decode(&"t".into(), Some(&payload))
        .map_err(|error| format!("{}: {}", error.exception(), error.message().unwrap_or_default()))
}
