//! Signals and incremental snapshots beside the stream.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use lavka_api::data::{SourceRecord, Str};
use lavka_api::java::civil_from_days;
use lavka_api::{Error, Result};
use tokio::task::JoinHandle;

use super::context::{Context, now_nanos, uuid};
use crate::event::{At, Emitter, ReadKind};
use crate::incremental::{Chunk, KeyNames, Marker, Request, Running, Signal, read};
use crate::model::{ColumnText, TableId};
use crate::offset::{Offset, Place, Snapshot, SnapshotKind};
use crate::pgoutput::{Lsn, Message, Relation, Tuple};

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
    file: Option<PathBuf>,
    /// Relations of the stream.
    relations: HashMap<u32, Known>,
    /// `schema.table` of what is captured.
    known: Vec<String>,
    running: Running,
    reading: Option<JoinHandle<Result<Chunk>>>,
    ready: Option<Chunk>,
    key_names: KeyNames,
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
    pub(super) fn new(context: &Context, known: Vec<String>, offset: &Offset) -> Self {
        let channels = &context.settings.run.signal_enabled_channels;
        let on = |channel: &str| channels.iter().any(|name| name.eq_ignore_ascii_case(channel));
        let file = context.settings.raw.get("signal.file").unwrap_or("file-signals.txt");
        Self {
            table: context.settings.signal_table().filter(|_| on("source")),
            file: on("file").then(|| PathBuf::from(file)),
            relations: HashMap::new(),
            known,
            running: Running::of_offset(offset.incremental.as_ref()),
            reading: None,
            ready: None,
            key_names: KeyNames::default(),
        }
    }

    /// A relation was announced.
    pub(super) fn relation(&mut self, relation: &Relation<'_>) {
        // Without a signal table nothing of this is asked for.
        let Some(table) = &self.table else { return };
        let known = Known {
            name: format!("{}.{}", relation.schema, relation.name),
            columns: relation.columns.iter().map(|column| column.name.to_owned()).collect(),
            signals: table.schema == *relation.schema && table.table == *relation.name,
        };
        self.relations.insert(relation.id, known);
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
                self.hand_out(emitter, behind, at, out)?;
                None
            }
            Some(Seen::Changed(columns, tuples)) => {
                let names = self.key_names.get();
                let keys: Vec<Vec<Option<Str>>> = names
                    .map(|names| {
                        tuples.into_iter().flatten().map(|tuple| key_of(tuple, columns, names)).collect()
                    })
                    .unwrap_or_default();
                Some(keys)
            }
        };
        for key in changed.into_iter().flatten() {
            self.running.changed(key);
        }
        Ok(())
    }

    fn look<'a>(&'a self, message: &Message<'a>) -> Option<Seen<'a>> {
        self.table.as_ref()?;
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
            return matches!(message, Message::Insert(_)).then_some(Seen::Signal(id, ty, data));
        }
        (self.running.watched() == Some(name)).then_some(Seen::Changed(columns, tuples))
    }

    fn signal(&mut self, id: &str, ty: &str, data: &str, context: &Context, emitter: &mut Emitter) {
        match Signal::parse(ty, data) {
            Ok(None) => {}
            Ok(Some(signal)) => {
                let said = self.running.signal(id, signal, &self.known);
                tracing::info!(task = %context.id, signal = id, kind = ty, "{said}");
                emitter.offset_mut().incremental = self.running.to_offset();
            }
            Err(why) => {
                tracing::warn!(task = %context.id, signal = id, kind = ty, "the signal is passed over: {why}");
            }
        }
    }

    /// Hands out the rows of the chunk that did not change since they were read, and goes on behind them.
    fn hand_out(
        &mut self,
        emitter: &mut Emitter,
        behind: Place,
        at: At,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let stays = self.running.close();
        let Some(chunk) = self.ready.take() else { return Ok(()) };
        let last = chunk.rows.last().map(|(key, _)| key.clone());
        let mut offset = Offset {
            snapshot: Some(Snapshot { kind: SnapshotKind::Incremental, last_record: true, completed: true }),
            place: Some(behind),
            ..emitter.offset().clone()
        };
        let map = offset.to_map();
        let first = out.len();
        let mut newest = None;
        if let Some(plan) = &chunk.plan {
            for (_, row) in chunk.rows.iter().filter(|(key, _)| stays(key)) {
                newest = Some(row);
                let texts = row.iter().map(|text| match text {
                    None => ColumnText::Null,
                    Some(text) => ColumnText::Text(text.as_bytes()),
                });
                let kind = ReadKind::Incremental(at.now_nanos);
                out.push(emitter.recorder().snapshot_row(
                    plan,
                    texts,
                    kind,
                    (&offset, &map),
                    at.now_nanos,
                )?);
            }
        }
        self.running.keys_are(chunk.types);
        self.running.advance(last, chunk.max, chunk.finished);
        offset.incremental = self.running.to_offset();
        // The last of them says that they were handed out: a restart reads on behind the chunk.
        if newest.is_some()
            && out.len() > first
            && let Some(position) = out.last_mut().and_then(|record| record.position.as_mut())
        {
            position.offset = offset.to_map();
        }
        emitter.offset_mut().incremental.clone_from(&offset.incremental);
        Ok(())
    }

    /// Begins to read the next chunk, and takes signals of the file, if it is time.
    pub(super) async fn advance(
        &mut self,
        context: &Context,
        emitter: &mut Emitter,
        version: i32,
    ) -> Result<()> {
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) {
            self.fetch(context).await;
        }
        if self.running.is_idle() {
            return Ok(());
        }
        let Some(signals) = self.table.clone() else {
            tracing::warn!(task = %context.id, "an incremental snapshot needs signal.data.collection");
            self.running.signal("", Signal::Stop(None), &self.known);
            emitter.offset_mut().incremental = None;
            return Ok(());
        };
        let Some((table, last, max, window)) = self.running.next(uuid) else { return Ok(()) };
        self.key_names = Arc::new(OnceLock::new());
        let request = Request {
            server: context.server.clone(),
            version,
            comments: context.settings.records.include_schema_comments,
            recorder: Arc::clone(emitter.recorder()),
            types: emitter.types().clone(),
            signals,
            strategy: context.settings.run.incremental_snapshot_watermarking_strategy,
            size: context.settings.run.incremental_snapshot_chunk_size.max(1).into(),
            table,
            last,
            max,
            window,
            key_names: Arc::clone(&self.key_names),
            now: instant(now_nanos()),
        };
        self.ready = None;
        self.reading = Some(tokio::spawn(read(request)));
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
                if error.is_retriable() {
                    tracing::warn!(task = %context.id, "a chunk of an incremental snapshot is read again: {error}");
                } else {
                    tracing::error!(task = %context.id, "an incremental snapshot of a table is given up: {error}");
                    self.running.advance(None, None, true);
                }
            }
        }
    }

    /// Takes what the signal file has, and empties it.
    pub(super) async fn read_file(&mut self, context: &Context, emitter: &mut Emitter) {
        let Some(file) = self.file.clone() else { return };
        let lines = tokio::task::spawn_blocking(move || take_lines(&file)).await;
        let lines = match lines {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) => {
                tracing::warn!(task = %context.id, "the signal file cannot be read: {error}");
                return;
            }
            Err(_) => return,
        };
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let Ok(signal) = serde_json::from_str::<serde_json::Value>(line) else {
                tracing::warn!(task = %context.id, "a line of the signal file is no JSON");
                continue;
            };
            let text = |key: &str| match signal.get(key) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            self.signal(&text("id"), &text("type"), &text("data"), context, emitter);
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
    }
}

/// The largest signal file that is read.
const LARGEST_FILE: u64 = 1024 * 1024;

fn take_lines(file: &std::path::Path) -> std::io::Result<Vec<String>> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(metadata) if metadata.len() > LARGEST_FILE => {
            return Err(std::io::Error::other(format!("{} is larger than a mebibyte", file.display())));
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(file)?;
    if !text.is_empty() {
        std::fs::write(file, "")?;
    }
    Ok(text.lines().map(str::to_owned).collect())
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

    #[test]
    fn the_file_is_emptied_when_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signals");
        assert!(take_lines(&file).unwrap().is_empty());
        std::fs::write(&file, "{}\n{}\n").unwrap();
        assert_eq!(take_lines(&file).unwrap().len(), 2);
        assert!(take_lines(&file).unwrap().is_empty());
    }
}
