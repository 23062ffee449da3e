//! Values of one field number.

use lavka_api::data::{Decimal, Str, Type, Value};
use lavka_api::{Error, Result};

use super::instant;
use crate::schema::Scalar;
use crate::wire::{WireType, tag, write_delimited, write_varint, zigzag32, zigzag64};

/// A tag's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    bytes: [u8; 5],
    length: u8,
}

impl Tag {
    pub(super) fn new(number: u32, wire: WireType) -> Self {
        let mut out = Vec::with_capacity(5);
        write_varint(&mut out, tag(number, wire).into());
        let mut bytes = [0; 5];
        for (slot, byte) in bytes.iter_mut().zip(&out) {
            *slot = *byte;
        }
        Self { bytes, length: u8::try_from(out.len()).unwrap_or(5) }
    }

    #[inline]
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self.length {
            1 => out.push(self.bytes[0]),
            2 => out.extend_from_slice(&[self.bytes[0], self.bytes[1]]),
            length => out.extend(self.bytes.iter().take(length.into())),
        }
    }
}

/// A field of numbers, text, bytes or one of the messages that stand for values.
#[derive(Debug)]
pub(super) struct ScalarWriter {
    pub(super) tag: Tag,
    pub(super) form: Form,
    /// Whether a default is written: the field has presence, or is an item of a list.
    pub(super) explicit: bool,
    /// The Connect type, for error texts.
    pub(super) ty: Type,
}

/// What a value is written as.
#[derive(Debug)]
pub(super) enum Form {
    Plain(Scalar),
    /// An enum's number, by the symbol; sorted.
    Symbols(Box<[(Str, i32)]>),
    /// In a wrapper message.
    Wrapper(Box<ScalarWriter>),
    Timestamp,
    Date,
    Time,
    Decimal,
}

impl Form {
    pub(super) fn wire(&self) -> WireType {
        match self {
            Form::Plain(scalar) => wire_of(*scalar),
            Form::Symbols(_) => WireType::Varint,
            Form::Wrapper(_) | Form::Timestamp | Form::Date | Form::Time | Form::Decimal => WireType::Bytes,
        }
    }
}

pub(crate) fn wire_of(scalar: Scalar) -> WireType {
    match scalar {
        Scalar::Int32
        | Scalar::Int64
        | Scalar::UInt32
        | Scalar::UInt64
        | Scalar::SInt32
        | Scalar::SInt64
        | Scalar::Bool => WireType::Varint,
        Scalar::Fixed64 | Scalar::SFixed64 | Scalar::Double => WireType::Fixed64,
        Scalar::Fixed32 | Scalar::SFixed32 | Scalar::Float => WireType::Fixed32,
        Scalar::String | Scalar::Bytes => WireType::Bytes,
    }
}

impl ScalarWriter {
    /// Appends tag and value, or nothing for a default that needs no saying.
    #[inline]
    pub(super) fn write_field(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match (&self.form, value) {
            (Form::Plain(scalar), value) => match (scalar, value) {
                (Scalar::String, Value::String(text)) => {
                    if self.explicit || !text.is_empty() {
                        self.tag.write(out);
                        write_bytes(text.as_bytes(), out);
                    }
                }
                (Scalar::Int64, Value::Int64(number)) => self.write_number(number.cast_unsigned(), out),
                (Scalar::Int32, Value::Int32(number)) => {
                    self.write_number(i64::from(*number).cast_unsigned(), out);
                }
                (Scalar::Double, Value::Float64(number)) => {
                    if self.explicit || number.to_bits() != 0 {
                        self.tag.write(out);
                        out.extend_from_slice(&number.to_le_bytes());
                    }
                }
                (Scalar::Bool, Value::Boolean(value)) => self.write_number((*value).into(), out),
                (Scalar::Float, Value::Float32(number)) => {
                    if self.explicit || number.to_bits() != 0 {
                        self.tag.write(out);
                        out.extend_from_slice(&number.to_le_bytes());
                    }
                }
                _ => return self.write_any(value, out),
            },
            // What has a length needs no comparison with a default.
            (Form::Timestamp | Form::Date | Form::Time | Form::Decimal | Form::Wrapper(_), value) => {
                self.tag.write(out);
                return self.write_bare(value, out);
            }
            (Form::Symbols(_), value) => return self.write_any(value, out),
        }
        Ok(())
    }

    #[inline]
    fn write_number(&self, number: u64, out: &mut Vec<u8>) {
        if self.explicit || number != 0 {
            self.tag.write(out);
            write_varint(out, number);
        }
    }

    fn write_any(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        let before = out.len();
        self.tag.write(out);
        let at = out.len();
        self.write_bare(value, out)?;
        // A default of whatever type is all zeros: the number 0, or the length of nothing.
        if !self.explicit && out.get(at..).unwrap_or_default().iter().all(|&byte| byte == 0) {
            out.truncate(before);
        }
        Ok(())
    }

    /// Appends the value alone, with its length where it has one.
    pub(super) fn write_bare(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match &self.form {
            Form::Plain(scalar) => self.write_plain(*scalar, value, out),
            Form::Symbols(symbols) => match value {
                Value::String(symbol) => match position(symbols, symbol) {
                    Some((_, number)) => {
                        write_varint(out, i64::from(*number).cast_unsigned());
                        Ok(())
                    }
                    None => Err(Error::data(format!("Invalid value for an enum: it has no symbol {symbol}"))),
                },
                _ => Err(self.mistyped(value)),
            },
            Form::Wrapper(inner) => write_delimited(out, |out| inner.write_field(value, out)),
            Form::Timestamp => match instant::epoch_ms(value) {
                Some(ms) => write_delimited(out, |out| instant::write_timestamp(ms, out)),
                None => Err(not_a("Timestamp", "Date", value)),
            },
            Form::Date => match instant::epoch_ms(value) {
                Some(ms) => write_delimited(out, |out| instant::write_date(ms, out)),
                None => Err(not_a("Date", "Date", value)),
            },
            Form::Time => match instant::epoch_ms(value) {
                Some(ms) => write_delimited(out, |out| instant::write_time(ms, out)),
                None => Err(not_a("Time", "Date", value)),
            },
            Form::Decimal => match value {
                Value::Decimal(decimal) => write_delimited(out, |out| {
                    write_decimal(decimal, out);
                    Ok(())
                }),
                _ => Err(not_a("Decimal", "BigDecimal", value)),
            },
        }
    }

    fn write_plain(&self, scalar: Scalar, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match scalar {
            // Negative numbers are sign-extended to 64 bits.
            Scalar::Int32 => write_varint(out, i64::from(self.integer(value)? as i32).cast_unsigned()),
            Scalar::UInt32 => write_varint(out, u64::from(self.integer(value)? as u32)),
            Scalar::Int64 | Scalar::UInt64 => write_varint(out, self.integer(value)?.cast_unsigned()),
            Scalar::SInt32 => write_varint(out, zigzag32(self.integer(value)? as i32)),
            Scalar::SInt64 => write_varint(out, zigzag64(self.integer(value)?)),
            Scalar::Fixed32 | Scalar::SFixed32 => {
                out.extend_from_slice(&(self.integer(value)? as u32).to_le_bytes());
            }
            Scalar::Fixed64 | Scalar::SFixed64 => out.extend_from_slice(&self.integer(value)?.to_le_bytes()),
            Scalar::Float => match value {
                Value::Float32(number) => out.extend_from_slice(&number.to_le_bytes()),
                value => {
                    let number = value.as_f64().ok_or_else(|| self.mistyped(value))?;
                    out.extend_from_slice(&(number as f32).to_le_bytes());
                }
            },
            Scalar::Double => {
                let number = value.as_f64().ok_or_else(|| self.mistyped(value))?;
                out.extend_from_slice(&number.to_le_bytes());
            }
            Scalar::Bool => match value {
                Value::Boolean(value) => out.push(u8::from(*value)),
                _ => return Err(self.mistyped(value)),
            },
            Scalar::String => match value {
                Value::String(text) => write_bytes(text.as_bytes(), out),
                _ => return Err(self.mistyped(value)),
            },
            Scalar::Bytes => match value {
                Value::Bytes(bytes) => write_bytes(bytes, out),
                _ => return Err(self.mistyped(value)),
            },
        }
        Ok(())
    }

    /// Java's `Number.longValue()`; narrower types take its low bits.
    #[inline]
    fn integer(&self, value: &Value) -> Result<i64> {
        match value {
            Value::Int64(number) => Ok(*number),
            Value::Int32(number) => Ok((*number).into()),
            Value::Int16(number) => Ok((*number).into()),
            Value::Int8(number) => Ok((*number).into()),
            Value::Float32(number) => Ok(*number as i64),
            Value::Float64(number) => Ok(*number as i64),
            value => Err(self.mistyped(value)),
        }
    }

    #[cold]
    fn mistyped(&self, value: &Value) -> Error {
        Error::data(format!("Invalid type for {}: class {}", self.ty, value.java_class()))
    }
}

fn position<'s>(symbols: &'s [(Str, i32)], symbol: &Str) -> Option<&'s (Str, i32)> {
    symbols.binary_search_by(|(known, _)| known.cmp(symbol)).ok().and_then(|at| symbols.get(at))
}

#[inline]
fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The fields of `confluent.type.Decimal`: unscaled value, digits, scale.
fn write_decimal(decimal: &Decimal, out: &mut Vec<u8>) {
    out.push(0x0a);
    let digits = match i64::try_from(decimal.unscaled()) {
        Ok(small) => {
            let bytes = small.to_be_bytes();
            // As few bytes as keep the sign.
            let spare = if small < 0 { small.leading_ones() } else { small.leading_zeros() };
            let skipped = (spare.saturating_sub(1) / 8).min(7) as usize;
            write_bytes(bytes.get(skipped..).unwrap_or_default(), out);
            small.unsigned_abs().checked_ilog10().unwrap_or(0).into()
        }
        Err(_) => {
            write_bytes(&decimal.to_be_bytes(), out);
            decimal.unscaled().magnitude().to_str_radix(10).len() as u64 - 1
        }
    };
    // Java's `BigDecimal.precision()`.
    out.push(0x10);
    write_varint(out, digits + 1);
    if decimal.scale() != 0 {
        out.push(0x18);
        write_varint(out, i64::from(decimal.scale()).cast_unsigned());
    }
}

#[cold]
fn not_a(logical: &str, class: &str, value: &Value) -> Error {
    Error::data(format!("Invalid type for {logical}, expected {class} but was class {}", value.java_class()))
}
