//! Keys of `io.aiven.connect.jdbc.JdbcSinkConnector`.

use lavka_api::config::{Check, Password, Width, key};

use super::checks::{choice, dialect_name, time_zone};

const DATABASE: &str = "Database";
const WRITES: &str = "Writes";
const MAPPING: &str = "Data Mapping";
const DDL: &str = "DDL Support";
const RETRIES: &str = "Retries";

lavka_api::config! {
    /// What Aiven's sink is configured with.
    pub(crate) struct AivenKeys {
        pub(crate) url: String = key("connection.url").high().group(DATABASE).width(Width::Long).display("JDBC URL")
            .doc("JDBC URL of the database: jdbc:postgresql://host/db, jdbc:mysql://host/db, jdbc:mariadb://host/db, \
                  jdbc:redshift://host/db or jdbc:sqlite:file. Its properties, and other keys that begin with connection., \
                  are those of the JDBC driver where they mean something here."),
        pub(crate) user: Option<String> = key("connection.user").high().group(DATABASE).width(Width::Medium)
            .display("JDBC User").doc("User of the database."),
        pub(crate) password: Option<Password> = key("connection.password").high().group(DATABASE)
            .width(Width::Medium).display("JDBC Password").doc("Password of the user."),
        pub(crate) attempts: i32 = key("connection.attempts").default(3).low().group(DATABASE).width(Width::Short)
            .check(Check::at_least(1)).display("JDBC connection attempts")
            .doc("How often a connection is tried before that counts as an error."),
        pub(crate) backoff_ms: i64 = key("connection.backoff.ms").default(10000).low().group(DATABASE)
            .width(Width::Short).check(Check::at_least(0)).display("JDBC connection backoff in milliseconds")
            .doc("Milliseconds between these tries."),
        pub(crate) db_timezone: String = key("db.timezone").default("UTC").group(DATABASE).width(Width::Medium)
            .check(time_zone()).display("DB time zone")
            .doc("Time zone in which columns without one hold instants."),
        pub(crate) dialect_name: String = key("dialect.name").default("").low().group(DATABASE).width(Width::Medium)
            .check(dialect_name()).display("Database Dialect")
            .doc("The dialect of SQL; where it is empty, by the URL, or by what an ODBC driver reports."),
        pub(crate) quote_identifiers: bool = key("sql.quote.identifiers").default(true).low().group(DATABASE)
            .width(Width::Medium).display("Quote SQL identifiers")
            .doc("Whether names of new tables and columns are quoted. Where not, the database folds their case; names that \
                  need quotes get them all the same."),
        pub(crate) insert_mode: String = key("insert.mode").default("insert").high().group(WRITES)
            .width(Width::Medium).check(choice(&["insert", "multi", "upsert", "update"]))
            .recommend(&["insert", "multi", "upsert", "update"]).display("Insert Mode")
            .doc("What a record does: insert a row (multi, with many rows a statement, is the same here: all statements \
                  have many rows); upsert, which inserts the row or updates the one with its key; or update the row with \
                  its key, if there is one."),
        pub(crate) batch_size: i32 = key("batch.size").default(3000).group(WRITES).width(Width::Short)
            .check(Check::at_least(0)).display("Batch Size")
            .doc("Records that one statement writes at most. PostgreSQL's COPY is a stream and has no such bound: there \
                  lavka.transaction.records counts."),
        pub(crate) delete_enabled: bool = key("delete.enabled").default(false).group(WRITES).width(Width::Short)
            .display("Delete enabled")
            .doc("Whether a record with a null value deletes the row with its key. Needs pk.mode=record_key."),
        pub(crate) table_name_format: String = key("table.name.format").default("${topic}").group(MAPPING)
            .width(Width::Long).display("Table Name Format")
            .doc("The table of a record; ${topic} stands for its topic. Dots part the schema from the table."),
        pub(crate) normalize: bool = key("table.name.normalize").default(false).group(MAPPING).width(Width::Long)
            .display("Table Name Normalize")
            .doc("Whether characters of a table's name other than ASCII letters, digits and _ become _."),
        pub(crate) topics_to_tables: Option<Vec<String>> = key("topics.to.tables.mapping").group(MAPPING)
            .width(Width::Long).check(Check::new("topic:table, ...", |text| {
                match crate::naming::mapping(text) { Some(_) => Ok(()), None => Err("Invalid topics to tables mapping".into()) }
            })).display("Topics To Tables Mapping")
            .doc("Tables of single topics, as topic:table; they go before table.name.format."),
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
        pub(crate) auto_create: bool = key("auto.create").default(false).group(DDL).width(Width::Short)
            .display("Auto-Create").doc("Whether a missing table is made, by the schema of the records."),
        pub(crate) auto_evolve: bool = key("auto.evolve").default(false).group(DDL).width(Width::Short)
            .display("Auto-Evolve")
            .doc("Whether missing columns are added. No column is ever dropped or given another type."),
        pub(crate) max_retries: i32 = key("max.retries").default(10).group(RETRIES).width(Width::Short)
            .check(Check::at_least(0)).display("Maximum Retries")
            .doc("How often a batch is tried again after a lost connection, a deadlock or the like, before the task fails. \
                  A row that the database refuses is not tried again."),
        pub(crate) retry_backoff_ms: i32 = key("retry.backoff.ms").default(3000).group(RETRIES).width(Width::Short)
            .check(Check::at_least(0)).display("Retry Backoff (millis)")
            .doc("Milliseconds to wait before such a try."),
    }
}
