//! Which row is the first, and which the last: one is held back until that is known. Pure.

use bytes::Bytes;

use crate::event::SnapshotMarker;

/// A row with its table and what it is marked as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) table: usize,
    pub(super) line: Bytes,
    pub(super) marker: SnapshotMarker,
}

/// Marks rows as they go by.
#[derive(Debug, Default)]
pub(super) struct Marker {
    held: Option<Held>,
    /// A row went by, of this table.
    last_table: Option<usize>,
}

#[derive(Debug)]
struct Held {
    table: usize,
    line: Bytes,
    /// What it is if others of its table follow.
    marker: SnapshotMarker,
    /// None of its table follow.
    last_in_table: bool,
}

impl Marker {
    /// A row; gives the one before it.
    pub(super) fn row(&mut self, table: usize, line: Bytes) -> Option<Marked> {
        let marker = match self.last_table {
            // Where the very first table is empty, Debezium calls no row the first.
            None if table == 0 => SnapshotMarker::First,
            Some(last) if last == table => SnapshotMarker::Between,
            _ => SnapshotMarker::FirstInTable,
        };
        self.last_table = Some(table);
        let before = self.held.replace(Held { table, line, marker, last_in_table: false });
        before.map(|held| {
            let last = held.last_in_table || held.table != table;
            let marker = if last { SnapshotMarker::LastInTable } else { held.marker };
            Marked { table: held.table, line: held.line, marker }
        })
    }

    /// No more rows of `table`.
    pub(super) fn table_done(&mut self, table: usize) {
        if let Some(held) = self.held.as_mut().filter(|held| held.table == table) {
            held.last_in_table = true;
        }
    }

    /// No more rows at all: the very last, if there was any.
    pub(super) fn done(&mut self) -> Option<Marked> {
        let held = self.held.take()?;
        Some(Marked { table: held.table, line: held.line, marker: SnapshotMarker::Last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SnapshotMarker::*;

    fn marks(rows_of_tables: &[usize]) -> Vec<SnapshotMarker> {
        let mut marker = Marker::default();
        let mut out = Vec::new();
        for (table, rows) in rows_of_tables.iter().enumerate() {
            for _ in 0..*rows {
                out.extend(marker.row(table, Bytes::new()).map(|row| row.marker));
            }
            marker.table_done(table);
        }
        out.extend(marker.done().map(|row| row.marker));
        out
    }

    #[test]
    fn rows_are_marked_as_debezium_does() {
        assert_eq!(marks(&[3, 2]), [First, Between, LastInTable, FirstInTable, Last]);
        assert_eq!(marks(&[1, 1, 0]), [LastInTable, Last]);
        assert_eq!(marks(&[0, 2, 0]), [FirstInTable, Last]);
        assert_eq!(marks(&[0]), []);
    }
}
