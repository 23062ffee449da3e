//! Rows E1 to E17 of the cases, where they are not about one loop alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::{TimestampType, Topic};
use lavka_api::plugin::{ErrantRecord, Offsets};
use lavka_engine::task::Target;
use lavka_ports::ConsumedRecord;
use tokio::time::Instant;

use crate::broker::{Broker, tp};
use crate::plugins::{CALLS, CONVERTER, SCRIPT, scripted};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SinkRig, SinkSetup, SourceSetup, counter, pass, until};

fn tolerant() -> lavka_api::config::Config {
    scripted(&[("errors.tolerance", "all")])
}

fn committed<const N: usize>(offsets: [(i32, i64); N]) -> Offsets {
    offsets.into_iter().map(|(partition, offset)| (tp(partition), offset)).collect()
}

fn broker(values: &[&str]) -> Broker {
    let broker = Broker::default();
    broker.append(0, values);
    broker.assign(&[tp(0)]);
    broker
}

/// Milliseconds between the calls of the transform so far.
fn waits() -> Vec<u128> {
    let calls = CALLS.take();
    calls.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
}

#[tokio::test(start_paused = true)]
async fn e1_without_a_retry_timeout_a_retriable_error_is_final() {
    let rig = SourceSetup { config: scripted(&[]), ..SourceSetup::default() }.run();
    rig.batch(&["a", "flaky-1", "b"], 1);
    assert_eq!(rig.observer.failed().await, "Tolerance exceeded in error handler: flaky-1: not yet");
    assert_eq!(rig.producer.texts(), ["a"]);
    assert_eq!(rig.offsets.newest(0), Some(1));
    assert_eq!(counter(&rig.metrics, "total-retries"), 0.0);
    assert_eq!(counter(&rig.metrics, "total-record-failures"), 1.0);

    let rig = SourceSetup { config: tolerant(), ..SourceSetup::default() }.run();
    rig.batch(&["a", "flaky-1", "b"], 1);
    rig.sent(2).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "b"]);
    assert_eq!(ended.offsets.newest(0), Some(3));
    assert_eq!(counter(&ended.metrics, "total-records-skipped"), 1.0);
    assert_eq!(counter(&ended.metrics, "total-record-failures"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn e2_tries_wait_twice_as_long_each_time() {
    let config = scripted(&[("errors.retry.timeout", "6000")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["flaky-3"], 1);
    rig.sent(1).await;
    assert_eq!(waits(), [300, 600, 1200]);
    let ended = rig.stop().await;
    assert_eq!(counter(&ended.metrics, "total-retries"), 3.0);
    assert_eq!(counter(&ended.metrics, "total-record-failures"), 3.0);
    assert_eq!(counter(&ended.metrics, "total-record-errors"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn e3_tries_end_with_the_retry_timeout() {
    let config = scripted(&[("errors.retry.timeout", "6000")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["flaky-99"], 1);
    assert!(rig.observer.failed().await.starts_with("Tolerance exceeded"));
    assert_eq!(waits(), [300, 600, 1200, 2400, 1500]);
    assert_eq!(counter(&rig.metrics, "total-record-failures"), 6.0);
}

#[tokio::test(start_paused = true)]
async fn e4_with_an_unlimited_timeout_tries_go_on() {
    let config = scripted(&[("errors.retry.timeout", "-1")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["flaky-8"], 1);
    rig.sent(1).await;
    assert_eq!(waits(), [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400]);
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn e5_waits_beyond_the_maximum_are_random_below_it() {
    let config = scripted(&[("errors.retry.timeout", "-1"), ("errors.retry.delay.max.ms", "400")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["flaky-20"], 1);
    rig.sent(1).await;
    let waits = waits();
    assert_eq!(waits[0], 300);
    assert!(waits.iter().all(|wait| *wait <= 400), "{waits:?}");
    assert!(rig.stop().await.by_itself);
}

/// A predicate is part of its transform's operation, so it is tried again like it.
#[tokio::test(start_paused = true)]
async fn e2_holds_for_predicates() {
    let config = scripted(&[
        ("errors.retry.timeout", "6000"),
        ("transforms.s.predicate", "p"),
        ("predicates", "p"),
        ("predicates.p.type", "test.FlakyPredicate"),
    ]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["a", "doubtful-2", "drop"], 1);
    rig.sent(2).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "doubtful-2"]);
    assert_eq!(ended.offsets.newest(0), Some(3));
    assert_eq!(counter(&ended.metrics, "total-retries"), 2.0);
}

/// What converters fetch for a batch is tried again too, and what lasts is decided on record by record.
#[tokio::test(start_paused = true)]
async fn e2_and_e8_hold_for_what_converters_prepare() {
    let config = scripted(&[("errors.tolerance", "all"), ("errors.retry.timeout", "6000")]);
    let rig = SourceSetup { config: config.clone(), ..SourceSetup::default() }.run();
    rig.batch(&["a", "registry-2", "unpreparable", "drop", "b"], 1);
    rig.sent(3).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "registry-2", "b"]);
    assert_eq!(ended.offsets.newest(0), Some(5));

    let rig = SinkSetup {
        broker: broker(&["a", "registry-2", "unpreparable", "b"]),
        config,
        ..SinkSetup::default()
    }
    .run();
    rig.puts(1).await;
    assert_eq!(rig.script.puts(), [vec!["a", "registry-2", "b"]]);
    assert_eq!(counter(&rig.metrics, "total-records-skipped"), 1.0);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn e7_without_tolerance_the_first_bad_record_fails_the_task() {
    for bad in ["bad", "unencodable"] {
        let rig = SourceSetup { config: scripted(&[]), ..SourceSetup::default() }.run();
        rig.batch(&["a", bad, "b"], 1);
        let failure = rig.observer.failed().await;
        assert!(failure.starts_with("Tolerance exceeded in error handler: cannot "), "{failure}");
        assert_eq!(rig.producer.texts(), ["a"], "those before it are delivered");
        assert_eq!(rig.offsets.newest(0), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn e8_tolerated_failures_are_skipped_and_counted() {
    let rig = SourceSetup { config: tolerant(), ..SourceSetup::default() }.run();
    rig.batch(&["a", "bad", "unencodable", "b"], 1);
    rig.sent(2).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "b"]);
    assert_eq!(ended.offsets.newest(0), Some(4));
    for (name, value) in [
        ("total-record-failures", 2.0),
        ("total-record-errors", 2.0),
        ("total-records-skipped", 2.0),
        ("total-errors-logged", 0.0),
    ] {
        assert_eq!(counter(&ended.metrics, name), value, "{name}");
    }

    let broker = broker(&["a", "undecodable", "bad", "b"]);
    let rig = SinkSetup { broker, config: tolerant(), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    assert_eq!(rig.script.puts(), [vec!["a", "b"]]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), committed([(0, 4)]));
}

/// An error that says the task cannot go on is no record's fault.
#[tokio::test(start_paused = true)]
async fn fatal_errors_are_not_tolerated() {
    let rig = SourceSetup { config: tolerant(), ..SourceSetup::default() }.run();
    rig.batch(&["a", "bad-fatal"], 1);
    let failure = rig.observer.failed().await;
    assert_eq!(failure, "Unhandled exception in error handler: cannot transform anything any more");
    assert_eq!(rig.offsets.newest(0), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_transform_that_forgets_records_fails_the_task() {
    let config = lavka_api::config::Config::from([
        ("transforms", "f"),
        ("transforms.f.type", "test.Forgetful"),
        ("errors.tolerance", "all"),
    ]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["a", "b"], 1);
    let failure = rig.observer.failed().await;
    assert!(failure.contains("test.Forgetful did not say what becomes of every record"), "{failure}");
    assert_eq!(rig.producer.texts(), ["a"]);
}

fn odd_record() -> ConsumedRecord {
    ConsumedRecord {
        topic: Topic::from("t"),
        partition: 0,
        offset: 0,
        timestamp: Some(1_700_000_000_123),
        timestamp_type: TimestampType::CreateTime,
        key: Some(b"k\x01".into()),
        value: Some(b"bad".into()),
        headers: vec![("h".into(), Some(b"v".into())), ("none".into(), None)],
    }
}

fn dead_letters(record: ConsumedRecord, context_headers: bool) -> (SinkRig, Arc<FakeProducer>) {
    let producer = FakeProducer::new();
    let broker = Broker::default();
    broker.append_record(record);
    broker.assign(&[tp(0)]);
    let dead_letters = Some((Arc::clone(&producer), context_headers));
    (SinkSetup { broker, config: tolerant(), dead_letters, ..SinkSetup::default() }.run(), producer)
}

#[tokio::test(start_paused = true)]
async fn e11_a_dead_letter_has_the_bytes_that_were_consumed() {
    let (rig, producer) = dead_letters(odd_record(), false);
    until("the dead letter", || !producer.sent().is_empty()).await;
    let letter = producer.sent().remove(0);
    assert_eq!(letter.topic, "dlq");
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k\x01"[..]), Some(&b"bad"[..])));
    assert_eq!((letter.timestamp, letter.partition), (Some(1_700_000_000_123), None));
    assert_eq!(letter.headers, [("h".to_owned(), Some(b"v".to_vec())), ("none".to_owned(), None)]);
    let broker = rig.broker.clone();
    assert_eq!(counter(&rig.metrics, "deadletterqueue-produce-requests"), 1.0);
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), committed([(0, 1)]));
}

#[tokio::test(start_paused = true)]
async fn e12_context_headers_say_what_happened_in_connects_order() {
    let (rig, producer) = dead_letters(odd_record(), true);
    until("the dead letter", || !producer.sent().is_empty()).await;
    let letter = producer.sent().remove(0);
    let headers: Vec<(&str, Option<&str>)> =
        letter.headers[2..].iter().map(|(key, _)| (key.as_str(), letter.header(key))).collect();
    assert_eq!(
        headers,
        [
            ("__connect.errors.topic", Some("t")),
            ("__connect.errors.partition", Some("0")),
            ("__connect.errors.offset", Some("0")),
            ("__connect.errors.connector.name", Some("c")),
            ("__connect.errors.task.id", Some("0")),
            ("__connect.errors.stage", Some("TRANSFORMATION")),
            ("__connect.errors.class.name", Some(SCRIPT)),
            ("__connect.errors.exception.class.name", Some("org.apache.kafka.connect.errors.DataException")),
            ("__connect.errors.exception.message", Some("cannot transform bad")),
            (
                "__connect.errors.exception.stacktrace",
                Some("org.apache.kafka.connect.errors.DataException: cannot transform bad\n")
            ),
        ]
    );
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn e12_an_exception_without_a_message_has_a_null_header() {
    let (rig, producer) =
        dead_letters(ConsumedRecord { value: Some(b"silent".into()), ..odd_record() }, true);
    until("the dead letter", || !producer.sent().is_empty()).await;
    assert_eq!(producer.sent()[0].header("__connect.errors.exception.message"), None);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn e12_the_stage_and_class_are_those_that_failed() {
    let (rig, producer) =
        dead_letters(ConsumedRecord { value: Some(b"undecodable".into()), ..odd_record() }, true);
    until("the dead letter", || !producer.sent().is_empty()).await;
    let letter = producer.sent().remove(0);
    assert_eq!(letter.header("__connect.errors.stage"), Some("VALUE_CONVERTER"));
    assert_eq!(letter.header("__connect.errors.class.name"), Some(CONVERTER));
    assert!(rig.stop().await);

    let (rig, producer) =
        dead_letters(ConsumedRecord { key: Some(b"undecodable".into()), ..odd_record() }, true);
    until("the dead letter", || !producer.sent().is_empty()).await;
    assert_eq!(producer.sent()[0].header("__connect.errors.stage"), Some("KEY_CONVERTER"));
    assert!(rig.stop().await);

    let headers = vec![("h".into(), Some(b"undecodable".into()))];
    let (rig, producer) =
        dead_letters(ConsumedRecord { value: Some(b"a".into()), headers, ..odd_record() }, true);
    until("the dead letter", || !producer.sent().is_empty()).await;
    assert_eq!(producer.sent()[0].header("__connect.errors.stage"), Some("HEADER_CONVERTER"));
    assert!(rig.stop().await);
}

/// Also a task that fails by a record reports it first.
#[tokio::test(start_paused = true)]
async fn a_record_that_fails_the_task_is_a_dead_letter_all_the_same() {
    let producer = FakeProducer::new();
    let setup = SinkSetup {
        broker: broker(&["a", "bad"]),
        config: scripted(&[]),
        dead_letters: Some((Arc::clone(&producer), false)),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    assert!(rig.failed().await.starts_with("Tolerance exceeded"));
    assert_eq!(producer.texts(), ["bad"]);
    assert_eq!(rig.broker.committed(), committed([(0, 1)]), "it is read again after a restart");
}

/// A record is reported once, whatever stages follow.
#[tokio::test(start_paused = true)]
async fn a_failed_record_is_one_dead_letter() {
    let (rig, producer) =
        dead_letters(ConsumedRecord { key: Some(b"undecodable".into()), ..odd_record() }, false);
    pass(100).await;
    assert_eq!(producer.sent().len(), 1);
    assert_eq!(counter(&rig.metrics, "total-record-errors"), 1.0);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn offsets_wait_for_the_acknowledgement_of_dead_letters() {
    let producer = FakeProducer::deciding(|_| Answer::Hold);
    let setup = SinkSetup {
        broker: broker(&["bad", "a"]),
        config: tolerant(),
        dead_letters: Some((Arc::clone(&producer), false)),
        commit_interval: Duration::from_secs(1),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    rig.puts(1).await;
    pass(10_000).await;
    assert!(rig.broker.commits().is_empty());
    producer.release();
    pass(2000).await;
    assert_eq!(rig.broker.commits(), [committed([(0, 2)])]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_lost_fails_the_task_and_no_offset_passes_it() {
    let cases = [
        Answer::Nack(Error::fatal("no leader")),
        Answer::Refuse(Error::data("no leader")),
        Answer::Fatal(Error::fatal("no leader")),
    ];
    for answer in cases {
        let producer = FakeProducer::deciding(move |_| answer.clone());
        let setup = SinkSetup {
            broker: broker(&["a", "bad", "b"]),
            config: tolerant(),
            dead_letters: Some((producer, false)),
            commit_interval: Duration::from_secs(1),
            ..SinkSetup::default()
        };
        let rig = setup.run();
        let failure = rig.failed().await;
        assert!(failure.starts_with("Could not write to the dead letter queue topic 'dlq'"), "{failure}");
        assert!(failure.contains("no leader"), "{failure}");
        let committed = rig.broker.committed().get(&tp(0)).copied();
        assert!(committed.is_none_or(|offset| offset <= 1), "{committed:?}");
        assert_eq!(counter(&rig.metrics, "deadletterqueue-produce-failures"), 1.0);
    }
}

/// Told to stop before the loss is noticed: the last commit must notice it.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_lost_while_the_task_stops_is_noticed() {
    let producer = FakeProducer::deciding(|_| Answer::Hold);
    let setup = SinkSetup {
        broker: broker(&["bad", "a"]),
        config: tolerant(),
        dead_letters: Some((Arc::clone(&producer), false)),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    rig.puts(1).await;
    rig.target(Target::Stopping);
    pass(10).await;
    producer.answer(0, Err(Error::fatal("no leader")));
    assert!(rig.failed().await.starts_with("Could not write to the dead letter queue"));
    assert!(rig.broker.commits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_waits_for_room_in_the_clients_queue() {
    let mut refusals = 3;
    let producer = FakeProducer::deciding(move |_| {
        if refusals > 0 {
            refusals -= 1;
            return Answer::Full;
        }
        Answer::Ack
    });
    let setup = SinkSetup {
        broker: broker(&["bad", "a"]),
        config: tolerant(),
        dead_letters: Some((Arc::clone(&producer), false)),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    rig.puts(1).await;
    assert_eq!(producer.texts(), ["bad"]);
    assert!(rig.stop().await);
}

/// A sink reports records from `put`; the letters are under way when it returns, and offsets wait for them.
#[tokio::test(start_paused = true)]
async fn records_that_the_sink_reports_are_dead_letters_and_the_rest_is_delivered() {
    let producer = FakeProducer::deciding(|_| Answer::Hold);
    let setup = SinkSetup {
        broker: broker(&["drop", "a", "odd", "b"]),
        config: tolerant(),
        dead_letters: Some((Arc::clone(&producer), true)),
        commit_interval: Duration::from_secs(1),
        ..SinkSetup::default()
    };
    // The sink sees "a", "odd", "b": its places are not those of the consumed records. Its error's class is its own
    // affair: it said that it can go on.
    setup.script.on_put(|batch, context| {
        for (index, record) in batch.iter().enumerate() {
            if record.record.value.value.as_str() == Some("odd") {
                assert!(context.takes_errant_records);
                context.errant.push(ErrantRecord { index, error: Error::fatal("no such column") });
            }
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(1).await;
    pass(5000).await;
    assert!(rig.broker.commits().is_empty());
    let letter = producer.sent().remove(0);
    assert_eq!(letter.text(), "odd");
    assert_eq!(letter.header("__connect.errors.offset"), Some("2"));
    assert_eq!(letter.header("__connect.errors.stage"), Some("TASK_PUT"));
    assert_eq!(letter.header("__connect.errors.class.name"), Some("org.apache.kafka.connect.sink.SinkTask"));
    producer.release();
    pass(2000).await;
    assert_eq!(rig.broker.commits(), [committed([(0, 4)])]);
    assert!(rig.stop().await);
}

/// Reports of a try that is to be repeated are not sent: they come again with the batch.
#[tokio::test(start_paused = true)]
async fn reports_of_a_put_that_is_tried_again_are_sent_once() {
    let producer = FakeProducer::new();
    let setup = SinkSetup {
        broker: broker(&["odd"]),
        config: tolerant(),
        dead_letters: Some((Arc::clone(&producer), false)),
        ..SinkSetup::default()
    };
    let mut refusals = 2;
    setup.script.on_put(move |batch, context| {
        if !batch.is_empty() {
            context.errant.push(ErrantRecord { index: 0, error: Error::data("odd") });
        }
        if refusals > 0 {
            refusals -= 1;
            return Err(Error::retriable("busy"));
        }
        Ok(())
    });
    let rig = setup.run();
    rig.puts(3).await;
    pass(10).await;
    assert_eq!(producer.texts(), ["odd"]);
    assert!(rig.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_report_fails_the_task_where_errors_are_not_tolerated() {
    let setup = SinkSetup { broker: broker(&["a"]), ..SinkSetup::default() };
    setup.script.on_put(|_, context| {
        assert!(!context.takes_errant_records);
        context.errant.push(ErrantRecord { index: 0, error: Error::data("odd") });
        Ok(())
    });
    let rig = setup.run();
    assert_eq!(rig.failed().await, "Tolerance exceeded in error handler: odd");
    assert!(rig.broker.commits().is_empty());
}

/// Collects the texts of error lines that this thread logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn e13_log_lines_name_the_record_only_where_that_is_asked_for() {
    let begin = "Error encountered in task c-0. Executing stage 'TRANSFORMATION' with class 'test.Script'";
    let place = ", where consumed record is {topic='t', partition=0, offset=0, timestamp=1000, timestampType=CreateTime}";
    let end = ". org.apache.kafka.connect.errors.DataException: cannot transform bad";
    for (messages, expected) in [("false", format!("{begin}{end}")), ("true", format!("{begin}{place}{end}"))]
    {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        // Another test's thread may have cached that nobody listens.
        tracing::callsite::rebuild_interest_cache();
        let config = scripted(&[
            ("errors.tolerance", "all"),
            ("errors.log.enable", "true"),
            ("errors.log.include.messages", messages),
        ]);
        let rig = SinkSetup { broker: broker(&["bad", "a"]), config, ..SinkSetup::default() }.run();
        rig.puts(1).await;
        assert_eq!(*lines.0.lock().unwrap(), [expected]);
        assert_eq!(counter(&rig.metrics, "total-errors-logged"), 1.0);
        assert!(rig.stop().await);
    }
}

/// A stop ends the wait at once; the record is neither skipped nor reported, and the next run has it again.
#[tokio::test(start_paused = true)]
async fn e15_a_stop_ends_the_wait_for_a_retry() {
    for tolerance in ["none", "all"] {
        let config = scripted(&[("errors.tolerance", tolerance), ("errors.retry.timeout", "-1")]);

        let rig = SourceSetup { config: config.clone(), ..SourceSetup::default() }.run();
        rig.batch(&["a"], 1);
        rig.batch(&["b", "flaky-99", "c"], 2);
        rig.sent(1).await;
        pass(5000).await;
        let before = Instant::now();
        let ended = rig.stop().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(ended.observer.states(), ["running", "stopped"]);
        assert_eq!(ended.offsets.newest(0), Some(1));
        assert_eq!(counter(&ended.metrics, "total-records-skipped"), 0.0);

        let producer = FakeProducer::new();
        let setup = SinkSetup {
            broker: broker(&["a", "flaky-99", "b"]),
            config,
            dead_letters: Some((Arc::clone(&producer), false)),
            max_batch: 2,
            ..SinkSetup::default()
        };
        let rig = setup.run();
        pass(5000).await;
        let (observer, broker) = (Arc::clone(&rig.observer), rig.broker.clone());
        let before = Instant::now();
        assert!(rig.stop().await);
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(observer.states(), ["running", "stopped"]);
        assert!(broker.commits().is_empty() && producer.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn e15_holds_for_a_batch_that_waits_and_for_a_poll_that_waits() {
    let setup = SinkSetup { broker: broker(&["a"]), ..SinkSetup::default() };
    setup.script.on_put(|_, context| {
        context.retry_after_ms = Some(1_000_000);
        Err(Error::retriable("busy"))
    });
    let rig = setup.run();
    rig.puts(1).await;
    let before = Instant::now();
    assert!(rig.stop().await);
    assert_eq!(before.elapsed(), Duration::ZERO);

    let rig = SourceSetup::default().run();
    rig.poll(crate::plugins::Step::Fail(Error::retriable("away")));
    pass(100).await;
    let before = Instant::now();
    assert!(rig.stop().await.by_itself);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// A pause does not end a wait: the record is tried on, as in Connect.
#[tokio::test(start_paused = true)]
async fn a_pause_does_not_end_the_wait_for_a_retry() {
    let config = scripted(&[("errors.retry.timeout", "-1")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["flaky-3"], 1);
    pass(500).await;
    rig.target(Target::Paused);
    rig.sent(1).await;
    pass(10).await;
    assert_eq!(rig.observer.states(), ["running", "paused"]);
    assert!(rig.stop().await.by_itself);
}
