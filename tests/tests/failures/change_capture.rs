//! The PostgreSQL source in the executable: what is wrong is told over REST and in the log, a Kafka without room, signals of
//! a real topic.

use std::time::Duration;

use lavka_devbroker::Fault;
use lavka_testkit::{
    KafkaClient, NewRecord, Postgres, PostgresConfig, RestClient, eventually, services, unique,
};
use serde_json::{Value, json};

use crate::elections::with_broker;
use crate::pipeline::with;
use crate::postgres::{ids, ids_in, source};
use crate::standalone::{PATIENCE, Standalone, wait_for_task};

/// What validation over REST says of a configuration: `key: error`.
fn errors(rest: &RestClient, config: &Value) -> Vec<String> {
    let answer = rest.put("/connector-plugins/PostgresConnector/config/validate", config);
    let infos = answer.body["configs"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    let of = |info: &Value| {
        let (name, errors) =
            (info["value"]["name"].clone(), info["value"]["errors"].as_array().unwrap().clone());
        let text = |json: &Value| json.as_str().unwrap().to_owned();
        errors.iter().map(|error| format!("{}: {}", text(&name), text(error))).collect::<Vec<_>>()
    };
    infos.iter().flat_map(of).collect()
}

#[test]
fn bad_configurations_of_the_postgres_source_are_told_over_rest_and_odd_tables_in_the_log() {
    let server = Postgres::start(&PostgresConfig::default()).unwrap();
    server.sql(
        "create table plain (v text); create table t (id int primary key, v text, odd pg_snapshot);
         insert into t values (1, 'a', '1:1:'); insert into plain values ('a'); create publication others for table t",
    );
    let replica = PostgresConfig {
        settings: vec!["wal_level = replica".into(), "max_replication_slots = 0".into()],
        ..PostgresConfig::default()
    };
    let replica = Postgres::start(&replica).unwrap();
    replica.sql("create role somebody login password 'p'");
    let (mut process, rest) = Standalone::new(services().kafka.bootstrap(), &[]).serve();
    let prefix = unique("bad");
    let config = |server: &Postgres, entries: &[(&str, &str)]| {
        let named = with(source(server, &prefix), "name", "bad");
        entries.iter().fold(named, |config, (key, value)| with(config, key, value))
    };
    assert_eq!(errors(&rest, &config(&server, &[])), Vec::<String>::new());
    for (server, entries, parts) in [
        (&replica, &[][..], &["database.hostname: ", "wal_level", "ALTER SYSTEM SET wal_level"][..]),
        (
            &replica,
            &[],
            &["slot.name: ", "All 0 replication slots are in use", "Raise max_replication_slots"],
        ),
        (
            &replica,
            &[("database.user", "somebody"), ("database.password", "p")],
            &["database.user: ", "ALTER ROLE \"somebody\" REPLICATION"],
        ),
        (&server, &[("database.password", "wrong")], &["Check database.user and database.password"]),
        (&server, &[("database.sslmode", "require")], &["TLS failed", "database.sslmode"]),
        (
            &server,
            &[("publication.autocreate.mode", "disabled")],
            &["publication.name: ", "CREATE PUBLICATION \"dbz_publication\""],
        ),
        (
            &server,
            &[
                ("publication.autocreate.mode", "disabled"),
                ("publication.name", "others"),
                ("table.include.list", "public.plain"),
            ],
            &["publication.name: ", "ALTER PUBLICATION \"others\" ADD TABLE \"public\".\"plain\""],
        ),
        (
            &server,
            &[("table.include.list", "a,(")],
            &["table.include.list: ", "regular expressions is expected"],
        ),
        (
            &server,
            &[("column.include.list", "(")],
            &["column.include.list: ", "regular expressions is expected"],
        ),
        (&server, &[("message.key.columns", "t")], &["message.key.columns: ", "t has an invalid format"]),
    ] {
        let found = errors(&rest, &config(server, entries));
        let told = found.iter().any(|error| parts.iter().all(|part| error.contains(part)));
        assert!(told, "{entries:?}: {found:?}");
    }
    // What validation finds is no connector.
    let wrong = config(&server, &[("database.password", "wrong")]);
    let refused = rest.post("/connectors", &json!({"name": "bad", "config": wrong}));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("Check database.user and database.password"), "{}", refused.text);

    // Tables that can be read, but not all of them or not as one might think.
    let topic = format!("{prefix}.public.t");
    services().kafka.client().create_topic(&topic, 1);
    let created = rest.post("/connectors", &json!({"name": "bad", "config": config(&server, &[])}));
    assert_eq!(created.status, 201, "{}", created.text);
    let records = services().kafka.client().consume_count(&topic, 1, PATIENCE);
    assert_eq!(records[0].value_json()["after"], json!({"id": 1, "v": "a"}), "the odd column is left out");
    process.wait_for_log(
        "1 of the captured tables (public.plain among them) have no replica identity",
        PATIENCE,
    );
    process.wait_for_log("ALTER TABLE \"public\".\"plain\" REPLICA IDENTITY FULL", PATIENCE);
    process.wait_for_log("its type is not supported (see include.unknown.datatypes)", PATIENCE);
    // A slot in use: the second connector says who reads it.
    let second = config(&server, &[("slot.max.retries", "1"), ("topic.prefix", "other"), ("name", "second")]);
    assert_eq!(rest.post("/connectors", &json!({"name": "second", "config": second})).status, 201);
    let trace = crate::standalone::wait_for_trace(&rest, "second");
    for part in ["is active for PID", "own slot.name", "pg_terminate_backend"] {
        assert!(trace.contains(part), "{trace}");
    }
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// The server goes on hearing of the source, keeps what Kafka does not have, and the worker holds no more of it than its
/// queues take.
#[test]
fn a_kafka_without_room_costs_time_and_nothing_of_the_changes() {
    with_broker(|broker| {
        // The server drops whom it has not heard of for five seconds.
        let settings = vec!["wal_sender_timeout = '5s'".to_owned()];
        let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
        server.sql("create table t (id bigint primary key, v text)");
        let kafka = KafkaClient::new(broker.bootstrap());
        let topic = "full.public.t";
        kafka.create_topic(topic, 1);
        let mut config = source(&server, "full");
        for (key, value) in [
            ("snapshot.mode", "no_data"),
            ("max.queue.size.in.bytes", "2000000"),
            ("producer.override.buffer.memory", "4000000"),
        ] {
            config = with(config, key, value);
        }
        let worker = Standalone::new(&broker.bootstrap(), &[]).connector("cdc", &config);
        let (mut process, rest) = worker.serve();
        wait_for_task(&rest, "cdc", "RUNNING");
        server.sql("insert into t values (1, 'first')");
        eventually("the first", PATIENCE, || (ids_in(&kafka, topic) == [1]).then_some(()));
        let before = process.resident_bytes();

        broker.set_faults(vec!["full-disk:after=0s".parse::<Fault>().unwrap()]);
        // Eighty megabytes, in a transaction of one row and one of many.
        const ROWS: u64 = 20_002;
        server.sql("insert into t values (2, 'refused')");
        // The end of the first, whether or not it is on the disk: this server does not wait for that.
        let place = server.sql("select pg_current_wal_insert_lsn()");
        server.sql(&format!("insert into t select i, repeat('x', 4000) from generate_series(3, {ROWS}) i"));
        let reader = "select pid from pg_stat_replication";
        let pid = server.sql(reader);
        assert!(!pid.is_empty());
        // Three times as long as the server waits for us.
        std::thread::sleep(Duration::from_secs(16));
        assert!(broker.faults().iter().any(|(_, struck)| *struck > 0), "nothing was refused");
        assert_eq!(server.sql(reader), pid, "the server goes on hearing of us");
        let behind =
            "select bool_and(confirmed_flush_lsn < '{}') from pg_replication_slots".replace("{}", &place);
        assert_eq!(server.sql(&behind), "t", "the server keeps what Kafka does not have");
        let taken = process.resident_bytes().saturating_sub(before);
        assert!(taken < 40_000_000, "{taken} bytes for what Kafka does not take");
        wait_for_task(&rest, "cdc", "RUNNING");

        broker.set_faults(Vec::new());
        eventually("everything", 2 * PATIENCE, || {
            (ids_in(&kafka, topic).last() == Some(&ROWS)).then_some(())
        });
        assert_eq!(ids_in(&kafka, topic), (1..=ROWS).collect::<Vec<_>>(), "each change once, in order");
        eventually("the slot to move", PATIENCE, || (server.sql(&behind) == "f").then_some(()));
        assert!(process.stop().success(), "{}", process.log_tail(20));
    });
}

#[test]
fn signals_of_a_kafka_topic_are_taken_once() {
    let kafka = services().kafka.client();
    let server = Postgres::start(&PostgresConfig::default()).unwrap();
    server.sql("create table t (id bigint primary key, v text); insert into t select i, 'old' from generate_series(1, 30) i");
    let prefix = unique("signalled");
    let (topic, signals) = (format!("{prefix}.public.t"), format!("{prefix}-signal"));
    kafka.create_topic(&topic, 1);
    kafka.create_topic(&signals, 1);
    let signal = |key: &str, id: &str| {
        let data = r#"{"data-collections":["public.t"],"type":"incremental"}"#;
        let text = format!(r#"{{"id":"{id}","type":"execute-snapshot","data":{data}}}"#);
        kafka.produce(&signals, [NewRecord::of(text).key(key)]);
    };
    let mut config = source(&server, &prefix);
    for (key, value) in [
        ("snapshot.mode", "no_data"),
        ("read.only", "true"),
        ("signal.enabled.channels", "kafka"),
        ("signal.kafka.topic", &signals),
        ("signal.kafka.bootstrap.servers", services().kafka.bootstrap()),
        ("signal.kafka.groupId", &prefix),
        ("incremental.snapshot.chunk.size", "7"),
    ] {
        config = with(config, key, value);
    }
    let worker = Standalone::new(services().kafka.bootstrap(), &[]).connector("cdc", &config);
    let (mut process, rest) = worker.serve();
    wait_for_task(&rest, "cdc", "RUNNING");
    signal("somebody else", "s0");
    signal(&prefix, "s1");
    let whole: Vec<u64> = (1..=30).collect();
    eventually("the rows", PATIENCE, || (ids(&topic).len() >= 30).then_some(()));
    assert_eq!(ids(&topic), whole);
    eventually("the signal to be dealt with", PATIENCE, || {
        (kafka.committed(&prefix, &signals) == [Some(2)]).then_some(())
    });
    assert!(process.stop().success(), "{}", process.log_tail(20));

    // A restart does not take it again, and takes what has come meanwhile.
    server.sql("insert into t values (31, 'new')");
    let (mut process, _) = worker.serve();
    eventually("the change", PATIENCE, || (ids(&topic).last() == Some(&31)).then_some(()));
    assert_eq!(ids(&topic).len(), 31);
    signal(&prefix, "s2");
    eventually("the rows again", PATIENCE, || (ids(&topic).len() >= 62).then_some(()));
    assert_eq!(ids(&topic)[31..], (1..=31).collect::<Vec<u64>>());
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
