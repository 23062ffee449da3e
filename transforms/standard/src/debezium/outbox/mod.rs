//! `EventRouter`: makes messages of the rows of an outbox table, in which an application writes them in the transaction
//! whose outcome they tell.

mod config;
mod expand;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Header, Record, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::plugin::{Remark, Remarks, Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::operand::not_a_struct;
use crate::plan::{PlanKey, Plans, SCHEMAS};
use crate::topics::TopicMemory;

use super::{envelope, is_envelope, string_field};

pub(super) use config::EventRouterConfig;
use config::{Placement, Settings};
use expand::Expansion;

/// What the schema of a message around its payload depends on.
#[derive(Clone, PartialEq)]
struct MessageKey {
    payload: Schema,
    row: Schema,
    topic: Topic,
    version: Option<i32>,
}

impl PlanKey for MessageKey {
    fn same(&self, other: &Self) -> bool {
        self.payload.same(&other.payload)
            && self.row.same(&other.row)
            && self.version == other.version
            && self.topic == other.topic
    }
}

pub(super) struct EventRouter {
    settings: Settings,
    messages: Plans<MessageKey, Schema>,
    /// What expands payloads, if they are to be.
    expansion: Option<Expansion>,
    topics: TopicMemory<Result<Topic>>,
    remarks: Remarks,
}

impl EventRouter {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let settings = Settings::new(config)?;
        let expansion =
            settings.expand_json.then(|| Expansion::new(&settings.payload, settings.keeps_json_nulls));
        Ok(Self {
            settings,
            expansion,
            messages: Plans::new(SCHEMAS),
            topics: TopicMemory::new(),
            remarks: Remarks::default(),
        })
    }
}

fn connect_error(message: String) -> Error {
    Error::new(ErrorClass::Data, exception::CONNECT, message)
}

/// A column with its schema.
fn column<'a>(row: &'a Struct, name: &str) -> Result<(&'a Value, &'a Schema)> {
    let schema = row.schema().field(name).map(|field| field.schema());
    match (row.get(name), schema) {
        (Some(value), Some(schema)) => Ok((value, schema)),
        _ => Err(Error::data(format!("{name} is not a valid field name"))),
    }
}

fn header(name: &Str, value: &Value, schema: &Schema) -> Result<Header> {
    if value.is_null() && !schema.is_optional() {
        return Err(Error::data(format!("A null value requires an optional schema but was {schema}")));
    }
    Ok(Header { key: name.clone(), datum: Datum::new(schema.clone(), value.clone()) })
}

/// Epoch milliseconds of the row, or of the event where the row has none.
fn timestamp(settings: &Settings, event: &Struct, row: &Struct) -> Result<Option<i64>> {
    let of_event = || match event.get("ts_ms") {
        Some(Value::Int64(ms)) => Some(*ms),
        _ => None,
    };
    let Some(name) = &settings.timestamp else { return Ok(of_event()) };
    let Some(field) = row.schema().field(name) else {
        return Err(connect_error(format!("Unable to find timestamp field {name} in event")));
    };
    let found = match row.get(name) {
        Some(Value::Int64(found)) => *found,
        None | Some(Value::Null) => return Ok(of_event()),
        Some(_) => return Err(Error::data(format!("Field '{name}' is not of type INT64"))),
    };
    match field.schema().name().map(Str::as_str) {
        Some("io.debezium.time.Timestamp") => Ok(Some(found)),
        Some("io.debezium.time.MicroTimestamp") => Ok(Some(found / 1000)),
        Some("io.debezium.time.NanoTimestamp") => Ok(Some(found / 1_000_000)),
        Some(other) => Err(connect_error(format!("Unsupported field type {other} for event timestamp"))),
        None => Err(connect_error(format!(
            "Unsupported field type {} (without logical schema name) for event timestamp",
            field.schema().ty()
        ))),
    }
}

/// The schema of a message around its payload, named like the table's with the topic in it.
fn message_schema(settings: &Settings, key: &MessageKey) -> Result<Schema> {
    let topic = key.topic.as_str();
    let name = match key.row.name().map(|name| name.as_str().rsplit_once('.').ok_or(name)) {
        Some(Ok((path, last))) => format!("{path}.{topic}.{last}"),
        Some(Err(name)) => format!("{topic}.{name}"),
        None => topic.to_owned(),
    };
    let mut builder =
        Schema::structure().name(name).version(key.version).field("payload", key.payload.clone());
    for field in settings.additional.iter().filter(|field| field.placement == Placement::Envelope) {
        if let Some(column) = key.row.field(&field.column) {
            builder = builder.field(field.name.clone(), column.schema().clone());
        }
    }
    builder.build()
}

impl Transform for EventRouter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { settings, messages, expansion, topics, remarks } = self;
        if record.value.is_null() {
            return Ok(Verdict::Drop);
        }
        if !is_envelope(&record.value) {
            return Ok(Verdict::Keep);
        }
        let event = envelope(&record.value.value, "Detect Debezium Operation")?;
        match string_field(event, "op")? {
            Some("d") => return Ok(Verdict::Drop),
            Some("u") if settings.updates_fail => {
                return Err(Error::new(
                    ErrorClass::Data,
                    "java.lang.IllegalStateException",
                    format!("Unexpected update message received on topic {}, fail.", record.topic),
                ));
            }
            Some("u") => {
                let text =
                    format_args!("Unexpected update message received on topic {} and ignored", record.topic);
                remarks.say(settings.update_remark, text);
                return Ok(Verdict::Drop);
            }
            _ => {}
        }
        let row = match event.get("after") {
            Some(Value::Struct(row)) => row,
            other => return Err(not_a_struct(other.unwrap_or(&Value::Null), "Read Outbox Event")),
        };
        let message = Message::of(settings, event, row, messages, expansion.as_mut())?;
        let routed = topics.get(&message.routed_by, |text| {
            if settings.topic_regex.matches(text)? {
                settings.topic_regex.replace_first(text, &settings.topic_replacement).map(Topic::from)
            } else {
                Ok(Topic::from(text))
            }
        });
        record.topic = routed.clone()?;
        record.partition = message.partition;
        record.key = message.key;
        record.value = message.value;
        record.timestamp = message.timestamp;
        record.headers.extend(message.headers);
        Ok(Verdict::Keep)
    }

    fn take_remarks(&mut self) -> Vec<Remark> {
        self.remarks.take()
    }
}

/// What a row becomes.
struct Message {
    routed_by: Topic,
    partition: Option<i32>,
    key: Datum,
    value: Datum,
    timestamp: Option<i64>,
    headers: Vec<Header>,
}

impl Message {
    fn of(
        settings: &Settings,
        event: &Struct,
        row: &Struct,
        messages: &mut Plans<MessageKey, Schema>,
        expansion: Option<&mut Expansion>,
    ) -> Result<Self> {
        let Some(payload_field) = row.schema().field(&settings.payload) else {
            return Err(connect_error(format!("Unable to find payload field {} in event", settings.payload)));
        };
        let timestamp = timestamp(settings, event, row)?;
        let (id, id_schema) = column(row, &settings.id)?;
        let mut headers = vec![header(&Str::from_static("id"), id, id_schema)?];
        let (payload, _) = column(row, &settings.payload)?;
        let payload = match (payload, expansion) {
            (Value::String(text), Some(expansion)) => expansion.expand(text),
            _ => None,
        }
        .unwrap_or_else(|| Datum::new(payload_field.schema().clone(), payload.clone()));
        let is_empty = match &payload.value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        };
        let routed_by = string_field(row, &settings.route_by)?.map(Topic::from).ok_or_else(|| {
            Error::data(format!(
                "the column {} is null, and no topic can be made of it (route.by.field)",
                settings.route_by
            ))
        })?;
        let mut partition = None;
        let mut beside_payload = Vec::new();
        for field in &settings.additional {
            if !settings.error_on_missing && row.schema().field(&field.column).is_none() {
                continue;
            }
            let (value, schema) = column(row, &field.column)?;
            match (field.placement, value) {
                (Placement::Header, value) => headers.push(header(&field.name, value, schema)?),
                (Placement::Envelope, value) => beside_payload.push(value.clone()),
                (Placement::Partition, value) if schema.ty() == Type::Int32 => {
                    partition = if let Value::Int32(number) = value { Some(*number) } else { None };
                }
                (Placement::Partition, _) => {
                    return Err(Error::data(format!("Field '{}' is not of type INT32", field.column)));
                }
            }
        }
        let value = if is_empty && settings.tombstones {
            Datum::NULL
        } else if settings.has_envelope() {
            let version = match settings.version.as_deref().map(|name| column(row, name)).transpose()? {
                Some((Value::Int32(version), _)) => Some(*version),
                Some((Value::Null, _)) | None => None,
                Some(_) => {
                    let name = settings.version.as_deref().unwrap_or_default();
                    return Err(Error::data(format!("Field '{name}' is not of type INT32")));
                }
            };
            let payload_schema = payload.schema.unwrap_or_else(|| payload_field.schema().clone());
            let key = MessageKey {
                payload: payload_schema,
                row: row.schema().clone(),
                topic: routed_by.clone(),
                version,
            };
            let schema = messages.get(&key, |key| message_schema(settings, key))?;
            let values: Vec<Value> = [payload.value].into_iter().chain(beside_payload).collect();
            Datum::new(schema.clone(), Struct::new(schema.clone(), values)?)
        } else {
            payload
        };
        let key = match &settings.key {
            Some(name) => {
                let (value, schema) = column(row, name)?;
                Datum::new(schema.clone(), value.clone())
            }
            None => Datum::new(Schema::of(Type::String), Value::Null),
        };
        Ok(Self { routed_by, partition, key, value, timestamp, headers })
    }
}
