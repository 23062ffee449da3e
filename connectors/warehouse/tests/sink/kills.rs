//! Sudden death: of the process that writes, and of the database, in the middle of batches.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lavka_api::data::{Datum, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_testkit::{Chance, Postgres, PostgresConfig, count, eventually};

use crate::databases::Db;
use crate::harness::{Rig, key, record, value};

/// Where the child writes.
const PORT: &str = "LAVKA_TEST_KILLS_PORT";
/// Records of a batch.
const BATCH: i64 = 400;
/// Records between commits.
const COMMIT: i64 = 5 * BATCH;
/// Where the child ends, should nobody kill it.
const END: i64 = 4_000_000;

fn keys(port: &str, upsert: bool) -> Vec<(&'static str, String)> {
    let url = if crate::OVER_ODBC {
        format!("odbc:Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={port};Database=postgres")
    } else {
        format!("jdbc:postgresql://127.0.0.1:{port}/postgres")
    };
    let mut keys = vec![
        ("connection.url", url),
        ("connection.user", Postgres::USER.to_owned()),
        ("connection.password", Postgres::PASSWORD.to_owned()),
        ("auto.create", "true".to_owned()),
        ("max.retries", "3".to_owned()),
    ];
    if upsert {
        keys.extend([("insert.mode", "upsert".to_owned()), ("pk.mode", "record_key".to_owned())]);
    } else {
        keys.push(("lavka.exactly.once", "true".to_owned()));
    }
    keys
}

fn rig(port: &str, upsert: bool) -> Rig {
    let keys = keys(port, upsert);
    let keys: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    // The keys say where it is; the databases of the other tests are not started for it.
    Rig::new(Db::Sqlite, "kills", &keys)
}

/// Writes one topic twice: with plain inserts and offsets in the database, and with upserts from the topic's beginning of
/// the last thousands, as after lost commits.
#[test]
#[ignore = "the child of sudden_death, which runs it"]
fn child() {
    let Ok(port) = std::env::var(PORT) else { return };
    let mut once = rig(&port, false);
    let mut upserts = rig(&port, true);
    let partition = TopicPartition::new("once", 0);
    once.open(std::slice::from_ref(&partition));
    let mut next = once.context.rewind.get(&partition).copied().unwrap_or(0);
    let mut again = (next - 3 * COMMIT).max(0);
    while next < END {
        if next % COMMIT == 0 {
            // As far as this, both are written.
            once.pre_commit(&Offsets::new());
            upserts.pre_commit(&Offsets::new());
        }
        let inserts = (next..next + BATCH).map(|at| record("once", at, Datum::NULL, value("x", at)));
        next += BATCH;
        if once.feed(inserts.collect(), next).ok() != Some(next) {
            return;
        }
        let rows = (again..again + BATCH).map(|at| {
            let id = i32::try_from(at % 1000).unwrap();
            record("latest", at, key(id), value("x", at))
        });
        again += BATCH;
        if upserts.feed(rows.collect(), again).ok() != Some(again) {
            return;
        }
    }
}

fn spawn(port: u16) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kills::child", "--ignored"]).env(PORT, port.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The rows of the first topic's table, none where there is no such table yet.
fn written(server: &Postgres) -> i64 {
    if server.sql("SELECT to_regclass('once')").is_empty() {
        return 0;
    }
    server.sql("SELECT count(*) FROM once").parse().unwrap()
}

#[test]
fn sudden_death_neither_loses_nor_repeats_a_row() {
    let mut server = Postgres::start(&PostgresConfig {
        settings: vec!["synchronous_commit = on".into()],
        ..PostgresConfig::default()
    })
    .unwrap();
    let mut chance = Chance::new();
    let mut last = 0;
    for round in 0..count(20, 200) {
        let mut child = spawn(server.port());
        if round % 5 == 0 {
            // Where all is slow, no life is long enough: one in five, of either end, gets as far as it takes.
            let slowest = Duration::from_secs(120);
            eventually("more rows", slowest, || (written(&server) > last).then_some(()));
        }
        std::thread::sleep(Duration::from_millis(150 + chance.below(250)));
        if round % 2 == 0 {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            server.crash();
            child.kill().unwrap();
            child.wait().unwrap();
            server.restart().unwrap();
        }
        if server.sql("SELECT to_regclass('once')").is_empty() {
            continue;
        }
        let found = server.sql(
            "SELECT count(*), count(DISTINCT amount), coalesce(max(amount) + 1, 0), \
             coalesce((SELECT next_offset FROM lavka_offsets), 0) FROM once",
        );
        let numbers: Vec<i64> = found.split('|').map(|number| number.parse().unwrap()).collect();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "round {round}: {found}");
        assert!(numbers[0] >= last, "round {round}: {} rows after {last}", numbers[0]);
        last = numbers[0];
    }
    assert!(last > 0, "nothing was ever written");
    // The upserts catch up from the last offset that surely was committed; then every key has its last value.
    let mut upserts = rig(&server.port().to_string(), true);
    let from = (last - 5 * COMMIT).max(0);
    upserts.put(
        (from..last)
            .map(|at| record("latest", at, key(i32::try_from(at % 1000).unwrap()), value("x", at)))
            .collect(),
    );
    let newest = last - 1;
    let wrong = server.sql(&format!(
        "SELECT count(*) FROM latest WHERE amount <> {newest} - mod({newest} - id + 1000, 1000)"
    ));
    assert_eq!(wrong, "0");
    upserts.stop();
}
