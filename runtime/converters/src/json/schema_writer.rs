//! The `schema` part of an envelope.

use lavka_api::data::{Schema, Type};
use lavka_api::{Error, Result};

use super::dialect::Dialect;
use super::escape::write_string;
use super::plain_writer::{check_depth, write_bool, write_int};
use super::write_plan::{WriteNode, WriteOptions};

/// Longer texts are not written. No topic takes a message of that size, but a schema that uses others again and again
/// can be shorter by any factor than its text, which says them each time.
const MAX_TEXT: usize = 16 << 20;

/// The JSON form of `schema`, as in an envelope: `{"type":"int32","optional":false}`.
///
/// # Errors
/// A data error for a schema nested too deep, for one whose text is larger than 16 MiB, or a default that is not a value
/// of the schema.
pub fn schema_text(schema: &Schema) -> Result<String> {
    let mut text = Vec::new();
    write_schema(schema, WriteOptions::default(), &mut text)?;
    // Only whole texts have been written.
    Ok(String::from_utf8(text).unwrap_or_default())
}

/// Appends the JSON form of `schema`; defaults are written as payloads of it are.
pub(super) fn write_schema(schema: &Schema, options: WriteOptions, out: &mut Vec<u8>) -> Result<()> {
    write(schema, None, options, out, 0).map_err(|error| match out.len() {
        ..=MAX_TEXT => error,
        _ => Error::data(format!("{schema} as JSON is larger than {MAX_TEXT} bytes")),
    })
}

/// `field` is the name of the struct's field whose schema this is.
fn write(
    schema: &Schema,
    field: Option<&str>,
    options: WriteOptions,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<()> {
    if out.len() > MAX_TEXT {
        return Err(Error::data("text that is too large"));
    }
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(type_name(schema.ty()).as_bytes());
    out.push(b'"');
    if !schema.ty().is_primitive() {
        check_depth(depth)?;
        write_inside(schema, options, out, depth)?;
    }
    out.extend_from_slice(b",\"optional\":");
    write_bool(out, schema.is_optional());
    if let Some(name) = schema.name() {
        write_member(out, "name", |out| write_string(out, name));
    }
    if let Some(version) = schema.version() {
        write_member(out, "version", |out| write_int(out, version));
    }
    if let Some(doc) = schema.doc() {
        write_member(out, "doc", |out| write_string(out, doc));
    }
    if !schema.parameters().is_empty() {
        out.extend_from_slice(b",\"parameters\":");
        for (i, (key, value)) in schema.parameters().iter().enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            write_string(out, key);
            out.push(b':');
            write_string(out, value);
        }
        out.push(b'}');
    }
    if let Some(default) = schema.default_value().filter(|default| !default.is_null()) {
        out.extend_from_slice(b",\"default\":");
        WriteNode::compile(schema, options, Dialect::JsonConverter, depth)?.write(default, out, depth)?;
    }
    if let Some(field) = field {
        write_member(out, "field", |out| write_string(out, field));
    }
    out.push(b'}');
    Ok(())
}

fn write_inside(schema: &Schema, options: WriteOptions, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    let inner = |name: &str, inner: Option<&Schema>, out: &mut Vec<u8>| {
        write_member(out, name, |_| {});
        match inner {
            Some(inner) => write(inner, None, options, out, depth + 1),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    };
    match schema.ty() {
        Type::Array => inner("items", schema.values(), out),
        Type::Map => {
            inner("keys", schema.keys(), out)?;
            inner("values", schema.values(), out)
        }
        Type::Struct => {
            out.extend_from_slice(b",\"fields\":[");
            for (i, field) in schema.fields().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(field.schema(), Some(field.name()), options, out, depth + 1)?;
            }
            out.push(b']');
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A member after others; `name` needs no escapes.
fn write_member(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    value(out);
}

/// What the envelope calls a type.
pub(super) fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::Int8 => "int8",
        Type::Int16 => "int16",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Float32 => "float",
        Type::Float64 => "double",
        Type::Boolean => "boolean",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Array => "array",
        Type::Map => "map",
        Type::Struct => "struct",
    }
}
