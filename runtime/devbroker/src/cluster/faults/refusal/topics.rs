//! Requests about records, topics and settings.

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterConfigsResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteRecordsResponse,
    DeleteTopicsResponse, DescribeClusterResponse, DescribeConfigsResponse, FetchResponse,
    IncrementalAlterConfigsResponse, ListOffsetsResponse, MetadataResponse, OffsetForLeaderEpochResponse,
    ProduceResponse, RequestKind, ResponseKind,
    alter_configs_response::AlterConfigsResourceResponse,
    create_partitions_response::CreatePartitionsTopicResult,
    create_topics_response::CreatableTopicResult,
    delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
    delete_topics_response::DeletableTopicResult,
    describe_configs_response::DescribeConfigsResult,
    fetch_response::{FetchableTopicResponse, PartitionData},
    incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse,
    list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    metadata_response::MetadataResponseTopic,
    offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    produce_response::{PartitionProduceResponse, TopicProduceResponse},
};

use crate::cluster::operations::NOT_ASKED;

/// The first DeleteTopics version that names topics in structures.
const DELETES_BY_ID: i16 = 6;

pub(super) fn refusal(version: i16, request: &RequestKind, code: i16) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::Produce(request) => {
            let partition = |index| {
                PartitionProduceResponse::default()
                    .with_index(index)
                    .with_error_code(code)
                    .with_base_offset(-1)
                    .with_log_append_time_ms(-1)
                    .with_log_start_offset(-1)
            };
            let topics = request.topic_data.iter().map(|topic| {
                let partitions = topic.partition_data.iter().map(|data| partition(data.index)).collect();
                TopicProduceResponse::default()
                    .with_name(topic.name.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partition_responses(partitions)
            });
            ResponseKind::Produce(ProduceResponse::default().with_responses(topics.collect()))
        }
        RequestKind::Fetch(request) => {
            let partition = |index| {
                PartitionData::default()
                    .with_partition_index(index)
                    .with_error_code(code)
                    .with_high_watermark(-1)
                    .with_last_stable_offset(-1)
                    .with_log_start_offset(-1)
                    .with_records(Some(Bytes::new()))
            };
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| partition(wanted.partition)).collect();
                FetchableTopicResponse::default()
                    .with_topic(topic.topic.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partitions(partitions)
            });
            ResponseKind::Fetch(FetchResponse::default().with_responses(topics.collect()))
        }
        RequestKind::ListOffsets(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| {
                    ListOffsetsPartitionResponse::default()
                        .with_partition_index(wanted.partition_index)
                        .with_error_code(code)
                        .with_timestamp(-1)
                        .with_offset(-1)
                });
                let answer = ListOffsetsTopicResponse::default().with_name(topic.name.clone());
                answer.with_partitions(partitions.collect())
            });
            ResponseKind::ListOffsets(ListOffsetsResponse::default().with_topics(topics.collect()))
        }
        RequestKind::Metadata(request) => {
            let topics = request.topics.iter().flatten().map(|topic| {
                MetadataResponseTopic::default()
                    .with_error_code(code)
                    .with_name(topic.name.clone())
                    .with_topic_id(topic.topic_id)
                    .with_topic_authorized_operations(NOT_ASKED)
            });
            ResponseKind::Metadata(MetadataResponse::default().with_topics(topics.collect()))
        }
        RequestKind::OffsetForLeaderEpoch(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| {
                    EpochEndOffset::default().with_partition(wanted.partition).with_error_code(code)
                });
                let answer = OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone());
                answer.with_partitions(partitions.collect())
            });
            let response = OffsetForLeaderEpochResponse::default().with_topics(topics.collect());
            ResponseKind::OffsetForLeaderEpoch(response)
        }
        RequestKind::DeleteRecords(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| {
                    DeleteRecordsPartitionResult::default()
                        .with_partition_index(wanted.partition_index)
                        .with_low_watermark(-1)
                        .with_error_code(code)
                });
                let answer = DeleteRecordsTopicResult::default().with_name(topic.name.clone());
                answer.with_partitions(partitions.collect())
            });
            ResponseKind::DeleteRecords(DeleteRecordsResponse::default().with_topics(topics.collect()))
        }
        RequestKind::CreateTopics(request) => {
            let topics = request.topics.iter().map(|topic| {
                CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(code)
            });
            ResponseKind::CreateTopics(CreateTopicsResponse::default().with_topics(topics.collect()))
        }
        RequestKind::DeleteTopics(request) if version >= DELETES_BY_ID => {
            let topics = request.topics.iter().map(|topic| {
                let answer = DeletableTopicResult::default().with_name(topic.name.clone());
                answer.with_topic_id(topic.topic_id).with_error_code(code)
            });
            ResponseKind::DeleteTopics(DeleteTopicsResponse::default().with_responses(topics.collect()))
        }
        RequestKind::DeleteTopics(request) => {
            let topics = request.topic_names.iter().map(|name| {
                DeletableTopicResult::default().with_name(Some(name.clone())).with_error_code(code)
            });
            ResponseKind::DeleteTopics(DeleteTopicsResponse::default().with_responses(topics.collect()))
        }
        RequestKind::CreatePartitions(request) => {
            let topics = request.topics.iter().map(|topic| {
                CreatePartitionsTopicResult::default().with_name(topic.name.clone()).with_error_code(code)
            });
            ResponseKind::CreatePartitions(CreatePartitionsResponse::default().with_results(topics.collect()))
        }
        RequestKind::DescribeConfigs(request) => {
            let results = request.resources.iter().map(|resource| {
                DescribeConfigsResult::default()
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
                    .with_error_code(code)
            });
            ResponseKind::DescribeConfigs(DescribeConfigsResponse::default().with_results(results.collect()))
        }
        RequestKind::AlterConfigs(request) => {
            let results = request.resources.iter().map(|resource| {
                AlterConfigsResourceResponse::default()
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
                    .with_error_code(code)
            });
            ResponseKind::AlterConfigs(AlterConfigsResponse::default().with_responses(results.collect()))
        }
        RequestKind::IncrementalAlterConfigs(request) => {
            let results = request.resources.iter().map(|resource| {
                IncrementalResponse::default()
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
                    .with_error_code(code)
            });
            let response = IncrementalAlterConfigsResponse::default().with_responses(results.collect());
            ResponseKind::IncrementalAlterConfigs(response)
        }
        RequestKind::DescribeCluster(_) => {
            ResponseKind::DescribeCluster(DescribeClusterResponse::default().with_error_code(code))
        }
        _ => return None,
    })
}
