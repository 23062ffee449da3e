//! Starts and stops connectors and tasks, and learns what becomes of them.

use std::collections::BTreeMap;

use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::{PluginKind, TaskId};
use lavka_api::{Error, ErrorClass};

use super::core::Herder;
use super::message::{Answer, Effect, HerderError, RequestId, failed_task};
use crate::config_log::{ConfigRecord, TargetState};
use crate::status::{State, Status};

/// What is known of a connector's current run.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) kind: PluginKind,
    /// The start whose news counts; none where no instance runs or is about to.
    epoch: Option<u64>,
    /// The instance started; task configurations may be asked for.
    started: bool,
    version: Option<String>,
    /// Tasks that run, each with the start whose news counts.
    tasks: BTreeMap<u32, u64>,
    /// The tasks were started under an earlier configuration of the connector, which transforms and converters are
    /// part of: they are replaced even where their own configurations stay the same.
    pub(super) outdated: bool,
    /// Who is told once the instance is up (and, for a `Put`, its tasks are configured).
    waiting: Vec<Waiting>,
}

/// A request that is answered later.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A `Put`: told when task configurations are in.
    Configured { request: RequestId, created: bool },
    /// A connector restart: told when the instance is up.
    Started { request: RequestId },
}

impl Herder {
    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    pub(super) fn is_current(&self, name: &str, epoch: u64) -> bool {
        self.running.get(name).is_some_and(|running| running.epoch == Some(epoch))
    }

    pub(super) fn start_connector(&mut self, name: &str, kind: PluginKind, waiting: Option<Waiting>) {
        let epoch = self.next_epoch();
        let Some(config) = self.configs.connector(name).cloned() else { return };
        let paused = self.configs.target(name) == TargetState::Paused;
        let running = self.running.entry(name.to_owned()).or_insert_with(|| Running::stopped(kind, None));
        running.kind = kind;
        running.epoch = Some(epoch);
        running.started = false;
        // A start that never answered is answered by the next one.
        running.waiting.extend(waiting);
        self.effects.push_back(Effect::StartConnector { name: name.to_owned(), epoch, config, paused });
    }

    pub(super) fn connector_failed(&mut self, name: &str, epoch: u64, error: &Error) {
        if self.is_current(name, epoch) {
            self.connector_status(name, State::Failed, Some(error));
        }
    }

    pub(super) fn connector_started(&mut self, name: &str, epoch: u64, outcome: Result<String, Error>) {
        if !self.is_current(name, epoch) {
            return;
        }
        match outcome {
            Ok(version) => {
                let paused = self.configs.target(name) == TargetState::Paused;
                if let Some(running) = self.running.get_mut(name) {
                    running.started = true;
                    running.version = Some(version);
                }
                self.connector_status(name, if paused { State::Paused } else { State::Running }, None);
                self.tell_waiting(name, Ok(()), |waiting| matches!(waiting, Waiting::Started { .. }));
                self.generate_tasks(name);
            }
            Err(error) => {
                self.connector_status(name, State::Failed, Some(&error));
                self.tell_waiting(name, Err(&error), |_| true);
            }
        }
    }

    pub(super) fn generate_tasks(&mut self, name: &str) {
        let running = self.running.get(name).filter(|running| running.started);
        let (Some(epoch), Some(config)) =
            (running.and_then(|running| running.epoch), self.configs.connector(name))
        else {
            return;
        };
        let max = tasks_max(config);
        self.effects.push_back(Effect::GenerateTasks { name: name.to_owned(), epoch, max });
    }

    pub(super) fn task_configs(&mut self, name: &str, epoch: u64, outcome: Result<Vec<Config>, Error>) {
        if !self.is_current(name, epoch) {
            return;
        }
        let outcome = outcome.and_then(|configs| match self.too_many_tasks(name, configs.len()) {
            None => Ok(configs),
            Some(error) => Err(error),
        });
        match outcome {
            Ok(configs) => {
                let fresh = self
                    .running
                    .get(name)
                    .is_some_and(|running| !running.outdated && running.tasks.len() == configs.len());
                if !fresh || self.configs.tasks(name) != configs {
                    self.replace_tasks(name, configs);
                }
                self.tell_waiting(name, Ok(()), |_| true);
            }
            Err(error) => {
                // Tasks that run go on (A49); the connector shows why it has no new ones.
                self.connector_status(name, State::Failed, Some(&error));
                self.tell_waiting(name, Ok(()), |_| true);
            }
        }
    }

    /// Why `count` tasks are more than `tasks.max` and its enforcement allow.
    fn too_many_tasks(&self, name: &str, count: usize) -> Option<Error> {
        let config = self.configs.connector(name)?;
        let max = tasks_max(config);
        let enforce = config.get("tasks.max.enforce").is_none_or(|text| bool::parse(text).unwrap_or(true));
        if !enforce || count <= usize::try_from(max).unwrap_or(usize::MAX) {
            return None;
        }
        Some(Error::new(
            ErrorClass::Fatal,
            "org.apache.kafka.connect.errors.TooManyTasksException",
            format!(
                "The connector {name} has generated {count} tasks, which is greater than {max}, the maximum number of \
                 tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If \
                 necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to \
                 false; however, this option will be removed in a future release of Kafka Connect."
            ),
        ))
    }

    fn replace_tasks(&mut self, name: &str, configs: Vec<Config>) {
        let old = self.running_tasks(name);
        self.stop_tasks(&old);
        if let Some(running) = self.running.get_mut(name) {
            running.outdated = false;
        }
        let count = u32::try_from(configs.len()).unwrap_or(u32::MAX);
        self.append(ConfigRecord::Tasks(name.to_owned(), configs));
        self.statuses.remove_tasks(name, count);
        for task in 0..count {
            self.start_task(&TaskId { connector: name.to_owned(), task }, None);
        }
    }

    fn running_tasks(&self, name: &str) -> Vec<TaskId> {
        let Some(running) = self.running.get(name) else { return Vec::new() };
        running.tasks.keys().map(|&task| TaskId { connector: name.to_owned(), task }).collect()
    }

    /// Starts a task, which there is a configuration for; `request` is told whether it was started.
    pub(super) fn start_task(&mut self, id: &TaskId, request: Option<RequestId>) {
        let name = &id.connector;
        let number = usize::try_from(id.task).unwrap_or(usize::MAX);
        let configs = self.configs.tasks(name);
        let (Some(connector), Some(config)) = (self.configs.connector(name), configs.get(number)) else {
            return;
        };
        // The connector was refused a smaller number of tasks; those that it has do not start again.
        if let Some(error) = self.too_many_tasks(name, configs.len()) {
            self.task_status(id, State::Failed, Some(&error));
            if let Some(request) = request {
                self.answer(request, name, Err(failed_task(id, error)));
            }
            return;
        }
        let (connector, config) = (connector.clone(), config.clone());
        let paused = self.configs.target(name) == TargetState::Paused;
        let epoch = self.next_epoch();
        if let Some(running) = self.running.get_mut(name) {
            running.tasks.insert(id.task, epoch);
        }
        let id = id.clone();
        self.effects.push_back(Effect::StartTask { id, epoch, connector, config, paused, request });
    }

    /// Whether the start `epoch` of a task is its newest, and was not taken back.
    #[must_use]
    pub fn is_current_task(&self, id: &TaskId, epoch: u64) -> bool {
        self.running.get(&id.connector).and_then(|running| running.tasks.get(&id.task)) == Some(&epoch)
    }

    pub(super) fn task_changed(&mut self, id: &TaskId, epoch: u64, state: State, error: Option<&Error>) {
        if self.is_current_task(id, epoch) {
            self.task_status(id, state, error);
        }
    }

    pub(super) fn stop_tasks(&mut self, ids: &[TaskId]) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            if let Some(running) = self.running.get_mut(&id.connector) {
                running.tasks.remove(&id.task);
            }
        }
        self.effects.push_back(Effect::StopTasks(ids.to_vec()));
    }

    pub(super) fn stop_connector(&mut self, name: &str) {
        if let Some(running) = self.running.get_mut(name) {
            // News of the instance that ends is not news any more.
            running.epoch = None;
            running.started = false;
        }
        self.effects.push_back(Effect::StopConnector(name.to_owned()));
    }

    /// Stops the connector and its tasks; whoever waits for it is told so.
    pub(super) fn stop_everything(&mut self, name: &str) {
        let tasks = self.running_tasks(name);
        self.stop_tasks(&tasks);
        self.stop_connector(name);
        let error = Error::fatal("the connector was stopped, replaced or deleted before it had started");
        self.tell_waiting(name, Err(&error), |_| true);
    }

    pub(super) fn forget_tasks(&mut self, name: &str) {
        self.append(ConfigRecord::Tasks(name.to_owned(), Vec::new()));
        self.statuses.remove_tasks(name, 0);
    }

    pub(super) fn tell_waiting(
        &mut self,
        name: &str,
        outcome: Result<(), &Error>,
        which: impl Fn(&Waiting) -> bool,
    ) {
        let Some(running) = self.running.get_mut(name) else { return };
        let (told, kept) = std::mem::take(&mut running.waiting).into_iter().partition(which);
        running.waiting = kept;
        let told: Vec<Waiting> = told;
        for waiting in told {
            self.tell(name, waiting, outcome);
        }
    }

    pub(super) fn tell(&mut self, name: &str, waiting: Waiting, outcome: Result<(), &Error>) {
        let failed =
            |error: &Error| HerderError::Failed(format!("Failed to start connector: {name}"), error.clone());
        let (request, answer) = match (waiting, outcome) {
            (Waiting::Configured { request, created }, Ok(())) => match self.info(name) {
                Some(info) => (request, Ok(Answer::Connector { created, info })),
                None => (request, Err(HerderError::NotFound(format!("Connector {name} not found")))),
            },
            (Waiting::Started { request }, Ok(())) => (request, Ok(Answer::Done)),
            (Waiting::Configured { request, .. } | Waiting::Started { request }, Err(error)) => {
                (request, Err(failed(error)))
            }
        };
        self.answer(request, name, answer);
    }

    pub(super) fn connector_status(&mut self, name: &str, state: State, error: Option<&Error>) {
        let version = self.running.get(name).and_then(|running| running.version.clone());
        let status =
            Status { state, worker_id: self.worker_id.clone(), trace: error.map(Error::trace), version };
        self.statuses.set_connector(name, status);
    }

    pub(super) fn task_status(&mut self, id: &TaskId, state: State, error: Option<&Error>) {
        let version = self.running.get(&id.connector).and_then(|running| running.version.clone());
        let status =
            Status { state, worker_id: self.worker_id.clone(), trace: error.map(Error::trace), version };
        self.statuses.set_task(id, status);
    }
}

impl Running {
    pub(super) fn stopped(kind: PluginKind, version: Option<String>) -> Self {
        Self {
            kind,
            epoch: None,
            started: false,
            version,
            tasks: BTreeMap::new(),
            outdated: false,
            waiting: Vec::new(),
        }
    }
}

/// `tasks.max` of a connector, which validation has checked.
#[must_use]
pub fn tasks_max(config: &Config) -> u32 {
    config.get("tasks.max").and_then(|text| text.trim().parse().ok()).unwrap_or(1)
}
