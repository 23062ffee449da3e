//! What the task counts and measures.
//!
//! Names are those of the attributes of Debezium's MBeans behind their context: `snapshot.`, `streaming.`. What begins
//! with `slot.`, and the estimates of the snapshot, are our own. [`MBEAN_ATTRIBUTES`] says which attributes there are.

mod lag;
mod mbeans;
mod times;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lavka_api::plugin::{Counter, Gauge, Gauges};

use self::lag::Lags;
pub use self::mbeans::{MBEAN_ATTRIBUTES, MBeanAttribute};
use self::times::{LastEvent, Pauses};

macro_rules! metrics {
    ($($(#[$meta:meta])* $group:ident {
        counters { $($(#[$counter_doc:meta])* $counter:ident = $counter_name:literal,)* }
        gauges { $($(#[$gauge_doc:meta])* $gauge:ident = $gauge_name:literal,)* }
        by_label { $($(#[$map_doc:meta])* $map:ident = $map_name:literal by $label:literal,)* }
        kept { $($(#[$kept_doc:meta])* $kept:ident: $of:ty,)* }
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub(crate) struct $group {
            $($(#[$counter_doc])* pub(crate) $counter: Counter,)*
            $($(#[$gauge_doc])* pub(crate) $gauge: Gauge,)*
            $($(#[$map_doc])* pub(crate) $map: Gauges,)*
            $($(#[$kept_doc])* pub(crate) $kept: $of,)*
        }

        impl Default for $group {
            fn default() -> Self {
                Self {
                    $($counter: Counter::new($counter_name),)*
                    $($gauge: Gauge::new($gauge_name),)*
                    $($map: Gauges::new($map_name, $label),)*
                    $($kept: Default::default(),)*
                }
            }
        }

        impl $group {
            fn list(&self, list: &mut List) {
                list.counters.extend([$(self.$counter.clone(),)*] as [Counter; _]);
                list.gauges.extend([$(self.$gauge.clone(),)*] as [Gauge; _]);
                list.by_label.extend([$(self.$map.clone(),)*] as [Gauges; _]);
            }
        }
    )*};
}

/// Counters and gauges, to be handed out.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) counters: Vec<Counter>,
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) by_label: Vec<Gauges>,
}

metrics! {
    /// The snapshot before the stream, and those beside it.
    SnapshotMetrics {
        counters {
            /// Rows that became records.
            events = "snapshot.TotalNumberOfEventsSeen",
        }
        gauges {
            /// Tables of the snapshot.
            tables = "snapshot.TotalTableCount",
            /// Tables that are not read whole yet.
            remaining = "snapshot.RemainingTableCount",
            /// 1 while a snapshot is read.
            running = "snapshot.SnapshotRunning",
            /// 1 while an incremental snapshot is paused.
            paused = "snapshot.SnapshotPaused",
            /// 1 once it was read.
            completed = "snapshot.SnapshotCompleted",
            /// 1 where it failed.
            aborted = "snapshot.SnapshotAborted",
            /// 1 where none was needed.
            skipped = "snapshot.SnapshotSkipped",
            /// How long it has taken so far.
            seconds = "snapshot.SnapshotDurationInSeconds",
            /// Seconds for which incremental snapshots were paused.
            paused_seconds = "snapshot.SnapshotPausedDurationInSeconds",
            /// Since the last row; -1 before the first, as with Debezium.
            since_event_ms = "snapshot.MilliSecondsSinceLastEvent",
            /// Rows that may wait between the readers and the task.
            capacity = "snapshot.QueueTotalCapacity",
            /// Rows that may come in addition.
            room = "snapshot.QueueRemainingCapacity",
            /// Bytes that may wait, the last row of each batch aside.
            capacity_bytes = "snapshot.MaxQueueSizeInBytes",
            /// Bytes that wait.
            queued_bytes = "snapshot.CurrentQueueSizeInBytes",
            /// Rows so far, of all tables.
            rows = "snapshot.RowsRead",
            /// Rows that the tables have by the server's statistics; not a number where it has none.
            rows_estimated = "snapshot.RowsEstimated",
            /// Seconds left, if it goes on as so far; not a number where there is no telling.
            seconds_left = "snapshot.SecondsLeftEstimated",
        }
        by_label {
            /// 1 for each table of it.
            captured = "snapshot.CapturedTables" by "table",
            /// Rows so far.
            rows_of = "snapshot.RowsScanned" by "table",
            /// Ranges that the table is read in.
            chunks = "snapshot.TableChunkCounts" by "table",
            /// Those that are read.
            chunks_done = "snapshot.TableChunksCompletedCounts" by "table",
        }
        kept {
            /// When the last row was made a record.
            last: LastEvent,
            /// When incremental snapshots were paused.
            pauses: Pauses,
        }
    }

    /// The stream.
    StreamMetrics {
        counters {
            /// Changes that were seen.
            events = "streaming.TotalNumberOfEventsSeen",
            /// Inserts.
            created = "streaming.TotalNumberOfCreateEventsSeen",
            /// Updates.
            updated = "streaming.TotalNumberOfUpdateEventsSeen",
            /// Deletes.
            deleted = "streaming.TotalNumberOfDeleteEventsSeen",
            /// Truncates.
            truncated = "streaming.NumberOfTruncateEventsSeen",
            /// Changes that filters kept back.
            filtered = "streaming.NumberOfEventsFiltered",
            /// Changes that could not be made records.
            erroneous = "streaming.NumberOfErroneousEvents",
            /// Updates that changed nothing (`skip.messages.without.change`).
            unchanged = "streaming.NumberOfUnchangedEventsSkipped",
            /// Transactions that were read whole.
            transactions = "streaming.NumberOfCommittedTransactions",
        }
        gauges {
            /// 1 while the stream runs.
            connected = "streaming.Connected",
            /// From the commit of what was read last until it was read; 0 where everything was read.
            behind_ms = "streaming.MilliSecondsBehindSource",
            /// The least of it, transaction by transaction; not a number before the first.
            behind_min = "streaming.MilliSecondsBehindSourceMinValue",
            /// The most of it.
            behind_max = "streaming.MilliSecondsBehindSourceMaxValue",
            /// The average of it.
            behind_avg = "streaming.MilliSecondsBehindSourceAverageValue",
            /// The median of it, within 2 %.
            behind_p50 = "streaming.MilliSecondsBehindSourceP50",
            /// What 95 of 100 are not above.
            behind_p95 = "streaming.MilliSecondsBehindSourceP95",
            /// What 99 of 100 are not above.
            behind_p99 = "streaming.MilliSecondsBehindSourceP99",
            /// The transaction that was read last, as the server numbers it.
            last_transaction = "streaming.LastTransactionId",
            /// Since the last change; -1 before the first, as with Debezium.
            since_event_ms = "streaming.MilliSecondsSinceLastEvent",
            /// Frames that may wait between the connection and the task.
            capacity = "streaming.QueueTotalCapacity",
            /// Frames that may come in addition.
            room = "streaming.QueueRemainingCapacity",
            /// Bytes that may wait.
            capacity_bytes = "streaming.MaxQueueSizeInBytes",
            /// Bytes that wait.
            queued_bytes = "streaming.CurrentQueueSizeInBytes",
        }
        by_label {
            /// 1 for each table that is captured.
            captured = "streaming.CapturedTables" by "table",
            /// Numbers of the offset.
            position = "streaming.SourceEventPosition" by "key",
        }
        kept {
            /// When the last change came.
            last: LastEvent,
            /// How far behind transactions were.
            lags: Arc<Mutex<Lags>>,
        }
    }

    /// The slot, as the server sees it.
    SlotMetrics {
        counters {}
        gauges {
            /// WAL that the server has written and the slot was not confirmed for.
            lag_bytes = "slot.LagBytes",
            /// WAL that the server keeps for the slot.
            retained_bytes = "slot.RetainedBytes",
            /// WAL that may still be written before the slot is lost (`safe_wal_size`); not a number where there is no limit.
            safe_bytes = "slot.SafeBytes",
            /// 1 while somebody reads it.
            active = "slot.Active",
            /// `wal_status`: 0 reserved, 1 extended, 2 unreserved, 3 lost, -1 where there is no such slot.
            wal_status = "slot.WalStatus",
        }
        by_label {}
        kept {}
    }
}

/// Everything that is counted and measured. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) snapshot: SnapshotMetrics,
    pub(crate) stream: StreamMetrics,
    pub(crate) slot: SlotMetrics,
}

impl Metrics {
    /// All counters and gauges.
    pub(crate) fn list(&self) -> List {
        let mut list = List::default();
        self.snapshot.list(&mut list);
        self.stream.list(&mut list);
        self.slot.list(&mut list);
        list
    }
}

/// What waits between the readers of a snapshot and the task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    pub(crate) most_rows: usize,
    pub(crate) most_bytes: usize,
}

impl SnapshotMetrics {
    /// A snapshot of these tables, with so many rows by estimate, begins.
    pub(crate) fn begin(&self, names: impl Iterator<Item = String>, estimate: Option<f64>) {
        for by_table in [&self.captured, &self.rows_of, &self.chunks, &self.chunks_done] {
            by_table.clear();
        }
        let mut tables = 0;
        for name in names {
            self.captured.set(&name, 1.0);
            self.rows_of.set(&name, 0.0);
            tables += 1;
        }
        self.tables.set(count(tables));
        self.remaining.set(count(tables));
        self.running.set(1.0);
        self.completed.set(0.0);
        self.aborted.set(0.0);
        self.skipped.set(0.0);
        self.rows.set(0.0);
        self.seconds.set(0.0);
        self.rows_estimated.set(estimate.unwrap_or(f64::NAN));
        self.seconds_left.set(f64::NAN);
    }

    /// So far it came to `rows` in `seconds`, and so many tables are left.
    pub(crate) fn advance(&self, rows: u64, seconds: f64, remaining: usize) {
        let rows = number(rows);
        self.rows.set(rows);
        self.seconds.set(seconds);
        self.remaining.set(count(remaining));
        self.seconds_left.set(seconds_left(rows, self.rows_estimated.value(), seconds));
    }

    /// So much waits.
    pub(crate) fn queue(&self, waiting: Waiting) {
        self.capacity.set(count(waiting.most_rows));
        self.room.set(count(waiting.most_rows.saturating_sub(waiting.rows)));
        self.capacity_bytes.set(count(waiting.most_bytes));
        self.queued_bytes.set(count(waiting.bytes));
    }

    /// Incremental snapshots are paused from `now` on, or are not.
    pub(crate) fn pause(&self, paused: bool, now: Instant) {
        self.paused.set(flag(paused));
        self.pauses.set(paused, now);
    }

    /// Sets what changes with time alone.
    pub(crate) fn tick(&self, now: Instant) {
        self.paused_seconds.set(self.pauses.seconds(now));
        self.since_event_ms.set(self.last.millis_ago(now));
    }

    /// It has ended.
    pub(crate) fn end(&self, completed: bool) {
        self.running.set(0.0);
        self.completed.set(flag(completed));
        self.aborted.set(flag(!completed));
        self.seconds_left.set(0.0);
    }

    /// None is needed.
    pub(crate) fn skip(&self) {
        for gauge in [&self.running, &self.completed, &self.aborted] {
            gauge.set(0.0);
        }
        self.skipped.set(1.0);
    }
}

impl StreamMetrics {
    fn lags(&self) -> MutexGuard<'_, Lags> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These tables are captured.
    pub(crate) fn capture(&self, names: impl Iterator<Item = String>) {
        self.captured.clear();
        names.for_each(|name| self.captured.set(&name, 1.0));
    }

    /// A transaction begins to be read so many milliseconds after its commit.
    pub(crate) fn behind(&self, millis: u64) {
        self.behind_ms.set(number(millis));
        self.lags().add(millis);
    }

    /// Sets what changes with time alone, and what is worked out from time to time.
    pub(crate) fn tick(&self, now: Instant) {
        self.since_event_ms.set(self.last.millis_ago(now));
        let lags = self.lags();
        let Some((least, most)) = lags.extremes() else { return };
        self.behind_min.set(number(least));
        self.behind_max.set(number(most));
        let (total, times) = lags.sum();
        self.behind_avg.set(number(total) / number(times));
        for (percent, gauge) in [(50, &self.behind_p50), (95, &self.behind_p95), (99, &self.behind_p99)] {
            gauge.set(lags.quantile(percent).map_or(f64::NAN, number));
        }
    }
}

/// Seconds until `estimate` rows are read, where `rows` took `seconds`. Pure.
fn seconds_left(rows: f64, estimate: f64, seconds: f64) -> f64 {
    if rows <= 0.0 || estimate.is_nan() { f64::NAN } else { ((estimate - rows).max(0.0) / rows) * seconds }
}

/// 1 for yes.
pub(crate) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A count as metrics have it.
pub(crate) fn count(count: usize) -> f64 {
    number(count as u64)
}

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles; 2^53 rows or bytes are far away")]
pub(crate) fn number(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names() -> Vec<&'static str> {
        let List { counters, gauges, by_label } = Metrics::default().list();
        let one_by_one = counters.iter().map(Counter::name).chain(gauges.iter().map(Gauge::name));
        one_by_one.chain(by_label.iter().map(Gauges::name)).collect()
    }

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        assert_eq!(names().into_iter().collect::<BTreeSet<_>>().len(), names().len());
    }

    #[test]
    fn the_attributes_of_mbeans_are_there() {
        let own = ["snapshot.RowsRead", "snapshot.RowsEstimated", "snapshot.SecondsLeftEstimated"];
        let kept: BTreeSet<String> = MBEAN_ATTRIBUTES
            .iter()
            .filter(|attribute| attribute.missing.is_none())
            .map(|attribute| format!("{}.{}", attribute.context, attribute.name))
            .collect();
        let there: BTreeSet<String> = names()
            .into_iter()
            .filter(|name| !name.starts_with("slot.") && !own.contains(name))
            .map(str::to_owned)
            .collect();
        assert_eq!(there, kept);
    }

    #[test]
    fn the_time_left_goes_by_the_rows_so_far() {
        let metrics = SnapshotMetrics::default();
        let tables = |names: &'static [&str]| names.iter().map(|name| (*name).to_owned());
        metrics.begin(tables(&["s.a", "s.b", "s.c"]), Some(400.0));
        assert!(metrics.seconds_left.value().is_nan());
        metrics.advance(100, 5.0, 2);
        assert_eq!((metrics.seconds_left.value(), metrics.remaining.value()), (15.0, 2.0));
        metrics.advance(500, 25.0, 1);
        assert_eq!(metrics.seconds_left.value(), 0.0, "more rows than was thought");
        metrics.end(true);
        assert_eq!((metrics.running.value(), metrics.completed.value()), (0.0, 1.0));
        metrics.begin(tables(&["s.d"]), None);
        assert_eq!(metrics.captured.values(), [("s.d".to_owned(), 1.0)]);
        metrics.advance(10, 1.0, 1);
        assert!(metrics.seconds_left.value().is_nan(), "no statistics");
    }
}
