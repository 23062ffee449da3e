//! What records look like.

use lavka_api::config::{ClassName, key};

use super::checks::{mode, non_negative, positive};
use super::modes::FailureMode;

const RECORDS: &str = "Records";

lavka_api::config! {
    /// What records look like.
    pub(crate) struct RecordKeys {
        pub(crate) skipped_operations: Vec<String> = key("skipped.operations").default("t").group(RECORDS)
            .doc("Comma list of c,u,d,t (or none). When set explicitly it is also turned into the publication’s \
                  publish=… list on creation/alter."),
        pub(crate) event_processing_failure_handling_mode: FailureMode = key("event.processing.failure.handling.mode").default("fail").group(RECORDS)
            .recommend(FailureMode::NAMES).check(mode("event.processing.failure.handling.mode", FailureMode::NAMES))
            .doc("What becomes of a change that cannot be made a record. fail: the task fails. warn: it is passed over \
                  with a line in the log. skip (or ignore): it is passed over."),
        pub(crate) provide_transaction_metadata: bool = key("provide.transaction.metadata").default(false).group(RECORDS)
            .doc("Adds the transaction block to events and BEGIN/END records on the transaction topic."),
        pub(crate) extended_headers_enabled: bool = key("extended.headers.enabled").default(true).group(RECORDS)
            .doc("Context headers on change records."),
        pub(crate) decimal_handling_mode: String = key("decimal.handling.mode").default("precise").group(RECORDS)
            .recommend(&["precise", "string", "double"]).check(mode("decimal.handling.mode", &["precise", "string", "double"]))
            .doc("Precise / string / double."),
        pub(crate) time_precision_mode: String = key("time.precision.mode").default("adaptive").group(RECORDS)
            .recommend(&["adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"]).check(mode("time.precision.mode", &["adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"]))
            .doc("Adaptive / adaptive_time_microseconds / connect / isostring / microseconds / nanoseconds (3.7: \
                  structured)."),
        pub(crate) hstore_handling_mode: String = key("hstore.handling.mode").default("json").group(RECORDS)
            .recommend(&["json", "map"]).check(mode("hstore.handling.mode", &["json", "map"]))
            .doc("Json / map."),
        pub(crate) binary_handling_mode: String = key("binary.handling.mode").default("bytes").group(RECORDS)
            .recommend(&["bytes", "base64", "base64-url-safe", "hex"]).check(mode("binary.handling.mode", &["bytes", "base64", "base64-url-safe", "hex"]))
            .doc("Bytes / base64 / base64-url-safe / hex."),
        pub(crate) schema_name_adjustment_mode: String = key("schema.name.adjustment.mode").default("none").group(RECORDS)
            .recommend(&["none", "avro", "avro_unicode"]).check(mode("schema.name.adjustment.mode", &["none", "avro", "avro_unicode"]))
            .doc("None / avro (bad char → _) / avro_unicode (bad char or _ → _uXXXX). Schema names only."),
        pub(crate) interval_handling_mode: String = key("interval.handling.mode").default("numeric").group(RECORDS)
            .recommend(&["numeric", "string"]).check(mode("interval.handling.mode", &["numeric", "string"]))
            .doc("Numeric (µs, month = 30.4375 d) / string (ISO-8601)."),
        pub(crate) schema_refresh_mode: String = key("schema.refresh.mode").default("columns_diff").group(RECORDS)
            .recommend(&["columns_diff", "columns_diff_exclude_unchanged_toast"]).check(mode("schema.refresh.mode", &["columns_diff", "columns_diff_exclude_unchanged_toast"]))
            .doc("When a table's definition is read again; without effect, it follows the Relation messages of \
                  the server."),
        pub(crate) unavailable_value_placeholder: String = key("unavailable.value.placeholder").default("__debezium_unavailable_value").group(RECORDS)
            .doc("Replaces an unchanged TOASTed value; prefix hex: gives raw bytes."),
        pub(crate) converters: Option<String> = key("converters").group(RECORDS)
            .doc("Names of custom converters, which are Java classes: refused."),
        pub(crate) post_processors: Option<String> = key("post.processors").group(RECORDS)
            .doc("Names of post processors, each with NAME.type. There is \
                  io.debezium.processors.reselect.ReselectColumnsPostProcessor, which reads values that the server did \
                  not send (NAME.reselect.unavailable.values) and nulls (NAME.reselect.null.values) from the table again, by \
                  its key or that of the records (NAME.reselect.use.event.key), of all columns or those that match \
                  schema.table:column (NAME.reselect.columns.include.list, NAME.reselect.columns.exclude.list); a row \
                  that cannot be read is left as it is or ends the task (NAME.reselect.error.handling.mode: warn, \
                  fail). Others are Java classes and refused."),
        pub(crate) tombstones_on_delete: bool = key("tombstones.on.delete").default(true).group(RECORDS)
            .doc("Null-value record after each delete."),
        pub(crate) heartbeat_interval_ms: i32 = key("heartbeat.interval.ms").default(0).group(RECORDS)
            .check(non_negative())
            .doc("0 = off. Emits heartbeat records (which carry the newest offset)."),
        pub(crate) heartbeat_topics_prefix: String = key("heartbeat.topics.prefix").default("__debezium-heartbeat").group(RECORDS)
            .doc("Older name of topic.heartbeat.prefix, read where that is not set."),
        pub(crate) topic_naming_strategy: ClassName = key("topic.naming.strategy").default("io.debezium.schema.SchemaTopicNamingStrategy").group(RECORDS)
            .doc("How topics are named: io.debezium.schema.SchemaTopicNamingStrategy (or \
                  DefaultTopicNamingStrategy): topic.prefix, schema and table. The regular expression strategies \
                  are taken too."),
        pub(crate) transaction_metadata_factory: ClassName = key("transaction.metadata.factory").default("io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory").group(RECORDS)
            .doc("A Java class that makes the transaction records; without effect."),
        pub(crate) include_schema_comments: bool = key("include.schema.comments").default(false).group(RECORDS)
            .doc("Column comments into schema doc/params."),
        pub(crate) column_propagate_source_type: Option<Vec<String>> = key("column.propagate.source.type").group(RECORDS)
            .doc("Regexes; adds __debezium.source.column.{type,length,scale,name} schema params."),
        pub(crate) datatype_propagate_source_type: Option<Vec<String>> = key("datatype.propagate.source.type").group(RECORDS)
            .doc("Same by type name."),
        pub(crate) heartbeat_action_query: Option<String> = key("heartbeat.action.query").group(RECORDS)
            .doc("SQL run on the source at each heartbeat (keeps an idle database’s slot moving)."),
        pub(crate) include_unknown_datatypes: bool = key("include.unknown.datatypes").default(false).group(RECORDS)
            .doc("Emit otherwise unmapped types as opaque text bytes, formatted by binary.handling.mode."),
        pub(crate) sourceinfo_struct_maker: ClassName = key("sourceinfo.struct.maker").default("io.debezium.connector.postgresql.PostgresSourceInfoStructMaker").group(RECORDS)
            .doc("A Java class that makes the source block; without effect."),
        pub(crate) event_converting_failure_handling_mode: FailureMode = key("event.converting.failure.handling.mode").default("warn").group(RECORDS)
            .recommend(FailureMode::NAMES).check(mode("event.converting.failure.handling.mode", FailureMode::NAMES))
            .doc("Fail / warn / skip for a column value that cannot be converted (warn → null)."),
        pub(crate) field_name_adjustment_mode: String = key("field.name.adjustment.mode").default("none").group(RECORDS)
            .recommend(&["none", "avro", "avro_unicode"]).check(mode("field.name.adjustment.mode", &["none", "avro", "avro_unicode"]))
            .doc("Same for column names."),
        pub(crate) money_fraction_digits: i16 = key("money.fraction.digits").default(2).group(RECORDS)
            .check(non_negative())
            .doc("Scale of money in precise mode."),
        pub(crate) skip_messages_without_change: bool = key("skip.messages.without.change").default(false).group(RECORDS)
            .doc("Drop updates where no captured column changed (needs REPLICA IDENTITY FULL)."),
        pub(crate) topic_delimiter: String = key("topic.delimiter").default(".").group(RECORDS)
            .doc("Joins topic parts."),
        pub(crate) topic_cache_size: i32 = key("topic.cache.size").default(10000).group(RECORDS)
            .check(positive())
            .doc("Names of topics kept; without effect."),
        pub(crate) topic_heartbeat_prefix: String = key("topic.heartbeat.prefix").default("__debezium-heartbeat").group(RECORDS)
            .doc("Heartbeat topic = this + delimiter + topic.prefix."),
        pub(crate) topic_heartbeat_name: Option<String> = key("topic.heartbeat.name").group(RECORDS)
            .doc("The whole name of the heartbeat topic."),
        pub(crate) topic_transaction: String = key("topic.transaction").default("transaction").group(RECORDS)
            .doc("Transaction topic = topic.prefix + delimiter + this."),
    }
}
