//! The state machine.

use std::collections::{BTreeMap, VecDeque};

use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::{PluginKind, TaskId};
use lavka_api::{Error, ErrorClass};

use super::message::{Answer, ConnectorInfo, Effect, Event, HerderError, Request, RequestId};
use crate::config_log::{ConfigRecord, ConfigState, TargetState};
use crate::restart::{RestartPlan, RestartRequest};
use crate::status::{State, Status, StatusTable};

/// A herder: hand it events, then run the effects that it has.
#[derive(Debug)]
pub struct Herder {
    worker_id: String,
    configs: ConfigState,
    statuses: StatusTable,
    running: BTreeMap<String, Running>,
    effects: VecDeque<Effect>,
    epoch: u64,
    track_topics: bool,
}

/// What is known of a connector's current run.
#[derive(Debug)]
struct Running {
    kind: PluginKind,
    epoch: u64,
    /// The instance started; task configurations may be asked for.
    started: bool,
    version: Option<String>,
    tasks: BTreeMap<u32, u64>,
    /// Who is told once the instance is up (and, for `Put`, its tasks are configured).
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
enum Waiting {
    /// A `Put`: told when task configurations are in.
    Configured { request: RequestId, created: bool },
    /// A connector restart: told when the instance is up.
    Started { request: RequestId },
}

impl Herder {
    /// A herder of the worker `worker_id` (`host:port`). `track_topics` is `topic.tracking.enable`.
    #[must_use]
    pub fn new(worker_id: impl Into<String>, track_topics: bool) -> Self {
        Self {
            worker_id: worker_id.into(),
            configs: ConfigState::default(),
            statuses: StatusTable::default(),
            running: BTreeMap::new(),
            effects: VecDeque::new(),
            epoch: 0,
            track_topics,
        }
    }

    /// What the config log says.
    #[must_use]
    pub fn configs(&self) -> &ConfigState {
        &self.configs
    }

    /// States and topics.
    #[must_use]
    pub fn statuses(&self) -> &StatusTable {
        &self.statuses
    }

    /// A connector as REST shows it.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<ConnectorInfo> {
        let config = self.configs.connector(name)?.clone();
        let tasks = u32::try_from(self.configs.tasks(name).len()).unwrap_or(u32::MAX);
        Some(ConnectorInfo {
            name: name.to_owned(),
            config,
            tasks,
            kind: self.running.get(name).map(|r| r.kind),
        })
    }

    /// The next effect to run.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Takes an event in. Its effects are then had by [`poll_effect`](Self::poll_effect).
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::Request(id, request) => self.request(id, request),
            Event::ConnectorStarted { name, epoch, outcome } => self.connector_started(&name, epoch, outcome),
            Event::TaskConfigs { name, epoch, outcome } => self.task_configs(&name, epoch, outcome),
            Event::ConnectorFailed { name, epoch, error } => {
                if self.is_current(&name, epoch) {
                    self.connector_status(&name, State::Failed, Some(&error));
                }
            }
            Event::WantsReconfiguration { name, epoch } => {
                if self.is_current(&name, epoch) {
                    self.generate_tasks(&name);
                }
            }
            Event::TaskChanged { id, epoch, state, error } => {
                self.task_changed(&id, epoch, state, error.as_ref());
            }
            Event::TopicUsed { connector, topic } => {
                if self.track_topics && self.configs.connector(&connector).is_some() {
                    self.statuses.add_topic(&connector, &topic);
                }
            }
        }
    }

    fn request(&mut self, id: RequestId, request: Request) {
        match request {
            Request::Put { name, config, kind, initial, replace } => {
                self.put(id, name, config, kind, initial, replace);
            }
            Request::Delete(name) => self.delete(id, &name),
            Request::SetTarget(name, target) => self.set_target(id, &name, target),
            Request::RestartConnector(name) => self.restart_connector(id, &name),
            Request::Restart(name, request) => self.restart(id, &name, request),
            Request::RestartTask(task) => self.restart_task(id, &task),
            Request::Reconfigure(name) => {
                if self.known(id, &name, |name| format!("Connector {name} not found")) {
                    self.generate_tasks(&name);
                    self.answer(id, &name, Ok(Answer::Done));
                }
            }
            Request::ResetTopics(name) => {
                self.statuses.reset_topics(&name);
                self.answer(id, &name, Ok(Answer::Done));
            }
            Request::Barrier(name) => self.answer(id, &name, Ok(Answer::Done)),
        }
    }

    fn answer(&mut self, request: RequestId, name: &str, answer: Result<Answer, HerderError>) {
        self.effects.push_back(Effect::Answer { name: name.to_owned(), request, answer });
    }

    /// Whether the connector exists; if not, the request is answered with 404.
    fn known(&mut self, id: RequestId, name: &str, message: impl Fn(&str) -> String) -> bool {
        let known = self.configs.connector(name).is_some();
        if !known {
            self.answer(id, name, Err(HerderError::NotFound(message(name))));
        }
        known
    }

    fn append(&mut self, record: ConfigRecord) {
        self.configs.apply(record.clone());
        self.effects.push_back(Effect::Append(record));
    }

    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    fn is_current(&self, name: &str, epoch: u64) -> bool {
        self.running.get(name).is_some_and(|running| running.epoch == epoch)
    }

    fn put(
        &mut self,
        id: RequestId,
        name: String,
        config: Config,
        kind: PluginKind,
        initial: Option<TargetState>,
        replace: bool,
    ) {
        let exists = self.configs.connector(&name).is_some();
        if exists && !replace {
            let message = format!("Connector {name} already exists");
            self.answer(id, &name, Err(HerderError::Conflict(message)));
            return;
        }
        // The target first: whoever reads the log never sees the connector without it.
        if let Some(target) = initial {
            self.append(ConfigRecord::Target(name.clone(), Some(target)));
        }
        self.append(ConfigRecord::Connector(name.clone(), Some(config)));
        if exists {
            self.stop_everything(&name);
        }
        let waiting = Waiting::Configured { request: id, created: !exists };
        if self.configs.target(&name) == TargetState::Stopped {
            self.running.insert(name.clone(), Running::stopped(kind));
            self.forget_tasks(&name);
            self.connector_status(&name, State::Stopped, None);
            self.tell(&name, waiting, Ok(()));
        } else {
            self.start_connector(&name, kind, Some(waiting));
        }
    }

    fn delete(&mut self, id: RequestId, name: &str) {
        if !self.known(id, name, |name| format!("Connector {name} not found")) {
            return;
        }
        self.append(ConfigRecord::Connector(name.to_owned(), None));
        self.append(ConfigRecord::Target(name.to_owned(), None));
        self.stop_everything(name);
        self.running.remove(name);
        self.statuses.remove(name);
        self.effects.push_back(Effect::Forget(name.to_owned()));
        self.answer(id, name, Ok(Answer::Done));
    }

    fn set_target(&mut self, id: RequestId, name: &str, target: TargetState) {
        if !self.known(id, name, |name| format!("Unknown connector {name}")) {
            return;
        }
        let before = self.configs.target(name);
        if before != target {
            if target == TargetState::Stopped {
                self.append(ConfigRecord::Tasks(name.to_owned(), Vec::new()));
            }
            self.append(ConfigRecord::Target(name.to_owned(), Some(target)));
            match (before, target) {
                (_, TargetState::Stopped) => {
                    self.stop_everything(name);
                    self.statuses.remove_tasks(name, 0);
                    self.connector_status(name, State::Stopped, None);
                }
                (TargetState::Stopped, _) => {
                    if let Some(kind) = self.running.get(name).map(|running| running.kind) {
                        self.start_connector(name, kind, None);
                    }
                }
                (_, target) => {
                    let paused = target == TargetState::Paused;
                    self.effects.push_back(Effect::Pause { name: name.to_owned(), paused });
                    if self.statuses.connector(name).is_some_and(|status| status.state != State::Failed) {
                        self.connector_status(
                            name,
                            if paused { State::Paused } else { State::Running },
                            None,
                        );
                    }
                }
            }
        }
        self.answer(id, name, Ok(Answer::Done));
    }

    fn restart_connector(&mut self, id: RequestId, name: &str) {
        if !self.known(id, name, |name| format!("Connector {name} not found")) {
            return;
        }
        match self.running.get(name).map(|running| running.kind) {
            Some(kind) if self.configs.target(name) != TargetState::Stopped => {
                self.stop_connector(name);
                self.start_connector(name, kind, Some(Waiting::Started { request: id }));
            }
            _ => self.answer(id, name, Ok(Answer::Done)),
        }
    }

    fn restart(&mut self, id: RequestId, name: &str, request: RestartRequest) {
        if !self.known(id, name, |name| format!("Unknown connector: {name}")) {
            return;
        }
        let Some(status) = self.statuses.of(name) else {
            let message = format!("Status for connector {name} not found");
            self.answer(id, name, Err(HerderError::NotFound(message)));
            return;
        };
        let plan = RestartPlan::new(request, &status);
        self.answer(id, name, Ok(Answer::Restarting(plan.answer.clone())));
        if self.configs.target(name) == TargetState::Stopped {
            return;
        }
        let tasks: Vec<TaskId> =
            plan.tasks.iter().map(|&task| TaskId { connector: name.to_owned(), task }).collect();
        self.stop_tasks(&tasks);
        for task in &tasks {
            self.task_status(task, State::Restarting, None);
        }
        if plan.connector {
            self.stop_connector(name);
            self.connector_status(name, State::Restarting, None);
            if let Some(kind) = self.running.get(name).map(|running| running.kind) {
                self.start_connector(name, kind, None);
            }
        }
        for task in &tasks {
            self.start_task(task);
        }
    }

    fn restart_task(&mut self, id: RequestId, task: &TaskId) {
        if !self.known(id, &task.connector, |name| format!("Connector {name} not found")) {
            return;
        }
        let number = usize::try_from(task.task).unwrap_or(usize::MAX);
        if self.configs.tasks(&task.connector).get(number).is_none() {
            let message = format!("Task {task} not found");
            self.answer(id, &task.connector, Err(HerderError::NotFound(message)));
            return;
        }
        self.stop_tasks(std::slice::from_ref(task));
        self.start_task(task);
        self.answer(id, &task.connector, Ok(Answer::Done));
    }

    fn start_connector(&mut self, name: &str, kind: PluginKind, waiting: Option<Waiting>) {
        let epoch = self.next_epoch();
        let Some(config) = self.configs.connector(name).cloned() else { return };
        let paused = self.configs.target(name) == TargetState::Paused;
        let running = self.running.entry(name.to_owned()).or_insert_with(|| Running::stopped(kind));
        running.kind = kind;
        running.epoch = epoch;
        running.started = false;
        // A start that never answered is answered by the next one.
        running.waiting.extend(waiting);
        self.effects.push_back(Effect::StartConnector { name: name.to_owned(), epoch, config, paused });
    }

    fn connector_started(&mut self, name: &str, epoch: u64, outcome: Result<String, Error>) {
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
                self.tell_where(name, Ok(()), |waiting| matches!(waiting, Waiting::Started { .. }));
                self.generate_tasks(name);
            }
            Err(error) => {
                self.connector_status(name, State::Failed, Some(&error));
                self.tell_where(name, Err(&error), |_| true);
            }
        }
    }

    fn generate_tasks(&mut self, name: &str) {
        let Some(running) = self.running.get(name).filter(|running| running.started) else { return };
        let Some(config) = self.configs.connector(name) else { return };
        let max = tasks_max(config);
        self.effects.push_back(Effect::GenerateTasks { name: name.to_owned(), epoch: running.epoch, max });
    }

    fn task_configs(&mut self, name: &str, epoch: u64, outcome: Result<Vec<Config>, Error>) {
        if !self.is_current(name, epoch) {
            return;
        }
        let outcome = outcome.and_then(|configs| self.enforce_tasks_max(name, configs));
        match outcome {
            Ok(configs) => {
                let running = self.running.get(name).map_or(0, |running| running.tasks.len());
                if self.configs.tasks(name) != configs || running != configs.len() {
                    self.replace_tasks(name, configs);
                }
                self.tell_where(name, Ok(()), |_| true);
            }
            Err(error) => {
                // Tasks that run go on (A49); the connector shows why it has no new ones.
                self.connector_status(name, State::Failed, Some(&error));
                self.tell_where(name, Ok(()), |_| true);
            }
        }
    }

    fn enforce_tasks_max(&self, name: &str, configs: Vec<Config>) -> Result<Vec<Config>, Error> {
        let Some(config) = self.configs.connector(name) else { return Ok(configs) };
        let max = tasks_max(config);
        let enforce = config.get("tasks.max.enforce").is_none_or(|text| bool::parse(text).unwrap_or(true));
        if configs.len() <= max as usize || !enforce {
            return Ok(configs);
        }
        Err(Error::new(
            ErrorClass::Fatal,
            "org.apache.kafka.connect.errors.TooManyTasksException",
            format!(
                "The connector {name} has generated {} tasks, which is greater than {max}, the maximum number of \
                 tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If \
                 necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to \
                 false; however, this option will be removed in a future release of Kafka Connect.",
                configs.len()
            ),
        ))
    }

    fn replace_tasks(&mut self, name: &str, configs: Vec<Config>) {
        let old: Vec<TaskId> = self
            .running
            .get(name)
            .map(|running| {
                running.tasks.keys().map(|&task| TaskId { connector: name.to_owned(), task }).collect()
            })
            .unwrap_or_default();
        self.stop_tasks(&old);
        let count = u32::try_from(configs.len()).unwrap_or(u32::MAX);
        self.append(ConfigRecord::Tasks(name.to_owned(), configs));
        self.statuses.remove_tasks(name, count);
        for task in 0..count {
            self.start_task(&TaskId { connector: name.to_owned(), task });
        }
    }

    fn start_task(&mut self, id: &TaskId) {
        let epoch = self.next_epoch();
        let paused = self.configs.target(&id.connector) == TargetState::Paused;
        let number = usize::try_from(id.task).unwrap_or(usize::MAX);
        let (Some(connector), Some(config)) =
            (self.configs.connector(&id.connector), self.configs.tasks(&id.connector).get(number))
        else {
            return;
        };
        let (connector, config) = (connector.clone(), config.clone());
        if let Some(running) = self.running.get_mut(&id.connector) {
            running.tasks.insert(id.task, epoch);
        }
        self.effects.push_back(Effect::StartTask { id: id.clone(), epoch, connector, config, paused });
    }

    fn task_changed(&mut self, id: &TaskId, epoch: u64, state: State, error: Option<&Error>) {
        let current = self.running.get(&id.connector).and_then(|running| running.tasks.get(&id.task));
        if current == Some(&epoch) {
            self.task_status(id, state, error);
        }
    }

    fn stop_tasks(&mut self, ids: &[TaskId]) {
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

    fn stop_connector(&mut self, name: &str) {
        if let Some(running) = self.running.get_mut(name) {
            // News of the instance that ends is not news any more.
            running.epoch = 0;
            running.started = false;
        }
        self.effects.push_back(Effect::StopConnector(name.to_owned()));
    }

    fn stop_everything(&mut self, name: &str) {
        let tasks: Vec<TaskId> = self
            .running
            .get(name)
            .map(|running| {
                running.tasks.keys().map(|&task| TaskId { connector: name.to_owned(), task }).collect()
            })
            .unwrap_or_default();
        self.stop_tasks(&tasks);
        self.stop_connector(name);
        let error = Error::fatal("the connector was stopped, replaced or deleted before it had started");
        self.tell_where(name, Err(&error), |_| true);
    }

    fn forget_tasks(&mut self, name: &str) {
        self.append(ConfigRecord::Tasks(name.to_owned(), Vec::new()));
        self.statuses.remove_tasks(name, 0);
    }

    fn tell_where(&mut self, name: &str, outcome: Result<(), &Error>, which: impl Fn(&Waiting) -> bool) {
        let Some(running) = self.running.get_mut(name) else { return };
        let (told, kept) = std::mem::take(&mut running.waiting).into_iter().partition(which);
        running.waiting = kept;
        let told: Vec<Waiting> = told;
        for waiting in told {
            self.tell(name, waiting, outcome);
        }
    }

    fn tell(&mut self, name: &str, waiting: Waiting, outcome: Result<(), &Error>) {
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

    fn connector_status(&mut self, name: &str, state: State, error: Option<&Error>) {
        let version = self.running.get(name).and_then(|running| running.version.clone());
        let status =
            Status { state, worker_id: self.worker_id.clone(), trace: error.map(Error::trace), version };
        self.statuses.set_connector(name, status);
    }

    fn task_status(&mut self, id: &TaskId, state: State, error: Option<&Error>) {
        let version = self.running.get(&id.connector).and_then(|running| running.version.clone());
        let status =
            Status { state, worker_id: self.worker_id.clone(), trace: error.map(Error::trace), version };
        self.statuses.set_task(id, status);
    }
}

impl Running {
    fn stopped(kind: PluginKind) -> Self {
        Self { kind, epoch: 0, started: false, version: None, tasks: BTreeMap::new(), waiting: Vec::new() }
    }
}

/// `tasks.max`, which validation has checked.
fn tasks_max(config: &Config) -> u32 {
    config.get("tasks.max").and_then(|text| text.trim().parse().ok()).unwrap_or(1)
}
