//! Reading.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_api::ErrorClass;
use lavka_ports::{Buffer, Cluster, ConsumerEvent, NewTopic, Subscription};

use crate::support::*;

on_both! {
    all_is_read_in_order_and_the_group_goes_on_where_it_committed,
    dropping_the_future_loses_nothing,
    a_seek_takes_effect_at_once_even_before_the_first_fetch,
    a_paused_partition_keeps_what_was_read_and_lets_others_pass,
    a_slow_reader_stays_in_its_group_and_misses_nothing,
    topics_for_a_pattern_are_those_that_are_not_internal,
    without_an_offset_to_start_at_the_consumer_fails,
    batches_are_no_larger_than_asked_for,
    a_topic_that_is_subscribed_to_is_created_where_the_broker_does_that,
    a_topic_that_comes_later_is_noticed,
}

async fn all_is_read_in_order_and_the_group_goes_on_where_it_committed(bootstrap: &str) {
    const COUNT: usize = 5000;
    let topic = topic(bootstrap, 3).await;
    fill(bootstrap, &topic, 3, COUNT, 100).await;
    let group = format!("{topic}-group");
    let mut consumer = reader(bootstrap, &group, &topic, &[]).await;
    assert_eq!(assigned(&mut *consumer).await, [place(&topic, 0), place(&topic, 1), place(&topic, 2)]);
    let read_all = read(&mut *consumer, 3 * COUNT).await;
    let expected: Vec<i64> = (0..).take(COUNT).collect();
    for partition in 0..3 {
        assert_eq!(numbers(&read_all, partition), expected);
    }
    // One allocation for the name, however many records.
    let names = read_all.iter().map(|record| record.topic.as_str().as_ptr());
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>().len(), 3);
    consumer.commit(&BTreeMap::from([(place(&topic, 0), 4990), (place(&topic, 2), 4999)])).await.unwrap();
    consumer.close().await;

    let mut consumer = reader(bootstrap, &group, &topic, &[]).await;
    assigned(&mut *consumer).await;
    let again = read(&mut *consumer, 10 + COUNT + 1).await;
    assert_eq!(numbers(&again, 0), expected[4990..]);
    assert_eq!(numbers(&again, 1), expected);
    assert_eq!(numbers(&again, 2), expected[4999..]);
    consumer.close().await;
}

async fn dropping_the_future_loses_nothing(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), &topic, &[]).await;
    let writer = fill(bootstrap, &topic, 1, 3000, 10);
    let mut seen = Vec::new();
    let mut were_assigned = false;
    let reading = async {
        while seen.len() < 3000 {
            let next = consumer.next(7, Duration::from_secs(1));
            match tokio::time::timeout(Duration::from_micros(50), next).await {
                Ok(Ok(ConsumerEvent::Records(records))) => seen.extend(records.iter().map(number)),
                Ok(Ok(ConsumerEvent::Assigned(_))) => were_assigned = true,
                Ok(Ok(ConsumerEvent::Idle)) | Err(_) => {}
                Ok(other) => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(writer, async { tokio::time::timeout(PATIENCE, reading).await.unwrap() });
    assert!(were_assigned);
    assert_eq!(seen, (0..3000).collect::<Vec<i64>>());
    consumer.close().await;
}

async fn a_seek_takes_effect_at_once_even_before_the_first_fetch(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 2, 3000, 10).await;
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), &topic, &[]).await;
    let error = consumer.seek(&place(&topic, 0), 1, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("No current assignment for partition {topic}-0"));
    assigned(&mut *consumer).await;
    // What a sink does that keeps offsets with its data: it rewinds when partitions are opened.
    consumer.seek(&place(&topic, 0), 2500, None).await.unwrap();
    consumer.seek(&place(&topic, 1), 2990, None).await.unwrap();
    let first = read(&mut *consumer, 510).await;
    assert_eq!(numbers(&first, 0), (2500..3000).collect::<Vec<i64>>());
    assert_eq!(numbers(&first, 1), (2990..3000).collect::<Vec<i64>>());
    // Back, again and again, with thousands read ahead each time.
    for round in 0..5 {
        consumer.seek(&place(&topic, 0), 100 * round, None).await.unwrap();
        let records = read(&mut *consumer, 700).await;
        assert_eq!(numbers(&records, 0), (100 * round..).take(700).collect::<Vec<i64>>());
    }
    let error = consumer.seek(&place(&topic, 0), -5, None).await.unwrap_err();
    assert_eq!(error.exception(), "java.lang.IllegalArgumentException");
    consumer.close().await;
}

async fn a_paused_partition_keeps_what_was_read_and_lets_others_pass(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 2, 3000, 10).await;
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), &topic, &[]).await;
    assigned(&mut *consumer).await;
    let mut seen = read(&mut *consumer, 200).await;
    consumer.pause(&[place(&topic, 0)]).await.unwrap();
    let paused_at = numbers(&seen, 0).len();
    let mut others = read(&mut *consumer, 3000 - numbers(&seen, 1).len()).await;
    assert!(numbers(&others, 0).is_empty());
    seen.append(&mut others);
    assert!(matches!(consumer.next(100, Duration::from_millis(50)).await.unwrap(), ConsumerEvent::Idle));
    consumer.resume(&[place(&topic, 0)]).await.unwrap();
    seen.append(&mut read(&mut *consumer, 3000 - paused_at).await);
    for partition in 0..2 {
        assert_eq!(numbers(&seen, partition), (0..3000).collect::<Vec<i64>>());
    }
    consumer.close().await;
}

async fn a_slow_reader_stays_in_its_group_and_misses_nothing(bootstrap: &str) {
    const COUNT: usize = 20_000;
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 2, COUNT, 500).await;
    let limits = [
        ("group.id", topic.as_str()),
        ("auto.offset.reset", "earliest"),
        ("session.timeout.ms", "4000"),
        ("heartbeat.interval.ms", "500"),
        ("max.poll.interval.ms", "4000"),
    ];
    let buffer = Buffer { records: 500, bytes: 256 * 1024 };
    let mut consumer =
        lavka_kafka::RdKafkaCluster::new().consumer(&config(bootstrap, &limits), buffer).unwrap();
    consumer.subscribe(&Subscription::Topics(vec![topic.to_string()])).await.unwrap();
    assigned(&mut *consumer).await;
    let mut seen = read(&mut *consumer, 10).await;
    // Longer than the group waits for a member that does not poll.
    tokio::time::sleep(Duration::from_secs(8)).await;
    seen.append(&mut read(&mut *consumer, 2 * COUNT - 10).await);
    for partition in 0..2 {
        assert_eq!(numbers(&seen, partition), (0..).take(COUNT).collect::<Vec<i64>>());
    }
    let end = i64::try_from(COUNT).unwrap();
    consumer.commit(&BTreeMap::from([(place(&topic, 0), end), (place(&topic, 1), end)])).await.unwrap();
    consumer.close().await;
}

async fn topics_for_a_pattern_are_those_that_are_not_internal(bootstrap: &str) {
    let first = topic(bootstrap, 1).await;
    fill(bootstrap, &first, 1, 10, 10).await;
    let group = format!("{first}-group");
    let mut consumer = consumer(bootstrap, &group, &[]);
    let matches = |names: &[String], prefix: &str| -> Vec<String> {
        names.iter().filter(|name| name.starts_with(prefix)).cloned().collect()
    };
    let pattern = |matches| Subscription::Pattern { regex: format!("{first}.*"), matches };
    // Nothing matches yet: that is no error, and nothing is read.
    consumer.subscribe(&pattern(Vec::new())).await.unwrap();
    assert!(matches!(consumer.next(1, Duration::from_millis(50)).await.unwrap(), ConsumerEvent::Idle));
    let names = consumer.topics().await.unwrap();
    assert!(!names.iter().any(|name| name.starts_with("__")), "{names:?}");
    consumer.subscribe(&pattern(matches(&names, &first))).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await, [place(&first, 0)]);
    assert_eq!(read(&mut *consumer, 10).await.len(), 10);
    for wrong in ["^.*", "", "a b", "a\0b"] {
        let error = consumer.subscribe(&Subscription::Topics(vec![wrong.into()])).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Config, "{wrong:?}");
    }
    consumer.close().await;
}

async fn without_an_offset_to_start_at_the_consumer_fails(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    fill(bootstrap, &topic, 1, 1, 10).await;
    let group = format!("{topic}-group");
    let mut consumer = reader(bootstrap, &group, &topic, &[("auto.offset.reset", "none")]).await;
    assigned(&mut *consumer).await;
    let error = loop {
        match consumer.next(10, Duration::from_secs(1)).await {
            Ok(ConsumerEvent::Idle) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert_eq!(error.exception(), "org.apache.kafka.clients.consumer.NoOffsetForPartitionException");
    assert!(error.to_string().starts_with(&format!("Consumer group {group}: ")), "{error}");
    consumer.close().await;
}

async fn a_topic_that_comes_later_is_noticed(bootstrap: &str) {
    let first = topic(bootstrap, 1).await;
    fill(bootstrap, &first, 1, 10, 10).await;
    let late = lavka_testkit::unique("late");
    let mut consumer =
        consumer(bootstrap, &format!("{first}-group"), &[("allow.auto.create.topics", "false")]);
    consumer.subscribe(&Subscription::Topics(vec![first.to_string(), late.clone()])).await.unwrap();
    assert_eq!(assigned(&mut *consumer).await, [place(&first, 0)]);
    read(&mut *consumer, 10).await;
    let new = NewTopic {
        name: late.clone(),
        partitions: Some(1),
        replication_factor: Some(1),
        configs: Vec::new(),
    };
    admin(bootstrap).create_topic(&new).await.unwrap();
    let (_, done) = revoked(&mut *consumer).await;
    drop(done);
    let late = lavka_api::data::Topic::from(late);
    assert_eq!(assigned(&mut *consumer).await, [place(&first, 0), place(&late, 0)]);
    consumer.close().await;
}

async fn a_topic_that_is_subscribed_to_is_created_where_the_broker_does_that(bootstrap: &str) {
    let topic = lavka_api::data::Topic::from(lavka_testkit::unique("new"));
    let mut consumer = reader(bootstrap, &format!("{topic}-group"), &topic, &[]).await;
    assert_eq!(assigned(&mut *consumer).await, [place(&topic, 0)]);
    fill(bootstrap, &topic, 1, 10, 10).await;
    assert_eq!(read(&mut *consumer, 10).await.len(), 10);
    consumer.close().await;
}

async fn batches_are_no_larger_than_asked_for(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    fill(bootstrap, &topic, 1, 2000, 10).await;
    for (limit, expected) in [(None, 500), (Some("30"), 30)] {
        let entries: Vec<_> = limit.iter().map(|limit| ("max.poll.records", *limit)).collect();
        let group = lavka_testkit::unique("group");
        let mut consumer = reader(bootstrap, &group, &topic, &entries).await;
        assigned(&mut *consumer).await;
        let (mut largest, mut count) = (0, 0);
        while count < 2000 {
            // So that there is always more to be had than fits.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let batch = records(&mut *consumer, 1000).await.len();
            largest = largest.max(batch);
            count += batch;
        }
        assert!(largest <= expected, "{largest}");
        consumer.close().await;
    }
}
