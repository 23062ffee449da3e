//! A running worker.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::Result;
use lavka_api::plugin::Catalogue;
use lavka_coordination::herder::Herder;
use lavka_ports::{Admin, Cluster};
use lavka_telemetry::metrics::Metrics;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::assembly::Assembly;
use crate::config::{Clients, WorkerConfig};
use crate::driver::{Ask, Driver, HerderView};
use crate::handle::WorkerHandle;
use crate::offsets::FileOffsetStore;

/// What a worker is made of besides its configuration.
pub struct WorkerParts {
    /// The plugins.
    pub catalogue: Arc<Catalogue>,
    /// The Kafka cluster.
    pub cluster: Arc<dyn Cluster>,
    /// Counters.
    pub metrics: Metrics,
    /// `host:port` of the REST API as others reach it.
    pub worker_id: String,
    /// The git id that `GET /` shows, or `Unknown`.
    pub commit: String,
}

/// A running standalone worker.
pub struct Worker {
    handle: WorkerHandle,
    driver: JoinHandle<()>,
    cluster_id: JoinHandle<()>,
}

/// Requests on their way to the driver.
const ASKS: usize = 256;

impl Worker {
    /// Starts a worker without connectors. The Kafka cluster need not be there yet.
    ///
    /// # Errors
    /// A config error that names the key: the offset file cannot be used, or a client setting is wrong.
    pub fn start(config: WorkerConfig, parts: WorkerParts) -> Result<Self> {
        let assembly = Assembly {
            clients: Clients::new(&config),
            offsets: Arc::new(FileOffsetStore::open(&config.keys.offset_file)?),
            offset_logs: Arc::default(),
            worker: config,
            catalogue: parts.catalogue,
            cluster: parts.cluster,
            metrics: parts.metrics,
        };
        let admin = assembly.cluster.admin(&assembly.clients.worker_admin())?;
        let view = HerderView::new(Herder::new(parts.worker_id, assembly.worker.keys.topic_tracking));
        let (driver, incoming) =
            Driver::new(view.clone(), assembly.clone(), assembly.worker.graceful_timeout());
        let (asks, queue) = mpsc::channel(ASKS);
        let (found, cluster_id) = watch::channel(None);
        let brokers = assembly.worker.keys.bootstrap_servers.join(",");
        let looking = tokio::spawn(find_cluster_id(admin, brokers, found));
        let handle = WorkerHandle::new(
            view,
            asks,
            Arc::new(assembly),
            parts.commit.into(),
            cluster_id,
            driver.ready(),
        );
        Ok(Self { handle, driver: tokio::spawn(driver.run(queue, incoming)), cluster_id: looking })
    }

    /// What others ask it by.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Stops all tasks within their graceful time, commits what is durable, and ends.
    pub async fn shutdown(self) {
        self.cluster_id.abort();
        let (done, wait) = oneshot::channel();
        if self.handle.tell(Ask::Shutdown(done)).await {
            let _ = wait.await;
        }
        let _ = self.driver.await;
    }
}

/// A question may take a minute; whoever waits for the worker to do something is told earlier why it does not.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// Asks for the cluster's id until it is known; the cluster may come up after the worker.
async fn find_cluster_id(admin: Arc<dyn Admin>, brokers: String, found: watch::Sender<Option<String>>) {
    let mut wait = Duration::from_millis(500);
    loop {
        let mut asking = std::pin::pin!(admin.cluster());
        let answer = match tokio::time::timeout(FIRST_WORD, asking.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(
                    "the Kafka cluster at {brokers} (bootstrap.servers) has not answered yet; tasks wait until it does"
                );
                asking.await
            }
        };
        match answer {
            Ok(cluster) => {
                found.send_replace(Some(cluster.id));
                return;
            }
            Err(error) => tracing::warn!(
                "the Kafka cluster at {brokers} (bootstrap.servers) cannot be asked for its id: {error}"
            ),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(30));
    }
}
