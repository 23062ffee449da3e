//! Request bodies. Where Connect answers 500 to a malformed one, the answer here is 400 with what is wrong and where.

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Value as Data};
use lavka_worker::{OffsetChange, Refusal, TargetState};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A body of `POST /connectors`.
#[derive(Debug, PartialEq)]
pub(crate) struct Creation {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) initial: Option<TargetState>,
}

type RawMap<'a> = indexmap::IndexMap<String, &'a RawValue>;

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::bad_request(format!("The request body is not the JSON that is expected here: {error}"))
}

fn object<'a>(bytes: &'a [u8]) -> Result<RawMap<'a>, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

pub(crate) fn creation(bytes: &[u8]) -> Result<Creation, Refusal> {
    let mut name = String::new();
    let mut config = None;
    let mut initial = None;
    for (key, value) in object(bytes)? {
        match key.as_str() {
            "name" => {
                let text: Option<String> =
                    serde_json::from_str(value.get()).map_err(|error| malformed(&error))?;
                name = text.unwrap_or_default();
            }
            "config" => config = Some(configuration(value.get().as_bytes())?),
            "initial_state" => {
                let text: Option<String> =
                    serde_json::from_str(value.get()).map_err(|error| malformed(&error))?;
                initial = match text {
                    None => None,
                    Some(text) => Some(TargetState::from_initial_state(&text).ok_or_else(|| {
                        Refusal::bad_request(format!(
                            "initial_state '{text}' is none of RUNNING, PAUSED and STOPPED"
                        ))
                    })?),
                };
            }
            other => {
                return Err(Refusal::bad_request(format!(
                    "Unrecognized field \"{other}\"; known are name, config and initial_state"
                )));
            }
        }
    }
    let config = config.ok_or_else(|| Refusal::bad_request("The field \"config\" is missing"))?;
    Ok(Creation { name, config, initial })
}

/// A flat configuration. Numbers and booleans become the text they were written with (`1.50` stays `1.50`).
pub(crate) fn configuration(bytes: &[u8]) -> Result<Config, Refusal> {
    let mut config = Config::new();
    for (key, value) in object(bytes)? {
        let text = value.get();
        let value = match text.as_bytes().first() {
            Some(b'n') => None,
            Some(b'"') => Some(serde_json::from_str(text).map_err(|error| malformed(&error))?),
            Some(b'{' | b'[') => {
                return Err(Refusal::bad_request(format!(
                    "The value of \"{key}\" is an object or array; values of a configuration are strings, numbers, \
                     booleans or null"
                )));
            }
            _ => Some(text.to_owned()),
        };
        config.set_nullable(key, value);
    }
    Ok(config)
}

/// A body of `PATCH /connectors/{name}/offsets`.
pub(crate) fn offset_changes(bytes: &[u8]) -> Result<Vec<OffsetChange>, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    if let Some(other) = body.keys().find(|key| *key != "offsets") {
        return Err(Refusal::bad_request(format!("Unrecognized field \"{other}\"; known is offsets")));
    }
    let needed = "Partitions / offsets need to be provided for an alter offsets request";
    let entries = match body.get("offsets") {
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        None | Some(Value::Null | Value::Array(_)) => return Err(Refusal::bad_request(needed)),
        Some(_) => return Err(Refusal::bad_request("Cannot deserialize value: \"offsets\" is not an array")),
    };
    entries.iter().map(change).collect()
}

fn change(entry: &Value) -> Result<OffsetChange, Refusal> {
    let Value::Object(entry) = entry else {
        return Err(Refusal::bad_request(
            "Cannot deserialize value: an element of \"offsets\" is not an object",
        ));
    };
    if let Some(other) = entry.keys().find(|key| !matches!(key.as_str(), "partition" | "offset")) {
        return Err(Refusal::bad_request(format!(
            "Unrecognized field \"{other}\"; known are partition and offset"
        )));
    }
    let map = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => members
            .iter()
            .map(|(key, value)| Ok((key.as_str(), primitive(key, value)?)))
            .collect::<Result<Vec<_>, Refusal>>()
            .map(|members| Some(OffsetMap::new(members))),
        Some(_) => Err(Refusal::bad_request(format!("Cannot deserialize value: \"{key}\" is not an object"))),
    };
    Ok(OffsetChange { partition: map("partition")?, offset: map("offset")? })
}

fn primitive(key: &str, value: &Value) -> Result<Data, Refusal> {
    match value {
        Value::Null => Ok(Data::Null),
        Value::Bool(value) => Ok(Data::Boolean(*value)),
        Value::String(value) => Ok(Data::from(value.as_str())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(Data::Int64(number)),
            (None, Some(number)) => Ok(Data::Float64(number)),
            (None, None) => Err(Refusal::bad_request(format!("The number of \"{key}\" is out of range"))),
        },
        Value::Array(_) | Value::Object(_) => Err(Refusal::bad_request(format!(
            "Failed to serialize offset data. Offsets may only contain primitive types as values, but field {key} does \
             not"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a6_scalars_keep_their_text() {
        let config = configuration(br#"{"a":1,"b":true,"c":1.50,"d":null,"e":"x\"y"}"#).unwrap();
        let entries: Vec<_> = config.iter().collect();
        assert_eq!(
            entries,
            [("a", Some("1")), ("b", Some("true")), ("c", Some("1.50")), ("d", None), ("e", Some("x\"y"))]
        );
        assert_eq!(configuration(br#"{"a":{}}"#).unwrap_err().status, 400);
    }

    #[test]
    fn a7_a8_creation() {
        let body = creation(br#"{"name":" x ","config":{},"initial_state":"stopped"}"#).unwrap();
        assert_eq!(body.initial, Some(TargetState::Stopped));
        let refused = |body: &[u8]| creation(body).unwrap_err().message;
        assert!(refused(br#"{"name":"x","config":{},"more":1}"#).starts_with("Unrecognized field \"more\""));
        assert!(
            refused(br#"{"name":"x","config":{},"initial_state":"x"}"#)
                .contains("RUNNING, PAUSED and STOPPED")
        );
        assert!(refused(br#"{"name":"x"}"#).contains("\"config\" is missing"));
        assert!(refused(b"{bad").contains("line 1 column 2"));
    }

    #[test]
    fn a29_to_a33_offsets() {
        let message = |body: &[u8]| offset_changes(body).unwrap_err().message;
        for body in [b"{}".as_slice(), br#"{"offsets":[]}"#] {
            assert_eq!(
                message(body),
                "Partitions / offsets need to be provided for an alter offsets request"
            );
        }
        assert!(message(br#"{"offsets":{}}"#).contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":[123]}"#).contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":[{"x":1}]}"#).contains("Unrecognized field"));
        assert!(message(br#"{"offsets":[{"partition":{"a":[]}}]}"#).contains("primitive types"));
        let changes = offset_changes(br#"{"offsets":[{"partition":{"f":"a"},"offset":null}]}"#).unwrap();
        assert_eq!(changes[0].partition, Some(OffsetMap::new([("f", "a")])));
        assert_eq!(changes[0].offset, None);
    }
}
