//! `google.protobuf.Struct`, `Value` and `ListValue` as JSON text (protobuf.dev, "ProtoJSON Format"). They hold
//! themselves, which no schema here expresses.

use lavka_api::data::{Str, Value};
use lavka_api::java::write_f64;
use lavka_api::{Error, Result};

use crate::schema::MAX_DEPTH;
use crate::wire::{Reader, WireType, invalid_utf8};

pub(super) fn object(bytes: &[u8]) -> Result<Value> {
    text(bytes, write_object)
}

pub(super) fn list(bytes: &[u8]) -> Result<Value> {
    text(bytes, write_list)
}

pub(super) fn value(bytes: &[u8]) -> Result<Value> {
    text(bytes, write_value)
}

fn text(bytes: &[u8], write: fn(&[u8], &mut Vec<u8>, usize) -> Result<()>) -> Result<Value> {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    write(bytes, &mut out, 0)?;
    Str::from_utf8(&out).map(Value::String).map_err(|_| invalid_utf8())
}

/// Calls `found` with each field of bytes that has `number`, and whether it is the first.
fn each<'a>(bytes: &'a [u8], wanted: u32, mut found: impl FnMut(&'a [u8], bool) -> Result<()>) -> Result<()> {
    let (mut reader, mut first) = (Reader::new(bytes), true);
    while !reader.is_empty() {
        match reader.field()? {
            (number, WireType::Bytes) if number == wanted => {
                found(reader.bytes()?, first)?;
                first = false;
            }
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// Entries as they come. A key that is there twice is written twice, and readers of JSON take the last one.
fn write_object(bytes: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_depth(depth)?;
    out.push(b'{');
    each(bytes, 1, |entry, first| {
        let (mut key, mut item) = (&[][..], &[][..]);
        each(entry, 1, |bytes, _| {
            key = bytes;
            Ok(())
        })?;
        each(entry, 2, |bytes, _| {
            item = bytes;
            Ok(())
        })?;
        if !first {
            out.push(b',');
        }
        write_text(key, out)?;
        out.push(b':');
        write_value(item, out, depth + 1)
    })?;
    out.push(b'}');
    Ok(())
}

fn write_list(bytes: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_depth(depth)?;
    out.push(b'[');
    each(bytes, 1, |item, first| {
        if !first {
            out.push(b',');
        }
        write_value(item, out, depth + 1)
    })?;
    out.push(b']');
    Ok(())
}

/// The last member of the oneof; none is null.
fn write_value(bytes: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(b"null");
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let (number, wire) = reader.field()?;
        if !matches!(
            (number, wire),
            (1 | 4, WireType::Varint) | (2, WireType::Fixed64) | (3 | 5 | 6, WireType::Bytes)
        ) {
            reader.skip(number, wire)?;
            continue;
        }
        out.truncate(start);
        match number {
            2 => {
                let number = f64::from_bits(reader.fixed64()?);
                if !number.is_finite() {
                    return Err(Error::data(
                        "A google.protobuf.Value holds a number that JSON cannot express",
                    ));
                }
                write_f64(out, number);
            }
            3 => write_text(reader.bytes()?, out)?,
            4 => out.extend_from_slice(if reader.varint()? != 0 { b"true" } else { b"false" }),
            5 => write_object(reader.bytes()?, out, depth + 1)?,
            6 => write_list(reader.bytes()?, out, depth + 1)?,
            _ => {
                reader.varint()?;
                out.extend_from_slice(b"null");
            }
        }
    }
    Ok(())
}

fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    std::str::from_utf8(bytes).map_err(|_| invalid_utf8())?;
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    Ok(())
}

fn check_depth(depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!(
            "A google.protobuf.Struct is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    Ok(())
}
