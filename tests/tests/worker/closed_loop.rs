//! The closed loop of `examples/score.json` and `examples/mqtt-scores-sink.json`: devices send readings, a model scores them
//! on their way into Kafka, and each device gets its scores back.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::mqtt::publish;
use crate::support::TestWorker;
use lavka_api::config::Config;
use lavka_testkit::{Mosquitto, MosquittoConfig, eventually, services, temp_dir, unique};
use lavka_worker::State;

const PATIENCE: Duration = Duration::from_secs(60);
const DEVICES: [&str; 3] = ["a", "b", "c"];
const READINGS: u32 = 40;

/// The configuration of an example, with what names a place replaced.
fn example(file: &str, replaced: &[(&str, &str)]) -> Config {
    let path = format!("{}/../examples/{file}", env!("CARGO_MANIFEST_DIR"));
    let example: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut config = Config::new();
    for (key, value) in example["config"].as_object().unwrap() {
        config.set(key, value.as_str().unwrap());
    }
    for (key, value) in replaced {
        assert!(config.contains(key), "{key} is not in {file}");
        config.set(*key, *value);
    }
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn predictions_reach_the_devices_they_are_about() {
    let folder = temp_dir();
    let mosquitto = Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let server = format!("tcp://127.0.0.1:{}", mosquitto.port());
    let topic = unique("readings");
    services().kafka.client().create_topic(&topic, 1);
    let model = format!("{}/data/onnx/autoencoder.onnx", env!("CARGO_MANIFEST_DIR"));
    let source = example(
        "score.json",
        &[("mqtt.server.uri", &server), ("kafka.topic", &topic), ("transforms.score.model", &model)],
    );
    let sink = example("mqtt-scores-sink.json", &[("mqtt.server.uri", &server), ("topics", &topic)]);
    let (source_name, sink_name) = (unique("readings"), unique("scores"));
    let worker = TestWorker::start(folder.path());
    worker.handle().put_connector(source_name.clone(), source, None, false).await.unwrap();
    worker.handle().put_connector(sink_name.clone(), sink, None, false).await.unwrap();
    worker.wait_for_state(&source_name, State::Running, PATIENCE);
    worker.wait_for_state(&sink_name, State::Running, PATIENCE);
    let subscribed = |count: usize| {
        eventually("the subscriptions", PATIENCE, || {
            (mosquitto.log().matches("Sending SUBACK").count() >= count).then_some(())
        });
    };
    subscribed(1);

    let expected = DEVICES.len() * READINGS as usize;
    let devices = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &mosquitto.port().to_string(), "-q", "1", "-v", "-W", "60"])
        .args(["-t", "sensors/+/reading/score", "-C", &expected.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    subscribed(2);
    for device in DEVICES {
        publish(mosquitto.port(), &format!("sensors/{device}/reading"), 0..READINGS);
    }
    let came = tokio::task::spawn_blocking(|| devices.wait_with_output()).await.unwrap().unwrap();
    let mut scores: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for line in String::from_utf8(came.stdout).unwrap().lines() {
        let (topic, payload) = line.split_once(' ').unwrap();
        let score: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert!(score["anomaly"].as_f64().is_some_and(|anomaly| anomaly > 0.0), "{line}");
        let device = topic.strip_prefix("sensors/").and_then(|rest| rest.strip_suffix("/reading/score"));
        let id = u32::try_from(score["id"].as_u64().unwrap()).unwrap();
        assert!(score["channels"]["x19"].is_number(), "{line}");
        scores.entry(device.unwrap().to_owned()).or_default().push(id);
    }
    let each = (0..READINGS).collect::<Vec<_>>();
    assert_eq!(scores, DEVICES.map(|device| (device.to_owned(), each.clone())).into());
    worker.shutdown().await;
}
