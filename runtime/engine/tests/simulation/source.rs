//! The source loop.

use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::SourceRecord;
use lavka_engine::task::Target;
use lavka_ports::Buffer;

use crate::plugins::{Step, record, records, scripted};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SourceSetup, counter, pass, until};

fn holding() -> SourceSetup {
    SourceSetup {
        producer: FakeProducer::deciding(|_| Answer::Hold),
        flush_interval: Duration::from_millis(100),
        ..SourceSetup::default()
    }
}

#[tokio::test(start_paused = true)]
async fn records_are_sent_acknowledged_and_committed() {
    let rig = SourceSetup::default().run();
    rig.batch(&["a", "b"], 1);
    rig.sent(2).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself);
    assert_eq!(ended.producer.texts(), ["a", "b"]);
    assert_eq!(ended.offsets.writes(), [vec![(0, 2)]]);
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
    assert_eq!(ended.observer.topics(), ["t"]);
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 2.0);
    assert_eq!(counter(&ended.metrics, "source-record-active-count"), 0.0);
    assert_eq!(counter(&ended.metrics, "asked-total"), 1.0, "of the plugin itself");
}

/// Section 5.4 of the cases, in the loop: p1#1, p1#2, p2#1, p2#2 are sent and acknowledged out of order.
#[tokio::test(start_paused = true)]
async fn s5_4_only_the_acknowledged_prefix_of_each_source_partition_is_committed() {
    let rig = holding().run();
    rig.poll(Step::Batch(vec![record("a", 1, 1), record("b", 1, 2), record("c", 2, 1), record("d", 2, 2)]));
    rig.sent(4).await;
    rig.producer.answer(1, Ok(()));
    pass(300).await;
    assert!(rig.offsets.writes().is_empty());
    rig.producer.answer(1, Ok(()));
    pass(300).await;
    assert_eq!(rig.offsets.writes(), [vec![(2, 1)]]);
    rig.producer.release();
    pass(300).await;
    assert_eq!(rig.offsets.writes(), [vec![(2, 1)], vec![(1, 2), (2, 2)]]);
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn s5_4_records_without_a_position_are_waited_for_and_commit_nothing() {
    let rig = holding().run();
    let mut item = record("a", 0, 7);
    item.position = None;
    rig.poll(Step::Batch(vec![item]));
    rig.sent(1).await;
    rig.producer.release();
    let ended = rig.stop().await;
    assert!(ended.offsets.writes().is_empty());
    assert_eq!(ended.journal.count("delivered [7]"), 1);
}

#[tokio::test(start_paused = true)]
async fn e16_a_record_that_kafka_refuses_is_dropped_where_errors_are_tolerated() {
    let producer = FakeProducer::deciding(|sent| match sent.text() {
        "late" => Answer::Nack(Error::data("too large for the broker")),
        "early" => Answer::Refuse(Error::data("too large for the client")),
        _ => Answer::Ack,
    });
    let rig =
        SourceSetup { config: scripted(&[("errors.tolerance", "all")]), producer, ..SourceSetup::default() }
            .run();
    rig.batch(&["a", "late", "b", "early"], 1);
    rig.sent(3).await;
    pass(10).await;
    rig.batch(&[], 0);
    pass(10).await;
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.newest(0), Some(4));
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
    assert_eq!(counter(&ended.metrics, "total-records-skipped"), 2.0);
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 2.0);
}

/// Also those that come in while the task is stopping: their offset belongs to the last commit.
#[tokio::test(start_paused = true)]
async fn e16_holds_for_records_refused_while_the_task_stops() {
    let rig = SourceSetup { config: scripted(&[("errors.tolerance", "all")]), ..holding() }.run();
    rig.batch(&["a", "b"], 1);
    rig.sent(2).await;
    rig.target(Target::Stopping);
    pass(10).await;
    rig.producer.answer(0, Ok(()));
    rig.producer.answer(0, Err(Error::data("too large")));
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.newest(0), Some(2));
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
}

/// A source with a window of its own waits in `poll` until it hears of every record: a refusal must reach it there.
#[tokio::test(start_paused = true)]
async fn e16_a_source_that_waits_in_poll_hears_of_a_refused_record() {
    let rig = SourceSetup { config: scripted(&[("errors.tolerance", "all")]), ..holding() }.run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    until("the source waits", || rig.journal.count("poll") == 2).await;
    rig.producer.answer(0, Err(Error::data("too large")));
    pass(200).await;
    assert_eq!(rig.journal.without("poll"), ["start", "delivered [1]", "committed [(0, 1)]"]);
    assert_eq!(rig.journal.count("poll"), 2, "the pending poll goes on");
    rig.target(Target::Paused);
    pass(10).await;
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn e17_a_record_that_kafka_refuses_fails_the_task() {
    let rig = holding().run();
    rig.batch(&["a", "b", "c"], 1);
    rig.sent(3).await;
    rig.producer.answer(0, Ok(()));
    rig.producer.answer(0, Err(Error::retriable("expired")));
    rig.producer.answer(0, Err(Error::data("too large")));
    // Nothing is unanswered: the end does not wait for anything.
    let before = tokio::time::Instant::now();
    assert_eq!(rig.observer.failed().await, "Unrecoverable exception from producer send callback: expired");
    assert!(before.elapsed() < Duration::from_secs(1), "the failure is told at once");
    assert_eq!(rig.offsets.newest(0), Some(1), "what was acknowledged is committed");
    assert_eq!(rig.journal.count("stop"), 1);
}

#[tokio::test(start_paused = true)]
async fn e17_holds_for_records_that_the_client_refuses() {
    let producer = FakeProducer::deciding(|sent| match sent.text() {
        "b" => Answer::Refuse(Error::data("too large")),
        _ => Answer::Ack,
    });
    let rig = SourceSetup { producer, ..SourceSetup::default() }.run();
    rig.batch(&["a", "b", "c"], 1);
    assert_eq!(rig.observer.failed().await, "Unrecoverable exception from producer send callback: too large");
    assert_eq!(rig.producer.texts(), ["a"]);
    assert_eq!(rig.offsets.newest(0), Some(1));
    assert_eq!(rig.observer.topics(), ["t"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_go_on_fails_the_task_even_where_errors_are_tolerated() {
    let producer = FakeProducer::deciding(|sent| match sent.text() {
        "b" => Answer::Fatal(Error::fatal("fenced")),
        _ => Answer::Ack,
    });
    let rig =
        SourceSetup { config: scripted(&[("errors.tolerance", "all")]), producer, ..SourceSetup::default() }
            .run();
    rig.batch(&["a", "b"], 1);
    let before = tokio::time::Instant::now();
    assert_eq!(rig.observer.failed().await, "Unrecoverable exception trying to send: fenced");
    assert!(before.elapsed() < Duration::from_secs(1), "the failure is told at once");
    assert_eq!(rig.offsets.newest(0), Some(1));
}

/// A full client queue is Connect's retriable send error: the unsent tail is kept and sent again.
#[tokio::test(start_paused = true)]
async fn a_full_queue_is_waited_for_and_nothing_is_lost_or_sent_twice() {
    let mut refusals = 5;
    let producer = FakeProducer::deciding(move |sent| {
        if sent.text() == "b" && refusals > 0 {
            refusals -= 1;
            return Answer::Full;
        }
        Answer::Ack
    });
    let rig = SourceSetup { producer, ..SourceSetup::default() }.run();
    rig.batch(&["a", "b", "c"], 1);
    rig.sent(3).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "b", "c"]);
    assert_eq!(ended.offsets.newest(0), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_a_full_queue_leaves_the_rest_to_the_next_run() {
    let producer = FakeProducer::deciding(|sent| if sent.text() == "b" { Answer::Full } else { Answer::Ack });
    let rig = SourceSetup { producer, ..SourceSetup::default() }.run();
    rig.batch(&["a", "b", "c"], 1);
    rig.sent(1).await;
    pass(100).await;
    let before = tokio::time::Instant::now();
    let ended = rig.stop().await;
    assert!(before.elapsed() < Duration::from_secs(1), "a record that was not sent is not waited for");
    assert_eq!(ended.producer.texts(), ["a"]);
    assert_eq!(ended.offsets.newest(0), Some(1));
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn dropped_records_are_acknowledged_at_once_and_in_the_order_of_the_source() {
    let rig = SourceSetup { config: scripted(&[]), ..holding() }.run();
    rig.batch(&["drop1", "drop2", "a", "drop3"], 1);
    rig.sent(1).await;
    pass(300).await;
    assert_eq!(rig.journal.without("poll"), ["start", "delivered [1, 2, 4]", "committed [(0, 2)]"]);
    rig.producer.release();
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.writes(), [vec![(0, 2)], vec![(0, 4)]]);
}

#[tokio::test(start_paused = true)]
async fn the_listener_hears_of_deliveries_before_commits_and_of_both_before_the_stop() {
    let rig = holding().run();
    rig.batch(&["a", "b"], 1);
    rig.sent(2).await;
    rig.producer.answer(1, Ok(()));
    pass(1).await;
    rig.producer.answer(0, Ok(()));
    let ended = rig.stop().await;
    assert_eq!(
        ended.journal.without("poll"),
        ["start", "delivered [2]", "delivered [1]", "committed [(0, 2)]", "stop"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_in_flight_and_commits_it() {
    let rig = SourceSetup { flush_timeout: Duration::from_secs(5), ..holding() }.run();
    rig.batch(&["a", "b"], 1);
    rig.sent(2).await;
    rig.target(Target::Stopping);
    pass(4000).await;
    assert!(!rig.observer.has_ended());
    rig.producer.release();
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.newest(0), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_beyond_the_flush_timeout() {
    let rig = SourceSetup { flush_timeout: Duration::from_secs(5), ..holding() }.run();
    rig.batch(&["a", "b"], 1);
    rig.sent(2).await;
    rig.producer.answer(0, Ok(()));
    let ended = rig.stop().await;
    assert!(ended.by_itself);
    assert_eq!(ended.offsets.newest(0), Some(1), "only what was acknowledged");
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn poll_is_not_called_at_the_bound_in_records() {
    let rig = SourceSetup { window: Buffer { records: 3, bytes: 1 << 20 }, ..holding() }.run();
    rig.batch(&["a", "b", "c", "d", "e"], 1);
    rig.sent(3).await;
    pass(1000).await;
    assert_eq!((rig.producer.held(), rig.journal.count("poll")), (3, 1));
    rig.producer.answer(0, Ok(()));
    rig.sent(4).await;
    rig.producer.release();
    rig.sent(5).await;
    pass(10).await;
    assert_eq!(rig.journal.count("poll"), 2, "there is room again");
    assert_eq!(rig.producer.most_held(), 3);
    rig.producer.release();
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn poll_is_not_called_at_the_bound_in_bytes() {
    let rig = SourceSetup { window: Buffer { records: 1000, bytes: 10 }, ..holding() }.run();
    rig.batch(&["123456", "123456"], 1);
    rig.sent(2).await;
    rig.batch(&["x"], 3);
    pass(1000).await;
    assert_eq!((rig.producer.held(), rig.journal.count("poll")), (2, 1));
    rig.producer.answer(0, Ok(()));
    rig.sent(3).await;
    rig.producer.release();
    assert!(rig.stop().await.by_itself);
}

/// As much as is enough nearly always goes to Kafka at first, and all that may once nothing comes back.
#[tokio::test(start_paused = true)]
async fn the_window_opens_where_kafka_does_not_answer() {
    let rig = SourceSetup { window: Buffer { records: 20_000, bytes: 32 << 20 }, ..holding() }.run();
    rig.batch(&["x"; 30_000], 1);
    pass(50).await;
    assert_eq!(rig.producer.held(), 4096);
    pass(100).await;
    assert_eq!(rig.producer.held(), 8192);
    pass(1000).await;
    assert_eq!(rig.producer.held(), 20_000);
    rig.producer.release();
    rig.sent(30_000).await;
    rig.producer.release();
    assert!(rig.stop().await.by_itself);
}

/// Dropped records at the bound: they must not hold the window shut themselves.
#[tokio::test(start_paused = true)]
async fn dropped_records_do_not_fill_the_window() {
    let window = Buffer { records: 2, bytes: 1 << 20 };
    let rig = SourceSetup { config: scripted(&[]), window, ..SourceSetup::default() }.run();
    rig.batch(&["drop", "drop", "drop", "a", "drop", "drop", "b"], 1);
    rig.sent(2).await;
    assert_eq!(rig.stop().await.offsets.newest(0), Some(7));
}

#[tokio::test(start_paused = true)]
async fn offsets_that_could_not_be_written_are_written_at_the_next_interval() {
    let rig = SourceSetup { flush_interval: Duration::from_millis(100), ..SourceSetup::default() }.run();
    rig.offsets.fail_next(Error::retriable("disk full"));
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    pass(150).await;
    assert!(rig.offsets.writes().is_empty());
    pass(100).await;
    assert_eq!(rig.offsets.writes(), [vec![(0, 1)]]);
    assert_eq!(rig.journal.count("committed [(0, 1)]"), 1);
    assert_eq!(rig.stop().await.observer.states(), ["running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_last_commit_that_fails_is_told() {
    let rig = SourceSetup::default().run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    rig.offsets.fail_next(Error::retriable("disk full"));
    let ended = rig.stop().await;
    assert_eq!(ended.observer.failure().unwrap().to_string(), "disk full");
    assert_eq!(ended.journal.count("stop"), 1);
}

#[tokio::test(start_paused = true)]
async fn places_without_a_record_pass_by_the_transforms_and_move_the_offset() {
    let rig = SourceSetup { config: scripted(&[]), ..holding() }.run();
    let place = SourceRecord::progress(record("", 0, 5).position.unwrap());
    rig.poll(Step::Batch([records(&["a"], 1), vec![place]].concat()));
    rig.sent(1).await;
    pass(300).await;
    assert_eq!(rig.offsets.newest(0), None, "not before the record in front of it");
    rig.producer.release();
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.newest(0), Some(5));
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 1.0);
}

/// A commit in progress when the task is told to stop is finished, not dropped in its middle.
#[tokio::test(start_paused = true)]
async fn a_stop_during_a_commit_loses_neither_the_commit_nor_what_came_after_it() {
    let rig = SourceSetup { flush_interval: Duration::from_millis(100), ..SourceSetup::default() }.run();
    *rig.offsets.hold.lock().unwrap() = true;
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    pass(150).await;
    rig.batch(&["b"], 2);
    rig.sent(2).await;
    rig.target(Target::Stopping);
    pass(10).await;
    assert!(!rig.observer.has_ended());
    rig.offsets.release();
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.writes(), [vec![(0, 1)], vec![(0, 2)]]);
    assert_eq!(ended.journal.count("committed [(0, 1)]"), 1);
    assert_eq!(ended.journal.count("committed [(0, 2)]"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_never_returns_ends_with_the_flush_timeout() {
    let rig = SourceSetup { flush_interval: Duration::from_millis(100), ..SourceSetup::default() }.run();
    *rig.offsets.hold.lock().unwrap() = true;
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    pass(150).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself);
    let error = ended.observer.failure().unwrap().to_string();
    assert_eq!(error, "Source offsets could not be committed within offset.flush.timeout.ms (5000 ms)");
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_no_news() {
    let rig = SourceSetup::default().run();
    rig.batch(&[], 0);
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    assert_eq!(rig.stop().await.offsets.newest(0), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_may_succeed_later_is_tried_again_with_longer_and_longer_waits() {
    let rig = SourceSetup::default().run();
    for _ in 0..3 {
        rig.poll(Step::Fail(Error::retriable("away")));
    }
    pass(299).await;
    assert_eq!(rig.journal.count("poll"), 1);
    pass(610).await;
    assert_eq!(rig.journal.count("poll"), 3);
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    assert_eq!(rig.stop().await.observer.states(), ["running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_fails_the_task_after_what_was_sent_is_committed() {
    let rig = holding().run();
    rig.batch(&["a"], 1);
    rig.poll(Step::Fail(Error::fatal("gone")));
    rig.sent(1).await;
    pass(10).await;
    assert!(!rig.observer.has_ended(), "the record in flight is waited for");
    rig.producer.release();
    assert_eq!(rig.observer.failed().await, "gone");
    assert_eq!(rig.offsets.newest(0), Some(1));
    assert_eq!(rig.journal.count("stop"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_fails_its_task_and_nobody_else() {
    let rig = SourceSetup::default().run();
    let other = SourceSetup::default().run();
    rig.poll(Step::Panic);
    let error = rig.observer.failed().await;
    assert!(error.starts_with("the task crashed: "), "{error}");
    assert!(error.contains("the source says so"), "{error}");
    other.batch(&["a"], 1);
    other.sent(1).await;
    assert!(other.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn a_transform_that_panics_fails_the_task() {
    let rig = SourceSetup { config: scripted(&[]), ..SourceSetup::default() }.run();
    rig.batch(&["a", "panic"], 1);
    assert!(rig.observer.failed().await.contains("the script says so"));
    assert!(rig.offsets.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_fails_the_task_and_stops_it() {
    let rig = SourceSetup { start: Err(Error::fatal("no such host")), ..SourceSetup::default() }.run();
    assert_eq!(rig.observer.failed().await, "no such host");
    assert_eq!(rig.journal.entries(), ["start", "stop"]);
    assert_eq!(rig.observer.states(), ["failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_source_is_not_polled_and_goes_on_when_resumed() {
    let rig = SourceSetup { flush_interval: Duration::from_millis(100), ..SourceSetup::default() }.run();
    until("the first poll", || rig.journal.count("poll") == 1).await;
    rig.target(Target::Paused);
    pass(10).await;
    rig.batch(&["a"], 1);
    pass(1000).await;
    assert_eq!((rig.producer.sent().len(), rig.journal.count("poll")), (0, 1));
    rig.target(Target::Running);
    rig.sent(1).await;
    let ended = rig.stop().await;
    assert_eq!(ended.observer.states(), ["running", "paused", "running", "stopped"]);
    assert_eq!(ended.offsets.newest(0), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_settled_and_committed_while_the_source_is_paused() {
    let rig = holding().run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    rig.target(Target::Paused);
    pass(10).await;
    rig.producer.release();
    pass(300).await;
    assert_eq!(rig.offsets.newest(0), Some(1));
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_begins_paused_is_started_when_resumed() {
    let rig = SourceSetup { target: Target::Paused, ..SourceSetup::default() }.run();
    pass(1000).await;
    assert!(rig.journal.entries().is_empty());
    assert_eq!(rig.observer.states(), ["paused"]);
    rig.target(Target::Running);
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    assert_eq!(rig.stop().await.observer.states(), ["paused", "running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_never_resumed_is_never_started() {
    let rig = SourceSetup { target: Target::Paused, ..SourceSetup::default() }.run();
    pass(10).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself && ended.journal.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_handle_stops() {
    let rig = SourceSetup::default().run();
    until("the first poll", || rig.journal.count("poll") == 1).await;
    let observer = rig.abandon();
    until("the task ends", || observer.has_ended()).await;
    assert_eq!(observer.states(), ["running", "stopped"]);
}

/// A task that will not stop is cancelled, and commits nothing more.
#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_stop_in_time_is_cancelled() {
    let rig = SourceSetup { flush_timeout: Duration::from_secs(600), ..holding() }.run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    let ended = rig.stop().await;
    assert!(!ended.by_itself);
    assert!(ended.observer.has_ended(), "gone before its successor starts");
    ended.producer.release();
    pass(1000).await;
    assert!(ended.offsets.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn timestamps_below_minus_one_fail_the_task_and_minus_one_is_none() {
    let rig =
        SourceSetup { config: scripted(&[("errors.tolerance", "all")]), ..SourceSetup::default() }.run();
    let at = |text, offset, timestamp| {
        let mut item = record(text, 0, offset);
        item.record.timestamp = timestamp;
        item
    };
    rig.poll(Step::Batch(vec![at("a", 1, Some(-1)), at("b", 2, Some(0)), at("c", 3, Some(-2))]));
    assert_eq!(rig.observer.failed().await, "Invalid record timestamp -2");
    let sent: Vec<_> = rig.producer.sent().iter().map(|sent| sent.timestamp).collect();
    assert_eq!(sent, [None, Some(0)]);
    assert_eq!(rig.offsets.newest(0), Some(2));
}

#[tokio::test(start_paused = true)]
async fn headers_and_partitions_are_sent_as_they_are() {
    let rig = SourceSetup::default().run();
    let mut item = record("a", 0, 1);
    item.record.partition = Some(3);
    item.record.headers.add("h", lavka_api::data::Datum::schemaless("x"));
    item.record.headers.add("n", lavka_api::data::Datum::NULL);
    rig.poll(Step::Batch(vec![item]));
    rig.sent(1).await;
    let sent = rig.producer.sent().remove(0);
    assert_eq!((sent.partition, sent.key), (Some(3), None));
    assert_eq!(sent.headers, [("h".to_owned(), Some(b"x".to_vec())), ("n".to_owned(), None)]);
    assert!(rig.stop().await.by_itself);
}
