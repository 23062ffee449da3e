//! Fetch: reading at once when there is enough, and waiting for more when there is not (KIP-16, KIP-74).

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        FetchRequest, FetchResponse, ProducerId, ResponseKind,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData},
    },
};

use super::{
    Cluster, ConnectionId, Outcome, Ticket,
    agenda::Alarm,
    topics::{Partition, PartitionKey, TopicRef, Topics},
};

/// The first version whose topics are ids (KIP-516).
const TOPIC_IDS: i16 = 13;
const READ_COMMITTED: i8 = 1;
/// The session epoch of a request that neither has nor wants a session (KIP-227).
const SESSIONLESS: i32 = -1;

/// Bytes that a partition has now and did not have before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    /// For every reader.
    pub(super) bytes: usize,
    /// For readers of committed records.
    pub(super) stable: usize,
}

/// A fetch that waits.
#[derive(Debug)]
struct Waiting {
    connection: ConnectionId,
    version: i16,
    request: FetchRequest,
    partitions: Vec<PartitionKey>,
    /// Bytes that must still come before the answer is worth sending.
    missing: usize,
}

/// The fetches that wait, and who waits for which partition.
#[derive(Debug, Default)]
pub(super) struct WaitingFetches {
    waiting: HashMap<Ticket, Waiting>,
    by_partition: HashMap<PartitionKey, Vec<Ticket>>,
    by_connection: HashMap<ConnectionId, Vec<Ticket>>,
}

impl WaitingFetches {
    fn add(&mut self, ticket: Ticket, fetch: Waiting) {
        for key in &fetch.partitions {
            self.by_partition.entry(*key).or_default().push(ticket);
        }
        self.by_connection.entry(fetch.connection).or_default().push(ticket);
        self.waiting.insert(ticket, fetch);
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waiting> {
        let fetch = self.waiting.remove(&ticket)?;
        for key in &fetch.partitions {
            forget(&mut self.by_partition, key, ticket);
        }
        forget(&mut self.by_connection, &fetch.connection, ticket);
        Some(fetch)
    }

    /// Counts bytes that came to a partition; gives the fetches that have enough now.
    fn arrived(&mut self, key: PartitionKey, arrived: Arrived) -> Vec<Ticket> {
        let Some(tickets) = self.by_partition.get(&key) else { return Vec::new() };
        let mut ready = Vec::new();
        for ticket in tickets {
            if let Some(fetch) = self.waiting.get_mut(ticket) {
                let committed_only = fetch.request.isolation_level == READ_COMMITTED;
                let bytes = if committed_only { arrived.stable } else { arrived.bytes };
                fetch.missing = fetch.missing.saturating_sub(bytes);
                if fetch.missing == 0 {
                    ready.push(*ticket);
                }
            }
        }
        ready
    }

    fn of_topic(&self, topic: uuid::Uuid) -> Vec<Ticket> {
        let waits = |fetch: &Waiting| fetch.partitions.iter().any(|key| key.topic == topic);
        self.waiting.iter().filter(|(_, fetch)| waits(fetch)).map(|(ticket, _)| *ticket).collect()
    }
}

fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<Ticket>>, key: &K, ticket: Ticket) {
    if let Some(tickets) = index.get_mut(key) {
        tickets.retain(|other| *other != ticket);
        if tickets.is_empty() {
            index.remove(key);
        }
    }
}

impl Cluster {
    pub(super) fn fetch(&mut self, connection: ConnectionId, version: i16, request: FetchRequest) -> Outcome {
        if request.session_id != 0 && request.session_epoch != SESSIONLESS {
            // No session is ever given out, so this one is from another life of the broker.
            let error = ResponseError::FetchSessionIdNotFound.code();
            return Outcome::Reply(ResponseKind::Fetch(FetchResponse::default().with_error_code(error)));
        }
        let mut read = read(&self.topics, version, &request, self.config.max_fetch_bytes);
        let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
        let patience = u64::try_from(request.max_wait_ms).map_or(Duration::ZERO, Duration::from_millis);
        let enough = read.bytes >= wanted || read.failed || read.partitions.is_empty();
        if enough || patience.is_zero() {
            return Outcome::Reply(ResponseKind::Fetch(read.response));
        }
        let ticket = self.agenda.ticket();
        self.agenda.set(Alarm::Fetch(ticket), patience);
        let missing = wanted - read.bytes;
        read.partitions.sort_unstable();
        read.partitions.dedup();
        self.fetches
            .add(ticket, Waiting { connection, version, request, partitions: read.partitions, missing });
        Outcome::Parked(ticket)
    }

    /// Answers a fetch that waited, with what there is now.
    pub(super) fn complete_fetch(&mut self, ticket: Ticket) {
        self.agenda.cancel(&Alarm::Fetch(ticket));
        if let Some(fetch) = self.fetches.remove(ticket) {
            let read = read(&self.topics, fetch.version, &fetch.request, self.config.max_fetch_bytes);
            self.agenda.complete(ticket, ResponseKind::Fetch(read.response));
        }
    }

    pub(super) fn wake_fetches(&mut self, key: PartitionKey, arrived: Arrived) {
        for ticket in self.fetches.arrived(key, arrived) {
            self.complete_fetch(ticket);
        }
    }

    /// After a topic is gone, nobody should wait for it any longer.
    pub(super) fn wake_fetches_of(&mut self, topic: uuid::Uuid) {
        for ticket in self.fetches.of_topic(topic) {
            self.complete_fetch(ticket);
        }
    }

    /// The client of these fetches is gone.
    pub(super) fn drop_fetches(&mut self, connection: ConnectionId) {
        for ticket in self.fetches.by_connection.remove(&connection).unwrap_or_default() {
            self.agenda.cancel(&Alarm::Fetch(ticket));
            self.fetches.remove(ticket);
        }
    }
}

/// What a fetch finds.
struct Read {
    response: FetchResponse,
    bytes: usize,
    /// Some partition answered an error, which the client should hear of at once.
    failed: bool,
    partitions: Vec<PartitionKey>,
}

fn read(topics: &Topics, version: i16, request: &FetchRequest, limit: i32) -> Read {
    let mut read =
        Read { response: FetchResponse::default(), bytes: 0, failed: false, partitions: Vec::new() };
    let mut room = usize::try_from(request.max_bytes.min(limit)).unwrap_or(0);
    for FetchTopic { topic: name, topic_id, partitions, .. } in &request.topics {
        let reference = if version >= TOPIC_IDS { TopicRef::Id(*topic_id) } else { TopicRef::Name(name) };
        let topic = topics.get(reference);
        let mut answers = Vec::with_capacity(partitions.len());
        for wanted in partitions {
            let answer =
                match topic.map(|topic| (topic.key(wanted.partition), topic.partition(wanted.partition))) {
                    Some((key, Some(partition))) => {
                        read.partitions.push(key);
                        read_partition(partition, wanted, request.isolation_level, room, read.bytes == 0)
                    }
                    Some((_, None)) => Err(ResponseError::UnknownTopicOrPartition),
                    None if version >= TOPIC_IDS => Err(ResponseError::UnknownTopicId),
                    None => Err(ResponseError::UnknownTopicOrPartition),
                };
            read.failed |= answer.is_err();
            let answer = answer.unwrap_or_else(failure).with_partition_index(wanted.partition);
            let size = answer.records.as_ref().map_or(0, Bytes::len);
            read.bytes += size;
            room = room.saturating_sub(size);
            answers.push(answer);
        }
        let answer = FetchableTopicResponse::default().with_partitions(answers);
        read.response.responses.push(if version >= TOPIC_IDS {
            answer.with_topic_id(*topic_id)
        } else {
            answer.with_topic(name.clone())
        });
    }
    read
}

/// The list of aborted transactions is empty where Kafka does not even ask a log, and else null.
fn failure(error: ResponseError) -> PartitionData {
    let is_unknown = matches!(error, ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId);
    PartitionData::default()
        .with_error_code(error.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_aborted_transactions(is_unknown.then(Vec::new))
        .with_records(Some(Bytes::new()))
}

fn read_partition(
    partition: &Partition,
    wanted: &FetchPartition,
    isolation: i8,
    room: usize,
    nothing_yet: bool,
) -> Result<PartitionData, ResponseError> {
    check_epoch(wanted.current_leader_epoch, partition.leader_epoch)?;
    let log = &partition.log;
    if !(log.start()..=log.end()).contains(&wanted.fetch_offset) {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let committed_only = isolation == READ_COMMITTED;
    let stable = partition.last_stable_offset();
    let until = if committed_only { stable } else { log.end() };
    let most = room.min(usize::try_from(wanted.partition_max_bytes).unwrap_or(0));
    let (records, next) = log.read(wanted.fetch_offset, until, most, nothing_yet);
    let aborted = committed_only.then(|| {
        let aborted = partition.isolation.aborted_between(wanted.fetch_offset, next);
        let listed = aborted.map(|one| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(one.producer_id))
                .with_first_offset(one.first_offset)
        });
        listed.collect()
    });
    Ok(PartitionData::default()
        .with_high_watermark(log.end())
        .with_last_stable_offset(stable)
        .with_log_start_offset(log.start())
        .with_aborted_transactions(aborted)
        .with_records(Some(records)))
}

/// Compares the leader epoch a client knows with ours; −1 is a client that does not care (KIP-320).
pub(super) fn check_epoch(known: i32, actual: i32) -> Result<(), ResponseError> {
    match known {
        -1 => Ok(()),
        known if known < actual => Err(ResponseError::FencedLeaderEpoch),
        known if known > actual => Err(ResponseError::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}
