//! What Java's `ProtobufData` made of the same schemas and values.
//!
//! `testdata/java.jsonl` has a case a line. With `connect`, an envelope of `JsonConverter`: `text` is what is registered,
//! `hex` the message, `indexes` its place in the file, and `back` what is read of it under version 7, as such an envelope
//! again. With `proto`: `back` is what is read of the message `hex`. `error` is what Java threw instead.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::config::{Config, ConfigSpec as _};
use lavka_api::data::{Blob, Datum, Headers, Topic};
use lavka_api::plugin::{Converter, ConverterRole, Factory};
use serde_json::Value as Json;

use crate::MappingSettings;
use crate::decode::DecodePlan;
use crate::encode::EncodePlan;
use crate::mapping::derive;
use crate::schema::{File, Pool};

const CASES: &str = include_str!("../../testdata/java.jsonl");

/// Where Java did something else, and why that is not followed.
const OTHERWISE: &[(&str, &str)] = &[(
    "meta generate.struct.for.nulls",
    "a decimal that is missing has no default: Java fails, and here it is null",
)];

fn json() -> Box<dyn Converter> {
    let plugins = lavka_converters::plugins();
    let json = plugins.iter().find(|plugin| plugin.class.ends_with("JsonConverter"));
    match json.map(|plugin| plugin.factory) {
        Some(Factory::Converter(make)) => make(&Config::new(), ConverterRole::Value).unwrap(),
        _ => panic!("JsonConverter is a converter"),
    }
}

fn envelope(datum: &Datum) -> Result<Json, String> {
    let (topic, mut headers, mut out) = (Topic::from("t"), Headers::new(), Vec::new());
    json()
        .encode(&topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&out).unwrap())
}

fn from_hex(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
}

fn settings(case: &Json) -> MappingSettings {
    let mut config = Config::new();
    for (key, value) in case.get("options").and_then(Json::as_object).into_iter().flatten() {
        config.set(key.as_str(), value.as_str().unwrap());
    }
    MappingSettings::from_config(&config).unwrap()
}

fn read(
    text: &str,
    message: Option<&str>,
    version: Option<i32>,
    bytes: &[u8],
    settings: &MappingSettings,
) -> Result<Json, String> {
    let file = Arc::new(File::parse("t.proto", text).map_err(|error| error.to_string())?);
    let first = file.message_name(&[]).unwrap_or_default();
    let pool = Pool::link(&file, &HashMap::new()).map_err(|error| error.to_string())?;
    let plan = DecodePlan::compile(&pool, message.unwrap_or(&first), version, settings)
        .map_err(|error| error.to_string())?;
    let value = plan.read(bytes).map_err(|error| error.to_string())?;
    envelope(&Datum { schema: Some(plan.schema().clone()), value })
}

fn check(case: &Json) -> Result<(), String> {
    let settings = settings(case);
    let same = |what: &str, ours: &Json| {
        let theirs = &case[what];
        if ours == theirs { Ok(()) } else { Err(format!("{what}:\n  ours {ours}\n  Java {theirs}")) }
    };
    let bytes;
    let back = match case.get("connect") {
        Some(connect) => {
            let payload = Blob::from(serde_json::to_vec(connect).unwrap());
            let datum = json().decode(&Topic::from("t"), Some(&payload)).unwrap();
            let schema = datum.schema.unwrap();
            let derived = derive(&schema, &settings).map_err(|error| error.to_string())?;
            let plan =
                EncodePlan::compile(&schema, &derived, &settings).map_err(|error| error.to_string())?;
            let mut out = Vec::new();
            plan.write(&datum.value, &mut out).map_err(|error| error.to_string())?;
            bytes = out;
            if case.get("error").is_none() {
                same("text", &derived.text.as_str().into())?;
                same("hex", &bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())?;
                same("message", &derived.message.as_str().into())?;
                let indexes = derived.file.message_indexes(&derived.message);
                same("indexes", &format!("{indexes:?}").into())?;
            }
            read(&derived.text, Some(&derived.message), Some(7), &bytes, &settings)?
        }
        None => {
            bytes = from_hex(case["hex"].as_str().unwrap());
            read(case["proto"].as_str().unwrap(), None, None, &bytes, &settings)?
        }
    };
    if case.get("error").is_none() { same("back", &back) } else { Ok(()) }
}

#[test]
fn every_case_is_as_in_java() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for line in CASES.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        checked += 1;
        match (check(&case), case["error"].as_str()) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            _ if OTHERWISE.iter().any(|(known, _)| name.starts_with(known)) => {}
            (Ok(()), Some(error)) => failures.push(format!("{name}: Java says {error}")),
            (Err(ours), None) => failures.push(format!("{name}: {ours}")),
        }
    }
    assert!(failures.is_empty(), "{} of {checked} cases:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 500);
}
