//! Upserts by `MERGE` from a table beside, as Vertica and Snowflake get them.
//!
//! Neither can be had here, but PostgreSQL understands what the two dialects say of upserts. The one statement that it does
//! not, that for the session's time zone, is put into its words on the way.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lavka_api::data::{Datum, Schema, Type, Value};
use lavka_testkit::Chance;

use crate::databases::{Db, postgres};
use crate::harness::{Rig, key, name, record, row, value};

/// A dialect, what it says of the time zone, and the same for PostgreSQL, with as many letters.
const DIALECTS: [(&str, &[u8], &[u8]); 2] = [
    ("VerticaDatabaseDialect", b"SET TIME ZONE TO 'UTC'", b"SET TIME ZONE    'UTC'"),
    (
        "SnowflakeDatabaseDialect",
        b"ALTER SESSION SET TIMEZONE = 'UTC'",
        b"SET SESSION TIMEZONE  TO    'UTC' ",
    ),
];

/// The way to PostgreSQL that puts words into others.
struct Interpreter {
    port: u16,
    /// Merges that went by.
    merges: Arc<AtomicUsize>,
}

impl Interpreter {
    fn of(said: &'static [u8], meant: &'static [u8]) -> Self {
        assert_eq!(said.len(), meant.len());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let merges = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&merges);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, postgres().port())).unwrap();
                let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut answers, &mut back);
                });
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || carry(client, server, said, meant, &counted));
            }
        });
        Self { port, merges }
    }

    fn rig(&self, dialect: &str, table: &str, more: &[(&str, &str)]) -> Rig {
        let port = self.port;
        let url =
            format!("odbc:Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={port};Database=postgres");
        let mut keys = vec![
            ("connection.url", url.as_str()),
            ("dialect.name", dialect),
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("delete.enabled", "true"),
        ];
        keys.extend(more);
        Rig::new(Db::Postgres, table, &keys)
    }
}

/// Carries what a client says. A statement comes in one piece: the driver waits for its answer before it says more.
fn carry(mut from: TcpStream, mut to: TcpStream, said: &[u8], meant: &[u8], merges: &AtomicUsize) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..count];
        if let Some(at) = bytes.windows(said.len()).position(|window| window == said) {
            bytes[at..at + said.len()].copy_from_slice(meant);
        }
        merges
            .fetch_add(bytes.windows(10).filter(|window| window == b"MERGE INTO").count(), Ordering::Relaxed);
        if to.write_all(bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Each dialect with a table of its own.
fn on_each(check: impl Fn(&Interpreter, &str, &str)) {
    for (dialect, said, meant) in DIALECTS {
        let table = name("staged");
        Db::Postgres.sql(
            &table,
            &format!("CREATE TABLE {table} (id int PRIMARY KEY, name varchar(10), amount bigint)"),
        );
        let interpreter = Interpreter::of(said, meant);
        check(&interpreter, dialect, &table);
        assert!(interpreter.merges.load(Ordering::Relaxed) > 0, "{dialect}: nothing was merged");
    }
}

fn rows(table: &str) -> String {
    Db::Postgres.sql(table, &format!("SELECT id, name, amount FROM {table} ORDER BY id"))
}

#[test]
fn the_table_is_what_the_topic_comes_to() {
    on_each(|interpreter, dialect, table| {
        let mut chance = Chance::new();
        let mut rig = interpreter.rig(dialect, table, &[]);
        let mut wanted = std::collections::BTreeMap::new();
        let mut offset = 0;
        for _ in 0..5 {
            let batch = (0..300).map(|_| {
                let id = i32::try_from(chance.below(80)).unwrap();
                offset += 1;
                if chance.below(8) == 0 {
                    wanted.remove(&id);
                    return record(table, offset, key(id), Datum::NULL);
                }
                let text = format!("ä'{offset}");
                wanted.insert(id, format!("{id}|{text}|{offset}"));
                record(table, offset, key(id), value(&text, offset))
            });
            rig.put(batch.collect());
        }
        assert!(rig.errant.is_empty(), "{dialect} {:?}", rig.errant);
        let wanted: Vec<String> = wanted.into_values().collect();
        assert_eq!(rows(table), wanted.join("\n"), "{dialect}, LAVKA_SEED={}", chance.seed());
        rig.stop();
    });
}

#[test]
fn a_bad_row_is_one_dead_letter() {
    on_each(|interpreter, dialect, table| {
        let mut rig = interpreter.rig(dialect, table, &[]);
        let batch = (0..50).map(|id| {
            let text = if id % 20 == 9 { "too long for it" } else { "fits" };
            record(table, id.into(), key(id), value(text, 1))
        });
        rig.put(batch.collect());
        let mut places: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        places.sort_unstable();
        assert_eq!(places, [9, 29, 49], "{dialect} {:?}", rig.errant);
        // What was tried in between has left nothing in the table beside.
        rig.put(vec![record(table, 50, key(0), value("last", 2))]);
        let counts = format!("SELECT count(*), count(*) FILTER (WHERE name = 'last') FROM {table}");
        assert_eq!(Db::Postgres.sql(table, &counts), "47|1", "{dialect}");
        rig.stop();
    });
}

#[test]
fn rows_with_other_columns_have_a_table_beside_of_their_own() {
    on_each(|interpreter, dialect, table| {
        let wider = Schema::structure()
            .field("name", Schema::optional(Type::String))
            .field("amount", Schema::optional(Type::Int64))
            .field("note", Schema::optional(Type::String))
            .build()
            .unwrap();
        let wide = |text: &str| row(&wider, ["x".into(), Value::Int64(7), text.into()]);
        let mut rig = interpreter.rig(dialect, table, &[("auto.evolve", "true")]);
        rig.put(vec![record(table, 0, key(1), value("one", 1))]);
        // In one batch: columns that were not there before, and the old ones.
        rig.put(vec![record(table, 1, key(1), wide("new")), record(table, 2, key(2), value("two", 2))]);
        let found =
            Db::Postgres.sql(table, &format!("SELECT id, name, amount, note FROM {table} ORDER BY id"));
        assert_eq!(found, "1|x|7|new\n2|two|2|", "{dialect}");
        // A connection that is lost takes the tables beside along.
        let of_it = format!("query LIKE '%{table}%' AND pid <> pg_backend_pid()");
        let end = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {of_it}");
        Db::Postgres.sql(table, &end);
        rig.put(vec![record(table, 3, key(1), wide("newer"))]);
        assert_eq!(Db::Postgres.sql(table, &format!("SELECT note FROM {table} WHERE id = 1")), "newer");
        rig.stop();
    });
}
