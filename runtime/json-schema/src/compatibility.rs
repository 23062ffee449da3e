//! Whether one JSON schema takes what another describes: what `latest.compatibility.strict` and
//! `id.compatibility.strict` ask.

use std::collections::HashSet;

use lavka_schema_registry::{ResolvedSchema, SchemaText};
use serde_json::Value;

use crate::load::load;
use crate::model::{Additional, Criterion, Kind, Model, NodeId, Object};

/// Whether data of `written` fits `registered`; what is in the way otherwise.
pub(crate) fn accepts(registered: &ResolvedSchema, written: &SchemaText) -> Result<(), String> {
    if registered.schema.text() == written.text() {
        return Ok(());
    }
    let reader = load(registered).map_err(|error| error.to_string())?;
    let writer = load(&ResolvedSchema::alone(written.clone())).map_err(|error| error.to_string())?;
    let mut check = Check { reader: &reader, writer: &writer, assumed: HashSet::new() };
    let (reads, writes) = (reader.root, writer.root);
    check.accepts(reads, writes, "the value").map_or(Ok(()), Err)
}

struct Check<'m> {
    reader: &'m Model,
    writer: &'m Model,
    /// Pairs that were looked at, or are being looked at: of recursive schemas the rest decides.
    assumed: HashSet<(NodeId, NodeId)>,
}

impl Check<'_> {
    /// What keeps `reads` from taking what `writes` describes; `None` for nothing.
    fn accepts(&mut self, reads: NodeId, writes: NodeId, place: &str) -> Option<String> {
        let (reads, writes) = (self.reader.target(reads), self.writer.target(writes));
        if !self.assumed.insert((reads, writes)) {
            return None;
        }
        let (reader, writer) = (self.reader, self.writer);
        let refused = self.kinds(&reader.node(reads).kind, &writer.node(writes).kind, (reads, writes), place);
        if refused.is_some() {
            self.assumed.remove(&(reads, writes));
        }
        refused
    }

    fn kinds(&mut self, reads: &Kind, writes: &Kind, ids: (NodeId, NodeId), place: &str) -> Option<String> {
        let differ = || Some(format!("{place} would be {}, and not {}", name_of(writes), name_of(reads)));
        match (reads, writes) {
            (Kind::Anything, _) | (_, Kind::Nothing) => None,
            (_, Kind::Combined { criterion: Criterion::One | Criterion::Any, parts }) => {
                parts.iter().find_map(|part| self.accepts(ids.0, *part, place))
            }
            (Kind::Combined { criterion: Criterion::All, parts }, _) => {
                parts.iter().find_map(|part| self.accepts(*part, ids.1, place))
            }
            (Kind::Combined { parts, .. }, _) => {
                let mut first = None;
                for part in parts {
                    let refused = self.accepts(*part, ids.1, place)?;
                    first.get_or_insert(refused);
                }
                first.map(|refused| format!("none of the cases fits, as {refused}"))
            }
            (_, Kind::Combined { criterion: Criterion::All, parts }) => {
                // What fits one of them is enough: the data is of all.
                let mut first = None;
                for part in parts {
                    let refused = self.accepts(ids.0, *part, place)?;
                    first.get_or_insert(refused);
                }
                first
            }
            (Kind::Null, Kind::Null)
            | (Kind::Boolean, Kind::Boolean)
            | (Kind::String { .. }, Kind::String { .. }) => None,
            (Kind::Number { integer: true }, Kind::Number { integer: false }) => differ(),
            (Kind::Number { .. }, Kind::Number { .. }) => None,
            (Kind::Enum { values: known, .. }, Kind::Enum { values, .. }) => {
                let new = values.iter().find(|value| !known.contains(value))?;
                Some(format!("{place} may be {new}, which is no symbol"))
            }
            (Kind::String { .. }, Kind::Enum { values, .. }) if values.iter().all(Value::is_string) => None,
            (Kind::Array { items: None }, Kind::Array { .. }) => None,
            (Kind::Array { items: Some(reads) }, Kind::Array { items: Some(writes) }) => {
                self.accepts(*reads, *writes, &format!("an element of {place}"))
            }
            (Kind::Object(reads), Kind::Object(writes)) => self.objects(reads, writes, place),
            _ => differ(),
        }
    }

    fn objects(&mut self, reads: &Object, writes: &Object, place: &str) -> Option<String> {
        for (name, part) in &writes.properties {
            let known = reads.properties.iter().find(|(known, _)| known == name);
            let target = match (known, reads.additional) {
                (Some((_, target)), _) => *target,
                (None, Additional::Of(target)) => target,
                (None, Additional::Any) => continue,
                (None, Additional::None) => return Some(format!("{place} has no member {name}")),
            };
            if let Some(refused) = self.accepts(target, *part, &format!("member {name} of {place}")) {
                return Some(refused);
            }
        }
        for (name, part) in &reads.properties {
            let has_default = self.reader.node(*part).default.is_some();
            if reads.required.contains(name) && !writes.required.contains(name) && !has_default {
                return Some(format!("member {name} of {place} is required, and may be missing"));
            }
        }
        match (reads.additional, writes.additional) {
            (Additional::Of(reads), Additional::Of(writes)) => {
                self.accepts(reads, writes, &format!("an entry of {place}"))
            }
            _ => None,
        }
    }
}

fn name_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Anything => "anything",
        Kind::Nothing => "nothing",
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Number { integer: true } => "an integer",
        Kind::Number { integer: false } => "a number",
        Kind::String { .. } => "a string",
        Kind::Enum { .. } => "one of some symbols",
        Kind::Array { .. } => "an array",
        Kind::Object(_) => "an object",
        Kind::Combined { .. } => "one of several",
        Kind::Reference(_) => "a reference",
        Kind::Constraint(_) => "what a condition says",
    }
}
