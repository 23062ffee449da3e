//! Structs as messages.

use lavka_api::data::{Schema, Struct, Value};
use lavka_api::{Error, Result};

use super::scalar::{ScalarWriter, Tag};
use crate::wire::write_delimited;

/// A message of one struct schema.
#[derive(Debug)]
pub(super) struct MessageWriter {
    pub(super) schema: Schema,
    /// In the order of their numbers.
    pub(super) fields: Box<[FieldWriter]>,
}

#[derive(Debug)]
pub(super) struct FieldWriter {
    /// The position in the struct.
    pub(super) slot: usize,
    /// The position in the struct's union, for members of oneofs.
    pub(super) member: Option<usize>,
    /// Written for null.
    pub(super) default: Option<Value>,
    pub(super) writer: ValueWriter,
}

#[derive(Debug)]
pub(super) enum ValueWriter {
    Scalar(ScalarWriter),
    Message(Tag, Box<MessageWriter>),
    Packed(Tag, Box<ScalarWriter>),
    List(Box<ValueWriter>),
    Map(Tag, Box<EntryWriter>),
    /// A union without members.
    Nothing,
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct EntryWriter {
    pub(super) key: InnerWriter,
    pub(super) value: InnerWriter,
}

#[derive(Debug)]
pub(super) struct InnerWriter {
    pub(super) writer: ValueWriter,
}

impl MessageWriter {
    pub(super) fn write_value(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match value {
            Value::Struct(record) => self.write(record, out),
            _ => Err(Error::data(format!("Invalid type for STRUCT: class {}", value.java_class()))),
        }
    }

    fn write(&self, record: &Struct, out: &mut Vec<u8>) -> Result<()> {
        if record.schema() != &self.schema {
            return Err(Error::data("Mismatching struct schema"));
        }
        let values = record.values();
        for field in &self.fields {
            let Some(mut value) = values.get(field.slot) else { continue };
            if let Some(member) = field.member {
                match value {
                    Value::Null => continue,
                    Value::Struct(union) => match chosen(union, field)? {
                        (at, chosen) if at == member => value = chosen,
                        _ => continue,
                    },
                    _ => {
                        return Err(Error::data(format!(
                            "Invalid type for STRUCT: class {}",
                            value.java_class()
                        )));
                    }
                }
            } else if value.is_null() {
                match &field.default {
                    Some(default) => value = default,
                    None => continue,
                }
            }
            field.writer.write(value, out).map_err(|error| self.placed(field, error))?;
        }
        Ok(())
    }

    /// Says where an error happened.
    #[cold]
    fn placed(&self, field: &FieldWriter, error: Error) -> Error {
        let name = self.schema.fields().get(field.slot).map_or("", |field| field.name().as_str());
        let exception = error.exception();
        error.wrapped_in(exception, format!("Field {name} cannot be written"))
    }
}

/// The first member of a union that is not null.
fn chosen<'v>(union: &'v Struct, field: &'v FieldWriter) -> Result<(usize, &'v Value)> {
    let default = field.default.is_some();
    for (at, (inner, value)) in union.iter().enumerate() {
        let value = if default { inner.schema().or_default(value) } else { value };
        if !value.is_null() {
            return Ok((at, value));
        }
    }
    Err(Error::data("Cannot find non-null field"))
}

impl ValueWriter {
    /// Appends a value that is not null.
    #[inline]
    fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match self {
            ValueWriter::Scalar(writer) => writer.write_field(value, out),
            ValueWriter::Message(tag, writer) => {
                tag.write(out);
                write_delimited(out, |out| writer.write_value(value, out))
            }
            ValueWriter::Packed(tag, writer) => match items(value)? {
                [] => Ok(()),
                items => {
                    tag.write(out);
                    write_delimited(out, |out| {
                        items
                            .iter()
                            .try_for_each(|item| not_null(item).and_then(|item| writer.write_bare(item, out)))
                    })
                }
            },
            ValueWriter::List(writer) => items(value)?
                .iter()
                .try_for_each(|item| not_null(item).and_then(|item| writer.write(item, out))),
            ValueWriter::Map(tag, entry) => write_map(*tag, entry, value, out),
            ValueWriter::Nothing => Ok(()),
        }
    }
}

fn write_map(tag: Tag, entry: &EntryWriter, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let mut write = |key: &Value, item: &Value| {
        tag.write(out);
        write_delimited(out, |out| {
            entry.key.write(key, out)?;
            entry.value.write(item, out)
        })
    };
    match value {
        Value::Map(entries) => entries.iter().try_for_each(|(key, item)| write(key, item)),
        Value::Object(object) => {
            object.iter().try_for_each(|(key, item)| write(&Value::String(key.clone()), item))
        }
        _ => Err(Error::data(format!("Invalid type for MAP: class {}", value.java_class()))),
    }
}

impl InnerWriter {
    fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        if value.is_null() { Ok(()) } else { self.writer.write(value, out) }
    }
}

fn items(value: &Value) -> Result<&[Value]> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(Error::data(format!("Invalid type for ARRAY: class {}", value.java_class()))),
    }
}

#[inline]
fn not_null(item: &Value) -> Result<&Value> {
    if item.is_null() {
        return Err(Error::data("An array has a null in it, which Protobuf has no way to write"));
    }
    Ok(item)
}
