//! Appending: what is checked, what is changed in a batch, and what an idempotent producer may send again.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, InitProducerIdRequest, RequestKind},
    records::{Compression, RecordBatchDecoder},
};

use super::{Sim, ask, batch, pack, produce_request, record, sequenced};
use crate::cluster::Outcome;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn refused(sim: &mut Sim, bytes: impl Into<Bytes>) -> (i16, String) {
    let answer = sim.produce("t", 0, bytes.into());
    assert_eq!((answer.base_offset, answer.log_append_time_ms), (-1, -1));
    (answer.error_code, answer.error_message.map(|text| text.to_string()).unwrap_or_default())
}

#[test]
fn batches_get_the_next_offset_and_keep_everything_else() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    for (round, codec) in (0..).zip(CODECS) {
        let sent = pack(vec![record(1, None, "a"), record(5, Some("k"), "b"), record(3, None, "c")], codec);
        let answer = sim.produce("t", 0, sent.clone());
        assert_eq!((answer.error_code, answer.base_offset), (0, round * 3), "{codec:?}");
        assert_eq!((answer.log_append_time_ms, answer.log_start_offset), (-1, 0));
        let mut kept = sim.read("t", round * 3).records.unwrap();
        assert_eq!(kept.len(), sent.len());
        assert_eq!(kept[17..], sent[17..], "checksum and everything under it");
        let set = RecordBatchDecoder::decode(&mut kept).unwrap();
        assert_eq!(set.compression, codec);
        assert_eq!(
            set.records.iter().map(|record| record.offset).collect::<Vec<_>>(),
            [round * 3, round * 3 + 1, round * 3 + 2]
        );
    }
}

#[test]
fn log_append_time_is_stamped_and_the_checksum_made_new() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    sim.pass(std::time::Duration::from_secs(5));
    let answer = sim.produce("t", 0, pack(vec![record(1, None, "a")], Compression::Lz4));
    assert_eq!(answer.log_append_time_ms, super::START + 5000);
    let mut kept = sim.read("t", 0).records.unwrap();
    let infos = RecordBatchDecoder::decode_batch_info(&mut kept).unwrap();
    assert_eq!(infos[0].timestamp_type, kafka_protocol::records::TimestampType::LogAppend);
}

#[test]
fn broken_batches_are_refused() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let good = batch(&["value"]);
    let changed = |place: usize, value: u8| {
        let mut bytes = BytesMut::from(&good[..]);
        bytes[place] = value;
        bytes.freeze()
    };
    let crc = (ResponseError::CorruptMessage.code(), "");
    let invalid = ResponseError::InvalidRecord.code();
    let cases = [
        (Bytes::new(), (invalid, "Produce requests must have exactly one record batch")),
        (good.slice(..30), (invalid, "Produce requests must have exactly one record batch")),
        (good.slice(..good.len() - 1), (invalid, "Produce requests must have exactly one record batch")),
        (
            Bytes::from([&good[..], &good[..]].concat()),
            (invalid, "Produce requests are only allowed to contain exactly"),
        ),
        (changed(16, 1), (invalid, "Produce requests are only allowed to contain record batches with magic")),
        (changed(good.len() - 3, b'?'), crc),
        (changed(20, 0), crc),
    ];
    for (bytes, (code, start)) in cases {
        let (error, text) = refused(&mut sim, bytes);
        assert_eq!(error, code, "{text}");
        assert!(text.starts_with(start), "{text}");
    }
    assert_eq!(sim.cluster.holdings().records, 0);
}

/// Changes the header of a batch and makes its checksum right again, as a producer with a mistake would.
fn forged(batch: &Bytes, place: usize, value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[place..place + value.len()].copy_from_slice(value);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let good = batch(&["one", "two"]);
    let invalid = ResponseError::InvalidRecord.code();
    let cases = [
        (forged(&good, 57, &0_i32.to_be_bytes()), invalid, "Invalid reported count"),
        (forged(&good, 57, &3_i32.to_be_bytes()), invalid, "Inconsistent batch offset range"),
        (forged(&good, 21, &(1_i16 << 5).to_be_bytes()), invalid, "Clients are not allowed to write control"),
        (forged(&good, 21, &5_i16.to_be_bytes()), -1, "Unknown compression type id: 5"),
        (forged(&good, 43, &7_i64.to_be_bytes()), invalid, "Invalid sequence number -1"),
        (forged(&good, 21, &(1_i16 << 4).to_be_bytes()), 53, "a transactional batch without"),
        (forged(&good, 61, &[0]), invalid, "the records cannot be read"),
    ];
    for (bytes, code, start) in cases {
        let (error, text) = refused(&mut sim, bytes);
        assert_eq!(error, code, "{text}");
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn records_bytes_changed_at_random_never_panic() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("cleanup.policy", "compact")]);
    let mut random: u64 = 1;
    for codec in CODECS {
        let good = pack((0..20).map(|n| record(n, Some("key"), "some value")).collect(), codec);
        for _ in 0..500 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = 61 + usize::try_from(random >> 33).unwrap() % (good.len() - 61);
            sim.produce("t", 0, forged(&good, place, &[random.to_be_bytes()[0]]));
        }
    }
}

#[test]
fn sizes_and_times_have_limits() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("max.message.bytes", "100")]);
    let large = batch(&["0123456789012345678901234567890123456789"]);
    assert_eq!(refused(&mut sim, large), (ResponseError::MessageTooLarge.code(), String::new()));
    let (error, text) = refused(&mut sim, pack(vec![record(3_600_001, None, "v")], Compression::None));
    assert_eq!(error, ResponseError::InvalidTimestamp.code());
    assert!(text.contains("of message with offset 0 is out of range"), "{text}");
    assert_eq!(
        sim.produce("t", 0, pack(vec![record(3_600_000, None, "v")], Compression::None)).error_code,
        0
    );
}

#[test]
fn a_compacted_topic_wants_keys_in_every_codec() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("cleanup.policy", "compact")]);
    for codec in CODECS {
        let (error, text) =
            refused(&mut sim, pack(vec![record(0, Some("k"), "v"), record(0, None, "v")], codec));
        assert_eq!(
            (error, &*text),
            (87, "Compacted topic cannot accept message without key in topic partition t-0"),
            "{codec:?}"
        );
        let keyed = pack(vec![record(0, Some("k"), "v"), record(0, Some("l"), "v")], codec);
        assert_eq!(sim.produce("t", 0, keyed).error_code, 0, "{codec:?}");
    }
}

#[test]
fn acks_decide_what_is_answered() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let mut send = |acks, partition| {
        let request = produce_request("t", partition, batch(&["v"]), acks);
        sim.send(ApiKey::Produce, 9, RequestKind::Produce(request))
    };
    assert!(matches!(send(0, 0), Outcome::Silent));
    assert!(matches!(send(0, 7), Outcome::Disconnect), "an error that cannot be told");
    assert!(matches!(send(1, 0), Outcome::Reply(_)));
    assert!(matches!(send(-1, 0), Outcome::Reply(_)));
    assert_eq!(sim.cluster.holdings().records, 3);
    let request = produce_request("t", 0, batch(&["v"]), 2);
    let answer = ask!(sim, Produce 9, request);
    assert_eq!(
        answer.responses[0].partition_responses[0].error_code,
        ResponseError::InvalidRequiredAcks.code()
    );
}

#[test]
fn unknown_topics_partitions_and_ids_have_their_own_errors() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    assert_eq!(sim.produce("nowhere", 0, batch(&["v"])).error_code, 3);
    assert_eq!(sim.produce("t", 1, batch(&["v"])).error_code, 3);
    assert_eq!(sim.produce("t", -1, batch(&["v"])).error_code, 3);
    let mut request = produce_request("t", 0, batch(&["v"]), 1);
    request.topic_data[0].name = Default::default();
    request.topic_data[0].topic_id = uuid::Uuid::from_u128(4711);
    let answer = ask!(sim, Produce 13, request);
    assert_eq!(answer.responses[0].topic_id, uuid::Uuid::from_u128(4711));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 100);
}

#[test]
fn an_idempotent_producer_may_repeat_and_may_not_skip() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let first = ask!(sim, InitProducerId 5, request.clone());
    let second = ask!(sim, InitProducerId 0, request);
    assert_eq!((first.error_code, first.producer_epoch), (0, 0));
    assert_ne!(first.producer_id, second.producer_id);
    let id = first.producer_id.0;
    assert_eq!(sim.produce("t", 0, sequenced(id, 0, 0, 10)).base_offset, 0);
    assert_eq!(sim.produce("t", 0, sequenced(id, 0, 10, 5)).base_offset, 10);
    let again = sim.produce("t", 0, sequenced(id, 0, 0, 10));
    assert_eq!((again.error_code, again.base_offset), (0, 0), "acknowledged again, not appended");
    assert_eq!(sim.produce("t", 0, sequenced(id, 0, 16, 1)).error_code, 45);
    assert_eq!(sim.produce("t", 1, sequenced(id, 0, 0, 1)).base_offset, 0, "partitions count for themselves");
    assert_eq!(sim.cluster.holdings().records, 16);
}
