//! Where the database is and how to log in.

use lavka_api::config::{Password, key};

use super::checks::{mode, non_negative, positive, positive_long, topic_prefix};
use super::modes::SslMode;

const CONNECTION: &str = "Connection";

lavka_api::config! {
    /// Where the database is and how to log in.
    pub(crate) struct ConnectionKeys {
        pub(crate) topic_prefix: Option<String> = key("topic.prefix").high().group(CONNECTION)
            .check(topic_prefix())
            .doc("The logical name of the server: the first part of every topic and schema name, and the only key \
                  of the source partition. Required. Another name means other topics, and that the stored offset \
                  is not found."),
        pub(crate) database_hostname: Option<String> = key("database.hostname").high().group(CONNECTION)
            .doc("Host (IP or name) of the server."),
        pub(crate) database_port: i32 = key("database.port").default(5432).high().group(CONNECTION)
            .check(positive())
            .doc("TCP port."),
        pub(crate) database_user: Option<String> = key("database.user").high().group(CONNECTION)
            .doc("Login role; needs REPLICATION + SELECT."),
        pub(crate) database_password: Option<Password> = key("database.password").high().group(CONNECTION)
            .doc("Password."),
        pub(crate) database_dbname: Option<String> = key("database.dbname").high().group(CONNECTION)
            .doc("The one database to stream."),
        pub(crate) database_query_timeout_ms: i32 = key("database.query.timeout.ms").default(600000).group(CONNECTION)
            .check(non_negative())
            .doc("Statement time-out for the SQL (non-replication) connection; 0 = none."),
        pub(crate) database_initial_statements: Option<String> = key("database.initial.statements").group(CONNECTION)
            .doc("SQL that is run on each new connection, separated by semicolons; ;; is a semicolon itself. Not \
                  on the replication connection."),
        pub(crate) database_sslmode: SslMode = key("database.sslmode").default("prefer").group(CONNECTION)
            .recommend(SslMode::NAMES).check(mode("database.sslmode", SslMode::NAMES))
            .doc("Disable / allow / prefer / require / verify-ca / verify-full (libpq meaning)."),
        pub(crate) database_sslcert: Option<String> = key("database.sslcert").group(CONNECTION)
            .doc("Client certificate path."),
        pub(crate) database_sslpassword: Option<Password> = key("database.sslpassword").group(CONNECTION)
            .doc("Passphrase of the client's key. Encrypted keys cannot be read: decrypt it with openssl pkey."),
        pub(crate) database_sslrootcert: Option<String> = key("database.sslrootcert").group(CONNECTION)
            .doc("CA path."),
        pub(crate) database_sslkey: Option<String> = key("database.sslkey").group(CONNECTION)
            .doc("Client key path."),
        pub(crate) database_sslfactory: Option<String> = key("database.sslfactory").group(CONNECTION)
            .doc("A Java class that makes sockets; without effect."),
        pub(crate) database_tcp_keep_alive: bool = key("database.tcpKeepAlive").default(true).group(CONNECTION)
            .doc("Keep idle connections alive by TCP; without effect: the connector asks the server often enough \
                  by itself."),
        pub(crate) query_fetch_size: i32 = key("query.fetch.size").default(0).group(CONNECTION)
            .check(non_negative())
            .doc("Rows fetched at once by other queries than those of snapshots; without effect, their answers \
                  are small."),
        pub(crate) connection_validation_timeout_ms: i64 = key("connection.validation.timeout.ms").default(60000).group(CONNECTION)
            .check(positive_long())
            .doc("Milliseconds that the validation of a configuration may take to reach the server."),
        pub(crate) custom_sanitize_pattern: String = key("custom.sanitize.pattern").default(".*secret$|.*password$|.*sasl\\.jaas\\.config$|.*basic\\.auth\\.user\\.info|.*registry\\.auth\\.client-secret|.*credentials\\.json$|.*connectionstring$|.*connection\\.string$").group(CONNECTION)
            .doc("Keys whose values are hidden in logs; without effect, since no value is logged."),
        pub(crate) read_only: bool = key("read.only").default(false).group(CONNECTION)
            .doc("Nothing is written to the database: the windows of incremental snapshots are bounded by what the server says \
                  of its transactions (txid_current_snapshot) instead of rows in the signal table."),
    }
}
