//! Rows into the bytes of a file.

mod column_orders;
mod json_lines;
mod parquet;

use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Schema, Value};
use lavka_columnar::{Appended, Inferred};

use crate::store::Chunk;
use json_lines::JsonLinesEncoder;
use parquet::ParquetEncoder;
pub(crate) use parquet::{Codec, ParquetSettings};

/// `format.class`.
#[derive(Debug, Clone)]
pub(crate) enum FileFormat {
    Parquet(Arc<ParquetSettings>),
    /// One JSON text a line.
    JsonLines,
}

impl FileFormat {
    /// What file names end with.
    pub(crate) fn extension(&self) -> &'static str {
        match self {
            FileFormat::Parquet(_) => ".parquet",
            FileFormat::JsonLines => ".json",
        }
    }

    /// An encoder for a file of records of `schema`; without one, of what is `known` of their fields.
    ///
    /// # Errors
    /// A data error where such records cannot be written in this format.
    pub(crate) fn encoder(&self, schema: Option<&Schema>, known: Option<&Inferred>) -> Result<Encoder> {
        Ok(match self {
            FileFormat::Parquet(settings) => {
                Encoder::Parquet(Box::new(ParquetEncoder::new(Arc::clone(settings), schema, known)?))
            }
            FileFormat::JsonLines => Encoder::JsonLines(JsonLinesEncoder::new(schema)),
        })
    }
}

/// A file on its way from rows to bytes.
pub(crate) enum Encoder {
    Parquet(Box<ParquetEncoder>),
    JsonLines(JsonLinesEncoder),
}

impl Encoder {
    /// Takes rows until one is refused.
    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        match self {
            Encoder::Parquet(encoder) => encoder.append(rows),
            Encoder::JsonLines(encoder) => encoder.append(rows),
        }
    }

    /// Whether so much is collected that it should be encoded; `room` is what the file may still grow by.
    pub(crate) fn is_ripe(&self, room: u64) -> bool {
        match self {
            Encoder::Parquet(encoder) => encoder.is_ripe(room),
            Encoder::JsonLines(encoder) => encoder.is_ripe(),
        }
    }

    /// Encodes what is collected, with `cut` also what the format would rather hold back (an unfinished row group),
    /// and hands out bytes that are ready. Without `cut` the work goes on after the return.
    ///
    /// # Errors
    /// Where the format refuses the rows, which would be a defect: fatal.
    pub(crate) async fn encode(&mut self, cut: bool) -> Result<Vec<u8>> {
        match self {
            Encoder::Parquet(encoder) => encoder.encode(cut).await,
            Encoder::JsonLines(encoder) => Ok(encoder.take()),
        }
    }

    /// Encodes the rest: the file is complete with these bytes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        match self {
            Encoder::Parquet(encoder) => encoder.finish().await,
            Encoder::JsonLines(encoder) => Ok(encoder.take()),
        }
    }

    /// Bytes of memory in use, roughly.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Encoder::Parquet(encoder) => encoder.memory(),
            Encoder::JsonLines(encoder) => encoder.memory(),
        }
    }

    /// Bytes that are encoded but not handed out yet, roughly.
    pub(crate) fn held_back(&self) -> u64 {
        match self {
            Encoder::Parquet(encoder) => encoder.held_back(),
            Encoder::JsonLines(encoder) => u64::try_from(encoder.held_back()).unwrap_or(u64::MAX),
        }
    }

    /// What was inferred of the records' fields.
    pub(crate) fn inferred(&self) -> Option<&Inferred> {
        match self {
            Encoder::Parquet(encoder) => encoder.inferred(),
            Encoder::JsonLines(_) => None,
        }
    }
}

/// Bytes that are worth a write of their own.
pub(crate) fn chunk(bytes: Vec<u8>) -> Option<Chunk> {
    (!bytes.is_empty()).then(|| Chunk::new(bytes))
}
