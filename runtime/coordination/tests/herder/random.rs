//! The herder under random requests, news and delays.
//!
//! The model looks at effects and news alone: which start of a connector or task is the current one follows from the
//! effects, what has become of it from the news that reached the herder.

use std::collections::{BTreeMap, BTreeSet};

use lavka_api::Error;
use lavka_api::plugin::{PluginKind, TaskId};
use lavka_coordination::config_log::TargetState;
use lavka_coordination::herder::{Effect, Event, Request};
use lavka_coordination::restart::RestartRequest;
use lavka_coordination::status::State;
use proptest::prelude::*;

use crate::bench::{Bench, config, task};

const NAMES: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Move {
    Put {
        name: usize,
        max: u32,
        key: u32,
        initial: Option<TargetState>,
        replace: bool,
    },
    Delete(usize),
    Target(usize, TargetState),
    RestartConnector(usize),
    Restart(usize, bool, bool),
    RestartTask(usize, u32),
    Reconfigure(usize),
    /// What the connector does from now on when it is asked.
    Manners {
        name: usize,
        starts: bool,
        tasks: Option<u32>,
        tasks_start: bool,
    },
    /// The worker gets on.
    Work(usize),
    News,
    /// Something fails, or wants something, by itself.
    FailTask(usize, u32),
    FailConnector(usize),
    WantsTasks(usize),
    /// News that came before comes again.
    Echo(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let name = || 0..NAMES.len();
    let target =
        || prop_oneof![Just(TargetState::Started), Just(TargetState::Paused), Just(TargetState::Stopped)];
    let step = prop_oneof![
        3 => (name(), 1..4u32, 0..3u32, prop::option::weighted(0.3, target()), any::<bool>())
            .prop_map(|(name, max, key, initial, replace)| Move::Put { name, max, key, initial, replace }),
        1 => name().prop_map(Move::Delete),
        3 => (name(), target()).prop_map(|(name, target)| Move::Target(name, target)),
        1 => name().prop_map(Move::RestartConnector),
        2 => (name(), any::<bool>(), any::<bool>()).prop_map(|(n, t, f)| Move::Restart(n, t, f)),
        1 => (name(), 0..4u32).prop_map(|(name, task)| Move::RestartTask(name, task)),
        1 => name().prop_map(Move::Reconfigure),
        2 => (name(), prop::bool::weighted(0.7), prop::option::weighted(0.8, 0..5u32), prop::bool::weighted(0.8))
            .prop_map(|(name, starts, tasks, tasks_start)| Move::Manners { name, starts, tasks, tasks_start }),
        12 => name().prop_map(Move::Work),
        8 => Just(Move::News),
        1 => (name(), 0..4u32).prop_map(|(name, task)| Move::FailTask(name, task)),
        1 => name().prop_map(Move::FailConnector),
        1 => name().prop_map(Move::WantsTasks),
        2 => any::<prop::sample::Index>().prop_map(|index| Move::Echo(index.index(1000))),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the outside knows.
#[derive(Default)]
struct Model {
    /// Effects looked at so far.
    seen: usize,
    instances: BTreeMap<String, u64>,
    tasks: BTreeMap<TaskId, u64>,
    failed_connectors: BTreeSet<String>,
    task_states: BTreeMap<TaskId, State>,
    told: Vec<Event>,
}

impl Model {
    /// Which starts are the current ones.
    fn look(&mut self, bench: &Bench) {
        for effect in &bench.effects[self.seen..] {
            match effect {
                Effect::StartConnector { name, epoch, .. } => {
                    self.instances.insert(name.clone(), *epoch);
                }
                Effect::StopConnector(name) => {
                    self.instances.remove(name);
                }
                Effect::StartTask { id, epoch, .. } => {
                    self.tasks.insert(id.clone(), *epoch);
                    self.task_states.remove(id);
                }
                Effect::StopTasks(ids) => ids.iter().for_each(|id| {
                    self.tasks.remove(id);
                    self.task_states.remove(id);
                }),
                _ => {}
            }
        }
        self.seen = bench.effects.len();
    }

    /// What news about a current start means.
    fn hear(&mut self, bench: &Bench, event: &Event) {
        let current = |name: &str, epoch: u64| self.instances.get(name) == Some(&epoch);
        match event {
            Event::ConnectorStarted { name, epoch, outcome } if current(name, *epoch) => {
                if outcome.is_ok() {
                    self.failed_connectors.remove(name);
                } else {
                    self.failed_connectors.insert(name.clone());
                }
            }
            Event::ConnectorFailed { name, epoch, .. } if current(name, *epoch) => {
                self.failed_connectors.insert(name.clone());
            }
            Event::TaskConfigs { name, epoch, outcome } if current(name, *epoch) => {
                let max = max_of(bench, name);
                if outcome.as_ref().map_or(true, |configs| configs.len() > max) {
                    self.failed_connectors.insert(name.clone());
                }
            }
            Event::TaskChanged { id, epoch, state, .. } if self.tasks.get(id) == Some(epoch) => {
                self.task_states.insert(id.clone(), *state);
            }
            _ => {}
        }
    }

    /// At rest: everybody is answered, and what runs and shows is what was asked for.
    fn check(&self, bench: &Bench) {
        for request in 1..=bench.requests {
            let _one = bench.answer(request);
        }
        for name in NAMES {
            let running: Vec<_> = bench.tasks.iter().filter(|(id, _)| id.connector == name).collect();
            let herder = bench.herder();
            let Some(info) = herder.info(name) else {
                assert!(running.is_empty() && !bench.instances.contains_key(name), "{name} is deleted");
                assert!(herder.statuses().of(name).is_none());
                continue;
            };
            let target = herder.configs().target(name);
            let status = herder.statuses().of(name).unwrap();
            let states: Vec<State> = status.tasks.iter().map(|(_, status)| status.state).collect();
            if target == TargetState::Stopped {
                assert!(running.is_empty() && !bench.instances.contains_key(name), "{name} is stopped");
                assert_eq!((status.connector.state, states, info.tasks), (State::Stopped, vec![], 0));
                continue;
            }
            let paused = target == TargetState::Paused;
            let expected = match (self.failed_connectors.contains(name), paused) {
                (true, _) => State::Failed,
                (false, true) => State::Paused,
                (false, false) => State::Running,
            };
            assert_eq!(status.connector.state, expected, "{name}");
            let instance = bench.instances.get(name);
            assert!(
                instance.is_none() || instance == self.instances.get(name),
                "{name} runs an old instance"
            );
            assert_eq!(states.len(), info.tasks as usize, "each task of {name} has a status");
            for (number, status) in &status.tasks {
                let id = task(name, *number);
                match bench.tasks.get(&id) {
                    Some(running) => {
                        assert_eq!(Some(&running.epoch), self.tasks.get(&id));
                        assert_eq!(running.paused, paused, "{id}");
                        assert_eq!(Some(&status.state), self.task_states.get(&id), "{id}");
                    }
                    // There were too many when it was to start again.
                    None => assert_eq!(status.state, State::Failed, "{id}"),
                }
            }
            assert!(running.iter().all(|(id, _)| id.task < info.tasks));
            if expected != State::Failed {
                assert_eq!(running.len(), states.len());
                let fresh = |task: &&crate::bench::RunningTask| task.connector == info.config;
                assert!(running.iter().all(|(_, task)| fresh(task)), "tasks follow the connector");
            }
        }
    }
}

fn max_of(bench: &Bench, name: &str) -> usize {
    let config = bench.herder().configs().connector(name);
    config.and_then(|config| config.get("tasks.max")).map_or(1, |text| text.parse().unwrap())
}

fn request_of(step: &Move) -> Option<Request> {
    let name = |index: &usize| NAMES[*index].to_owned();
    Some(match step {
        Move::Put { name: index, max, key, initial, replace } => Request::Put {
            name: name(index),
            config: config(&[("tasks.max", &max.to_string()), ("key", &key.to_string())]),
            kind: PluginKind::Sink,
            version: "1.0".into(),
            initial: *initial,
            replace: *replace,
        },
        Move::Delete(index) => Request::Delete(name(index)),
        Move::Target(index, target) => Request::SetTarget(name(index), *target),
        Move::RestartConnector(index) => Request::RestartConnector(name(index)),
        Move::Restart(index, include_tasks, only_failed) => Request::Restart(
            name(index),
            RestartRequest { include_tasks: *include_tasks, only_failed: *only_failed },
        ),
        Move::RestartTask(index, number) => Request::RestartTask(task(NAMES[*index], *number)),
        Move::Reconfigure(index) => Request::Reconfigure(name(index)),
        _ => return None,
    })
}

fn play(moves: &[Move]) {
    let (mut bench, mut model) = (Bench::new(), Model::default());
    let news = |bench: &mut Bench, model: &mut Model| {
        if let Some(event) = bench.news.pop_front() {
            model.hear(bench, &event);
            model.told.push(event.clone());
            bench.handle(event);
            model.look(bench);
        }
    };
    for step in moves {
        if let Some(request) = request_of(step) {
            bench.ask(request);
        }
        match step {
            Move::Manners { name, starts, tasks, tasks_start } => {
                let manners = bench.manners(NAMES[*name]);
                manners.start = if *starts { Ok(()) } else { Err(Error::config("no such host")) };
                manners.tasks = match tasks {
                    Some(count) => {
                        Ok(Some((0..*count).map(|i| config(&[("task", &i.to_string())])).collect()))
                    }
                    None => Err(Error::fatal("cannot list tables")),
                };
                manners.task_start = if *tasks_start { Ok(()) } else { Err(Error::fatal("no")) };
            }
            Move::Work(name) => bench.run_effect(NAMES[*name]),
            Move::News => news(&mut bench, &mut model),
            Move::FailTask(name, number) => {
                let id = task(NAMES[*name], *number);
                if bench.tasks.contains_key(&id) {
                    bench.fail_task(&id);
                }
            }
            Move::FailConnector(name) => {
                if let Some(&epoch) = bench.instances.get(NAMES[*name]) {
                    let (name, error) = (NAMES[*name].to_owned(), Error::fatal("lost the host"));
                    bench.news.push_back(Event::ConnectorFailed { name, epoch, error });
                }
            }
            Move::WantsTasks(name) => {
                if let Some(&epoch) = bench.instances.get(NAMES[*name]) {
                    bench
                        .news
                        .push_back(Event::WantsReconfiguration { name: NAMES[*name].to_owned(), epoch });
                }
            }
            Move::Echo(index) => {
                // Only news of starts that are over: a worker tells each thing once.
                let stale = |event: &Event| match event {
                    Event::ConnectorStarted { name, epoch, .. }
                    | Event::ConnectorFailed { name, epoch, .. }
                    | Event::TaskConfigs { name, epoch, .. }
                    | Event::WantsReconfiguration { name, epoch } => model.instances.get(name) != Some(epoch),
                    Event::TaskChanged { id, epoch, .. } => model.tasks.get(id) != Some(epoch),
                    Event::Request(..) | Event::TopicUsed { .. } => false,
                };
                let told: Vec<&Event> = model.told.iter().filter(|event| stale(event)).collect();
                if !told.is_empty() {
                    let event = told[index % told.len()].clone();
                    let before = (format!("{:?}", bench.herder().statuses()), bench.effects.len());
                    bench.handle(event.clone());
                    let after = (format!("{:?}", bench.herder().statuses()), bench.effects.len());
                    assert_eq!(before, after, "{event:?} is no news");
                }
            }
            _ => {}
        }
        model.look(&bench);
    }
    while !bench.busy().is_empty() || !bench.news.is_empty() {
        bench.busy().iter().for_each(|name| bench.run_effect(name));
        news(&mut bench, &mut model);
    }
    model.check(&bench);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_answered_and_what_runs_is_what_was_asked_for(moves in moves()) {
        play(&moves);
    }
}
