//! Signals, and what they have set going beside the stream.

mod windows;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use lavka_api::Result;
use lavka_api::data::{SourceRecord, Str};
use tokio::task::JoinHandle;

use self::windows::Places;
use super::channels::{Channels, Raw};
use super::context::{Context, now_nanos, uuid};
use crate::event::{At, Emitter};
use crate::incremental::{Chunk, KeyNames, Marker, Running, Signal, blocking_tables};
use crate::metrics::SnapshotMetrics;
use crate::model::{ColumnText, TableId};
use crate::notification::{Note, Notifier};
use crate::offset::{Offset, Place};
use crate::pgoutput::{Lsn, Message, Relation, Tuple};

/// What of the stream concerns signals.
enum Seen<'a> {
    /// A new row of the signal table: id, type, data.
    Signal(Str, Str, Str),
    /// A row of the signal table that bounds the present window.
    Window(Marker),
    /// Rows of the table whose window is open.
    Changed(&'a [String], [Option<Tuple<'a>>; 2]),
    /// That table was emptied.
    Emptied,
}

/// The signal table, and what it has set going.
pub(super) struct Signals {
    table: Option<TableId>,
    /// Rows of that table are signals, not only the bounds of windows.
    takes_rows: bool,
    channels: Channels,
    notifier: Notifier,
    metrics: SnapshotMetrics,
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
    /// Transactions that have come by lately.
    passed: VecDeque<u32>,
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
            metrics: context.metrics.snapshot.clone(),
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
            passed: VecDeque::new(),
        };
        Ok(signals)
    }

    /// A relation was announced; `captured`: its changes become records.
    pub(super) fn relation(&mut self, relation: &Relation<'_>, captured: bool) {
        let name = format!("{}.{}", relation.schema, relation.name);
        if captured && !self.known.contains(&name) {
            // It was made, or got its name, since the start.
            self.known.push(name.clone());
        }
        if !self.is_wanted() {
            return;
        }
        let known = Known {
            name,
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

    /// Whether there is something that [`prepare`](Self::prepare) may wait for.
    pub(super) fn may_wait(&self) -> bool {
        self.reading.is_some()
    }

    /// Waits for what a message needs before it can be dealt with: the chunk whose window it closes, or the one for which
    /// too much would have to be kept in mind. May be dropped while it waits.
    ///
    /// # Errors
    /// None: a chunk that cannot be read is told in the log.
    pub(super) async fn prepare(&mut self, message: &Message<'_>, context: &Context) {
        let needs_chunk = match self.look(message).filter(|_| self.may_wait()) {
            Some(Seen::Window(Marker::Close)) => true,
            Some(Seen::Changed(..)) => self.running.is_full(),
            _ => false,
        };
        if needs_chunk {
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
            Some(Seen::Emptied) => {
                self.running.emptied();
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
            Message::Truncate(truncate) => {
                let watched = self.running.watched()?;
                let is_watched = |id| self.relations.get(&id).is_some_and(|known| known.name == watched);
                return truncate.relations().any(is_watched).then_some(Seen::Emptied);
            }
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
                self.metrics.pause(self.running.is_paused(), Instant::now());
                tracing::info!(task = %context.id, signal = id, kind = ty, "{said}");
                emitter.offset_mut().incremental = self.running.to_offset();
            }
            Err(why) => {
                tracing::warn!(task = %context.id, signal = id, kind = ty, "the signal is passed over: {why}");
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
