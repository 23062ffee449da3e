//! Request bodies. Where Connect answers 500 to a malformed one, the answer here is 400 with what is wrong and where.
//! The texts have Jackson's phrases, which people search for, and never a value out of the body.

use std::fmt;

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Value as Data};
use lavka_worker::{OffsetChange, Refusal, TargetState};
use serde_json::Value;
use serde_json::value::RawValue;

/// A body of `POST /connectors`.
#[derive(Debug, PartialEq)]
pub(crate) struct Creation {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) initial: Option<TargetState>,
}

/// Members of one partition or offset at most.
const MAX_MEMBERS: usize = 1000;

/// Members in order, of equal names the last one's value, neither of them decoded.
type Members<'a> = indexmap::IndexMap<String, &'a RawValue>;

/// The type of a JSON value, by its first byte, as Jackson names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Array,
    String,
    Boolean,
    Number,
    Null,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Object => "Object",
            Type::Array => "Array",
            Type::String => "String",
            Type::Boolean => "Boolean",
            Type::Number => "Number",
            Type::Null => "null",
        })
    }
}

fn type_of(text: &str) -> Type {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Type::Object,
        Some(b'[') => Type::Array,
        Some(b'"') => Type::String,
        Some(b't' | b'f') => Type::Boolean,
        Some(b'n') => Type::Null,
        _ => Type::Number,
    }
}

fn wrong(what: &str, found: Type) -> Refusal {
    let text = match found {
        Type::String | Type::Number | Type::Boolean => {
            format!("Cannot construct instance of {what} from {found} value")
        }
        Type::Object | Type::Array | Type::Null => {
            format!("Cannot deserialize value of type {what} from {found} value")
        }
    };
    Refusal::bad_request(text)
}

fn unknown(field: &str, known: &str) -> Refusal {
    Refusal::bad_request(format!("Unrecognized field \"{field}\"; known are {known}"))
}

/// A document as text. A byte order mark is no part of it.
fn document(bytes: &[u8]) -> Result<&str, Refusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::bad_request(format!(
            "The request body is not UTF-8: Invalid UTF-8 byte at position {}",
            error.valid_up_to()
        ))
    })?;
    if text.trim().is_empty() {
        return Err(Refusal::bad_request("The request body is empty; send a JSON object"));
    }
    Ok(text)
}

/// The members of an object, which `what` names.
fn members<'a>(text: &'a str, what: &str) -> Result<Members<'a>, Refusal> {
    // Is all of it JSON? A raw value can be anything, so what fails here is the syntax.
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        Refusal::bad_request(format!(
            "The request body is not JSON: {}",
            if error.is_eof() { format!("Unexpected end-of-input: {error}") } else { error.to_string() }
        ))
    })?;
    match type_of(raw.get()) {
        Type::Object => serde_json::from_str(raw.get())
            .map_err(|error| Refusal::bad_request(format!("The request body is not JSON: {error}"))),
        found => Err(wrong(what, found)),
    }
}

/// The text of a scalar: numbers and booleans as they were written (`1.50` stays `1.50`), `None` for null.
fn scalar(raw: &RawValue, field: &str) -> Result<Option<String>, Refusal> {
    let text = raw.get();
    match type_of(text) {
        Type::Null => Ok(None),
        Type::Number | Type::Boolean => Ok(Some(text.to_owned())),
        Type::String => serde_json::from_str(text).map(Some).map_err(|_| {
            Refusal::bad_request(format!(
                "The value of \"{field}\" has an escape that stands for no character"
            ))
        }),
        found @ (Type::Object | Type::Array) => Err(Refusal::bad_request(format!(
            "Cannot deserialize value of type String from {found} value: \"{field}\" takes a string, a number, a \
             boolean or null"
        ))),
    }
}

pub(crate) fn creation(bytes: &[u8]) -> Result<Creation, Refusal> {
    const KNOWN: &str = "name, config and initial_state";
    let mut name = None;
    let mut config = None;
    let mut initial = None;
    for (field, value) in members(document(bytes)?, "a request to create a connector")? {
        match field.as_str() {
            "name" => name = scalar(value, &field)?,
            "config" => {
                config = match type_of(value.get()) {
                    Type::Null => None,
                    _ => Some(flat(members(value.get(), "a configuration")?)?),
                }
            }
            "initial_state" => {
                let unknown = || {
                    Refusal::bad_request(
                        "Cannot construct instance of initial_state: it is none of RUNNING, PAUSED and STOPPED",
                    )
                };
                initial = match scalar(value, &field)? {
                    None => None,
                    Some(text) => Some(TargetState::from_initial_state(&text).ok_or_else(unknown)?),
                };
            }
            other => return Err(unknown(other, KNOWN)),
        }
    }
    let config = config.ok_or_else(|| Refusal::bad_request("The field \"config\" is missing"))?;
    Ok(Creation { name: trimmed(&name.unwrap_or_default()).to_owned(), config, initial })
}

/// What Java's `String.trim` leaves: it cuts off everything up to U+0020.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// A flat configuration.
pub(crate) fn configuration(bytes: &[u8]) -> Result<Config, Refusal> {
    flat(members(document(bytes)?, "a configuration")?)
}

fn flat(members: Members<'_>) -> Result<Config, Refusal> {
    let mut config = Config::new();
    for (key, value) in members {
        let value = scalar(value, &key)?;
        config.set_nullable(key, value);
    }
    Ok(config)
}

/// A body of `POST /connectors/{name}/tasks`: a list of configurations.
pub(crate) fn task_configs(bytes: &[u8]) -> Result<Vec<Config>, Refusal> {
    let text = document(bytes)?;
    match type_of(text) {
        Type::Array => list(text)?
            .into_iter()
            .map(|config| flat(members(config.get(), "the configuration of a task")?))
            .collect(),
        found => Err(wrong("a list of task configurations", found)),
    }
}

/// A body of `PATCH /connectors/{name}/offsets`.
pub(crate) fn offset_changes(bytes: &[u8]) -> Result<Vec<OffsetChange>, Refusal> {
    let mut entries = Vec::new();
    for (field, value) in members(document(bytes)?, "a request to alter offsets")? {
        if field != "offsets" {
            return Err(unknown(&field, "offsets"));
        }
        entries = match type_of(value.get()) {
            Type::Null => Vec::new(),
            Type::Array => list(value.get())?,
            found => return Err(wrong("a list of offsets", found)),
        };
    }
    if entries.is_empty() {
        return Err(Refusal::bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    entries.into_iter().map(change).collect()
}

fn list(text: &str) -> Result<Vec<&RawValue>, Refusal> {
    serde_json::from_str(text)
        .map_err(|error| Refusal::bad_request(format!("The request body is not JSON: {error}")))
}

fn change(entry: &RawValue) -> Result<OffsetChange, Refusal> {
    let mut change = OffsetChange { partition: None, offset: None };
    for (field, value) in members(entry.get(), "an offset with its partition")? {
        match field.as_str() {
            "partition" => change.partition = offset_map(value, "a partition")?,
            "offset" => change.offset = offset_map(value, "an offset")?,
            other => return Err(unknown(other, "partition and offset")),
        }
    }
    Ok(change)
}

fn offset_map(raw: &RawValue, what: &str) -> Result<Option<OffsetMap>, Refusal> {
    if type_of(raw.get()) == Type::Null {
        return Ok(None);
    }
    let members = members(raw.get(), what)?;
    if members.len() > MAX_MEMBERS {
        return Err(Refusal::bad_request(format!("{what} has more than {MAX_MEMBERS} members")));
    }
    let entries = members.iter().map(|(key, value)| {
        // The reader bounds how deep values nest.
        let value: Value = serde_json::from_str(value.get()).map_err(|error| {
            Refusal::bad_request(format!("The value of \"{key}\" cannot be read: {error}"))
        })?;
        Ok((key.as_str(), data(key, value)?))
    });
    Ok(Some(OffsetMap::new(entries.collect::<Result<Vec<_>, Refusal>>()?)))
}

/// Any value; whether it may be part of an offset is not decided here.
fn data(key: &str, value: Value) -> Result<Data, Refusal> {
    Ok(match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Boolean(value),
        Value::String(value) => Data::from(value.as_str()),
        Value::Number(number) => match (number.as_i64(), number.is_f64(), number.as_f64()) {
            (Some(number), _, _) => Data::Int64(number),
            (None, true, Some(fraction)) if is_fraction(&number) => Data::Float64(fraction),
            _ => {
                return Err(Refusal::bad_request(format!(
                    "Offsets may only contain primitive types as values, but the number of {key} has more than 64 bits"
                )));
            }
        },
        Value::Array(items) => {
            Data::Array(items.into_iter().map(|item| data(key, item)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Data::Map(
            members
                .into_iter()
                .map(|(name, value)| Ok((Data::from(name.as_str()), data(key, value)?)))
                .collect::<Result<_, Refusal>>()?,
        ),
    })
}

/// Integers too large for 64 bits are read as doubles; as text they have neither point nor exponent, but then again a
/// large double has no point either, so what counts is whether 64 bits could hold it.
fn is_fraction(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|value| value.abs() < 9_007_199_254_740_992.0 || value.fract() != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a6_scalars_keep_their_text() {
        let body = br#"{"a":1,"b":true,"c":1.50,"d":null,"e":"x\"y","f":1E+5,"g":-0.0,"h":123456789012345678901234567890}"#;
        let config = configuration(body).unwrap();
        let entries: Vec<_> = config.iter().collect();
        assert_eq!(
            entries,
            [
                ("a", Some("1")),
                ("b", Some("true")),
                ("c", Some("1.50")),
                ("d", None),
                ("e", Some("x\"y")),
                ("f", Some("1E+5")),
                ("g", Some("-0.0")),
                ("h", Some("123456789012345678901234567890")),
            ]
        );
        let refusal = configuration(br#"{"a":{"s":"s3cret"}}"#).unwrap_err();
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains("Cannot deserialize value of type String from Object value: \"a\""));
    }

    #[test]
    fn a7_a8_creation() {
        let body = creation(br#"{"name":" x ","config":{},"initial_state":"stopped"}"#).unwrap();
        assert_eq!((body.name.as_str(), body.initial), ("x", Some(TargetState::Stopped)));
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
    fn names_are_trimmed_as_java_trims() {
        for (body, name) in [
            (r#"{"name":"\t a\u0000 ","config":{}}"#, "a"),
            (r#"{"name":"\u00a0a\u2003","config":{}}"#, "\u{a0}a\u{2003}"),
            (r#"{"name":12,"config":{}}"#, "12"),
            (r#"{"name":null,"config":{}}"#, ""),
            (r#"{"config":{}}"#, ""),
            (r#"{"name":"x","name":"y","config":{}}"#, "y"),
            ("\u{feff}{\"name\":\"x\",\"config\":{}}", "x"),
        ] {
            assert_eq!(creation(body.as_bytes()).unwrap().name, name, "{body}");
        }
    }

    #[test]
    fn hostile_bodies_are_refused_and_none_is_quoted() {
        let deep =
            format!("{{\"name\":\"x\",\"config\":{{\"a\":{}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
        let bodies: [&[u8]; 18] = [
            b"",
            b" ",
            b"null",
            b"[]",
            b"\"s3cret\"",
            b"77s3cret",
            b"{\"name\":\"s3cret",
            b"{\"name\":\"s3cret\",\"config\":{}} s3cret",
            b"{'name':'s3cret'}",
            b"{\"name\":\"x\",\"config\":{\"a\":s3cret}}",
            b"{\"name\":\"x\",\"config\":{\"a\":NaN}}",
            b"{\"name\":\"x\",\"config\":{\"a\":01}}",
            b"{\"name\":\"x\",\"config\":{\"a\":\"\n\"}}",
            b"{\"name\":\"x\",\"config\":{\"a\":\"s3cret\\ud800\"}}",
            b"{\"name\":\"s3cret\xff\",\"config\":{}}",
            b"{\"name\":\"x\",\"config\":[\"s3cret\"]}",
            b"{\"name\":\"x\",\"config\":\"s3cret\"}",
            deep.as_bytes(),
        ];
        for body in bodies {
            let refusal = creation(body).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert!(!refusal.message.contains("s3cret"), "{}", refusal.message);
            assert!(refusal.message.len() < 300, "{}", refusal.message);
        }
    }

    #[test]
    fn a29_to_a33_offsets() {
        let message = |body: &[u8]| offset_changes(body).unwrap_err().message;
        for body in [b"{}".as_slice(), br#"{"offsets":[]}"#, br#"{"offsets":null}"#] {
            assert_eq!(
                message(body),
                "Partitions / offsets need to be provided for an alter offsets request"
            );
        }
        assert!(message(b"[]").contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":{}}"#).contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":[123]}"#).contains("Cannot construct instance"));
        assert!(message(br#"{"offsets":[null]}"#).contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":[{"partition":[]}]}"#).contains("Cannot deserialize value"));
        assert!(message(br#"{"offsets":[],"x":1}"#).contains("Unrecognized field \"x\""));
        assert!(message(br#"{"offsets":[{"x":1}]}"#).contains("Unrecognized field \"x\""));
        assert!(message(br#"{"offsets":[{"offset":{"a":99999999999999999999}}]}"#).contains("64 bits"));
        let changes = offset_changes(br#"{"offsets":[{"partition":{"f":"a"},"offset":null}]}"#).unwrap();
        assert_eq!(changes[0].partition, Some(OffsetMap::new([("f", "a")])));
        assert_eq!(changes[0].offset, None);
    }

    #[test]
    fn offsets_are_bounded_in_depth_and_members() {
        let deep =
            format!(r#"{{"offsets":[{{"partition":{{"a":{}{}}}}}]}}"#, "[".repeat(5000), "]".repeat(5000));
        assert!(offset_changes(deep.as_bytes()).unwrap_err().message.contains("recursion limit"));
        let members: Vec<String> = (0..1001).map(|i| format!("\"k{i}\":1")).collect();
        let wide = format!(r#"{{"offsets":[{{"partition":{{{}}}}}]}}"#, members.join(","));
        assert!(offset_changes(wide.as_bytes()).unwrap_err().message.contains("more than 1000 members"));
        let nested = offset_changes(br#"{"offsets":[{"partition":{"a":{"b":[1,1.5]}}}]}"#).unwrap();
        assert_eq!(
            lavka_api::java::plain_text(nested[0].partition.as_ref().unwrap().get("a").unwrap()),
            "{b=[1, 1.5]}"
        );
    }
}
