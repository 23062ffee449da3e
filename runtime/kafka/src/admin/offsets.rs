//! End offsets of partitions, asked of their leaders.

use std::collections::BTreeMap;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use lavka_api::data::{Topic, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_api::{Error, Result};

use super::topics;
use crate::failure;
use crate::wire::WireClient;

const LATEST: i64 = -1;
/// Who asks is no replica.
const CONSUMER: i32 = -1;
const UNKNOWN_TOPIC: i16 = 3;

/// Partitions by leader and topic.
type Shares = BTreeMap<BrokerId, BTreeMap<Topic, Vec<i32>>>;

/// The end of each of `partitions`; those that do not exist are left out. `committed`: the end of what has been
/// committed or aborted, below which no transaction is open.
pub(crate) async fn ends(
    wire: &WireClient,
    partitions: &[TopicPartition],
    committed: bool,
) -> Result<Offsets> {
    if partitions.is_empty() {
        return Ok(Offsets::new());
    }
    wire.repeat("Listing end offsets", || async {
        let mut names: Vec<&str> = partitions.iter().map(|partition| partition.topic.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let metadata = wire.metadata(Some(&names)).await?;
        let mut ends = Offsets::new();
        for (leader, topics) in shares(&metadata, partitions)? {
            ask(wire, &metadata, leader, topics, committed, &mut ends).await?;
        }
        Ok(ends)
    })
    .await
}

/// Who leads what; partitions that do not exist are left out.
fn shares(metadata: &MetadataResponse, partitions: &[TopicPartition]) -> Result<Shares> {
    let mut shares = Shares::new();
    for wanted in partitions {
        let listed = metadata
            .topics
            .iter()
            .find(|t| t.name.as_ref().is_some_and(|name| name.as_str() == wanted.topic.as_str()));
        let Some(topic) = listed else { continue };
        match topic.error_code {
            0 => {}
            UNKNOWN_TOPIC => continue,
            code => return Err(failure::protocol(code, &format!("Topic {}", wanted.topic), None)),
        }
        let Some(partition) = topic.partitions.iter().find(|p| p.partition_index == wanted.partition) else {
            continue;
        };
        if partition.leader_id.0 < 0 {
            return Err(Error::retriable(format!("Partition {wanted} has no leader now")));
        }
        let topics = shares.entry(partition.leader_id).or_default();
        topics.entry(wanted.topic.clone()).or_default().push(wanted.partition);
    }
    Ok(shares)
}

async fn ask(
    wire: &WireClient,
    metadata: &MetadataResponse,
    leader: BrokerId,
    share: BTreeMap<Topic, Vec<i32>>,
    committed: bool,
    ends: &mut Offsets,
) -> Result<()> {
    let leader = wire.broker(metadata, leader).await?;
    let topics = share.into_iter().map(|(topic, partitions)| {
        let latest = |p| ListOffsetsPartition::default().with_partition_index(p).with_timestamp(LATEST);
        ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_string())))
            .with_partitions(partitions.into_iter().map(latest).collect())
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(CONSUMER))
        .with_isolation_level(i8::from(committed))
        .with_topics(topics.collect());
    // Version 2 brought isolation levels, version 10 a timeout that only remote storage needs.
    let answer = leader.call(2..=9, |_| request).await?;
    for topic in answer.topics {
        let name = Topic::from(topic.name.as_str());
        for partition in topic.partitions {
            let place = TopicPartition { topic: name.clone(), partition: partition.partition_index };
            match partition.error_code {
                0 => {
                    ends.insert(place, partition.offset);
                }
                // It was deleted a moment ago.
                UNKNOWN_TOPIC if topics::describe(wire, &name).await?.is_none() => {}
                code => return Err(failure::protocol(code, &format!("End of partition {place}"), None)),
            }
        }
    }
    Ok(())
}
