//! What the bodies share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_api::data::{Topic, TopicPartition};
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{
    Ack, Admin, Buffer, Cluster, ConsumedRecord, Consumer, ConsumerEvent, NewTopic, OutgoingRecord, Producer,
    RebalanceDone, SendError, Subscription,
};

/// Runs each body once per broker, with the broker's address.
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {
        mod embedded {
            $(
                $(#[$meta])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let broker = lavka_devbroker::Broker::start(crate::support::broker()).await.unwrap();
                    super::$name(&broker.bootstrap()).await;
                }
            )*
        }
        mod kafka {
            $(
                $(#[$meta])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let bootstrap = tokio::task::block_in_place(|| lavka_testkit::services().kafka.bootstrap());
                    super::$name(bootstrap).await;
                }
            )*
        }
    };
}
pub(crate) use on_both;

/// Only ends a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Sessions as short as those of the testkit's Kafka.
pub(crate) fn broker() -> lavka_devbroker::BrokerConfig {
    lavka_devbroker::BrokerConfig {
        min_session_timeout: Duration::from_secs(1),
        ..lavka_devbroker::BrokerConfig::default()
    }
}

pub(crate) fn config(bootstrap: &str, entries: &[(&str, &str)]) -> Config {
    [("bootstrap.servers", bootstrap)].iter().chain(entries).copied().collect()
}

pub(crate) fn admin(bootstrap: &str) -> Arc<dyn Admin> {
    RdKafkaCluster::new().admin(&config(bootstrap, &[])).unwrap()
}

/// A new topic, there when the call returns.
pub(crate) async fn topic(bootstrap: &str, partitions: i32) -> Topic {
    let name = lavka_testkit::unique("clients");
    let admin = admin(bootstrap);
    let topic = NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        replication_factor: Some(1),
        configs: Vec::new(),
    };
    admin.create_topic(&topic).await.unwrap();
    while admin.topic(&name).await.unwrap().is_none_or(|info| info.partitions != partitions) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Topic::from(name)
}

/// Connect's own settings for a source's producer.
pub(crate) fn producer(bootstrap: &str, entries: &[(&str, &str)]) -> Arc<dyn Producer> {
    let connect = [
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("enable.idempotence", "false"),
        ("delivery.timeout.ms", "2147483647"),
    ];
    let entries: Vec<_> = connect.iter().chain(entries).copied().collect();
    RdKafkaCluster::new().producer(&config(bootstrap, &entries)).unwrap()
}

pub(crate) fn record<'a>(
    topic: &'a Topic,
    partition: i32,
    value: &'a [u8],
    token: usize,
) -> OutgoingRecord<'a> {
    OutgoingRecord {
        topic,
        partition: Some(partition),
        key: None,
        value: Some(value),
        timestamp: None,
        headers: &[],
        token,
    }
}

/// Sends a record, waiting for room where there is none; acknowledgements on the way go to `acks`.
pub(crate) async fn send(producer: &dyn Producer, record: OutgoingRecord<'_>, acks: &mut Vec<Ack>) {
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err(SendError::QueueFull) => producer.acks(acks).await,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Waits until `count` acknowledgements are in `acks`.
pub(crate) async fn collect(producer: &dyn Producer, acks: &mut Vec<Ack>, count: usize) {
    while acks.len() < count {
        tokio::time::timeout(PATIENCE, producer.acks(acks)).await.expect("acknowledgements stay away");
    }
}

/// Fills partitions with records whose value is their offset, `count` in each.
pub(crate) async fn fill(bootstrap: &str, topic: &Topic, partitions: i32, count: usize, padding: usize) {
    let producer = producer(bootstrap, &[]);
    let mut acks = Vec::new();
    for number in 0..count {
        let mut value = number.to_string().into_bytes();
        value.resize(value.len().max(padding), b' ');
        for partition in 0..partitions {
            send(&*producer, record(topic, partition, &value, number), &mut acks).await;
        }
    }
    collect(&*producer, &mut acks, count * usize::try_from(partitions).unwrap()).await;
    assert!(acks.iter().all(|ack| ack.outcome.is_ok()));
}

pub(crate) const BUFFER: Buffer = Buffer { records: 2000, bytes: 4 << 20 };

pub(crate) fn consumer(bootstrap: &str, group: &str, entries: &[(&str, &str)]) -> Box<dyn Consumer> {
    let all = [("group.id", group), ("auto.offset.reset", "earliest"), ("session.timeout.ms", "6000")];
    let entries: Vec<_> = all.iter().chain(entries).copied().collect();
    RdKafkaCluster::new().consumer(&config(bootstrap, &entries), BUFFER).unwrap()
}

/// A consumer that has subscribed to `topic`.
pub(crate) async fn reader(
    bootstrap: &str,
    group: &str,
    topic: &Topic,
    entries: &[(&str, &str)],
) -> Box<dyn Consumer> {
    let mut consumer = consumer(bootstrap, group, entries);
    consumer.subscribe(&Subscription::Topics(vec![topic.to_string()])).await.unwrap();
    consumer
}

pub(crate) fn place(topic: &Topic, partition: i32) -> TopicPartition {
    TopicPartition::new(topic.clone(), partition)
}

/// The next event that is not [`ConsumerEvent::Idle`].
pub(crate) async fn event(consumer: &mut dyn Consumer, most: usize) -> ConsumerEvent {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match consumer.next(most, Duration::from_secs(1)).await.unwrap() {
            ConsumerEvent::Idle => assert!(Instant::now() < deadline, "nothing happens"),
            event => return event,
        }
    }
}

/// The partitions that are assigned next; records before that are a mistake.
pub(crate) async fn assigned(consumer: &mut dyn Consumer) -> Vec<TopicPartition> {
    match event(consumer, 100).await {
        ConsumerEvent::Assigned(mut partitions) => {
            partitions.sort();
            partitions
        }
        other => panic!("assignment expected: {other:?}"),
    }
}

/// The partitions that are revoked next, with the handshake; records before that are dropped.
pub(crate) async fn revoked(consumer: &mut dyn Consumer) -> (Vec<TopicPartition>, RebalanceDone) {
    loop {
        match event(consumer, 100).await {
            ConsumerEvent::Revoked { mut partitions, lost, done } => {
                assert!(!lost);
                partitions.sort();
                return (partitions, done);
            }
            ConsumerEvent::Records(_) => {}
            other => panic!("revocation expected: {other:?}"),
        }
    }
}

/// The next records; rebalances are a mistake.
pub(crate) async fn records(consumer: &mut dyn Consumer, most: usize) -> Vec<ConsumedRecord> {
    match event(consumer, most).await {
        ConsumerEvent::Records(records) => records,
        other => panic!("records expected: {other:?}"),
    }
}

/// Reads until there are `count` records.
pub(crate) async fn read(consumer: &mut dyn Consumer, count: usize) -> Vec<ConsumedRecord> {
    let mut all = Vec::new();
    while all.len() < count {
        all.append(&mut records(consumer, count - all.len()).await);
    }
    all
}

/// What is written in records that [`fill`] made.
pub(crate) fn numbers(records: &[ConsumedRecord], partition: i32) -> Vec<i64> {
    records.iter().filter(|record| record.partition == partition).map(number).collect()
}

pub(crate) fn number(record: &ConsumedRecord) -> i64 {
    let text = std::str::from_utf8(record.value.as_deref().unwrap()).unwrap();
    let number = text.trim_end().parse().unwrap();
    assert_eq!(number, record.offset);
    number
}
