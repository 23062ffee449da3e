//! Dead letters and the offsets that wait for them.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::{TimestampType, Topic};
use lavka_api::plugin::ErrantRecord;
use lavka_engine::task::Target;
use lavka_ports::ConsumedRecord;

use crate::broker::{Broker, offsets, tp};
use crate::plugins::{CONVERTER, SCRIPT, scripted, tolerant};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SinkRig, SinkSetup, counter, pass, until};

fn odd_record() -> ConsumedRecord {
    ConsumedRecord {
        topic: Topic::from("t"),
        partition: 0,
        offset: 0,
        leader_epoch: None,
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
    assert_eq!(broker.committed(), offsets([(0, 1)]));
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
        broker: Broker::holding(&["a", "bad"]),
        config: scripted(&[]),
        dead_letters: Some((Arc::clone(&producer), false)),
        ..SinkSetup::default()
    };
    let rig = setup.run();
    assert!(rig.failed().await.starts_with("Tolerance exceeded"));
    assert_eq!(producer.texts(), ["bad"]);
    assert_eq!(rig.broker.committed(), offsets([(0, 1)]), "it is read again after a restart");
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
        broker: Broker::holding(&["bad", "a"]),
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
    assert_eq!(rig.broker.commits(), [offsets([(0, 2)])]);
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
            broker: Broker::holding(&["a", "bad", "b"]),
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
        broker: Broker::holding(&["bad", "a"]),
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
        broker: Broker::holding(&["bad", "a"]),
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
        broker: Broker::holding(&["drop", "a", "odd", "b"]),
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
    assert_eq!(rig.broker.commits(), [offsets([(0, 4)])]);
    assert!(rig.stop().await);
}

/// Reports of a try that is to be repeated are not sent: they come again with the batch.
#[tokio::test(start_paused = true)]
async fn reports_of_a_put_that_is_tried_again_are_sent_once() {
    let producer = FakeProducer::new();
    let setup = SinkSetup {
        broker: Broker::holding(&["odd"]),
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
    let setup = SinkSetup { broker: Broker::holding(&["a"]), ..SinkSetup::default() };
    setup.script.on_put(|_, context| {
        assert!(!context.takes_errant_records);
        context.errant.push(ErrantRecord { index: 0, error: Error::data("odd") });
        Ok(())
    });
    let rig = setup.run();
    assert_eq!(rig.failed().await, "Tolerance exceeded in error handler: odd");
    assert!(rig.broker.commits().is_empty());
}
