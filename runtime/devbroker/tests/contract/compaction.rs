//! What compaction leaves.

use bytes::Bytes;
use kafka_protocol::records::{Compression, Record, RecordBatchDecoder};

use super::{
    produce, reads,
    session::{Session, base_time, pack, record},
    wire::ask,
};

/// A key and a value; none for a deletion.
type Pair = (&'static str, Option<&'static str>);

/// Offset, key and value of every record. The real broker gives one segment at a time.
fn all(session: &mut Session) -> Vec<String> {
    let text =
        |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let (mut next, mut lines) = (0, Vec::new());
    loop {
        let request = reads::fetch(session, "t", 0, next);
        let answer = ask!(session.wire, Fetch 12, request).responses.remove(0).partitions.remove(0);
        let mut bytes = answer.records.unwrap();
        if next >= answer.high_watermark || bytes.is_empty() {
            return lines;
        }
        for set in RecordBatchDecoder::decode_all(&mut bytes).unwrap() {
            for one in set.records.iter().filter(|one| one.offset >= next) {
                lines.push(format!("{} {:?} {:?}", one.offset, text(&one.key), text(&one.value)));
            }
            next = set.records.last().map_or(next, |last| next.max(last.offset + 1));
        }
    }
}

/// The real broker compacts every fifteen seconds. The newest segment, here the last batch, is left alone by both.
pub(crate) fn compaction(session: &mut Session) {
    let settings =
        [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")];
    session.create("t", 1, &settings);
    let base = base_time();
    let batches: [(&[Pair], Compression); 6] = [
        (&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], Compression::None),
        (&[("a", Some("2")), ("b", Some("2")), ("a", Some("3"))], Compression::Lz4),
        (&[("d", Some("1")), ("a", Some("4")), ("gone", Some("1"))], Compression::Gzip),
        (&[("gone", None), ("b", Some("")), ("e", Some("1"))], Compression::Zstd),
        (&[("e", Some("2")), ("f", Some("1")), ("never", None)], Compression::Snappy),
        (&[("a", Some("5"))], Compression::None),
    ];
    for (second, (pairs, codec)) in (0..).zip(batches) {
        let records = pairs.iter().map(|(key, value)| Record {
            value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
            ..record(base + second * 1000, Some(key), "")
        });
        let one = produce::request(session, "t", 0, pack(records.collect(), codec));
        let answer = produce::send(session, 9, one);
        session.note(format!("batch {second}"), produce::shown(&answer));
    }
    session.until("compaction", |session| all(session).len() < 12);
    for line in all(session) {
        session.note("left", line);
    }
    for offset in [0, 1, 5, 12] {
        let one = reads::fetch(session, "t", 0, offset);
        let answer = ask!(session.wire, Fetch 12, one).responses.remove(0).partitions.remove(0);
        let first = answer
            .records
            .as_ref()
            .filter(|bytes| bytes.len() > 8)
            .map(|bytes| i64::from_be_bytes(bytes[..8].try_into().unwrap()));
        session.note(
            format!("from {offset}"),
            format!("high={} start={} batch {first:?}", answer.high_watermark, answer.log_start_offset),
        );
    }
}
