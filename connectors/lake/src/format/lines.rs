//! Formats in which a file is one record after the other: JSON, text and bytes, each with what ends it, and CSV.

use std::sync::Arc;

use lavka_api::data::{Schema, Value};
use lavka_api::{Error, Result};
use lavka_columnar::{Appended, Refusal};
use lavka_converters::json::{JsonWriter, WriteOptions};

use super::csv::CsvWriter;
use super::gzip::Gzip;

/// Collected bytes that are worth a write.
const WRITE_BYTES: usize = 1024 * 1024;

/// What stands for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A JSON text as JsonConverter writes it without an envelope, and a line break.
    Json(WriteOptions),
    /// The text of a string, and a line break.
    Text,
    /// The bytes as they are, and this after each.
    Bytes(Arc<[u8]>),
    /// A row of RFC 4180 below a header with the fields' names.
    Csv,
}

impl LineKind {
    fn extension(&self) -> &'static str {
        match self {
            LineKind::Json(_) => ".json",
            LineKind::Text => ".txt",
            LineKind::Bytes(_) => ".bin",
            LineKind::Csv => ".csv",
        }
    }
}

#[derive(Debug)]
pub(crate) struct LineSettings {
    pub(crate) kind: LineKind,
    /// What file names end with.
    pub(crate) extension: String,
    /// The level of gzip, where files are compressed.
    pub(crate) gzip: Option<u32>,
}

impl LineSettings {
    /// Files of `kind` as they are called by default; `extension` replaces the kind's own.
    pub(crate) fn new(kind: LineKind, extension: Option<&str>, gzip: Option<u32>) -> Self {
        let extension = extension.unwrap_or(kind.extension());
        let suffix = if gzip.is_some() { ".gz" } else { "" };
        Self { extension: format!("{extension}{suffix}"), kind, gzip }
    }
}

/// What writes one record after the other.
enum Writer {
    Json(JsonWriter),
    Text,
    Bytes(Arc<[u8]>),
    Csv(CsvWriter),
}

pub(crate) struct LineEncoder {
    writer: Writer,
    schema: Option<Schema>,
    lines: Vec<u8>,
    gzip: Option<Gzip>,
}

impl LineEncoder {
    /// # Errors
    /// A data error where records of `schema` are not rows.
    pub(crate) fn new(settings: &LineSettings, schema: Option<&Schema>) -> Result<Self> {
        let writer = match &settings.kind {
            LineKind::Json(options) => Writer::Json(JsonWriter::new(*options, 1)),
            LineKind::Text => Writer::Text,
            LineKind::Bytes(end) => Writer::Bytes(Arc::clone(end)),
            LineKind::Csv => Writer::Csv(CsvWriter::new(schema)?),
        };
        let gzip = settings.gzip.map(Gzip::new);
        Ok(Self { writer, schema: schema.cloned(), lines: Vec::new(), gzip })
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        for (i, row) in rows.iter().enumerate() {
            let before = self.lines.len();
            if let Err(refusal) = self.write(row) {
                self.lines.truncate(before);
                return Appended { rows: i, refusal: Some(refusal) };
            }
        }
        Appended { rows: rows.len(), refusal: None }
    }

    fn write(&mut self, row: &Value) -> Result<(), Refusal> {
        let lines = &mut self.lines;
        match (&mut self.writer, row) {
            (Writer::Json(json), row) => {
                json.write(self.schema.as_ref(), row, lines).map_err(Refusal::Row)?;
                lines.push(b'\n');
            }
            (Writer::Csv(csv), row) => csv.write(row, lines)?,
            (Writer::Text, Value::String(text)) => {
                lines.extend_from_slice(text.as_bytes());
                lines.push(b'\n');
            }
            (Writer::Bytes(end), Value::Bytes(bytes)) => {
                lines.extend_from_slice(bytes);
                lines.extend_from_slice(end);
            }
            (Writer::Text, other) => {
                return Err(wrong(other, "the text format takes strings: use StringConverter"));
            }
            (Writer::Bytes(_), other) => {
                return Err(wrong(other, "the bytes format takes bytes: use ByteArrayConverter"));
            }
        }
        Ok(())
    }

    pub(crate) fn is_ripe(&self) -> bool {
        self.lines.len() >= WRITE_BYTES
    }

    /// Hands out what is collected; of a compressed file, what has come out of the compression.
    pub(crate) async fn take(&mut self) -> Result<Vec<u8>> {
        let lines = std::mem::take(&mut self.lines);
        match &mut self.gzip {
            Some(gzip) => gzip.compress(lines).await,
            None => Ok(lines),
        }
    }

    /// The rest of the file.
    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        let mut bytes = self.take().await?;
        if let Some(gzip) = &mut self.gzip {
            bytes.append(&mut gzip.finish().await?);
        }
        Ok(bytes)
    }

    pub(crate) fn memory(&self) -> usize {
        self.lines.capacity() + self.gzip.as_ref().map_or(0, Gzip::memory)
    }

    /// Bytes that are not handed out yet, before compression.
    pub(crate) fn held_back(&self) -> usize {
        self.lines.len()
    }
}

fn wrong(value: &Value, remedy: &str) -> Refusal {
    Refusal::Row(Error::data(format!("the value is a {}; {remedy}", value.java_class())))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn file(kind: LineKind, gzip: Option<u32>, rows: &[Value]) -> Vec<u8> {
        let mut encoder = LineEncoder::new(&LineSettings::new(kind, None, gzip), None).unwrap();
        for row in rows {
            let appended = encoder.append(&[row]);
            assert!(appended.refusal.is_none());
        }
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(encoder.finish()).unwrap()
    }

    #[test]
    fn text_and_bytes_are_as_they_came() {
        assert_eq!(file(LineKind::Text, None, &["a".into(), "é\"".into()]), "a\né\"\n".as_bytes());
        let end: Arc<[u8]> = (*b"\r\n").into();
        assert_eq!(file(LineKind::Bytes(end), None, &[Value::Bytes((&[0, 255]).into())]), [0, 255, 13, 10]);
    }

    #[test]
    fn other_types_are_refused_with_the_converter_to_use() {
        for (kind, row, want) in [
            (LineKind::Text, Value::Int32(1), "StringConverter"),
            (LineKind::Bytes((*b"\n").into()), "x".into(), "ByteArrayConverter"),
        ] {
            let mut encoder = LineEncoder::new(&LineSettings::new(kind, None, None), None).unwrap();
            let Some(Refusal::Row(error)) = encoder.append(&[&row]).refusal else { panic!() };
            assert!(error.to_string().contains(want), "{error}");
        }
    }

    #[test]
    fn compressed_files_are_one_member_of_gzip() {
        let rows: Vec<Value> = (0..1000).map(|i| Value::from(format!("line {i}"))).collect();
        let plain = file(LineKind::Text, None, &rows);
        for level in [0, 1, 9] {
            let bytes = file(LineKind::Text, Some(level), &rows);
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).unwrap();
            assert_eq!(read, plain, "level {level}");
        }
        let settings = LineSettings::new(LineKind::Text, None, Some(6));
        assert_eq!(settings.extension, ".txt.gz");
    }
}
