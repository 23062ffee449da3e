//! `StringConverter`: the text of any value.

use lavka_api::config::{Check, Config, ConfigSpec, Width, key};
use lavka_api::data::{Blob, Datum, Schema, Type, Value};
use lavka_api::plugin::ConverterRole;
use lavka_api::{Error, Result, java};

use crate::adapter::{Codec, with_role};
use crate::catalogue::ROLES;
use crate::charset::Charset;

lavka_api::config! {
    /// Settings of the string converter.
    pub(crate) struct TextSettings {
        _role: String = key("converter.type")
            .low()
            .check(Check::one_of(ROLES))
            .doc("What the converter converts; the worker sets it."),
        encoding: String = key("converter.encoding")
            .default("UTF-8")
            .high()
            .width(Width::Medium)
            .display("Encoding")
            .doc("The character set of the bytes, by a name that Java knows: UTF-8, ISO-8859-1, US-ASCII, UTF-16, \
                  UTF-16BE or UTF-16LE."),
    }
}

/// Strings in a character set; other values as their Java text.
pub(crate) struct TextCodec {
    charset: Charset,
}

impl TextCodec {
    pub(crate) fn new(config: &Config, role: ConverterRole) -> Result<Self> {
        let settings = TextSettings::from_config(&with_role(config, role))?;
        match Charset::by_name(&settings.encoding) {
            Some(charset) => Ok(Self { charset }),
            None => Err(Error::invalid_value(
                "converter.encoding",
                &settings.encoding,
                format_args!("Unsupported encoding; supported are {}", Charset::NAMES),
            )),
        }
    }
}

impl Codec for TextCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        let value = payload.map_or(Value::Null, |bytes| Value::String(self.charset.decode(bytes)));
        Ok(Datum::new(Schema::optional(Type::String), value))
    }

    fn encode(&mut self, _: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        match value {
            Value::Null => return Ok(false),
            Value::String(text) => self.charset.encode(text, out),
            other => self.charset.encode(&java::plain_text(other), out),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::{Decimal, Object, Struct};

    fn codec(config: &Config) -> Result<TextCodec> {
        TextCodec::new(config, ConverterRole::Value)
    }

    fn text_of(value: &Value) -> String {
        let mut out = Vec::new();
        assert!(codec(&Config::new()).unwrap().encode(None, value, &mut out).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn any_value_has_a_text() {
        let schema = Schema::structure()
            .field("a", Schema::of(Type::Int32))
            .field("b", Schema::optional(Type::String))
            .build()
            .unwrap();
        for (value, text) in [
            ("x".into(), "x"),
            (Value::Int16(-2), "-2"),
            (1e10.into(), "1.0E10"),
            (1.5f32.into(), "1.5"),
            (true.into(), "true"),
            (Decimal::new(150, 2).into(), "1.50"),
            (vec![Value::Int32(1), "x".into()].into(), "[1, x]"),
            (Object::from_entries([("k", 1.5)]).into(), "{k=1.5}"),
            (Struct::new(schema, vec![Value::Int32(1), Value::Null]).unwrap().into(), "Struct{a=1}"),
        ] {
            assert_eq!(text_of(&value), text);
        }
    }

    #[test]
    fn null_is_null_and_empty_is_empty() {
        let mut codec = codec(&Config::new()).unwrap();
        assert!(!codec.encode(Some(&Schema::of(Type::String)), &Value::Null, &mut Vec::new()).unwrap());
        let optional = Schema::optional(Type::String);
        assert_eq!(codec.decode(None).unwrap(), Datum::new(optional.clone(), Value::Null));
        assert_eq!(codec.decode(Some(&Blob::default())).unwrap(), Datum::new(optional.clone(), ""));
        assert_eq!(codec.decode(Some(&b"a\xff".into())).unwrap(), Datum::new(optional, "a\u{fffd}"));
    }

    #[test]
    fn the_encoding_is_configurable_and_checked() {
        let mut latin = codec(&Config::from([("converter.encoding", "latin1")])).unwrap();
        let mut out = Vec::new();
        latin.encode(None, &"é€".into(), &mut out).unwrap();
        assert_eq!(out, [0xe9, b'?']);
        let error = codec(&Config::from([("converter.encoding", "nope")])).err().unwrap();
        assert_eq!(
            error.message(),
            Some(
                "Invalid value nope for configuration converter.encoding: Unsupported encoding; supported are UTF-8, \
                 ISO-8859-1, US-ASCII, UTF-16, UTF-16BE, UTF-16LE"
            )
        );
    }
}
