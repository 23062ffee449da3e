//! What goes into and comes out of a herder.

use lavka_api::Error;
use lavka_api::config::Config;
use lavka_api::plugin::{PluginKind, TaskId};

use crate::config_log::{ConfigRecord, TargetState};
use crate::restart::RestartRequest;
use crate::status::{ConnectorStatus, State};

/// Tells requests apart; given by whoever asks.
pub type RequestId = u64;

/// What a user asks for. Configurations have been validated.
#[derive(Debug, Clone)]
pub enum Request {
    /// Create a connector, or replace its configuration.
    Put {
        /// Its name.
        name: String,
        /// Its configuration.
        config: Config,
        /// Source or sink.
        kind: PluginKind,
        /// The plugin's version, which a connector shows that begins stopped.
        version: String,
        /// The target state to begin with; the one it has, or started, if `None`.
        initial: Option<TargetState>,
        /// Whether an existing connector may be replaced.
        replace: bool,
    },
    /// Delete a connector.
    Delete(String),
    /// Pause, resume or stop.
    SetTarget(String, TargetState),
    /// Restart the connector instance alone and wait for it.
    RestartConnector(String),
    /// Restart what the request covers, without waiting.
    Restart(String, RestartRequest),
    /// Restart one task and wait for it.
    RestartTask(TaskId),
    /// Ask the connector for task configurations again.
    Reconfigure(String),
    /// Forget the topics that a connector used.
    ResetTopics(String),
    /// Nothing but an answer, behind everything that the connector still has to do.
    Barrier(String),
}

/// A connector as REST shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: String,
    /// Its configuration as stored.
    pub config: Config,
    /// The number of its tasks.
    pub tasks: u32,
    /// Source or sink; `None` where the class is not known any more.
    pub kind: Option<PluginKind>,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The connector is there; `created` tells new from replaced.
    Connector {
        /// Whether it is new.
        created: bool,
        /// The connector.
        info: ConnectorInfo,
    },
    /// A restart is under way.
    Restarting(ConnectorStatus),
    /// Done.
    Done,
}

/// Why a request was not met.
#[derive(Debug, Clone)]
pub enum HerderError {
    /// 404.
    NotFound(String),
    /// 409.
    Conflict(String),
    /// 400.
    BadRequest(String),
    /// 500: the connector or task could not be started.
    Failed(String, Error),
}

/// What the driver tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// A user's request.
    Request(RequestId, Request),
    /// A connector instance started, or failed to.
    ConnectorStarted {
        /// Its name.
        name: String,
        /// Of which start this is news.
        epoch: u64,
        /// Its plugin's version, or why it did not start.
        outcome: Result<String, Error>,
    },
    /// A connector said what its tasks are to do, or failed to.
    TaskConfigs {
        /// Its name.
        name: String,
        /// Of which start this is news.
        epoch: u64,
        /// The configurations.
        outcome: Result<Vec<Config>, Error>,
    },
    /// A running connector instance failed.
    ConnectorFailed {
        /// Its name.
        name: String,
        /// Of which start this is news.
        epoch: u64,
        /// Why.
        error: Error,
    },
    /// A running connector instance wants its `task_configs` called again.
    WantsReconfiguration {
        /// Its name.
        name: String,
        /// Of which start this is news.
        epoch: u64,
    },
    /// A task has become something else.
    TaskChanged {
        /// Which.
        id: TaskId,
        /// Of which start this is news.
        epoch: u64,
        /// What it has become.
        state: State,
        /// Why it failed.
        error: Option<Error>,
    },
    /// A task used a topic for the first time.
    TopicUsed {
        /// Which.
        id: TaskId,
        /// Of which start this is news.
        epoch: u64,
        /// The topic.
        topic: String,
    },
}

/// What the driver is to do. See the module's rules on order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Append to the config log. The herder has taken it in already; the driver makes it durable before it runs any
    /// later effect.
    Append(ConfigRecord),
    /// Start a connector instance; `ConnectorStarted` answers.
    StartConnector {
        /// Its name.
        name: String,
        /// The start's epoch.
        epoch: u64,
        /// Its configuration.
        config: Config,
        /// Whether it begins paused.
        paused: bool,
    },
    /// Stop a connector instance, if it runs.
    StopConnector(String),
    /// Ask the instance for at most `max` task configurations; `TaskConfigs` answers.
    GenerateTasks {
        /// The connector.
        name: String,
        /// The start it belongs to.
        epoch: u64,
        /// `tasks.max`.
        max: u32,
    },
    /// Start a task; its failure to start is news like any other.
    StartTask {
        /// Which.
        id: TaskId,
        /// The start's epoch.
        epoch: u64,
        /// The connector's configuration (transforms, converters, overrides).
        connector: Config,
        /// Its own configuration.
        config: Config,
        /// Whether it begins paused.
        paused: bool,
        /// Who is told whether it was started; with [`failed_task`] where it was not.
        request: Option<RequestId>,
    },
    /// Stop tasks, all at once, within the worker's graceful time.
    StopTasks(Vec<TaskId>),
    /// Pause or resume a connector's tasks.
    Pause {
        /// The connector.
        name: String,
        /// Pause, or else resume.
        paused: bool,
    },
    /// Forget what is kept about a connector that was deleted (counters).
    Forget(String),
    /// Answer a request.
    Answer {
        /// The connector behind whose effects the answer waits.
        name: String,
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: Result<Answer, HerderError>,
    },
}

/// The answer to a request for the start of a task, where it was not started.
#[must_use]
pub fn failed_task(id: &TaskId, error: Error) -> HerderError {
    HerderError::Failed(format!("Failed to start task: {id}"), error)
}

impl Effect {
    /// The connector whose order of effects it belongs to.
    #[must_use]
    pub fn connector(&self) -> &str {
        match self {
            Effect::Append(
                ConfigRecord::Connector(name, _)
                | ConfigRecord::Target(name, _)
                | ConfigRecord::Tasks(name, _),
            )
            | Effect::StartConnector { name, .. }
            | Effect::StopConnector(name)
            | Effect::GenerateTasks { name, .. }
            | Effect::Pause { name, .. }
            | Effect::Forget(name)
            | Effect::Answer { name, .. } => name,
            Effect::StartTask { id, .. } => &id.connector,
            Effect::StopTasks(ids) => ids.first().map_or("", |id| &id.connector),
        }
    }
}
