use lavka_testkit::{KafkaServer, NewRecord, eventually, services, unique};

use crate::LONG;

#[test]
fn records_come_back_as_they_were_produced() {
    let client = services().kafka.client();
    let topic = unique("round-trip");
    client.create_topic(&topic, 2);
    client.produce(
        &topic,
        [
            NewRecord::of("first").key("a").partition(0).timestamp(1_700_000_000_123),
            NewRecord::tombstone("a").partition(0),
            NewRecord::of([0xff, 0x00]).partition(1).header("h", "1").null_header("h").header("", ""),
        ],
    );
    assert_eq!(client.end_offsets(&topic), [2, 1]);

    let read = client.consume_all(&topic);
    let places: Vec<_> = read.iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (1, 0)]);
    assert_eq!((read[0].key_text(), read[0].value_text()), (Some("a"), Some("first")));
    assert_eq!(read[0].timestamp, Some(1_700_000_000_123));
    assert_eq!((read[1].key_text(), read[1].value_text()), (Some("a"), None));
    assert_eq!((read[2].key.as_deref(), read[2].value.as_deref()), (None, Some(&[0xff, 0x00][..])));
    let headers = [("h", Some(b"1".to_vec())), ("h", None), ("", Some(Vec::new()))];
    assert_eq!(read[2].headers, headers.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(client.consume_count(&topic, 3, LONG), read);
}

#[test]
fn an_empty_topic_is_read_to_its_end_at_once() {
    let client = services().kafka.client();
    let topic = unique("empty");
    client.create_topic(&topic, 3);
    assert!(client.consume_all(&topic).is_empty());
    assert_eq!(client.end_offsets(&topic), [0, 0, 0]);
}

#[test]
fn topics_are_created_with_configs_described_grown_and_deleted() {
    let kafka = &services().kafka;
    if !kafka.is_real_for("topics_are_created_with_configs_described_grown_and_deleted") {
        return;
    }
    let client = kafka.client();
    let topic = unique("managed");
    client.create_topic_with(&topic, 1, &[("cleanup.policy", "compact")]);
    assert_eq!(client.topic_configs(&topic)["cleanup.policy"].as_deref(), Some("compact"));
    client.grow_topic(&topic, 3);
    assert_eq!(client.partitions(&topic), 3);
    client.delete_topic(&topic);
    eventually("the topic to be gone", LONG, || (!client.topics().contains(&topic)).then_some(()));
}

#[test]
fn committed_offsets_of_a_group_are_read_by_partition() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::{Offset, TopicPartitionList};

    let client = services().kafka.client();
    let (topic, group) = (unique("committed"), unique("group"));
    client.create_topic(&topic, 2);
    assert_eq!(client.committed(&group, &topic), [None, None]);
    let consumer: BaseConsumer = client.config().set("group.id", &group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 1, Offset::Offset(42)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    assert_eq!(client.committed(&group, &topic), [None, Some(42)]);
}

#[test]
fn a_server_of_ones_own_keeps_its_records_over_a_kill() {
    if !services().kafka.is_real_for("a_server_of_ones_own_keeps_its_records_over_a_kill") {
        return;
    }
    let mut server = KafkaServer::start().unwrap();
    let address = server.bootstrap();
    let client = server.client();
    client.create_topic("kept", 1);
    client.produce("kept", [NewRecord::of("before")]);
    server.kill();
    server.restart().unwrap();
    assert_eq!(server.bootstrap(), address);
    client.produce("kept", [NewRecord::of("after")]);
    let values: Vec<_> = client.consume_all("kept").iter().filter_map(|r| r.value.clone()).collect();
    assert_eq!(values, [b"before".to_vec(), b"after".to_vec()]);
    server.stop();
}
