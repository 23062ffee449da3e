//! Starts the demo's worker and posts its connectors over REST, as a user would.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_api::{Error, Result};
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{Cluster as _, NewTopic};
use lavka_telemetry::metrics::Metrics;
use serde_json::{Value, json};

use super::{blocking, devices};
use crate::{Standalone, StandaloneBuilder};

/// The model: an autoencoder over twenty channels; the error of its reconstruction tells what is abnormal.
const MODEL: &[u8] = include_bytes!("../../../../tests/data/onnx/autoencoder.onnx");

/// The field that predictions go to.
pub(super) const PREDICTION: &str = "anomaly";
/// Above it a reading is abnormal: normal ones stay far below.
pub(super) const THRESHOLD: f64 = 2.0;
/// Probe readings (ids below 0) that are sent until the MQTT source is subscribed.
const PROBES_MAX: u64 = 200;

/// The running worker.
pub(super) struct Pipeline {
    worker: Standalone,
    url: String,
    topic: String,
    folder: PathBuf,
    model: PathBuf,
    mqtt: u16,
    metrics: Metrics,
}

impl Pipeline {
    pub(super) async fn start(
        bootstrap: &str,
        topic: &str,
        mqtt: u16,
        folder: &Path,
        metrics: Metrics,
    ) -> Result<Self> {
        let model = folder.join("autoencoder.onnx");
        std::fs::write(&model, MODEL)?;
        let config = Config::from([
            ("bootstrap.servers", bootstrap.to_owned()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter".into()),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter".into()),
            ("value.converter.schemas.enable", "false".into()),
            ("offset.storage.file.filename", folder.join("offsets").display().to_string()),
            ("offset.flush.interval.ms", "1000".into()),
            ("listeners", "http://127.0.0.1:0".into()),
        ]);
        create_topic(bootstrap, topic).await?;
        let worker = StandaloneBuilder::new(config).metrics(metrics.clone()).start().await?;
        let url = worker.url().unwrap_or_default();
        Ok(Self { worker, url, topic: topic.to_owned(), folder: folder.to_path_buf(), model, mqtt, metrics })
    }

    pub(super) fn rest_url(&self) -> &str {
        &self.url
    }

    /// The folder of the topic's files.
    pub(super) fn lake(&self) -> PathBuf {
        self.folder.join("lake/topics").join(&self.topic)
    }

    pub(super) async fn post_connectors(&self) -> Result<()> {
        let features: Vec<String> = (0..devices::CHANNELS).map(|i| format!("x{i}:channels.x{i}")).collect();
        let sink = json!({
            "name": "readings-to-lake",
            "config": {
                "connector.class": "io.lavka.connect.lake.LakeSinkConnector",
                "topics": self.topic,
                "store.url": format!("file://{}", self.folder.join("lake").display()),
                "format.class": "io.confluent.connect.hdfs.parquet.ParquetFormat",
                "parquet.codec": "zstd",
                "flush.size": "10000",
                "rotate.interval.ms": "2000",
                "lavka.schema": "infer",
                "transforms": "score",
                "transforms.score.type": "io.lavka.transforms.Score",
                "transforms.score.model": self.model.display().to_string(),
                "transforms.score.features": features.join(","),
                "transforms.score.outputs": format!("mse:{PREDICTION}"),
            }
        });
        let source = json!({
            "name": "sensors-to-kafka",
            "config": {
                "connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
                "mqtt.server.uri": format!("tcp://127.0.0.1:{}", self.mqtt),
                "mqtt.topics": "sensors/+/reading",
                "mqtt.qos": "1",
                "mqtt.clean.session.enabled": "false",
                "kafka.topic": self.topic,
                "lavka.payload.format": "json",
            }
        });
        for connector in [sink, source] {
            self.post(connector).await?;
        }
        Ok(())
    }

    async fn post(&self, connector: Value) -> Result<()> {
        let url = format!("{}/connectors", self.url);
        let body = serde_json::to_string_pretty(&connector).unwrap_or_default();
        println!("curl -X POST {url} -H 'Content-Type: application/json' -d '{body}'\n");
        let answer = blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let sent =
                agent.post(&url).header("Content-Type", "application/json").send(connector.to_string());
            let mut answer = sent.map_err(std::io::Error::other)?;
            let status = answer.status().as_u16();
            Ok((status, answer.body_mut().read_to_string().map_err(std::io::Error::other)?))
        });
        match answer.await? {
            (201, _) => Ok(()),
            (status, text) => Err(Error::fatal(format!("the worker answered {status}: {text}"))),
        }
    }

    /// Sends probe readings until one has come out in Kafka: from then on the source is subscribed and misses none.
    pub(super) async fn wait_until_readings_flow(&self, mqtt: u16) -> Result<()> {
        let written = || {
            let samples = self.metrics.snapshot();
            samples.iter().any(|s| s.name == "source-record-write-total" && s.value > 0.0)
        };
        let began = Instant::now();
        let probe = devices::Probe::new(mqtt);
        for id in 1..=PROBES_MAX {
            probe.send(-i64::try_from(id).unwrap_or(i64::MAX)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            if written() {
                println!("first reading in Kafka after {} ms", began.elapsed().as_millis());
                return Ok(());
            }
        }
        Err(Error::fatal(format!(
            "no reading arrived in Kafka; see {}/connectors/sensors-to-kafka/status",
            self.url
        )))
    }

    pub(super) async fn shutdown(self) {
        self.worker.shutdown().await;
    }
}

/// Four partitions, so that the lake's files show how Kafka spreads keys.
async fn create_topic(bootstrap: &str, topic: &str) -> Result<()> {
    let admin = RdKafkaCluster::new().admin(&Config::from([("bootstrap.servers", bootstrap)]))?;
    let topic =
        NewTopic { name: topic.into(), partitions: Some(4), replication_factor: None, configs: Vec::new() };
    admin.create_topic(&topic).await.map(drop)
}
