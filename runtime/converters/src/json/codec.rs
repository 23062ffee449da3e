//! `JsonConverter` itself: settings, and which of the parts does what.

use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec, Width, key};
use lavka_api::data::{Blob, Datum, Schema, Value};
use lavka_api::error::{ErrorClass, exception};
use lavka_api::plugin::ConverterRole;
use lavka_api::{Error, Result};

use super::decoder::JsonReader;
use super::dialect::Dialect;
use super::envelope::{EnvelopeReader, read_payload_alone};
use super::read_plan::ReadNode;
use super::reader::Reader;
use super::schema_reader::parse_schema;
use super::write_plan::WriteOptions;
use super::writer::{DecimalFormat, JsonWriter};
use crate::adapter::{Codec, with_role};
use crate::catalogue::ROLES;

lavka_api::config! {
    /// Settings of the JSON converter.
    struct JsonSettings {
        _role: String = key("converter.type")
            .low()
            .check(Check::one_of(ROLES))
            .doc("What the converter converts; the worker sets it."),
        schemas_enable: bool = key("schemas.enable")
            .default(true)
            .high()
            .group("Schemas")
            .width(Width::Medium)
            .display("Enable Schemas")
            .doc("Whether every message carries its schema, in an envelope of the two members schema and payload."),
        cached_schemas: i32 = key("schemas.cache.size")
            .default(1000)
            .high()
            .group("Schemas")
            .width(Width::Medium)
            .display("Schema Cache Size")
            .doc("How many schemas the converter remembers, for reading and for writing each."),
        schema_content: Option<String> = key("schema.content")
            .high()
            .group("Schemas")
            .width(Width::Medium)
            .display("Schema Content")
            .doc("The schema of all messages that are read, as it would stand in an envelope; the messages are then \
                  payloads alone. Has an effect only with schemas.enable=true, and none on what is written."),
        decimal_format: String = key("decimal.format")
            .default("BASE64")
            .low()
            .group("Serialization")
            .width(Width::Medium)
            .display("Decimal Format")
            .check(Check::one_of_ignoring_case(&["NUMERIC", "BASE64"]))
            .doc("How decimals are written: BASE64, the bytes of the unscaled value, or NUMERIC, a JSON number. Both \
                  are read, whatever is set here."),
        replace_null_with_default: bool = key("replace.null.with.default")
            .default(true)
            .low()
            .group("Serialization")
            .width(Width::Medium)
            .display("Replace null with default")
            .doc("Whether a null becomes the default of its schema, where that has one."),
    }
}

/// The keys of the JSON converter. Kafka counts those of a group from 0.
pub(crate) fn definition() -> ConfigDef {
    let mut definition = ConfigDef::new();
    for key in JsonSettings::definition().iter() {
        let mut key = key.clone();
        if key.order_in_group > 0 {
            key.order_in_group -= 1;
        }
        definition.add(key);
    }
    definition
}

/// The converter.
pub(crate) struct JsonCodec {
    reader: JsonReader,
    writer: JsonWriter,
    mode: Mode,
}

enum Mode {
    /// Payloads alone, without a schema.
    Plain,
    /// Schema and payload.
    Enveloped(EnvelopeReader),
    /// Reads payloads alone, with a schema known beforehand, but writes envelopes.
    Fixed(ReadNode),
}

impl JsonCodec {
    pub(crate) fn new(config: &Config, role: ConverterRole) -> Result<Self> {
        let settings = JsonSettings::from_config(&with_role(config, role))?;
        let cached_schemas = usize::try_from(settings.cached_schemas).unwrap_or(0);
        let replace = settings.replace_null_with_default;
        let content = settings.schema_content.as_deref().unwrap_or_default();
        let fixed = fixed_schema(content, replace)?;
        let mode = match (settings.schemas_enable, fixed) {
            (false, _) => Mode::Plain,
            (true, None) => Mode::Enveloped(EnvelopeReader::new(cached_schemas, replace)),
            (true, Some(schema)) => Mode::Fixed(schema),
        };
        let numeric = settings.decimal_format.eq_ignore_ascii_case("NUMERIC");
        let options = WriteOptions {
            decimal_format: if numeric { DecimalFormat::Numeric } else { DecimalFormat::Base64 },
            replace_null_with_default: replace,
        };
        Ok(Self { reader: JsonReader::new(), writer: JsonWriter::new(options, cached_schemas), mode })
    }
}

/// The schema of `schema.content`, if there is one. Checked even where it has no effect, as in Java.
fn fixed_schema(content: &str, replace: bool) -> Result<Option<ReadNode>> {
    if content.trim().is_empty() {
        return Ok(None);
    }
    let refused = |cause: Error| {
        let text = "Failed to parse schema in converter config due to serialization error: ";
        Error::new(ErrorClass::Config, exception::DATA, text)
            .caused_by(cause.cause().cloned().unwrap_or(cause))
    };
    let mut text = Reader::of_text(content);
    let is_null = text.next() == b'n';
    text.skip(0).map_err(refused)?;
    if is_null {
        return Ok(None);
    }
    let node = parse_schema(content)
        .and_then(|schema| ReadNode::compile(&schema, replace, Dialect::JsonConverter, 0));
    node.map(Some).map_err(|error| error.with_class(ErrorClass::Config))
}

impl Codec for JsonCodec {
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum> {
        let Some(payload) = payload else { return Ok(Datum::NULL) };
        match &mut self.mode {
            Mode::Plain => Ok(Datum { schema: None, value: self.reader.read(payload)? }),
            Mode::Enveloped(envelopes) => envelopes.read(payload, self.reader.decoder()),
            Mode::Fixed(node) => {
                let value = read_payload_alone(node, payload, self.reader.decoder())?;
                Ok(Datum { schema: Some(node.schema().clone()), value })
            }
        }
    }

    fn encode(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        if schema.is_none() && value.is_null() {
            return Ok(false);
        }
        match self.mode {
            Mode::Plain => self.writer.write(schema, value, out)?,
            Mode::Enveloped(_) | Mode::Fixed(_) => self.writer.write_enveloped(schema, value, out)?,
        }
        Ok(true)
    }
}
