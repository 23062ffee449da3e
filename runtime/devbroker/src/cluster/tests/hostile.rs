//! Requests nobody would send: frames with bytes changed at random, carried out by a cluster that has something of
//! everything, while time passes and leaders change.

use std::time::Duration;

use bytes::Bytes;

use super::{Sim, batch, sequenced};
use crate::{
    BrokerConfig, SaslConfig,
    cluster::{Caller, ConnectionId},
    wire::{
        self, Incoming,
        tests::{every_version, frame},
    },
};

/// Splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed >> 33).unwrap() % sides
    }
}

/// How many requests were carried out, and what they left.
fn storm(config: BrokerConfig, seed: u64) -> (usize, Sim) {
    let all: Vec<_> = every_version().collect();
    let mut dice = Dice(seed);
    let mut sim = Sim::with(config);
    let mut carried_out = 0;
    for round in 0..8_000_u64 {
        let (api, version) = all[dice.roll(all.len())];
        let mut bytes = frame(api, version).to_vec();
        for _ in 0..dice.roll(4) {
            let place = 4 + dice.roll(bytes.len() - 4);
            // Small numbers find more than random ones do.
            bytes[place] = [0, 1, 2, 3, 0x7f, 0x80, 0xff][dice.roll(7)];
        }
        if let Ok(Incoming::Request(header, request)) = wire::decode(&Bytes::from(bytes)) {
            let connection = ConnectionId(round % 5);
            let caller = Caller { connection, client_id: "storm", host: "/127.0.0.1", version };
            drop(sim.cluster.handle(sim.now, caller, request));
            assert_eq!(header.api, api);
            carried_out += 1;
        }
        match dice.roll(200) {
            0 => sim.pass(Duration::from_secs(7)),
            1 => {
                sim.cluster.elect_uncleanly(3);
            }
            2 => sim.cluster.move_coordinator(Duration::from_secs(1)),
            3 => sim.cluster.disconnected(ConnectionId(round % 5)),
            _ => {}
        }
        sim.collect();
    }
    sim.pass(Duration::from_hours(24 * 30));
    (carried_out, sim)
}

#[test]
fn requests_changed_at_random_never_break_the_cluster() {
    for seed in 0..4 {
        let config = BrokerConfig { memory_limit: 1 << 20, ..BrokerConfig::default() };
        assert!(storm(config, seed).0 > 4_000);
    }
}

#[test]
fn nor_do_they_get_past_the_password() {
    let sasl = Some(SaslConfig::user("alice", "wonderland"));
    let (_, sim) = storm(BrokerConfig { sasl, ..BrokerConfig::default() }, 9);
    let held = sim.cluster.holdings();
    assert_eq!((held.topics, held.groups, held.records), (0, 0, 0));
}

/// Sums that are kept and sums that are taken agree after records came and went in every way there is.
#[test]
fn the_books_balance_after_everything() {
    let mut sim = Sim::new();
    sim.create("plain", 1, &[("retention.bytes", "2000")]);
    let compact = [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0")];
    sim.create("compacted", 1, &compact);
    for round in 0..200 {
        sim.produce("plain", 0, sequenced(5, 0, round, 1));
        sim.produce("compacted", 0, batch(&["a", "b"]));
        if round % 20 == 19 {
            sim.pass(Duration::from_secs(16));
        }
        if round % 50 == 49 {
            sim.cluster.elect_uncleanly(1);
        }
    }
    let sums = sim.cluster.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.log.held());
    let (bytes, records) =
        sums.fold((0, 0), |(bytes, records), held| (bytes + held.bytes, records + held.records));
    let held = sim.cluster.holdings();
    assert_eq!((held.bytes, held.records), (bytes, records));
    for topic in sim.cluster.topics.iter() {
        let counted: u64 =
            topic.partitions[0].log.entries().map(|one| u64::from(one.header.count.unsigned_abs())).sum();
        assert_eq!(topic.partitions[0].log.held().records, counted, "{}", topic.name);
    }
}
