//! The sink loop under random interleavings.
//!
//! Whatever the order of records, busy sinks, rebalances, slow dead letters, failed commits, pauses and stops: below a
//! committed offset every record was taken by the sink, dropped by a transform or acknowledged as a dead letter; a
//! batch that waits comes again as it was, but for partitions that were taken away; and in the end nothing is missing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::Error;
use lavka_api::plugin::{ErrantRecord, Offsets};
use lavka_engine::task::Target;
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::broker::{Broker, tp};
use crate::plugins::{SinkScript, scripted};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SinkRig, SinkSetup, pass};

#[derive(Debug, Clone)]
enum Move {
    Append {
        partition: i32,
        count: usize,
    },
    /// The next puts find the sink busy.
    Busy(u32),
    /// The sink makes durable what it has, so far or all.
    Flush(bool),
    Rebalance {
        partition: i32,
        lost: bool,
    },
    DeadLetterAck(usize),
    FailCommit,
    Pass(u64),
    Pause,
    Resume,
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        5 => (0..3i32, 1..6usize).prop_map(|(partition, count)| Move::Append { partition, count }),
        2 => (1..4u32).prop_map(Move::Busy),
        2 => any::<bool>().prop_map(Move::Flush),
        2 => (0..3i32, any::<bool>()).prop_map(|(partition, lost)| Move::Rebalance { partition, lost }),
        3 => (0..4usize).prop_map(Move::DeadLetterAck),
        1 => Just(Move::FailCommit),
        5 => (0..700u64).prop_map(Move::Pass),
        1 => Just(Move::Pause),
        2 => Just(Move::Resume),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(step, 1..50)
}

fn text(partition: i32, offset: i64) -> String {
    let kind = match (i64::from(partition) * 5 + offset * 3) % 13 {
        0 => "drop",
        1 => "bad",
        2 => "undecodable",
        3 => "odd",
        4 => "flaky-1",
        _ => "live",
    };
    format!("{kind}-{partition}-{offset}")
}

/// A sink that buffers: what it was given is durable only after a flush.
#[derive(Default)]
struct Store {
    busy: u32,
    kept: Vec<(i32, i64)>,
    durable: Offsets,
    taken: BTreeSet<String>,
    waiting: Option<Vec<(i32, i64)>>,
    revoked: BTreeSet<i32>,
}

struct World {
    broker: Broker,
    store: Arc<Mutex<Store>>,
    letters: Arc<FakeProducer>,
    acknowledged: BTreeSet<String>,
}

impl World {
    fn run(&self) -> SinkRig {
        let script = SinkScript::new();
        let store = Arc::clone(&self.store);
        script.on_put(move |batch, context| {
            let mut store = store.lock().unwrap();
            let batch_is: Vec<(i32, i64)> =
                batch.iter().map(|record| (record.origin.partition, record.origin.offset)).collect();
            if batch_is.is_empty() {
                return Ok(());
            }
            if let Some(mut waiting) = store.waiting.take() {
                waiting.retain(|(partition, _)| !store.revoked.contains(partition));
                if !waiting.is_empty() {
                    assert_eq!(batch_is, waiting, "a batch that waits comes again as it was");
                }
            }
            store.revoked.clear();
            if store.busy > 0 {
                store.busy -= 1;
                store.waiting = Some(batch_is);
                return Err(Error::retriable("busy"));
            }
            for (index, record) in batch.iter().enumerate() {
                let text = record.record.value.value.as_str().unwrap().to_owned();
                if text.starts_with("odd") {
                    context.errant.push(ErrantRecord { index, error: Error::data("odd") });
                } else {
                    store.taken.insert(text);
                }
            }
            store.kept.extend(batch_is);
            Ok(())
        });
        let store = Arc::clone(&self.store);
        // A sink knows of no offsets but those of records it was given, so it goes by what was seen where it has none.
        script.on_pre_commit(move |seen, _| {
            let store = store.lock().unwrap();
            Ok(seen
                .iter()
                .filter_map(|(partition, seen)| {
                    let kept = store.kept.iter().filter(|(p, _)| *p == partition.partition);
                    let first_kept = kept.map(|(_, offset)| *offset).min();
                    let durable = store.durable.get(partition).copied();
                    let offset = first_kept.map_or(Some(*seen), |first| durable.or(Some(first)))?;
                    Some((partition.clone(), offset.min(first_kept.unwrap_or(i64::MAX))))
                })
                .collect())
        });
        let store = Arc::clone(&self.store);
        script.on_close(move |partitions, _| {
            let mut store = store.lock().unwrap();
            for partition in partitions {
                store.kept.retain(|(p, _)| *p != partition.partition);
                store.durable.remove(partition);
                store.revoked.insert(partition.partition);
            }
            Ok(())
        });
        SinkSetup {
            config: scripted(&[("errors.tolerance", "all"), ("errors.retry.timeout", "1000")]),
            broker: self.broker.clone(),
            script,
            dead_letters: Some((Arc::clone(&self.letters), false)),
            commit_interval: Duration::from_millis(200),
            max_batch: 4,
            ..SinkSetup::default()
        }
        .run()
    }

    fn flush(&self, all: bool) {
        let mut store = self.store.lock().unwrap();
        let count = if all { store.kept.len() } else { store.kept.len() / 2 };
        for (partition, offset) in store.kept.drain(..count).collect::<Vec<_>>() {
            store.durable.insert(tp(partition), offset + 1);
        }
    }

    fn acknowledge(&mut self, place: usize) {
        let held = self.letters.held_texts();
        if !held.is_empty() {
            let place = place % held.len();
            self.acknowledged.insert(held[place].clone());
            self.letters.answer(place, Ok(()));
        }
    }

    fn is_safe(&self, text: &str) -> bool {
        match text {
            _ if text.starts_with("drop") => true,
            _ if text.starts_with("bad") || text.starts_with("undecodable") || text.starts_with("odd") => {
                self.acknowledged.contains(text)
            }
            _ => self.store.lock().unwrap().taken.contains(text),
        }
    }

    fn check(&self) {
        for (partition, offset) in self.broker.committed() {
            for below in 0..offset {
                let text = text(partition.partition, below);
                assert!(self.is_safe(&text), "{text} is below the committed offset {offset}");
            }
        }
    }

    fn append(&self, partition: i32, count: usize) {
        for _ in 0..count {
            let next = self.broker.end(partition);
            self.broker.append(partition, [text(partition, next)]);
        }
    }

    /// A new task of the same connector, which begins with nothing but what was committed.
    async fn restart(&mut self, rig: SinkRig) -> SinkRig {
        rig.target(Target::Stopping);
        // Letters in flight are waited for.
        for _ in 0..200 {
            while self.letters.held() > 0 {
                self.acknowledge(0);
            }
            if rig.observer.has_ended() {
                break;
            }
            pass(10).await;
        }
        assert!(rig.stop().await);
        {
            let mut store = self.store.lock().unwrap();
            store.kept.clear();
            store.durable.clear();
            store.waiting = None;
            store.revoked.clear();
        }
        let rig = self.run();
        self.broker.assign(&[tp(0), tp(1), tp(2)]);
        rig
    }
}

async fn play(moves: Vec<Move>) {
    let letters = FakeProducer::deciding(|_| Answer::Hold);
    let mut world =
        World { broker: Broker::default(), store: Arc::default(), letters, acknowledged: BTreeSet::new() };
    let mut rig = world.run();
    world.broker.assign(&[tp(0), tp(1), tp(2)]);
    for step in moves {
        match step {
            Move::Append { partition, count } => world.append(partition, count),
            Move::Busy(times) => world.store.lock().unwrap().busy = times,
            Move::Flush(all) => world.flush(all),
            Move::Rebalance { partition, lost } => {
                let _waiter = world.broker.revoke(&[tp(partition)], lost);
                world.broker.assign(&[tp(partition)]);
            }
            Move::DeadLetterAck(place) => world.acknowledge(place),
            Move::FailCommit => world.broker.fail_next_commit(Error::retriable("not now")),
            Move::Pass(millis) => pass(millis).await,
            Move::Pause => rig.target(Target::Paused),
            Move::Resume => rig.target(Target::Running),
            Move::Restart => rig = world.restart(rig).await,
        }
        tokio::task::yield_now().await;
        world.check();
    }
    rig.target(Target::Running);
    world.store.lock().unwrap().busy = 0;
    // Longer than the longest wait between two tries of a batch, a minute.
    for _ in 0..200 {
        while world.letters.held() > 0 {
            world.acknowledge(0);
        }
        world.flush(true);
        pass(500).await;
        world.check();
    }
    assert!(!rig.observer.has_ended(), "{:?}", rig.observer.failure());
    for partition in 0..3 {
        let end = world.broker.end(partition);
        let committed = world.broker.committed().get(&tp(partition)).copied().unwrap_or(0);
        assert_eq!(committed, end, "partition {partition} is delivered to its end");
    }
    rig = world.restart(rig).await;
    assert!(rig.stop().await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn below_a_committed_offset_every_record_is_safe(moves in moves()) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(moves));
    }
}
