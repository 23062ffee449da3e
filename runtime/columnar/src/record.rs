//! The fields of a struct (or of the whole row), and the plans that feed them.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, Fields};
use indexmap::IndexMap;
use lavka_api::data::{Schema, Shape, Str, Value};
use lavka_api::{Error, Result};

use crate::column::Column;
use crate::infer::Kind;
use crate::misfit::{Fitted, Misfit, Reason};

/// Stands in for whatever a source does not have.
static NULL: Value = Value::Null;

/// More sources at a time than this are a sign of random keys; then plans are made anew.
const MAX_PLANS: usize = 64;

#[derive(Debug)]
pub(crate) struct Record {
    names: Vec<Str>,
    by_name: HashMap<Str, usize>,
    columns: Vec<Column>,
    /// What a field is worth that a source does not have, or has as null.
    defaults: Vec<Option<Value>>,
    /// Whether a key without a column is news; otherwise it is left out.
    inferring: bool,
    plans: Vec<Plan>,
    /// The plan used last.
    recent: usize,
}

/// Where the fields of one source go.
#[derive(Debug)]
struct Plan {
    source: Source,
    moves: Box<[Move]>,
}

/// What a plan is keyed by; keeping it keeps the address from meaning something else.
#[derive(Debug)]
enum Source {
    Schema(Schema),
    Shape(Shape),
}

/// What feeds a column.
#[derive(Debug)]
struct Move {
    /// The position in the source.
    at: Option<usize>,
    default: Option<Value>,
}

impl Record {
    /// The fields of a struct schema.
    pub(crate) fn of_schema(schema: &Schema, path: &str, depth: usize) -> Result<Self> {
        let mut record = Self { inferring: false, ..Self::inferred() };
        for field in schema.fields() {
            let path =
                if path.is_empty() { field.name().to_string() } else { format!("{path}.{}", field.name()) };
            let column = Column::of_schema(field.schema(), &path, depth + 1)?;
            record.add(field.name().clone(), column, field.schema().default_value().cloned());
        }
        if record.columns.is_empty() {
            return Err(Error::data(if path.is_empty() {
                "a struct without fields cannot be a row of columns".to_owned()
            } else {
                format!("field \"{path}\": a struct without fields cannot be a column")
            }));
        }
        Ok(record)
    }

    /// No fields yet; inference will add them.
    pub(crate) fn inferred() -> Self {
        Self {
            names: Vec::new(),
            by_name: HashMap::new(),
            columns: Vec::new(),
            defaults: Vec::new(),
            inferring: true,
            plans: Vec::new(),
            recent: 0,
        }
    }

    fn add(&mut self, name: Str, column: Column, default: Option<Value>) {
        self.by_name.insert(name.clone(), self.columns.len());
        self.names.push(name);
        self.columns.push(column);
        self.defaults.push(default);
        self.plans.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// The values of a struct or schemaless object by position; `None` for anything else.
    pub(crate) fn fields_of(value: &Value) -> Option<&[Value]> {
        match value {
            Value::Struct(record) => Some(record.values()),
            Value::Object(object) => Some(object.values()),
            _ => None,
        }
    }

    /// Whether both rows come from the same schema or shape, so that one plan serves both.
    pub(crate) fn same_source(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Struct(a), Value::Struct(b)) => a.schema().same(b.schema()),
            (Value::Object(a), Value::Object(b)) => a.shape().same(b.shape()),
            _ => false,
        }
    }

    /// Appends rows column by column. All have the source of `sample`; `rows` are their fields.
    pub(crate) fn extend(&mut self, sample: &Value, rows: &[&[Value]]) -> Fitted {
        let at = self.plan(sample)?;
        let Some(plan) = self.plans.get(at) else { return Ok(()) };
        let columns = self.columns.iter_mut().zip(&self.names);
        for ((column, name), feed) in columns.zip(&plan.moves) {
            let default = feed.default.as_ref().unwrap_or(&NULL);
            let from = feed.at.unwrap_or(usize::MAX);
            let values = rows.iter().map(|fields| match fields.get(from) {
                None | Some(Value::Null) => default,
                Some(value) => value,
            });
            column.extend(values).map_err(|misfit| misfit.within(name))?;
        }
        Ok(())
    }

    pub(crate) fn extend_holes(&mut self, count: usize) {
        self.columns.iter_mut().for_each(|column| column.extend_holes(count));
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(len));
    }

    /// Adds and widens columns to what inference has come to; new ones start with `len` nulls.
    pub(crate) fn conform(&mut self, fields: &IndexMap<Str, Kind>, len: usize) {
        for (name, kind) in fields {
            let at = self.by_name.get(name).copied().unwrap_or_else(|| {
                self.add(name.clone(), Column::open(len), None);
                self.columns.len() - 1
            });
            if let Some(column) = self.columns.get_mut(at) {
                column.conform(kind);
            }
        }
    }

    /// The Arrow fields of those columns that have a type.
    pub(crate) fn fields(&self) -> Fields {
        self.names.iter().zip(&self.columns).filter_map(|(name, column)| column.field(name)).collect()
    }

    /// The arrays of `fields`, which are what [`fields`](Self::fields) gave, and their length.
    pub(crate) fn finish(&mut self, fields: &Fields) -> Result<(Vec<ArrayRef>, usize), ArrowError> {
        let len = self.len();
        let mut wanted = fields.iter().peekable();
        let mut arrays = Vec::with_capacity(fields.len());
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            match wanted.next_if(|field| field.name() == name.as_str()) {
                Some(field) => arrays.push(column.finish(field.data_type())?),
                None => column.clear(),
            }
        }
        let short = arrays.iter().any(|array| array.len() != len);
        if wanted.peek().is_some() || short {
            return Err(ArrowError::SchemaError("columns do not match the fields of the batch".into()));
        }
        Ok((arrays, len))
    }

    pub(crate) fn heap_size(&self) -> usize {
        self.columns.iter().map(Column::heap_size).sum()
    }

    /// Bytes set aside by the columns.
    pub(crate) fn reserved(&self) -> usize {
        self.columns.iter().map(Column::reserved).sum()
    }

    pub(crate) fn release(&mut self) {
        self.columns.iter_mut().for_each(Column::release);
    }

    /// The position of the plan for the source of `sample`, which is made if there is none yet.
    fn plan(&mut self, sample: &Value) -> Fitted<usize> {
        let fits = |plan: &Plan| match (&plan.source, sample) {
            (Source::Schema(schema), Value::Struct(record)) => schema.same(record.schema()),
            (Source::Shape(shape), Value::Object(object)) => shape.same(object.shape()),
            _ => false,
        };
        if self.plans.get(self.recent).is_some_and(fits) {
            return Ok(self.recent);
        }
        if let Some(at) = self.plans.iter().position(fits) {
            self.recent = at;
            return Ok(at);
        }
        let plan = match sample {
            Value::Struct(record) => self.plan_of_schema(record.schema())?,
            Value::Object(object) => self.plan_of_shape(object.shape())?,
            _ => return Err(Misfit::of(sample, "STRUCT".into())),
        };
        if self.plans.len() >= MAX_PLANS {
            self.plans.clear();
        }
        self.plans.push(plan);
        self.recent = self.plans.len() - 1;
        Ok(self.recent)
    }

    fn plan_of_schema(&self, schema: &Schema) -> Fitted<Plan> {
        if self.inferring
            && let Some(news) = schema.fields().iter().find(|field| !self.by_name.contains_key(field.name()))
        {
            return Err(Misfit::new(Reason::NewKey).within(news.name()));
        }
        let moves = self.names.iter().zip(&self.defaults).map(|(name, default)| {
            let at = schema.index_of(name);
            let own = at.and_then(|at| schema.fields().get(at)?.schema().default_value());
            Move { at, default: own.or(default.as_ref()).cloned() }
        });
        Ok(Plan { moves: moves.collect(), source: Source::Schema(schema.clone()) })
    }

    fn plan_of_shape(&self, shape: &Shape) -> Fitted<Plan> {
        if self.inferring
            && let Some(news) = shape.keys().iter().find(|key| !self.by_name.contains_key(*key))
        {
            return Err(Misfit::new(Reason::NewKey).within(news));
        }
        let moves = self
            .names
            .iter()
            .zip(&self.defaults)
            .map(|(name, default)| Move { at: shape.index_of(name), default: default.clone() });
        Ok(Plan { moves: moves.collect(), source: Source::Shape(shape.clone()) })
    }
}
