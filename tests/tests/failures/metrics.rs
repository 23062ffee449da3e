//! What `GET /metrics` of the executable tells of the PostgreSQL source.

use std::collections::HashMap;

use lavka_testkit::{Postgres, PostgresConfig, RestClient, eventually, services, unique};

use crate::pipeline::with;
use crate::postgres::source;
use crate::standalone::{PATIENCE, Standalone};

/// Rows enough for somebody to see that they are being read.
const ROWS: u32 = 100_000;

/// Values of the source's metrics by context and attribute, and by the table if they are by table.
fn of_source(rest: &RestClient, prefix: &str) -> HashMap<String, f64> {
    let text = rest.get("/metrics").text;
    let mut values = HashMap::new();
    for line in text.lines() {
        let Some((name, value)) =
            line.strip_prefix("debezium_metrics_").and_then(|rest| rest.rsplit_once(' '))
        else {
            continue;
        };
        let (attribute, labels) = name.split_once('{').unwrap();
        let label = |wanted: &str| {
            labels.split(',').find_map(|label| label.strip_prefix(wanted)?.strip_prefix("=\""))
        };
        let label =
            |wanted: &str| label(wanted).map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
        for (wanted, value) in [("plugin", "postgres"), ("name", prefix), ("connector", "cdc"), ("task", "0")]
        {
            assert_eq!(label(wanted).as_deref(), Some(value), "{line}");
        }
        let table = label("table").map(|table| format!(" {table}")).unwrap_or_default();
        let name = format!("{}.{attribute}{table}", label("context").unwrap());
        values.insert(name, value.parse().unwrap());
    }
    values
}

#[test]
fn lag_slot_queue_and_snapshot_of_the_postgres_source_are_in_the_metrics() {
    let server = Postgres::start(&PostgresConfig::default()).unwrap();
    server.sql(&format!(
        "create table t (id int primary key, v text);
         insert into t select i, repeat('x', 100) from generate_series(1, {ROWS}) i; analyze t"
    ));
    let prefix = unique("seen");
    let topic = format!("{prefix}.public.t");
    let kafka = services().kafka.client();
    kafka.create_topic(&topic, 1);
    let config = with(source(&server, &prefix), "snapshot.mode", "initial");
    let worker = Standalone::new(services().kafka.bootstrap(), &[]).connector("cdc", &config);
    let (mut process, rest) = worker.serve();
    let value = |values: &HashMap<String, f64>, name: &str| values.get(name).copied().unwrap_or(f64::NAN);
    let all = f64::from(ROWS);
    // Under way: how far it is, and how long it will take.
    let seen = eventually("a snapshot under way", PATIENCE, || {
        let seen = of_source(&rest, &prefix);
        (value(&seen, "snapshot.SecondsLeftEstimated") > 0.0).then_some(seen)
    });
    assert_eq!(value(&seen, "snapshot.SnapshotRunning"), 1.0, "{seen:?}");
    assert_eq!(value(&seen, "snapshot.RowsEstimated"), all, "{seen:?}");
    let rows = value(&seen, "snapshot.RowsRead");
    assert!(rows > 0.0 && rows < all, "{seen:?}");
    assert!(value(&seen, "snapshot.RowsScanned public.t") > 0.0, "{seen:?}");
    assert_eq!(value(&seen, "snapshot.RemainingTableCount"), 1.0, "{seen:?}");
    // Read, and the stream runs.
    let seen = eventually("the stream", PATIENCE, || {
        let seen = of_source(&rest, &prefix);
        (value(&seen, "slot.Active") == 1.0).then_some(seen)
    });
    for (name, expected) in [
        ("snapshot.SnapshotCompleted", 1.0),
        ("snapshot.RowsScanned public.t", all),
        ("streaming.Connected", 1.0),
        ("streaming.QueueTotalCapacity", 8192.0),
        ("streaming.CapturedTables public.t", 1.0),
        ("slot.WalStatus", 0.0),
    ] {
        assert_eq!(value(&seen, name), expected, "{name} in {seen:?}");
    }
    for name in ["slot.LagBytes", "slot.RetainedBytes", "streaming.QueueRemainingCapacity"] {
        assert!(value(&seen, name) >= 0.0, "{name} in {seen:?}");
    }
    server.sql(&format!("insert into t values ({ROWS} + 1, 'y')"));
    eventually("the lag of a change", PATIENCE, || {
        let seen = of_source(&rest, &prefix);
        let known = ["MilliSecondsBehindSource", "MilliSecondsBehindSourceP99", "LastTransactionId"];
        known.iter().all(|name| value(&seen, &format!("streaming.{name}")) >= 0.0).then_some(())
    });
    let text = rest.get("/metrics").text;
    let written = format!(
        "kafka_connect_source_task_source_record_write_total{{connector=\"cdc\",task=\"0\"}} {}",
        ROWS + 1
    );
    eventually("every record to be written", PATIENCE, || {
        rest.get("/metrics").text.contains(&written).then_some(())
    });
    assert!(!text.contains(Postgres::PASSWORD), "{text}");
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
