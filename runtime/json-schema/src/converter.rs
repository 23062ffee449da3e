//! The converter.

use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::error::exception;
use lavka_api::plugin::{Converter, Factory, Plugin, Undecoded};
use lavka_api::{Error, ErrorClass, Result, async_trait};
use lavka_converters::json::{JsonReader, PayloadReader, PayloadWriter};
use lavka_schema_registry::wire::{Frame, Located};
use lavka_schema_registry::{RegisteredSchema, SchemaKey, SchemaText, SchemaType, Session};

use crate::compatibility::accepts;
use crate::config::{JsonSchemaConfig, definition};
use crate::connect::schema_of;
use crate::load::load;
use crate::plans::Plans;
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
    texts: Plans<Schema, SchemaText>,
    writers: Plans<(Topic, Schema), WritePlan>,
    readers: Plans<(Topic, SchemaKey), Arc<PayloadReader>>,
    /// What the record before was written and read with.
    last_writer: Option<((Topic, Schema), WritePlan)>,
    last_reader: Option<((Topic, SchemaKey), Arc<PayloadReader>)>,
}

/// How values of one schema are written to one topic.
#[derive(Clone)]
struct WritePlan {
    registered: Arc<RegisteredSchema>,
    frame: Frame,
    writer: Arc<PayloadWriter>,
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
            texts: Plans::new(most),
            writers: Plans::new(most),
            readers: Plans::new(most),
            last_writer: None,
            last_reader: None,
            config,
        })
    }

    async fn prepare_writer(&mut self, topic: &Topic, schema: &Schema) -> Result<()> {
        let text = match self.texts.get(schema) {
            Some(text) => text.clone(),
            None => {
                let text = SchemaText::new(SchemaType::Json, text_of(schema, &self.config)?);
                self.texts.put(schema.clone(), text.clone());
                text
            }
        };
        self.texts.keep(schema);
        let subject = self.session.subject(topic, schema.name().map(|name| name.as_str()))?;
        let registered = self.session.resolve_for_encode(&subject, &text, &accepts).await;
        let registered = registered.map_err(|error| writing_failed(topic, error))?;
        let key = (topic.clone(), schema.clone());
        if self.writers.get(&key).is_some_and(|plan| Arc::ptr_eq(&plan.registered, &registered)) {
            self.writers.keep(&key);
            return Ok(());
        }
        let writer = Arc::new(PayloadWriter::new(schema, self.config.write_options())?);
        let frame = self.session.frame(&registered, &[]).map_err(|error| writing_failed(topic, error))?;
        self.writers.put(key, WritePlan { registered, frame, writer });
        Ok(())
    }

    async fn prepare_reader(&mut self, topic: &Topic, located: &Located<'_>) -> Result<()> {
        let key = (topic.clone(), located.key);
        if self.readers.get(&key).is_some() {
            self.readers.keep(&key);
            return Ok(());
        }
        let failed = |error| reading_failed(topic, error);
        let found = self.session.resolve_for_decode(located, topic).await.map_err(failed)?;
        let model = load(&found)?;
        let title = model.node(model.root).title.clone();
        let version = self.session.version_for_decode(&found.schema, topic, title.as_deref()).await;
        let schema = schema_of(&model, version.map_err(failed)?, &self.config)?;
        self.readers.put(key, Arc::new(PayloadReader::new(&schema)?));
        Ok(())
    }

    /// What values of `schema` are written to `topic` with.
    fn writer(&mut self, topic: &Topic, schema: &Schema) -> Result<&WritePlan> {
        let is_last = |last: &((Topic, Schema), WritePlan)| last.0.1.same(schema) && last.0.0 == *topic;
        if !self.last_writer.as_ref().is_some_and(is_last) {
            let key = (topic.clone(), schema.clone());
            let plan = self.writers.get(&key).cloned();
            let plan = plan.ok_or_else(|| unprepared("written", topic))?;
            self.last_writer = Some((key, plan));
        }
        self.last_writer.as_ref().map(|(_, plan)| plan).ok_or_else(|| unprepared("written", topic))
    }

    /// What payloads of this schema of `topic` are read with.
    fn reader(&mut self, topic: &Topic, schema: SchemaKey) -> Result<Arc<PayloadReader>> {
        let is_last =
            |last: &((Topic, SchemaKey), Arc<PayloadReader>)| last.0.1 == schema && last.0.0 == *topic;
        if let Some((_, reader)) = self.last_reader.as_ref().filter(|last| is_last(last)) {
            return Ok(Arc::clone(reader));
        }
        let key = (topic.clone(), schema);
        let reader = self.readers.get(&key).cloned().ok_or_else(|| unprepared("read", topic))?;
        self.last_reader = Some((key, Arc::clone(&reader)));
        Ok(reader)
    }
}

#[async_trait]
impl Converter for JsonSchemaConverter {
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        self.readers.begin();
        let mut last: Option<(&Topic, SchemaKey)> = None;
        for undecoded in batch {
            // What names no schema is an error of that record, in `decode_record`.
            let Ok(Some(located)) = self.session.locate(undecoded) else { continue };
            if last.is_some_and(|(topic, key)| key == located.key && topic == undecoded.topic) {
                continue;
            }
            last = Some((undecoded.topic, located.key));
            self.prepare_reader(undecoded.topic, &located).await?;
        }
        Ok(())
    }

    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        self.texts.begin();
        self.writers.begin();
        // Plans may be of a newer schema than the record before was written with.
        self.last_writer = None;
        let mut last: Option<(&Topic, &Schema)> = None;
        for &(topic, datum) in batch {
            let Some(schema) = &datum.schema else { continue };
            if last.is_some_and(|(before, known)| known.same(schema) && before == topic) {
                continue;
            }
            last = Some((topic, schema));
            if !self.writers.is_ready(&(topic.clone(), schema.clone())) {
                self.prepare_writer(topic, schema).await?;
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
        let reader = self.reader(undecoded.topic, located.key)?;
        let value = reader.read(located.payload, &mut self.reader)?;
        Ok(Datum { schema: Some(reader.schema().clone()), value })
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
        let plan = self.writer(topic, schema)?;
        if !plan.writer.writes(value) {
            return Ok(false);
        }
        plan.frame.write(headers, out);
        plan.writer.write(value, out)
    }
}

fn writing_failed(topic: &Topic, error: Error) -> Error {
    failed(topic, "Converting Kafka Connect data to byte[]", error)
}

fn reading_failed(topic: &Topic, error: Error) -> Error {
    failed(topic, "Converting byte[] to Kafka Connect data", error)
}

/// As Java wraps what its serialisers throw.
fn failed(topic: &Topic, doing: &str, error: Error) -> Error {
    let (name, text) = match error.class() {
        ErrorClass::Config => {
            (exception::CONFIG, format!("Failed to access JSON Schema data from topic {topic} : "))
        }
        ErrorClass::Retriable => {
            (exception::RETRIABLE, format!("{doing} failed due to serialization error of topic {topic}: "))
        }
        ErrorClass::Data | ErrorClass::Fatal => {
            (exception::DATA, format!("{doing} failed due to serialization error of topic {topic}: "))
        }
    };
    error.wrapped_in(name, text)
}

/// A record that was not among those of the last batch.
#[cold]
fn unprepared(doing: &str, topic: &Topic) -> Error {
    Error::data(format!(
        "A record of topic {topic} cannot be {doing}: its schema was not prepared, since the registry gave none"
    ))
}
