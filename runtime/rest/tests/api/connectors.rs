//! Connectors: created, looked at, changed, deleted.

use lavka_testkit::eventually;
use serde_json::{Value, json};

use crate::plugins::{SINK, SOURCE};
use crate::server::{PATIENCE, Server, refused, refused_with};

fn source() -> Value {
    json!({ "connector.class": SOURCE })
}

#[test]
fn a1_the_root_tells_version_commit_and_cluster() {
    let server = Server::start();
    let known = |answer: &lavka_testkit::RestAnswer| answer.body["kafka_cluster_id"] == "in-memory";
    let answer = eventually("the cluster's id", PATIENCE, || Some(server.client().get("/")).filter(known));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.text,
        format!(
            r#"{{"version":"{}","commit":"Unknown","kafka_cluster_id":"in-memory"}}"#,
            lavka_api::KAFKA_VERSION
        )
    );
}

#[test]
fn a2_names_are_trimmed_and_missing_ones_are_empty() {
    let server = Server::start();
    let client = server.client();
    let answer = server.create(" \tx ", &source());
    assert_eq!(
        answer.text,
        format!(
            r#"{{"name":"x","config":{{"connector.class":"{SOURCE}","name":"x"}},"tasks":[{{"connector":"x","task":0}}],"type":"source"}}"#
        )
    );
    for body in [json!({ "config": source() }), json!({ "name": " ", "config": source() })] {
        refused(
            &client.post("/connectors", &body),
            400,
            "Connector configuration is invalid and contains the following 1 error(s):\n\
             Invalid value  for configuration name: String may not be empty\n\
             You can also find the above list of errors at the endpoint \
             `/connector-plugins/{connectorType}/config/validate`",
        );
    }
    refused_with(
        &client.post("/connectors", &json!({ "name": "a\tb\u{85}", "config": source() })),
        400,
        "String may not contain control sequences but had the following ASCII chars: 9, 133\n",
    );
    // A null of the inner name is no name; a number is one.
    let config = json!({ "connector.class": SOURCE, "name": null });
    let answer = client.post("/connectors", &json!({ "name": 12, "config": config }));
    assert_eq!(answer.body["config"]["name"], "12", "{}", answer.text);
}

#[test]
fn a3_the_names_inside_and_outside_agree() {
    let server = Server::start();
    let named = |inner: &str| json!({ "connector.class": SOURCE, "name": inner });
    for inner in ["y", " x "] {
        refused(
            &server.client().post("/connectors", &json!({ "name": "x", "config": named(inner) })),
            400,
            &format!("Connector name configuration ({inner}) doesn't match connector name in the URL (x)"),
        );
    }
    refused(
        &server.client().put("/connectors/x/config", &named("y")),
        400,
        "Connector name configuration (y) doesn't match connector name in the URL (x)",
    );
}

#[test]
fn a4_a_name_is_taken_once() {
    let server = Server::start();
    server.create("x", &source());
    let again = json!({ "name": "x", "config": source() });
    refused(&server.client().post("/connectors", &again), 409, "Connector x already exists");
    // Validation comes first.
    let wrong = json!({ "name": "x", "config": { "connector.class": SOURCE, "tasks.max": 0 } });
    refused_with(&server.client().post("/connectors", &wrong), 400, "Value must be at least 1");
}

#[test]
fn a5_any_name_can_be_reached_by_its_location() {
    let server = Server::start();
    for (name, path) in [
        ("a/b c%ä+?#", "/connectors/a%2Fb%20c%25%C3%A4+%3F%23"),
        ("..", "/connectors/.."),
        ("a;b", "/connectors/a%3Bb"),
    ] {
        let answer = server.create(name, &source());
        let location = format!("{}{path}", server.client().base());
        assert_eq!(answer.header("location"), Some(location.as_str()));
        // The client would resolve two dots itself.
        let path = path.replace("..", "%2E%2E");
        let found = server.client().get(&path);
        assert_eq!((found.status, found.body["name"].as_str()), (200, Some(name)));
        assert_eq!(server.client().get(&format!("{path}/status")).body["name"], name);
        assert_eq!(server.client().delete(&path).status, 204);
    }
    let answer = server.client().put("/connectors/new%20one/config", &source());
    let location = format!("{}/connectors/new%20one", server.client().base());
    assert_eq!((answer.status, answer.header("location")), (201, Some(location.as_str())));
    for path in ["/connectors/a%zz", "/connectors/a%2", "/connectors/a%ff", "/connectors//config"] {
        assert_eq!(server.client().get(path).status, 400, "{path}");
    }
}

#[test]
fn a6_scalars_are_stored_as_their_text() {
    let server = Server::start();
    let client = server.client();
    let body = format!(
        r#"{{"name":"x","config":{{"connector.class":"{SOURCE}","a":1,"b":true,"c":1.50,"d":123456789012345678901,"dup":"1","dup":"2"}}}}"#
    );
    let json = [("content-type", "application/json")];
    assert_eq!(client.send("POST", "/connectors", &json, Some(body.into_bytes())).status, 201);
    assert_eq!(
        client.get("/connectors/x/config").text,
        format!(
            r#"{{"connector.class":"{SOURCE}","a":"1","b":"true","c":"1.50","d":"123456789012345678901","dup":"2","name":"x"}}"#
        )
    );
    let nested = json!({ "connector.class": SOURCE, "a": {} });
    refused_with(
        &client.put("/connectors/y/config", &nested),
        400,
        "Cannot deserialize value of type String",
    );
    let null = json!({ "connector.class": SOURCE, "a": null });
    refused_with(
        &client.put("/connectors/y/config", &null),
        400,
        "following 1 error(s):\nNull value can not be supplied as the configuration value.\n",
    );
}

#[test]
fn a7_unknown_fields_and_missing_ones_are_refused() {
    let server = Server::start();
    let client = server.client();
    let body = json!({ "name": "x", "config": source(), "more": 1 });
    refused_with(&client.post("/connectors", &body), 400, "Unrecognized field \"more\"");
    for body in [json!({ "name": "x" }), json!({ "name": "x", "config": null })] {
        refused_with(&client.post("/connectors", &body), 400, "\"config\" is missing");
    }
    refused(
        &client.post("/connectors", &json!({ "name": "x", "config": { "db.password": "s", "a": "b" } })),
        400,
        "Connector config {db.password=[hidden], a=[hidden], name=x} contains no connector type",
    );
    refused_with(
        &client
            .post("/connectors", &json!({ "name": "x", "config": { "connector.class": "ScriptedSourc" } })),
        400,
        "Failed to find any class that implements Connector and which name matches ScriptedSourc, available connectors \
         are: PluginDesc{klass=class test.ScriptedSinkConnector, name='test.ScriptedSinkConnector', version='1.2.3', \
         encodedVersion=1.2.3, type=sink, typeName='sink', location='built in'}, ",
    );
}

#[test]
fn a8_initial_states_are_read_in_any_case() {
    let server = Server::start();
    let create = |name: &str, state: &str| {
        let body = json!({ "name": name, "config": source(), "initial_state": state });
        server.client().post("/connectors", &body)
    };
    assert_eq!(create("x", "Stopped").status, 201);
    server.wait_for_state("x", "STOPPED", 0);
    refused_with(&create("y", "x"), 400, "RUNNING, PAUSED and STOPPED");
    let body = json!({ "name": "z", "config": source(), "initial_state": null });
    assert_eq!(server.client().post("/connectors", &body).status, 201);
}

#[test]
fn a9_a_connector_may_begin_paused() {
    let server = Server::start();
    let body = json!({ "name": "x", "config": source(), "initial_state": "PAUSED" });
    assert_eq!(server.client().post("/connectors", &body).status, 201);
    server.wait_for_state("x", "PAUSED", 1);
    assert_eq!(server.client().send("PUT", "/connectors/x/resume", &[], None).status, 202);
    server.wait_for_state("x", "RUNNING", 1);
}

#[test]
fn a10_offsets_may_be_altered_before_the_first_start() {
    let server = Server::start();
    let body = json!({ "name": "x", "config": source(), "initial_state": "STOPPED" });
    let answer = server.client().post("/connectors", &body);
    assert_eq!((answer.status, &answer.body["tasks"]), (201, &json!([])));
    let status = &server.status("x")["connector"];
    assert_eq!((&status["state"], &status["version"]), (&json!("STOPPED"), &json!("1.2.3")));
    let offsets = json!({ "offsets": [{ "partition": { "p": "a" }, "offset": { "o": 3 } }] });
    assert_eq!(server.client().patch("/connectors/x/offsets", &offsets).status, 200);
    assert_eq!(
        server.client().get("/connectors/x/offsets").text,
        r#"{"offsets":[{"partition":{"p":"a"},"offset":{"o":3}}]}"#
    );
    assert_eq!(server.client().send("PUT", "/connectors/x/resume", &[], None).status, 202);
    server.wait_for_state("x", "RUNNING", 1);
}

#[test]
fn a11_what_is_missing_is_not_found() {
    let server = Server::start();
    for (path, message) in [
        ("/connectors/no", "Connector no not found"),
        ("/connectors/no/config", "Connector no not found"),
        ("/connectors/no/tasks", "Connector no not found"),
        ("/connectors/no/offsets", "Connector no not found"),
        ("/connectors/no/status", "No status found for connector no"),
        ("/connectors/no/tasks/0/status", "No status found for task no-0"),
        ("/connectors/no/tasks/-1/status", "No status found for task no--1"),
        ("/connectors/no/tasks/x/status", "HTTP 404 Not Found"),
        ("/connectors/no/tasks-config", "HTTP 404 Not Found"),
        ("/connector-plugins/no/config", "Unknown plugin no."),
    ] {
        refused(&server.client().get(path), 404, message);
    }
    let topics = server.client().get("/connectors/no/topics");
    assert_eq!((topics.status, topics.text.as_str()), (200, r#"{"no":{"topics":[]}}"#));
}

#[test]
fn a12_connectors_are_listed_and_expanded() {
    let server = Server::start();
    let client = server.client();
    assert_eq!(client.get("/connectors").text, "[]");
    server.create("x", &source());
    server.create("y", &json!({ "connector.class": SINK, "topics": "t" }));
    server.wait_for_state("x", "RUNNING", 1);
    assert_eq!(client.get("/connectors").text, r#"["x","y"]"#);
    assert_eq!(client.get("/connectors?other=1").text, r#"["x","y"]"#);
    let keys = |query: &str| -> Vec<String> {
        let answer = client.get(&format!("/connectors?{query}")).body;
        assert_eq!(answer.as_object().unwrap().len(), 2);
        answer["x"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys("expand=status&expand=info"), ["status", "info"]);
    assert_eq!(keys("expand=info&expand=status"), ["info", "status"]);
    assert_eq!(keys("expand=info&expand=x"), ["info"]);
    for nothing in ["expand", "expand=", "expand=x", "expand=STATUS", "expand=status,info"] {
        assert_eq!(keys(nothing), Vec::<String>::new(), "{nothing}");
    }
    let expanded = client.get("/connectors/?expand=status&expand=info").body;
    assert_eq!(expanded["x"]["status"], client.get("/connectors/x/status").body);
    assert_eq!(expanded["y"]["info"], client.get("/connectors/y").body);
    let worker = &server.worker_id;
    assert_eq!(
        client.get("/connectors/x/status").text,
        format!(
            r#"{{"name":"x","connector":{{"state":"RUNNING","worker_id":"{worker}","version":"1.2.3"}},"tasks":[{{"id":0,"state":"RUNNING","worker_id":"{worker}","version":"1.2.3"}}],"type":"source"}}"#
        )
    );
    assert_eq!(
        client.get("/connectors/y/tasks").text,
        format!(
            r#"[{{"id":{{"connector":"y","task":0}},"config":{{"connector.class":"{SINK}","topics":"t","name":"y","task.class":"test.ScriptedSinkTask"}}}}]"#
        )
    );
}

#[test]
fn a13_put_creates_or_replaces() {
    let server = Server::start();
    let client = server.client();
    let answer = client.put("/connectors/x/config", &source());
    assert_eq!(answer.status, 201);
    assert!(answer.header("location").is_some());
    let answer = client.put("/connectors/x/config", &json!({ "connector.class": SOURCE, "script.size": 9 }));
    assert_eq!((answer.status, answer.header("location")), (200, None));
    assert_eq!(answer.body["config"], json!({ "connector.class": SOURCE, "script.size": "9", "name": "x" }));
    // The target state stays.
    client.send("PUT", "/connectors/x/stop", &[], None);
    assert_eq!(client.put("/connectors/x/config", &source()).status, 200);
    assert_eq!(server.status("x")["connector"]["state"], "STOPPED");
    // The name in a path is taken as it is.
    let answer = client.put("/connectors/%20x%20/config", &source());
    assert_eq!((answer.status, answer.body["name"].as_str()), (201, Some(" x ")));
}

#[test]
fn a14_a_patch_merges_and_null_removes() {
    let server = Server::start();
    let client = server.client();
    server.create("x", &json!({ "connector.class": SOURCE, "removed": "1", "kept": "2" }));
    let patch = json!({ "tasks.max": 3, "added": "v", "removed": null, "never": null });
    let answer = client.patch("/connectors/x/config", &patch);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body["config"],
        json!({ "connector.class": SOURCE, "kept": "2", "name": "x", "tasks.max": "3", "added": "v" })
    );
    assert_eq!(answer.body["tasks"].as_array().unwrap().len(), 3);
    refused_with(
        &client.patch("/connectors/x/config", &json!({ "tasks.max": "x" })),
        400,
        "Invalid value x for configuration tasks.max: Not a number of type INT",
    );
    refused_with(
        &client.patch("/connectors/x/config", &json!({ "connector.class": null })),
        400,
        "contains no connector type",
    );
    refused_with(
        &client.patch("/connectors/x/config", &json!({ "name": null })),
        400,
        "Missing required configuration \"name\" which has no default value.",
    );
    assert_eq!(client.patch("/connectors/x/config", &json!({})).status, 200);
}

#[test]
fn a14_patches_at_the_same_time_are_all_in_the_end() {
    let server = Server::start();
    server.create("x", &source());
    std::thread::scope(|scope| {
        for i in 0..6 {
            let client = server.client();
            scope.spawn(move || {
                let patch = json!({ format!("key.{i}"): "v" });
                eventually("the patch", PATIENCE, || {
                    (client.patch("/connectors/x/config", &patch).status == 200).then_some(())
                });
            });
        }
    });
    let config = server.client().get("/connectors/x/config").body;
    assert_eq!(config.as_object().unwrap().len(), 2 + 6, "{config}");
}

#[test]
fn a15_only_what_exists_is_patched() {
    let server = Server::start();
    let answer = server.client().patch("/connectors/no/config", &json!({ "a": "b" }));
    refused(&answer, 404, "Connector no not found");
}

#[test]
fn a16_what_is_deleted_is_gone() {
    let server = Server::start();
    let client = server.client();
    server.create("x", &source());
    let answer = client.delete("/connectors/x");
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    refused(&client.get("/connectors/x"), 404, "Connector x not found");
    refused(&client.get("/connectors/x/status"), 404, "No status found for connector x");
    refused(&client.delete("/connectors/x"), 404, "Connector x not found");
}
