//! Secrets are shown where Connect shows them, in configurations, and nowhere else.

use lavka_testkit::RestAnswer;
use serde_json::{Value, json};

use crate::plugins::{MARK, SINK, SOURCE, STRICT};
use crate::server::{Server, log};

const SECRET: &str = "hunter2-never-shown";

fn with(extra: Value) -> Value {
    let mut config = json!({
        "connector.class": SOURCE,
        "script.secret": SECRET,
        "some.password": SECRET,
        "producer.override.sasl.jaas.config": SECRET,
        "producer.override.ssl.keystore.key": SECRET,
    });
    let Value::Object(extra) = extra else { panic!("{extra} is no object") };
    config.as_object_mut().unwrap().extend(extra);
    config
}

#[track_caller]
fn silent(answer: &RestAnswer) {
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
    assert!(answer.headers.iter().all(|(_, value)| !value.contains(SECRET)));
}

#[test]
fn secrets_are_in_no_error_no_trace_and_no_log() {
    let server = Server::with(&[("connector.client.config.override.policy", "None")]);
    let client = server.client();
    let json = [("content-type", "application/json")];
    let mut answers = Vec::new();
    for config in [
        with(json!({ "tasks.max": 0 })),
        with(json!({})),
        with(json!({ "connector.class": "Nope" })),
        with(json!({ "connector.class": null })),
        with(json!({ "connector.class": SINK })),
        with(json!({ "name": "other" })),
        with(json!({ "script.secret": null })),
        with(json!({ "script.secret": { "nested": SECRET } })),
        with(
            json!({ "value.converter": STRICT, "value.converter.strict": "maybe", "value.converter.password": SECRET }),
        ),
        with(json!({ "transforms": "a", "transforms.a.type": MARK, "transforms.a.password": SECRET })),
        with(json!({ "script.fail": "validate-panics" })),
    ] {
        let answer = client.post("/connectors", &json!({ "name": "x", "config": config }));
        assert!(answer.status >= 400, "{}", answer.text);
        answers.push(answer);
        answers.push(client.put("/connector-plugins/ScriptedSource/config/validate", &config));
    }
    for body in [
        format!("{{\"name\":\"x\",\"config\":{{\"a\":\"{SECRET}"),
        format!("{{\"name\":\"x\",\"config\":\"{SECRET}\"}}"),
        format!("{{\"name\":\"x\",\"initial_state\":\"{SECRET}\",\"config\":{{}}}}"),
        format!("\"{SECRET}\""),
        SECRET.to_owned(),
    ] {
        answers.push(client.send("POST", "/connectors", &json, Some(body.clone().into_bytes())));
        answers.push(client.send("PUT", "/connectors/x/config", &json, Some(body.clone().into_bytes())));
        answers.push(client.send("PATCH", "/connectors/x/offsets", &json, Some(body.into_bytes())));
    }
    answers.iter().for_each(silent);
    assert!(!log().contains(SECRET), "before anything ran");
}

#[test]
fn secrets_of_what_runs_and_fails_are_in_configurations_alone() {
    let server = Server::start();
    let client = server.client();
    for (name, extra) in [
        ("runs", json!({})),
        ("start", json!({ "script.fail": "start" })),
        ("panics", json!({ "script.fail": "start-panics" })),
        ("none", json!({ "script.fail": "tasks" })),
        ("tasks", json!({ "script.failing.tasks": "0" })),
    ] {
        let answer = client.post("/connectors", &json!({ "name": name, "config": with(extra) }));
        match answer.status {
            201 => assert!(
                answer.text.contains(SECRET),
                "as Connect does: who reads, edits and puts back loses nothing"
            ),
            status => {
                assert_eq!(status, 500, "{}", answer.text);
                silent(&answer);
            }
        }
    }
    server.wait_for_state("runs", "RUNNING", 1);
    server.wait_for("the task to fail", "tasks", |status| status["tasks"][0]["state"] == "FAILED");
    server.wait_for_state("none", "FAILED", 0);
    for name in ["runs", "start", "panics", "none", "tasks"] {
        silent(&client.get(&format!("/connectors/{name}/status")));
        silent(&client.get(&format!("/connectors/{name}/topics")));
        silent(&client.post(&format!("/connectors/{name}/restart?includeTasks=true"), &json!({})));
        silent(&client.patch(
            &format!("/connectors/{name}/config"),
            &json!({ "tasks.max": SECRET.len() + 1000, "errors.tolerance": "x" }),
        ));
        silent(&client.patch(
            &format!("/connectors/{name}/offsets"),
            &json!({ "offsets": [{ "partition": { "a": SECRET }, "offset": {} }] }),
        ));
    }
    silent(&client.get("/connectors?expand=status"));
    assert_eq!(client.get("/connectors/runs/config").body["script.secret"], SECRET);
    let told = log();
    assert!(told.contains("the connector could not be started"), "the log was looked at");
    assert!(!told.contains(SECRET));
}
