//! Snapshots that go on after something has changed.

use std::collections::BTreeSet;

use lavka_api::data::{SourceRecord, Value};
use lavka_testkit::Postgres;

use crate::rig::{Running, Store, at, config, database, rows};

/// The rest of a snapshot.
async fn rest(task: &mut Running) -> Vec<SourceRecord> {
    let is_last = |record: &SourceRecord| {
        at(&record.record.value.value, "source.snapshot").and_then(Value::as_str) == Some("last")
    };
    task.take_until(|records| records.iter().any(is_last)).await
}

/// Rows by table, each once.
fn distinct(records: &[SourceRecord]) -> BTreeSet<String> {
    records
        .iter()
        .map(|record| format!("{} {}", &*record.record.topic, rows(std::slice::from_ref(record), "id")[0]))
        .collect()
}

fn count(rows: &BTreeSet<String>, table: &str) -> usize {
    rows.iter().filter(|row| row.starts_with(&format!("srv.public.{table} r"))).count()
}

/// Tables of 100, 6000 and 8000 rows.
fn three_tables(server: &Postgres) {
    server.sql(
        "create table a (id int primary key); insert into a select generate_series(1, 100); \
         create table b (id int primary key); insert into b select generate_series(1, 6000); \
         create table c (id int primary key); insert into c select generate_series(1, 8000); analyze a, b, c",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_move_forward_in_the_order_meanwhile_are_read() {
    let server = database();
    three_tables(&server);
    let config = config(&server, &[("snapshot.tables.order.by.row.count", "ascending")]);
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    let first = task.take(1000).await;
    task.commit(&first);
    // Killed while it reads the second table.
    drop(task);
    assert_eq!(count(&distinct(&first), "c"), 0);
    server.sql("delete from c where id > 50; analyze c");
    let mut task = Running::start(&config, &store).await.unwrap();
    let second = rest(&mut task).await;
    let all = distinct(&[first, second.clone()].concat());
    assert_eq!(["a", "b", "c"].map(|table| count(&all, table)), [100, 6000, 50]);
    assert_eq!(count(&distinct(&second), "a"), 0, "what is done is not read again");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_captured_in_addition_are_read() {
    let server = database();
    three_tables(&server);
    let tables = |list: &'static str| config(&server, &[("table.include.list", list)]);
    let store = Store::default();
    let mut task = Running::start(&tables("public.b,public.c"), &store).await.unwrap();
    let first = task.take(7000).await;
    task.commit(&first);
    drop(task);
    // Its name comes before those of the others.
    let mut task = Running::start(&tables("public.a,public.b,public.c"), &store).await.unwrap();
    let second = distinct(&rest(&mut task).await);
    assert_eq!(["a", "b", "c"].map(|table| count(&second, table)), [100, 0, 8000]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_written_anew_meanwhile_is_read_anew() {
    let server = database();
    // Three ranges of pages, of which the first is nearly empty: what is written anew moves there.
    server.sql(
        "create table big (id int primary key, v text); alter table big alter v set storage plain; \
         insert into big select i, repeat('x', 4000) from generate_series(1, 20000) i; \
         delete from big where id <= 8000",
    );
    let config = config(&server, &[]);
    let store = Store::default();
    let mut task = Running::start(&config, &store).await.unwrap();
    let first = task.take(1000).await;
    task.commit(&first);
    drop(task);
    server.sql("vacuum full big");
    let mut task = Running::start(&config, &store).await.unwrap();
    let second = rest(&mut task).await;
    assert_eq!(count(&distinct(&[first, second].concat()), "big"), 12_000);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_dropped_or_altered_meanwhile_do_not_end_the_task() {
    let server = database();
    three_tables(&server);
    server.sql("create table d (id int primary key, v int); insert into d values (1, 1)");
    let config = config(&server, &[]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let first = task.take(1000).await;
    // Nobody has touched these yet.
    server.sql("drop table c; alter table d drop column v");
    let all = distinct(&[first, rest(&mut task).await].concat());
    assert_eq!(["a", "b", "d"].map(|table| count(&all, table)), [100, 6000, 1]);
    server.sql("insert into d values (2)");
    assert_eq!(rows(&task.take(1).await, "id"), ["c2"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_rewritten_before_its_turn_is_not_taken_for_empty() {
    let overridden = [
        ("snapshot.select.statement.overrides", "public.c"),
        ("snapshot.select.statement.overrides.public.c", "select * from public.c"),
    ];
    for more in [&[][..], &[("snapshot.max.threads", "2")], &overridden] {
        let server = database();
        three_tables(&server);
        let config = config(&server, more);
        let mut task = Running::start(&config, &Store::default()).await.unwrap();
        let first = task.take(1000).await;
        // To a snapshot that was taken before, the server shows the table as empty.
        server.sql("alter table c alter column id type bigint");
        let all = distinct(&[first, rest(&mut task).await].concat());
        assert_eq!(["a", "b", "c"].map(|table| count(&all, table)), [100, 6000, 8000]);
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_may_take_longer_than_a_statement() {
    let server = database();
    server.sql(
        "create table big (id int primary key, v text); \
         insert into big select i, repeat('x', 2000) from generate_series(1, 20000) i",
    );
    let config = config(&server, &[("database.query.timeout.ms", "1000")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let mut records = task.take(100).await;
    // Nobody takes rows for longer than a statement may run.
    let long = "select count(*) from pg_stat_activity \
                where application_name like 'Lavka%' and query like 'COPY%' and state = 'active' \
                and clock_timestamp() - query_start > '1500 ms'";
    let began = std::time::Instant::now();
    while server.sql(long) == "0" && began.elapsed() < std::time::Duration::from_secs(5) {}
    records.extend(rest(&mut task).await);
    assert_eq!(records.len(), 20_000, "each row once: nothing was begun again");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_read_that_a_transaction_makes_while_the_slot_waits_for_it() {
    let server = std::sync::Arc::new(database());
    server.sql("create table a (id int primary key); insert into a values (1)");
    let maker = std::sync::Arc::clone(&server);
    let making = std::thread::spawn(move || {
        maker.sql(
            "begin; create table late (id int primary key); insert into late values (1), (2); \
             do $$ begin \
                 while not exists (select from pg_stat_activity where query like 'CREATE_REPLICATION_SLOT%') loop \
                     perform pg_sleep(0.01), pg_stat_clear_snapshot(); \
                 end loop; \
             end $$; commit",
        );
    });
    // Its transaction is under way.
    while server.sql("select count(*) from pg_stat_activity where query like '%pg_stat_clear_snapshot%' and pid <> pg_backend_pid()") == "0" {}
    let mut task = Running::start(&config(&server, &[]), &Store::default()).await.unwrap();
    making.join().unwrap();
    let all = distinct(&rest(&mut task).await);
    assert_eq!(["a", "late"].map(|table| count(&all, table)), [1, 2]);
    server.sql("insert into late values (3)");
    assert_eq!(rows(&task.take(1).await, "id"), ["c3"]);
    task.stop().await;
}
