//! Error codes of the protocol and of librdkafka, as errors with the names and texts that Java's users know.

use kafka_protocol::ResponseError;
use lavka_api::error::exception;
use lavka_api::{Error, ErrorClass};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The Java exception of a protocol error and its text.
struct Known {
    code: i16,
    exception: &'static str,
    text: &'static str,
}

macro_rules! known {
    ($($code:literal $exception:literal $text:literal,)*) => {
        &[$(Known {
            code: $code,
            exception: concat!("org.apache.kafka.common.errors.", $exception),
            text: $text,
        }),*]
    };
}

/// The part of the protocol's error codes that a producer, consumer or admin client meets.
static KNOWN: &[Known] = known! {
    -1 "UnknownServerException" "The server experienced an unexpected error when processing the request.",
    1 "OffsetOutOfRangeException" "The requested offset is not within the range of offsets maintained by the server.",
    2 "CorruptRecordException" "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.",
    3 "UnknownTopicOrPartitionException" "This server does not host this topic-partition.",
    5 "LeaderNotAvailableException" "There is no leader for this topic-partition as we are in the middle of a leadership election.",
    6 "NotLeaderOrFollowerException" "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.",
    7 "TimeoutException" "The request timed out.",
    10 "RecordTooLargeException" "The request included a message larger than the max message size the server will accept.",
    12 "OffsetMetadataTooLarge" "The metadata field of the offset request was too large.",
    13 "NetworkException" "The server disconnected before a response was received.",
    14 "CoordinatorLoadInProgressException" "The coordinator is loading and hence can't process requests.",
    15 "CoordinatorNotAvailableException" "The coordinator is not available.",
    16 "NotCoordinatorException" "This is not the correct coordinator.",
    17 "InvalidTopicException" "The request attempted to perform an operation on an invalid topic.",
    18 "RecordBatchTooLargeException" "The request included message batch larger than the configured segment size on the server.",
    19 "NotEnoughReplicasException" "Messages are rejected since there are fewer in-sync replicas than required.",
    20 "NotEnoughReplicasAfterAppendException" "Messages are written to the log, but to fewer in-sync replicas than required.",
    21 "InvalidRequiredAcksException" "Produce request specified an invalid value for required acks.",
    22 "IllegalGenerationException" "Specified group generation id is not valid.",
    23 "InconsistentGroupProtocolException" "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list.",
    24 "InvalidGroupIdException" "The configured groupId is invalid.",
    25 "UnknownMemberIdException" "The coordinator is not aware of this member.",
    26 "InvalidSessionTimeoutException" "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms).",
    27 "RebalanceInProgressException" "The group is rebalancing, so a rejoin is needed.",
    28 "InvalidCommitOffsetSizeException" "The committing offset data size is not valid.",
    29 "TopicAuthorizationException" "Topic authorization failed.",
    30 "GroupAuthorizationException" "Group authorization failed.",
    31 "ClusterAuthorizationException" "Cluster authorization failed.",
    32 "InvalidTimestampException" "The timestamp of the message is out of acceptable range.",
    33 "UnsupportedSaslMechanismException" "The broker does not support the requested SASL mechanism.",
    34 "IllegalSaslStateException" "Request is not valid given the current SASL state.",
    35 "UnsupportedVersionException" "The version of API is not supported.",
    36 "TopicExistsException" "Topic with this name already exists.",
    37 "InvalidPartitionsException" "Number of partitions is below 1.",
    38 "InvalidReplicationFactorException" "Replication factor is below 1 or larger than the number of available brokers.",
    39 "InvalidReplicaAssignmentException" "Replica assignment is invalid.",
    40 "InvalidConfigurationException" "Configuration is invalid.",
    41 "NotControllerException" "This is not the correct controller for this cluster.",
    42 "InvalidRequestException" "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.",
    44 "PolicyViolationException" "Request parameters do not satisfy the configured policy.",
    45 "OutOfOrderSequenceException" "The broker received an out of order sequence number.",
    47 "InvalidProducerEpochException" "Producer attempted to produce with an old epoch.",
    48 "InvalidTxnStateException" "The producer attempted a transactional operation in an invalid state.",
    49 "InvalidPidMappingException" "The producer attempted to use a producer id which is not currently assigned to its transactional id.",
    50 "InvalidTxnTimeoutException" "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms).",
    51 "ConcurrentTransactionsException" "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing.",
    53 "TransactionalIdAuthorizationException" "Transactional Id authorization failed.",
    56 "KafkaStorageException" "Disk error when trying to access log file on the disk.",
    58 "SaslAuthenticationException" "SASL Authentication failed.",
    59 "UnknownProducerIdException" "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question.",
    68 "GroupNotEmptyException" "The group is not empty.",
    69 "GroupIdNotFoundException" "The group id does not exist.",
    74 "FencedLeaderEpochException" "The leader epoch in the request is older than the epoch on the broker.",
    76 "UnsupportedCompressionTypeException" "The requesting client does not support the compression type of given partition.",
    79 "MemberIdRequiredException" "The group member needs to have a valid member id before actually entering a consumer group.",
    81 "GroupMaxSizeReachedException" "The consumer group has reached its max size.",
    82 "FencedInstanceIdException" "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.",
    86 "GroupSubscribedToTopicException" "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
    87 "InvalidRecordException" "This record has failed the validation on broker and hence will be rejected.",
    88 "UnstableOffsetCommitException" "There are unstable offsets that need to be cleared.",
    90 "ProducerFencedException" "There is a newer producer with the same transactionalId which fences the current one.",
    89 "ThrottlingQuotaExceededException" "The throttling quota has been exceeded.",
};

/// Java's exception for a client that cannot reach a broker in time.
pub(crate) const TIMEOUT: &str = "org.apache.kafka.common.errors.TimeoutException";
/// Java's exception for a broker that rejects who we are.
pub(crate) const AUTHENTICATION: &str = "org.apache.kafka.common.errors.SaslAuthenticationException";
/// Java's exception for a TLS handshake that fails for good.
pub(crate) const TLS: &str = "org.apache.kafka.common.errors.SslAuthenticationException";
/// Java's exception for a mechanism that the broker does not offer.
pub(crate) const MECHANISM: &str = "org.apache.kafka.common.errors.UnsupportedSaslMechanismException";
/// Java's exception for a producer whose transactional id another one has by now.
pub(crate) const FENCED: &str = "org.apache.kafka.common.errors.ProducerFencedException";
/// Java's exception for a record beyond `max.request.size`.
pub(crate) const RECORD_TOO_LARGE: &str = "org.apache.kafka.common.errors.RecordTooLargeException";
/// Java's exception for a commit that another member's assignment overtook.
const COMMIT_FAILED: &str = "org.apache.kafka.clients.consumer.CommitFailedException";
const NO_OFFSET: &str = "org.apache.kafka.clients.consumer.NoOffsetForPartitionException";
const KAFKA: &str = "org.apache.kafka.common.KafkaException";

/// Codes that concern the record alone: others may go through.
const RECORD_AT_FAULT: [i16; 6] = [2, 10, 18, 32, 76, 87];

/// The error for a code in a response, said about `subject`: `<subject>: <the broker's own text, or Java's>`.
pub(crate) fn protocol(code: i16, subject: &str, message: Option<&str>) -> Error {
    let known = KNOWN.iter().find(|known| known.code == code);
    let retriable = ResponseError::try_from_code(code).is_some_and(|error| error.is_retriable());
    let class = if RECORD_AT_FAULT.contains(&code) {
        ErrorClass::Data
    } else if retriable {
        ErrorClass::Retriable
    } else {
        ErrorClass::Fatal
    };
    let text = match (message.filter(|message| !message.is_empty()), known) {
        (Some(message), _) => message.to_owned(),
        (None, Some(known)) => known.text.to_owned(),
        (None, None) => match ResponseError::try_from_code(code) {
            Some(error) => format!("{error} (error code {code})"),
            None => format!("error code {code}"),
        },
    };
    Error::new(class, known.map_or(KAFKA, |known| known.exception), format!("{subject}: {text}"))
}

/// The error for a code of librdkafka, said about `subject`.
pub(crate) fn native(code: RDKafkaErrorCode, subject: &str) -> Error {
    use RDKafkaErrorCode as C;
    if let Ok(protocol_code) = i16::try_from(code as i32)
        && protocol_code >= -1
    {
        return protocol(protocol_code, subject, None);
    }
    let (class, exception) = match code {
        C::MessageTimedOut
        | C::OperationTimedOut
        | C::TimedOutQueue
        | C::BrokerTransportFailure
        | C::AllBrokersDown
        | C::Resolve
        | C::WaitingForCoordinator
        | C::WaitCache
        | C::UnknownBroker
        | C::ISRInsufficient
        | C::UnknownTopic => (ErrorClass::Retriable, TIMEOUT),
        C::InProgress | C::PreviousInProgress | C::State | C::Retry | C::QueueFull | C::Outdated => {
            (ErrorClass::Retriable, exception::RETRIABLE)
        }
        C::AssignmentLost | C::PollExceeded => (ErrorClass::Retriable, COMMIT_FAILED),
        C::Fenced => (ErrorClass::Fatal, FENCED),
        C::UnknownPartition | C::BadMessage | C::BadCompression => (ErrorClass::Data, KAFKA),
        C::Authentication => (ErrorClass::Fatal, AUTHENTICATION),
        C::SSL => (ErrorClass::Fatal, TLS),
        C::AutoOffsetReset | C::NoOffset => (ErrorClass::Fatal, NO_OFFSET),
        _ => (ErrorClass::Fatal, KAFKA),
    };
    Error::new(class, exception, format!("{subject}: {}", described(code)))
}

/// librdkafka's own words, without the name of the constant that the binding puts in front.
fn described(code: RDKafkaErrorCode) -> String {
    let shown = code.to_string();
    match (shown.find('('), shown.strip_suffix(')')) {
        (Some(open), Some(inner)) => inner.get(open + 1..).unwrap_or(inner).to_owned(),
        _ => shown,
    }
}

/// A commit failed. Where the group went on without us the offsets cannot be committed any more, but the consumer goes
/// on: that is retriable, under the name Java has for it.
pub(crate) fn commit(error: &KafkaError, group: &str) -> Error {
    use RDKafkaErrorCode as C;
    let subject = format!("Offset commit of group {group}");
    match error.rdkafka_error_code() {
        Some(C::IllegalGeneration | C::UnknownMemberId | C::StaleMemberEpoch | C::AssignmentLost) => {
            Error::new(
                ErrorClass::Retriable,
                COMMIT_FAILED,
                format!(
                    "{subject}: Offset commit cannot be completed since the consumer is not part of an active group for \
                 auto partition assignment; it is likely that the consumer was kicked out of the group."
                ),
            )
        }
        Some(code) => native(code, &subject),
        None => Error::retriable(format!("{subject}: {error}")),
    }
}

/// A client could not be made. Never repeats a value: it may be a secret.
pub(crate) fn creation(error: &KafkaError, client: &str) -> Error {
    let detail = match error {
        KafkaError::ClientConfig(_, _, key, _) => format!("librdkafka does not accept the value for {key}"),
        KafkaError::ClientCreation(detail) => detail.clone(),
        other => other.to_string(),
    };
    Error::config(format!("Cannot create the Kafka {client}: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_class_that_retrying_calls_for() {
        for (code, class) in [
            (RDKafkaErrorCode::MessageTimedOut, ErrorClass::Retriable),
            (RDKafkaErrorCode::NotEnoughReplicas, ErrorClass::Retriable),
            (RDKafkaErrorCode::UnknownTopicOrPartition, ErrorClass::Retriable),
            (RDKafkaErrorCode::MessageSizeTooLarge, ErrorClass::Data),
            (RDKafkaErrorCode::InvalidRecord, ErrorClass::Data),
            (RDKafkaErrorCode::TopicAuthorizationFailed, ErrorClass::Fatal),
            (RDKafkaErrorCode::Authentication, ErrorClass::Fatal),
            (RDKafkaErrorCode::Fatal, ErrorClass::Fatal),
        ] {
            assert_eq!(native(code, "x").class(), class, "{code:?}");
        }
    }

    #[test]
    fn texts_name_the_subject_and_are_javas() {
        let error = protocol(25, "Group g", None);
        assert_eq!(error.exception(), "org.apache.kafka.common.errors.UnknownMemberIdException");
        assert_eq!(error.to_string(), "Group g: The coordinator is not aware of this member.");
        assert_eq!(protocol(38, "Topic t", Some("only 1 broker")).to_string(), "Topic t: only 1 broker");
        assert_eq!(protocol(999, "x", None).to_string(), "x: Unknown error code: 999 (error code 999)");
        assert_eq!(
            native(RDKafkaErrorCode::MessageTimedOut, "Topic t").to_string(),
            "Topic t: Local: Message timed out"
        );
    }
}
