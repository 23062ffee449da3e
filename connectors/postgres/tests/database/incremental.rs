//! Incremental snapshots.

use lavka_api::data::{SourceRecord, Value};
use lavka_testkit::Postgres;

use crate::rig::{Running, Store, at, config, database, rows};

const TABLES: &str = "
    create table sig (id varchar(42) primary key, type varchar(32) not null, data varchar(2048));
    create table t (a int, b text, v text, primary key (a, b));
    insert into t select i / 3, 'k' || i, 'old' from generate_series(1, 50) i;";

fn start_signal(server: &Postgres, data: &str) {
    server.sql(&format!("insert into sig values ('ad-hoc-' || random(), 'execute-snapshot', '{data}')"));
}

/// Records until `read` rows were read.
async fn until_read(task: &mut Running, read: usize) -> Vec<SourceRecord> {
    let mut out: Vec<SourceRecord> = Vec::new();
    while rows(&out, "v").iter().filter(|row| row.starts_with('r')).count() < read {
        out.extend(task.take(1).await);
    }
    out
}

fn of_table(records: &[SourceRecord], table: &str) -> Vec<SourceRecord> {
    records.iter().filter(|record| record.record.topic.ends_with(table)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reads_a_table_in_chunks_beside_the_stream() {
    for strategy in ["insert_insert", "insert_delete"] {
        let server = database();
        server.sql(TABLES);
        let config = config(
            &server,
            &[
                ("snapshot.mode", "no_data"),
                ("signal.data.collection", "public.sig"),
                ("incremental.snapshot.chunk.size", "7"),
                ("incremental.snapshot.watermarking.strategy", strategy),
                ("table.include.list", "public.t"),
            ],
        );
        let mut task = Running::start(&config, &Store::default()).await.unwrap();
        start_signal(&server, r#"{"data-collections":["public.t"],"type":"incremental"}"#);
        server.sql("update t set v = 'new' where a = 16");
        let records = until_read(&mut task, 47).await;
        let read = of_table(&records, ".t");
        let read: Vec<String> = rows(&read, "b").into_iter().filter(|row| row.starts_with('r')).collect();
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
        task.drain().await;
        server.sql("insert into t values (100, 'end', 'end')");
        let rest = task.take(1).await;
        let last = of_table(&rest, ".t").pop().unwrap().position.unwrap().offset;
        assert_eq!(last.get("incremental_snapshot_collections"), None);
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
    let before = of_table(&first, ".t");
    let mut second = until_read(&mut task, 44 - before.len()).await;
    second.extend(task.drain().await);
    let all = [before.clone(), of_table(&second, ".t")].concat();
    let mut ids: Vec<String> = rows(&all, "b").into_iter().filter(|row| row.starts_with('r')).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 44, "every row that meets the condition");
    assert!(count <= 44 + 5, "at most a chunk comes again: {count}");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_the_window_win_over_rows_that_were_read() {
    let server = std::sync::Arc::new(database());
    server.sql(TABLES);
    server.sql("insert into t select 1000 + i, 'm', 'old' from generate_series(1, 2000) i");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("signal.data.collection", "public.sig"),
            ("incremental.snapshot.chunk.size", "100"),
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
    records.extend(task.drain().await);
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
