//! The state of a herder, and its way in and out.

use std::collections::{BTreeMap, VecDeque};

use super::message::{Answer, ConnectorInfo, Effect, Event, HerderError, Request, RequestId};
use super::runs::Running;
use crate::config_log::{ConfigRecord, ConfigState};
use crate::status::StatusTable;

/// A herder: hand it events, then run the effects that it has.
#[derive(Debug)]
pub struct Herder {
    pub(super) worker_id: String,
    pub(super) configs: ConfigState,
    pub(super) statuses: StatusTable,
    pub(super) running: BTreeMap<String, Running>,
    pub(super) effects: VecDeque<Effect>,
    pub(super) epoch: u64,
    track_topics: bool,
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
            Event::ConnectorFailed { name, epoch, error } => self.connector_failed(&name, epoch, &error),
            Event::WantsReconfiguration { name, epoch } => {
                if self.is_current(&name, epoch) {
                    self.generate_tasks(&name);
                }
            }
            Event::TaskChanged { id, epoch, state, error } => {
                self.task_changed(&id, epoch, state, error.as_ref());
            }
            Event::TopicUsed { id, epoch, topic } => {
                if self.track_topics && self.is_current_task(&id, epoch) {
                    self.statuses.add_topic(&id.connector, &topic);
                }
            }
        }
    }

    fn request(&mut self, id: RequestId, request: Request) {
        match request {
            Request::Put { name, config, kind, version, initial, replace } => {
                self.put(id, name, config, (kind, version), initial, replace);
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

    pub(super) fn answer(&mut self, request: RequestId, name: &str, answer: Result<Answer, HerderError>) {
        self.effects.push_back(Effect::Answer { name: name.to_owned(), request, answer });
    }

    /// Whether the connector exists; if not, the request is answered with 404.
    pub(super) fn known(&mut self, id: RequestId, name: &str, message: impl Fn(&str) -> String) -> bool {
        let known = self.configs.connector(name).is_some();
        if !known {
            self.answer(id, name, Err(HerderError::NotFound(message(name))));
        }
        known
    }

    pub(super) fn append(&mut self, record: ConfigRecord) {
        self.configs.apply(record.clone());
        self.effects.push_back(Effect::Append(record));
    }
}
