//! A message to its Connect schema and reader.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Schema, SchemaBuilder, Str, Type, Value};
use lavka_api::{Error, Result};

use super::element::{Element, Narrow, Symbols, zero};
use super::message::{Body, EntryReader, FieldReader, Lookup, MessageReader, Target};
use super::{Root, default, schema};
use crate::mapping::{is_map_entry, map_field, vocabulary, well_known, wrapped};
use crate::schema::{FieldDescriptor, Kind, MAX_DEPTH, MessageDescriptor, Pool, Scalar};
use crate::settings::MappingSettings;

/// Bytes of one default, which a message of few bytes may bring about.
const MAX_DEFAULT: usize = 1 << 20;

pub(super) fn root(
    pool: &Pool,
    full_name: &str,
    version: Option<i32>,
    settings: &MappingSettings,
) -> Result<(Schema, Root)> {
    if settings.wrapper_for_raw_primitives
        && let Some(scalar) = wrapped(full_name)
    {
        let schema = Schema::builder(schema::plain_type(scalar)).version(version).build()?;
        return Ok((schema, Root::Wrapped(Element::Scalar(scalar, Narrow::Not))));
    }
    let message = pool
        .message_named(full_name)
        .ok_or_else(|| Error::data(format!("Could not find descriptor with name {full_name}")))?;
    let mut compiler =
        Compiler { pool, settings, known: HashMap::new(), first_tags: HashMap::new(), open: Vec::new() };
    let (builder, body) = compiler.message(message)?;
    let schema = builder.version(version).build()?;
    Ok((schema.clone(), Root::Message(MessageReader { schema, body })))
}

struct Compiler<'c> {
    pool: &'c Pool,
    settings: &'c MappingSettings,
    /// Messages that were compiled.
    known: HashMap<usize, (SchemaBuilder, Arc<Body>)>,
    /// The number of the field that each of them was compiled for, unless that was a list.
    first_tags: HashMap<usize, u32>,
    /// Those that are being compiled, each inside the one before it.
    open: Vec<usize>,
}

/// A field while its message is compiled.
struct Compiled {
    schema: Schema,
    element: Element,
    /// The reader of a map's entries.
    entry: Option<Box<EntryReader>>,
    /// What stands for a missing value.
    default: Option<Value>,
}

impl Compiler<'_> {
    fn message(&mut self, at: usize) -> Result<(SchemaBuilder, Arc<Body>)> {
        if let Some(known) = self.known.get(&at) {
            return Ok(known.clone());
        }
        let pool = self.pool;
        let descriptor = pool.message(at).ok_or_else(|| Error::data("Invalid message name"))?;
        if self.open.contains(&at) {
            return Err(Error::data(format!(
                "Message {} holds itself, directly or through other messages. Recursive schemas are not supported: leave \
                 the field out of the schema that this connector reads, or read bytes (ByteArrayConverter)",
                descriptor.full_name
            )));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::data(format!(
                "Messages are nested deeper than {MAX_DEPTH} levels at {}",
                descriptor.full_name
            )));
        }
        self.open.push(at);
        let made = self.fields(descriptor)?;
        self.open.pop();
        self.known.insert(at, made.clone());
        Ok(made)
    }

    fn fields(&mut self, descriptor: &MessageDescriptor) -> Result<(SchemaBuilder, Arc<Body>)> {
        let name = if self.settings.enhanced_schemas { &descriptor.full_name } else { &descriptor.name };
        let mut builder = Schema::structure().name(name.clone());
        let mut parts = Parts::default();
        for (at, oneof) in descriptor.oneofs.iter().enumerate() {
            let members = oneof.members.iter().filter_map(|&member| descriptor.fields.get(member));
            if self.settings.flatten_unions {
                let group = parts.slots as u32;
                for field in members {
                    let compiled = self.field(descriptor, field)?;
                    builder = builder.field(field.name.clone(), compiled.schema.clone());
                    parts.add(field, compiled.element, Target::Flat { slot: parts.slots, group });
                    parts.slots += 1;
                }
            } else {
                let mut union = schema::union(oneof, self.settings);
                let mut elements = Vec::new();
                for field in members {
                    let compiled = self.field(descriptor, field)?;
                    union = union.field(field.name.clone(), compiled.schema);
                    elements.push((field, compiled.element));
                }
                let union = union.build()?;
                builder = builder.field(schema::union_field(oneof, at, self.settings), union.clone());
                for (member, (field, element)) in elements.into_iter().enumerate() {
                    parts.add(
                        field,
                        element,
                        Target::Member { slot: parts.slots, union: union.clone(), member },
                    );
                }
                parts.slots += 1;
            }
        }
        for field in descriptor.fields.iter().filter(|field| field.oneof.is_none()) {
            let compiled = self.field(descriptor, field)?;
            builder = builder.field(field.name.clone(), compiled.schema);
            let slot = parts.slots;
            parts.slots += 1;
            if field.required {
                parts.required.push((slot, field.name.clone()));
            }
            if let Some(default) = compiled.default {
                parts.defaults.push((slot, default));
            }
            let target = match compiled.entry {
                Some(entry) => Target::Map(slot, entry),
                None if field.repeated => Target::List(slot),
                None => Target::Slot(slot),
            };
            parts.add(field, compiled.element, target);
        }
        Ok((builder, Arc::new(parts.finish())))
    }

    fn field(&mut self, message: &MessageDescriptor, field: &FieldDescriptor) -> Result<Compiled> {
        let mut full_name = None;
        let mut entry = None;
        let (builder, element) = match field.kind {
            Kind::Scalar(scalar) => {
                let builder = schema::scalar(scalar, field);
                let narrow = match field.param(vocabulary::CONNECT_TYPE) {
                    Some("int8") => Narrow::To8,
                    Some("int16") => Narrow::To16,
                    _ => Narrow::Not,
                };
                let element = if scalar == Scalar::String && !message.strict_text {
                    Element::LooseText
                } else {
                    Element::Scalar(scalar, narrow)
                };
                (builder, element)
            }
            Kind::Enum(at) => {
                let made = self.pool.enumeration(at).ok_or_else(|| Error::data("Invalid enum name"))?;
                let element = if self.settings.int_for_enums {
                    let mut numbers: Vec<i32> = made.values.iter().map(|(_, number)| *number).collect();
                    numbers.sort_unstable();
                    Element::Number((!made.open).then(|| numbers.into()))
                } else {
                    let mut by_number: Vec<(i32, Str)> =
                        made.values.iter().map(|(name, number)| (*number, name.clone())).collect();
                    // Of two symbols with one number the first counts.
                    by_number.sort_by_key(|(number, _)| *number);
                    by_number.dedup_by_key(|(number, _)| *number);
                    Element::Symbol(Symbols {
                        name: made.name.clone(),
                        by_number: by_number.into(),
                        open: made.open,
                    })
                };
                (schema::enumeration(made, self.settings), element)
            }
            Kind::Message(at) | Kind::Group(at) => {
                let pool = self.pool;
                let inner = pool.message(at).ok_or_else(|| Error::data("Invalid message name"))?;
                full_name = Some(inner.full_name.as_str());
                if matches!(field.kind, Kind::Message(_)) && is_map(field, inner) {
                    let (builder, reader) = self.map(inner)?;
                    entry = Some(Box::new(reader));
                    (builder.optional(), Element::JsonObject)
                } else {
                    let is_first = !self.known.contains_key(&at);
                    let (mut builder, element) = self.message_field(field, inner, at)?;
                    match (field.repeated, is_first, self.first_tags.get(&at)) {
                        (false, true, _) if self.known.contains_key(&at) => {
                            self.first_tags.insert(at, field.number);
                        }
                        // In the Java client a message's schema is one object, which its first field has put its
                        // number on; other fields have their own, and lists show it.
                        (true, false, Some(tag)) => {
                            builder = builder.parameter(vocabulary::TAG, tag.to_string());
                        }
                        _ => {}
                    }
                    (builder.optional(), element)
                }
            }
        };
        let list = field.repeated && entry.is_none();
        let schema = schema::finish(builder, field, list, full_name, self.settings)?;
        // A struct's schema is that of its field, or of the list's items.
        let own = if list { schema.values().cloned() } else { Some(schema.clone()) };
        let element = match (element, own) {
            (Element::Message(reader), Some(own)) => {
                Element::Message(Arc::new(MessageReader { schema: own, body: reader.body.clone() }))
            }
            (element, _) => element,
        };
        let default = self.default(field, &element, entry.is_some())?;
        Ok(Compiled { schema, element, entry, default })
    }

    fn message_field(
        &mut self,
        field: &FieldDescriptor,
        inner: &MessageDescriptor,
        at: usize,
    ) -> Result<(SchemaBuilder, Element)> {
        let full_name = inner.full_name.as_str();
        if let Some(logical) = schema::instant(full_name) {
            let element = match full_name {
                well_known::DATE => Element::Date,
                well_known::TIME => Element::Time,
                _ => Element::Timestamp,
            };
            return Ok((Schema::logical_of(logical).to_builder(), element));
        }
        let json = match full_name {
            well_known::DECIMAL => return Ok((schema::decimal(field), Element::Decimal)),
            well_known::STRUCT => Some(Element::JsonObject),
            well_known::LIST => Some(Element::JsonList),
            well_known::VALUE => Some(Element::JsonValue),
            _ => None,
        };
        if let Some(element) = json {
            return Ok((Schema::builder(Type::String).name(full_name), element));
        }
        // What says "at the root" counts for fields too, as in the Java client.
        if (self.settings.wrapper_for_nullables || self.settings.wrapper_for_raw_primitives)
            && let Some(scalar) = wrapped(full_name)
        {
            let value = Element::Scalar(scalar, Narrow::Not);
            return Ok((Schema::builder(schema::plain_type(scalar)), Element::Wrapper(Box::new(value))));
        }
        let (builder, body) = self.message(at)?;
        let builder =
            if full_name == well_known::VARIANT { builder.name(vocabulary::VARIANT) } else { builder };
        let schema = builder.clone().build()?;
        Ok((builder, Element::Message(Arc::new(MessageReader { schema, body }))))
    }

    fn map(&mut self, entry: &MessageDescriptor) -> Result<(SchemaBuilder, EntryReader)> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::data(format!(
                "Maps are nested deeper than {MAX_DEPTH} levels at {}",
                entry.full_name
            )));
        }
        let name = map_field(if self.settings.enhanced_schemas { &entry.full_name } else { &entry.name });
        let mut parts = Parts::default();
        let mut schemas = Vec::with_capacity(2);
        // Maps may hold maps by way of messages alone, but what is named as their entries are may hold itself.
        self.open.push(usize::MAX);
        for field in &entry.fields {
            let compiled = self.field(entry, field)?;
            schemas.push(compiled.schema);
            let slot = parts.slots;
            parts.slots += 1;
            // A key or value that is missing is there: as its default.
            let default = match compiled.default {
                Some(default) => Some(default),
                None => default_of(&compiled.element)?,
            };
            parts.defaults.extend(default.map(|default| (slot, default)));
            parts.add(field, compiled.element, Target::Slot(slot));
        }
        self.open.pop();
        match <[Schema; 2]>::try_from(schemas) {
            Ok([keys, values]) => {
                let builder = Schema::map(keys, values).to_builder().name(name);
                Ok((builder, EntryReader { body: parts.finish() }))
            }
            Err(_) => Err(Error::data(format!("{} is no entry of a map", entry.full_name))),
        }
    }

    /// What is read where the field is missing, if that is not null.
    fn default(&self, field: &FieldDescriptor, element: &Element, is_map: bool) -> Result<Option<Value>> {
        if is_map {
            return Ok(Some(Value::Map([].into())));
        }
        if field.repeated {
            return Ok(Some(Value::from(Vec::new())));
        }
        if field.required {
            return Ok(None);
        }
        let kept_null =
            field.proto3_optional || (self.settings.optional_for_proto2 && field.optional_keyword);
        if (kept_null || element.is_message()) && !self.settings.struct_for_nulls {
            return Ok(None);
        }
        match (&field.default, field.kind, element) {
            (Some(text), Kind::Scalar(scalar), Element::Scalar(_, narrow)) => {
                Ok(default::parse(text, scalar, *narrow))
            }
            (Some(text), Kind::Scalar(scalar), _) => Ok(default::parse(text, scalar, Narrow::Not)),
            (Some(symbol), Kind::Enum(at), _) => {
                let number = self.pool.enumeration(at).and_then(|made| made.number_of(symbol));
                Ok(number.and_then(|number| enum_value(element, number)))
            }
            (None, Kind::Enum(at), _) => {
                let first = self.pool.enumeration(at).and_then(|made| made.values.first());
                Ok(first.and_then(|(_, number)| enum_value(element, *number)))
            }
            _ => default_of(element),
        }
    }
}

fn enum_value(element: &Element, number: i32) -> Option<Value> {
    match element {
        Element::Symbol(symbols) => symbols.symbol(number),
        _ => Some(Value::Int32(number)),
    }
}

/// The value of an element of which nothing is there; none where that is no value, as for a date.
fn default_of(element: &Element) -> Result<Option<Value>> {
    match element {
        Element::Scalar(scalar, narrow) => Ok(Some(zero(*scalar, *narrow))),
        Element::LooseText => Ok(Some("".into())),
        Element::Symbol(symbols) => Ok(symbols.symbol(0)),
        Element::Number(_) => Ok(Some(Value::Int32(0))),
        Element::Message(_) => match element.read_message(&[]) {
            Ok(value) if value.heap_size() > MAX_DEFAULT => {
                Err(Error::data(format!("The defaults of a message are larger than {MAX_DEFAULT} bytes")))
            }
            Ok(value) => Ok(Some(value)),
            Err(_) => Ok(None),
        },
        _ => Ok(element.read_message(&[]).ok()),
    }
}

/// Whether a field is a map, which Confluent's client tells by names: its own files do not say it otherwise.
fn is_map(field: &FieldDescriptor, entry: &MessageDescriptor) -> bool {
    let [key, value] = entry.fields.as_slice() else { return false };
    field.repeated
        && is_map_entry(&entry.name)
        && key.name == "key"
        && value.name == "value"
        && !key.repeated
        && !value.repeated
}

/// A reader while it is put together.
#[derive(Default)]
struct Parts {
    slots: usize,
    fields: Vec<FieldReader>,
    defaults: Vec<(usize, Value)>,
    required: Vec<(usize, Str)>,
}

impl Parts {
    fn add(&mut self, field: &FieldDescriptor, element: Element, target: Target) {
        let is_group = matches!(field.kind, Kind::Group(_));
        self.fields.push(FieldReader { number: field.number, is_group, target, element });
    }

    fn finish(self) -> Body {
        let by_number = Lookup::new(&self.fields);
        Body {
            slots: self.slots,
            fields: self.fields.into(),
            by_number,
            defaults: self.defaults.into(),
            required: self.required.into(),
        }
    }
}
