//! Values that the server did not send, and nulls, read from their tables again (`post.processors`).
//!
//! Rows are read for many changes at once, ahead of the one that is next, and not before readers see their transactions:
//! a commit comes by in the stream a moment before it counts for others, and what is read must not be older than the
//! change. It goes into the messages themselves, and what makes records of them knows nothing of it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use futures::TryStreamExt as _;
use lavka_api::data::Str;
use lavka_api::{Error, Result};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::context::Context;
use super::upkeep::Catalogue;
use crate::config::Reselection;
use crate::database::{identifier, literal, named, qualified, texts};
use crate::event::{EventSettings, SkippedOperations};
use crate::incremental::see;
use crate::model::{ColumnText, Table, TableId};
use crate::pgoutput::{Message, Relation, Tuple, decode, refill};
use crate::replication::Frame;

/// The most rows that are read at once.
const MOST_ROWS: usize = 128;
/// Where rows read at once have more bytes than this, fewer are read the next time.
const MANY_BYTES: usize = 1024 * 1024;
/// No more rows are read behind the one that comes to so many bytes.
const MOST_BYTES: usize = 16 * MANY_BYTES;

/// Fills in what is missing in changes before they become records.
pub(super) struct Reselect {
    rules: Vec<Reselection>,
    signals: Option<TableId>,
    /// Relations of the stream that it is for.
    relations: HashMap<u32, Watched>,
    /// So many of the frames that wait need not be looked at any more.
    examined: usize,
    /// So many rows are read at once.
    rows: usize,
}

/// The change that is next, if the frame that is next is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Its transaction.
    pub(super) xid: u32,
    /// Nothing of it was handed out before.
    pub(super) new: bool,
}

/// A relation that it is for.
struct Watched {
    table: TableId,
    columns: Vec<Wanted>,
    skipped: SkippedOperations,
    /// The places of the columns by which rows are found.
    key: Vec<usize>,
    /// What cannot be read ends the task.
    fails: bool,
}

/// When a column is read again.
struct Wanted {
    name: String,
    unavailable: bool,
    null: bool,
}

/// A key, and the columns of its row.
type Key = Vec<Str>;
type Found = HashMap<Key, HashMap<usize, Option<Str>>>;

/// A change in which something is missing.
struct Gap {
    frame: usize,
    /// The transaction.
    xid: u32,
    relation: u32,
    key: Key,
    columns: Vec<usize>,
}

impl Reselect {
    /// `None` where nothing of it is configured.
    ///
    /// # Errors
    /// Where the configuration is wrong.
    pub(super) fn new(context: &Context) -> Result<Option<Self>> {
        let rules = context.settings.reselections()?;
        let signals = context.settings.signal_table();
        let any = rules.iter().any(|rule| rule.unavailable || rule.nulls);
        Ok(any.then(|| Self { rules, signals, relations: HashMap::new(), examined: 0, rows: 1 }))
    }

    /// A relation was announced; `None` for one that is not captured.
    pub(super) fn relation(
        &mut self,
        relation: &Relation<'_>,
        table: Option<&Table>,
        settings: &EventSettings,
    ) {
        let watched = table.and_then(|table| self.watch(relation, table, settings));
        match watched {
            Some(watched) => self.relations.insert(relation.id, watched),
            None => self.relations.remove(&relation.id),
        };
    }

    fn watch(&self, relation: &Relation<'_>, table: &Table, settings: &EventSettings) -> Option<Watched> {
        if self.signals.as_ref() == Some(&table.id) {
            return None;
        }
        let names = || relation.columns.iter().map(|column| column.name);
        let takes = |rule: &Reselection, name: &str| {
            settings.columns.takes(&table.id, name) && rule.takes(&table.id, name)
        };
        let wanted = |name: &str| {
            let rules = || self.rules.iter().filter(|rule| takes(rule, name));
            Wanted {
                name: name.to_owned(),
                unavailable: rules().any(|rule| rule.unavailable),
                null: rules().any(|rule| rule.nulls),
            }
        };
        let rules = || self.rules.iter().filter(|rule| names().any(|name| takes(rule, name)));
        let of_event =
            rules().next()?.by_event_key.then(|| settings.keys.positions(&table.id, names())).flatten();
        let key = of_event.unwrap_or_else(|| {
            table.key.iter().filter_map(|key| names().position(|name| *key == *name)).collect()
        });
        let columns: Vec<Wanted> = names().map(wanted).collect();
        let any = columns.iter().any(|column| column.unavailable || column.null);
        (any && !key.is_empty()).then(|| Watched {
            table: table.id.clone(),
            columns,
            skipped: settings.skipped,
            key,
            fails: rules().any(|rule| rule.fails),
        })
    }

    /// The first of the frames was dealt with.
    pub(super) fn passed(&mut self) {
        self.examined = self.examined.saturating_sub(1);
    }

    /// Fills in what the first of `frames` lacks, which `due` says more of, and what others do on the way. May be dropped
    /// while it waits.
    ///
    /// # Errors
    /// Where the first frame's row cannot be read and that is to end the task, and where the server is away.
    pub(super) async fn prepare(
        &mut self,
        frames: &mut VecDeque<Frame>,
        due: Due,
        catalogue: &mut Catalogue,
        context: &Context,
    ) -> Result<()> {
        // Where rows are so large that the first was not reached, fewer are read, down to the one.
        while self.examined == 0 && !frames.is_empty() {
            self.look(frames, due, catalogue, context).await?;
        }
        Ok(())
    }

    /// Looks at some of `frames`, and fills in what they lack.
    async fn look(
        &mut self,
        frames: &mut VecDeque<Frame>,
        due: Due,
        catalogue: &mut Catalogue,
        context: &Context,
    ) -> Result<()> {
        let (gaps, mut examined) = self.gaps(frames, due.xid);
        if !gaps.is_empty() {
            let xids: Vec<u32> = gaps.iter().map(|gap| gap.xid).collect();
            see(catalogue.connection(context).await?, &xids).await?;
        }
        // A single row is read whatever its size.
        let single = gaps.len() == 1;
        let mut by_relation: BTreeMap<u32, Vec<&Gap>> = BTreeMap::new();
        for gap in &gaps {
            by_relation.entry(gap.relation).or_default().push(gap);
        }
        let mut room = MOST_BYTES;
        for (relation, gaps) in by_relation {
            let Some(watched) = self.relations.get(&relation) else { continue };
            let found = watched.read(&gaps, &mut room, catalogue.connection(context).await?).await;
            if room == 0 || found.is_err() {
                // The server would send the rest first.
                catalogue.connection = None;
            }
            if let Err(error) = &found {
                if error.is_retriable() {
                    return Err(error.clone());
                }
                if !watched.fails {
                    tracing::warn!(task = %context.id, "{error}");
                    continue;
                }
            }
            for gap in gaps {
                if let Some(row) = found.as_ref().ok().and_then(|found| found.get(&gap.key)) {
                    if let Some(Frame::Data { bytes, .. }) = frames.get_mut(gap.frame)
                        && let Some(filled) = fill(bytes, &gap.columns, row)
                    {
                        *bytes = filled;
                    }
                    continue;
                }
                if room == 0 && !single {
                    examined = examined.min(gap.frame);
                    continue;
                }
                let lost = found.as_ref().err().cloned().unwrap_or_else(|| watched.gone(gap));
                match watched.fate(gap, due) {
                    Fate::Stays => tracing::warn!(task = %context.id, "{lost}"),
                    Fate::Waits => examined = examined.min(gap.frame),
                    Fate::EndsTheTask => return Err(lost),
                }
            }
        }
        self.examined = examined;
        self.rows = match MOST_BYTES - room {
            MANY_BYTES.. => (self.rows / 4).max(1),
            _ => (self.rows * 2).min(MOST_ROWS),
        };
        Ok(())
    }

    /// The next changes in which something is missing, and how many frames were looked at: up to one that says what
    /// those behind it mean. The first frame is of the transaction `xid`.
    fn gaps(&self, frames: &VecDeque<Frame>, mut xid: u32) -> (Vec<Gap>, usize) {
        let mut gaps = Vec::new();
        let mut examined = 0;
        for (index, frame) in frames.iter().enumerate() {
            match frame {
                Frame::Begin(begin) => xid = begin.xid,
                Frame::Data { bytes, .. } => {
                    // What cannot be read is told when its turn comes.
                    let Ok(message) = decode(bytes) else { break };
                    if matches!(message, Message::Relation(_)) {
                        break;
                    }
                    gaps.extend(self.gap(index, xid, &message));
                }
                Frame::Commit(_) | Frame::Logical { .. } | Frame::KeepAlive { .. } => {}
            }
            examined = index + 1;
            if gaps.len() >= self.rows {
                break;
            }
        }
        (gaps, examined.max(1))
    }

    fn gap(&self, frame: usize, xid: u32, message: &Message<'_>) -> Option<Gap> {
        let (relation, new, old) = match message {
            Message::Insert(insert) => (insert.relation, insert.new, None),
            Message::Update(update) => (update.relation, update.new, update.old.map(|old| old.tuple())),
            _ => return None,
        };
        let watched = self.relations.get(&relation)?;
        if watched.skips(message) {
            return None;
        }
        let columns = watched.missing(new, old);
        if columns.is_empty() {
            return None;
        }
        Some(Gap { frame, xid, relation, key: watched.key_of(new)?, columns })
    }
}

/// What becomes of a change whose row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stays as it is.
    Stays,
    /// Those before it are handed out first.
    Waits,
    EndsTheTask,
}

impl Watched {
    /// Whether a change becomes no record with a row (`skipped.operations`). An update with the old row may have changed the
    /// key, and then is a deletion and an insertion.
    fn skips(&self, message: &Message<'_>) -> bool {
        match message {
            Message::Insert(_) => self.skipped.create,
            Message::Update(update) => self.skipped.update && (self.skipped.create || update.old.is_none()),
            _ => true,
        }
    }

    fn fate(&self, gap: &Gap, due: Due) -> Fate {
        match gap.frame {
            _ if !self.fails => Fate::Stays,
            0 if due.new => Fate::EndsTheTask,
            // It went out before, or its first records did: a task that ends by it would do so at every restart.
            0 => Fate::Stays,
            _ => Fate::Waits,
        }
    }

    fn gone(&self, gap: &Gap) -> Error {
        let keys = gap.key.iter().map(Str::as_str).collect::<Vec<_>>().join(",");
        let remedy =
            if self.fails { " (reselect.error.handling.mode=warn would leave it as it is)" } else { "" };
        Error::fatal(format!(
            "The row of {} with the key {keys} is gone: what a change of it did not have cannot be read again{remedy}",
            self.table
        ))
    }

    /// The columns of a row that are to be read again.
    fn missing(&self, new: Tuple<'_>, old: Option<Tuple<'_>>) -> Vec<usize> {
        let mut older = old.into_iter().flat_map(|old| old.columns());
        let texts = new.columns().map(|text| (text, older.next())).zip(&self.columns).enumerate();
        texts
            .filter(|(_, ((text, old), wanted))| match text {
                // The old row may have it.
                ColumnText::UnchangedToast => wanted.unavailable && !matches!(old, Some(ColumnText::Text(_))),
                ColumnText::Null => wanted.null,
                ColumnText::Text(_) => false,
            })
            .map(|(index, _)| index)
            .collect()
    }

    fn key_of(&self, new: Tuple<'_>) -> Option<Key> {
        let texts: Vec<ColumnText<'_>> = new.columns().collect();
        let part = |&position: &usize| match texts.get(position)? {
            ColumnText::Text(text) => Str::from_utf8(text).ok(),
            _ => None,
        };
        self.key.iter().map(part).collect()
    }

    /// Reads the columns that `gaps` lack, by key, until there is no `room` left for more bytes.
    async fn read(&self, gaps: &[&Gap], room: &mut usize, connection: &mut PgConnection) -> Result<Found> {
        let mut columns: Vec<usize> = gaps.iter().flat_map(|gap| gap.columns.iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        let failed = |error: sqlx::Error| named(&error, &format!("reading columns of {} again", self.table));
        let query = self.query(&columns, gaps);
        // By the simple protocol, which sends values as the stream does.
        let mut rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch(connection);
        let mut found = Found::new();
        while *room > 0
            && let Some(row) = rows.try_next().await.map_err(failed)?
        {
            let row = texts(&row).map_err(failed)?;
            let bytes: usize = row.iter().flatten().map(|text| text.len()).sum();
            *room = room.saturating_sub(bytes);
            let mut row = row.into_iter();
            let key: Option<Key> = row.by_ref().take(self.key.len()).collect();
            found.extend(key.map(|key| (key, columns.iter().copied().zip(row).collect())));
        }
        Ok(found)
    }

    fn query(&self, columns: &[usize], gaps: &[&Gap]) -> String {
        let name = |&position: &usize| {
            self.columns.get(position).map(|column| identifier(&column.name)).unwrap_or_default()
        };
        let list = |parts: Vec<String>| parts.join(", ");
        let key = list(self.key.iter().map(name).collect());
        let rows = gaps.iter().map(|gap| {
            // Literals without a type take that of the column.
            format!("({})", list(gap.key.iter().map(|text| literal(text)).collect()))
        });
        format!(
            "SELECT {key}, {} FROM {} WHERE ({key}) IN ({})",
            list(columns.iter().map(name).collect()),
            qualified(&self.table),
            list(rows.collect())
        )
    }
}

/// The message with what was read.
fn fill(bytes: &[u8], columns: &[usize], row: &HashMap<usize, Option<Str>>) -> Option<Bytes> {
    let message = decode(bytes).ok()?;
    refill(&message, |index, text| match row.get(&index).filter(|_| columns.contains(&index)) {
        Some(Some(read)) => ColumnText::Text(read.as_bytes()),
        Some(None) => ColumnText::Null,
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgoutput::{Begin, Commit, Lsn};

    const UPDATE: &[u8] = b"U\0\0\0\x07N\0\x03t\0\0\0\x031'\\un";

    fn reselect(null: bool) -> Reselect {
        let wanted = |name: &str, unavailable| Wanted { name: name.to_owned(), unavailable, null };
        let watched = Watched {
            table: TableId::new("s", "t"),
            columns: vec![wanted("k", false), wanted("b", true), wanted("c", true)],
            skipped: SkippedOperations::default(),
            key: vec![0],
            fails: false,
        };
        Reselect {
            rules: Vec::new(),
            signals: None,
            relations: HashMap::from([(7, watched)]),
            examined: 0,
            rows: 2,
        }
    }

    fn data(bytes: &'static [u8]) -> Frame {
        Frame::Data { lsn: Lsn(1), bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn what_is_missing_is_looked_for_up_to_a_few_rows_or_a_relation() {
        let frames = VecDeque::from([data(b"D\0\0\0\x07K\0\x01n"), data(UPDATE), data(UPDATE), data(UPDATE)]);
        let (gaps, examined) = reselect(false).gaps(&frames, 3);
        assert_eq!((gaps.len(), examined), (2, 3));
        assert_eq!((gaps[0].frame, &gaps[0].columns[..]), (1, &[1][..]));
        assert_eq!(reselect(true).gaps(&frames, 3).0[0].columns, [1, 2]);
        let frames = VecDeque::from([data(b"R\0\0\0\x08s\0t\0d\0\0"), data(UPDATE)]);
        assert_eq!(reselect(false).gaps(&frames, 3).1, 1, "the relation alone");
        let frames = VecDeque::from([data(UPDATE), data(b"R\0\0\0\x08s\0t\0d\0\0"), data(UPDATE)]);
        assert_eq!(reselect(false).gaps(&frames, 3).1, 1);
    }

    #[test]
    fn a_gap_knows_the_transaction_that_readers_have_to_see() {
        let begin = Frame::Begin(Begin { final_lsn: Lsn(9), commit_micros: 0, xid: 4 });
        let commit = Frame::Commit(Commit { commit_lsn: Lsn(8), end_lsn: Lsn(9), commit_micros: 0 });
        let frames = VecDeque::from([data(UPDATE), commit, begin, data(UPDATE)]);
        let (gaps, examined) = reselect(false).gaps(&frames, 3);
        assert_eq!(gaps.iter().map(|gap| gap.xid).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(examined, 4);
    }

    #[test]
    fn what_becomes_no_record_is_not_read() {
        let frames = VecDeque::from([data(UPDATE)]);
        let mut reselect = reselect(false);
        reselect.relations.get_mut(&7).unwrap().skipped.update = true;
        assert!(reselect.gaps(&frames, 3).0.is_empty());
        let of_key = b"U\0\0\0\x07K\0\x03t\0\0\0\x010nnN\0\x03t\0\0\0\x031'\\un";
        let frames = VecDeque::from([data(of_key)]);
        assert_eq!(reselect.gaps(&frames, 3).0.len(), 1, "it is an insertion under the new key");
        reselect.relations.get_mut(&7).unwrap().skipped.create = true;
        assert!(reselect.gaps(&frames, 3).0.is_empty());
    }

    #[test]
    fn a_row_that_is_gone_ends_the_task_only_for_a_new_change_whose_turn_it_is() {
        let mut reselect = reselect(false);
        let (gaps, _) = reselect.gaps(&VecDeque::from([data(UPDATE), data(UPDATE)]), 3);
        let watched = reselect.relations.get_mut(&7).unwrap();
        let fates = |watched: &Watched, new| {
            gaps.iter().map(|gap| watched.fate(gap, Due { xid: 3, new })).collect::<Vec<_>>()
        };
        assert_eq!(fates(watched, true), [Fate::Stays, Fate::Stays]);
        watched.fails = true;
        assert_eq!(fates(watched, true), [Fate::EndsTheTask, Fate::Waits]);
        assert_eq!(fates(watched, false), [Fate::Stays, Fate::Waits]);
        let said = watched.gone(&gaps[0]).to_string();
        assert!(said.contains(r"The row of s.t with the key 1'\ is gone"), "{said}");
    }

    #[test]
    fn rows_are_found_by_key_and_put_into_the_message() {
        let reselect = reselect(false);
        let frames = VecDeque::from([data(UPDATE)]);
        let (gaps, _) = reselect.gaps(&frames, 3);
        let gaps: Vec<&Gap> = gaps.iter().collect();
        assert_eq!(
            reselect.relations[&7].query(&[1], &gaps),
            r#"SELECT "k", "b" FROM "s"."t" WHERE ("k") IN (( E'1''\\'))"#
        );
        let row = HashMap::from([(1, Some(Str::from("text"))), (2, Some(Str::from("not asked for")))]);
        let filled = fill(UPDATE, &[1], &row).unwrap();
        assert_eq!(filled, b"U\0\0\0\x07N\0\x03t\0\0\0\x031'\\t\0\0\0\x04textn"[..]);
        let gone = HashMap::from([(1, None)]);
        assert_eq!(fill(UPDATE, &[1], &gone).unwrap(), b"U\0\0\0\x07N\0\x03t\0\0\0\x031'\\nn"[..]);
    }
}
