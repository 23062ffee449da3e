//! The lock of a SQLite file in other hands.

use lavka_odbc_manager::environment;
use odbc_api::ConnectionOptions;
use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Runtime;

use crate::databases::file;

const TAKE: &str = "BEGIN IMMEDIATE";
const RELEASE: &str = "ROLLBACK";

/// A transaction that keeps all others from writing.
pub(crate) enum FileLock {
    Native(Runtime, SqliteConnection),
    /// The driver has a SQLite of its own. Locks are a process's, so the two in this one do not keep each other out.
    Odbc(odbc_api::Connection<'static>),
}

impl FileLock {
    pub(crate) fn take(place: &str) -> Self {
        let file = file(place);
        if crate::OVER_ODBC {
            let text = format!("Driver=SQLite3;Database={file}");
            let options = ConnectionOptions::default();
            let connection = environment().unwrap().connect_with_connection_string(&text, options).unwrap();
            connection.execute(TAKE, (), None).unwrap();
            return Self::Odbc(connection);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&format!("sqlite:{file}")).await.unwrap();
            sqlx::raw_sql(TAKE).execute(&mut connection).await.unwrap();
            connection
        });
        Self::Native(runtime, connection)
    }

    pub(crate) fn release(self) {
        match self {
            Self::Native(runtime, mut connection) => {
                runtime.block_on(async { sqlx::raw_sql(RELEASE).execute(&mut connection).await.unwrap() });
            }
            Self::Odbc(connection) => drop(connection.execute(RELEASE, (), None).unwrap()),
        }
    }
}
