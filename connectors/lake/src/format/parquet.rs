//! Parquet: rows are collected in columns, encoded into row groups on the blocking pool, and handed out as bytes.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use lavka_api::data::{Schema, Value};
use lavka_api::{Error, LAVKA_VERSION, Result};
use lavka_columnar::{Appended, BatchBuilder, Inferred};
use tokio::task::JoinHandle;

use super::column_orders::declare_type_orders;

/// Rows of a known layout that are encoded at a time, so that encoding keeps pace with what arrives.
const BATCH_ROWS: usize = 8192;
/// Rows that are held before the first of an inferred layout is encoded: from then on the file's columns are fixed.
const INFERRED_ROWS: usize = 65_536;
/// Bytes at which rows are encoded in any case.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Below this many bytes a batch is not worth encoding only to know the file's size better.
const MIN_BATCH_BYTES: usize = 64 * 1024;

/// The only column of a file whose records have no value at all, always null: Parquet has no rows without columns.
const NO_COLUMN: &str = "_";

/// `parquet.codec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd(i32),
}

#[derive(Debug)]
pub(crate) struct ParquetSettings {
    pub(crate) codec: Codec,
    pub(crate) row_group_bytes: usize,
    /// The layout of records without a schema (`lavka.schema=file:`); inferred where there is none.
    pub(crate) declared: Option<Arc<Schema>>,
}

impl ParquetSettings {
    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let compression = match self.codec {
            Codec::None => Compression::UNCOMPRESSED,
            Codec::Snappy => Compression::SNAPPY,
            Codec::Gzip => Compression::GZIP(GzipLevel::default()),
            Codec::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        Ok(WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(true)
            .set_max_row_group_bytes(Some(self.row_group_bytes))
            .set_created_by(format!("lavka version {LAVKA_VERSION}"))
            .build())
    }
}

pub(crate) struct ParquetEncoder {
    settings: Arc<ParquetSettings>,
    builder: BatchBuilder,
    stage: Stage,
    /// Bytes of the batch that is being encoded.
    under_way: usize,
    /// The writer's own figures after the last batch.
    held_back: usize,
    memory: usize,
}

enum Stage {
    /// Nothing was encoded yet, so an inferred layout may still change.
    Unopened,
    Idle(Box<ArrowWriter<Vec<u8>>>),
    Encoding(JoinHandle<Result<Encoded>>),
    /// The writer went with a call that was cancelled, or the file is complete.
    Gone,
}

/// What a job on the blocking pool brings back.
struct Encoded {
    writer: Box<ArrowWriter<Vec<u8>>>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Leave the row group open.
    GoOn,
    /// Write out the row group.
    Cut,
    /// Write out the row group and the footer.
    Finish,
}

impl ParquetEncoder {
    pub(crate) fn new(
        settings: Arc<ParquetSettings>,
        schema: Option<&Schema>,
        known: Option<&Inferred>,
    ) -> Result<Self> {
        let builder = match schema.or(settings.declared.as_deref()) {
            Some(schema) => BatchBuilder::declared(schema)?,
            None => BatchBuilder::inferred(known),
        };
        Ok(Self { settings, builder, stage: Stage::Unopened, under_way: 0, held_back: 0, memory: 0 })
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        self.builder.append(rows)
    }

    pub(crate) fn inferred(&self) -> Option<&Inferred> {
        self.builder.inferred_layout()
    }

    pub(crate) fn is_ripe(&self, room: u64) -> bool {
        let open = matches!(self.stage, Stage::Unopened) && self.builder.inferred_layout().is_some();
        let rows = if open { INFERRED_ROWS } else { BATCH_ROWS };
        let bytes = usize::try_from(room).unwrap_or(usize::MAX).clamp(MIN_BATCH_BYTES, BATCH_BYTES);
        self.builder.rows() >= rows || self.builder.heap_size() >= bytes
    }

    pub(crate) fn memory(&self) -> usize {
        self.builder.reserved() + self.under_way + self.memory
    }

    pub(crate) fn held_back(&self) -> u64 {
        u64::try_from(self.held_back).unwrap_or(u64::MAX)
    }

    pub(crate) async fn encode(&mut self, cut: bool) -> Result<Vec<u8>> {
        let mut bytes = self.settle().await?;
        self.start(if cut { Then::Cut } else { Then::GoOn })?;
        if cut {
            bytes.append(&mut self.settle().await?);
        }
        Ok(bytes)
    }

    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        let mut bytes = self.settle().await?;
        self.start(Then::Finish)?;
        bytes.append(&mut self.settle().await?);
        self.stage = Stage::Gone;
        self.memory = 0;
        self.held_back = 0;
        Ok(bytes)
    }

    /// Waits for the batch that is being encoded and takes the bytes that came of it.
    async fn settle(&mut self) -> Result<Vec<u8>> {
        let Stage::Encoding(job) = &mut self.stage else { return Ok(Vec::new()) };
        let outcome = job.await;
        self.stage = Stage::Gone;
        self.under_way = 0;
        let encoded = outcome.map_err(|error| Error::fatal(format!("encoding was cut off: {error}")))??;
        self.held_back = encoded.writer.in_progress_size();
        self.memory = encoded.writer.memory_size();
        self.stage = Stage::Idle(encoded.writer);
        Ok(encoded.bytes)
    }

    /// Gives the collected rows to the blocking pool.
    fn start(&mut self, then: Then) -> Result<()> {
        let writer = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Unopened => None,
            Stage::Idle(writer) => Some(writer),
            Stage::Encoding(_) | Stage::Gone => {
                return Err(Error::fatal("a file was cut off while it was being encoded; restart the task"));
            }
        };
        self.under_way = self.builder.heap_size();
        let batch = self.builder.finish()?;
        if then != Then::GoOn {
            // Rows are cut off where memory is short, and a finished file has no more.
            self.builder.release();
        }
        let settings = Arc::clone(&self.settings);
        self.stage = Stage::Encoding(tokio::task::spawn_blocking(move || {
            write(writer, &settings, batch, then)
                .map_err(|error| Error::fatal(format!("cannot encode rows as Parquet: {error}")))
        }));
        Ok(())
    }
}

fn write(
    writer: Option<Box<ArrowWriter<Vec<u8>>>>,
    settings: &ParquetSettings,
    batch: RecordBatch,
    then: Then,
) -> Result<Encoded, ParquetError> {
    let batch = with_a_column(batch)?;
    let mut writer = match writer {
        Some(writer) => writer,
        None => Box::new(ArrowWriter::try_new(Vec::new(), batch.schema(), Some(settings.properties()?))?),
    };
    writer.write(&batch)?;
    let mut columns = 0;
    match then {
        Then::GoOn => {}
        Then::Cut => writer.flush()?,
        Then::Finish => {
            let metadata = writer.finish()?;
            columns = metadata.file_metadata().schema_descr().num_columns();
        }
    }
    writer.sync()?;
    let mut bytes = std::mem::take(writer.inner_mut());
    if then == Then::Finish {
        declare_type_orders(&mut bytes, columns);
    }
    Ok(Encoded { writer, bytes })
}

fn with_a_column(batch: RecordBatch) -> Result<RecordBatch, ParquetError> {
    if batch.num_columns() > 0 {
        return Ok(batch);
    }
    let schema: SchemaRef = Arc::new(ArrowSchema::new(vec![Field::new(NO_COLUMN, DataType::Boolean, true)]));
    let nulls = new_null_array(&DataType::Boolean, batch.num_rows());
    Ok(RecordBatch::try_new(schema, vec![nulls])?)
}
