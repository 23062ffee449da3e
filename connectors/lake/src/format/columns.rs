//! Files of columns: rows are collected in columns, encoded on the blocking pool, and handed out as bytes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use lavka_api::data::{Schema, Value};
use lavka_api::{Error, Result};
use lavka_columnar::{Appended, BatchBuilder, Inferred};
use tokio::task::JoinHandle;

/// Rows of a known layout that are encoded at a time, so that encoding keeps pace with what arrives.
const BATCH_ROWS: usize = 8192;
/// Rows that are held before the first of an inferred layout is encoded: from then on the file's columns are fixed.
const INFERRED_ROWS: usize = 65_536;
/// Bytes at which rows are encoded in any case.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Below this many bytes a batch is not worth encoding only to know the file's size better.
const MIN_BATCH_BYTES: usize = 64 * 1024;

/// What becomes of what is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The row group (Parquet) or stripe (ORC) stays open.
    GoOn,
    /// It is written out.
    Cut,
    /// It is written out, and the footer.
    Finish,
}

/// A file of columns, on a thread that may be blocked.
pub(super) trait ColumnFile: Send {
    /// Encodes `batch` and hands out the bytes that are ready.
    ///
    /// # Errors
    /// What is wrong with the batch, which would be a defect.
    fn write(&mut self, batch: RecordBatch, then: Then) -> Result<Vec<u8>, String>;

    /// Bytes that are encoded but not handed out yet, roughly.
    fn held_back(&self) -> usize;

    /// Bytes of memory in use, roughly.
    fn memory(&self) -> usize;
}

/// Begins a file whose columns are those of a batch.
pub(super) type Opener = Arc<dyn Fn(&RecordBatch) -> Result<Box<dyn ColumnFile>, String> + Send + Sync>;

pub(crate) struct ColumnEncoder {
    /// What the format is called.
    name: &'static str,
    open: Opener,
    builder: BatchBuilder,
    stage: Stage,
    /// Bytes of the batch that is being encoded.
    under_way: usize,
    /// The file's own figures after the last batch.
    held_back: usize,
    memory: usize,
}

enum Stage {
    /// Nothing was encoded yet, so an inferred layout may still change.
    Unopened,
    Idle(Box<dyn ColumnFile>),
    Encoding(JoinHandle<Result<Encoded>>),
    /// The file went with a call that was cancelled, or is complete.
    Gone,
}

/// What a job on the blocking pool brings back.
struct Encoded {
    file: Box<dyn ColumnFile>,
    bytes: Vec<u8>,
}

impl ColumnEncoder {
    /// An encoder for rows of `schema`; without one of what is `known` of their fields.
    ///
    /// # Errors
    /// A data error where such rows make no columns.
    pub(super) fn new(
        name: &'static str,
        open: Opener,
        schema: Option<&Schema>,
        known: Option<&Inferred>,
    ) -> Result<Self> {
        let builder = match schema {
            Some(schema) => BatchBuilder::declared(schema)?,
            None => BatchBuilder::inferred(known),
        };
        Ok(Self { name, open, builder, stage: Stage::Unopened, under_way: 0, held_back: 0, memory: 0 })
    }

    pub(super) fn append(&mut self, rows: &[&Value]) -> Appended {
        self.builder.append(rows)
    }

    /// Takes back the last `count` rows of the last call of [`append`](Self::append), behind which nothing else was called.
    pub(super) fn take_back(&mut self, count: usize) {
        self.builder.take_back(count);
    }

    pub(super) fn inferred(&self) -> Option<&Inferred> {
        self.builder.inferred_layout()
    }

    pub(super) fn is_ripe(&self, room: u64) -> bool {
        let open = matches!(self.stage, Stage::Unopened) && self.builder.inferred_layout().is_some();
        let rows = if open { INFERRED_ROWS } else { BATCH_ROWS };
        let bytes = usize::try_from(room).unwrap_or(usize::MAX).clamp(MIN_BATCH_BYTES, BATCH_BYTES);
        self.builder.rows() >= rows || self.builder.heap_size() >= bytes
    }

    pub(super) fn memory(&self) -> usize {
        self.builder.reserved() + self.under_way + self.memory
    }

    pub(super) fn held_back(&self) -> u64 {
        u64::try_from(self.held_back).unwrap_or(u64::MAX)
    }

    pub(super) async fn encode(&mut self, cut: bool) -> Result<Vec<u8>> {
        let mut bytes = self.settle().await?;
        self.start(if cut { Then::Cut } else { Then::GoOn })?;
        if cut {
            bytes.append(&mut self.settle().await?);
        }
        Ok(bytes)
    }

    pub(super) async fn finish(&mut self) -> Result<Vec<u8>> {
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
        self.held_back = encoded.file.held_back();
        self.memory = encoded.file.memory();
        self.stage = Stage::Idle(encoded.file);
        Ok(encoded.bytes)
    }

    /// Gives the collected rows to the blocking pool.
    fn start(&mut self, then: Then) -> Result<()> {
        let file = match std::mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Unopened => None,
            Stage::Idle(file) => Some(file),
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
        let (name, open) = (self.name, Arc::clone(&self.open));
        self.stage = Stage::Encoding(tokio::task::spawn_blocking(move || {
            let encoded = || {
                let mut file = match file {
                    Some(file) => file,
                    None => open(&batch)?,
                };
                let bytes = file.write(batch, then)?;
                Ok(Encoded { file, bytes })
            };
            encoded().map_err(|error: String| Error::fatal(format!("cannot encode rows as {name}: {error}")))
        }));
        Ok(())
    }
}
