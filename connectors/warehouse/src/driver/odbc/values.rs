//! The values of a column in the C type that they are bound as.

use std::num::NonZeroUsize;

use odbc_api::buffers::BufferDesc;
use odbc_api::sys::{Date, Time, Timestamp};
use odbc_api::{BindParamDesc, Bit, DataType};

use crate::table::ColumnKind;

/// The longest text that is bound as `VARCHAR`, and not as a long one.
const MAX_VARCHAR: usize = 4000;

/// How the values of a column are bound.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Bit(Vec<Option<Bit>>),
    Int(Vec<Option<i64>>),
    Float32(Vec<Option<f32>>),
    Float64(Vec<Option<f64>>),
    Date(Vec<Option<Date>>),
    Time(Vec<Option<Time>>),
    Timestamp(Vec<Option<Timestamp>>),
    Text(Pieces<u16>, TextType),
    Bytes(Pieces<u8>),
}

/// What the texts of a column stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextType {
    Text,
    /// Numbers with so many digits and so many of them behind the point.
    Decimal(usize, usize),
}

/// Values of different lengths behind one another.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces<T> {
    units: Vec<T>,
    /// Where each begins and ends.
    places: Vec<Option<(usize, usize)>>,
    pub(super) longest: usize,
}

impl<T> Pieces<T> {
    pub(super) fn push(&mut self, piece: Option<impl Iterator<Item = T>>) {
        let place = piece.map(|piece| {
            let start = self.units.len();
            self.units.extend(piece);
            self.longest = self.longest.max(self.units.len() - start);
            (start, self.units.len())
        });
        self.places.push(place);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&[T]>> {
        self.places.iter().map(|place| place.and_then(|(start, end)| self.units.get(start..end)))
    }
}

impl Values {
    /// One text.
    pub(super) fn text(text: &str) -> Self {
        let mut pieces = Pieces::default();
        pieces.push(Some(text.encode_utf16()));
        Values::Text(pieces, TextType::Text)
    }

    /// Nothing but nulls, of the column's own type.
    pub(super) fn nulls(kind: &ColumnKind, count: usize) -> Self {
        let pieces = || (0..count).map(|_| None);
        match kind {
            ColumnKind::Boolean => Values::Bit(vec![None; count]),
            ColumnKind::Int8
            | ColumnKind::Int16
            | ColumnKind::Int32
            | ColumnKind::Float64
            | ColumnKind::Float32 => Values::Float64(vec![None; count]),
            ColumnKind::Date => Values::Date(vec![None; count]),
            ColumnKind::Time => Values::Time(vec![None; count]),
            ColumnKind::Timestamp | ColumnKind::TimestampTz => Values::Timestamp(vec![None; count]),
            ColumnKind::Bytes | ColumnKind::Geometry | ColumnKind::Bits => {
                Values::Bytes(Pieces { places: pieces().collect(), ..Pieces::default() })
            }
            _ => Values::Text(Pieces { places: pieces().collect(), ..Pieces::default() }, TextType::Text),
        }
    }

    /// How the buffer is made and bound.
    pub(super) fn description(&self) -> BindParamDesc {
        let nullable = true;
        let bound = |buffer_desc, data_type| BindParamDesc { buffer_desc, data_type };
        match self {
            Values::Bit(_) => bound(BufferDesc::Bit { nullable }, DataType::Bit),
            Values::Int(_) => bound(BufferDesc::I64 { nullable }, DataType::BigInt),
            Values::Float32(_) => bound(BufferDesc::F32 { nullable }, DataType::Real),
            Values::Float64(_) => bound(BufferDesc::F64 { nullable }, DataType::Double),
            Values::Date(_) => bound(BufferDesc::Date { nullable }, DataType::Date),
            Values::Time(_) => bound(BufferDesc::Time { nullable }, DataType::Time { precision: 0 }),
            Values::Timestamp(_) => {
                bound(BufferDesc::Timestamp { nullable }, DataType::Timestamp { precision: 6 })
            }
            Values::Text(pieces, ty) => {
                let max_str_len = pieces.longest.max(1);
                let length = NonZeroUsize::new(max_str_len);
                let data_type = match *ty {
                    TextType::Decimal(precision, scale) => {
                        DataType::Numeric { precision, scale: i16::try_from(scale).unwrap_or(0) }
                    }
                    TextType::Text if max_str_len <= MAX_VARCHAR => DataType::WVarchar { length },
                    TextType::Text => DataType::WLongVarchar { length },
                };
                bound(BufferDesc::WText { max_str_len }, data_type)
            }
            Values::Bytes(pieces) => {
                let max_bytes = pieces.longest.max(1);
                let length = NonZeroUsize::new(max_bytes);
                let data_type = if max_bytes <= MAX_VARCHAR {
                    DataType::Varbinary { length }
                } else {
                    DataType::LongVarbinary { length }
                };
                bound(BufferDesc::Binary { max_bytes }, data_type)
            }
        }
    }
}
