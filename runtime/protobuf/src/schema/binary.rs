//! From a serialized `FileDescriptorProto` (descriptor.proto), as clients that have no text register it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lavka_api::data::Str;
use lavka_api::{Error, Result};

use super::{Enum, Field, FieldType, File, Import, Label, MAX_DEPTH, Message, Scalar, Syntax, meta};
use crate::wire::{Reader, WireType, invalid_utf8};

/// The number of Confluent's extensions of options.
const META: u32 = 1088;

/// The file, where `text` is Base64 of one.
pub(super) fn from_base64(text: &str) -> Option<File> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    file(&bytes).ok()
}

/// A field's value in a descriptor.
enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    fn text(&self) -> Result<Str> {
        Str::from_utf8(self.bytes()).map_err(|_| invalid_utf8())
    }

    fn bytes(&self) -> &'a [u8] {
        match *self {
            Item::Bytes(bytes) => bytes,
            Item::Number(_) => &[],
        }
    }

    fn number(&self) -> i32 {
        match *self {
            Item::Number(number) => number as i32,
            Item::Bytes(_) => 0,
        }
    }
}

/// Calls `found` with each field of a message that is a number or bytes.
fn each<'a>(bytes: &'a [u8], mut found: impl FnMut(u32, Item<'a>) -> Result<()>) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let (number, wire) = reader.field()?;
        match wire {
            WireType::Varint => found(number, Item::Number(reader.varint()?))?,
            WireType::Bytes => found(number, Item::Bytes(reader.bytes()?))?,
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

fn file(bytes: &[u8]) -> Result<File> {
    let mut made = File::default();
    let mut public = Vec::new();
    each(bytes, |number, item| {
        match number {
            2 => made.package = Some(item.text()?),
            3 => made.imports.push(Import { path: item.text()?, public: false }),
            4 => made.messages.push(message(item.bytes(), 0)?),
            5 => made.enums.push(enumeration(item.bytes())?),
            10 => public.push(item.number()),
            12 => {
                made.syntax = match item.text()?.as_str() {
                    "proto3" => Syntax::Proto3,
                    "" | "proto2" => Syntax::Proto2,
                    other => return Err(Error::data(format!("Could not parse Protobuf - syntax {other}"))),
                };
            }
            _ => {}
        }
        Ok(())
    })?;
    for at in public {
        if let Some(import) = usize::try_from(at).ok().and_then(|at| made.imports.get_mut(at)) {
            import.public = true;
        }
    }
    if made.messages.is_empty() && made.enums.is_empty() && made.imports.is_empty() {
        return Err(Error::data("Could not parse Protobuf - the descriptor is empty"));
    }
    Ok(made)
}

fn message(bytes: &[u8], depth: usize) -> Result<Message> {
    if depth >= MAX_DEPTH {
        return Err(Error::data(format!(
            "Could not parse Protobuf - messages are nested deeper than {MAX_DEPTH} levels"
        )));
    }
    let mut made = Message::default();
    let mut synthetic = 0;
    each(bytes, |number, item| {
        match number {
            1 => made.name = item.text()?,
            2 => {
                let (field, proto3_optional) = field(item.bytes())?;
                synthetic += usize::from(proto3_optional);
                made.fields.push(field);
            }
            3 => made.messages.push(message(item.bytes(), depth + 1)?),
            4 => made.enums.push(enumeration(item.bytes())?),
            8 => each(item.bytes(), |number, item| {
                if number == 1 {
                    made.oneofs.push(item.text()?);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    // What stands for a proto3 `optional` comes last.
    made.oneofs.truncate(made.oneofs.len().saturating_sub(synthetic));
    Ok(made)
}

/// The field, and whether it is a proto3 `optional`.
fn field(bytes: &[u8]) -> Result<(Field, bool)> {
    let (mut name, mut number, mut label, mut ty, mut type_name) = (Str::default(), 0, 0, 0, None);
    let (mut oneof, mut default, mut proto3_optional, mut options) = (None, None, false, (None, Vec::new()));
    each(bytes, |tag, item| {
        match tag {
            1 => name = item.text()?,
            3 => number = item.number(),
            4 => label = item.number(),
            5 => ty = item.number(),
            6 => type_name = Some(item.text()?),
            7 => default = Some(item.text()?),
            8 => options = field_options(item.bytes())?,
            9 => oneof = usize::try_from(item.number()).ok(),
            17 => proto3_optional = item.number() != 0,
            _ => {}
        }
        Ok(())
    })?;
    let ty = match (type_name, scalar(ty)) {
        (Some(name), _) if ty == 10 => FieldType::Group(name),
        (Some(name), _) => FieldType::Named(name),
        (None, Some(scalar)) => FieldType::Scalar(scalar),
        (None, None) => {
            return Err(Error::data(format!("Could not parse Protobuf - field {name} has no type")));
        }
    };
    let oneof = oneof.filter(|_| !proto3_optional);
    let label = match label {
        _ if proto3_optional => Label::Optional,
        _ if oneof.is_some() => Label::None,
        2 => Label::Required,
        3 => Label::Repeated,
        _ => Label::None,
    };
    let (packed, params) = options;
    Ok((Field { name, number, label, ty, oneof, packed, default, params }, proto3_optional))
}

type FieldOptions = (Option<bool>, Vec<(Str, Str)>);

fn field_options(bytes: &[u8]) -> Result<FieldOptions> {
    let (mut packed, mut params) = (None, Vec::new());
    each(bytes, |number, item| {
        match number {
            2 => packed = Some(item.number() != 0),
            META => each(item.bytes(), |number, item| {
                if number == 2 {
                    let (mut key, mut value) = (Str::default(), Str::default());
                    each(item.bytes(), |number, item| {
                        match number {
                            1 => key = item.text()?,
                            2 => value = item.text()?,
                            _ => {}
                        }
                        Ok(())
                    })?;
                    meta::insert(&mut params, key, value);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((packed, params))
}

fn enumeration(bytes: &[u8]) -> Result<Enum> {
    let mut made = Enum::default();
    each(bytes, |number, item| {
        match number {
            1 => made.name = item.text()?,
            2 => {
                let (mut name, mut value) = (Str::default(), 0);
                each(item.bytes(), |number, item| {
                    match number {
                        1 => name = item.text()?,
                        2 => value = item.number(),
                        _ => {}
                    }
                    Ok(())
                })?;
                made.values.push((name, value));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(made)
}

fn scalar(ty: i32) -> Option<Scalar> {
    Some(match ty {
        1 => Scalar::Double,
        2 => Scalar::Float,
        3 => Scalar::Int64,
        4 => Scalar::UInt64,
        5 => Scalar::Int32,
        6 => Scalar::Fixed64,
        7 => Scalar::Fixed32,
        8 => Scalar::Bool,
        9 => Scalar::String,
        12 => Scalar::Bytes,
        13 => Scalar::UInt32,
        15 => Scalar::SFixed32,
        16 => Scalar::SFixed64,
        17 => Scalar::SInt32,
        18 => Scalar::SInt64,
        _ => return None,
    })
}
