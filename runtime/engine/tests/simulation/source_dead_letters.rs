//! Dead letters of sources: what is in them, and the offsets that wait for them.

use std::time::Duration;

use lavka_api::Error;
use lavka_api::data::{Datum, Schema, Struct, Type, Value};
use lavka_engine::task::Target;
use lavka_ports::Buffer;

use crate::plugins::{CONVERTER, Step, record, scripted, tolerant};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SourceSetup, counter, pass, until};

fn lettered() -> SourceSetup {
    SourceSetup { config: tolerant(), dead_letters: Some(false), ..SourceSetup::default() }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_transformed_is_kept_as_the_source_gave_it() {
    // Two stages: the first moves the record to another topic, the second cannot take it any more.
    let mut config = tolerant();
    config.set("transforms", "s,t");
    config.set("transforms.t.type", "test.Fail");
    let rig = SourceSetup { config, dead_letters: Some(true), ..SourceSetup::default() }.run();
    let mut item = record("moved but late", 3, 7);
    item.record.key = Datum::schemaless(Value::Bytes(b"k\x01\xff".into()));
    item.record.timestamp = Some(1_700_000_000_123);
    item.record.headers.add("h", Datum::schemaless("text"));
    item.record.headers.add("n", Datum::schemaless(7i32));
    item.record.headers.add("none", Datum::NULL);
    rig.poll(Step::Batch(vec![item]));
    rig.sent(1).await;
    let letter = rig.producer.sent().remove(0);
    assert_eq!((letter.topic.as_str(), letter.partition), ("dlq", None));
    assert_eq!(letter.key.as_deref(), Some(&b"k\x01\xff"[..]));
    assert_eq!(letter.text(), r#"{"schema":null,"payload":"moved but late"}"#);
    assert_eq!(letter.timestamp, Some(1_700_000_000_123));
    let headers: Vec<(&str, Option<&str>)> =
        letter.headers.iter().map(|(key, _)| (key.as_str(), letter.header(key))).collect();
    assert_eq!(
        headers,
        [
            ("h", Some("text")),
            ("n", Some("7")),
            ("none", None),
            ("__connect.errors.topic", Some("t")),
            ("__connect.errors.connector.name", Some("c")),
            ("__connect.errors.task.id", Some("0")),
            ("__connect.errors.stage", Some("TRANSFORMATION")),
            ("__connect.errors.class.name", Some("test.Fail")),
            ("__connect.errors.exception.class.name", Some("org.apache.kafka.connect.errors.DataException")),
            ("__connect.errors.exception.message", Some("nothing pleases it")),
            (
                "__connect.errors.exception.stacktrace",
                Some("org.apache.kafka.connect.errors.DataException: nothing pleases it\n")
            ),
            ("__lavka.errors.source.partition", Some(r#"{"p":3}"#)),
            ("__lavka.errors.source.offset", Some(r#"{"o":7}"#)),
            ("__lavka.errors.key.format", Some("bytes")),
            ("__lavka.errors.value.format", Some("json")),
        ]
    );
    let ended = rig.stop().await;
    assert_eq!(ended.offsets.newest(3), Some(7));
    assert_eq!(ended.observer.topics(), Vec::<String>::new(), "a dead letter is no use of a topic");
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 0.0);
    assert_eq!(counter(&ended.metrics, "deadletterqueue-produce-requests"), 1.0);
    assert_eq!(counter(&ended.metrics, "total-records-skipped"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_converted_is_kept_with_its_schema() {
    let rig = SourceSetup { dead_letters: Some(true), ..lettered() }.run();
    let schema = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
    let mut item = record("", 0, 1);
    item.record.key = Datum::new(Schema::of(Type::String), "unencodable");
    item.record.value =
        Datum::new(schema.clone(), Value::from(Struct::new(schema, vec![7i32.into()]).unwrap()));
    // A value that is not of its schema cannot be JSON either.
    let mut odd = record("unpreparable", 0, 2);
    odd.record.value.schema = Some(Schema::of(Type::Int32));
    rig.poll(Step::Batch(vec![item, odd]));
    rig.sent(2).await;
    let letters = rig.producer.sent();
    assert_eq!(
        letters[0].key.as_deref(),
        Some(&br#"{"schema":{"type":"string","optional":false},"payload":"unencodable"}"#[..])
    );
    assert_eq!(
        letters[0].text(),
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"a"}],"optional":false},"payload":{"a":7}}"#
    );
    assert_eq!(letters[0].header("__connect.errors.stage"), Some("KEY_CONVERTER"));
    assert_eq!(letters[0].header("__connect.errors.class.name"), Some(CONVERTER));
    assert_eq!(letters[1].text(), "unpreparable");
    assert_eq!(letters[1].key, None);
    assert_eq!(letters[1].header("__lavka.errors.key.format"), Some("null"));
    assert_eq!(letters[1].header("__lavka.errors.value.format"), Some("text"));
    assert_eq!(letters[1].header("__connect.errors.stage"), Some("VALUE_CONVERTER"));
    assert_eq!(rig.stop().await.offsets.newest(0), Some(2));
}

#[tokio::test(start_paused = true)]
async fn offsets_wait_for_the_acknowledgement_of_dead_letters() {
    let setup = SourceSetup {
        producer: FakeProducer::deciding(|sent| if sent.topic == "dlq" { Answer::Hold } else { Answer::Ack }),
        flush_interval: Duration::from_millis(100),
        ..lettered()
    };
    let rig = setup.run();
    rig.batch(&["a", "bad", "b"], 1);
    rig.sent(3).await;
    pass(1000).await;
    assert_eq!(rig.offsets.newest(0), Some(1), "not past the letter");
    assert_eq!(rig.journal.count("delivered [2]"), 0, "nor is the source told");
    rig.producer.release();
    pass(1000).await;
    assert_eq!(rig.offsets.newest(0), Some(3));
    assert_eq!(rig.journal.count("delivered [2]"), 1);
    let ended = rig.stop().await;
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_count_against_the_window_as_records_do() {
    for window in [Buffer { records: 2, bytes: 1 << 20 }, Buffer { records: 1000, bytes: 60 }] {
        let setup = SourceSetup { producer: FakeProducer::deciding(|_| Answer::Hold), window, ..lettered() };
        let rig = setup.run();
        rig.batch(&["bad 1", "bad 2", "bad 3", "bad 4", "bad 5"], 1);
        rig.batch(&["f"], 6);
        rig.sent(2).await;
        pass(1000).await;
        assert_eq!(rig.producer.sent().len(), 2);
        assert_eq!(rig.journal.count("poll"), 1, "nothing more is asked of the source");
        rig.producer.release();
        until("the next two", || rig.producer.sent().len() == 4).await;
        rig.producer.release();
        until("the last one", || rig.producer.sent().len() == 6).await;
        assert!(rig.producer.most_held() <= 2);
        rig.producer.release();
        assert_eq!(rig.stop().await.offsets.newest(0), Some(6));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_lost_fails_the_task_and_no_offset_passes_it() {
    for answer in [Answer::Nack(Error::fatal("no leader")), Answer::Refuse(Error::data("no leader"))] {
        let producer = FakeProducer::deciding(
            move |sent| {
                if sent.topic == "dlq" { answer.clone() } else { Answer::Ack }
            },
        );
        let rig = SourceSetup { producer, ..lettered() }.run();
        rig.batch(&["a", "bad", "b"], 1);
        let failure = rig.observer.failed().await;
        assert!(
            failure.starts_with(
                "Could not write to the dead letter queue topic 'dlq' (lavka.errors.deadletterqueue.topic.name)"
            ),
            "{failure}"
        );
        assert!(failure.contains("no leader"), "{failure}");
        assert_eq!(rig.offsets.newest(0), Some(1));
        assert_eq!(counter(&rig.metrics, "deadletterqueue-produce-failures"), 1.0);
    }
}

/// Told to stop before the loss is noticed: the last commit must notice it.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_lost_while_the_task_stops_is_noticed() {
    let setup = SourceSetup { producer: FakeProducer::deciding(|_| Answer::Hold), ..lettered() };
    let rig = setup.run();
    rig.batch(&["bad"], 1);
    rig.sent(1).await;
    rig.target(Target::Stopping);
    pass(10).await;
    rig.producer.answer(0, Err(Error::fatal("no leader")));
    assert!(rig.observer.failed().await.starts_with("Could not write to the dead letter queue"));
    assert!(rig.offsets.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_waits_for_room_in_the_clients_queue_unless_the_task_stops() {
    let mut refusals = 3;
    let producer = FakeProducer::deciding(move |_| {
        refusals -= 1;
        if refusals >= 0 { Answer::Full } else { Answer::Ack }
    });
    let rig = SourceSetup { producer, ..lettered() }.run();
    rig.batch(&["bad"], 1);
    rig.sent(1).await;
    assert_eq!(rig.stop().await.offsets.newest(0), Some(1));

    let rig = SourceSetup { producer: FakeProducer::deciding(|_| Answer::Full), ..lettered() }.run();
    rig.batch(&["bad"], 1);
    pass(100).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself && ended.offsets.writes().is_empty(), "it is read again");
}

#[tokio::test(start_paused = true)]
async fn without_tolerance_the_record_fails_the_task_and_is_no_dead_letter() {
    let rig = SourceSetup { config: scripted(&[]), ..lettered() }.run();
    rig.batch(&["bad"], 1);
    assert!(rig.observer.failed().await.starts_with("Tolerance exceeded in error handler"));
    assert!(rig.producer.sent().is_empty() && rig.offsets.writes().is_empty());
}

/// What Kafka itself refuses is skipped as in Connect: its bytes were fine, and would be refused again.
#[tokio::test(start_paused = true)]
async fn a_record_that_kafka_refuses_is_no_dead_letter() {
    let producer = FakeProducer::deciding(|sent| match sent.text() {
        "b" => Answer::Nack(Error::data("too large")),
        _ => Answer::Ack,
    });
    let rig = SourceSetup { producer, ..lettered() }.run();
    rig.batch(&["a", "b", "drop"], 1);
    rig.sent(2).await;
    pass(10).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.texts(), ["a", "b"]);
    assert_eq!(ended.offsets.newest(0), Some(3));
}
