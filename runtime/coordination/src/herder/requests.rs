//! What users ask for.

use lavka_api::Error;
use lavka_api::config::Config;
use lavka_api::plugin::{PluginKind, TaskId};

use super::core::Herder;
use super::message::{Answer, Effect, HerderError, RequestId};
use super::runs::{Running, Waiting};
use crate::config_log::{ConfigRecord, TargetState};
use crate::restart::{RestartPlan, RestartRequest};
use crate::status::State;

impl Herder {
    pub(super) fn put(
        &mut self,
        id: RequestId,
        name: String,
        config: Config,
        (kind, version): (PluginKind, String),
        initial: Option<TargetState>,
        replace: bool,
    ) {
        let exists = self.configs.connector(&name).is_some();
        if exists && !replace {
            let message = format!("Connector {name} already exists");
            self.answer(id, &name, Err(HerderError::Conflict(message)));
            return;
        }
        let same = self.configs.connector(&name) == Some(&config);
        let before = self.configs.target(&name);
        // The target first: whoever reads the log never sees the connector without it.
        if let Some(target) = initial {
            self.append(ConfigRecord::Target(name.clone(), Some(target)));
        }
        self.append(ConfigRecord::Connector(name.clone(), Some(config)));
        let waiting = Waiting::Configured { request: id, created: !exists };
        if self.configs.target(&name) == TargetState::Stopped {
            if exists {
                self.stop_everything(&name);
            }
            self.running.insert(name.clone(), Running::stopped(kind, Some(version)));
            self.forget_tasks(&name);
            self.connector_status(&name, State::Stopped, None);
            self.tell(&name, waiting, Ok(()));
        } else {
            if exists {
                self.replace_instance(&name, before);
            }
            self.start_connector(&name, kind, Some(waiting));
            if let Some(running) = self.running.get_mut(&name) {
                running.outdated |= !same;
            }
        }
    }

    /// Stops an instance whose successor is about to start. Its tasks go on as they are until the successor has said
    /// what they are to do.
    fn replace_instance(&mut self, name: &str, before: TargetState) {
        let target = self.configs.target(name);
        if before != target {
            let paused = target == TargetState::Paused;
            self.effects.push_back(Effect::Pause { name: name.to_owned(), paused });
        }
        let replaced = Error::fatal("the connector's configuration was replaced before it had started");
        self.tell_waiting(name, Err(&replaced), |_| true);
        self.stop_connector(name);
    }

    pub(super) fn delete(&mut self, id: RequestId, name: &str) {
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

    pub(super) fn set_target(&mut self, id: RequestId, name: &str, target: TargetState) {
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

    pub(super) fn restart_connector(&mut self, id: RequestId, name: &str) {
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

    pub(super) fn restart(&mut self, id: RequestId, name: &str, request: RestartRequest) {
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
            self.start_task(task, None);
        }
    }

    pub(super) fn restart_task(&mut self, id: RequestId, task: &TaskId) {
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
        self.start_task(task, Some(id));
    }
}
