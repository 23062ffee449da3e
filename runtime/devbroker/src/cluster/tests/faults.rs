//! Doing wrong on demand.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, MetadataRequest,
        OffsetForLeaderEpochRequest, RequestKind, ResponseKind,
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    },
    protocol::StrBytes,
};

use super::{Sim, ask, batch, fetch_request, sequenced, topic};
use crate::{
    BrokerConfig, Fault,
    cluster::{Cluster, Interference, Outcome},
    wire::tests::{every_version, example},
};

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn with(texts: &[&str]) -> Sim {
    Sim::with(BrokerConfig { faults: faults(texts), fault_seed: 7, ..BrokerConfig::default() })
}

fn struck(sim: &Sim) -> Vec<u64> {
    sim.cluster.faults().into_iter().map(|(_, struck)| struck).collect()
}

#[test]
fn a_share_of_requests_is_hit_and_the_same_ones_with_the_same_seed() {
    let hits = |seed| {
        let config = BrokerConfig {
            faults: faults(&["error:api=Produce,code=NOT_LEADER_OR_FOLLOWER,share=0.25", "drop:share=0"]),
            fault_seed: seed,
            ..BrokerConfig::default()
        };
        let mut sim = Sim::with(config);
        (0..1000).map(|_| sim.cluster.interfere(ApiKey::Produce) != Interference::None).collect::<Vec<_>>()
    };
    let count = hits(7).iter().filter(|hit| **hit).count();
    assert!((200..300).contains(&count), "{count}");
    let mut counted = with(&["drop:share=0.25", "cut:api=Fetch"]);
    let of = |api| std::iter::repeat_n(api, 100);
    let hit = of(ApiKey::Produce)
        .chain(of(ApiKey::Fetch))
        .filter(|api| counted.cluster.interfere(*api) == Interference::Drop);
    let dropped = u64::try_from(hit.count()).unwrap();
    let fetches_dropped = 100 - struck(&counted)[1];
    assert_eq!(struck(&counted)[0], dropped);
    assert!(dropped > fetches_dropped && fetches_dropped > 0, "the first that hits counts, and it alone");
    assert_eq!(hits(7), hits(7));
    assert_ne!(hits(7), hits(8));
    let mut sim = with(&["error:api=Produce,code=6"]);
    assert_eq!(sim.cluster.interfere(ApiKey::Fetch), Interference::None);
    let refuse = Interference::Refuse(ResponseError::NotLeaderOrFollower);
    assert_eq!(sim.cluster.interfere(ApiKey::Produce), refuse);
    sim.cluster.set_faults(sim.now, faults(&["delay:by=5ms", "cut"]));
    assert_eq!(sim.cluster.interfere(ApiKey::Produce), Interference::Delay(Duration::from_millis(5)));
    sim.cluster.set_faults(sim.now, Vec::new());
    assert_eq!(sim.cluster.interfere(ApiKey::Produce), Interference::None);
}

#[test]
fn every_request_but_the_first_one_can_be_refused_in_every_version() {
    for (api, version) in every_version() {
        let request = example(api, version);
        let error = ResponseError::NotController;
        match Cluster::refuse(version, &request, error) {
            Outcome::Reply(response) => {
                let read = super::through_the_wire(api, version, &response);
                assert!(format!("{read:?}").contains("error_code: 41"), "{api:?} {version}: {read:?}");
            }
            Outcome::Disconnect => {
                assert!(matches!(api, ApiKey::ApiVersions | ApiKey::Produce), "{api:?} version {version}");
            }
            other => panic!("{api:?} version {version}: {other:?}"),
        }
    }
}

#[test]
fn a_full_disk_refuses_records_for_a_while() {
    let mut sim = with(&["full-disk:after=5s,lasting=10s"]);
    sim.create("t", 1, &[]);
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(sim.produce("t", 0, batch(&["v"])).error_code);
        sim.pass(Duration::from_secs(5));
    }
    let full = ResponseError::KafkaStorageError.code();
    assert_eq!(codes, [0, full, full, 0]);
    assert_eq!(struck(&sim), [2]);
}

#[test]
fn a_coordinator_goes_away_and_comes_back() {
    let mut sim = with(&["move-coordinator:every=10s,away=2s"]);
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![StrBytes::from_static_str("g")]);
    let found = |sim: &mut Sim| ask!(sim, FindCoordinator 6, find.clone()).coordinators[0].error_code;
    let heartbeat = |sim: &mut Sim| {
        ask!(sim, Heartbeat 4, HeartbeatRequest::default().with_group_id(super::groups::group("g")))
            .error_code
    };
    let unknown = ResponseError::UnknownMemberId.code();
    for _ in 0..3 {
        assert_eq!((found(&mut sim), heartbeat(&mut sim)), (0, unknown));
        sim.pass(Duration::from_secs(10));
        let away = (ResponseError::CoordinatorNotAvailable.code(), ResponseError::NotCoordinator.code());
        assert_eq!((found(&mut sim), heartbeat(&mut sim)), away);
        assert_eq!(struck(&sim), [2]);
        let idempotent = InitProducerIdRequest::default().with_transactional_id(None);
        assert_eq!(ask!(sim, InitProducerId 4, idempotent).error_code, 0, "any broker gives producer ids");
        sim.pass(Duration::from_secs(2));
        assert_eq!((found(&mut sim), heartbeat(&mut sim)), (0, unknown));
        sim.cluster.set_faults(sim.now, faults(&["move-coordinator:every=10s,away=2s"]));
    }
}

fn end_of(sim: &mut Sim, epoch: i32) -> (i16, i32, i64) {
    let partition =
        OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(epoch);
    let wanted = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]);
    let answer = ask!(sim, OffsetForLeaderEpoch 4, request).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.leader_epoch, answer.end_offset)
}

#[test]
fn an_unclean_election_loses_the_newest_records_and_clients_can_tell() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    for sequence in [0, 2, 4] {
        assert_eq!(sim.produce("t", 0, sequenced(5, 0, sequence, 2)).error_code, 0);
    }
    let waiting = sim.park(ApiKey::Fetch, 12, RequestKind::Fetch(fetch_request("t", 6, 1, 60_000)));
    sim.cluster.elect_uncleanly(3);
    sim.collect();
    match sim.late.remove(&waiting) {
        Some(ResponseKind::Fetch(answer)) => {
            let code = answer.responses[0].partitions[0].error_code;
            assert_eq!(code, ResponseError::OffsetOutOfRange.code());
        }
        other => panic!("still waiting: {other:?}"),
    }
    assert_eq!(sim.read("t", 0).high_watermark, 2, "whole batches go");
    assert_eq!(sim.cluster.holdings().records, 2);
    assert_eq!(
        (end_of(&mut sim, 0), end_of(&mut sim, 1), end_of(&mut sim, 2)),
        ((0, 0, 2), (0, 1, 2), (0, -1, -1))
    );
    let mut metadata = ask!(sim, Metadata 12, MetadataRequest::default().with_topics(None));
    assert_eq!(metadata.topics.remove(0).partitions.remove(0).leader_epoch, 1);
    let late = sim.produce("t", 0, sequenced(5, 0, 6, 1));
    assert_eq!(late.error_code, ResponseError::OutOfOrderSequenceNumber.code(), "the sequence went back too");
    assert_eq!(sim.produce("t", 0, sequenced(5, 0, 2, 2)).base_offset, 2);
    let repeated = sim.produce("t", 0, sequenced(5, 0, 0, 2));
    assert_eq!((repeated.error_code, repeated.base_offset), (0, 0), "what stayed is still known");
    assert_eq!(end_of(&mut sim, 1), (0, 1, 4));
    let stamped: Bytes = sim.read("t", 2).records.unwrap();
    assert_eq!(stamped[12..16], [0, 0, 0, 1], "the epoch of the new leader");
}

#[test]
fn elections_count_where_they_take_records_away() {
    let mut sim = with(&["unclean-election:every=1s,lose=2"]);
    sim.create("t", 1, &[]);
    let mut counts = Vec::new();
    for _ in 0..3 {
        sim.produce("t", 0, batch(&["v"]));
        sim.pass(Duration::from_secs(1));
        counts.extend(struck(&sim));
        sim.pass(Duration::from_secs(1));
    }
    assert_eq!((counts, struck(&sim)), (vec![1, 2, 3], vec![3]));
}
