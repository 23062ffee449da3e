//! Rows A9 to A28 and A47 to A49, as far as the herder decides them, and what surrounds them.

use lavka_api::Error;
use lavka_api::plugin::PluginKind;
use lavka_coordination::config_log::{ConfigRecord, TargetState};
use lavka_coordination::herder::{Answer, Effect, Event, HerderError, Request};
use lavka_coordination::restart::RestartRequest;
use lavka_coordination::status::State;

use crate::bench::{Bench, WORKER, config, task};

const ALL: RestartRequest = RestartRequest { include_tasks: true, only_failed: false };
const FAILED_WITH_TASKS: RestartRequest = RestartRequest { include_tasks: true, only_failed: true };
const FAILED: RestartRequest = RestartRequest { include_tasks: false, only_failed: true };

fn set(name: &str, target: TargetState) -> Request {
    Request::SetTarget(name.into(), target)
}

fn not_found(answer: &Result<Answer, HerderError>) -> &str {
    match answer {
        Err(HerderError::NotFound(message)) => message,
        other => panic!("no 404: {other:?}"),
    }
}

fn done(answer: &Result<Answer, HerderError>) {
    assert!(matches!(answer, Ok(Answer::Done)), "{answer:?}");
}

#[test]
fn a4_a_connector_that_exists_is_not_created_again() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let before = bench.effects.len();
    let request = bench.ask(Request::Put {
        name: "c".into(),
        config: config(&[]),
        kind: PluginKind::Source,
        version: "1.0".into(),
        initial: Some(TargetState::Stopped),
        replace: false,
    });
    bench.settle();
    match bench.answer(request) {
        Err(HerderError::Conflict(message)) => assert_eq!(message, "Connector c already exists"),
        other => panic!("no 409: {other:?}"),
    }
    assert!(bench.effects_since(before).is_empty());
}

#[test]
fn a9_a_connector_can_begin_paused() {
    let mut bench = Bench::new();
    let request = bench.put("c", &[("tasks.max", "2")], Some(TargetState::Paused));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Paused, vec![State::Paused, State::Paused]));
    assert!(bench.answer(request).is_ok());
    assert_eq!(bench.effects_since(0)[..2], ["append target PAUSED", "append connector"], "the target first");
    assert!(bench.tasks.values().all(|task| task.paused));
    bench.ask(set("c", TargetState::Started));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
}

#[test]
fn a10_a_connector_can_begin_stopped() {
    let mut bench = Bench::new();
    let request = bench.put("c", &[("tasks.max", "2")], Some(TargetState::Stopped));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
    match bench.answer(request) {
        Ok(Answer::Connector { created: true, info }) => {
            assert_eq!((info.tasks, info.kind), (0, Some(PluginKind::Source)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        bench.effects_since(0),
        ["append target STOPPED", "append connector", "append 0 tasks"],
        "nothing starts"
    );
    // A28: what the offsets request asks for.
    assert_eq!(bench.herder().configs().target("c"), TargetState::Stopped);
    assert!(bench.herder().configs().tasks("c").is_empty());
}

#[test]
fn a11_a25_what_is_not_there_is_not_found() {
    let mut bench = Bench::new();
    let asked = [
        (Request::Delete("c".into()), "Connector c not found"),
        (set("c", TargetState::Paused), "Unknown connector c"),
        (set("c", TargetState::Started), "Unknown connector c"),
        (set("c", TargetState::Stopped), "Unknown connector c"),
        (Request::RestartConnector("c".into()), "Connector c not found"),
        (Request::Restart("c".into(), ALL), "Unknown connector: c"),
        (Request::RestartTask(task("c", 0)), "Connector c not found"),
        (Request::Reconfigure("c".into()), "Connector c not found"),
    ];
    for (request, message) in asked {
        let id = bench.ask(request);
        bench.settle();
        assert_eq!(not_found(bench.answer(id)), message);
    }
    assert!(bench.effects_since(0).is_empty());
    assert!(bench.herder().info("c").is_none() && bench.herder().statuses().of("c").is_none());
}

#[test]
fn a13_a_new_connector_is_created_and_an_existing_one_replaced() {
    let mut bench = Bench::new();
    let request = bench.put("c", &[("tasks.max", "2")], None);
    assert!(!bench.is_answered(request), "the answer waits for the tasks");
    bench.settle();
    match bench.answer(request) {
        Ok(Answer::Connector { created: true, info }) => assert_eq!(info.tasks, 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        bench.effects_since(0),
        [
            "append connector",
            "start connector",
            "generate tasks",
            "append 2 tasks",
            "start task 0",
            "start task 1"
        ]
    );
    let status = bench.herder().statuses().of("c").unwrap();
    assert_eq!(
        (status.connector.worker_id.as_str(), status.connector.version.as_deref()),
        (WORKER, Some("1.0"))
    );
    let before = bench.effects.len();
    let request = bench.put("c", &[("tasks.max", "1"), ("x", "y")], None);
    bench.settle();
    match bench.answer(request) {
        Ok(Answer::Connector { created: false, info }) => {
            assert_eq!((info.tasks, info.config.get("x")), (1, Some("y")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        bench.effects_since(before),
        [
            "append connector",
            "stop connector",
            "start connector",
            "generate tasks",
            "stop tasks [0, 1]",
            "append 1 tasks",
            "start task 0"
        ]
    );
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running]));
}

/// Transforms and converters are in the connector's configuration: its tasks start anew with it, even where their own
/// configurations are the same; where nothing changed at all, they go on.
#[test]
fn a13_tasks_follow_the_configuration_of_their_connector() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let epoch = bench.tasks[&task("c", 0)].epoch;
    bench.put("c", &[("tasks.max", "1"), ("transforms", "a")], None);
    bench.settle();
    let replaced = bench.tasks[&task("c", 0)].clone();
    assert_eq!(replaced.connector.get("transforms"), Some("a"));
    assert!(replaced.epoch > epoch);
    bench.put("c", &[("tasks.max", "1"), ("transforms", "a")], None);
    bench.settle();
    assert_eq!(bench.tasks[&task("c", 0)], replaced);
}

#[test]
fn a13_tasks_go_on_where_the_new_configuration_does_not_start() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    bench.manners("c").start = Err(Error::config("no such host"));
    let request = bench.put("c", &[("tasks.max", "2"), ("host", "x")], None);
    bench.settle();
    match bench.answer(request) {
        Err(HerderError::Failed(message, cause)) => {
            assert_eq!(
                (message.as_str(), cause.message()),
                ("Failed to start connector: c", Some("no such host"))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Running, State::Running]));
    assert_eq!(bench.tasks.len(), 2);
    assert!(
        bench.herder().statuses().connector("c").unwrap().trace.as_deref().unwrap().contains("no such host")
    );
    // Mended, the tasks follow at last.
    bench.manners("c").start = Ok(());
    bench.ask(Request::RestartConnector("c".into()));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
    assert!(bench.tasks.values().all(|task| task.connector.get("host") == Some("x")));
}

#[test]
fn a_request_that_is_overtaken_is_told_so() {
    let overtaking = [
        Request::Delete("c".into()),
        set("c", TargetState::Stopped),
        Request::Put {
            name: "c".into(),
            config: config(&[("x", "y")]),
            kind: PluginKind::Source,
            version: "1.0".into(),
            initial: None,
            replace: true,
        },
    ];
    for next in overtaking {
        let mut bench = Bench::new();
        let first = bench.put("c", &[], None);
        let second = bench.ask(next);
        bench.settle();
        assert!(matches!(bench.answer(first), Err(HerderError::Failed(..))), "{:?}", bench.answer(first));
        assert!(bench.answer(second).is_ok());
    }
}

#[test]
fn a_restart_answers_for_the_start_that_it_overtakes() {
    let mut bench = Bench::new();
    let put = bench.put("c", &[("tasks.max", "1")], None);
    let restart = bench.ask(Request::RestartConnector("c".into()));
    bench.settle();
    assert!(matches!(bench.answer(put), Ok(Answer::Connector { created: true, .. })));
    done(bench.answer(restart));
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running]));
}

#[test]
fn a16_a_deleted_connector_is_gone_when_the_answer_comes() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    topic_used(&mut bench, "t");
    let before = bench.effects.len();
    let request = bench.ask(Request::Delete("c".into()));
    assert_eq!(
        bench.effects_since(before),
        ["append no connector", "append target none", "stop tasks [0, 1]", "stop connector", "forget"]
    );
    assert!(matches!(bench.effects.last(), Some(Effect::Answer { .. })), "the answer waits for all that");
    bench.settle();
    done(bench.answer(request));
    assert!(bench.tasks.is_empty() && bench.instances.is_empty());
    assert!(bench.herder().info("c").is_none() && bench.herder().statuses().of("c").is_none());
    assert!(bench.herder().statuses().topics("c").is_empty());
    // Created anew it begins from nothing.
    bench.running("c", 1);
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running]));
    assert_eq!(bench.herder().configs().target("c"), TargetState::Started);
}

#[test]
fn a17_a_plain_restart_is_of_the_instance_alone_and_waited_for() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let (epoch, running) = (bench.instances["c"], bench.tasks.clone());
    let request = bench.ask(Request::RestartConnector("c".into()));
    assert!(!bench.is_answered(request));
    bench.settle();
    done(bench.answer(request));
    assert!(bench.instances["c"] > epoch);
    assert_eq!(bench.tasks, running);
    bench.manners("c").start = Err(Error::config("no such host"));
    let request = bench.ask(Request::RestartConnector("c".into()));
    bench.settle();
    match bench.answer(request) {
        Err(HerderError::Failed(message, _)) => assert_eq!(message, "Failed to start connector: c"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.states("c").0, State::Failed);
}

#[test]
fn a18_a_restart_with_tasks_shows_what_restarts() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let before = bench.tasks.clone();
    let request = bench.ask(Request::Restart("c".into(), ALL));
    bench.settle();
    match bench.answer(request) {
        Ok(Answer::Restarting(status)) => {
            assert_eq!(status.connector.state, State::Restarting);
            assert!(status.tasks.iter().all(|(_, status)| status.state == State::Restarting));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
    assert!(bench.tasks.iter().all(|(id, task)| task.epoch > before[id].epoch));
}

#[test]
fn a19_where_nothing_failed_nothing_restarts() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    for request in [FAILED, FAILED_WITH_TASKS] {
        let before = bench.effects.len();
        let request = bench.ask(Request::Restart("c".into(), request));
        bench.settle();
        match bench.answer(request) {
            Ok(Answer::Restarting(status)) => assert_eq!(status.connector.state, State::Running),
            other => panic!("{other:?}"),
        }
        assert!(bench.effects_since(before).is_empty());
    }
}

#[test]
fn a20_of_many_tasks_only_the_failed_one_restarts() {
    let mut bench = Bench::new();
    bench.running("c", 3);
    bench.fail_task(&task("c", 1));
    bench.settle();
    assert_eq!(bench.states("c").1, [State::Running, State::Failed, State::Running]);
    assert!(bench.herder().statuses().task(&task("c", 1)).unwrap().trace.is_some());
    let before = bench.effects.len();
    let request = bench.ask(Request::Restart("c".into(), FAILED_WITH_TASKS));
    bench.settle();
    match bench.answer(request) {
        Ok(Answer::Restarting(status)) => {
            let states: Vec<State> = status.tasks.iter().map(|(_, status)| status.state).collect();
            assert_eq!(states, [State::Running, State::Restarting, State::Running]);
            assert_eq!(status.tasks[1].1.trace, None);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.effects_since(before), ["stop tasks [1]", "start task 1"]);
    assert_eq!(bench.states("c").1, [State::Running; 3]);
}

#[test]
fn a20_a_failed_connector_restarts_alone() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let epoch = bench.instances["c"];
    bench.handle(Event::ConnectorFailed { name: "c".into(), epoch, error: Error::fatal("lost the host") });
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Running]));
    let before = bench.effects.len();
    bench.ask(Request::Restart("c".into(), FAILED));
    bench.settle();
    assert_eq!(bench.effects_since(before), ["stop connector", "start connector", "generate tasks"]);
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running]));
}

#[test]
fn a21_restarts_of_unknown_tasks_are_not_found() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    for number in [1, u32::MAX] {
        let request = bench.ask(Request::RestartTask(task("c", number)));
        bench.settle();
        assert_eq!(not_found(bench.answer(request)), format!("Task c-{number} not found"));
    }
    let request = bench.ask(Request::RestartTask(task("c", 0)));
    bench.settle();
    done(bench.answer(request));
    assert_eq!(bench.states("c").1, [State::Running]);
}

/// Nothing is queued here, so nothing is merged: each restart of several takes effect, and the last one's tasks run.
#[test]
fn a22_several_restarts_end_with_everything_running() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let requests: Vec<_> = [FAILED, ALL, RestartRequest::default(), FAILED_WITH_TASKS]
        .into_iter()
        .map(|request| bench.ask(Request::Restart("c".into(), request)))
        .collect();
    bench.settle();
    requests.iter().for_each(|request| assert!(bench.answer(*request).is_ok()));
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
    assert_eq!((bench.instances.len(), bench.tasks.len()), (1, 2));
}

#[test]
fn a23_a_stopped_connector_has_no_tasks() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let before = bench.effects.len();
    let request = bench.ask(set("c", TargetState::Stopped));
    assert_eq!(
        bench.effects_since(before),
        ["append 0 tasks", "append target STOPPED", "stop tasks [0, 1]", "stop connector"],
        "the tasks first, as Connect writes it"
    );
    bench.settle();
    done(bench.answer(request));
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
    assert!(bench.tasks.is_empty() && bench.instances.is_empty());
    let before = bench.effects.len();
    let again = bench.ask(set("c", TargetState::Stopped));
    bench.settle();
    done(bench.answer(again));
    assert!(bench.effects_since(before).is_empty(), "a stop is idempotent");
}

#[test]
fn a23_holds_for_a_connector_that_failed_at_its_start() {
    let mut bench = Bench::new();
    bench.manners("c").start = Err(Error::config("no such host"));
    let put = bench.put("c", &[], None);
    bench.settle();
    assert!(bench.answer(put).is_err());
    assert_eq!(bench.states("c"), (State::Failed, vec![]));
    let request = bench.ask(set("c", TargetState::Stopped));
    bench.settle();
    done(bench.answer(request));
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
}

#[test]
fn a24_a_stopped_connector_resumes_with_new_tasks() {
    for target in [TargetState::Started, TargetState::Paused] {
        let mut bench = Bench::new();
        bench.running("c", 2);
        bench.ask(set("c", TargetState::Stopped));
        bench.settle();
        let request = bench.ask(set("c", target));
        bench.settle();
        done(bench.answer(request));
        let state = if target == TargetState::Paused { State::Paused } else { State::Running };
        assert_eq!(bench.states("c"), (state, vec![state, state]));
    }
}

#[test]
fn a24_configuring_a_stopped_connector_leaves_it_stopped() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    bench.ask(set("c", TargetState::Stopped));
    bench.settle();
    let request = bench.put("c", &[("tasks.max", "2")], None);
    bench.settle();
    assert!(matches!(bench.answer(request), Ok(Answer::Connector { created: false, .. })));
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
    let restart = bench.ask(Request::RestartConnector("c".into()));
    let restart_all = bench.ask(Request::Restart("c".into(), ALL));
    bench.settle();
    assert!(bench.answer(restart).is_ok() && bench.answer(restart_all).is_ok());
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
    bench.ask(set("c", TargetState::Started));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
}

#[test]
fn pausing_and_resuming_keep_the_tasks() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let epochs: Vec<u64> = bench.tasks.values().map(|task| task.epoch).collect();
    bench.ask(set("c", TargetState::Paused));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Paused, vec![State::Paused, State::Paused]));
    bench.fail_task(&task("c", 0));
    bench.ask(set("c", TargetState::Started));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Failed, State::Running]));
    assert_eq!(bench.tasks.values().map(|task| task.epoch).collect::<Vec<_>>(), epochs);
}

#[test]
fn what_starts_while_the_connector_is_paused_starts_paused() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    bench.ask(set("c", TargetState::Paused));
    bench.ask(Request::Restart("c".into(), ALL));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Paused, vec![State::Paused]));
    bench.put("c", &[("tasks.max", "2")], None);
    bench.settle();
    assert_eq!(bench.states("c"), (State::Paused, vec![State::Paused, State::Paused]));
}

#[test]
fn a_failed_connector_stays_failed_when_it_is_paused() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let epoch = bench.instances["c"];
    bench.handle(Event::ConnectorFailed { name: "c".into(), epoch, error: Error::fatal("lost the host") });
    bench.ask(set("c", TargetState::Paused));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Paused]));
}

fn two_tasks() -> Result<Option<Vec<lavka_api::config::Config>>, Error> {
    Ok(Some(vec![config(&[("task", "0")]), config(&[("task", "1")])]))
}

#[test]
fn a47_a_connector_that_makes_too_many_tasks_fails() {
    let mut bench = Bench::new();
    bench.manners("c").tasks = two_tasks();
    let request = bench.put("c", &[("tasks.max", "1")], None);
    bench.settle();
    assert!(matches!(bench.answer(request), Ok(Answer::Connector { created: true, .. })));
    assert_eq!(bench.states("c"), (State::Failed, vec![]));
    let trace = bench.herder().statuses().connector("c").unwrap().trace.clone().unwrap();
    assert!(
        trace.starts_with(
            "org.apache.kafka.connect.errors.TooManyTasksException: The connector c has generated 2 tasks, which is \
             greater than 1, the maximum number of tasks it is configured to create."
        ),
        "{trace}"
    );
    bench.put("c", &[("tasks.max", "1"), ("tasks.max.enforce", "false")], None);
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
}

#[test]
fn a48_tasks_that_are_too_many_by_now_do_not_start_again() {
    let mut bench = Bench::new();
    bench.manners("c").tasks = two_tasks();
    bench.put("c", &[("tasks.max", "2")], None);
    bench.settle();
    bench.put("c", &[("tasks.max", "1")], None);
    bench.settle();
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Running, State::Running]), "A49");
    bench.ask(Request::Restart("c".into(), ALL));
    bench.settle();
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Failed, State::Failed]));
    let trace = bench.herder().statuses().task(&task("c", 1)).unwrap().trace.clone().unwrap();
    assert!(trace.contains("has generated 2 tasks, which is greater than 1"), "{trace}");
    assert!(bench.tasks.is_empty());
    let request = bench.ask(Request::RestartTask(task("c", 0)));
    bench.settle();
    match bench.answer(request) {
        Err(HerderError::Failed(message, _)) => assert_eq!(message, "Failed to start task: c-0"),
        other => panic!("{other:?}"),
    }
    bench.put("c", &[("tasks.max", "2")], None);
    bench.settle();
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
}

#[test]
fn a49_tasks_go_on_where_the_connector_cannot_say_what_they_are_to_do() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let tasks = bench.tasks.clone();
    bench.manners("c").tasks = Err(Error::fatal("cannot list tables"));
    let epoch = bench.instances["c"];
    bench.handle(Event::WantsReconfiguration { name: "c".into(), epoch });
    bench.settle();
    assert_eq!(bench.states("c"), (State::Failed, vec![State::Running, State::Running]));
    assert_eq!(bench.tasks, tasks);
}

#[test]
fn tasks_are_replaced_only_where_their_configurations_change() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    let before = bench.effects.len();
    let request = bench.ask(Request::Reconfigure("c".into()));
    bench.settle();
    done(bench.answer(request));
    assert_eq!(bench.effects_since(before), ["generate tasks"]);
    bench.manners("c").tasks = Ok(Some(vec![config(&[("task", "new")])]));
    let epoch = bench.instances["c"];
    bench.handle(Event::WantsReconfiguration { name: "c".into(), epoch });
    bench.settle();
    assert_eq!(
        bench.effects_since(before)[1..],
        ["generate tasks", "stop tasks [0, 1]", "append 1 tasks", "start task 0"]
    );
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running]));
}

#[test]
fn news_of_an_earlier_start_is_no_news() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let (instance, old) = (bench.instances["c"], bench.tasks[&task("c", 0)].epoch);
    bench.ask(Request::Restart("c".into(), ALL));
    bench.settle();
    let before = (bench.states("c"), bench.effects.len());
    let (name, error) = ("c".to_owned(), Error::fatal("old"));
    for epoch in [instance, 0, u64::MAX] {
        bench.handle(Event::ConnectorFailed { name: name.clone(), epoch, error: error.clone() });
        bench.handle(Event::ConnectorStarted { name: name.clone(), epoch, outcome: Err(error.clone()) });
        bench.handle(Event::TaskConfigs { name: name.clone(), epoch, outcome: Ok(vec![]) });
        bench.handle(Event::WantsReconfiguration { name: name.clone(), epoch });
    }
    for epoch in [old, 0, u64::MAX] {
        for state in [State::Failed, State::Unassigned, State::Paused] {
            bench.handle(Event::TaskChanged { id: task("c", 0), epoch, state, error: None });
        }
    }
    bench.handle(Event::TaskChanged { id: task("c", 7), epoch: old, state: State::Running, error: None });
    assert_eq!((bench.states("c"), bench.effects.len()), before);
}

#[test]
fn a_stopped_connector_hears_no_news_at_all() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let epoch = bench.instances["c"];
    bench.ask(set("c", TargetState::Stopped));
    bench.settle();
    for epoch in [0, epoch] {
        bench.handle(Event::ConnectorFailed { name: "c".into(), epoch, error: Error::fatal("old") });
        bench.handle(Event::ConnectorStarted { name: "c".into(), epoch, outcome: Ok("1".into()) });
        bench.handle(Event::TaskConfigs { name: "c".into(), epoch, outcome: Ok(vec![config(&[])]) });
    }
    assert_eq!(bench.states("c"), (State::Stopped, vec![]));
}

fn topic_used(bench: &mut Bench, topic: &str) {
    let epoch = bench.tasks[&task("c", 0)].epoch;
    bench.handle(Event::TopicUsed { id: task("c", 0), epoch, topic: topic.into() });
}

/// What a task of a connector had to say that was deleted and created again since.
#[test]
fn topics_of_an_earlier_start_are_no_news() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    let epoch = bench.tasks[&task("c", 0)].epoch;
    bench.ask(Request::Delete("c".into()));
    bench.settle();
    let late = Event::TopicUsed { id: task("c", 0), epoch, topic: "old".into() };
    bench.handle(late.clone());
    bench.running("c", 1);
    bench.handle(late);
    assert!(bench.herder().statuses().topics("c").is_empty());
    topic_used(&mut bench, "new");
    assert_eq!(bench.herder().statuses().topics("c"), ["new"]);
}

#[test]
fn a_connector_that_begins_stopped_shows_its_version() {
    let mut bench = Bench::new();
    bench.put("c", &[], Some(TargetState::Stopped));
    bench.settle();
    let status = bench.herder().statuses().connector("c").unwrap();
    assert_eq!((status.state, status.version.as_deref()), (State::Stopped, Some("1.0")));
}

#[test]
fn a_task_that_cannot_be_started_fails_the_request_for_it() {
    let mut bench = Bench::new();
    bench.running("c", 2);
    bench.manners("c").task_start = Err(Error::config("no such converter"));
    let request = bench.ask(Request::RestartTask(task("c", 1)));
    bench.settle();
    match bench.answer(request) {
        Err(HerderError::Failed(message, cause)) => {
            assert_eq!(
                (message.as_str(), cause.message()),
                ("Failed to start task: c-1", Some("no such converter"))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Failed]));
    bench.manners("c").task_start = Ok(());
    let request = bench.ask(Request::RestartTask(task("c", 1)));
    bench.settle();
    done(bench.answer(request));
    assert_eq!(bench.states("c"), (State::Running, vec![State::Running, State::Running]));
}

#[test]
fn topics_are_tracked_until_they_are_reset() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    for topic in ["b", "a", "b"] {
        topic_used(&mut bench, topic);
    }
    bench.handle(Event::TopicUsed { id: task("other", 0), epoch: 1, topic: "x".into() });
    assert_eq!(bench.herder().statuses().topics("c"), ["a", "b"]);
    assert!(bench.herder().statuses().topics("other").is_empty());
    let request = bench.ask(Request::ResetTopics("c".into()));
    bench.settle();
    done(bench.answer(request));
    assert!(bench.herder().statuses().topics("c").is_empty());
}

#[test]
fn a_barrier_is_answered_behind_what_the_connector_still_has_to_do() {
    let mut bench = Bench::new();
    bench.running("c", 1);
    bench.ask(set("c", TargetState::Stopped));
    let barrier = bench.ask(Request::Barrier("c".into()));
    let positions: Vec<bool> =
        bench.effects.iter().rev().take(2).map(|effect| matches!(effect, Effect::Answer { .. })).collect();
    assert_eq!(positions, [true, true]);
    bench.settle();
    done(bench.answer(barrier));
    assert!(bench.tasks.is_empty());
}

/// What was appended adds up to what the herder goes by: a worker that reads the log knows the same.
#[test]
fn the_log_says_what_the_herder_knows() {
    let mut bench = Bench::new();
    bench.running("a", 2);
    bench.running("b", 1);
    bench.ask(set("a", TargetState::Paused));
    bench.ask(set("b", TargetState::Stopped));
    bench.running("gone", 1);
    bench.ask(Request::Delete("gone".into()));
    bench.settle();
    let mut read = lavka_coordination::config_log::ConfigState::default();
    for effect in &bench.effects {
        if let Effect::Append(record) = effect {
            read.apply(ConfigRecord::clone(record));
        }
    }
    let known = bench.herder().configs();
    assert!(read.names().eq(known.names()) && read.names().eq(["a", "b"]));
    for name in ["a", "b", "gone"] {
        assert_eq!(
            (read.connector(name), read.target(name), read.tasks(name)),
            (known.connector(name), known.target(name), known.tasks(name))
        );
    }
}
