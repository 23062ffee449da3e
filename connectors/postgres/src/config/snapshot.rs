//! What is read before the stream, and how.

use lavka_api::config::key;

use super::checks::{mode, non_negative, non_negative_long, positive};
use super::modes::{IsolationMode, LockingMode, QueryMode, RowCountOrder, SnapshotMode};

const SNAPSHOT: &str = "Snapshot";

lavka_api::config! {
    /// What is read before the stream, and how.
    pub(crate) struct SnapshotKeys {
        pub(crate) snapshot_delay_ms: i64 = key("snapshot.delay.ms").default(0).group(SNAPSHOT)
            .check(non_negative_long())
            .doc("Milliseconds to wait before the snapshot."),
        pub(crate) streaming_delay_ms: i64 = key("streaming.delay.ms").default(0).group(SNAPSHOT)
            .check(non_negative_long())
            .doc("Milliseconds to wait between the snapshot and the stream."),
        pub(crate) snapshot_include_collection_list: Option<Vec<String>> = key("snapshot.include.collection.list").group(SNAPSHOT)
            .doc("Regular expressions for the tables that the snapshot reads; by default all captured ones."),
        pub(crate) snapshot_fetch_size: Option<i32> = key("snapshot.fetch.size").group(SNAPSHOT)
            .check(non_negative())
            .doc("Rows fetched at once; without effect, rows are streamed."),
        pub(crate) snapshot_max_threads: i32 = key("snapshot.max.threads").default(1).group(SNAPSHOT)
            .check(positive())
            .doc("Connections that read the snapshot at once. A table is read in ranges of its pages, so that one \
                  large table uses them all."),
        pub(crate) snapshot_max_threads_multiplier: i32 = key("snapshot.max.threads.multiplier").default(1).group(SNAPSHOT)
            .check(positive())
            .doc("Ranges per thread; without effect, ranges are of a size that bounds what a restart has to read \
                  again."),
        pub(crate) legacy_snapshot_max_threads: bool = key("legacy.snapshot.max.threads").default(false).group(SNAPSHOT)
            .doc("Read a table per connection instead of ranges; without effect on the records."),
        pub(crate) snapshot_mode_custom_name: Option<String> = key("snapshot.mode.custom.name").group(SNAPSHOT)
            .doc("The Java class of snapshot.mode=custom, which cannot be run here."),
        pub(crate) snapshot_mode_configuration_based_snapshot_data: bool = key("snapshot.mode.configuration.based.snapshot.data").default(false).group(SNAPSHOT)
            .doc("configuration_based: read the rows."),
        pub(crate) snapshot_mode_configuration_based_snapshot_schema: bool = key("snapshot.mode.configuration.based.snapshot.schema").default(false).group(SNAPSHOT)
            .doc("configuration_based: read the tables' definitions; they are always read here."),
        pub(crate) snapshot_mode_configuration_based_start_stream: bool = key("snapshot.mode.configuration.based.start.stream").default(false).group(SNAPSHOT)
            .doc("configuration_based: stream afterwards."),
        pub(crate) snapshot_mode_configuration_based_snapshot_on_schema_error: bool = key("snapshot.mode.configuration.based.snapshot.on.schema.error").default(false).group(SNAPSHOT)
            .doc("configuration_based: without effect, there is no history of schemas."),
        pub(crate) snapshot_mode_configuration_based_snapshot_on_data_error: bool = key("snapshot.mode.configuration.based.snapshot.on.data.error").default(false).group(SNAPSHOT)
            .doc("configuration_based: read the rows where the slot no longer has what follows the offset."),
        pub(crate) snapshot_lock_timeout_ms: i64 = key("snapshot.lock.timeout.ms").default(10000).group(SNAPSHOT)
            .check(non_negative_long())
            .doc("How long to wait for a lock, in milliseconds (snapshot.locking.mode=shared)."),
        pub(crate) snapshot_mode: SnapshotMode = key("snapshot.mode").default("initial").high().group(SNAPSHOT)
            .recommend(SnapshotMode::NAMES).check(mode("snapshot.mode", SnapshotMode::NAMES))
            .doc("What is read before the stream. always: all captured tables, at every start. initial: the same, \
                  where there is no offset yet. initial_only: then do not stream. no_data (or never): only the \
                  stream. when_needed: where there is no offset, or the slot no longer has what follows it. \
                  configuration_based: as the keys that begin with snapshot.mode.configuration.based say. custom \
                  needs a Java class and is refused."),
        pub(crate) snapshot_isolation_mode: IsolationMode = key("snapshot.isolation.mode").default("serializable").group(SNAPSHOT)
            .recommend(IsolationMode::NAMES).check(mode("snapshot.isolation.mode", IsolationMode::NAMES))
            .doc("Isolation of the snapshot's transactions where the slot was there before. Where the slot is \
                  new, its exported snapshot is read, so that snapshot and stream meet exactly."),
        pub(crate) snapshot_query_mode: QueryMode = key("snapshot.query.mode").default("select_all").group(SNAPSHOT)
            .recommend(QueryMode::NAMES).check(mode("snapshot.query.mode", QueryMode::NAMES))
            .doc("select_all: every captured column; custom needs a Java class and is refused."),
        pub(crate) snapshot_query_mode_custom_name: Option<String> = key("snapshot.query.mode.custom.name").group(SNAPSHOT)
            .doc("The Java class of snapshot.query.mode=custom, which cannot be run here."),
        pub(crate) snapshot_locking_mode_custom_name: Option<String> = key("snapshot.locking.mode.custom.name").group(SNAPSHOT)
            .doc("The Java class of snapshot.locking.mode=custom, which cannot be run here."),
        pub(crate) snapshot_locking_mode: LockingMode = key("snapshot.locking.mode").default("none").group(SNAPSHOT)
            .recommend(LockingMode::NAMES).check(mode("snapshot.locking.mode", LockingMode::NAMES))
            .doc("Locks taken while tables are read. none: none are needed. shared: ACCESS SHARE on each table, \
                  which keeps others from altering it. custom needs a Java class and is refused."),
        pub(crate) snapshot_select_statement_overrides: Option<String> = key("snapshot.select.statement.overrides").group(SNAPSHOT)
            .doc("Tables (schema.table, separated by commas) that are not read whole; each needs \
                  snapshot.select.statement.overrides.<schema.table> with the SELECT to use instead."),
        pub(crate) snapshot_tables_order_by_row_count: RowCountOrder = key("snapshot.tables.order.by.row.count").default("disabled").group(SNAPSHOT)
            .recommend(RowCountOrder::NAMES).check(mode("snapshot.tables.order.by.row.count", RowCountOrder::NAMES))
            .doc("Order in which tables are read: by the server's estimate of their rows, ascending or \
                  descending; disabled: by name."),
    }
}
