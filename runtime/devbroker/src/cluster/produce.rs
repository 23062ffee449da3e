//! Produce, and the markers that end transactions.

use std::ops::ControlFlow;

use kafka_protocol::{
    ResponseError,
    messages::{
        ProduceRequest, ProduceResponse, ResponseKind,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};

use tracing::debug;

use super::{
    Cluster, Moment, Outcome,
    batch::{self, BatchHeader, Codec, Refusal},
    fetch::Arrived,
    producers::Verdict,
    records::{self, RecordHead},
    retention,
    topic_config::Rules,
    topics::{Partition, PartitionKey, Topic, TopicRef},
    transactions::{Protocol, Target, Write},
};

/// The first Produce version whose topics are ids.
const TOPIC_IDS: i16 = 13;
/// The first Produce version of clients that know zstd (KIP-110).
const ZSTD: i16 = 7;

/// The first Produce version of clients that know TRANSACTION_ABORTABLE.
const ABORTABLE: i16 = 11;
/// The first Produce version that adds partitions to transactions by itself (KIP-890).
const WRITING_ADDS: i16 = 12;

/// Where a batch went.
struct Appended {
    base_offset: i64,
    /// −1 where the producer's own time counts.
    append_time: i64,
    log_start: i64,
    /// What readers can get now; `None` for a batch that was there already.
    arrived: Option<Arrived>,
}

/// Why a batch went nowhere.
struct Failed {
    refusal: Refusal,
    /// −1 where the log was not asked, or the error is one that Kafka does not look further into.
    log_start: i64,
}

impl Failed {
    fn in_log(refusal: Refusal, log_start: i64) -> Self {
        Self { refusal, log_start }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, log_start: -1 }
    }
}

impl Cluster {
    pub(super) fn produce(&mut self, version: i16, request: ProduceRequest) -> Outcome {
        let acks = request.acks;
        let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str());
        let mut failed = false;
        let mut responses = Vec::with_capacity(request.topic_data.len());
        for topic in request.topic_data {
            let TopicProduceData { name, topic_id, partition_data, .. } = topic;
            let reference = if version >= TOPIC_IDS { TopicRef::Id(topic_id) } else { TopicRef::Name(&name) };
            let mut partitions = Vec::with_capacity(partition_data.len());
            for data in partition_data {
                let result = if matches!(acks, -1..=1) {
                    self.produce_batch(version, transactional_id, reference, &data)
                } else {
                    Err((ResponseError::InvalidRequiredAcks, format!("acks must be -1, 0 or 1, not {acks}"))
                        .into())
                };
                if let Err(Failed { refusal: (error, text), .. }) = &result {
                    debug!(partition = data.index, ?error, text, "batch refused");
                    failed = true;
                }
                partitions.push(partition_response(data.index, result));
            }
            let topic = TopicProduceResponse::default().with_partition_responses(partitions);
            responses.push(if version >= TOPIC_IDS {
                topic.with_topic_id(topic_id)
            } else {
                topic.with_name(name)
            });
        }
        match (acks, failed) {
            (0, false) => Outcome::Silent,
            // A producer that wants no answer learns of an error by losing its connection, as with Kafka.
            (0, true) => Outcome::Disconnect,
            _ => Outcome::Reply(ResponseKind::Produce(ProduceResponse::default().with_responses(responses))),
        }
    }

    fn produce_batch(
        &mut self,
        version: i16,
        transactional_id: Option<&str>,
        reference: TopicRef<'_>,
        data: &PartitionProduceData,
    ) -> Result<Appended, Failed> {
        let topic = self.topics.get(reference).ok_or_else(|| unknown(reference))?;
        if topic.partition(data.index).is_none() {
            let text = format!("topic {} has no partition {}", topic.name, data.index);
            return Err((ResponseError::UnknownTopicOrPartition, text).into());
        }
        let key = topic.key(data.index);
        let bytes = data.records.as_deref().unwrap_or_default();
        let header = BatchHeader::parse(bytes)?;
        if header.codec() == Some(Codec::Zstd) && version < ZSTD {
            let text = format!(
                "Produce requests before version {ZSTD} are not allowed to use ZStandard compression"
            );
            return Err((ResponseError::UnsupportedCompressionType, text).into());
        }
        self.check_transaction(version, transactional_id, key, &header)?;
        let now = self.agenda.now();
        let topic = self.topics.get(reference).ok_or_else(|| unknown(reference))?;
        let log_start = topic.partition(data.index).map_or(-1, |partition| partition.log.start());
        let in_log = |refusal| Failed::in_log(refusal, log_start);
        check_size(topic, bytes)?;
        let header = header.check().map_err(in_log)?;
        check_records(topic, data.index, now.unix_millis, &header, bytes).map_err(in_log)?;
        if self.faults.disk_is_full(now) {
            return Err(
                (ResponseError::KafkaStorageError, "the disk is full, as was asked for".to_owned()).into()
            );
        }
        let limit = usize::try_from(self.config.memory_limit).unwrap_or(usize::MAX);
        if !retention::make_room(&mut self.topics, bytes.len(), limit, now.unix_millis) {
            let text =
                format!("the broker holds {limit} bytes, its memory_limit, and may delete none of them");
            return Err((ResponseError::KafkaStorageError, text).into());
        }
        let appended = self
            .topics
            .change(key, |partition, rules| append(partition, rules, now, header, bytes))
            .unwrap_or_else(|| Err(unknown(reference)))
            .map_err(in_log)?;
        if let Some(arrived) = appended.arrived {
            retention::trim_partition(&mut self.topics, key);
            retention::schedule(&mut self.agenda, self.config.retention_check_interval);
            self.schedule_compaction(key);
            self.wake_fetches(key, arrived);
        }
        Ok(appended)
    }

    /// Appends what ends a transaction of this producer (its id and epoch) to one partition.
    pub(super) fn write_marker(&mut self, key: PartitionKey, producer: (i64, i16), commit: bool) {
        let now = self.agenda.now();
        let (id, epoch) = producer;
        let (bytes, header) = batch::marker(id, epoch, commit, now.unix_millis);
        let arrived = self.topics.change(key, |partition, rules| {
            let stable = partition.last_stable_offset();
            let offset = partition.log.append(&bytes, header, partition.leader_epoch, None, rules.segment);
            partition.producers.record_marker(id, epoch, now.elapsed);
            partition.isolation.ended(id, offset, commit);
            let start = partition.log.start();
            partition.isolation.forget_aborted(|marker| marker < start);
            let stable = partition.log.bytes_between(stable, partition.last_stable_offset());
            Arrived { bytes: bytes.len(), stable }
        });
        if let Some(arrived) = arrived {
            // A marker is never refused; what it takes is given back at the cost of older records.
            let limit = usize::try_from(self.config.memory_limit).unwrap_or(usize::MAX);
            retention::make_room(&mut self.topics, 0, limit, now.unix_millis);
            retention::trim_partition(&mut self.topics, key);
            self.schedule_compaction(key);
            self.wake_fetches(key, arrived);
        }
    }

    /// Makes sure that a batch that says it belongs to a transaction does.
    fn check_transaction(
        &mut self,
        version: i16,
        transactional_id: Option<&str>,
        key: PartitionKey,
        header: &BatchHeader,
    ) -> Result<(), Refusal> {
        let partition = self.topics.get(TopicRef::Id(key.topic)).and_then(|topic| topic.partition(key.index));
        let open = partition.is_some_and(|partition| partition.isolation.has_open(header.producer_id));
        if !header.is_transactional() {
            return Ok(());
        }
        let Some(id) = transactional_id else {
            let text = "a transactional batch without a transactional id".to_owned();
            return Err((ResponseError::TransactionalIdAuthorizationFailed, text));
        };
        if open {
            return Ok(());
        }
        let protocol = match version {
            ..ABORTABLE => Protocol::First,
            ABORTABLE..WRITING_ADDS => Protocol::Abortable,
            _ => Protocol::Second,
        };
        let write = Write { id, producer_id: header.producer_id, epoch: header.producer_epoch, protocol };
        let admitted = self.transactions.admit(&mut self.agenda, write, Target::Partition(key));
        admitted.map_err(|error| match error {
            ResponseError::ProducerFenced => (ResponseError::InvalidProducerEpoch, String::new()),
            other => (other, String::new()),
        })
    }
}

fn unknown(topic: TopicRef<'_>) -> Refusal {
    match topic {
        TopicRef::Name(name) => {
            (ResponseError::UnknownTopicOrPartition, format!("there is no such partition of topic {name}"))
        }
        TopicRef::Id(id) => {
            (ResponseError::UnknownTopicId, format!("there is no such partition of topic id {id}"))
        }
    }
}

fn check_size(topic: &Topic, bytes: &[u8]) -> Result<(), Refusal> {
    let (size, limit) = (bytes.len(), topic.config.rules.max_message_bytes);
    if size > limit {
        let text = format!(
            "The record batch size is {size} bytes, which exceeds the maximum configured value of {limit}"
        );
        return Err((ResponseError::MessageTooLarge, text));
    }
    Ok(())
}

fn append(
    partition: &mut Partition,
    rules: &Rules,
    now: Moment,
    header: BatchHeader,
    bytes: &[u8],
) -> Result<Appended, Refusal> {
    if !header.is_transactional() && partition.isolation.has_open(header.producer_id) {
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        let text = format!("Expected transactional write from producer with id {id} and epoch {epoch}");
        return Err((ResponseError::InvalidTxnState, text));
    }
    if let Verdict::Duplicate { base_offset, append_time } = partition.producers.check(&header)? {
        return Ok(Appended { base_offset, append_time, log_start: partition.log.start(), arrived: None });
    }
    let append_time = rules.log_append_time.then_some(now.unix_millis);
    let base_offset = partition.log.append(bytes, header, partition.leader_epoch, append_time, rules.segment);
    // A repeated batch is told the time of its records, whoever gave it.
    let time = append_time.unwrap_or(header.max_timestamp);
    partition.producers.record(&header, base_offset, time, now.elapsed);
    let append_time = append_time.unwrap_or(-1);
    if header.is_transactional() {
        partition.isolation.wrote(header.producer_id, base_offset);
    }
    let stable = if partition.last_stable_offset() > base_offset { bytes.len() } else { 0 };
    let arrived = Some(Arrived { bytes: bytes.len(), stable });
    Ok(Appended { base_offset, append_time, log_start: partition.log.start(), arrived })
}

/// Looks at the records themselves: always where that costs little, and where a compacted topic needs keys.
fn check_records(
    topic: &Topic,
    index: i32,
    now: i64,
    header: &BatchHeader,
    bytes: &[u8],
) -> Result<(), Refusal> {
    let rules = topic.config.rules;
    let allowed = now.saturating_sub(rules.timestamp_before)..=now.saturating_add(rules.timestamp_after);
    // −1 is a producer that knows no time.
    let in_time = |time: i64| rules.log_append_time || time == -1 || allowed.contains(&time);
    if header.codec() != Some(Codec::None) && !rules.compacted && in_time(header.max_timestamp) {
        return Ok(());
    }
    let complaint = |record: RecordHead, expected: i32| {
        if !in_time(record.timestamp) {
            let (from, to, time) = (allowed.start(), allowed.end(), record.timestamp);
            let text = format!(
                "Timestamp {time} of message with offset {expected} is out of range. The timestamp should be within [{from}, {to}]"
            );
            return Some((ResponseError::InvalidTimestamp, text));
        }
        let text = if record.offset_delta != expected {
            format!("Inner record {expected} has the inconsistent offset {}", record.offset_delta)
        } else if rules.compacted && !record.has_key {
            let name = &topic.name;
            format!("Compacted topic cannot accept message without key in topic partition {name}-{index}")
        } else {
            return None;
        };
        Some((ResponseError::InvalidRecord, text))
    };
    let mut expected = 0;
    let mut found = None;
    let scanned = records::scan(header, bytes, |record| {
        found = complaint(record, expected);
        expected += 1;
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match (scanned, found) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(refusal)) => Err(refusal),
        (Err(error), _) => {
            Err((ResponseError::InvalidRecord, format!("the records cannot be read: {error}")))
        }
    }
}

fn partition_response(index: i32, result: Result<Appended, Failed>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match result {
        Ok(appended) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time)
            .with_log_start_offset(appended.log_start),
        Err(Failed { refusal: (error, text), log_start }) => response
            .with_error_code(error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(log_start)
            .with_error_message(is_told(error).then(|| StrBytes::from_string(text))),
    }
}

/// Kafka gives the reason where the code alone would not do; clients have texts of their own for the others.
fn is_told(error: ResponseError) -> bool {
    !matches!(
        error,
        ResponseError::CorruptMessage
            | ResponseError::MessageTooLarge
            | ResponseError::UnknownTopicOrPartition
    )
}
