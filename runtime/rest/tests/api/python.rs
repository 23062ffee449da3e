//! Clients that other people wrote, in Python: schemathesis, which makes requests of every kind from the OpenAPI document
//! and holds the answers against it, and kafka-connect-py.
//!
//! The testkit installs them once; where it cannot and no real service is required, the tests say so and pass.

use std::time::Duration;

use lavka_testkit::{Python, Unavailable, cannot_run, count, temp_dir};
use serde_json::json;

use crate::plugins::{SINK, SOURCE};
use crate::server::Server;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");
/// Far more than it takes.
const LIMIT: Duration = Duration::from_secs(600);

fn python() -> Option<Python> {
    match Python::resolve() {
        Ok(python) => Some(python),
        Err(Unavailable::Unresolvable(failure) | Unavailable::Broken(failure)) => {
            cannot_run("the REST API's tests with clients in Python", &format!("these clients: {failure}"));
            None
        }
    }
}

/// A worker with a source and a sink.
fn server() -> Server {
    let server = Server::start();
    server.create("source", &json!({ "connector.class": SOURCE, "tasks.max": "2" }));
    server.create("sink", &json!({ "connector.class": SINK, "topics": "t" }));
    server.wait_for_state("source", "RUNNING", 2);
    server.wait_for_state("sink", "RUNNING", 1);
    server
}

#[test]
fn generated_requests_are_answered_as_the_document_says() {
    let Some(python) = python() else { return };
    let server = server();
    let folder = temp_dir();
    let script = format!("{FOLDER}/hostile.py");
    let config = format!("{FOLDER}/schemathesis.toml");
    let examples = count(20, 200).to_string();
    let arguments = [&script, server.client().base(), &config, &examples, SOURCE, SINK];
    let printed = python.run(folder.path(), &arguments, LIMIT).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{printed}");
    assert_eq!(server.client().get("/health").status, 200);
}

#[test]
fn kafka_connect_py_does_its_work() {
    let Some(python) = python() else { return };
    let server = Server::start();
    let folder = temp_dir();
    let script = format!("{FOLDER}/client.py");
    let printed = python.run(folder.path(), &[&script, server.client().base(), SOURCE], LIMIT);
    printed.unwrap_or_else(|failure| panic!("{failure}"));
}
