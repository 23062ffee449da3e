//! Offsets that are committed with a transaction (KIP-98, KIP-447): kept apart until it ends.

use std::time::Duration;

use kafka_protocol::{
    ResponseError,
    messages::{
        ResponseKind, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
    },
};

use crate::{
    BrokerConfig,
    cluster::{agenda::Agenda, name::Name, topics::Topics},
};

use super::{
    Groups,
    group::{Group, State},
    offsets::Wanted,
};

impl Groups {
    /// `admitted` is the word of the transaction coordinator.
    pub(in crate::cluster) fn commit_in_transaction(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        topics: &Topics,
        request: TxnOffsetCommitRequest,
        admitted: Result<(), ResponseError>,
    ) -> ResponseKind {
        let producer_id = *request.producer_id;
        let mut group = match admitted {
            Ok(()) => self.committing_in_transaction(agenda, config, &request),
            Err(error) => Err(error),
        };
        let answers = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let wanted = Wanted {
                    topic: &topic.name,
                    index: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.committed_metadata.as_deref().unwrap_or_default(),
                };
                let result = wanted.check(config, topics).and_then(|committed| {
                    let group = group.as_mut().map_err(|error| *error)?;
                    let pending = group.pending_offsets.entry(producer_id).or_default();
                    let place = pending.entry(Name::from(topic.name.as_str())).or_default();
                    place.insert(wanted.index, committed);
                    Ok(())
                });
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(wanted.index)
                    .with_error_code(result.err().map_or(0, |error| error.code()))
            });
            let partitions = partitions.collect();
            TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        let answers = answers.collect();
        ResponseKind::TxnOffsetCommit(TxnOffsetCommitResponse::default().with_topics(answers))
    }

    /// The group, if this member may commit to it. A producer that knows nothing of the group's members may, too:
    /// clients from before KIP-447 do not say who they are.
    fn committing_in_transaction(
        &mut self,
        agenda: &mut Agenda,
        config: &BrokerConfig,
        request: &TxnOffsetCommitRequest,
    ) -> Result<&mut Group, ResponseError> {
        let TxnOffsetCommitRequest { group_id, generation_id: generation, member_id, .. } = request;
        let instance = request.group_instance_id.as_deref();
        if *generation >= 0 && !self.0.contains_key(group_id.as_str()) {
            return Err(ResponseError::IllegalGeneration);
        }
        let group = self.get_or_create(agenda, config, group_id)?;
        group.unused_since = agenda.now().elapsed;
        if *generation < 0 && group.state() == State::Empty {
            return Ok(group);
        }
        if *generation >= 0 || !member_id.is_empty() || instance.is_some() {
            group.check_member(member_id, instance)?;
            if *generation != group.generation {
                return Err(ResponseError::IllegalGeneration);
            }
        }
        Ok(group)
    }

    /// The transaction of this producer has ended: its offsets count now, or never.
    pub(in crate::cluster) fn transaction_ended(
        &mut self,
        group: &str,
        producer_id: i64,
        commit: bool,
        now: Duration,
    ) {
        let Some(group) = self.0.get_mut(group) else { return };
        let pending = group.pending_offsets.remove(&producer_id).unwrap_or_default();
        if !commit {
            return;
        }
        group.unused_since = now;
        for (topic, partitions) in pending {
            group.offsets.entry(topic).or_default().extend(partitions);
        }
    }
}

impl Group {
    /// Whether an open transaction is about to replace this offset.
    pub(super) fn has_pending_offset(&self, topic: &str, index: i32) -> bool {
        let mut open = self.pending_offsets.values();
        open.any(|offsets| offsets.get(topic).is_some_and(|partitions| partitions.contains_key(&index)))
    }
}
