//! Reads JSON schemas, of any draft, with what they refer to.
//!
//! What a schema describes follows from its keywords as in Confluent's reader: several kinds at once are all of them,
//! and without `type` the keywords tell it.

use std::collections::{HashMap, HashSet};

use lavka_api::{Error, Result};
use lavka_schema_registry::ResolvedSchema;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::defaults::Defaults;
use crate::java_order;
use crate::model::{Additional, Criterion, Kind, Model, Node, NodeId, Object};

/// References may lead this deep into each other.
const MAX_DEPTH: usize = 200;

/// More nodes than this are no schema that anybody works with.
const MAX_NODES: usize = 100_000;

const ARRAY_KEYWORDS: &[&str] =
    &["items", "minItems", "maxItems", "uniqueItems", "additionalItems", "contains", "prefixItems"];
const OBJECT_KEYWORDS: &[&str] = &[
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
];
const NUMBER_KEYWORDS: &[&str] =
    &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const STRING_KEYWORDS: &[&str] = &["minLength", "maxLength", "pattern", "format"];
const CONDITION_KEYWORDS: &[&str] = &["if", "then", "else"];

/// Reads `schema`.
///
/// # Errors
/// A data error for a text that is no JSON schema, and for references that lead nowhere.
pub(crate) fn load(schema: &ResolvedSchema) -> Result<Model> {
    let parse = |name: &str, text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| wrong(&format!("{name} is not JSON: {error}")))
    };
    let mut documents = vec![(String::new(), parse("it", schema.schema.text())?)];
    for dependency in &schema.dependencies {
        documents.push((dependency.name.to_string(), parse(&dependency.name, dependency.schema.text())?));
    }
    let mut defaults = Defaults::default();
    let texts = std::iter::once(&schema.schema).chain(schema.dependencies.iter().map(|it| &it.schema));
    for ((_, document), text) in documents.iter().zip(texts) {
        defaults.collect(document, text.text());
    }
    let mut loader = Loader {
        documents: &documents,
        names: HashMap::new(),
        known: HashMap::new(),
        nodes: Vec::new(),
        defaults,
    };
    for (at, (name, document)) in documents.iter().enumerate() {
        if at > 0 {
            loader.names.entry(name.clone()).or_insert((at, document));
        }
        loader.collect_names(at, document, 0)?;
    }
    let root = documents.first().map(|(_, document)| document).ok_or_else(|| wrong("it is empty"))?;
    let root = loader.node(0, root, 0)?;
    Ok(Model { nodes: loader.nodes, root })
}

fn wrong(what: &str) -> Error {
    Error::data(format!("The JSON schema cannot be used: {what}"))
}

struct Loader<'d> {
    documents: &'d [(String, Value)],
    /// Documents by the names of references, and what ids and anchors name.
    names: HashMap<String, (usize, &'d Value)>,
    /// Nodes by the address of their schema, so that what refers to itself ends.
    known: HashMap<usize, NodeId>,
    nodes: Vec<Node>,
    defaults: Defaults,
}

impl<'d> Loader<'d> {
    /// Notes what `$id`, `id` and `$anchor` name, anywhere in `json`.
    fn collect_names(&mut self, document: usize, json: &'d Value, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(wrong("it is nested too deep"));
        }
        match json {
            Value::Object(members) => {
                for (name, value) in members {
                    if let (true, Value::String(id)) = (matches!(name.as_str(), "$id" | "id"), value) {
                        self.names.entry(id.trim_end_matches('#').to_owned()).or_insert((document, json));
                    } else if let ("$anchor", Value::String(anchor)) = (name.as_str(), value) {
                        self.names.entry(format!("#{anchor}")).or_insert((document, json));
                    }
                    self.collect_names(document, value, depth + 1)?;
                }
                Ok(())
            }
            Value::Array(items) => {
                items.iter().try_for_each(|item| self.collect_names(document, item, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn node(&mut self, document: usize, json: &'d Value, depth: usize) -> Result<NodeId> {
        let address = std::ptr::from_ref(json).addr();
        if let Some(known) = self.known.get(&address) {
            return Ok(*known);
        }
        if depth > MAX_DEPTH {
            return Err(wrong("it is nested too deep"));
        }
        let id = self.push(Node::default())?;
        self.known.insert(address, id);
        let node = match json {
            Value::Bool(true) => Node::default(),
            Value::Bool(false) => Node { kind: Kind::Nothing, ..Node::default() },
            Value::Object(members) => self.read(document, members, depth)?,
            _ => return Err(wrong("a schema is neither an object nor true or false")),
        };
        if let Some(slot) = self.nodes.get_mut(id) {
            *slot = node;
        }
        Ok(id)
    }

    fn push(&mut self, node: Node) -> Result<NodeId> {
        if self.nodes.len() >= MAX_NODES {
            return Err(wrong(&format!("it has more than {MAX_NODES} parts")));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn read(&mut self, document: usize, json: &'d Map<String, Value>, depth: usize) -> Result<Node> {
        let mut kinds = self.kinds(document, json, depth)?;
        let kind = match (kinds.pop(), kinds.is_empty()) {
            (None, _) => Kind::Anything,
            (Some(kind), true) => kind,
            (Some(last), false) => {
                let parts = kinds
                    .into_iter()
                    .chain([last])
                    .map(|kind| self.push(Node { kind, ..Node::default() }))
                    .collect::<Result<_>>()?;
                Kind::Combined { criterion: Criterion::All, parts }
            }
        };
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut parameters = Vec::new();
        if let Some(Value::Object(given)) = json.get("connect.parameters") {
            for (name, value) in given {
                let Value::String(value) = value else {
                    return Err(wrong("connect.parameters must have string values"));
                };
                parameters.push((name.clone(), value.clone()));
            }
        }
        let version = json.get("connect.version").and_then(Value::as_i64);
        Ok(Node {
            kind,
            title: text("title"),
            description: text("description"),
            default: json
                .get("default")
                .filter(|default| !default.is_null())
                .map(|default| self.defaults.text(default)),
            connect_type: text("connect.type"),
            connect_version: version.and_then(|version| i32::try_from(version).ok()),
            connect_index: json.get("connect.index").and_then(Value::as_i64),
            parameters,
        })
    }

    /// What the keywords of a schema describe, each by itself.
    fn kinds(&mut self, document: usize, json: &'d Map<String, Value>, depth: usize) -> Result<Vec<Kind>> {
        if let Some(reference) = json.get("$ref") {
            let Value::String(reference) = reference else { return Err(wrong("$ref is not a string")) };
            let (document, target) = self.find(document, reference)?;
            return Ok(vec![Kind::Reference(self.node(document, target, depth + 1)?)]);
        }
        let mut kinds = Vec::new();
        if let Some(Value::Array(values)) = json.get("enum") {
            kinds.push(Kind::Enum { values: values.clone(), is_const: false });
        }
        for (keyword, criterion) in
            [("oneOf", Criterion::One), ("anyOf", Criterion::Any), ("allOf", Criterion::All)]
        {
            let Some(parts) = json.get(keyword) else { continue };
            let Value::Array(parts) = parts else { return Err(wrong(&format!("{keyword} is not an array"))) };
            let parts =
                parts.iter().map(|part| self.node(document, part, depth + 1)).collect::<Result<_>>()?;
            kinds.push(Kind::Combined { criterion, parts });
        }
        if json.contains_key("not") {
            kinds.push(Kind::Constraint("not"));
        }
        if let Some(value) = json.get("const") {
            kinds.push(Kind::Enum { values: vec![value.clone()], is_const: true });
        }
        // The keywords of a type that is named belong to it.
        let mut named: Vec<&str> = Vec::new();
        match json.get("type") {
            None => {}
            Some(Value::String(name)) => {
                named.push(name);
                kinds.push(self.of_type(name, document, json, depth)?);
            }
            Some(Value::Array(names)) => {
                let mut parts = Vec::new();
                for name in names {
                    let Value::String(name) = name else { return Err(wrong("type is not a string")) };
                    named.push(name);
                    let kind = self.of_type(name, document, json, depth)?;
                    let mut node = Node { kind, ..Node::default() };
                    // Alone in `type` it would have this itself.
                    if name != "null" {
                        node.connect_type =
                            json.get("connect.type").and_then(Value::as_str).map(str::to_owned);
                    }
                    parts.push(self.push(node)?);
                }
                kinds.push(Kind::Combined { criterion: Criterion::Any, parts });
            }
            Some(_) => return Err(wrong("type is neither a string nor an array")),
        }
        for (name, keywords) in [("array", ARRAY_KEYWORDS), ("object", OBJECT_KEYWORDS)] {
            if !named.contains(&name) && keywords.iter().any(|keyword| json.contains_key(*keyword)) {
                kinds.push(self.of_type(name, document, json, depth)?);
            }
        }
        let is_number = named.iter().any(|name| matches!(*name, "number" | "integer"));
        if !is_number && NUMBER_KEYWORDS.iter().any(|keyword| json.contains_key(*keyword)) {
            kinds.push(Kind::Number { integer: false });
        }
        if !named.contains(&"string") && STRING_KEYWORDS.iter().any(|keyword| json.contains_key(*keyword)) {
            kinds.push(Kind::String { format: json.contains_key("format") });
        }
        if CONDITION_KEYWORDS.iter().any(|keyword| json.contains_key(*keyword)) {
            kinds.push(Kind::Constraint("if"));
        }
        Ok(kinds)
    }

    fn of_type(
        &mut self,
        name: &str,
        document: usize,
        json: &'d Map<String, Value>,
        depth: usize,
    ) -> Result<Kind> {
        Ok(match name {
            "string" => Kind::String { format: json.contains_key("format") },
            "integer" => Kind::Number { integer: true },
            "number" => Kind::Number { integer: false },
            "boolean" => Kind::Boolean,
            "null" => Kind::Null,
            "array" => Kind::Array {
                items: match json.get("items") {
                    // A list of schemas is one for each place, and says nothing of all of them.
                    None | Some(Value::Array(_)) => None,
                    Some(items) => Some(self.node(document, items, depth + 1)?),
                },
            },
            "object" => Kind::Object(self.object(document, json, depth)?),
            other => return Err(wrong(&format!("unknown type: [{other}]"))),
        })
    }

    fn object(&mut self, document: usize, json: &'d Map<String, Value>, depth: usize) -> Result<Object> {
        let mut properties = Vec::new();
        match json.get("properties") {
            None => {}
            Some(Value::Object(given)) => {
                for (name, schema) in given {
                    properties.push((name.clone(), self.node(document, schema, depth + 1)?));
                }
            }
            Some(_) => return Err(wrong("properties is not an object")),
        }
        java_order::copied(&mut properties, |(name, _)| name);
        let required = match json.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => HashSet::new(),
        };
        let additional = match json.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Additional::Any,
            Some(Value::Bool(false)) => Additional::None,
            Some(schema) => Additional::Of(self.node(document, schema, depth + 1)?),
        };
        Ok(Object { properties, required, additional })
    }

    /// What `reference` in a document names.
    fn find(&self, document: usize, reference: &str) -> Result<(usize, &'d Value)> {
        let nowhere = || wrong(&format!("$ref {reference} leads nowhere"));
        let reference = reference.trim_end_matches('#');
        if let Some(found) = self.names.get(reference) {
            return Ok(*found);
        }
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let (document, root) = if name.is_empty() {
            (document, &self.documents.get(document).ok_or_else(nowhere)?.1)
        } else {
            let plain = name.strip_prefix("./").unwrap_or(name);
            let last = name.rsplit('/').next().unwrap_or(name);
            let found = [name, plain, last].into_iter().find_map(|name| self.names.get(name));
            *found.ok_or_else(nowhere)?
        };
        if pointer.is_empty() {
            return Ok((document, root));
        }
        // Either bucket of definitions may be meant, as drafts call it differently.
        let other = pointer
            .strip_prefix("/$defs/")
            .map(|rest| format!("/definitions/{rest}"))
            .or_else(|| pointer.strip_prefix("/definitions/").map(|rest| format!("/$defs/{rest}")));
        // A fragment of a URL may have escapes.
        let at = |pointer: &str| root.pointer(&percent_decode_str(pointer).decode_utf8_lossy());
        let found = at(pointer).or_else(|| at(&other?));
        found.map(|found| (document, found)).ok_or_else(nowhere)
    }
}
