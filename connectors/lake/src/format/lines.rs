//! Formats in which a file is one record after the other: JSON, text and bytes, each with what ends it, and CSV.

use std::sync::Arc;

use lavka_api::data::{Schema, Value};
use lavka_api::{Error, Result};
use lavka_columnar::{Appended, Refusal};
use lavka_converters::json::{JsonWriter, WriteOptions};

use super::csv::CsvWriter;

/// Collected bytes that are worth a write.
const WRITE_BYTES: usize = 1024 * 1024;

/// What stands for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A JSON text as JsonConverter writes it without an envelope.
    Json(WriteOptions),
    /// The text of a string.
    Text,
    /// The bytes as they are.
    Bytes,
    /// A row of RFC 4180 below a header with the fields' names.
    Csv,
}

impl LineKind {
    fn extension(self) -> &'static str {
        match self {
            LineKind::Json(_) => ".json",
            LineKind::Text => ".txt",
            LineKind::Bytes => ".bin",
            LineKind::Csv => ".csv",
        }
    }
}

/// What stands around the records of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    /// Before the first one.
    pub(crate) begin: &'static [u8],
    /// Between two.
    pub(crate) between: &'static [u8],
    /// After each one.
    pub(crate) after: Arc<[u8]>,
    /// After the last one.
    pub(crate) end: &'static [u8],
}

impl Frame {
    /// What is given after each record.
    pub(crate) fn lines(after: &[u8]) -> Self {
        Self { after: after.into(), ..Self::default() }
    }
}

#[derive(Debug)]
pub(crate) struct LineSettings {
    pub(crate) kind: LineKind,
    pub(crate) frame: Frame,
    /// What file names end with.
    pub(crate) extension: String,
}

impl LineSettings {
    /// Files of `kind`, a line for each record; `extension` replaces the kind's own, and `suffix` comes behind it.
    pub(crate) fn new(kind: LineKind, extension: Option<&str>, suffix: &str) -> Self {
        let extension = format!("{}{suffix}", extension.unwrap_or(kind.extension()));
        // Rows of CSV end by themselves, because the header does.
        let frame = if kind == LineKind::Csv { Frame::default() } else { Frame::lines(b"\n") };
        Self { kind, frame, extension }
    }
}

/// What writes one record after the other.
enum Writer {
    Json(JsonWriter),
    Text,
    Bytes,
    Csv(CsvWriter),
}

pub(crate) struct LineEncoder {
    writer: Writer,
    schema: Option<Schema>,
    frame: Frame,
    /// Whether there is a record.
    begun: bool,
    lines: Vec<u8>,
    /// Whether there was one before the last call of `append`, and where the rows of that call begin.
    last: (bool, Vec<usize>),
}

impl LineEncoder {
    /// # Errors
    /// A data error where records of `schema` are not rows.
    pub(crate) fn new(settings: &LineSettings, schema: Option<&Schema>) -> Result<Self> {
        let writer = match settings.kind {
            LineKind::Json(options) => Writer::Json(JsonWriter::new(options, 1)),
            LineKind::Text => Writer::Text,
            LineKind::Bytes => Writer::Bytes,
            LineKind::Csv => Writer::Csv(CsvWriter::new(schema)?),
        };
        let (schema, frame) = (schema.cloned(), settings.frame.clone());
        Ok(Self { writer, schema, frame, begun: false, lines: Vec::new(), last: Default::default() })
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        self.last.0 = self.begun;
        self.last.1.clear();
        for (i, row) in rows.iter().enumerate() {
            let before = self.lines.len();
            self.lines.extend_from_slice(if self.begun { self.frame.between } else { self.frame.begin });
            if let Err(refusal) = self.write(row) {
                self.lines.truncate(before);
                return Appended { rows: i, refusal: Some(refusal) };
            }
            self.lines.extend_from_slice(&self.frame.after);
            self.begun = true;
            self.last.1.push(before);
        }
        Appended { rows: rows.len(), refusal: None }
    }

    /// Takes back the last `count` rows of the last call of [`append`](Self::append), behind which nothing else was called.
    /// A header of CSV that was one of them does not come again, so this is for the other kinds.
    pub(crate) fn take_back(&mut self, count: usize) {
        let (begun, starts) = &mut self.last;
        let left = starts.len().saturating_sub(count);
        if let Some(start) = starts.get(left) {
            self.lines.truncate(*start);
            self.begun = *begun || left > 0;
            starts.truncate(left);
        }
    }

    fn write(&mut self, row: &Value) -> Result<(), Refusal> {
        let lines = &mut self.lines;
        match (&mut self.writer, row) {
            (Writer::Json(json), row) => {
                json.write(self.schema.as_ref(), row, lines).map_err(Refusal::Row)?;
            }
            (Writer::Csv(csv), row) => csv.write(row, lines)?,
            (Writer::Text, Value::String(text)) => lines.extend_from_slice(text.as_bytes()),
            (Writer::Bytes, Value::Bytes(bytes)) => lines.extend_from_slice(bytes),
            (Writer::Text, other) => {
                return Err(wrong(other, "the text format takes strings: use StringConverter"));
            }
            (Writer::Bytes, other) => {
                return Err(wrong(other, "the bytes format takes bytes: use ByteArrayConverter"));
            }
        }
        Ok(())
    }

    pub(crate) fn is_ripe(&self) -> bool {
        self.lines.len() >= WRITE_BYTES
    }

    /// Hands out what is collected.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// The rest of the file.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.lines.extend_from_slice(self.frame.end);
        self.take()
    }

    pub(crate) fn memory(&self) -> usize {
        self.lines.capacity()
    }

    /// Bytes that are not handed out yet.
    pub(crate) fn held_back(&self) -> usize {
        self.lines.len()
    }
}

fn wrong(value: &Value, remedy: &str) -> Refusal {
    Refusal::Row(Error::data(format!("the value is a {}; {remedy}", value.java_class())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(settings: &LineSettings, rows: &[Value]) -> Vec<u8> {
        let mut encoder = LineEncoder::new(settings, None).unwrap();
        let mut bytes = Vec::new();
        for row in rows {
            assert!(encoder.append(&[row]).refusal.is_none());
            bytes.extend(encoder.take());
        }
        bytes.extend(encoder.finish());
        bytes
    }

    #[test]
    fn text_and_bytes_are_as_they_came() {
        let lines = |kind| LineSettings::new(kind, None, ".gz");
        assert_eq!(file(&lines(LineKind::Text), &["a".into(), "é\"".into()]), "a\né\"\n".as_bytes());
        let ended = LineSettings { frame: Frame::lines(b"\r\n"), ..lines(LineKind::Bytes) };
        assert_eq!(file(&ended, &[Value::Bytes((&[0, 255]).into())]), [0, 255, 13, 10]);
        assert_eq!(lines(LineKind::Text).extension, ".txt.gz");
    }

    #[test]
    fn a_frame_stands_around_the_records() {
        let frame = Frame { begin: b"[\n", between: b",\n", end: b"\n]", ..Frame::default() };
        let json = LineKind::Json(WriteOptions::default());
        let settings = LineSettings { frame, ..LineSettings::new(json, None, "") };
        assert_eq!(file(&settings, &[Value::Int64(1), "x".into(), Value::Null]), b"[\n1,\n\"x\",\nnull\n]");
    }

    #[test]
    fn rows_that_are_taken_back_leave_nothing_behind() {
        let frame = Frame { begin: b"[", between: b",", ..Frame::lines(b"") };
        let json = LineKind::Json(WriteOptions::default());
        let settings = LineSettings { frame, ..LineSettings::new(json, None, "") };
        let mut encoder = LineEncoder::new(&settings, None).unwrap();
        let row = Value::Int64(7);
        encoder.append(&[&row, &row]);
        encoder.take_back(2);
        encoder.append(&[&row, &row, &row]);
        encoder.take_back(1);
        encoder.take_back(0);
        encoder.append(&[&row]);
        encoder.take_back(9);
        assert_eq!(encoder.finish(), b"[7,7", "more than the last call took are not there to be taken back");
    }

    #[test]
    fn other_types_are_refused_with_the_converter_to_use() {
        for (kind, row, want) in [
            (LineKind::Text, Value::Int32(1), "StringConverter"),
            (LineKind::Bytes, "x".into(), "ByteArrayConverter"),
        ] {
            let mut encoder = LineEncoder::new(&LineSettings::new(kind, None, ""), None).unwrap();
            let Some(Refusal::Row(error)) = encoder.append(&[&row]).refusal else { panic!() };
            assert!(error.to_string().contains(want), "{error}");
        }
    }
}
