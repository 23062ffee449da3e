//! Requests about groups, transactions and who somebody is.

use kafka_protocol::{
    messages::{
        AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, BrokerId, DeleteGroupsResponse,
        DescribeGroupsResponse, DescribeTransactionsResponse, EndTxnResponse, FindCoordinatorResponse,
        HeartbeatResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse,
        ListTransactionsResponse, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchRequest,
        OffsetFetchResponse, ProducerId, RequestKind, ResponseKind, SaslAuthenticateResponse,
        SaslHandshakeResponse, SyncGroupResponse, TxnOffsetCommitResponse,
        add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult},
        delete_groups_response::DeletableGroupResult,
        describe_groups_response::DescribedGroup,
        describe_transactions_response::TransactionState,
        find_coordinator_response::Coordinator,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
        },
        txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
    },
    protocol::StrBytes,
};

use crate::cluster::operations::NOT_ASKED;

/// The first versions that ask for several keys, or several groups.
const SEVERAL_KEYS: i16 = 4;
const SEVERAL_GROUPS: i16 = 8;
/// The first OffsetFetch version with an error for the whole group.
const GROUP_ERROR: i16 = 2;
/// The first JoinGroup version whose protocol name may be null.
const NULLABLE_PROTOCOL: i16 = 7;

pub(super) fn refusal(version: i16, request: &RequestKind, code: i16) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::FindCoordinator(request) => {
            let nowhere = (BrokerId(-1), -1);
            let response = FindCoordinatorResponse::default();
            ResponseKind::FindCoordinator(if version < SEVERAL_KEYS {
                response.with_error_code(code).with_node_id(nowhere.0).with_port(nowhere.1)
            } else {
                let answers = request.coordinator_keys.iter().map(|key| {
                    let answer = Coordinator::default().with_key(key.clone()).with_error_code(code);
                    answer.with_node_id(nowhere.0).with_port(nowhere.1)
                });
                response.with_coordinators(answers.collect())
            })
        }
        RequestKind::JoinGroup(request) => ResponseKind::JoinGroup(
            JoinGroupResponse::default()
                .with_error_code(code)
                .with_generation_id(-1)
                .with_protocol_name((version < NULLABLE_PROTOCOL).then(StrBytes::new))
                .with_member_id(request.member_id.clone()),
        ),
        RequestKind::SyncGroup(_) => {
            ResponseKind::SyncGroup(SyncGroupResponse::default().with_error_code(code))
        }
        RequestKind::Heartbeat(_) => {
            ResponseKind::Heartbeat(HeartbeatResponse::default().with_error_code(code))
        }
        RequestKind::LeaveGroup(_) => {
            ResponseKind::LeaveGroup(LeaveGroupResponse::default().with_error_code(code))
        }
        RequestKind::OffsetCommit(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| {
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(wanted.partition_index)
                        .with_error_code(code)
                });
                let answer = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
                answer.with_partitions(partitions.collect())
            });
            ResponseKind::OffsetCommit(OffsetCommitResponse::default().with_topics(topics.collect()))
        }
        RequestKind::OffsetFetch(request) => ResponseKind::OffsetFetch(no_offsets(version, request, code)),
        RequestKind::OffsetDelete(_) => {
            ResponseKind::OffsetDelete(OffsetDeleteResponse::default().with_error_code(code))
        }
        RequestKind::ListGroups(_) => {
            ResponseKind::ListGroups(ListGroupsResponse::default().with_error_code(code))
        }
        RequestKind::DescribeGroups(request) => {
            let groups = request.groups.iter().map(|id| {
                let group = DescribedGroup::default().with_group_id(id.clone()).with_error_code(code);
                group.with_authorized_operations(NOT_ASKED)
            });
            ResponseKind::DescribeGroups(DescribeGroupsResponse::default().with_groups(groups.collect()))
        }
        RequestKind::DeleteGroups(request) => {
            let ids = request.groups_names.iter();
            let results =
                ids.map(|id| DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code));
            ResponseKind::DeleteGroups(DeleteGroupsResponse::default().with_results(results.collect()))
        }
        RequestKind::InitProducerId(_) => ResponseKind::InitProducerId(
            InitProducerIdResponse::default()
                .with_error_code(code)
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1),
        ),
        RequestKind::AddPartitionsToTxn(request) => {
            let topics = request.v3_and_below_topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|index| {
                    AddPartitionsToTxnPartitionResult::default()
                        .with_partition_index(*index)
                        .with_partition_error_code(code)
                });
                let answer = AddPartitionsToTxnTopicResult::default().with_name(topic.name.clone());
                answer.with_results_by_partition(partitions.collect())
            });
            let response = AddPartitionsToTxnResponse::default();
            ResponseKind::AddPartitionsToTxn(response.with_results_by_topic_v3_and_below(topics.collect()))
        }
        RequestKind::AddOffsetsToTxn(_) => {
            ResponseKind::AddOffsetsToTxn(AddOffsetsToTxnResponse::default().with_error_code(code))
        }
        RequestKind::TxnOffsetCommit(request) => {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|wanted| {
                    TxnOffsetCommitResponsePartition::default()
                        .with_partition_index(wanted.partition_index)
                        .with_error_code(code)
                });
                let answer = TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone());
                answer.with_partitions(partitions.collect())
            });
            ResponseKind::TxnOffsetCommit(TxnOffsetCommitResponse::default().with_topics(topics.collect()))
        }
        RequestKind::EndTxn(_) => ResponseKind::EndTxn(EndTxnResponse::default().with_error_code(code)),
        RequestKind::DescribeTransactions(request) => {
            let states = request.transactional_ids.iter().map(|id| {
                TransactionState::default().with_transactional_id(id.clone()).with_error_code(code)
            });
            let response = DescribeTransactionsResponse::default();
            ResponseKind::DescribeTransactions(response.with_transaction_states(states.collect()))
        }
        RequestKind::ListTransactions(_) => {
            ResponseKind::ListTransactions(ListTransactionsResponse::default().with_error_code(code))
        }
        RequestKind::SaslHandshake(_) => {
            ResponseKind::SaslHandshake(SaslHandshakeResponse::default().with_error_code(code))
        }
        RequestKind::SaslAuthenticate(_) => {
            ResponseKind::SaslAuthenticate(SaslAuthenticateResponse::default().with_error_code(code))
        }
        _ => return None,
    })
}

fn no_offsets(version: i16, request: &OffsetFetchRequest, code: i16) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version >= SEVERAL_GROUPS {
        let groups = request.groups.iter().map(|group| {
            let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
            answer.with_error_code(code)
        });
        return response.with_groups(groups.collect());
    }
    if version >= GROUP_ERROR {
        return response.with_error_code(code);
    }
    let topics = request.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*index)
                .with_committed_offset(-1)
                .with_error_code(code)
        });
        let answer = OffsetFetchResponseTopic::default().with_name(topic.name.clone());
        answer.with_partitions(partitions.collect())
    });
    response.with_topics(topics.collect())
}
