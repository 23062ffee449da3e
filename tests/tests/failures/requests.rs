//! Requests and files that are wrong: each is refused with the key, the place and the remedy, and changes nothing.

use lavka_testkit::{LavkaCommand, LavkaOutput, RestAnswer, services, temp_dir, write_file};
use serde_json::{Value, json};

use crate::standalone::Standalone;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Asserts a refusal whose message has each of the parts.
#[track_caller]
fn refused(answer: &RestAnswer, status: u16, parts: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.body["error_code"], status, "{}", answer.text);
    let message = answer.body["message"].as_str().unwrap();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message:?}");
    }
}

#[test]
fn what_is_posted_wrong_is_refused_with_what_is_wrong_and_where() {
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();

    // Broken JSON, and JSON of another shape: the place is in the message.
    let text =
        |method: &str, path: &str, body: &str| rest.send(method, path, JSON, Some(body.as_bytes().to_vec()));
    refused(&text("POST", "/connectors", "{\"name\": \"x\",\n \"config\": {"), 400, &["line 2 column 12"]);
    refused(&text("POST", "/connectors", "\u{0}\u{1}"), 400, &["line 1 column 1"]);
    refused(&text("POST", "/connectors", "[]"), 400, &["Array"]);
    refused(&text("POST", "/connectors", "{\"name\":\"x\"}"), 400, &["\"config\" is missing"]);
    refused(
        &text("POST", "/connectors", "{\"name\":\"x\",\"config\":{\"topic\":[\"a\"]}}"),
        400,
        &["\"topic\""],
    );
    refused(&text("PUT", "/connectors/x/config", "{\"connector.class\":"), 400, &["line 1 column 19"]);
    refused(&text("PATCH", "/connectors/x/offsets", "{\"offsets\": 1}"), 400, &["offsets"]);
    let plain = rest.send("POST", "/connectors", &[("content-type", "text/plain")], Some(b"{}".to_vec()));
    assert_eq!(plain.status, 415, "{}", plain.text);

    // Classes that are not there.
    let post = |config: Value| rest.post("/connectors", &json!({"name": "x", "config": config}));
    refused(&post(json!({})), 400, &["Connector config {name=x} contains no connector type"]);
    refused(
        &post(json!({"connector.class": "io.confluent.connect.mqt.MqttSourceConnector"})),
        400,
        &[
            "io.confluent.connect.mqt.MqttSourceConnector",
            "did you mean io.confluent.connect.mqtt.MqttSourceConnector?",
        ],
    );
    let source = |key: &str, value: &str| {
        let mut config = json!({"connector.class": "FileStreamSource", "topic": "t", "file": "/nowhere/in"});
        config[key] = value.into();
        config
    };
    refused(
        &post(source("value.converter", "org.apache.kafka.connect.json.JsonKonverter")),
        400,
        &["value.converter", "org.apache.kafka.connect.json.JsonKonverter", "JsonConverter"],
    );
    let mut config = source("transforms", "t");
    config["transforms.t.type"] = "org.apache.kafka.connect.transforms.InsertFeld$Value".into();
    refused(&post(config), 400, &["transforms.t.type", "InsertField$Value"]);

    // Keys that are missing or of another type, all in one answer.
    refused(
        &post(json!({"connector.class": "MqttSource"})),
        400,
        &[
            "Connector configuration is invalid and contains the following 2 error(s):",
            "Missing required configuration \"mqtt.server.uri\" which has no default value.",
            "Missing required configuration \"mqtt.topics\" which has no default value.",
            "/connector-plugins/{connectorType}/config/validate",
        ],
    );
    refused(
        &post(json!({
            "connector.class": "MqttSource", "tasks.max": "many", "mqtt.server.uri": "localhost",
            "mqtt.topics": "a", "mqtt.qos": 3, "mqtt.clean.session.enabled": "maybe",
        })),
        400,
        &[
            "Invalid value many for configuration tasks.max: Not a number of type INT",
            "mqtt.server.uri: \"localhost\" is not the address of an MQTT server: write tcp://host:1883",
            "Invalid value 3 for configuration mqtt.qos: Value must be no more than 2",
            "Invalid value maybe for configuration mqtt.clean.session.enabled: Expected value to be either true or false",
        ],
    );
    refused(
        &post(
            json!({"connector.class": "io.lavka.connect.lake.LakeSinkConnector", "topics": "t", "flush.size": "x"}),
        ),
        400,
        &["Invalid value x for configuration flush.size: Not a number of type INT"],
    );
    refused(
        &post(json!({
            "connector.class": "io.lavka.connect.lake.LakeSinkConnector", "topics": "t", "flush.size": 1,
            "store.url": "ftp://there",
        })),
        400,
        &["store.url", "ftp"],
    );

    // Nothing of all that is left, and the next request is served.
    assert_eq!(rest.get("/connectors").body, json!([]));
    let folder = temp_dir();
    let input = write_file(folder.path(), "in", "");
    let created = post(json!({"connector.class": "FileStreamSource", "topic": "t", "file": input}));
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}

/// Runs `lavka standalone` with a worker file and connector files, which it has to refuse.
fn standalone(worker: &str, connectors: &[(&str, &str)]) -> LavkaOutput {
    let folder = temp_dir();
    write_file(folder.path(), "worker.properties", worker);
    for (name, text) in connectors {
        write_file(folder.path(), name, text);
    }
    let names = connectors.iter().map(|(name, _)| *name);
    LavkaCommand::new(["standalone", "worker.properties"]).args(names).directory(folder.path()).output()
}

const WORKER: &str = "\
bootstrap.servers=127.0.0.1:9
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=offsets
listeners=http://127.0.0.1:0
";

#[test]
fn worker_files_that_are_wrong_name_key_and_line() {
    let with = |line: &str| format!("{WORKER}{line}\n");
    for (text, parts) in [
        (with("plugin.path=\\u12"), &["worker.properties", "line 6: malformed \\uXXXX escape '\\u12'"][..]),
        (
            with("offset.flush.interval.ms=soon"),
            &["Invalid value soon for configuration offset.flush.interval.ms"],
        ),
        (WORKER.replace("value.converter", "valu.converter"), &["\"value.converter\""]),
        (
            with("value.converter=org.apache.kafka.connect.json.JsonKonverter"),
            &["value.converter", "did you mean org.apache.kafka.connect.json.JsonConverter?"],
        ),
        (with("bootstrap.servers=nonsense"), &["Invalid url in bootstrap.servers: nonsense"]),
        (with("listeners=http://127.0.0.1:99999"), &["listeners", "127.0.0.1:99999"]),
        (
            with("offset.storage.file.filename=nowhere/offsets"),
            &["offset.storage.file.filename", "nowhere does not exist; create it"],
        ),
    ] {
        let output = standalone(&text, &[]);
        assert_eq!(output.status.code(), Some(1), "{text}: {output:?}");
        for part in parts {
            assert!(output.stderr.contains(part), "no {part:?} in {:?}", output.stderr);
        }
    }
    let folder = temp_dir();
    let garbage = write_file(folder.path(), "offsets", "not what Java wrote");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (line, parts) in [
        (
            format!("offset.storage.file.filename={}", garbage.display()),
            [&garbage.display().to_string(), "offset.storage.file.filename", "name another file"],
        ),
        (format!("listeners=http://{address}"), [&address, "listeners", "choose another"]),
    ] {
        let output = standalone(&with(&line), &[]);
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        for part in parts {
            assert!(output.stderr.contains(part), "no {part:?} in {:?}", output.stderr);
        }
    }
    assert_eq!(
        std::fs::read_to_string(&garbage).unwrap(),
        "not what Java wrote",
        "a file that is not ours is left alone"
    );
    let missing = LavkaCommand::new(["standalone", "/nowhere/worker.properties"]).output();
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("/nowhere/worker.properties"), "{}", missing.stderr);
}

#[test]
fn connector_files_that_are_wrong_name_file_and_place() {
    for (name, text, parts) in [
        (
            "c.properties",
            "name=c\nconnector.class=FileStreamSource\nfile=\\u00zz\n",
            &["c.properties", "line 3: malformed"][..],
        ),
        (
            "c.json",
            "{\"name\":\"c\",\n \"config\": {\"connector.class\": }}",
            &["c.json", "line 2", "column 32"],
        ),
        ("c.json", "{\"name\":\"c\",\"config\":{\"topic\":[1]}}", &["c.json", "\"topic\""]),
        ("c.properties", "connector.class=FileStreamSource\n", &["c.properties", "name"]),
        (
            "c.properties",
            "name=c\nconnector.class=FileStreamSorce\n",
            &["connector 'c'", "did you mean org.apache.kafka.connect.file.FileStreamSourceConnector?"],
        ),
        (
            "c.properties",
            "name=c\nconnector.class=FileStreamSource\nfile=in\ntopic\n",
            &["connector 'c'", "Invalid value  for configuration topic: String must be non-empty"],
        ),
    ] {
        let output = standalone(WORKER, &[(name, text)]);
        // The exit status of connect-standalone for a connector that it cannot start.
        assert_eq!(output.status.code(), Some(3), "{text}: {output:?}");
        for part in parts {
            assert!(output.stderr.contains(part), "no {part:?} in {:?}", output.stderr);
        }
    }
}
