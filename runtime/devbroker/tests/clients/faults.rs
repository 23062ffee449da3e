//! Faults through librdkafka: what was acknowledged is there, and nothing is stuck.

use std::{collections::BTreeSet, time::Duration};

use lavka_devbroker::{BrokerConfig, Fault};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
    error::KafkaError,
    producer::{BaseRecord, Producer},
    types::RDKafkaErrorCode,
};

use super::{PATIENCE, Running, flush, receive, until};

const RECORDS: usize = 300;

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Writes numbers under these faults and reads them back without: each must be there once, in order.
fn arrives_once(texts: &[&str]) {
    let config = BrokerConfig { fault_seed: 11, ..BrokerConfig::default() };
    let running = Running::with(config);
    running.create_topic("t", 1, &[]);
    running.broker.set_faults(faults(texts));
    let quick = [
        ("enable.idempotence", "true"),
        ("linger.ms", "0"),
        ("batch.num.messages", "10"),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "20"),
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "20"),
        ("topic.metadata.refresh.fast.interval.ms", "20"),
    ];
    let producer = running.producer(&quick);
    for number in 0..RECORDS {
        let value = number.to_string();
        producer.send(BaseRecord::<(), str>::to("t").partition(0).payload(&value)).unwrap();
        if number % 10 == 0 {
            producer.poll(Duration::from_millis(1));
        }
    }
    flush(&producer);
    let reader = [
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "20"),
        ("fetch.error.backoff.ms", "5"),
        ("retry.backoff.ms", "5"),
    ];
    let consumer = running.consumer(&reader);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut values = Vec::new();
    until(
        "all records",
        || {},
        || {
            // A connection that breaks is an event, not a failure.
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                values.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
            }
            values.len() >= RECORDS
        },
    );
    let expected: Vec<String> = (0..RECORDS).map(|number| number.to_string()).collect();
    assert_eq!(values, expected, "under {texts:?}");
    running.broker.set_faults(Vec::new());
    drop(consumer);
    running.shutdown();
}

#[test]
fn dropped_and_cut_connections_lose_and_repeat_nothing() {
    arrives_once(&[
        "drop:api=Produce,share=0.1",
        "cut:api=Produce,share=0.1",
        "cut:api=Fetch,share=0.2",
        "drop:share=0.02",
    ]);
}

#[test]
fn delays_and_refusals_lose_and_repeat_nothing() {
    arrives_once(&[
        "delay:api=Produce,share=0.1,by=20ms",
        "error:api=Produce,code=NOT_LEADER_OR_FOLLOWER,share=0.1",
        "error:api=Fetch,code=NOT_LEADER_OR_FOLLOWER,share=0.1",
        "error:api=ListOffsets,code=LEADER_NOT_AVAILABLE,share=0.3",
    ]);
}

#[test]
fn a_full_disk_is_an_error_that_passes() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    running.broker.set_faults(faults(&["full-disk"]));
    let producer = running.producer(&[
        ("linger.ms", "0"),
        ("retries", "1000"),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "10"),
    ]);
    producer.send(BaseRecord::<(), str>::to("t").partition(0).payload("patient")).unwrap();
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_millis(200) {
        producer.poll(Duration::from_millis(10));
    }
    assert_eq!((producer.in_flight_count(), running.broker.stats().records), (1, 0));
    running.broker.set_faults(Vec::new());
    flush(&producer);
    assert_eq!(running.broker.stats().records, 1);
    running.shutdown();
}

#[test]
fn a_group_finds_its_coordinator_again() {
    let running = Running::new();
    running.create_topic("t", 2, &[]);
    let consumer = running.consumer(&[("retry.backoff.ms", "10"), ("coordinator.query.interval.ms", "200")]);
    consumer.subscribe(&["t"]).unwrap();
    running.send("t", 0, &["before"]);
    receive(&consumer, 1);
    for round in 0..3 {
        running.broker.move_coordinator(Duration::from_millis(100));
        running.send("t", 1, &["after"]);
        let message = receive(&consumer, 1).remove(0);
        assert_eq!(message.offset(), round);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("t", 1, Offset::Offset(round + 1)).unwrap();
        let start = std::time::Instant::now();
        while let Err(error) = consumer.commit(&offsets, CommitMode::Sync) {
            assert!(start.elapsed() < PATIENCE, "{error}");
            drop(consumer.poll(Duration::from_millis(10)));
        }
    }
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition("t", 1);
    let committed = consumer.committed_offsets(wanted, PATIENCE).unwrap();
    assert_eq!(committed.find_partition("t", 1).unwrap().offset(), Offset::Offset(3));
    drop(consumer);
    running.shutdown();
}

#[test]
fn consumers_notice_that_records_were_lost() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    // One by one, since whole batches are lost.
    for value in ["a", "b", "c", "d"] {
        running.send("t", 0, &[value]);
    }
    let consumer = running.consumer(&[("auto.offset.reset", "error")]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    receive(&consumer, 4);
    running.broker.elect_uncleanly(2);
    let mut errors = BTreeSet::new();
    until(
        "an error",
        || {},
        || {
            if let Some(Err(KafkaError::MessageConsumption(code))) = consumer.poll(Duration::from_millis(20))
            {
                errors.insert(format!("{code:?}"));
            }
            !errors.is_empty()
        },
    );
    let known = [
        RDKafkaErrorCode::LogTruncation,
        RDKafkaErrorCode::AutoOffsetReset,
        RDKafkaErrorCode::OffsetOutOfRange,
    ];
    assert!(known.iter().any(|code| errors.contains(&format!("{code:?}"))), "{errors:?}");
    running.send("t", 0, &["e"]);
    assert_eq!(running.broker.stats().records, 3);
    drop(consumer);
    running.shutdown();
}

#[test]
fn a_transaction_survives_broken_connections() {
    let running = Running::new();
    running.create_topic("t", 1, &[]);
    let quick = [
        ("transactional.id", "id"),
        ("linger.ms", "0"),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "20"),
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "20"),
    ];
    let producer = running.producer(&quick);
    producer.init_transactions(PATIENCE).unwrap();
    running.broker.set_faults(faults(&[
        "cut:api=EndTxn,share=0.4",
        "cut:api=AddPartitionsToTxn,share=0.4",
        "cut:api=Produce,share=0.2",
        "error:api=EndTxn,code=COORDINATOR_LOAD_IN_PROGRESS,share=0.2",
    ]));
    for number in 0..10 {
        producer.begin_transaction().unwrap();
        let value = number.to_string();
        producer.send(BaseRecord::<(), str>::to("t").partition(0).payload(&value)).unwrap();
        producer.commit_transaction(PATIENCE).unwrap();
    }
    running.broker.set_faults(Vec::new());
    let consumer = running.consumer(&[("isolation.level", "read_committed")]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let values: Vec<Vec<u8>> =
        receive(&consumer, 10).iter().map(|one| one.payload().unwrap().to_vec()).collect();
    let expected: Vec<Vec<u8>> = (0..10).map(|number: i32| number.to_string().into_bytes()).collect();
    assert_eq!(values, expected);
    drop(consumer);
    running.shutdown();
}
