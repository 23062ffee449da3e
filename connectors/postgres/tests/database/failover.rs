//! A standby takes over.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{Network, Postgres, PostgresConfig, PostgresRelease, eventually};

use crate::rig::{Running, Store, config, rows};

const PATIENCE: Duration = Duration::from_secs(60);
/// Whether a standby has taken the slot over for good.
const SYNCED: &str =
    "select count(*) from pg_replication_slots where slot_name = 'debezium' and synced and not temporary";

/// A server with a table, its standby, and an address that leads to whichever is the primary.
struct Pair {
    primary: Postgres,
    standby: Postgres,
    network: Network,
    store: Store,
    config: Config,
}

impl Pair {
    /// `None` where PostgreSQL 17 cannot be had. `settings` are the standby's.
    fn start(test: &str, settings: &[&str]) -> Option<Self> {
        if !PostgresRelease::Seventeen.can_be_had_for(test) {
            return None;
        }
        let of = |lines: &[&str]| PostgresConfig {
            // What was committed is to outlive a crash.
            settings: lines
                .iter()
                .chain(&["synchronous_commit = on"])
                .map(|line| (*line).to_owned())
                .collect(),
            release: PostgresRelease::Seventeen,
            ..PostgresConfig::default()
        };
        let mut primary = Postgres::start(&of(&[])).unwrap();
        primary.sql("create table t (id int primary key); insert into t values (1)");
        let standby = primary.standby(&of(settings)).unwrap();
        let network = Network::to(primary.port());
        let port = network.port().to_string();
        let config = config(&primary, &[("database.port", &port), ("slot.failover", "true")]);
        Some(Self { primary, standby, network, store: Store::default(), config })
    }

    /// A task that has read the snapshot and a change.
    async fn task(&self) -> Running {
        let mut task = Running::start(&self.config, &self.store).await.unwrap();
        assert_eq!(next(&mut task).await, "r1");
        let failover = "select failover from pg_replication_slots where slot_name = 'debezium'";
        assert_eq!(self.primary.sql(failover), "t");
        self.primary.sql("insert into t values (2)");
        assert_eq!(next(&mut task).await, "c2");
        task
    }

    /// Has changes read until the standby has taken the slot over: the primary's has to move on from where the standby can
    /// go on.
    async fn until_synced(&self, task: &mut Running) {
        for id in 3..600 {
            self.primary.sql(&format!("insert into t values ({id}); select pg_log_standby_snapshot()"));
            assert_eq!(next(task).await, format!("c{id}"));
            if self.standby.sql(SYNCED) == "1" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the standby has no slot: {}", self.standby.log());
    }

    /// Waits until the standby has what the primary has written.
    fn catch_up(&self) {
        let written = self.primary.sql("select pg_current_wal_flush_lsn()");
        eventually("the standby to have everything", PATIENCE, || {
            let has = self.standby.sql(&format!("select pg_last_wal_replay_lsn() >= '{written}'"));
            (has == "t").then_some(())
        });
    }

    /// The primary dies, and the standby takes its place.
    fn fail_over(&mut self) {
        self.primary.crash();
        self.standby.promote();
        self.network.lead_to(self.standby.port());
    }
}

async fn next(task: &mut Running) -> String {
    let records = task.take(1).await;
    task.commit(&records);
    rows(&records, "id").concat()
}

/// Why the task ends.
async fn failure(mut task: Running) -> String {
    let polls = async {
        loop {
            if let Err(error) = task.poll().await {
                break error.to_string();
            }
        }
    };
    let failure = tokio::time::timeout(PATIENCE, polls).await.unwrap();
    task.stop().await;
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_at_a_standby_that_has_the_slot() {
    let test = "the_stream_goes_on_at_a_standby_that_has_the_slot";
    let Some(mut pair) = Pair::start(test, &["sync_replication_slots = on"]) else { return };
    // What the standby has not got yet, the slot's reader does not get either.
    pair.primary.sql(&format!("alter system set synchronized_standby_slots = '{}'", Postgres::STANDBY_SLOT));
    pair.primary.sql("select pg_reload_conf()");
    let mut task = pair.task().await;
    pair.until_synced(&mut task).await;
    // Of what was written one change is read and not committed, and one is not read, when the primary dies.
    pair.primary.sql("insert into t values (1001)");
    let taken = task.take(1).await;
    assert_eq!(rows(&taken, "id"), ["c1001"]);
    pair.primary.sql("insert into t values (1002)");
    pair.catch_up();
    pair.fail_over();
    pair.standby.sql("insert into t values (1003)");
    let mut seen = task.take(2).await;
    task.commit(&taken);
    assert_eq!(rows(&seen, "id"), ["c1002", "c1003"]);
    task.commit(&seen);
    // It reads the new timeline by the slot that came along.
    pair.standby.sql("insert into t values (1004)");
    seen = task.take(1).await;
    assert_eq!(rows(&seen, "id"), ["c1004"]);
    task.commit(&seen);
    task.stop().await;
    pair.standby.sql("insert into t values (1005)");
    let mut task = Running::start(&pair.config, &pair.store).await.unwrap();
    assert_eq!(next(&mut task).await, "c1005");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_without_the_slot_is_named() {
    let test = "a_standby_without_the_slot_is_named";
    let Some(mut pair) = Pair::start(test, &[]) else { return };
    let task = pair.task().await;
    pair.catch_up();
    pair.fail_over();
    let failed = failure(task).await;
    assert!(failed.contains("The replication slot debezium is gone"), "{failed}");
    assert!(failed.contains("slot.failover=true"), "{failed}");
    // Somebody makes one of that name, on the new timeline, behind changes that nobody has read.
    pair.standby.sql("insert into t values (3)");
    pair.standby.sql("select pg_create_logical_replication_slot('debezium', 'pgoutput')");
    let failed = Running::start(&pair.config, &pair.store).await.err().unwrap().to_string();
    assert!(failed.contains("The replication slot debezium stands at"), "{failed}");
    assert!(failed.contains("ahead of the"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_the_standby_never_got_are_named() {
    let test = "changes_that_the_standby_never_got_are_named";
    let Some(mut pair) = Pair::start(test, &["sync_replication_slots = on"]) else { return };
    let mut task = pair.task().await;
    pair.until_synced(&mut task).await;
    // The standby gets nothing any more, and readers are not held back for it.
    pair.standby.sql("alter system set primary_conninfo = ''");
    pair.standby.sql("select pg_reload_conf()");
    eventually("the standby to be cut off", PATIENCE, || {
        (pair.standby.sql("select count(*) from pg_stat_wal_receiver") == "0").then_some(())
    });
    pair.primary.sql("insert into t values (2001)");
    assert_eq!(next(&mut task).await, "c2001");
    pair.fail_over();
    let failed = failure(task).await;
    assert!(failed.contains("without what the connector has read"), "{failed}");
}

/// A standby's own slots cannot be taken over by others: there `slot.failover` has no effect, as with Debezium.
#[tokio::test(flavor = "multi_thread")]
async fn changes_come_from_a_standby_too() {
    let test = "changes_come_from_a_standby_too";
    let Some(mut pair) = Pair::start(test, &[]) else { return };
    pair.primary.sql("create publication dbz_publication for all tables");
    pair.catch_up();
    pair.config.set("database.port", pair.standby.port().to_string());
    pair.config.set("snapshot.mode", "no_data");
    let mut starting = std::pin::pin!(Running::start(&pair.config, &pair.store));
    let mut task = loop {
        // A slot there begins where the primary says which transactions run.
        pair.primary.sql("select pg_log_standby_snapshot()");
        match tokio::time::timeout(Duration::from_millis(200), starting.as_mut()).await {
            Ok(started) => break started.unwrap(),
            Err(_) => continue,
        }
    };
    assert_eq!(
        pair.standby.sql("select failover from pg_replication_slots where slot_name = 'debezium'"),
        "f"
    );
    pair.primary.sql("insert into t values (2)");
    assert_eq!(next(&mut task).await, "c2");
    task.stop().await;
}
