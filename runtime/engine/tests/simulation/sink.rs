//! The sink loop.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::{RecordKind, TimestampType};
use lavka_api::plugin::ErrantRecord;
use lavka_engine::task::Target;
use lavka_ports::ConsumedRecord;

use crate::broker::{Broker, offsets, tp};
use crate::plugins::{Call, scripted};
use crate::rig::{SinkSetup, counter, pass};

fn put(records: &[(i32, i64, &str)]) -> Call {
    Call::Put(records.iter().map(|(p, o, text)| (*p, *o, (*text).to_owned())).collect())
}

#[tokio::test(start_paused = true)]
async fn records_are_put_and_their_offsets_committed_at_the_interval_and_at_the_end() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a", "b"]),
        commit_interval: Duration::from_secs(10),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    rig.puts(1).await;
    pass(9000).await;
    assert!(rig.broker.commits().is_empty());
    pass(1500).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 2)])]);
    rig.broker.append(0, ["c"]);
    rig.puts(2).await;
    let (broker, script, observer, metrics) =
        (rig.broker.clone(), rig.script.clone(), Arc::clone(&rig.observer), rig.metrics.clone());
    assert!(rig.stop().await);
    assert_eq!(broker.commits(), [offsets([(0, 2)]), offsets([(0, 3)])]);
    assert_eq!(
        script.calls(),
        [
            Call::Start,
            Call::Open(vec![tp(0)]),
            put(&[(0, 0, "a"), (0, 1, "b")]),
            Call::PreCommit(offsets([(0, 2)])),
            put(&[(0, 2, "c")]),
            Call::PreCommit(offsets([(0, 3)])),
            Call::Close(vec![tp(0)]),
            Call::Stop,
        ]
    );
    assert!(broker.is_closed());
    assert_eq!(observer.states(), ["running", "stopped"]);
    // The second time because a user may have reset what was known by then.
    assert_eq!(observer.topics(), ["t", "t"]);
    assert_eq!(counter(&metrics, "sink-record-send-total"), 3.0);
    assert_eq!(counter(&metrics, "offset-commit-completion-total"), 2.0);
    assert_eq!(counter(&metrics, "offset-commit-seq-no"), 2.0);
    assert_eq!(counter(&metrics, "asked-total"), 1.0, "of the plugin itself");
}

#[tokio::test(start_paused = true)]
async fn batches_hold_at_most_max_poll_records() {
    let rig =
        SinkSetup { broker: Broker::holding(&["a", "b", "c"]), max_batch: 2, ..SinkSetup::default() }.run();
    rig.puts(2).await;
    assert_eq!(rig.script.puts(), [vec!["a", "b"], vec!["c"]]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn e9_a_retriable_put_keeps_exactly_the_batch_and_takes_nothing_more() {
    let setup = SinkSetup { broker: Broker::holding(&["a", "b"]), max_batch: 2, ..SinkSetup::default() };
    let mut refusals = 3;
    setup.script.on_put(move |batch, _| {
        if refusals > 0 && !batch.is_empty() {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    rig.broker.append(0, ["c", "d"]);
    rig.puts(3).await;
    assert_eq!(rig.broker.position(0), Some(2), "nothing is read ahead of the sink");
    rig.puts(5).await;
    let same = || vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(rig.script.puts(), [same(), same(), same(), same(), vec!["c".into(), "d".into()]]);
    let times: Vec<_> = rig.script.timed().iter().map(|(at, _)| *at).collect();
    let waits: Vec<u128> = times[2..6].windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(waits, [300, 600, 1200]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.commits(), [offsets([(0, 4)])]);
}

#[tokio::test(start_paused = true)]
async fn e9_the_sink_may_say_how_long_to_wait() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    let mut refusals = 1;
    setup.script.on_put(move |_, context| {
        if refusals > 0 {
            refusals -= 1;
            context.retry_after_ms = Some(7000);
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(2).await;
    let times: Vec<_> = rig.script.timed().iter().map(|(at, _)| *at).collect();
    assert_eq!((times[3] - times[2]).as_millis(), 7000);
    assert!(rig.broker.polls() < 50, "a waiting batch does not make the loop spin");
    assert!(rig.stop().await);
}

/// While a batch waits, offsets before it are committed and none of it.
#[tokio::test(start_paused = true)]
async fn e9_nothing_of_a_waiting_batch_is_committed() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a", "b"]),
        max_batch: 1,
        commit_interval: Duration::from_secs(5),
        ..SinkSetup::default()
    };
    setup.script.on_put(|batch, _| match batch.first() {
        Some(record) if record.origin.offset == 1 => Err(Error::retriable("busy")),
        _ => Ok(()),
    });
    let rig = setup.run();
    pass(20_000).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await, "a batch that waits does not hold up a stop");
    assert_eq!(broker.committed(), offsets([(0, 1)]));
}

#[tokio::test(start_paused = true)]
async fn e10_any_other_error_of_put_fails_the_task_even_where_errors_are_tolerated() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a"]),
        config: scripted(&[("errors.tolerance", "all")]),
        ..SinkSetup::default()
    };
    setup.script.on_put(|_, _| Err(Error::data("no such column")));
    let rig = setup.run();
    assert_eq!(rig.failed().await, "Exiting WorkerSinkTask due to unrecoverable exception.: no such column");
    assert!(rig.broker.commits().is_empty());
    assert_eq!(rig.script.calls().last(), Some(&Call::Stop));
    assert!(rig.broker.is_closed());
}

#[tokio::test(start_paused = true)]
async fn pre_commit_is_clipped_to_what_was_delivered() {
    let setup = SinkSetup { broker: Broker::holding(&["a", "b"]), ..SinkSetup::default() };
    setup.broker.append(1, ["x"]);
    setup.broker.assign(&[tp(1)]);
    setup.script.on_pre_commit(|_, _| Ok(offsets([(0, 1), (1, 9), (7, 1)])));
    let rig = setup.run();
    rig.puts(1).await;
    pass(5).await;
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.commits(), [offsets([(0, 1)])], "beyond what was put, or not ours: left out");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_tried_again_at_the_next_interval() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a"]),
        commit_interval: Duration::from_secs(5),
        ..SinkSetup::default()
    };
    setup.broker.fail_next_commit(Error::retriable("coordinator away"));
    let rig = setup.run();
    rig.puts(1).await;
    pass(6000).await;
    assert!(rig.broker.commits().is_empty());
    pass(5000).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])]);
    pass(20_000).await;
    assert_eq!(rig.broker.commits().len(), 1, "nothing is committed twice");
    assert_eq!(rig.observer.states(), ["running"]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_say_what_is_durable_is_asked_again() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a"]),
        commit_interval: Duration::from_secs(5),
        ..SinkSetup::default()
    };
    let mut refusals = 1;
    setup.script.on_pre_commit(move |seen, _| {
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("uploading"));
        }
        Ok(seen.clone())
    });
    let rig = setup.run();
    pass(6000).await;
    assert!(rig.broker.commits().is_empty());
    pass(5000).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sink_can_ask_for_a_commit_before_its_time() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.on_put(|_, context| {
        context.request_commit = true;
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    pass(5).await;
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sink_can_rewind_after_a_put_and_reads_again_from_there() {
    let setup = SinkSetup { broker: Broker::holding(&["a", "b"]), ..SinkSetup::default() };
    let mut rewound = false;
    setup.script.on_put(move |batch, context| {
        if !batch.is_empty() && !std::mem::replace(&mut rewound, true) {
            context.rewind.insert(tp(0), 1);
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(2).await;
    assert_eq!(rig.script.puts(), [vec!["a", "b"], vec!["b"]]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), offsets([(0, 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_sink_can_pause_and_resume_partitions() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    let mut calls = 0;
    setup.script.on_put(move |_, context| {
        calls += 1;
        match calls {
            1 => context.pause = vec![tp(0), tp(9)],
            3 => context.resume = vec![tp(0), tp(9)],
            _ => {}
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    rig.broker.append(0, ["b"]);
    pass(1500).await;
    assert_eq!((rig.broker.paused(), rig.script.puts().len()), (vec![tp(0)], 1));
    rig.puts(2).await;
    assert!(rig.broker.paused().is_empty());
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_paused_sink_reads_nothing_and_is_still_called_on_time() {
    let setup = SinkSetup { commit_interval: Duration::from_secs(5), ..SinkSetup::default() };
    setup.broker.append(0, ["a"]);
    setup.broker.assign(&[tp(0)]);
    let rig = setup.run();
    rig.puts(1).await;
    rig.target(Target::Paused);
    pass(10).await;
    rig.broker.append(0, ["b"]);
    let polls = rig.broker.polls();
    pass(10_000).await;
    assert_eq!((rig.script.puts().len(), rig.broker.position(0)), (1, Some(1)));
    assert!(rig.script.empty_puts() >= 9, "once a second");
    assert!(rig.broker.polls() - polls < 40, "a paused loop does not spin");
    assert_eq!(rig.broker.commits(), [offsets([(0, 1)])], "commits go on");
    rig.target(Target::Running);
    rig.puts(2).await;
    assert_eq!(rig.observer.states(), ["running", "paused", "running"]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_begins_paused_joins_when_resumed() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), target: Target::Paused, ..SinkSetup::default() };
    let rig = setup.run();
    pass(5000).await;
    assert!(rig.script.calls().is_empty() && rig.broker.subscriptions().is_empty());
    rig.target(Target::Running);
    rig.puts(1).await;
    assert_eq!(rig.observer.states(), ["paused", "running"]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_was_never_resumed_leaves_its_group_without_a_start() {
    let rig = SinkSetup { target: Target::Paused, ..SinkSetup::default() }.run();
    pass(10).await;
    let (broker, script) = (rig.broker.clone(), rig.script.clone());
    assert!(rig.stop().await);
    assert!(broker.is_closed() && script.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_records_the_sink_is_called_once_a_second() {
    let rig = SinkSetup { broker: Broker::holding(&[]), ..SinkSetup::default() }.run();
    pass(10_500).await;
    assert_eq!(rig.script.empty_puts(), 10);
    rig.script.on_put(|_, _| Err(Error::retriable("busy")));
    pass(2000).await;
    assert_eq!(rig.observer.states(), ["running"]);
    rig.script.on_put(|_, _| Err(Error::fatal("gone")));
    assert_eq!(rig.failed().await, "gone");
}

#[tokio::test(start_paused = true)]
async fn timestamps_headers_and_tombstones_reach_the_sink() {
    let record = |offset, timestamp, timestamp_type, value: Option<&[u8]>| ConsumedRecord {
        topic: "t".into(),
        partition: 0,
        offset,
        leader_epoch: Some(4),
        timestamp,
        timestamp_type,
        key: Some(b"k".into()),
        value: value.map(Into::into),
        headers: vec![("h".into(), Some(b"v".into()))],
    };
    let setup = SinkSetup::default();
    setup.broker.append_record(record(0, None, TimestampType::NoTimestampType, Some(b"a")));
    setup.broker.append_record(record(1, Some(0), TimestampType::LogAppendTime, None));
    setup.broker.assign(&[tp(0)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    setup.script.on_put(move |batch, _| {
        noted.lock().unwrap().extend(batch.iter().cloned());
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let kinds: Vec<_> = seen.iter().map(|item| (item.record.timestamp, item.record.kind)).collect();
    let kind = |offset, timestamp_type| RecordKind::Sink { offset, timestamp_type };
    assert_eq!(
        kinds,
        [(None, kind(0, TimestampType::NoTimestampType)), (Some(0), kind(1, TimestampType::LogAppendTime))]
    );
    assert!(seen[1].record.value.is_null() && seen[1].raw_value.is_none());
    assert_eq!(seen[0].origin.leader_epoch, Some(4));
    assert_eq!(seen[0].raw_key.as_deref(), Some(&b"k"[..]));
    assert_eq!(seen[0].record.headers.last("h").and_then(|datum| datum.value.as_str()), Some("v"));
    assert!(rig.stop().await);
}

/// A put that never returns: the task is cancelled, and none of its records count.
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_cancelled_commits_nothing_more() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.put_takes(Duration::from_secs(10_000));
    let rig = setup.run();
    rig.puts(1).await;
    let broker = rig.broker.clone();
    assert!(!rig.stop().await);
    pass(20_000).await;
    assert!(broker.commits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropped_records_count_as_delivered() {
    let setup = SinkSetup {
        broker: Broker::holding(&["a", "drop", "drop"]),
        config: scripted(&[]),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    rig.puts(1).await;
    let (broker, script) = (rig.broker.clone(), rig.script.clone());
    assert!(rig.stop().await);
    assert_eq!(script.puts(), [vec!["a"]]);
    assert_eq!(broker.committed(), offsets([(0, 3)]));
}

#[tokio::test(start_paused = true)]
async fn a_poison_record_fails_the_task_after_those_before_it_are_put_and_committed() {
    for poison in ["undecodable", "bad", "unpreparable"] {
        let setup = SinkSetup {
            broker: Broker::holding(&["a", "b", poison, "c", poison]),
            config: scripted(&[]),
            ..SinkSetup::default()
        };
        let rig = setup.run();
        let text = rig.failed().await;
        assert!(text.starts_with("Tolerance exceeded in error handler: cannot "), "{text}");
        assert_eq!(rig.script.puts(), [vec!["a", "b"]], "{poison}");
        assert_eq!(rig.broker.committed(), offsets([(0, 2)]), "{poison}");
    }
}

/// The batch before the poison waits: the task fails once it is in, whatever happens to its partitions.
#[tokio::test(start_paused = true)]
async fn a_poison_record_behind_a_batch_that_waits_fails_the_task_afterwards() {
    let setup = SinkSetup { broker: Broker::holding(&["a", "undecodable"]), ..SinkSetup::default() };
    let mut refusals = 2;
    setup.script.on_put(move |_, _| {
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(3).await;
    assert!(rig.failed().await.starts_with("Tolerance exceeded"));
    assert_eq!(rig.broker.committed(), offsets([(0, 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_fails_its_task() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.on_put(|_, _| panic!("the sink says so"));
    let rig = setup.run();
    assert!(rig.failed().await.contains("the sink says so"));
    assert!(rig.broker.commits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_start_or_an_open_that_fails_fails_the_task_and_leaves_the_group() {
    let setup = SinkSetup::default();
    setup.script.fail_start(Error::fatal("no such host"));
    let rig = setup.run();
    assert_eq!(rig.failed().await, "no such host");
    assert_eq!(rig.script.calls(), [Call::Start, Call::Stop]);
    assert!(rig.broker.is_closed() && rig.broker.subscriptions().is_empty());

    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.on_open(|_, _| Err(Error::fatal("no such table")));
    let rig = setup.run();
    assert_eq!(rig.failed().await, "no such table");
    assert_eq!(rig.script.calls()[2..], [Call::Close(vec![tp(0)]), Call::Stop]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_cannot_go_on_fails_the_task_after_a_last_commit() {
    let rig = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    rig.broker.fail(Error::fatal("not authorized"));
    assert_eq!(rig.failed().await, "not authorized");
    assert_eq!(rig.broker.committed(), offsets([(0, 1)]));
}

/// A slow put is waited for when the task stops; its records count.
#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_put_in_progress() {
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.put_takes(Duration::from_secs(20));
    let rig = setup.run();
    rig.puts(1).await;
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), offsets([(0, 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_names_no_record_fails_the_task() {
    let errant = |index| ErrantRecord { index, error: Error::data("odd") };
    let setup = SinkSetup {
        broker: Broker::holding(&["a"]),
        config: scripted(&[("errors.tolerance", "all")]),
        ..SinkSetup::default()
    };
    setup.script.on_put(move |_, context| {
        context.errant.push(errant(1));
        Ok(())
    });
    let rig = setup.run();
    assert!(rig.failed().await.starts_with("the sink reported record 1 of a batch of 1"));
    assert!(rig.broker.commits().is_empty());

    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.on_pre_commit(move |seen, context| {
        context.errant.push(errant(0));
        Ok(seen.clone())
    });
    let rig = setup.run();
    rig.puts(1).await;
    let observer = Arc::clone(&rig.observer);
    rig.stop().await;
    assert!(observer.failed().await.starts_with("the sink reported a record outside of put"));
}
