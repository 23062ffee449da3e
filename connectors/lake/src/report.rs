//! How large the files come out, and why they were finished: counters for metrics, and a line of the log now and then.

use lavka_api::plugin::{Counter, Gauge};

use crate::rotation::Cause;

/// Milliseconds between two lines of the log.
const LINE_MS: i64 = 600_000;
/// Files below this size cost their readers more to open than to read.
const SMALL: u64 = 1 << 20;

/// A file that was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) cause: Cause,
}

/// Classes of sizes: the counter of each, and below how many bytes its files are. What is larger is in the last one.
const SIZES: [(&str, u64); 6] = [
    ("file-size-below-64-kib-total", 1 << 16),
    ("file-size-64-kib-to-1-mib-total", SMALL),
    ("file-size-1-mib-to-16-mib-total", 1 << 24),
    ("file-size-16-mib-to-128-mib-total", 1 << 27),
    ("file-size-128-mib-to-1-gib-total", 1 << 30),
    ("file-size-from-1-gib-total", u64::MAX),
];

/// A cause's counter, and what the line of the log calls it.
fn names(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::Rows => ("file-finished-by-rows-total", "flush.size"),
        Cause::Interval => ("file-finished-by-interval-total", "rotate.interval.ms"),
        Cause::Schedule => ("file-finished-by-schedule-total", "rotate.schedule.interval.ms"),
        Cause::Bytes => ("file-finished-by-bytes-total", "lavka.rotate.bytes"),
        Cause::Idle => ("file-finished-by-idle-total", "lavka.rotate.idle.ms"),
        Cause::Commit => ("file-finished-by-commit-total", "offset.flush.interval.ms"),
        Cause::Schema => ("file-finished-by-schema-total", "another schema"),
        Cause::Directory => ("file-finished-by-directory-total", "another directory"),
        Cause::OpenFiles => ("file-finished-by-open-files-total", "too many open files"),
        Cause::Memory => ("file-finished-by-memory-total", "lavka.buffer.bytes"),
        Cause::Overtaken => ("file-finished-by-lost-records-total", "records that Kafka has lost"),
    }
}

/// What was finished since the last line.
#[derive(Debug, Default)]
struct Tally {
    files: u64,
    bytes: u64,
    rows: u64,
    small: u64,
    smallest: Option<u64>,
    largest: u64,
    by_cause: [u64; Cause::ALL.len()],
}

/// The report of one task.
#[derive(Debug)]
pub(crate) struct FileReport {
    files: Counter,
    bytes: Counter,
    rows: Counter,
    sizes: [Counter; SIZES.len()],
    causes: [Counter; Cause::ALL.len()],
    open: Gauge,
    memory: Gauge,
    tally: Tally,
    /// When the last line was written, or the first file finished.
    since: Option<i64>,
}

impl FileReport {
    pub(crate) fn new() -> Self {
        Self {
            files: Counter::new("file-finished-total"),
            bytes: Counter::new("file-bytes-total"),
            rows: Counter::new("file-rows-total"),
            sizes: SIZES.map(|(name, _)| Counter::new(name)),
            causes: Cause::ALL.map(|cause| Counter::new(names(cause).0)),
            open: Gauge::new("file-open-count"),
            memory: Gauge::new("file-open-memory-bytes"),
            tally: Tally::default(),
            since: None,
        }
    }

    pub(crate) fn counters(&self) -> Vec<Counter> {
        [&self.files, &self.bytes, &self.rows]
            .into_iter()
            .chain(&self.sizes)
            .chain(&self.causes)
            .cloned()
            .collect()
    }

    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        vec![self.open.clone(), self.memory.clone()]
    }

    /// So many files are open, and use this much memory.
    #[expect(clippy::cast_precision_loss, reason = "no files and no memory of 2^53")]
    pub(crate) fn open(&self, files: usize, memory: usize) {
        self.open.set(files as f64);
        self.memory.set(memory as f64);
    }

    /// A file was finished at `now`, in epoch milliseconds.
    pub(crate) fn finished(&mut self, cut: Cut, now: i64) {
        self.files.add(1);
        self.bytes.add(cut.bytes);
        self.rows.add(cut.rows);
        let class = SIZES.iter().position(|(_, limit)| cut.bytes < *limit).unwrap_or(SIZES.len() - 1);
        self.sizes.get(class).into_iter().for_each(|counter| counter.add(1));
        let cause = Cause::ALL.iter().position(|cause| *cause == cut.cause).unwrap_or_default();
        self.causes.get(cause).into_iter().for_each(|counter| counter.add(1));
        let tally = &mut self.tally;
        tally.files += 1;
        tally.bytes = tally.bytes.saturating_add(cut.bytes);
        tally.rows = tally.rows.saturating_add(cut.rows);
        tally.small += u64::from(cut.bytes < SMALL);
        tally.smallest = Some(tally.smallest.map_or(cut.bytes, |smallest| smallest.min(cut.bytes)));
        tally.largest = tally.largest.max(cut.bytes);
        tally.by_cause.get_mut(cause).into_iter().for_each(|count| *count += 1);
        self.since.get_or_insert(now);
    }

    /// A line for the log, where files were finished and the last line is old.
    pub(crate) fn line(&mut self, now: i64) -> Option<String> {
        let since = self.since?;
        if now < since {
            // The clock was set back.
            self.since = Some(now);
        }
        if now.saturating_sub(since) < LINE_MS {
            return None;
        }
        let line = self.last_line();
        self.since = line.is_some().then_some(now);
        line
    }

    /// The same however old the last line is.
    pub(crate) fn last_line(&mut self) -> Option<String> {
        let Tally { files, bytes, rows, small, smallest, largest, by_cause } =
            std::mem::take(&mut self.tally);
        let average = bytes.checked_div(files)?;
        let causes: Vec<String> = Cause::ALL
            .iter()
            .zip(by_cause)
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| format!("{count} by {}", names(*cause).1))
            .collect();
        let remedy = if small * 2 > files {
            ". Most are below 1 MiB, which readers of a lake do not like: let what finishes them come later, and leave \
             the size to lavka.rotate.bytes"
        } else {
            ""
        };
        Some(format!(
            "finished {files} files with {rows} records, {} on average ({} to {}): {}{remedy}",
            size(average),
            size(smallest.unwrap_or_default()),
            size(largest),
            causes.join(", ")
        ))
    }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        let whole = bytes >> shift;
        if whole > 0 {
            let tenths = ((bytes >> (shift - 10)) & 1023) * 10 / 1024;
            return format!("{whole}.{tenths} {unit}");
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(report: &FileReport, name: &str) -> u64 {
        report.counters().iter().find(|counter| counter.name() == name).unwrap().value()
    }

    #[test]
    fn files_are_counted_by_size_and_by_cause() {
        let mut report = FileReport::new();
        for (bytes, cause) in [
            (10, Cause::Rows),
            (SMALL, Cause::Bytes),
            (SMALL - 1, Cause::Rows),
            (5 << 30, Cause::Idle),
            (0, Cause::Schema),
        ] {
            report.finished(Cut { bytes, rows: 3, cause }, 7);
        }
        for (name, count) in [
            ("file-finished-total", 5),
            ("file-rows-total", 15),
            ("file-bytes-total", 10 + 2 * SMALL - 1 + (5 << 30)),
            ("file-size-below-64-kib-total", 2),
            ("file-size-64-kib-to-1-mib-total", 1),
            ("file-size-1-mib-to-16-mib-total", 1),
            ("file-size-from-1-gib-total", 1),
            ("file-finished-by-rows-total", 2),
            ("file-finished-by-schema-total", 1),
            ("file-finished-by-memory-total", 0),
        ] {
            assert_eq!(value(&report, name), count, "{name}");
        }
        report.open(3, 1000);
        let gauges: Vec<f64> = report.gauges().iter().map(Gauge::value).collect();
        assert_eq!(gauges, [3.0, 1000.0]);
    }

    #[test]
    fn a_line_comes_every_ten_minutes_if_there_is_something_to_tell() {
        let mut report = FileReport::new();
        assert_eq!(report.line(0), None);
        report.finished(Cut { bytes: 3 << 20, rows: 10, cause: Cause::Bytes }, 1000);
        report.finished(Cut { bytes: (1 << 20) + (1 << 19), rows: 5, cause: Cause::Rows }, 2000);
        assert_eq!(report.line(600_999), None);
        assert_eq!(
            report.line(601_000).unwrap(),
            "finished 2 files with 15 records, 2.2 MiB on average (1.5 MiB to 3.0 MiB): 1 by flush.size, 1 by \
             lavka.rotate.bytes"
        );
        assert_eq!(report.line(9_000_000), None, "nothing since");
        report.finished(Cut { bytes: 900, rows: 1, cause: Cause::Rows }, 9_100_000);
        assert_eq!(report.line(9_200_000), None);
        assert!(report.last_line().unwrap().contains("900 bytes on average"));
        report.finished(Cut { bytes: 900, rows: 1, cause: Cause::Rows }, 9_300_000);
        assert_eq!(report.line(0), None, "the clock was set back");
        assert!(report.line(600_000).unwrap().contains("lavka.rotate.bytes"));
    }
}
