//! Keys of `io.confluent.connect.jdbc.JdbcSinkConnector`.

use lavka_api::config::{Check, Kind, Password, Width, key};

use super::Ignored;
use super::checks::{choice, dialect_name, time_zone};

const CONNECTION: &str = "Connection";
const WRITES: &str = "Writes";
const MAPPING: &str = "Data Mapping";
const DDL: &str = "DDL Support";
const RETRIES: &str = "Retries";

lavka_api::config! {
    /// What Confluent's sink is configured with.
    pub(crate) struct ConfluentKeys {
        pub(crate) url: String = key("connection.url").high().group(CONNECTION).width(Width::Long).display("JDBC URL")
            .doc("JDBC URL of the database: jdbc:postgresql://host/db, jdbc:mysql://host/db, jdbc:mariadb://host/db, \
                  jdbc:redshift://host/db or jdbc:sqlite:file; over ODBC jdbc:oracle:..., jdbc:sqlserver:..., \
                  jdbc:vertica:..., jdbc:snowflake:..., jdbc:hive2:..., jdbc:db2:..., jdbc:teradata:... or \
                  odbc:DSN=name and other attributes. Its properties, and other keys that begin with connection., \
                  are those of the JDBC driver where they mean something here."),
        pub(crate) user: Option<String> = key("connection.user").high().group(CONNECTION).width(Width::Medium)
            .display("JDBC User").doc("User of the database."),
        pub(crate) password: Option<Password> = key("connection.password").high().group(CONNECTION)
            .width(Width::Medium).display("JDBC Password").doc("Password of the user."),
        pub(crate) dialect_name: String = key("dialect.name").default("").low().group(CONNECTION).width(Width::Long)
            .check(dialect_name())
            .recommend(&["PostgreSqlDatabaseDialect", "RedshiftDatabaseDialect", "MySqlDatabaseDialect",
                         "MariaDbDatabaseDialect", "SqliteDatabaseDialect", "OracleDatabaseDialect",
                         "SqlServerDatabaseDialect", "VerticaDatabaseDialect", "Db2DatabaseDialect",
                         "SnowflakeDatabaseDialect", "TeradataDatabaseDialect", "HiveDatabaseDialect",
                         "GenericDatabaseDialect"])
            .display("Database Dialect")
            .doc("The dialect of SQL; where it is empty, by the URL, or by what an ODBC driver reports."),
        pub(crate) attempts: i32 = key("connection.attempts").default(3).low().group(CONNECTION).width(Width::Short)
            .check(Check::at_least(1)).display("JDBC connection attempts")
            .doc("How often a connection is tried before that counts as an error."),
        pub(crate) backoff_ms: i64 = key("connection.backoff.ms").default(10000).low().group(CONNECTION)
            .width(Width::Short).display("JDBC connection backoff in milliseconds")
            .doc("Milliseconds between these tries."),
        pub(crate) insert_mode: String = key("insert.mode").default("insert").high().group(WRITES)
            .width(Width::Medium).check(choice(&["insert", "upsert", "update"]))
            .recommend(&["insert", "upsert", "update"]).display("Insert Mode")
            .doc("What a record does: insert a row; upsert, which inserts the row or updates the one with its key; or \
                  update the row with its key, if there is one."),
        pub(crate) batch_size: i32 = key("batch.size").default(3000).group(WRITES).width(Width::Short)
            .check(Check::at_least(0)).display("Batch Size")
            .doc("Records that one statement writes at most. PostgreSQL's COPY is a stream and has no such bound: there \
                  lavka.transaction.records counts."),
        pub(crate) delete_enabled: bool = key("delete.enabled").default(false).group(WRITES).width(Width::Short)
            .display("Enable deletes")
            .doc("Whether a record with a null value deletes the row with its key. Needs pk.mode=record_key."),
        pub(crate) table_types: Vec<String> = key("table.types").default("TABLE").low().group(WRITES)
            .width(Width::Medium).recommend(&["TABLE", "PARTITIONED TABLE", "VIEW"]).display("Table Types")
            .doc("What may be written to: TABLE, PARTITIONED TABLE, VIEW."),
        pub(crate) replace_null: bool = key("replace.null.with.default").default(true).low().group(WRITES)
            .width(Width::Medium).display("Replace null value with default value")
            .doc("Whether a null is written as the default that the field's schema has."),
        pub(crate) table_name_format: String = key("table.name.format").default("${topic}").group(MAPPING)
            .width(Width::Long).check(Check::non_empty()).display("Table Name Format")
            .doc("The table of a record; ${topic} stands for its topic. Dots part the schema from the table."),
        pub(crate) pk_mode: String = key("pk.mode").default("none").high().group(MAPPING).width(Width::Medium)
            .check(choice(&["none", "kafka", "record_key", "record_value"]))
            .recommend(&["none", "kafka", "record_key", "record_value"]).display("Primary Key Mode")
            .doc("What the primary key is: none; kafka, topic, partition and offset; record_key or record_value, fields of \
                  the record's key or value."),
        pub(crate) pk_fields: Vec<String> = key("pk.fields").default("").group(MAPPING).width(Width::Long)
            .display("Primary Key Fields")
            .doc("Fields of the primary key; all where it is empty. With pk.mode=kafka three names of columns; for a key \
                  that is a single value, the name of its column."),
        pub(crate) fields_whitelist: Vec<String> = key("fields.whitelist").default("").group(MAPPING)
            .width(Width::Long).display("Fields Whitelist")
            .doc("Fields of the value that get columns, besides those of the key; all where it is empty."),
        pub(crate) db_timezone: String = key("db.timezone").default("UTC").group(MAPPING).width(Width::Medium)
            .check(time_zone()).display("DB time zone")
            .doc("Time zone in which columns without one hold instants."),
        pub(crate) date_timezone: String = key("date.timezone").default("DB_TIMEZONE").low().group(MAPPING)
            .width(Width::Medium).check(choice(&["db_timezone", "utc"])).recommend(&["DB_TIMEZONE", "UTC"])
            .display("Date Time Zone")
            .doc("Time zone of dates: DB_TIMEZONE, where midnight UTC may be on another day, or UTC."),
        pub(crate) timestamp_fields: Vec<String> = key("timestamp.fields.list").default("").group(MAPPING)
            .width(Width::Medium).display("Timestamp Fields Whitelist")
            .doc("Fields of the value that are numbers (or texts of numbers) and mean timestamps, in the unit of \
                  timestamp.precision.mode."),
        pub(crate) timestamp_precision: String = key("timestamp.precision.mode").default("microseconds").low()
            .group(MAPPING).width(Width::Medium).check(choice(&["microseconds", "nanoseconds"]))
            .recommend(&["microseconds", "nanoseconds"]).display("Timestamp Precision Mode")
            .doc("Unit of the fields in timestamp.fields.list. What is finer than a microsecond is cut off."),
        pub(crate) calendar: String = key("date.calendar.system").default("LEGACY").low().group(MAPPING)
            .width(Width::Medium).check(Check::one_of(&["LEGACY", "PROLEPTIC_GREGORIAN"]))
            .display("Date Calendar System")
            .doc("Calendar of days before 1582-10-15: LEGACY names them as the Julian one did, PROLEPTIC_GREGORIAN as \
                  today's would."),
        pub(crate) text_column: String = key("string.output.value.column.name").default("record_value").low()
            .group(MAPPING).width(Width::Medium).check(Check::non_empty())
            .display("String Output Value Column Name")
            .doc("The column of values that are single texts."),
        pub(crate) auto_create: bool = key("auto.create").default(false).group(DDL).width(Width::Short)
            .display("Auto-Create").doc("Whether a missing table is made, by the schema of the records."),
        pub(crate) auto_evolve: bool = key("auto.evolve").default(false).group(DDL).width(Width::Short)
            .display("Auto-Evolve")
            .doc("Whether missing columns are added. No column is ever dropped or given another type."),
        pub(crate) quote_identifiers: String = key("quote.sql.identifiers").default("always").group(DDL)
            .width(Width::Medium).check(choice(&["always", "never"])).recommend(&["always", "never"])
            .display("Quote Identifiers")
            .doc("Whether names of new tables and columns are quoted: always, or never, so that the database folds their \
                  case. Names that need quotes get them all the same."),
        pub(crate) max_retries: i32 = key("max.retries").default(10).group(RETRIES).width(Width::Short)
            .check(Check::at_least(0)).display("Maximum Retries")
            .doc("How often a batch is tried again after a lost connection, a deadlock or the like, before the task fails. \
                  A row that the database refuses is not tried again."),
        pub(crate) retry_backoff_ms: i32 = key("retry.backoff.ms").default(3000).group(RETRIES).width(Width::Short)
            .check(Check::at_least(0)).display("Retry Backoff (millis)")
            .doc("Milliseconds to wait before such a try."),
    }
}

/// Keys without effect here.
pub(super) const IGNORED: &[Ignored] = &[
    (
        "jdbc.credentials.provider.class",
        Kind::Class,
        Some("io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"),
        "Java classes are not loaded; put credentials in from outside with a configuration provider, as in \
         ${file:/path:key}.",
    ),
    (
        "mssql.use.merge.holdlock",
        Kind::Boolean,
        Some("true"),
        "SQL Server's MERGE always asks for the lock: without it two tasks may insert one key.",
    ),
    (
        "trim.sensitive.log",
        Kind::Boolean,
        Some("false"),
        "Errors have what the server says, which may name a value.",
    ),
];
