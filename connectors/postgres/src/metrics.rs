//! What the task counts and measures.
//!
//! Names are those of the attributes of Debezium's MBeans behind their context: `snapshot.`, `streaming.`. Where an
//! attribute is a map by table, the number is that of all tables. What begins with `slot.`, and the estimates of the
//! snapshot, are our own.

use lavka_api::plugin::{Counter, Gauge};

macro_rules! metrics {
    ($($(#[$meta:meta])* $group:ident {
        counters { $($(#[$counter_doc:meta])* $counter:ident = $counter_name:literal,)* }
        gauges { $($(#[$gauge_doc:meta])* $gauge:ident = $gauge_name:literal,)* }
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub(crate) struct $group {
            $($(#[$counter_doc])* pub(crate) $counter: Counter,)*
            $($(#[$gauge_doc])* pub(crate) $gauge: Gauge,)*
        }

        impl Default for $group {
            fn default() -> Self {
                Self {
                    $($counter: Counter::new($counter_name),)*
                    $($gauge: Gauge::new($gauge_name),)*
                }
            }
        }

        impl $group {
            fn list(&self, counters: &mut Vec<Counter>, gauges: &mut Vec<Gauge>) {
                counters.extend([$(self.$counter.clone(),)*] as [Counter; _]);
                gauges.extend([$(self.$gauge.clone(),)*] as [Gauge; _]);
            }
        }
    )*};
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
            /// Rows so far.
            rows = "snapshot.RowsScanned",
            /// Rows that the tables have by the server's statistics; not a number where it has none.
            rows_estimated = "snapshot.RowsEstimated",
            /// Seconds left, if it goes on as so far; not a number where there is no telling.
            seconds_left = "snapshot.SecondsLeftEstimated",
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
            /// Transactions that were read whole.
            transactions = "streaming.NumberOfCommittedTransactions",
        }
        gauges {
            /// 1 while the stream runs.
            connected = "streaming.Connected",
            /// From the commit of what was read last until it was read; 0 where everything was read.
            behind_ms = "streaming.MilliSecondsBehindSource",
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
    pub(crate) fn list(&self) -> (Vec<Counter>, Vec<Gauge>) {
        let (mut counters, mut gauges) = (Vec::new(), Vec::new());
        self.snapshot.list(&mut counters, &mut gauges);
        self.stream.list(&mut counters, &mut gauges);
        self.slot.list(&mut counters, &mut gauges);
        (counters, gauges)
    }
}

impl SnapshotMetrics {
    /// A snapshot of so many tables, with so many rows by estimate, begins.
    pub(crate) fn begin(&self, tables: usize, estimate: Option<f64>) {
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

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        let (counters, gauges) = Metrics::default().list();
        let names = counters.iter().map(Counter::name).chain(gauges.iter().map(Gauge::name));
        assert_eq!(names.collect::<BTreeSet<_>>().len(), counters.len() + gauges.len());
        assert!(gauges.iter().any(|gauge| gauge.name() == "streaming.MilliSecondsBehindSource"));
    }

    #[test]
    fn the_time_left_goes_by_the_rows_so_far() {
        let metrics = SnapshotMetrics::default();
        metrics.begin(3, Some(400.0));
        assert!(metrics.seconds_left.value().is_nan());
        metrics.advance(100, 5.0, 2);
        assert_eq!((metrics.seconds_left.value(), metrics.remaining.value()), (15.0, 2.0));
        metrics.advance(500, 25.0, 1);
        assert_eq!(metrics.seconds_left.value(), 0.0, "more rows than was thought");
        metrics.end(true);
        assert_eq!((metrics.running.value(), metrics.completed.value()), (0.0, 1.0));
        metrics.begin(1, None);
        metrics.advance(10, 1.0, 1);
        assert!(metrics.seconds_left.value().is_nan(), "no statistics");
    }
}
