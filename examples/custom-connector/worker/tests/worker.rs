//! The worker of this example as a process: what its two plugins make of each other arrives in Kafka, and after a kill
//! the source goes on where it was.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lavka_testkit::{
    ConsumedRecord, LavkaCommand, LavkaProcess, RestClient, free_port, services, temp_dir, unique,
};
use serde_json::{Value, json};

/// Ends a test that hangs; nothing here takes as long.
const LIMIT: Duration = Duration::from_secs(60);
const VEHICLES: [&str; 3] = ["bus-1", "bus-2", "tram-7"];

struct Worker {
    process: LavkaProcess,
    rest: RestClient,
}

/// A file of the example, as the README uses it.
fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// Starts the worker on the tests' Kafka, with its files in `folder`.
fn start(folder: &Path) -> Worker {
    let url = format!("http://127.0.0.1:{}", free_port());
    let replaced = [
        ("bootstrap.servers", services().kafka.bootstrap().to_owned()),
        ("listeners", url.clone()),
        ("offset.storage.file.filename", folder.join("connect.offsets").display().to_string()),
    ];
    // Of two equal keys in a properties file the last counts.
    let lines: String = replaced.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let file = folder.join("worker.properties");
    std::fs::write(&file, example("worker.properties") + &lines + "offset.flush.interval.ms=100\n").unwrap();
    let mut process = LavkaCommand::new([file]).program(env!("CARGO_BIN_EXE_trip-worker")).start();
    let rest = process.wait_for_rest(&url, LIMIT);
    Worker { process, rest }
}

/// The connector of the example, with another topic and so many steps.
fn connector(topic: &str, steps: u32) -> Value {
    let mut connector: Value = serde_json::from_str(&example("trips.json")).unwrap();
    connector["config"]["topic"] = topic.into();
    connector["config"]["steps"] = steps.to_string().into();
    connector
}

/// How often each step of each vehicle is in the topic.
fn steps(records: &[ConsumedRecord]) -> BTreeMap<(String, i64), usize> {
    let mut steps = BTreeMap::new();
    for record in records {
        let vehicle = record.key_text().unwrap().to_owned();
        let value = record.value_json();
        *steps.entry((vehicle, value["step"].as_i64().unwrap())).or_default() += 1;
    }
    steps
}

#[test]
fn both_plugins_stand_beside_the_built_in_ones() {
    let folder = temp_dir();
    let Worker { mut process, rest } = start(folder.path());
    let plugins = rest.get("/connector-plugins?connectorsOnly=false").body;
    let classes: Vec<&str> =
        plugins.as_array().unwrap().iter().map(|it| it["class"].as_str().unwrap()).collect();
    for class in [
        "org.example.TripSourceConnector",
        "org.example.Geohash",
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "org.apache.kafka.connect.transforms.InsertField$Value",
    ] {
        assert!(classes.contains(&class), "{class} is not in {classes:?}");
    }
    // The declaration alone makes the answer to a configuration that cannot work.
    let mut wrong = connector("t", 1);
    wrong["config"]["steps"] = "0".into();
    wrong["config"]["transforms.where.precision"] = "13".into();
    let answer = rest.post("/connectors", &wrong);
    assert_eq!(answer.status, 400);
    for part in [
        "Invalid value 0 for configuration steps: Value must be at least 1",
        "Invalid value 13 for configuration precision: Value must be no more than 12",
    ] {
        assert!(answer.text.contains(part), "{}", answer.text);
    }
    assert!(process.stop().success());
}

#[test]
fn records_arrive_with_their_geohash_and_a_kill_loses_none() {
    const STEPS: u32 = 20_000;
    let folder = temp_dir();
    let topic = unique("trips");
    let kafka = services().kafka.client();
    kafka.create_topic(&topic, 1);

    let Worker { mut process, rest } = start(folder.path());
    let body = connector(&topic, STEPS);
    let answer = rest.post("/connectors", &body);
    assert_eq!(answer.status, 201, "{}", answer.text);
    let first = kafka.consume_count(&topic, 10, LIMIT);
    process.kill9();

    // A standalone worker has its connectors from those who start it; offsets it keeps.
    let Worker { mut process, rest } = start(folder.path());
    assert_eq!(rest.post("/connectors", &body).status, 201);
    let expected = VEHICLES.len() * usize::try_from(STEPS).unwrap();
    let all = lavka_testkit::eventually("every step of every vehicle", LIMIT, || {
        let records = kafka.consume_all(&topic);
        (steps(&records).len() >= expected).then_some(records)
    });
    let steps = steps(&all);
    assert_eq!(steps.len(), expected);
    for vehicle in VEHICLES {
        assert!((1..=i64::from(STEPS)).all(|step| steps.contains_key(&(vehicle.to_owned(), step))));
    }
    let value = first[0].value_json();
    // 59.5 south, 179.5 west: in the sea.
    assert_eq!(value, json!({"step": 1, "latitude": -59.5, "longitude": -179.5, "geohash": "0j2me"}));
    assert!(process.stop().success());
}
