//! A short text for data, the same that the observations in `testdata` were written down with.

use std::fmt::Write as _;

use lavka_api::Result;
use lavka_api::data::{Datum, Schema, Type, Value};

/// `<schema> <value>`, or `ERR <class>: <message>`.
pub(crate) fn describe(outcome: &Result<Datum>) -> String {
    match outcome {
        Ok(datum) => {
            let schema = datum.schema.as_ref().map_or_else(|| "-".to_owned(), schema_text);
            format!("{schema} {}", value_text(&datum.value))
        }
        Err(error) => {
            let class = error.exception().rsplit('.').next().unwrap_or_default();
            format!("ERR {class}: {}", error.message().unwrap_or("null"))
        }
    }
}

fn schema_text(schema: &Schema) -> String {
    let mut text = schema.ty().to_string();
    if let Some(name) = schema.name() {
        write!(text, "({name})").unwrap();
    }
    if let Some(version) = schema.version() {
        write!(text, "v{version}").unwrap();
    }
    if schema.is_optional() {
        text.push('?');
    }
    if let Some(doc) = schema.doc() {
        write!(text, "doc={doc}").unwrap();
    }
    if !schema.parameters().is_empty() {
        let mut parameters: Vec<String> =
            schema.parameters().iter().map(|(key, value)| format!("{key}={value}")).collect();
        parameters.sort();
        write!(text, "{{{}}}", parameters.join(", ")).unwrap();
    }
    let inner = |inner: Option<&Schema>| inner.map_or_else(|| "-".to_owned(), schema_text);
    match schema.ty() {
        Type::Array => write!(text, "<{}>", inner(schema.values())).unwrap(),
        Type::Map => write!(text, "<{},{}>", inner(schema.keys()), inner(schema.values())).unwrap(),
        Type::Struct => {
            text.push('{');
            for field in schema.fields() {
                write!(text, "{}:{};", field.name(), schema_text(field.schema())).unwrap();
            }
            text.push('}');
        }
        _ => {}
    }
    if let Some(default) = schema.default_value() {
        write!(text, "={}", value_text(default)).unwrap();
    }
    text
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Boolean(value) => value.to_string(),
        Value::Int8(value) => format!("b{value}"),
        Value::Int16(value) => format!("s{value}"),
        Value::Int32(value) => format!("i{value}"),
        Value::Int64(value) => format!("l{value}"),
        Value::Float32(value) => format!("f{:08x}", value.to_bits()),
        Value::Float64(value) => format!("d{:016x}", value.to_bits()),
        Value::String(text) => quoted(text),
        Value::Bytes(bytes) => bytes.iter().fold("x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
        Value::Decimal(decimal) => format!("D{}/{}", decimal.unscaled(), decimal.scale()),
        Value::Date(days) => format!("T{}", i64::from(*days) * 86_400_000),
        Value::Time(ms) => format!("T{ms}"),
        Value::Timestamp(ms) => format!("T{ms}"),
        Value::Array(items) => {
            let items: String = items.iter().map(|item| value_text(item) + ",").collect();
            format!("[{items}]")
        }
        Value::Map(entries) => entries_text(entries.iter().map(|(k, v)| (value_text(k), value_text(v)))),
        Value::Object(object) => entries_text(object.iter().map(|(k, v)| (quoted(k), value_text(v)))),
        Value::Struct(record) => {
            let fields: String = record
                .iter()
                .map(|(field, value)| format!("{}={},", field.name(), value_text(value)))
                .collect();
            format!("S{{{fields}}}")
        }
    }
}

/// Entries sorted by their text, because Java's come in hash order.
fn entries_text(entries: impl Iterator<Item = (String, String)>) -> String {
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    let entries: String = entries.into_iter().map(|(key, value)| format!("{key}:{value},")).collect();
    format!("{{{entries}}}")
}

fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => out.extend(['\\', char::from(byte)]),
            Ok(byte @ 0x20..=0x7e) => out.push(char::from(byte)),
            _ => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out + "\""
}
