//! Batches, retries, signals, notifications, incremental snapshots.

use lavka_api::config::key;

use super::checks::{mode, non_negative, non_negative_long, positive, positive_long};
use super::modes::{GuardrailAction, WatermarkStrategy};

const RUNTIME: &str = "Running";

lavka_api::config! {
    /// Batches, retries, signals, notifications, incremental snapshots.
    pub(crate) struct RunKeys {
        pub(crate) max_batch_size: i32 = key("max.batch.size").default(2048).group(RUNTIME)
            .check(positive())
            .doc("Records handed out by one poll(), at most. 128 are enough, but where each poll is a transaction of Kafka."),
        pub(crate) max_queue_size: i32 = key("max.queue.size").default(8192).group(RUNTIME)
            .doc("Changes that may wait between the server and Kafka Connect. Must be larger than max.batch.size."),
        pub(crate) poll_interval_ms: i64 = key("poll.interval.ms").default(500).group(RUNTIME)
            .check(positive())
            .doc("How long a poll waits for records, in milliseconds."),
        pub(crate) max_queue_size_in_bytes: i64 = key("max.queue.size.in.bytes").default(0).group(RUNTIME)
            .check(non_negative_long())
            .doc("The same in bytes; 0: lavka's own limit of 64 MiB."),
        pub(crate) retriable_restart_connector_wait_ms: i64 = key("retriable.restart.connector.wait.ms").default(10000).group(RUNTIME)
            .check(positive_long())
            .doc("Milliseconds before the task starts over after a failure that may pass by itself; doubled with \
                  each failure, up to five minutes."),
        pub(crate) errors_max_retries: i32 = key("errors.max.retries").default(-1).group(RUNTIME)
            .doc("How often a task starts over after a failure that may pass by itself; -1: without end, 0: \
                  never."),
        pub(crate) incremental_snapshot_watermarking_strategy: WatermarkStrategy = key("incremental.snapshot.watermarking.strategy").default("INSERT_INSERT").group(RUNTIME)
            .recommend(WatermarkStrategy::NAMES).check(mode("incremental.snapshot.watermarking.strategy", WatermarkStrategy::NAMES))
            .doc("Insert_insert: open and close marker rows are inserted. insert_delete: the close is a DELETE of \
                  the open row, so the signal table stays empty."),
        pub(crate) executor_shutdown_timeout_ms: i64 = key("executor.shutdown.timeout.ms").default(4000).group(RUNTIME)
            .check(non_negative_long())
            .doc("Milliseconds that a stopping task waits for its connections to end."),
        pub(crate) guardrail_collections_max: i32 = key("guardrail.collections.max").default(0).group(RUNTIME)
            .check(non_negative())
            .doc("Max captured tables, 0 = off."),
        pub(crate) guardrail_collections_limit_action: GuardrailAction = key("guardrail.collections.limit.action").default("warn").group(RUNTIME)
            .recommend(GuardrailAction::NAMES).check(mode("guardrail.collections.limit.action", GuardrailAction::NAMES))
            .doc("Warn / fail."),
        pub(crate) incremental_snapshot_chunk_size: i32 = key("incremental.snapshot.chunk.size").default(1024).group(RUNTIME)
            .check(positive())
            .doc("Rows per chunk."),
        pub(crate) signal_data_collection: Option<Vec<String>> = key("signal.data.collection").group(RUNTIME)
            .doc("Schema.table of the signal table (id varchar(42+), type varchar(32), data varchar(2048)). Must \
                  be captured/published."),
        pub(crate) signal_poll_interval_ms: i64 = key("signal.poll.interval.ms").default(5000).group(RUNTIME)
            .check(non_negative_long())
            .doc("Poll period of non-source channels."),
        pub(crate) signal_enabled_channels: Vec<String> = key("signal.enabled.channels").default("source").group(RUNTIME)
            .doc("Where signals come from: source (signal.data.collection), file (signal.file) and kafka \
                  (signal.kafka.topic, by default PREFIX-signal; signal.kafka.bootstrap.servers, by default the \
                  worker's; signal.kafka.groupId; signal.consumer.*). jmx and in-process are not in this build."),
        pub(crate) notification_enabled_channels: Option<Vec<String>> = key("notification.enabled.channels").group(RUNTIME)
            .doc("Where notifications of snapshots go: sink (notification.sink.topic.name), log. jmx is not in this \
                  build."),
        pub(crate) notification_sink_topic_name: Option<String> = key("notification.sink.topic.name").group(RUNTIME)
            .doc("The topic of notifications; needed with sink."),
        pub(crate) incremental_snapshot_allow_schema_changes: bool = key("incremental.snapshot.allow.schema.changes").default(false).group(RUNTIME)
            .doc("Without effect: a chunk is read with the columns that the table has then."),
        pub(crate) queue_provider_type: String = key("queue.provider.type").default("memory").group(RUNTIME)
            .doc("memory; other queues are Java classes."),
        pub(crate) internal_custom_retriable_exception: String = key("internal.custom.retriable.exception").default("false").low().group(RUNTIME)
            .doc("A regular expression; errors whose message matches are retried."),
    }
}
