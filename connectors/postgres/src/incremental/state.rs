//! Where an incremental snapshot stands. Pure.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use lavka_api::data::Str;

use super::java_key::{KeyType, decode, encode};
use super::signal::{Collection, Signal, collections_of, collections_text, expand};
use crate::offset::Incremental;

/// A row of the signal table that bounds a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The reading of the chunk was about to begin.
    Open,
    /// It was over.
    Close,
}

/// Keys of rows, as the server's texts.
pub(crate) type Key = Vec<Option<Str>>;

/// So many rows may change while a chunk is read before the stream waits for it.
const MOST_CHANGED: usize = 65_536;
/// The same, in bytes of their keys.
const MOST_CHANGED_BYTES: usize = 16 * 1024 * 1024;

/// Incremental snapshots that are to be read, one table after the other.
#[derive(Debug, Default)]
pub(crate) struct Running {
    tables: VecDeque<Collection>,
    correlation: Option<Str>,
    paused: bool,
    /// The key of the last row that was handed out of the first table.
    last: Option<Key>,
    /// The table's largest key when it was begun.
    max: Option<Key>,
    /// What the columns of both are in Java.
    types: Vec<KeyType>,
    /// Both in Java's form as an offset had them, while the types are not known.
    stored: [Option<Str>; 2],
    /// The chunk that is being read, and what changed since its window was opened.
    window: Option<Window>,
    /// No chunk is read before: the last could not be.
    again: Option<Instant>,
}

#[derive(Debug, Default)]
struct Window {
    /// The names of its markers begin with it.
    id: String,
    open: bool,
    changed: HashSet<Key>,
    /// Bytes of these keys.
    bytes: usize,
    /// Rows of the chunk, once it was read: what else changes does not matter.
    read: Option<HashSet<Key>>,
    /// The table was emptied.
    emptied: bool,
}

impl Running {
    /// The state that an offset holds.
    pub(crate) fn of_offset(offset: Option<&Incremental>) -> Self {
        let Some(offset) = offset else { return Self::default() };
        let keys: Option<(Option<Key>, Option<Key>)> = offset.keys.as_ref().and_then(|text| keys_of(text));
        // Debezium keeps them in its own form alone.
        let theirs = |text: &Option<Str>| text.as_ref().and_then(|text| decode(text));
        let (last, max) = keys.unwrap_or_else(|| (theirs(&offset.primary_key), theirs(&offset.maximum_key)));
        Self {
            tables: collections_of(&offset.collections).into(),
            correlation: offset.correlation_id.clone(),
            last,
            max,
            stored: [offset.primary_key.clone(), offset.maximum_key.clone()],
            ..Self::default()
        }
    }

    /// The state for the offset; `None` where nothing is left to be read.
    pub(crate) fn to_offset(&self) -> Option<Incremental> {
        if self.tables.is_empty() {
            return None;
        }
        let tables: Vec<Collection> = self.tables.iter().cloned().collect();
        let [last, max] = &self.stored;
        let java = |key: &Option<Key>, stored: &Option<Str>| match (key, stored) {
            (Some(_), Some(stored)) if self.types.is_empty() => stored.clone(),
            _ => encode(key.as_ref(), &self.types),
        };
        Some(Incremental {
            collections: collections_text(&tables),
            primary_key: Some(java(&self.last, last)),
            maximum_key: Some(java(&self.max, max)),
            correlation_id: self.correlation.clone(),
            keys: Some(keys_text(self.last.as_ref(), self.max.as_ref())),
        })
    }

    /// Takes a signal; `known` are the tables that are captured. What it says for the log.
    pub(crate) fn signal(&mut self, id: &str, signal: Signal, known: &[String]) -> String {
        match signal {
            // The stream waits for a blocking one, which is none of this.
            Signal::Execute { tables, conditions, surrogate, blocking: _ } => {
                let found = expand(&tables, &conditions, surrogate.as_deref(), known);
                let names: Vec<String> = found.iter().map(|table| table.id.clone()).collect();
                if self.tables.is_empty() {
                    self.correlation = Some(id.into());
                    (self.last, self.max, self.window) = (None, None, None);
                }
                for table in found {
                    if !self.tables.iter().any(|queued| queued.id == table.id) {
                        self.tables.push_back(table);
                    }
                }
                format!("reading {}", names.join(", "))
            }
            Signal::Stop(tables) => {
                let goes = |table: &Collection| match &tables {
                    None => true,
                    Some(patterns) => {
                        let named = expand(patterns, &[], None, std::slice::from_ref(&table.id));
                        named.iter().any(|named| named.id == table.id)
                    }
                };
                if self.tables.front().is_some_and(goes) {
                    (self.last, self.max, self.window) = (None, None, None);
                }
                self.tables.retain(|table| !goes(table));
                self.paused &= !self.tables.is_empty();
                "the incremental snapshot is stopped".to_owned()
            }
            Signal::Pause if self.tables.is_empty() => "there is nothing to be paused".to_owned(),
            Signal::Pause => {
                self.paused = true;
                "the incremental snapshot is paused".to_owned()
            }
            Signal::Resume => {
                self.paused = false;
                "the incremental snapshot goes on".to_owned()
            }
            Signal::Log(message) => message,
        }
    }

    /// Whether the next chunk is to be read.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.may_begin() && self.again.is_none_or(|again| again <= now)
    }

    fn may_begin(&self) -> bool {
        !self.paused && self.window.is_none() && !self.tables.is_empty()
    }

    /// What is to be read next, unless another is being read: begins a window of that id.
    pub(crate) fn next(&mut self, id: String) -> Option<(Collection, Option<Key>, Option<Key>)> {
        let table = self.tables.front().filter(|_| self.may_begin())?.clone();
        self.again = None;
        self.window = Some(Window { id, ..Window::default() });
        Some((table, self.last.clone(), self.max.clone()))
    }

    /// Which marker of the present window a row of the signal table is.
    pub(crate) fn marker(&self, row: &str, deleted: bool) -> Option<Marker> {
        let window = self.window.as_ref()?;
        match row.strip_prefix(window.id.as_str())? {
            "-open" if deleted => Some(Marker::Close),
            "-open" => Some(Marker::Open),
            "-close" if !deleted => Some(Marker::Close),
            _ => None,
        }
    }

    /// The window is open.
    pub(crate) fn open(&mut self) {
        if let Some(window) = &mut self.window {
            window.open = true;
        }
    }

    /// The table whose changes count now, while a window is open.
    pub(crate) fn watched(&self) -> Option<&str> {
        self.window.as_ref().filter(|window| window.open)?;
        self.tables.front().map(|table| table.id.as_str())
    }

    /// A row of that table changed.
    pub(crate) fn changed(&mut self, key: Key) {
        if let Some(window) = self.window.as_mut().filter(|window| window.open)
            && window.read.as_ref().is_none_or(|read| read.contains(&key))
        {
            window.bytes += key.iter().flatten().map(|text| text.len()).sum::<usize>();
            window.changed.insert(key);
        }
    }

    /// That table was emptied: nothing is as it was read.
    pub(crate) fn emptied(&mut self) {
        if let Some(window) = self.window.as_mut().filter(|window| window.open) {
            window.emptied = true;
        }
    }

    /// Whether so many rows have changed that no more are to be kept in mind before the chunk is there.
    pub(crate) fn is_full(&self) -> bool {
        let many = |window: &Window| {
            let kept = window.changed.len() >= MOST_CHANGED || window.bytes >= MOST_CHANGED_BYTES;
            kept && window.read.is_none()
        };
        self.window.as_ref().is_some_and(many)
    }

    /// The chunk was read, and has these rows.
    pub(crate) fn was_read(&mut self, rows: impl Iterator<Item = Key>) {
        if let Some(window) = &mut self.window {
            let read: HashSet<Key> = rows.collect();
            window.changed.retain(|key| read.contains(key));
            window.changed.shrink_to_fit();
            window.read = Some(read);
        }
    }

    /// The window is closed: whether a row of the chunk is still as it was read.
    pub(crate) fn close(&mut self) -> impl Fn(&Key) -> bool + use<> {
        let window = self.window.take().map(|window| (window.emptied, window.changed));
        let (emptied, changed) = window.unwrap_or_default();
        move |key| !emptied && !changed.contains(key)
    }

    /// Whether a chunk is being read, or waits to be handed out.
    pub(crate) fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// The reading of the chunk came to nothing: another begins.
    pub(crate) fn abandon(&mut self) {
        self.window = None;
    }

    /// The chunk could not be read: another begins, not before `again`.
    pub(crate) fn put_off(&mut self, again: Instant) {
        self.window = None;
        self.again = Some(again);
    }

    /// The columns of the keys of the first table are these.
    pub(crate) fn keys_are(&mut self, types: Vec<KeyType>) {
        self.types = types;
    }

    /// The rows of the chunk were handed out: up to this key, or all of the table.
    pub(crate) fn advance(&mut self, last: Option<Key>, max: Option<Key>, finished: bool) {
        if finished {
            self.tables.pop_front();
            (self.last, self.max) = (None, None);
        } else {
            self.last = last;
            self.max = max;
        }
    }

    /// The tables that are to be read, that which is being read first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.id.clone()).collect()
    }

    /// The signal that they were asked for by.
    pub(crate) fn correlation(&self) -> Option<&Str> {
        self.correlation.as_ref()
    }

    /// Whether it is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// The key that was reached, and the largest, as notifications have them.
    pub(crate) fn reached(&self) -> [String; 2] {
        [&self.last, &self.max].map(|key| match key {
            None => "<null>".to_owned(),
            Some(key) => {
                let texts = key.iter().map(|text| text.as_ref().map_or("<null>", Str::as_str));
                texts.collect::<Vec<_>>().join(",")
            }
        })
    }

    /// Whether there is anything to be read.
    pub(crate) fn is_idle(&self) -> bool {
        self.tables.is_empty()
    }
}

fn keys_text(last: Option<&Key>, max: Option<&Key>) -> Str {
    let list = |key: Option<&Key>| {
        key.map(|key| key.iter().map(|text| text.as_ref().map(|text| text.to_string())).collect::<Vec<_>>())
    };
    Str::from(serde_json::json!([list(last), list(max)]).to_string())
}

fn keys_of(text: &str) -> Option<(Option<Key>, Option<Key>)> {
    type Texts = Option<Vec<Option<String>>>;
    let (last, max): (Texts, Texts) = serde_json::from_str(text).ok()?;
    let key = |texts: Texts| texts.map(|texts| texts.into_iter().map(|text| text.map(Str::from)).collect());
    Some((key(last), key(max)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(text: &str) -> Key {
        vec![Some(text.into())]
    }

    fn execute(tables: &[&str]) -> Signal {
        Signal::Execute {
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            conditions: Vec::new(),
            surrogate: None,
            blocking: false,
        }
    }

    #[test]
    fn rows_that_change_in_the_window_are_dropped_and_the_next_chunk_begins() {
        let known = ["s.a".to_owned(), "s.b".to_owned()];
        let mut running = Running::default();
        running.signal("id-1", execute(&["s.*"]), &known);
        let (table, last, _) = running.next("w1".to_owned()).unwrap();
        assert_eq!((table.id.as_str(), last), ("s.a", None));
        assert!(running.next("w2".to_owned()).is_none(), "one window at a time");
        running.changed(key("1"));
        assert_eq!(running.marker("other-open", false), None);
        assert_eq!(running.marker("w1-open", false), Some(Marker::Open));
        running.open();
        assert_eq!(running.watched(), Some("s.a"));
        running.changed(key("2"));
        assert_eq!(running.marker("w1-close", false), Some(Marker::Close));
        assert_eq!(running.marker("w1-open", true), Some(Marker::Close));
        let stays = running.close();
        assert!(stays(&key("1")), "what changed before the window does not count");
        assert!(!stays(&key("2")));
        running.advance(Some(key("9")), Some(key("99")), false);
        let offset = running.to_offset().unwrap();
        let mut again = Running::of_offset(Some(&offset));
        let (table, last, max) = again.next("w3".to_owned()).unwrap();
        assert_eq!((table.id.as_str(), last, max), ("s.a", Some(key("9")), Some(key("99"))));
        again.abandon();
        again.advance(None, None, true);
        assert_eq!(again.next("w4".to_owned()).unwrap().0.id, "s.b");
        again.abandon();
        again.advance(None, None, true);
        assert!(again.is_idle() && again.to_offset().is_none());
    }

    #[test]
    fn a_chunk_that_could_not_be_read_is_put_off() {
        let mut running = Running::default();
        running.signal("1", execute(&["s.a"]), &["s.a".to_owned()]);
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        assert!(running.is_due(now) && running.next("w1".to_owned()).is_some());
        running.put_off(later);
        assert!(!running.is_due(now) && running.is_due(later));
        assert!(running.next("w2".to_owned()).is_some());
        running.abandon();
        assert!(running.is_due(now), "what was put off was read");
    }

    #[test]
    fn what_changed_is_kept_in_mind_up_to_a_bound_and_for_rows_that_were_read() {
        let mut running = Running::default();
        running.signal("1", execute(&["s.a"]), &["s.a".to_owned()]);
        running.next("w".to_owned()).unwrap();
        running.open();
        for number in 0..MOST_CHANGED {
            assert!(!running.is_full());
            running.changed(key(&number.to_string()));
        }
        assert!(running.is_full());
        running.was_read(["3", "x", "y"].map(key).into_iter());
        assert!(!running.is_full());
        running.changed(key("y"));
        running.changed(key("elsewhere"));
        assert_eq!(running.window.as_ref().unwrap().changed.len(), 2);
        let stays = running.close();
        assert_eq!(["3", "x", "y"].map(|text| stays(&key(text))), [false, true, false]);
    }

    #[test]
    fn nothing_stays_of_a_table_that_was_emptied() {
        let mut running = Running::default();
        running.signal("1", execute(&["s.a"]), &["s.a".to_owned()]);
        running.next("w".to_owned()).unwrap();
        running.emptied();
        running.open();
        assert!(running.close()(&key("1")), "before the window it does not count");
        running.next("w".to_owned()).unwrap();
        running.open();
        running.emptied();
        assert!(!running.close()(&key("1")));
    }

    #[test]
    fn snapshots_are_paused_and_stopped() {
        let known = ["s.a".to_owned(), "s.b".to_owned()];
        let mut running = Running::default();
        running.signal("1", execute(&["s.a", "s.b"]), &known);
        running.signal("2", Signal::Pause, &known);
        assert!(running.next(String::new()).is_none());
        running.signal("3", Signal::Resume, &known);
        running.signal("4", Signal::Stop(Some(vec!["s.a".into()])), &known);
        assert_eq!(running.next("w".into()).unwrap().0.id, "s.b");
        running.signal("5", Signal::Stop(None), &known);
        assert!(running.is_idle());
    }

    #[test]
    fn an_offset_of_debezium_begins_the_table_again() {
        let offset = Incremental {
            collections: collections_text(&[Collection {
                id: "s.a".into(),
                condition: None,
                surrogate: None,
            }]),
            primary_key: Some("aced0005757200135b4c".into()),
            ..Incremental::default()
        };
        let (table, last, max) = Running::of_offset(Some(&offset)).next("w".into()).unwrap();
        assert_eq!((table.id.as_str(), last, max), ("s.a", None, None));
    }

    #[test]
    fn keys_stay_as_they_were_until_their_types_are_known() {
        let mut running = Running::default();
        running.signal("1", execute(&["s.a"]), &["s.a".to_owned()]);
        running.keys_are(vec![KeyType::Integer]);
        running.advance(Some(key("9")), Some(key("99")), false);
        let offset = running.to_offset().unwrap();
        let mut again = Running::of_offset(Some(&offset));
        again.signal("2", Signal::Pause, &[]);
        assert_eq!(again.to_offset(), Some(offset));
        again.advance(None, None, true);
        assert_eq!(again.to_offset(), None);
    }
}
