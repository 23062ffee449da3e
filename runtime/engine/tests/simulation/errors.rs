//! Rows E1 to E17 of the cases, where they are not about one loop alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::Error;
use lavka_api::config::ConfigSpec;
use lavka_engine::errors::ErrorSettings;
use lavka_engine::task::Target;
use tokio::time::Instant;

use crate::broker::{Broker, offsets};
use crate::plugins::{CALLS, scripted, tolerant};
use crate::producer::FakeProducer;
use crate::rig::{SinkSetup, SourceSetup, counter, pass};

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

/// Connect takes any number for these keys.
#[tokio::test(start_paused = true)]
async fn e4_any_negative_timeout_is_for_ever() {
    for (timeout, delay) in [("-2", "60000"), ("-9223372036854775808", "0"), ("-1", "-5")] {
        let config = scripted(&[("errors.retry.timeout", timeout), ("errors.retry.delay.max.ms", delay)]);
        let settings = ErrorSettings::from_config(&config).unwrap();
        let backoff = settings.backoff();
        assert_eq!((backoff.timeout_ms, backoff.max_delay_ms), (None, 60_000), "{timeout} {delay}");
    }
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
        broker: Broker::holding(&["a", "registry-2", "unpreparable", "b"]),
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

    let broker = Broker::holding(&["a", "undecodable", "bad", "b"]);
    let rig = SinkSetup { broker, config: tolerant(), ..SinkSetup::default() }.run();
    rig.puts(1).await;
    assert_eq!(rig.script.puts(), [vec!["a", "b"]]);
    let broker = rig.broker.clone();
    assert!(rig.stop().await);
    assert_eq!(broker.committed(), offsets([(0, 4)]));
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
        let rig = SinkSetup { broker: Broker::holding(&["bad", "a"]), config, ..SinkSetup::default() }.run();
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
            broker: Broker::holding(&["a", "flaky-99", "b"]),
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
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
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
