//! Variables in configurations: resolved where they are used, shown as they were written.

use std::path::Path;
use std::time::Duration;

use lavka_testkit::{RestAnswer, TempDir, eventually, temp_dir, write_file};
use serde_json::{Value, json};

use crate::plugins::{SOURCE, starts};
use crate::server::{PATIENCE, Server, log, refused};

const SECRET: &str = "tr0ub4dor-and-3";

/// A folder with secrets and a worker that may look into it.
fn start(extra: &[(&str, &str)]) -> (TempDir, Server) {
    let folder = temp_dir();
    write_file(folder.path(), "secrets.properties", format!("word={SECRET}\nsize=many\ntasks=0\npin=7\n"));
    let allowed = folder.path().display().to_string();
    let mut keys = vec![
        ("config.providers", "file,env"),
        ("config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
        ("config.providers.file.param.allowed.paths", allowed.as_str()),
        ("config.providers.env.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
        ("config.providers.env.param.allowlist.pattern", "CARGO_PKG_.*"),
    ];
    keys.extend(extra);
    let server = Server::with(&keys);
    (folder, server)
}

fn variable(folder: &Path, key: &str) -> String {
    format!("${{file:{}:{key}}}", folder.join("secrets.properties").display())
}

fn config(extra: Value) -> Value {
    let mut config = json!({ "connector.class": SOURCE });
    let Value::Object(extra) = extra else { panic!("{extra} is no object") };
    config.as_object_mut().unwrap().extend(extra);
    config
}

#[track_caller]
fn silent(answer: &RestAnswer) {
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
}

#[test]
fn a_connector_gets_the_values_and_everybody_else_sees_the_variables() {
    let (folder, server) = start(&[]);
    let client = server.client();
    let word = variable(folder.path(), "word");
    let wanted = config(json!({
        "script.leak": format!("<{word}>"),
        "script.failing.tasks": variable(folder.path(), "tasks"),
        "script.secret": "${env:CARGO_PKG_NAME}",
        "left.alone": "${vault:a:b} ${env:PATH} ${file:/etc/passwd:root}",
    }));
    silent(&server.create("reads", &wanted));
    let status =
        server.wait_for("the task to fail", "reads", |status| status["tasks"][0]["state"] == "FAILED");
    let bytes = SECRET.len() + 2;
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains(&format!("this task fails: <[hidden]> ({bytes} bytes)")), "{trace}");
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(client.get("/connectors/reads/config").body[key], *value);
        assert_eq!(client.get("/connectors/reads/tasks").body[0]["config"][key], *value);
    }
    for path in ["", "/status", "/tasks", "/config", "/tasks/0/status"] {
        silent(&client.get(&format!("/connectors/reads{path}")));
    }
    silent(&client.get("/connectors?expand=info&expand=status"));
    let answer = client.patch("/connectors/reads/config", &json!({ "script.fail": "start" }));
    assert_eq!(answer.status, 500, "{}", answer.text);
    let trace = server.status("reads")["connector"]["trace"].as_str().unwrap_or_default().to_owned();
    assert!(trace.contains(&format!("the start fails: <[hidden]> ({bytes} bytes)")), "{trace}");
    let told = log();
    assert!(told.contains("the start fails: <[hidden]>"), "the log was looked at");
    assert!(!told.contains(SECRET));
}

#[test]
fn validation_resolves_variables_and_tells_no_values() {
    let (folder, server) = start(&[]);
    let of = |key: &str| variable(folder.path(), key);
    let asked = config(json!({
        "name": "checked",
        "script.size": of("size"),
        "script.leak": of("word"),
        "tasks.max": of("pin"),
        "transaction.boundary.interval.ms": format!("-{}", of("pin")),
        "errors.tolerance": format!("{}!", of("word")),
        "producer.override.linger.ms": of("pin"),
    }));
    let answer = server.client().put("/connector-plugins/ScriptedSource/config/validate", &asked);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let of_key = |key: &str| {
        let configs = answer.body["configs"].as_array().unwrap();
        let found = configs.iter().find(|config| config["value"]["name"] == key).unwrap();
        (found["value"]["value"].clone(), found["value"]["errors"].clone())
    };
    assert_eq!(
        of_key("script.size"),
        (
            json!(of("size")),
            json!(["Invalid value [hidden] for configuration script.size: Not a number of type INT"])
        )
    );
    assert_eq!(
        of_key("tasks.max").1,
        json!([format!(
            "Invalid value {} for configuration tasks.max: write the value itself; there can be no variable in this key",
            of("pin")
        )])
    );
    assert_eq!(
        of_key("transaction.boundary.interval.ms").1,
        json!([
            "Invalid value -[hidden] for configuration transaction.boundary.interval.ms: Value must be at least 0"
        ])
    );
    assert_eq!(
        of_key("errors.tolerance").1,
        json!([
            "Invalid value [hidden]! for configuration errors.tolerance: String must be one of: none, all"
        ])
    );
    assert_eq!(of_key("producer.override.linger.ms"), (json!(of("pin")), json!([])));
    silent(&answer);
    let refused = server.client().post("/connectors", &json!({ "name": "checked", "config": asked }));
    assert_eq!(refused.status, 400);
    assert!(
        refused.text.contains("Invalid value [hidden] for configuration script.size"),
        "{}",
        refused.text
    );
    silent(&refused);
}

#[test]
fn a_file_that_cannot_be_read_refuses_and_fails_with_javas_text() {
    let (folder, server) = start(&[]);
    let file = folder.path().join("secrets.properties");
    let text = format!("Could not read properties from file {}", file.display());
    let wanted = config(json!({ "script.leak": variable(folder.path(), "word") }));
    server.create("lost", &wanted);
    server.wait_for_state("lost", "RUNNING", 1);
    std::fs::rename(&file, folder.path().join("away")).unwrap();
    refused(&server.client().put("/connectors/lost/config", &wanted), 500, &text);
    server.client().post("/connectors/lost/restart?includeTasks=true", &json!({}));
    let status =
        server.wait_for("the connector to fail", "lost", |status| status["connector"]["state"] == "FAILED");
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.starts_with("org.apache.kafka.common.config.ConfigException: Could not read"), "{trace}");
    std::fs::rename(folder.path().join("away"), &file).unwrap();
    server.client().post("/connectors/lost/restart?includeTasks=true", &json!({}));
    server.wait_for_state("lost", "RUNNING", 1);
}

#[test]
fn a_value_that_changes_restarts_connector_and_tasks_unless_told_not_to() {
    let (folder, server) = start(&[("config.providers.file.param.lavka.ttl.ms", "100")]);
    let word = variable(folder.path(), "word");
    for (name, action) in [("reloads", "restart"), ("stays", "none")] {
        server.create(name, &config(json!({ "script.leak": word, "config.action.reload": action })));
        server.wait_for_state(name, "RUNNING", 1);
    }
    server.create("constant", &config(json!({ "script.leak": "x" })));
    server.wait_for_state("constant", "RUNNING", 1);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(starts("reloads-0"), 1, "a value that is the same restarts nothing");
    // All at once, for what is written bit by bit may be read half.
    let replace = |text: &str| {
        let next = write_file(folder.path(), "next", text);
        std::fs::rename(next, folder.path().join("secrets.properties")).unwrap();
    };
    replace("word=another-word\n");
    eventually("the task to be started again", PATIENCE, || (starts("reloads-0") == 2).then_some(()));
    server.wait_for_state("reloads", "RUNNING", 1);
    // While the file is away the connector goes on.
    std::fs::rename(folder.path().join("secrets.properties"), folder.path().join("away")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.wait_for_state("reloads", "RUNNING", 1);
    replace("word=yet-another\n");
    eventually("the third start", PATIENCE, || (starts("reloads-0") == 3).then_some(()));
    assert_eq!((starts("stays-0"), starts("constant-0")), (1, 1));
    // One that is stopped is not brought back.
    assert_eq!(server.client().put("/connectors/reloads/stop", &json!({})).status, 204);
    replace("word=the-last\n");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(starts("reloads-0"), 3);
    assert_eq!(server.status("reloads")["connector"]["state"], "STOPPED");
    for word in ["another-word", "yet-another", "the-last"] {
        assert!(!log().contains(word), "{word}");
    }
}
