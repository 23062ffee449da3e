//! Topics and tables, while the worker and the database are killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lavka_testkit::{
    Chance, ConsumedRecord, KafkaClient, KafkaKind, LavkaProcess, NewRecord, can_mount_for, count,
    eventually, services, unique,
};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::over::Over;
use crate::standalone::{PATIENCE, Standalone, restart_failed, wait_for_task, wait_for_trace};

/// Records written at once, and the pause after them: some hundred a second.
const BURST: u64 = 50;
const PAUSE: Duration = Duration::from_millis(40);
/// Different keys.
const KEYS: u64 = 700;

/// A sink of `topic` into the table `table`.
fn sink(database: &Database, topic: &str, table: &str, keys: &[(&str, &str)]) -> Value {
    let session_timeout = if services().kafka.kind() == KafkaKind::Real { "1000" } else { "6000" };
    let mut config = json!({
        "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector",
        "topics": topic,
        "table.name.format": table,
        "auto.create": "true",
        "max.retries": "1000",
        "retry.backoff.ms": "100",
        "connection.backoff.ms": "100",
        // As `max.retries`, but for a task that finds no database when it starts.
        "connection.attempts": "1000",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        // A killed member keeps its partitions for that long.
        "consumer.override.session.timeout.ms": session_timeout,
        "consumer.override.heartbeat.interval.ms": "300",
    });
    database.connect(&mut config);
    for (key, value) in keys {
        config[*key] = (*value).into();
    }
    config
}

/// `{n INT64, v STRING}` with a key; every thirteenth is a delete, where there may be deletes.
fn record(n: u64, deletes: bool) -> NewRecord {
    let key = format!("key {}", n % KEYS);
    if deletes && n.is_multiple_of(13) {
        return NewRecord::tombstone(key);
    }
    let value = json!({
        "schema": {"type": "struct", "fields": [
            {"field": "n", "type": "int64"}, {"field": "v", "type": "string"},
        ]},
        "payload": {"n": n, "v": format!("value {n}")},
    });
    NewRecord::of(value.to_string()).key(key)
}

/// The number of a record, if it is no delete.
fn number(record: &ConsumedRecord) -> Option<i64> {
    record.value.as_ref()?;
    record.value_json()["payload"]["n"].as_i64()
}

/// The last record of each key, as rows.
fn latest(records: &[ConsumedRecord]) -> Vec<String> {
    let mut rows = BTreeMap::new();
    for record in records {
        let key = record.key_text().unwrap().to_owned();
        match number(record) {
            Some(n) => rows.insert(key, n),
            None => rows.remove(&key),
        };
    }
    rows.into_iter().map(|(key, n)| format!("{key}|{n}|value {n}")).collect()
}

/// What the lists of rows do not have in common whatever their order, shortened; `None` where they are equal.
fn difference(table: &str, found: &[String], wanted: &[String]) -> Option<String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    found.iter().for_each(|row| *counts.entry(row).or_default() += 1);
    wanted.iter().for_each(|row| *counts.entry(row).or_default() -= 1);
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return None;
    }
    let shown: Vec<String> = counts.iter().take(20).map(|(row, count)| format!("{row}: {count:+}")).collect();
    Some(format!(
        "{table}: {} rows, {} wanted; {} differ: {}",
        found.len(),
        wanted.len(),
        counts.len(),
        shown.join(", ")
    ))
}

/// Kills the worker and the database `rounds` times while records come. Then the table of upserts is what the topic comes
/// to, that of offsets in the database has every record once, and that of plain inserts misses none.
fn survives(mut database: Database, worker: &Standalone, rounds: usize) {
    let kafka = services().kafka.client();
    let (changes, events) = (unique("changes"), unique("events"));
    kafka.create_topic(&changes, 2);
    kafka.create_topic(&events, 2);
    let mut chance = Chance::new();
    let mut story = format!("{}, LAVKA_SEED={}\n", database.name(), chance.seed());
    let upsert = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("pk.fields", "id"),
        ("delete.enabled", "true"),
    ];
    let connectors = [
        ("latest", sink(&database, &changes, "latest", &upsert)),
        ("once", sink(&database, &events, "once", &[("lavka.exactly.once", "true")])),
        ("plain", sink(&database, &events, "plain", &[])),
    ];
    let start = || {
        let (process, rest) = worker.serve();
        for (name, config) in &connectors {
            let answer = rest.post("/connectors", &json!({"name": name, "config": config}));
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        (process, rest)
    };
    let written = |database: &Database| database.number("SELECT count(*) FROM plain");
    let over = AtomicBool::new(false);
    let mut process = start().0;
    std::thread::scope(|scope| {
        let stop = Over(&over);
        let (kafka, changes, events) = (&kafka, &changes, &events);
        let over = &over;
        scope.spawn(move || {
            for burst in (0_u64..).take_while(|_| !over.load(Ordering::Relaxed)) {
                let numbers = burst * BURST..(burst + 1) * BURST;
                kafka.produce(changes, numbers.clone().map(|n| record(n, true)));
                kafka.produce(events, numbers.map(|n| record(n, false)));
                std::thread::sleep(PAUSE);
            }
        });
        for round in 0..rounds {
            // Every third life may end before it got anywhere; the others write something.
            if round % 3 != 2 {
                let before = written(&database);
                eventually("more rows", 2 * PATIENCE, || (written(&database) > before).then_some(()));
            }
            std::thread::sleep(Duration::from_millis(chance.below(600)));
            assert!(process.is_running(), "it ended by itself:\n{}", process.log_tail(60));
            if database.is_server() && round % 2 == 1 {
                let how = database.kill(&mut chance);
                let _ = writeln!(story, "{round:3}: {how}");
            } else {
                process.kill9();
                let _ = writeln!(story, "{round:3}: killed the worker, {} rows", written(&database));
                process = start().0;
            }
        }
        drop(stop);
    });
    let wanted = settle(&kafka, &changes, &events);
    let deadline = Instant::now() + 2 * PATIENCE;
    let mut tables = read(&database);
    while !wanted.differences(&tables).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        tables = read(&database);
    }
    let differences = wanted.differences(&tables);
    assert!(differences.is_empty(), "{}\n{story}{}", differences.join("\n"), process.log_tail(40));
    println!(
        "{}: {rounds} kills, {} records, {} rows of plain inserts",
        database.name(),
        wanted.events.len(),
        tables.plain.len()
    );
    assert!(process.stop().success(), "{}", process.log_tail(40));
}

/// What the tables have to be.
struct Wanted {
    latest: Vec<String>,
    events: Vec<String>,
}

/// What they are.
struct Tables {
    latest: Vec<String>,
    once: Vec<String>,
    plain: Vec<String>,
}

impl Wanted {
    /// How the tables differ from it; of plain inserts there may be more of a row.
    fn differences(&self, tables: &Tables) -> Vec<String> {
        let mut plain = tables.plain.clone();
        plain.dedup();
        let differences = [
            difference("latest", &tables.latest, &self.latest),
            difference("once", &tables.once, &self.events),
            difference("plain", &plain, &self.events),
        ];
        differences.into_iter().flatten().collect()
    }
}

fn settle(kafka: &KafkaClient, changes: &str, events: &str) -> Wanted {
    let mut numbers: Vec<i64> = kafka.consume_all(events).iter().filter_map(number).collect();
    numbers.sort_unstable();
    // Keys are in one partition each, so the order among partitions does not matter.
    Wanted {
        latest: latest(&kafka.consume_all(changes)),
        events: numbers.into_iter().map(|n| format!("{n}|value {n}")).collect(),
    }
}

fn read(database: &Database) -> Tables {
    let rows = |sql: &str| database.rows(sql).unwrap_or_default();
    Tables {
        latest: rows("SELECT id, n, v FROM latest"),
        once: rows("SELECT n, v FROM once"),
        plain: rows("SELECT n, v FROM plain ORDER BY n"),
    }
}

fn worker() -> Standalone {
    Standalone::new(services().kafka.bootstrap(), &[])
}

#[test]
fn a_killed_worker_or_postgresql_loses_nothing() {
    survives(Database::postgres(), &worker(), count(8, 80));
}

#[test]
fn a_killed_worker_or_mariadb_loses_nothing() {
    survives(Database::maria(), &worker(), count(6, 60));
}

#[test]
fn a_killed_worker_with_sqlite_loses_nothing() {
    let worker = worker();
    let file = worker.folder().join("warehouse.db");
    survives(Database::Sqlite(file), &worker, count(6, 60));
}

#[test]
fn a_full_disk_is_waited_for_and_one_that_only_reads_ends_the_task_after_the_last_try() {
    const TEST: &str = "a_full_disk_is_waited_for_and_one_that_only_reads_ends_the_task_after_the_last_try";
    if !can_mount_for(TEST) {
        return;
    }
    let kafka = services().kafka.client();
    let (name, topic) = (unique("full"), unique("full"));
    kafka.create_topic(&topic, 1);
    let worker = worker();
    let disk = worker.folder().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut process = worker.command().disk(&disk, "size=200k").start();
    let rest = process.wait_for_announced_rest(PATIENCE);
    let database = Database::Sqlite(disk.join("warehouse.db"));
    let config = sink(&database, &topic, "readings", &[("lavka.exactly.once", "true")]);
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": config})).status, 201);
    // Nobody else sees the disk, and SQLite follows no way into it; so what is looked at is a copy.
    let everything = |process: &LavkaProcess, count: u64| {
        let copy = worker.folder().join("copy.db");
        let wanted: Vec<String> = (0..count).map(|n| format!("{n}|value {n}")).collect();
        eventually("all records to be in the table", PATIENCE, || {
            std::fs::copy(process.sees(&disk.join("warehouse.db")), &copy).ok()?;
            let found = Database::Sqlite(copy.clone()).rows("SELECT n, v FROM readings ORDER BY n")?;
            (found == wanted).then_some(())
        });
    };

    // Several times what fits. The task waits, and the log says what is wrong.
    kafka.produce(&topic, (0..20_000).map(|n| record(n, false)));
    process.wait_for_log("database or disk is full", PATIENCE);
    wait_for_task(&rest, &name, "RUNNING");
    process.remount(&disk, "size=64m");
    everything(&process, 20_000);

    // Read-only, with few tries: the task says which key bounds them.
    assert_eq!(rest.send("PUT", &format!("/connectors/{name}/stop"), &[], None).status, 204);
    let few = json!({"max.retries": "2"});
    assert_eq!(rest.patch(&format!("/connectors/{name}/config"), &few).status, 200);
    kafka.produce(&topic, (20_000..20_100).map(|n| record(n, false)));
    eventually("the disk to be read-only", PATIENCE, || process.try_remount(&disk, "ro").then_some(()));
    assert_eq!(rest.send("PUT", &format!("/connectors/{name}/resume"), &[], None).status, 202);
    let trace = wait_for_trace(&rest, &name);
    assert!(trace.contains("readonly database") && trace.contains("max.retries"), "{trace}");
    process.remount(&disk, "rw");
    restart_failed(&rest, &name);
    everything(&process, 20_100);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
