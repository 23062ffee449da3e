//! From a batch to works: the operations on one table with one plan, in order.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use lavka_api::data::{Schema, SinkRecord, Topic, Type, Value};
use lavka_api::{Error, Result};

use crate::data::{Envelope, Operation, Payload, RowPlan, is_envelope, is_schema_change};
use crate::settings::{Flavour, KeyMode, SinkSettings};

/// Plans that are kept at most; schemas that change with every record would fill the memory.
const MAX_PLANS: usize = 4096;

/// What a record does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op<'a> {
    /// The record's place in the batch.
    pub(super) index: usize,
    pub(super) record: &'a SinkRecord,
    pub(super) payload: Payload<'a>,
    pub(super) delete: bool,
}

/// Operations on one table, in the order of their records.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) table: Arc<str>,
    /// The plan of writes, if there are any.
    pub(super) write: Option<Arc<RowPlan>>,
    /// The plan of deletes, if there are any.
    pub(super) delete: Option<Arc<RowPlan>>,
    pub(super) ops: Vec<Op<'a>>,
    /// The table is emptied, and nothing else.
    pub(super) truncate: bool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Routed<'a> {
    pub(super) works: Vec<Work<'a>>,
    /// Records that cannot be written, by their place in the batch.
    pub(super) refused: Vec<(usize, Error)>,
}

/// Finds each record's table and plan.
#[derive(Debug)]
pub(super) struct Router {
    settings: Arc<SinkSettings>,
    plans: HashMap<PlanKey, Arc<RowPlan>>,
    names: HashMap<Topic, Arc<str>>,
}

/// What a plan depends on. The addresses are of schemas that the plan holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PlanKey {
    topic: Topic,
    table: Arc<str>,
    key: usize,
    payload: usize,
    headers: u64,
}

/// What a write's plan and work depend on, where they depend on nothing else: the next record may go the same way.
struct Way<'a> {
    topic: &'a Topic,
    key: usize,
    payload: usize,
    /// The place of the work.
    work: usize,
}

impl<'a> Way<'a> {
    fn of(
        settings: &SinkSettings,
        record: &'a SinkRecord,
        written: Option<&Schema>,
        work: usize,
    ) -> Option<Self> {
        if settings.naming.by_record() || settings.rules.key_mode == KeyMode::RecordHeader {
            return None;
        }
        let key = record.record.key.schema.as_ref().map_or(0, Schema::address);
        Some(Self { topic: &record.record.topic, key, payload: written?.address(), work })
    }

    fn leads(&self, to: &Way<'_>) -> bool {
        self.payload == to.payload && self.key == to.key && self.topic == to.topic
    }
}

/// What a record asks for.
enum Wish<'a> {
    Nothing,
    Write(Payload<'a>, &'a Schema),
    Delete(Payload<'a>, Option<&'a Schema>),
    Truncate,
}

impl Router {
    pub(super) fn new(settings: Arc<SinkSettings>) -> Self {
        Self { settings, plans: HashMap::new(), names: HashMap::new() }
    }

    /// Routes the records of a batch for which `skip` does not hold.
    pub(super) fn route<'a>(
        &mut self,
        records: impl Iterator<Item = &'a SinkRecord>,
        skip: impl Fn(usize, &SinkRecord) -> bool,
    ) -> Routed<'a> {
        let mut routed = Routed::default();
        let mut open: HashMap<Arc<str>, usize> = HashMap::new();
        let mut way = None;
        for (index, record) in records.enumerate() {
            if skip(index, record) {
                continue;
            }
            if let Err(error) = self.route_one(index, record, &mut routed.works, &mut open, &mut way) {
                routed.refused.push((index, error));
            }
        }
        routed
    }

    fn route_one<'a>(
        &mut self,
        index: usize,
        record: &'a SinkRecord,
        works: &mut Vec<Work<'a>>,
        open: &mut HashMap<Arc<str>, usize>,
        way: &mut Option<Way<'a>>,
    ) -> Result<()> {
        let settings = self.settings.clone();
        let settings = &*settings;
        let before = way.take();
        let (wish, source) = if settings.flavour == Flavour::Debezium {
            wish_of_change(settings, record)?
        } else {
            (wish_of_record(settings, record)?, None)
        };
        let (payload, schema, delete) = match wish {
            Wish::Nothing => return Ok(()),
            Wish::Write(payload, schema) => (payload, Some(schema), false),
            Wish::Delete(payload, schema) => (payload, schema, true),
            Wish::Truncate => (Payload::None, None, false),
        };
        let here = Way::of(settings, record, schema.filter(|_| !delete), works.len());
        let size = settings.work_size();
        if let (Some(before), Some(here)) = (before, &here)
            && before.leads(here)
            && let Some(work) = works.get_mut(before.work)
            && work.ops.len() < size
        {
            work.ops.push(Op { index, record, payload, delete });
            *way = Some(before);
            return Ok(());
        }
        let Some(table) = self.table(record, source) else {
            tracing::warn!(
                "the record at {}-{}@{} has no table: collection.name.format asks for a field of its source",
                record.origin.topic,
                record.origin.partition,
                record.origin.offset
            );
            return Ok(());
        };
        if matches!(wish, Wish::Truncate) {
            open.remove(&table);
            works.push(Work { table, write: None, delete: None, ops: Vec::new(), truncate: true });
            return Ok(());
        }
        let plan = self.plan(record, &table, schema)?;
        let op = Op { index, record, payload, delete };
        if let Some(at) = open.get(&table).copied()
            && let Some(work) = works.get_mut(at)
            && work.ops.len() < size
        {
            let slot = if delete { &mut work.delete } else { &mut work.write };
            if slot.as_ref().is_none_or(|held| Arc::ptr_eq(held, &plan)) {
                *slot = Some(plan);
                work.ops.push(op);
                *way = here.map(|here| Way { work: at, ..here });
                return Ok(());
            }
        }
        *way = here;
        open.insert(table.clone(), works.len());
        let (write, delete) = if delete { (None, Some(plan)) } else { (Some(plan), None) };
        works.push(Work { table, write, delete, ops: vec![op], truncate: false });
        Ok(())
    }

    fn table(&mut self, record: &SinkRecord, source: Option<&lavka_api::data::Struct>) -> Option<Arc<str>> {
        let topic = &record.record.topic;
        let naming = &self.settings.naming;
        if naming.by_record() {
            return naming.table(topic, source).map(Arc::from);
        }
        if let Some(name) = self.names.get(topic) {
            return Some(name.clone());
        }
        let name: Arc<str> = Arc::from(naming.table(topic, source)?);
        if self.names.len() >= MAX_PLANS {
            self.names.clear();
        }
        self.names.insert(topic.clone(), name.clone());
        Some(name)
    }

    fn plan(
        &mut self,
        record: &SinkRecord,
        table: &Arc<str>,
        payload: Option<&Schema>,
    ) -> Result<Arc<RowPlan>> {
        let rules = &self.settings.rules;
        let headers = if rules.key_mode == KeyMode::RecordHeader {
            let mut hasher = DefaultHasher::new();
            for header in record.record.headers.iter() {
                header.key.hash(&mut hasher);
                header.datum.schema.hash(&mut hasher);
            }
            hasher.finish()
        } else {
            0
        };
        // Without a mode that looks at keys their schemas do not matter.
        let by_key = rules.key_mode == KeyMode::RecordKey;
        let key = PlanKey {
            topic: record.record.topic.clone(),
            table: table.clone(),
            key: record.record.key.schema.as_ref().filter(|_| by_key).map_or(0, Schema::address),
            payload: payload.map_or(0, Schema::address),
            headers,
        };
        if let Some(plan) = self.plans.get(&key) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(RowPlan::of(rules, record, table, payload)?);
        if self.plans.len() >= MAX_PLANS {
            self.plans.clear();
        }
        self.plans.insert(key, plan.clone());
        Ok(plan)
    }
}

/// By the rules of Confluent's and Aiven's sinks.
fn wish_of_record<'a>(settings: &SinkSettings, record: &'a SinkRecord) -> Result<Wish<'a>> {
    let (key, value) = (&record.record.key, &record.record.value);
    if settings.rules.key_mode == KeyMode::RecordKey || settings.delete {
        let fine = key
            .schema
            .as_ref()
            .is_some_and(|schema| schema.ty() == Type::Struct || schema.ty().is_primitive());
        if key.is_null() || !fine {
            return Err(complaint(settings, record, true));
        }
    }
    if value.is_null() && settings.delete {
        return Ok(Wish::Delete(Payload::None, None));
    }
    match (&value.schema, &value.value) {
        (Some(schema), Value::Struct(_)) if schema.ty() == Type::Struct => {
            Ok(Wish::Write(Payload::Value(value), schema))
        }
        (Some(schema), Value::String(_))
            if schema.ty() == Type::String && settings.rules.text_column.is_some() =>
        {
            Ok(Wish::Write(Payload::Value(value), schema))
        }
        _ => Err(complaint(settings, record, false)),
    }
}

/// The text of the Java sink's `RecordValidator`.
fn complaint(settings: &SinkSettings, record: &SinkRecord, key: bool) -> Error {
    let mode = match settings.rules.key_mode {
        KeyMode::None => "none",
        KeyMode::Kafka => "kafka",
        KeyMode::RecordKey => "record_key",
        KeyMode::RecordValue => "record_value",
        KeyMode::RecordHeader => "record_header",
    };
    let (part, datum, wanted) = if key {
        ("key", &record.record.key, "a non-null key and non-null Struct or primitive key schema")
    } else if settings.rules.text_column.is_some() {
        (
            "value",
            &record.record.value,
            "a non-null Struct or String value and non-null Struct or String schema",
        )
    } else {
        ("value", &record.record.value, "a non-null Struct value and non-null Struct schema")
    };
    let class = match &datum.value {
        Value::Null => "null",
        other => other.java_class().rsplit('.').next().unwrap_or_default(),
    };
    let schema = datum.schema.as_ref().map_or("null", |schema| match schema.ty() {
        Type::Struct => "Struct",
        other => other.name(),
    });
    let timestamp = record.record.timestamp.map_or_else(|| "null".to_owned(), |at| at.to_string());
    Error::data(format!(
        "Sink connector '{}' is configured with 'delete.enabled={}' and 'pk.mode={mode}' and therefore requires records \
         with {wanted}, but found record at (topic='{}',partition={},offset={},timestamp={timestamp}) with a {class} {part} \
         and {schema} {part} schema.",
        settings.name, settings.delete, record.record.topic, record.origin.partition, record.origin.offset,
    ))
}

type Sourced<'a> = (Wish<'a>, Option<&'a lavka_api::data::Struct>);

/// By the rules of Debezium's sink.
fn wish_of_change<'a>(settings: &SinkSettings, record: &'a SinkRecord) -> Result<Sourced<'a>> {
    let value = &record.record.value;
    if value.is_null() {
        // A tombstone: its key is all there is.
        let deletes = settings.delete && settings.rules.key_mode == KeyMode::RecordKey;
        return Ok((if deletes { Wish::Delete(Payload::None, None) } else { Wish::Nothing }, None));
    }
    let Some(schema) = &value.schema else { return Err(complaint(settings, record, false)) };
    if is_schema_change(schema) {
        return Ok((Wish::Nothing, None));
    }
    if !is_envelope(schema) {
        return match &value.value {
            Value::Struct(_) if schema.ty() == Type::Struct => {
                Ok((Wish::Write(Payload::Value(value), schema), None))
            }
            _ => Err(complaint(settings, record, false)),
        };
    }
    let event = Envelope::read(value).ok_or_else(|| complaint(settings, record, false))?;
    let wish = match event.operation {
        Operation::Other => Wish::Nothing,
        Operation::Truncate if settings.truncate => Wish::Truncate,
        Operation::Truncate => Wish::Nothing,
        Operation::Delete if !settings.delete => Wish::Nothing,
        Operation::Delete => match (settings.rules.key_mode, event.before) {
            (KeyMode::RecordValue, Some(before)) => Wish::Delete(Payload::Row(before), Some(before.schema())),
            (KeyMode::RecordValue, None) => {
                return Err(Error::data("Cannot extract primary key from a null record value"));
            }
            _ => Wish::Delete(Payload::None, None),
        },
        Operation::Write => {
            let after =
                event.after.ok_or_else(|| Error::data("a change event of a row without its after"))?;
            Wish::Write(Payload::Row(after), after.schema())
        }
    };
    Ok((wish, event.source))
}
