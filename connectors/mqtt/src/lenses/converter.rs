//! From payloads to keys and values, as the converter of a statement has it.

use std::collections::HashMap;

use lavka_api::data::{Datum, Schema, ShapeTable, Str, Type, Value};
use lavka_api::{Error, Result};
use lavka_avro::{AvroSchema, Decoder, Mapping};
use lavka_converters::json::JsonReader;
use lavka_converters::payload::{Format, PayloadDecoder};

use super::conversion::Conversion;
use super::evolution::Evolution;
use super::json::{Rules, SchemaReader};
use super::key::{key_of_json, key_of_struct};
use super::schema_files::{AvroSchemas, missing};
use super::statement::Statement;
use crate::message::Message;

/// The converter of a statement, with what it remembers.
pub(crate) enum Converter {
    Bytes,
    Json(SchemaReader),
    JsonEvolving(SchemaReader, Evolution),
    JsonPassThrough(JsonReader),
    Avro(Box<AvroReader>),
}

/// What becomes of a payload.
pub(crate) struct Converted {
    /// The key, where it is not topic and message id.
    pub(crate) key: Option<Datum>,
    pub(crate) value: Datum,
}

impl Converter {
    /// For the messages of `statement`.
    ///
    /// # Errors
    /// A configuration error where an Avro schema is missing.
    pub(crate) fn new(statement: &Statement, schemas: &AvroSchemas) -> Result<Self> {
        Ok(match statement.conversion {
            Conversion::Bytes => Self::Bytes,
            Conversion::JsonSimple => Self::Json(SchemaReader::new(Rules::SIMPLE)),
            Conversion::JsonOptNull => Self::Json(SchemaReader::new(Rules::OPT_NULL)),
            Conversion::JsonEvolving => {
                Self::JsonEvolving(SchemaReader::new(Rules::EVOLVING), Evolution::default())
            }
            Conversion::JsonPassThrough => Self::JsonPassThrough(JsonReader::new()),
            Conversion::Avro => Self::Avro(Box::new(AvroReader::new(&statement.filter, schemas)?)),
        })
    }

    /// Key and value of `message`; `source` is the topic that names schemas and keys.
    ///
    /// # Errors
    /// A data error where the payload is not what the converter reads, or has no key.
    pub(crate) fn convert(
        &mut self,
        statement: &Statement,
        source: &str,
        message: &Message,
        payloads: &mut PayloadDecoder,
    ) -> Result<Converted> {
        let mut json = || -> Result<Option<Value>> {
            // Nothing is a value that is missing, with Lenses: it takes a retained message away.
            if message.payload.iter().all(u8::is_ascii_whitespace) {
                return Ok(None);
            }
            payloads.decode(Format::Json, &message.payload, message.received).map(|datum| Some(datum.value))
        };
        let nothing = || Datum::new(Schema::optional(Type::String), Value::Null);
        let value = match self {
            Self::Bytes => payloads.bytes(&message.payload),
            Self::Json(schemas) => match json()? {
                Some(value) => schemas.read(source, value)?,
                None => nothing(),
            },
            Self::JsonEvolving(schemas, evolution) => match json()? {
                Some(value) => evolution.evolve(schemas.read(source, value)?)?,
                None => nothing(),
            },
            Self::JsonPassThrough(reader) => return passed_through(reader, statement, source, message),
            Self::Avro(reader) => reader.read(message)?,
        };
        let key = match &value.value {
            Value::Struct(fields) if !statement.keys.is_empty() => {
                let key = key_of_struct(fields, &statement.keys, &statement.delimiter)?;
                Some(Datum::new(Schema::of(Type::String), key))
            }
            _ => None,
        };
        Ok(Converted { key, value })
    }
}

/// The text as it came, under a key without a schema.
fn passed_through(
    reader: &mut JsonReader,
    statement: &Statement,
    source: &str,
    message: &Message,
) -> Result<Converted> {
    let text = Str::from_utf8(&message.payload).map_err(|_| Error::data("the payload is not UTF-8"))?;
    let nothing = text.chars().all(char::is_whitespace);
    // Of several values the first is looked at; all of them are passed on.
    let value = if nothing { Value::Null } else { reader.read(&message.payload)? };
    if nothing && !statement.keys.is_empty() {
        return Err(Error::data("an empty payload has no fields for a key"));
    }
    let key = key_of_json(&value, &statement.keys, &statement.delimiter)?;
    let key = key.unwrap_or_else(|| format!("{source}{}{}", statement.delimiter, message.packet_id));
    Ok(Converted { key: Some(Datum::schemaless(key)), value: Datum::schemaless(text) })
}

/// Reads Avro: by the schema of the filter, else by that of the topic.
pub(crate) struct AvroReader {
    of_filter: Option<Decoder>,
    of_topics: HashMap<Str, Decoder>,
    schemas: AvroSchemas,
    shapes: ShapeTable,
}

/// Shapes of schemaless objects, and topics, that are remembered.
const KNOWN: usize = 1000;

impl AvroReader {
    fn new(filter: &str, schemas: &AvroSchemas) -> Result<Self> {
        let of_filter = schemas.of(filter).map(decoder).transpose()?;
        if of_filter.is_none() && !filter.contains(['+', '#']) {
            return Err(Error::config(missing(filter)));
        }
        Ok(Self {
            of_filter,
            of_topics: HashMap::new(),
            schemas: schemas.clone(),
            shapes: ShapeTable::new(KNOWN),
        })
    }

    fn read(&mut self, message: &Message) -> Result<Datum> {
        let topic = &message.topic;
        if self.of_filter.is_none() && !self.of_topics.contains_key(topic) {
            let schema = self.schemas.of(topic).ok_or_else(|| Error::data(missing(topic)))?;
            if self.of_topics.len() >= KNOWN {
                self.of_topics.clear();
            }
            self.of_topics.insert(topic.clone(), decoder(schema)?);
        }
        let Some(decoder) = self.of_filter.as_ref().or_else(|| self.of_topics.get(topic)) else {
            return Err(Error::data(missing(topic)));
        };
        let value = decoder.decode(&message.payload, &mut self.shapes)?;
        Ok(Datum { schema: decoder.schema().cloned(), value })
    }
}

fn decoder(schema: &AvroSchema) -> Result<Decoder> {
    Decoder::new(&Mapping::default(), schema, schema, None)
}
