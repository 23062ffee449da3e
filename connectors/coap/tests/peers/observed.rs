//! The observe mode with libcoap's `coap-server`.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::Value;
use tokio::time::sleep;

use crate::libcoap_server::Server;
use crate::source::Source;

fn header(record: &lavka_api::data::Record, name: &str) -> Option<Value> {
    record.headers.last(name).map(|datum| datum.value.clone())
}

#[tokio::test]
async fn a_clock_is_observed() {
    let Some(server) = Server::start("a_clock_is_observed").await else { return };
    let source = Source::observe(&server.uri(), "time=>clock", &[]).await;
    let payloads = source.wait_for("three times", |payloads| payloads.len() >= 3).await;
    assert!(payloads.iter().all(|payload| payload.len() >= 10), "{payloads:?}");
    let records = source.records();
    assert_eq!(header(&records[0], "coap.notification"), Some(Value::Boolean(false)));
    // A notification that stays away for too long is asked for, so that the second record may be an answer as well.
    let notified = source.notification().await;
    assert!(header(&notified, "coap.observe").is_some() && header(&notified, "coap.max.age").is_some());
    assert_eq!(records[0].topic.as_str(), "clock");
    assert_eq!(records[0].key.value, Value::from(format!("{}/time", server.uri())));
}

#[tokio::test]
async fn a_directory_is_read_and_filtered() {
    let Some(server) = Server::start("a_directory_is_read_and_filtered").await else { return };
    let ticks = Source::observe(&server.uri(), "#", &[("lavka.coap.discover.filter", "rt=tick*")]).await;
    let observable =
        Source::observe(&server.uri(), "{name}", &[("lavka.coap.discover.filter", "obs,ct=0")]).await;
    ticks.wait_for("times", |payloads| payloads.len() >= 2).await;
    assert!(ticks.records().iter().all(|record| header(record, "coap.path") == Some("/time".into())));
    observable
        .wait_for("example data", |payloads| payloads.iter().any(|payload| payload.starts_with(b"a1234")))
        .await;
    let names: Vec<_> =
        observable.records().iter().filter_map(|record| header(record, "coap.path.name")).collect();
    assert!(names.contains(&"time".into()) && names.contains(&"example_data".into()), "{names:?}");
    assert!(!names.contains(&"async".into()), "{names:?}");
}

#[tokio::test]
async fn a_large_representation_comes_in_blocks_and_changes() {
    let test = "a_large_representation_comes_in_blocks_and_changes";
    let Some(server) = Server::start(test).await else { return };
    let source = Source::observe(&server.uri(), "example_data", &[]).await;
    source.wait_for("first state", |payloads| !payloads.is_empty()).await;
    for letter in ["a", "b", "c"] {
        let large = letter.repeat(5000);
        server.put(&large).await;
        source
            .wait_for("large state", |payloads| payloads.last().is_some_and(|last| last == large.as_bytes()))
            .await;
    }
    // None is put together from blocks of several.
    for payload in source.payloads().iter().filter(|payload| payload.len() == 5000) {
        assert!(payload.iter().all(|byte| *byte == payload[0]));
    }
}

#[tokio::test]
async fn a_server_that_was_away_is_observed_again() {
    let test = "a_server_that_was_away_is_observed_again";
    let Some(server) = Server::start(test).await else { return };
    let port = server.port;
    let source = Source::observe(&server.uri(), "time", &[]).await;
    source.wait_for("times", |payloads| payloads.len() >= 2).await;
    drop(server);
    sleep(Duration::from_millis(1500)).await;
    let before = source.payloads().len();
    let _server = Server::start_with(test, "coap-server-notls", port, &[]).await.unwrap();
    source.wait_for("times after the server's return", |payloads| payloads.len() >= before + 3).await;
}

#[tokio::test]
async fn resources_are_polled() {
    let Some(server) = Server::start("resources_are_polled").await else { return };
    let poll = [("lavka.coap.mode", "poll"), ("lavka.coap.poll.interval.ms", "200")];
    let source = Source::observe(&server.uri(), "example_data", &poll).await;
    source.wait_for("two answers", |payloads| payloads.len() >= 2).await;
    server.put("new").await;
    source.wait_for("the change", |payloads| payloads.last().is_some_and(|last| last == b"new")).await;
    assert!(
        source
            .records()
            .iter()
            .all(|record| header(record, "coap.notification") == Some(Value::Boolean(false)))
    );
}

#[tokio::test]
async fn a_configuration_of_lenses_runs_as_it_is() {
    let Some(server) = Server::start("a_configuration_of_lenses_runs_as_it_is").await else { return };
    let config = Config::from([
        ("connector.class", "com.datamountaineer.streamreactor.connect.coap.source.CoapSourceConnector"),
        ("connect.coap.uri", &server.uri()),
        (
            "connect.coap.kcql",
            "INSERT INTO ticks SELECT * FROM time; INSERT INTO other SELECT * FROM example_data",
        ),
    ]);
    let source = Source::lenses(&config).await;
    while source.records().len() < 4 {
        sleep(Duration::from_millis(20)).await;
    }
    for record in source.records() {
        let (Value::Struct(key), Value::Struct(value)) = (&record.key.value, &record.value.value) else {
            panic!("{record:?}")
        };
        let resource = match record.topic.as_str() {
            "ticks" => "time",
            _ => "example_data",
        };
        assert_eq!(key.get("source_resource"), Some(&resource.into()));
        assert_eq!(value.get("code"), Some(&"2.05".into()));
        assert!(value.get("payload").unwrap().as_str().is_some_and(|payload| payload.len() >= 10));
    }
}
