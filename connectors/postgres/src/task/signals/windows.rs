//! The windows of incremental snapshots: chunks are read, and handed out where their window ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::data::SourceRecord;
use lavka_api::java::civil_from_days;
use lavka_api::{Error, Result};
use tokio::task::JoinHandle;

use super::Signals;
use crate::event::{Emitter, ReadKind};
use crate::incremental::{Bounds, Chunk, KeyNames, Markers, Request, Signal, read};
use crate::metrics::count;
use crate::model::ColumnText;
use crate::offset::{Offset, Place, Snapshot, SnapshotKind};
use crate::pgoutput::Lsn;
use crate::task::context::{Context, now_nanos, uuid};

/// So many transactions that have come by are kept in mind; those that readers do not see yet are fewer by far.
const PASSED: usize = 4096;
/// How often a chunk that is being read is looked after, where no row of the stream says that it is there.
const LOOK: Duration = Duration::from_millis(5);
/// How long to wait after a chunk could not be read, which costs a connection each time.
const AGAIN: Duration = Duration::from_millis(500);

/// What windows without rows in the signal table go by.
#[derive(Default)]
pub(super) struct Places {
    /// How far the stream has come.
    reached: Lsn,
    /// A row changed whose key could not be told: the chunk has to be read again.
    pub(super) missed: bool,
}

impl Signals {
    /// A transaction comes by.
    pub(in crate::task) fn passes(&mut self, xid: u32) {
        if self.passed.len() >= PASSED {
            self.passed.pop_front();
        }
        self.passed.push_back(xid);
    }

    /// Transactions that have come by lately, which readers may not see yet.
    pub(in crate::task) fn passed(&self) -> Vec<u32> {
        self.passed.iter().copied().collect()
    }

    /// The stream has come to `lsn`, and is between transactions: windows without rows end here.
    ///
    /// # Errors
    /// Where a row of a chunk cannot be made a record.
    pub(in crate::task) fn between(
        &mut self,
        lsn: Lsn,
        emitter: &mut Emitter,
        now_nanos: i64,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let Some(places) = &mut self.places else { return Ok(()) };
        places.reached = places.reached.max(lsn);
        let ends = |chunk: &Chunk| chunk.until.is_some_and(|until| until <= places.reached);
        if !self.ready.as_ref().is_some_and(ends) {
            return Ok(());
        }
        if !self.running.has_window() {
            // It was stopped meanwhile.
            self.ready = None;
            return Ok(());
        }
        if std::mem::take(&mut places.missed) {
            self.ready = None;
            self.running.abandon();
            return Ok(());
        }
        self.hand_out(emitter, None, now_nanos, out)
    }

    /// How long to wait for the stream, at most `wait`.
    pub(in crate::task) fn wait(&self, wait: Duration) -> Duration {
        if self.places.is_some() && self.reading.is_some() { wait.min(LOOK) } else { wait }
    }

    /// Hands out the rows of the chunk that did not change since they were read, and goes on behind them. `behind` is the
    /// place within a transaction.
    pub(super) fn hand_out(
        &mut self,
        emitter: &mut Emitter,
        behind: Option<Place>,
        now_nanos: i64,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let stays = self.running.close();
        let Some(chunk) = self.ready.take() else { return Ok(()) };
        let mut offset = Offset {
            snapshot: Some(Snapshot { kind: SnapshotKind::Incremental, last_record: true, completed: true }),
            place: behind,
            ..emitter.offset().clone()
        };
        // Before the first change there is none.
        offset.lsn = offset.lsn.or(offset.lsn_proc);
        let map = offset.to_map();
        let first = out.len();
        if let Some(plan) = &chunk.plan {
            for (_, row) in chunk.rows.iter().filter(|(key, _)| stays(key)) {
                let texts = row.iter().map(|text| match text {
                    None => ColumnText::Null,
                    Some(text) => ColumnText::Text(text.as_bytes()),
                });
                let kind = ReadKind::Incremental(now_nanos);
                out.push(emitter.recorder().snapshot_row(plan, texts, kind, (&offset, &map), now_nanos)?);
            }
        }
        self.metrics.events.add((out.len() - first) as u64);
        self.metrics.last.mark(Instant::now());
        self.goes_behind(chunk);
        offset.incremental = self.running.to_offset();
        // The last of them says that they were handed out: a restart reads on behind the chunk.
        if out.len() > first
            && let Some(position) = out.last_mut().and_then(|record| record.position.as_mut())
        {
            position.offset = offset.to_map();
        }
        emitter.offset_mut().incremental = offset.incremental;
        Ok(())
    }

    /// Goes on behind a chunk, and notes what that means.
    fn goes_behind(&mut self, chunk: Chunk) {
        let Chunk { plan, rows, last, max, types, finished, .. } = chunk;
        let status = match (&plan, &max) {
            (None, _) => "NO_PRIMARY_KEY",
            (Some(_), None) => "EMPTY",
            (Some(_), Some(_)) => "SUCCEEDED",
        };
        self.running.keys_are(types);
        self.scanned += rows.len();
        if let Some(table) = self.running.ids().first() {
            self.metrics.rows_of.set(table, count(self.scanned));
        }
        if !rows.is_empty() || !finished {
            self.running.advance(last, max, false);
            if !rows.is_empty() {
                let [reached, largest] = self.running.reached();
                let (tables, current) = self.tables();
                let current = ("current_collection_in_progress", current);
                let keys = [("maximum_key", largest), ("last_processed_key", reached)];
                self.note("IN_PROGRESS", [tables, current].into_iter().chain(keys).collect());
            }
        }
        if finished {
            self.finish(status);
        }
    }

    /// The tables that are to be read, as notifications have them, and the first of them.
    fn tables(&self) -> ((&'static str, String), String) {
        let tables = self.running.ids();
        let current = tables.first().cloned().unwrap_or_default();
        (("data_collections", tables.join(",")), current)
    }

    /// The first table is over.
    fn finish(&mut self, status: &str) {
        let rows = std::mem::take(&mut self.scanned).to_string();
        let (tables, current) = self.tables();
        self.note(
            "TABLE_SCAN_COMPLETED",
            vec![
                tables,
                ("scanned_collection", current),
                ("total_rows_scanned", rows),
                ("status", status.to_owned()),
            ],
        );
        self.running.advance(None, None, true);
        if self.running.is_idle() {
            self.note("COMPLETED", Vec::new());
        }
    }

    /// Begins to read the next chunk, if it is time.
    pub(in crate::task) async fn advance(
        &mut self,
        context: &Context,
        emitter: &mut Emitter,
        version: i32,
    ) -> Result<()> {
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) {
            self.fetch(context).await;
        }
        if !self.running.is_due(Instant::now()) {
            return Ok(());
        }
        let bounds = |window: &str| match (&self.places, &self.table) {
            (Some(_), _) => Some(Bounds::Places),
            (None, Some(table)) => Some(Bounds::Rows(Markers {
                table: table.clone(),
                strategy: context.settings.run.incremental_snapshot_watermarking_strategy,
                window: window.to_owned(),
                now: instant(now_nanos()),
            })),
            (None, None) => None,
        };
        let window = uuid();
        let Some(bounds) = bounds(&window) else {
            tracing::warn!(task = %context.id, "an incremental snapshot needs signal.data.collection, or read.only=true");
            self.running.signal("", Signal::Stop(None), &self.known);
            emitter.offset_mut().incremental = None;
            return Ok(());
        };
        let Some((table, last, max)) = self.running.next(window) else { return Ok(()) };
        // Changes count from now on where no row says from when, and have to be told apart.
        let keeps = self.places.as_mut().is_some_and(|places| {
            places.missed = false;
            self.key_table == table.id
        });
        if self.places.is_some() {
            self.running.open();
        }
        if !keeps {
            self.key_names = KeyNames::default();
            self.key_table.clone_from(&table.id);
        }
        let request = Request {
            server: context.server.clone(),
            version,
            comments: context.settings.records.include_schema_comments,
            recorder: Arc::clone(emitter.recorder()),
            types: emitter.types().clone(),
            passed: self.passed(),
            bounds,
            size: context.settings.run.incremental_snapshot_chunk_size.max(1).into(),
            table,
            last,
            max,
            key_names: Arc::clone(&self.key_names),
        };
        self.ready = None;
        if let Some(stopped) = self.reading.replace(tokio::spawn(read(request))) {
            stopped.abort();
        }
        Ok(())
    }

    /// Fetches what was read. What cannot be read is given up with a word in the log; the stream does not end by it.
    pub(super) async fn fetch(&mut self, context: &Context) {
        let Some(reading) = &mut self.reading else { return };
        let outcome = reading.await;
        self.reading = None;
        let outcome =
            outcome.unwrap_or_else(|error| Err(Error::retriable(format!("reading was cut off: {error}"))));
        match outcome {
            Ok(chunk) => {
                self.running.was_read(chunk.rows.iter().map(|(key, _)| key.clone()));
                self.ready = Some(chunk);
            }
            Err(error) => {
                self.key_table.clear();
                if error.is_retriable() {
                    self.running.put_off(Instant::now() + AGAIN);
                    tracing::warn!(task = %context.id, "a chunk of an incremental snapshot is read again: {error}");
                } else {
                    self.running.abandon();
                    tracing::error!(task = %context.id, "an incremental snapshot of a table is given up: {error}");
                    self.finish("SQL_EXCEPTION");
                }
            }
        }
    }
}

/// An instant in ISO 8601, UTC, as the window's rows have it.
fn instant(nanos: i64) -> String {
    let (days, of_day) = (nanos.div_euclid(86_400_000_000_000), nanos.rem_euclid(86_400_000_000_000));
    let (year, month, day) = civil_from_days(days);
    let seconds = of_day / 1_000_000_000;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        of_day % 1_000_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_uuids_and_instants() {
        assert_eq!(instant(1_795_217_467_953_911_519), "2026-11-20T23:31:07.953911519Z");
        assert_eq!(instant(951_782_400_000_000_000), "2000-02-29T00:00:00.000000000Z");
        let id = uuid();
        assert_eq!((id.len(), id.as_bytes()[14], id.split('-').count()), (36, b'4', 5));
    }
}
