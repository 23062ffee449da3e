//! A snapshot under way: rows to records.

use std::sync::Arc;
use std::time::Instant;

use lavka_api::data::{OffsetMap, SourceRecord, Str};
use lavka_api::{Error, Result};

use super::copy::RowReader;
use super::plan::Progress;
use super::reader::{Reading, Readings, TableRead};
use super::rows::{Marked, Marker};
use crate::event::{ReadKind, Recorder, TablePlan};
use crate::metrics::{SnapshotMetrics, number};
use crate::model::ColumnText;
use crate::notification::Notifier;
use crate::offset::{Offset, Snapshot};

/// A snapshot that is being read.
pub(crate) struct SnapshotRun {
    readings: Readings,
    recorder: Arc<Recorder>,
    notifier: Notifier,
    metrics: SnapshotMetrics,
    begun: Instant,
    /// The beginning was told.
    told: bool,
    plans: Vec<Arc<TablePlan>>,
    tables: Arc<[TableRead]>,
    marker: Marker,
    xmin: u64,
    /// Tables that an earlier run has read.
    read_before: Vec<u32>,
    progress: Option<Progress>,
    /// The offset of the rows that come now.
    offset: Offset,
    map: OffsetMap,
    /// The offset of the last row that was handed out. One is always held back, so it may be behind.
    handed_out: Offset,
    renewed: bool,
    reader: RowReader,
    /// Rows so far, for the log and the metrics.
    rows: u64,
    /// Rows of the table that is read.
    rows_of_table: u64,
    /// The table that is read.
    table: usize,
    done: bool,
}

impl SnapshotRun {
    /// The rows of `tables`, each by its plan; `offset` is what their records carry, its snapshot part filled. `xmin` is
    /// the oldest transaction that was not over, and `read_before` are tables that need not be read any more.
    pub(crate) fn new(
        readings: Readings,
        (recorder, notifier): (Arc<Recorder>, Notifier),
        metrics: SnapshotMetrics,
        plans: Vec<Arc<TablePlan>>,
        tables: Arc<[TableRead]>,
        (xmin, read_before): (u64, Vec<u32>),
        offset: Offset,
    ) -> Self {
        let map = offset.to_map();
        let names = tables.iter().map(|table| table.id.to_string());
        metrics.begin(names, tables.iter().map(|table| table.estimate).sum());
        let mut run = Self {
            metrics,
            begun: Instant::now(),
            readings,
            recorder,
            notifier,
            told: false,
            plans,
            tables,
            marker: Marker::default(),
            xmin,
            read_before,
            progress: None,
            handed_out: offset.clone(),
            renewed: true,
            offset,
            map,
            reader: RowReader::default(),
            rows: 0,
            rows_of_table: 0,
            table: 0,
            done: false,
        };
        run.begin_table(0);
        run
    }

    /// Waits for rows and appends their records. May be dropped while it waits. Nothing appended does not mean the end.
    ///
    /// # Errors
    /// Where a reader failed, or a row cannot be made a record.
    pub(crate) async fn take(
        &mut self,
        now_nanos: impl Fn() -> i64,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let Some(reading) = self.readings.next().await else {
            return Err(Error::retriable("the readers of the snapshot have ended before it was done"));
        };
        // Nothing is awaited from here on.
        if !std::mem::replace(&mut self.told, true) {
            self.notifier.snapshot("STARTED", &[], now_nanos(), &self.handed_out, out)?;
            self.tell_table(0, now_nanos(), out)?;
        }
        match reading {
            Reading::Rows { table, lines, .. } => {
                out.reserve(lines.len());
                let now = now_nanos();
                self.rows_of_table += lines.len() as u64;
                for line in lines {
                    if let Some(row) = self.marker.row(table, line) {
                        self.record(&row, now, out)?;
                    }
                }
            }
            Reading::ChunkDone { table, chunk } => {
                if let Some(progress) = self.progress.as_mut().filter(|_| self.tables.len() > table) {
                    progress.finish(chunk);
                    self.metrics.chunks_done.set(&progress.table, number(progress.finished()));
                }
                self.renew();
            }
            Reading::TableDone { table } => {
                self.marker.table_done(table);
                let name = self.tables.get(table).map(|table| table.id.to_string()).unwrap_or_default();
                let rows = std::mem::take(&mut self.rows_of_table);
                self.metrics.rows_of.set(&name, number(rows));
                let rows = rows.to_string();
                let data = [
                    ("scanned_collection", name),
                    ("total_rows_scanned", rows),
                    ("status", "SUCCEEDED".to_owned()),
                ];
                self.notifier.snapshot("TABLE_SCAN_COMPLETED", &data, now_nanos(), &self.handed_out, out)?;
                self.table = table + 1;
                self.begin_table(table + 1);
                self.tell_table(table + 1, now_nanos(), out)?;
            }
            Reading::Done => {
                self.done = true;
                self.offset.snapshot = self.offset.snapshot.map(|snapshot| Snapshot {
                    last_record: true,
                    completed: true,
                    ..snapshot
                });
                self.offset.progress = None;
                self.map = self.offset.to_map();
                if let Some(row) = self.marker.done() {
                    self.record(&row, now_nanos(), out)?;
                }
                self.notifier.snapshot("COMPLETED", &[], now_nanos(), &self.offset, out)?;
            }
            Reading::Failed(error) => return Err(error),
        }
        self.measure();
        Ok(())
    }

    fn measure(&self) {
        let left = if self.done { 0 } else { self.tables.len().saturating_sub(self.table) };
        let now = Instant::now();
        self.metrics.advance(self.rows, now.saturating_duration_since(self.begun).as_secs_f64(), left);
        self.metrics.queue(self.readings.waiting());
        if let Some(progress) = self.progress.as_ref().filter(|_| self.rows_of_table > 0) {
            self.metrics.rows_of.set(&progress.table, number(self.rows_of_table));
        }
        self.metrics.last.mark(now);
        self.metrics.tick(now);
        if self.done {
            self.metrics.end(true);
        }
    }

    /// Whether everything was read.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The offset behind what was handed out; once done, the one from which the stream goes on.
    pub(crate) fn offset(&self) -> &Offset {
        if self.done { &self.offset } else { &self.handed_out }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn tell_table(&self, table: usize, now_nanos: i64, out: &mut Vec<SourceRecord>) -> Result<()> {
        let Some(current) = self.tables.get(table).filter(|_| self.notifier.is_on()) else { return Ok(()) };
        let names: Vec<String> = self.tables.iter().map(|table| table.id.to_string()).collect();
        let data = [
            ("data_collections", names.join(",")),
            ("current_collection_in_progress", current.id.to_string()),
        ];
        self.notifier.snapshot("IN_PROGRESS", &data, now_nanos, &self.handed_out, out)
    }

    fn begin_table(&mut self, table: usize) {
        let Some(next) = self.tables.get(table) else { return };
        // The ranges of an earlier run are read again only for what was written since, so they stay done, and so does the
        // snapshot that the rows of the others are older than.
        let read = self.tables.iter().take(table).map(|table| table.oid);
        let tables: Vec<u32> = self.read_before.iter().copied().chain(read).collect();
        let progress = match next.before.clone() {
            Some(before) => Progress { tables, ..before },
            None => Progress {
                xmin: self.xmin,
                tables,
                table: next.id.to_string(),
                filenode: next.filenode,
                count: next.count,
                ..Progress::default()
            },
        };
        self.metrics.chunks.set(&progress.table, number(progress.count));
        self.metrics.chunks_done.set(&progress.table, number(progress.finished()));
        self.progress = Some(progress);
        self.renew();
    }

    fn renew(&mut self) {
        self.offset.progress = self.progress.as_ref().map(|progress| Str::from(progress.to_string()));
        self.map = self.offset.to_map();
        self.renewed = true;
    }

    fn record(&mut self, row: &Marked, now_nanos: i64, out: &mut Vec<SourceRecord>) -> Result<()> {
        let Some(plan) = self.plans.get(row.table) else { return Ok(()) };
        self.reader.read(&row.line);
        let mut columns: Vec<ColumnText<'_>> = Vec::new();
        self.reader.columns(&mut columns);
        let record = self.recorder.snapshot_row(
            plan,
            columns.into_iter(),
            ReadKind::Snapshot(row.marker),
            (&self.offset, &self.map),
            now_nanos,
        )?;
        out.push(record);
        if std::mem::take(&mut self.renewed) {
            self.handed_out.clone_from(&self.offset);
        }
        self.rows += 1;
        self.metrics.events.add(1);
        Ok(())
    }
}
