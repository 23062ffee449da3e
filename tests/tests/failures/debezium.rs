//! A running Debezium connector is moved here and back: under load, without a new snapshot, without loss.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lavka_testkit::{
    JarSet, Jars, JavaWorker, LavkaCommand, Postgres, PostgresConfig, cannot_run, eventually, free_port,
    services, temp_dir, unique, write_file,
};
use serde_json::{Value, json};

use crate::standalone::{PATIENCE, wait_for_task};

/// How long Java's worker may take for anything.
const SLOWEST: Duration = Duration::from_secs(120);

/// Java's worker, on the files that ours had or will have.
fn start(jars: &Jars, port: u16, files: &[&Path]) -> JavaWorker {
    let options = ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];
    let log = files[0].with_extension("log");
    JavaWorker::start(jars, &options, files, port, &log).unwrap()
}

/// The operation and id of each record of the topic.
fn rows(topic: &str) -> Vec<(String, u64)> {
    let all = services().kafka.client().consume_all(topic);
    all.iter()
        .map(|record| {
            let value: Value = serde_json::from_str(record.value_text().unwrap()).unwrap();
            (value["op"].as_str().unwrap().to_owned(), value["after"]["id"].as_u64().unwrap())
        })
        .collect()
}

fn wait_for_more(topic: &str, more: usize) {
    let before = services().kafka.client().end_offsets(topic).iter().sum::<i64>();
    eventually("more records", SLOWEST, || {
        let now = services().kafka.client().end_offsets(topic).iter().sum::<i64>();
        (now >= before + i64::try_from(more).unwrap()).then_some(())
    });
}

/// Transactions one after the other, until told to stop; says up to which id.
fn write(server: &Postgres, stop: &AtomicBool, written: &AtomicU64) {
    for size in [1, 7, 60, 2, 300].into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let from = written.load(Ordering::Relaxed) + 1;
        let to = from + size - 1;
        server.sql(&format!(
            "begin; insert into other select generate_series(1, 20);
             insert into t select i, 'v' from generate_series({from}, {to}) i; commit"
        ));
        written.store(to, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_running_connector_is_moved_from_debezium_and_back() {
    let test = "the move of a connector from Debezium and back";
    let jars = match Jars::resolve(JarSet::DebeziumPostgres) {
        Ok(jars) => jars,
        Err(why) => {
            return cannot_run(test, &format!("Debezium's jars: {}", lavka_testkit::Failure::from(why)));
        }
    };
    // Builds the executable, if that is to be done.
    let _ = LavkaCommand::new(["--version"]).output();
    let server = Arc::new(Postgres::start(&PostgresConfig::default()).unwrap());
    server.sql(
        "create table t (id bigint primary key, v text); create table other (n int);
                insert into t select i, 'v' from generate_series(1, 100) i",
    );
    let prefix = unique("moved");
    let topic = format!("{prefix}.public.t");
    services().kafka.client().create_topic(&topic, 1);

    let folder = temp_dir();
    let port = free_port();
    let worker = write_file(
        folder.path(),
        "worker.properties",
        format!(
            "bootstrap.servers={}\nkey.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n\
             offset.storage.file.filename={}\noffset.flush.interval.ms=500\nlisteners=http://127.0.0.1:{port}\n",
            services().kafka.bootstrap(),
            folder.path().join("connect.offsets").display()
        ),
    );
    let config = [
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector".to_owned()),
        ("topic.prefix", prefix),
        ("database.hostname", "127.0.0.1".into()),
        ("database.port", server.port().to_string()),
        ("database.user", Postgres::USER.into()),
        ("database.password", Postgres::PASSWORD.into()),
        ("database.dbname", Postgres::DATABASE.into()),
        ("plugin.name", "pgoutput".into()),
        ("table.include.list", "public.t".into()),
        ("publication.autocreate.mode", "filtered".into()),
    ];
    let lines: String = config.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let connector = write_file(folder.path(), "cdc.properties", format!("name=cdc\n{lines}"));
    let files = [worker.as_path(), connector.as_path()];

    // Debezium takes the snapshot and streams; then its files are ours.
    let java = start(&jars, port, &files);
    // A snapshot that is not finished would be read again, by either.
    eventually("the snapshot", SLOWEST, || {
        (services().kafka.client().end_offsets(&topic) == [100]).then_some(())
    });
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(100)));
    let writing = {
        let (server, stop, written) = (Arc::clone(&server), Arc::clone(&stop), Arc::clone(&written));
        std::thread::spawn(move || write(&server, &stop, &written))
    };
    wait_for_more(&topic, 300);
    java.stop();
    let ours = LavkaCommand::new(["standalone".as_ref(), files[0].as_os_str(), files[1].as_os_str()]);
    let mut process = ours.start();
    let rest = process.wait_for_announced_rest(PATIENCE);
    wait_for_task(&rest, "cdc", "RUNNING");
    wait_for_more(&topic, 300);

    // Back, by the offsets that REST tells, into a worker that has never had any.
    let stopped = rest.send("PUT", "/connectors/cdc/stop", &[], None);
    assert_eq!(stopped.status, 204, "{}", stopped.text);
    let offsets = eventually("the connector to stop", PATIENCE, || {
        let status = rest.get("/connectors/cdc/status");
        let tasks = status.body["tasks"].as_array().map_or(1, Vec::len);
        (status.body["connector"]["state"] == "STOPPED" && tasks == 0)
            .then(|| rest.get("/connectors/cdc/offsets").body)
    });
    process.stop();
    std::fs::remove_file(folder.path().join("connect.offsets")).unwrap();
    let java = start(&jars, port, &files[..1]);
    let config: serde_json::Map<String, Value> =
        config.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))).collect();
    let body = json!({"name": "cdc", "config": config, "initial_state": "STOPPED"});
    let created = java.rest().post("/connectors", &body);
    assert_eq!(created.status, 201, "{}", created.text);
    let patched = eventually("the offsets to be taken", PATIENCE, || {
        Some(java.rest().patch("/connectors/cdc/offsets", &offsets)).filter(|answer| answer.status != 409)
    });
    assert_eq!(patched.status, 200, "{} {offsets}", patched.text);
    let resumed = java.rest().send("PUT", "/connectors/cdc/resume", &[], None);
    assert_eq!(resumed.status, 202, "{}", resumed.text);
    wait_for_more(&topic, 300);
    stop.store(true, Ordering::Relaxed);
    writing.join().unwrap();

    let last = written.load(Ordering::Relaxed);
    let deadline = Instant::now() + SLOWEST;
    let rows = loop {
        let rows = rows(&topic);
        if rows.iter().any(|(_, id)| *id == last) {
            break rows;
        }
        assert!(Instant::now() < deadline, "{last} is missing, {:?} came last", rows.last());
        std::thread::sleep(Duration::from_millis(300));
    };
    java.stop();
    let ids: Vec<u64> = rows.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, (1..=last).collect::<Vec<u64>>(), "each row once, in order");
    let read = rows.iter().filter(|(op, _)| op == "r").count();
    assert!(rows[..read].iter().all(|(op, _)| op == "r"), "rows were read by the first snapshot alone");
}
