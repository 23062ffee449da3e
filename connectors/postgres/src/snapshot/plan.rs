//! What a snapshot reads, in which order, and what of it is done. Pure.

use std::fmt;

use crate::catalog::Found;
use crate::config::RowCountOrder;

/// Pages of a range: 32 MiB at the usual page size. What a restart reads again is at most one for each connection.
pub(crate) const PAGES: i64 = 4096;

/// A range of pages is read by its `ctid`s where the server scans only those (from version 14 on).
const RANGE_SCANS: i32 = 140_000;

/// Puts tables into the order in which they are read.
pub(crate) fn order(tables: &mut [Found], by: RowCountOrder) {
    tables.sort_by(|a, b| {
        let by_name = a.id.cmp(&b.id);
        match by {
            RowCountOrder::Disabled => by_name,
            RowCountOrder::Ascending => a.rows.total_cmp(&b.rows).then(by_name),
            RowCountOrder::Descending => b.rows.total_cmp(&a.rows).then(by_name),
        }
    });
}

/// Whether the rows of a table are read from it. Rows of a partitioned table are streamed under their partitions, or
/// under the root where the publication says so; the snapshot does the same.
pub(crate) fn has_rows_of_its_own(table: &Found, via_root: bool) -> bool {
    if via_root { !table.partition } else { !table.partitioned }
}

/// How many ranges `table` is read in.
pub(crate) fn chunks(table: &Found, version: i32, whole: bool) -> u64 {
    if whole || !table.heap || version < RANGE_SCANS {
        return 1;
    }
    u64::try_from(table.pages.max(1).div_euclid(PAGES) + i64::from(table.pages.max(1).rem_euclid(PAGES) != 0))
        .unwrap_or(1)
        .max(1)
}

/// The condition for range `chunk` of `count`; none where there is one range. The last has no end, since the table may
/// have grown.
pub(crate) fn condition(chunk: u64, count: u64) -> Option<String> {
    if count <= 1 {
        return None;
    }
    let page = |chunk: u64| chunk.saturating_mul(PAGES.unsigned_abs()).min(u64::from(u32::MAX));
    let from = format!("ctid >= '({},0)'::tid", page(chunk));
    Some(if chunk + 1 == count { from } else { format!("{from} AND ctid < '({},0)'::tid", page(chunk + 1)) })
}

/// How far an unfinished snapshot is: which tables are done, and of the one that is being read these ranges.
///
/// Written to the offset as text: `2;<xmin>;<done tables>;<file node>;<done ranges>/<count>;<schema.table>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The oldest transaction that was not over when the snapshot was taken: rows of later ones may have moved.
    pub(crate) xmin: u64,
    /// Tables that are done, by object id: names and order may be others the next time.
    pub(crate) tables: Vec<u32>,
    /// The table that is being read.
    pub(crate) table: String,
    /// Where the server keeps its rows: with another one, they are elsewhere in the table.
    pub(crate) filenode: u32,
    /// How many ranges it is read in.
    pub(crate) count: u64,
    /// Ranges that are done, as spans of first and last, in order and apart.
    pub(super) done: Vec<(u64, u64)>,
}

/// The first word of the form that is written.
const FORM: &str = "2";

impl Progress {
    /// Whether `chunk` is done.
    pub(crate) fn is_done(&self, chunk: u64) -> bool {
        self.done.iter().any(|&(first, last)| (first..=last).contains(&chunk))
    }

    /// How many ranges are done.
    pub(crate) fn finished(&self) -> u64 {
        self.done.iter().map(|&(first, last)| last.saturating_sub(first).saturating_add(1)).sum()
    }

    /// `chunk` is done.
    pub(crate) fn finish(&mut self, chunk: u64) {
        if self.is_done(chunk) {
            return;
        }
        let at = self.done.partition_point(|&(first, _)| first < chunk);
        self.done.insert(at, (chunk, chunk));
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.done.len());
        for &(first, last) in &self.done {
            match merged.last_mut() {
                Some(before) if before.1 + 1 == first => before.1 = last,
                _ => merged.push((first, last)),
            }
        }
        self.done = merged;
    }

    /// Reads the text of an offset; `None` where it is not one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ';');
        if parts.next()? != FORM {
            return None;
        }
        let xmin = parts.next()?.parse().ok()?;
        let tables = parts.next()?.split(',').filter(|oid| !oid.is_empty());
        let tables = tables.map(|oid| oid.parse().ok()).collect::<Option<Vec<u32>>>()?;
        let filenode = parts.next()?.parse().ok()?;
        let (done, count) = parts.next()?.rsplit_once('/')?;
        let (table, count) = (parts.next()?.to_owned(), count.parse().ok()?);
        let mut progress = Self { xmin, tables, table, filenode, count, done: Vec::new() };
        for span in done.split(',').filter(|span| !span.is_empty()) {
            let (first, last) = span.split_once('-').unwrap_or((span, span));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            let apart = progress.done.last().is_none_or(|&(_, before)| before < first);
            if first > last || last >= progress.count || !apart {
                return None;
            }
            progress.done.push((first, last));
        }
        Some(progress)
    }

    /// Leaves the tables that are not done in `tables`, with the one that was being read first; whether its rows are
    /// still where they were, so that its ranges count.
    pub(crate) fn left(&self, tables: &mut Vec<Found>) -> bool {
        tables.retain(|table| !self.tables.contains(&table.oid));
        let Some(at) = tables.iter().position(|table| table.id.to_string() == self.table) else {
            return false;
        };
        tables[..=at].rotate_right(1);
        tables.first().is_some_and(|table| table.filenode == self.filenode)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = |index: usize| if index == 0 { "" } else { "," };
        write!(f, "{FORM};{};", self.xmin)?;
        for (index, oid) in self.tables.iter().enumerate() {
            write!(f, "{}{oid}", comma(index))?;
        }
        write!(f, ";{};", self.filenode)?;
        for (index, (first, last)) in self.done.iter().enumerate() {
            let comma = comma(index);
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        write!(f, "/{};{}", self.count, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TableId;

    fn table(name: &str, pages: i64, rows: f64) -> Found {
        Found {
            oid: 1,
            id: TableId::new("s", name),
            partitioned: false,
            partition: false,
            rows,
            pages,
            filenode: 7,
            heap: true,
            identified: true,
        }
    }

    #[test]
    fn tables_are_ordered_by_name_or_by_rows() {
        let mut tables = [table("b", 0, 5.0), table("a", 0, -1.0), table("c", 0, 9.0)];
        let mut names = |by| {
            order(&mut tables, by);
            tables.iter().map(|t| t.id.table.to_string()).collect::<String>()
        };
        assert_eq!(names(RowCountOrder::Disabled), "abc");
        assert_eq!(names(RowCountOrder::Descending), "cba");
        assert_eq!(names(RowCountOrder::Ascending), "abc");
    }

    #[test]
    fn ranges_cover_a_table_and_what_it_grows_by() {
        assert_eq!(chunks(&table("t", 0, 0.0), 150_000, false), 1);
        assert_eq!(chunks(&table("t", 4096, 0.0), 150_000, false), 1);
        assert_eq!(chunks(&table("t", 4097, 0.0), 150_000, false), 2);
        assert_eq!(chunks(&table("t", 4097, 0.0), 130_000, false), 1);
        assert_eq!(chunks(&table("t", 4097, 0.0), 150_000, true), 1);
        assert_eq!(condition(0, 1), None);
        assert_eq!(condition(0, 2).unwrap(), "ctid >= '(0,0)'::tid AND ctid < '(4096,0)'::tid");
        assert_eq!(condition(1, 2).unwrap(), "ctid >= '(4096,0)'::tid");
    }

    fn progress(tables: &[u32], table: &str) -> Progress {
        let (tables, table) = (tables.to_vec(), table.to_owned());
        Progress { xmin: 740, tables, table, filenode: 7, count: 9, done: Vec::new() }
    }

    #[test]
    fn progress_is_kept_as_spans_and_comes_back() {
        let mut progress = progress(&[16_384, 9], "s;odd.t/1");
        for chunk in [3, 0, 1, 5, 4, 3] {
            progress.finish(chunk);
        }
        assert_eq!(progress.to_string(), "2;740;16384,9;7;0-1,3-5/9;s;odd.t/1");
        assert_eq!(Progress::parse(&progress.to_string()).unwrap(), progress);
        assert!(progress.is_done(4) && !progress.is_done(2));
        let none = Progress { tables: Vec::new(), done: Vec::new(), ..progress };
        assert_eq!(Progress::parse(&none.to_string()).unwrap(), none);
        for wrong in
            ["", "x", "740;0-1/9;s.t", "2;1;;7;5/3;t", "2;1;;7;3-1/9;t", "2;1;;7;3,2/9;t", "2;1;a;7;/1;t"]
        {
            assert_eq!(Progress::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_left_goes_by_the_tables_themselves() {
        let numbered = |name: &str, oid| Found { oid, ..table(name, 0, 0.0) };
        let left = |progress: &Progress| {
            let mut tables = vec![numbered("a", 1), numbered("b", 2), numbered("c", 3), numbered("d", 4)];
            let goes_on = progress.left(&mut tables);
            (goes_on, tables.iter().map(|table| table.id.table.to_string()).collect::<String>())
        };
        assert_eq!(left(&progress(&[4], "s.c")), (true, "cab".to_owned()));
        assert_eq!(left(&progress(&[1, 9], "s.gone")), (false, "bcd".to_owned()));
        let rewritten = Progress { filenode: 8, ..progress(&[1], "s.b") };
        assert_eq!(left(&rewritten), (false, "bcd".to_owned()), "its rows are elsewhere");
    }
}
