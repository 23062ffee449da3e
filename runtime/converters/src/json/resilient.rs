//! Lenses' `JsonResilientConverter`: what `JsonConverter` refuses is null.

use lavka_api::Result;
use lavka_api::data::{Blob, Datum, Schema, Value};

use super::codec::JsonCodec;
use crate::adapter::Codec;

/// The converter. Nobody hears of what it leaves out: that is what it is for.
pub(crate) struct ResilientCodec(pub(crate) JsonCodec);

impl Codec for ResilientCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        Ok(self.0.decode(payload).unwrap_or(Datum::NULL))
    }

    fn encode(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        let before = out.len();
        Ok(self.0.encode(schema, value, out).unwrap_or_else(|_| {
            out.truncate(before);
            false
        }))
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::Config;
    use lavka_api::data::Type;
    use lavka_api::plugin::ConverterRole;

    use super::*;

    #[test]
    fn what_is_malformed_is_null() {
        let config = Config::from([("schemas.enable", "false")]);
        let mut codec = ResilientCodec(JsonCodec::new(&config, ConverterRole::Value).unwrap());
        for (json, expected) in [("21", Value::Int64(21)), ("{", Value::Null), ("", Value::Null)] {
            let datum = codec.decode(Some(&Blob::from(json.as_bytes()))).unwrap();
            assert_eq!(datum, Datum { schema: None, value: expected }, "{json}");
        }
        assert_eq!(codec.decode(None).unwrap(), Datum::NULL);
    }

    #[test]
    fn what_cannot_be_written_is_null() {
        let mut codec = ResilientCodec(JsonCodec::new(&Config::new(), ConverterRole::Value).unwrap());
        let mut out = b"before".to_vec();
        let schema = Schema::array(Schema::of(Type::Int32));
        let wrong = Value::from(vec![Value::from("text")]);
        assert!(!codec.encode(Some(&schema), &wrong, &mut out).unwrap());
        assert_eq!(out, b"before");
        assert!(codec.encode(Some(&schema), &Value::from(vec![Value::Int32(1)]), &mut out).unwrap());
        assert!(out.len() > 6);
    }
}
