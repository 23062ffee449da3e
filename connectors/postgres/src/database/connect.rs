//! How connections are opened.

use std::time::Duration;

use lavka_api::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::failure::named;
use crate::config::{Settings, SslMode};

/// Settings of every session, SQL or replication, on which the form of values as text depends.
pub(crate) const TEXT_FORMAT: [(&str, &str); 6] = [
    ("datestyle", "ISO"),
    ("intervalstyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("timezone", "UTC"),
    ("lc_monetary", "C"),
];

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the database is and how to log in; makes connections for SQL.
#[derive(Clone)]
pub(crate) struct Server {
    options: PgConnectOptions,
    initial: Vec<String>,
    query_timeout: i32,
}

impl Server {
    /// The server of a configuration.
    pub(crate) fn new(settings: &Settings) -> Self {
        let keys = &settings.connection;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(keys.database_hostname.as_deref().unwrap_or("localhost"))
            .port(u16::try_from(keys.database_port).unwrap_or(5432))
            .username(keys.database_user.as_deref().unwrap_or("postgres"))
            .database(settings.database())
            .application_name("Lavka PostgreSQL connector")
            // Statements are few and change with the tables; a pooler in between may not keep them.
            .statement_cache_capacity(0)
            .ssl_mode(match keys.database_sslmode {
                SslMode::Disable => PgSslMode::Disable,
                SslMode::Allow => PgSslMode::Allow,
                SslMode::Prefer => PgSslMode::Prefer,
                SslMode::Require => PgSslMode::Require,
                SslMode::VerifyCa => PgSslMode::VerifyCa,
                SslMode::VerifyFull => PgSslMode::VerifyFull,
            })
            .options(TEXT_FORMAT)
            .disable_statement_logging();
        if let Some(password) = &keys.database_password {
            options = options.password(password.reveal());
        }
        if let Some(file) = &keys.database_sslrootcert {
            options = options.ssl_root_cert(file);
        }
        if let Some(file) = &keys.database_sslcert {
            options = options.ssl_client_cert(file);
        }
        if let Some(file) = &keys.database_sslkey {
            options = options.ssl_client_key(file);
        }
        Self {
            options,
            initial: settings.initial_statements(),
            query_timeout: keys.database_query_timeout_ms,
        }
    }

    /// A connection on which the configured statements were run.
    ///
    /// # Errors
    /// What went wrong, named, with what to do about it.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        let mut connection = self.connect_plain().await?;
        let doing = || format!("setting up a connection to {}", self.place());
        // A number, not data.
        let timeout = format!("SET statement_timeout = {}", self.query_timeout);
        sqlx::raw_sql(AssertSqlSafe(timeout))
            .execute(&mut connection)
            .await
            .map_err(|e| named(&e, &doing()))?;
        for (number, statement) in (1..).zip(&self.initial) {
            // What the user configured to be run is run as it is, and not repeated in messages: it may hold secrets.
            sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut connection).await.map_err(|e| {
                named(&e, &format!("running statement {number} of database.initial.statements"))
            })?;
        }
        Ok(connection)
    }

    /// A connection without those statements, for validation.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) async fn connect_plain(&self) -> Result<PgConnection> {
        let doing = format!("connecting to {}", self.place());
        match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.options)).await {
            Ok(connected) => connected.map_err(|error| named(&error, &doing)),
            Err(_) => Err(Error::retriable(format!("{doing} took longer than {CONNECT_TIMEOUT:?}"))),
        }
    }

    /// Host, port, database and user, for messages.
    pub(crate) fn place(&self) -> String {
        format!(
            "the database {} at {}:{} as {}",
            self.options.get_database().unwrap_or_default(),
            self.options.get_host(),
            self.options.get_port(),
            self.options.get_username()
        )
    }
}

/// The server's version as a number: 150018 for 15.18.
pub(crate) async fn version(connection: &mut PgConnection) -> Result<i32> {
    let row = sqlx::query("SELECT current_setting('server_version_num')::int4")
        .fetch_one(connection)
        .await
        .map_err(|error| named(&error, "asking for the server's version"))?;
    row.try_get(0).map_err(|error| named(&error, "asking for the server's version"))
}
