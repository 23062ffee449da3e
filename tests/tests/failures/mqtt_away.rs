//! An MQTT server that refuses, is not there, goes away, or stands still.

use lavka_testkit::{Mosquitto, MosquittoConfig, eventually, free_port, services, unique};
use serde_json::json;

use crate::pipeline::{expect_in_kafka, mqtt_source, with};
use crate::publisher::Publisher;
use crate::standalone::{PATIENCE, Standalone, wait_for_task, wait_for_trace};

const PASSWORD: &str = "correct-horse";
const WRONG: &str = "battery-staple";

#[test]
fn a_server_that_refuses_fails_the_task_until_the_credentials_are_mended() {
    let kafka = services().kafka.client();
    let (name, topic) = (unique("refused"), unique("refused"));
    kafka.create_topic(&topic, 1);
    let users = vec![("ada".to_owned(), PASSWORD.to_owned())];
    let mut mosquitto = Mosquitto::start(&MosquittoConfig { users, ..MosquittoConfig::default() }).unwrap();
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();
    let mut config = mqtt_source(mosquitto.port(), &topic);
    config["mqtt.username"] = "ada".into();
    config["mqtt.password"] = WRONG.into();
    let created = rest.post("/connectors", &json!({"name": name, "config": config}));
    assert_eq!(created.status, 201, "{}", created.text);

    let trace = wait_for_trace(&rest, &name);
    for part in [
        &format!("127.0.0.1:{}", mosquitto.port()),
        "refused the connection",
        "mqtt.username and mqtt.password",
    ] {
        assert!(trace.contains(part), "no {part:?} in {trace:?}");
    }
    // The connector itself runs, as in Connect; a restart alone does not help.
    assert_eq!(rest.get(&format!("/connectors/{name}/status")).body["connector"]["state"], "RUNNING");
    assert_eq!(rest.send("POST", &format!("/connectors/{name}/tasks/0/restart"), &[], None).status, 204);
    assert!(wait_for_trace(&rest, &name).contains("refused the connection"));

    let mended = with(config, "mqtt.password", PASSWORD);
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &mended).status, 200);
    wait_for_task(&rest, &name, "RUNNING");
    eventually("the subscription", PATIENCE, || mosquitto.log().contains("Sending SUBACK").then_some(()));
    let mut publisher = Publisher::connect_as(mosquitto.port(), Some(("ada", PASSWORD)));
    publisher.publish(100);
    publisher.wait_accepted(PATIENCE);
    expect_in_kafka(&kafka, &topic, 100);
    drop(publisher);
    mosquitto.stop();
    assert!(process.stop().success(), "{}", process.log_tail(20));
    for secret in [PASSWORD, WRONG] {
        assert!(!process.log().contains(secret), "{}", process.log());
    }
}

#[test]
fn a_server_that_is_not_there_goes_away_or_stands_still_is_waited_for() {
    let kafka = services().kafka.client();
    let topic = unique("mqtt-away");
    kafka.create_topic(&topic, 1);
    let worker = Standalone::new(services().kafka.bootstrap(), &[]);
    let (mut process, rest) = worker.serve();

    // Nobody listens: the task goes on trying, and its log says where.
    let name = unique("nobody");
    let port = free_port();
    let nobody = with(mqtt_source(port, &topic), "lavka.mqtt.client.id", &name);
    assert_eq!(rest.post("/connectors", &json!({"name": name, "config": nobody})).status, 201);
    process.wait_for_log(&format!("tcp://127.0.0.1:{port}"), PATIENCE);
    process.wait_for_log("onnection refused", PATIENCE);
    wait_for_task(&rest, &name, "RUNNING");

    // The user mends the address.
    let config = MosquittoConfig { persistence: true, ..MosquittoConfig::default() };
    let mut mosquitto = Mosquitto::start(&config).unwrap();
    let source = with(mqtt_source(mosquitto.port(), &topic), "lavka.mqtt.client.id", &name);
    assert_eq!(rest.put(&format!("/connectors/{name}/config"), &source).status, 200);
    eventually("the subscription", PATIENCE, || mosquitto.log().contains("Sending SUBACK").then_some(()));
    let mut publisher = Publisher::connect(mosquitto.port());
    publisher.publish(200);
    publisher.wait_accepted(PATIENCE);

    // It goes away with messages under way, and comes back with its sessions.
    publisher.publish(100);
    mosquitto.stop();
    mosquitto.restart().unwrap();
    publisher.publish(200);
    publisher.wait_accepted(PATIENCE);
    expect_in_kafka(&kafka, &topic, 500);

    // It stands still for longer than the keep-alive interval: noticed, and given up for a new connection.
    let before = process.log().matches("connected to the MQTT server").count();
    mosquitto.pause();
    process.wait_for_log("did not answer a ping", PATIENCE);
    mosquitto.resume();
    eventually("a new connection", PATIENCE, || {
        (process.log().matches("connected to the MQTT server").count() > before).then_some(())
    });
    publisher.publish(200);
    publisher.wait_accepted(PATIENCE);
    expect_in_kafka(&kafka, &topic, 700);
    wait_for_task(&rest, &name, "RUNNING");
    assert!(process.stop().success(), "{}", process.log_tail(20));
}
