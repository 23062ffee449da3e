//! Signals and incremental snapshots beside the stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::{SourceRecord, Str};
use lavka_api::java::civil_from_days;
use lavka_api::{Error, Result};
use tokio::task::JoinHandle;

use super::channels::{Channels, Raw};
use super::context::{Context, now_nanos, uuid};
use crate::event::{At, Emitter, ReadKind};
use crate::incremental::{
    Bounds, Chunk, KeyNames, Marker, Markers, Request, Running, Signal, blocking_tables, read,
};
use crate::metrics::flag;
use crate::model::{ColumnText, TableId};
use crate::notification::{Note, Notifier};
use crate::offset::{Offset, Place, Snapshot, SnapshotKind};
use crate::pgoutput::{Lsn, Message, Relation, Tuple};

/// So many transactions that have come by are kept in mind; those that readers do not see yet are fewer by far.
const PASSED: usize = 4096;
/// How often a chunk that is being read is looked after, where no row of the stream says that it is there.
const LOOK: Duration = Duration::from_millis(5);

/// What of the stream concerns signals.
enum Seen<'a> {
    /// A new row of the signal table: id, type, data.
    Signal(Str, Str, Str),
    /// A row of the signal table that bounds the present window.
    Window(Marker),
    /// Rows of the table whose window is open.
    Changed(&'a [String], [Option<Tuple<'a>>; 2]),
}

/// The signal table, and what it has set going.
pub(super) struct Signals {
    table: Option<TableId>,
    /// Rows of that table are signals, not only the bounds of windows.
    takes_rows: bool,
    channels: Channels,
    notifier: Notifier,
    /// What has happened and was not told yet.
    notes: Vec<Note>,
    /// Rows of the table that is read, so far.
    scanned: usize,
    blocking: VecDeque<Blocking>,
    /// Relations of the stream.
    relations: HashMap<u32, Known>,
    /// `schema.table` of what is captured.
    known: Vec<String>,
    running: Running,
    reading: Option<JoinHandle<Result<Chunk>>>,
    ready: Option<Chunk>,
    key_names: KeyNames,
    /// The table that those are of.
    key_table: String,
    /// Where windows are bounded by places (`read.only`).
    places: Option<Places>,
}

/// What windows without rows in the signal table go by.
#[derive(Default)]
struct Places {
    /// Transactions that have come by lately.
    passed: VecDeque<u32>,
    /// How far the stream has come.
    reached: Lsn,
    /// A row changed whose key could not be told: the chunk has to be read again.
    missed: bool,
}

/// A snapshot that the stream is to wait for.
#[derive(Clone, Debug)]
pub(super) struct Blocking {
    /// The signal's id.
    pub(super) id: String,
    /// Tables, each with a query that takes its place.
    pub(super) tables: HashMap<String, Option<String>>,
}

/// A relation of the stream.
struct Known {
    /// `schema.table`.
    name: String,
    columns: Vec<String>,
    /// Whether it is the signal table.
    signals: bool,
}

impl Signals {
    /// Goes on where `offset` says.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn new(context: &Context, known: Vec<String>, offset: &Offset) -> Result<Self> {
        let signals = Self {
            table: context.settings.signal_table(),
            takes_rows: context.settings.takes_signals_by("source"),
            channels: Channels::open(context),
            notifier: Notifier::new(&context.settings, uuid)?,
            notes: Vec::new(),
            scanned: 0,
            blocking: VecDeque::new(),
            relations: HashMap::new(),
            known,
            running: Running::of_offset(offset.incremental.as_ref()),
            reading: None,
            ready: None,
            key_names: KeyNames::default(),
            key_table: String::new(),
            places: context.settings.connection.read_only.then(Places::default),
        };
        Ok(signals)
    }

    /// A relation was announced.
    pub(super) fn relation(&mut self, relation: &Relation<'_>) {
        if !self.is_wanted() {
            return;
        }
        let known = Known {
            name: format!("{}.{}", relation.schema, relation.name),
            columns: relation.columns.iter().map(|column| column.name.to_owned()).collect(),
            signals: self
                .table
                .as_ref()
                .is_some_and(|table| table.schema == *relation.schema && table.table == *relation.name),
        };
        self.relations.insert(relation.id, known);
    }

    /// Without a signal table, and where it is needed, nothing of this is asked for.
    fn is_wanted(&self) -> bool {
        self.table.is_some() || self.places.is_some()
    }

    /// Waits for what a message needs before it can be dealt with: the chunk whose window it closes. May be dropped while
    /// it waits.
    ///
    /// # Errors
    /// None: a chunk that cannot be read is told in the log.
    pub(super) async fn prepare(&mut self, message: &Message<'_>, context: &Context) {
        if self.reading.is_some() && matches!(self.look(message), Some(Seen::Window(Marker::Close))) {
            self.fetch(context).await;
        }
    }

    /// Deals with a message before its own records are made, the first time it comes by.
    ///
    /// # Errors
    /// Where a row of a chunk cannot be made a record.
    pub(super) fn before(
        &mut self,
        message: &Message<'_>,
        emitter: &mut Emitter,
        (commit, number): (Lsn, u64),
        at: At,
        context: &Context,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let changed = match self.look(message) {
            None => return Ok(()),
            Some(Seen::Signal(id, ty, data)) => {
                self.signal(&id, &ty, &data, context, emitter);
                None
            }
            Some(Seen::Window(Marker::Open)) => {
                self.running.open();
                None
            }
            Some(Seen::Window(Marker::Close)) => {
                let behind =
                    Place { commit, change: number.saturating_sub(1), record: i64::MAX.unsigned_abs() };
                self.hand_out(emitter, Some(behind), at.now_nanos, out)?;
                None
            }
            Some(Seen::Changed(columns, tuples)) => {
                let Some(names) = self.key_names.get() else {
                    if let Some(places) = &mut self.places {
                        places.missed = true;
                    }
                    return Ok(());
                };
                let keys: Vec<Vec<Option<Str>>> =
                    tuples.into_iter().flatten().map(|tuple| key_of(tuple, columns, names)).collect();
                Some(keys)
            }
        };
        for key in changed.into_iter().flatten() {
            self.running.changed(key);
        }
        Ok(())
    }

    fn look<'a>(&'a self, message: &Message<'a>) -> Option<Seen<'a>> {
        if !self.is_wanted() {
            return None;
        }
        let (relation, tuples) = match message {
            Message::Insert(insert) => (insert.relation, [Some(insert.new), None]),
            Message::Update(update) => {
                (update.relation, [Some(update.new), update.old.map(|old| old.tuple())])
            }
            Message::Delete(delete) => (delete.relation, [None, Some(delete.old.tuple())]),
            _ => return None,
        };
        let Known { name, columns, signals } = self.relations.get(&relation)?;
        if *signals {
            let deleted = matches!(message, Message::Delete(_));
            let tuple = tuples.into_iter().flatten().next()?;
            let mut texts = tuple.columns().map(text);
            let id = texts.next().flatten()?;
            if let Some(marker) = self.running.marker(&id, deleted) {
                return Some(Seen::Window(marker));
            }
            let ty = texts.next().flatten()?;
            let data = texts.next().flatten().unwrap_or_default();
            let inserted = self.takes_rows && matches!(message, Message::Insert(_));
            return inserted.then_some(Seen::Signal(id, ty, data));
        }
        (self.running.watched() == Some(name)).then_some(Seen::Changed(columns, tuples))
    }

    fn signal(&mut self, id: &str, ty: &str, data: &str, context: &Context, emitter: &mut Emitter) {
        match Signal::parse(ty, data) {
            Ok(None) => {}
            Ok(Some(Signal::Execute { tables, conditions, blocking: true, .. })) => {
                let tables = blocking_tables(&tables, &conditions, &self.known);
                tracing::info!(task = %context.id, signal = id, kind = ty, "the stream is to wait for {} tables", tables.len());
                self.blocking.push_back(Blocking { id: id.to_owned(), tables: tables.into_iter().collect() });
            }
            Ok(Some(signal)) => {
                let (ran, paused) = (!self.running.is_idle(), self.running.is_paused());
                let ends = match &signal {
                    Signal::Stop(None) if ran => {
                        self.note("ABORTED", Vec::new());
                        None
                    }
                    Signal::Stop(Some(tables)) if ran => Some(("ABORTED", Some(tables.join(",")))),
                    Signal::Pause if ran && !paused => Some(("PAUSED", None)),
                    Signal::Resume if ran && paused => Some(("RESUMED", None)),
                    Signal::Execute { .. } => Some(("STARTED", None)),
                    _ => None,
                };
                let said = self.running.signal(id, signal, &self.known);
                match ends {
                    Some((ty, Some(tables))) => self.note(ty, vec![("data_collections", tables)]),
                    Some((ty, None)) => self.note_tables(ty),
                    None => {}
                }
                context.metrics.snapshot.paused.set(flag(self.running.is_paused()));
                tracing::info!(task = %context.id, signal = id, kind = ty, "{said}");
                emitter.offset_mut().incremental = self.running.to_offset();
            }
            Err(why) => {
                tracing::warn!(task = %context.id, signal = id, kind = ty, "the signal is passed over: {why}");
            }
        }
    }

    /// A transaction comes by.
    pub(super) fn passes(&mut self, xid: u32) {
        let Some(places) = &mut self.places else { return };
        if places.passed.len() >= PASSED {
            places.passed.pop_front();
        }
        places.passed.push_back(xid);
    }

    /// The stream has come to `lsn`, and is between transactions: windows without rows end here.
    ///
    /// # Errors
    /// Where a row of a chunk cannot be made a record.
    pub(super) fn between(
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
    pub(super) fn wait(&self, wait: Duration) -> Duration {
        if self.places.is_some() && self.reading.is_some() { wait.min(LOOK) } else { wait }
    }

    /// Hands out the rows of the chunk that did not change since they were read, and goes on behind them. `behind` is the
    /// place within a transaction.
    fn hand_out(
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
        let Chunk { plan, rows, max, types, finished, .. } = chunk;
        let status = match (&plan, &max) {
            (None, _) => "NO_PRIMARY_KEY",
            (Some(_), None) => "EMPTY",
            (Some(_), Some(_)) => "SUCCEEDED",
        };
        self.running.keys_are(types);
        self.scanned += rows.len();
        if !rows.is_empty() || !finished {
            let none = rows.is_empty();
            let last = rows.into_iter().next_back().map(|(key, _)| key);
            self.running.advance(last, max, false);
            if !none {
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
    pub(super) async fn advance(
        &mut self,
        context: &Context,
        emitter: &mut Emitter,
        version: i32,
    ) -> Result<()> {
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) {
            self.fetch(context).await;
        }
        if !self.running.is_due() {
            return Ok(());
        }
        let places = self.places.as_ref().map(|places| places.passed.iter().copied().collect());
        let bounds = |window: &str| match (places, &self.table) {
            (Some(passed), _) => Some(Bounds::Places(passed)),
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
    async fn fetch(&mut self, context: &Context) {
        let Some(reading) = &mut self.reading else { return };
        let outcome = reading.await;
        self.reading = None;
        let outcome =
            outcome.unwrap_or_else(|error| Err(Error::retriable(format!("reading was cut off: {error}"))));
        match outcome {
            Ok(chunk) => self.ready = Some(chunk),
            Err(error) => {
                self.running.abandon();
                self.key_table.clear();
                if error.is_retriable() {
                    tracing::warn!(task = %context.id, "a chunk of an incremental snapshot is read again: {error}");
                } else {
                    tracing::error!(task = %context.id, "an incremental snapshot of a table is given up: {error}");
                    self.finish("SQL_EXCEPTION");
                }
            }
        }
    }

    /// Takes what has come on other ways than the stream.
    pub(super) async fn take_channels(&mut self, context: &Context, emitter: &mut Emitter) {
        for Raw { id, ty, data } in self.channels.take(context).await {
            self.signal(&id, &ty, &data, context, emitter);
        }
    }

    /// Tells what has happened since.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn tell(&mut self, emitter: &Emitter, out: &mut Vec<SourceRecord>) -> Result<()> {
        for note in std::mem::take(&mut self.notes) {
            self.notifier.incremental(&note, now_nanos(), emitter.offset(), out)?;
        }
        Ok(())
    }

    /// A snapshot that the stream is to wait for.
    pub(super) fn take_blocking(&mut self) -> Option<Blocking> {
        self.blocking.pop_front()
    }

    fn note(&mut self, ty: &'static str, data: Vec<(&'static str, String)>) {
        if self.notifier.is_on() {
            self.notes.push(Note { correlation: self.running.correlation().cloned(), ty, data });
        }
    }

    fn note_tables(&mut self, ty: &'static str) {
        let tables = self.running.ids().join(",");
        self.note(ty, vec![("data_collections", tables)]);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
    }
}

fn text(column: ColumnText<'_>) -> Option<Str> {
    match column {
        ColumnText::Text(text) => Str::from_utf8(text).ok(),
        ColumnText::Null | ColumnText::UnchangedToast => None,
    }
}

fn key_of(tuple: Tuple<'_>, columns: &[String], names: &[String]) -> Vec<Option<Str>> {
    let texts: Vec<Option<Str>> = tuple.columns().map(text).collect();
    names
        .iter()
        .map(|name| {
            let at = columns.iter().position(|column| column == name);
            at.and_then(|at| texts.get(at)).cloned().flatten()
        })
        .collect()
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
