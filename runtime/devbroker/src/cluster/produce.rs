//! Produce and InitProducerId.

use std::ops::ControlFlow;

use kafka_protocol::{
    ResponseError,
    messages::{
        InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
        ResponseKind, TransactionalId,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::StrBytes,
};

use super::{
    Cluster, Outcome,
    agenda::Agenda,
    batch::{BatchHeader, Codec, Refusal},
    producers::Verdict,
    records, retention,
    topic_config::Rules,
    topics::{Partition, PartitionKey, TopicRef, Topics},
};

/// The first Produce version whose topics are ids.
const TOPIC_IDS: i16 = 13;
/// The first Produce version of clients that know zstd (KIP-110).
const ZSTD: i16 = 7;

/// Where a batch went.
struct Appended {
    base_offset: i64,
    /// −1 where the producer's own time counts.
    append_time: i64,
    log_start: i64,
    /// Bytes that readers can get now; 0 for a batch that was there already.
    new_bytes: usize,
}

impl Cluster {
    pub(super) fn produce(&mut self, version: i16, request: ProduceRequest) -> Outcome {
        let acks = request.acks;
        let mut failed = false;
        let mut responses = Vec::with_capacity(request.topic_data.len());
        for topic in request.topic_data {
            let TopicProduceData { name, topic_id, partition_data, .. } = topic;
            let reference = if version >= TOPIC_IDS { TopicRef::Id(topic_id) } else { TopicRef::Name(&name) };
            let mut partitions = Vec::with_capacity(partition_data.len());
            for data in partition_data {
                let result = if matches!(acks, -1..=1) {
                    self.produce_batch(version, reference, &data)
                } else {
                    Err((ResponseError::InvalidRequiredAcks, format!("acks must be -1, 0 or 1, not {acks}")))
                };
                failed |= result.is_err();
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
        topic: TopicRef<'_>,
        data: &PartitionProduceData,
    ) -> Result<Appended, Refusal> {
        let (key, rules) = find(&self.topics, topic, data.index)?;
        let bytes = data.records.as_deref().unwrap_or_default();
        let header = BatchHeader::parse(bytes)?;
        if bytes.len() > rules.max_message_bytes {
            let text = format!(
                "The record batch size is {} bytes, which exceeds the maximum configured value of {}",
                bytes.len(),
                rules.max_message_bytes
            );
            return Err((ResponseError::MessageTooLarge, text));
        }
        if header.codec() == Some(Codec::Zstd) && version < ZSTD {
            let text = format!(
                "Produce requests before version {ZSTD} are not allowed to use ZStandard compression"
            );
            return Err((ResponseError::UnsupportedCompressionType, text));
        }
        let limit = usize::try_from(self.config.memory_limit).unwrap_or(usize::MAX);
        if !retention::make_room(&mut self.topics, bytes.len(), limit) {
            let text =
                format!("the broker holds {limit} bytes, its memory_limit, and may delete none of them");
            return Err((ResponseError::KafkaStorageError, text));
        }
        let agenda = &self.agenda;
        let appended = self
            .topics
            .change(key, |partition, rules| append(partition, rules, agenda, header, bytes))
            .unwrap_or_else(|| Err(unknown(topic)))?;
        if appended.new_bytes > 0 {
            retention::trim_partition(&mut self.topics, key);
            retention::schedule(&mut self.agenda, self.config.retention_check_interval);
            self.wake_fetches(key, appended.new_bytes);
        }
        Ok(appended)
    }

    pub(super) fn init_producer_id(&mut self, request: &InitProducerIdRequest) -> ResponseKind {
        let response = InitProducerIdResponse::default();
        ResponseKind::InitProducerId(match &request.transactional_id {
            // Without a transactional id nobody can be fenced, so every producer is simply given a new id.
            None => {
                let id = self.next_producer_id;
                self.next_producer_id += 1;
                response.with_producer_id(ProducerId(id)).with_producer_epoch(0)
            }
            Some(TransactionalId(id)) => {
                let error = if id.is_empty() {
                    ResponseError::InvalidRequest
                } else {
                    ResponseError::TransactionalIdAuthorizationFailed
                };
                response
                    .with_error_code(error.code())
                    .with_producer_id(ProducerId(-1))
                    .with_producer_epoch(-1)
            }
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

fn find(topics: &Topics, topic: TopicRef<'_>, index: i32) -> Result<(PartitionKey, Rules), Refusal> {
    let found = topics.get(topic).ok_or_else(|| unknown(topic))?;
    if found.partition(index).is_none() {
        let text = format!("topic {} has no partition {index}", found.name);
        return Err((ResponseError::UnknownTopicOrPartition, text));
    }
    Ok((found.key(index), found.config.rules))
}

fn append(
    partition: &mut Partition,
    rules: &Rules,
    agenda: &Agenda,
    header: BatchHeader,
    bytes: &[u8],
) -> Result<Appended, Refusal> {
    let now = agenda.now();
    if header.is_transactional() {
        let text = "this development broker has no transactions".to_owned();
        return Err((ResponseError::InvalidTxnState, text));
    }
    let append_time = rules.log_append_time.then_some(now.unix_millis);
    if let Verdict::Duplicate { base_offset, append_time } = partition.producers.check(&header)? {
        return Ok(Appended { base_offset, append_time, log_start: partition.log.start(), new_bytes: 0 });
    }
    check_records(rules, now.unix_millis, &header, bytes)?;
    let base_offset = partition.log.append(bytes, header, partition.leader_epoch, append_time);
    let append_time = append_time.unwrap_or(-1);
    partition.producers.record(&header, base_offset, append_time, now.elapsed);
    Ok(Appended { base_offset, append_time, log_start: partition.log.start(), new_bytes: bytes.len() })
}

/// Looks at the records themselves: always where that costs little, and where a compacted topic needs keys.
fn check_records(rules: &Rules, now: i64, header: &BatchHeader, bytes: &[u8]) -> Result<(), Refusal> {
    if !rules.log_append_time {
        let newest = header.max_timestamp;
        let oldest = if newest < 0 { now } else { newest };
        if newest > now.saturating_add(rules.timestamp_after)
            || oldest < now.saturating_sub(rules.timestamp_before)
        {
            let text = format!(
                "Timestamp {newest} of message is out of range. The timestamp should be within [{}, {}]",
                now.saturating_sub(rules.timestamp_before),
                now.saturating_add(rules.timestamp_after)
            );
            return Err((ResponseError::InvalidTimestamp, text));
        }
    }
    if header.codec() != Some(Codec::None) && !rules.compacted {
        return Ok(());
    }
    let mut expected = 0;
    let mut complaint = None;
    let scanned = records::scan(header, bytes, |record| {
        if record.offset_delta != expected {
            complaint =
                Some(format!("Inner record {expected} has the inconsistent offset {}", record.offset_delta));
        } else if rules.compacted && !record.has_key {
            complaint = Some("Compacted topic cannot accept message without key".to_owned());
        }
        expected += 1;
        if complaint.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match (scanned, complaint) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(text)) => Err((ResponseError::InvalidRecord, text)),
        (Err(error), _) => {
            Err((ResponseError::InvalidRecord, format!("the records cannot be read: {error}")))
        }
    }
}

fn partition_response(index: i32, result: Result<Appended, Refusal>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match result {
        Ok(appended) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time)
            .with_log_start_offset(appended.log_start),
        Err((error, text)) => response
            .with_error_code(error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1)
            .with_error_message(Some(StrBytes::from_string(text))),
    }
}
