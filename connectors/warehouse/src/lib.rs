//! The warehouse sink: records into the tables of a database, by native drivers and over ODBC; and the source that reads
//! tables by queries, over the same drivers.
//!
//! It takes the configurations of three JDBC sinks as they are, Confluent's, Aiven's and Debezium's, and does what they do:
//! insert, upsert, update, delete and truncate, tables made and columns added by the schemas of records, change events
//! taken as they come. The databases are PostgreSQL (with what speaks its protocol: Redshift, Greenplum, Timescale,
//! CockroachDB), MySQL, MariaDB and SQLite; over ODBC Oracle, SQL Server, Vertica, Snowflake, DB2, Teradata, Hive and
//! others.
//!
//! # Invariants
//!
//! - A batch, one poll or several, is one transaction, where there are transactions: all of it is in the tables, or none.
//!   Offsets move after it was committed; with `lavka.exactly.once` they are in it.
//! - What is written while later polls are taken is bounded in bytes, and taken back whole where anything goes wrong.
//! - One bad row costs one dead letter. The batch it was in is written without it.
//! - Nothing of a record gets into the text of a statement but names, and names are quoted; values are bound or copied.
//! - Of upserts and deletes of one row in a batch the last counts, and every order of records gives the table that
//!   applying them one by one would give.
//! - What decides is pure: URLs, settings, plans of rows, types, statements and the forms of values know no connection.
//! - A session whose use was cut short is not used again.
//!
//! # Delivery
//!
//! At least once; effectively once with upserts, or with `pk.mode=kafka`; exactly once with `lavka.exactly.once`, where a
//! restarted task goes on at the offset in the database, and a task that lost its partition without knowing cannot
//! commit any more. Hive has no transactions: where a row of a batch is refused, others of it may be there twice. A record
//! that was reported as errant counts as written: where the process dies between the commit and the delivery of the report,
//! the report is lost. Where writing ahead goes wrong, records are read again, and those among them that could not be decoded
//! are reported again.
//!
//! # Map
//!
//! | module | what is in it |
//! | --- | --- |
//! | `config`, `settings` | the keys of each sink, and the one meaning they have together |
//! | `url` | JDBC URLs |
//! | `naming`, `table` | which table; tables and columns as the database has them |
//! | `data` | plans: which columns the records of a schema have, and what a value becomes |
//! | `dialect` | the text of statements, types of new columns, what each database can do |
//! | `driver` | the port to a database, and its implementations: one module for each protocol, `odbc` for all others |
//! | `sink` | routing, transactions, bisection, offsets |
//! | `source` | tables, queries, modes, offsets of the query-based source |

mod config;
mod data;
mod dialect;
mod driver;
mod naming;
mod settings;
mod sink;
mod source;
mod table;
mod url;

use lavka_api::plugin::{Factory, Plugin};

use crate::settings::Flavour;
use crate::sink::WarehouseSinkConnector;
use crate::source::QuerySourceConnector;

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![
        Plugin {
            class: "io.confluent.connect.jdbc.JdbcSinkConnector",
            aliases: &[],
            version: lavka_api::LAVKA_VERSION,
            doc: "Writes records to the tables of a database, with the keys of Confluent's JDBC sink.",
            definition: config::confluent,
            factory: Factory::Sink(|| Box::new(WarehouseSinkConnector::new(Flavour::Confluent))),
        },
        Plugin {
            class: "io.aiven.connect.jdbc.JdbcSinkConnector",
            aliases: &[],
            version: lavka_api::LAVKA_VERSION,
            doc: "Writes records to the tables of a database, with the keys of Aiven's JDBC sink.",
            definition: config::aiven,
            factory: Factory::Sink(|| Box::new(WarehouseSinkConnector::new(Flavour::Aiven))),
        },
        Plugin {
            class: "io.debezium.connector.jdbc.JdbcSinkConnector",
            aliases: &[],
            version: lavka_api::LAVKA_VERSION,
            doc: "Writes change events and records to the tables of a database, with the keys of Debezium's JDBC sink.",
            definition: config::debezium,
            factory: Factory::Sink(|| Box::new(WarehouseSinkConnector::new(Flavour::Debezium))),
        },
        Plugin {
            class: "io.confluent.connect.jdbc.JdbcSourceConnector",
            aliases: &[],
            version: lavka_api::LAVKA_VERSION,
            doc: "Reads tables and queries of a database again and again, with the keys of Confluent's JDBC source.",
            definition: config::source,
            factory: Factory::Source(|| Box::new(QuerySourceConnector::default())),
        },
    ]
}
