//! librdkafka's admin client.

use lavka_devbroker::BrokerConfig;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::{CommitMode, Consumer},
    types::RDKafkaErrorCode,
};

use super::{PATIENCE, Running};

#[test]
fn topics_come_and_go() {
    let running = Running::with(BrokerConfig { auto_create_topics: false, ..BrokerConfig::default() });
    running.create_topic("made", 3, &[("cleanup.policy", "compact")]);
    let admin = running.admin();
    let again = NewTopic::new("made", 1, TopicReplication::Fixed(1));
    let wide = NewTopic::new("wide", 1, TopicReplication::Fixed(3));
    let results =
        running.runtime.block_on(admin.create_topics([&again, &wide], &AdminOptions::new())).unwrap();
    assert_eq!(
        results,
        [
            Err(("made".to_owned(), RDKafkaErrorCode::TopicAlreadyExists)),
            Err(("wide".to_owned(), RDKafkaErrorCode::InvalidReplicationFactor)),
        ]
    );
    let metadata = admin.inner().fetch_metadata(None, PATIENCE).unwrap();
    assert_eq!(metadata.topics().len(), 1);
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    assert_eq!(metadata.brokers()[0].port(), i32::from(running.broker.addr().port()));
    assert_eq!(admin.inner().fetch_cluster_id(PATIENCE).as_deref(), Some(running.broker.cluster_id()));
    let deleted = admin.delete_topics(&["made", "never"], &AdminOptions::new());
    let deleted = running.runtime.block_on(deleted).unwrap();
    assert_eq!(
        deleted,
        [Ok("made".to_owned()), Err(("never".to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition)),]
    );
    assert_eq!(running.broker.stats().topics, 0);
    running.shutdown();
}

#[test]
fn settings_are_described_and_changed() {
    let running = Running::new();
    running.create_topic("set", 1, &[("retention.ms", "1000")]);
    let admin = running.admin();
    let describe = || {
        let resources = [ResourceSpecifier::Topic("set"), ResourceSpecifier::Broker(1)];
        let described = admin.describe_configs(&resources, &AdminOptions::new());
        running.runtime.block_on(described).unwrap()
    };
    let described = describe();
    let topic = described[0].as_ref().unwrap();
    let entry = topic.get("retention.ms").unwrap();
    assert_eq!((entry.value.as_deref(), entry.source == ConfigSource::DynamicTopic), (Some("1000"), true));
    let entry = topic.get("cleanup.policy").unwrap();
    assert_eq!((entry.value.as_deref(), entry.is_default), (Some("delete"), true));
    let broker = described[1].as_ref().unwrap();
    assert_eq!(broker.get("num.partitions").unwrap().value.as_deref(), Some("1"));
    let change = AlterConfig::new(ResourceSpecifier::Topic("set")).set("max.message.bytes", "5000");
    running.runtime.block_on(admin.alter_configs([&change], &AdminOptions::new())).unwrap();
    let described = describe();
    let topic = described[0].as_ref().unwrap();
    assert_eq!(topic.get("max.message.bytes").unwrap().value.as_deref(), Some("5000"));
    assert_eq!(topic.get("retention.ms").unwrap().value.as_deref(), Some("604800000"));
    running.shutdown();
}

#[test]
fn records_and_groups_can_be_deleted() {
    let running = Running::new();
    running.create_topic("cut", 1, &[]);
    running.send("cut", 0, &["0", "1", "2"]);
    let admin = running.admin();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("cut", 0, Offset::Offset(2)).unwrap();
    running.runtime.block_on(admin.delete_records(&offsets, &AdminOptions::new())).unwrap();
    let consumer = running.consumer(&[]);
    assert_eq!(consumer.fetch_watermarks("cut", 0, PATIENCE).unwrap(), (2, 3));

    consumer.assign(&offsets).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    assert_eq!(running.broker.stats().groups, 1);
    let deleted = admin.delete_groups(&["group", "other"], &AdminOptions::new());
    let deleted = running.runtime.block_on(deleted).unwrap();
    assert_eq!(deleted[0], Ok("group".to_owned()));
    assert_eq!(deleted[1], Err(("other".to_owned(), RDKafkaErrorCode::GroupIdNotFound)));
    assert_eq!(running.broker.stats().groups, 0);
    running.shutdown();
}
