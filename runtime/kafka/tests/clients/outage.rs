//! A broker that goes away and comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_ports::ConsumerEvent;
use lavka_testkit::KafkaServer;

use crate::support::*;

/// The embedded broker forgets its records when it stops, so this is for a real one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_broker_is_away() {
    if !tokio::task::block_in_place(|| {
        lavka_testkit::services().kafka.is_real_for("nothing_is_lost_while_the_broker_is_away")
    }) {
        return;
    }
    let mut server = tokio::task::block_in_place(KafkaServer::start).unwrap();
    let bootstrap = server.bootstrap();
    let topic = topic(&bootstrap, 1).await;
    let group = format!("{topic}-group");
    let producer = producer(&bootstrap, &[]);
    let mut consumer = reader(&bootstrap, &group, &topic, &[]).await;
    assigned(&mut *consumer).await;
    let mut acks = Vec::new();
    let mut seen = Vec::new();
    for number in 0..1000 {
        producer.send(record(&topic, 0, number.to_string().as_bytes(), number)).unwrap();
    }
    seen.append(&mut read(&mut *consumer, 1000).await);
    consumer.commit(&BTreeMap::from([(place(&topic, 0), 500)])).await.unwrap();

    tokio::task::block_in_place(|| server.stop());
    for number in 1000..2000 {
        producer.send(record(&topic, 0, number.to_string().as_bytes(), number)).unwrap();
    }
    // A broker that is away shows as nothing to read.
    assert!(matches!(consumer.next(100, Duration::from_millis(500)).await.unwrap(), ConsumerEvent::Idle));
    tokio::task::block_in_place(|| server.restart()).unwrap();

    for number in 2000..3000 {
        producer.send(record(&topic, 0, number.to_string().as_bytes(), number)).unwrap();
    }
    collect(&*producer, &mut acks, 3000).await;
    let mut tokens: Vec<usize> = acks.iter().filter(|ack| ack.outcome.is_ok()).map(|ack| ack.token).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..3000).collect::<Vec<_>>());
    // The coordinator may have forgotten the member: then the group begins anew, behind what was committed.
    let mut values: BTreeMap<i64, i64> = seen.iter().map(|record| (record.offset, value(record))).collect();
    while values.values().max() != Some(&2999) {
        match event(&mut *consumer, 500).await {
            ConsumerEvent::Records(records) => values.extend(records.iter().map(|r| (r.offset, value(r)))),
            ConsumerEvent::Assigned(_) | ConsumerEvent::Revoked { .. } | ConsumerEvent::Idle => {}
        }
    }
    // A request whose answer was lost may have been written twice, for idempotence is off as Connect has it; the first
    // copies are in order.
    let mut first_copies: Vec<i64> = Vec::new();
    for value in values.into_values() {
        if first_copies.last().is_none_or(|last| value > *last) {
            first_copies.push(value);
        }
    }
    assert_eq!(first_copies, (0..3000).collect::<Vec<i64>>());
    let end = admin(&bootstrap).end_offsets(&[place(&topic, 0)]).await.unwrap();
    consumer.commit(&end).await.unwrap();
    consumer.close().await;
}

fn value(record: &lavka_ports::ConsumedRecord) -> i64 {
    std::str::from_utf8(record.value.as_deref().unwrap()).unwrap().parse().unwrap()
}
