//! The cluster driven by hand: a made-up clock, typed requests, and every answer written and read back in the version
//! it was asked for.

mod admin;
mod compaction;
mod faults;
mod fetch;
mod groups;
mod hostile;
mod offsets;
mod produce;
mod retention;
mod sasl;
mod transaction_model;
mod transactions;
mod versions;

use std::{collections::HashMap, time::Duration};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    indexmap::IndexMap,
    messages::{
        ApiKey, CreateTopicsRequest, FetchRequest, ProduceRequest, RequestKind, ResponseKind, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    protocol::StrBytes,
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};

use super::{Caller, Cluster, ConnectionId, Endpoint, Moment, Outcome, Ticket};
use crate::{BrokerConfig, wire};

/// 2026-01-01, when every simulation begins.
const START: i64 = 1_767_225_600_000;

struct Sim {
    cluster: Cluster,
    now: Moment,
    late: HashMap<Ticket, ResponseKind>,
}

/// Asks and takes the answer, which must be there at once.
macro_rules! ask {
    ($sim:expr, $kind:ident $version:literal, $request:expr) => {{
        let request = kafka_protocol::messages::RequestKind::$kind($request);
        match $sim.call(kafka_protocol::messages::ApiKey::$kind, $version, request) {
            kafka_protocol::messages::ResponseKind::$kind(response) => response,
            other => panic!("an answer of another kind: {other:?}"),
        }
    }};
}
use ask;

impl Sim {
    fn new() -> Self {
        Self::with(BrokerConfig::default())
    }

    fn with(config: BrokerConfig) -> Self {
        let now = Moment { elapsed: Duration::ZERO, unix_millis: START };
        let endpoint = Endpoint { host: "localhost".to_owned(), port: 9092 };
        Self { cluster: Cluster::new(&config, endpoint, 1, now), now, late: HashMap::new() }
    }

    /// Lets time pass the way a driver does: waking up exactly when asked to.
    fn pass(&mut self, time: Duration) {
        let end = self.now.elapsed + time;
        while let Some(at) = self.cluster.next_wakeup().filter(|at| *at <= end) {
            self.jump(at);
        }
        self.jump(end);
    }

    fn jump(&mut self, to: Duration) {
        let step = to.saturating_sub(self.now.elapsed);
        self.now.elapsed += step;
        self.now.unix_millis += i64::try_from(step.as_millis()).unwrap();
        self.cluster.advance(self.now);
        self.collect();
    }

    fn collect(&mut self) {
        self.late.extend(self.cluster.take_completed());
    }

    fn send(&mut self, api: ApiKey, version: i16, request: RequestKind) -> Outcome {
        let caller = Caller { connection: ConnectionId(1), client_id: "test", host: "/127.0.0.1", version };
        let outcome = self.cluster.handle(self.now, caller, request);
        self.collect();
        match outcome {
            Outcome::Reply(response) => Outcome::Reply(through_the_wire(api, version, &response)),
            other => other,
        }
    }

    fn call(&mut self, api: ApiKey, version: i16, request: RequestKind) -> ResponseKind {
        match self.send(api, version, request) {
            Outcome::Reply(response) => response,
            Outcome::Parked(ticket) => {
                through_the_wire(api, version, &self.late.remove(&ticket).expect("an answer at once"))
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Sends a request that must wait.
    fn park(&mut self, api: ApiKey, version: i16, request: RequestKind) -> Ticket {
        match self.send(api, version, request) {
            Outcome::Parked(ticket) => {
                assert!(!self.late.contains_key(&ticket), "answered at once");
                ticket
            }
            other => panic!("answered at once: {other:?}"),
        }
    }

    fn create(&mut self, name: &'static str, partitions: i32, configs: &[(&'static str, &'static str)]) {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_static_str(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let created = ask!(self, CreateTopics 7, CreateTopicsRequest::default().with_topics(vec![topic]));
        assert_eq!(created.topics[0].error_code, 0, "{:?}", created.topics[0].error_message);
    }

    fn produce(&mut self, name: &'static str, partition: i32, batch: Bytes) -> PartitionProduceResponse {
        let request = produce_request(name, partition, batch, -1);
        ask!(self, Produce 12, request).responses.remove(0).partition_responses.remove(0)
    }

    /// What a reader at `offset` of partition 0 gets.
    fn read(&mut self, name: &'static str, offset: i64) -> PartitionData {
        let request = fetch_request(name, offset, 0, 0);
        ask!(self, Fetch 12, request).responses.remove(0).partitions.remove(0)
    }
}

/// Writes an answer in a version and reads it back: what does not fit the version fails here.
fn through_the_wire(api: ApiKey, version: i16, response: &ResponseKind) -> ResponseKind {
    let frame = wire::encode(api, version, 0, response).expect("an answer that can be written").freeze();
    let header = if api.response_header_version(version) == 0 { 8 } else { 9 };
    let mut body = frame.slice(header..);
    let read = ResponseKind::decode(api, &mut body, version).expect("an answer that can be read");
    assert!(body.is_empty(), "{api:?} version {version} leaves {} bytes", body.len());
    read
}

fn topic(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

fn produce_request(name: &'static str, partition: i32, batch: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn fetch_request(name: &'static str, offset: i64, min_bytes: i32, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_min_bytes(min_bytes)
        .with_max_wait_ms(max_wait_ms)
        .with_max_bytes(1 << 24)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// A record at `START` plus `millis`.
fn record(millis: i64, key: Option<&'static str>, value: &'static str) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: START + millis,
        key: key.map(|key| Bytes::from_static(key.as_bytes())),
        value: Some(Bytes::from_static(value.as_bytes())),
        headers: IndexMap::new(),
    }
}

/// Packs records the way a producer does.
fn pack(mut records: Vec<Record>, compression: Compression) -> Bytes {
    for (offset, record) in (0..).zip(&mut records) {
        record.offset = i64::from(offset);
        if record.producer_id >= 0 {
            record.sequence += offset;
        } else {
            record.sequence = offset - 1;
        }
    }
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode(&mut batch, &records, &RecordEncodeOptions { version: 2, compression })
        .unwrap();
    batch.freeze()
}

/// A plain batch of records with these values.
fn batch(values: &[&'static str]) -> Bytes {
    pack(values.iter().map(|value| record(0, Some("key"), value)).collect(), Compression::None)
}

/// A batch of an idempotent producer.
fn sequenced(producer: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let one = Record { producer_id: producer, producer_epoch: epoch, sequence, ..record(0, None, "v") };
    pack(vec![one; count], Compression::None)
}
