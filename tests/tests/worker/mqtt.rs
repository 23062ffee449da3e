//! From a real Mosquitto through a worker, scored on the way, into a real Kafka.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::TestWorker;
use lavka_api::config::Config;
use lavka_testkit::{ConsumedRecord, MosquittoConfig, services, temp_dir, unique};
use lavka_worker::State;

const PATIENCE: Duration = Duration::from_secs(60);

/// One reading of twenty channels, as the autoencoder of the golden data takes them.
fn reading(id: u32) -> String {
    let channels: Vec<String> =
        (0..20).map(|channel| format!("\"x{channel}\":{}", f64::from(channel) * 0.01)).collect();
    format!("{{\"id\":{id},\"channels\":{{{}}}}}", channels.join(","))
}

/// Publishes readings with QoS 1 through one connection, each line of standard input a message.
pub(crate) fn publish(port: u16, topic: &str, ids: std::ops::Range<u32>) {
    use std::io::Write as _;
    let mut client = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic, "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    for id in ids {
        writeln!(input, "{}", reading(id)).unwrap();
    }
    drop(input);
    assert!(client.wait().unwrap().success());
}

fn ids(records: &[ConsumedRecord]) -> HashSet<u64> {
    records.iter().map(|record| record.value_json()["id"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_scored_on_the_way_in_and_none_is_lost_over_a_stop() {
    let folder = temp_dir();
    let mosquitto = lavka_testkit::Mosquitto::start(&MosquittoConfig::default()).unwrap();
    let topic = unique("readings");
    let client = services().kafka.client();
    client.create_topic(&topic, 1);
    let model = format!("{}/data/onnx/autoencoder.onnx", env!("CARGO_MANIFEST_DIR"));
    let features: Vec<String> = (0..20).map(|i| format!("x{i}:channels.x{i}")).collect();
    let config = || {
        Config::from([
            ("connector.class", "MqttSource".to_owned()),
            ("mqtt.server.uri", format!("tcp://127.0.0.1:{}", mosquitto.port())),
            ("mqtt.topics", "sensors/+/reading".into()),
            ("mqtt.qos", "1".into()),
            ("mqtt.clean.session.enabled", "false".into()),
            ("kafka.topic", topic.clone()),
            ("lavka.payload.format", "json".into()),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter".into()),
            ("value.converter.schemas.enable", "false".into()),
            ("transforms", "score".into()),
            ("transforms.score.type", "io.lavka.transforms.Score".into()),
            ("transforms.score.model", model.clone()),
            ("transforms.score.features", features.join(",")),
            ("transforms.score.outputs", "mse:anomaly".into()),
        ])
    };
    let name = unique("mqtt");
    let worker = TestWorker::start(folder.path());
    worker.handle().put_connector(name.clone(), config(), None, false).await.unwrap();
    worker.wait_for_state(&name, State::Running, PATIENCE);
    // The session exists once the first reading came through; what is published before may go nowhere.
    lavka_testkit::eventually("the subscription", PATIENCE, || {
        publish(mosquitto.port(), "sensors/probe/reading", 1_000_000..1_000_001);
        (!client.consume_all(&topic).is_empty()).then_some(())
    });
    publish(mosquitto.port(), "sensors/a/reading", 0..500);
    worker.shutdown().await;
    // While nobody runs, the broker keeps what is sent.
    publish(mosquitto.port(), "sensors/b/reading", 500..700);
    let worker = TestWorker::start(folder.path());
    worker.handle().put_connector(name.clone(), config(), None, false).await.unwrap();
    let records = lavka_testkit::eventually("all readings", PATIENCE, || {
        let records = client.consume_all(&topic);
        let arrived = ids(&records);
        (0..700).all(|id| arrived.contains(&id)).then_some(records)
    });
    for record in &records {
        let anomaly = record.value_json()["anomaly"].as_f64().unwrap();
        assert!(anomaly.is_finite() && anomaly > 0.0);
        assert!(record.key_text().is_some_and(|key| key.starts_with("sensors/")));
        assert_eq!(record.header("mqtt.qos"), Some(b"1".as_slice()));
    }
    worker.shutdown().await;
}
