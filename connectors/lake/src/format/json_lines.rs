//! JSON lines: each value as JsonConverter writes it without an envelope, and a line break.

use lavka_api::data::{Schema, Value};
use lavka_columnar::{Appended, Refusal};
use lavka_converters::json::{JsonWriter, WriteOptions};

/// Collected bytes that are worth a write.
const WRITE_BYTES: usize = 1024 * 1024;

pub(crate) struct JsonLinesEncoder {
    writer: JsonWriter,
    schema: Option<Schema>,
    lines: Vec<u8>,
}

impl JsonLinesEncoder {
    pub(crate) fn new(schema: Option<&Schema>) -> Self {
        Self {
            writer: JsonWriter::new(WriteOptions::default(), 1),
            schema: schema.cloned(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        for (i, row) in rows.iter().enumerate() {
            let before = self.lines.len();
            if let Err(error) = self.writer.write(self.schema.as_ref(), row, &mut self.lines) {
                self.lines.truncate(before);
                return Appended { rows: i, refusal: Some(Refusal::Row(error)) };
            }
            self.lines.push(b'\n');
        }
        Appended { rows: rows.len(), refusal: None }
    }

    pub(crate) fn is_ripe(&self) -> bool {
        self.lines.len() >= WRITE_BYTES
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn memory(&self) -> usize {
        self.lines.capacity()
    }

    /// Bytes that are not handed out yet.
    pub(crate) fn held_back(&self) -> usize {
        self.lines.len()
    }
}
