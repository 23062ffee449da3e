//! Short, Integer, Long, Float and Double converters: big-endian bytes of fixed length.

use lavka_api::data::{Blob, Datum, Schema, Type, Value};
use lavka_api::{Error, Result};

use crate::adapter::{Codec, serialization};

/// A number of one type as big-endian bytes. As in Java the schema is not looked at: the value's own type decides.
pub(crate) struct NumberCodec {
    ty: Type,
    /// What error texts call the type.
    name: &'static str,
    /// What the error about a wrong length calls the reader; Kafka's floating-point ones go without a type.
    reader: &'static str,
    length: usize,
}

impl NumberCodec {
    pub(crate) const SHORT: Self =
        Self { ty: Type::Int16, name: "short", reader: "ShortDeserializer", length: 2 };
    pub(crate) const INTEGER: Self =
        Self { ty: Type::Int32, name: "integer", reader: "IntegerDeserializer", length: 4 };
    pub(crate) const LONG: Self =
        Self { ty: Type::Int64, name: "long", reader: "LongDeserializer", length: 8 };
    pub(crate) const FLOAT: Self =
        Self { ty: Type::Float32, name: "float", reader: "Deserializer", length: 4 };
    pub(crate) const DOUBLE: Self =
        Self { ty: Type::Float64, name: "double", reader: "Deserializer", length: 8 };

    fn read(&self, bytes: &[u8]) -> Option<Value> {
        Some(match self.ty {
            Type::Int16 => Value::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
            Type::Int32 => Value::Int32(i32::from_be_bytes(bytes.try_into().ok()?)),
            Type::Int64 => Value::Int64(i64::from_be_bytes(bytes.try_into().ok()?)),
            Type::Float32 => Value::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
            Type::Float64 => Value::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    }
}

impl Codec for NumberCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        let value = match payload {
            None => Value::Null,
            Some(bytes) => self.read(bytes).ok_or_else(|| {
                let Self { name, reader, length, .. } = self;
                Error::data(format!("Failed to deserialize {name}: "))
                    .caused_by(serialization(format!("Size of data received by {reader} is not {length}")))
            })?,
        };
        Ok(Datum::new(Schema::optional(self.ty), value))
    }

    fn encode(&mut self, _: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        match (self.ty, value) {
            (_, Value::Null) => return Ok(false),
            (Type::Int16, Value::Int16(v)) => out.extend_from_slice(&v.to_be_bytes()),
            (Type::Int32, Value::Int32(v)) => out.extend_from_slice(&v.to_be_bytes()),
            (Type::Int64, Value::Int64(v)) => out.extend_from_slice(&v.to_be_bytes()),
            (Type::Float32, Value::Float32(v)) => out.extend_from_slice(&v.to_be_bytes()),
            (Type::Float64, Value::Float64(v)) => out.extend_from_slice(&v.to_be_bytes()),
            (_, other) => {
                return Err(Error::data(format!(
                    "Failed to serialize to {} (was class {}): ",
                    self.name,
                    other.java_class()
                )));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [NumberCodec; 5] = [
        NumberCodec::SHORT,
        NumberCodec::INTEGER,
        NumberCodec::LONG,
        NumberCodec::FLOAT,
        NumberCodec::DOUBLE,
    ];

    fn samples() -> [(Value, &'static [u8]); 5] {
        [
            (Value::Int16(-2), &[0xff, 0xfe]),
            (Value::Int32(-2), &[0xff, 0xff, 0xff, 0xfe]),
            (Value::Int64(0x0102_0304_0506_0708), &[1, 2, 3, 4, 5, 6, 7, 8]),
            (Value::Float32(1.5), &[0x3f, 0xc0, 0, 0]),
            (Value::Float64(1.5), &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
        ]
    }

    #[test]
    fn big_endian_both_ways() {
        for (mut codec, (value, bytes)) in ALL.into_iter().zip(samples()) {
            let mut out = Vec::new();
            assert!(codec.encode(None, &value, &mut out).unwrap());
            assert_eq!(out, bytes);
            let schema = Schema::optional(codec.ty);
            assert_eq!(codec.decode(Some(&bytes.into())).unwrap(), Datum::new(schema.clone(), value));
            assert_eq!(codec.decode(None).unwrap(), Datum::new(schema, Value::Null));
            assert!(!codec.encode(None, &Value::Null, &mut out).unwrap());
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        for mut codec in ALL {
            let right = codec.length;
            for length in (0..10).filter(|&length| length != right) {
                let error = codec.decode(Some(&vec![0; length].into())).unwrap_err();
                assert_eq!(error.message(), Some(&*format!("Failed to deserialize {}: ", codec.name)));
            }
        }
        let mut float = NumberCodec::FLOAT;
        let error = float.decode(Some(&vec![0].into())).unwrap_err();
        assert_eq!(
            error.cause().and_then(Error::message),
            Some("Size of data received by Deserializer is not 4")
        );
    }

    #[test]
    fn the_value_s_type_decides_whatever_the_schema() {
        for (i, mut codec) in ALL.into_iter().enumerate() {
            for (j, (value, _)) in samples().into_iter().enumerate() {
                let outcome = codec.encode(Some(&Schema::of(Type::Bytes)), &value, &mut Vec::new());
                assert_eq!(outcome.is_ok(), i == j);
            }
        }
        let mut integer = NumberCodec::INTEGER;
        let error = integer.encode(None, &Value::Int64(1), &mut Vec::new()).unwrap_err();
        assert_eq!(error.message(), Some("Failed to serialize to integer (was class java.lang.Long): "));
    }
}
