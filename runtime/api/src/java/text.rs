//! Text of whole values: `Object.toString` and Connect's `Values.convertToString`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{write_f32, write_f64, write_instant, write_time};
use crate::data::Value;

/// Nesting beyond this is cut off with `…` instead of risking the stack.
const MAX_DEPTH: usize = 128;

/// The text of `value` as Java's `toString()` gives it, which `StringConverter` writes: `{a=1, b=[x, y]}`,
/// `Struct{a=1,b=x}`, `1.0E10`. Bytes have no sensible `toString` in Java and come as Base64; instants as ISO texts.
#[must_use]
pub fn plain_text(value: &Value) -> String {
    let mut out = Vec::new();
    plain(&mut out, value, 0);
    String::from_utf8(out).unwrap_or_default()
}

fn plain(out: &mut Vec<u8>, value: &Value, depth: usize) {
    if depth > MAX_DEPTH {
        out.extend_from_slice("…".as_bytes());
        return;
    }
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                plain(out, item, depth + 1);
            }
            out.push(b']');
        }
        Value::Map(entries) => plain_map(out, entries.iter().map(|(k, v)| (k, v)), depth),
        Value::Object(object) => {
            out.push(b'{');
            for (i, (key, item)) in object.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b'=');
                plain(out, item, depth + 1);
            }
            out.push(b'}');
        }
        Value::Struct(record) => {
            out.extend_from_slice(b"Struct{");
            let set = record.iter().filter(|(_, item)| !item.is_null());
            for (i, (field, item)) in set.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(field.name().as_bytes());
                out.push(b'=');
                plain(out, item, depth + 1);
            }
            out.push(b'}');
        }
        other => scalar(out, other),
    }
}

fn plain_map<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'a Value, &'a Value)>, depth: usize) {
    out.push(b'{');
    for (i, (key, item)) in entries.enumerate() {
        if i > 0 {
            out.extend_from_slice(b", ");
        }
        plain(out, key, depth + 1);
        out.push(b'=');
        plain(out, item, depth + 1);
    }
    out.push(b'}');
}

fn scalar(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Int8(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Value::Int16(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Value::Int32(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Value::Int64(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Value::Float32(v) => write_f32(out, *v),
        Value::Float64(v) => write_f64(out, *v),
        Value::String(v) => out.extend_from_slice(v.as_bytes()),
        Value::Bytes(v) => out.extend_from_slice(BASE64.encode(v).as_bytes()),
        Value::Decimal(v) => out.extend_from_slice(v.to_string().as_bytes()),
        Value::Date(days) => write_instant(out, i64::from(*days) * 86_400_000),
        Value::Time(ms) => write_time(out, i64::from(*ms)),
        Value::Timestamp(ms) => write_instant(out, *ms),
        Value::Null | Value::Array(_) | Value::Map(_) | Value::Object(_) | Value::Struct(_) => {
            out.extend_from_slice(b"null");
        }
    }
}

/// The text of `value` as Connect's `Values.convertToString` gives it, which header values and `Cast` to string use:
/// strings raw at the top but quoted inside containers, `[1,"a"]`, `{"k":1}`, bytes as Base64.
#[must_use]
pub fn connect_text(value: &Value) -> String {
    let mut out = Vec::new();
    nested(&mut out, value, false, 0);
    String::from_utf8(out).unwrap_or_default()
}

fn nested(out: &mut Vec<u8>, value: &Value, embedded: bool, depth: usize) {
    if depth > MAX_DEPTH {
        out.extend_from_slice(b"null");
        return;
    }
    match value {
        Value::String(text) if embedded => {
            out.push(b'"');
            for byte in text.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        }
        Value::Bytes(bytes) if embedded => {
            out.push(b'"');
            out.extend_from_slice(BASE64.encode(bytes).as_bytes());
            out.push(b'"');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                nested(out, item, true, depth + 1);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                nested(out, key, true, depth + 1);
                out.push(b':');
                nested(out, item, true, depth + 1);
            }
            out.push(b'}');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (i, (key, item)) in object.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                nested(out, &Value::String(key.clone()), true, depth + 1);
                out.push(b':');
                nested(out, item, true, depth + 1);
            }
            out.push(b'}');
        }
        Value::Struct(record) => {
            out.push(b'{');
            for (i, (field, item)) in record.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                nested(out, &Value::String(field.name().clone()), true, depth + 1);
                out.push(b':');
                nested(out, field.schema().or_default(item), true, depth + 1);
            }
            out.push(b'}');
        }
        other => scalar(out, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Decimal, Logical, Object, Schema, Struct, Type};

    #[test]
    fn header_text_quotes_inside_containers() {
        let list = Value::from(vec![Value::from("a\"b"), Value::from("c\\d")]);
        assert_eq!(connect_text(&list), r#"["a\"b","c\\d"]"#);
        let map = Object::from_entries([("a", Value::Int32(1)), ("b", "x".into()), ("c", Value::Null)]);
        assert_eq!(connect_text(&map.into()), r#"{"a":1,"b":"x","c":null}"#);
        assert_eq!(connect_text(&"a\"b".into()), "a\"b");
        assert_eq!(connect_text(&Value::Bytes((&[1, 2]).into())), "AQI=");
        assert_eq!(connect_text(&Decimal::new(150, 2).into()), "1.50");
        assert_eq!(connect_text(&Value::Timestamp(-1)), "23:59:59.999Z");
        assert_eq!(connect_text(&Value::Date(0)), "00:00:00.000Z");
        assert_eq!(connect_text(&Value::Time(1234)), "00:00:01.234Z");
        assert_eq!(connect_text(&Value::Null), "null");
    }

    #[test]
    fn plain_text_is_to_string() {
        let schema = Schema::structure()
            .field("a", Schema::of(Type::Int32))
            .field("d", Schema::logical_of(Logical::Date))
            .build()
            .unwrap();
        let record = Struct::new(schema, vec![Value::Int32(1), Value::Null]).unwrap();
        let map =
            Object::from_entries([("s", Value::from(record)), ("l", vec!["x".into(), Value::Null].into())]);
        assert_eq!(plain_text(&map.into()), "{s=Struct{a=1}, l=[x, null]}");
    }
}
