//! A column of ORC with those inside of it: its type, its streams, its statistics.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, Field, TimeUnit};

use super::message::Message;
use super::runs::{Bits, Element, Runs, write_varint, zigzag};
use super::statistics::Statistics;

/// Seconds from 1970 to 2015, from which ORC counts.
const EPOCH: i64 = 1_420_070_400;

/// Numbers of types in `orc_proto.proto`.
mod kind {
    pub(super) const BOOLEAN: u64 = 0;
    pub(super) const BYTE: u64 = 1;
    pub(super) const SHORT: u64 = 2;
    pub(super) const INT: u64 = 3;
    pub(super) const LONG: u64 = 4;
    pub(super) const FLOAT: u64 = 5;
    pub(super) const DOUBLE: u64 = 6;
    pub(super) const STRING: u64 = 7;
    pub(super) const BINARY: u64 = 8;
    pub(super) const TIMESTAMP: u64 = 9;
    pub(super) const LIST: u64 = 10;
    pub(super) const MAP: u64 = 11;
    pub(super) const STRUCT: u64 = 12;
    pub(super) const DECIMAL: u64 = 14;
    pub(super) const DATE: u64 = 15;
}

/// Numbers of kinds of streams.
const PRESENT: u64 = 0;
const DATA: u64 = 1;
const LENGTH: u64 = 2;
const SECONDARY: u64 = 5;

/// A stream of a stripe.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) kind: u64,
    pub(super) column: u32,
    pub(super) bytes: Vec<u8>,
}

/// A column on its way into a stripe.
#[derive(Debug)]
pub(super) struct Column {
    /// Its number: columns are counted from the root on, each before those inside of it.
    id: u32,
    cells: Cells,
    present: Bits,
    /// Whether a null is in the stripe.
    has_nulls: bool,
    statistics: Statistics,
}

#[derive(Debug)]
enum Cells {
    Boolean(Bits),
    /// Of the type with this number.
    Integer(u64, Runs),
    Float(Vec<u8>),
    Double(Vec<u8>),
    /// Of the type with this number.
    Text(u64, Vec<u8>, Runs),
    Decimal {
        precision: u8,
        scale: i8,
        digits: Vec<u8>,
        scales: Runs,
    },
    Timestamp(Runs, Runs),
    Struct(Vec<(String, Column)>),
    List(Runs, Box<Column>),
    Map(Runs, Box<(Column, Column)>),
}

fn integers(kind: u64) -> Cells {
    Cells::Integer(kind, Runs::new(Element::Signed))
}

fn texts(kind: u64) -> Cells {
    Cells::Text(kind, Vec::new(), Runs::new(Element::Unsigned))
}

impl Column {
    /// The column of a type; `next` is the number that it gets, and afterwards that of the column behind it.
    ///
    /// # Errors
    /// A type that ORC has no form for.
    pub(super) fn new(ty: &DataType, next: &mut u32) -> Result<Self, String> {
        let id = *next;
        *next += 1;
        let cells = match ty {
            DataType::Boolean => Cells::Boolean(Bits::new()),
            DataType::Int8 => Cells::Integer(kind::BYTE, Runs::new(Element::Byte)),
            DataType::Int16 => integers(kind::SHORT),
            DataType::Int32 => integers(kind::INT),
            DataType::Int64 => integers(kind::LONG),
            DataType::Date32 => integers(kind::DATE),
            DataType::Float32 => Cells::Float(Vec::new()),
            DataType::Float64 => Cells::Double(Vec::new()),
            DataType::Utf8 => texts(kind::STRING),
            DataType::Binary => texts(kind::BINARY),
            DataType::Decimal128(precision, scale) => Cells::Decimal {
                precision: *precision,
                scale: *scale,
                digits: Vec::new(),
                scales: Runs::new(Element::Signed),
            },
            DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Time32(TimeUnit::Millisecond) => {
                Cells::Timestamp(Runs::new(Element::Signed), Runs::new(Element::Unsigned))
            }
            DataType::Struct(fields) => {
                let column = |field: &Field, next: &mut u32| {
                    Ok((field.name().clone(), Self::new(field.data_type(), next)?))
                };
                Cells::Struct(fields.iter().map(|field| column(field, next)).collect::<Result<_, String>>()?)
            }
            DataType::List(element) => {
                let element = Self::new(element.data_type(), next)?;
                Cells::List(Runs::new(Element::Unsigned), Box::new(element))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    let mut column = |at: usize| match fields.get(at) {
                        Some(field) => Self::new(field.data_type(), next),
                        None => Err("a map without keys and values".to_owned()),
                    };
                    let columns = (column(0)?, column(1)?);
                    Cells::Map(Runs::new(Element::Unsigned), Box::new(columns))
                }
                other => return Err(format!("a map of {other}")),
            },
            other => return Err(format!("ORC has no form for {other}")),
        };
        let statistics = Statistics::default();
        Ok(Self { id, cells, present: Bits::new(), has_nulls: false, statistics })
    }

    /// Takes those values of `array` that are in `rows`.
    ///
    /// # Errors
    /// Where the array is not of the column's type, which would be a defect.
    pub(super) fn write(&mut self, array: &dyn Array, rows: &[usize]) -> Result<(), String> {
        let mut valid: Vec<usize> = Vec::new();
        let rows = match array.null_count() {
            0 => {
                rows.iter().for_each(|_| self.present.push(true));
                rows
            }
            _ => {
                for &row in rows {
                    let is_there = array.is_valid(row);
                    self.present.push(is_there);
                    if is_there {
                        valid.push(row);
                    } else {
                        self.has_nulls = true;
                        self.statistics.null();
                    }
                }
                &valid
            }
        };
        self.statistics.count(rows.len());
        let wrong = || format!("an array of {} came for another column", array.data_type());
        self.write_valid(array, rows)?.ok_or_else(wrong)
    }

    /// The same for rows without nulls; `None` where the array is of another type.
    fn write_valid(&mut self, array: &dyn Array, rows: &[usize]) -> Result<Option<()>, String> {
        let statistics = &mut self.statistics;
        match &mut self.cells {
            Cells::Boolean(bits) => {
                let Some(array) = array.as_boolean_opt() else { return Ok(None) };
                rows.iter().for_each(|&row| bits.push(array.value(row)));
            }
            Cells::Integer(kind, runs) => {
                let mut take = |value: i64| {
                    runs.push(value);
                    statistics.integer(value);
                };
                let found = match *kind {
                    kind::BYTE => each::<Int8Type>(array, rows, |value| take(value.into())),
                    kind::SHORT => each::<Int16Type>(array, rows, |value| take(value.into())),
                    kind::INT => each::<Int32Type>(array, rows, |value| take(value.into())),
                    kind::DATE => each::<Date32Type>(array, rows, |value| take(value.into())),
                    _ => each::<Int64Type>(array, rows, take),
                };
                return Ok(found);
            }
            Cells::Float(bytes) => {
                return Ok(each::<Float32Type>(array, rows, |value| {
                    bytes.extend_from_slice(&value.to_le_bytes());
                    statistics.double(value.into());
                }));
            }
            Cells::Double(bytes) => {
                return Ok(each::<Float64Type>(array, rows, |value| {
                    bytes.extend_from_slice(&value.to_le_bytes());
                    statistics.double(value);
                }));
            }
            Cells::Text(_, bytes, lengths) => {
                let mut take = |value: &[u8]| {
                    bytes.extend_from_slice(value);
                    lengths.push(length(value.len()));
                };
                if let Some(array) = array.as_string_opt::<i32>() {
                    rows.iter().for_each(|&row| take(array.value(row).as_bytes()));
                } else if let Some(array) = array.as_binary_opt::<i32>() {
                    rows.iter().for_each(|&row| take(array.value(row)));
                } else {
                    return Ok(None);
                }
            }
            Cells::Decimal { scale, digits, scales, .. } => {
                let scale = i64::from(*scale);
                return Ok(each::<Decimal128Type>(array, rows, |value| {
                    write_varint(zigzag(value), digits);
                    scales.push(scale);
                }));
            }
            Cells::Timestamp(seconds, nanos) => {
                let mut take = |millis: i64| {
                    let (whole, rest) = timestamp(millis);
                    seconds.push(whole);
                    nanos.push(rest);
                };
                if let DataType::Time32(_) = array.data_type() {
                    return Ok(each::<Time32MillisecondType>(array, rows, |value| take(value.into())));
                }
                return Ok(each::<TimestampMillisecondType>(array, rows, take));
            }
            Cells::Struct(columns) => {
                let Some(array) = array.as_struct_opt() else { return Ok(None) };
                for ((_, column), values) in columns.iter_mut().zip(array.columns()) {
                    column.write(values.as_ref(), rows)?;
                }
            }
            Cells::List(lengths, element) => {
                let Some(array) = array.as_list_opt::<i32>() else { return Ok(None) };
                let inner = spread(array.value_offsets(), rows, lengths);
                element.write(array.values().as_ref(), &inner)?;
            }
            Cells::Map(lengths, columns) => {
                let Some(array) = array.as_map_opt() else { return Ok(None) };
                let inner = spread(array.value_offsets(), rows, lengths);
                columns.0.write(array.keys().as_ref(), &inner)?;
                columns.1.write(array.values().as_ref(), &inner)?;
            }
        }
        Ok(Some(()))
    }

    fn inner(&self) -> Vec<&Column> {
        match &self.cells {
            Cells::Struct(columns) => columns.iter().map(|(_, column)| column).collect(),
            Cells::List(_, element) => vec![element.as_ref()],
            Cells::Map(_, columns) => vec![&columns.0, &columns.1],
            _ => Vec::new(),
        }
    }

    /// The type of this column and of those inside of it, in the order of their numbers.
    pub(super) fn types(&self, out: &mut Vec<Message>) {
        let number = match &self.cells {
            Cells::Boolean(_) => kind::BOOLEAN,
            Cells::Integer(kind, _) | Cells::Text(kind, ..) => *kind,
            Cells::Float(_) => kind::FLOAT,
            Cells::Double(_) => kind::DOUBLE,
            Cells::Decimal { .. } => kind::DECIMAL,
            Cells::Timestamp(..) => kind::TIMESTAMP,
            Cells::Struct(_) => kind::STRUCT,
            Cells::List(..) => kind::LIST,
            Cells::Map(..) => kind::MAP,
        };
        let inner = self.inner();
        let mut message = Message::default().number(1, number);
        if !inner.is_empty() {
            message = message.packed(2, inner.iter().map(|column| column.id));
        }
        match &self.cells {
            Cells::Struct(columns) => {
                for (name, _) in columns {
                    message = message.bytes(3, name.as_bytes());
                }
            }
            Cells::Decimal { precision, scale, .. } => {
                let scale = u64::try_from(*scale).unwrap_or_default();
                message = message.number(5, u64::from(*precision)).number(6, scale);
            }
            _ => {}
        }
        out.push(message);
        inner.iter().for_each(|column| column.types(out));
    }

    /// The statistics of the file so far, likewise.
    pub(super) fn statistics(&self, out: &mut Vec<Message>) {
        let is_date = matches!(self.cells, Cells::Integer(kind::DATE, _));
        out.push(self.statistics.message(is_date));
        self.inner().iter().for_each(|column| column.statistics(out));
    }

    /// Takes the streams of the stripe, likewise; what comes next is of another stripe.
    pub(super) fn take_streams(&mut self, out: &mut Vec<Stream>) {
        let column = self.id;
        let mut add = |kind: u64, bytes: Vec<u8>| out.push(Stream { kind, column, bytes });
        let present = self.present.take();
        if std::mem::take(&mut self.has_nulls) {
            add(PRESENT, present);
        }
        match &mut self.cells {
            Cells::Boolean(bits) => add(DATA, bits.take()),
            Cells::Integer(_, runs) => add(DATA, runs.take()),
            Cells::Float(bytes) | Cells::Double(bytes) => add(DATA, std::mem::take(bytes)),
            Cells::Text(_, bytes, lengths) => {
                add(DATA, std::mem::take(bytes));
                add(LENGTH, lengths.take());
            }
            Cells::Decimal { digits, scales, .. } => {
                add(DATA, std::mem::take(digits));
                add(SECONDARY, scales.take());
            }
            Cells::Timestamp(seconds, nanos) => {
                add(DATA, seconds.take());
                add(SECONDARY, nanos.take());
            }
            Cells::Struct(columns) => columns.iter_mut().for_each(|(_, column)| column.take_streams(out)),
            Cells::List(lengths, element) => {
                add(LENGTH, lengths.take());
                element.take_streams(out);
            }
            Cells::Map(lengths, columns) => {
                add(LENGTH, lengths.take());
                columns.0.take_streams(out);
                columns.1.take_streams(out);
            }
        }
    }

    /// Bytes of the streams so far.
    pub(super) fn len(&self) -> usize {
        let own = match &self.cells {
            Cells::Boolean(bits) => bits.len(),
            Cells::Integer(_, runs) => runs.len(),
            Cells::Float(bytes) | Cells::Double(bytes) => bytes.len(),
            Cells::Text(_, bytes, runs) => bytes.len() + runs.len(),
            Cells::Decimal { digits, scales, .. } => digits.len() + scales.len(),
            Cells::Timestamp(seconds, nanos) => seconds.len() + nanos.len(),
            Cells::Struct(_) => 0,
            Cells::List(lengths, _) | Cells::Map(lengths, _) => lengths.len(),
        };
        own + self.present.len() + self.inner().iter().map(|column| column.len()).sum::<usize>()
    }
}

/// Hands out the values in `rows`; `None` where the array is of another type.
fn each<T: ArrowPrimitiveType>(
    array: &dyn Array,
    rows: &[usize],
    mut take: impl FnMut(T::Native),
) -> Option<()> {
    let array = array.as_primitive_opt::<T>()?;
    rows.iter().for_each(|&row| take(array.value(row)));
    Some(())
}

fn length(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// Where the elements of lists are that begin and end at `offsets`, with their counts in `lengths`.
fn spread(offsets: &[i32], rows: &[usize], lengths: &mut Runs) -> Vec<usize> {
    let mut inner = Vec::new();
    for &row in rows {
        let at =
            |index: usize| offsets.get(index).and_then(|&at| usize::try_from(at).ok()).unwrap_or_default();
        let range = at(row)..at(row.saturating_add(1));
        lengths.push(length(range.len()));
        inner.extend(range);
    }
    inner
}

/// Seconds from 2015 on, and the fraction in ORC's form: its digits without the zeros at the end, of which the last three
/// bits count those beyond the first.
///
/// Before 1970 seconds with a fraction of a millisecond or more are rounded up, as Java's are, and readers undo it. They do
/// not for the last second before 1970, which all of ORC reads as the first one after it.
fn timestamp(millis: i64) -> (i64, i64) {
    let (mut seconds, millis) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    if seconds < 0 && millis > 0 {
        seconds += 1;
    }
    let (mut digits, mut zeros) = (millis, 6);
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        zeros += 1;
    }
    let nanos = if digits == 0 { 0 } else { digits << 3 | (zeros - 1) };
    (seconds.saturating_sub(EPOCH), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_lose_their_zeros() {
        assert_eq!(timestamp(EPOCH * 1000), (0, 0));
        // 1 ms is 1,000,000 ns: a one and six zeros.
        assert_eq!(timestamp(EPOCH * 1000 + 1), (0, 1 << 3 | 5));
        assert_eq!(timestamp(EPOCH * 1000 + 500), (0, 5 << 3 | 7));
        assert_eq!(timestamp(EPOCH * 1000 + 120), (0, 12 << 3 | 6));
        assert_eq!(timestamp(0), (-EPOCH, 0));
        assert_eq!(timestamp(-1), (-EPOCH, 999 << 3 | 5), "rounded up from -1");
        assert_eq!(timestamp(-1000), (-EPOCH - 1, 0));
    }

    #[test]
    fn columns_are_counted_from_the_outside_in() {
        let list = Field::new("element", DataType::Int32, true);
        let fields = vec![
            Field::new("a", DataType::List(std::sync::Arc::new(list)), true),
            Field::new("b", DataType::Utf8, true),
        ];
        let mut next = 0;
        let column = Column::new(&DataType::Struct(fields.into()), &mut next).unwrap();
        assert_eq!(next, 4);
        let mut types = Vec::new();
        column.types(&mut types);
        assert_eq!(types.len(), 4);
        let root = types.remove(0).into_bytes();
        assert_eq!(root, [8, 12, 18, 2, 1, 3, 26, 1, b'a', 26, 1, b'b']);
        assert!(Column::new(&DataType::Duration(TimeUnit::Second), &mut next).is_err());
    }
}
