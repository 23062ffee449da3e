//! The table, and what PostgreSQL takes from a program that does nothing else.

use std::time::Duration;

use lavka_testkit::Postgres;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use super::{Outcome, RECORDS, rows};
use crate::usage::{Run, Stopwatch};

pub(super) const TABLE: &str = "readings";
const COLUMNS: &str = "id bigint PRIMARY KEY, device text, site text, a bigint, b int, c double precision, d double precision, \
                       e boolean, f text, at timestamp";
const NAMES: &str = "id,device,site,a,b,c,d,e,f,at";
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = [0xff; 2];

pub(super) fn url(server: &Postgres) -> String {
    format!("jdbc:postgresql://127.0.0.1:{}/{}", server.port(), Postgres::DATABASE)
}

/// The same place over Debian's ODBC driver.
pub(super) fn odbc_url(server: &Postgres) -> String {
    let (port, database) = (server.port(), Postgres::DATABASE);
    format!("odbc:Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={port};Database={database}")
}

/// The table that all write to, one after the other.
pub(super) struct Table {
    connection: PgConnection,
    encoded: Vec<Vec<u8>>,
}

impl Table {
    pub(super) async fn open(server: &Postgres) -> Outcome<Self> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(server.port())
            .username(Postgres::USER)
            .password(Postgres::PASSWORD)
            .database(Postgres::DATABASE)
            .disable_statement_logging();
        let mut table = Self { connection: options.connect().await?, encoded: rows::encoded() };
        table.execute(&format!("CREATE TABLE IF NOT EXISTS {TABLE} ({COLUMNS})")).await?;
        let stage = format!(
            "CREATE TEMPORARY TABLE stage ON COMMIT DELETE ROWS AS SELECT * FROM {TABLE} WITH NO DATA"
        );
        table.execute(&stage).await?;
        Ok(table)
    }

    async fn execute(&mut self, sql: &str) -> Outcome<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Makes it ready for inserts or upserts.
    pub(super) async fn ready(&mut self, mode: &str) -> Outcome<()> {
        if mode == "insert" {
            return self.empty().await;
        }
        self.mark().await
    }

    /// Without rows.
    pub(super) async fn empty(&mut self) -> Outcome<()> {
        self.execute(&format!("TRUNCATE {TABLE}")).await?;
        self.execute("CHECKPOINT").await
    }

    /// With all rows, each to be seen when it was written again.
    pub(super) async fn mark(&mut self) -> Outcome<()> {
        self.empty().await?;
        self.copy().await?;
        self.execute(&format!("UPDATE {TABLE} SET a = -1")).await?;
        self.execute(&format!("VACUUM FULL {TABLE}")).await?;
        self.execute("CHECKPOINT").await
    }

    async fn send(&mut self, into: &str, parts: &[&[u8]]) -> Outcome<()> {
        let statement = format!("COPY {into} ({NAMES}) FROM STDIN WITH (FORMAT binary)");
        let mut copy = self.connection.copy_in_raw(&statement).await?;
        for part in parts {
            copy.send(*part).await?;
        }
        copy.finish().await?;
        Ok(())
    }

    /// All rows by one binary `COPY`.
    pub(super) async fn copy(&mut self) -> Outcome<Run> {
        let encoded = std::mem::take(&mut self.encoded);
        let mut parts = vec![HEADER];
        parts.extend(encoded.iter().map(Vec::as_slice));
        parts.push(&END);
        let watch = Stopwatch::start();
        self.send(TABLE, &parts).await?;
        let run = watch.stop(RECORDS);
        self.encoded = encoded;
        Ok(run)
    }

    /// All rows by batches through a temporary table.
    pub(super) async fn upsert(&mut self) -> Outcome<Run> {
        let encoded = std::mem::take(&mut self.encoded);
        let set: Vec<String> =
            NAMES.split(',').skip(1).map(|name| format!("{name}=EXCLUDED.{name}")).collect();
        let apply = format!(
            "INSERT INTO {TABLE} SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET {}; COMMIT",
            set.join(",")
        );
        let watch = Stopwatch::start();
        for batch in &encoded {
            self.execute("BEGIN").await?;
            self.send("stage", &[HEADER, batch, &END]).await?;
            self.execute(&apply).await?;
        }
        let run = watch.stop(RECORDS);
        self.encoded = encoded;
        Ok(run)
    }

    /// Waits until the row `id` was written.
    pub(super) async fn wait_for(&mut self, id: u32) -> Outcome<()> {
        let sql = format!("SELECT count(*) FROM {TABLE} WHERE id = $1 AND a >= 0");
        loop {
            let found = sqlx::query(AssertSqlSafe(sql.as_str())).bind(i64::from(id));
            if found.fetch_one(&mut self.connection).await?.try_get::<i64, _>(0)? > 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
