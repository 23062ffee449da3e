//! Whether one JSON schema takes what another describes: what `latest.compatibility.strict` and
//! `id.compatibility.strict` ask.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

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
    let mut check = Check {
        reader: &reader,
        writer: &writer,
        known: HashMap::new(),
        accepted: Vec::new(),
        looks: 0,
        stopped: None,
    };
    let refused = check.accepts(reader.root, writer.root, "the value", 0);
    let refused = check.stopped.or(refused);
    refused.map_or(Ok(()), |refused| Err(refused.to_string()))
}

/// Pairs that lie deeper in each other are not looked at.
const MAX_DEPTH: usize = 200;

/// Pairs are looked at, or looked up, so often at most. Two schemas have as many as the product of their parts.
const MAX_LOOKS: usize = 2_000_000;

/// Reasons and places lie in each other as schemas do; what is longer is cut off.
const MAX_REASON: usize = 500;

/// What keeps a schema from taking the data of another.
type Refusal = Rc<str>;

struct Check<'m> {
    reader: &'m Model,
    writer: &'m Model,
    /// Pairs that were looked at: why they were refused, or that they are accepted if those that are still being looked
    /// at are. Of recursive schemas the rest decides.
    known: HashMap<(NodeId, NodeId), Option<Refusal>>,
    /// Accepted pairs, in the order in which they were begun.
    accepted: Vec<(NodeId, NodeId)>,
    /// How often pairs were looked at.
    looks: usize,
    /// Why no more pairs are looked at, which refuses the whole.
    stopped: Option<Refusal>,
}

impl Check<'_> {
    /// What keeps `reads` from taking what `writes` describes; `None` for nothing.
    fn accepts(&mut self, reads: NodeId, writes: NodeId, place: &str, depth: usize) -> Option<Refusal> {
        if self.stopped.is_some() {
            return self.stopped.clone();
        }
        let pair = (self.reader.target(reads), self.writer.target(writes));
        self.looks += 1;
        if self.looks > MAX_LOOKS {
            self.stopped = Some("the schemas have too many parts that may stand for each other".into());
            return self.stopped.clone();
        }
        if let Some(known) = self.known.get(&pair) {
            return known.clone();
        }
        if depth >= MAX_DEPTH {
            self.stopped = Some(shortened(format!("{place} is nested too deep")));
            return self.stopped.clone();
        }
        self.known.insert(pair, None);
        let before = self.accepted.len();
        self.accepted.push(pair);
        let (reader, writer) = (self.reader, self.writer);
        let refused =
            self.kinds(&reader.node(pair.0).kind, &writer.node(pair.1).kind, pair, place, depth + 1);
        let refused = refused.map(shortened);
        if refused.is_some() {
            // Whatever was accepted since may have been so because this pair was taken to be. A refusal holds in any
            // case.
            for accepted in self.accepted.drain(before..) {
                self.known.remove(&accepted);
            }
            self.known.insert(pair, refused.clone());
        }
        refused
    }

    fn kinds(
        &mut self,
        reads: &Kind,
        writes: &Kind,
        ids: (NodeId, NodeId),
        place: &str,
        depth: usize,
    ) -> Option<String> {
        let differ = || Some(format!("{place} would be {}, and not {}", name_of(writes), name_of(reads)));
        match (reads, writes) {
            (Kind::Anything, _) | (_, Kind::Nothing) => None,
            (_, Kind::Combined { criterion: Criterion::One | Criterion::Any, parts }) => {
                parts.iter().find_map(|part| self.accepts(ids.0, *part, place, depth)).map(text)
            }
            (Kind::Combined { criterion: Criterion::All, parts }, _) => {
                parts.iter().find_map(|part| self.accepts(*part, ids.1, place, depth)).map(text)
            }
            (Kind::Combined { parts, .. }, _) => {
                let mut first = None;
                for part in parts {
                    let refused = self.accepts(*part, ids.1, place, depth)?;
                    first.get_or_insert(refused);
                }
                first.map(|refused| format!("none of the cases fits, as {refused}"))
            }
            (_, Kind::Combined { criterion: Criterion::All, parts }) => {
                // What fits one of them is enough: the data is of all.
                let mut first = None;
                for part in parts {
                    let refused = self.accepts(ids.0, *part, place, depth)?;
                    first.get_or_insert(refused);
                }
                first.map(text)
            }
            (Kind::Null, Kind::Null)
            | (Kind::Boolean, Kind::Boolean)
            | (Kind::String { .. }, Kind::String { .. }) => None,
            (Kind::Number { integer: true }, Kind::Number { integer: false }) => differ(),
            (Kind::Number { .. }, Kind::Number { .. }) => None,
            (Kind::Enum { values: known, .. }, Kind::Enum { values, .. }) => {
                let known: HashSet<&Value> = known.iter().collect();
                let new = values.iter().find(|value| !known.contains(value))?;
                Some(format!("{place} may be {new}, which is no symbol"))
            }
            (Kind::String { .. }, Kind::Enum { values, .. }) if values.iter().all(Value::is_string) => None,
            (Kind::Array { items: None }, Kind::Array { .. }) => None,
            (Kind::Array { items: Some(reads) }, Kind::Array { items: Some(writes) }) => {
                let place = shortened(format!("an element of {place}"));
                self.accepts(*reads, *writes, &place, depth).map(text)
            }
            (Kind::Object(reads), Kind::Object(writes)) => self.objects(reads, writes, place, depth),
            _ => differ(),
        }
    }

    fn objects(&mut self, reads: &Object, writes: &Object, place: &str, depth: usize) -> Option<String> {
        let known: HashMap<&str, NodeId> =
            reads.properties.iter().rev().map(|(name, part)| (name.as_str(), *part)).collect();
        for (name, part) in &writes.properties {
            let target = match (known.get(name.as_str()), reads.additional) {
                (Some(target), _) => *target,
                (None, Additional::Of(target)) => target,
                (None, Additional::Any) => continue,
                (None, Additional::None) => return Some(format!("{place} has no member {name}")),
            };
            let place = shortened(format!("member {name} of {place}"));
            if let Some(refused) = self.accepts(target, *part, &place, depth) {
                return Some(text(refused));
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
                let place = shortened(format!("an entry of {place}"));
                self.accepts(reads, writes, &place, depth).map(text)
            }
            _ => None,
        }
    }
}

/// `text`, cut off behind [`MAX_REASON`] bytes.
fn shortened(mut text: String) -> Refusal {
    if text.len() > MAX_REASON {
        text.truncate(text.floor_char_boundary(MAX_REASON));
        text.push('…');
    }
    text.into()
}

fn text(refused: Refusal) -> String {
    refused.to_string()
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
