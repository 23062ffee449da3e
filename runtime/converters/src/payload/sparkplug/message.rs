//! Payloads as they are written, before anything is resolved.

use lavka_api::data::{Decimal, Object, Str, Value};
use num_bigint::BigInt;

use super::datatype::{DataType, array};
use super::wire::{Fields, Wire, Wrong};

/// Metrics of a message; each takes far more memory than the two bytes that it may be written with.
const METRICS: usize = 100_000;
/// Templates in templates and sets in sets.
const DEPTH: usize = 32;

/// A payload.
#[derive(Debug, Default)]
pub(super) struct Payload<'a> {
    pub(super) timestamp: Option<u64>,
    pub(super) metrics: Vec<Metric<'a>>,
    pub(super) seq: Option<u64>,
    pub(super) uuid: Option<&'a str>,
    pub(super) body: Option<&'a [u8]>,
}

/// A metric.
#[derive(Debug, Default)]
pub(super) struct Metric<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) alias: Option<u64>,
    pub(super) timestamp: Option<u64>,
    pub(super) datatype: Option<u64>,
    pub(super) is_historical: bool,
    pub(super) is_transient: bool,
    pub(super) is_null: bool,
    pub(super) metadata: Option<&'a [u8]>,
    pub(super) properties: Option<&'a [u8]>,
    pub(super) value: Option<Written<'a>>,
}

/// A value as it is written; what it means is said by the data type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Written<'a> {
    Int(u32),
    Long(u64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    DataSet(&'a [u8]),
    Template(&'a [u8]),
    PropertySet(&'a [u8]),
    PropertySets(&'a [u8]),
}

impl<'a> Payload<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let mut payload = Self::default();
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => payload.timestamp = Some(value.number()?),
                2 if payload.metrics.len() >= METRICS => return Err("it has more than 100000 metrics"),
                2 => payload.metrics.push(Metric::read(value.bytes()?)?),
                3 => payload.seq = Some(value.number()?),
                4 => payload.uuid = Some(value.text()?),
                5 => payload.body = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(payload)
    }
}

impl<'a> Metric<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let mut metric = Self::default();
        let mut fields = Fields::of(bytes);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => metric.name = Some(value.text()?),
                2 => metric.alias = Some(value.number()?),
                3 => metric.timestamp = Some(value.number()?),
                4 => metric.datatype = Some(value.number()?),
                5 => metric.is_historical = value.flag()?,
                6 => metric.is_transient = value.flag()?,
                7 => metric.is_null = value.flag()?,
                8 => metric.metadata = Some(value.bytes()?),
                9 => metric.properties = Some(value.bytes()?),
                17 => metric.value = Some(Written::DataSet(value.bytes()?)),
                18 => metric.value = Some(Written::Template(value.bytes()?)),
                _ => metric.value = Written::scalar(number, 10, value)?.or(metric.value),
            }
        }
        Ok(metric)
    }
}

impl<'a> Written<'a> {
    /// The scalars of a oneof come in the same order everywhere, beginning with the number `first`.
    fn scalar(number: u64, first: u64, value: Wire<'a>) -> Result<Option<Self>, Wrong> {
        Ok(Some(match number.checked_sub(first) {
            #[expect(clippy::cast_possible_truncation, reason = "what a uint32 does with a longer number")]
            Some(0) => Self::Int(value.number()? as u32),
            Some(1) => Self::Long(value.number()?),
            Some(2) => Self::Float(value.float()?),
            Some(3) => Self::Double(value.double()?),
            Some(4) => Self::Boolean(value.flag()?),
            Some(5) => Self::Text(value.text()?),
            // Of metrics alone.
            Some(6) if first == 10 => Self::Bytes(value.bytes()?),
            _ => return Ok(None),
        }))
    }

    /// The bytes of what is not a scalar.
    pub(super) fn composite(self, datatype: DataType) -> Option<&'a [u8]> {
        match self {
            Self::DataSet(message) | Self::Template(message) => Some(message),
            Self::Bytes(bytes) => datatype.element().map(|_| bytes),
            _ => None,
        }
    }

    /// The value as the data type has it.
    pub(super) fn value(self, datatype: DataType) -> Result<Value, Wrong> {
        self.at_depth(datatype, 0)
    }

    fn at_depth(self, datatype: DataType, depth: usize) -> Result<Value, Wrong> {
        if depth > DEPTH {
            return Err("templates or properties are nested too deeply");
        }
        Ok(match self {
            Self::Int(bits) => integer(u64::from(bits), datatype),
            Self::Long(bits) => integer(bits, datatype),
            Self::Float(number) => Value::Float64(number.into()),
            Self::Double(number) => Value::Float64(number),
            Self::Boolean(flag) => Value::Boolean(flag),
            Self::Text(text) => Value::from(text),
            Self::Bytes(bytes) => match datatype.element() {
                Some(element) => array(element, bytes)?,
                None => Value::Bytes(bytes.into()),
            },
            Self::DataSet(message) => data_set(message)?,
            Self::Template(message) => template(message, depth + 1)?,
            Self::PropertySet(message) => property_set(message, depth + 1)?,
            Self::PropertySets(message) => {
                let mut sets = Vec::new();
                let mut fields = Fields::of(message);
                while let Some((number, value)) = fields.next()? {
                    if number == 1 {
                        sets.push(property_set(value.bytes()?, depth + 1)?);
                    }
                }
                Value::from(sets)
            }
        })
    }
}

/// Signed numbers are two's complements in unsigned fields, of their own width or of the field's.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "two's complements")]
fn integer(bits: u64, datatype: DataType) -> Value {
    match datatype {
        DataType::Int8 => Value::Int64((bits as i8).into()),
        DataType::Int16 => Value::Int64((bits as i16).into()),
        DataType::Int32 => Value::Int64((bits as i32).into()),
        DataType::Int64 => Value::Int64(bits as i64),
        DataType::DateTime => Value::Timestamp(bits as i64),
        DataType::Boolean => Value::Boolean(bits != 0),
        _ => unsigned(bits),
    }
}

/// As an INT64 where it fits.
pub(super) fn unsigned(number: u64) -> Value {
    match i64::try_from(number) {
        Ok(number) => Value::Int64(number),
        Err(_) => Value::from(Decimal::new(BigInt::from(number), 0)),
    }
}

/// Columns, types and rows.
fn data_set(message: &[u8]) -> Result<Value, Wrong> {
    let (mut columns, mut types, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (2, value) => columns.push(Value::from(value.text()?)),
            (3, Wire::Bytes(packed)) => types.extend(Fields::packed(packed)?.into_iter().map(DataType::of)),
            (3, value) => types.push(DataType::of(value.number()?)),
            (4, value) => rows.push(value.bytes()?),
            _ => {}
        }
    }
    let rows = rows.into_iter().map(|row| elements(row, &types)).collect::<Result<Vec<_>, _>>()?;
    let types: Vec<Value> = types.into_iter().map(|datatype| Value::from(datatype.name())).collect();
    let entries = [("columns", Value::from(columns)), ("types", types.into()), ("rows", rows.into())];
    Ok(Object::from_entries(entries).into())
}

/// The elements of a row.
fn elements(row: &[u8], types: &[DataType]) -> Result<Value, Wrong> {
    let mut elements = Vec::new();
    let mut fields = Fields::of(row);
    while let Some((number, element)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let datatype = types.get(elements.len()).copied().unwrap_or(DataType::Unknown);
        let mut written = None;
        let mut inner = Fields::of(element.bytes()?);
        while let Some((number, value)) = inner.next()? {
            written = Written::scalar(number, 1, value)?.or(written);
        }
        // An element without a value is a null.
        elements.push(written.map_or(Ok(Value::Null), |written| written.value(datatype))?);
    }
    Ok(Value::from(elements))
}

fn template(message: &[u8], depth: usize) -> Result<Value, Wrong> {
    let mut entries: Vec<(&str, Value)> = Vec::new();
    let (mut metrics, mut parameters) = (Vec::new(), Vec::new());
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => entries.push(("version", value.text()?.into())),
            2 => {
                let metric = Metric::read(value.bytes()?)?;
                let datatype = metric.datatype.map_or(DataType::Unknown, DataType::of);
                let value = metric.value.filter(|_| !metric.is_null);
                let value = value.map_or(Ok(Value::Null), |written| written.at_depth(datatype, depth))?;
                metrics.push(named(metric.name, datatype, value));
            }
            3 => parameters.push(parameter(value.bytes()?)?),
            4 => entries.push(("template_ref", value.text()?.into())),
            5 => entries.push(("is_definition", value.flag()?.into())),
            _ => {}
        }
    }
    entries.push(("metrics", metrics.into()));
    entries.push(("parameters", parameters.into()));
    Ok(Object::from_entries(entries).into())
}

fn named(name: Option<&str>, datatype: DataType, value: Value) -> Value {
    let entries =
        [("name", Value::from(name.map(Str::from))), ("datatype", datatype.name().into()), ("value", value)];
    Object::from_entries(entries).into()
}

fn parameter(message: &[u8]) -> Result<Value, Wrong> {
    let (mut name, mut datatype, mut written) = (None, DataType::Unknown, None);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = Some(value.text()?),
            2 => datatype = DataType::of(value.number()?),
            _ => written = Written::scalar(number, 3, value)?.or(written),
        }
    }
    let value = written.map_or(Ok(Value::Null), |written| written.value(datatype))?;
    Ok(named(name, datatype, value))
}

/// Keys and values as an object.
pub(super) fn properties(message: &[u8]) -> Result<Value, Wrong> {
    property_set(message, 0)
}

fn property_set(message: &[u8], depth: usize) -> Result<Value, Wrong> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => keys.push(value.text()?),
            2 => values.push(property(value.bytes()?, depth)?),
            _ => {}
        }
    }
    if keys.len() != values.len() {
        return Err("a property set has not as many values as keys");
    }
    Ok(Object::from_entries(keys.into_iter().zip(values)).into())
}

fn property(message: &[u8], depth: usize) -> Result<Value, Wrong> {
    let (mut datatype, mut is_null, mut written) = (DataType::Unknown, false, None);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => datatype = DataType::of(value.number()?),
            2 => is_null = value.flag()?,
            9 => written = Some(Written::PropertySet(value.bytes()?)),
            10 => written = Some(Written::PropertySets(value.bytes()?)),
            _ => written = Written::scalar(number, 3, value)?.or(written),
        }
    }
    written.filter(|_| !is_null).map_or(Ok(Value::Null), |written| written.at_depth(datatype, depth))
}

/// What is said about files and long values, as an object.
pub(super) fn metadata(message: &[u8]) -> Result<Value, Wrong> {
    let mut entries: Vec<(&str, Value)> = Vec::new();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        entries.push(match number {
            1 => ("is_multi_part", value.flag()?.into()),
            2 => ("content_type", value.text()?.into()),
            3 => ("size", unsigned(value.number()?)),
            4 => ("seq", unsigned(value.number()?)),
            5 => ("file_name", value.text()?.into()),
            6 => ("file_type", value.text()?.into()),
            7 => ("md5", value.text()?.into()),
            8 => ("description", value.text()?.into()),
            _ => continue,
        });
    }
    Ok(Object::from_entries(entries).into())
}
