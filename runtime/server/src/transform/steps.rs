//! A record after each step of a chain, as people read it: one row for each part, and marks where something changed.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use lavka_api::data::{Datum, Record, RecordKind, Schema, Value};
use lavka_api::java;

use super::line::quoted;

/// Whether to colour what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// With the escape sequences of terminals.
    Colour,
    /// Marks alone.
    Plain,
}

/// Writes the steps of one record after another.
pub(crate) struct Steps {
    paint: Paint,
    text: String,
    before: Vec<Row>,
}

/// One part of a record.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    path: String,
    value: String,
    ty: String,
}

/// Characters of a value.
const MAX_SHOWN: usize = 200;
/// Deeper than any converter reads.
const MAX_DEPTH: usize = 300;

impl Steps {
    pub(crate) fn new(paint: Paint) -> Self {
        Self { paint, text: String::new(), before: Vec::new() }
    }

    /// What was written since the last call.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The record of line `number` before the first transform.
    pub(crate) fn input(&mut self, number: usize, record: &Record) {
        self.title(&format!("line {number}"), "");
        self.before = rows(record);
        let marked: Vec<(char, Row)> = self.before.iter().map(|row| (' ', row.clone())).collect();
        self.table(&marked);
    }

    /// The record after a transform; `None` where it was dropped.
    pub(crate) fn transform(&mut self, alias: &str, class: &str, record: Option<&Record>) {
        self.title(alias, class);
        let Some(record) = record else {
            self.note("dropped");
            return;
        };
        let after = rows(record);
        if after == self.before {
            self.note("nothing changed");
        } else {
            self.table(&marked(&self.before, &after));
        }
        self.before = after;
    }

    /// A transform could not take the record.
    pub(crate) fn failure(&mut self, alias: &str, class: &str) {
        self.title(alias, class);
        self.note("failed");
    }

    /// How it ended: the line that is printed without steps too.
    pub(crate) fn output(&mut self, line: &str) {
        self.title("output", "");
        let _ = writeln!(self.text, "    {line}\n");
    }

    fn title(&mut self, name: &str, class: &str) {
        let (on, off) = self.colour("\u{1b}[1m");
        let gap = if class.is_empty() { "" } else { "  " };
        let _ = writeln!(self.text, "{on}{name}{off}{gap}{class}");
    }

    fn note(&mut self, text: &str) {
        let (on, off) = self.colour("\u{1b}[2m");
        let _ = writeln!(self.text, "    {on}{text}{off}");
    }

    fn table(&mut self, rows: &[(char, Row)]) {
        let width = rows.iter().map(|(_, row)| row.path.chars().count()).max().unwrap_or(0).min(40);
        for (mark, row) in rows {
            let (on, off) = match mark {
                '+' => self.colour("\u{1b}[32m"),
                '-' => self.colour("\u{1b}[31m"),
                '~' => self.colour("\u{1b}[33m"),
                _ => ("", ""),
            };
            let gap = if row.ty.is_empty() { "" } else { "  " };
            let Row { path, value, ty } = row;
            let value = shortened(value);
            let _ = writeln!(self.text, "  {on}{mark} {path:width$}  {value}{gap}{ty}{off}");
        }
    }

    fn colour(&self, on: &'static str) -> (&'static str, &'static str) {
        match self.paint {
            Paint::Colour => (on, "\u{1b}[0m"),
            Paint::Plain => ("", ""),
        }
    }
}

/// A long value by its beginning and its length.
fn shortened(value: &str) -> Cow<'_, str> {
    let Some((end, _)) = value.char_indices().nth(MAX_SHOWN) else { return Cow::Borrowed(value) };
    let beginning = value.get(..end).unwrap_or_default();
    Cow::Owned(format!("{beginning}… ({} characters)", value.chars().count()))
}

/// The rows of both, in the order of `after`, removed ones where they were: ` ` as before, `~` changed (old row first as
/// `-`, new one as `~`), `+` new, `-` gone.
fn marked(before: &[Row], after: &[Row]) -> Vec<(char, Row)> {
    let mut out = Vec::with_capacity(before.len() + after.len());
    let mut rest = before;
    for row in after {
        let Some(at) = rest.iter().position(|old| old.path == row.path) else {
            let moved = before.iter().find(|old| old.path == row.path);
            out.push((if moved == Some(row) { ' ' } else { '+' }, row.clone()));
            continue;
        };
        let (gone, following) = rest.split_at(at);
        let still_there = |old: &&Row| after.iter().any(|new| new.path == old.path);
        out.extend(gone.iter().filter(|old| !still_there(old)).map(|old| ('-', old.clone())));
        if let Some((old, following)) = following.split_first() {
            if old == row {
                out.push((' ', row.clone()));
            } else {
                out.push(('-', old.clone()));
                out.push(('~', row.clone()));
            }
            rest = following;
        }
    }
    let left = rest.iter().filter(|old| !after.iter().any(|new| new.path == old.path));
    out.extend(left.map(|old| ('-', old.clone())));
    out
}

fn rows(record: &Record) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut plain = |path: &str, value: String| {
        rows.push(Row { path: path.to_owned(), value, ty: String::new() });
    };
    let number = |value: Option<i64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
    plain("topic", quoted(record.topic.as_str()));
    plain("partition", number(record.partition.map(i64::from)));
    if let RecordKind::Sink { offset, .. } = record.kind {
        plain("offset", offset.to_string());
    }
    plain("timestamp", number(record.timestamp));
    for (place, header) in record.headers.iter().enumerate() {
        let same_name = record.headers.iter().take(place).filter(|other| other.key == header.key).count();
        let nth = if same_name == 0 { String::new() } else { format!("#{}", same_name + 1) };
        datum(&format!("header {}{nth}", header.key), &header.datum, &mut rows);
    }
    datum("key", &record.key, &mut rows);
    datum("value", &record.value, &mut rows);
    rows
}

fn datum(path: &str, datum: &Datum, rows: &mut Vec<Row>) {
    flatten(path, datum.schema.as_ref(), &datum.value, 0, rows);
}

/// A row for the value, and one for each part of it.
fn flatten(path: &str, schema: Option<&Schema>, value: &Value, depth: usize, rows: &mut Vec<Row>) {
    let ty = type_name(schema, value);
    let mut row =
        |text: &str| rows.push(Row { path: path.to_owned(), value: text.to_owned(), ty: ty.clone() });
    if depth > MAX_DEPTH {
        return row("…");
    }
    match value {
        Value::Struct(structure) => {
            row("{…}");
            for (field, value) in structure.iter() {
                let path = format!("{path}.{}", field.name());
                flatten(&path, Some(field.schema()), value, depth + 1, rows);
            }
        }
        Value::Object(object) if object.is_empty() => row("{}"),
        Value::Object(object) => {
            row("{…}");
            for (key, value) in object.iter() {
                flatten(&format!("{path}.{key}"), None, value, depth + 1, rows);
            }
        }
        Value::Map(entries) if entries.is_empty() => row("{}"),
        Value::Map(entries) => {
            row("{…}");
            for (key, value) in entries.iter() {
                let key = if let Value::String(key) = key { quoted(key) } else { java::plain_text(key) };
                let schema = schema.and_then(Schema::values);
                flatten(&format!("{path}[{key}]"), schema, value, depth + 1, rows);
            }
        }
        Value::Array(items) if items.is_empty() => row("[]"),
        Value::Array(items) => {
            row("[…]");
            for (place, item) in items.iter().enumerate() {
                let schema = schema.and_then(Schema::values);
                flatten(&format!("{path}[{place}]"), schema, item, depth + 1, rows);
            }
        }
        Value::Null => row("null"),
        Value::String(text) => row(&quoted(text)),
        Value::Bytes(bytes) => row(&base64::engine::general_purpose::STANDARD.encode(bytes)),
        other => row(&java::plain_text(other)),
    }
}

/// The schema's name and version where it has them, else its type; of schemaless values the type in brackets.
fn type_name(schema: Option<&Schema>, value: &Value) -> String {
    match schema {
        Some(schema) => {
            let mut text = schema.ty().name().to_owned();
            if let Some(name) = schema.name() {
                let _ = write!(text, " {name}");
            }
            if let Some(version) = schema.version() {
                let _ = write!(text, " v{version}");
            }
            if schema.is_optional() {
                text.push_str(" optional");
            }
            text
        }
        None => value.natural_type().map_or_else(String::new, |ty| format!("({ty})")),
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Object;

    use super::*;

    fn record(entries: &[(&str, i64)]) -> Record {
        let mut record = Record::for_topic("t");
        record.value = Datum::schemaless(Value::Object(Box::new(Object::from_entries(
            entries.iter().map(|(key, value)| (*key, Value::Int64(*value))),
        ))));
        record
    }

    /// The marks of the value's fields.
    fn marks(before: &[(&str, i64)], after: &[(&str, i64)]) -> String {
        let rows = marked(&rows(&record(before)), &rows(&record(after)));
        let fields = rows.iter().filter_map(|(mark, row)| Some((mark, row.path.strip_prefix("value.")?)));
        fields.map(|(mark, field)| format!("{mark}{field}")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn changes_are_marked_where_they_are() {
        assert_eq!(marks(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)]), " a, b");
        assert_eq!(marks(&[("a", 1), ("b", 2)], &[("a", 3), ("b", 2)]), "-a,~a, b");
        assert_eq!(marks(&[("a", 1), ("b", 2)], &[("b", 2), ("c", 1)]), "-a, b,+c");
        assert_eq!(marks(&[("a", 1), ("b", 2), ("c", 3)], &[("c", 3), ("a", 1)]), "-b, c, a");
        assert_eq!(marks(&[("a", 1)], &[]), "-a");
    }

    #[test]
    fn colour_is_for_terminals() {
        let show = |paint: Paint| {
            let mut steps = Steps::new(paint);
            steps.input(1, &record(&[("a", 1)]));
            steps.transform("x", "X", Some(&record(&[("a", 2)])));
            steps.transform("y", "Y", None);
            steps.take()
        };
        assert!(!show(Paint::Plain).contains('\u{1b}'));
        let coloured = show(Paint::Colour);
        for part in [
            "  \u{1b}[31m- value.a    1  (INT64)\u{1b}[0m\n",
            "  \u{1b}[33m~ value.a    2  (INT64)\u{1b}[0m\n",
            "\u{1b}[1my\u{1b}[0m  Y\n    \u{1b}[2mdropped\u{1b}[0m\n",
        ] {
            assert!(coloured.contains(part), "{coloured:?}");
        }
        assert_eq!(coloured.matches("\u{1b}[33m").count(), 1, "only what changed");
    }

    #[test]
    fn long_values_are_cut_and_still_compared_whole() {
        let with = |last: char| {
            let mut record = Record::for_topic("t");
            record.value = Datum::schemaless(Value::String(format!("{}{last}", "é".repeat(500)).into()));
            record
        };
        let mut steps = Steps::new(Paint::Plain);
        steps.input(1, &with('a'));
        steps.transform("x", "X", Some(&with('b')));
        let text = steps.take();
        assert!(text.contains("  ~ value      \"") && text.contains("… (503 characters)"), "{text}");
    }
}
