//! Memory that a large transaction and a large table take: a process of its own, so that nothing else counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a helper that fails, fails its test; not every helper of the other tests is needed here"
)]

#[path = "../database/rig.rs"]
mod rig;

use lavka_testkit::count;

use crate::rig::{Running, Store, config, database};

/// The most memory that the process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_large_transaction_nor_a_large_table_is_held_in_memory() {
    // 4 KiB each: 200 MiB, 2 GiB in a soak run.
    let rows = count(50_000, 500_000);
    let server = database();
    server.sql("create table t (id int primary key, v text); alter table t alter v set storage plain");
    let mut streaming =
        Running::start(&config(&server, &[("snapshot.mode", "no_data")]), &Store::default()).await.unwrap();
    server.sql(&format!("insert into t select i, repeat('x', 4000) from generate_series(1, {rows}) i"));
    let before = peak();
    let mut streamed = 0;
    while streamed < rows {
        streamed += streaming.take(1).await.len();
    }
    streaming.stop().await;
    let after_stream = peak();
    let mut reading = Running::start(
        &config(&server, &[("slot.name", "second"), ("snapshot.max.threads", "4")]),
        &Store::default(),
    )
    .await
    .unwrap();
    let mut read = 0;
    while read < rows {
        read += reading.take(1).await.len();
    }
    reading.stop().await;
    let after_snapshot = peak();
    assert!(
        after_snapshot < 150,
        "MiB: {before} before, {after_stream} behind the transaction, {after_snapshot} behind the snapshot"
    );
}
