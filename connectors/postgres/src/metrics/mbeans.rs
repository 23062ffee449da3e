//! The attributes of the MBeans of Debezium 3.6.3, each with what becomes of it here. A test holds the list against
//! Debezium's own classes.

/// An attribute of `debezium.postgres:type=connector-metrics,context=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MBeanAttribute {
    /// The `context` of its MBean: `snapshot` or `streaming`.
    pub context: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Why there is no metric for it; `None` where there is one, of the same name.
    pub missing: Option<&'static str>,
}

const TEXT: Option<&str> = Some("a text, which is no metric; a JMX exporter leaves it out too");
const OF_THE_STREAM: Option<&str> =
    Some("always 0 in a snapshot, whose rows are neither created, updated nor deleted");
const FAILS: Option<&str> = Some("always 0: a row of a snapshot that cannot be made a record ends the task");
const ADVANCED: Option<&str> = Some(
    "by table; Debezium has numbers there with `internal.advanced.metrics.enable` alone, which is ignored",
);

const fn of(context: &'static str, name: &'static str, missing: Option<&'static str>) -> MBeanAttribute {
    MBeanAttribute { context, name, missing }
}

const SNAPSHOT: &str = "snapshot";
const STREAMING: &str = "streaming";

/// All of them.
pub const MBEAN_ATTRIBUTES: &[MBeanAttribute] = &[
    of(SNAPSHOT, "CapturedTables", None),
    of(SNAPSHOT, "ChunkFrom", TEXT),
    of(SNAPSHOT, "ChunkId", TEXT),
    of(SNAPSHOT, "ChunkTo", TEXT),
    of(SNAPSHOT, "CurrentQueueSizeInBytes", None),
    of(SNAPSHOT, "LastEvent", TEXT),
    of(SNAPSHOT, "MaxQueueSizeInBytes", None),
    of(SNAPSHOT, "MilliSecondsSinceLastEvent", None),
    of(SNAPSHOT, "NumberOfErroneousEvents", FAILS),
    of(SNAPSHOT, "NumberOfEventsFiltered", OF_THE_STREAM),
    of(SNAPSHOT, "QueueRemainingCapacity", None),
    of(SNAPSHOT, "QueueTotalCapacity", None),
    of(SNAPSHOT, "RemainingTableCount", None),
    of(SNAPSHOT, "RowsScanned", None),
    of(SNAPSHOT, "SnapshotAborted", None),
    of(SNAPSHOT, "SnapshotCompleted", None),
    of(SNAPSHOT, "SnapshotDurationInSeconds", None),
    of(SNAPSHOT, "SnapshotPaused", None),
    of(SNAPSHOT, "SnapshotPausedDurationInSeconds", None),
    of(SNAPSHOT, "SnapshotRunning", None),
    of(SNAPSHOT, "SnapshotSkipped", None),
    of(SNAPSHOT, "TableChunkCounts", None),
    of(SNAPSHOT, "TableChunksCompletedCounts", None),
    of(SNAPSHOT, "TableFrom", TEXT),
    of(SNAPSHOT, "TableTo", TEXT),
    of(SNAPSHOT, "TotalNumberOfCreateEventsSeen", OF_THE_STREAM),
    of(SNAPSHOT, "TotalNumberOfDeleteEventsSeen", OF_THE_STREAM),
    of(SNAPSHOT, "TotalNumberOfEventsSeen", None),
    of(SNAPSHOT, "TotalNumberOfUpdateEventsSeen", OF_THE_STREAM),
    of(SNAPSHOT, "TotalTableCount", None),
    of(STREAMING, "CapturedTables", None),
    of(STREAMING, "Connected", None),
    of(STREAMING, "CurrentQueueSizeInBytes", None),
    of(STREAMING, "LastEvent", TEXT),
    of(STREAMING, "LastTransactionId", None),
    of(STREAMING, "MaxQueueSizeInBytes", None),
    of(STREAMING, "MilliSecondsBehindSource", None),
    of(STREAMING, "MilliSecondsBehindSourceAverageValue", None),
    of(STREAMING, "MilliSecondsBehindSourceMaxValue", None),
    of(STREAMING, "MilliSecondsBehindSourceMinValue", None),
    of(STREAMING, "MilliSecondsBehindSourceP50", None),
    of(STREAMING, "MilliSecondsBehindSourceP95", None),
    of(STREAMING, "MilliSecondsBehindSourceP99", None),
    of(STREAMING, "MilliSecondsSinceLastEvent", None),
    of(STREAMING, "NumberOfCommittedTransactions", None),
    of(STREAMING, "NumberOfCreateEventsSeen", ADVANCED),
    of(STREAMING, "NumberOfDeleteEventsSeen", ADVANCED),
    of(STREAMING, "NumberOfErroneousEvents", None),
    of(STREAMING, "NumberOfEventsFiltered", None),
    // Without tables: all together.
    of(STREAMING, "NumberOfTruncateEventsSeen", None),
    of(STREAMING, "NumberOfUnchangedEventsSkipped", None),
    of(STREAMING, "NumberOfUpdateEventsSeen", ADVANCED),
    of(STREAMING, "QueueRemainingCapacity", None),
    of(STREAMING, "QueueTotalCapacity", None),
    of(STREAMING, "SourceEventPosition", None),
    of(STREAMING, "TotalNumberOfCreateEventsSeen", None),
    of(STREAMING, "TotalNumberOfDeleteEventsSeen", None),
    of(STREAMING, "TotalNumberOfEventsSeen", None),
    of(STREAMING, "TotalNumberOfUpdateEventsSeen", None),
];
