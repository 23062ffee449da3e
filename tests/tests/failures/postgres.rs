//! Changes of PostgreSQL through the real executable, killed again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lavka_testkit::{Chance, KafkaClient, Postgres, PostgresConfig, count, services, unique};
use serde_json::{Value, json};

use crate::standalone::{PATIENCE, Standalone, wait_for_task};

/// A table `t`, read into one partition.
pub(crate) fn source(server: &Postgres, prefix: &str) -> Value {
    json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "topic.prefix": prefix,
        "database.hostname": "127.0.0.1",
        "database.port": server.port().to_string(),
        "database.user": Postgres::USER,
        "database.password": Postgres::PASSWORD,
        "database.dbname": Postgres::DATABASE,
        "plugin.name": "pgoutput",
        "max.batch.size": "100",
        "status.update.interval.ms": "200",
        "retriable.restart.connector.wait.ms": "300",
        "slot.retry.delay.ms": "200",
        "slot.max.retries": "1000",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
    })
}

/// The ids of a topic's rows, in order.
pub(crate) fn ids(topic: &str) -> Vec<u64> {
    ids_in(&services().kafka.client(), topic)
}

/// The same of another Kafka's.
pub(crate) fn ids_in(kafka: &KafkaClient, topic: &str) -> Vec<u64> {
    kafka
        .consume_all(topic)
        .iter()
        .filter_map(|record| {
            let value: Value = serde_json::from_str(record.value_text()?).unwrap();
            value["after"]["id"].as_u64()
        })
        .collect()
}

/// Where an id comes that was not the next, and is no repetition of what came before.
fn gaps(ids: &[u64]) -> Vec<String> {
    let mut newest = 0;
    let mut gaps = Vec::new();
    for &id in ids {
        if id > newest + 1 {
            gaps.push(format!("{id} after {newest}"));
        }
        newest = newest.max(id);
    }
    gaps
}

#[test]
fn kills_within_large_transactions_lose_nothing_and_keep_the_order() {
    let server = Arc::new(Postgres::start(&PostgresConfig::default()).unwrap());
    server.sql("create table t (id bigint primary key, v text); insert into t select i, 'snapshot' from generate_series(1, 500) i");
    let prefix = unique("pg");
    let topic = format!("{prefix}.public.t");
    services().kafka.client().create_topic(&topic, 1);
    let worker =
        Standalone::new(services().kafka.bootstrap(), &[]).connector("cdc", &source(&server, &prefix));
    let mut chance = Chance::new();

    let written = Arc::new(AtomicU64::new(500));
    let (writer, counter) = (Arc::clone(&server), Arc::clone(&written));
    let rounds = count(20, 300);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn(move || {
        // Transactions of one row to some hundreds, several batches of the connector.
        for size in [1, 40, 900, 2, 200].into_iter().cycle() {
            let from = counter.load(Ordering::Relaxed) + 1;
            writer.sql(&format!(
                "insert into t select i, repeat('x', 50) from generate_series({from}, {}) i",
                from + size - 1
            ));
            counter.store(from + size - 1, Ordering::Relaxed);
            if stopped.recv_timeout(Duration::from_millis(400)).is_ok() {
                return;
            }
        }
    });
    for _ in 0..rounds {
        let mut process = worker.start();
        std::thread::sleep(Duration::from_millis(300 + chance.below(1500)));
        process.kill9();
    }
    stop.send(()).unwrap();
    writing.join().unwrap();
    let written = written.load(Ordering::Relaxed);

    let (mut process, rest) = worker.serve();
    wait_for_task(&rest, "cdc", "RUNNING");
    let deadline = std::time::Instant::now() + 2 * PATIENCE;
    loop {
        let ids = ids(&topic);
        assert_eq!(gaps(&ids), Vec::<String>::new(), "LAVKA_SEED={}", chance.seed());
        if ids.iter().max() == Some(&written) {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{:?} of {written}; the log's end:\n{}",
            ids.iter().max(),
            process.log_tail(20)
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    process.stop();
    // An orderly stop commits, so nothing comes again.
    let before = ids(&topic).len();
    server.sql(&format!("insert into t values ({}, 'last')", written + 1));
    let (mut process, _) = worker.serve();
    let records = services().kafka.client().consume_count(&topic, before + 1, PATIENCE);
    assert_eq!(records.len(), before + 1);
    process.stop();
}
