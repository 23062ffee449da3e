//! From a column to an Arrow array.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray,
    StringArray, StructArray,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, TimeUnit};

use super::{Cells, Column, KEY, Texts, VALUE};
use crate::fit;

/// The name of a list's only field, as the Parquet format's own mapping calls it.
const ELEMENT: &str = "element";
/// The names of a map's fields, likewise.
const KEY_VALUE: &str = "key_value";

impl Column {
    /// The Arrow type; `None` where nothing in the column has a type yet, so that it is left out.
    pub(crate) fn data_type(&self) -> Option<DataType> {
        Some(match &self.cells {
            Cells::Open => return None,
            Cells::Boolean(_) => DataType::Boolean,
            Cells::Int8(_) => DataType::Int8,
            Cells::Int16(_) => DataType::Int16,
            Cells::Int32(_) => DataType::Int32,
            Cells::Int64(_) => DataType::Int64,
            Cells::Float32(_) => DataType::Float32,
            Cells::Float64(_) => DataType::Float64,
            Cells::Utf8(_) => DataType::Utf8,
            Cells::Binary(_) => DataType::Binary,
            Cells::Decimal(_, scale) => {
                DataType::Decimal128(fit::DECIMAL_DIGITS, i8::try_from(*scale).unwrap_or(0))
            }
            Cells::Date(_) => DataType::Date32,
            Cells::Time(_) => DataType::Time32(TimeUnit::Millisecond),
            Cells::Timestamp(_) => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Cells::List(_, element) => DataType::List(Arc::new(element.field(ELEMENT)?)),
            Cells::Map(_, inner) => {
                let entries = Fields::from(vec![inner.keys.field(KEY)?, inner.values.field(VALUE)?]);
                DataType::Map(Arc::new(Field::new(KEY_VALUE, DataType::Struct(entries), false)), false)
            }
            Cells::Record(record) => {
                let fields = record.fields();
                if fields.is_empty() {
                    return None;
                }
                DataType::Struct(fields)
            }
        })
    }

    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        Some(Field::new(name, self.data_type()?, self.nullable))
    }

    /// The values as an array of type `ty`, which is what [`data_type`](Self::data_type) gave; the column is empty
    /// afterwards.
    pub(crate) fn finish(&mut self, ty: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        match (&mut self.cells, ty) {
            (Cells::Boolean(out), _) => Ok(Arc::new(BooleanArray::new(out.finish(), nulls))),
            (Cells::Int8(out), _) => primitive::<Int8Type>(out, nulls, ty),
            (Cells::Int16(out), _) => primitive::<Int16Type>(out, nulls, ty),
            (Cells::Int32(out), _) => primitive::<Int32Type>(out, nulls, ty),
            (Cells::Int64(out), _) => primitive::<Int64Type>(out, nulls, ty),
            (Cells::Float32(out), _) => primitive::<Float32Type>(out, nulls, ty),
            (Cells::Float64(out), _) => primitive::<Float64Type>(out, nulls, ty),
            (Cells::Date(out), _) => primitive::<Date32Type>(out, nulls, ty),
            (Cells::Time(out), _) => primitive::<Time32MillisecondType>(out, nulls, ty),
            (Cells::Timestamp(out), _) => primitive::<TimestampMillisecondType>(out, nulls, ty),
            (Cells::Decimal(out, _), _) => primitive::<Decimal128Type>(out, nulls, ty),
            (Cells::Utf8(texts), _) => {
                let (offsets, bytes) = texts.take();
                Ok(Arc::new(StringArray::try_new(offsets, bytes, nulls)?))
            }
            (Cells::Binary(texts), _) => {
                let (offsets, bytes) = texts.take();
                Ok(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?))
            }
            (Cells::List(ends, element), DataType::List(field)) => {
                let items = element.finish(field.data_type())?;
                Ok(Arc::new(ListArray::try_new(Arc::clone(field), take_offsets(ends), items, nulls)?))
            }
            (Cells::Map(ends, inner), DataType::Map(entries, sorted)) => {
                let DataType::Struct(fields) = entries.data_type() else { return Err(unlike(ty)) };
                let [key, value] = &**fields else { return Err(unlike(ty)) };
                let columns =
                    vec![inner.keys.finish(key.data_type())?, inner.values.finish(value.data_type())?];
                let rows = StructArray::try_new(fields.clone(), columns, None)?;
                let offsets = take_offsets(ends);
                Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, rows, nulls, *sorted)?))
            }
            (Cells::Record(record), DataType::Struct(fields)) => {
                let (columns, len) = record.finish(fields)?;
                Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, len)?))
            }
            _ => Err(unlike(ty)),
        }
    }
}

impl Texts {
    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        (take_offsets(&mut self.ends), Buffer::from_vec(take(&mut self.bytes)))
    }
}

fn primitive<T: ArrowPrimitiveType>(
    out: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
    ty: &DataType,
) -> Result<ArrayRef, ArrowError>
where
    T::Native: ArrowNativeType,
{
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(take(out)), nulls)?;
    Ok(if array.data_type() == ty { Arc::new(array) } else { Arc::new(array.with_data_type(ty.clone())) })
}

/// Moves the values out and leaves room for as many again: batches of one stream are alike.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len();
    std::mem::replace(values, Vec::with_capacity(room))
}

fn take_offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut fresh = Vec::with_capacity(ends.len());
    fresh.push(0);
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, fresh)))
}

#[cold]
fn unlike(ty: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("column does not have the type {ty}"))
}
