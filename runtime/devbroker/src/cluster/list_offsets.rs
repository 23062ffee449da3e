//! ListOffsets and OffsetForLeaderEpoch.

use std::collections::HashSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        ResponseKind, TopicName,
        list_offsets_request::ListOffsetsPartition,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        offset_for_leader_epoch_request::OffsetForLeaderPartition,
        offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    },
};

use super::{
    Cluster,
    fetch::check_epoch,
    topics::{Partition, TopicRef},
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;

impl Cluster {
    pub(super) fn list_offsets(&self, version: i16, request: ListOffsetsRequest) -> ResponseKind {
        let committed_only = request.isolation_level == READ_COMMITTED;
        let repeated = repeated(&request);
        let topics = request.topics.into_iter().map(|topic| {
            let found = self.topics.get(TopicRef::Name(&topic.name));
            let answer = |wanted: &ListOffsetsPartition| {
                let index = wanted.partition_index;
                let answer = match found.and_then(|found| found.partition(index)) {
                    _ if repeated.contains(&(topic.name.clone(), index)) => {
                        Err(ResponseError::InvalidRequest)
                    }
                    Some(partition) => look_up(partition, wanted, version, committed_only),
                    None => Err(ResponseError::UnknownTopicOrPartition),
                };
                answer
                    .unwrap_or_else(|error| nowhere().with_error_code(error.code()))
                    .with_partition_index(index)
            };
            let partitions = topic.partitions.iter().map(answer).collect();
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
        });
        ResponseKind::ListOffsets(ListOffsetsResponse::default().with_topics(topics.collect()))
    }

    pub(super) fn offset_for_leader_epoch(&self, request: OffsetForLeaderEpochRequest) -> ResponseKind {
        let topics = request.topics.into_iter().map(|topic| {
            let found = self.topics.get(TopicRef::Name(&topic.topic));
            let answer = |wanted: &OffsetForLeaderPartition| {
                let answer = match found.and_then(|found| found.partition(wanted.partition)) {
                    Some(partition) => end_of_epoch(partition, wanted),
                    None => Err(ResponseError::UnknownTopicOrPartition),
                };
                let failure = |error: ResponseError| EpochEndOffset::default().with_error_code(error.code());
                answer.unwrap_or_else(failure).with_partition(wanted.partition)
            };
            let partitions = topic.partitions.iter().map(answer).collect();
            OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
        });
        let response = OffsetForLeaderEpochResponse::default().with_topics(topics.collect());
        ResponseKind::OffsetForLeaderEpoch(response)
    }
}

/// Partitions that a request names more than once; Kafka answers none of them.
fn repeated(request: &ListOffsetsRequest) -> HashSet<(TopicName, i32)> {
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let place = (topic.name.clone(), partition.partition_index);
            if !seen.insert(place.clone()) {
                repeated.insert(place);
            }
        }
    }
    repeated
}

/// No such record: timestamp, offset and epoch are all −1.
fn nowhere() -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::default().with_timestamp(-1).with_offset(-1).with_leader_epoch(-1)
}

fn look_up(
    partition: &Partition,
    wanted: &ListOffsetsPartition,
    version: i16,
    committed_only: bool,
) -> Result<ListOffsetsPartitionResponse, ResponseError> {
    check_epoch(wanted.current_leader_epoch, partition.leader_epoch)?;
    let log = &partition.log;
    let end = if committed_only { partition.last_stable_offset() } else { log.end() };
    let found = match wanted.timestamp {
        LATEST => Some((-1, end)),
        EARLIEST => Some((-1, log.start())),
        MAX_TIMESTAMP if version >= 7 => log.find_max_time(),
        EARLIEST_LOCAL if version >= 8 => Some((-1, log.start())),
        // Nothing is ever moved to tiered storage.
        LATEST_TIERED if version >= 9 => None,
        timestamp if timestamp >= 0 => log.find_time(timestamp).filter(|(_, offset)| *offset < end),
        _ => return Err(ResponseError::UnsupportedVersion),
    };
    Ok(found.map_or_else(nowhere, |(timestamp, offset)| {
        let epoch = if version >= 4 { log.epoch_at(offset) } else { -1 };
        nowhere().with_timestamp(timestamp).with_offset(offset).with_leader_epoch(epoch)
    }))
}

/// The present epoch ends where the log ends; epochs yet to come have no end.
fn end_of_epoch(
    partition: &Partition,
    wanted: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ResponseError> {
    check_epoch(wanted.current_leader_epoch, partition.leader_epoch)?;
    let answer = EpochEndOffset::default();
    Ok(if wanted.leader_epoch == partition.leader_epoch {
        answer.with_leader_epoch(partition.leader_epoch).with_end_offset(partition.log.end())
    } else if wanted.leader_epoch >= 0
        && let Some((epoch, end)) = partition.log.end_of_epoch(wanted.leader_epoch)
    {
        answer.with_leader_epoch(epoch).with_end_offset(end)
    } else {
        answer
    })
}
