//! The commands that need no Kafka, as a user runs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn lavka(arguments: &[&str], input: &str) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_lavka"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => panic!("lavka does not start: {error}"),
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    match child.wait_with_output() {
        Ok(output) => output,
        Err(error) => panic!("lavka does not end: {error}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A connector file in a folder that goes with the test.
fn connector(json: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    let path = folder.path().join("connector.json");
    std::fs::write(&path, json).unwrap_or_else(|error| panic!("{error}"));
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn version_and_plugins() {
    assert!(text(&lavka(&["--version"], "").stdout).starts_with("lavka "));
    let listed = lavka(&["plugins", "--json"], "");
    let plugins: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let classes: Vec<&str> = plugins.as_array().unwrap().iter().filter_map(|p| p["class"].as_str()).collect();
    for class in [
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "io.confluent.connect.mqtt.MqttSourceConnector",
        "org.apache.kafka.connect.json.JsonConverter",
        "org.apache.kafka.connect.transforms.Cast$Value",
        "io.lavka.transforms.Score",
    ] {
        assert!(classes.contains(&class), "{class} is not listed");
    }
}

#[test]
fn check_explains_each_key_and_tells_by_its_status() {
    let (_folder, good) = connector(
        r#"{"name":"c","connector.class":"FileStreamSink","topics":"t","file":"x","task.max":"1","config.action.reload":"none"}"#,
    );
    let answer = lavka(&["check", &good], "");
    let out = text(&answer.stdout);
    assert!(answer.status.success(), "{out}{}", text(&answer.stderr));
    assert!(out.contains("  ok       topics\n"), "{out}");
    assert!(out.contains("  unknown  task.max; did you mean tasks.max?\n"), "{out}");
    assert!(out.contains("  ignored  config.action.reload: "), "{out}");
    assert!(out.ends_with("It would start.\n"), "{out}");

    let (_folder, bad) = connector(r#"{"name":"c","connector.class":"FileStreamSink","tasks.max":"0"}"#);
    let answer = lavka(&["check", &bad], "");
    assert!(!answer.status.success());
    assert!(text(&answer.stdout).contains("Value must be at least 1"), "{}", text(&answer.stdout));

    let (_folder, unknown) = connector(r#"{"name":"c","connector.class":"FileStreamSonk"}"#);
    let answer = lavka(&["check", &unknown], "");
    assert!(!answer.status.success());
    assert!(text(&answer.stderr).contains("FileStreamSink"), "{}", text(&answer.stderr));
}

#[test]
fn transform_shows_results_drops_and_errors() {
    let (_folder, path) = connector(
        r#"{
            "name": "c", "connector.class": "FileStreamSink", "topics": "t",
            "transforms": "drop,cast,route",
            "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
            "transforms.drop.predicate": "tombstone",
            "predicates": "tombstone",
            "predicates.tombstone.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
            "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Value",
            "transforms.cast.spec": "a:int8",
            "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.route.regex": "(.*)",
            "transforms.route.replacement": "new-$1"
        }"#,
    );
    let records = "{\"topic\":\"t\",\"offset\":1,\"value\":{\"a\":300}}\n{\"topic\":\"t\",\"offset\":2,\"value\":null}\n\
                   {\"topic\":\"t\",\"offset\":3,\"value\":{\"a\":\"x\"}}\n";
    let answer = lavka(&["transform", &path], records);
    let lines: Vec<serde_json::Value> =
        text(&answer.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{}", text(&answer.stderr));
    assert_eq!((lines[0]["topic"].as_str(), lines[0]["value"]["a"].as_i64()), (Some("new-t"), Some(44)));
    assert_eq!(lines[1]["dropped"].as_bool(), Some(true));
    assert_eq!(lines[2]["error"]["stage"].as_str(), Some("TRANSFORMATION"));
    assert!(!answer.status.success(), "an error shows in the status");
}
