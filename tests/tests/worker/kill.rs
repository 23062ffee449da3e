//! kill -9 of the real binary in mid-stream: every MQTT QoS 1 message is in Kafka afterwards.

use std::collections::HashSet;
use std::time::Duration;

use lavka_testkit::{
    LavkaCommand, LavkaProcess, Mosquitto, MosquittoConfig, RestClient, count, eventually, free_port,
    services, temp_dir, unique, write_file,
};
use serde_json::json;

use crate::mqtt::publish;

const PATIENCE: Duration = Duration::from_secs(40);
/// Readings published around each kill.
const READINGS: u32 = 400;

fn start(folder: &std::path::Path, port: u16) -> (LavkaProcess, RestClient) {
    let worker = format!(
        "bootstrap.servers={}\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n\
         offset.storage.file.filename={}\nlisteners=http://127.0.0.1:{port}\n",
        services().kafka.bootstrap(),
        folder.join("offsets").display()
    );
    let worker = write_file(folder, "worker.properties", worker);
    let source = folder.join("source.json");
    let mut process =
        LavkaCommand::new(["standalone", &worker.display().to_string(), &source.display().to_string()])
            .start();
    let rest = process.wait_for_rest(&format!("http://127.0.0.1:{port}"), PATIENCE);
    (process, rest)
}

#[test]
fn killed_in_mid_stream_no_qos_1_message_is_lost() {
    let folder = temp_dir();
    let mosquitto = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let client = services().kafka.client();
    let topic = unique("killed");
    client.create_topic(&topic, 1);
    let source = json!({ "name": "source", "config": {
        "connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
        "mqtt.server.uri": format!("tcp://127.0.0.1:{}", mosquitto.port()),
        "mqtt.topics": "sensors/+/reading",
        "mqtt.qos": "1",
        "mqtt.clean.session.enabled": "false",
        "kafka.topic": topic,
        "lavka.payload.format": "json",
        "lavka.mqtt.client.id": unique("killed"),
    }});
    write_file(folder.path(), "source.json", source.to_string());
    let port = free_port();
    let (mut process, rest) = start(folder.path(), port);
    assert_eq!(rest.get("/connectors/source/status").status, 200);
    eventually("the subscription", PATIENCE, || {
        publish(mosquitto.port(), "sensors/probe/reading", 9_000_000..9_000_001);
        (!client.consume_all(&topic).is_empty()).then_some(())
    });
    let rounds = count(20, 200);
    for round in 0..u32::try_from(rounds).unwrap() {
        let first = round * READINGS;
        let mqtt = mosquitto.port();
        let publishing =
            std::thread::spawn(move || publish(mqtt, "sensors/a/reading", first..first + READINGS));
        // Somewhere in the middle; where exactly is up to the machine.
        std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 120)));
        process.kill9();
        publishing.join().unwrap();
        process = start(folder.path(), port).0;
    }
    let wanted = u64::try_from(rounds).unwrap() * u64::from(READINGS);
    eventually("every reading in Kafka", PATIENCE, || {
        let ids: HashSet<u64> = client
            .consume_all(&topic)
            .iter()
            .filter_map(|record| record.value_json()["id"].as_u64())
            .collect();
        (0..wanted).all(|id| ids.contains(&id)).then_some(())
    });
    process.stop();
}
