//! The converter.

use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::error::exception;
use lavka_api::plugin::{Converter, Factory, Plugin, Undecoded};
use lavka_api::{Error, ErrorClass, Result, async_trait};
use lavka_converters::json::{JsonReader, PayloadReader, PayloadWriter};
use lavka_schema_registry::wire::{Frame, Located};
use lavka_schema_registry::{
    Cache, Plans, RegisteredSchema, ResolvedSchema, SchemaKey, SchemaText, SchemaType, Session, of_converter,
};

use crate::compatibility::accepts;
use crate::config::{JsonSchemaConfig, definition};
use crate::connect::schema_of;
use crate::load::load;
use crate::text::text_of;

/// The class name, under which users know the converter.
const CLASS: &str = "io.confluent.connect.json.JsonSchemaConverter";

/// The converter, as the catalogue has it.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: CLASS,
        aliases: &[],
        version: lavka_api::LAVKA_VERSION,
        doc: "JSON whose schema, in JSON Schema, is in a registry.",
        definition,
        factory: Factory::Converter(|config, role| {
            let session = Session::new(config, role, SchemaType::Json)?;
            Ok(Box::new(JsonSchemaConverter::over(session, config)?))
        }),
    }]
}

/// The converter of keys or of values.
pub struct JsonSchemaConverter {
    session: Session,
    config: JsonSchemaConfig,
    reader: JsonReader,
    texts: Cache<Schema, SchemaText>,
    writers: Plans<(Topic, Schema), Writer>,
    readers: Plans<(Topic, SchemaKey), Reader>,
}

/// How values of one schema are written to one topic.
struct Writer {
    registered: Arc<RegisteredSchema>,
    frame: Frame,
    payload: PayloadWriter,
}

/// How payloads of one schema are read.
struct Reader {
    payload: PayloadReader,
    /// The title of the writer's schema.
    title: Option<String>,
    /// The schema that it reads as, where that is the newest one instead of the writer's.
    latest: Option<Arc<ResolvedSchema>>,
}

impl JsonSchemaConverter {
    /// The converter over a session that is there already.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn over(session: Session, config: &Config) -> Result<Self> {
        let config = JsonSchemaConfig::read(config)?;
        let most = config.cached();
        Ok(Self {
            session,
            reader: JsonReader::new(),
            texts: Cache::new(most),
            writers: Plans::new(most),
            readers: Plans::new(most),
            config,
        })
    }

    async fn writer(&mut self, key: &(Topic, Schema)) -> Result<Arc<Writer>> {
        let (topic, schema) = key;
        let text = match self.texts.get(schema) {
            Some(text) => text.clone(),
            None => {
                let text = SchemaText::new(SchemaType::Json, text_of(schema, &self.config)?);
                self.texts.put(schema.clone(), text.clone());
                text
            }
        };
        let subject = self.session.subject(topic, schema.name().map(|name| name.as_str()))?;
        let failed = |error| writing_failed(topic, error);
        let registered = self.session.resolve_for_encode(&subject, &text, &accepts).await.map_err(failed)?;
        if let Some(known) = self.writers.known(key)
            && Arc::ptr_eq(&known.registered, &registered)
        {
            return Ok(known);
        }
        let payload = PayloadWriter::new(schema, self.config.write_options())?;
        let frame = self.session.frame(&registered, &[]).map_err(failed)?;
        Ok(Arc::new(Writer { registered, frame, payload }))
    }

    async fn reader(&mut self, located: &Located<'_>, key: &(Topic, SchemaKey)) -> Result<Arc<Reader>> {
        let topic = &key.0;
        let failed = |error| reading_failed(topic, error);
        if let Some(known) = self.readers.known(key) {
            let title = known.title.as_deref();
            if known.latest.is_none()
                || known.latest == self.session.latest_for_decode(topic, title).await.map_err(failed)?
            {
                return Ok(known);
            }
        }
        let written = self.session.resolve_for_decode(located, topic).await.map_err(failed)?;
        let mut model = load(&written)?;
        let title = model.title().map(str::to_owned);
        let latest = self.session.latest_for_decode(topic, title.as_deref()).await.map_err(failed)?;
        if let Some(latest) = &latest {
            model = load(latest)?;
        }
        let text = &latest.as_ref().unwrap_or(&written).schema;
        let version = self.session.version_for_decode(text, topic, model.title()).await.map_err(failed)?;
        let schema = schema_of(&model, version, &self.config)?;
        Ok(Arc::new(Reader { payload: PayloadReader::new(&schema)?, title, latest }))
    }
}

#[async_trait]
impl Converter for JsonSchemaConverter {
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        self.readers.begin();
        let mut before: Option<(&Topic, SchemaKey)> = None;
        for undecoded in batch {
            // What names no schema is an error of that record, in `decode_record`.
            let Ok(Some(located)) = self.session.locate(undecoded) else { continue };
            if before.is_some_and(|(topic, key)| key == located.key && topic == undecoded.topic) {
                continue;
            }
            before = Some((undecoded.topic, located.key));
            let key = (undecoded.topic.clone(), located.key);
            if !self.readers.is_settled(&key) {
                let reader = self.reader(&located, &key).await;
                self.readers.settle(key, reader)?;
            }
        }
        Ok(())
    }

    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        self.writers.begin();
        let mut before: Option<(&Topic, &Schema)> = None;
        for &(topic, datum) in batch {
            let Some(schema) = &datum.schema else { continue };
            if before.is_some_and(|(before, known)| known.same(schema) && before == topic) {
                continue;
            }
            before = Some((topic, schema));
            let key = (topic.clone(), schema.clone());
            if !self.writers.is_settled(&key) {
                let writer = self.writer(&key).await;
                self.writers.settle(key, writer)?;
            }
        }
        Ok(())
    }

    fn decode(&mut self, topic: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        self.decode_record(&Undecoded { topic, payload, headers: &[] })
    }

    fn decode_record(&mut self, undecoded: &Undecoded<'_>) -> Result<Datum> {
        let located =
            self.session.locate(undecoded).map_err(|error| reading_failed(undecoded.topic, error))?;
        let Some(located) = located else { return Ok(Datum::NULL) };
        let topic = undecoded.topic;
        let reader = self
            .readers
            .find(|last| last.1 == located.key && last.0 == *topic, || (topic.clone(), located.key))?;
        let value = reader.payload.read(located.payload, &mut self.reader)?;
        Ok(Datum { schema: Some(reader.payload.schema().clone()), value })
    }

    fn encode(
        &mut self,
        topic: &Topic,
        headers: &mut Headers,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let Some(schema) = schema else {
            if value.is_null() {
                return Ok(false);
            }
            return Err(Error::data(format!(
                "JsonSchemaConverter writes data with a schema, and a record of topic {topic} has none: give it one, or \
                 use org.apache.kafka.connect.json.JsonConverter with schemas.enable=false"
            )));
        };
        let writer = self
            .writers
            .find(|last| last.1.same(schema) && last.0 == *topic, || (topic.clone(), schema.clone()))?;
        if !writer.payload.writes(value) {
            return Ok(false);
        }
        writer.frame.write(headers, out);
        writer.payload.write(value, out)
    }
}

fn writing_failed(topic: &Topic, error: Error) -> Error {
    failed(topic, "Converting Kafka Connect data to byte[]", "serializing Json data", error)
}

fn reading_failed(topic: &Topic, error: Error) -> Error {
    failed(topic, "Converting byte[] to Kafka Connect data", "deserializing data", error)
}

/// As Java wraps what its serialisers throw.
fn failed(topic: &Topic, converting: &str, doing: &str, error: Error) -> Error {
    let text = format!("{converting} failed due to serialization error of topic {topic}: ");
    match error.class() {
        ErrorClass::Config => error.wrapped_in(
            exception::CONFIG,
            format!("Failed to access JSON Schema data from topic {topic} : "),
        ),
        ErrorClass::Retriable => of_converter(error, doing, topic, &text),
        ErrorClass::Data | ErrorClass::Fatal => error.wrapped_in(exception::DATA, text),
    }
}
