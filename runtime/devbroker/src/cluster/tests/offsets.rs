//! Committed offsets.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        DeleteTopicsRequest, JoinGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
        OffsetFetchRequest, SyncGroupRequest,
        join_group_request::JoinGroupRequestProtocol,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
    },
    protocol::StrBytes,
};

use super::{Sim, ask, groups::group, topic};

fn commit_request(partition: i32, offset: i64, metadata: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(0)
        .with_committed_metadata(Some(StrBytes::from_string(metadata.to_owned())));
    let topic = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn commit(sim: &mut Sim, request: OffsetCommitRequest) -> i16 {
    ask!(sim, OffsetCommit 9, request).topics[0].partitions[0].error_code
}

/// What is committed for partitions 0 and 1, asked in the newer way.
fn committed(sim: &mut Sim) -> Vec<(i64, String)> {
    let topics = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
    let wanted = OffsetFetchRequestGroup::default().with_group_id(group("g")).with_topics(Some(vec![topics]));
    let answer = ask!(sim, OffsetFetch 9, OffsetFetchRequest::default().with_groups(vec![wanted]));
    let partitions = answer.groups[0].topics[0].partitions.iter();
    partitions.map(|one| (one.committed_offset, one.metadata.as_deref().unwrap().to_owned())).collect()
}

fn nothing() -> (i64, String) {
    (-1, String::new())
}

/// A consumer group of one that has joined and reads topic `t`; the member's id.
fn consumer(sim: &mut Sim) -> StrBytes {
    let mut subscription = BytesMut::new();
    subscription.put_i16(1);
    subscription.put_i32(1);
    subscription.put_i16(1);
    subscription.put_slice(b"t");
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(subscription.freeze());
    let join = JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    let member = ask!(sim, JoinGroup 3, join).member_id;
    let sync = SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(1)
        .with_member_id(member.clone())
        .with_protocol_name(None);
    assert_eq!(ask!(sim, SyncGroup 3, sync).assignment, Bytes::new());
    member
}

#[test]
fn offsets_are_committed_from_outside_while_a_group_has_no_members() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    assert_eq!(committed(&mut sim), [nothing(), nothing()]);
    assert_eq!(commit(&mut sim, commit_request(1, 42, "here")), 0);
    assert_eq!(commit(&mut sim, commit_request(2, 1, "")), 3, "no such partition");
    assert_eq!(commit(&mut sim, commit_request(0, 1, &"x".repeat(4097))), 12, "OFFSET_METADATA_TOO_LARGE");
    assert_eq!(committed(&mut sim), [nothing(), (42, "here".to_owned())]);
    consumer(&mut sim);
    assert_eq!(commit(&mut sim, commit_request(1, 43, "")), 25, "the group has members now");
}

#[test]
fn all_offsets_of_a_group_can_be_asked_for_in_both_ways() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    commit(&mut sim, commit_request(1, 42, "here"));
    let old =
        ask!(sim, OffsetFetch 7, OffsetFetchRequest::default().with_group_id(group("g")).with_topics(None));
    assert_eq!(old.topics.len(), 1);
    let partition = &old.topics[0].partitions[0];
    assert_eq!((partition.partition_index, partition.committed_offset), (1, 42));
    let wanted = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0]);
    let some = OffsetFetchRequest::default().with_group_id(group("g")).with_topics(Some(vec![wanted]));
    assert_eq!(ask!(sim, OffsetFetch 1, some).topics[0].partitions[0].committed_offset, -1);
    let all = |id| OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(None);
    let new = ask!(sim, OffsetFetch 8, OffsetFetchRequest::default().with_groups(vec![all("g"), all("h")]));
    assert_eq!(new.groups[0].topics[0].partitions[0].committed_offset, 42);
    assert!(new.groups[1].topics.is_empty(), "a group nobody knows has none, and that is no error");
}

#[test]
fn members_commit_with_their_generation() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    let member = consumer(&mut sim);
    let of = |member: &StrBytes, generation| {
        commit_request(0, 7, "").with_member_id(member.clone()).with_generation_id_or_member_epoch(generation)
    };
    assert_eq!(commit(&mut sim, of(&member, 2)), 22, "ILLEGAL_GENERATION");
    assert_eq!(commit(&mut sim, of(&StrBytes::from_static_str("x"), 1)), 25);
    assert_eq!(commit(&mut sim, of(&member, 1).with_group_id(group("h"))), 22, "a group nobody knows");
    sim.pass(Duration::from_secs(9));
    assert_eq!(commit(&mut sim, of(&member, 1)), 0);
    sim.pass(Duration::from_secs(9));
    assert_eq!(commit(&mut sim, of(&member, 1)), 0, "a commit is as good as a heartbeat");
    assert_eq!(committed(&mut sim), [(7, String::new()), nothing()]);
}

#[test]
fn offsets_can_be_deleted_unless_the_topic_is_being_read() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    let delete = |sim: &mut Sim, name, partition| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic =
            OffsetDeleteRequestTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![topic]);
        let answer = ask!(sim, OffsetDelete 0, request);
        (answer.error_code, answer.topics.first().map(|topic| topic.partitions[0].error_code))
    };
    assert_eq!(delete(&mut sim, "t", 0), (69, None), "GROUP_ID_NOT_FOUND");
    commit(&mut sim, commit_request(0, 1, ""));
    commit(&mut sim, commit_request(1, 2, ""));
    assert_eq!(delete(&mut sim, "t", 0), (0, Some(0)));
    assert_eq!(delete(&mut sim, "t", 9), (0, Some(3)));
    assert_eq!(committed(&mut sim), [nothing(), (2, String::new())]);
    sim.create("other", 1, &[]);
    consumer(&mut sim);
    assert_eq!(delete(&mut sim, "t", 1), (0, Some(86)), "GROUP_SUBSCRIBED_TO_TOPIC");
    assert_eq!(delete(&mut sim, "other", 0), (0, Some(0)));
}

#[test]
fn offsets_go_with_their_topic() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    commit(&mut sim, commit_request(0, 5, ""));
    ask!(sim, DeleteTopics 1, DeleteTopicsRequest::default().with_topic_names(vec![topic("t")]));
    sim.create("t", 2, &[]);
    assert_eq!(committed(&mut sim), [nothing(), nothing()]);
}

#[test]
fn groups_nobody_uses_are_forgotten_after_a_week() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    commit(&mut sim, commit_request(0, 5, ""));
    sim.pass(Duration::from_secs(7 * 24 * 3600 - 301));
    assert_eq!(committed(&mut sim)[0].0, 5);
    sim.pass(Duration::from_secs(602));
    assert_eq!(committed(&mut sim)[0].0, -1);
    assert!(ask!(sim, ListGroups 5, ListGroupsRequest::default()).groups.is_empty());
    assert_eq!(sim.cluster.next_wakeup(), None);
}
