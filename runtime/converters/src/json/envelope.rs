//! Reading messages that carry their schema: `{"schema":…,"payload":…}`.

use std::sync::Arc;

use lavka_api::data::{Datum, Value};
use lavka_api::{Error, Result};

use super::decoder::Decoder;
use super::dialect::Dialect;
use super::lru::Lru;
use super::place::Place;
use super::read_plan::ReadNode;
use super::reader::{Reader, is_syntax};
use super::schema_reader::read_schema;

/// So many of the schema texts used last are compared with the message before anything is hashed.
const RECENT: usize = 4;

/// All schema texts are forgotten once they are longer than this together.
const MAX_CACHED_TEXT: usize = 64 << 20;

/// Reads enveloped messages. The same schema text gives the same schema.
pub(super) struct EnvelopeReader {
    plans: Lru<Arc<[u8]>, Arc<ReadNode>>,
    cached_schemas: usize,
    cached_text: usize,
    replace_null_with_default: bool,
}

/// The schema of a message; `None` for `null`.
type Plan = Option<Arc<ReadNode>>;

impl EnvelopeReader {
    pub(super) fn new(cached_schemas: usize, replace_null_with_default: bool) -> Self {
        Self { plans: Lru::new(cached_schemas), cached_schemas, cached_text: 0, replace_null_with_default }
    }

    /// The data of `document`.
    pub(super) fn read(&mut self, document: &[u8], decoder: &mut Decoder) -> Result<Datum> {
        decoder.reset();
        self.read_envelope(&mut Reader::new(document), decoder).map_err(|error| {
            // Java has parsed all of the document, and looked at the envelope, before it converts anything.
            if is_syntax(&error) { error } else { check_envelope(document).err().unwrap_or(error) }
        })
    }

    fn read_envelope(&mut self, reader: &mut Reader<'_>, decoder: &mut Decoder) -> Result<Datum> {
        if reader.next() != b'{' {
            return Err(not_an_envelope());
        }
        let mut plan: Option<Plan> = None;
        let mut payload: Option<Reader<'_>> = None;
        let mut value: Option<Value> = None;
        let mut more = !reader.open(b'}');
        while more {
            let is_schema = match reader.key(&mut decoder.scratch)? {
                "schema" => true,
                "payload" => false,
                _ => return Err(not_an_envelope()),
            };
            reader.next();
            if is_schema {
                plan = Some(self.read_plan(reader, decoder)?);
                value = None;
            } else {
                payload = Some(reader.clone());
                value = match &plan {
                    Some(plan) => Some(read_payload(plan, reader, decoder)?),
                    None => {
                        reader.skip(1)?;
                        None
                    }
                };
            }
            more = reader.more(b'}')?;
        }
        let (Some(plan), Some(mut payload)) = (plan, payload) else { return Err(not_an_envelope()) };
        let value = match value {
            Some(value) => value,
            None => read_payload(&plan, &mut payload, decoder)?,
        };
        Ok(Datum { schema: plan.map(|plan| plan.schema().clone()), value })
    }

    /// The plan of the schema at the position.
    fn read_plan(&mut self, reader: &mut Reader<'_>, decoder: &mut Decoder) -> Result<Plan> {
        // A text that was a whole schema before is one again, wherever it ends.
        let rest = reader.rest();
        if let Some((text, plan)) = self.plans.find_recent(RECENT, |text| rest.starts_with(text)) {
            reader.advance(text.len());
            return Ok(Some(Arc::clone(plan)));
        }
        let start = reader.position();
        reader.skip(1)?;
        let text = reader.text_since(start);
        if text == "null" {
            return Ok(None);
        }
        if let Some(plan) = self.plans.get(text.as_bytes()) {
            return Ok(Some(Arc::clone(plan)));
        }
        let schema = read_schema(text, decoder)?;
        let plan =
            Arc::new(ReadNode::compile(&schema, self.replace_null_with_default, Dialect::JsonConverter, 0)?);
        self.cached_text += text.len();
        if self.cached_text > MAX_CACHED_TEXT {
            self.plans = Lru::new(self.cached_schemas);
            self.cached_text = text.len();
        }
        self.plans.insert(Arc::from(text.as_bytes()), Arc::clone(&plan));
        Ok(Some(plan))
    }
}

fn read_payload(plan: &Plan, reader: &mut Reader<'_>, decoder: &mut Decoder) -> Result<Value> {
    match plan {
        Some(plan) => plan.read(reader, decoder, Place::Payload, 1),
        None => decoder.value(reader, 1),
    }
}

/// Reads a message that is the payload alone, of a schema known beforehand (`schema.content`).
pub(super) fn read_payload_alone(plan: &ReadNode, document: &[u8], decoder: &mut Decoder) -> Result<Value> {
    decoder.reset();
    let mut reader = Reader::new(document);
    let first = reader.next();
    if reader.is_at_end() {
        return plan.mistyped("MISSING", Place::Payload);
    }
    let value = plan.read(&mut reader, decoder, Place::Payload, 0);
    if value.is_ok() && matches!(first, b'-' | b'0'..=b'9') {
        reader.end_of_root_number()?;
    }
    value.map_err(
        |error| if is_syntax(&error) { error } else { check_syntax(document).err().unwrap_or(error) },
    )
}

/// Checks the first value of `document`, without reading it.
fn check_syntax(document: &[u8]) -> Result<()> {
    let mut reader = Reader::new(document);
    let first = reader.next();
    if reader.is_at_end() {
        return Ok(());
    }
    reader.skip(0)?;
    if matches!(first, b'-' | b'0'..=b'9') { reader.end_of_root_number() } else { Ok(()) }
}

/// Checks that `document` is an envelope, without reading schema and payload.
fn check_envelope(document: &[u8]) -> Result<()> {
    check_syntax(document)?;
    let mut reader = Reader::new(document);
    if reader.next() != b'{' {
        return Err(not_an_envelope());
    }
    let (mut schema, mut payload) = (false, false);
    let mut scratch = String::new();
    let mut more = !reader.open(b'}');
    while more {
        match reader.key(&mut scratch)? {
            "schema" => schema = true,
            "payload" => payload = true,
            _ => return Err(not_an_envelope()),
        }
        reader.skip(1)?;
        more = reader.more(b'}')?;
    }
    if schema && payload { Ok(()) } else { Err(not_an_envelope()) }
}

#[cold]
fn not_an_envelope() -> Error {
    Error::data(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
         fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter \
         configuration.",
    )
}
