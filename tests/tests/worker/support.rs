//! A worker in process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::plugin::Catalogue;
use lavka_kafka::RdKafkaCluster;
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{eventually, services};
use lavka_worker::config::WorkerConfig;
use lavka_worker::{State, Worker, WorkerHandle, WorkerParts};

/// A standalone worker on the test run's Kafka, with its offset file in `folder`.
pub(crate) struct TestWorker(Worker);

impl TestWorker {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_on(services().kafka.bootstrap(), folder, &[])
    }

    /// On a Kafka of the test's own, with more keys.
    pub(crate) fn start_on(bootstrap: &str, folder: &Path, keys: &[(&str, &str)]) -> Self {
        let mut config = Config::from([
            ("bootstrap.servers", bootstrap.to_owned()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter".into()),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter".into()),
            ("offset.storage.file.filename", folder.join("offsets").display().to_string()),
            ("offset.flush.interval.ms", "300".into()),
            ("consumer.session.timeout.ms", "6000".into()),
        ]);
        for (key, value) in keys {
            config.set(*key, *value);
        }
        let plugins = [
            lavka_avro::plugins(),
            lavka_protobuf::plugins(),
            lavka_converters::plugins(),
            lavka_transforms::plugins(),
            lavka_score::plugins(),
            lavka_connector_file::plugins(),
            lavka_connector_mqtt::plugins(),
        ];
        let parts = WorkerParts {
            catalogue: Arc::new(Catalogue::new(plugins.into_iter().flatten())),
            cluster: Arc::new(RdKafkaCluster::new()),
            metrics: Metrics::new(),
            worker_id: "127.0.0.1:8083".into(),
            commit: "Unknown".into(),
        };
        Self(Worker::start(WorkerConfig::new(config).unwrap(), parts).unwrap())
    }

    pub(crate) fn handle(&self) -> WorkerHandle {
        self.0.handle()
    }

    /// Waits until the connector and all of its tasks are in `state`.
    pub(crate) fn wait_for_state(&self, name: &str, state: State, patience: Duration) {
        let handle = self.handle();
        eventually("the state", patience, || {
            let status = handle.status(name).ok()?;
            let all =
                status.connector.state == state && status.tasks.iter().all(|(_, task)| task.state == state);
            all.then_some(())
        });
    }

    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await;
    }
}
