//! Offsets of groups.

use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
};

use super::{
    groups::{join_request, sync_request},
    session::{Session, code, text},
    wire::ask,
};

fn commit_request(
    session: &Session,
    topic: &str,
    index: i32,
    offset: i64,
    metadata: Option<&str>,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(index)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(metadata.map(text));
    let topic =
        OffsetCommitRequestTopic::default().with_name(session.topic(topic)).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(session.group("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn commit(session: &mut Session, what: &str, request: OffsetCommitRequest) {
    let answer = ask!(session.wire, OffsetCommit 8, request).topics.remove(0).partitions.remove(0);
    session.note(what, code(answer.error_code));
}

fn fetch(session: &mut Session, what: &str, group: &str, topics: Option<Vec<(&str, Vec<i32>)>>) {
    let topics = topics.map(|topics| {
        topics
            .into_iter()
            .map(|(name, indexes)| {
                OffsetFetchRequestTopics::default()
                    .with_name(session.topic(name))
                    .with_partition_indexes(indexes)
            })
            .collect()
    });
    let wanted = OffsetFetchRequestGroup::default().with_group_id(session.group(group)).with_topics(topics);
    let answer = ask!(session.wire, OffsetFetch 8, OffsetFetchRequest::default().with_groups(vec![wanted]))
        .groups
        .remove(0);
    let mut found = Vec::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            found.push(format!(
                "{}-{} {} offset={} epoch={} {:?}",
                topic.name.as_str(),
                partition.partition_index,
                code(partition.error_code),
                partition.committed_offset,
                partition.committed_leader_epoch,
                partition.metadata.as_deref()
            ));
        }
    }
    found.sort();
    session.note(what, format!("{} {found:?}", code(answer.error_code)));
}

pub(crate) fn commits(session: &mut Session) {
    session.create("t", 2, &[]);
    session.await_group("g");
    fetch(session, "of a group nobody knows", "g", None);
    fetch(session, "one of a group nobody knows", "g", Some(vec![("t", vec![0])]));
    let long = "x".repeat(5000);
    for (what, topic, index, offset, metadata) in [
        ("committed", "t", 0, 5, Some("about it")),
        ("without metadata", "t", 1, 6, None),
        ("unknown topic", "nowhere", 0, 1, None),
        ("unknown partition", "t", 9, 1, None),
        ("negative partition", "t", -1, 1, None),
        ("negative offset", "t", 1, -5, None),
        ("long metadata", "t", 0, 7, Some(long.as_str())),
    ] {
        let request = commit_request(session, topic, index, offset, metadata);
        commit(session, what, request);
    }
    fetch(session, "all", "g", None);
    fetch(session, "some", "g", Some(vec![("t", vec![1, 5]), ("nowhere", vec![0])]));
    fetch(session, "none", "g", Some(vec![]));
    let old = OffsetFetchRequest::default().with_group_id(session.group("g")).with_topics(Some(vec![
        OffsetFetchRequestTopic::default().with_name(session.topic("t")).with_partition_indexes(vec![0, 1]),
    ]));
    for version in [1, 5, 7] {
        let answer = ask!(session.wire, OffsetFetch version, old.clone());
        let found: Vec<String> = answer.topics[0]
            .partitions
            .iter()
            .map(|one| format!("{} {}", one.committed_offset, code(one.error_code)))
            .collect();
        session.note(format!("version {version}"), format!("{} {found:?}", code(answer.error_code)));
    }
    let mut a = session.connect();
    let first = ask!(a, JoinGroup 9, join_request(session, "", None, &["p"]));
    let id = first.member_id.to_string();
    ask!(a, JoinGroup 9, join_request(session, &id, None, &["p"]));
    let as_member = |session: &Session, member: &str, generation: i32| {
        commit_request(session, "t", 0, 9, None)
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
    };
    let request = as_member(session, &id, 1);
    commit(session, "a member before sync", request);
    ask!(a, SyncGroup 5, sync_request(session, &id, 1, &[(&id, "work")]));
    for (what, member, generation) in [
        ("a member", id.as_str(), 1),
        ("an old member", &id, 0),
        ("a stranger", "stranger", 1),
        ("nobody in particular", "", -1),
        ("a member without a generation", &id, -1),
    ] {
        let request = as_member(session, member, generation);
        commit(session, what, request);
    }
    let request = as_member(session, &id, 1).with_group_instance_id(Some(text("instance")));
    commit(session, "a static stranger", request);
    let request = as_member(session, "x", 3).with_group_id(session.group("another"));
    commit(session, "a member of nothing", request);
    let request =
        commit_request(session, "t", 0, 1, None).with_group_id(kafka_protocol::messages::GroupId(text("")));
    commit(session, "no group", request);
}

pub(crate) fn deletes(session: &mut Session) {
    session.create("t", 2, &[]);
    session.await_group("g");
    let remove = |session: &mut Session, what: &str, group: &str, topic: &str, index: i32| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(index);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(session.topic(topic))
            .with_partitions(vec![partition]);
        let request =
            OffsetDeleteRequest::default().with_group_id(session.group(group)).with_topics(vec![topic]);
        let answer = ask!(session.wire, OffsetDelete 0, request);
        let inner: Vec<String> = answer
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|one| code(one.error_code))
            .collect();
        session.note(what, format!("{} {inner:?}", code(answer.error_code)));
    };
    remove(session, "of a group nobody knows", "g", "t", 0);
    for index in [0, 1] {
        let request = commit_request(session, "t", index, 5, None);
        commit(session, "committed", request);
    }
    remove(session, "one", "g", "t", 0);
    remove(session, "the same", "g", "t", 0);
    remove(session, "unknown partition", "g", "t", 7);
    remove(session, "unknown topic", "g", "nowhere", 0);
    fetch(session, "left", "g", None);
    let mut a = session.connect();
    let first = ask!(a, JoinGroup 9, join_request(session, "", None, &["p"]));
    let id = first.member_id.to_string();
    ask!(a, JoinGroup 9, join_request(session, &id, None, &["p"]));
    ask!(a, SyncGroup 5, sync_request(session, &id, 1, &[(&id, "work")]));
    remove(session, "of a group with members", "g", "t", 1);
}
