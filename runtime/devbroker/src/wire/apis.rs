//! The requests this broker answers: version ranges and the shape of each request.

use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse,
        api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey},
    },
    protocol::StrBytes,
};

use super::shape::{
    Field,
    Shape::{Blob, Fixed, Numbers, Structs, Text, Texts},
};

const BOOL: usize = 1;
const INT8: usize = 1;
const INT16: usize = 2;
const INT32: usize = 4;
const INT64: usize = 8;
const UUID: usize = 16;

/// One kind of request and the versions of it that are implemented.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
    pub(super) request: &'static [Field],
}

const fn all(shape: super::shape::Shape) -> Field {
    Field::since(0, shape)
}

const fn api(key: ApiKey, min: i16, max: i16, request: &'static [Field]) -> Api {
    Api { key, min, max, request }
}

/// Everything that is answered. Fetch stops at 16: from 17 on a tagged field sits inside a nested structure, and the
/// decoder would trust its content instead of its stated size, which the walk of `shape` relies on; no consumer needs
/// more than 16. OffsetCommit and OffsetFetch stop at 9 and InitProducerId at 5 because that is where the codec stops;
/// AddPartitionsToTxn stops at 3 because later versions are for brokers, and ListTransactions at 1, before patterns.
pub(crate) static APIS: [Api; 34] = [
    api(
        ApiKey::Produce,
        3,
        13,
        &[
            all(Text),
            all(Fixed(INT16 + INT32)),
            all(Structs(&[
                Field::between(0, 12, Text),
                Field::since(13, Fixed(UUID)),
                all(Structs(&[all(Fixed(INT32)), all(Blob)])),
            ])),
        ],
    ),
    api(
        ApiKey::Fetch,
        4,
        16,
        &[
            Field::between(0, 14, Fixed(INT32)),
            all(Fixed(INT32 + INT32 + INT32 + INT8)),
            Field::since(7, Fixed(INT32 + INT32)),
            all(Structs(&[
                Field::between(0, 12, Text),
                Field::since(13, Fixed(UUID)),
                all(Structs(&[
                    all(Fixed(INT32)),
                    Field::since(9, Fixed(INT32)),
                    all(Fixed(INT64)),
                    Field::since(12, Fixed(INT32)),
                    Field::since(5, Fixed(INT64)),
                    all(Fixed(INT32)),
                ])),
            ])),
            Field::since(
                7,
                Structs(&[Field::between(0, 12, Text), Field::since(13, Fixed(UUID)), all(Numbers(INT32))]),
            ),
            Field::since(11, Text),
        ],
    ),
    api(
        ApiKey::ListOffsets,
        1,
        10,
        &[
            all(Fixed(INT32)),
            Field::since(2, Fixed(INT8)),
            all(Structs(&[
                all(Text),
                all(Structs(&[all(Fixed(INT32)), Field::since(4, Fixed(INT32)), all(Fixed(INT64))])),
            ])),
            Field::since(10, Fixed(INT32)),
        ],
    ),
    api(
        ApiKey::Metadata,
        0,
        13,
        &[
            all(Structs(&[Field::since(10, Fixed(UUID)), all(Text)])),
            Field::since(4, Fixed(BOOL)),
            Field::between(8, 10, Fixed(BOOL)),
            Field::since(8, Fixed(BOOL)),
        ],
    ),
    api(
        ApiKey::OffsetCommit,
        2,
        9,
        &[
            all(Text),
            all(Fixed(INT32)),
            all(Text),
            Field::since(7, Text),
            Field::between(2, 4, Fixed(INT64)),
            all(Structs(&[
                all(Text),
                all(Structs(&[all(Fixed(INT32 + INT64)), Field::since(6, Fixed(INT32)), all(Text)])),
            ])),
        ],
    ),
    api(
        ApiKey::OffsetFetch,
        1,
        9,
        &[
            Field::between(0, 7, Text),
            Field::between(0, 7, Structs(&[all(Text), all(Numbers(INT32))])),
            Field::since(
                8,
                Structs(&[
                    all(Text),
                    Field::since(9, Text),
                    Field::since(9, Fixed(INT32)),
                    all(Structs(&[all(Text), all(Numbers(INT32))])),
                ]),
            ),
            Field::since(7, Fixed(BOOL)),
        ],
    ),
    api(
        ApiKey::FindCoordinator,
        0,
        6,
        &[Field::between(0, 3, Text), Field::since(1, Fixed(INT8)), Field::since(4, Texts)],
    ),
    api(
        ApiKey::JoinGroup,
        0,
        9,
        &[
            all(Text),
            all(Fixed(INT32)),
            Field::since(1, Fixed(INT32)),
            all(Text),
            Field::since(5, Text),
            all(Text),
            all(Structs(&[all(Text), all(Blob)])),
            Field::since(8, Text),
        ],
    ),
    api(ApiKey::Heartbeat, 0, 4, &[all(Text), all(Fixed(INT32)), all(Text), Field::since(3, Text)]),
    api(
        ApiKey::LeaveGroup,
        0,
        5,
        &[
            all(Text),
            Field::between(0, 2, Text),
            Field::since(3, Structs(&[all(Text), all(Text), Field::since(5, Text)])),
        ],
    ),
    api(
        ApiKey::SyncGroup,
        0,
        5,
        &[
            all(Text),
            all(Fixed(INT32)),
            all(Text),
            Field::since(3, Text),
            Field::since(5, Text),
            Field::since(5, Text),
            all(Structs(&[all(Text), all(Blob)])),
        ],
    ),
    api(ApiKey::DescribeGroups, 0, 6, &[all(Texts), Field::since(3, Fixed(BOOL))]),
    api(ApiKey::ListGroups, 0, 5, &[Field::since(4, Texts), Field::since(5, Texts)]),
    api(ApiKey::SaslHandshake, 1, 1, &[all(Text)]),
    api(ApiKey::ApiVersions, 0, 4, &[Field::since(3, Text), Field::since(3, Text)]),
    api(
        ApiKey::CreateTopics,
        2,
        7,
        &[
            all(Structs(&[
                all(Text),
                all(Fixed(INT32 + INT16)),
                all(Structs(&[all(Fixed(INT32)), all(Numbers(INT32))])),
                all(Structs(&[all(Text), all(Text)])),
            ])),
            all(Fixed(INT32 + BOOL)),
        ],
    ),
    api(
        ApiKey::DeleteTopics,
        1,
        6,
        &[
            Field::since(6, Structs(&[all(Text), all(Fixed(UUID))])),
            Field::between(0, 5, Texts),
            all(Fixed(INT32)),
        ],
    ),
    api(
        ApiKey::DeleteRecords,
        0,
        2,
        &[all(Structs(&[all(Text), all(Structs(&[all(Fixed(INT32 + INT64))]))])), all(Fixed(INT32))],
    ),
    api(ApiKey::InitProducerId, 0, 5, &[all(Text), all(Fixed(INT32)), Field::since(3, Fixed(INT64 + INT16))]),
    api(
        ApiKey::OffsetForLeaderEpoch,
        2,
        4,
        &[
            Field::since(3, Fixed(INT32)),
            all(Structs(&[all(Text), all(Structs(&[all(Fixed(INT32 + INT32 + INT32))]))])),
        ],
    ),
    api(
        ApiKey::AddPartitionsToTxn,
        0,
        3,
        &[all(Text), all(Fixed(INT64 + INT16)), all(Structs(&[all(Text), all(Numbers(INT32))]))],
    ),
    api(ApiKey::AddOffsetsToTxn, 0, 4, &[all(Text), all(Fixed(INT64 + INT16)), all(Text)]),
    api(ApiKey::EndTxn, 0, 5, &[all(Text), all(Fixed(INT64 + INT16 + BOOL))]),
    api(
        ApiKey::TxnOffsetCommit,
        0,
        5,
        &[
            all(Text),
            all(Text),
            all(Fixed(INT64 + INT16)),
            Field::since(3, Fixed(INT32)),
            Field::since(3, Text),
            Field::since(3, Text),
            all(Structs(&[
                all(Text),
                all(Structs(&[all(Fixed(INT32 + INT64)), Field::since(2, Fixed(INT32)), all(Text)])),
            ])),
        ],
    ),
    api(ApiKey::DescribeTransactions, 0, 0, &[all(Texts)]),
    api(ApiKey::ListTransactions, 0, 1, &[all(Texts), all(Numbers(INT64)), Field::since(1, Fixed(INT64))]),
    api(
        ApiKey::DescribeConfigs,
        1,
        4,
        &[
            all(Structs(&[all(Fixed(INT8)), all(Text), all(Texts)])),
            all(Fixed(BOOL)),
            Field::since(3, Fixed(BOOL)),
        ],
    ),
    api(
        ApiKey::CreatePartitions,
        0,
        3,
        &[
            all(Structs(&[all(Text), all(Fixed(INT32)), all(Structs(&[all(Numbers(INT32))]))])),
            all(Fixed(INT32 + BOOL)),
        ],
    ),
    api(ApiKey::SaslAuthenticate, 0, 2, &[all(Blob)]),
    api(ApiKey::DeleteGroups, 0, 2, &[all(Texts)]),
    api(
        ApiKey::IncrementalAlterConfigs,
        0,
        1,
        &[
            all(Structs(&[
                all(Fixed(INT8)),
                all(Text),
                all(Structs(&[all(Text), all(Fixed(INT8)), all(Text)])),
            ])),
            all(Fixed(BOOL)),
        ],
    ),
    api(
        ApiKey::OffsetDelete,
        0,
        0,
        &[all(Text), all(Structs(&[all(Text), all(Structs(&[all(Fixed(INT32))]))]))],
    ),
    api(
        ApiKey::DescribeCluster,
        0,
        2,
        &[all(Fixed(BOOL)), Field::since(1, Fixed(INT8)), Field::since(2, Fixed(BOOL))],
    ),
    api(
        ApiKey::AlterConfigs,
        0,
        2,
        &[
            all(Structs(&[all(Fixed(INT8)), all(Text), all(Structs(&[all(Text), all(Text)]))])),
            all(Fixed(BOOL)),
        ],
    ),
];

/// Listed from version 0 although later ones are the first to be answered, because librdkafka judges a broker by old
/// versions: without Produce 2 it would know neither headers nor LZ4 (so Kafka 4 does the same, KAFKA-18659), and
/// without SaslHandshake 0 no SASL.
const OLDER_IN_NAME: [ApiKey; 2] = [ApiKey::Produce, ApiKey::SaslHandshake];

/// The feature that tells clients to end transactions with a new epoch each (KIP-890).
const TRANSACTION_VERSION: &str = "transaction.version";

/// The keys of everything that is answered.
pub(crate) fn answered() -> impl Iterator<Item = ApiKey> {
    APIS.iter().map(|api| api.key)
}

/// The API with this key, if it is answered.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// What ApiVersions answers, with `error_code` 0 or UNSUPPORTED_VERSION.
///
pub(crate) fn advertised(error_code: i16) -> ApiVersionsResponse {
    let api_keys = APIS
        .iter()
        .map(|api| {
            let min = if OLDER_IN_NAME.contains(&api.key) { 0 } else { api.min };
            ApiVersion::default().with_api_key(api.key as i16).with_min_version(min).with_max_version(api.max)
        })
        .collect();
    let level = 2;
    let supported = SupportedFeatureKey::default()
        .with_name(StrBytes::from_static_str(TRANSACTION_VERSION))
        .with_min_version(0)
        .with_max_version(level);
    let finalized = FinalizedFeatureKey::default()
        .with_name(StrBytes::from_static_str(TRANSACTION_VERSION))
        .with_max_version_level(level)
        .with_min_version_level(level);
    ApiVersionsResponse::default()
        .with_error_code(error_code)
        .with_api_keys(api_keys)
        .with_supported_features(vec![supported])
        .with_finalized_features_epoch(0)
        .with_finalized_features(vec![finalized])
}
