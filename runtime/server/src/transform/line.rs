//! A record as one line of JSON: topic, partition, offset, timestamp, headers, key, value.

use std::collections::BTreeMap;

use lavka_api::config::nearest_name;
use serde_json::value::RawValue;

const FIELDS: [&str; 7] = ["topic", "partition", "offset", "timestamp", "headers", "key", "value"];

/// A record to send through. Key, value and header values are JSON texts as they stand in the line, so that no digit of a
/// number gets lost on the way to the converter; `None` for null.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Input {
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    pub(super) offset: Option<i64>,
    pub(super) timestamp: Option<i64>,
    pub(super) headers: Vec<(String, Option<String>)>,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

type Fields = BTreeMap<String, Box<RawValue>>;

impl Input {
    /// # Errors
    /// What is wrong and where in the line: `column 7: …`, `field 'offset': …`.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let fields: Fields = serde_json::from_str(line).map_err(|error| {
            let whole = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let what = whole.strip_suffix(&place).unwrap_or(&whole);
            match error.is_data() {
                // An array or a number is JSON, but no record.
                true => "not a JSON object, which a record is".to_owned(),
                false => format!("column {}: {what}", error.column()),
            }
        })?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(match nearest_name(unknown, FIELDS) {
                Some(near) => format!("field '{unknown}': not a field of a record; did you mean '{near}'?"),
                None => format!("field '{unknown}': not a field of a record ({})", FIELDS.join(", ")),
            });
        }
        let raw = |name: &str| json(fields.get(name)?);
        Ok(Self {
            topic: typed(raw("topic"), "topic", "a text")?,
            partition: typed(raw("partition"), "partition", "a 32-bit integer")?,
            offset: typed(raw("offset"), "offset", "an integer")?,
            timestamp: typed(raw("timestamp"), "timestamp", "an integer: milliseconds since 1970")?,
            headers: headers(raw("headers"))?,
            key: raw("key").map(str::to_owned),
            value: raw("value").map(str::to_owned),
        })
    }
}

/// The JSON text of a value other than null.
fn json(raw: &RawValue) -> Option<&str> {
    Some(raw.get()).filter(|text| *text != "null")
}

fn typed<'a, T: Readable<'a>>(raw: Option<&'a str>, field: &str, wanted: &str) -> Result<Option<T>, String> {
    raw.map(|text| T::read(text).ok_or_else(|| format!("field '{field}': not {wanted}"))).transpose()
}

/// What a field can be.
trait Readable<'a>: Sized {
    fn read(text: &'a str) -> Option<Self>;
}

macro_rules! readable {
    ($($ty:ty),*) => {$(
        impl<'a> Readable<'a> for $ty {
            fn read(text: &'a str) -> Option<Self> {
                serde_json::from_str(text).ok()
            }
        }
    )*};
}
readable! { String, i32, i64, Vec<Fields> }

fn headers(raw: Option<&str>) -> Result<Vec<(String, Option<String>)>, String> {
    let form = "an array of {\"key\": …, \"value\": …}";
    let entries: Vec<Fields> = typed(raw, "headers", form)?.unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| {
            let name = entry.get("key").and_then(|raw| String::read(raw.get()));
            let name = name.filter(|_| entry.keys().all(|key| key == "key" || key == "value"));
            let name = name.ok_or_else(|| format!("field 'headers': not {form}"))?;
            Ok((name, entry.get("value").and_then(|raw| json(raw)).map(str::to_owned)))
        })
        .collect()
}

/// A record that came out; key, value and header values are JSON texts.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) topic: String,
    pub(super) partition: Option<i32>,
    pub(super) offset: Option<i64>,
    pub(super) timestamp: Option<i64>,
    pub(super) headers: Vec<OutputHeader>,
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug)]
pub(super) struct OutputHeader {
    pub(super) key: String,
    pub(super) value: String,
}

impl Output {
    pub(super) fn to_line(&self) -> String {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|header| format!("{{\"key\":{},\"value\":{}}}", quoted(&header.key), header.value))
            .collect();
        format!(
            "{{\"topic\":{},\"partition\":{},\"offset\":{},\"timestamp\":{},\"headers\":[{}],\"key\":{},\"value\":{}}}",
            quoted(&self.topic),
            number(self.partition),
            number(self.offset),
            number(self.timestamp),
            headers.join(","),
            self.key,
            self.value
        )
    }
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number, or `null`.
pub(super) fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_in_and_out_as_it_was() {
        let line = r#"{"topic":"t","partition":1,"offset":9223372036854775807,"timestamp":0,"headers":[{"key":"h","value":1.10}],"key":null,"value":{"a":12345678901234567890123,"b":1.0E5}}"#;
        let input = Input::parse(line).unwrap();
        let output = Output {
            topic: input.topic.unwrap(),
            partition: input.partition,
            offset: input.offset,
            timestamp: input.timestamp,
            headers: input
                .headers
                .into_iter()
                .map(|(key, value)| OutputHeader { key, value: value.unwrap() })
                .collect(),
            key: number(input.key),
            value: input.value.unwrap(),
        };
        assert_eq!(output.to_line(), line);
        assert_eq!(Input::parse("{}").unwrap(), Input::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = |line: &str| Input::parse(line).unwrap_err();
        assert_eq!(error(r#"{"topic":"t" "value":1}"#), "column 14: expected `,` or `}`");
        assert_eq!(error(r#"["t"]"#), "not a JSON object, which a record is");
        assert_eq!(error(r#"{"vlaue":1}"#), "field 'vlaue': not a field of a record; did you mean 'value'?");
        assert_eq!(error(r#"{"offset":"1"}"#), "field 'offset': not an integer");
        assert_eq!(error(r#"{"partition":4294967296}"#), "field 'partition': not a 32-bit integer");
        for headers in
            [r#"{"headers":{"a":1}}"#, r#"{"headers":[{"value":1}]}"#, r#"{"headers":[{"key":"k","v":1}]}"#]
        {
            assert!(error(headers).starts_with("field 'headers': not an array of"), "{headers}");
        }
        assert_eq!(error(&"[".repeat(100_000)), "not a JSON object, which a record is");
        assert!(error(&format!("{{\"value\":{}", "[".repeat(100_000))).starts_with("column "));
    }
}
