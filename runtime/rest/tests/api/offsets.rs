//! Offsets of sources and sinks.

use lavka_testkit::eventually;
use serde_json::{Value, json};

use crate::plugins::{SINK, SOURCE};
use crate::server::{PATIENCE, Server, refused, refused_with};

const ALTERED: &str = r#"{"message":"The offsets for this connector have been altered successfully"}"#;
const RESET: &str = r#"{"message":"The offsets for this connector have been reset successfully"}"#;

fn stop(server: &Server, name: &str) {
    assert_eq!(server.client().send("PUT", &format!("/connectors/{name}/stop"), &[], None).status, 204);
}

fn stopped(class: &str) -> Server {
    let server = Server::start();
    let config = if class == SINK {
        json!({ "connector.class": SINK, "topics": "t" })
    } else {
        json!({ "connector.class": SOURCE })
    };
    server.create("c", &config);
    stop(&server, "c");
    server
}

fn of(server: &Server) -> String {
    server.client().get("/connectors/c/offsets").text
}

fn patch(server: &Server, offsets: &Value) -> lavka_testkit::RestAnswer {
    server.client().patch("/connectors/c/offsets", &json!({ "offsets": offsets }))
}

fn kafka(partition: &Value, offset: &Value) -> Value {
    json!([{ "partition": partition, "offset": offset }])
}

#[test]
fn a27_offsets_of_a_sink_are_those_of_its_group() {
    let server = Server::start();
    server.create("c", &json!({ "connector.class": SINK, "topics": "t" }));
    assert_eq!(of(&server), r#"{"offsets":[]}"#);
    server.cluster.commit("connect-c", "t", 3, 5);
    assert_eq!(
        of(&server),
        r#"{"offsets":[{"partition":{"kafka_partition":3,"kafka_topic":"t"},"offset":{"kafka_offset":5}}]}"#
    );
}

#[test]
fn a28_only_offsets_of_a_stopped_connector_are_changed() {
    let server = Server::start();
    server.create("c", &json!({ "connector.class": SOURCE }));
    let offsets = json!([{ "partition": { "p": "a" }, "offset": { "o": 3 } }]);
    let text = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
                specified connector by issuing a 'PUT' request to the '/connectors/c/stop' endpoint";
    refused(&patch(&server, &offsets), 400, text);
    refused(&server.client().delete("/connectors/c/offsets"), 400, text);
    refused(
        &server.client().patch("/connectors/no/offsets", &json!({ "offsets": offsets })),
        404,
        "Connector no not found",
    );
    refused(&server.client().delete("/connectors/no/offsets"), 404, "Connector no not found");
}

#[test]
fn a29_nothing_is_no_change() {
    for class in [SINK, SOURCE] {
        let server = stopped(class);
        for body in [json!({}), json!({ "offsets": [] }), json!({ "offsets": null })] {
            refused(
                &server.client().patch("/connectors/c/offsets", &body),
                400,
                "Partitions / offsets need to be provided for an alter offsets request",
            );
        }
    }
}

#[test]
fn a30_a_sink_has_partitions() {
    let server = stopped(SINK);
    let text = "The partition for a sink connector offset cannot be null or missing";
    refused(&patch(&server, &json!([{}])), 400, text);
    refused(&patch(&server, &kafka(&Value::Null, &json!({ "kafka_offset": 1 }))), 400, text);
}

#[test]
fn a31_each_mistake_about_a_sink_has_its_text() {
    let server = stopped(SINK);
    let place =
        |topic: Value, partition: Value| json!({ "kafka_topic": topic, "kafka_partition": partition });
    let at = |value: Value| json!({ "kafka_offset": value });
    let unparsed = |what: &str, kind: &str, text: &str| {
        format!(
            "Failed to parse the following Kafka {what} value in the provided offsets: '{text}'. {kind} values for sink \
             connectors need to be integers."
        )
    };
    for (partition, offset, message) in [
        (
            json!({}),
            Value::Null,
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'".to_owned(),
        ),
        (
            place(Value::Null, json!(0)),
            Value::Null,
            "Kafka topic names must be valid strings and may not be null".into(),
        ),
        (
            place(json!("t"), Value::Null),
            Value::Null,
            "Kafka partitions must be valid numbers and may not be null".into(),
        ),
        (place(json!("t"), json!("x")), Value::Null, unparsed("partition", "Partition", "x")),
        (place(json!("t"), json!(1.5)), Value::Null, unparsed("partition", "Partition", "1.5")),
        (place(json!("t"), json!({ "a": 1 })), Value::Null, unparsed("partition", "Partition", "{a=1}")),
        (
            place(json!("t"), json!(0)),
            json!({}),
            "The offset for a sink connector should either be null or contain the key 'kafka_offset'".into(),
        ),
        (place(json!("t"), json!(0)), at(json!("x")), unparsed("offset", "Offset", "x")),
        (place(json!("t"), json!(0)), at(Value::Null), unparsed("offset", "Offset", "null")),
    ] {
        refused(&patch(&server, &kafka(&partition, &offset)), 400, &message);
    }
    // Texts of numbers are numbers, and other keys mean nothing.
    let strings = json!({ "kafka_topic": "t", "kafka_partition": "0", "z": 1 });
    assert_eq!(patch(&server, &kafka(&strings, &at(json!("2")))).text, ALTERED);
    assert!(of(&server).contains(r#""kafka_offset":2"#));
    assert_eq!(patch(&server, &kafka(&place(json!("t"), json!(0)), &Value::Null)).text, ALTERED);
    assert_eq!(of(&server), r#"{"offsets":[]}"#);
}

#[test]
fn a32_offsets_are_a_list_of_objects() {
    let server = stopped(SOURCE);
    for (body, part) in [
        (json!([]), "Cannot deserialize value"),
        (json!({ "offsets": {} }), "Cannot deserialize value"),
        (json!({ "offsets": [123] }), "Cannot construct instance"),
        (json!({ "offsets": [{ "partition": [], "offset": null }] }), "Cannot deserialize value"),
    ] {
        refused_with(&server.client().patch("/connectors/c/offsets", &body), 400, part);
    }
}

#[test]
fn a33_offsets_have_no_other_keys() {
    let server = stopped(SOURCE);
    for body in [json!({ "offsets": [], "x": 1 }), json!({ "offsets": [{ "x": 1 }] })] {
        refused_with(&server.client().patch("/connectors/c/offsets", &body), 400, "Unrecognized field \"x\"");
    }
}

#[test]
fn a34_leftover_members_are_told_of() {
    let server = stopped(SINK);
    server.cluster.commit("connect-c", "t", 0, 5);
    server.cluster.keep_members();
    let partition = json!({ "kafka_topic": "t", "kafka_partition": 0 });
    for offset in [json!({ "kafka_offset": 1 }), Value::Null] {
        refused_with(
            &patch(&server, &kafka(&partition, &offset)),
            500,
            "Failed to alter consumer group offsets for connector c either because its tasks haven't stopped completely \
             yet or the connector was resumed",
        );
    }
    let answer = server.client().delete("/connectors/c/offsets");
    refused_with(&answer, 500, "Failed to reset consumer group offsets for connector c either because");
    refused_with(&answer, 500, "zombie sink tasks");
}

#[test]
fn a35_connectors_may_keep_offsets_elsewhere() {
    let server = Server::start();
    for (managed, altered, reset) in [
        (true, ALTERED.to_owned(), RESET.to_owned()),
        (
            false,
            r#"{"message":"The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector manages offsets externally, they will need to be manually altered in the system that the connector uses."}"#.to_owned(),
            r#"{"message":"The Connect framework-managed offsets for this connector have been reset successfully. However, if this connector manages offsets externally, they will need to be manually reset in the system that the connector uses."}"#.to_owned(),
        ),
    ] {
        let name = if managed { "c" } else { "d" };
        server.create(name, &json!({ "connector.class": SOURCE, "script.managed": managed }));
        stop(&server, name);
        let path = format!("/connectors/{name}/offsets");
        let body = json!({ "offsets": [{ "partition": { "p": "a" }, "offset": { "o": 3, "f": 1.5, "b": true } }] });
        let answer = server.client().patch(&path, &body);
        assert_eq!((answer.status, answer.text.as_str()), (200, altered.as_str()));
        assert_eq!(
            server.client().get(&path).text,
            r#"{"offsets":[{"partition":{"p":"a"},"offset":{"o":3,"f":1.5,"b":true}}]}"#
        );
        for (offsets, field) in [
            (json!([{ "partition": { "p": { "a": 1 } }, "offset": null }]), "p contains MAP"),
            (json!([{ "partition": { "p": "a" }, "offset": { "o": [1] } }]), "o contains ARRAY"),
        ] {
            let answer = server.client().patch(&path, &json!({ "offsets": offsets }));
            let text = format!("Offsets may only contain primitive types as values, but field {field}");
            refused(&answer, 400, &text);
        }
        assert_eq!(server.client().delete(&path).text, reset);
    }
}

#[test]
fn a36_a_reset_may_be_repeated() {
    for class in [SOURCE, SINK] {
        let server = stopped(class);
        for _ in 0..2 {
            let answer = server.client().delete("/connectors/c/offsets");
            assert_eq!((answer.status, answer.text.as_str()), (200, RESET));
        }
        assert_eq!(of(&server), r#"{"offsets":[]}"#);
    }
}

/// Between the look whether a connector is stopped and the change of its offsets nobody starts it.
#[test]
fn a_connector_whose_offsets_are_changed_stays_stopped() {
    let server = stopped(SINK);
    server.cluster.go_away();
    let handle = server.handle.clone();
    let change = server.spawn(async move {
        let _ = handle.reset_offsets("c").await;
    });
    let send = |method: &str, path: &str| server.client().send(method, path, &[], None);
    eventually("the change to be under way", PATIENCE, || server.cluster.is_waited_for().then_some(()));
    let text = "The offsets of connector c are being changed; try again in a moment";
    refused(&send("PUT", "/connectors/c/resume"), 409, text);
    refused(&send("PUT", "/connectors/c/pause"), 409, text);
    refused(&send("DELETE", "/connectors/c"), 409, text);
    let config = json!({ "connector.class": SINK, "topics": "t" });
    refused(&server.client().put("/connectors/c/config", &config), 409, text);
    refused(
        &send("DELETE", "/connectors/c/offsets"),
        409,
        "The offsets of connector c are being changed by another request",
    );
    assert_eq!(send("PUT", "/connectors/c/stop").status, 204, "it is stopped as it is");
    // Whoever gives up lets go.
    change.abort();
    eventually("the connector to be let go", PATIENCE, || {
        (send("PUT", "/connectors/c/resume").status == 202).then_some(())
    });
    server.wait_for_state("c", "RUNNING", 1);
}
