//! What is dropped, when, and what never is.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteRecordsRequest,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    },
    records::Compression,
};

use super::{Sim, ask, batch, pack, record, topic};
use crate::BrokerConfig;

/// A batch whose bytes do not shrink.
fn filler(size: usize) -> Bytes {
    let text: &'static str = Box::leak("x".repeat(size).into_boxed_str());
    batch(&[text])
}

fn range(sim: &mut Sim, name: &'static str) -> (i64, i64) {
    let end = sim.read(name, i64::MAX - 1);
    assert_eq!(end.error_code, 1, "out of range on purpose");
    let log = &sim.cluster.topics.get(super::super::topics::TopicRef::Name(name)).unwrap().partitions[0].log;
    (log.start(), log.end())
}

#[test]
fn a_partition_keeps_no_more_than_its_bytes() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("retention.bytes", "5000")]);
    for _ in 0..20 {
        sim.produce("t", 0, filler(1000));
    }
    assert_eq!(range(&mut sim, "t"), (16, 20));
    assert_eq!(sim.cluster.holdings().records, 4);
    assert!(sim.cluster.holdings().bytes <= 5000);
    assert_eq!(sim.read("t", 15).error_code, 1);
    assert_eq!(sim.read("t", 16).error_code, 0);
    sim.produce("t", 0, filler(9000));
    assert_eq!(range(&mut sim, "t"), (20, 21), "the newest batch stays even if it alone is too large");
}

#[test]
fn old_batches_go_at_the_next_check_and_then_the_broker_sleeps() {
    let config =
        BrokerConfig { retention_check_interval: Duration::from_secs(60), ..BrokerConfig::default() };
    let mut sim = Sim::with(config);
    sim.create("t", 1, &[("retention.ms", "90000")]);
    assert_eq!(sim.cluster.next_wakeup(), None);
    sim.produce("t", 0, batch(&["old"]));
    sim.pass(Duration::from_secs(50));
    sim.produce("t", 0, pack(vec![record(50_000, None, "new")], Compression::None));
    sim.pass(Duration::from_secs(69));
    assert_eq!(range(&mut sim, "t"), (0, 2));
    sim.pass(Duration::from_secs(1));
    assert_eq!(range(&mut sim, "t"), (1, 2));
    sim.pass(Duration::from_secs(60));
    assert_eq!(range(&mut sim, "t"), (2, 2), "the newest goes too when it is old");
    assert_eq!(sim.cluster.next_wakeup(), None);
    assert_eq!(sim.cluster.holdings().bytes, 0);
}

#[test]
fn the_largest_partitions_make_room_when_memory_is_full() {
    let config = BrokerConfig { memory_limit: 20_000, ..BrokerConfig::default() };
    let mut sim = Sim::with(config);
    sim.create("small", 1, &[]);
    sim.create("large", 1, &[]);
    sim.produce("small", 0, filler(1000));
    for _ in 0..100 {
        assert_eq!(sim.produce("large", 0, filler(1000)).error_code, 0);
        assert!(sim.cluster.holdings().bytes <= 20_200);
    }
    assert_eq!(range(&mut sim, "small"), (0, 1));
    assert_eq!(range(&mut sim, "large").1, 100);
    assert!(range(&mut sim, "large").0 > 80);
}

#[test]
fn compacted_topics_never_lose_a_key_and_then_there_is_no_room() {
    let config = BrokerConfig { memory_limit: 5_000, ..BrokerConfig::default() };
    let mut sim = Sim::with(config);
    sim.create(
        "config",
        1,
        &[("cleanup.policy", "compact"), ("retention.bytes", "100"), ("retention.ms", "1")],
    );
    let text: &'static str = Box::leak("x".repeat(1000).into_boxed_str());
    let keyed = |key: &'static str| pack(vec![record(0, Some(key), text)], Compression::None);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(sim.produce("config", 0, keyed(key)).error_code, 0);
    }
    let refused = sim.produce("config", 0, keyed("e"));
    assert_eq!(refused.error_code, ResponseError::KafkaStorageError.code());
    assert!(refused.error_message.unwrap().contains("memory_limit"));
    sim.pass(Duration::from_secs(3600));
    assert_eq!(range(&mut sim, "config"), (0, 4));
}

#[test]
fn records_can_be_deleted_up_to_an_offset() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    sim.create("c", 1, &[("cleanup.policy", "compact")]);
    sim.produce("t", 0, batch(&["0", "1", "2"]));
    sim.produce("t", 0, batch(&["3", "4"]));
    let mut delete = |name, offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        let answer = ask!(sim, DeleteRecords 2, DeleteRecordsRequest::default().with_topics(vec![topic]));
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    };
    assert_eq!(delete("t", 1), (0, 1), "in the middle of a batch");
    assert_eq!(delete("t", 0), (0, 1), "never back");
    assert_eq!(delete("t", 3), (0, 3));
    assert_eq!(delete("t", 6), (1, -1));
    assert_eq!(delete("t", -1), (0, 5), "all");
    assert_eq!(delete("c", 0), (44, -1));
    assert_eq!(delete("nowhere", 0), (3, -1));
    assert_eq!(sim.cluster.holdings().bytes, 0);
    assert_eq!(sim.produce("t", 0, batch(&["5"])).base_offset, 5, "offsets are never used twice");
}
