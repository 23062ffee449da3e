//! OffsetCommit, OffsetFetch and OffsetDelete.

use std::collections::BTreeMap;

use kafka_protocol::{
    ResponseError,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
        OffsetFetchRequest, OffsetFetchResponse, ResponseKind, TopicName,
        offset_commit_request::OffsetCommitRequestPartition,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
};

use crate::{
    BrokerConfig,
    cluster::{agenda::Agenda, name::Name, topics::Topics, unique},
    wire::Cursor,
};

use super::{
    Groups,
    group::{Group, State},
};

/// The first OffsetFetch version that asks for several groups.
const SEVERAL_GROUPS: i16 = 8;
/// The protocol type of consumers, whose subscriptions can be read.
const CONSUMER: &str = "consumer";

/// How far a group has come in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Name,
}

/// Topic → partition → offset.
pub(super) type Offsets = BTreeMap<Name, BTreeMap<i32, Committed>>;

/// What OffsetFetch says of a partition: no offset, metadata and epoch where it has none or may not be told yet.
struct Found {
    committed: Committed,
    error: i16,
}

impl Found {
    fn nothing(error: i16) -> Self {
        Self { committed: Committed { offset: -1, leader_epoch: -1, metadata: Name::default() }, error }
    }
}

impl Groups {
    pub(in crate::cluster) fn commit(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        topics: &Topics,
        request: OffsetCommitRequest,
    ) -> ResponseKind {
        let mut group = self.committing(agenda, config, &request);
        let answers = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let result = match &mut group {
                    Ok(group) => commit_one(group, config, topics, &topic.name, wanted),
                    Err(error) => Err(*error),
                };
                OffsetCommitResponsePartition::default()
                    .with_partition_index(wanted.partition_index)
                    .with_error_code(result.err().map_or(0, |error| error.code()))
            });
            let partitions = partitions.collect();
            OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        ResponseKind::OffsetCommit(OffsetCommitResponse::default().with_topics(answers.collect()))
    }

    /// The group a commit is for, if it may commit now. Without generation and member it is a commit from outside,
    /// which only a group without members takes.
    fn committing(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        request: &OffsetCommitRequest,
    ) -> Result<&mut Group, ResponseError> {
        let OffsetCommitRequest { group_id, generation_id_or_member_epoch: generation, member_id, .. } =
            request;
        let instance = request.group_instance_id.as_deref();
        let from_outside = *generation < 0;
        if !from_outside && !self.0.contains_key(group_id.as_str()) {
            return Err(ResponseError::IllegalGeneration);
        }
        let group = self.get_or_create(agenda, config, group_id)?;
        if from_outside && group.state() == State::Empty {
            group.unused_since = agenda.now().elapsed;
            return Ok(group);
        }
        if from_outside && member_id.is_empty() && instance.is_none() {
            return Err(ResponseError::UnknownMemberId);
        }
        group.check_member(member_id, instance)?;
        if *generation != group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if group.state() == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        group.keep_alive(agenda, member_id);
        Ok(group)
    }

    pub(in crate::cluster) fn committed(&self, version: i16, request: OffsetFetchRequest) -> ResponseKind {
        let response = OffsetFetchResponse::default();
        if version < SEVERAL_GROUPS {
            let wanted = request.topics.map(|topics| {
                topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
            });
            let stable = request.require_stable;
            let found = self.offsets_of(&request.group_id, wanted, stable);
            let topics = found.into_iter().map(|(name, offsets)| {
                let partitions = offsets.into_iter().map(|(index, Found { committed, error })| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(error)
                        .with_committed_offset(committed.offset)
                        .with_committed_leader_epoch(committed.leader_epoch)
                        .with_metadata(Some(committed.metadata.wire()))
                });
                OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
            });
            return ResponseKind::OffsetFetch(response.with_topics(topics.collect()));
        }
        let groups = unique(request.groups, |group| group.group_id.clone()).map(|group| {
            let wanted = group.topics.map(|topics| {
                topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
            });
            let found = self.offsets_of(&group.group_id, wanted, request.require_stable);
            let topics = found.into_iter().map(|(name, offsets)| {
                let partitions = offsets.into_iter().map(|(index, Found { committed, error })| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(index)
                        .with_error_code(error)
                        .with_committed_offset(committed.offset)
                        .with_committed_leader_epoch(committed.leader_epoch)
                        .with_metadata(Some(committed.metadata.wire()))
                });
                OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
            });
            let topics = topics.collect();
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        ResponseKind::OffsetFetch(response.with_groups(groups.collect()))
    }

    /// The wanted offsets, −1 where there is none; without a wish all there are. Unknown groups have none. `stable`
    /// hides offsets that an open transaction is about to replace (KIP-447).
    fn offsets_of(
        &self,
        group: &str,
        wanted: Option<Vec<(TopicName, Vec<i32>)>>,
        stable: bool,
    ) -> Vec<(TopicName, Vec<(i32, Found)>)> {
        let group = self.0.get(group);
        let offsets = group.map(|group| &group.offsets);
        let find = |topic: &str, index: i32| {
            if stable && group.is_some_and(|group| group.has_pending_offset(topic, index)) {
                return Found::nothing(ResponseError::UnstableOffsetCommit.code());
            }
            let known = offsets.and_then(|offsets| offsets.get(topic)?.get(&index));
            known.map_or_else(|| Found::nothing(0), |known| Found { committed: known.clone(), error: 0 })
        };
        match wanted {
            None => offsets
                .into_iter()
                .flatten()
                .map(|(name, partitions)| {
                    let all = partitions.keys().map(|index| (*index, find(name, *index)));
                    (TopicName(name.wire()), all.collect())
                })
                .collect(),
            Some(wanted) => wanted
                .into_iter()
                .map(|(name, indexes)| {
                    let found = indexes.into_iter().map(|index| (index, find(&name, index))).collect();
                    (name, found)
                })
                .collect(),
        }
    }

    pub(in crate::cluster) fn delete_offsets(
        &mut self,
        topics: &Topics,
        request: OffsetDeleteRequest,
    ) -> ResponseKind {
        let answer = OffsetDeleteResponse::default();
        let fail = |error: ResponseError| {
            ResponseKind::OffsetDelete(OffsetDeleteResponse::default().with_error_code(error.code()))
        };
        let Some(group) = self.0.get_mut(request.group_id.as_str()) else {
            return fail(ResponseError::GroupIdNotFound);
        };
        let is_consumer = group.protocol_type.as_deref() == Some(CONSUMER);
        if group.state() != State::Empty && !is_consumer {
            return fail(ResponseError::NonEmptyGroup);
        }
        let answers = request.topics.into_iter().map(|topic| {
            let subscribed = group.is_subscribed_to(&topic.name);
            let partitions = topic.partitions.into_iter().map(|partition| {
                let index = partition.partition_index;
                let error = if subscribed {
                    ResponseError::GroupSubscribedToTopic.code()
                } else if !topics.has_partition(&topic.name, index) {
                    ResponseError::UnknownTopicOrPartition.code()
                } else {
                    group.forget_offset(&topic.name, index);
                    0
                };
                OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error)
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        ResponseKind::OffsetDelete(answer.with_topics(answers.collect()))
    }
}

/// An offset somebody wants to commit.
pub(super) struct Wanted<'a> {
    pub(super) topic: &'a str,
    pub(super) index: i32,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: &'a str,
}

impl Wanted<'_> {
    /// What is to be kept, if the partition exists and the metadata is not too long.
    pub(super) fn check(&self, config: &BrokerConfig, topics: &Topics) -> Result<Committed, ResponseError> {
        if !topics.has_partition(self.topic, self.index) {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        if self.metadata.len() > config.max_offset_metadata_bytes {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        let metadata = Name::from(self.metadata);
        Ok(Committed { offset: self.offset, leader_epoch: self.leader_epoch, metadata })
    }
}

fn commit_one(
    group: &mut Group,
    config: &BrokerConfig,
    topics: &Topics,
    topic: &str,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ResponseError> {
    let wanted = Wanted {
        topic,
        index: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default(),
    };
    let committed = wanted.check(config, topics)?;
    let partitions = match group.offsets.get_mut(topic) {
        Some(partitions) => partitions,
        None => group.offsets.entry(Name::from(topic)).or_default(),
    };
    partitions.insert(wanted.index, committed);
    Ok(())
}

impl Group {
    fn forget_offset(&mut self, topic: &str, index: i32) {
        let emptied = self.offsets.get_mut(topic).is_some_and(|partitions: &mut BTreeMap<_, _>| {
            partitions.remove(&index);
            partitions.is_empty()
        });
        if emptied {
            self.offsets.remove(topic);
        }
    }

    /// Whether some consumer of the group reads this topic. A subscription that cannot be read counts as one to
    /// everything.
    fn is_subscribed_to(&self, topic: &str) -> bool {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return false;
        }
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let mut members = self.members.values();
        members.any(|member| {
            let metadata = member.metadata(protocol);
            subscribed_topics(&metadata).is_none_or(|topics| topics.contains(&topic.as_bytes()))
        })
    }
}

/// The topics in a consumer's metadata: a 16-bit version, then an array of strings, whatever the version.
fn subscribed_topics(metadata: &[u8]) -> Option<Vec<&[u8]>> {
    let mut cursor = Cursor::new(metadata);
    cursor.i16()?;
    let count = cursor.i32()?;
    (0..count).map(|_| cursor.i16().and_then(|length| cursor.take(usize::try_from(length).ok()?))).collect()
}
