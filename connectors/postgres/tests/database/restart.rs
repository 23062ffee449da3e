//! Tasks that are killed: nothing is lost, nothing changes its order.

use lavka_api::data::SourceRecord;
use lavka_api::plugin::CACHED_BATCH;
use lavka_testkit::{Chance, soak};

use crate::rig::{Running, Store, config, database, rows};

/// Transactions of one change, of many, with changed keys (three records each), deletes and their tombstones, changes of a
/// table that is not captured between those of one that is, a savepoint that is rolled back, and rows that share an LSN.
const SCRIPT: &str = "
    insert into t values (1, 'a');
    begin; insert into t select i, 'x' from generate_series(2, 200) i;
           update t set id = id + 1000 where id between 10 and 40;
           insert into other select generate_series(1, 50);
           delete from t where id between 50 and 80; commit;
    insert into other select generate_series(1, 100);
    begin; insert into t values (300, 'b'); savepoint s; insert into t values (301, 'c'); rollback to s;
           insert into t values (302, 'd'); commit;
    copy t from stdin;
400\ta
401\tb
402\tc
\\.
    insert into t values (999, 'z');";

/// What comes of the script, as operation and id.
fn expected() -> Vec<String> {
    let mut all: Vec<String> = (1..=200).map(|id| format!("c{id}")).collect();
    all.extend((10..=40).flat_map(|id| [format!("d{id}"), "-".into(), format!("c{}", id + 1000)]));
    all.extend((50..=80).flat_map(|id| [format!("d{id}"), "-".into()]));
    all.extend(["c300", "c302", "c400", "c401", "c402", "c999"].map(str::to_owned));
    all
}

/// Takes records until the last of the script is among them, or about `most` are there.
async fn take(task: &mut Running, most: usize) -> Vec<SourceRecord> {
    let mut out = Vec::new();
    while out.len() < most && !rows(&out, "id").iter().any(|row| row == "c999") {
        out.extend(task.take(1).await);
    }
    out
}

/// The records of a run that is killed again and again, each time after a random record: what was handed out behind it
/// never reached Kafka.
async fn killed(chance: &mut Chance, kills: usize, batch: &str) -> Vec<String> {
    let server = database();
    server.sql("create table t (id int primary key, v text); create table other (id int)");
    let config = config(
        &server,
        &[("max.batch.size", batch), ("snapshot.mode", "no_data"), ("table.include.list", "public.t")],
    );
    let store = Store::default();
    // Makes the slot.
    Running::start(&config, &store).await.unwrap().stop().await;
    server.sql(SCRIPT);
    let mut kept: Vec<SourceRecord> = Vec::new();
    for _ in 0..kills {
        let mut task = Running::start(&config, &store).await.unwrap();
        let most = 1 + usize::try_from(chance.below(60)).unwrap();
        let records = take(&mut task, most).await;
        let keep = usize::try_from(chance.below(records.len() as u64 + 1)).unwrap();
        task.commit(&records[..keep]);
        kept.extend_from_slice(&records[..keep]);
        if rows(&kept, "id").iter().any(|row| row == "c999") {
            break;
        }
        // Every other task is killed: nothing more is called.
        if chance.below(2) == 0 {
            task.stop().await;
        }
    }
    let mut task = Running::start(&config, &store).await.unwrap();
    if !rows(&kept, "id").iter().any(|row| row == "c999") {
        kept.extend(take(&mut task, usize::MAX).await);
    }
    assert!(task.is_quiet().await, "nothing comes behind the last record");
    task.stop().await;
    rows(&kept, "id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_within_a_transaction_loses_nothing_and_keeps_the_order() {
    let rounds = if soak() { 15 } else { 1 };
    for round in 0..rounds {
        let mut chance = Chance::new();
        let batch = if round % 2 == 0 { "7" } else { "2048" };
        let got = killed(&mut chance, 20, batch).await;
        assert_eq!(got, expected(), "seed {}", chance.seed());
    }
}

/// The largest batch of 3,000 changes that are there when they are read.
async fn largest(task: &mut Running) -> usize {
    let (mut largest, mut read) = (0, 0);
    while read < 3000 {
        let records = task.poll().await.unwrap();
        largest = largest.max(records.len());
        read += records.len();
    }
    largest
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_small_but_for_transactions() {
    let server = database();
    server.sql("create table t (id int primary key)");
    let (small, store) = (config(&server, &[("snapshot.mode", "no_data")]), Store::default());
    Running::start(&small, &store).await.unwrap().stop().await;
    server.sql("insert into t select generate_series(1, 3000)");
    // Nothing is committed, so that each task reads the same.
    let mut task = Running::start(&small, &store).await.unwrap();
    let most = largest(&mut task).await;
    assert!(most <= CACHED_BATCH, "{most}");
    task.stop().await;
    let mut task = Running::start_transactional(&small, &store).await.unwrap();
    let most = largest(&mut task).await;
    assert!(most > CACHED_BATCH && most <= 2048, "{most}");
    task.stop().await;
    let smaller = config(&server, &[("snapshot.mode", "no_data"), ("max.batch.size", "7")]);
    let mut task = Running::start_transactional(&smaller, &store).await.unwrap();
    assert_eq!(largest(&mut task).await, 7);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_of_debezium_is_taken_up() {
    use lavka_api::data::{OffsetMap, Value};

    let server = database();
    server.sql("create table t (id int primary key, v text)");
    let config = config(&server, &[("snapshot.mode", "no_data")]);
    let store = Store::default();
    Running::start(&config, &store).await.unwrap().stop().await;
    server.sql("begin; insert into t values (1, 'a'); insert into t values (2, 'b'); insert into t values (3, 'c'); commit; \
                insert into t values (4, 'd')");
    let mut task = Running::start(&config, &store).await.unwrap();
    let records = task.take(4).await;
    task.stop().await;
    for (stored, record) in records.iter().take(3).enumerate() {
        // The offset of the record, without the keys that Debezium does not know.
        let position = record.position.clone().unwrap();
        let entries: Vec<(String, Value)> = position
            .offset
            .entries()
            .iter()
            .filter(|(key, _)| !key.as_str().starts_with("lavka_"))
            .map(|(key, value)| (key.as_str().to_owned(), value.clone()))
            .collect();
        let debezium = Store::default();
        debezium.put(&position.partition, &OffsetMap::new(entries));
        let mut task = Running::start(&config, &debezium).await.unwrap();
        let rest = task.take(3 - stored).await;
        let expected: Vec<String> = (stored + 2..=4).map(|id| format!("c{id}")).collect();
        assert_eq!(rows(&rest, "id"), expected);
        task.stop().await;
    }
}
