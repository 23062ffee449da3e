//! Two members of a group, and the handshake between the group and a reader that takes its time.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_ports::ConsumerEvent;

use crate::support::*;

const COOPERATIVE: (&str, &str) =
    ("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

on_both! {
    the_group_waits_for_the_reader_and_takes_its_commit,
    with_the_cooperative_protocol_only_what_moves_is_revoked,
    a_reader_that_takes_too_long_is_not_waited_for,
    a_pending_rebalance_does_not_hold_up_closing,
    a_member_that_was_expelled_has_lost_its_partitions,
}

async fn the_group_waits_for_the_reader_and_takes_its_commit(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 2, 1000, 10).await;
    let group = format!("{topic}-group");
    let mut first = reader(bootstrap, &group, &topic, &[]).await;
    assert_eq!(assigned(&mut *first).await.len(), 2);
    read(&mut *first, 300).await;
    let mut second = reader(bootstrap, &group, &topic, &[]).await;
    let (partitions, done) = revoked(&mut *first).await;
    assert_eq!(partitions, [place(&topic, 0), place(&topic, 1)]);
    // The reader is slow: nothing is handed out meanwhile, on either side.
    assert!(matches!(first.next(100, Duration::from_millis(300)).await.unwrap(), ConsumerEvent::Idle));
    assert!(matches!(second.next(100, Duration::from_millis(300)).await.unwrap(), ConsumerEvent::Idle));
    first.commit(&BTreeMap::from([(place(&topic, 0), 123), (place(&topic, 1), 456)])).await.unwrap();
    drop(done);
    let (mine, theirs) = tokio::join!(assigned(&mut *first), assigned(&mut *second));
    assert_eq!((mine.len(), theirs.len()), (1, 1));
    assert_ne!(mine, theirs);
    for (consumer, partition) in [(&mut first, &mine[0]), (&mut second, &theirs[0])] {
        let start = if partition.partition == 0 { 123 } else { 456 };
        assert_eq!(number(&read(&mut **consumer, 1).await[0]), start);
    }
    second.close().await;
    // Its partition comes back.
    let (_, done) = revoked(&mut *first).await;
    drop(done);
    assert_eq!(assigned(&mut *first).await.len(), 2);
    first.close().await;
}

async fn with_the_cooperative_protocol_only_what_moves_is_revoked(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 2, 1000, 10).await;
    let group = format!("{topic}-group");
    let mut first = reader(bootstrap, &group, &topic, &[COOPERATIVE]).await;
    assert_eq!(assigned(&mut *first).await.len(), 2);
    let mut seen = read(&mut *first, 300).await;
    let mut second = reader(bootstrap, &group, &topic, &[COOPERATIVE]).await;
    let (partitions, done) = loop {
        match event(&mut *first, 100).await {
            ConsumerEvent::Revoked { partitions, done, .. } => break (partitions, done),
            ConsumerEvent::Records(mut records) => seen.append(&mut records),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(partitions.len(), 1);
    let (moved, kept) = (partitions[0].clone(), place(&topic, 1 - partitions[0].partition));
    first.commit(&BTreeMap::from([(moved.clone(), 77)])).await.unwrap();
    drop(done);
    assert_eq!(assigned(&mut *second).await, std::slice::from_ref(&moved));
    assert_eq!(number(&read(&mut *second, 1).await[0]), 77);
    // What stays is read on without a gap and without repetition.
    while numbers(&seen, kept.partition).len() < 1000 {
        match event(&mut *first, 100).await {
            ConsumerEvent::Records(mut records) => {
                assert!(records.iter().all(|record| record.partition == kept.partition));
                seen.append(&mut records);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(numbers(&seen, kept.partition), (0..1000).collect::<Vec<i64>>());
    first.close().await;
    second.close().await;
}

async fn a_reader_that_takes_too_long_is_not_waited_for(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    let group = format!("{topic}-group");
    let limits =
        [("max.poll.interval.ms", "9000"), ("session.timeout.ms", "9000"), ("heartbeat.interval.ms", "1000")];
    let mut first = reader(bootstrap, &group, &topic, &limits).await;
    assert_eq!(assigned(&mut *first).await.len(), 2);
    let mut second = reader(bootstrap, &group, &topic, &limits).await;
    let (_, done) = revoked(&mut *first).await;
    assert_eq!(assigned(&mut *second).await.len(), 1);
    assert_eq!(assigned(&mut *first).await.len(), 1);
    drop(done);
    first.close().await;
    second.close().await;
}

async fn a_pending_rebalance_does_not_hold_up_closing(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    let group = format!("{topic}-group");
    let mut first = reader(bootstrap, &group, &topic, &[]).await;
    assert_eq!(assigned(&mut *first).await.len(), 2);
    let mut second = reader(bootstrap, &group, &topic, &[]).await;
    let (_, done) = revoked(&mut *first).await;
    first.close().await;
    // The group may have gone through a generation with both.
    let mut held = 0;
    while held < 2 {
        match event(&mut *second, 1).await {
            ConsumerEvent::Assigned(partitions) => held += partitions.len(),
            ConsumerEvent::Revoked { partitions, .. } => held -= partitions.len(),
            other => panic!("{other:?}"),
        }
    }
    drop(done);
    second.close().await;
}

/// A static member that is replaced by another with its name can do nothing more in the group.
async fn a_member_that_was_expelled_has_lost_its_partitions(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    fill(bootstrap, &topic, 1, 10, 10).await;
    let group = format!("{topic}-group");
    let name = [("group.instance.id", "worker-1-task-0"), ("heartbeat.interval.ms", "300")];
    let mut first = reader(bootstrap, &group, &topic, &name).await;
    assert_eq!(assigned(&mut *first).await.len(), 1);
    let mut second = reader(bootstrap, &group, &topic, &name).await;
    assert_eq!(assigned(&mut *second).await.len(), 1);
    assert_eq!(read(&mut *second, 10).await.len(), 10);
    let error = loop {
        match first.next(100, Duration::from_secs(1)).await {
            Ok(ConsumerEvent::Revoked { lost, .. }) => assert!(lost),
            Ok(ConsumerEvent::Idle | ConsumerEvent::Records(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(!error.is_retriable(), "{error}");
    assert!(first.commit(&BTreeMap::from([(place(&topic, 0), 5)])).await.is_err());
    first.close().await;
    second.commit(&BTreeMap::from([(place(&topic, 0), 10)])).await.unwrap();
    second.close().await;
}
