//! Partitions that come and go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::Error;
use lavka_engine::sink::TopicSelection;
use lavka_engine::task::Target;
use lavka_ports::Subscription;

use crate::broker::{Broker, offsets, tp};
use crate::plugins::{Call, scripted};
use crate::rig::{SinkSetup, counter, pass, until};

#[tokio::test(start_paused = true)]
async fn revoked_partitions_leave_the_waiting_batch() {
    let setup = SinkSetup::default();
    setup.broker.append(0, ["a", "b"]);
    setup.broker.append(1, ["x", "y"]);
    setup.broker.assign(&[tp(0), tp(1)]);
    let mut refusals = 1;
    setup.script.on_put(move |_, _| {
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    let waiter = rig.broker.revoke(&[tp(0)], false);
    rig.puts(2).await;
    assert!(waiter.wait(Duration::ZERO), "the rebalance goes on");
    assert_eq!(rig.script.puts(), [vec!["a", "b", "x", "y"], vec!["x", "y"]]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), offsets([(1, 2)]), "nothing of the revoked partition was put");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_batch_of_revoked_partitions_alone_is_dropped_and_the_next_owner_reads_it() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    let mut refusals = 1;
    setup.script.on_put(move |_, _| {
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    let waiter = rig.broker.revoke(&[tp(0)], false);
    rig.broker.assign(&[tp(0)]);
    rig.puts(2).await;
    assert!(waiter.wait(Duration::ZERO));
    assert_eq!(rig.script.puts(), [vec!["a"], vec!["a"]]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_is_answered_after_pre_commit_commit_and_close_of_its_partitions() {
    let setup = SinkSetup::default();
    setup.broker.append(0, ["a"]);
    setup.broker.append(1, ["x"]);
    setup.broker.assign(&[tp(0), tp(1)]);
    let rig = setup.run();
    rig.puts(1).await;
    let waiter = rig.broker.revoke(&[tp(1)], false);
    until("the rebalance goes on", || waiter.wait(Duration::ZERO)).await;
    assert_eq!(rig.broker.commits(), [offsets([(1, 1)])]);
    assert_eq!(
        rig.script.calls()[3..],
        [Call::PreCommit(offsets([(1, 1)])), Call::Close(vec![tp(1)])],
        "asked for those alone"
    );
    assert_eq!(counter(&rig.metrics, "partition-count"), 1.0);
    let script = rig.script.clone();
    assert!(rig.stop().await);
    assert_eq!(
        script.calls()[5..],
        [Call::PreCommit(offsets([(0, 1)])), Call::Close(vec![tp(0)]), Call::Stop]
    );
}

#[tokio::test(start_paused = true)]
async fn lost_partitions_are_closed_without_a_commit() {
    let rig = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    let waiter = rig.broker.revoke(&[tp(0)], true);
    until("the rebalance goes on", || waiter.wait(Duration::ZERO)).await;
    assert!(rig.broker.commits().is_empty());
    assert_eq!(rig.script.calls()[3..], [Call::Close(vec![tp(0)])]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert!(broker.commits().is_empty());
}

/// The end of the task must not commit for partitions that are somebody else's by then.
#[tokio::test(start_paused = true)]
async fn a_close_that_fails_gives_the_partitions_up_all_the_same() {
    let rig = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    rig.broker.fail_next_commit(Error::retriable("not now"));
    rig.script.on_close(|_, _| Err(Error::fatal("disk full")));
    let waiter = rig.broker.revoke(&[tp(0)], false);
    assert_eq!(rig.failed().await, "disk full");
    assert!(waiter.wait(Duration::ZERO));
    assert!(rig.broker.commits().is_empty());
    assert_eq!(rig.script.calls()[4..], [Call::Close(vec![tp(0)]), Call::Stop]);
}

#[tokio::test(start_paused = true)]
async fn a_pre_commit_that_fails_at_a_rebalance_fails_the_task_and_commits_nothing() {
    let rig = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    rig.script.on_pre_commit(|_, _| Err(Error::fatal("disk full")));
    let waiter = rig.broker.revoke(&[tp(0)], false);
    assert_eq!(rig.failed().await, "disk full");
    assert!(waiter.wait(Duration::ZERO));
    assert!(rig.broker.commits().is_empty());
    assert!(rig.script.calls().contains(&Call::Close(vec![tp(0)])));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_its_offsets_is_rewound_in_open() {
    let setup = SinkSetup { broker: Broker::holding(&["a", "b", "c"]), ..SinkSetup::default() };
    setup.broker.set_committed(0, 3);
    setup.script.on_open(|partitions, context| {
        for partition in partitions {
            context.rewind.insert(partition.clone(), 1);
            context.rewind_epochs.insert(partition.clone(), 7);
        }
        context.rewind.insert(tp(9), 5);
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    assert_eq!(rig.script.puts(), [vec!["b", "c"]]);
    assert_eq!(rig.broker.seeks(), [(tp(0), 1, Some(7))], "and of a partition that is not ours nothing");
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_is_answered_while_the_sink_is_paused() {
    let rig = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    rig.target(Target::Paused);
    let waiter = rig.broker.revoke(&[tp(0)], false);
    until("the rebalance goes on", || waiter.wait(Duration::ZERO)).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])]);
    assert!(rig.stop().await);
}

/// Offsets, rebalances and the topics that a connector used go by where a record came from.
#[tokio::test(start_paused = true)]
async fn a_transform_that_moves_records_moves_no_offsets() {
    let setup = SinkSetup {
        broker: Broker::holding(&["moved1", "moved2"]),
        config: scripted(&[]),
        ..SinkSetup::default()
    };
    let mut refusals = 1;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    setup.script.on_put(move |batch, _| {
        noted.lock().unwrap().extend(batch.iter().map(|record| record.record.topic.to_string()));
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(2).await;
    assert_eq!(*seen.lock().unwrap(), ["elsewhere"; 4]);
    assert_eq!(rig.observer.topics(), ["t"]);
    let waiter = rig.broker.revoke(&[tp(0)], false);
    until("the rebalance goes on", || waiter.wait(Duration::ZERO)).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 2)])]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn partitions_come_and_go_step_by_step() {
    let setup = SinkSetup::default();
    setup.broker.append(0, ["a"]);
    setup.broker.append(1, ["x"]);
    setup.broker.assign(&[tp(0)]);
    let rig = setup.run();
    rig.puts(1).await;
    rig.broker.assign(&[tp(1)]);
    rig.puts(2).await;
    let _waiter = rig.broker.revoke(&[tp(0)], false);
    rig.broker.assign(&[tp(2)]);
    rig.broker.append(2, ["q"]);
    rig.puts(3).await;
    let opened: Vec<Call> = rig
        .script
        .calls()
        .into_iter()
        .filter(|call| matches!(call, Call::Open(_) | Call::Close(_)))
        .collect();
    assert_eq!(
        opened,
        [Call::Open(vec![tp(0)]), Call::Open(vec![tp(1)]), Call::Close(vec![tp(0)]), Call::Open(vec![tp(2)])]
    );
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), offsets([(0, 1), (1, 1), (2, 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_pattern_follows_the_topics_of_the_cluster() {
    let matcher = Arc::new(|name: &str| name.starts_with('t'));
    let setup = SinkSetup {
        topics: TopicSelection::Matching { regex: "t.*".into(), matcher },
        ..SinkSetup::default()
    };
    setup.broker.create_topic("t2");
    setup.broker.create_topic("other");
    let rig = setup.run();
    pass(1000).await;
    rig.broker.create_topic("t1");
    pass(40_000).await;
    let pattern = |matches: &[&str]| Subscription::Pattern {
        regex: "t.*".into(),
        matches: matches.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(rig.broker.subscriptions(), [pattern(&["t2"]), pattern(&["t1", "t2"])]);
    assert!(rig.stop().await);
}
