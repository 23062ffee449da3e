//! Keys that no Java sink has.

use lavka_api::config::{Check, Password, Width, key};

const LAVKA: &str = "Lavka";

lavka_api::config! {
    /// Keys that every flavour of the sink has.
    pub(crate) struct OurKeys {
        pub(crate) exactly_once: bool = key("lavka.exactly.once").default(false).group(LAVKA)
            .display("Exactly once")
            .doc("Whether the offsets are kept in the database, in the transaction that writes the rows. A restarted task \
                  goes on there, whatever the consumer group has, so that every record takes effect once, also with plain \
                  inserts; and of two tasks that hold a partition for one, the older one is kept out."),
        pub(crate) offsets_table: String = key("lavka.offsets.table").default("lavka_offsets").low().group(LAVKA)
            .check(Check::non_empty())
            .display("Offsets table")
            .doc("The table for lavka.exactly.once: a row for each connector, topic and partition. It is made if it is \
                  missing."),
        pub(crate) transaction_records: i32 = key("lavka.transaction.records").default(20_000).low().group(LAVKA)
            .check(Check::at_least(0)).width(Width::Short)
            .display("Records of a transaction")
            .doc("While the database is busy with a transaction, records of later polls are taken already, and go into the \
                  next one together, or, where inserts are copied into PostgreSQL, into the same one within its first \
                  100 ms: so many at most. With 0 each poll is a transaction of its own, and the next one is asked for \
                  when it is committed."),
    }
}

lavka_api::config! {
    /// Keys of connections that go over ODBC, of sinks and source.
    pub(crate) struct OdbcKeys {
        pub(crate) connection: Option<Password> = key("lavka.odbc.connection").low().group(LAVKA)
            .display("ODBC connection attributes")
            .doc("Attributes of an ODBC connection, as in DSN=warehouse or Driver={ODBC Driver 18 for SQL \
                  Server};LoginTimeout=5, for connections that go over ODBC. They go before those that come from \
                  connection.url. Where neither names a DSN or a Driver, the installed driver is taken that is known for \
                  the URL's database."),
    }
}

impl OdbcKeys {
    /// The name of the key.
    pub(crate) const CONNECTION: &'static str = "lavka.odbc.connection";
}
