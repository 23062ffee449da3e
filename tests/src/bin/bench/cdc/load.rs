//! What is read: tables, changes, slots.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use lavka_testkit::Postgres;

use super::Outcome;
use crate::usage::{Run, children_seconds};

/// Changes of the stream.
pub(super) const CHANGES: u32 = 300_000;
const COLUMNS: &str = "id bigint primary key, customer int, name varchar(50), note text, amount numeric(10,2), \
                       active boolean, ratio double precision, created timestamptz";
const ROW: &str = "i, (i % 10000)::int, 'Ana Marie Novakova', 'a note of some length, as people write them', \
                   12345678.90, i % 2 = 0, i * 0.5, '2026-03-04 11:14:15.123456Z'";

/// The changes, kept by a slot, of which every reader gets a copy.
pub(super) struct Load<'a> {
    server: &'a Postgres,
    end: String,
    slots: AtomicU32,
}

impl<'a> Load<'a> {
    pub(super) fn write(server: &'a Postgres) -> Outcome<Self> {
        server.sql(&format!("create table payments ({COLUMNS})"));
        slot(server, "original")?;
        let mut script = String::new();
        for part in 0..100 {
            let (from, to) = (part * 1000 + 1, (part + 1) * 1000);
            script += &format!("insert into payments select {ROW} from generate_series({from}, {to}) i;\n");
        }
        for (head, tail) in [
            (
                "update payments set amount = amount + 1, note = 'another note, of a length', active = true",
                "",
            ),
            ("delete from payments", ""),
        ] {
            for part in 0..100 {
                let (from, to) = (part * 1000 + 1, (part + 1) * 1000);
                script += &format!("{head} where id between {from} and {to}{tail};\n");
            }
        }
        server.sql(&script);
        server.sql("create table last (n int); insert into last values (1)");
        let end = server.sql("select pg_current_wal_flush_lsn()");
        Ok(Self { server, end, slots: AtomicU32::new(0) })
    }

    /// A slot that has all the changes before it.
    pub(super) fn slot(&self) -> Outcome<String> {
        let name = format!("copy_{}", self.slots.fetch_add(1, Relaxed));
        self.server.try_sql(
            Postgres::DATABASE,
            &format!("select pg_copy_logical_replication_slot('original', '{name}')"),
        )?;
        Ok(name)
    }

    /// `pg_recvlogical` into nowhere.
    pub(super) fn recvlogical(&self, server: &Postgres) -> Outcome<Run> {
        let slot = self.slot()?;
        let program = format!("/usr/lib/postgresql/{}/bin/pg_recvlogical", server.major());
        let (began, before) = (Instant::now(), children_seconds());
        let status = Command::new(program)
            .args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "-U", Postgres::USER])
            .args([
                "-d",
                Postgres::DATABASE,
                "-S",
                &slot,
                "--start",
                "-f",
                "/dev/null",
                "--endpos",
                &self.end,
            ])
            .args(["-o", "proto_version=1", "-o", "publication_names=bench", "-o", "messages=true"])
            .env("PGPASSWORD", Postgres::PASSWORD)
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("pg_recvlogical: {status}").into());
        }
        let rate = f64::from(CHANGES) / began.elapsed().as_secs_f64();
        Ok(Run { rate, cpu_seconds: children_seconds() - before })
    }
}

/// Makes a publication of all tables, if there is none, and a slot.
pub(super) fn slot(server: &Postgres, name: &str) -> Outcome<String> {
    publication(server)?;
    server.try_sql(
        Postgres::DATABASE,
        &format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')"),
    )?;
    Ok(name.to_owned())
}

fn publication(server: &Postgres) -> Outcome<()> {
    let found =
        server.try_sql(Postgres::DATABASE, "select count(*) from pg_publication where pubname = 'bench'")?;
    if found == "0" {
        server.try_sql(Postgres::DATABASE, "create publication bench for all tables")?;
    }
    Ok(())
}

/// A table with rows, published.
pub(super) fn table(server: &Postgres, rows: u32) -> Outcome<()> {
    publication(server)?;
    server.try_sql(
        Postgres::DATABASE,
        &format!(
            "create table payments ({COLUMNS});
             insert into payments select {ROW} from generate_series(1, {rows}) i; vacuum analyze payments"
        ),
    )?;
    Ok(())
}

/// Many tables, published.
pub(super) fn many(tables: u32) -> String {
    let columns = COLUMNS.replace("id bigint", "id bigserial");
    let tables: String =
        (0..tables).map(|table| format!("create table many_{table} ({columns});\n")).collect();
    // All at once would need a lock for each.
    tables + "create publication bench for all tables;"
}
