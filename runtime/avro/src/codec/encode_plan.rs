//! Which Avro type each part of a Connect schema is written as.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Logical, Schema, Str, Type, Value};
use lavka_api::{Error, Result};
use serde_json::Value as Json;

use super::varint::{write_int, write_length, write_long};
use crate::mapping::{Mapping, is_anything, is_map_entry, is_variant, parameter, scrubbed};
use crate::schema::{AvroSchema, Kind, MAX_DEPTH, RecordType, TypeId, Types};

/// How values of one place are written.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) step: Step,
    /// The union's index of the type, where there is a union around it.
    pub(super) tag: Option<Tag>,
    /// That of null.
    pub(super) null: Option<Tag>,
    /// What stands in for a null.
    pub(super) default: Option<Value>,
}

/// The index of a union's member.
pub(super) type Tag = i32;

/// How a value that is not null is written. A clone is a pointer.
#[derive(Clone)]
pub(super) enum Step {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    String,
    Bytes,
    Date,
    Time,
    Timestamp,
    Decimal(i32),
    DecimalInFixed {
        scale: i32,
        size: usize,
    },
    Fixed(usize),
    /// A number as a wider one of Avro's.
    Widened {
        from: Type,
        to: Wide,
    },
    Symbol(Arc<Symbols>),
    Array(Arc<Item>),
    Map(Arc<Item>),
    Entries(Arc<[Item; 2]>),
    Struct(Arc<StructPlan>),
    Union(Arc<UnionPlan>),
    Schemaless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wide {
    Long,
    Float,
    Double,
}

/// The symbols of an enum with their numbers.
pub(super) struct Symbols {
    pub(super) name: String,
    pub(super) numbers: HashMap<Str, i32>,
}

pub(super) struct StructPlan {
    pub(super) schema: Schema,
    /// In the order of the Avro record.
    pub(super) parts: Box<[Part]>,
    /// Whether the parts are the struct's fields, all of them and in their order.
    pub(super) in_order: bool,
    /// Bytes to make room for: what all but texts and containers take, as far as that is worth it.
    pub(super) room: usize,
}

/// A field of an Avro record.
pub(super) enum Part {
    /// The struct's field at this place.
    Field(usize, Item),
    /// Its default: the struct has no such field.
    Constant(Box<[u8]>),
}

/// What is larger grows as it is written. Structs that may be null, and are, take none of it.
const MOST_ROOM: usize = 4096;

pub(super) struct UnionPlan {
    pub(super) schema: Schema,
    /// By field of the struct that stands for the union.
    pub(super) members: Box<[Item]>,
    pub(super) null: Option<Tag>,
}

pub(super) struct Compiler<'a> {
    mapping: &'a Mapping,
    types: &'a Types,
    /// Containers by address of their schema, which the root keeps alive.
    known: HashMap<(usize, TypeId), Step>,
    depth: usize,
}

/// The item of the whole value.
pub(super) fn compile(mapping: &Mapping, schema: Option<&Schema>, avro: &AvroSchema) -> Result<Item> {
    let mut compiler = Compiler { mapping, types: avro.types(), known: HashMap::new(), depth: 0 };
    compiler.item(schema, avro.root(), false)
}

impl Compiler<'_> {
    fn item(&mut self, schema: Option<&Schema>, id: TypeId, in_struct: bool) -> Result<Item> {
        let Some(schema) = schema else {
            if !is_anything(self.types, id) {
                return Err(unfit("schemaless data", self.types.kind(id)));
            }
            return Ok(Item { step: Step::Schemaless, tag: None, null: None, default: None });
        };
        if Mapping::is_union(schema) {
            let step = self.union(schema, id)?;
            return Ok(Item {
                step,
                tag: None,
                null: self.null_of(id),
                default: self.default(schema, in_struct),
            });
        }
        let (member, tag) = self.member(schema, id)?;
        let step = self.step(schema, member)?;
        let null = if schema.is_optional() { self.null_of(id) } else { None };
        Ok(Item { step, tag, null, default: self.default(schema, in_struct) })
    }

    fn default(&self, schema: &Schema, in_struct: bool) -> Option<Value> {
        let applies = in_struct && !self.mapping.ignore_default_for_nullables;
        schema.default_value().filter(|_| applies).cloned()
    }

    fn null_of(&self, id: TypeId) -> Option<Tag> {
        let Kind::Union(members) = self.types.kind(id) else { return None };
        let at = members.iter().position(|member| matches!(self.types.kind(*member), Kind::Null))?;
        Tag::try_from(at).ok()
    }

    /// The type that takes values of `schema`: `id` itself, or the member of a union that fits best.
    fn member(&self, schema: &Schema, id: TypeId) -> Result<(TypeId, Option<Tag>)> {
        let members = self.types.members(&id);
        let best = members
            .iter()
            .enumerate()
            .map(|(i, member)| (self.fit(schema, *member), i, *member))
            .max_by_key(|(fit, i, _)| (*fit, std::cmp::Reverse(*i)));
        match best {
            Some((fit, i, member)) if fit > Fit::Not => {
                let in_union = matches!(self.types.kind(id), Kind::Union(_));
                Ok((member, Tag::try_from(i).ok().filter(|_| in_union)))
            }
            _ => Err(unfit(&schema.to_string(), self.types.kind(id))),
        }
    }

    fn fit(&self, schema: &Schema, id: TypeId) -> Fit {
        let kind = self.types.kind(id);
        match (schema.ty(), kind) {
            (Type::Int8 | Type::Int16 | Type::Int32, Kind::Int)
            | (Type::Int64, Kind::Long)
            | (Type::Float32, Kind::Float)
            | (Type::Float64, Kind::Double)
            | (Type::Boolean, Kind::Boolean)
            | (Type::Bytes, Kind::Bytes)
            | (Type::String, Kind::String) => match self.mapping.enum_parameter(schema) {
                Some(_) => Fit::Loosely,
                None => Fit::Well,
            },
            (Type::Int8 | Type::Int16 | Type::Int32, Kind::Long | Kind::Float | Kind::Double)
            | (Type::Int64, Kind::Float | Kind::Double)
            | (Type::Float32, Kind::Double)
                if schema.logical().is_none() =>
            {
                Fit::Loosely
            }
            (Type::String, Kind::Enum(it)) => {
                let named = schema.parameter(parameter::ENUM).or(schema.parameter(parameter::GENERAL_ENUM));
                if named.is_some_and(|name| name.as_str() == it.name.full()) {
                    Fit::Exactly
                } else {
                    Fit::Loosely
                }
            }
            (Type::Bytes, Kind::Fixed(it)) => {
                let size = schema.parameter(parameter::FIXED_SIZE).and_then(|size| size.parse().ok());
                if size == Some(it.size) && self.is_called(schema, kind) {
                    Fit::Exactly
                } else if size.is_none_or(|size| size == it.size) {
                    Fit::Loosely
                } else {
                    Fit::Not
                }
            }
            (Type::Array, Kind::Array(items)) if !is_map_entry(self.types, *items) => Fit::Well,
            (Type::Map, Kind::Map(_)) if schema.keys().is_some_and(|keys| keys.ty() == Type::String) => {
                Fit::Well
            }
            (Type::Map, Kind::Array(items)) if is_map_entry(self.types, *items) => Fit::Well,
            (Type::Struct, Kind::Record(_)) if is_variant(self.types.get(id)) => Fit::Well,
            (Type::Struct, Kind::Record(_)) if self.is_called(schema, kind) => Fit::Exactly,
            (Type::Struct, Kind::Record(_)) => Fit::Loosely,
            _ => Fit::Not,
        }
    }

    /// Whether the schema's name is that of the type.
    fn is_called(&self, schema: &Schema, kind: &Kind) -> bool {
        let Some(name) = kind.name() else { return false };
        schema
            .name()
            .is_some_and(|own| own == name.full() || self.mapping.scrubbed_full_name(own) == name.full())
    }

    fn step(&mut self, schema: &Schema, id: TypeId) -> Result<Step> {
        if schema.ty().is_primitive() {
            return self.primitive(schema, id);
        }
        if let Some(step) = self.known.get(&(schema.address(), id)) {
            return Ok(step.clone());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "a schema nested deeper than {MAX_DEPTH} levels cannot be written"
            )));
        }
        self.depth += 1;
        let step = self.container(schema, id);
        self.depth -= 1;
        let step = step?;
        self.known.insert((schema.address(), id), step.clone());
        Ok(step)
    }

    fn container(&mut self, schema: &Schema, id: TypeId) -> Result<Step> {
        let types = self.types;
        Ok(match types.kind(id) {
            Kind::Array(items) if schema.ty() == Type::Map => {
                let Kind::Record(record) = types.kind(*items) else {
                    return Err(unfit("a map", types.kind(id)));
                };
                let ty =
                    |name: &str| record.fields.iter().find(|field| field.name == name).map(|field| field.ty);
                let (Some(key), Some(value)) = (ty("key"), ty("value")) else {
                    return Err(unfit("a map", types.kind(*items)));
                };
                if record.fields.first().is_none_or(|first| first.name != "key") || record.fields.len() != 2 {
                    return Err(unfit("a map", types.kind(*items)));
                }
                Step::Entries(Arc::new([
                    self.item(schema.keys(), key, false)?,
                    self.item(schema.values(), value, false)?,
                ]))
            }
            Kind::Array(items) => Step::Array(Arc::new(self.item(schema.values(), *items, false)?)),
            Kind::Map(values) => Step::Map(Arc::new(self.item(schema.values(), *values, false)?)),
            Kind::Record(record) => self.record(schema, record)?,
            other => return Err(unfit(&schema.to_string(), other)),
        })
    }

    fn record(&mut self, schema: &Schema, record: &RecordType) -> Result<Step> {
        let mut parts = Vec::with_capacity(record.fields.len());
        let names: HashMap<_, usize> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(i, field)| (scrubbed(field.name(), self.mapping.scrub_invalid_names), i))
            .collect();
        for field in &record.fields {
            let at = names.get(field.name.as_str()).copied();
            let part = match at.and_then(|at| Some((at, schema.fields().get(at)?))) {
                Some((at, connect)) => Part::Field(
                    at,
                    self.item(Some(connect.schema()), field.ty, true).map_err(|error| {
                        let at = format!("field {} of {}", field.name, record.name.full());
                        error.wrapped_in(lavka_api::error::exception::DATA, at)
                    })?,
                ),
                None => {
                    Part::Constant(self.constant(record, &field.name, field.ty, field.default.as_ref())?)
                }
            };
            parts.push(part);
        }
        let in_order = parts.len() == schema.fields().len()
            && parts.iter().enumerate().all(|(i, part)| matches!(part, Part::Field(at, _) if *at == i));
        let room = parts.iter().map(|part| match part {
            Part::Field(_, item) => item.room(),
            Part::Constant(bytes) => bytes.len(),
        });
        Ok(Step::Struct(Arc::new(StructPlan {
            schema: schema.clone(),
            room: room.fold(0, usize::saturating_add).min(MOST_ROOM),
            parts: parts.into_boxed_slice(),
            in_order,
        })))
    }

    /// The bytes of a field that the struct does not have.
    fn constant(
        &self,
        record: &RecordType,
        name: &str,
        id: TypeId,
        default: Option<&Json>,
    ) -> Result<Box<[u8]>> {
        let default = default.ok_or_else(|| {
            Error::data(format!(
                "the field {name} of {} has no default in the Avro schema and no counterpart in the record",
                record.name.full()
            ))
        })?;
        let mut writer = DefaultWriter { types: self.types, out: Vec::new(), left: MAX_DEFAULTS };
        let written = writer.write(id, default, 0);
        let refused = |what| Error::data(format!("the default of {name} in {} {what}", record.name.full()));
        match written {
            Some(()) => Ok(writer.out.into_boxed_slice()),
            None if writer.left == 0 => Err(refused("is too large")),
            None => Err(refused("does not fit its type")),
        }
    }

    fn union(&mut self, schema: &Schema, id: TypeId) -> Result<Step> {
        if let Some(step) = self.known.get(&(schema.address(), id)) {
            return Ok(step.clone());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "a schema nested deeper than {MAX_DEPTH} levels cannot be written"
            )));
        }
        self.depth += 1;
        let members = schema.fields().iter().map(|field| {
            let (member, tag) = self.member(field.schema(), id)?;
            let step = self.step(field.schema(), member)?;
            Ok(Item { step, tag, null: None, default: self.default(field.schema(), true) })
        });
        let members: Result<Box<[Item]>> = members.collect();
        self.depth -= 1;
        let plan = UnionPlan { schema: schema.clone(), members: members?, null: self.null_of(id) };
        let step = Step::Union(Arc::new(plan));
        self.known.insert((schema.address(), id), step.clone());
        Ok(step)
    }

    fn primitive(&self, schema: &Schema, id: TypeId) -> Result<Step> {
        let kind = self.types.kind(id);
        Ok(match (schema.logical(), schema.ty(), kind) {
            (Some(Logical::Decimal(scale)), _, Kind::Fixed(it)) => {
                Step::DecimalInFixed { scale, size: it.size }
            }
            (Some(Logical::Decimal(scale)), _, _) => Step::Decimal(scale),
            (Some(Logical::Date), _, _) => Step::Date,
            (Some(Logical::Time), _, _) => Step::Time,
            (Some(Logical::Timestamp), _, _) => Step::Timestamp,
            (None, Type::Int8, Kind::Int) => Step::Int8,
            (None, Type::Int16, Kind::Int) => Step::Int16,
            (None, Type::Int32, Kind::Int) => Step::Int32,
            (None, Type::Int64, Kind::Long) => Step::Int64,
            (None, Type::Float32, Kind::Float) => Step::Float32,
            (None, Type::Float64, Kind::Double) => Step::Float64,
            (None, from, Kind::Long) => Step::Widened { from, to: Wide::Long },
            (None, from, Kind::Float) => Step::Widened { from, to: Wide::Float },
            (None, from, Kind::Double) => Step::Widened { from, to: Wide::Double },
            (None, Type::Boolean, _) => Step::Boolean,
            (None, Type::String, Kind::Enum(it)) => Step::Symbol(Arc::new(Symbols {
                name: it.name.full().to_owned(),
                numbers: (0_i32..).zip(&it.symbols).map(|(i, symbol)| (Str::from(symbol), i)).collect(),
            })),
            (None, Type::String, _) => Step::String,
            (None, _, Kind::Fixed(it)) => Step::Fixed(it.size),
            (None, Type::Bytes, _) => Step::Bytes,
            (None, ..) => return Err(unfit(&schema.to_string(), kind)),
        })
    }
}

/// How well a type takes the values of a schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Not,
    Loosely,
    Well,
    Exactly,
}

impl Item {
    fn room(&self) -> usize {
        let tag = usize::from(self.tag.or(self.null).is_some());
        tag + match &self.step {
            Step::Boolean => 1,
            Step::Float32 => 4,
            Step::Fixed(size) | Step::DecimalInFixed { size, .. } => *size,
            Step::Struct(plan) => plan.room,
            // Eight bytes are written at once where five are needed.
            _ => 10,
        }
    }
}

fn unfit(what: &str, kind: &Kind) -> Error {
    Error::data(format!("{what} cannot be written as Avro's {}", kind.label()))
}

/// Values that a default may consist of: those of records that are not said are their fields' own, which can be more by
/// any factor.
const MAX_DEFAULTS: usize = 100_000;

/// No more is written behind so many bytes of a default.
const MAX_DEFAULT_BYTES: usize = 1 << 20;

/// Writes defaults of Avro schemas.
struct DefaultWriter<'a> {
    types: &'a Types,
    out: Vec<u8>,
    /// Values that may still come.
    left: usize,
}

impl DefaultWriter<'_> {
    /// Appends a default: of unions the first member takes it, unless it is null and another one is.
    fn write(&mut self, id: TypeId, default: &Json, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.out.len() > MAX_DEFAULT_BYTES {
            self.left = 0;
        }
        self.left = self.left.checked_sub(1)?;
        let depth = depth + 1;
        let types = self.types;
        match types.kind(id) {
            Kind::Null => default.is_null().then_some(())?,
            Kind::Boolean => self.out.push(u8::from(default.as_bool()?)),
            Kind::Int => write_int(&mut self.out, i32::try_from(default.as_i64()?).ok()?),
            Kind::Long => write_long(&mut self.out, default.as_i64()?),
            #[expect(clippy::cast_possible_truncation, reason = "the nearest single")]
            Kind::Float => self.out.extend_from_slice(&(default.as_f64()? as f32).to_le_bytes()),
            Kind::Double => self.out.extend_from_slice(&default.as_f64()?.to_le_bytes()),
            Kind::String => {
                let text = default.as_str()?;
                write_length(&mut self.out, text.len());
                self.out.extend_from_slice(text.as_bytes());
            }
            Kind::Bytes => {
                let bytes = latin1(default.as_str()?)?;
                write_length(&mut self.out, bytes.len());
                self.out.extend_from_slice(&bytes);
            }
            Kind::Fixed(it) => {
                let bytes = latin1(default.as_str()?)?;
                (bytes.len() == it.size).then(|| self.out.extend_from_slice(&bytes))?;
            }
            Kind::Enum(it) => {
                let at = it.symbols.iter().position(|symbol| Some(symbol.as_str()) == default.as_str())?;
                write_int(&mut self.out, i32::try_from(at).ok()?);
            }
            Kind::Array(items) => {
                let list = default.as_array()?;
                if !list.is_empty() {
                    write_length(&mut self.out, list.len());
                }
                for item in list {
                    self.write(*items, item, depth)?;
                }
                self.out.push(0);
            }
            Kind::Map(values) => {
                let entries = default.as_object()?;
                if !entries.is_empty() {
                    write_length(&mut self.out, entries.len());
                }
                for (key, item) in entries {
                    write_length(&mut self.out, key.len());
                    self.out.extend_from_slice(key.as_bytes());
                    self.write(*values, item, depth)?;
                }
                self.out.push(0);
            }
            Kind::Record(record) => {
                let entries = default.as_object()?;
                for field in &record.fields {
                    let item = entries.get(&field.name).or(field.default.as_ref())?;
                    self.write(field.ty, item, depth)?;
                }
            }
            Kind::Union(members) => {
                let start = self.out.len();
                for (i, member) in members.iter().enumerate() {
                    write_int(&mut self.out, i32::try_from(i).ok()?);
                    if self.write(*member, default, depth).is_some() {
                        return Some(());
                    }
                    self.out.truncate(start);
                }
                return None;
            }
        }
        Some(())
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}
