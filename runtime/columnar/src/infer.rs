//! The layout of schemaless data, found in the data.

use indexmap::IndexMap;
use lavka_api::data::{Str, Value};

use crate::fit;
use crate::misfit::{Fitted, Misfit, Reason, type_name};

/// More fields than this, counted over all levels, are data with random keys and not a table.
const MAX_FIELDS: usize = 10_000;

/// What is known of the fields of schemaless records: their names in order of first appearance, and their types.
///
/// The rules:
/// - Every field is optional.
/// - Integers of any size are `INT64`; integers and fractions mixed become `FLOAT64`, as do floats.
/// - Nested objects become structs, arrays lists, maps with keys that are not all strings maps; each by these rules.
/// - A field that was only ever null (or an empty object or array) is left open, and left out of batches, until a
///   value shows its type.
/// - Any other mixture is a conflict: the record that brings it is refused with the field's path and both types, and
///   what was inferred before stays.
///
/// Keep it from one [`BatchBuilder`](crate::BatchBuilder) to the next, so that a field's type, once seen, holds for
/// the following files too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inferred {
    fields: IndexMap<Str, Kind>,
    count: usize,
}

/// The type of a field so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Open,
    Scalar(Scalar),
    List(Box<Kind>),
    Map(Box<(Kind, Kind)>),
    Record(IndexMap<Str, Kind>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Boolean,
    Int64,
    Float64,
    Utf8,
    Binary,
    Decimal(i32),
    Date,
    Time,
    Timestamp,
}

/// What a record did to the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// Nothing that shows in batches.
    Hidden,
    /// The Arrow schema is another now.
    Visible,
}

impl Inferred {
    /// How many fields there are, counted over all levels.
    #[must_use]
    pub fn field_count(&self) -> usize {
        self.count
    }

    pub(crate) fn fields(&self) -> &IndexMap<Str, Kind> {
        &self.fields
    }

    /// Takes in a record. On an error this layout is half changed: merge into a clone.
    pub(crate) fn merge(&mut self, record: &Value) -> Fitted<Change> {
        merge_fields(&mut self.fields, record, 0, &mut self.count)
    }

    /// Takes in what was found elsewhere, as in another file of the same data: new fields behind those known here,
    /// types widened by the same rules. Where the two are in conflict, what is known here stays.
    pub fn unite(&mut self, other: &Inferred) {
        unite_fields(&mut self.fields, &other.fields, &mut self.count);
    }
}

fn unite_fields(fields: &mut IndexMap<Str, Kind>, others: &IndexMap<Str, Kind>, count: &mut usize) {
    for (name, other) in others {
        match fields.get_mut(name) {
            Some(kind) => kind.unite(other, count),
            None => {
                let added = 1 + other.field_count();
                if count.saturating_add(added) <= MAX_FIELDS {
                    *count += added;
                    fields.insert(name.clone(), other.clone());
                }
            }
        }
    }
}

fn merge_fields(
    fields: &mut IndexMap<Str, Kind>,
    record: &Value,
    depth: usize,
    count: &mut usize,
) -> Fitted<Change> {
    let mut change = Change::Hidden;
    let mut merge = |name: &Str, value: &Value| -> Fitted {
        let kind = match fields.get_mut(name) {
            Some(kind) => kind,
            None => {
                *count += 1;
                if *count > MAX_FIELDS {
                    return Err(Misfit::new(Reason::Fields(MAX_FIELDS)).within(name));
                }
                fields.entry(name.clone()).or_insert(Kind::Open)
            }
        };
        change = change.max(kind.merge(value, depth + 1, count).map_err(|misfit| misfit.within(name))?);
        Ok(())
    };
    match record {
        Value::Object(object) => object.iter().try_for_each(|(name, value)| merge(name, value))?,
        Value::Struct(record) => record
            .iter()
            .try_for_each(|(field, value)| merge(field.name(), field.schema().or_default(value)))?,
        other => return Err(Misfit::of(other, "STRUCT".into())),
    }
    Ok(change)
}

impl Kind {
    fn merge(&mut self, value: &Value, depth: usize, count: &mut usize) -> Fitted<Change> {
        if depth > crate::MAX_DEPTH {
            return Err(Misfit::new(Reason::Depth));
        }
        if value.is_null() {
            return Ok(Change::Hidden);
        }
        if matches!(self, Kind::Open) {
            match value {
                Value::Array(_) => *self = Kind::List(Box::new(Kind::Open)),
                Value::Map(_) => *self = Kind::Map(Box::new((Kind::Open, Kind::Open))),
                Value::Object(_) | Value::Struct(_) => *self = Kind::Record(IndexMap::new()),
                scalar => {
                    *self = Kind::Scalar(Scalar::of(scalar)?);
                    return Ok(Change::Visible);
                }
            }
        }
        match (&mut *self, value) {
            (Kind::List(element), Value::Array(items)) => {
                merge_all(element, items.iter(), depth, count, "[]")
            }
            (Kind::Map(inner), Value::Map(entries)) => {
                if entries.iter().any(|(key, _)| key.is_null()) {
                    return Err(Misfit::new(Reason::Null("MAP".into())).within("key"));
                }
                let keys = merge_all(&mut inner.0, entries.iter().map(|(key, _)| key), depth, count, "key")?;
                let items =
                    merge_all(&mut inner.1, entries.iter().map(|(_, item)| item), depth, count, "value")?;
                Ok(keys.max(items))
            }
            (Kind::Record(fields), Value::Object(_) | Value::Struct(_)) => {
                merge_fields(fields, value, depth, count)
            }
            (Kind::Scalar(scalar), value) if !is_container(value) => {
                let found = Scalar::of(value)?;
                match (*scalar, found) {
                    (a, b) if a == b => Ok(Change::Hidden),
                    (Scalar::Float64, Scalar::Int64) => Ok(Change::Hidden),
                    (Scalar::Int64, Scalar::Float64) => {
                        *scalar = Scalar::Float64;
                        Ok(Change::Visible)
                    }
                    _ => Err(self.conflict(value)),
                }
            }
            _ => Err(self.conflict(value)),
        }
    }

    /// As [`Inferred::unite`]. Both were built within the bounds on depth, and what is known of a common field is of
    /// the same depth in both.
    fn unite(&mut self, other: &Kind, count: &mut usize) {
        match (&mut *self, other) {
            (Kind::Open, other) => {
                let added = other.field_count();
                if count.saturating_add(added) <= MAX_FIELDS {
                    *count += added;
                    *self = other.clone();
                }
            }
            (Kind::Scalar(scalar @ Scalar::Int64), Kind::Scalar(Scalar::Float64)) => {
                *scalar = Scalar::Float64;
            }
            (Kind::List(element), Kind::List(other)) => element.unite(other, count),
            (Kind::Map(inner), Kind::Map(other)) => {
                inner.0.unite(&other.0, count);
                inner.1.unite(&other.1, count);
            }
            (Kind::Record(fields), Kind::Record(others)) => unite_fields(fields, others, count),
            _ => {}
        }
    }

    /// Fields inside, over all levels.
    fn field_count(&self) -> usize {
        match self {
            Kind::Open | Kind::Scalar(_) => 0,
            Kind::List(element) => element.field_count(),
            Kind::Map(inner) => inner.0.field_count() + inner.1.field_count(),
            Kind::Record(fields) => fields.values().map(|kind| 1 + kind.field_count()).sum(),
        }
    }

    #[cold]
    fn conflict(&self, value: &Value) -> Misfit {
        let earlier = match self {
            Kind::Open => "null".into(),
            Kind::Scalar(scalar) => scalar.name(),
            Kind::List(_) => "ARRAY".into(),
            Kind::Map(_) => "MAP".into(),
            Kind::Record(_) => "STRUCT".into(),
        };
        Misfit::new(Reason::Conflict { found: type_name(value), earlier })
    }
}

fn merge_all<'v>(
    kind: &mut Kind,
    values: impl Iterator<Item = &'v Value>,
    depth: usize,
    count: &mut usize,
    name: &str,
) -> Fitted<Change> {
    let mut change = Change::Hidden;
    for value in values {
        change = change.max(kind.merge(value, depth + 1, count).map_err(|misfit| misfit.within(name))?);
    }
    Ok(change)
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Map(_) | Value::Object(_) | Value::Struct(_))
}

impl Scalar {
    /// The type that `value` has by itself; refused where no column could hold it.
    fn of(value: &Value) -> Fitted<Self> {
        Ok(match value {
            Value::Boolean(_) => Scalar::Boolean,
            Value::Int8(_) | Value::Int16(_) | Value::Int32(_) | Value::Int64(_) => Scalar::Int64,
            Value::Float32(_) | Value::Float64(_) => Scalar::Float64,
            Value::String(_) => Scalar::Utf8,
            Value::Bytes(_) => Scalar::Binary,
            Value::Decimal(decimal)
                if (0..=i32::from(fit::DECIMAL_DIGITS)).contains(&decimal.scale())
                    && fit::decimal(value, decimal.scale(), false).is_some() =>
            {
                Scalar::Decimal(decimal.scale())
            }
            Value::Date(_) => Scalar::Date,
            Value::Time(_) if fit::time(value, false).is_some() => Scalar::Time,
            Value::Timestamp(_) => Scalar::Timestamp,
            other => return Err(Misfit::of(other, "a column".into())),
        })
    }

    fn name(self) -> String {
        match self {
            Scalar::Boolean => "BOOLEAN".into(),
            Scalar::Int64 => "INT64".into(),
            Scalar::Float64 => "FLOAT64".into(),
            Scalar::Utf8 => "STRING".into(),
            Scalar::Binary => "BYTES".into(),
            Scalar::Decimal(scale) => format!("Decimal({scale})"),
            Scalar::Date => "Date".into(),
            Scalar::Time => "Time".into(),
            Scalar::Timestamp => "Timestamp".into(),
        }
    }
}
