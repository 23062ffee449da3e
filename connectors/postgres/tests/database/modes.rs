//! Snapshot modes, and snapshots that are cut off.

use lavka_api::data::Value;

use crate::rig::{Running, Store, at, config, database, rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_cut_off_goes_on_with_the_ranges_that_are_left() {
    let server = database();
    // 20,000 rows of 4 KiB: three ranges of pages.
    server.sql(
        "create table big (id int primary key, v text); alter table big alter v set storage plain; \
         insert into big select i, repeat('x', 4000) from generate_series(1, 20000) i; \
         create table a (id int primary key); insert into a values (1); create table z (id int primary key); \
         insert into z values (1), (2)",
    );
    let store = Store::default();
    let config = config(&server, &[("snapshot.max.threads", "2"), ("topic.prefix", "srv")]);
    let mut task = Running::start(&config, &store).await.unwrap();
    let first = task.take(17_500).await;
    task.commit(&first);
    task.stop().await;
    // Meanwhile rows of ranges that were read change, and one comes.
    server.sql("update big set v = 'new' where id in (1, 2); insert into big values (20001, 'late')");

    let mut task = Running::start(&config, &store).await.unwrap();
    let mut second = Vec::new();
    while !second.iter().any(|record: &lavka_api::data::SourceRecord| {
        at(&record.record.value.value, "source.snapshot").and_then(Value::as_str) == Some("last")
    }) {
        second.extend(task.take(1).await);
    }
    assert!(second.len() < 12_000, "what was read before is not read again: {}", second.len());
    let mut ids: Vec<String> = [&first[..], &second[..]]
        .concat()
        .iter()
        .filter(|record| &*record.record.topic == "srv.public.big")
        .flat_map(|record| rows(std::slice::from_ref(record), "id"))
        .collect();
    ids.sort();
    ids.dedup();
    let snapshot = ids.iter().filter(|id| id.starts_with('r')).count();
    assert!(snapshot >= 20_000, "every row was read: {snapshot}");
    task.commit(&second);
    // The stream has what came since the slot was made.
    let changes = task.take(3).await;
    let mut changed = rows(&changes, "id");
    changed.sort();
    assert_eq!(changed, ["c20001", "u1", "u2"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_and_stream_meet_exactly_under_load() {
    let server = std::sync::Arc::new(database());
    server.sql("create table t (id int primary key); insert into t select generate_series(1, 5000)");
    let writer = std::sync::Arc::clone(&server);
    let writing = std::thread::spawn(move || {
        for from in (5001..8001).step_by(50) {
            writer.sql(&format!("insert into t select generate_series({from}, {})", from + 49));
        }
    });
    let store = Store::default();
    let config = config(&server, &[]);
    let mut task = Running::start(&config, &store).await.unwrap();
    let records = task.take(8000).await;
    writing.join().unwrap();
    assert!(task.is_quiet().await);
    let mut ids: Vec<i32> = rows(&records, "id").iter().map(|row| row[1..].parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=8000).collect::<Vec<i32>>(), "each row once, from the snapshot or from the stream");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_differ_in_what_is_read_at_each_start() {
    let server = database();
    server.sql("create table t (id int primary key); insert into t values (1)");
    let start = async |mode: &str, slot: &str, store: &Store| {
        let config = config(&server, &[("snapshot.mode", mode), ("slot.name", slot)]);
        Running::start(&config, store).await
    };
    // initial_only reads and then idles.
    let store = Store::default();
    let mut task = start("initial_only", "one", &store).await.unwrap();
    let read = task.take(1).await;
    task.commit(&read);
    server.sql("insert into t values (2)");
    assert!(task.is_quiet().await);
    task.stop().await;
    // Nothing is streamed, so nothing is left that would hold back the server's log.
    let left = "select (select count(*) from pg_replication_slots) + (select count(*) from pg_publication)";
    assert_eq!(server.sql(left), "0");
    let mut task = start("initial_only", "one", &store).await.unwrap();
    assert!(task.is_quiet().await);
    task.stop().await;
    // always reads again at the next start.
    let store = Store::default();
    for _ in 0..2 {
        let mut task = start("always", "two", &store).await.unwrap();
        let read = task.take(2).await;
        assert_eq!(rows(&read, "id"), ["r1", "r2"]);
        task.commit(&read);
        task.stop().await;
    }
    // when_needed reads where the slot is gone; the others say that something was lost.
    server.sql("select pg_drop_replication_slot('two')");
    let refused = start("initial", "two", &store).await.err().unwrap().to_string();
    assert!(refused.contains("The replication slot two is gone"), "{refused}");
    let mut task = start("when_needed", "two", &store).await.unwrap();
    assert_eq!(rows(&task.take(2).await, "id"), ["r1", "r2"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_can_be_chosen_and_read_by_a_query() {
    let server = database();
    server.sql(
        "create table a (id int primary key); insert into a values (1), (2), (3); \
         create table b (id int primary key); insert into b values (1); \
         create table p (id int, d date, primary key (id, d)) partition by range (d); \
         create table p1 partition of p for values from ('2026-01-01') to ('2027-01-01'); \
         insert into p values (7, '2026-05-05')",
    );
    let config = config(
        &server,
        &[
            ("snapshot.include.collection.list", "public.a,public.p.*"),
            ("snapshot.select.statement.overrides", "public.a"),
            ("snapshot.select.statement.overrides.public.a", "select * from public.a where id > 1"),
        ],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let records = task.take(3).await;
    assert_eq!(rows(&records, "id"), ["r2", "r3", "r7"]);
    assert_eq!(&*records[2].record.topic, "srv.public.p1", "rows of a partition are its own");
    assert!(task.is_quiet().await);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_identities_are_set_at_the_start() {
    let server = database();
    server.sql("create table a (id int primary key, v text); create table b (id int primary key)");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("replica.identity.autoset.values", r"public\.a:FULL,public\.b:DEFAULT"),
        ],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    server.sql("insert into a values (1, 'old'); update a set v = 'new'");
    let records = task.take(2).await;
    let before = at(&records[1].record.value.value, "before.v").and_then(Value::as_str);
    assert_eq!(before, Some("old"));
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_whose_connections_are_lost_starts_over_and_misses_nothing() {
    let server = database();
    server.sql(
        "create table big (id int primary key, v text); alter table big alter v set storage plain; \
         insert into big select i, repeat('x', 4000) from generate_series(1, 18000) i; \
         create table one (id int primary key); insert into one values (100001)",
    );
    for threads in ["1", "3"] {
        let slot = format!("threads{threads}");
        let config = config(&server, &[("snapshot.max.threads", threads), ("slot.name", &slot)]);
        let mut task = Running::start(&config, &Store::default()).await.unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..4 {
            ids.extend(rows(&task.take(3000).await, "id"));
            server.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like 'COPY%'");
        }
        while ids.len() < 18_001 {
            ids.extend(rows(&task.take(1).await, "id"));
        }
        server.sql("insert into one values (100002)");
        loop {
            let records = task.take(1).await;
            let rows = rows(&records, "id");
            if rows.contains(&"c100002".to_owned()) {
                break;
            }
            assert!(rows.iter().all(|row| row.starts_with('r')), "{rows:?}");
        }
        server.sql("delete from one where id = 100002");
        task.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_told_of_in_notifications() {
    let server = database();
    server.sql("create table a (id int primary key); insert into a values (1), (2); create table b (id int primary key)");
    let config = config(
        &server,
        &[("notification.enabled.channels", "sink"), ("notification.sink.topic.name", "told")],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let mut records = task.take_until_told("COMPLETED").await;
    records.extend(task.drain().await);
    let told: Vec<String> = records
        .iter()
        .filter(|record| &*record.record.topic == "told")
        .map(|record| {
            let value = &record.record.value.value;
            assert_eq!(at(value, "id"), at(&record.record.key.value, "id"));
            assert_eq!(at(value, "aggregate_type").and_then(Value::as_str), Some("Initial Snapshot"));
            at(value, "type").and_then(Value::as_str).unwrap().to_owned()
        })
        .collect();
    let table = ["IN_PROGRESS", "TABLE_SCAN_COMPLETED"];
    assert_eq!(told, [&["STARTED"], &table[..], &table[..], &["COMPLETED"]].concat());
    let last = records.last().unwrap().position.as_ref().unwrap().offset.clone();
    assert_eq!(last.get("snapshot_completed"), Some(&Value::Boolean(true)));
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_from_elsewhere_are_passed_over_where_that_is_asked_for() {
    let server = database();
    server.sql("create table t (id int primary key); select pg_replication_origin_create('elsewhere')");
    let more = [("snapshot.mode", "no_data"), ("slot.stream.params", "origin=none;streaming=off")];
    let (config, store) = (config(&server, &more), Store::default());
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (1)");
    server.sql(
        "select pg_replication_origin_session_setup('elsewhere'); insert into t values (2); insert into t values (3)",
    );
    server.sql("insert into t values (4)");
    let records = task.take(2).await;
    assert_eq!(rows(&records, "id"), ["c1", "c4"]);
    task.commit(&records);
    drop(task);
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (5)");
    assert_eq!(rows(&task.take(1).await, "id"), ["c5"]);
    task.stop().await;
}
