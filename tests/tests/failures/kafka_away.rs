//! A Kafka that is not there, goes away, or stands still.

use lavka_testkit::{KafkaServer, Mosquitto, MosquittoConfig, eventually, services, unique};
use serde_json::json;

use crate::pipeline::{expect_in_kafka, expect_in_lake, lake_sink, mqtt_source, with};
use crate::publisher::Publisher;
use crate::standalone::{PATIENCE, Standalone, wait_for_task};

#[test]
fn a_broker_that_is_not_there_or_goes_away_costs_time_and_nothing_else() {
    const TEST: &str = "a_broker_that_is_not_there_or_goes_away_costs_time_and_nothing_else";
    if !services().kafka.is_real_for(TEST) {
        return;
    }
    let mut server = KafkaServer::start().unwrap();
    let kafka = server.client();
    let topic = unique("away");
    kafka.create_topic(&topic, 2);
    server.stop();
    let mosquitto = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let worker = Standalone::new(&server.bootstrap(), &[]);
    let lake = worker.folder().join("lake");
    // A sink that is stopped while the broker is away cannot leave its group, which then waits for so long.
    let mut sink = with(lake_sink(&topic, &lake), "consumer.override.session.timeout.ms", "2000");
    sink["consumer.override.heartbeat.interval.ms"] = "500".into();
    let worker = worker.connector("source", &mqtt_source(mosquitto.port(), &topic)).connector("sink", &sink);

    // Not there at the start: the REST API serves, the tasks wait, the log names the key and the address.
    let (mut process, rest) = worker.serve();
    assert_eq!(rest.get("/").body["kafka_cluster_id"], json!(null));
    wait_for_task(&rest, "source", "RUNNING");
    wait_for_task(&rest, "sink", "RUNNING");
    process.wait_for_log("no broker of bootstrap.servers can be reached", PATIENCE);
    let unanswered = format!("{} (bootstrap.servers) has not answered yet", server.bootstrap());
    process.wait_for_log(&unanswered, PATIENCE);
    process.wait_for_log("connected to the MQTT server", PATIENCE);
    eventually("the subscription", PATIENCE, || mosquitto.log().contains("Sending SUBACK").then_some(()));
    let mut publisher = Publisher::connect(mosquitto.port());
    publisher.publish(300);
    publisher.wait_accepted(PATIENCE);
    server.restart().unwrap();
    expect_in_kafka(&kafka, &topic, 300);
    eventually("the id of the cluster", PATIENCE, || {
        rest.get("/").body["kafka_cluster_id"].as_str().map(|_| ())
    });

    // It crashes while records flow, and comes back.
    publisher.publish(200);
    server.kill();
    publisher.publish(400);
    publisher.wait_accepted(PATIENCE);
    server.restart().unwrap();
    expect_in_kafka(&kafka, &topic, 900);

    // It stands still: connections stay open, and nobody answers.
    server.pause();
    publisher.publish(600);
    publisher.wait_accepted(PATIENCE);
    server.resume();
    expect_in_kafka(&kafka, &topic, 1500);
    expect_in_lake(&kafka, &topic, &lake);

    // Without it the REST API goes on serving, and a worker that is told to stop does so.
    server.kill();
    publisher.publish(100);
    publisher.wait_accepted(PATIENCE);
    for connector in ["source", "sink"] {
        wait_for_task(&rest, connector, "RUNNING");
        let paused = rest.send("PUT", &format!("/connectors/{connector}/pause"), &[], None);
        assert_eq!(paused.status, 202, "{}", paused.text);
        wait_for_task(&rest, connector, "PAUSED");
    }
    // An outage is worth some lines, not thousands.
    let lines = process.log().lines().filter(|line| !line.contains("lavka_rest.access")).count();
    println!("{lines} lines of log");
    assert!(lines < 200, "{lines} lines of log:\n{}", process.log_tail(40));
    assert!(process.stop().success(), "{}", process.log_tail(20));
    server.restart().unwrap();
    let mut process = worker.start();
    expect_in_kafka(&kafka, &topic, 1600);
    expect_in_lake(&kafka, &topic, &lake);
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
