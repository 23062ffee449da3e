//! A worker in this process.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::plugin::{Catalogue, Plugin};
use lavka_kafka::RdKafkaCluster;
use lavka_telemetry::metrics::Metrics;
use lavka_worker::config::WorkerConfig;
use lavka_worker::{Worker, WorkerParts};

/// Starts a worker that converts values from and to JSON without schemas, with `connectors` beside the converters and
/// transforms.
pub(crate) fn start(
    bootstrap: &str,
    folder: &Path,
    metrics: Metrics,
    connectors: Vec<Plugin>,
    settings: &[(&str, &str)],
) -> Result<Worker, Box<dyn Error>> {
    let mut config = Config::from([
        ("bootstrap.servers", bootstrap.to_owned()),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter".into()),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter".into()),
        ("value.converter.schemas.enable", "false".into()),
        ("key.converter.schemas.enable", "false".into()),
        ("offset.storage.file.filename", folder.join("offsets").display().to_string()),
    ]);
    for (key, value) in settings {
        config.set((*key).to_owned(), *value);
    }
    let plugins = [lavka_converters::plugins(), lavka_transforms::plugins(), connectors];
    let parts = WorkerParts {
        catalogue: Arc::new(Catalogue::new(plugins.into_iter().flatten())),
        cluster: Arc::new(RdKafkaCluster::new()),
        metrics,
        worker_id: "bench:0".into(),
        commit: "Unknown".into(),
    };
    Ok(Worker::start(WorkerConfig::new(config)?, parts)?)
}

/// A metric, summed over tasks.
pub(crate) fn total(metrics: &Metrics, name: &str) -> f64 {
    metrics.snapshot().iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
}
