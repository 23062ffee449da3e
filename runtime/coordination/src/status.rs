//! States of connectors and tasks, and the topics they use, as the status endpoints show them.

use std::collections::{BTreeMap, BTreeSet};

use lavka_api::plugin::TaskId;

/// The state of a connector or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody runs it.
    Unassigned,
    /// It runs.
    Running,
    /// It holds.
    Paused,
    /// It ended by an error.
    Failed,
    /// A restart was asked for.
    Restarting,
    /// It was stopped (connectors only).
    Stopped,
}

impl State {
    /// The name over REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Unassigned => "UNASSIGNED",
            State::Running => "RUNNING",
            State::Paused => "PAUSED",
            State::Failed => "FAILED",
            State::Restarting => "RESTARTING",
            State::Stopped => "STOPPED",
        }
    }
}

/// A state with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// `host:port` of the worker that said so.
    pub worker_id: String,
    /// Why it failed.
    pub trace: Option<String>,
    /// The plugin's version, where known.
    pub version: Option<String>,
}

/// A connector's status with those of its tasks, sorted by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// Its own status.
    pub connector: Status,
    /// Its tasks'.
    pub tasks: Vec<(u32, Status)>,
}

/// All statuses.
#[derive(Debug, Default, Clone)]
pub struct StatusTable {
    connectors: BTreeMap<String, Status>,
    tasks: BTreeMap<TaskId, Status>,
    topics: BTreeMap<String, BTreeSet<String>>,
}

impl StatusTable {
    /// Sets a connector's status.
    pub fn set_connector(&mut self, name: &str, status: Status) {
        self.connectors.insert(name.to_owned(), status);
    }

    /// Sets a task's status.
    pub fn set_task(&mut self, id: &TaskId, status: Status) {
        self.tasks.insert(id.clone(), status);
    }

    /// A connector's status.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&Status> {
        self.connectors.get(name)
    }

    /// A task's status.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&Status> {
        self.tasks.get(id)
    }

    /// A connector's status and those of its tasks.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<ConnectorStatus> {
        let connector = self.connectors.get(name)?.clone();
        let tasks = self.task_range(name).map(|(id, status)| (id.task, status.clone())).collect();
        Some(ConnectorStatus { name: name.to_owned(), connector, tasks })
    }

    fn task_range(&self, name: &str) -> impl Iterator<Item = (&TaskId, &Status)> {
        let first = TaskId { connector: name.to_owned(), task: 0 };
        self.tasks.range(first..).take_while(move |(id, _)| id.connector == *name)
    }

    /// Forgets the tasks of `name` from number `from` on.
    pub fn remove_tasks(&mut self, name: &str, from: u32) {
        self.tasks.retain(|id, _| id.connector != name || id.task < from);
    }

    /// Forgets all of a connector, also its topics.
    pub fn remove(&mut self, name: &str) {
        self.connectors.remove(name);
        self.remove_tasks(name, 0);
        self.topics.remove(name);
    }

    /// Notes that a connector uses a topic.
    pub fn add_topic(&mut self, name: &str, topic: &str) {
        self.topics.entry(name.to_owned()).or_default().insert(topic.to_owned());
    }

    /// The topics a connector used, sorted.
    #[must_use]
    pub fn topics(&self, name: &str) -> Vec<String> {
        self.topics.get(name).map(|topics| topics.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets the topics of a connector.
    pub fn reset_topics(&mut self, name: &str) {
        self.topics.remove(name);
    }
}
