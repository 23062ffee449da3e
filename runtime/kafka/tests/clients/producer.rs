//! Sending.

use std::time::Duration;

use lavka_api::ErrorClass;
use lavka_api::data::{TimestampType, Topic};
use lavka_ports::{OutgoingRecord, SendError};

use crate::support::*;

on_both! {
    every_record_is_acknowledged_once,
    keys_go_where_java_puts_them,
    a_full_queue_takes_records_again_after_acknowledgements,
    what_kafka_refuses_is_refused_and_the_rest_goes_on,
    every_part_of_a_record_arrives,
    asking_for_partitions_creates_nothing,
}

async fn every_record_is_acknowledged_once(bootstrap: &str) {
    const COUNT: usize = 100_000;
    let topic = topic(bootstrap, 3).await;
    let producer = producer(bootstrap, &[]);
    let mut acks = Vec::new();
    for token in 0..COUNT {
        let value = token.to_be_bytes();
        let record =
            OutgoingRecord { partition: None, key: Some(&value), ..record(&topic, 0, &value, token) };
        send(&*producer, record, &mut acks).await;
    }
    collect(&*producer, &mut acks, COUNT).await;
    let mut seen = vec![false; COUNT];
    let mut ends = [0, 0, 0];
    for ack in &acks {
        let (partition, offset) = ack.outcome.as_ref().unwrap();
        assert!(!std::mem::replace(&mut seen[ack.token], true), "{} acknowledged twice", ack.token);
        let end = &mut ends[usize::try_from(*partition).unwrap()];
        *end = (*end).max(offset + 1);
    }
    assert_eq!(acks.len(), COUNT);
    assert_eq!(ends.iter().sum::<i64>(), i64::try_from(COUNT).unwrap());
    assert!(producer.flush(Duration::from_secs(5)).await);
}

/// Conformance cases, section 5.2.
async fn keys_go_where_java_puts_them(bootstrap: &str) {
    let producer = producer(bootstrap, &[]);
    let offsets = topic(bootstrap, 25).await;
    let status = topic(bootstrap, 5).await;
    let cases = [
        (&offsets, r#"["file-src",{"filename":"a.txt"}]"#, 13),
        (&status, "status-connector-foo", 3),
        (&status, "status-task-foo-0", 1),
        (&status, "status-topic-t:connector-foo", 2),
    ];
    for (token, (topic, key, _)) in cases.iter().enumerate() {
        let record = record(topic, 0, b"v", token);
        producer.send(OutgoingRecord { partition: None, key: Some(key.as_bytes()), ..record }).unwrap();
    }
    let mut acks = Vec::new();
    collect(&*producer, &mut acks, cases.len()).await;
    for ack in acks {
        assert_eq!(ack.outcome.unwrap().0, cases[ack.token].2, "{}", cases[ack.token].1);
    }
}

async fn a_full_queue_takes_records_again_after_acknowledgements(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    // Nothing is sent before it is flushed.
    let producer = producer(bootstrap, &[("buffer.memory", "65536"), ("linger.ms", "900000")]);
    let value = [7; 1000];
    let mut taken = 0;
    loop {
        match producer.send(record(&topic, 0, &value, taken)) {
            Ok(()) => taken += 1,
            Err(SendError::QueueFull) => break,
            Err(other) => panic!("{other:?}"),
        }
        assert!(taken < 1000, "buffer.memory has no effect");
    }
    assert!(taken > 10);
    assert!(producer.flush(PATIENCE).await);
    let mut acks = Vec::new();
    collect(&*producer, &mut acks, taken).await;
    producer.send(record(&topic, 0, &value, taken)).unwrap();
    assert!(producer.flush(PATIENCE).await);
    collect(&*producer, &mut acks, taken + 1).await;
    let tokens: Vec<usize> = acks.iter().map(|ack| ack.token).collect();
    assert_eq!(tokens, (0..=taken).collect::<Vec<_>>());
}

async fn what_kafka_refuses_is_refused_and_the_rest_goes_on(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let producer = producer(bootstrap, &[("max.request.size", "10000")]);
    let refused = |record| match producer.send(record) {
        Err(SendError::Refused(error)) => error,
        other => panic!("{other:?}"),
    };
    let large = vec![0; 20_000];
    let error = refused(record(&topic, 0, &large, 0));
    assert_eq!(error.class(), ErrorClass::Data);
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.RecordTooLargeException");
    assert_eq!(
        error.to_string(),
        format!(
            "Topic {topic}, partition 0: The message is 20000 bytes when serialized which is larger than 10000, which \
             is the value of the max.request.size configuration."
        )
    );
    let error = refused(OutgoingRecord { timestamp: Some(-1), ..record(&topic, 0, b"v", 0) });
    assert!(error.to_string().starts_with("Invalid timestamp: -1."), "{error}");
    let error = refused(record(&topic, -1, b"v", 0));
    assert!(error.to_string().starts_with("Invalid partition: -1."), "{error}");
    let odd = Topic::from("a\0b");
    assert_eq!(refused(record(&odd, 0, b"v", 0)).class(), ErrorClass::Data);
    // A partition beyond the last is known once the topic's metadata is there; until then the answer comes later.
    let mut acks = Vec::new();
    producer.send(record(&topic, 0, b"v", 1)).unwrap();
    collect(&*producer, &mut acks, 1).await;
    assert!(acks[0].outcome.is_ok());
    let error = match producer.send(record(&topic, 5, b"v", 2)) {
        Err(SendError::Refused(error)) => error,
        Ok(()) => {
            collect(&*producer, &mut acks, 2).await;
            acks.pop().unwrap().outcome.unwrap_err()
        }
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(error.class(), ErrorClass::Data);
    assert!(error.to_string().contains(&format!("Topic {topic}, partition 5")), "{error}");
}

async fn every_part_of_a_record_arrives(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let producer = producer(bootstrap, &[]);
    let headers: &[(&str, Option<&[u8]>)] =
        &[("a", Some(b"1")), ("none", None), ("", Some(b"")), ("a", Some(b"2")), ("prášek", Some(&[0, 255]))];
    let full = OutgoingRecord {
        key: Some(b"key"),
        timestamp: Some(1_600_000_000_123),
        headers,
        ..record(&topic, 0, b"value", 0)
    };
    let empty = OutgoingRecord { key: Some(b""), ..record(&topic, 0, b"", 1) };
    let tombstone = OutgoingRecord { value: None, ..record(&topic, 0, b"", 2) };
    for record in [full, empty, tombstone] {
        producer.send(record).unwrap();
    }
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), &topic, &[]).await;
    assigned(&mut *consumer).await;
    let read = read(&mut *consumer, 3).await;
    assert_eq!(read[0].timestamp, Some(1_600_000_000_123));
    assert_eq!(read[0].timestamp_type, TimestampType::CreateTime);
    assert_eq!((read[0].key.as_deref(), read[0].value.as_deref()), (Some(&b"key"[..]), Some(&b"value"[..])));
    let found: Vec<_> = read[0].headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
    assert_eq!(found, headers);
    assert_eq!((read[1].key.as_deref(), read[1].value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
    assert_eq!((read[2].key.as_deref(), read[2].value.as_deref()), (None, None));
    assert!(read[1].headers.is_empty() && read[1].timestamp.is_some());
    let offsets: Vec<i64> = read.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2]);
    consumer.close().await;
}

async fn asking_for_partitions_creates_nothing(bootstrap: &str) {
    let known = topic(bootstrap, 4).await;
    let producer = producer(bootstrap, &[]);
    assert_eq!(producer.partitions(&known, PATIENCE).await.unwrap(), Some(4));
    let unknown = Topic::from(lavka_testkit::unique("nowhere"));
    for _ in 0..2 {
        assert_eq!(producer.partitions(&unknown, PATIENCE).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_there_shows_as_a_failed_acknowledgement() {
    let nobody = format!("127.0.0.1:{}", lavka_testkit::free_port());
    let producer = producer(&nobody, &[("delivery.timeout.ms", "1000"), ("request.timeout.ms", "900")]);
    let topic = Topic::from("t");
    producer.send(record(&topic, 0, b"v", 42)).unwrap();
    let mut acks = Vec::new();
    collect(&*producer, &mut acks, 1).await;
    let error = acks[0].outcome.as_ref().unwrap_err();
    assert_eq!((acks[0].token, error.class()), (42, ErrorClass::Retriable));
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.TimeoutException");
    assert!(error.to_string().starts_with("Topic t, partition 0: expiring a record"), "{error}");
    let error = producer.partitions(&topic, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    assert_eq!(error.to_string(), "Topic t not present in metadata after 300 ms.");
}
