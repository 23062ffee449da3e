//! A herder and a worker that plays its part: effects of a connector run in order, news come back in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lavka_api::Error;
use lavka_api::config::Config;
use lavka_api::plugin::{PluginKind, TaskId};
use lavka_coordination::config_log::{ConfigRecord, TargetState};
use lavka_coordination::herder::{
    Answer, Effect, Event, Herder, HerderError, Request, RequestId, failed_task,
};
use lavka_coordination::status::State;

pub(crate) const WORKER: &str = "w:8083";

pub(crate) fn task(connector: &str, task: u32) -> TaskId {
    TaskId { connector: connector.into(), task }
}

pub(crate) fn config(keys: &[(&str, &str)]) -> Config {
    keys.iter().copied().collect()
}

/// What a connector does when it is asked.
#[derive(Clone)]
pub(crate) struct Manners {
    pub(crate) start: Result<(), Error>,
    /// Configurations of its tasks; as many as `tasks.max`, all the same, if `None`.
    pub(crate) tasks: Result<Option<Vec<Config>>, Error>,
    pub(crate) task_start: Result<(), Error>,
}

impl Default for Manners {
    fn default() -> Self {
        Self { start: Ok(()), tasks: Ok(None), task_start: Ok(()) }
    }
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunningTask {
    pub(crate) epoch: u64,
    pub(crate) paused: bool,
    pub(crate) failed: bool,
    pub(crate) connector: Config,
    pub(crate) config: Config,
}

#[derive(Default)]
pub(crate) struct Bench {
    herder: Option<Herder>,
    queues: BTreeMap<String, VecDeque<Effect>>,
    pub(crate) news: VecDeque<Event>,
    pub(crate) manners: BTreeMap<String, Manners>,
    /// Instances that run, with their epochs.
    pub(crate) instances: BTreeMap<String, u64>,
    pub(crate) tasks: BTreeMap<TaskId, RunningTask>,
    pub(crate) answers: BTreeMap<RequestId, Vec<Result<Answer, HerderError>>>,
    pub(crate) requests: RequestId,
    /// Every effect, in order of decision.
    pub(crate) effects: Vec<Effect>,
    /// Connectors that were deleted and not created again.
    deleted: BTreeSet<String>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { herder: Some(Herder::new(WORKER, true)), ..Self::default() }
    }

    pub(crate) fn herder(&self) -> &Herder {
        self.herder.as_ref().unwrap()
    }

    pub(crate) fn manners(&mut self, name: &str) -> &mut Manners {
        self.manners.entry(name.to_owned()).or_default()
    }

    /// Hands the herder an event and checks what it decides.
    pub(crate) fn handle(&mut self, event: Event) {
        let mut herder = self.herder.take().unwrap();
        herder.handle(event);
        while let Some(effect) = herder.poll_effect() {
            let name = effect.connector().to_owned();
            match &effect {
                Effect::Append(ConfigRecord::Connector(name, Some(_))) => {
                    self.deleted.remove(name);
                }
                Effect::Append(ConfigRecord::Target(..)) | Effect::Answer { .. } => {}
                other => assert!(!self.deleted.contains(&name), "{other:?} for a connector that was deleted"),
            }
            if matches!(effect, Effect::Forget(_)) {
                self.deleted.insert(name.clone());
            }
            self.effects.push(effect.clone());
            self.queues.entry(name).or_default().push_back(effect);
        }
        self.herder = Some(herder);
    }

    pub(crate) fn ask(&mut self, request: Request) -> RequestId {
        self.requests += 1;
        self.handle(Event::Request(self.requests, request));
        self.requests
    }

    pub(crate) fn put(
        &mut self,
        name: &str,
        keys: &[(&str, &str)],
        initial: Option<TargetState>,
    ) -> RequestId {
        let (name, config) = (name.to_owned(), config(keys));
        let (kind, version) = (PluginKind::Source, "1.0".to_owned());
        self.ask(Request::Put { name, config, kind, version, initial, replace: true })
    }

    /// Creates a connector with this many tasks and lets it come up.
    pub(crate) fn running(&mut self, name: &str, tasks: u32) {
        let request = self.put(name, &[("tasks.max", &tasks.to_string())], None);
        self.settle();
        assert!(matches!(self.answer(request), Ok(Answer::Connector { created: true, .. })));
    }

    /// Connectors whose next effect can run.
    pub(crate) fn busy(&self) -> Vec<String> {
        self.queues.iter().filter(|(_, queue)| !queue.is_empty()).map(|(name, _)| name.clone()).collect()
    }

    /// Runs the next effect of a connector.
    pub(crate) fn run_effect(&mut self, name: &str) {
        let Some(effect) = self.queues.get_mut(name).and_then(VecDeque::pop_front) else { return };
        let manners = self.manners.get(name).cloned().unwrap_or_default();
        match effect {
            Effect::Append(_) | Effect::Forget(_) => {}
            Effect::StartConnector { name, epoch, .. } => {
                if manners.start.is_ok() {
                    self.instances.insert(name.clone(), epoch);
                }
                let outcome = manners.start.map(|()| "1.0".to_owned());
                self.news.push_back(Event::ConnectorStarted { name, epoch, outcome });
            }
            Effect::StopConnector(name) => {
                self.instances.remove(&name);
            }
            Effect::GenerateTasks { name, epoch, max } => {
                let all = || (0..max).map(|i| config(&[("task", &i.to_string())])).collect();
                let outcome = manners.tasks.map(|configs| configs.unwrap_or_else(all));
                self.news.push_back(Event::TaskConfigs { name, epoch, outcome });
            }
            Effect::StartTask { id, epoch, connector, config, paused, request } => {
                let failed = manners.task_start.is_err();
                let state = if paused { State::Paused } else { State::Running };
                let state = if failed { State::Failed } else { state };
                let earlier =
                    self.tasks.insert(id.clone(), RunningTask { epoch, paused, failed, connector, config });
                assert_eq!(earlier, None, "{id} was not stopped first");
                let error = manners.task_start.err();
                if let Some(request) = request {
                    let answer = error.clone().map_or(Ok(Answer::Done), |error| Err(failed_task(&id, error)));
                    self.answers.entry(request).or_default().push(answer);
                }
                self.news.push_back(Event::TaskChanged { id, epoch, state, error });
            }
            Effect::StopTasks(ids) => {
                for id in ids {
                    if let Some(task) = self.tasks.remove(&id) {
                        let state = State::Unassigned;
                        self.news.push_back(Event::TaskChanged { id, epoch: task.epoch, state, error: None });
                    }
                }
            }
            Effect::Pause { name, paused } => {
                for (id, task) in self.tasks.iter_mut().filter(|(id, _)| id.connector == name) {
                    task.paused = paused;
                    if !task.failed {
                        let state = if paused { State::Paused } else { State::Running };
                        let event =
                            Event::TaskChanged { id: id.clone(), epoch: task.epoch, state, error: None };
                        self.news.push_back(event);
                    }
                }
            }
            Effect::Answer { request, answer, .. } => self.answers.entry(request).or_default().push(answer),
        }
    }

    pub(crate) fn run_news(&mut self) {
        if let Some(event) = self.news.pop_front() {
            self.handle(event);
        }
    }

    /// Until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let busy = self.busy();
            if busy.is_empty() && self.news.is_empty() {
                return;
            }
            busy.iter().for_each(|name| self.run_effect(name));
            self.run_news();
        }
        panic!("the herder never comes to rest");
    }

    /// The one answer to a request.
    pub(crate) fn answer(&self, request: RequestId) -> &Result<Answer, HerderError> {
        match self.answers.get(&request).map(Vec::as_slice) {
            Some([answer]) => answer,
            other => panic!("request {request} has these answers: {other:?}"),
        }
    }

    pub(crate) fn is_answered(&self, request: RequestId) -> bool {
        self.answers.contains_key(&request)
    }

    /// States of a connector and its tasks.
    pub(crate) fn states(&self, name: &str) -> (State, Vec<State>) {
        let status = self.herder().statuses().of(name).unwrap();
        (status.connector.state, status.tasks.iter().map(|(_, status)| status.state).collect())
    }

    pub(crate) fn fail_task(&mut self, id: &TaskId) {
        let task = self.tasks.get_mut(id).unwrap();
        task.failed = true;
        let (epoch, error) = (task.epoch, Some(Error::data("bad record")));
        self.news.push_back(Event::TaskChanged { id: id.clone(), epoch, state: State::Failed, error });
    }

    /// Effects since there were `from`, as words, without answers.
    pub(crate) fn effects_since(&self, from: usize) -> Vec<String> {
        let word = |effect: &Effect| match effect {
            Effect::Append(ConfigRecord::Connector(_, config)) => {
                Some(if config.is_some() { "append connector" } else { "append no connector" }.to_owned())
            }
            Effect::Append(ConfigRecord::Target(_, target)) => {
                Some(format!("append target {}", target.map_or("none", TargetState::name)))
            }
            Effect::Append(ConfigRecord::Tasks(_, configs)) => {
                Some(format!("append {} tasks", configs.len()))
            }
            Effect::StartConnector { .. } => Some("start connector".into()),
            Effect::StopConnector(_) => Some("stop connector".into()),
            Effect::GenerateTasks { .. } => Some("generate tasks".into()),
            Effect::StartTask { id, .. } => Some(format!("start task {}", id.task)),
            Effect::StopTasks(ids) => {
                Some(format!("stop tasks {:?}", ids.iter().map(|id| id.task).collect::<Vec<_>>()))
            }
            Effect::Pause { paused, .. } => Some(if *paused { "pause" } else { "resume" }.into()),
            Effect::Forget(_) => Some("forget".into()),
            Effect::Answer { .. } => None,
        };
        self.effects[from..].iter().filter_map(word).collect()
    }
}
