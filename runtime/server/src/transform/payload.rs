//! What stands for a converter's bytes in a line of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lavka_api::data::{Blob, Headers, Topic, Value};
use lavka_api::plugin::Converter;
use lavka_api::{Error, Result, java};
use serde_json::value::RawValue;

use super::line::quoted;

/// The shape of what a converter reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, which is shown as it is.
    Json,
    /// Text: a JSON string.
    Text,
    /// A number or boolean in binary: its JSON counterpart.
    Scalar,
    /// Any bytes: JSON where they are a JSON object or array, else a string where they are UTF-8, else
    /// `{"base64": "…"}`. All of it can be read back.
    Bytes,
}

impl Form {
    pub(super) fn of(class: &str) -> Self {
        let simple = class.rsplit('.').next().unwrap_or(class);
        match simple {
            "JsonConverter" => Form::Json,
            "StringConverter" | "SimpleHeaderConverter" => Form::Text,
            "ShortConverter" | "IntegerConverter" | "LongConverter" | "FloatConverter"
            | "DoubleConverter" | "BooleanConverter" => Form::Scalar,
            _ => Form::Bytes,
        }
    }

    /// The bytes that the JSON text `raw` stands for; `None` for null.
    ///
    /// # Errors
    /// Where Base64 is malformed, or the converter has no such number.
    pub(super) fn payload(
        self,
        raw: Option<&str>,
        converter: &mut dyn Converter,
        topic: &Topic,
    ) -> Result<Option<Blob>> {
        let Some(raw) = raw else { return Ok(None) };
        if self == Form::Scalar
            && let Some(bytes) = number_bytes(raw, converter, topic)
        {
            return Ok(Some(bytes));
        }
        if self == Form::Bytes
            && let Some(text) = base64_of(raw)
        {
            let bytes = STANDARD.decode(&text).map_err(|error| {
                Error::data(format!("malformed Base64 in {{\"base64\": {}}}: {error}", quoted(&text)))
            })?;
            return Ok(Some(Blob::from(bytes)));
        }
        Ok(self.header_payload(Some(raw)))
    }

    /// As [`payload`](Self::payload), for headers, whose converters read text or JSON.
    pub(super) fn header_payload(self, raw: Option<&str>) -> Option<Blob> {
        let raw = raw?;
        let text = (self != Form::Json).then(|| serde_json::from_str::<String>(raw).ok()).flatten();
        Some(Blob::from(text.unwrap_or_else(|| raw.to_owned()).into_bytes()))
    }

    /// JSON for `bytes`.
    pub(super) fn shown(self, bytes: Option<&[u8]>) -> String {
        let Some(bytes) = bytes else { return "null".to_owned() };
        let text = std::str::from_utf8(bytes).ok();
        let json = text.filter(|text| self.shows_json(text) && !text.contains('\n'));
        match (json, text) {
            (Some(json), _) => json.to_owned(),
            (None, Some(text)) => quoted(text),
            (None, None) => format!("{{\"base64\":\"{}\"}}", STANDARD.encode(bytes)),
        }
    }

    fn shows_json(self, text: &str) -> bool {
        let candidate = match self {
            Form::Json => true,
            Form::Bytes => text.starts_with(['{', '[']),
            Form::Text | Form::Scalar => false,
        };
        candidate && serde_json::from_str::<&RawValue>(text).is_ok()
    }
}

/// What a converter of numbers makes of a JSON number or boolean, tried in the types that JSON does not tell apart.
fn number_bytes(raw: &str, converter: &mut dyn Converter, topic: &Topic) -> Option<Blob> {
    let candidates = match raw {
        "true" | "false" => vec![Value::Boolean(raw == "true")],
        _ => {
            let integer = raw.parse::<i64>().ok();
            let narrow = integer.and_then(|number| i32::try_from(number).ok());
            let short = integer.and_then(|number| i16::try_from(number).ok());
            let float = raw.parse::<f64>().ok();
            #[expect(clippy::cast_possible_truncation, reason = "a float is what the converter may ask for")]
            let single = float.map(|number| number as f32);
            [
                integer.map(Value::Int64),
                narrow.map(Value::Int32),
                short.map(Value::Int16),
                float.map(Value::Float64),
                single.map(Value::Float32),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
    };
    candidates.into_iter().find_map(|value| {
        let mut bytes = Vec::new();
        let mut headers = Headers::new();
        let fits = converter.encode(topic, &mut headers, None, &value, &mut bytes);
        matches!(fits, Ok(true)).then(|| Blob::from(bytes))
    })
}

/// The text of `{"base64": "…"}`.
fn base64_of(raw: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(raw).ok()?;
    match (object.len(), object.get("base64")) {
        (1, Some(serde_json::Value::String(text))) => Some(text.clone()),
        _ => None,
    }
}

/// JSON for a number or boolean.
pub(super) fn scalar(value: &Value) -> String {
    let text = java::plain_text(value);
    if serde_json::from_str::<&RawValue>(&text).is_ok() { text } else { quoted(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_so_that_they_can_be_read_back() {
        let shown = |form: Form, bytes: &[u8]| form.shown(Some(bytes));
        assert_eq!(shown(Form::Json, b"1.0E10"), "1.0E10", "no digit is touched");
        assert_eq!(shown(Form::Json, b"{\"a\":"), "\"{\\\"a\\\":\"", "what is no JSON is text");
        assert_eq!(shown(Form::Text, b"{\"a\":1}"), "\"{\\\"a\\\":1}\"");
        assert_eq!(shown(Form::Bytes, b"{\"a\":1}"), "{\"a\":1}");
        assert_eq!(shown(Form::Bytes, b"12"), "\"12\"");
        assert_eq!(shown(Form::Bytes, b"{\"a\":\n1}"), "\"{\\\"a\\\":\\n1}\"", "one record stays one line");
        assert_eq!(shown(Form::Bytes, b"\xff\x00"), "{\"base64\":\"/wA=\"}");
        assert_eq!(Form::Bytes.shown(None), "null");
        let payload = |raw: &str| Form::Text.header_payload(Some(raw)).map(|blob| blob.to_vec());
        assert_eq!(payload("\"a\\u00e9\""), Some("aé".as_bytes().to_vec()));
        assert_eq!(payload("{\"a\":1}"), Some(b"{\"a\":1}".to_vec()));
        assert_eq!(base64_of("{\"base64\":\"AA==\"}").as_deref(), Some("AA=="));
        assert_eq!(base64_of("{\"base64\":\"AA==\",\"b\":1}"), None);
    }
}
