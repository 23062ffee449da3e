//! `BooleanConverter`: one byte.

use lavka_api::data::{Blob, Datum, Schema, Type, Value};
use lavka_api::{Error, Result};

use crate::adapter::{Codec, serialization};

/// Booleans as one byte, 0 or 1.
pub(crate) struct BooleanCodec;

impl Codec for BooleanCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        let value = match payload.map(|bytes| &**bytes) {
            None => Value::Null,
            Some([0]) => Value::Boolean(false),
            Some([1]) => Value::Boolean(true),
            Some(&[byte]) => {
                return Err(refused(format!("Unexpected byte received by BooleanDeserializer: {byte}")));
            }
            Some(_) => return Err(refused("Size of data received by BooleanDeserializer is not 1".into())),
        };
        Ok(Datum::new(Schema::optional(Type::Boolean), value))
    }

    fn encode(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        if let Some(schema) = schema
            && schema.ty() != Type::Boolean
        {
            return Err(Error::data(format!("Invalid schema type for BooleanConverter: {}", schema.ty())));
        }
        match value {
            Value::Null => Ok(false),
            Value::Boolean(value) => {
                out.push(u8::from(*value));
                Ok(true)
            }
            other => Err(Error::data(format!(
                "BooleanConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}

fn refused(detail: String) -> Error {
    Error::data("Failed to deserialize boolean: ").caused_by(serialization(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: Option<&[u8]>) -> Result<Datum> {
        BooleanCodec.decode(bytes.map(Blob::from).as_ref())
    }

    #[test]
    fn one_byte_each_way() {
        for (value, byte) in [(true, 1u8), (false, 0)] {
            let mut out = Vec::new();
            assert!(BooleanCodec.encode(None, &value.into(), &mut out).unwrap());
            assert_eq!(out, [byte]);
            assert_eq!(decode(Some(&[byte])).unwrap(), Datum::new(Schema::optional(Type::Boolean), value));
        }
        assert_eq!(decode(None).unwrap(), Datum::new(Schema::optional(Type::Boolean), Value::Null));
        assert!(
            !BooleanCodec.encode(Some(&Schema::of(Type::Boolean)), &Value::Null, &mut Vec::new()).unwrap()
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [&[][..], &[2], &[0xff], &[0, 1]] {
            let error = decode(Some(bytes)).unwrap_err();
            assert_eq!(error.message(), Some("Failed to deserialize boolean: "));
        }
        let cause = decode(Some(&[2])).unwrap_err().cause().cloned().unwrap();
        assert_eq!(cause.message(), Some("Unexpected byte received by BooleanDeserializer: 2"));
        let encode = |schema: Option<Schema>, value: Value| {
            let error = BooleanCodec.encode(schema.as_ref(), &value, &mut Vec::new()).unwrap_err();
            error.message().unwrap_or_default().to_owned()
        };
        assert_eq!(
            encode(Some(Schema::of(Type::Bytes)), Value::Null),
            "Invalid schema type for BooleanConverter: BYTES"
        );
        assert_eq!(
            encode(None, 1i32.into()),
            "BooleanConverter is not compatible with objects of type class java.lang.Integer"
        );
    }
}
