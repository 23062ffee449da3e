//! What one value of a field becomes.

use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Blob, Str, Value};

use super::message::MessageReader;
use super::{json, value};
use crate::encode::wire_of;
use crate::schema::Scalar;
use crate::wire::{Reader, WireType, invalid_utf8, unzigzag32, unzigzag64};

/// How one value is read.
#[derive(Debug)]
pub(super) enum Element {
    Scalar(Scalar, Narrow),
    /// Text that need not be UTF-8: what is not is replaced.
    LooseText,
    /// An enum by its symbol.
    Symbol(Symbols),
    /// An enum by its number; of a closed one those that it has, sorted.
    Number(Option<Box<[i32]>>),
    /// The value in a wrapper message.
    Wrapper(Box<Element>),
    Message(Arc<MessageReader>),
    Decimal,
    Date,
    Time,
    Timestamp,
    /// Google's messages for JSON, as JSON text.
    JsonObject,
    JsonList,
    JsonValue,
}

/// Which integer a 32-bit one becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrow {
    Not,
    To8,
    To16,
}

/// The symbols of an enum, sorted by number, each number once.
#[derive(Debug)]
pub(super) struct Symbols {
    pub(super) name: Str,
    pub(super) by_number: Box<[(i32, Str)]>,
    /// Whether a number without a symbol is kept.
    pub(super) open: bool,
}

impl Symbols {
    /// The symbol, or for an open enum what Java calls a number without one.
    pub(super) fn symbol(&self, number: i32) -> Option<Value> {
        match self.by_number.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => self.by_number.get(at).map(|(_, symbol)| Value::String(symbol.clone())),
            Err(_) if self.open => Some(format!("UNKNOWN_ENUM_VALUE_{}_{number}", self.name).into()),
            Err(_) => None,
        }
    }
}

impl Element {
    /// The wire type of one value, outside of packed lists. Groups are told apart by the field.
    pub(super) fn wire(&self) -> WireType {
        match self {
            Element::Scalar(scalar, _) => wire_of(*scalar),
            Element::Symbol(_) | Element::Number(_) => WireType::Varint,
            _ => WireType::Bytes,
        }
    }

    pub(super) fn is_message(&self) -> bool {
        !matches!(self, Element::Scalar(..) | Element::LooseText | Element::Symbol(_) | Element::Number(_))
    }

    /// Reads a value that is no message; none for a number that its enum does not have.
    #[inline]
    pub(super) fn read(&self, reader: &mut Reader<'_>) -> Result<Option<Value>> {
        match self {
            Element::Scalar(scalar, narrow) => read_scalar(*scalar, *narrow, reader).map(Some),
            Element::LooseText => {
                Ok(Some(Value::String(String::from_utf8_lossy(reader.bytes()?).into_owned().into())))
            }
            Element::Symbol(symbols) => Ok(symbols.symbol(reader.varint()? as i32)),
            Element::Number(known) => {
                let number = reader.varint()? as i32;
                let known = known.as_ref().is_none_or(|known| known.binary_search(&number).is_ok());
                Ok(known.then_some(Value::Int32(number)))
            }
            _ => self.read_message(reader.bytes()?).map(Some),
        }
    }

    /// The value of a message with the fields `bytes`.
    pub(super) fn read_message(&self, bytes: &[u8]) -> Result<Value> {
        match self {
            Element::Message(reader) => reader.read(bytes),
            Element::Wrapper(inner) => inner.read_wrapped(bytes),
            Element::Decimal => value::decimal(bytes),
            Element::Date => value::date(bytes),
            Element::Time => value::time(bytes),
            Element::Timestamp => value::timestamp(bytes),
            Element::JsonObject => json::object(bytes),
            Element::JsonList => json::list(bytes),
            Element::JsonValue => json::value(bytes),
            _ => self.read(&mut Reader::new(bytes)).map(Option::unwrap_or_default),
        }
    }

    /// The value in a wrapper message with the fields `bytes`.
    pub(super) fn read_wrapped(&self, bytes: &[u8]) -> Result<Value> {
        let mut found = Value::Null;
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let (number, wire) = reader.field()?;
            if number == 1 && wire == self.wire() {
                found = self.read(&mut reader)?.unwrap_or_default();
            } else {
                reader.skip(number, wire)?;
            }
        }
        Ok(match (found, self) {
            (Value::Null, Element::Scalar(scalar, narrow)) => zero(*scalar, *narrow),
            (found, _) => found,
        })
    }

    /// A packed list: values one after another.
    pub(super) fn read_packed(&self, bytes: &[u8], items: &mut Vec<Value>) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let count = match self.wire() {
            WireType::Fixed32 => bytes.len() / 4,
            WireType::Fixed64 => bytes.len() / 8,
            _ => bytes.iter().filter(|&&byte| byte < 0x80).count(),
        };
        items.reserve(count);
        while !reader.is_empty() {
            items.extend(self.read(&mut reader)?);
        }
        Ok(())
    }
}

#[inline]
pub(super) fn read_scalar(scalar: Scalar, narrow: Narrow, reader: &mut Reader<'_>) -> Result<Value> {
    Ok(match scalar {
        Scalar::String => Value::String(Str::from_utf8(reader.bytes()?).map_err(|_| invalid_utf8())?),
        Scalar::Int64 | Scalar::UInt64 => Value::Int64(reader.varint()?.cast_signed()),
        Scalar::Int32 => narrowed(reader.varint()? as i32, narrow),
        Scalar::Double => Value::Float64(f64::from_bits(reader.fixed64()?)),
        Scalar::Bool => Value::Boolean(reader.varint()? != 0),
        Scalar::Float => Value::Float32(f32::from_bits(reader.fixed32()?)),
        Scalar::Bytes => Value::Bytes(Blob::from(reader.bytes()?)),
        // Unsigned ones of 32 bits fit a long; those of 64 bits keep their bits.
        Scalar::UInt32 => Value::Int64((reader.varint()? as u32).into()),
        Scalar::Fixed32 => Value::Int64(reader.fixed32()?.into()),
        Scalar::SInt32 => narrowed(unzigzag32(reader.varint()?), narrow),
        Scalar::SInt64 => Value::Int64(unzigzag64(reader.varint()?)),
        Scalar::SFixed32 => narrowed(reader.fixed32()?.cast_signed(), narrow),
        Scalar::Fixed64 | Scalar::SFixed64 => Value::Int64(reader.fixed64()?.cast_signed()),
    })
}

/// As Java's casts do it: the low bits.
pub(super) fn narrowed(number: i32, narrow: Narrow) -> Value {
    match narrow {
        Narrow::Not => Value::Int32(number),
        Narrow::To8 => Value::Int8(number as i8),
        Narrow::To16 => Value::Int16(number as i16),
    }
}

/// What a missing value of proto3 stands for.
pub(super) fn zero(scalar: Scalar, narrow: Narrow) -> Value {
    match scalar {
        Scalar::Int32 | Scalar::SInt32 | Scalar::SFixed32 => narrowed(0, narrow),
        Scalar::Int64
        | Scalar::UInt64
        | Scalar::SInt64
        | Scalar::UInt32
        | Scalar::Fixed32
        | Scalar::Fixed64
        | Scalar::SFixed64 => Value::Int64(0),
        Scalar::Float => Value::Float32(0.0),
        Scalar::Double => Value::Float64(0.0),
        Scalar::Bool => Value::Boolean(false),
        Scalar::String => "".into(),
        Scalar::Bytes => Blob::default().into(),
    }
}
