//! One column while rows are added to it.

mod arrays;
mod memory;

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use lavka_api::data::{Logical, Schema, Str, Type, Value};
use lavka_api::{Error, Result};

use crate::fit;
use crate::infer::{Kind, Scalar};
use crate::misfit::{Fitted, Misfit, Reason};
use crate::record::Record;

const KEY: &str = "key";
const VALUE: &str = "value";

/// Values of one column, with its rules for null.
#[derive(Debug)]
pub(crate) struct Column {
    cells: Cells,
    nulls: NullBufferBuilder,
    nullable: bool,
    /// Whether the wire forms of JSON payloads are taken; see [`fit`].
    lenient: bool,
}

#[derive(Debug)]
enum Cells {
    /// Nothing but nulls so far: the type is not known yet.
    Open,
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Utf8(Texts),
    Binary(Texts),
    Decimal(Vec<i128>, i32),
    Date(Vec<i32>),
    Time(Vec<i32>),
    Timestamp(Vec<i64>),
    List(Vec<i32>, Box<Column>),
    Map(Vec<i32>, Box<Entries>),
    Record(Box<Record>),
}

/// The keys and values of a column of maps.
#[derive(Debug)]
struct Entries {
    keys: Column,
    values: Column,
}

impl Entries {
    /// Appends the entries of `map`, none of anything else, and tells where they end.
    fn extend(&mut self, map: &Value) -> Fitted<i32> {
        match map {
            Value::Map(entries) => {
                self.keys.extend(entries.iter().map(|(key, _)| key)).map_err(|misfit| misfit.within(KEY))?;
                self.values.extend(entries.iter().map(|(_, value)| value))
            }
            Value::Object(object) => {
                self.keys.extend_texts(object.shape().keys()).map_err(|misfit| misfit.within(KEY))?;
                self.values.extend(object.values().iter())
            }
            _ => Ok(()),
        }
        .map_err(|misfit| misfit.within(VALUE))?;
        offset(self.keys.len())
    }
}

/// Texts or byte strings end to end.
#[derive(Debug)]
struct Texts {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Texts {
    fn new() -> Self {
        Self { ends: vec![0], bytes: Vec::new() }
    }

    fn end(&mut self) -> Fitted {
        self.ends.push(offset(self.bytes.len())?);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Fitted {
        self.bytes.extend_from_slice(bytes);
        self.end()
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len + 1);
        self.bytes.truncate(self.ends.last().map_or(0, |&end| position(end)));
    }
}

/// What stopped [`Column::extend`]: a value that did not fit this column, or something further in.
enum Stop<'v> {
    Here(&'v Value),
    Within(Misfit),
}

impl From<Misfit> for Stop<'_> {
    fn from(misfit: Misfit) -> Self {
        Stop::Within(misfit)
    }
}

impl Column {
    /// The column of a Connect schema. Error texts name `path`.
    pub(crate) fn of_schema(schema: &Schema, path: &str, depth: usize) -> Result<Self> {
        if depth > crate::MAX_DEPTH {
            return Err(Error::data(format!(
                "field \"{path}\": schema is nested deeper than {} levels",
                crate::MAX_DEPTH
            )));
        }
        let inner = |schema: Option<&Schema>, name: &str| {
            let path = format!("{path}{name}");
            let schema =
                schema.ok_or_else(|| Error::data(format!("field \"{path}\": schema of {name} missing")))?;
            Column::of_schema(schema, &path, depth + 1)
        };
        let cells = match (schema.logical(), schema.ty()) {
            (Some(Logical::Decimal(scale)), _) => {
                if !(0..=i32::from(fit::DECIMAL_DIGITS)).contains(&scale) {
                    return Err(Error::data(format!(
                        "field \"{path}\": a Decimal of scale {scale} cannot be a column; 0 to {} can",
                        fit::DECIMAL_DIGITS
                    )));
                }
                Cells::Decimal(Vec::new(), scale)
            }
            (Some(Logical::Date), _) => Cells::Date(Vec::new()),
            (Some(Logical::Time), _) => Cells::Time(Vec::new()),
            (Some(Logical::Timestamp), _) => Cells::Timestamp(Vec::new()),
            (None, Type::Int8) => Cells::Int8(Vec::new()),
            (None, Type::Int16) => Cells::Int16(Vec::new()),
            (None, Type::Int32) => Cells::Int32(Vec::new()),
            (None, Type::Int64) => Cells::Int64(Vec::new()),
            (None, Type::Float32) => Cells::Float32(Vec::new()),
            (None, Type::Float64) => Cells::Float64(Vec::new()),
            (None, Type::Boolean) => Cells::Boolean(BooleanBufferBuilder::new(0)),
            (None, Type::String) => Cells::Utf8(Texts::new()),
            (None, Type::Bytes) => Cells::Binary(Texts::new()),
            (None, Type::Array) => Cells::List(vec![0], Box::new(inner(schema.values(), "[]")?)),
            (None, Type::Map) => {
                let mut keys = inner(schema.keys(), ".key")?;
                keys.nullable = false;
                Cells::Map(vec![0], Box::new(Entries { keys, values: inner(schema.values(), ".value")? }))
            }
            (None, Type::Struct) => Cells::Record(Box::new(Record::of_schema(schema, path, depth)?)),
        };
        Ok(Self { cells, nulls: nulls(), nullable: schema.is_optional(), lenient: true })
    }

    /// A column of `len` nulls whose type is not known yet.
    pub(crate) fn open(len: usize) -> Self {
        let mut nulls = nulls();
        nulls.append_n_nulls(len);
        Self { cells: Cells::Open, nulls, nullable: true, lenient: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Appends `values`, or the part before the one that does not fit: the caller cuts that off again.
    pub(crate) fn extend<'v>(&mut self, values: impl Iterator<Item = &'v Value>) -> Fitted {
        self.append(values).map_err(|stop| match stop {
            Stop::Within(misfit) => misfit,
            Stop::Here(value) => match (&self.cells, value) {
                (_, Value::Null) => Misfit::new(Reason::Null(self.type_name())),
                (&Cells::Decimal(_, schema), Value::Decimal(decimal)) if decimal.scale() != schema => {
                    Misfit::new(Reason::Scale { schema, value: decimal.scale() })
                }
                _ => Misfit::of(value, self.type_name()),
            },
        })
    }

    fn append<'v>(&mut self, values: impl Iterator<Item = &'v Value>) -> Result<(), Stop<'v>> {
        let (nulls, nullable, lenient) = (&mut self.nulls, self.nullable, self.lenient);
        match &mut self.cells {
            Cells::Open => {
                for value in values {
                    if !value.is_null() {
                        return Err(Misfit::new(Reason::NewKey).into());
                    }
                    nulls.append_null();
                }
                Ok(())
            }
            Cells::Boolean(out) => {
                let mut there = 0;
                for value in values {
                    if let Some(native) = fit::boolean(value) {
                        out.append(native);
                        there += 1;
                    } else {
                        absent(value, nulls, &mut there, nullable)?;
                        out.append(false);
                    }
                }
                nulls.append_n_non_nulls(there);
                Ok(())
            }
            Cells::Int8(out) => scalars(values, nulls, nullable, out, fit::int8),
            Cells::Int16(out) => scalars(values, nulls, nullable, out, fit::int16),
            Cells::Int32(out) => scalars(values, nulls, nullable, out, fit::int32),
            Cells::Int64(out) => scalars(values, nulls, nullable, out, fit::int64),
            Cells::Float32(out) => scalars(values, nulls, nullable, out, fit::float32),
            Cells::Float64(out) => scalars(values, nulls, nullable, out, fit::float64),
            Cells::Date(out) => scalars(values, nulls, nullable, out, |v| fit::date(v, lenient)),
            Cells::Time(out) => scalars(values, nulls, nullable, out, |v| fit::time(v, lenient)),
            Cells::Timestamp(out) => scalars(values, nulls, nullable, out, |v| fit::timestamp(v, lenient)),
            Cells::Decimal(out, scale) => {
                let scale = *scale;
                scalars(values, nulls, nullable, out, |v| fit::decimal(v, scale, lenient))
            }
            Cells::Utf8(out) => {
                let mut there = 0;
                for value in values {
                    if let Some(text) = value.as_str() {
                        out.push(text.as_bytes())?;
                        there += 1;
                    } else {
                        absent(value, nulls, &mut there, nullable)?;
                        out.end()?;
                    }
                }
                nulls.append_n_non_nulls(there);
                Ok(())
            }
            Cells::Binary(out) => {
                for value in values {
                    let fits = fit::bytes(value, lenient, &mut out.bytes);
                    present(fits, value, nulls, nullable)?;
                    out.end()?;
                }
                Ok(())
            }
            Cells::List(ends, element) => {
                for value in values {
                    let fits = matches!(value, Value::Array(_));
                    present(fits, value, nulls, nullable)?;
                    if let Value::Array(items) = value {
                        element.extend(items.iter()).map_err(|misfit| misfit.within("[]"))?;
                    }
                    ends.push(offset(element.len())?);
                }
                Ok(())
            }
            Cells::Map(ends, inner) => {
                for value in values {
                    let fits = matches!(value, Value::Map(_) | Value::Object(_));
                    present(fits, value, nulls, nullable)?;
                    ends.push(inner.extend(value)?);
                }
                Ok(())
            }
            Cells::Record(record) => {
                for value in values {
                    let fields = Record::fields_of(value);
                    present(fields.is_some(), value, nulls, nullable)?;
                    match fields {
                        Some(fields) => record.extend(value, &[fields])?,
                        None => record.extend_holes(1),
                    }
                }
                Ok(())
            }
        }
    }

    /// Appends texts, for the keys of schemaless objects.
    fn extend_texts(&mut self, texts: &[Str]) -> Fitted {
        let Cells::Utf8(out) = &mut self.cells else {
            return Err(Misfit::new(Reason::Value {
                found: "a value of type STRING".into(),
                wanted: self.type_name(),
            }));
        };
        for text in texts {
            out.push(text.as_bytes())?;
            self.nulls.append_non_null();
        }
        Ok(())
    }

    /// Appends nulls whatever the rule: places that a null further up covers.
    pub(crate) fn extend_holes(&mut self, count: usize) {
        let len = self.len() + count;
        self.nulls.append_n_nulls(count);
        self.fill(len);
    }

    /// Brings the cells to `len` places, the new ones empty.
    fn fill(&mut self, len: usize) {
        match &mut self.cells {
            Cells::Open => {}
            Cells::Boolean(out) => out.resize(len),
            Cells::Int8(out) => out.resize(len, 0),
            Cells::Int16(out) => out.resize(len, 0),
            Cells::Int32(out) | Cells::Date(out) | Cells::Time(out) => out.resize(len, 0),
            Cells::Int64(out) | Cells::Timestamp(out) => out.resize(len, 0),
            Cells::Float32(out) => out.resize(len, 0.0),
            Cells::Float64(out) => out.resize(len, 0.0),
            Cells::Decimal(out, _) => out.resize(len, 0),
            Cells::Utf8(Texts { ends, .. })
            | Cells::Binary(Texts { ends, .. })
            | Cells::List(ends, _)
            | Cells::Map(ends, _) => {
                let last = ends.last().copied().unwrap_or(0);
                ends.resize(len + 1, last);
            }
            Cells::Record(record) => record.extend_holes(len - record.len()),
        }
    }

    /// Cuts the column off at `len` values.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.nulls.truncate(len);
        match &mut self.cells {
            Cells::Open => {}
            Cells::Boolean(out) => out.truncate(len),
            Cells::Int8(out) => out.truncate(len),
            Cells::Int16(out) => out.truncate(len),
            Cells::Int32(out) | Cells::Date(out) | Cells::Time(out) => out.truncate(len),
            Cells::Int64(out) | Cells::Timestamp(out) => out.truncate(len),
            Cells::Float32(out) => out.truncate(len),
            Cells::Float64(out) => out.truncate(len),
            Cells::Decimal(out, _) => out.truncate(len),
            Cells::Utf8(texts) | Cells::Binary(texts) => texts.truncate(len),
            Cells::List(ends, element) => {
                ends.truncate(len + 1);
                element.truncate(ends.last().map_or(0, |&end| position(end)));
            }
            Cells::Map(ends, inner) => {
                ends.truncate(len + 1);
                let end = ends.last().map_or(0, |&end| position(end));
                inner.keys.truncate(end);
                inner.values.truncate(end);
            }
            Cells::Record(record) => record.truncate(len),
        }
    }

    /// Gives the column the type that inference has come to, keeping its values.
    pub(crate) fn conform(&mut self, kind: &Kind) {
        let len = self.len();
        if matches!(self.cells, Cells::Open) {
            self.cells = match kind {
                Kind::Open => return,
                Kind::Scalar(scalar) => Cells::of_scalar(*scalar),
                Kind::List(_) => Cells::List(vec![0], Box::new(Column::open(0))),
                Kind::Map(_) => {
                    let mut keys = Column::open(0);
                    keys.nullable = false;
                    Cells::Map(vec![0], Box::new(Entries { keys, values: Column::open(0) }))
                }
                Kind::Record(_) => Cells::Record(Box::new(Record::inferred())),
            };
            self.fill(len);
        }
        match (&mut self.cells, kind) {
            (Cells::Int64(integers), Kind::Scalar(Scalar::Float64)) => {
                self.cells = Cells::Float64(integers.iter().map(|&v| widened(v)).collect());
            }
            (Cells::List(_, element), Kind::List(kind)) => element.conform(kind),
            (Cells::Map(_, inner), Kind::Map(kinds)) => {
                inner.keys.conform(&kinds.0);
                inner.values.conform(&kinds.1);
            }
            (Cells::Record(record), Kind::Record(fields)) => record.conform(fields, len),
            _ => {}
        }
    }

    pub(crate) fn type_name(&self) -> String {
        match &self.cells {
            Cells::Open => "null".into(),
            Cells::Boolean(_) => "BOOLEAN".into(),
            Cells::Int8(_) => "INT8".into(),
            Cells::Int16(_) => "INT16".into(),
            Cells::Int32(_) => "INT32".into(),
            Cells::Int64(_) => "INT64".into(),
            Cells::Float32(_) => "FLOAT32".into(),
            Cells::Float64(_) => "FLOAT64".into(),
            Cells::Utf8(_) => "STRING".into(),
            Cells::Binary(_) => "BYTES".into(),
            Cells::Decimal(_, scale) => format!("Decimal({scale})"),
            Cells::Date(_) => "Date".into(),
            Cells::Time(_) => "Time".into(),
            Cells::Timestamp(_) => "Timestamp".into(),
            Cells::List(..) => "ARRAY".into(),
            Cells::Map(..) => "MAP".into(),
            Cells::Record(_) => "STRUCT".into(),
        }
    }

    /// Forgets the values of a column that is left out of the batch.
    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }
}

impl Cells {
    fn of_scalar(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Boolean => Cells::Boolean(BooleanBufferBuilder::new(0)),
            Scalar::Int64 => Cells::Int64(Vec::new()),
            Scalar::Float64 => Cells::Float64(Vec::new()),
            Scalar::Utf8 => Cells::Utf8(Texts::new()),
            Scalar::Binary => Cells::Binary(Texts::new()),
            Scalar::Decimal(scale) => Cells::Decimal(Vec::new(), scale),
            Scalar::Date => Cells::Date(Vec::new()),
            Scalar::Time => Cells::Time(Vec::new()),
            Scalar::Timestamp => Cells::Timestamp(Vec::new()),
        }
    }
}

/// Enters whether a value is there; a null is refused where the column has to have values.
#[inline]
fn present<'v>(
    fits: bool,
    value: &'v Value,
    nulls: &mut NullBufferBuilder,
    nullable: bool,
) -> Result<(), Stop<'v>> {
    if fits {
        nulls.append_non_null();
    } else if nullable && value.is_null() {
        nulls.append_null();
    } else {
        return Err(Stop::Here(value));
    }
    Ok(())
}

#[inline]
fn scalars<'v, T: Default>(
    values: impl Iterator<Item = &'v Value>,
    nulls: &mut NullBufferBuilder,
    nullable: bool,
    out: &mut Vec<T>,
    fit: impl Fn(&Value) -> Option<T>,
) -> Result<(), Stop<'v>> {
    out.reserve(values.size_hint().0);
    let mut there = 0;
    for value in values {
        if let Some(native) = fit(value) {
            out.push(native);
            there += 1;
        } else {
            absent(value, nulls, &mut there, nullable)?;
            out.push(T::default());
        }
    }
    nulls.append_n_non_nulls(there);
    Ok(())
}

/// Enters the `there` values that were found since the last null, and then a null, where `value` is one and may be.
#[cold]
fn absent<'v>(
    value: &'v Value,
    nulls: &mut NullBufferBuilder,
    there: &mut usize,
    nullable: bool,
) -> Result<(), Stop<'v>> {
    nulls.append_n_non_nulls(std::mem::take(there));
    present(false, value, nulls, nullable)
}

fn nulls() -> NullBufferBuilder {
    NullBufferBuilder::new(0)
}

fn offset(len: usize) -> Fitted<i32> {
    i32::try_from(len).map_err(|_| Misfit::new(Reason::Full))
}

fn position(end: i32) -> usize {
    usize::try_from(end).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "mixed integers and fractions become doubles")]
fn widened(integer: i64) -> f64 {
    integer as f64
}
