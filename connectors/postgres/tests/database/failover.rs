//! A standby takes over.

use std::time::Duration;

use lavka_testkit::{Network, Postgres, PostgresConfig, PostgresRelease, eventually};

use crate::rig::{Running, Store, config, rows};

const PATIENCE: Duration = Duration::from_secs(60);

fn settings(lines: &[&str]) -> PostgresConfig {
    PostgresConfig {
        settings: lines.iter().map(|line| (*line).to_owned()).collect(),
        release: PostgresRelease::Seventeen,
        ..PostgresConfig::default()
    }
}

/// What standbys have not got yet, the slot's reader does not get either.
fn hold_readers_back(primary: &Postgres) {
    primary.sql(&format!("alter system set synchronized_standby_slots = '{}'", Postgres::STANDBY_SLOT));
    primary.sql("select pg_reload_conf()");
}

async fn next(task: &mut Running) -> String {
    let records = task.take(1).await;
    task.commit(&records);
    rows(&records, "id").concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_at_a_standby_that_has_the_slot() {
    let test = "the_stream_goes_on_at_a_standby_that_has_the_slot";
    if !PostgresRelease::Seventeen.can_be_had_for(test) {
        return;
    }
    let mut primary = Postgres::start(&settings(&[])).unwrap();
    primary.sql("create table t (id int primary key); insert into t values (1)");
    let standby = primary.standby(&settings(&["sync_replication_slots = on"])).unwrap();
    hold_readers_back(&primary);
    let network = Network::to(primary.port());
    let port = network.port().to_string();
    let store = Store::default();
    let config = config(&primary, &[("database.port", &port), ("slot.failover", "true")]);
    let mut task = Running::start(&config, &store).await.unwrap();
    assert_eq!(next(&mut task).await, "r1");
    assert_eq!(primary.sql("select failover from pg_replication_slots where slot_name = 'debezium'"), "t");
    primary.sql("insert into t values (2)");
    assert_eq!(next(&mut task).await, "c2");
    // The standby takes the slot over once the primary's has moved on from where the standby can go on.
    let synced = "select count(*) from pg_replication_slots where slot_name = 'debezium' and synced and not temporary";
    for id in 3.. {
        primary.sql(&format!("insert into t values ({id}); select pg_log_standby_snapshot()"));
        assert_eq!(next(&mut task).await, format!("c{id}"));
        if standby.sql(synced) == "1" {
            break;
        }
        assert!(id < 600, "the standby has no slot: {}", standby.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What is read and not committed, and what is not read, when the primary dies.
    primary.sql("insert into t values (1001)");
    let taken = task.take(1).await;
    assert_eq!(rows(&taken, "id"), ["c1001"]);
    primary.sql("insert into t values (1002)");
    let written = primary.sql("select pg_current_wal_flush_lsn()");
    eventually("the standby to have everything", PATIENCE, || {
        (standby.sql(&format!("select pg_last_wal_replay_lsn() >= '{written}'")) == "t").then_some(())
    });
    primary.crash();
    standby.promote();
    network.lead_to(standby.port());
    standby.sql("insert into t values (1003)");
    // The same task: it was handed 1001 before, and goes on behind.
    let mut seen = task.take(2).await;
    task.commit(&taken);
    assert_eq!(rows(&seen, "id"), ["c1002", "c1003"]);
    task.commit(&seen);
    // It reads on the new timeline from the slot that came along, and moves that.
    standby.sql("insert into t values (1004)");
    seen = task.take(1).await;
    assert_eq!(rows(&seen, "id"), ["c1004"]);
    task.commit(&seen);
    task.stop().await;
    standby.sql("insert into t values (1005)");
    let mut task = Running::start(&config, &store).await.unwrap();
    assert_eq!(next(&mut task).await, "c1005");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_without_the_slot_is_named() {
    let test = "a_standby_without_the_slot_is_named";
    if !PostgresRelease::Seventeen.can_be_had_for(test) {
        return;
    }
    let mut primary = Postgres::start(&settings(&[])).unwrap();
    primary.sql("create table t (id int primary key); insert into t values (1)");
    let standby = primary.standby(&settings(&[])).unwrap();
    let network = Network::to(primary.port());
    let port = network.port().to_string();
    let (store, more) = (Store::default(), [("database.port", port.as_str()), ("slot.failover", "true")]);
    let config = config(&primary, &more);
    let mut task = Running::start(&config, &store).await.unwrap();
    assert_eq!(next(&mut task).await, "r1");
    primary.sql("insert into t values (2)");
    assert_eq!(next(&mut task).await, "c2");
    let written = primary.sql("select pg_current_wal_flush_lsn()");
    eventually("the standby to have everything", PATIENCE, || {
        (standby.sql(&format!("select pg_last_wal_replay_lsn() >= '{written}'")) == "t").then_some(())
    });
    primary.crash();
    standby.promote();
    network.lead_to(standby.port());
    let failed = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = task.poll().await {
                break error.to_string();
            }
        }
    });
    let failed = failed.await.unwrap();
    assert!(failed.contains("The replication slot debezium is gone"), "{failed}");
    assert!(failed.contains("slot.failover=true"), "{failed}");
    task.stop().await;
    // Somebody makes one of that name, on the new timeline, behind changes that nobody has read.
    standby.sql("insert into t values (3)");
    standby.sql("select pg_create_logical_replication_slot('debezium', 'pgoutput')");
    let failed = Running::start(&config, &store).await.err().unwrap().to_string();
    assert!(failed.contains("debezium") && failed.contains("ahead"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_the_standby_never_got_are_named() {
    let test = "changes_that_the_standby_never_got_are_named";
    if !PostgresRelease::Seventeen.can_be_had_for(test) {
        return;
    }
    let mut primary = Postgres::start(&settings(&[])).unwrap();
    primary.sql("create table t (id int primary key); insert into t values (1)");
    let standby = primary.standby(&settings(&["sync_replication_slots = on"])).unwrap();
    let network = Network::to(primary.port());
    let port = network.port().to_string();
    let (store, more) = (Store::default(), [("database.port", port.as_str()), ("slot.failover", "true")]);
    let config = config(&primary, &more);
    let mut task = Running::start(&config, &store).await.unwrap();
    assert_eq!(next(&mut task).await, "r1");
    let synced = "select count(*) from pg_replication_slots where slot_name = 'debezium' and synced and not temporary";
    for id in 3.. {
        primary.sql(&format!("insert into t values ({id}); select pg_log_standby_snapshot()"));
        assert_eq!(next(&mut task).await, format!("c{id}"));
        if standby.sql(synced) == "1" {
            break;
        }
        assert!(id < 600, "the standby has no slot: {}", standby.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The standby gets nothing any more, and readers are not held back for it.
    standby.sql("alter system set primary_conninfo = ''");
    standby.sql("select pg_reload_conf()");
    eventually("the standby to be cut off", PATIENCE, || {
        (standby.sql("select count(*) from pg_stat_wal_receiver") == "0").then_some(())
    });
    primary.sql("insert into t values (2001)");
    assert_eq!(next(&mut task).await, "c2001");
    primary.crash();
    standby.promote();
    network.lead_to(standby.port());
    let failed = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = task.poll().await {
                break error.to_string();
            }
        }
    });
    let failed = failed.await.unwrap();
    assert!(failed.contains("without what the connector has read"), "{failed}");
    task.stop().await;
}
