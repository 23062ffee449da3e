//! Transactions through librdkafka: written, committed, aborted, fenced, and with offsets.

use std::time::Duration;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{Message, OwnedMessage},
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};

use super::{PATIENCE, Running, receive};

fn transactional(running: &Running, id: &str, timeout: Duration) -> BaseProducer {
    let timeout = timeout.as_millis().to_string();
    let settings = [("transactional.id", id), ("transaction.timeout.ms", &timeout), ("linger.ms", "0")];
    let producer = running.producer(&settings);
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer, values: &[&str]) {
    for value in values {
        producer.send(BaseRecord::<(), str>::to("t").partition(0).payload(value)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn read_all(running: &Running, isolation: &str, count: usize) -> Vec<String> {
    let consumer = running.consumer(&[("isolation.level", isolation)]);
    assign(&consumer);
    texts(&receive(&consumer, count))
}

fn assign(consumer: &BaseConsumer) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
}

fn texts(messages: &[OwnedMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8(message.payload().unwrap().to_vec()).unwrap()).collect()
}

#[test]
fn readers_of_committed_records_see_committed_ones_only() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    let producer = transactional(&running, "id", Duration::from_secs(60));
    for round in 0..3 {
        producer.begin_transaction().unwrap();
        send(&producer, &["a", "b"]);
        if round == 1 {
            producer.abort_transaction(PATIENCE).unwrap();
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
        }
    }
    running.send("t", 0, &["end"]);
    assert_eq!(read_all(&running, "read_committed", 5), ["a", "b", "a", "b", "end"]);
    assert_eq!(read_all(&running, "read_uncommitted", 7).len(), 7);
    running.shutdown();
}

#[test]
fn a_producer_with_the_same_id_shuts_out_the_first() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    let first = transactional(&running, "id", Duration::from_secs(60));
    first.begin_transaction().unwrap();
    send(&first, &["lost"]);
    let second = transactional(&running, "id", Duration::from_secs(60));
    match first.commit_transaction(PATIENCE) {
        Err(KafkaError::Transaction(error)) => {
            assert_eq!(error.code(), RDKafkaErrorCode::Fenced, "{error}");
            assert!(error.is_fatal());
        }
        other => panic!("not fenced: {other:?}"),
    }
    second.begin_transaction().unwrap();
    send(&second, &["kept"]);
    second.commit_transaction(PATIENCE).unwrap();
    assert_eq!(read_all(&running, "read_committed", 1), ["kept"]);
    running.shutdown();
}

#[test]
fn offsets_go_with_the_transaction_and_exactly_once_holds() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    running.create_topic("in", 1, &[]);
    running.send("in", 0, &["0", "1", "2", "3", "4", "5"]);
    let producer = transactional(&running, "copy", Duration::from_secs(60));
    // Every other transaction is aborted, and then its input is read again.
    for round in 0..6 {
        let consumer = running.consumer(&[("isolation.level", "read_committed")]);
        consumer.subscribe(&["in"]).unwrap();
        let input = receive(&consumer, 2);
        producer.begin_transaction().unwrap();
        let values = texts(&input);
        send(&producer, &values.iter().map(String::as_str).collect::<Vec<_>>());
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("in", 0, Offset::Offset(input[1].offset() + 1)).unwrap();
        let group = consumer.group_metadata().unwrap();
        producer.send_offsets_to_transaction(&offsets, &group, PATIENCE).unwrap();
        if round % 2 == 0 {
            producer.abort_transaction(PATIENCE).unwrap();
        } else {
            producer.commit_transaction(PATIENCE).unwrap();
        }
        if round == 5 {
            let committed = consumer.committed_offsets(offsets, PATIENCE).unwrap();
            assert_eq!(committed.find_partition("in", 0).unwrap().offset(), Offset::Offset(6));
        }
    }
    assert_eq!(read_all(&running, "read_committed", 6), ["0", "1", "2", "3", "4", "5"]);
    running.shutdown();
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    let producer = transactional(&running, "slow", Duration::from_secs(1));
    producer.begin_transaction().unwrap();
    send(&producer, &["late"]);
    running.send("t", 0, &["end"]);
    assert_eq!(read_all(&running, "read_committed", 1), ["end"]);
    assert!(producer.commit_transaction(PATIENCE).is_err());
    running.shutdown();
}
