//! Consumer groups of librdkafka: sharing, leaving, coming back, committing.

use rdkafka::{
    Message, Offset, TopicPartitionList,
    admin::{AdminOptions, NewPartitions},
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::{PATIENCE, Running, assigned, receive, until};

/// Lets both consumers do their part until their partitions are as wanted.
fn settle(consumers: &[(&BaseConsumer, usize)]) {
    let poll = || consumers.iter().for_each(|(consumer, _)| drop(consumer.poll(std::time::Duration::ZERO)));
    until("the group to settle", poll, || {
        consumers.iter().all(|(consumer, wanted)| assigned(consumer) == *wanted)
    });
}

/// Plain numbers, because librdkafka's own list keeps its consumer from closing.
fn partitions(consumer: &BaseConsumer) -> Vec<i32> {
    consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect()
}

fn two_share_and_one_leaves(strategy: &str) {
    let running = Running::new();
    running.create_topic("shared", 4, &[]);
    let settings = [("partition.assignment.strategy", strategy)];
    let first = running.consumer(&settings);
    first.subscribe(&["shared"]).unwrap();
    settle(&[(&first, 4)]);
    let second = running.consumer(&settings);
    second.subscribe(&["shared"]).unwrap();
    settle(&[(&first, 2), (&second, 2)]);
    assert_eq!(running.broker.stats().groups, 1);
    let groups = first.fetch_group_list(Some("group"), PATIENCE).unwrap();
    let group = &groups.groups()[0];
    assert_eq!((group.state(), group.protocol_type(), group.members().len()), ("Stable", "consumer", 2));
    assert_eq!(group.members()[0].client_host(), "/127.0.0.1");
    drop(second);
    settle(&[(&first, 4)]);
    for partition in 0..4 {
        running.send("shared", partition, &["hello"]);
    }
    let mut partitions: Vec<i32> = receive(&first, 4).iter().map(Message::partition).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2, 3]);
    drop(first);
    running.shutdown();
}

#[test]
fn two_consumers_share_and_the_one_that_stays_takes_over() {
    two_share_and_one_leaves("range");
}

#[test]
fn cooperative_consumers_share_and_the_one_that_stays_takes_over() {
    two_share_and_one_leaves("cooperative-sticky");
}

#[test]
fn a_group_goes_on_where_it_committed() {
    let running = Running::new();
    running.create_topic("resumed", 1, &[]);
    running.send("resumed", 0, &["0", "1", "2", "3", "4"]);
    let consumer = running.consumer(&[]);
    consumer.subscribe(&["resumed"]).unwrap();
    let messages = receive(&consumer, 3);
    assert_eq!(messages[2].offset(), 2);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("resumed", 0, Offset::Offset(3)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    drop(consumer);

    let consumer = running.consumer(&[]);
    consumer.subscribe(&["resumed"]).unwrap();
    assert_eq!(receive(&consumer, 2).iter().map(Message::offset).collect::<Vec<_>>(), [3, 4]);
    let committed = consumer.committed_offsets(offsets, PATIENCE).unwrap();
    assert_eq!(committed.find_partition("resumed", 0).unwrap().offset(), Offset::Offset(3));
    drop(consumer);
    running.shutdown();
}

#[test]
fn a_static_member_comes_back_to_its_partitions() {
    let running = Running::new();
    running.create_topic("static", 4, &[]);
    let first = running.consumer(&[("group.instance.id", "one")]);
    let second = running.consumer(&[("group.instance.id", "two")]);
    first.subscribe(&["static"]).unwrap();
    second.subscribe(&["static"]).unwrap();
    settle(&[(&first, 2), (&second, 2)]);
    let before = partitions(&second);
    drop(second);
    let second = running.consumer(&[("group.instance.id", "two")]);
    second.subscribe(&["static"]).unwrap();
    settle(&[(&first, 2), (&second, 2)]);
    assert_eq!(partitions(&second), before);
    drop((first, second));
    running.shutdown();
}

#[test]
fn consumers_notice_partitions_that_were_added() {
    let running = Running::new();
    running.create_topic("growing", 1, &[]);
    let consumer = running.consumer(&[("topic.metadata.refresh.interval.ms", "100")]);
    consumer.subscribe(&["growing"]).unwrap();
    settle(&[(&consumer, 1)]);
    let admin = running.admin();
    let wanted = [NewPartitions::new("growing", 3)];
    let grown = admin.create_partitions(&wanted, &AdminOptions::new());
    assert_eq!(running.runtime.block_on(grown).unwrap(), [Ok("growing".to_owned())]);
    settle(&[(&consumer, 3)]);
    drop(consumer);
    running.shutdown();
}
