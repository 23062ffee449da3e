//! Reading batches back into values.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use lavka_api::data::{Blob, Decimal, Object, Value};
use lavka_columnar::BatchBuilder;

/// The batch of `rows`, all of which have to be taken.
pub(crate) fn batch_of(builder: &mut BatchBuilder, rows: &[Value]) -> RecordBatch {
    let taken = builder.append(&rows.iter().collect::<Vec<_>>());
    assert!(taken.refusal.is_none(), "{:?}", taken.refusal);
    assert_eq!((taken.rows, builder.rows()), (rows.len(), rows.len()));
    builder.finish().unwrap()
}

/// The value at `i`; structs come back as objects.
pub(crate) fn read(array: &ArrayRef, i: usize) -> Value {
    if array.is_null(i) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(i)),
        DataType::Int8 => Value::Int8(array.as_primitive::<Int8Type>().value(i)),
        DataType::Int16 => Value::Int16(array.as_primitive::<Int16Type>().value(i)),
        DataType::Int32 => Value::Int32(array.as_primitive::<Int32Type>().value(i)),
        DataType::Int64 => Value::Int64(array.as_primitive::<Int64Type>().value(i)),
        DataType::Float32 => Value::Float32(array.as_primitive::<Float32Type>().value(i)),
        DataType::Float64 => Value::Float64(array.as_primitive::<Float64Type>().value(i)),
        DataType::Utf8 => array.as_string::<i32>().value(i).into(),
        DataType::Binary => Blob::from(array.as_binary::<i32>().value(i)).into(),
        DataType::Decimal128(_, scale) => {
            Decimal::new(array.as_primitive::<Decimal128Type>().value(i), i32::from(*scale)).into()
        }
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(i)),
        DataType::Time32(_) => Value::Time(array.as_primitive::<Time32MillisecondType>().value(i)),
        DataType::Timestamp(..) => {
            Value::Timestamp(array.as_primitive::<TimestampMillisecondType>().value(i))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(i);
            (0..items.len()).map(|j| read(&items, j)).collect::<Vec<_>>().into()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(i);
            Value::Map(
                (0..entries.len())
                    .map(|j| (read(entries.column(0), j), read(entries.column(1), j)))
                    .collect(),
            )
        }
        DataType::Struct(fields) => {
            let row = array.as_struct();
            let values = fields.iter().zip(row.columns());
            Object::from_entries(values.map(|(field, column)| (field.name().as_str(), read(column, i))))
                .into()
        }
        other => panic!("unexpected type {other}"),
    }
}

/// `value` with structs as objects, as [`read`] gives them.
pub(crate) fn plain(value: &Value) -> Value {
    match value {
        Value::Struct(row) => {
            Object::from_entries(row.iter().map(|(field, value)| (field.name().as_str(), plain(value))))
                .into()
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().into(),
        Value::Map(entries) => Value::Map(entries.iter().map(|(k, v)| (plain(k), plain(v))).collect()),
        other => other.clone(),
    }
}
