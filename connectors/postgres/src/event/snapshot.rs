//! Rows that were read, not changed: snapshots.

use lavka_api::Result;
use lavka_api::data::{OffsetMap, SourceRecord, Str};

use super::plan::TablePlan;
use super::position::Source;
use super::recorder::{Recorder, key_datum};
use crate::model::ColumnText;
use crate::offset::Offset;

/// Which row of a snapshot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotMarker {
    /// The very first.
    First,
    /// The first of a later table.
    FirstInTable,
    /// One in between.
    Between,
    /// The last of a table.
    LastInTable,
    /// The very last.
    Last,
}

impl SnapshotMarker {
    /// The word in `source.snapshot`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FirstInTable => "first_in_data_collection",
            Self::Between => "true",
            Self::LastInTable => "last_in_data_collection",
            Self::Last => "last",
        }
    }
}

/// How a row came to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// By an initial or a blocking snapshot: the source shows the offset's transaction, LSN and time.
    Snapshot(SnapshotMarker),
    /// By an incremental snapshot: the source shows only the time of the read, in nanoseconds.
    Incremental(i64),
}

impl Recorder {
    /// The record of a row that was read. `row` brings the columns that [`TablePlan::column_names`] names; `offset` is the
    /// offset that the record carries, and `offset_map` its map, so that rows with the same one share it.
    ///
    /// # Errors
    /// Where the row has another number of columns, where its key cannot be read, and where a column cannot be converted and
    /// the configuration says that this is fatal.
    pub fn snapshot_row<'a>(
        &self,
        plan: &TablePlan,
        row: impl Iterator<Item = ColumnText<'a>>,
        kind: ReadKind,
        (offset, offset_map): (&Offset, &OffsetMap),
        now_nanos: i64,
    ) -> Result<SourceRecord> {
        let row = plan.row(row, std::iter::empty(), self.settings.on_unconvertible)?;
        let (snapshot, nanos) = match kind {
            ReadKind::Snapshot(marker) => (marker.name(), offset.ts_usec.unwrap_or(0).saturating_mul(1000)),
            ReadKind::Incremental(nanos) => ("incremental", nanos),
        };
        let in_snapshot = matches!(kind, ReadKind::Snapshot(_));
        let source = Source {
            snapshot: Str::from(snapshot),
            schema: &plan.table.schema,
            table: &plan.table.table,
            nanos,
            tx_id: offset.tx_id.filter(|_| in_snapshot),
            lsn: offset.lsn.filter(|_| in_snapshot),
            xmin: offset.xmin.filter(|_| in_snapshot),
            origin: None,
        };
        let source = self.source.block(&source, offset)?;
        let value = self.envelope(plan, [None, Some(row.row)], source, None, "r", now_nanos)?;
        Ok(self.record(plan.topic.clone(), key_datum(row.key), value, self.headers(None), offset_map.clone()))
    }
}
