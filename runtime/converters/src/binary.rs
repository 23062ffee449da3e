//! `ByteArrayConverter`: bytes as they are.

use lavka_api::data::{Blob, Datum, Schema, Type, Value};
use lavka_api::{Error, Result};

use crate::adapter::Codec;

/// Bytes as they are; the payload's allocation is shared, not copied.
pub(crate) struct BytesCodec;

impl Codec for BytesCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        let value = payload.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()));
        Ok(Datum::new(Schema::optional(Type::Bytes), value))
    }

    fn encode(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        if let Some(schema) = schema
            && schema.ty() != Type::Bytes
        {
            return Err(Error::data(format!("Invalid schema type for ByteArrayConverter: {}", schema.ty())));
        }
        match value {
            Value::Null => Ok(false),
            Value::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                Ok(true)
            }
            other => Err(Error::data(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_and_empty_is_not_null() {
        for bytes in [&[][..], &[0, 0xff]] {
            let blob = Blob::from(bytes);
            let datum = BytesCodec.decode(Some(&blob)).unwrap();
            assert_eq!(datum, Datum::new(Schema::optional(Type::Bytes), blob));
            let mut out = Vec::new();
            assert!(BytesCodec.encode(datum.schema.as_ref(), &datum.value, &mut out).unwrap());
            assert_eq!(out, bytes);
        }
        assert_eq!(BytesCodec.decode(None).unwrap().value, Value::Null);
        assert!(!BytesCodec.encode(None, &Value::Null, &mut Vec::new()).unwrap());
    }

    #[test]
    fn other_types_are_refused() {
        let encode = |schema: Option<Schema>, value: Value| {
            let error = BytesCodec.encode(schema.as_ref(), &value, &mut Vec::new()).unwrap_err();
            error.message().unwrap_or_default().to_owned()
        };
        assert_eq!(
            encode(Some(Schema::of(Type::Int32)), Value::Null),
            "Invalid schema type for ByteArrayConverter: INT32"
        );
        assert_eq!(
            encode(None, "x".into()),
            "ByteArrayConverter is not compatible with objects of type class java.lang.String"
        );
    }
}
