//! `GET /metrics`, as Prometheus asks for it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::plugins::{SINK, SOURCE};
use crate::server::{Server, refused};

const PROMETHEUS: &str =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";

/// Values by name and labels, of a text in which everything else is as the formats want it.
#[track_caller]
fn read(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let name = rest.split(' ').next().unwrap();
            assert_ne!(family, name, "told twice");
            name.clone_into(&mut family);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(rest.starts_with(&format!("{family} ")), "{line}");
        } else if line != "# EOF" {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(&family), "{line} below {family}");
            assert!(matches!(value, "NaN" | "+Inf" | "-Inf") || value.parse::<f64>().is_ok(), "{line}");
            assert_eq!(values.insert(name.to_owned(), value.to_owned()), None, "{line}");
        }
    }
    values
}

#[test]
fn the_worker_its_connectors_and_tasks_are_told() {
    let server = Server::start();
    server.create("numbers", &json!({ "connector.class": SOURCE }));
    server.create("keeper", &json!({ "connector.class": SINK, "topics": "t" }));
    server.wait_for_state("numbers", "RUNNING", 1);
    server.wait_for_state("keeper", "RUNNING", 1);
    let answer = server.client().get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let values = read(&answer.text);
    for (name, value) in [
        ("kafka_connect_commit_id_info{commit_id=\"Unknown\"}", "1"),
        ("kafka_connect_worker_connector_count", "2"),
        ("kafka_connect_worker_task_count", "2"),
        ("kafka_connect_worker_connector_running_task_count{connector=\"numbers\"}", "1"),
        ("kafka_connect_worker_connector_failed_task_count{connector=\"numbers\"}", "0"),
        ("kafka_connect_connector_connector_type{connector=\"keeper\",connector_type=\"sink\"}", "1"),
        ("kafka_connect_connector_status{connector=\"numbers\",status=\"running\"}", "1"),
        ("kafka_connect_connector_task_status{connector=\"numbers\",task=\"0\",status=\"running\"}", "1"),
        ("kafka_connect_task_error_total_record_failures{connector=\"numbers\",task=\"0\"}", "0"),
        ("kafka_connect_sink_task_partition_count{connector=\"keeper\",task=\"0\"}", "0"),
    ] {
        assert_eq!(values.get(name).map(String::as_str), Some(value), "{name} in {}", answer.text);
    }
    assert!(values.contains_key(
        "kafka_connect_source_task_source_record_poll_total{connector=\"numbers\",task=\"0\"}"
    ));
    assert!(answer.text.contains("# TYPE kafka_connect_source_task_source_record_poll_total counter\n"));

    let answer = server.client().send("GET", "/metrics", &[("accept", PROMETHEUS)], None);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(answer.text.ends_with("# EOF\n"));
    assert_eq!(read(&answer.text).len(), values.len());
    assert!(answer.text.contains("# TYPE kafka_connect_source_task_source_record_poll counter\n"));
}

#[test]
fn names_that_people_choose_end_no_label_and_no_line() {
    let server = Server::start();
    let name = r#"a"b\c{e="f"} 1"#;
    server.create(name, &json!({ "connector.class": SOURCE }));
    let values = read(&server.client().get("/metrics").text);
    let escaped = r#"kafka_connect_worker_connector_total_task_count{connector="a\"b\\c{e=\"f\"} 1"}"#;
    assert!(values.contains_key(escaped), "{values:?}");
}

#[test]
fn it_is_asked_for_as_anything_else() {
    let server = Server::start();
    let send = |method, headers: &[(&str, &str)]| server.client().send(method, "/metrics", headers, None);
    refused(&send("GET", &[("accept", "application/json")]), 406, "HTTP 406 Not Acceptable");
    assert_eq!(send("POST", &[]).header("allow"), Some("HEAD,GET,OPTIONS"));
    let head = send("HEAD", &[]);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let separate = Server::with(&[("admin.listeners", "http://127.0.0.1:0")]);
    refused(&separate.admin.as_ref().unwrap().get("/metrics"), 404, "HTTP 404 Not Found");
}
