//! Databases that have no `COPY` to be held against: MariaDB and SQLite, by their native drivers.

use std::path::Path;
use std::time::Duration;

use lavka_testkit::MariaDb;
use sqlx::mysql::MySqlConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::raw::TABLE;
use super::{Format, Outcome, RECORDS, ROUNDS, rows, written};
use crate::{avro, median};

/// Often enough for rates, and rare enough not to be in the way of who writes.
const POLL: Duration = Duration::from_millis(50);

/// A connection beside the sink's.
enum Beside {
    Maria(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Beside {
    /// The first number of the answer, if there is any.
    async fn ask(&mut self, sql: &str) -> Result<Option<i64>, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Maria(connection) => {
                sql.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()
            }
            Self::Sqlite(connection) => {
                sql.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()
            }
        }
    }

    /// Makes the table ready for inserts, which make it, or for upserts of rows that are there.
    async fn ready(&mut self, mode: &str) -> Outcome<()> {
        let sql = match mode {
            "insert" => format!("DROP TABLE IF EXISTS {TABLE}"),
            _ => format!("UPDATE {TABLE} SET a = -1"),
        };
        self.ask(&sql).await?;
        Ok(())
    }

    /// Waits until the last row was written.
    async fn wait_for_all(&mut self) -> Outcome<()> {
        let sql = format!("SELECT count(*) FROM {TABLE} WHERE id = {} AND a >= 0", RECORDS - 1);
        // At first there is no table, and while somebody writes SQLite's file may be locked.
        while !self.ask(&sql).await.is_ok_and(|count| count == Some(1)) {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// Inserts and upserts into each of them.
pub(super) async fn run(bootstrap: &str) -> Outcome<()> {
    println!("Kafka (Avro) → MariaDB and SQLite, {RECORDS} records of 10 columns");
    let registry = avro::registry()?;
    rows::produce(bootstrap, rows::AVRO, &registry).await?;
    let server = MariaDb::start(&["--innodb-buffer-pool-size=256M", "--innodb-log-file-size=1G"])?;
    let folder = tempfile::tempdir()?;
    maria(bootstrap, &registry, &server).await?;
    sqlite(bootstrap, &registry, &folder.path().join("readings.db")).await
}

async fn maria(bootstrap: &str, registry: &str, server: &MariaDb) -> Outcome<()> {
    let (user, password) = (MariaDb::USER, MariaDb::PASSWORD);
    let place = format!("127.0.0.1:{}/{}", server.port(), MariaDb::DATABASE);
    let connection = MySqlConnection::connect(&format!("mysql://{user}:{password}@{place}")).await?;
    let url = format!("jdbc:mariadb://{place}");
    let keys =
        [("connection.url", url.as_str()), ("connection.user", user), ("connection.password", password)];
    rates("MariaDB", bootstrap, registry, &keys, Beside::Maria(connection)).await
}

async fn sqlite(bootstrap: &str, registry: &str, file: &Path) -> Outcome<()> {
    let connection = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await?;
    let url = format!("jdbc:sqlite:{}", file.display());
    rates("SQLite", bootstrap, registry, &[("connection.url", &url)], Beside::Sqlite(connection)).await
}

async fn rates(
    name: &str,
    bootstrap: &str,
    registry: &str,
    keys: &[(&str, &str)],
    mut beside: Beside,
) -> Outcome<()> {
    let keys = [keys, &[("auto.create", "true")]].concat();
    for mode in ["insert", "upsert"] {
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            beside.ready(mode).await?;
            let all = async || beside.wait_for_all().await;
            let run = written(bootstrap, &keys, Format::Avro(registry), mode, all).await?;
            // The first one warms broker and caches up.
            if round > 0 {
                println!("  {name}, {mode}: {run}");
                rates.push(run.rate);
                costs.push(run.cpu_seconds * 1e6 / f64::from(RECORDS));
            }
        }
        println!(
            "  {name}, {mode}: {:.0} rows a second, {:.1} µs of this process's processor time a row (medians of {ROUNDS})",
            median(&mut rates),
            median(&mut costs)
        );
    }
    Ok(())
}
