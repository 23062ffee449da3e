//! A standalone worker with its REST API: what `lavka standalone` runs, and what a binary with plugins of its own runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::plugin::{Catalogue, Plugin};
use lavka_api::{Error, Result};
use lavka_kafka::RdKafkaCluster;
use lavka_rest::{BoundRest, RestConfig, RestServer};
use lavka_telemetry::log::LogControl;
use lavka_telemetry::metrics::Metrics;
use lavka_worker::{Worker, WorkerHandle, WorkerParts};

use crate::catalogue::builtin_plugins;
use crate::{properties, worker_file};

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

    /// Starts worker and REST API. Must be called within a multi-threaded tokio runtime. The Kafka cluster need not be
    /// there yet: see [`Standalone::cluster_found`].
    ///
    /// # Errors
    /// A config error that names every wrong key, the offset file that cannot be written, or the listener whose address
    /// is taken.
    pub async fn start(self) -> Result<Standalone> {
        install_tls_provider();
        let catalogue = Catalogue::new(self.plugins);
        let config = worker_file::accept(self.config, &catalogue)?;
        worker_file::log_unused_keys(&config);
        // Listening comes first: the worker's id has the port in it, which may be whichever was free.
        let rest = BoundRest::bind(RestConfig::of(&config.keys)?).await;
        let rest = rest.map_err(|error| Error::config(error.to_string()))?;
        let bootstrap = config.keys.bootstrap_servers.join(",");
        let patience = worker_file::patience(&config);
        let secrets = config.secrets.clone();
        let worker = Worker::start(
            config,
            WorkerParts {
                catalogue: Arc::new(catalogue),
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
        Ok(Standalone { worker, rest, bootstrap: secrets.redact(&bootstrap).into_owned(), patience })
    }
}

/// A running standalone worker.
pub struct Standalone {
    worker: Worker,
    rest: RestServer,
    /// As it may be shown.
    bootstrap: String,
    patience: Duration,
}

/// How often to look whether the cluster has been found.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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

    /// Waits until the Kafka cluster has answered for the first time. Connectors may be started meanwhile: their tasks
    /// wait for it too.
    ///
    /// # Errors
    /// Connect's own text, and what to look at, if it does not answer within `default.api.timeout.ms` (a minute unless
    /// the worker file says otherwise).
    pub async fn cluster_found(&self) -> Result<()> {
        let handle = self.worker.handle();
        let found = async {
            while handle.server_info().kafka_cluster_id.is_none() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(self.patience, found).await.map_err(|_| {
            Error::fatal(format!(
                "Failed to connect to and describe Kafka cluster. Check worker's broker connection and security \
                 properties. No broker at {} (bootstrap.servers) answered within {} ms (default.api.timeout.ms): see \
                 that one runs there, and that security.protocol is the one of its listener",
                self.bootstrap,
                self.patience.as_millis()
            ))
        })
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
    properties::read(path)
}
