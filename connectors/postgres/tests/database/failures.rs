//! Connections that are lost, slots that are not what they were, servers that are not ready.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{Postgres, PostgresConfig};

use crate::rig::{Running, Store, config, connector, database, rows};

/// Where the slot stands: the server may forget what is before.
fn confirmed(server: &Postgres) -> String {
    server.sql("select confirmed_flush_lsn from pg_replication_slots where slot_name = 'debezium'")
}

/// Waits until the slot stands behind `written`.
async fn moves_behind(server: &Postgres, task: &mut Running, written: &str) {
    let moved = format!("select confirmed_flush_lsn >= '{written}' from pg_replication_slots");
    task.poll_until("the slot to move", |_| server.sql(&moved) == "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_after_lost_connections_and_restarts() {
    let mut server = database();
    server.sql("create table t (id int primary key); insert into t values (1)");
    let mut task = Running::start(&config(&server, &[]), &Store::default()).await.unwrap();
    // What is not committed holds up a server that shuts down: it waits until its readers have everything.
    let next = async |task: &mut Running| {
        let records = task.take(1).await;
        task.commit(&records);
        assert!(task.is_quiet().await);
        rows(&records, "id").concat()
    };
    assert_eq!(next(&mut task).await, "r1");
    server.sql("insert into t values (2)");
    assert_eq!(next(&mut task).await, "c2");
    server.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'Lavka%'");
    server.sql("insert into t values (3)");
    assert_eq!(next(&mut task).await, "c3");
    server.restart().unwrap();
    server.sql("insert into t values (4)");
    assert_eq!(next(&mut task).await, "c4");
    server.crash();
    server.restart().unwrap();
    server.sql("insert into t values (5)");
    assert_eq!(next(&mut task).await, "c5");
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_moves_with_commits_and_while_nothing_is_captured() {
    let server = database();
    server.sql("create table t (id int primary key); create table other (v text)");
    let config = config(&server, &[("snapshot.mode", "no_data"), ("table.include.list", "public.t")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    server.sql("insert into t values (1)");
    let records = task.take(1).await;
    let before = confirmed(&server);
    server.sql("insert into other select repeat('x', 1000) from generate_series(1, 1000)");
    let written = server.sql("select pg_current_wal_flush_lsn()");
    assert!(task.is_quiet().await);
    assert_eq!(confirmed(&server), before, "a record that is not committed holds the slot");
    task.commit(&records);
    moves_behind(&server, &mut task, &written).await;
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_mode_leaves_the_slot_alone() {
    let server = database();
    server.sql("create table t (id int primary key)");
    let config = config(&server, &[("snapshot.mode", "no_data"), ("lsn.flush.mode", "manual")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let before = confirmed(&server);
    server.sql("insert into t values (1)");
    let records = task.take(1).await;
    task.commit(&records);
    assert!(task.is_quiet().await);
    assert_eq!(confirmed(&server), before);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_pipeline_keeps_its_connection() {
    let settings = vec!["wal_sender_timeout = '4s'".to_owned()];
    let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
    server.sql("create table t (id int primary key, v text)");
    let mut task = Running::start(
        &config(&server, &[("snapshot.mode", "no_data"), ("max.queue.size", "50"), ("max.batch.size", "10")]),
        &Store::default(),
    )
    .await
    .unwrap();
    server.sql("insert into t select i, repeat('x', 2000) from generate_series(1, 5000) i");
    let mut records = task.take(10).await;
    let walsender = "select pid from pg_stat_replication";
    let pid = server.sql(walsender);
    // Nobody polls, for several times as long as the server waits for an answer.
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(server.sql(walsender), pid, "the connection is the same");
    records.extend(task.take(5000 - records.len()).await);
    assert_eq!(records.len(), 5000);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_in_use_is_waited_for_and_then_named() {
    let server = database();
    server.sql("create table t (id int primary key)");
    let none = [("snapshot.mode", "no_data"), ("slot.max.retries", "2"), ("slot.retry.delay.ms", "10")];
    let config = config(&server, &none);
    let first = Running::start(&config, &Store::default()).await.unwrap();
    let mut second = Running::start(&config, &Store::default()).await.unwrap();
    let error = loop {
        if let Err(error) = second.poll().await {
            break error.to_string();
        }
    };
    assert!(error.contains("is active for PID") && error.contains("own slot.name"), "{error}");
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_by_key_with_what_to_run() {
    let server = database();
    server.sql(
        "create role plain login password 'p'; create table t (id int primary key); \
         select pg_create_logical_replication_slot('other', 'test_decoding')",
    );
    let plain = Postgres::start(&PostgresConfig {
        settings: vec!["wal_level = replica".into(), "max_replication_slots = 0".into()],
        ..PostgresConfig::default()
    })
    .unwrap();
    let full = Postgres::start(&PostgresConfig {
        settings: vec!["max_replication_slots = 1".into()],
        ..PostgresConfig::default()
    })
    .unwrap();
    full.sql("select pg_create_logical_replication_slot('taken', 'pgoutput')");
    let nowhere = lavka_testkit::free_port().to_string();
    let validate = async |server: &Postgres, more: &[(&str, &str)]| -> Vec<(String, String)> {
        let config = config(server, more);
        let plugin = lavka_connector_postgres::plugins().remove(0);
        let reports = connector().validate(&(plugin.definition)(), &config).await;
        reports
            .into_iter()
            .flat_map(|report| report.errors.into_iter().map(move |error| (report.name.clone(), error)))
            .collect()
    };
    assert_eq!(validate(&server, &[]).await, []);
    for (on, more, key, parts) in [
        (
            &server,
            &[("database.password", "wrong")][..],
            "database.hostname",
            &["password", "database.user"][..],
        ),
        (&server, &[("database.dbname", "nothere")], "database.hostname", &["nothere", "database.dbname"]),
        (&server, &[("database.port", nowhere.as_str())], "database.hostname", &["Connection refused"]),
        (&server, &[("database.sslmode", "require")], "database.hostname", &["TLS"]),
        (
            &server,
            &[("database.user", "plain"), ("database.password", "p")],
            "database.user",
            &["ALTER ROLE \"plain\" REPLICATION"],
        ),
        (
            &server,
            &[("slot.name", "other")],
            "slot.name",
            &["test_decoding", "pg_drop_replication_slot('other')"],
        ),
        (
            &server,
            &[("publication.autocreate.mode", "disabled"), ("publication.name", "None")],
            "publication.name",
            &["CREATE PUBLICATION \"None\""],
        ),
        (&plain, &[], "database.hostname", &["wal_level is replica", "ALTER SYSTEM SET wal_level"]),
        (&full, &[], "slot.name", &["All 1 replication slots are in use", "max_replication_slots"]),
        (&server, &[("column.include.list", "public.t.(")], "column.include.list", &["column.include.list"]),
        (&server, &[("message.key.columns", "public.t")], "message.key.columns", &["message.key.columns"]),
        (&server, &[("table.include.list", "a[")], "table.include.list", &["table.include.list"]),
    ] {
        let found = validate(on, more).await;
        let text =
            found.iter().find(|(name, _)| name == key).map(|(_, text)| text.clone()).unwrap_or_default();
        assert!(parts.iter().all(|part| text.contains(part)), "{more:?}: {found:?}");
        assert!(!text.contains(Postgres::PASSWORD) && !text.contains("wrong"), "{text}");
    }
    // The start says the same.
    let error = Running::start(&config(&plain, &[]), &Store::default()).await.err().unwrap().to_string();
    assert!(error.contains("wal_level"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_carry_the_offset_and_run_their_query() {
    let server = database();
    server.sql("create table t (id int primary key); create table beat (at timestamptz)");
    let config = config(
        &server,
        &[
            ("snapshot.mode", "no_data"),
            ("table.include.list", "public.t"),
            ("heartbeat.interval.ms", "100"),
            ("heartbeat.action.query", "insert into beat values (now())"),
        ],
    );
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let commit = |record: &lavka_api::data::SourceRecord| {
        record.position.as_ref().unwrap().offset.get("lsn_commit").and_then(|lsn| lsn.as_i64()).unwrap()
    };
    // The query's own writes move the offset.
    let moved = |beats: &[lavka_api::data::SourceRecord]| match beats {
        [first, .., last] => commit(last) > commit(first),
        _ => false,
    };
    let beats = task.take_until(moved).await;
    assert!(beats.iter().all(|record| {
        &*record.record.topic == "__debezium-heartbeat.srv" && record.record.partition == Some(0)
    }));
    task.stop().await;
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let config = Config::from([("database.password", "hunter2"), ("topic.prefix", "srv")]);
    let definition = (lavka_connector_postgres::plugins().remove(0).definition)();
    for report in definition.validate(&config) {
        assert_ne!(report.value.as_deref(), Some("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_created_again_is_noticed_and_one_that_was_idle_is_not() {
    let server = database();
    server.sql("create table t (id int primary key); create table other (v text)");
    let more = &[("snapshot.mode", "no_data"), ("table.include.list", "public.t")];
    let (config, store) = (config(&server, more), Store::default());
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (1)");
    let records = task.take(1).await;
    task.commit(&records);
    server.sql("insert into other select repeat('x', 1000) from generate_series(1, 1000)");
    let written = server.sql("select pg_current_wal_flush_lsn()");
    moves_behind(&server, &mut task, &written).await;
    // A kill: what the server knows is ahead of every record, not of what the offsets say.
    drop(task);
    let task = Running::start(&config, &store).await.unwrap();
    task.stop().await;

    // The server lets go of a slot a moment after its reader has gone.
    lavka_testkit::eventually("the slot to be free", Duration::from_secs(60), || {
        (server.sql("select active from pg_replication_slots") == "f").then_some(())
    });
    server.sql("select pg_drop_replication_slot('debezium')");
    server.sql("insert into t values (2)");
    server.sql("select pg_create_logical_replication_slot('debezium', 'pgoutput')");
    let error = Running::start(&config, &store).await.err().expect("two is lost").to_string();
    assert!(error.contains("created again") && error.contains("trust_slot"), "{error}");
    // What was lost is read again where that was asked for.
    let mut needed = config.clone();
    needed.set("snapshot.mode", "when_needed");
    let mut task = Running::start(&needed, &store).await.unwrap();
    assert_eq!(rows(&task.take(2).await, "id"), ["r1", "r2"]);
    task.stop().await;
    let mut trusting = config;
    trusting.set("offset.mismatch.strategy", "trust_slot");
    let mut task = Running::start(&trusting, &store).await.unwrap();
    server.sql("insert into t values (3)");
    assert_eq!(rows(&task.take(1).await, "id"), ["c3"]);
    task.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_together_with_its_server_goes_on_with_it() {
    let mut server = database();
    server.sql("create table t (id int primary key); create table other (v text)");
    // The time to tell of an idle stream does not come.
    let more = [
        ("snapshot.mode", "no_data"),
        ("table.include.list", "public.t"),
        ("status.update.interval.ms", "20000"),
    ];
    let (config, store) = (config(&server, &more), Store::default());
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (1)");
    let records = task.take(1).await;
    task.commit(&records);
    server.sql("insert into other select repeat('x', 1000) from generate_series(1, 1000)");
    // Makes a new place to read from, so that the server stores how far the slot is when it is told.
    server.sql("checkpoint; insert into other values ('')");
    // The server waits until its readers have everything, also what is not captured.
    let mut stopping = tokio::task::spawn_blocking(move || {
        server.stop();
        server
    });
    let mut server = loop {
        tokio::select! {
            stopped = &mut stopping => break stopped.unwrap(),
            polled = task.poll() => assert_eq!(polled.unwrap().len(), 0),
        }
    };
    task.stop().await;
    server.restart().unwrap();
    let mut task = Running::start(&config, &store).await.unwrap();
    server.sql("insert into t values (2)");
    assert_eq!(rows(&task.take(1).await, "id"), ["c2"]);
    task.stop().await;
}
