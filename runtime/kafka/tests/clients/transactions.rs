//! Producers that send in transactions, and readers of whole topics.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::ErrorClass;
use lavka_api::data::Topic;
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{Cluster, LogReader, OutgoingRecord, TransactionalProducer};

use crate::support::*;

on_both! {
    a_transaction_is_seen_as_a_whole_or_not_at_all,
    the_newest_holder_of_an_id_fences_the_others,
    fenced_producers_write_nothing_more,
    a_reader_waits_for_transactions_that_are_open,
    a_record_that_kafka_refuses_spoils_its_transaction,
    settings_of_a_topic_are_told,
}

/// As Connect has it for exactly-once sources.
fn transactional(bootstrap: &str, id: &str) -> Arc<dyn TransactionalProducer> {
    let entries = [
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("enable.idempotence", "true"),
        ("delivery.timeout.ms", "2147483647"),
        ("transactional.id", id),
    ];
    RdKafkaCluster::new().transactional_producer(&config(bootstrap, &entries)).unwrap()
}

async fn initialized(bootstrap: &str, id: &str) -> Arc<dyn TransactionalProducer> {
    let producer = transactional(bootstrap, id);
    producer.init(PATIENCE).await.unwrap();
    producer
}

async fn write(producer: &dyn TransactionalProducer, topic: &Topic, values: &[&str]) {
    let mut acks = Vec::new();
    for (token, value) in values.iter().enumerate() {
        let record = OutgoingRecord {
            topic,
            partition: None,
            key: Some(value.as_bytes()),
            value: Some(value.as_bytes()),
            timestamp: None,
            headers: &[],
            token,
        };
        send(producer, record, &mut acks).await;
    }
}

async fn read(reader: &mut dyn LogReader) -> Vec<String> {
    let mut found = Vec::new();
    let mut each = |record: lavka_ports::LogRecord<'_>| {
        found.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
    };
    tokio::time::timeout(PATIENCE, reader.read_to_end(&mut each)).await.expect("no end").unwrap();
    found.sort();
    found
}

fn reader(bootstrap: &str, topic: &Topic) -> Box<dyn LogReader> {
    RdKafkaCluster::new().log_reader(&config(bootstrap, &[]), topic).unwrap()
}

async fn a_transaction_is_seen_as_a_whole_or_not_at_all(bootstrap: &str) {
    let topic = topic(bootstrap, 3).await;
    let producer = initialized(bootstrap, &lavka_testkit::unique("id")).await;
    let mut reader = reader(bootstrap, &topic);
    assert_eq!(read(&mut *reader).await, Vec::<String>::new(), "an empty topic");
    producer.begin().unwrap();
    write(&*producer, &topic, &["a", "b", "c", "d", "e"]).await;
    producer.commit(PATIENCE).await.unwrap();
    assert_eq!(read(&mut *reader).await, ["a", "b", "c", "d", "e"]);
    producer.begin().unwrap();
    write(&*producer, &topic, &["x", "y", "z"]).await;
    assert!(producer.flush(PATIENCE).await);
    producer.abort(PATIENCE).await.unwrap();
    assert_eq!(
        read(&mut *reader).await,
        Vec::<String>::new(),
        "what was read is not read again, nor what was aborted"
    );
    // Without a record.
    producer.begin().unwrap();
    producer.commit(PATIENCE).await.unwrap();
    producer.begin().unwrap();
    write(&*producer, &topic, &["f"]).await;
    producer.commit(PATIENCE).await.unwrap();
    assert_eq!(read(&mut *reader).await, ["f"]);
    let mut another = crate::transactions::reader(bootstrap, &topic);
    assert_eq!(read(&mut *another).await, ["a", "b", "c", "d", "e", "f"]);
}

async fn the_newest_holder_of_an_id_fences_the_others(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let id = lavka_testkit::unique("id");
    let old = initialized(bootstrap, &id).await;
    old.begin().unwrap();
    write(&*old, &topic, &["old"]).await;
    assert!(old.flush(PATIENCE).await);
    let new = initialized(bootstrap, &id).await;
    let error = old.commit(PATIENCE).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.ProducerFencedException", "{error}");
    new.begin().unwrap();
    write(&*new, &topic, &["new"]).await;
    new.commit(PATIENCE).await.unwrap();
    assert_eq!(read(&mut *reader(bootstrap, &topic)).await, ["new"]);
}

async fn fenced_producers_write_nothing_more(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let ids: Vec<String> = (0..3).map(|_| lavka_testkit::unique("id")).collect();
    let mut producers = Vec::new();
    for id in &ids[..2] {
        let producer = initialized(bootstrap, id).await;
        producer.begin().unwrap();
        write(&*producer, &topic, &["never"]).await;
        assert!(producer.flush(PATIENCE).await);
        producers.push(producer);
    }
    // The third was never used.
    admin(bootstrap).fence_producers(&ids).await.unwrap();
    assert_eq!(read(&mut *reader(bootstrap, &topic)).await, Vec::<String>::new(), "what was open is aborted");
    for producer in producers {
        let error = producer.commit(PATIENCE).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal, "{error}");
    }
    admin(bootstrap).fence_producers(&[]).await.unwrap();
}

async fn a_reader_waits_for_transactions_that_are_open(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let (slow, quick) = (lavka_testkit::unique("id"), lavka_testkit::unique("id"));
    let (slow, quick) = (initialized(bootstrap, &slow).await, initialized(bootstrap, &quick).await);
    slow.begin().unwrap();
    write(&*slow, &topic, &["slow"]).await;
    assert!(slow.flush(PATIENCE).await);
    quick.begin().unwrap();
    write(&*quick, &topic, &["quick"]).await;
    quick.commit(PATIENCE).await.unwrap();
    let mut reader = reader(bootstrap, &topic);
    {
        let reading = std::pin::pin!(read(&mut *reader));
        // What is committed behind an open transaction must not be missed, and cannot be seen yet.
        assert!(tokio::time::timeout(Duration::from_millis(500), reading).await.is_err());
    }
    slow.commit(PATIENCE).await.unwrap();
    assert_eq!(read(&mut *reader).await, ["quick", "slow"]);
}

async fn a_record_that_kafka_refuses_spoils_its_transaction(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let client = lavka_testkit::KafkaClient::new(bootstrap);
    let small = lavka_testkit::unique("small");
    tokio::task::block_in_place(|| client.create_topic_with(&small, 1, &[("max.message.bytes", "1000")]));
    let id = lavka_testkit::unique("id");
    let producer = initialized(bootstrap, &id).await;
    producer.begin().unwrap();
    write(&*producer, &topic, &["before"]).await;
    write(&*producer, &Topic::from(small), &["x".repeat(5000).as_str()]).await;
    let error = producer.commit(PATIENCE).await.unwrap_err();
    assert!(!error.is_retriable(), "{error}");
    producer.abort(PATIENCE).await.unwrap();
    // Its sequence numbers have a gap now; one that is made anew goes on.
    let producer = initialized(bootstrap, &id).await;
    producer.begin().unwrap();
    write(&*producer, &topic, &["after"]).await;
    producer.commit(PATIENCE).await.unwrap();
    assert_eq!(read(&mut *reader(bootstrap, &topic)).await, ["after"]);
}

async fn settings_of_a_topic_are_told(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let admin = admin(bootstrap);
    assert_eq!(admin.topic_setting(&topic, "cleanup.policy").await.unwrap().as_deref(), Some("delete"));
    assert_eq!(admin.topic_setting(&topic, "no.such.setting").await.unwrap(), None);
    let error = admin.topic_setting(&lavka_testkit::unique("none"), "cleanup.policy").await.unwrap_err();
    assert!(
        error.exception().ends_with("UnknownTopicOrPartitionException") || error.is_retriable(),
        "{error}"
    );
}

#[tokio::test]
async fn a_transactional_producer_needs_an_id_and_idempotence() {
    let of = |entries: &[(&str, &str)]| {
        let made = RdKafkaCluster::new().transactional_producer(&config("127.0.0.1:1", entries));
        made.err().map(|error| error.to_string())
    };
    let text = of(&[("enable.idempotence", "true")]).unwrap();
    assert!(text.contains("transactional.id"), "{text}");
    let text = of(&[("transactional.id", "x"), ("enable.idempotence", "false")]).unwrap();
    assert!(text.contains("without also enabling idempotence"), "{text}");
    assert_eq!(
        of(&[("transactional.id", "x"), ("transaction.timeout.ms", "5000"), ("request.timeout.ms", "4000")]),
        None
    );
}
