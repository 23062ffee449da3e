//! Objects beside those with the values: the keys of the same records (`store.kafka.keys`) and their headers
//! (`store.kafka.headers`), row for row.
//!
//! What is in them is what the S3 sink writes (`RecordViews`): keys as they are, in Parquet as the field `key` of a record
//! `RecordKey`; headers as a list of names and texts, in Parquet and JSON as the field `headers` of a record
//! `RecordHeaders`.

use std::sync::Arc;

use lavka_api::data::{Datum, Object, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::java::connect_text;
use lavka_api::{Error, Result};

use crate::format::{Compression, FileFormat, LineKind};

/// What of its records an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Value,
    Key,
    Headers,
}

impl View {
    /// What stands before the extension of the format in names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            View::Value => "",
            View::Key => ".keys",
            View::Headers => ".headers",
        }
    }

    /// Whether what follows the offset in a name is that of a companion.
    pub(crate) fn is_companion(extension: &str) -> bool {
        [View::Key, View::Headers].into_iter().any(|view| {
            extension
                .strip_prefix(view.extension())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Where a refusal of a row is about, in error texts.
    pub(crate) fn place(self) -> &'static str {
        match self {
            View::Value => "",
            View::Key => "the key: ",
            View::Headers => "the headers: ",
        }
    }
}

/// How objects of a view are written.
#[derive(Debug, Clone)]
pub(crate) struct ViewFormat {
    pub(crate) format: FileFormat,
    /// What their bytes go through.
    pub(crate) compression: Option<Compression>,
}

/// Which companions there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompanionFormats {
    pub(crate) keys: Option<ViewFormat>,
    pub(crate) headers: Option<ViewFormat>,
}

impl CompanionFormats {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_none() && self.headers.is_none()
    }

    pub(crate) fn of(&self, view: View) -> Option<&ViewFormat> {
        match view {
            View::Value => None,
            View::Key => self.keys.as_ref(),
            View::Headers => self.headers.as_ref(),
        }
    }
}

/// A record's rows in the companions that there are.
#[derive(Debug, Default)]
pub(crate) struct CompanionRow {
    pub(crate) key: Option<Value>,
    pub(crate) headers: Option<Value>,
}

/// Makes the rows of a topic partition.
pub(crate) struct Companions {
    formats: Arc<CompanionFormats>,
    headers: HeaderSchemas,
    /// The schema of keys in the open objects, and the record around it where there is one.
    keys: Option<KeySchema>,
}

/// The schema of the keys of open objects.
struct KeySchema {
    key: Option<Schema>,
    row: Option<Schema>,
}

struct HeaderSchemas {
    header: Schema,
    list: Schema,
    record: Schema,
}

impl HeaderSchemas {
    fn new() -> Result<Self> {
        let text = || Schema::of(Type::String);
        let header = Schema::structure().field("key", text()).field("value", text()).build()?;
        let list = Schema::array(header.clone());
        let record = Schema::structure().name("RecordHeaders").field("headers", list.clone()).build()?;
        Ok(Self { header, list, record })
    }
}

/// How the S3 sink names a record in its error texts.
fn named(record: &SinkRecord) -> String {
    let origin = &record.origin;
    format!(
        "SinkRecord{{kafkaOffset={}, topic='{}', kafkaPartition={}}}",
        origin.offset, origin.topic, origin.partition
    )
}

impl Companions {
    /// # Errors
    /// None in practice: the schema of headers is a fixed one.
    pub(crate) fn new(formats: Arc<CompanionFormats>) -> Result<Self> {
        Ok(Self { formats, headers: HeaderSchemas::new()?, keys: None })
    }

    /// Whether the key of `record` has the schema of those in the open objects; where not, these have to be finished before
    /// it, because an object has one schema.
    pub(crate) fn takes(&mut self, record: &SinkRecord) -> bool {
        if self.formats.keys.is_none() {
            return true;
        }
        let schema = record.record.key.schema.as_ref();
        match (&mut self.keys, schema) {
            (None, _) => false,
            (Some(KeySchema { key: None, .. }), None) => true,
            (Some(KeySchema { key: Some(known), .. }), Some(schema)) => {
                known.same(schema) || {
                    let equal = known == schema;
                    if equal {
                        // The pointer of later records is compared faster.
                        known.clone_from(schema);
                    }
                    equal
                }
            }
            _ => false,
        }
    }

    /// The objects that are opened from now on take keys of the schema that the one of `record` has.
    ///
    /// # Errors
    /// A data error where no record can be made around such keys.
    pub(crate) fn begin(&mut self, record: &SinkRecord) -> Result<()> {
        let key = record.record.key.schema.clone();
        let row = match &key {
            Some(key) if self.envelops(View::Key) => {
                Some(Schema::structure().name("RecordKey").field("key", key.clone()).build()?)
            }
            key => key.clone(),
        };
        self.keys = Some(KeySchema { key, row });
        Ok(())
    }

    /// The schema of rows of `view` in objects that are opened now.
    pub(crate) fn schema(&self, view: View) -> Option<&Schema> {
        match view {
            View::Value => None,
            View::Key => self.keys.as_ref()?.row.as_ref(),
            View::Headers if self.envelops(View::Headers) => Some(&self.headers.record),
            View::Headers => Some(&self.headers.list),
        }
    }

    /// Whether rows are records with the only field `key` or `headers`.
    fn envelops(&self, view: View) -> bool {
        match self.formats.of(view).map(|view| &view.format) {
            Some(FileFormat::Parquet(_)) => true,
            Some(FileFormat::Lines(lines)) => {
                view == View::Headers && matches!(lines.kind, LineKind::Json(_))
            }
            _ => false,
        }
    }

    /// Whether `record` has what the companions are to have.
    ///
    /// # Errors
    /// A data error where it has no key or no headers, as in the S3 sink.
    pub(crate) fn check(&self, record: &SinkRecord) -> Result<()> {
        if self.formats.keys.is_some() && record.record.key.value.is_null() {
            return Err(Error::data(format!("Key cannot be null for SinkRecord: {}", named(record))));
        }
        if self.formats.headers.is_some() && record.record.headers.is_empty() {
            return Err(Error::data(format!("Headers cannot be null for SinkRecord: {}", named(record))));
        }
        Ok(())
    }

    /// The rows of `record`, which was [checked](Self::check), and whose key the open objects [take](Self::takes).
    ///
    /// # Errors
    /// A data error where a header has no value.
    pub(crate) fn row(&self, record: &SinkRecord) -> Result<CompanionRow> {
        let key = self.formats.keys.is_some().then(|| self.key(&record.record.key));
        let headers = self.formats.headers.is_some().then(|| self.headers(record));
        Ok(CompanionRow { key: key.transpose()?, headers: headers.transpose()? })
    }

    fn key(&self, key: &Datum) -> Result<Value> {
        if !self.envelops(View::Key) {
            return Ok(key.value.clone());
        }
        match self.schema(View::Key) {
            Some(schema) => Ok(Struct::new(schema.clone(), [key.value.clone()])?.into()),
            None => Ok(Object::from_entries([("key", key.value.clone())]).into()),
        }
    }

    fn headers(&self, record: &SinkRecord) -> Result<Value> {
        let mut list = Vec::with_capacity(record.record.headers.iter().len());
        for header in record.record.headers.iter() {
            let text = match &header.datum.value {
                Value::Null => Value::Null,
                value => connect_text(value).into(),
            };
            list.push(Struct::new(self.headers.header.clone(), [header.key.clone().into(), text])?.into());
        }
        let list = Value::from(list);
        if self.envelops(View::Headers) {
            return Ok(Struct::new(self.headers.record.clone(), [list])?.into());
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_companions() {
        for (extension, want) in [
            (".keys.avro", true),
            (".headers.snappy.parquet", true),
            (".keys", true),
            (".keysavro", false),
            (".avro", false),
            (".bin.keys", false),
        ] {
            assert_eq!(View::is_companion(extension), want, "{extension}");
        }
    }
}
