//! Writing values.

use lavka_api::data::{Decimal, Schema, Struct, Value};
use lavka_api::error::{ErrorClass, exception};
use lavka_api::{Error, Result};
use num_traits::ToPrimitive;

use super::encode_plan::{self, Item, Part, Step, StructPlan, UnionPlan, Wide};
use super::schemaless;
use super::varint::{write_int, write_length, write_long};
use crate::mapping::Mapping;
use crate::schema::{AvroSchema, MAX_DEPTH};

/// Writes values of one Connect schema as data of one Avro schema, straight from the value to its bytes.
///
/// ```
/// use lavka_api::data::{Schema, Struct, Type};
/// use lavka_avro::{Encoder, Mapping};
///
/// let mapping = Mapping::default();
/// let schema = Schema::structure().name("Reading").field("celsius", Schema::optional(Type::Float32)).build()?;
/// let avro = mapping.to_avro(Some(&schema))?;
/// let encoder = Encoder::new(&mapping, Some(&schema), &avro)?;
/// let mut out = Vec::new();
/// assert!(encoder.encode(&Struct::new(schema, [21.5_f32.into()])?.into(), &mut out)?);
/// assert_eq!(out, [2, 0, 0, 0xAC, 0x41]);
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub struct Encoder {
    schema: Option<Schema>,
    item: Item,
    /// Bytes at the top are written as they are, without a length: Confluent's serializers do so.
    bare: bool,
}

impl Encoder {
    /// A plan for values of `schema` (`None`: schemaless) as data of `avro`: the schema that the mapping makes of it, or
    /// another one that takes such values. There fields are found by name; those that the record lacks are written with
    /// their defaults, and those that the Avro schema lacks are left out.
    ///
    /// # Errors
    /// A data error where `avro` does not take such values.
    pub fn new(mapping: &Mapping, schema: Option<&Schema>, avro: &AvroSchema) -> Result<Self> {
        let item = encode_plan::compile(mapping, schema, avro)?;
        Ok(Self { schema: schema.cloned(), item, bare: avro.is_bytes() })
    }

    /// Appends `value`; false, with nothing appended, where it is null as a whole, which Kafka has a form of its own for.
    ///
    /// # Errors
    /// A data error where the value is not of the schema; `out` may then hold a part.
    pub fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        if value.is_null() {
            return match &self.schema {
                Some(schema) if !schema.is_optional() => Err(null_refused()),
                _ => Ok(false),
            };
        }
        if self.bare {
            match (&self.item.step, value) {
                (Step::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
                (Step::Decimal(scale), Value::Decimal(decimal)) => {
                    check_scale(decimal, *scale)?;
                    out.extend_from_slice(&decimal.to_be_bytes());
                }
                (step, value) => return Err(mismatch(step, value)),
            }
            return Ok(true);
        }
        write(&self.item, value, out, 0)?;
        Ok(true)
    }

    /// Appends `value` as files and messages of Avro's own have it (Avro specification, "Data Serialization"): null is
    /// a member of a union like any, and bytes have their length in front at the top as well.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_datum(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        write(&self.item, value, out, 0)
    }
}

#[inline]
fn write(item: &Item, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    if value.is_null() {
        return write_null(item, out, depth);
    }
    if let Some(tag) = item.tag {
        write_int(out, tag);
    }
    match (&item.step, value) {
        (Step::Int32, Value::Int32(it)) | (Step::Date, Value::Date(it)) | (Step::Time, Value::Time(it)) => {
            write_int(out, *it);
        }
        (Step::Int64, Value::Int64(it)) | (Step::Timestamp, Value::Timestamp(it)) => write_long(out, *it),
        (Step::String, Value::String(it)) => {
            write_length(out, it.len());
            out.extend_from_slice(it.as_bytes());
        }
        (Step::Float64, Value::Float64(it)) => out.extend_from_slice(&it.to_le_bytes()),
        (Step::Float32, Value::Float32(it)) => out.extend_from_slice(&it.to_le_bytes()),
        (Step::Boolean, Value::Boolean(it)) => out.push(u8::from(*it)),
        (Step::Int8, Value::Int8(it)) => write_int(out, i32::from(*it)),
        (Step::Int16, Value::Int16(it)) => write_int(out, i32::from(*it)),
        (Step::Bytes, Value::Bytes(it)) => {
            write_length(out, it.len());
            out.extend_from_slice(it);
        }
        (Step::Decimal(scale), Value::Decimal(it)) => write_decimal(it, *scale, out)?,
        (Step::Struct(plan), Value::Struct(it)) => write_struct(plan, it, out, depth)?,
        (step, value) => write_rarer(step, value, out, depth)?,
    }
    Ok(())
}

/// What is rare, or long anyway.
fn write_rarer(step: &Step, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!("a value nested deeper than {MAX_DEPTH} levels")));
    }
    match (step, value) {
        (Step::Array(item), Value::Array(items)) => {
            if !items.is_empty() {
                write_length(out, items.len());
                for value in items {
                    write(item, value, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        (Step::Map(item), Value::Map(entries)) => {
            if !entries.is_empty() {
                write_length(out, entries.len());
                for (key, value) in entries {
                    let key = key.as_str().ok_or_else(|| mismatch(&Step::String, key))?;
                    write_length(out, key.len());
                    out.extend_from_slice(key.as_bytes());
                    write(item, value, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        (Step::Map(item), Value::Object(object)) => {
            if !object.is_empty() {
                write_length(out, object.len());
                for (key, value) in object.iter() {
                    write_length(out, key.len());
                    out.extend_from_slice(key.as_bytes());
                    write(item, value, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        (Step::Entries(items), Value::Map(entries)) => {
            let [key_item, value_item] = &**items;
            if !entries.is_empty() {
                write_length(out, entries.len());
                for (key, value) in entries {
                    write(key_item, key, out, depth + 1)?;
                    write(value_item, value, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        (Step::Entries(items), Value::Object(object)) => {
            let [key_item, value_item] = &**items;
            if !object.is_empty() {
                write_length(out, object.len());
                for (key, value) in object.iter() {
                    write(key_item, &Value::String(key.clone()), out, depth + 1)?;
                    write(value_item, value, out, depth + 1)?;
                }
            }
            out.push(0);
        }
        (Step::Symbol(symbols), Value::String(symbol)) => match symbols.numbers.get(symbol.as_str()) {
            Some(number) => write_int(out, *number),
            None => {
                let mut known: Vec<_> = symbols.numbers.iter().collect();
                known.sort_by_key(|(_, number)| **number);
                let known: Vec<&str> = known.into_iter().map(|(symbol, _)| symbol.as_str()).collect();
                return Err(serialization(format!(
                    "enum value '{symbol}' is not in the enum symbol set of {}: [{}]",
                    symbols.name,
                    known.join(", ")
                )));
            }
        },
        (Step::Fixed(size), Value::Bytes(bytes)) => {
            if bytes.len() != *size {
                return Err(serialization(format!("{} bytes for a fixed type of {size}", bytes.len())));
            }
            out.extend_from_slice(bytes);
        }
        (Step::DecimalInFixed { scale, size }, Value::Decimal(decimal)) => {
            check_scale(decimal, *scale)?;
            let bytes = decimal.to_be_bytes();
            let Some(padding) = size.checked_sub(bytes.len()) else {
                return Err(Error::data(format!(
                    "Unscaled value byte array length {} is greater than fixed size {size}",
                    bytes.len()
                )));
            };
            let sign = if bytes.first().is_some_and(|first| *first >= 0x80) { 0xFF } else { 0 };
            out.resize(out.len() + padding, sign);
            out.extend_from_slice(&bytes);
        }
        (Step::Widened { from, to }, value) if value.natural_type() == Some(*from) => {
            match (to, value.as_f64()) {
                (Wide::Long, _) => write_long(out, value.as_i64().ok_or_else(|| mismatch(step, value))?),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the nearest single, as Java's floatValue"
                )]
                (Wide::Float, Some(it)) => out.extend_from_slice(&(it as f32).to_le_bytes()),
                (Wide::Double, Some(it)) => out.extend_from_slice(&it.to_le_bytes()),
                (_, None) => return Err(mismatch(step, value)),
            }
        }
        (Step::Union(plan), Value::Struct(it)) => write_union(plan, it, out, depth)?,
        (Step::Schemaless, value) => schemaless::write(value, out, depth)?,
        (step, value) => return Err(mismatch(step, value)),
    }
    Ok(())
}

#[cold]
fn write_null(item: &Item, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    match (&item.default, item.null, &item.step) {
        (Some(default), ..) if !default.is_null() => write(item, default, out, depth),
        (_, Some(null), _) => {
            write_int(out, null);
            Ok(())
        }
        (_, None, Step::Schemaless) => schemaless::write(&Value::Null, out, depth),
        _ => Err(null_refused()),
    }
}

fn write_struct(plan: &StructPlan, record: &Struct, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_schema(&plan.schema, record)?;
    if depth > MAX_DEPTH {
        return Err(Error::data(format!("a value nested deeper than {MAX_DEPTH} levels")));
    }
    out.reserve(plan.room);
    if plan.in_order {
        for (part, value) in plan.parts.iter().zip(record.values()) {
            if let Part::Field(_, item) = part {
                write(item, value, out, depth + 1).map_err(|error| at_field(error, plan, part))?;
            }
        }
        return Ok(());
    }
    for part in &plan.parts {
        match part {
            Part::Field(at, item) => {
                let value = record.values().get(*at).unwrap_or(&Value::Null);
                write(item, value, out, depth + 1).map_err(|error| at_field(error, plan, part))?;
            }
            Part::Constant(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(())
}

/// A struct has to be of the schema that the plan is for. Of what stands around the fields, the default is not in a struct
/// that is the default itself.
#[inline]
fn check_schema(schema: &Schema, record: &Struct) -> Result<()> {
    let own = record.schema();
    if own.same(schema) || own == schema || own.fields() == schema.fields() {
        return Ok(());
    }
    Err(Error::data("Mismatching struct schema"))
}

/// Names the field in which a value did not fit.
#[cold]
fn at_field(error: Error, plan: &StructPlan, part: &Part) -> Error {
    let Part::Field(at, _) = part else { return error };
    let name = plan.schema.fields().get(*at).map_or("?", |field| field.name());
    error.caused_by(Error::data(format!("in field \"{name}\" of {}", plan.schema)))
}

/// The first field that is set says the member.
fn write_union(plan: &UnionPlan, record: &Struct, out: &mut Vec<u8>, depth: usize) -> Result<()> {
    check_schema(&plan.schema, record)?;
    for (item, value) in plan.members.iter().zip(record.values()) {
        let value = match (&item.default, value) {
            (Some(default), Value::Null) => default,
            _ => value,
        };
        if !value.is_null() {
            return write(item, value, out, depth + 1);
        }
    }
    match plan.null {
        Some(null) if plan.schema.is_optional() => {
            write_int(out, null);
            Ok(())
        }
        _ => Err(null_refused()),
    }
}

#[inline]
fn write_decimal(decimal: &Decimal, scale: i32, out: &mut Vec<u8>) -> Result<()> {
    check_scale(decimal, scale)?;
    match decimal.unscaled().to_i64() {
        Some(number) => {
            // Bytes that only repeat the sign are left out.
            let sign = if number < 0 { number.leading_ones() } else { number.leading_zeros() };
            let spare = (sign.saturating_sub(1) / 8) as usize;
            let bytes = number.to_be_bytes();
            let bytes = bytes.get(spare..).unwrap_or_default();
            write_length(out, bytes.len());
            out.extend_from_slice(bytes);
        }
        None => {
            let bytes = decimal.to_be_bytes();
            write_length(out, bytes.len());
            out.extend_from_slice(&bytes);
        }
    }
    Ok(())
}

#[inline]
fn check_scale(decimal: &Decimal, scale: i32) -> Result<()> {
    if decimal.scale() == scale {
        return Ok(());
    }
    Err(Error::data(format!(
        "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value has scale {}.",
        decimal.scale()
    )))
}

#[cold]
fn null_refused() -> Error {
    Error::data("Found null value for non-optional schema")
}

#[cold]
fn mismatch(step: &Step, value: &Value) -> Error {
    let expected = match step {
        Step::Decimal(_) | Step::DecimalInFixed { .. } => {
            return Error::data(format!(
                "Invalid type for Decimal, expected BigDecimal but was class {}",
                value.java_class()
            ));
        }
        Step::Date => return not_a_date("Date", value),
        Step::Time => return not_a_date("Time", value),
        Step::Timestamp => return not_a_date("Timestamp", value),
        Step::Boolean => "BOOLEAN",
        Step::Int8 => "INT8",
        Step::Int16 => "INT16",
        Step::Int32 => "INT32",
        Step::Int64 => "INT64",
        Step::Float32 => "FLOAT32",
        Step::Float64 => "FLOAT64",
        Step::String | Step::Symbol(_) => "STRING",
        Step::Bytes | Step::Fixed(_) => "BYTES",
        Step::Widened { from, .. } => from.name(),
        Step::Array(_) => "ARRAY",
        Step::Map(_) | Step::Entries(_) => "MAP",
        Step::Struct(_) | Step::Union(_) => "STRUCT",
        Step::Schemaless => "null",
    };
    Error::data(format!("Invalid type for {expected}: class {}", value.java_class()))
}

fn not_a_date(name: &str, value: &Value) -> Error {
    Error::data(format!("Invalid type for {name}, expected Date but was class {}", value.java_class()))
}

fn serialization(message: String) -> Error {
    Error::new(ErrorClass::Data, exception::SERIALIZATION, message)
}
