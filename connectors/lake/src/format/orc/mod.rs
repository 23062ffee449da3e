//! ORC files (ORC specification v1), as the HDFS sink's `OrcFormat` makes them: compressed with zlib, which is Hive's usual.
//!
//! No writer that the registry has carries its weight: the only one that is kept up brings a second version of all of Arrow,
//! and writes neither nested columns nor decimals nor statistics. What a sink needs of the format is small: every column
//! in its first encoding, which all readers know, streams in chunks of zlib, and footers of Protocol Buffers.
//!
//! ```text
//! ORC                                   magic
//! streams of the columns | footer       for each stripe
//! footer                                types, stripes, statistics
//! postscript | its length               compression, lengths
//! ```
//!
//! There is no index of rows, so readers pass over whole files by the statistics, and not over parts of stripes.

mod column;
mod message;
mod runs;
mod statistics;

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::{RecordBatch, StructArray};
use arrow_schema::DataType;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use lavka_api::Result;
use lavka_api::data::Schema;
use lavka_columnar::Inferred;

use super::columns::{ColumnEncoder, ColumnFile, Opener, Then};
use column::{Column, Stream};
use message::Message;

const MAGIC: &[u8] = b"ORC";
/// Bytes that are compressed at a time.
const CHUNK: usize = 256 * 1024;
/// Bytes of streams, before compression, at which a stripe is written out: ORC's usual.
const STRIPE: usize = 64 * 1024 * 1024;
/// `CompressionKind.ZLIB`.
const ZLIB: u64 = 1;
/// The version of the format: that of Hive 0.12, which has been the last.
const VERSION: [u32; 2] = [0, 12];
/// `ORC_135`: times are in UTC.
const WRITER_VERSION: u64 = 6;
/// Which clock times are by.
const ZONE: &[u8] = b"UTC";

#[derive(Debug)]
pub(crate) struct OrcSettings {
    /// The layout of records without a schema (`lavka.schema=file:`); inferred where there is none.
    pub(crate) declared: Option<Arc<Schema>>,
}

/// An encoder for records of `schema`, or of what is `known` of schemaless ones.
///
/// # Errors
/// A data error where such records make no columns.
pub(super) fn encoder(
    settings: &OrcSettings,
    schema: Option<&Schema>,
    known: Option<&Inferred>,
) -> Result<ColumnEncoder> {
    let open: Opener = Arc::new(|batch| {
        let root = DataType::Struct(batch.schema().fields().clone());
        let root = Column::new(&root, &mut 0)?;
        Ok(Box::new(OrcFile {
            root,
            out: MAGIC.to_vec(),
            written: 0,
            rows: 0,
            stripe_rows: 0,
            stripes: Vec::new(),
        }))
    });
    ColumnEncoder::new("ORC", open, schema.or(settings.declared.as_deref()), known)
}

struct OrcFile {
    root: Column,
    /// Bytes that are ready.
    out: Vec<u8>,
    /// Bytes that were handed out.
    written: u64,
    /// Rows of finished stripes.
    rows: u64,
    /// Rows of the open one.
    stripe_rows: u64,
    /// `StripeInformation` of each.
    stripes: Vec<Message>,
}

impl OrcFile {
    fn take(&mut self, batch: RecordBatch) -> Result<(), String> {
        let rows: Vec<usize> = (0..batch.num_rows()).collect();
        self.root.write(&StructArray::from(batch), &rows)?;
        self.stripe_rows += length(rows.len());
        Ok(())
    }

    fn end_stripe(&mut self) -> std::io::Result<()> {
        let mut streams = Vec::new();
        self.root.take_streams(&mut streams);
        if self.stripe_rows == 0 {
            return Ok(());
        }
        let offset = self.written + length(self.out.len());
        let begin = self.out.len();
        let mut footer = Message::default();
        for Stream { kind, column, bytes } in streams {
            let before = self.out.len();
            compress(&bytes, &mut self.out)?;
            let size = length(self.out.len() - before);
            let stream = Message::default().number(1, kind).number(2, column.into()).number(3, size);
            footer = footer.message(1, &stream);
        }
        let mut types = Vec::new();
        self.root.types(&mut types);
        for _ in types {
            // DIRECT.
            footer = footer.message(2, &Message::default().number(1, 0));
        }
        let data = self.out.len() - begin;
        let footer = footer.bytes(3, ZONE).into_bytes();
        compress(&footer, &mut self.out)?;
        let footer = self.out.len() - begin - data;
        let stripe = Message::default().number(1, offset).number(2, 0).number(3, length(data));
        self.stripes.push(stripe.number(4, length(footer)).number(5, self.stripe_rows));
        self.rows += std::mem::take(&mut self.stripe_rows);
        Ok(())
    }

    fn end_file(&mut self) -> std::io::Result<()> {
        let content = self.written + length(self.out.len());
        let mut footer = Message::default().number(1, length(MAGIC.len())).number(2, content);
        for stripe in &self.stripes {
            footer = footer.message(3, stripe);
        }
        let (mut types, mut statistics) = (Vec::new(), Vec::new());
        self.root.types(&mut types);
        self.root.statistics(&mut statistics);
        for ty in &types {
            footer = footer.message(4, ty);
        }
        footer = footer.number(6, self.rows);
        for column in &statistics {
            footer = footer.message(7, column);
        }
        let footer = footer.number(8, 0).into_bytes();
        let before = self.out.len();
        compress(&footer, &mut self.out)?;
        let postscript = Message::default()
            .number(1, length(self.out.len() - before))
            .number(2, ZLIB)
            .number(3, length(CHUNK))
            .packed(4, VERSION)
            .number(5, 0)
            .number(6, WRITER_VERSION)
            .bytes(8000, MAGIC)
            .into_bytes();
        self.out.extend_from_slice(&postscript);
        // It is far shorter than 256 bytes.
        self.out.push(u8::try_from(postscript.len()).unwrap_or(u8::MAX));
        Ok(())
    }
}

impl ColumnFile for OrcFile {
    fn write(&mut self, batch: RecordBatch, then: Then) -> Result<Vec<u8>, String> {
        self.take(batch)?;
        let mut encode = || {
            if then != Then::GoOn || self.root.len() >= STRIPE {
                self.end_stripe()?;
            }
            if then == Then::Finish {
                self.end_file()?;
            }
            Ok::<_, std::io::Error>(())
        };
        encode().map_err(|error| error.to_string())?;
        self.written += length(self.out.len());
        Ok(std::mem::take(&mut self.out))
    }

    fn held_back(&self) -> usize {
        self.root.len()
    }

    fn memory(&self) -> usize {
        self.root.len()
    }
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Appends `bytes` in chunks, each with its length in three bytes, of which the lowest bit says whether it stayed as it was.
fn compress(bytes: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    for chunk in bytes.chunks(CHUNK) {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(chunk)?;
        let packed = encoder.finish()?;
        let (is_original, body) = if packed.len() < chunk.len() { (0, &packed[..]) } else { (1, chunk) };
        let head = (body.len() << 1 | is_original).to_le_bytes();
        out.extend_from_slice(head.get(..3).unwrap_or_default());
        out.extend_from_slice(body);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_stay_as_they_are_where_compression_gains_nothing() {
        let mut out = Vec::new();
        compress(b"abc", &mut out).unwrap();
        assert_eq!(out, b"\x07\0\0abc");
        out.clear();
        compress(&vec![7; CHUNK + 1], &mut out).unwrap();
        let head = usize::from(out[0]) | usize::from(out[1]) << 8 | usize::from(out[2]) << 16;
        assert_eq!(head & 1, 0);
        assert_eq!(&out[3 + (head >> 1)..], b"\x03\0\0\x07");
        out.clear();
        compress(b"", &mut out).unwrap();
        assert!(out.is_empty());
    }
}
