//! Restarts, pauses, stops, and connectors that fail.

use lavka_testkit::RestAnswer;
use serde_json::{Value, json};

use crate::plugins::{SOURCE, starts};
use crate::server::{Server, refused, refused_with};

fn tasks(count: u32) -> Value {
    json!({ "connector.class": SOURCE, "tasks.max": count })
}

fn send(server: &Server, method: &str, path: &str) -> RestAnswer {
    server.client().send(method, path, &[], None)
}

#[test]
fn a17_the_instance_alone_restarts_at_once() {
    let server = Server::start();
    server.create("a17", &tasks(1));
    server.wait_for_state("a17", "RUNNING", 1);
    for query in ["", "?includeTasks=false", "?includeTasks=yes", "?includeTasks=", "?forward=maybe"] {
        let answer = send(&server, "POST", &format!("/connectors/a17/restart{query}"));
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{query}");
    }
    assert_eq!(starts("a17-0"), 1, "no task was restarted");
    // A body is not read, but has to be JSON if it says what it is.
    let json = [("content-type", "application/json")];
    assert_eq!(
        server.client().send("POST", "/connectors/a17/restart", &json, Some(b"x".to_vec())).status,
        204
    );
    let text = [("content-type", "text/plain")];
    refused(
        &server.client().send("POST", "/connectors/a17/restart", &text, Some(b"x".to_vec())),
        415,
        "HTTP 415 Unsupported Media Type",
    );
}

#[test]
fn a18_restarts_of_more_are_told_as_a_plan() {
    let server = Server::start();
    server.create("a18", &tasks(2));
    server.wait_for_state("a18", "RUNNING", 2);
    let answer = send(&server, "POST", "/connectors/a18/restart?includeTasks=TRUE");
    assert_eq!(answer.status, 202);
    let worker = &server.worker_id;
    assert_eq!(
        answer.text,
        format!(
            r#"{{"name":"a18","connector":{{"state":"RESTARTING","worker_id":"{worker}","version":"1.2.3"}},"tasks":[{{"id":0,"state":"RESTARTING","worker_id":"{worker}","version":"1.2.3"}},{{"id":1,"state":"RESTARTING","worker_id":"{worker}","version":"1.2.3"}}],"type":"source"}}"#
        )
    );
    server.wait_for("both tasks to start again", "a18", |_| starts("a18-0") == 2 && starts("a18-1") == 2);
    server.wait_for_state("a18", "RUNNING", 2);
}

#[test]
fn a19_where_nothing_failed_nothing_restarts() {
    let server = Server::start();
    server.create("a19", &tasks(2));
    server.wait_for_state("a19", "RUNNING", 2);
    for query in ["onlyFailed=true", "onlyFailed=true&includeTasks=true&forward=false"] {
        let answer = send(&server, "POST", &format!("/connectors/a19/restart?{query}"));
        assert_eq!(answer.status, 202);
        assert_eq!(answer.body, server.status("a19"));
    }
    assert_eq!((starts("a19-0"), starts("a19-1")), (1, 1));
}

#[test]
fn a20_only_the_failed_task_restarts() {
    let server = Server::start();
    let mut config = tasks(3);
    config["script.failing.tasks"] = json!("1");
    config["script.fail.once"] = json!(true);
    server.create("a20", &config);
    let failed = server.wait_for("one task to fail", "a20", |status| status["tasks"][1]["state"] == "FAILED");
    let trace = failed["tasks"][1]["trace"].as_str().unwrap();
    assert!(trace.contains("the script says that this task fails"), "{trace}");
    server.wait_for("the others to run", "a20", |status| {
        status["tasks"][0]["state"] == "RUNNING" && status["tasks"][2]["state"] == "RUNNING"
    });
    let answer = send(&server, "POST", "/connectors/a20/restart?onlyFailed=true&includeTasks=true");
    assert_eq!(answer.status, 202);
    let states: Vec<&str> =
        answer.body["tasks"].as_array().unwrap().iter().filter_map(|task| task["state"].as_str()).collect();
    assert_eq!(states, ["RUNNING", "RESTARTING", "RUNNING"]);
    assert_eq!(answer.body["connector"]["state"], "RUNNING");
    server.wait_for_state("a20", "RUNNING", 3);
    assert_eq!([starts("a20-0"), starts("a20-1"), starts("a20-2")], [1, 2, 1]);
}

#[test]
fn a21_what_is_unknown_does_not_restart() {
    let server = Server::start();
    server.create("a21", &tasks(1));
    for (path, message) in [
        ("no/restart", "Connector no not found"),
        ("no/restart?includeTasks=true", "Unknown connector: no"),
        ("no/restart?onlyFailed=true", "Unknown connector: no"),
        ("no/tasks/0/restart", "Connector no not found"),
        ("a21/tasks/7/restart", "Task a21-7 not found"),
        ("a21/tasks/-1/restart", "Task a21--1 not found"),
        ("a21/tasks/x/restart", "HTTP 404 Not Found"),
        ("a21/tasks/99999999999/restart", "HTTP 404 Not Found"),
    ] {
        refused(&send(&server, "POST", &format!("/connectors/{path}")), 404, message);
    }
    let answer = send(&server, "POST", "/connectors/a21/tasks/0/restart");
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    server.wait_for("the task to start again", "a21", |_| starts("a21-0") == 2);
}

#[test]
fn a_task_that_cannot_be_made_is_not_restarted() {
    let server = Server::start();
    let mut config = tasks(2);
    config["script.fail"] = json!("build");
    server.create("a22", &config);
    server.wait_for("the tasks to fail", "a22", |status| status["tasks"][1]["state"] == "FAILED");
    let answer = send(&server, "POST", "/connectors/a22/tasks/1/restart");
    refused(&answer, 500, "Failed to start task: a22-1");
    assert_eq!(server.status("a22")["tasks"][1]["state"], "FAILED");
}

#[test]
fn a23_a_stopped_connector_has_no_tasks() {
    let server = Server::start();
    for (name, fail) in [("a23", ""), ("a23-start", "start"), ("a23-stop", "stop-panics")] {
        let mut config = tasks(2);
        config["script.fail"] = json!(fail);
        let answer = server.client().post("/connectors", &json!({ "name": name, "config": config }));
        if fail == "start" {
            refused(&answer, 500, "Failed to start connector: a23-start");
            assert_eq!(server.status(name)["connector"]["state"], "FAILED");
        } else {
            server.wait_for_state(name, "RUNNING", 2);
        }
        let answer = send(&server, "PUT", &format!("/connectors/{name}/stop"));
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        let status = server.status(name);
        assert_eq!((&status["connector"]["state"], &status["tasks"]), (&json!("STOPPED"), &json!([])));
        assert_eq!(server.client().get(&format!("/connectors/{name}/tasks")).text, "[]");
        assert_eq!(server.client().get(&format!("/connectors/{name}")).body["tasks"], json!([]));
        assert_eq!(send(&server, "PUT", &format!("/connectors/{name}/stop")).status, 204, "again");
        assert_eq!(send(&server, "POST", &format!("/connectors/{name}/restart")).status, 204);
        assert_eq!(server.status(name)["connector"]["state"], "STOPPED", "a restart does not start it");
    }
}

#[test]
fn a24_resumed_it_makes_its_tasks_anew() {
    let server = Server::start();
    server.create("a24", &tasks(2));
    server.wait_for_state("a24", "RUNNING", 2);
    assert_eq!(send(&server, "PUT", "/connectors/a24/stop").status, 204);
    let answer = send(&server, "PUT", "/connectors/a24/resume");
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    server.wait_for_state("a24", "RUNNING", 2);
    for _ in 0..2 {
        assert_eq!(send(&server, "PUT", "/connectors/a24/pause").status, 202);
        server.wait_for_state("a24", "PAUSED", 2);
    }
    assert_eq!(send(&server, "PUT", "/connectors/a24/resume").status, 202);
    server.wait_for_state("a24", "RUNNING", 2);
}

#[test]
fn a25_what_is_unknown_has_no_state_to_change() {
    let server = Server::start();
    for verb in ["pause", "resume", "stop"] {
        let answer = send(&server, "PUT", &format!("/connectors/no/{verb}"));
        refused(&answer, 404, "Unknown connector no");
    }
}

#[test]
fn a26_topics_are_tracked_and_reset_where_that_is_allowed() {
    let server = Server::start();
    let answer = send(&server, "PUT", "/connectors/x/topics/reset");
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    let server = Server::with(&[("topic.tracking.allow.reset", "false")]);
    assert_eq!(server.client().get("/connectors/x/topics").status, 200);
    let answer = send(&server, "PUT", "/connectors/x/topics/reset");
    refused(&answer, 403, "Topic tracking reset is disabled.");
    let server = Server::with(&[("topic.tracking.enable", "false")]);
    refused(&server.client().get("/connectors/x/topics"), 403, "Topic tracking is disabled.");
    refused(&send(&server, "PUT", "/connectors/x/topics/reset"), 403, "Topic tracking is disabled.");
}

#[test]
fn a47_more_tasks_than_allowed_fail_the_connector() {
    let server = Server::start();
    let mut config = tasks(1);
    config["script.tasks"] = json!(2);
    server.create("a47", &config);
    let status = server.wait_for_state("a47", "FAILED", 0);
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.contains("The connector a47 has generated 2 tasks, which is greater than 1"), "{trace}");
    config["tasks.max.enforce"] = json!(false);
    assert_eq!(server.client().put("/connectors/a47/config", &config).status, 200);
    server.wait_for_state("a47", "RUNNING", 2);
}

/// A standalone worker forgets its tasks when it ends; what a restart does elsewhere, a lowered maximum does here.
#[test]
fn a48_tasks_beyond_the_maximum_fail_their_connector() {
    let server = Server::start();
    let mut config = tasks(2);
    config["script.tasks"] = json!(2);
    server.create("a48", &config);
    server.wait_for_state("a48", "RUNNING", 2);
    config["tasks.max"] = json!(1);
    assert_eq!(server.client().put("/connectors/a48/config", &config).status, 200);
    let status =
        server.wait_for("the connector to fail", "a48", |status| status["connector"]["state"] == "FAILED");
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.contains("The connector a48 has generated 2 tasks, which is greater than 1"), "{trace}");
    assert_eq!((starts("a48-0"), starts("a48-1")), (1, 1), "none was started beyond the maximum");
}

#[test]
fn a49_tasks_go_on_when_new_ones_cannot_be_made() {
    let server = Server::start();
    let mut config = tasks(2);
    config["script.fail"] = json!("regenerate");
    server.create("a49", &config);
    let status = server.wait_for("the connector to fail", "a49", |status| {
        let running = |task: usize| status["tasks"][task]["state"] == "RUNNING";
        status["connector"]["state"] == "FAILED" && running(0) && running(1)
    });
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.contains("the script says that there are no tasks"), "{trace}");
    assert_eq!((starts("a49-0"), starts("a49-1")), (1, 1));
}

#[test]
fn a_connector_that_panics_has_failed_and_takes_nothing_with_it() {
    let server = Server::start();
    let config = json!({ "connector.class": SOURCE, "script.fail": "start-panics" });
    let answer = server.client().post("/connectors", &json!({ "name": "p", "config": config }));
    refused(&answer, 500, "Failed to start connector: p");
    assert_eq!(server.status("p")["connector"]["state"], "FAILED");
    let config = json!({ "connector.class": SOURCE, "script.fail": "validate-panics" });
    let answer = server.client().post("/connectors", &json!({ "name": "q", "config": config }));
    refused_with(&answer, 500, "crashed");
    // Both names are free to be used again.
    assert_eq!(server.client().put("/connectors/p/config", &tasks(1)).status, 200);
    server.wait_for_state("p", "RUNNING", 1);
    server.create("q", &tasks(1));
}
