//! What a source holds to decode its payloads.

use std::fmt;

use lavka_api::data::{Blob, Datum, Schema, Str, Type};
use lavka_api::{Error, Result};

use super::cbor::CborReader;
use super::senml::Senml;
use super::whole::holds_one_value;
use crate::json::JsonReader;

/// What payloads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Bytes, handed on as they are.
    Bytes,
    /// UTF-8 text.
    Text,
    /// One JSON value, without a schema.
    Json,
    /// One CBOR value, without a schema.
    Cbor,
    /// A SenML pack as JSON, resolved.
    SenmlJson,
    /// A SenML pack as CBOR, resolved.
    SenmlCbor,
}

impl Format {
    /// The names in configurations.
    pub const NAMES: [&str; 6] = ["bytes", "text", "json", "cbor", "senml-json", "senml-cbor"];

    /// By its name in configurations.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bytes" => Self::Bytes,
            "text" => Self::Text,
            "json" => Self::Json,
            "cbor" => Self::Cbor,
            "senml-json" => Self::SenmlJson,
            "senml-cbor" => Self::SenmlCbor,
            _ => return None,
        })
    }

    /// By a number of CoAP's registry of content formats (RFC 7252, section 12.3; RFC 8428, section 12.2). Those that are
    /// not known are bytes.
    #[must_use]
    pub fn of_content_format(number: u32) -> Self {
        match number {
            0 => Self::Text,
            // application/json, and what says that it is JSON beside: patches, SenML without SenML's rules for streams.
            50..=52 => Self::Json,
            60 => Self::Cbor,
            110 => Self::SenmlJson,
            112 => Self::SenmlCbor,
            _ => Self::Bytes,
        }
    }

    /// By a media type, as MQTT 5 has it in a message's content type. Parameters do not matter; what is not known is bytes.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/plain" => Self::Text,
            "application/json" => Self::Json,
            "application/cbor" => Self::Cbor,
            "application/senml+json" => Self::SenmlJson,
            "application/senml+cbor" => Self::SenmlCbor,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+cbor") => Self::Cbor,
            _ => Self::Bytes,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Text => "text",
            Self::Json => "JSON",
            Self::Cbor => "CBOR",
            Self::SenmlJson => "SenML (JSON)",
            Self::SenmlCbor => "SenML (CBOR)",
        })
    }
}

/// Decodes payloads; one per task, because it owns the shapes it has seen.
pub struct PayloadDecoder {
    json: JsonReader,
    cbor: CborReader,
    senml: Senml,
    bytes: Schema,
    string: Schema,
}

impl fmt::Debug for PayloadDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadDecoder").finish_non_exhaustive()
    }
}

impl Default for PayloadDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl PayloadDecoder {
    /// A decoder that has seen no shapes yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            json: JsonReader::new(),
            cbor: CborReader::new(),
            senml: Senml::new(),
            bytes: Schema::of(Type::Bytes),
            string: Schema::of(Type::String),
        }
    }

    /// What `payload` says, which came at `now` (epoch milliseconds).
    ///
    /// # Errors
    /// A data error where it is not of `format`; bytes always are.
    pub fn decode(&mut self, format: Format, payload: &Blob, now: i64) -> Result<Datum> {
        Ok(match format {
            Format::Bytes => self.bytes(payload),
            Format::Text => {
                let text = Str::from_utf8(payload).map_err(|_| Error::data("the payload is not UTF-8"))?;
                Datum::new(self.string.clone(), text)
            }
            Format::Json => Datum::schemaless(self.json(payload)?),
            Format::Cbor => Datum::schemaless(self.cbor.read(payload)?),
            Format::SenmlJson => {
                let pack = self.json(payload)?;
                self.senml.resolve(&pack, now)?
            }
            Format::SenmlCbor => {
                let pack = self.cbor.read(payload)?;
                self.senml.resolve(&pack, now)?
            }
        })
    }

    /// `payload` as it is.
    #[must_use]
    pub fn bytes(&self, payload: &Blob) -> Datum {
        Datum::new(self.bytes.clone(), payload.clone())
    }

    fn json(&mut self, payload: &Blob) -> Result<lavka_api::data::Value> {
        // The reader takes the first value and leaves the rest unread; of a payload nothing may go missing like that.
        if !holds_one_value(payload) {
            return Err(Error::data("the payload is not one JSON value"));
        }
        self.json.read(payload)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Value;

    use super::*;

    #[test]
    fn formats_by_name_number_and_media_type() {
        for name in Format::NAMES {
            assert!(Format::named(name).is_some(), "{name}");
        }
        assert_eq!(Format::named("xml"), None);
        for (number, format) in
            [(0, Format::Text), (50, Format::Json), (60, Format::Cbor), (42, Format::Bytes)]
        {
            assert_eq!(Format::of_content_format(number), format);
        }
        for (media_type, format) in [
            ("application/JSON; charset=utf-8", Format::Json),
            ("application/senml+cbor", Format::SenmlCbor),
            ("application/vnd.example+json", Format::Json),
            ("", Format::Bytes),
        ] {
            assert_eq!(Format::of_media_type(media_type), format, "{media_type}");
        }
    }

    #[test]
    fn payloads() {
        let mut decoder = PayloadDecoder::new();
        let mut decode = |format, payload: &[u8]| decoder.decode(format, &Blob::from(payload), 7);
        assert_eq!(decode(Format::Bytes, &[0xff]).unwrap().value, Value::from(Blob::from(&[0xff])));
        assert_eq!(decode(Format::Text, b"21").unwrap().value, Value::from("21"));
        assert_eq!(decode(Format::Json, b"21").unwrap(), Datum::schemaless(21i64));
        assert_eq!(decode(Format::Cbor, &[0x15]).unwrap(), Datum::schemaless(21i64));
        let senml = decode(Format::SenmlJson, br#"[{"n":"a","v":1}]"#).unwrap();
        assert_eq!(senml, decode(Format::SenmlCbor, &[0x81, 0xa2, 0, 0x61, b'a', 2, 1]).unwrap());
        assert!(senml.schema.is_some());
        for (format, payload) in [
            (Format::Text, &b"\xff"[..]),
            (Format::Json, b"1 2"),
            (Format::Json, b"{"),
            (Format::Cbor, b""),
            (Format::SenmlJson, b"{}"),
            (Format::SenmlCbor, &[0]),
        ] {
            assert!(decode(format, payload).is_err(), "{format} {payload:?}");
        }
    }
}
