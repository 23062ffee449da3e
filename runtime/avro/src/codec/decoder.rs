//! Reading values.

use lavka_api::Result;
use lavka_api::data::{Blob, Decimal, Schema, ShapeTable, Str, Struct, Value};

use super::cursor::{Cursor, broken, no_member};
use super::decode_plan::{self, Items, MemberRead, Narrow, Read, RecordRead, Wide};
use super::schemaless::{self, replaced, text};
use crate::mapping::Mapping;
use crate::schema::AvroSchema;

/// Reads data of one Avro schema, straight from the bytes to values of its Connect schema, which they all share.
///
/// Reading costs memory in proportion to the bytes: counts and lengths are held against what is left before anything is
/// allocated for them.
///
/// ```
/// use lavka_api::data::{ShapeTable, Value};
/// use lavka_avro::{AvroSchema, Decoder, Mapping};
///
/// let old = AvroSchema::parse(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#)?;
/// let new = AvroSchema::parse(
///     r#"{"type":"record","name":"R","fields":[{"name":"b","type":"string","default":"?"},{"name":"a","type":"long"}]}"#,
/// )?;
/// let decoder = Decoder::new(&Mapping::default(), &old, &new, Some(3))?;
/// let Value::Struct(record) = decoder.decode(&[14], &mut ShapeTable::new(100))? else { unreachable!() };
/// assert_eq!((record.get("a"), record.get("b")), (Some(&Value::Int64(7)), Some(&"?".into())));
/// assert_eq!(decoder.schema().and_then(|schema| schema.version()), Some(3));
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub struct Decoder {
    schema: Option<Schema>,
    read: Read,
    /// Bytes at the top are as they are, without a length: Confluent's serializers write them so.
    bare: bool,
    /// Whether bytes behind a value are an error.
    whole: bool,
}

impl Decoder {
    /// A plan for data that was written with `writer`, as `reader` has it by Avro's rules of resolution. `version` is the
    /// registry's version of the reader, for schemas that do not carry one.
    ///
    /// # Errors
    /// A data error where Connect has no schema for `reader`, or `reader` cannot take `writer`'s data.
    pub fn new(
        mapping: &Mapping,
        writer: &AvroSchema,
        reader: &AvroSchema,
        version: Option<i32>,
    ) -> Result<Self> {
        let schema = mapping.to_connect(reader, version)?;
        let read = decode_plan::compile(mapping, writer, reader, schema.as_ref())?;
        Ok(Self { schema, read, bare: writer.is_bytes(), whole: false })
    }

    /// Whether bytes behind a value are an error (`avro.fail.on.trailing.data`) instead of being left alone.
    #[must_use]
    pub fn refusing_trailing_data(mut self, refusing: bool) -> Self {
        self.whole = refusing;
        self
    }

    /// The Connect schema of what is read; `None` for schemaless data.
    #[must_use]
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// Reads one value. Bytes behind it are left alone, as Java's reader leaves them, unless it
    /// [refuses them](Self::refusing_trailing_data). Schemaless objects take their
    /// shapes from `shapes`.
    ///
    /// # Errors
    /// A data error where the bytes are no data of the writer's schema.
    pub fn decode(&self, bytes: &[u8], shapes: &mut ShapeTable) -> Result<Value> {
        if self.bare {
            return match &self.read {
                Read::Bytes => Ok(Value::Bytes(Blob::from(bytes))),
                Read::String => Ok(text(bytes)),
                Read::Decimal(scale) => Ok(Value::from(Decimal::from_be_bytes(bytes, *scale))),
                Read::Member(member) => wrapped(member, Value::Bytes(Blob::from(bytes))),
                _ => Err(broken("bytes that are read as another type".to_owned())),
            };
        }
        let mut reader = Reader { cursor: Cursor::new(bytes), shapes };
        let value = match &self.read {
            // What most data is, without a way by the stack.
            Read::Struct(plan) => Value::Struct(reader.record(plan)?),
            read => reader.value(read)?,
        };
        match reader.cursor.left() {
            left @ 1.. if self.whole => Err(broken(format!("there are {left} bytes behind the data"))),
            _ => Ok(value),
        }
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    shapes: &'a mut ShapeTable,
}

impl Reader<'_> {
    /// Reads one value into `slot`, where it is made in place: handing it back instead costs more than reading it.
    /// Recurses as deep as the plan, which was bounded when it was compiled.
    #[inline]
    fn fill(&mut self, read: &Read, slot: &mut Value) -> Result<()> {
        let read = match read {
            Read::Nullable { null_first, inner } => {
                let null = match self.cursor.length()? {
                    0 => *null_first,
                    1 => !*null_first,
                    at => return Err(no_member(at, 2)),
                };
                if null {
                    set(slot, Value::Null);
                    return Ok(());
                }
                inner
            }
            read => read,
        };
        let cursor = &mut self.cursor;
        match read {
            Read::Int32 => set(slot, Value::Int32(cursor.int()?)),
            Read::Int64 => set(slot, Value::Int64(cursor.long()?)),
            Read::String => {
                let bytes = cursor.bytes()?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => set(slot, Value::String(Str::from(text))),
                    Err(_) => set(slot, replaced(bytes)),
                }
            }
            Read::Boolean => set(slot, Value::Boolean(cursor.boolean()?)),
            Read::Float64 => set(slot, Value::Float64(f64::from_le_bytes(cursor.array()?))),
            Read::Float32 => set(slot, Value::Float32(f32::from_le_bytes(cursor.array()?))),
            Read::Date => set(slot, Value::Date(cursor.int()?)),
            Read::Time => set(slot, Value::Time(cursor.int()?)),
            Read::Timestamp => set(slot, Value::Timestamp(cursor.long()?)),
            #[expect(clippy::cast_possible_truncation, reason = "Java's byteValue")]
            Read::Int8 => set(slot, Value::Int8(cursor.int()? as i8)),
            #[expect(clippy::cast_possible_truncation, reason = "Java's shortValue")]
            Read::Int16 => set(slot, Value::Int16(cursor.int()? as i16)),
            Read::Struct(plan) => set(slot, Value::Struct(self.record(plan)?)),
            other => set(slot, self.rarer(other)?),
        }
        Ok(())
    }

    /// Reads one value by itself.
    fn value(&mut self, read: &Read) -> Result<Value> {
        let mut value = Value::Null;
        self.fill(read, &mut value)?;
        Ok(value)
    }

    fn rarer(&mut self, read: &Read) -> Result<Value> {
        let cursor = &mut self.cursor;
        Ok(match read {
            Read::Null => Value::Null,
            Read::Bytes => Value::Bytes(Blob::from(cursor.bytes()?)),
            Read::Decimal(scale) => decimal(cursor.bytes()?, *scale),
            Read::Fixed(size) => Value::Bytes(Blob::from(cursor.take(*size)?)),
            Read::DecimalInFixed { scale, size } => decimal(cursor.take(*size)?, *scale),
            Read::Widened { from, to } => widened(cursor, *from, *to)?,
            Read::Symbol(symbols) => {
                let at = cursor.length()?;
                match symbols.get(at) {
                    Some(Some(symbol)) => Value::String(symbol.clone()),
                    Some(None) => {
                        return Err(broken(format!(
                            "the reader's enum has neither the writer's symbol {at} nor a default"
                        )));
                    }
                    None => {
                        return Err(broken(format!("the enum has {} symbols, none at {at}", symbols.len())));
                    }
                }
            }
            Read::Array(items) => self.array(items)?,
            Read::Map(items) => self.map(items)?,
            Read::Entries(plan) => self.entries(plan)?,
            Read::Union(members) => {
                let at = cursor.length()?;
                let member = members.get(at).ok_or_else(|| no_member(at, members.len()))?;
                self.value(member)?
            }
            Read::Member(member) => {
                let value = self.value(&member.read)?;
                wrapped(member, value)?
            }
            Read::Schemaless => schemaless::read(cursor, self.shapes, 0)?,
            Read::Refused(message) => return Err(broken(message.to_string())),
            Read::Skipped(schema, id) => {
                cursor.skip(schema, *id, 0)?;
                Value::Null
            }
            // `fill` has read all others.
            _ => return Err(broken("a plan that reads nothing".to_owned())),
        })
    }

    fn record(&mut self, plan: &RecordRead) -> Result<Box<Struct>> {
        if plan.free > 0 {
            self.cursor.spend(plan.free)?;
        }
        let values = if plan.in_order {
            // Cloning a null for each field would cost a tenth of the time.
            let mut values: Box<[Value]> = plan.parts.iter().map(|_| Value::Null).collect();
            for ((_, read), slot) in plan.parts.iter().zip(&mut values) {
                self.fill(read, slot)?;
            }
            values
        } else {
            let mut values = plan.blank.clone();
            for (at, read) in &plan.parts {
                match at.and_then(|at| values.get_mut(at)) {
                    Some(slot) => self.fill(read, slot)?,
                    None => drop(self.value(read)?),
                }
            }
            values
        };
        Ok(Box::new(Struct::new(plan.schema.clone(), values)?))
    }

    fn array(&mut self, items: &Items) -> Result<Value> {
        let mut values = Vec::new();
        while let count @ 1.. = self.cursor.block(items.least)? {
            let before = values.len();
            values.resize(before + count, Value::Null);
            for slot in values.iter_mut().skip(before) {
                self.fill(&items.read, slot)?;
            }
        }
        Ok(Value::from(values))
    }

    fn map(&mut self, items: &Items) -> Result<Value> {
        let mut entries = Vec::new();
        while let count @ 1.. = self.cursor.block(items.least.saturating_add(1))? {
            entries.reserve(count);
            for _ in 0..count {
                let mut entry = (text(self.cursor.bytes()?), Value::Null);
                self.fill(&items.read, &mut entry.1)?;
                entries.push(entry);
            }
        }
        Ok(Value::Map(entries.into_boxed_slice()))
    }

    fn entries(&mut self, plan: &RecordRead) -> Result<Value> {
        let mut entries = Vec::new();
        while let count @ 1.. = self.cursor.block(plan.least)? {
            entries.reserve(count);
            for _ in 0..count {
                let mut entry = (Value::Null, Value::Null);
                for (at, read) in &plan.parts {
                    match at {
                        Some(0) => self.fill(read, &mut entry.0)?,
                        Some(_) => self.fill(read, &mut entry.1)?,
                        None => drop(self.value(read)?),
                    }
                }
                entries.push(entry);
            }
        }
        Ok(Value::Map(entries.into_boxed_slice()))
    }
}

/// Puts a value where there is null. Every slot is made null and filled once, so there is nothing to drop; looking for it
/// anyway costs a fifth of the time.
#[expect(clippy::inline_always, reason = "the value has to be made in its slot")]
#[inline(always)]
fn set(slot: &mut Value, value: Value) {
    std::mem::forget(std::mem::replace(slot, value));
}

fn wrapped(member: &MemberRead, value: Value) -> Result<Value> {
    let mut record = Struct::empty(member.schema.clone())?;
    if let Some(slot) = record.values_mut().get_mut(member.field) {
        *slot = value;
    }
    Ok(Value::from(record))
}

fn decimal(bytes: &[u8], scale: i32) -> Value {
    Value::from(Decimal::from_be_bytes(bytes, scale))
}

fn widened(cursor: &mut Cursor<'_>, from: Narrow, to: Wide) -> Result<Value> {
    #[expect(clippy::cast_precision_loss, reason = "Avro's promotions round")]
    Ok(match (from, to) {
        (Narrow::Int, Wide::Long) => Value::Int64(i64::from(cursor.int()?)),
        (Narrow::Int, Wide::Float) => Value::Float32(cursor.int()? as f32),
        (Narrow::Int, Wide::Double) => Value::Float64(f64::from(cursor.int()?)),
        (Narrow::Long, Wide::Float) => Value::Float32(cursor.long()? as f32),
        (Narrow::Long, Wide::Double) => Value::Float64(cursor.long()? as f64),
        (Narrow::Long, Wide::Long) => Value::Int64(cursor.long()?),
        (Narrow::Float, Wide::Double) => Value::Float64(f64::from(f32::from_le_bytes(cursor.array()?))),
        (Narrow::Float, _) => Value::Float32(f32::from_le_bytes(cursor.array()?)),
    })
}
