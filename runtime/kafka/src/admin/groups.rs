//! Offsets of consumer groups, asked of the group's coordinator.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use lavka_api::data::{Topic, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_api::{Error, ErrorClass, Result};

use crate::failure;
use crate::wire::WireClient;

const UNKNOWN_TOPIC: i16 = 3;
const UNKNOWN_MEMBER: i16 = 25;
const REBALANCING: i16 = 27;
const NON_EMPTY: i16 = 68;
const NO_SUCH_GROUP: i16 = 69;
const SUBSCRIBED: i16 = 86;

/// Who commits belongs to no generation of members.
const NO_GENERATION: i32 = -1;
const NO_EPOCH: i32 = -1;

/// The error for a code that the coordinator gave. Codes by which it protects a group that has members say what to do.
fn refused(code: i16, subject: &str) -> Error {
    let error = failure::protocol(code, subject, None);
    match code {
        UNKNOWN_MEMBER | NON_EMPTY | SUBSCRIBED => {
            let text = format!("{error} The group still has members: stop them first.");
            Error::new(ErrorClass::Fatal, error.exception(), text)
        }
        // Members are coming or going; what then holds is told by another code.
        REBALANCING => error.with_class(ErrorClass::Retriable),
        // Waiting, as a producer does, would not bring the topic about.
        UNKNOWN_TOPIC => error.with_class(ErrorClass::Fatal),
        _ => error,
    }
}

fn name(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// All committed offsets of a group.
pub(super) async fn offsets(wire: &WireClient, group: &str) -> Result<Offsets> {
    let subject = format!("Offsets of group {group}");
    wire.repeat(&subject, || async {
        let coordinator = wire.coordinator(group).await?;
        // No list of topics asks for all of them, since version 2; version 10 would name topics by id.
        let request = |version| {
            let request = OffsetFetchRequest::default();
            if version >= 8 {
                let asked = OffsetFetchRequestGroup::default()
                    .with_group_id(GroupId(name(group)))
                    .with_member_epoch(NO_EPOCH)
                    .with_topics(None);
                request.with_groups(vec![asked])
            } else {
                request.with_group_id(GroupId(name(group))).with_topics(None)
            }
        };
        let answer = coordinator.call(2..=9, request).await?;
        let mut found = Offsets::new();
        let mut note = |topic: &Topic, partition: i32, offset: i64, code: i16| {
            let place = TopicPartition { topic: topic.clone(), partition };
            match code {
                0 if offset >= 0 => {
                    found.insert(place, offset);
                    Ok(())
                }
                0 => Ok(()),
                code => Err(failure::protocol(code, &format!("{subject}, partition {place}"), None)),
            }
        };
        let mut code = answer.error_code;
        for topic in answer.topics {
            let name = Topic::from(topic.name.as_str());
            for p in topic.partitions {
                note(&name, p.partition_index, p.committed_offset, p.error_code)?;
            }
        }
        for group in answer.groups {
            code = group.error_code;
            for topic in group.topics {
                let name = Topic::from(topic.name.as_str());
                for p in topic.partitions {
                    note(&name, p.partition_index, p.committed_offset, p.error_code)?;
                }
            }
        }
        match code {
            0 | NO_SUCH_GROUP => Ok(found),
            code => Err(failure::protocol(code, &subject, None)),
        }
    })
    .await
}

fn by_topic<'a, T>(
    entries: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (place, value) in entries {
        topics.entry(&place.topic).or_default().push((place.partition, value));
    }
    topics
}

/// Sets offsets of a group without members.
pub(super) async fn alter(wire: &WireClient, group: &str, offsets: &Offsets) -> Result<()> {
    if offsets.is_empty() {
        return Ok(());
    }
    let subject = format!("Cannot alter offsets of consumer group {group}");
    wire.repeat(&format!("Altering offsets of group {group}"), || async {
        let coordinator = wire.coordinator(group).await?;
        let topics = by_topic(offsets.iter()).into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|(partition, offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition)
                    .with_committed_offset(*offset)
                    .with_committed_leader_epoch(NO_EPOCH)
                    .with_committed_metadata(Some(StrBytes::default()))
            });
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(name(topic)))
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(name(group)))
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        let answer = coordinator.call(2..=9, |_| request).await?;
        for topic in answer.topics {
            if let Some(partition) = topic.partitions.iter().find(|partition| partition.error_code != 0) {
                let place = format!("{}-{}", topic.name.as_str(), partition.partition_index);
                return Err(refused(partition.error_code, &format!("{subject}, partition {place}")));
            }
        }
        Ok(())
    })
    .await
}

/// Forgets offsets of a group for `partitions` (KIP-496).
pub(super) async fn forget(wire: &WireClient, group: &str, partitions: &[TopicPartition]) -> Result<()> {
    if partitions.is_empty() {
        return Ok(());
    }
    let subject = format!("Cannot delete offsets of consumer group {group}");
    wire.repeat(&format!("Deleting offsets of group {group}"), || async {
        let coordinator = wire.coordinator(group).await?;
        let topics =
            by_topic(partitions.iter().map(|place| (place, ()))).into_iter().map(|(topic, partitions)| {
                let numbered =
                    |(partition, ())| OffsetDeleteRequestPartition::default().with_partition_index(partition);
                OffsetDeleteRequestTopic::default()
                    .with_name(TopicName(name(topic)))
                    .with_partitions(partitions.into_iter().map(numbered).collect())
            });
        let request =
            OffsetDeleteRequest::default().with_group_id(GroupId(name(group))).with_topics(topics.collect());
        let answer = coordinator.call(0..=0, |_| request).await?;
        match answer.error_code {
            0 => {}
            NO_SUCH_GROUP => return Ok(()),
            code => return Err(refused(code, &subject)),
        }
        for topic in answer.topics {
            for partition in &topic.partitions {
                match partition.error_code {
                    0 | UNKNOWN_TOPIC => {}
                    code => {
                        let place = format!("{}-{}", topic.name.as_str(), partition.partition_index);
                        return Err(refused(code, &format!("{subject}, partition {place}")));
                    }
                }
            }
        }
        Ok(())
    })
    .await
}

/// Deletes a group without members.
pub(super) async fn delete(wire: &WireClient, group: &str) -> Result<()> {
    let subject = format!("Cannot delete consumer group {group}");
    wire.repeat(&format!("Deleting group {group}"), || async {
        let coordinator = wire.coordinator(group).await?;
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(name(group))]);
        let answer = coordinator.call(0..=2, |_| request).await?;
        match answer.results.first().map(|result| result.error_code) {
            Some(0 | NO_SUCH_GROUP) => Ok(()),
            Some(code) => Err(refused(code, &subject)),
            None => Err(Error::retriable(format!("{subject}: the broker's answer does not speak of it"))),
        }
    })
    .await
}
