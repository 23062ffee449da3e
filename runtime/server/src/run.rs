//! A standalone worker with its REST API: what `lavka standalone` runs, and what a binary with plugins of its own runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::plugin::{Catalogue, Plugin};
use lavka_api::{Error, Result};
use lavka_kafka::RdKafkaCluster;
use lavka_rest::{BoundRest, RestConfig, RestServer};
use lavka_telemetry::log::LogControl;
use lavka_telemetry::metrics::Metrics;
use lavka_worker::config::{WorkerConfig, WorkerKey};
use lavka_worker::{Worker, WorkerHandle, WorkerParts};

use crate::catalogue::builtin_plugins;
use crate::connector_file::ConnectorFile;
use crate::properties;

/// Builds a standalone worker.
pub struct StandaloneBuilder {
    config: Config,
    plugins: Vec<Plugin>,
    metrics: Metrics,
    logs: Option<LogControl>,
}

impl StandaloneBuilder {
    /// A worker of this configuration with the built-in plugins.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, plugins: builtin_plugins(), metrics: Metrics::new(), logs: None }
    }

    /// Adds plugins.
    #[must_use]
    pub fn plugins(mut self, plugins: impl IntoIterator<Item = Plugin>) -> Self {
        self.plugins.extend(plugins);
        self
    }

    /// Uses these counters.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Lets the REST API change these log levels.
    #[must_use]
    pub fn logs(mut self, logs: LogControl) -> Self {
        self.logs = Some(logs);
        self
    }

    /// Starts worker and REST API. Must be called within a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// A config error that names the key, or an I/O error where a listener's address is taken.
    pub async fn start(self) -> Result<Standalone> {
        install_tls_provider();
        let config = WorkerConfig::new(self.config)?;
        for (key, meaning) in config.explain() {
            match meaning {
                WorkerKey::Used => {}
                WorkerKey::Ignored(why) => tracing::info!("the worker key '{key}' has no effect: {why}"),
                WorkerKey::Unknown(Some(nearest)) => {
                    tracing::warn!("the worker key '{key}' is not known; did you mean '{nearest}'?");
                }
                WorkerKey::Unknown(None) => tracing::warn!("the worker key '{key}' is not known"),
            }
        }
        // Listening comes first: the worker's id has the port in it, which may be whichever was free.
        let rest = BoundRest::bind(RestConfig::of(&config.keys)?).await;
        let rest = rest.map_err(|error| Error::config(error.to_string()))?;
        let worker = Worker::start(
            config,
            WorkerParts {
                catalogue: Arc::new(Catalogue::new(self.plugins)),
                cluster: Arc::new(RdKafkaCluster::new()),
                metrics: self.metrics,
                worker_id: rest.worker_id(),
                commit: "Unknown".into(),
            },
        )?;
        let rest = rest.serve(worker.handle(), self.logs);
        for address in rest.local_addrs() {
            tracing::info!("REST API at http://{address}");
        }
        Ok(Standalone { worker, rest })
    }
}

/// A running standalone worker.
pub struct Standalone {
    worker: Worker,
    rest: RestServer,
}

impl Standalone {
    /// What to ask it by.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        self.worker.handle()
    }

    /// `http://host:port` of the first listener.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        self.rest.local_addrs().first().map(|address| format!("http://{address}"))
    }

    /// Stops tasks, commits what is durable, ends.
    pub async fn shutdown(self) {
        self.worker.shutdown().await;
        self.rest.shutdown().await;
    }
}

/// One TLS implementation for the whole process; rustls wants to be told which.
pub fn install_tls_provider() {
    // An error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Reads a worker's properties file.
///
/// # Errors
/// A config error that names the file and the line.
pub fn read_worker_file(path: &Path) -> Result<Config> {
    let in_file = |error: &Error| Error::config(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| in_file(&error.into()))?;
    properties::parse(&text).map_err(|error| in_file(&error))
}

/// Reads connector files, all of them before any connector is started.
///
/// # Errors
/// As [`ConnectorFile::read`].
pub fn read_connector_files(paths: &[PathBuf]) -> Result<Vec<ConnectorFile>> {
    paths.iter().map(|path| ConnectorFile::read(path)).collect()
}
