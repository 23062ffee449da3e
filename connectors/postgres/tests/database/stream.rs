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
