//! `ExtractNewRecordState`: replaces a change event by the row as it is after the change.
//!
//! Of a row the columns come first, then `__deleted` where deletes are rewritten, then the fields of `add.fields`. Fields
//! that a header drops go before those are added where the row was deleted, and after it otherwise. Headers that a
//! tombstone is given are those of `op` alone.

mod config;
mod plan;
mod reference;

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Header, Record, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::plugin::{Transform, Verdict};

use crate::operand::rebuild_struct;
use crate::plan::{PlanKey, Plans, SCHEMAS};

use super::{envelope, is_envelope, string_field};

pub(super) use config::ExtractNewRecordStateConfig;
use config::{Deletes, Settings};
use plan::{Plan, Row, with_added, without};

const PURPOSE: &str = "source field insertion";

/// What a row's last schema depends on: its own, the fields that a header drops, and whether it was deleted.
#[derive(Clone, PartialEq)]
struct Shaping {
    row: Schema,
    envelope: Schema,
    dropped: Vec<Str>,
    deleted: bool,
}

impl PlanKey for Shaping {
    fn same(&self, other: &Self) -> bool {
        self.row.same(&other.row)
            && self.envelope.same(&other.envelope)
            && self.deleted == other.deleted
            && self.dropped == other.dropped
    }
}

/// How the values of a row, with the added ones behind them, become the result.
struct Shape {
    schema: Schema,
    /// Places of the values that stay.
    kept: Vec<usize>,
}

/// A key's schema and the fields that a header drops.
#[derive(Clone, PartialEq)]
struct KeyShaping(Schema, Vec<Str>);

impl PlanKey for KeyShaping {
    fn same(&self, other: &Self) -> bool {
        Schema::same(&self.0, &other.0) && self.1 == other.1
    }
}

pub(super) struct ExtractNewRecordState {
    settings: Settings,
    plans: Plans<Schema, Plan>,
    shapes: Plans<Shaping, Shape>,
    keys: Plans<KeyShaping, (Schema, Vec<usize>)>,
}

impl ExtractNewRecordState {
    pub(super) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            settings: Settings::new(config)?,
            plans: Plans::new(SCHEMAS),
            shapes: Plans::new(SCHEMAS),
            keys: Plans::new(SCHEMAS),
        })
    }

    fn tombstone(&self, record: &mut Record) -> Verdict {
        if self.settings.deletes != Deletes::RewriteWithTombstone {
            return Verdict::Drop;
        }
        for reference in self.settings.headers.iter().filter(|reference| reference.is_operation()) {
            record.headers.add(reference.name().clone(), Datum::new(Schema::of(Type::String), "d"));
        }
        Verdict::Keep
    }

    /// The names in the header of fields to drop.
    fn dropped(&self, record: &Record) -> Vec<Str> {
        let named = |header: &&Header| self.settings.drop_header.as_deref() == Some(header.key.as_str());
        match record.headers.iter().find(named).map(|header| &header.datum.value) {
            Some(Value::Array(names)) => {
                names.iter().filter_map(|name| name.as_str().map(Str::from)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// How the row of a plan becomes the result.
fn shape(settings: &Settings, plan: &Plan, row: &Row, key: &Shaping) -> Result<Shape> {
    let drop = |schema: &Schema| without(schema, &key.dropped, settings.drop_compatible);
    if key.deleted {
        let (schema, mut kept) = drop(&row.own)?;
        kept.extend((0..plan.fields.len()).map(|i| row.own.fields().len() + i));
        return Ok(Shape { schema: with_added(&schema, &plan.fields)?, kept });
    }
    let (schema, kept) = drop(&with_added(&row.own, &plan.fields)?)?;
    Ok(Shape { schema, kept })
}

/// The values at `places`, in order.
fn kept(mut values: Vec<Value>, places: &[usize]) -> Box<[Value]> {
    if places.len() == values.len() {
        return values.into_boxed_slice();
    }
    places.iter().map(|&at| values.get_mut(at).map(Value::take).unwrap_or_default()).collect()
}

impl Transform for ExtractNewRecordState {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        if record.value.is_null() {
            return Ok(self.tombstone(record));
        }
        if !is_envelope(&record.value) {
            return Ok(Verdict::Keep);
        }
        let dropped = self.dropped(record);
        let Self { settings, plans, shapes, keys } = self;
        let event = envelope(&record.value.value, PURPOSE)?;
        let plan = plans.get(event.schema(), |schema| Plan::compile(settings, schema))?;
        // Without a row the table was truncated.
        let Some((row, columns, deleted)) = plan.row(event) else { return Ok(Verdict::Drop) };
        if deleted && settings.deletes == Deletes::Drop {
            return Ok(Verdict::Drop);
        }
        let topic = match &settings.route_by_field {
            None => None,
            Some(field) => {
                string_field(columns, field)?.filter(|topic| !topic.trim().is_empty()).map(Topic::from)
            }
        };
        let headers: Vec<Header> = plan
            .headers
            .iter()
            .map(|place| Header {
                key: place.name.clone(),
                datum: Datum::new(place.schema.clone(), place.value(event)),
            })
            .collect();
        let key_shape = match &record.key.value {
            Value::Struct(key) if settings.drop_from_key && !dropped.is_empty() => Some(
                keys.get(&KeyShaping(key.schema().clone(), dropped.clone()), |KeyShaping(schema, names)| {
                    without(schema, names, settings.drop_compatible)
                })?,
            ),
            _ => None,
        };
        if deleted && !settings.deletes.rewrites() {
            let schema = (settings.deletes == Deletes::Tombstone).then(|| plan.after_schema.clone());
            record.value = Datum { schema, value: Value::Null };
        } else {
            let key = Shaping { row: row.own.clone(), envelope: event.schema().clone(), dropped, deleted };
            let shape = shapes.get(&key, |key| shape(settings, plan, row, key))?;
            row.nulls.check(columns.values())?;
            let added: Vec<Value> = plan.fields.iter().map(|place| place.value(event)).collect();
            let at = if deleted { plan.before } else { plan.after };
            let mark =
                settings.deletes.rewrites().then(|| Value::from(if deleted { "true" } else { "false" }));
            let mut values = take_row(&mut record.value.value, at);
            values.resize(row.width, Value::Null);
            row.nulls.fill(&mut values);
            values.reserve_exact(added.len() + 1);
            values.extend(mark);
            values.extend(added);
            let value = Struct::new(shape.schema.clone(), kept(values, &shape.kept))?;
            record.value = Datum::new(shape.schema.clone(), value);
        }
        if let Some((schema, places)) = key_shape {
            rebuild_struct(&mut record.key, schema, |values| kept(values.into_vec(), places))?;
        }
        if let Some(topic) = topic {
            record.topic = topic;
        }
        record.headers.extend(headers);
        Ok(Verdict::Keep)
    }
}

/// Moves the columns out of an event.
fn take_row(event: &mut Value, at: usize) -> Vec<Value> {
    match event {
        Value::Struct(event) => match event.values_mut().get_mut(at).map(Value::take) {
            Some(Value::Struct(row)) => row.into_values().into_vec(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
