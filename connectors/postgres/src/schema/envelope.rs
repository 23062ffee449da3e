//! The schemas that all tables share, and the envelope around a table's rows.

use lavka_api::Result;
use lavka_api::data::{Schema, SchemaBuilder, Str, Type, Value};

use super::NameAdjustment;
use crate::types::BinaryMode;

/// Version of Debezium whose records these are; consumers find it in every record.
pub const VERSION: &str = "3.6.3.Final";
/// The connector's name in every record.
pub const CONNECTOR: &str = "postgresql";

/// Schemas that do not depend on a table. Made once for a connector, so that records share them.
#[derive(Clone, Debug)]
pub(crate) struct SharedSchemas {
    /// `source`.
    pub(crate) source: Schema,
    /// `transaction`, optional as a field.
    pub(crate) transaction_block: Schema,
    /// Keys of beginnings and ends of transactions.
    pub(crate) transaction_key: Schema,
    /// Their values.
    pub(crate) transaction_value: Schema,
    /// Counts of a table's events in them.
    pub(crate) transaction_collection: Schema,
    /// Keys of logical messages.
    pub(crate) message_key: Schema,
    /// Their values.
    pub(crate) message_value: Schema,
    /// The message in them.
    pub(crate) message_block: Schema,
    /// Keys of heartbeats.
    pub(crate) heartbeat_key: Schema,
    /// Their values.
    pub(crate) heartbeat_value: Schema,
}

fn structure(name: impl Into<Str>, version: i32) -> SchemaBuilder {
    Schema::structure().name(name).version(version)
}

fn text() -> Schema {
    Schema::of(Type::String)
}

fn long() -> Schema {
    Schema::of(Type::Int64)
}

fn optional_long() -> Schema {
    Schema::optional(Type::Int64)
}

impl SharedSchemas {
    /// The schemas under a connector's settings.
    pub(crate) fn new(names: NameAdjustment, binary: BinaryMode) -> Result<Self> {
        let named = |name: &str, version| structure(names.schema_name(name).into_owned(), version);
        let snapshot = Schema::builder(Type::String)
            .name("io.debezium.data.Enum")
            .version(1)
            .parameter(
                "allowed",
                "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental",
            )
            .default_value(Value::from("false"))
            .optional()
            .build()?;
        let source = named("io.debezium.connector.postgresql.Source", 1)
            .field("version", text())
            .field("connector", text())
            .field("name", text())
            .field("ts_ms", long())
            .field("snapshot", snapshot)
            .field("db", text())
            .field("sequence", Schema::optional(Type::String))
            .field("ts_us", optional_long())
            .field("ts_ns", optional_long())
            .field("schema", text())
            .field("table", text())
            .field("txId", optional_long())
            .field("lsn", optional_long())
            .field("xmin", optional_long())
            .field("origin", Schema::optional(Type::String))
            .field("origin_lsn", optional_long())
            .build()?;
        let transaction_block = structure("event.block", 1)
            .field("id", text())
            .field("total_order", long())
            .field("data_collection_order", long())
            .optional()
            .build()?;
        let transaction_collection = structure("event.collection", 1)
            .field("data_collection", text())
            .field("event_count", long())
            .optional()
            .build()?;
        let collections = Schema::array(transaction_collection.clone()).to_builder().optional().build()?;
        let message_block = named("io.debezium.connector.postgresql.Message", 1)
            .field("prefix", Schema::optional(Type::String))
            .field("content", binary.schema().optional().build()?)
            .build()?;
        Ok(Self {
            message_value: named("io.debezium.connector.postgresql.MessageValue", 1)
                .field("op", text())
                .field("ts_ms", optional_long())
                .field("source", source.clone())
                .field("transaction", transaction_block.clone())
                .field("message", message_block.clone())
                .build()?,
            transaction_key: structure("io.debezium.connector.common.TransactionMetadataKey", 1)
                .field("id", text())
                .build()?,
            transaction_value: structure("io.debezium.connector.common.TransactionMetadataValue", 1)
                .field("status", text())
                .field("id", text())
                .field("event_count", optional_long())
                .field("data_collections", collections)
                .field("ts_ms", long())
                .build()?,
            message_key: named("io.debezium.connector.postgresql.MessageKey", 1)
                .field("prefix", Schema::optional(Type::String))
                .build()?,
            heartbeat_key: named("io.debezium.connector.common.ServerNameKey", 1)
                .field("serverName", text())
                .build()?,
            heartbeat_value: named("io.debezium.connector.common.Heartbeat", 1)
                .field("ts_ms", long())
                .build()?,
            source,
            transaction_block,
            transaction_collection,
            message_block,
        })
    }
}

/// The envelope of a table: `name` ends in `.Envelope`, `row` is the optional schema of its rows.
pub(crate) fn envelope(name: &str, row: &Schema, shared: &SharedSchemas) -> Result<Schema> {
    structure(name, 2)
        .field("before", row.clone())
        .field("after", row.clone())
        .field("source", shared.source.clone())
        .field("transaction", shared.transaction_block.clone())
        .field("op", text())
        .field("ts_ms", optional_long())
        .field("ts_us", optional_long())
        .field("ts_ns", optional_long())
        .build()
}
