//! The databases, each started once for all tests.

use std::sync::OnceLock;

use lavka_testkit::{MariaDb, Postgres, PostgresConfig, TempDir, temp_dir};
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Row as _, TypeInfo as _, ValueRef as _};

/// A database that tests write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Db {
    Postgres,
    Maria,
    Sqlite,
}

pub(crate) const ALL: [Db; 3] = [Db::Postgres, Db::Maria, Db::Sqlite];

pub(crate) fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start(&PostgresConfig::default()).unwrap())
}

pub(crate) fn mariadb() -> &'static MariaDb {
    static SERVER: OnceLock<MariaDb> = OnceLock::new();
    SERVER.get_or_init(|| MariaDb::start(&["--max-allowed-packet=1M"]).unwrap())
}

fn folder() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(temp_dir)
}

/// The URL of the PostgreSQL at `port`, as the databases are reached here.
pub(crate) fn postgres_url(port: u16) -> String {
    if crate::OVER_ODBC {
        format!("odbc:Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={port};Database=postgres")
    } else {
        format!("jdbc:postgresql://127.0.0.1:{port}/postgres")
    }
}

impl Db {
    /// The keys of the connection; `place` is a SQLite file of the test's own.
    pub(crate) fn connection(self, place: &str) -> Vec<(&'static str, String)> {
        if crate::OVER_ODBC {
            return self.odbc(place);
        }
        match self {
            Db::Postgres => vec![
                ("connection.url", postgres_url(postgres().port())),
                ("connection.user", Postgres::USER.to_owned()),
                ("connection.username", Postgres::USER.to_owned()),
                ("connection.password", Postgres::PASSWORD.to_owned()),
            ],
            Db::Maria => vec![
                (
                    "connection.url",
                    format!("jdbc:mariadb://127.0.0.1:{}/{}", mariadb().port(), MariaDb::DATABASE),
                ),
                ("connection.user", MariaDb::USER.to_owned()),
                ("connection.username", MariaDb::USER.to_owned()),
                ("connection.password", MariaDb::PASSWORD.to_owned()),
            ],
            Db::Sqlite => vec![("connection.url", format!("jdbc:sqlite:{}", file(place)))],
        }
    }

    /// The same by the drivers of Debian.
    fn odbc(self, place: &str) -> Vec<(&'static str, String)> {
        let (url, login) = match self {
            Db::Postgres => (postgres_url(postgres().port()), Some((Postgres::USER, Postgres::PASSWORD))),
            Db::Maria => (
                format!(
                    "odbc:Driver={{MariaDB Unicode}};Server=127.0.0.1;Port={};Database={}",
                    mariadb().port(),
                    MariaDb::DATABASE
                ),
                Some((MariaDb::USER, MariaDb::PASSWORD)),
            ),
            Db::Sqlite => (format!("odbc:Driver=SQLite3;Database={};Timeout=3000", file(place)), None),
        };
        let mut keys = vec![("connection.url", url)];
        if let Some((user, password)) = login {
            keys.extend([
                ("connection.user", user.to_owned()),
                ("connection.username", user.to_owned()),
                ("connection.password", password.to_owned()),
            ]);
        }
        keys
    }

    /// Runs SQL and returns a line for each row, columns with `|` between, null as nothing.
    pub(crate) fn sql(self, place: &str, sql: &str) -> String {
        match self {
            Db::Postgres => postgres().sql(sql),
            Db::Maria => mariadb().sql(sql).replace('\t', "|").replace("NULL", ""),
            Db::Sqlite => sqlite(place, sql),
        }
    }

    /// A name as this database quotes it.
    pub(crate) fn quoted(self, name: &str) -> String {
        match self {
            Db::Maria => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}

/// The SQLite file of a place.
pub(crate) fn file(place: &str) -> String {
    folder().path().join(format!("{place}.db")).display().to_string()
}

fn sqlite(place: &str, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}?mode=rwc", file(place));
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        let cell = |row: &sqlx::sqlite::SqliteRow, at: usize| {
            let value = row.try_get_raw(at).unwrap();
            match value.type_info().name() {
                _ if value.is_null() => String::new(),
                "INTEGER" | "BOOLEAN" => row.get_unchecked::<i64, _>(at).to_string(),
                "REAL" => row.get_unchecked::<f64, _>(at).to_string(),
                "BLOB" => {
                    row.get_unchecked::<Vec<u8>, _>(at).iter().map(|byte| format!("{byte:02x}")).collect()
                }
                _ => row.get_unchecked::<String, _>(at),
            }
        };
        let lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let cells: Vec<String> =
                    row.columns().iter().map(|column| cell(row, column.ordinal())).collect();
                cells.join("|")
            })
            .collect();
        connection.close().await.unwrap();
        lines.join("\n")
    })
}
