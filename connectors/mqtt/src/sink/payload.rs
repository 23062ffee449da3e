//! From values to payloads.

use lavka_api::Result;
use lavka_api::data::{Blob, Datum, Value};
use lavka_api::java::connect_text;
use lavka_converters::json::{JsonWriter, WriteOptions};

/// What payloads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes and texts as they are, structs, maps and arrays as JSON, other scalars as text.
    Auto,
    /// JSON without its schema.
    Json,
    /// JSON in `JsonConverter`'s envelope with its schema.
    JsonWithSchema,
}

/// Schemas whose plans are kept.
const SCHEMAS: usize = 100;

/// Encodes payloads; one per task.
pub(crate) struct PayloadEncoder {
    encoding: Encoding,
    json: JsonWriter,
    scratch: Vec<u8>,
}

impl PayloadEncoder {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self { encoding, json: JsonWriter::new(WriteOptions::default(), SCHEMAS), scratch: Vec::new() }
    }

    /// The payload of `datum`. A null, which a tombstone is, has none: an empty payload, which takes a retained message
    /// away.
    ///
    /// # Errors
    /// A data error where the value does not fit its schema, or cannot be JSON.
    pub(crate) fn encode(&mut self, datum: &Datum) -> Result<Blob> {
        if datum.is_null() {
            return Ok(Blob::default());
        }
        self.scratch.clear();
        match (self.encoding, &datum.value) {
            (Encoding::Auto, Value::Bytes(bytes)) => return Ok(bytes.clone()),
            (Encoding::Auto, Value::String(text)) => return Ok(text.as_bytes().into()),
            (Encoding::Json, _)
            | (Encoding::Auto, Value::Struct(_) | Value::Object(_) | Value::Map(_) | Value::Array(_)) => {
                self.json.write(datum.schema.as_ref(), &datum.value, &mut self.scratch)?;
            }
            (Encoding::Auto, scalar) => return Ok(connect_text(scalar).as_bytes().into()),
            (Encoding::JsonWithSchema, _) => {
                self.json.write_enveloped(datum.schema.as_ref(), &datum.value, &mut self.scratch)?;
            }
        }
        Ok(self.scratch.as_slice().into())
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Object, Schema, Struct, Type};

    use super::*;

    fn encoded(encoding: Encoding, datum: &Datum) -> String {
        String::from_utf8(PayloadEncoder::new(encoding).encode(datum).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn values_by_their_type() {
        let schema = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
        let fields = Struct::new(schema.clone(), vec![7i32.into()]).unwrap();
        let of_struct = Datum::new(schema, fields);
        let text = Datum::schemaless("on");
        for (encoding, datum, expected) in [
            (Encoding::Auto, &text, "on"),
            (Encoding::Json, &text, "\"on\""),
            (Encoding::Auto, &Datum::schemaless(Blob::from(b"raw")), "raw"),
            (Encoding::Auto, &Datum::schemaless(21.5), "21.5"),
            (Encoding::Auto, &Datum::schemaless(true), "true"),
            (Encoding::Auto, &Datum::schemaless(Object::from_entries([("a", 1i64)])), "{\"a\":1}"),
            (Encoding::Auto, &of_struct, "{\"a\":7}"),
            (Encoding::Json, &Datum::NULL, ""),
            (
                Encoding::JsonWithSchema,
                &of_struct,
                "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":\"a\"}],\
                 \"optional\":false},\"payload\":{\"a\":7}}",
            ),
        ] {
            assert_eq!(encoded(encoding, datum), expected);
        }
    }
}
