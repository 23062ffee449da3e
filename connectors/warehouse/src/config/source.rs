//! Keys of `io.confluent.connect.jdbc.JdbcSourceConnector`.

use lavka_api::config::{Check, ConfigDef, ConfigSpec as _, Kind, Password, Width, key};

use super::checks::{choice, dialect_name, time_zone};
use super::{Ignored, with_ignored};

const DATABASE: &str = "Database";
const MODE: &str = "Mode";
const CONNECTOR: &str = "Connector";
const ISOLATION: [&str; 6] = [
    "DEFAULT",
    "READ_UNCOMMITTED",
    "READ_COMMITTED",
    "REPEATABLE_READ",
    "SERIALIZABLE",
    "SQL_SERVER_SNAPSHOT",
];

lavka_api::config! {
    /// What Confluent's source is configured with.
    pub(crate) struct SourceKeys {
        pub(crate) url: String = key("connection.url").high().group(DATABASE).width(Width::Long).display("JDBC URL")
            .doc("JDBC URL of the database: jdbc:postgresql://host/db, jdbc:mysql://host/db, jdbc:mariadb://host/db, \
                  jdbc:redshift://host/db or jdbc:sqlite:file; over ODBC jdbc:oracle:..., jdbc:sqlserver:..., \
                  jdbc:vertica:..., jdbc:snowflake:..., jdbc:hive2:..., jdbc:db2:..., jdbc:teradata:... or \
                  odbc:DSN=name and other attributes."),
        pub(crate) user: Option<String> = key("connection.user").high().group(DATABASE).width(Width::Medium)
            .display("JDBC User").doc("User of the database."),
        pub(crate) password: Option<Password> = key("connection.password").high().group(DATABASE)
            .width(Width::Short).display("JDBC Password").doc("Password of the user."),
        pub(crate) attempts: i32 = key("connection.attempts").default(3).low().group(DATABASE).width(Width::Short)
            .check(Check::at_least(1)).display("JDBC connection attempts")
            .doc("How often a connection is tried before that counts as an error."),
        pub(crate) backoff_ms: i64 = key("connection.backoff.ms").default(10000).low().group(DATABASE)
            .width(Width::Short).display("JDBC connection backoff in milliseconds")
            .doc("Milliseconds between these tries."),
        pub(crate) include: Vec<String> = key("table.whitelist").default("").group(DATABASE).width(Width::Long)
            .display("Table Whitelist")
            .doc("Tables to read, by name or schema.name; all where it is empty."),
        pub(crate) exclude: Vec<String> = key("table.blacklist").default("").group(DATABASE).width(Width::Long)
            .display("Table Blacklist").doc("Tables not to read, by name or schema.name."),
        pub(crate) include_patterns: Vec<String> = key("table.include.list").default("").group(DATABASE)
            .width(Width::Long).check(patterns()).display("Table Include List")
            .doc("Regular expressions of the full names of tables to read, as schema.name."),
        pub(crate) exclude_patterns: Vec<String> = key("table.exclude.list").default("").group(DATABASE)
            .width(Width::Long).check(patterns()).display("Table Exclude List")
            .doc("Regular expressions of the full names of tables not to read; it narrows table.include.list."),
        pub(crate) schema_pattern: Option<String> = key("schema.pattern").high().group(DATABASE).width(Width::Short)
            .display("Schema pattern")
            .doc("Schemas to read tables of, with % for any text and _ for any character; all where it is not set."),
        pub(crate) numeric_precision: bool = key("numeric.precision.mapping").default(false).low().group(DATABASE)
            .display("Map Numeric Values By Precision (deprecated)")
            .doc("Older form of numeric.mapping=precision_only."),
        pub(crate) numeric_mapping: Option<String> = key("numeric.mapping").low().group(DATABASE).width(Width::Short)
            .check(choice(&["none", "precision_only", "best_fit", "best_fit_eager_double"]))
            .recommend(&["none", "precision_only", "best_fit", "best_fit_eager_double"])
            .display("Map Numeric Values, Integral or Decimal, By Precision and Scale")
            .doc("What NUMERIC columns become: none, decimals; precision_only, integers where there are no digits behind \
                  the point; best_fit, and doubles where there are and 15 digits are enough; best_fit_eager_double, always \
                  doubles where there are."),
        pub(crate) dialect_name: String = key("dialect.name").default("").low().group(DATABASE).width(Width::Long)
            .check(dialect_name()).display("Database Dialect")
            .doc("The dialect of SQL; where it is empty, by the URL, or by what an ODBC driver reports."),
        pub(crate) mode: String = key("mode").high().group(MODE).width(Width::Medium)
            .check(choice(&["bulk", "timestamp", "incrementing", "timestamp+incrementing"]))
            .recommend(&["bulk", "timestamp", "incrementing", "timestamp+incrementing"])
            .display("Table Loading Mode")
            .doc("How new rows are told from old ones: bulk, not at all, everything is read each time; incrementing, by a \
                  column that grows with each row; timestamp, by a column that is set with each change; \
                  timestamp+incrementing, by both."),
        pub(crate) incrementing: String = key("incrementing.column.name").default("").group(MODE)
            .width(Width::Medium).display("Incrementing Column Name")
            .doc("The column that grows; where it is empty, the one that the database counts up."),
        pub(crate) timestamps: Vec<String> = key("timestamp.column.name").default("").group(MODE)
            .width(Width::Medium).display("Timestamp Column Name")
            .doc("The columns that are set; of several the first that is not null counts."),
        pub(crate) incrementing_mapping: Vec<String> = key("incrementing.column.mapping").default("").group(MODE)
            .width(Width::Long).display("Table to incrementing column mappings")
            .doc("The columns that grow where tables differ in them, as regex:column with commas between. The first \
                  regular expression that matches the full name of a table (schema.name) counts; tables that none \
                  matches have incrementing.column.name."),
        pub(crate) timestamps_mapping: Vec<String> = key("timestamp.columns.mapping").default("").group(MODE)
            .width(Width::Long).display("Table to timestamp columns mappings")
            .doc("The columns that are set where tables differ in them, as regex:[column|column] with commas between. \
                  The first regular expression that matches the full name of a table (schema.name) counts; tables that \
                  none matches have timestamp.column.name."),
        pub(crate) timestamp_initial: Option<i64> = key("timestamp.initial").low().group(MODE).width(Width::Medium)
            .display("Unix time value of initial timestamp")
            .doc("Milliseconds since 1970 from which rows are read where there is no offset; -1 is now, null everything."),
        pub(crate) validate_non_null: bool = key("validate.non.null").default(true).low().group(MODE)
            .width(Width::Short).display("Validate Non Null")
            .doc("Whether columns that tell new rows have to be NOT NULL (of several timestamps one)."),
        pub(crate) query: String = key("query").default("").group(MODE).width(Width::Short).display("Query")
            .doc("A query to read instead of tables. The condition on new rows is put behind it, so it has no WHERE of its \
                  own, except in mode bulk or as SELECT * FROM (...) AS x."),
        pub(crate) query_masked: Option<Password> = key("query.masked").group(MODE).width(Width::Short)
            .display("Query (Masked)")
            .doc("As query, for a text that is not to be shown: it is hidden in errors, in the log and by the REST API."),
        pub(crate) query_retries: i32 = key("query.retry.attempts").default(-1).low().group(MODE).width(Width::Short)
            .display("Query Retry Attempts")
            .doc("How often in a row a read may fail for something that may pass by itself before the task fails; -1 \
                  (and 0): as often as it does."),
        pub(crate) isolation: String = key("transaction.isolation.mode").default("DEFAULT").low().group(MODE)
            .width(Width::Medium).check(choice(&ISOLATION)).recommend(&ISOLATION)
            .display("Transaction Isolation Mode")
            .doc("The isolation of the transactions that read: DEFAULT, the server's own, READ_UNCOMMITTED, \
                  READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE, or SQL_SERVER_SNAPSHOT, as far as the database has it."),
        pub(crate) query_suffix: String = key("query.suffix").default("").low().group(MODE).width(Width::Short)
            .display("Query suffix").doc("Text behind every query, such as LIMIT 1000."),
        pub(crate) quote_identifiers: String = key("quote.sql.identifiers").default("ALWAYS").group(DATABASE)
            .width(Width::Medium).check(choice(&["always", "never"])).display("Quote Identifiers")
            .doc("Whether names in generated queries are quoted; without effect on tables, whose names come from the \
                  database and are always quoted."),
        pub(crate) table_types: Vec<String> = key("table.types").default("TABLE").low().group(DATABASE)
            .width(Width::Medium).recommend(&["TABLE", "PARTITIONED TABLE", "VIEW"]).display("Table Types")
            .doc("What is read: TABLE, PARTITIONED TABLE, VIEW."),
        pub(crate) poll_interval_ms: i32 = key("poll.interval.ms").default(5000).high().group(CONNECTOR)
            .width(Width::Short).check(Check::at_least(0)).display("Poll Interval (ms)")
            .doc("Milliseconds between the beginnings of two reads of a table."),
        pub(crate) batch_max_rows: i32 = key("batch.max.rows").default(1000).low().group(CONNECTOR)
            .width(Width::Short).check(Check::at_least(1)).display("Max Rows Per Batch")
            .doc("Rows of a batch at most. Rows are read as they are taken, so memory holds a few batches alone."),
        pub(crate) table_poll_interval_ms: i64 = key("table.poll.interval.ms").default(60000).low().group(CONNECTOR)
            .width(Width::Short).check(Check::at_least(1)).display("Metadata Change Monitoring Interval (ms)")
            .doc("Milliseconds between looks for new and removed tables."),
        pub(crate) topic_prefix: String = key("topic.prefix").high().group(CONNECTOR).width(Width::Medium)
            .display("Topic Prefix")
            .doc("What stands before a table's name in its topic; with query, the topic itself."),
        pub(crate) delay_ms: i64 = key("timestamp.delay.interval.ms").default(0).high().group(CONNECTOR)
            .width(Width::Medium).check(Check::at_least(0)).display("Delay Interval (ms)")
            .doc("Milliseconds that rows wait for transactions that set earlier timestamps and are not committed yet."),
        pub(crate) db_timezone: String = key("db.timezone").default("UTC").group(CONNECTOR).width(Width::Medium)
            .check(time_zone()).display("DB time zone")
            .doc("Time zone in which columns without one hold instants."),
        pub(crate) granularity: String = key("timestamp.granularity").default("connect_logical").low()
            .group(CONNECTOR).width(Width::Medium)
            .check(choice(&["connect_logical", "micros_long", "micros_string", "micros_iso_datetime_string",
                            "nanos_long", "nanos_string", "nanos_iso_datetime_string"]))
            .display("Timestamp granularity for timestamp columns")
            .doc("What timestamp columns become: connect_logical, milliseconds; micros_long, nanos_long, numbers; \
                  micros_string, nanos_string, their texts; micros_iso_datetime_string, nanos_iso_datetime_string, \
                  2024-02-29T12:30:00.000001."),
        pub(crate) tables: Vec<String> = key("tables").default("").low().group("Task").display("Tables")
            .doc("The tables of a task: set by the connector."),
    }
}

fn patterns() -> Check {
    Check::new("regular expressions", |text| {
        use lavka_api::config::ConfigType as _;
        for pattern in Vec::<String>::parse(text)? {
            regex::Regex::new(&pattern)
                .map_err(|error| format!("{pattern} is no regular expression: {error}"))?;
        }
        Ok(())
    })
}

/// Keys without effect here.
const IGNORED: &[Ignored] = &[
    (
        "jdbc.credentials.provider.class",
        Kind::Class,
        Some("io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"),
        "Java classes are not loaded; put credentials in from outside with a configuration provider, as in \
         ${file:/path:key}.",
    ),
    ("catalog.pattern", Kind::String, None, "A connection sees the tables of one database."),
    ("max.buffer.size", Kind::Int, Some("0"), "Rows are read as they are taken."),
    ("poll.linger.ms", Kind::Long, Some("5000"), "A poll can be cut short at any time."),
    (
        "table.monitoring.startup.polling.limit.ms",
        Kind::Long,
        Some("10000"),
        "The connector looks for its tables before its tasks are made.",
    ),
    ("date.calendar.system", Kind::String, Some("LEGACY"), "Days are read by today's calendar."),
];

/// The keys of the source.
pub(crate) fn definition() -> ConfigDef {
    let mut definition = SourceKeys::definition();
    definition.extend(super::OdbcKeys::definition());
    with_ignored(definition, IGNORED)
}
