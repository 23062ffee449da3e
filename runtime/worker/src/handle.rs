//! What REST and the command line ask of a running worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lavka_api::config::{Config, ConfigDef};
use lavka_api::plugin::{Catalogue, LookupError, PluginKind, TaskId};
use lavka_api::{KAFKA_VERSION, Result};
use lavka_coordination::config_log::TargetState;
use lavka_coordination::herder::{Answer, ConnectorInfo, Request};
use lavka_coordination::restart::RestartRequest;
use lavka_coordination::status::{ConnectorStatus, Status};
use lavka_telemetry::metrics::Sample;
use tokio::sync::{mpsc, oneshot, watch};

use crate::answers::{ConfigInfos, ConnectorOffset, Health, OffsetChange, Refusal, ServerInfo};
use crate::assembly::{Assembly, connector_plugin};
use crate::driver::{Ask, Held, HerderView, Reply};
use crate::stage;
use crate::validate::{Validation, plugin_keys, refusal_of};

/// How often a patch is tried anew because the configuration changed under it.
const PATCH_TRIES: usize = 10;

/// How long the driver may take to answer a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a worker. Cloning is cheap.
#[derive(Clone)]
pub struct WorkerHandle {
    view: HerderView,
    asks: mpsc::Sender<Ask>,
    assembly: Arc<Assembly>,
    commit: Arc<str>,
    cluster_id: watch::Receiver<Option<String>>,
    /// Whether the driver takes requests since the start.
    ready: Arc<AtomicBool>,
}

impl WorkerHandle {
    pub(crate) fn new(
        view: HerderView,
        asks: mpsc::Sender<Ask>,
        assembly: Arc<Assembly>,
        commit: Arc<str>,
        cluster_id: watch::Receiver<Option<String>>,
        ready: Arc<AtomicBool>,
    ) -> Self {
        Self { view, asks, assembly, commit, cluster_id, ready }
    }

    /// Whether the driver is there to hear it.
    pub(crate) async fn tell(&self, ask: Ask) -> bool {
        self.asks.send(ask).await.is_ok()
    }

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
    pub fn task_status(&self, name: &str, task: i32) -> Result<Status, Refusal> {
        let status = u32::try_from(task).ok().and_then(|task| {
            let id = TaskId { connector: name.to_owned(), task };
            self.view.read().statuses().task(&id).cloned()
        });
        status.ok_or_else(|| Refusal::not_found(format!("No status found for task {name}-{task}")))
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
        match config.get("name") {
            Some(inner) if inner != name => {
                return Err(Refusal::bad_request(format!(
                    "Connector name configuration ({inner}) doesn't match connector name in the URL ({name})"
                )));
            }
            Some(_) => {}
            None => config.set("name", name.clone()),
        }
        let (kind, version) = self.valid(&config).await?;
        let asked = self.ask(Request::Put { name: name.clone(), config, kind, version, initial, replace });
        let _stage = stage::enter(format!("waiting for connector {name} to start"));
        match asked.await? {
            Answer::Connector { created, info } => Ok((created, info)),
            other => Err(unexpected(&other)),
        }
    }

    /// The kind and version of the connector that a configuration without errors is for.
    async fn valid(&self, config: &Config) -> Result<(PluginKind, String), Refusal> {
        let infos = self.validation().run(config).await?;
        match refusal_of(&infos) {
            Some(refusal) => Err(refusal),
            None => {
                let resolved = self.assembly.resolve(config).await?;
                let plugin = connector_plugin(&resolved.config, &self.assembly.catalogue)?;
                Ok((plugin.kind(), plugin.version.to_owned()))
            }
        }
    }

    /// Merges `patch` into a connector's stored configuration; null values remove keys. As in Connect the `name` in
    /// the configuration is not held against the connector's.
    ///
    /// # Errors
    /// 404, and as [`put_connector`](Self::put_connector). 409 where the configuration is changed by others all the
    /// time.
    pub async fn patch_connector(&self, name: &str, patch: &Config) -> Result<ConnectorInfo, Refusal> {
        for _ in 0..PATCH_TRIES {
            let stored = self.info(name)?.config;
            let mut config = stored.clone();
            for (key, value) in patch.iter() {
                match value {
                    Some(value) => config.set(key, value),
                    None => {
                        config.remove(key);
                    }
                }
            }
            let (kind, version) = self.valid(&config).await?;
            let owned = name.to_owned();
            let request = Request::Put { name: owned, config, kind, version, initial: None, replace: true };
            // While it was validated somebody else may have changed it; then the patch goes onto that.
            let asked = self.ask_if(request, Some((name.to_owned(), stored)));
            let _stage = stage::enter(format!("waiting for connector {name} to start"));
            match asked.await? {
                Some(Answer::Connector { info, .. }) => return Ok(info),
                Some(other) => return Err(unexpected(&other)),
                None => {}
            }
        }
        Err(Refusal::conflict(format!(
            "The configuration of connector {name} is being changed by others; try again in a moment"
        )))
    }

    /// Deletes a connector. Its offsets stay.
    ///
    /// # Errors
    /// 404.
    pub async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let _stage = stage::enter(format!("waiting for connector {name} to stop"));
        self.ask(Request::Delete(name.to_owned())).await.map(drop)
    }

    /// Pauses, resumes or stops a connector. A stop is waited for.
    ///
    /// # Errors
    /// 404.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), Refusal> {
        let _stage = stage::enter(format!("waiting for connector {name} to change its state"));
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
        let _stage = stage::enter(format!("waiting for connector {name} to restart"));
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
    pub async fn restart_task(&self, name: &str, task: i32) -> Result<(), Refusal> {
        let Ok(task) = u32::try_from(task) else {
            self.info(name)?;
            return Err(Refusal::not_found(format!("Task {name}-{task} not found")));
        };
        let id = TaskId { connector: name.to_owned(), task };
        let _stage = stage::enter(format!("waiting for task {id} to restart"));
        self.ask(Request::RestartTask(id)).await.map(drop)
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
        let _stage = stage::enter(format!("reading the offsets of connector {name}"));
        let resolved = self.assembly.resolve(&config).await?;
        let offsets = self.assembly.offsets_of(name, &resolved.config).await;
        offsets.map_err(|refusal| refusal.without(&resolved.secrets))
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
        let (_held, config) = self.stopped(name).await?;
        let _stage = stage::enter(format!("altering the offsets of connector {name}"));
        let resolved = self.assembly.resolve(&config).await?;
        let altered = self.assembly.alter_offsets(name, &resolved.config, changes).await;
        altered.map_err(|refusal| refusal.without(&resolved.secrets))
    }

    /// Forgets all offsets of a stopped connector; the text of the answer.
    ///
    /// # Errors
    /// As [`alter_offsets`](Self::alter_offsets).
    pub async fn reset_offsets(&self, name: &str) -> Result<&'static str, Refusal> {
        let (_held, config) = self.stopped(name).await?;
        let _stage = stage::enter(format!("resetting the offsets of connector {name}"));
        let resolved = self.assembly.resolve(&config).await?;
        let reset = self.assembly.reset_offsets(name, &resolved.config).await;
        reset.map_err(|refusal| refusal.without(&resolved.secrets))
    }

    /// The configuration of a connector that is stopped, also in fact: its tasks have ended. It stays so while what
    /// comes with it lives.
    async fn stopped(&self, name: &str) -> Result<(Held, Config), Refusal> {
        let (reply, answer) = oneshot::channel();
        let told = self.tell(Ask::Hold { connector: name.to_owned(), reply }).await;
        let held = if told { answer.await.ok() } else { None };
        let held = held.ok_or_else(shutting_down)??;
        let _stage = stage::enter(format!("waiting for connector {name} to stop"));
        self.ask(Request::Barrier(name.to_owned())).await?;
        Ok((held, self.info(name)?.config))
    }

    /// The plugins.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.assembly.catalogue
    }

    /// The keys of a plugin; a connector's own first, then the framework's. `version` may name a version, or `latest`.
    ///
    /// # Errors
    /// 404, or 400 where there is no such version of it.
    pub fn plugin_definition(&self, name: &str, version: Option<&str>) -> Result<ConfigDef, Refusal> {
        // Several plugins may have one class: a converter of values is one of headers too.
        let of_class = |name: &str| self.assembly.catalogue.iter().find(|plugin| plugin.class == name);
        let plugin = match (of_class(name), self.assembly.catalogue.find(name, |_| true)) {
            (Some(plugin), _) | (None, Ok(plugin)) => plugin,
            (None, Err(LookupError::Ambiguous { classes, .. }))
                if classes.iter().all(|class| classes.first() == Some(class)) =>
            {
                classes.first().and_then(|class| of_class(class)).ok_or_else(|| unknown_plugin(name))?
            }
            (None, Err(_)) => return Err(unknown_plugin(name)),
        };
        match version.filter(|version| !matches!(*version, "latest") && *version != plugin.version) {
            Some(version) => Err(Refusal::bad_request(format!(
                "Plugin {} not found that matches the version range {version}, available versions: [{}]",
                plugin.class, plugin.version
            ))),
            None => Ok(plugin_keys(plugin)),
        }
    }

    /// Validates a configuration.
    ///
    /// # Errors
    /// 400 where `plugin` and the class in `config` differ, or there is no such class.
    pub async fn validate(&self, plugin: &str, config: &Config) -> Result<ConfigInfos, Refusal> {
        if let Some(class) = config.get("connector.class") {
            let cut = |name: &str| {
                let shorter = name.strip_suffix("Connector").filter(|shorter| !shorter.is_empty());
                shorter.unwrap_or(name).to_owned()
            };
            if !cut(class).ends_with(&cut(plugin)) {
                return Err(Refusal::bad_request(format!(
                    "Included connector type {class} does not match request type {plugin}"
                )));
            }
        }
        self.validation().run(config).await
    }

    /// What other workers of a cluster ask: that a connector's tasks be configured so. Refused: there are none.
    #[must_use]
    pub fn take_task_configs(&self) -> Refusal {
        Refusal::internal(
            "Kafka Connect in standalone mode does not support externally setting task configurations.",
        )
    }

    /// What other workers of a cluster ask: that earlier tasks be fenced out. Refused: there are none.
    #[must_use]
    pub fn fence(&self) -> Refusal {
        Refusal::internal("Kafka Connect in standalone mode does not support exactly-once source connectors.")
    }

    fn validation(&self) -> Validation<'_> {
        Validation {
            catalogue: &self.assembly.catalogue,
            worker: &self.assembly.worker.raw,
            policy: self.assembly.clients.policy(),
            providers: &self.assembly.worker.providers,
        }
    }

    /// Whether the worker answers within 10 seconds.
    pub async fn health(&self) -> Health {
        let (reply, answer) = oneshot::channel();
        let pinged = async {
            self.asks.send(Ask::Ping(reply)).await.ok()?;
            answer.await.ok()
        };
        if let Ok(Some(())) = tokio::time::timeout(HEALTH_TIMEOUT, pinged).await {
            return Health::Healthy;
        }
        let stage = stage::summary();
        if self.ready.load(Ordering::Relaxed) { Health::Unhealthy(stage) } else { Health::Starting(stage) }
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

    /// What the tasks of this worker count and measure.
    #[must_use]
    pub fn metrics(&self) -> Vec<Sample> {
        self.assembly.metrics.snapshot()
    }

    async fn ask(&self, request: Request) -> Result<Answer, Refusal> {
        let answer = self.ask_if(request, None).await?;
        answer.ok_or_else(|| Refusal::conflict("The connector's configuration changed meanwhile"))
    }

    /// Asks, provided that a connector's stored configuration still is what the caller took it for. `None` if not;
    /// then nothing was done.
    async fn ask_if(
        &self,
        request: Request,
        unchanged: Option<(String, Config)>,
    ) -> Result<Option<Answer>, Refusal> {
        let (reply, answer) = oneshot::channel();
        let told = self.tell(Ask::Request { request, unchanged, reply }).await;
        let reply = if told { answer.await.ok() } else { None };
        match reply.ok_or_else(shutting_down)? {
            Reply::Done(answer) => Ok(Some(answer?)),
            Reply::Changed => Ok(None),
        }
    }
}

fn shutting_down() -> Refusal {
    Refusal::internal("The worker is shutting down")
}

fn unknown_plugin(name: &str) -> Refusal {
    Refusal::not_found(format!("Unknown plugin {name}."))
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(format!("Connector {name} not found"))
}

fn unexpected(answer: &Answer) -> Refusal {
    Refusal::internal(format!("The worker gave an answer of another kind: {answer:?}"))
}

#[cfg(test)]
mod tests;
