//! The walk against the codec: for every API and version both must agree on where every field ends.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, ApiKey, ApiVersionsRequest,
        ApiVersionsResponse, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
        DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
        DescribeGroupsRequest, DescribeTransactionsRequest, EndTxnRequest, FetchRequest,
        FindCoordinatorRequest, GroupId, HeartbeatRequest, IncrementalAlterConfigsRequest,
        InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest,
        ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
        OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, ProducerId, RequestKind,
        ResponseKind, SaslAuthenticateRequest, SaslHandshakeRequest, SyncGroupRequest, TopicName,
        TransactionalId, TxnOffsetCommitRequest, add_partitions_to_txn_request as add_partitions,
        alter_configs_request as alter, create_partitions_request as grow, create_topics_request as create,
        delete_records_request as delete_records, delete_topics_request as delete_topics,
        describe_configs_request as describe, fetch_request as fetch,
        incremental_alter_configs_request as incremental, join_group_request as join,
        leave_group_request as leave, list_offsets_request as list, metadata_request as metadata,
        offset_commit_request as commit, offset_delete_request as offset_delete,
        offset_fetch_request as committed, offset_for_leader_epoch_request as epoch,
        produce_request as produce, sync_group_request as sync, txn_offset_commit_request as txn_commit,
    },
    protocol::{Decodable, StrBytes},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{Incoming, Malformed, apis::APIS, decode, encode, encode_unknown_api_versions};

fn text(value: &'static str) -> StrBytes {
    StrBytes::from_static_str(value)
}

fn topic(value: &'static str) -> TopicName {
    TopicName(text(value))
}

/// Two topics by name or by id.
fn named<T>(ids: bool, mut make: impl FnMut(TopicName, Uuid) -> T) -> Vec<T> {
    [("one", 1_u128), ("other", 2)]
        .map(|(name, id)| {
            if ids { make(TopicName::default(), Uuid::from_u128(id)) } else { make(topic(name), Uuid::nil()) }
        })
        .into()
}

/// A request with something in every array that the version has.
pub(crate) fn example(api: ApiKey, version: i16) -> RequestKind {
    match api {
        ApiKey::Produce => RequestKind::Produce(ProduceRequest::default().with_topic_data(named(
            version >= 13,
            |name, id| {
                let data = |index| {
                    produce::PartitionProduceData::default()
                        .with_index(index)
                        .with_records(Some(Bytes::from_static(b"some records")))
                };
                produce::TopicProduceData::default()
                    .with_name(name)
                    .with_topic_id(id)
                    .with_partition_data(vec![data(0), data(1)])
            },
        ))),
        ApiKey::Fetch => {
            let ids = version >= 13;
            let topics = named(ids, |name, id| {
                fetch::FetchTopic::default()
                    .with_topic(name)
                    .with_topic_id(id)
                    .with_partitions(vec![fetch::FetchPartition::default(); 3])
            });
            let mut request = FetchRequest::default().with_topics(topics);
            if version >= 7 {
                request.forgotten_topics_data = named(ids, |name, id| {
                    fetch::ForgottenTopic::default()
                        .with_topic(name)
                        .with_topic_id(id)
                        .with_partitions(vec![1, 2])
                });
            }
            if version >= 11 {
                request.rack_id = text("rack");
            }
            if version >= 12 {
                request.cluster_id = Some(text("cluster"));
            }
            if version >= 15 {
                request.replica_state = fetch::ReplicaState::default().with_replica_id(BrokerId(3));
            }
            RequestKind::Fetch(request)
        }
        ApiKey::ListOffsets => RequestKind::ListOffsets(ListOffsetsRequest::default().with_topics(vec![
            list::ListOffsetsTopic::default()
                .with_name(topic("one"))
                .with_partitions(vec![list::ListOffsetsPartition::default(); 2]),
        ])),
        ApiKey::Metadata => RequestKind::Metadata(MetadataRequest::default().with_topics(Some(vec![
            metadata::MetadataRequestTopic::default().with_name(Some(topic("one"))),
            metadata::MetadataRequestTopic::default().with_name(Some(topic("two"))),
        ]))),
        ApiKey::OffsetCommit => RequestKind::OffsetCommit(
            OffsetCommitRequest::default().with_group_id(GroupId(text("group"))).with_topics(vec![
                commit::OffsetCommitRequestTopic::default().with_name(topic("one")).with_partitions(vec![
                    commit::OffsetCommitRequestPartition::default()
                        .with_committed_metadata(Some(text("meta"))),
                    commit::OffsetCommitRequestPartition::default().with_committed_metadata(None),
                ]),
            ]),
        ),
        ApiKey::OffsetFetch if version < 8 => RequestKind::OffsetFetch(
            OffsetFetchRequest::default().with_group_id(GroupId(text("group"))).with_topics(Some(vec![
                committed::OffsetFetchRequestTopic::default()
                    .with_name(topic("one"))
                    .with_partition_indexes(vec![0, 1, 2]),
            ])),
        ),
        ApiKey::OffsetFetch => {
            let topics = committed::OffsetFetchRequestTopics::default()
                .with_name(topic("one"))
                .with_partition_indexes(vec![0, 1, 2]);
            let group = |topics| {
                committed::OffsetFetchRequestGroup::default()
                    .with_group_id(GroupId(text("group")))
                    .with_topics(topics)
            };
            let groups = vec![group(Some(vec![topics])), group(None)];
            RequestKind::OffsetFetch(OffsetFetchRequest::default().with_groups(groups))
        }
        ApiKey::FindCoordinator if version < 4 => {
            RequestKind::FindCoordinator(FindCoordinatorRequest::default().with_key(text("group")))
        }
        ApiKey::FindCoordinator => RequestKind::FindCoordinator(
            FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]),
        ),
        ApiKey::JoinGroup => {
            let protocol = join::JoinGroupRequestProtocol::default()
                .with_name(text("range"))
                .with_metadata(Bytes::from_static(b"metadata"));
            RequestKind::JoinGroup(
                JoinGroupRequest::default()
                    .with_group_id(GroupId(text("group")))
                    .with_protocol_type(text("consumer"))
                    .with_protocols(vec![protocol; 2]),
            )
        }
        ApiKey::Heartbeat => {
            RequestKind::Heartbeat(HeartbeatRequest::default().with_member_id(text("member")))
        }
        ApiKey::LeaveGroup if version < 3 => {
            RequestKind::LeaveGroup(LeaveGroupRequest::default().with_member_id(text("member")))
        }
        ApiKey::LeaveGroup => RequestKind::LeaveGroup(LeaveGroupRequest::default().with_members(vec![
                leave::MemberIdentity::default()
                    .with_member_id(text("member"));
                2
            ])),
        ApiKey::SyncGroup => RequestKind::SyncGroup(SyncGroupRequest::default().with_assignments(vec![
            sync::SyncGroupRequestAssignment::default()
                .with_member_id(text("member"))
                .with_assignment(Bytes::from_static(b"assignment"));
            2
        ])),
        ApiKey::DescribeGroups => RequestKind::DescribeGroups(
            DescribeGroupsRequest::default().with_groups(vec![GroupId(text("one")), GroupId(text("two"))]),
        ),
        ApiKey::ListGroups => RequestKind::ListGroups(if version >= 4 {
            ListGroupsRequest::default().with_states_filter(vec![text("Stable"), text("Empty")])
        } else {
            ListGroupsRequest::default()
        }),
        ApiKey::ApiVersions => RequestKind::ApiVersions(if version >= 3 {
            ApiVersionsRequest::default().with_client_software_name(text("test"))
        } else {
            ApiVersionsRequest::default()
        }),
        ApiKey::CreateTopics => RequestKind::CreateTopics(CreateTopicsRequest::default().with_topics(vec![
            create::CreatableTopic::default()
                .with_name(topic("one"))
                .with_assignments(vec![
                    create::CreatableReplicaAssignment::default()
                        .with_broker_ids(vec![BrokerId(1), BrokerId(2)]),
                ])
                .with_configs(vec![
                    create::CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(None),
                ]);
            2
        ])),
        ApiKey::DeleteTopics if version >= 6 => {
            RequestKind::DeleteTopics(DeleteTopicsRequest::default().with_topics(
                vec![delete_topics::DeleteTopicState::default().with_name(Some(topic("one"))); 2],
            ))
        }
        ApiKey::DeleteTopics => RequestKind::DeleteTopics(
            DeleteTopicsRequest::default().with_topic_names(vec![topic("one"), topic("two")]),
        ),
        ApiKey::DeleteRecords => {
            RequestKind::DeleteRecords(DeleteRecordsRequest::default().with_topics(vec![
            delete_records::DeleteRecordsTopic::default()
                .with_name(topic("one"))
                .with_partitions(vec![delete_records::DeleteRecordsPartition::default(); 2]),
        ]))
        }
        ApiKey::SaslHandshake => {
            RequestKind::SaslHandshake(SaslHandshakeRequest::default().with_mechanism(text("PLAIN")))
        }
        ApiKey::SaslAuthenticate => RequestKind::SaslAuthenticate(
            SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"token")),
        ),
        ApiKey::AddPartitionsToTxn => {
            let added = |name| {
                add_partitions::AddPartitionsToTxnTopic::default()
                    .with_name(topic(name))
                    .with_partitions(vec![0, 1, 2])
            };
            RequestKind::AddPartitionsToTxn(
                AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(TransactionalId(text("transaction")))
                    .with_v3_and_below_topics(vec![added("one"), added("other")]),
            )
        }
        ApiKey::AddOffsetsToTxn => RequestKind::AddOffsetsToTxn(
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(TransactionalId(text("transaction")))
                .with_group_id(GroupId(text("group"))),
        ),
        ApiKey::EndTxn => RequestKind::EndTxn(
            EndTxnRequest::default()
                .with_transactional_id(TransactionalId(text("transaction")))
                .with_committed(true),
        ),
        ApiKey::TxnOffsetCommit => {
            let partition = |metadata: Option<&'static str>| {
                txn_commit::TxnOffsetCommitRequestPartition::default()
                    .with_committed_offset(5)
                    .with_committed_metadata(metadata.map(text))
            };
            let mut request = TxnOffsetCommitRequest::default()
                .with_transactional_id(TransactionalId(text("transaction")))
                .with_group_id(GroupId(text("group")))
                .with_topics(vec![
                    txn_commit::TxnOffsetCommitRequestTopic::default()
                        .with_name(topic("one"))
                        .with_partitions(vec![partition(Some("meta")), partition(None)]),
                ]);
            if version >= 3 {
                request.member_id = text("member");
                request.group_instance_id = Some(text("instance"));
            }
            RequestKind::TxnOffsetCommit(request)
        }
        ApiKey::DescribeTransactions => RequestKind::DescribeTransactions(
            DescribeTransactionsRequest::default()
                .with_transactional_ids(vec![TransactionalId(text("one")), TransactionalId(text("other"))]),
        ),
        ApiKey::ListTransactions => RequestKind::ListTransactions(
            ListTransactionsRequest::default()
                .with_state_filters(vec![text("Ongoing"), text("Empty")])
                .with_producer_id_filters(vec![ProducerId(1), ProducerId(2)]),
        ),
        ApiKey::InitProducerId => RequestKind::InitProducerId(InitProducerIdRequest::default()),
        ApiKey::OffsetForLeaderEpoch => {
            RequestKind::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest::default().with_topics(vec![
                epoch::OffsetForLeaderTopic::default()
                    .with_topic(topic("one"))
                    .with_partitions(vec![epoch::OffsetForLeaderPartition::default(); 2]),
            ]))
        }
        ApiKey::DescribeConfigs => {
            let resource = |keys| {
                describe::DescribeConfigsResource::default()
                    .with_resource_name(text("one"))
                    .with_configuration_keys(keys)
            };
            let resources = vec![resource(None), resource(Some(vec![text("a"), text("b")]))];
            RequestKind::DescribeConfigs(DescribeConfigsRequest::default().with_resources(resources))
        }
        ApiKey::CreatePartitions => {
            let assignment =
                grow::CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1), BrokerId(2)]);
            RequestKind::CreatePartitions(CreatePartitionsRequest::default().with_topics(vec![
                grow::CreatePartitionsTopic::default()
                    .with_name(topic("one"))
                    .with_assignments(Some(vec![assignment])),
                grow::CreatePartitionsTopic::default().with_name(topic("two")).with_assignments(None),
            ]))
        }
        ApiKey::DeleteGroups => RequestKind::DeleteGroups(
            DeleteGroupsRequest::default()
                .with_groups_names(vec![GroupId(text("one")), GroupId(text("two"))]),
        ),
        ApiKey::IncrementalAlterConfigs => {
            let config =
                incremental::AlterableConfig::default().with_name(text("a")).with_value(Some(text("b")));
            RequestKind::IncrementalAlterConfigs(IncrementalAlterConfigsRequest::default().with_resources(
                vec![
                incremental::AlterConfigsResource::default()
                    .with_resource_name(text("one"))
                    .with_configs(vec![config; 2]),
            ],
            ))
        }
        ApiKey::AlterConfigs => {
            let config = alter::AlterableConfig::default().with_name(text("a")).with_value(None);
            RequestKind::AlterConfigs(AlterConfigsRequest::default().with_resources(vec![
                alter::AlterConfigsResource::default()
                    .with_resource_name(text("one"))
                    .with_configs(vec![config; 2]),
            ]))
        }
        ApiKey::OffsetDelete => RequestKind::OffsetDelete(OffsetDeleteRequest::default().with_topics(vec![
            offset_delete::OffsetDeleteRequestTopic::default()
                .with_name(topic("one"))
                .with_partitions(vec![offset_delete::OffsetDeleteRequestPartition::default(); 2]),
        ])),
        ApiKey::DescribeCluster => RequestKind::DescribeCluster(DescribeClusterRequest::default()),
        other => panic!("{other:?} has no example"),
    }
}

fn header(api: ApiKey, version: i16) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i16(api as i16);
    frame.put_i16(version);
    frame.put_i32(77);
    frame.put_i16(4);
    frame.put_slice(b"test");
    if api.request_header_version(version) >= 2 {
        frame.put_u8(0);
    }
    frame
}

pub(crate) fn frame(api: ApiKey, version: i16) -> Bytes {
    let mut frame = header(api, version);
    example(api, version).encode(&mut frame, version).unwrap();
    frame.freeze()
}

pub(crate) fn every_version() -> impl Iterator<Item = (ApiKey, i16)> {
    APIS.iter().flat_map(|api| (api.min..=api.max).map(|version| (api.key, version)))
}

#[test]
fn every_request_in_every_version_is_read_whole() {
    for (api, version) in every_version() {
        match decode(&frame(api, version)) {
            Ok(Incoming::Request(header, request)) => {
                assert_eq!((header.api, header.version, header.correlation), (api, version, 77));
                assert_eq!(&*header.client_id, "test");
                assert_eq!(request, example(api, version), "{api:?} version {version}");
            }
            other => panic!("{api:?} version {version}: {other:?}"),
        }
    }
}

#[test]
fn every_request_cut_short_anywhere_is_refused_and_what_follows_one_is_ignored() {
    for (api, version) in every_version() {
        let whole = frame(api, version);
        for length in 0..whole.len() {
            let cut = decode(&whole.slice(..length));
            assert!(cut.is_err(), "{api:?} version {version} cut to {length} bytes: {cut:?}");
        }
        let mut longer = BytesMut::from(&whole[..]);
        longer.put_u8(0);
        assert!(decode(&longer.freeze()).is_ok(), "{api:?} version {version} with a byte too many");
    }
}

/// The counts that made the decoder reserve hundreds of gigabytes.
#[test]
fn array_counts_that_promise_more_than_is_there_are_refused() {
    for version in [1, 8] {
        let mut frame = header(ApiKey::Metadata, version);
        frame.put_i32(i32::MAX);
        frame.put_bytes(0, 64);
        assert!(matches!(decode(&frame.freeze()), Err(Malformed::Body { .. })));
    }
    for version in [9, 13] {
        let mut frame = header(ApiKey::Metadata, version);
        frame.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        frame.put_bytes(0, 64);
        assert!(matches!(decode(&frame.freeze()), Err(Malformed::Body { .. })));
    }
}

#[test]
fn more_elements_than_any_client_sends_are_refused_even_if_they_are_there() {
    let mut frame = header(ApiKey::DeleteGroups, 0);
    frame.put_i32(70_000);
    frame.put_bytes(0, 140_000);
    assert!(matches!(decode(&frame.freeze()), Err(Malformed::Body { .. })));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_zero() {
    let mut future = BytesMut::new();
    future.put_i16(ApiKey::ApiVersions as i16);
    future.put_i16(99);
    future.put_i32(5);
    future.put_slice(b"whatever comes then");
    assert!(matches!(decode(&future.freeze()), Ok(Incoming::UnknownApiVersions { correlation: 5 })));
    let answer = encode_unknown_api_versions(5).unwrap().freeze();
    assert_eq!(
        answer[..8],
        [&i32::try_from(answer.len() - 4).unwrap().to_be_bytes()[..], &[0, 0, 0, 5]].concat()
    );
    let response = ApiVersionsResponse::decode(&mut answer.slice(8..), 0).unwrap();
    assert_eq!(response.error_code, 35);
    assert_eq!(response.api_keys.len(), APIS.len());
}

#[test]
fn api_versions_has_the_old_response_header_in_every_version() {
    for version in 0..=4 {
        let response = ResponseKind::ApiVersions(super::advertised(0));
        let answer = encode(ApiKey::ApiVersions, version, 9, &response).unwrap().freeze();
        let mut body = answer.slice(8..);
        let decoded = ApiVersionsResponse::decode(&mut body, version).unwrap();
        assert!(body.is_empty());
        assert_eq!(decoded.api_keys.len(), APIS.len());
    }
}

#[test]
fn other_unknown_versions_and_keys_end_the_connection() {
    let refusal = |key: i16, version: i16| {
        let mut frame = BytesMut::new();
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_bytes(0, 30);
        decode(&frame.freeze()).unwrap_err().to_string()
    };
    assert_eq!(refusal(ApiKey::Fetch as i16, 17), "Fetch version 17 is not supported");
    assert_eq!(refusal(ApiKey::Produce as i16, 2), "Produce version 2 is not supported");
    assert_eq!(refusal(ApiKey::Vote as i16, 0), "no request has the API key 52");
    assert_eq!(refusal(-1, 0), "no request has the API key -1");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(decode(&Bytes::from(bytes)));
    }

    #[test]
    fn requests_with_some_bytes_changed_never_panic(
        choice in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let all: Vec<_> = every_version().collect();
        let (api, version) = *choice.get(&all);
        let mut bytes = frame(api, version).to_vec();
        for (place, value) in changes {
            // The key and version stay, so that the body is what is tried.
            let place = 4 + place.index(bytes.len() - 4);
            bytes[place] = value;
        }
        drop(decode(&Bytes::from(bytes)));
    }
}
