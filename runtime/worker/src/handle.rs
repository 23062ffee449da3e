//! What REST and the command line ask of a running worker.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::{Config, ConfigDef};
use lavka_api::plugin::{Catalogue, TaskId};
use lavka_api::{KAFKA_VERSION, Result};
use lavka_coordination::config_log::TargetState;
use lavka_coordination::herder::{Answer, ConnectorInfo, Herder, Request};
use lavka_coordination::restart::RestartRequest;
use lavka_coordination::status::{ConnectorStatus, Status};
use lavka_ports::Cluster;
use lavka_telemetry::metrics::Metrics;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::answers::{ConfigInfos, ConnectorOffset, OffsetChange, Refusal, ServerInfo};
use crate::assembly::{Assembly, connector_plugin};
use crate::config::{Clients, WorkerConfig};
use crate::driver::{Ask, Driver, HerderView};
use crate::offsets::FileOffsetStore;
use crate::validate::{Validation, plugin_keys, refusal_of};

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

/// How long the driver may take to answer a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

impl Worker {
    /// Starts a worker without connectors. The Kafka cluster need not be there yet.
    ///
    /// # Errors
    /// A config error that names the key: the offset file cannot be used, or a client setting is wrong.
    pub fn start(config: WorkerConfig, parts: WorkerParts) -> Result<Self> {
        let assembly = Assembly {
            clients: Clients::new(&config),
            offsets: Arc::new(FileOffsetStore::open(&config.keys.offset_file)?),
            worker: config,
            catalogue: parts.catalogue,
            cluster: parts.cluster,
            metrics: parts.metrics,
        };
        let view = HerderView::new(Herder::new(parts.worker_id, assembly.worker.keys.topic_tracking));
        let (driver, incoming) =
            Driver::new(view.clone(), assembly.clone(), assembly.worker.graceful_timeout());
        let (asks, queue) = mpsc::channel(ASKS);
        let (found, cluster_id) = watch::channel(None);
        let looking = tokio::spawn(find_cluster_id(assembly.clone(), found));
        let handle = WorkerHandle {
            view,
            asks,
            assembly: Arc::new(assembly),
            commit: parts.commit.into(),
            cluster_id,
        };
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
        if self.handle.asks.send(Ask::Shutdown(done)).await.is_ok() {
            let _ = wait.await;
        }
        let _ = self.driver.await;
    }
}

/// Asks for the cluster's id until it is known; the cluster may come up after the worker.
async fn find_cluster_id(assembly: Assembly, found: watch::Sender<Option<String>>) {
    let mut wait = Duration::from_millis(500);
    loop {
        let answer = match assembly.cluster.admin(&assembly.clients.worker_admin()) {
            Ok(admin) => admin.cluster().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(cluster) => {
                found.send_replace(Some(cluster.id));
                return;
            }
            Err(error) => tracing::warn!(
                "the Kafka cluster at {} (bootstrap.servers) cannot be asked for its id: {error}",
                assembly.worker.keys.bootstrap_servers.join(",")
            ),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(30));
    }
}

/// Asks a worker. Cloning is cheap.
#[derive(Clone)]
pub struct WorkerHandle {
    view: HerderView,
    asks: mpsc::Sender<Ask>,
    assembly: Arc<Assembly>,
    commit: Arc<str>,
    cluster_id: watch::Receiver<Option<String>>,
}

impl WorkerHandle {
    /// Names of the connectors, sorted.
    #[must_use]
    pub fn connectors(&self) -> Vec<String> {
        self.view.read().configs().names().map(str::to_owned).collect()
    }

    /// A connector.
    ///
    /// # Errors
    /// 404.
    pub fn info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        self.view.read().info(name).ok_or_else(|| not_found(name))
    }

    /// A connector's status.
    ///
    /// # Errors
    /// 404.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, Refusal> {
        let status = self.view.read().statuses().of(name);
        status.ok_or_else(|| Refusal::not_found(format!("No status found for connector {name}")))
    }

    /// A task's status.
    ///
    /// # Errors
    /// 404.
    pub fn task_status(&self, name: &str, task: u32) -> Result<Status, Refusal> {
        let id = TaskId { connector: name.to_owned(), task };
        let status = self.view.read().statuses().task(&id).cloned();
        status.ok_or_else(|| Refusal::not_found(format!("No status found for task {id}")))
    }

    /// Configurations of a connector's tasks.
    ///
    /// # Errors
    /// 404.
    pub fn task_configs(&self, name: &str) -> Result<Vec<Config>, Refusal> {
        let herder = self.view.read();
        herder.configs().connector(name).ok_or_else(|| not_found(name))?;
        Ok(herder.configs().tasks(name).to_vec())
    }

    /// Creates a connector, or (with `replace`) gives it a new configuration. Returns once its tasks are configured.
    ///
    /// # Errors
    /// 400 for a configuration with errors, 409 where it exists, 500 where it does not start.
    pub async fn put_connector(
        &self,
        name: String,
        mut config: Config,
        initial: Option<TargetState>,
        replace: bool,
    ) -> Result<(bool, ConnectorInfo), Refusal> {
        let name = name.trim().to_owned();
        match config.get("name").map(str::trim) {
            Some(inner) if inner != name => {
                return Err(Refusal::bad_request(format!(
                    "Connector name configuration ({inner}) doesn't match connector name in the URL ({name})"
                )));
            }
            Some(_) => {}
            None => config.set("name", name.clone()),
        }
        let infos = self.validation().run(&config).await?;
        if let Some(refusal) = refusal_of(&infos) {
            return Err(refusal);
        }
        let kind = connector_plugin(&config, &self.assembly.catalogue)?.kind();
        match self.ask(Request::Put { name, config, kind, initial, replace }).await? {
            Answer::Connector { created, info } => Ok((created, info)),
            other => Err(unexpected(&other)),
        }
    }

    /// Merges `patch` into a connector's stored configuration; null values remove keys.
    ///
    /// # Errors
    /// 404, and as [`put_connector`](Self::put_connector).
    pub async fn patch_connector(&self, name: &str, patch: Config) -> Result<ConnectorInfo, Refusal> {
        let mut config = self.info(name)?.config;
        for (key, value) in patch.iter() {
            match value {
                Some(value) => config.set(key, value),
                None => {
                    config.remove(key);
                }
            }
        }
        self.put_connector(name.to_owned(), config, None, true).await.map(|(_, info)| info)
    }

    /// Deletes a connector. Its offsets stay.
    ///
    /// # Errors
    /// 404.
    pub async fn delete(&self, name: &str) -> Result<(), Refusal> {
        self.ask(Request::Delete(name.to_owned())).await.map(drop)
    }

    /// Pauses, resumes or stops a connector. A stop is waited for.
    ///
    /// # Errors
    /// 404.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), Refusal> {
        self.ask(Request::SetTarget(name.to_owned(), target)).await.map(drop)
    }

    /// Restarts a connector: the instance alone, waited for (`None`), or what the request covers, under way (`Some`).
    ///
    /// # Errors
    /// 404, or 500 where it does not start.
    pub async fn restart(
        &self,
        name: &str,
        request: RestartRequest,
    ) -> Result<Option<ConnectorStatus>, Refusal> {
        if request == RestartRequest::default() {
            return self.ask(Request::RestartConnector(name.to_owned())).await.map(|_| None);
        }
        match self.ask(Request::Restart(name.to_owned(), request)).await? {
            Answer::Restarting(status) => Ok(Some(status)),
            other => Err(unexpected(&other)),
        }
    }

    /// Restarts a task.
    ///
    /// # Errors
    /// 404.
    pub async fn restart_task(&self, name: &str, task: u32) -> Result<(), Refusal> {
        self.ask(Request::RestartTask(TaskId { connector: name.to_owned(), task })).await.map(drop)
    }

    /// Topics that a connector used since it was created or its topics were reset.
    ///
    /// # Errors
    /// 403 where topics are not tracked.
    pub fn topics(&self, name: &str) -> Result<Vec<String>, Refusal> {
        if !self.assembly.worker.keys.topic_tracking {
            return Err(Refusal::forbidden("Topic tracking is disabled."));
        }
        Ok(self.view.read().statuses().topics(name))
    }

    /// Forgets the topics that a connector used.
    ///
    /// # Errors
    /// 403 where topics are not tracked or may not be reset.
    pub async fn reset_topics(&self, name: &str) -> Result<(), Refusal> {
        if !self.assembly.worker.keys.topic_tracking {
            return Err(Refusal::forbidden("Topic tracking is disabled."));
        }
        if !self.assembly.worker.keys.topic_reset {
            return Err(Refusal::forbidden("Topic tracking reset is disabled."));
        }
        self.ask(Request::ResetTopics(name.to_owned())).await.map(drop)
    }

    /// A connector's offsets.
    ///
    /// # Errors
    /// 404, or 500 where they cannot be read.
    pub async fn offsets(&self, name: &str) -> Result<Vec<ConnectorOffset>, Refusal> {
        let config = self.info(name)?.config;
        self.assembly.offsets_of(name, &config).await
    }

    /// Changes offsets of a stopped connector; the text of the answer.
    ///
    /// # Errors
    /// 404, 400 where it is not stopped or the offsets make no sense, 500 where they cannot be written.
    pub async fn alter_offsets(
        &self,
        name: &str,
        changes: Vec<OffsetChange>,
    ) -> Result<&'static str, Refusal> {
        let config = self.stopped(name).await?;
        self.assembly.alter_offsets(name, &config, changes).await
    }

    /// Forgets all offsets of a stopped connector; the text of the answer.
    ///
    /// # Errors
    /// As [`alter_offsets`](Self::alter_offsets).
    pub async fn reset_offsets(&self, name: &str) -> Result<&'static str, Refusal> {
        let config = self.stopped(name).await?;
        self.assembly.reset_offsets(name, &config).await
    }

    /// The configuration of a connector that is stopped, also in fact: its tasks have ended.
    async fn stopped(&self, name: &str) -> Result<Config, Refusal> {
        let config = {
            let herder = self.view.read();
            let config = herder.configs().connector(name).cloned().ok_or_else(|| not_found(name))?;
            if herder.configs().target(name) != TargetState::Stopped
                || !herder.configs().tasks(name).is_empty()
            {
                return Err(Refusal::bad_request(format!(
                    "Connectors must be in the STOPPED state before their offsets can be modified. This can be done \
                     for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
                )));
            }
            config
        };
        self.ask(Request::Barrier(name.to_owned())).await?;
        Ok(config)
    }

    /// The plugins.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.assembly.catalogue
    }

    /// The keys of a plugin; a connector's own first, then the framework's.
    ///
    /// # Errors
    /// 404.
    pub fn plugin_definition(&self, name: &str) -> Result<ConfigDef, Refusal> {
        let found = self.assembly.catalogue.find(name, |_| true);
        found.map(plugin_keys).map_err(|_| Refusal::not_found(format!("Unknown plugin {name}.")))
    }

    /// Validates a configuration.
    ///
    /// # Errors
    /// 400 where `plugin` and the class in `config` differ, or there is no such class.
    pub async fn validate(&self, plugin: &str, config: &Config) -> Result<ConfigInfos, Refusal> {
        let mut config = config.clone();
        match config.get("connector.class") {
            Some(class) => {
                let cut = |name: &str| name.strip_suffix("Connector").unwrap_or(name).to_owned();
                if !cut(class.trim()).ends_with(&cut(plugin)) {
                    return Err(Refusal::bad_request(format!(
                        "Included connector type {class} does not match request type {plugin}"
                    )));
                }
            }
            None => config.set("connector.class", plugin),
        }
        self.validation().run(&config).await
    }

    fn validation(&self) -> Validation<'_> {
        Validation {
            catalogue: &self.assembly.catalogue,
            worker: &self.assembly.worker.raw,
            policy: self.assembly.clients.policy(),
        }
    }

    /// Whether the worker answers.
    ///
    /// # Errors
    /// 500 where it does not within 10 seconds.
    pub async fn health(&self) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        let pinged = async {
            self.asks.send(Ask::Ping(reply)).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(HEALTH_TIMEOUT, pinged).await {
            Ok(Some(())) => Ok(()),
            _ => Err(Refusal::internal(
                "Worker was unable to handle this request and may be unable to handle other requests.",
            )),
        }
    }

    /// What `GET /` shows.
    #[must_use]
    pub fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: KAFKA_VERSION.to_owned(),
            commit: self.commit.to_string(),
            kafka_cluster_id: self.cluster_id.borrow().clone(),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Refusal> {
        let gone = || Refusal::internal("The worker is shutting down");
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Request(request, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(Refusal::from)
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(format!("Connector {name} not found"))
}

fn unexpected(answer: &Answer) -> Refusal {
    Refusal::internal(format!("The worker gave an answer of another kind: {answer:?}"))
}
