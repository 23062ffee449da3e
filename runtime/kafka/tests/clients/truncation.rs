//! A log that lost its end (KIP-320), which the embedded broker does on demand: the reader gets what the log has now, all
//! of it.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_devbroker::Broker;
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{Buffer, Cluster, ConsumedRecord, Consumer, ConsumerEvent, Subscription};

use crate::support::*;

/// Values tell records at the same offset apart: `generation` and the number of the record in it. Each record is a batch
/// of its own, so that a log loses exactly what it is told to.
async fn write(bootstrap: &str, topic: &lavka_api::data::Topic, generation: &str, count: usize) {
    let producer = producer(bootstrap, &[("batch.size", "1"), ("linger.ms", "0")]);
    let mut acks = Vec::new();
    for number in 0..count {
        let value = format!("{generation}{number}");
        producer.send(record(topic, 0, value.as_bytes(), number)).unwrap();
        collect(&*producer, &mut acks, number + 1).await;
    }
}

fn told(records: &[ConsumedRecord]) -> Vec<(i64, i32, String)> {
    let text =
        |record: &ConsumedRecord| String::from_utf8(record.value.as_deref().unwrap().to_vec()).unwrap();
    records.iter().map(|record| (record.offset, record.leader_epoch.unwrap(), text(record))).collect()
}

/// What records from `first` on are told as.
fn expected(
    first: i64,
    epoch: i32,
    generation: &str,
    numbers: std::ops::Range<i64>,
) -> Vec<(i64, i32, String)> {
    numbers.map(|number| (first + number, epoch, format!("{generation}{number}"))).collect()
}

async fn start() -> (Broker, String, lavka_api::data::Topic) {
    let broker = Broker::start(broker()).await.unwrap();
    let bootstrap = broker.bootstrap();
    let topic = topic(&bootstrap, 1).await;
    (broker, bootstrap, topic)
}

async fn opened(bootstrap: &str, topic: &lavka_api::data::Topic) -> Box<dyn Consumer> {
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), topic, &[]).await;
    assigned(&mut *consumer).await;
    consumer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_goes_back_to_the_cut_while_it_runs() {
    let (broker, bootstrap, topic) = start().await;
    let mut consumer = opened(&bootstrap, &topic).await;
    write(&bootstrap, &topic, "a", 20).await;
    assert_eq!(told(&read(&mut *consumer, 20).await), expected(0, 0, "a", 0..20));
    broker.elect_uncleanly(5);
    // More than was lost.
    write(&bootstrap, &topic, "b", 10).await;
    assert_eq!(told(&read(&mut *consumer, 10).await), expected(15, 1, "b", 0..10));
    broker.elect_uncleanly(0);
    write(&bootstrap, &topic, "c", 3).await;
    assert_eq!(told(&read(&mut *consumer, 3).await), expected(25, 2, "c", 0..3));
    consumer.close().await;
}

/// What was fetched and not handed out is thrown away by librdkafka when it goes back, records that the log still has
/// among it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_left_is_passed_over_by_a_slow_reader() {
    let (broker, bootstrap, topic) = start().await;
    write(&bootstrap, &topic, "a", 300).await;
    let entries = [("group.id", "slow"), ("auto.offset.reset", "earliest"), ("session.timeout.ms", "6000")];
    let buffer = Buffer { records: 10, bytes: 1 << 20 };
    let mut consumer = RdKafkaCluster::new().consumer(&config(&bootstrap, &entries), buffer).unwrap();
    consumer.subscribe(&Subscription::Topics(vec![topic.to_string()])).await.unwrap();
    assigned(&mut *consumer).await;
    let mut all = read(&mut *consumer, 20).await;
    // librdkafka has fetched the rest by now; a second later it asks the broker again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    broker.elect_uncleanly(50);
    write(&bootstrap, &topic, "b", 100).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // By offset, what came last; records of the lost end may have come before.
    let mut log = BTreeMap::new();
    while all.last().is_none_or(|record| record.offset != 349) {
        all.append(&mut records(&mut *consumer, 50).await);
    }
    for told in told(&all) {
        log.insert(told.0, told);
    }
    let mut whole = expected(0, 0, "a", 0..250);
    whole.extend(expected(250, 1, "b", 0..100));
    assert_eq!(log.into_values().collect::<Vec<_>>(), whole);
    consumer.close().await;
}

/// The same before the first record was handed out, wherever reading begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_left_is_passed_over_before_the_first_record() {
    for (committed, sought, first) in [(None, None, 0), (Some(4), None, 4), (None, Some(6), 6)] {
        let (broker, bootstrap, topic) = start().await;
        write(&bootstrap, &topic, "a", 10).await;
        if let Some(offset) = committed {
            let mut consumer = opened(&bootstrap, &topic).await;
            consumer.commit(&BTreeMap::from([(place(&topic, 0), offset)])).await.unwrap();
            consumer.close().await;
        }
        let mut consumer = opened(&bootstrap, &topic).await;
        consumer.pause(&[place(&topic, 0)]).await.unwrap();
        if let Some(offset) = sought {
            consumer.seek(&place(&topic, 0), offset, None).await.unwrap();
        }
        // Time for librdkafka to fetch what nobody takes.
        tokio::time::sleep(Duration::from_millis(300)).await;
        broker.elect_uncleanly(2);
        write(&bootstrap, &topic, "b", 5).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        consumer.resume(&[place(&topic, 0)]).await.unwrap();
        let mut log = BTreeMap::new();
        while log.last_key_value().is_none_or(|(offset, _)| *offset != 12) {
            log.extend(told(&records(&mut *consumer, 50).await).into_iter().map(|told| (told.0, told)));
        }
        let mut whole = expected(0, 0, "a", 0..8);
        whole.extend(expected(8, 1, "b", 0..5));
        whole.retain(|told| told.0 >= first);
        assert_eq!(
            log.into_values().collect::<Vec<_>>(),
            whole,
            "committed {committed:?}, sought {sought:?}"
        );
        consumer.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seek_that_knows_the_epoch_finds_what_took_the_place_of_lost_records() {
    let (broker, bootstrap, topic) = start().await;
    write(&bootstrap, &topic, "a", 20).await;
    broker.elect_uncleanly(5);
    let place = place(&topic, 0);

    // The log is shorter than where the reader stands.
    let mut consumer = opened(&bootstrap, &topic).await;
    consumer.seek(&place, 20, Some(0)).await.unwrap();
    assert!(matches!(consumer.next(10, Duration::from_millis(700)).await.unwrap(), ConsumerEvent::Idle));
    write(&bootstrap, &topic, "b", 10).await;
    assert_eq!(told(&read(&mut *consumer, 10).await), expected(15, 1, "b", 0..10));

    // It is longer again.
    consumer.seek(&place, 18, Some(0)).await.unwrap();
    assert_eq!(told(&read(&mut *consumer, 10).await), expected(15, 1, "b", 0..10));
    // Where it has the record before, and where nothing is known, reading goes on at the offset.
    for epoch in [Some(1), None] {
        consumer.seek(&place, 18, epoch).await.unwrap();
        assert_eq!(told(&read(&mut *consumer, 7).await), expected(15, 1, "b", 3..10));
    }
    consumer.close().await;
}

/// Records that retention has deleted are passed over, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_that_passes_by_is_no_cut() {
    let (broker, bootstrap, topic) = start().await;
    write(&bootstrap, &topic, "a", 20).await;
    broker.elect_uncleanly(0);
    write(&bootstrap, &topic, "b", 10).await;
    let kafka = lavka_testkit::KafkaClient::new(bootstrap.clone());
    tokio::task::block_in_place(|| kafka.delete_records(&topic, 0, 22));
    let mut consumer = opened(&bootstrap, &topic).await;
    for stood in [3, 20] {
        consumer.seek(&place(&topic, 0), stood, Some(0)).await.unwrap();
        assert_eq!(told(&read(&mut *consumer, 8).await), expected(20, 1, "b", 2..10));
    }
    consumer.close().await;
}
