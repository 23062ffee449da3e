//! Parquet files: how their row groups are written, and what their footers say.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::ColumnPath;
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use lavka_api::data::Schema;
use lavka_api::{LAVKA_VERSION, Result};
use lavka_avro::Mapping;
use lavka_columnar::Inferred;

use super::column_orders::declare_type_orders;
use super::columns::{ColumnEncoder, ColumnFile, Opener, Then};
use super::dictionary::without_dictionary;

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

/// An encoder for records of `schema`, or of what is `known` of schemaless ones.
///
/// # Errors
/// A data error where such records make no columns.
pub(super) fn encoder(
    settings: &Arc<ParquetSettings>,
    schema: Option<&Schema>,
    known: Option<&Inferred>,
) -> Result<ColumnEncoder> {
    let description = describe(&settings.mapping, schema);
    let own = Arc::clone(settings);
    let open: Opener = Arc::new(move |batch| {
        let open = || {
            let batch = with_a_column(batch.clone())?;
            let properties = own.properties(&batch, description.clone())?;
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))
        };
        open().map(|writer| Box::new(ParquetFile(writer)) as _).map_err(|error| error.to_string())
    });
    ColumnEncoder::new("Parquet", open, schema.or(settings.declared.as_deref()), known)
}

struct ParquetFile(ArrowWriter<Vec<u8>>);

impl ParquetFile {
    fn encode(&mut self, batch: RecordBatch, then: Then) -> Result<Vec<u8>, ParquetError> {
        let writer = &mut self.0;
        writer.write(&with_a_column(batch)?)?;
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
        Ok(bytes)
    }
}

impl ColumnFile for ParquetFile {
    fn write(&mut self, batch: RecordBatch, then: Then) -> Result<Vec<u8>, String> {
        self.encode(batch, then).map_err(|error| error.to_string())
    }

    fn held_back(&self) -> usize {
        self.0.in_progress_size()
    }

    fn memory(&self) -> usize {
        self.0.memory_size()
    }
}

fn with_a_column(batch: RecordBatch) -> Result<RecordBatch, ParquetError> {
    if batch.num_columns() > 0 {
        return Ok(batch);
    }
    let schema: SchemaRef = Arc::new(ArrowSchema::new(vec![Field::new(NO_COLUMN, DataType::Boolean, true)]));
    let nulls = new_null_array(&DataType::Boolean, batch.num_rows());
    Ok(RecordBatch::try_new(schema, vec![nulls])?)
}
