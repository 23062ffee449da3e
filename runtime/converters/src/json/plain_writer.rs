//! Writing values that have no schema.

use lavka_api::data::{Object, Value};
use lavka_api::java::{write_f32, write_f64};
use lavka_api::{Error, Result};

use super::escape::{write_base64, write_string};
use super::lead::ShapeLeads;
use super::reader::MAX_DEPTH;

/// Appends `value` as `JsonConverter` writes data without a schema: numbers as Java prints them, bytes as Base64,
/// maps whose keys are all strings as objects, other maps as arrays of pairs.
///
/// # Errors
/// For values that Connect has no schema type for without being told (decimals, dates, times, timestamps), for
/// structs, and for nesting beyond [`MAX_DEPTH`]. `out` then holds a part, which the caller cuts off.
pub fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    write(value, &mut ShapeLeads::none(), out, 0)
}

/// As [`write_value`], inside `depth` containers; `leads` is used for the names of members.
pub(super) fn write(value: &Value, leads: &mut ShapeLeads, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(value) => write_bool(out, *value),
        Value::Int8(value) => write_int(out, *value),
        Value::Int16(value) => write_int(out, *value),
        Value::Int32(value) => write_int(out, *value),
        Value::Int64(value) => write_int(out, *value),
        Value::Float32(value) => write_float(out, *value),
        Value::Float64(value) => write_double(out, *value),
        Value::String(text) => write_string(out, text),
        Value::Bytes(bytes) => write_base64(out, bytes),
        Value::Array(items) => {
            check_depth(depth)?;
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, leads, out, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(object, leads, out, depth)?,
        Value::Map(entries) => write_map(entries, leads, out, depth)?,
        Value::Struct(_) => return Err(mismatching_schema()),
        Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => {
            return Err(Error::data(format!(
                "Java class class {} does not have corresponding schema type.",
                value.java_class()
            )));
        }
    }
    Ok(())
}

fn write_object(object: &Object, leads: &mut ShapeLeads, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_depth(depth)?;
    if object.is_empty() {
        out.push(b'{');
    }
    let place = leads.enter(object.shape());
    for (i, (key, item)) in object.iter().enumerate() {
        match leads.get(place, object.shape(), i) {
            Some(lead) => lead.write(out),
            None => {
                out.push(if i == 0 { b'{' } else { b',' });
                write_string(out, key);
                out.push(b':');
            }
        }
        write(item, leads, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_map(
    entries: &[(Value, Value)],
    leads: &mut ShapeLeads,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<()> {
    check_depth(depth)?;
    if entries.iter().all(|(key, _)| matches!(key, Value::String(_))) {
        out.push(b'{');
        for (i, (key, item)) in entries.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write(key, leads, out, depth + 1)?;
            out.push(b':');
            write(item, leads, out, depth + 1)?;
        }
        out.push(b'}');
    } else {
        out.push(b'[');
        for (i, (key, item)) in entries.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
            write(key, leads, out, depth + 2)?;
            out.push(b',');
            write(item, leads, out, depth + 2)?;
            out.push(b']');
        }
        out.push(b']');
    }
    Ok(())
}

pub(super) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

#[inline]
pub(super) fn write_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A float as Java prints it; what JSON has no number for becomes a string.
pub(super) fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        write_f32(out, value);
    } else {
        out.push(b'"');
        write_f32(out, value);
        out.push(b'"');
    }
}

/// As [`write_float`] for doubles.
pub(super) fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_f64(out, value);
    } else {
        out.push(b'"');
        write_f64(out, value);
        out.push(b'"');
    }
}

/// Refuses to open a container at `depth`, which counts those around it.
#[inline]
pub(super) fn check_depth(depth: usize) -> Result<()> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(too_deep()) }
}

#[cold]
fn too_deep() -> Error {
    Error::data(format!(
        "Value is nested deeper than {MAX_DEPTH} levels, which is more than is written as JSON; flatten it first"
    ))
}

#[cold]
pub(super) fn mismatching_schema() -> Error {
    Error::data("Mismatching schema.")
}
