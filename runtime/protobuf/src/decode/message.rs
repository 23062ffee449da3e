//! Messages as structs.

use std::collections::HashMap;

use lavka_api::data::{Schema, Str, Struct, Value};
use lavka_api::{Error, Result};

use super::element::{Element, read_scalar};
use super::pending::{Pending, PendingMessages};
use crate::wire::{Reader, WireType};

/// How messages become structs of one schema.
#[derive(Debug)]
pub(super) struct MessageReader {
    pub(super) schema: Schema,
    pub(super) body: std::sync::Arc<Body>,
}

/// What all readers of one message share, whatever their schemas say besides.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) slots: usize,
    pub(super) fields: Box<[FieldReader]>,
    pub(super) by_number: Lookup,
    /// What a slot holds where nothing was read.
    pub(super) defaults: Box<[(usize, Value)]>,
    /// Slots that have to be read, with the names of their fields.
    pub(super) required: Box<[(usize, Str)]>,
}

#[derive(Debug)]
pub(super) struct FieldReader {
    pub(super) number: u32,
    pub(super) is_group: bool,
    pub(super) target: Target,
    pub(super) element: Element,
}

/// Where a value goes.
#[derive(Debug)]
pub(super) enum Target {
    Slot(usize),
    List(usize),
    Map(usize, Box<EntryReader>),
    /// A member of the union in a slot.
    Member {
        slot: usize,
        union: Schema,
        member: usize,
    },
    /// A member of a oneof with a slot of its own; members of one group replace each other.
    Flat {
        slot: usize,
        group: u32,
    },
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct EntryReader {
    pub(super) body: Body,
}

/// Positions of fields by number.
#[derive(Debug)]
pub(super) struct Lookup {
    /// For numbers below its length: the position plus one, 0 for none.
    dense: Box<[u16]>,
    sparse: HashMap<u32, usize>,
}

const DENSE: u32 = 256;

impl Lookup {
    pub(super) fn new(fields: &[FieldReader]) -> Self {
        let end = fields
            .iter()
            .map(|field| field.number)
            .filter(|&number| number < DENSE)
            .max()
            .map_or(0, |n| n + 1);
        let mut dense = vec![0; end as usize];
        let mut sparse = HashMap::new();
        for (at, field) in fields.iter().enumerate() {
            match (dense.get_mut(field.number as usize), u16::try_from(at + 1)) {
                (Some(slot), Ok(position)) => *slot = position,
                _ => {
                    sparse.insert(field.number, at);
                }
            }
        }
        Self { dense: dense.into_boxed_slice(), sparse }
    }

    #[inline]
    fn find(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(0) | None if self.sparse.is_empty() => None,
            Some(0) | None => self.sparse.get(&number).copied(),
            Some(position) => Some(usize::from(*position) - 1),
        }
    }
}

impl MessageReader {
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Value> {
        let values = self.body.read(bytes)?;
        Struct::new(self.schema.clone(), values).map(Value::from)
    }
}

/// Of each oneof the member that counts, unless it is a message: the position of its field, and its value.
type Chosen = HashMap<u32, (usize, Value)>;

impl Target {
    /// What is the same for the members of one oneof.
    fn group(&self) -> u32 {
        match self {
            Target::Slot(slot) | Target::List(slot) | Target::Map(slot, _) | Target::Member { slot, .. } => {
                *slot as u32
            }
            Target::Flat { group, .. } => *group,
        }
    }

    /// Puts a value in its place.
    fn set(&self, values: &mut [Value], value: Value) -> Result<()> {
        let (slot, value) = match self {
            Target::Slot(slot) | Target::Flat { slot, .. } | Target::List(slot) | Target::Map(slot, _) => {
                (slot, value)
            }
            Target::Member { slot, union, member } => {
                let mut members = Struct::empty(union.clone())?;
                if let Some(slot) = members.values_mut().get_mut(*member) {
                    *slot = value;
                }
                (slot, Value::from(members))
            }
        };
        if let Some(slot) = values.get_mut(*slot) {
            *slot = value;
        }
        Ok(())
    }
}

/// A list or map that grows while its message is read.
struct Growing {
    slot: usize,
    keys: Option<Vec<Value>>,
    items: Vec<Value>,
}

impl Body {
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(self.slots);
        values.resize_with(self.slots, Value::default);
        let mut growing: Vec<Growing> = Vec::new();
        let mut pending = PendingMessages::default();
        let mut chosen = Chosen::new();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let (number, wire) = reader.field()?;
            let Some((at, field)) =
                self.by_number.find(number).and_then(|at| Some((at, self.fields.get(at)?)))
            else {
                reader.skip(number, wire)?;
                continue;
            };
            let element = &field.element;
            let fits = if field.is_group { wire == WireType::StartGroup } else { wire == element.wire() };
            match &field.target {
                Target::Slot(slot) if fits && let Element::Scalar(scalar, narrow) = element => {
                    let value = read_scalar(*scalar, *narrow, &mut reader)?;
                    if let Some(slot) = values.get_mut(*slot) {
                        *slot = value;
                    }
                }
                Target::Slot(slot) if fits && !element.is_message() => {
                    if let (Some(value), Some(slot)) = (element.read(&mut reader)?, values.get_mut(*slot)) {
                        *slot = value;
                    }
                }
                Target::List(slot) if fits && !element.is_message() => {
                    let items = &mut grown(&mut growing, &mut values, *slot, false).items;
                    items.extend(element.read(&mut reader)?);
                }
                Target::List(slot) if wire == WireType::Bytes && !element.is_message() => {
                    element.read_packed(
                        reader.bytes()?,
                        &mut grown(&mut growing, &mut values, *slot, false).items,
                    )?;
                }
                _ if !fits => reader.skip(number, wire)?,
                Target::Slot(slot) => {
                    let bytes = Some(message(&mut reader, field)?);
                    pending.push(Pending { group: *slot as u32, field: at, bytes });
                }
                Target::List(slot) => {
                    let item = element.read_message(message(&mut reader, field)?)?;
                    grown(&mut growing, &mut values, *slot, false).items.push(item);
                }
                Target::Map(slot, entry) => {
                    let [key, item] = entry.read(reader.bytes()?)?;
                    let map = grown(&mut growing, &mut values, *slot, true);
                    map.keys.get_or_insert_default().push(key);
                    map.items.push(item);
                }
                Target::Member { .. } | Target::Flat { .. } => {
                    let group = field.target.group();
                    if element.is_message() {
                        let bytes = Some(message(&mut reader, field)?);
                        chosen.remove(&group);
                        pending.push(Pending { group, field: at, bytes });
                    } else if let Some(value) = element.read(&mut reader)? {
                        pending.reset(group, at);
                        chosen.insert(group, (at, value));
                    }
                }
            }
        }
        self.finish(values, growing, pending, chosen)
    }

    fn finish(
        &self,
        mut values: Vec<Value>,
        growing: Vec<Growing>,
        pending: PendingMessages<'_>,
        chosen: Chosen,
    ) -> Result<Vec<Value>> {
        pending.finish(|at, bytes| match self.fields.get(at) {
            Some(field) => field.target.set(&mut values, field.element.read_message(bytes)?),
            None => Ok(()),
        })?;
        for (at, value) in chosen.into_values() {
            if let Some(field) = self.fields.get(at) {
                field.target.set(&mut values, value)?;
            }
        }
        for grown in growing {
            if let Some(slot) = values.get_mut(grown.slot) {
                *slot = match grown.keys {
                    Some(keys) => Value::Map(super::default::distinct(keys, grown.items)),
                    None => Value::from(grown.items),
                };
            }
        }
        if !self.required.is_empty() {
            self.check_required(&values)?;
        }
        for (slot, default) in &self.defaults {
            if let Some(slot) = values.get_mut(*slot)
                && slot.is_null()
            {
                *slot = default.clone();
            }
        }
        Ok(values)
    }

    fn check_required(&self, values: &[Value]) -> Result<()> {
        let missing: Vec<&str> = self
            .required
            .iter()
            .filter(|(slot, _)| values.get(*slot).is_none_or(Value::is_null))
            .map(|(_, name)| name.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::data(format!("Message missing required fields: {}", missing.join(", "))))
    }
}

impl EntryReader {
    /// The key and the value.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<[Value; 2]> {
        let values = self.body.read(bytes)?;
        <[Value; 2]>::try_from(values).map_err(|_| Error::data("An entry of a map is no pair"))
    }
}

#[inline]
fn message<'a>(reader: &mut Reader<'a>, field: &FieldReader) -> Result<&'a [u8]> {
    if field.is_group { reader.group(field.number) } else { reader.bytes() }
}

/// What grows in `slot`, whose value says meanwhile where to find it.
#[inline]
fn grown<'g>(
    growing: &'g mut Vec<Growing>,
    values: &mut [Value],
    slot: usize,
    is_map: bool,
) -> &'g mut Growing {
    let at = match values.get(slot) {
        Some(Value::Int64(at)) => usize::try_from(*at).unwrap_or(0),
        _ => {
            if let Some(value) = values.get_mut(slot) {
                *value = Value::Int64(growing.len() as i64);
            }
            growing.push(Growing { slot, keys: is_map.then(Vec::new), items: Vec::new() });
            growing.len() - 1
        }
    };
    &mut growing[at]
}
