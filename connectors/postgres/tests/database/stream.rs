//! Snapshot and stream.

use crate::rig::{Running, Store, config, database, rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_followed_by_the_stream() {
    let server = database();
    server.sql("create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b\tc\\d')");
    let store = Store::default();
    let config = config(&server, &[]);
    let mut task = Running::start(&config, &store).await.unwrap();
    let snapshot = task.take(2).await;
    assert_eq!(rows(&snapshot, "v"), ["ra", "rb\tc\\d"]);
    server.sql(
        "insert into t values (3, 'c'); update t set v = 'x' where id = 1; delete from t where id = 2; \
                update t set id = 30 where id = 3",
    );
    let changes = task.take(7).await;
    assert_eq!(rows(&changes, "id"), ["c3", "u1", "d2", "-", "d3", "-", "c30"]);
    task.commit(&changes);
    task.stop().await;

    server.sql("insert into t values (4, 'd')");
    let mut task = Running::start(&config, &store).await.unwrap();
    assert_eq!(rows(&task.take(1).await, "id"), ["c4"]);
    assert!(task.is_quiet().await);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_snapshot_stream_queue_and_slot() {
    let server = database();
    server.sql(
        "create table t (id int primary key); create table other (id int); \
         insert into t select generate_series(1, 30); analyze t, other",
    );
    let config = config(&server, &[("table.exclude.list", "public.other")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    assert_eq!(task.metric("snapshot.SnapshotRunning"), 1.0);
    assert_eq!(task.metric("snapshot.RowsEstimated"), 30.0);
    let snapshot = task.take(30).await;
    assert_eq!(task.metric("snapshot.RowsRead"), 30.0);
    for (name, value) in [
        ("snapshot.RowsScanned", 30.0),
        ("snapshot.TableChunkCounts", 1.0),
        ("snapshot.TableChunksCompletedCounts", 1.0),
        ("snapshot.CapturedTables", 1.0),
    ] {
        assert_eq!(task.by_label(name), [("public.t".to_owned(), value)], "{name}");
    }
    assert_eq!(task.metric("snapshot.QueueTotalCapacity"), 1024.0);
    assert_eq!(task.metric("snapshot.QueueRemainingCapacity"), 1024.0);
    assert_eq!(task.metric("snapshot.CurrentQueueSizeInBytes"), 0.0);
    assert_eq!(task.labels(), [("plugin", "postgres".to_owned()), ("name", "srv".to_owned())]);
    assert_eq!(task.metric("snapshot.RemainingTableCount"), 0.0);
    assert_eq!(task.metric("snapshot.SnapshotCompleted"), 1.0);
    assert_eq!(task.metric("snapshot.SecondsLeftEstimated"), 0.0);
    task.commit(&snapshot);
    server.sql(
        "insert into t values (31), (32); update t set id = id where id = 31; delete from t where id = 32",
    );
    server.sql("insert into other values (1)");
    let changes = task.take(5).await;
    let filtered = |task: &Running| task.metric("streaming.NumberOfEventsFiltered") >= 1.0;
    task.poll_until("the change of the other table", filtered).await;
    assert!(task.is_quiet().await);
    for (name, value) in [
        ("streaming.Connected", 1.0),
        ("streaming.TotalNumberOfCreateEventsSeen", 3.0),
        ("streaming.TotalNumberOfUpdateEventsSeen", 1.0),
        ("streaming.TotalNumberOfDeleteEventsSeen", 1.0),
        ("streaming.TotalNumberOfEventsSeen", 5.0),
        ("streaming.NumberOfEventsFiltered", 1.0),
        ("streaming.NumberOfErroneousEvents", 0.0),
        ("streaming.QueueTotalCapacity", 8192.0),
        ("streaming.QueueRemainingCapacity", 8192.0),
        ("slot.Active", 1.0),
        ("slot.WalStatus", 0.0),
    ] {
        assert_eq!(task.metric(name), value, "{name}");
    }
    assert!(task.metric("streaming.NumberOfCommittedTransactions") >= 2.0);
    assert!(task.metric("slot.RetainedBytes") >= task.metric("slot.LagBytes"));
    assert_eq!(task.by_label("streaming.CapturedTables"), [("public.t".to_owned(), 1.0)]);
    // What takes work is worked out once a second.
    let last = ("txId".to_owned(), task.metric("streaming.LastTransactionId"));
    let told = |task: &Running| task.by_label("streaming.SourceEventPosition").contains(&last);
    task.poll_until("the last transaction", told).await;
    assert!(task.metric("streaming.MilliSecondsSinceLastEvent") >= 0.0);
    let behind = |what: &str| task.metric(&format!("streaming.MilliSecondsBehindSource{what}"));
    assert!(behind("MinValue") <= behind("P50") && behind("P50") <= behind("P95"));
    assert!(behind("P95") <= behind("P99") && behind("P99") <= behind("MaxValue"));
    assert!(behind("MinValue") <= behind("AverageValue") && behind("AverageValue") <= behind("MaxValue"));
    let position = task.by_label("streaming.SourceEventPosition");
    assert!(position.iter().any(|(key, value)| key == "lsn" && *value > 0.0), "{position:?}");
    task.commit(&changes);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_updates_that_changed_nothing() {
    let server = database();
    server.sql("create table t (id int primary key, v text); alter table t replica identity full");
    let more = [("skip.messages.without.change", "true"), ("column.include.list", "public.t.id,public.t.v")];
    let mut task = Running::start(&config(&server, &more), &Store::default()).await.unwrap();
    assert!(task.is_quiet().await);
    server.sql("insert into t values (1, 'a'); update t set v = v; update t set v = 'b'");
    assert_eq!(rows(&task.take(2).await, "v"), ["ca", "ub"]);
    for (name, value) in [
        ("streaming.NumberOfUnchangedEventsSkipped", 1.0),
        ("streaming.NumberOfEventsFiltered", 0.0),
        ("streaming.TotalNumberOfUpdateEventsSeen", 2.0),
    ] {
        assert_eq!(task.metric(name), value, "{name}");
    }
    task.stop().await;
}
