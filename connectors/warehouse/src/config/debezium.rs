//! Keys of `io.debezium.connector.jdbc.JdbcSinkConnector`.

use lavka_api::config::{Check, ClassName, Kind, Password, Width, key};

use super::Ignored;
use super::checks::time_zone;

const CONNECTION: &str = "Connection";
const CONNECTOR: &str = "Connector";
const ADVANCED: &str = "Connector Advanced";
const FILTERS: &str = "Filters";

/// The naming strategy that makes dots of a topic's name underscores.
pub(crate) const DEFAULT_NAMING: &str = "io.debezium.sink.naming.DefaultCollectionNamingStrategy";
const NAMINGS: &str = "io.debezium.sink.naming.DefaultCollectionNamingStrategy or \
                       io.debezium.sink.naming.PassthroughCollectionNamingStrategy";

lavka_api::config! {
    /// What Debezium's sink is configured with.
    pub(crate) struct DebeziumKeys {
        pub(crate) url: String = key("connection.url").high().group(CONNECTION).width(Width::Long).display("Hostname")
            .doc("JDBC URL of the database: jdbc:postgresql://host/db, jdbc:mysql://host/db, jdbc:mariadb://host/db, \
                  jdbc:redshift://host/db or jdbc:sqlite:file. Its properties are those of the JDBC driver where they mean \
                  something here."),
        pub(crate) user: Option<String> = key("connection.username").high().group(CONNECTION).width(Width::Short)
            .display("User").doc("User of the database. Required, except for SQLite, which has no users."),
        pub(crate) password: Option<Password> = key("connection.password").high().group(CONNECTION)
            .width(Width::Short).display("Password").doc("Password of the user."),
        pub(crate) insert_mode: String = key("insert.mode").default("insert").low().group(CONNECTOR)
            .width(Width::Short).check(Check::one_of_ignoring_case(&["insert", "upsert", "update"]))
            .recommend(&["insert", "upsert", "update"]).display("The insertion mode to use")
            .doc("What a record does: insert a row; upsert, which inserts the row or updates the one with its key; or \
                  update the row with its key, if there is one."),
        pub(crate) delete_enabled: bool = key("delete.enabled").default(false).low().group(CONNECTOR)
            .width(Width::Short).display("Controls whether records can be deleted by the connector")
            .doc("Whether delete events and tombstones delete the row with their key. Needs \
                  primary.key.mode=record_key; delete events also take record_value and record_header."),
        pub(crate) truncate_enabled: bool = key("truncate.enabled").default(false).low().group(CONNECTOR)
            .width(Width::Short).display("Controls whether tables can be truncated by the connector")
            .doc("Whether truncate events empty the table."),
        pub(crate) collection_name_format: Option<String> = key("collection.name.format").group(CONNECTOR)
            .width(Width::Medium).display("A format string for the collection name")
            .doc("The table of a record, ${topic} by default; ${topic} stands for its topic, with _ for its dots, and \
                  ${source.x} for a field of the change event's source. Dots part the schema from the table."),
        pub(crate) table_name_format: Option<String> = key("table.name.format").low().group(CONNECTOR)
            .width(Width::Medium).display("Older name of collection.name.format")
            .doc("Older name of collection.name.format, read where that is missing."),
        pub(crate) pk_mode: String = key("primary.key.mode").default("none").high().group(CONNECTOR)
            .width(Width::Short)
            .check(Check::one_of_ignoring_case(&["none", "kafka", "record_key", "record_value", "record_header"]))
            .recommend(&["none", "kafka", "record_key", "record_value", "record_header"]).display("Primary key mode")
            .doc("What the primary key is: none; kafka, topic, partition and offset; record_key, record_value or \
                  record_header, fields of the record's key, value or headers."),
        pub(crate) pk_fields: Option<String> = key("primary.key.fields").low().group(CONNECTOR).width(Width::Medium)
            .display("Comma-separated list of primary key field names")
            .doc("Fields of the primary key, with commas between; all where it is empty."),
        pub(crate) schema_evolution: String = key("schema.evolution").default("none").group(CONNECTOR)
            .width(Width::Short).check(Check::one_of_ignoring_case(&["none", "validate-only", "basic"]))
            .recommend(&["none", "validate-only", "basic"]).display("Controls how schema evolution is handled by the sink connector")
            .doc("Whether missing tables are made and missing columns added: none, basic, or validate-only, which is none \
                  here, since a table is held against the records before every first write."),
        pub(crate) quote_identifiers: bool = key("quote.identifiers").default(false).group(CONNECTOR)
            .width(Width::Short).display("Controls whether table, column, or other identifiers are quoted")
            .doc("Whether names of new tables and columns are quoted. Where not, the database folds their case; names that \
                  need quotes get them all the same."),
        pub(crate) collection_naming: Option<ClassName> = key("collection.naming.strategy").low().group(ADVANCED)
            .width(Width::Long).check(naming()).display("CollectionNamingStrategy class")
            .doc("How ${topic} is written: io.debezium.sink.naming.DefaultCollectionNamingStrategy (the default) makes its \
                  dots underscores, io.debezium.sink.naming.PassthroughCollectionNamingStrategy does not."),
        pub(crate) _column_naming: Option<ClassName> = key("column.naming.strategy").low().group(ADVANCED)
            .width(Width::Long).check(column_naming()).display("ColumnNamingStrategy class")
            .doc("How columns are named: as the fields are, which is what \
                  io.debezium.sink.naming.DefaultColumnNamingStrategy does. Other classes are refused; rename fields with a \
                  transform (ReplaceField)."),
        pub(crate) time_zone: String = key("use.time.zone").default("UTC").group(CONNECTOR).width(Width::Short)
            .check(time_zone()).display("The timezone used when inserting temporal values.")
            .doc("Time zone in which columns without one hold instants."),
        pub(crate) old_time_zone: Option<String> = key("database.time_zone").low().group(CONNECTOR).width(Width::Short)
            .check(time_zone()).display("Older name of use.time.zone")
            .doc("Older name of use.time.zone, read where that is missing."),
        pub(crate) batch_size: i32 = key("batch.size").default(500).group(ADVANCED).width(Width::Short)
            .check(Check::at_least(1)).display("Specifies how many records to attempt to batch together")
            .doc("Records that one statement writes at most. PostgreSQL's COPY is a stream and has no such bound: there \
                  lavka.transaction.records counts."),
        pub(crate) include: Vec<String> = key("field.include.list").default("").group(FILTERS).width(Width::Long)
            .display("Include Fields")
            .doc("Fields of the value that get columns, besides those of the key, as field or topic:field; all where it is \
                  empty."),
        pub(crate) exclude: Vec<String> = key("field.exclude.list").default("").group(FILTERS).width(Width::Long)
            .display("Exclude Fields")
            .doc("Fields of the value that get no columns, as field or topic:field. It goes before field.include.list."),
        pub(crate) flush_max_retries: i32 = key("flush.max.retries").default(5).low().group(ADVANCED)
            .width(Width::Short).check(Check::at_least(0)).display("Max retry count")
            .doc("How often a batch is tried again after a lost connection, a deadlock or the like, before the task fails. \
                  A row that the database refuses is not tried again."),
        pub(crate) flush_retry_delay_ms: i64 = key("flush.retry.delay.ms").default(1000).low().group(ADVANCED)
            .width(Width::Short).check(Check::at_least(0)).display("Delay to retry flush")
            .doc("Milliseconds to wait before such a try."),
    }
}

fn naming() -> Check {
    Check::new(NAMINGS, |text| {
        let class = text.trim();
        let known = class == DEFAULT_NAMING
            || class.ends_with(".PassthroughCollectionNamingStrategy")
            || class.ends_with(".DefaultTableNamingStrategy");
        if known {
            Ok(())
        } else {
            Err(format!(
                "Java classes are not loaded; use {NAMINGS}, or rename topics with a transform (RegexRouter)"
            ))
        }
    })
}

fn column_naming() -> Check {
    Check::new("io.debezium.sink.naming.DefaultColumnNamingStrategy", |text| {
        if text.trim().ends_with(".DefaultColumnNamingStrategy") {
            return Ok(());
        }
        Err("Java classes are not loaded; columns have the names of fields, which a transform (ReplaceField) renames"
            .to_owned())
    })
}

const POOL: &str = "Each task has one connection.";

/// Keys without effect here.
pub(super) const IGNORED: &[Ignored] = &[
    (
        "connection.provider",
        Kind::String,
        Some("org.hibernate.agroal.internal.AgroalConnectionProvider"),
        POOL,
    ),
    ("connection.pool.min_size", Kind::Int, Some("5"), POOL),
    ("connection.pool.max_size", Kind::Int, Some("32"), POOL),
    ("connection.pool.acquire_increment", Kind::Int, Some("32"), POOL),
    ("connection.pool.timeout", Kind::Long, Some("1800"), POOL),
    (
        "connection.restart.on.errors",
        Kind::Boolean,
        Some("false"),
        "A lost connection is always opened again; offsets move with what was committed alone.",
    ),
    (
        "use.reduction.buffer",
        Kind::Boolean,
        Some("false"),
        "Upserts and deletes of one row in a batch are always reduced to the last.",
    ),
    (
        "keyed.message.batch.mode",
        Kind::String,
        Some("deduplication"),
        "Upserts and deletes of one row in a batch are always reduced to the last.",
    ),
    (
        "dialect.postgres.unnest.insert.enabled",
        Kind::Boolean,
        Some("false"),
        "Rows get to PostgreSQL by COPY, which is faster still.",
    ),
    (
        "dialect.postgres.postgis.schema",
        Kind::String,
        Some("public"),
        "New columns are of the types geometry and geography as the search path finds them (currentSchema in \
         connection.url).",
    ),
    (
        "dialect.sqlserver.identity.insert",
        Kind::Boolean,
        Some("false"),
        "SQL Server counts its identity columns up itself: leave their fields out (field.include.list).",
    ),
    ("dialect.starrocks.catalog.name", Kind::String, None, "It is about StarRocks alone."),
    ("collection.table.format", Kind::String, Some("${table}"), "collection.name.format names the table."),
    (
        "cloud.events.schema.name.pattern",
        Kind::String,
        Some(".*CloudEvents\\.Envelope$"),
        "CloudEvents are not unwrapped.",
    ),
];
