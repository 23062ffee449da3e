//! Starting, being well, ending.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use lavka_ports::NewTopic;
use lavka_testkit::eventually;
use lavka_worker::TargetState;
use serde_json::json;

use crate::plugins::{SINK, SOURCE};
use crate::server::{PATIENCE, Server, refused, refused_with};

#[test]
fn a_worker_that_answers_is_healthy() {
    let server = Server::start();
    let answer = server.client().get("/health");
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (
            200,
            r#"{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}"#
        )
    );
}

#[test]
fn the_workers_id_has_the_port_it_listens_on() {
    let server = Server::with(&[("listeners", "http://localhost:0,http://127.0.0.1:0")]);
    let port = server.client().base().rsplit_once(':').unwrap().1;
    assert_ne!(port, "0");
    assert_eq!(server.worker_id, format!("localhost:{port}"));
    assert_eq!(server.admin.as_ref().unwrap().get("/").status, 200, "the second listener serves the same");
    let advertised = [("rest.advertised.host.name", "me.example"), ("rest.advertised.port", "99")];
    assert_eq!(Server::with(&advertised).worker_id, "me.example:99");
    let everywhere = Server::with(&[("listeners", "http://:0")]).worker_id.clone();
    assert!(!everywhere.starts_with("0.0.0.0") && !everywhere.starts_with(':'), "{everywhere}");
}

#[test]
fn what_workers_ask_each_other_is_refused_by_one_that_is_alone() {
    let server = Server::start();
    refused(
        &server.client().post("/connectors/x/tasks", &json!([])),
        500,
        "Kafka Connect in standalone mode does not support externally setting task configurations.",
    );
    refused(
        &server.client().send("PUT", "/connectors/x/fence", &[], None),
        500,
        "Kafka Connect in standalone mode does not support exactly-once source connectors.",
    );
}

#[test]
fn e14_a_dead_letter_topic_that_is_missing_is_created() {
    let server = Server::start();
    server.create(
        "x",
        &json!({
            "connector.class": SINK, "topics": "t", "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": " dlq ", "errors.deadletterqueue.topic.replication.factor": 2,
        }),
    );
    let created = eventually("the topic", PATIENCE, || server.cluster.created().into_iter().next());
    assert_eq!(
        created,
        NewTopic {
            name: "dlq".into(),
            partitions: Some(1),
            replication_factor: Some(2),
            configs: Vec::new()
        }
    );
}

/// Nobody is left without an answer, and neither idle nor half-hearted clients hold up the end.
#[test]
fn the_end_of_a_worker_answers_whoever_waits() {
    let mut server = Server::with(&[("task.shutdown.graceful.timeout.ms", "0")]);
    let address = server.client().base().trim_start_matches("http://").to_owned();
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).unwrap();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n").unwrap();

    let client = server.client().clone();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let config = json!({ "connector.class": SOURCE, "script.fail": "start-hangs" });
        let _ = tell.send(client.post("/connectors", &json!({ "name": "x", "config": config })));
    });
    let client = server.client().clone();
    eventually("the connector to start", PATIENCE, || {
        (client.get("/connectors").text == r#"["x"]"#).then_some(())
    });
    server.stop();
    refused(&told.recv_timeout(PATIENCE).unwrap(), 500, "The worker is shutting down");
    for mut stream in [idle, slow] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // Closed, one way or another.
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
}

/// A connector that hangs takes no more than its share of what a worker keeps for requests that wait.
#[test]
fn a_connector_that_hangs_refuses_nobody_elses_requests() {
    let mut server = Server::with(&[("task.shutdown.graceful.timeout.ms", "0")]);
    let handle = server.handle.clone();
    let hanging = [("connector.class", SOURCE), ("script.fail", "start-hangs")];
    let first = handle.clone();
    let put = server.spawn(async move {
        let _ = first.put_connector("x".into(), hanging.into(), None, true).await;
    });
    eventually("the connector to start", PATIENCE, || handle.info("x").ok());
    let refused = Arc::new(AtomicUsize::new(0));
    let pauses: Vec<_> = (0..150)
        .map(|_| {
            let (handle, refused) = (handle.clone(), Arc::clone(&refused));
            server.spawn(async move {
                if handle
                    .set_target("x", TargetState::Paused)
                    .await
                    .is_err_and(|refusal| refusal.status == 409)
                {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    eventually("what is beyond the bound to be refused", PATIENCE, || {
        (refused.load(Ordering::SeqCst) >= 50).then_some(())
    });
    server.create("y", &json!({ "connector.class": SOURCE }));
    server.wait_for_state("y", "RUNNING", 1);
    server.stop();
    drop((put, pauses));
}

#[test]
fn a_cluster_that_is_away_holds_up_only_who_asks_it() {
    let server = Server::start();
    server.create("c", &json!({ "connector.class": SINK, "topics": "t" }));
    server.cluster.go_away();
    let handle = server.handle.clone();
    let text = server.block_on(async move {
        let asked = handle.offsets("c");
        lavka_worker::within(Duration::from_millis(200), asked).await.unwrap_err().to_string()
    });
    assert!(
        text.starts_with(
            "Request timed out. The worker is currently reading the offsets of connector c, which began at "
        ),
        "{text}"
    );
    assert_eq!(server.client().get("/connectors/c/status").status, 200);
    refused_with(&server.client().get("/connectors/d/offsets"), 404, "Connector d not found");
}
