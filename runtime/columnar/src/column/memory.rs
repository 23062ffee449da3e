//! The memory of a column: what its values take, and what is set aside for more.

use arrow_buffer::BooleanBufferBuilder;

use super::{Cells, Column, Texts};

impl Column {
    /// Bytes of the values, roughly.
    pub(crate) fn heap_size(&self) -> usize {
        let len = self.len();
        len / 8
            + match &self.cells {
                Cells::Open => 0,
                Cells::Boolean(_) => len / 8,
                Cells::Int8(_) => len,
                Cells::Int16(_) => 2 * len,
                Cells::Int32(_) | Cells::Float32(_) | Cells::Date(_) | Cells::Time(_) => 4 * len,
                Cells::Int64(_) | Cells::Float64(_) | Cells::Timestamp(_) => 8 * len,
                Cells::Decimal(..) => 16 * len,
                Cells::Utf8(texts) | Cells::Binary(texts) => 4 * len + texts.bytes.len(),
                Cells::List(_, element) => 4 * len + element.heap_size(),
                Cells::Map(_, inner) => 4 * len + inner.keys.heap_size() + inner.values.heap_size(),
                Cells::Record(record) => record.heap_size(),
            }
    }

    /// Bytes set aside, for the values that are there and for more.
    pub(crate) fn reserved(&self) -> usize {
        self.nulls.allocated_size()
            + match &self.cells {
                Cells::Open => 0,
                Cells::Boolean(out) => out.capacity() / 8,
                Cells::Int8(out) => bytes(out),
                Cells::Int16(out) => bytes(out),
                Cells::Int32(out) | Cells::Date(out) | Cells::Time(out) => bytes(out),
                Cells::Float32(out) => bytes(out),
                Cells::Int64(out) | Cells::Timestamp(out) => bytes(out),
                Cells::Float64(out) => bytes(out),
                Cells::Decimal(out, _) => bytes(out),
                Cells::Utf8(texts) | Cells::Binary(texts) => bytes(&texts.ends) + bytes(&texts.bytes),
                Cells::List(ends, element) => bytes(ends) + element.reserved(),
                Cells::Map(ends, inner) => bytes(ends) + inner.keys.reserved() + inner.values.reserved(),
                Cells::Record(record) => record.reserved(),
            }
    }

    /// Gives back what is set aside for more values.
    pub(crate) fn release(&mut self) {
        match &mut self.cells {
            Cells::Open => {}
            Cells::Boolean(out) if out.is_empty() => *out = BooleanBufferBuilder::new(0),
            Cells::Boolean(_) => {}
            Cells::Int8(out) => out.shrink_to_fit(),
            Cells::Int16(out) => out.shrink_to_fit(),
            Cells::Int32(out) | Cells::Date(out) | Cells::Time(out) => out.shrink_to_fit(),
            Cells::Float32(out) => out.shrink_to_fit(),
            Cells::Int64(out) | Cells::Timestamp(out) => out.shrink_to_fit(),
            Cells::Float64(out) => out.shrink_to_fit(),
            Cells::Decimal(out, _) => out.shrink_to_fit(),
            Cells::Utf8(Texts { ends, bytes }) | Cells::Binary(Texts { ends, bytes }) => {
                ends.shrink_to_fit();
                bytes.shrink_to_fit();
            }
            Cells::List(ends, element) => {
                ends.shrink_to_fit();
                element.release();
            }
            Cells::Map(ends, inner) => {
                ends.shrink_to_fit();
                inner.keys.release();
                inner.values.release();
            }
            Cells::Record(record) => record.release(),
        }
    }
}

fn bytes<T>(values: &Vec<T>) -> usize {
    values.capacity().saturating_mul(size_of::<T>())
}
