//! Incremental snapshots.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lavka_api::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{SourceRecord, Value};
use lavka_api::plugin::{TopicMessage, TopicReader, Topics};
use lavka_testkit::Postgres;
use serde_json::json;

use crate::rig::{LONG, Running, Store, at, config, database, rows};

const TABLES: &str = "
    create table sig (id varchar(42) primary key, type varchar(32) not null, data varchar(2048));
    create table t (a int, b text, v text, primary key (a, b));
    insert into t select i / 3, 'k' || i, 'old' from generate_series(1, 50) i;";

fn start_signal(server: &Postgres, data: &str) {
    server.sql(&format!("insert into sig values ('ad-hoc-' || random(), 'execute-snapshot', '{data}')"));
}

/// `r` and the key of each row of `t` that was read.
fn keys_read(records: &[SourceRecord]) -> Vec<String> {
    rows(&of_table(records, ".t"), "b").into_iter().filter(|row| row.starts_with('r')).collect()
}

/// Records until `read` rows were read.
async fn until_read(task: &mut Running, read: usize) -> Vec<SourceRecord> {
    let mut out: Vec<SourceRecord> = Vec::new();
    while rows(&out, "v").iter().filter(|row| row.starts_with('r')).count() < read {
        out.extend(task.take(1).await);
    }
    out
}

/// Changes a row of `t` until its offset holds nothing of a snapshot any more; what came meanwhile.
async fn until_over(server: &Postgres, task: &mut Running) -> Vec<SourceRecord> {
    let mut out: Vec<SourceRecord> = Vec::new();
    let began = std::time::Instant::now();
    let holds_nothing = |record: &SourceRecord| {
        let position = record.position.as_ref().unwrap();
        position.offset.get("incremental_snapshot_collections").is_none()
    };
    while !of_table(&out, ".t").last().is_some_and(holds_nothing) {
        assert!(began.elapsed() < LONG, "the snapshot is not over");
        server.sql("insert into t values (9999, 'end', 'end') on conflict (a, b) do update set v = 'end'");
        out.extend(task.take(1).await);
    }
    out
}

fn of_table(records: &[SourceRecord], table: &str) -> Vec<SourceRecord> {
    records.iter().filter(|record| record.record.topic.ends_with(table)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reads_a_table_in_chunks_beside_the_stream() {
    for (strategy, read_only, signals) in
        [("insert_insert", "false", 17), ("insert_delete", "false", 1), ("insert_insert", "true", 1)]
    {
        let server = database();
        server.sql(TABLES);
        let config = config(
            &server,
            &[
                ("snapshot.mode", "no_data"),
                ("signal.data.collection", "public.sig"),
                ("incremental.snapshot.chunk.size", "7"),
                ("incremental.snapshot.watermarking.strategy", strategy),
                ("read.only", read_only),
                ("table.include.list", "public.t"),
            ],
        );
        let mut task = Running::start(&config, &Store::default()).await.unwrap();
        start_signal(&server, r#"{"data-collections":["public.t"],"type":"incremental"}"#);
        server.sql("update t set v = 'new' where a = 16");
        let records = until_read(&mut task, 47).await;
        let read = keys_read(&records);
        assert!((47..=50).contains(&read.len()), "{strategy}: {}", read.len());
        let mut once = read.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), read.len(), "each row once");
        let row = of_table(&records, ".t")
            .into_iter()
            .find(|record| rows(std::slice::from_ref(record), "v")[0].starts_with('r'))
            .unwrap();
        let value = &row.record.value.value;
        assert_eq!(at(value, "source.snapshot").and_then(Value::as_str), Some("incremental"));
        assert_eq!(at(value, "source.lsn"), Some(&Value::Null));
        assert_eq!(at(value, "source.txId"), Some(&Value::Null));
        let offset = row.position.unwrap().offset;
        assert_eq!(offset.get("snapshot").and_then(Value::as_str), Some("INCREMENTAL"));
        assert_eq!(
            offset.get("incremental_snapshot_collections").and_then(Value::as_str),
            Some(
                r#"[{"incremental_snapshot_collections_id":"public.t","incremental_snapshot_collections_additional_condition":null,"incremental_snapshot_collections_surrogate_key":null}]"#
            )
        );
        // Once it is over, offsets hold nothing of it.
        until_over(&server, &mut task).await;
        assert_eq!(server.sql("select count(*) from sig"), signals.to_string(), "{strategy} {read_only}");
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_behind_the_chunk_that_was_committed() {
    let server = database();
    server.sql(TABLES);
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("incremental.snapshot.chunk.size", "5"),
        ],
    );
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    start_signal(
        &server,
        r#"{"data-collections":["public.t"],"additional-conditions":[{"data-collection":"public.t","filter":"a < 15"}]}"#,
    );
    let first = until_read(&mut task, 12).await;
    task.commit(&first);
    // Killed: nothing more is called.
    drop(task);
    let mut task = Running::start(&config, &store).await.unwrap();
    let before = keys_read(&first);
    let all = |second: &[SourceRecord]| [before.clone(), keys_read(second)].concat();
    let distinct = |second: &[SourceRecord]| all(second).into_iter().collect::<BTreeSet<_>>().len();
    let mut second = task.take_until(|records| distinct(records) >= 44).await;
    second.extend(task.drain().await);
    let count = all(&second).len();
    assert_eq!(distinct(&second), 44, "every row that meets the condition");
    assert!(count <= 44 + 5, "at most a chunk comes again: {count}");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_the_window_win_over_rows_that_were_read() {
    changes_win("false").await;
    changes_win("true").await;
}

async fn changes_win(read_only: &str) {
    let server = std::sync::Arc::new(database());
    server.sql(TABLES);
    server.sql("insert into t select 1000 + i, 'm', 'old' from generate_series(1, 2000) i");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("incremental.snapshot.chunk.size", "100"),
            ("read.only", read_only),
            ("tombstones.on.delete", "false"),
        ],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    start_signal(&server, r#"{"data-collections":["public.t"]}"#);
    let writer = std::sync::Arc::clone(&server);
    let writing = std::thread::spawn(move || {
        for step in 0..40 {
            writer.sql(&format!("update t set v = 'new{step}' where a % 40 = {step}"));
        }
        writer.sql("insert into t values (9999, 'end', 'end')");
    });
    let mut newest = std::collections::BTreeMap::new();
    let mut records = until_read(&mut task, 1).await;
    writing.join().unwrap();
    records.extend(until_over(&server, &mut task).await);
    for record in of_table(&records, ".t") {
        let text =
            |path: &str| at(&record.record.value.value, path).map(|value| format!("{value:?}")).unwrap();
        newest.insert((text("after.a"), text("after.b")), text("after.v"));
    }
    // What a reader of the topic ends up with is what the table has.
    assert_eq!(newest.len(), 2051);
    let old = newest.values().filter(|value| value.contains("old")).count();
    assert_eq!(old, server.sql("select count(*) from t where v = 'old'").parse::<usize>().unwrap());
    task.stop().await;
}

/// The types of notifications on the topic `told`, and what some of them say.
fn told(records: &[SourceRecord], field: &str) -> Vec<(String, Option<String>)> {
    let data = |value: &Value| match at(value, "additional_data") {
        Some(Value::Map(entries)) => {
            let entry = entries.iter().find(|(key, _)| key.as_str() == Some(field));
            entry.and_then(|(_, text)| text.as_str()).map(str::to_owned)
        }
        _ => None,
    };
    let notes = records.iter().filter(|record| &*record.record.topic == "told");
    notes
        .map(|record| {
            let value = &record.record.value.value;
            (at(value, "type").and_then(Value::as_str).unwrap().to_owned(), data(value))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn incremental_snapshots_are_told_of_in_notifications() {
    let server = database();
    server.sql(TABLES);
    server.sql("delete from t where a > 1");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("incremental.snapshot.chunk.size", "3"),
            ("notification.enabled.channels", "sink,log"),
            ("notification.sink.topic.name", "told"),
        ],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    server.sql(
        r#"insert into sig values ('s0', 'pause-snapshot', ''),
           ('s1', 'execute-snapshot', '{"data-collections":["public.t"]}')"#,
    );
    let mut records = task.take_until_told("COMPLETED").await;
    records.extend(task.drain().await);
    let seen = told(&records, "last_processed_key");
    let types: Vec<&str> = seen.iter().map(|(ty, _)| ty.as_str()).collect();
    assert_eq!(types, ["STARTED", "IN_PROGRESS", "IN_PROGRESS", "TABLE_SCAN_COMPLETED", "COMPLETED"]);
    assert_eq!(seen[1].1.as_deref(), Some("1,k3"));
    assert_eq!(told(&records, "total_rows_scanned")[3].1.as_deref(), Some("5"));
    assert_eq!(told(&records, "status")[3].1.as_deref(), Some("SUCCEEDED"));
    let note = records.iter().find(|record| &*record.record.topic == "told").unwrap();
    assert_eq!(at(&note.record.value.value, "id").and_then(Value::as_str), Some("s1"));
    // Keys of integers and texts are kept as Debezium keeps them.
    let kept = of_table(&records, ".t").into_iter().filter_map(|record| {
        let offset = record.position?.offset;
        Some(offset.get("incremental_snapshot_primary_key")?.as_str()?.to_owned())
    });
    assert!(kept.into_iter().any(|key| key.starts_with("aced0005757200135b4c6a6176612e6c616e67")));
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_waits_for_a_blocking_snapshot() {
    let server = database();
    server.sql(TABLES);
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("table.include.list", "public.t"),
        ],
    );
    let (store, data) = (
        Store::default(),
        r#"{"data-collections":["public.t"],"type":"blocking",
        "additional-conditions":[{"data-collection":"public.t","filter":"select * from t where a < 3"}]}"#,
    );
    let mut task = Running::start(&config, &store).await.unwrap();
    start_signal(&server, data);
    let records = task.take(9).await;
    let read = of_table(&records, ".t");
    assert_eq!(rows(&read, "a"), ["r0", "r0", "r1", "r1", "r1", "r2", "r2", "r2"]);
    let words = |path: &str| -> Vec<String> {
        let word = |record: &SourceRecord| {
            at(&record.record.value.value, path).and_then(Value::as_str).map(str::to_owned)
        };
        read.iter().filter_map(word).collect()
    };
    assert_eq!(words("source.snapshot")[0], "first");
    assert_eq!(words("source.snapshot")[7], "last");
    let offset = |index: usize| read[index].position.clone().unwrap().offset;
    assert_eq!(offset(0).get("snapshot").and_then(Value::as_str), Some("BLOCKING"));
    assert_eq!(offset(0).get("snapshot_completed"), Some(&Value::Boolean(false)));
    assert_eq!(offset(7).get("snapshot_completed"), Some(&Value::Boolean(true)));
    server.sql("insert into t values (100, 'after', 'x')");
    assert_eq!(rows(&of_table(&task.take(1).await, ".t"), "a"), ["c100"]);
    // A task that was killed meanwhile goes on with the stream.
    task.commit(&records[..4]);
    drop(task);
    let mut task = Running::start(&config, &store).await.unwrap();
    let rest = of_table(&task.take(1).await, ".t");
    assert!(rows(&rest, "a").contains(&"c100".to_owned()), "{:?}", rows(&rest, "a"));
    task.stop().await;
}

/// Whoever may write signals may choose rows, and not what else the connector's user runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_of_a_signal_can_make_no_second_statement() {
    let server = database();
    server.sql(TABLES);
    server.sql("create table fine (a int primary key); insert into fine values (1), (2)");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("table.include.list", "public.t,public.fine"),
        ],
    );
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    let made = "commit; create table made (n int); commit";
    for (ty, hostile, fine) in [
        ("incremental", format!("a < 3); {made}; select (1"), "a < 2"),
        (
            "blocking",
            format!("select * from t) as chosen) to stdout; {made}; copy (select 1 from (select 1"),
            "select * from fine where a < 2",
        ),
    ] {
        // Once rows of the second are there, the first was dealt with.
        for (table, filter) in [("public.t", hostile.as_str()), ("public.fine", fine)] {
            let conditions = json!([{"data-collection": table, "filter": filter}]);
            let data = json!({"data-collections": [table], "type": ty, "additional-conditions": conditions});
            start_signal(&server, &data.to_string());
        }
        let read = task.take_until(|records| !of_table(records, ".fine").is_empty()).await;
        assert_eq!(rows(&of_table(&read, ".fine"), "a"), ["r1"], "{ty}");
        assert!(of_table(&read, ".t").is_empty(), "{ty}");
        assert_eq!(server.sql("select count(*) from pg_class where relname = 'made'"), "0", "{ty}");
    }
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_dots_are_found_by_incremental_snapshots() {
    let server = database();
    server.sql(TABLES);
    server.sql(r#"create table "dotted.name" (a int primary key); insert into "dotted.name" values (7)"#);
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("table.include.list", r"public\.dotted\.name"),
        ],
    );
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    start_signal(&server, r#"{"data-collections":["public.dotted.name"],"type":"incremental"}"#);
    let read = task.take_until(|records| !of_table(records, ".dotted.name").is_empty()).await;
    assert_eq!(rows(&of_table(&read, ".dotted.name"), "a"), ["r7"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_read_takes_an_incremental_snapshot_of_an_idle_database() {
    let server = database();
    server.sql(TABLES);
    server.sql(
        "create role reader login replication password 'p'; grant select on t to reader; \
         create publication dbz_publication for table t",
    );
    let folder = lavka_testkit::temp_dir();
    let file = folder.path().join("signals");
    let config = config(
        &server,
        &[
            ("database.user", "reader"),
            ("database.password", "p"),
            ("database.initial.statements", "set default_transaction_read_only = on"),
            ("snapshot.mode", "no_data"),
            ("publication.autocreate.mode", "disabled"),
            ("table.include.list", "public.t"),
            ("read.only", "true"),
            ("signal.enabled.channels", "file"),
            ("signal.file", file.to_str().unwrap()),
            ("signal.poll.interval.ms", "10"),
            ("incremental.snapshot.chunk.size", "9"),
        ],
    );
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    std::fs::write(
        &file,
        r#"{"id":"f1","type":"execute-snapshot","data":{"data-collections":["public.t"]}}"#,
    )
    .unwrap();
    let read = task.take(50).await;
    assert_eq!(read.len(), 50);
    assert!(rows(&read, "v").iter().all(|row| row == "rold"));
    // The first change after it goes on from there, and so does a restart.
    task.commit(&read);
    drop(task);
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (100, 'end', 'new')");
    assert_eq!(rows(&task.take(1).await, "v"), ["cnew"]);
    task.stop().await;
}

/// A topic with one signal for each of two connectors; says what was committed.
#[derive(Clone, Default)]
struct OneTopic {
    asked: Arc<Mutex<Vec<(String, Config)>>>,
    committed: Arc<Mutex<usize>>,
}

struct OneReader {
    messages: Vec<TopicMessage>,
    committed: Arc<Mutex<usize>>,
}

#[async_trait]
impl TopicReader for OneReader {
    async fn next(&mut self) -> lavka_api::Result<Vec<TopicMessage>> {
        if self.messages.is_empty() {
            std::future::pending::<()>().await;
        }
        Ok(std::mem::take(&mut self.messages))
    }

    async fn commit(&mut self) -> lavka_api::Result<()> {
        *self.committed.lock().unwrap() += 1;
        Ok(())
    }
}

impl Topics for OneTopic {
    fn reader(&self, config: &Config, topic: &str) -> lavka_api::Result<Box<dyn TopicReader>> {
        self.asked.lock().unwrap().push((topic.to_owned(), config.clone()));
        let message = |key: &str, id: &str| {
            let signal = r#"{"type":"execute-snapshot","data":{"data-collections":["public.t"],"type":"incremental"},"id":"#;
            let value = format!("{signal}\"{id}\"}}");
            TopicMessage { key: Some(key.as_bytes().to_vec().into()), value: Some(value.into_bytes().into()) }
        };
        let messages = vec![message("other", "s1"), message("srv", "s2")];
        Ok(Box::new(OneReader { messages, committed: Arc::clone(&self.committed) }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_come_by_a_topic() {
    let server = database();
    server.sql(TABLES);
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("signal.enabled.channels", "kafka"),
            ("signal.kafka.groupId", "mine"),
        ],
    );
    let topics = OneTopic::default();
    let mut task = Running::start_with(&config, &Store::default(), Arc::new(topics.clone())).await.unwrap();
    let records = until_read(&mut task, 50).await;
    let read = of_table(&records, ".t");
    let last = read.iter().rev().find_map(|record| {
        let offset = &record.position.as_ref()?.offset;
        offset.get("incremental_snapshot_correlation_id")?.as_str().map(str::to_owned)
    });
    assert_eq!(last.as_deref(), Some("s2"));
    assert_eq!(*topics.committed.lock().unwrap(), 1);
    let (topic, consumer) = topics.asked.lock().unwrap()[0].clone();
    assert_eq!((topic.as_str(), consumer.get("group.id")), ("srv-signal", Some("mine")));
    task.stop().await;
}
