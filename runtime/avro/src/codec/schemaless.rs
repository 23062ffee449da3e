//! Schemaless data as the record `Anything`.
//!
//! A value is written as the nine fields of the record, each a union of null and its type. All but one are null.

use lavka_api::data::{Blob, Object, ShapeTable, Str, Value};
use lavka_api::{Error, Result};

use super::cursor::{Cursor, no_member, too_deep};
use super::varint::{write_int, write_length, write_long};
use crate::schema::MAX_DEPTH;

/// The fields in their order.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Boolean,
    Bytes,
    Double,
    Float,
    Int,
    Long,
    String,
    Array,
    Map,
}

const FIELDS: [Field; 9] = [
    Field::Boolean,
    Field::Bytes,
    Field::Double,
    Field::Float,
    Field::Int,
    Field::Long,
    Field::String,
    Field::Array,
    Field::Map,
];

/// A set member of a union of null and something.
const SET: u8 = 2;

pub(super) fn write(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!("a value nested deeper than {MAX_DEPTH} levels")));
    }
    let field = match value {
        Value::Null => {
            out.extend_from_slice(&[0; FIELDS.len()]);
            return Ok(());
        }
        Value::Boolean(_) => Field::Boolean,
        Value::Bytes(_) => Field::Bytes,
        Value::Float64(_) => Field::Double,
        Value::Float32(_) => Field::Float,
        Value::Int8(_) | Value::Int16(_) | Value::Int32(_) => Field::Int,
        Value::Int64(_) => Field::Long,
        Value::String(_) => Field::String,
        Value::Array(_) => Field::Array,
        Value::Map(_) | Value::Object(_) => Field::Map,
        Value::Struct(_) | Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => {
            return Err(Error::data(format!(
                "Unknown Java type for schemaless data: class {}",
                value.java_class()
            )));
        }
    };
    let before = field as usize;
    out.extend(std::iter::repeat_n(0, before));
    out.push(SET);
    match value {
        Value::Boolean(it) => out.push(u8::from(*it)),
        Value::Bytes(it) => {
            write_length(out, it.len());
            out.extend_from_slice(it);
        }
        Value::Float64(it) => out.extend_from_slice(&it.to_le_bytes()),
        Value::Float32(it) => out.extend_from_slice(&it.to_le_bytes()),
        Value::Int8(it) => write_int(out, i32::from(*it)),
        Value::Int16(it) => write_int(out, i32::from(*it)),
        Value::Int32(it) => write_int(out, *it),
        Value::Int64(it) => write_long(out, *it),
        Value::String(it) => write_text(out, it),
        Value::Array(items) => {
            if !items.is_empty() {
                write_length(out, items.len());
                for item in items {
                    write(item, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        Value::Map(entries) => {
            if !entries.is_empty() {
                write_length(out, entries.len());
                for (key, item) in entries {
                    write(key, out, depth + 1)?;
                    write(item, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        Value::Object(object) => {
            if !object.is_empty() {
                write_length(out, object.len());
                for (key, item) in object.iter() {
                    out.extend(std::iter::repeat_n(0, Field::String as usize));
                    out.push(SET);
                    write_text(out, key);
                    out.extend_from_slice(&[0, 0]);
                    write(item, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        _ => {}
    }
    out.extend(std::iter::repeat_n(0, FIELDS.len() - 1 - before));
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &Str) {
    write_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads one; of several that are set the first counts, as in Java.
pub(super) fn read(cursor: &mut Cursor<'_>, shapes: &mut ShapeTable, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let mut value = Value::Null;
    for field in FIELDS {
        match cursor.length()? {
            0 => continue,
            1 => {}
            other => return Err(no_member(other, 2)),
        }
        let read = match field {
            Field::Boolean => Value::Boolean(cursor.boolean()?),
            Field::Bytes => Value::Bytes(Blob::from(cursor.bytes()?)),
            Field::Double => Value::Float64(f64::from_le_bytes(cursor.array()?)),
            Field::Float => Value::Float32(f32::from_le_bytes(cursor.array()?)),
            Field::Int => Value::Int32(cursor.int()?),
            Field::Long => Value::Int64(cursor.long()?),
            Field::String => text(cursor.bytes()?),
            Field::Array => {
                let mut items = Vec::new();
                while let count @ 1.. = cursor.block(FIELDS.len())? {
                    items.reserve(count);
                    for _ in 0..count {
                        items.push(read(cursor, shapes, depth + 1)?);
                    }
                }
                Value::from(items)
            }
            Field::Map => {
                let mut entries = Vec::new();
                while let count @ 1.. = cursor.block(2 * FIELDS.len())? {
                    entries.reserve(count);
                    for _ in 0..count {
                        entries.push((read(cursor, shapes, depth + 1)?, read(cursor, shapes, depth + 1)?));
                    }
                }
                map(entries, shapes)
            }
        };
        if value.is_null() {
            value = read;
        }
    }
    Ok(value)
}

/// An object where all keys are texts, as schemaless JSON is; of two equal keys the last counts.
fn map(entries: Vec<(Value, Value)>, shapes: &mut ShapeTable) -> Value {
    if !entries.iter().all(|(key, _)| matches!(key, Value::String(_))) {
        return Value::Map(entries.into_boxed_slice());
    }
    let entries = entries.into_iter().filter_map(|(key, item)| match key {
        Value::String(key) => Some((key, item)),
        _ => None,
    });
    Value::from(Object::shared(entries, shapes))
}

/// Text; what is not UTF-8 becomes replacement characters, as in Java.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Value {
    match Str::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(_) => replaced(bytes),
    }
}

/// Text of bytes that are not UTF-8.
#[cold]
pub(super) fn replaced(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes).into_owned())
}
