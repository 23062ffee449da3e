//! Parquet: rows are collected in columns, encoded into row groups on the blocking pool, and handed out as bytes.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::ColumnPath;
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use lavka_api::data::{Schema, Value};
use lavka_api::{Error, LAVKA_VERSION, Result};
use lavka_avro::Mapping;
use lavka_columnar::{Appended, BatchBuilder, Inferred};
use tokio::task::JoinHandle;

use super::column_orders::declare_type_orders;
use super::dictionary::without_dictionary;

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

/// Key of the footer's metadata under which parquet-avro keeps the schema of records.
pub(crate) const AVRO_SCHEMA: &str = "parquet.avro.schema";

/// `parquet.codec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd(i32),
}

/// `lavka.parquet.bloom.filter.columns`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BloomFilters {
    /// Columns by the dotted paths of their fields.
    pub(crate) columns: Vec<String>,
    /// Different values that a row group is expected to have.
    pub(crate) distinct: u64,
}

#[derive(Debug)]
pub(crate) struct ParquetSettings {
    pub(crate) codec: Codec,
    /// What file names end with.
    pub(crate) extension: String,
    pub(crate) row_group_bytes: usize,
    pub(crate) page_bytes: usize,
    pub(crate) bloom_filters: BloomFilters,
    /// The layout of records without a schema (`lavka.schema=file:`); inferred where there is none.
    pub(crate) declared: Option<Arc<Schema>>,
    /// How the schema of records is described in the footer.
    pub(crate) mapping: Mapping,
}

impl ParquetSettings {
    /// The properties of a file that begins with `batch`; `description` is what [`describe`] says of its records.
    fn properties(
        &self,
        batch: &RecordBatch,
        description: Option<String>,
    ) -> Result<WriterProperties, ParquetError> {
        let compression = match self.codec {
            Codec::None => Compression::UNCOMPRESSED,
            Codec::Snappy => Compression::SNAPPY,
            Codec::Gzip => Compression::GZIP(GzipLevel::default()),
            Codec::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(true)
            .set_data_page_size_limit(self.page_bytes)
            .set_max_row_group_bytes(Some(self.row_group_bytes))
            .set_created_by(format!("lavka version {LAVKA_VERSION}"));
        for column in without_dictionary(batch) {
            properties = properties.set_column_dictionary_enabled(column, false);
        }
        for column in &self.bloom_filters.columns {
            let path = ColumnPath::new(column.split('.').map(str::to_owned).collect());
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, self.bloom_filters.distinct);
        }
        if let Some(schema) = description {
            let entry = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
            let entries = vec![entry(AVRO_SCHEMA, &schema), entry("writer.model.name", "avro")];
            properties = properties.set_key_value_metadata(Some(entries));
        }
        Ok(properties.build())
    }
}

/// The schema of the records of a file, as the Java sinks leave it in the footer: as text of Avro, from which they know
/// what a file holds whose partition they take over. Where Avro has no form for it, nothing is said.
fn describe(mapping: &Mapping, schema: Option<&Schema>) -> Option<String> {
    Some(mapping.to_avro(Some(schema?)).ok()?.to_string())
}

pub(crate) struct ParquetEncoder {
    settings: Arc<ParquetSettings>,
    /// What the footer says of the records' schema.
    description: Option<String>,
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
        let description = describe(&settings.mapping, schema);
        Ok(Self {
            settings,
            description,
            builder,
            stage: Stage::Unopened,
            under_way: 0,
            held_back: 0,
            memory: 0,
        })
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
        let description = if writer.is_none() { self.description.take() } else { None };
        self.stage = Stage::Encoding(tokio::task::spawn_blocking(move || {
            write(writer, &settings, description, batch, then)
                .map_err(|error| Error::fatal(format!("cannot encode rows as Parquet: {error}")))
        }));
        Ok(())
    }
}

fn write(
    writer: Option<Box<ArrowWriter<Vec<u8>>>>,
    settings: &ParquetSettings,
    description: Option<String>,
    batch: RecordBatch,
    then: Then,
) -> Result<Encoded, ParquetError> {
    let batch = with_a_column(batch)?;
    let mut writer = match writer {
        Some(writer) => writer,
        None => {
            let properties = settings.properties(&batch, description)?;
            Box::new(ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?)
        }
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
