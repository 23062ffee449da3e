//! What a case has at hand: a connection, names of its own, and a place to write down what it saw.

use std::{
    collections::BTreeMap,
    fmt::Display,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    indexmap::IndexMap,
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, FindCoordinatorRequest, GroupId, MetadataRequest,
        OffsetFetchRequest, TopicName, TransactionalId,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        metadata_request::MetadataRequestTopic,
        offset_fetch_request::OffsetFetchRequestGroup,
    },
    protocol::StrBytes,
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use uuid::Uuid;

use super::{
    PATIENCE,
    wire::{Wire, ask},
};

/// A moment in the past, and yet not so old that retention would take it.
pub(crate) fn base_time() -> i64 {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    now - 60_000
}

pub(crate) struct Session {
    pub(crate) bootstrap: String,
    pub(crate) wire: Wire,
    /// Makes names unique in a cluster that others use too, and is left out of what is written down.
    prefix: String,
    lines: Vec<String>,
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// The name of an error code.
pub(crate) fn code(code: i16) -> String {
    match ResponseError::try_from_code(code) {
        None => "ok".to_owned(),
        Some(error) => format!("{error:?}({code})"),
    }
}

impl Session {
    pub(crate) fn new(bootstrap: &str) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let prefix = format!("contract-{nanos:x}-{:?}-", std::thread::current().id());
        let prefix = prefix.replace(['(', ')'], "");
        Self { bootstrap: bootstrap.to_owned(), wire: Wire::connect(bootstrap), prefix, lines: Vec::new() }
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(&self.bootstrap)
    }

    /// Writes down what was seen.
    pub(crate) fn note(&mut self, what: impl Display, seen: impl Display) {
        let line = format!("{what}: {seen}").replace(&self.prefix, "");
        self.lines.push(line.replace('\n', "\\n").trim_end().to_owned());
    }

    pub(crate) fn into_text(self) -> String {
        self.lines.join("\n") + "\n"
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn topic(&self, name: &str) -> TopicName {
        TopicName(text(&self.name(name)))
    }

    pub(crate) fn group(&self, name: &str) -> GroupId {
        GroupId(text(&self.name(name)))
    }

    pub(crate) fn transaction(&self, name: &str) -> TransactionalId {
        TransactionalId(text(&self.name(name)))
    }

    pub(crate) fn versions(&mut self) -> BTreeMap<i16, (i16, i16)> {
        let answer = ask!(self.wire, ApiVersions 3, ApiVersionsRequest::default()
            .with_client_software_name(text("contract")).with_client_software_version(text("1")));
        answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
    }

    /// Makes a topic and waits until it has leaders; gives its id.
    pub(crate) fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(self.topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let created = ask!(self.wire, CreateTopics 7, request);
        assert_eq!(created.topics[0].error_code, 0, "{:?}", created.topics[0].error_message);
        self.wait_for(name, partitions);
        created.topics[0].topic_id
    }

    pub(crate) fn wait_for(&mut self, name: &str, partitions: i32) {
        let wanted = MetadataRequestTopic::default().with_name(Some(self.topic(name)));
        let request = MetadataRequest::default().with_topics(Some(vec![wanted]));
        self.until("leaders", |session| {
            let answer = ask!(session.wire, Metadata 9, request.clone());
            let topic = &answer.topics[0];
            let led = topic.partitions.iter().filter(|partition| partition.leader_id.0 >= 0);
            topic.error_code == 0 && led.count() == usize::try_from(partitions).unwrap()
        });
        // The broker itself may hear of its leadership later than the metadata says.
        let topic = self.topic(name);
        self.until("the leader", |session| {
            let indexes = 0..partitions;
            let wanted = indexes.map(|index| {
                kafka_protocol::messages::list_offsets_request::ListOffsetsPartition::default()
                    .with_partition_index(index)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(-1)
            });
            let wanted = kafka_protocol::messages::list_offsets_request::ListOffsetsTopic::default()
                .with_name(topic.clone())
                .with_partitions(wanted.collect());
            let request = kafka_protocol::messages::ListOffsetsRequest::default()
                .with_replica_id((-1).into())
                .with_topics(vec![wanted]);
            let answer = ask!(session.wire, ListOffsets 5, request);
            answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0)
        });
    }

    /// Waits until the coordinator of a group answers: the real one makes its topic first.
    pub(crate) fn await_group(&mut self, name: &str) {
        let group = OffsetFetchRequestGroup::default().with_group_id(self.group(name)).with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(vec![group]);
        self.await_coordinator(name, 0);
        self.until("the group coordinator", |session| {
            ask!(session.wire, OffsetFetch 8, request.clone()).groups[0].error_code == 0
        });
    }

    /// Waits until there is a coordinator of this kind (0: groups, 1: transactions).
    pub(crate) fn await_coordinator(&mut self, name: &str, kind: i8) {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text(&self.name(name))]);
        self.until("a coordinator", |session| {
            ask!(session.wire, FindCoordinator 4, request.clone()).coordinators[0].error_code == 0
        });
    }

    /// Tries again until it is so.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A record with this value; timestamps count from `base_time`.
pub(crate) fn record(time: i64, key: Option<&str>, value: &str) -> Record {
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
        timestamp: time,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: IndexMap::new(),
    }
}

/// Packs records the way a producer does.
pub(crate) fn pack(mut records: Vec<Record>, compression: Compression) -> Bytes {
    for (offset, record) in (0..).zip(&mut records) {
        record.offset = i64::from(offset);
        record.sequence = if record.producer_id >= 0 { record.sequence + offset } else { offset - 1 };
    }
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut batch, &records, &options).unwrap();
    batch.freeze()
}

/// A batch of records with these values, written in the recent past.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    let time = base_time();
    pack(values.iter().map(|value| record(time, Some("key"), value)).collect(), Compression::None)
}
