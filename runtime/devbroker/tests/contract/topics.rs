//! Topics made, grown and deleted.

use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic},
    create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
    delete_topics_request::DeleteTopicState,
};
use uuid::Uuid;

use super::{
    session::{Session, code, text},
    wire::ask,
};

fn make(session: &mut Session, what: &str, topic: CreatableTopic, only_check: bool) {
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000)
        .with_validate_only(only_check);
    let answer = ask!(session.wire, CreateTopics 7, request).topics.remove(0);
    let (partitions, replicas) = (answer.num_partitions, answer.replication_factor);
    let message = answer.error_message.as_deref().unwrap_or("-");
    session.note(
        what,
        format!("{} partitions={partitions} replicas={replicas} {message}", code(answer.error_code)),
    );
}

fn topic(session: &Session, name: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(session.topic(name)).with_num_partitions(2).with_replication_factor(1)
}

pub(crate) fn create(session: &mut Session) {
    let one = topic(session, "t");
    make(session, "only checked", one.clone(), true);
    make(session, "made", one.clone(), false);
    make(session, "made again", one.clone(), false);
    make(session, "checked again", one.clone(), true);
    let defaults = topic(session, "defaults").with_num_partitions(-1).with_replication_factor(-1);
    make(session, "defaults", defaults, false);
    for count in [0, -2] {
        let one = topic(session, "u").with_num_partitions(count);
        make(session, &format!("{count} partitions"), one, false);
    }
    for count in [0, -2, 2] {
        let one = topic(session, "u").with_replication_factor(count);
        make(session, &format!("{count} replicas"), one, false);
    }
    for name in ["", ".", "..", "with space", "täpic", &"x".repeat(250)] {
        let one = topic(session, "u").with_name(kafka_protocol::messages::TopicName(text(name)));
        make(session, &format!("name {name:?}"), one, false);
    }
    let one = topic(session, "t.a_b");
    make(session, "dots", one, false);
    let one = topic(session, "t_a.b");
    make(session, "dots where others are", one, false);
    for (name, value) in [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("cleanup.policy", "shred"),
        ("cleanup.policy", ""),
        ("retention.ms", "-1"),
        ("retention.ms", "-2"),
        ("retention.ms", "a week"),
        ("retention.ms", " 5 "),
        ("max.message.bytes", "-1"),
        ("max.message.bytes", "99999999999"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("min.cleanable.dirty.ratio", "half"),
        ("unclean.leader.election.enable", "TRUE"),
        ("unclean.leader.election.enable", "maybe"),
        ("compression.type", "lzma"),
        ("compression.zstd.level", "23"),
        ("compression.gzip.level", "0"),
        ("segment.bytes", "1"),
        ("no.such.setting", "1"),
    ] {
        let config = CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
        let one = topic(session, "checked").with_configs(vec![config]);
        make(session, &format!("{name}={value}"), one, true);
    }
    for (what, assigned) in [
        ("assigned", vec![(0, vec![1])]),
        ("assigned to nobody", vec![(0, vec![9])]),
        ("assigned to none", vec![(0, vec![])]),
        ("assigned with a gap", vec![(0, vec![1]), (2, vec![1])]),
        ("assigned twice", vec![(0, vec![1, 1])]),
    ] {
        let assignments = assigned.into_iter().map(|(index, brokers)| {
            let brokers = brokers.into_iter().map(kafka_protocol::messages::BrokerId).collect();
            CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(brokers)
        });
        let one = topic(session, "assigned").with_num_partitions(-1).with_replication_factor(-1);
        make(session, what, one.with_assignments(assignments.collect()), true);
    }
    let mut one = topic(session, "assigned");
    one.assignments = vec![CreatableReplicaAssignment::default().with_broker_ids(vec![1.into()])];
    make(session, "assigned and counted", one, true);
}

/// What it is about, the topic, the count, the brokers of each new partition, and whether it is only checked.
type Step = (&'static str, &'static str, i32, Option<Vec<Vec<i32>>>, bool);

pub(crate) fn grow(session: &mut Session) {
    session.create("t", 2, &[]);
    let steps: Vec<Step> = vec![
        ("only checked", "t", 3, None, true),
        ("to three", "t", 3, None, false),
        ("to three again", "t", 3, None, false),
        ("to two", "t", 2, None, false),
        ("to none", "t", 0, None, false),
        ("to less than none", "t", -1, None, false),
        ("of nothing", "nowhere", 3, None, false),
        ("assigned", "t", 4, Some(vec![vec![1]]), false),
        ("assigned to nobody", "t", 5, Some(vec![vec![9]]), false),
        ("assigned too many", "t", 5, Some(vec![vec![1], vec![1]]), false),
        ("assigned too few", "t", 6, Some(vec![vec![1]]), false),
    ];
    for (what, name, count, assigned, only_check) in steps {
        let assignments = assigned.map(|all| {
            all.into_iter()
                .map(|brokers| {
                    let brokers = brokers.into_iter().map(kafka_protocol::messages::BrokerId).collect();
                    CreatePartitionsAssignment::default().with_broker_ids(brokers)
                })
                .collect()
        });
        let one = CreatePartitionsTopic::default()
            .with_name(session.topic(name))
            .with_count(count)
            .with_assignments(assignments);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![one])
            .with_timeout_ms(30_000)
            .with_validate_only(only_check);
        let answer = ask!(session.wire, CreatePartitions 3, request).results.remove(0);
        let message = answer.error_message.as_deref().unwrap_or("-");
        session.note(what, format!("{} {message}", code(answer.error_code)));
    }
}

pub(crate) fn delete(session: &mut Session) {
    let id = session.create("by-id", 1, &[]);
    session.create("by-name", 1, &[]);
    let by_name = DeleteTopicState::default().with_name(Some(session.topic("by-name")));
    let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
    let both = DeleteTopicState::default().with_name(Some(session.topic("by-name"))).with_topic_id(id);
    let neither = DeleteTopicState::default().with_name(None).with_topic_id(Uuid::nil());
    let unknown = DeleteTopicState::default().with_name(None).with_topic_id(Uuid::from_u128(42));
    for (what, wanted) in [
        ("name and id", both),
        ("unknown id", unknown),
        ("by name", by_name.clone()),
        ("by name again", by_name),
        ("by id", by_id.clone()),
        ("by id again", by_id),
        ("neither", neither),
    ] {
        let request = DeleteTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(30_000);
        let answer = ask!(session.wire, DeleteTopics 6, request);
        let Some(answer) = answer.responses.first() else {
            session.note(what, "no answer");
            continue;
        };
        let name = answer.name.as_ref().map_or("-", |name| name.as_str());
        let message = answer.error_message.as_deref().unwrap_or("-");
        session.note(what, format!("{} name={name} {message}", code(answer.error_code)));
    }
}
