//! One actor per connector: runs the herder's effects for it, in order.
//!
//! A connector that is slow to start or stop delays nobody but itself. The queue is not bounded by itself but by what
//! feeds it: the driver admits few requests per connector at a time, and each leads to a handful of effects.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use lavka_api::config::Config;
use lavka_api::data::Topic;
use lavka_api::plugin::{ConnectorContext, TaskId};
use lavka_api::{Error, Result};
use lavka_coordination::herder::{Answer, Effect, Event, HerderError, RequestId, failed_task, tasks_max};
use lavka_coordination::status::State;
use lavka_engine::errors::redacted;
use lavka_engine::task::{Target, TaskHandle, TaskObserver, TaskState};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::assembly::{Assembly, Connector, complete_task_config, connector_plugin};
use crate::driver::HerderView;
use crate::generation::{Fence, MOST_UNKNOWN, TaskStart};
use crate::providers::{Resolved, with_variables_of};
use crate::reload::Watch;

/// What the driver is told by actors and tasks.
#[derive(Debug)]
pub(crate) enum News {
    Event(Event),
    Answer(RequestId, Result<Answer, HerderError>),
    /// The connector is gone and its actor has nothing left to do.
    Ended(String),
    /// A connector need not stay stopped any more.
    Released(String),
    /// What variables in the connector's configuration stand for has changed.
    Changed(String),
}

pub(crate) struct Actor {
    pub(crate) assembly: Assembly,
    pub(crate) news: UnboundedSender<News>,
    pub(crate) graceful: Duration,
    instance: Option<Instance>,
    tasks: HashMap<TaskId, TaskHandle>,
    view: HerderView,
    /// What tasks that are started now wait for.
    fence: Arc<Fence>,
    /// The greatest number of tasks that the connector had under this actor.
    most_tasks: u32,
    /// Whether the running instance has asked for new tasks and was not answered yet.
    reconfiguration: Arc<AtomicBool>,
}

/// A connector that was started.
struct Instance {
    connector: Connector,
    /// As it is stored, with variables.
    raw: Config,
    resolved: Resolved,
    _watch: Option<Watch>,
}

impl Actor {
    pub(crate) fn new(
        assembly: Assembly,
        view: HerderView,
        news: UnboundedSender<News>,
        graceful: Duration,
    ) -> Self {
        Self {
            assembly,
            news,
            graceful,
            instance: None,
            tasks: HashMap::new(),
            view,
            fence: Arc::default(),
            most_tasks: 0,
            reconfiguration: Arc::default(),
        }
    }

    /// Runs effects until the queue closes, then stops what is left.
    pub(crate) async fn run(mut self, mut effects: UnboundedReceiver<Effect>) {
        while let Some(effect) = effects.recv().await {
            self.effect(effect).await;
        }
        let left: Vec<TaskId> = self.tasks.keys().cloned().collect();
        self.stop_tasks(&left).await;
        self.stop_connector().await;
    }

    fn tell(&self, event: Event) {
        // A driver that is gone needs no news.
        let _ = self.news.send(News::Event(event));
    }

    async fn effect(&mut self, effect: Effect) {
        match effect {
            // The standalone config log is the herder's memory.
            Effect::Append(_) => {}
            Effect::StartConnector { name, epoch, config, paused: _ } => {
                let outcome = self.start_connector(&name, epoch, config).await;
                self.tell(Event::ConnectorStarted { name, epoch, outcome });
            }
            Effect::StopConnector(_) => self.stop_connector().await,
            Effect::GenerateTasks { name, epoch, max } => {
                let outcome = self.task_configs(max).await;
                self.tell(Event::TaskConfigs { name, epoch, outcome });
            }
            Effect::StartTask { id, epoch, connector, config, paused, request } => {
                let observer = Arc::new(Observer { epoch, news: self.news.clone() });
                let start = self.start_of(&id, epoch, &connector);
                let started =
                    self.assembly.start_task(&id, &connector, &config, paused, observer, start).await;
                let answer = match started {
                    Ok(handle) => {
                        self.tasks.insert(id, handle);
                        Ok(Answer::Done)
                    }
                    Err(error) => {
                        tracing::error!(task = %id, "the task could not be started: {}", error.trace().trim_end());
                        let answer = Err(failed_task(&id, error.clone()));
                        self.tell(Event::TaskChanged { id, epoch, state: State::Failed, error: Some(error) });
                        answer
                    }
                };
                if let Some(request) = request {
                    let _ = self.news.send(News::Answer(request, answer));
                }
            }
            Effect::StopTasks(ids) => self.stop_tasks(&ids).await,
            Effect::Pause { paused, .. } => {
                let target = if paused { Target::Paused } else { Target::Running };
                self.tasks.values().for_each(|task| task.set_target(target));
            }
            Effect::Forget(name) => {
                self.assembly.metrics.forget(&name);
                let _ = self.news.send(News::Ended(name));
            }
            Effect::Answer { request, answer, .. } => {
                let _ = self.news.send(News::Answer(request, answer));
            }
        }
    }

    /// A new generation begins with the first task that is started while no other is there.
    fn start_of(&mut self, id: &TaskId, epoch: u64, connector: &Config) -> TaskStart {
        if self.tasks.is_empty() {
            let max = tasks_max(connector);
            self.fence = Arc::new(Fence::before(self.most_tasks.max(MOST_UNKNOWN.min(max))));
        }
        self.most_tasks = self.most_tasks.max(id.task.saturating_add(1));
        TaskStart { fence: Arc::clone(&self.fence), epoch, view: self.view.clone() }
    }

    async fn start_connector(&mut self, name: &str, epoch: u64, raw: Config) -> Result<String> {
        self.stop_connector().await;
        let resolved = self.assembly.resolve(&raw).await?;
        let secrets = resolved.secrets.clone();
        let started = self.start_resolved(name, epoch, raw, resolved).await;
        started.map_err(|error| redacted(&error, &secrets))
    }

    async fn start_resolved(
        &mut self,
        name: &str,
        epoch: u64,
        raw: Config,
        resolved: Resolved,
    ) -> Result<String> {
        let config = &resolved.config;
        let plugin = connector_plugin(config, &self.assembly.catalogue)?;
        let version = plugin.version.to_owned();
        let mut connector = Connector::new(plugin)?;
        if let Connector::Source(_) = connector {
            self.assembly.topic_groups(config)?;
        }
        let (news, owner) = (self.news.clone(), name.to_owned());
        // However often a connector asks before it was heard, that is one question.
        let asked = Arc::new(AtomicBool::new(false));
        self.reconfiguration = Arc::clone(&asked);
        let context = ConnectorContext::new(name, move || {
            if !asked.swap(true, Ordering::AcqRel) {
                let _ = news.send(News::Event(Event::WantsReconfiguration { name: owner.clone(), epoch }));
            }
        });
        let started = match &mut connector {
            Connector::Source(source) => guarded(source.start(context, config)).await,
            Connector::Sink(sink) => guarded(sink.start(context, config)).await,
        };
        let watch = Watch::start(name, &raw, &resolved, &self.assembly, &self.news);
        let started = started.map_err(|error| resolved.discreet(&error));
        self.instance = Some(Instance { connector, raw, resolved, _watch: watch });
        if let Err(error) = started {
            tracing::error!(connector = %name, "the connector could not be started: {}", error.trace().trim_end());
            self.stop_connector().await;
            return Err(error);
        }
        tracing::info!(connector = %name, "connector started");
        Ok(version)
    }

    async fn stop_connector(&mut self) {
        match self.instance.take() {
            Some(Instance { connector: Connector::Source(mut source), .. }) => stopped(source.stop()).await,
            Some(Instance { connector: Connector::Sink(mut sink), .. }) => stopped(sink.stop()).await,
            None => {}
        }
    }

    async fn task_configs(&mut self, max: u32) -> Result<Vec<Config>> {
        self.reconfiguration.store(false, Ordering::Release);
        let Some(Instance { connector, raw, resolved, .. }) = &mut self.instance else {
            return Err(Error::fatal("the connector is not running"));
        };
        let plugin = connector_plugin(&resolved.config, &self.assembly.catalogue)?;
        let configs = match connector {
            Connector::Source(source) => guarded(source.task_configs(max)).await,
            Connector::Sink(sink) => guarded(sink.task_configs(max)).await,
        };
        let configs = configs.map_err(|error| resolved.discreet(&error))?;
        let stored = |task| with_variables_of(raw, complete_task_config(task, plugin, raw));
        Ok(configs.into_iter().map(stored).collect())
    }

    async fn stop_tasks(&mut self, ids: &[TaskId]) {
        let stopping: Vec<TaskHandle> = ids.iter().filter_map(|id| self.tasks.remove(id)).collect();
        for task in &stopping {
            task.set_target(Target::Stopping);
        }
        join_all(stopping.into_iter().map(|task| task.stopped(self.graceful))).await;
    }
}

/// Runs a call into a connector: one that panics has failed, and the actor lives on.
async fn guarded<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(call).catch_unwind().await;
    outcome.unwrap_or_else(|_| {
        Err(Error::fatal("the connector crashed; its panic message is on standard error"))
    })
}

async fn stopped(call: impl Future<Output = ()>) {
    let stop = async {
        call.await;
        Ok(())
    };
    if let Err(error) = guarded(stop).await {
        tracing::error!("a connector could not be stopped: {error}");
    }
}

/// Passes a task's life on to the driver, with the epoch of its start.
struct Observer {
    epoch: u64,
    news: UnboundedSender<News>,
}

impl TaskObserver for Observer {
    fn changed(&self, id: &TaskId, state: TaskState) {
        let (state, error) = match state {
            TaskState::Running => (State::Running, None),
            TaskState::Paused => (State::Paused, None),
            TaskState::Failed(error) => (State::Failed, Some(error)),
            TaskState::Stopped => (State::Unassigned, None),
        };
        let event = Event::TaskChanged { id: id.clone(), epoch: self.epoch, state, error };
        let _ = self.news.send(News::Event(event));
    }

    fn topic_used(&self, id: &TaskId, topic: &Topic) {
        let event = Event::TopicUsed { id: id.clone(), epoch: self.epoch, topic: topic.to_string() };
        let _ = self.news.send(News::Event(event));
    }
}
