//! Rows into the bytes of a file.

mod avro;
mod column_orders;
mod columns;
mod compression;
mod csv;
mod dictionary;
mod lines;
mod orc;
mod parquet;

use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Schema, Value};
use lavka_columnar::{Appended, Inferred};

use crate::store::Chunk;
use avro::AvroEncoder;
pub(crate) use avro::{AvroCodec, AvroSettings, MAGIC as AVRO_MAGIC};
use columns::ColumnEncoder;
pub(crate) use compression::Compression;
use compression::Compressor;
use lines::LineEncoder;
pub(crate) use lines::{Frame, LineKind, LineSettings};
pub(crate) use orc::OrcSettings;
pub(crate) use parquet::{AVRO_SCHEMA, BloomFilters, Codec, ParquetSettings};

/// `format.class`.
#[derive(Debug, Clone)]
pub(crate) enum FileFormat {
    Parquet(Arc<ParquetSettings>),
    Orc(Arc<OrcSettings>),
    Avro(Arc<AvroSettings>),
    /// One record after the other.
    Lines(Arc<LineSettings>),
}

impl FileFormat {
    /// What file names end with.
    pub(crate) fn extension(&self) -> &str {
        match self {
            FileFormat::Parquet(settings) => &settings.extension,
            FileFormat::Orc(_) => ".orc",
            FileFormat::Avro(_) => ".avro",
            FileFormat::Lines(settings) => &settings.extension,
        }
    }

    /// An encoder for a file of records of `schema`; without one, of what is `known` of their fields. All its bytes go
    /// through `compression`. `marker`: random bytes of this file's own.
    ///
    /// # Errors
    /// A data error where such records cannot be written in this format.
    pub(crate) fn encoder(
        &self,
        schema: Option<&Schema>,
        known: Option<&Inferred>,
        compression: Option<Compression>,
        marker: [u8; 16],
    ) -> Result<Encoder> {
        let rows = match self {
            FileFormat::Parquet(settings) => {
                Rows::Columns(Box::new(parquet::encoder(settings, schema, known)?))
            }
            FileFormat::Orc(settings) => Rows::Columns(Box::new(orc::encoder(settings, schema, known)?)),
            FileFormat::Avro(settings) => {
                Rows::Avro(Box::new(AvroEncoder::new(Arc::clone(settings), schema, marker)?))
            }
            FileFormat::Lines(settings) => Rows::Lines(Box::new(LineEncoder::new(settings, schema)?)),
        };
        Ok(Encoder { rows, compressor: compression.map(Compressor::new).transpose()? })
    }
}

/// A file on its way from rows to bytes.
pub(crate) struct Encoder {
    rows: Rows,
    /// What all its bytes go through.
    compressor: Option<Compressor>,
}

enum Rows {
    Columns(Box<ColumnEncoder>),
    Avro(Box<AvroEncoder>),
    Lines(Box<LineEncoder>),
}

impl Encoder {
    /// Takes rows until one is refused.
    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        match &mut self.rows {
            Rows::Columns(encoder) => encoder.append(rows),
            Rows::Avro(encoder) => encoder.append(rows),
            Rows::Lines(encoder) => encoder.append(rows),
        }
    }

    /// Takes back the last `count` rows of the last call of [`append`](Self::append), behind which nothing else was called.
    pub(crate) fn take_back(&mut self, count: usize) {
        match &mut self.rows {
            Rows::Columns(encoder) => encoder.take_back(count),
            Rows::Avro(encoder) => encoder.take_back(count),
            Rows::Lines(encoder) => encoder.take_back(count),
        }
    }

    /// Whether so much is collected that it should be encoded; `room` is what the file may still grow by.
    pub(crate) fn is_ripe(&self, room: u64) -> bool {
        match &self.rows {
            Rows::Columns(encoder) => encoder.is_ripe(room),
            Rows::Avro(encoder) => encoder.is_ripe(room),
            Rows::Lines(encoder) => encoder.is_ripe(),
        }
    }

    /// Encodes what is collected, with `cut` also what the format would rather hold back (an unfinished row group),
    /// and hands out bytes that are ready. Without `cut` the work goes on after the return.
    ///
    /// # Errors
    /// Where the format refuses the rows, which would be a defect, or an earlier call was cut off: fatal.
    pub(crate) async fn encode(&mut self, cut: bool) -> Result<Vec<u8>> {
        let bytes = match &mut self.rows {
            Rows::Columns(encoder) => encoder.encode(cut).await?,
            Rows::Avro(encoder) => encoder.encode(cut).await?,
            Rows::Lines(encoder) => encoder.take(),
        };
        match &mut self.compressor {
            Some(compressor) => compressor.compress(bytes).await,
            None => Ok(bytes),
        }
    }

    /// Encodes the rest: the file is complete with these bytes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        let bytes = match &mut self.rows {
            Rows::Columns(encoder) => encoder.finish().await?,
            Rows::Avro(encoder) => encoder.encode(true).await?,
            Rows::Lines(encoder) => encoder.finish(),
        };
        let Some(compressor) = &mut self.compressor else { return Ok(bytes) };
        let mut bytes = compressor.compress(bytes).await?;
        bytes.append(&mut compressor.finish().await?);
        Ok(bytes)
    }

    /// Bytes of memory in use, roughly.
    pub(crate) fn memory(&self) -> usize {
        let rows = match &self.rows {
            Rows::Columns(encoder) => encoder.memory(),
            Rows::Avro(encoder) => encoder.memory(),
            Rows::Lines(encoder) => encoder.memory(),
        };
        rows + self.compressor.as_ref().map_or(0, Compressor::memory)
    }

    /// Bytes that are encoded but not handed out yet, roughly.
    pub(crate) fn held_back(&self) -> u64 {
        match &self.rows {
            Rows::Columns(encoder) => encoder.held_back(),
            Rows::Avro(encoder) => u64::try_from(encoder.held_back()).unwrap_or(u64::MAX),
            Rows::Lines(encoder) => u64::try_from(encoder.held_back()).unwrap_or(u64::MAX),
        }
    }

    /// What was inferred of the records' fields.
    pub(crate) fn inferred(&self) -> Option<&Inferred> {
        match &self.rows {
            Rows::Columns(encoder) => encoder.inferred(),
            Rows::Avro(_) | Rows::Lines(_) => None,
        }
    }
}

/// Bytes that are worth a write of their own.
pub(crate) fn chunk(bytes: Vec<u8>) -> Option<Chunk> {
    (!bytes.is_empty()).then(|| Chunk::from(bytes))
}
