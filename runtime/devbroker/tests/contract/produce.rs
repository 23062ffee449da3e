//! What Produce takes and refuses.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ProduceRequest,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    records::{Compression, Record},
};
use uuid::Uuid;

use super::{
    session::{Session, base_time, batch, code, pack, record},
    wire::ask,
};

pub(crate) fn request(session: &Session, topic: &str, index: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(index).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(session.topic(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

pub(crate) fn shown(answer: &PartitionProduceResponse) -> String {
    let start = answer.log_start_offset;
    format!(
        "{} base={} start={start} stamped={}",
        code(answer.error_code),
        answer.base_offset,
        answer.log_append_time_ms >= 0
    )
}

pub(crate) fn send(session: &mut Session, version: i16, request: ProduceRequest) -> PartitionProduceResponse {
    ask!(session.wire, Produce version, request).responses.remove(0).partition_responses.remove(0)
}

fn note(session: &mut Session, what: &str, version: i16, request: ProduceRequest) {
    let answer = send(session, version, request);
    session.note(what, shown(&answer));
}

/// Changes a batch and makes its checksum right again.
fn forged(batch: &Bytes, place: usize, value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[place..place + value.len()].copy_from_slice(value);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

fn changed(batch: &Bytes, place: usize, value: u8) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[place] = value;
    bytes.freeze()
}

pub(crate) fn checks(session: &mut Session) {
    session.create("t", 1, &[("max.message.bytes", "1000"), ("message.timestamp.before.max.ms", "86400000")]);
    session.create("compacted", 1, &[("cleanup.policy", "compact")]);
    session.create("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let good = batch(&["one", "two"]);
    let time = base_time();
    let large = "x".repeat(2000);
    let cases: Vec<(&str, Bytes)> = vec![
        ("good", good.clone()),
        ("nothing", Bytes::new()),
        ("two batches", Bytes::from([&good[..], &good[..]].concat())),
        ("wrong checksum", changed(&good, good.len() - 2, b'?')),
        ("cut off", good.slice(..good.len() - 1)),
        ("magic 1", changed(&good, 16, 1)),
        ("no records", forged(&good, 57, &0_i32.to_be_bytes())),
        ("three records of two", forged(&good, 57, &3_i32.to_be_bytes())),
        ("a control batch", forged(&good, 21, &32_i16.to_be_bytes())),
        ("an unknown codec", forged(&good, 21, &5_i16.to_be_bytes())),
        ("too large", batch(&[&large])),
        ("from tomorrow", pack(vec![record(time + 86_400_000, None, "v")], Compression::None)),
        ("from last week", pack(vec![record(time - 7 * 86_400_000, None, "v")], Compression::Gzip)),
        ("no time", pack(vec![record(-1, None, "v")], Compression::None)),
        ("a producer without sequence", forged(&good, 43, &7_i64.to_be_bytes())),
    ];
    for (what, bytes) in cases {
        let request = request(session, "t", 0, bytes);
        note(session, what, 9, request);
    }
    let one = request(session, "nowhere", 0, good.clone());
    note(session, "unknown topic", 9, one);
    let one = request(session, "t", 7, good.clone());
    note(session, "unknown partition", 9, one);
    let one = request(session, "t", -1, good.clone());
    note(session, "negative partition", 9, one);
    let one = request(session, "t", 0, good.clone()).with_acks(2);
    note(session, "two acknowledgements", 9, one);
    let one = request(session, "t", 0, pack(vec![record(time, None, "v")], Compression::Zstd));
    note(session, "zstd from an old client", 6, one.clone());
    note(session, "zstd", 7, one);
    for codec in [Compression::None, Compression::Lz4] {
        let one = request(session, "compacted", 0, pack(vec![record(time, None, "v")], codec));
        note(session, "compacted without key", 9, one);
    }
    let one = request(session, "stamped", 0, pack(vec![record(time, None, "v")], Compression::Snappy));
    note(session, "stamped", 9, one);
    let transactional = Record {
        transactional: true,
        producer_id: 7,
        producer_epoch: 0,
        sequence: 0,
        ..record(time, None, "v")
    };
    let one = request(session, "t", 0, pack(vec![transactional], Compression::None));
    note(session, "transactional without an id", 9, one);
    let unknown = request(session, "", 0, good);
    let mut unknown = unknown;
    unknown.topic_data[0].topic_id = Uuid::from_u128(42);
    note(session, "unknown topic id", 13, unknown);
}

pub(crate) fn versions(session: &mut Session) {
    let id = session.create("t", 1, &[]);
    for version in 3..=13 {
        let mut one = request(session, "t", 0, batch(&["one", "two", "three"]));
        if version >= 13 {
            one.topic_data[0].topic_id = id;
        }
        let answer = send(session, version, one);
        session.note(format!("version {version}"), shown(&answer));
    }
}
