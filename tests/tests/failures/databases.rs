//! Databases of a test's own, which can be killed.

use std::path::PathBuf;

use lavka_testkit::{Chance, MariaDb, Postgres, PostgresConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Row as _};

/// A database that a sink writes to.
pub(crate) enum Database {
    Postgres(Postgres),
    Maria(MariaDb),
    Sqlite(PathBuf),
}

impl Database {
    /// What is committed has been handed to the kernel, so that it outlives the process.
    pub(crate) fn postgres() -> Self {
        let settings = vec!["synchronous_commit = on".into()];
        Self::Postgres(Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap())
    }

    pub(crate) fn maria() -> Self {
        Self::Maria(MariaDb::start(&[]).unwrap())
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Maria(_) => "MariaDB",
            Self::Sqlite(_) => "SQLite",
        }
    }

    /// Adds the keys of the connection to a sink's configuration.
    pub(crate) fn connect(&self, config: &mut Value) {
        let (url, user, password) = match self {
            Self::Postgres(server) => (
                format!("jdbc:postgresql://127.0.0.1:{}/{}", server.port(), Postgres::DATABASE),
                Postgres::USER,
                Postgres::PASSWORD,
            ),
            Self::Maria(server) => (
                format!("jdbc:mariadb://127.0.0.1:{}/{}", server.port(), MariaDb::DATABASE),
                MariaDb::USER,
                MariaDb::PASSWORD,
            ),
            Self::Sqlite(file) => (format!("jdbc:sqlite:{}", file.display()), "", ""),
        };
        config["connection.url"] = url.into();
        config["connection.user"] = user.into();
        config["connection.password"] = password.into();
    }

    /// The rows of a query, columns with `|` between; `None` while the database or the table is not there.
    pub(crate) fn rows(&self, sql: &str) -> Option<Vec<String>> {
        let text = match self {
            Self::Postgres(server) => server.try_sql(Postgres::DATABASE, sql).ok()?,
            Self::Maria(server) => server.try_sql(sql).ok()?.replace('\t', "|"),
            Self::Sqlite(file) => return sqlite(file, sql).ok(),
        };
        Some(text.lines().map(str::to_owned).collect())
    }

    /// A number; 0 while there is none.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql).and_then(|rows| rows.first()?.parse().ok()).unwrap_or_default()
    }

    /// Whether it runs in a process of its own, which can be killed.
    pub(crate) fn is_server(&self) -> bool {
        !matches!(self, Self::Sqlite(_))
    }

    /// Kills it and has it come back; says how.
    pub(crate) fn kill(&mut self, chance: &mut Chance) -> &'static str {
        match self {
            // Who serves a connection is killed, and takes the server along: it ends all others and recovers.
            Self::Postgres(server) if chance.below(2) == 0 => {
                let serving = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'Lavka%' ORDER BY state LIMIT 1";
                let pid = server.try_sql(Postgres::DATABASE, serving).unwrap_or_default();
                if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::KILL);
                }
                "killed the process of a connection"
            }
            Self::Postgres(server) => {
                server.crash();
                std::thread::sleep(std::time::Duration::from_millis(chance.below(700)));
                server.restart().unwrap();
                "killed the server"
            }
            Self::Maria(server) => {
                server.crash();
                std::thread::sleep(std::time::Duration::from_millis(chance.below(700)));
                server.restart().unwrap();
                "killed the server"
            }
            Self::Sqlite(_) => "",
        }
    }
}

fn sqlite(file: &std::path::Path, sql: &str) -> sqlx::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let url = format!("sqlite:{}?mode=rw", file.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await?;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
        connection.close().await?;
        let text = |row: &sqlx::sqlite::SqliteRow| {
            let cells = row.columns().iter().map(|column| {
                let number = row.try_get_unchecked::<i64, _>(column.ordinal());
                match column.type_info().to_string().as_str() {
                    "TEXT" => row.get_unchecked(column.ordinal()),
                    _ => number.map_or_else(|_| String::new(), |number| number.to_string()),
                }
            });
            cells.collect::<Vec<String>>().join("|")
        };
        Ok(rows.iter().map(text).collect())
    })
}
