//! A JSON schema as a Connect schema.

use std::collections::{BTreeMap, HashMap, HashSet};

use lavka_api::data::{Schema, SchemaBuilder, Str, Type};
use lavka_api::{Error, Result};
use lavka_converters::json::{GENERALIZED_UNION, ONE_OF};

use crate::config::JsonSchemaConfig;
use crate::defaults::default_of;
use crate::model::{Additional, Criterion, Kind, Model, Node, NodeId, Object};
use crate::text::{ENUM, GENERALIZED_ENUM, MAX_DEPTH, NULL_SYMBOL};

/// Schemas of more parts than this have no Connect schema. A part that others refer to counts once, unless it has to be
/// numbered anew each time.
const MAX_PARTS: usize = 100_000;

const UNION_PREFIX: &str = "connect_union_";
const UNION_FIELD_PREFIX: &str = "connect_union_field_";

/// The Connect schema of `model`; `version` is the one in the registry, which counts unless the schema says another.
///
/// # Errors
/// A data error for schemas that Connect's data model cannot express.
pub(crate) fn schema_of(model: &Model, version: Option<i32>, config: &JsonSchemaConfig) -> Result<Schema> {
    let mut translator = Translator {
        model,
        config,
        open: HashSet::new(),
        known: HashMap::new(),
        deepest: 0,
        parts: 0,
        unions: 0,
        defaults: 0,
    };
    translator.schema(model.root, version, false, 0)
}

/// Which schema it is, the version from outside, and whether it is optional: what a Connect schema is made of.
type Part = (NodeId, Option<i32>, bool);

struct Translator<'m> {
    model: &'m Model,
    config: &'m JsonSchemaConfig,
    /// Objects whose schema is being made.
    open: HashSet<NodeId>,
    /// What was made before, with the levels in it. Not what has unions that are numbered.
    known: HashMap<Part, (Schema, usize)>,
    /// The deepest level since the part was begun whose schema is being made.
    deepest: usize,
    /// How many parts were made.
    parts: usize,
    /// How many unions were made, for their names.
    unions: usize,
    /// Bytes of the defaults that were made.
    defaults: usize,
}

fn unsupported(what: &str) -> Error {
    Error::data(format!("Unsupported schema type: {what}"))
}

impl<'m> Translator<'m> {
    fn schema(&mut self, id: NodeId, version: Option<i32>, optional: bool, depth: usize) -> Result<Schema> {
        let part = (id, version, optional);
        let levels = self.known.get(&part).map_or(0, |(_, levels)| *levels);
        if depth + levels > MAX_DEPTH {
            return Err(Error::data(format!("The JSON schema is nested deeper than {MAX_DEPTH} levels")));
        }
        if let Some((schema, levels)) = self.known.get(&part) {
            self.deepest = self.deepest.max(depth + levels);
            return Ok(schema.clone());
        }
        self.parts += 1;
        if self.parts > MAX_PARTS {
            let name = self.model.title().map(|title| format!(" {title}")).unwrap_or_default();
            return Err(Error::data(format!("The JSON schema{name} describes more than {MAX_PARTS} parts")));
        }
        let (around, unions) = (std::mem::replace(&mut self.deepest, depth), self.unions);
        let schema = self.made(id, version, optional, depth)?;
        if unions == self.unions {
            self.known.insert(part, (schema.clone(), self.deepest - depth));
        }
        self.deepest = self.deepest.max(around);
        Ok(schema)
    }

    fn made(&mut self, id: NodeId, version: Option<i32>, optional: bool, depth: usize) -> Result<Schema> {
        let node = self.model.node(id);
        let mut builder = match &node.kind {
            Kind::Boolean => Schema::builder(Type::Boolean),
            Kind::Number { integer } => number(node, *integer)?,
            Kind::String { .. } => {
                let is_bytes = node.connect_type.as_deref() == Some("bytes");
                Schema::builder(if is_bytes { Type::Bytes } else { Type::String })
            }
            Kind::Enum { values, .. } => self.symbols(values),
            Kind::Reference(target) => {
                let end = self.model.target(*target);
                if end == id || matches!(self.model.node(end).kind, Kind::Reference(_)) {
                    return Err(recursive(node));
                }
                return self.schema(end, version, optional, depth + 1);
            }
            Kind::Combined { criterion, parts } => {
                if let ([only], true) = (parts.as_slice(), self.config.flatten) {
                    return self.schema(*only, None, false, depth + 1);
                }
                if *criterion == Criterion::All {
                    return self.all_of(id, parts, version, optional, depth);
                }
                if let [first, second] = parts.as_slice() {
                    let is_null = |part: &NodeId| matches!(self.model.node(*part).kind, Kind::Null);
                    match (is_null(first), is_null(second)) {
                        (true, false) => return self.schema(*second, version, true, depth + 1),
                        (false, true) => return self.schema(*first, version, true, depth + 1),
                        _ => {}
                    }
                }
                self.union(parts, depth)?
            }
            Kind::Array { items } => {
                let items =
                    items.ok_or_else(|| Error::data("Array schema did not specify the items type"))?;
                self.array(node, items, depth)?
            }
            Kind::Object(object) if node.connect_type.as_deref() == Some("map") => {
                let Additional::Of(values) = object.additional else {
                    return Err(Error::data(
                        "Map schema did not specify the type of its values in additionalProperties",
                    ));
                };
                let values = self.schema(values, None, false, depth + 1)?;
                Schema::builder(Type::Map).keys(Schema::of(Type::String)).values(values)
            }
            Kind::Object(object) => self.object(id, object, depth)?,
            Kind::Anything => {
                return Err(unsupported(
                    "a schema without type describes anything, which no Connect schema does; give it a type",
                ));
            }
            Kind::Nothing => return Err(unsupported("false describes nothing")),
            Kind::Null => return Err(unsupported("null, where it is not one case of oneOf")),
            Kind::Constraint(keyword) => return Err(unsupported(keyword)),
        };
        if let Some(title) = &node.title
            && !matches!(node.kind, Kind::Combined { .. })
        {
            builder = builder.name(title.as_str());
        }
        builder = builder.version(node.connect_version.or(version));
        builder = builder.doc_if(node.description.as_deref().map(Str::from));
        for (name, value) in &node.parameters {
            builder = builder.parameter(name.as_str(), value.as_str());
        }
        let schema = builder.build()?;
        let default = match &node.default {
            Some(text) => default_of(&schema, text, &mut self.defaults)?,
            None => None,
        };
        if default.is_none() && !optional {
            return Ok(schema);
        }
        let builder = schema.to_builder().default_value(default);
        builder.optional_if(optional || schema.is_optional()).build()
    }

    fn array(&mut self, node: &Node, items: NodeId, depth: usize) -> Result<SchemaBuilder> {
        if let (Some("map"), Kind::Object(entry)) =
            (node.connect_type.as_deref(), &self.model.node(items).kind)
        {
            let part =
                |name: &str| entry.properties.iter().find(|(known, _)| known == name).map(|(_, id)| *id);
            let (Some(key), Some(value)) = (part("key"), part("value")) else {
                return Err(Error::data("Map schema did not specify key and value of its entries"));
            };
            let keys = self.schema(key, None, false, depth + 1)?;
            let values = self.schema(value, None, false, depth + 1)?;
            return Ok(Schema::builder(Type::Map).keys(keys).values(values));
        }
        Ok(Schema::builder(Type::Array).values(self.schema(items, None, false, depth + 1)?))
    }

    fn object(&mut self, id: NodeId, object: &'m Object, depth: usize) -> Result<SchemaBuilder> {
        if !self.open.insert(id) {
            return Err(recursive(self.model.node(id)));
        }
        // By the index that the schema gives, otherwise one after another.
        let mut sorted: BTreeMap<i64, Vec<&(String, NodeId)>> = BTreeMap::new();
        for (count, property) in (0..).zip(&object.properties) {
            let index = self.model.node(property.1).connect_index.unwrap_or(count);
            sorted.entry(index).or_default().push(property);
        }
        let mut builder = Schema::structure();
        for (name, part) in sorted.into_values().flatten() {
            let optional = self.config.optional && !object.required.contains(name);
            builder = builder.field(name.as_str(), self.schema(*part, None, optional, depth + 1)?);
        }
        self.open.remove(&id);
        Ok(builder)
    }

    fn union(&mut self, parts: &[NodeId], depth: usize) -> Result<SchemaBuilder> {
        let mut builder = Schema::structure();
        let prefix = if self.config.generalized {
            let name = format!("{UNION_PREFIX}{}", self.unions);
            self.unions += 1;
            builder = builder.name(name.as_str()).parameter(GENERALIZED_UNION, name.as_str());
            UNION_FIELD_PREFIX.to_owned()
        } else {
            builder = builder.name(ONE_OF);
            format!("{ONE_OF}.field.")
        };
        let mut index = 0;
        for part in parts {
            if matches!(self.model.node(*part).kind, Kind::Null) {
                builder = builder.optional();
            } else {
                builder =
                    builder.field(format!("{prefix}{index}"), self.schema(*part, None, true, depth + 1)?);
                index += 1;
            }
        }
        Ok(builder)
    }

    /// All of several schemas: their members together, or the one of them that says most.
    fn all_of(
        &mut self,
        id: NodeId,
        parts: &[NodeId],
        version: Option<i32>,
        optional: bool,
        depth: usize,
    ) -> Result<Schema> {
        let mut members = Members::default();
        for part in parts {
            self.collect_members(*part, &mut members);
        }
        let members = members.listed;
        if !members.is_empty() {
            if !self.open.insert(id) {
                return Err(recursive(self.model.node(id)));
            }
            let mut builder = Schema::structure();
            for (name, part, required) in members {
                let optional = self.config.optional && !required;
                builder = builder.field(name, self.schema(part, None, optional, depth + 1)?);
            }
            self.open.remove(&id);
            return builder.optional_if(optional).build();
        }
        let model = self.model;
        let last = |wanted: fn(&Kind) -> bool| {
            parts.iter().rev().copied().find(|part| wanted(&model.node(*part).kind))
        };
        let combined = last(|kind| matches!(kind, Kind::Combined { .. }));
        let string = last(|kind| matches!(kind, Kind::String { .. }));
        let formatted = last(|kind| matches!(kind, Kind::String { format: true }));
        let number = last(|kind| matches!(kind, Kind::Number { .. }));
        let is_const = last(|kind| matches!(kind, Kind::Enum { is_const: true, .. }));
        let symbols = last(|kind| matches!(kind, Kind::Enum { is_const: false, .. }));
        let reference = last(|kind| matches!(kind, Kind::Reference(_)));
        let chosen = if combined.is_some() {
            combined
        } else if is_const.is_some() {
            string.or(number)
        } else if symbols.is_some() {
            if string.is_some() { symbols } else { number }
        } else if formatted.is_some() {
            number.or(formatted)
        } else {
            reference
        };
        match chosen {
            Some(part) => self.schema(part, version, optional, depth + 1),
            None => Err(unsupported("allOf of schemas that do not go together")),
        }
    }

    /// Members of objects, within all of several schemas and behind references too. Of two with one name the later
    /// counts, at the place of the earlier.
    fn collect_members(&self, id: NodeId, members: &mut Members<'m>) {
        let mut visited = HashSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !visited.insert(id) {
                continue;
            }
            match &self.model.node(id).kind {
                Kind::Combined { criterion: Criterion::All, parts } => open.extend(parts.iter().rev()),
                Kind::Reference(target) => open.push(*target),
                Kind::Object(object) => {
                    for (name, part) in &object.properties {
                        let required = object.required.contains(name);
                        members.put(name, *part, required);
                    }
                }
                _ => {}
            }
        }
    }

    fn symbols(&self, values: &[serde_json::Value]) -> SchemaBuilder {
        let name = if self.config.generalized { GENERALIZED_ENUM } else { ENUM };
        let mut builder = Schema::builder(Type::String).parameter(name, "");
        for (at, value) in values.iter().enumerate() {
            let symbol = match value {
                serde_json::Value::Null => NULL_SYMBOL.to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let meaning = if self.config.generalized { at.to_string() } else { symbol.clone() };
            builder = builder.parameter(format!("{name}.{symbol}"), meaning);
        }
        builder
    }
}

/// Members of several objects: name, schema, whether it is required.
#[derive(Default)]
struct Members<'m> {
    listed: Vec<(&'m str, NodeId, bool)>,
    places: HashMap<&'m str, usize>,
}

impl<'m> Members<'m> {
    fn put(&mut self, name: &'m str, part: NodeId, required: bool) {
        let member = (name, part, required);
        match self.places.get(name).and_then(|at| self.listed.get_mut(*at)) {
            Some(known) => *known = member,
            None => {
                self.places.insert(name, self.listed.len());
                self.listed.push(member);
            }
        }
    }
}

fn number(node: &Node, integer: bool) -> Result<SchemaBuilder> {
    Ok(Schema::builder(match node.connect_type.as_deref() {
        None if integer => Type::Int64,
        None => Type::Float64,
        Some("int8") => Type::Int8,
        Some("int16") => Type::Int16,
        Some("int32") => Type::Int32,
        Some("int64") => Type::Int64,
        Some("float32") => Type::Float32,
        Some("float64") => Type::Float64,
        // Decimals as numbers.
        Some("bytes") => Type::Bytes,
        Some(other) => return Err(unsupported(&format!("connect.type {other} of a number"))),
    }))
}

fn recursive(node: &Node) -> Error {
    let name = node.title.as_deref().map(|title| format!(" {title}")).unwrap_or_default();
    Error::data(format!(
        "The JSON schema{name} refers to itself, which a Connect schema cannot do here: cut the recursion, or read the \
         topic with org.apache.kafka.connect.converters.ByteArrayConverter"
    ))
}
