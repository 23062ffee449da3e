//! Compacted topics: what stays, what goes, and when.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    records::{Compression, Record, RecordBatchDecoder},
};

use super::{START, Sim, pack, record};
use crate::BrokerConfig;

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A topic whose segments are as short as can be: every batch that is a second newer begins one.
const EAGER: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "60000"),
];

fn pairs(time: i64, pairs: &[(&'static str, Option<&'static str>)], codec: Compression) -> Bytes {
    let records = pairs.iter().map(|(key, value)| Record {
        value: value.map(|value| Bytes::from_static(value.as_bytes())),
        ..record(time, Some(key), "")
    });
    pack(records.collect(), codec)
}

fn put(sim: &mut Sim, all: &[(&'static str, Option<&'static str>)]) {
    put_as(sim, all, Compression::None);
}

/// Writes now, a second after the last time.
fn put_as(sim: &mut Sim, all: &[(&'static str, Option<&'static str>)], codec: Compression) {
    sim.pass(Duration::from_secs(1));
    let now = sim.now.unix_millis - START;
    let answer = sim.produce("t", 0, pairs(now, all, codec));
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
}

/// Offset, key and value of everything there is.
fn all(sim: &mut Sim) -> Vec<(i64, String, Option<String>)> {
    let mut bytes = sim.read("t", 0).records.unwrap();
    if bytes.is_empty() {
        return Vec::new();
    }
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let sets = RecordBatchDecoder::decode_all(&mut bytes).unwrap();
    let records = sets.into_iter().flat_map(|set| set.records);
    records.map(|one| (one.offset, one.key.map(text).unwrap_or_default(), one.value.map(text))).collect()
}

fn some(offset: i64, key: &str, value: &str) -> (i64, String, Option<String>) {
    (offset, key.to_owned(), Some(value.to_owned()))
}

#[test]
fn the_last_record_of_each_key_stays_with_its_offset_in_every_codec() {
    for codec in CODECS {
        let mut sim = Sim::new();
        sim.create("t", 1, &EAGER);
        put_as(&mut sim, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], codec);
        put_as(&mut sim, &[("a", Some("2")), ("b", Some("2")), ("a", Some("3"))], codec);
        put_as(&mut sim, &[("d", Some("1")), ("a", Some("4"))], codec);
        sim.pass(Duration::from_secs(20));
        // The newest segment is left alone and does not count.
        let kept =
            [some(2, "c", "1"), some(4, "b", "2"), some(5, "a", "3"), some(6, "d", "1"), some(7, "a", "4")];
        assert_eq!(all(&mut sim), kept, "{codec:?}");
        assert_eq!(sim.cluster.holdings().records, 5);
        put_as(&mut sim, &[("e", Some("1"))], codec);
        sim.pass(Duration::from_secs(20));
        assert_eq!(all(&mut sim).len(), 5, "{codec:?}: the earlier a is gone, e is new");
    }
}

#[test]
fn deletions_stay_for_a_while_and_then_go() {
    let mut sim = Sim::new();
    sim.create("t", 1, &EAGER);
    put(&mut sim, &[("a", Some("1"))]);
    put(&mut sim, &[("a", None)]);
    put(&mut sim, &[("b", Some("1"))]);
    sim.pass(Duration::from_secs(20));
    assert_eq!(all(&mut sim), [(1, "a".to_owned(), None), some(2, "b", "1")]);
    sim.pass(Duration::from_secs(70));
    assert_eq!(all(&mut sim), [some(2, "b", "1")]);
    sim.pass(Duration::from_secs(600));
    assert_eq!(
        sim.cluster.next_wakeup().map(|at| at >= sim.now.elapsed + Duration::from_secs(16)),
        Some(true)
    );
}

#[test]
fn compaction_waits_for_enough_dirt_and_for_the_lag() {
    let mut sim = Sim::new();
    let settings = [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.compaction.lag.ms", "100000")];
    sim.create("t", 1, &settings);
    for _ in 0..5 {
        put(&mut sim, &[("a", Some("1"))]);
    }
    sim.pass(Duration::from_secs(60));
    assert_eq!(all(&mut sim).len(), 5, "too young");
    sim.pass(Duration::from_secs(60));
    assert_eq!(all(&mut sim).len(), 2);
    let mut sim = Sim::new();
    sim.create("t", 1, &[("cleanup.policy", "compact")]);
    for _ in 0..5 {
        put(&mut sim, &[("a", Some("1"))]);
    }
    sim.pass(Duration::from_secs(3600));
    assert_eq!(all(&mut sim).len(), 5, "one segment of a week and a gigabyte");
}

#[test]
fn a_full_broker_compacts_before_it_refuses() {
    let mut sim = Sim::with(BrokerConfig { memory_limit: 2_000, ..BrokerConfig::default() });
    sim.create("t", 1, &[("cleanup.policy", "compact")]);
    for _ in 0..100 {
        put(&mut sim, &[("a", Some("1"))]);
    }
    assert!(sim.cluster.holdings().bytes <= 2_000);
    let keys: Vec<&'static str> = (0..20).map(|n| &*Box::leak(format!("key-{n}").into_boxed_str())).collect();
    let refused = keys.iter().find_map(|key| {
        sim.pass(Duration::from_secs(1));
        let answer = sim.produce("t", 0, pairs(0, &[(key, Some("1"))], Compression::None));
        (answer.error_code != 0).then_some(answer.error_code)
    });
    assert_eq!(refused, Some(ResponseError::KafkaStorageError.code()));
}
