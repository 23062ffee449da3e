//! The source loop under random interleavings.
//!
//! A model reads the journal that the loop leaves: whatever the order of batches, acknowledgements, refusals, commits,
//! pauses and stops, an offset is committed only behind a prefix of records that are in Kafka, or whose dead letters
//! are, or were dropped, and after the last restart every record is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::Error;
use lavka_engine::task::Target;
use lavka_ports::Buffer;
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::plugins::{Step, record, scripted};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SourceRig, SourceSetup, pass};

/// What happens next.
#[derive(Debug, Clone)]
enum Move {
    /// The source hands out this many records of one of its partitions.
    Hand {
        partition: i64,
        count: usize,
    },
    /// Kafka answers for one of the records it holds.
    Ack(usize),
    Nack(usize),
    /// Time passes.
    Pass(u64),
    Pause,
    Resume,
    FailCommit,
    /// Stop the task and start it again where the committed offsets say.
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        4 => (0..3i64, 0..6usize).prop_map(|(partition, count)| Move::Hand { partition, count }),
        6 => (0..8usize).prop_map(Move::Ack),
        1 => (0..8usize).prop_map(Move::Nack),
        3 => (0..200u64).prop_map(Move::Pass),
        1 => Just(Move::Pause),
        2 => Just(Move::Resume),
        1 => Just(Move::FailCommit),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// The text of a record says what is to become of it.
fn text(partition: i64, offset: i64) -> String {
    let kind = match (partition * 7 + offset * 3) % 11 {
        0 => "drop",
        1 => "bad",
        2 => "unencodable",
        3 => "flaky-1",
        _ => "live",
    };
    format!("{kind}-{partition}-{offset}")
}

fn is_live(text: &str) -> bool {
    text.starts_with("live") || text.starts_with("flaky")
}

struct World {
    tolerant: bool,
    /// Whether records that fail go to a dead letter queue.
    letters: bool,
    /// How far each source partition has handed out, and been committed by earlier runs.
    next: [i64; 3],
    committed: [i64; 3],
    /// Texts that are in Kafka, and those that Kafka refused for good.
    delivered: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl World {
    fn setup(&self) -> SourceSetup {
        let tolerance = if self.tolerant { "all" } else { "none" };
        SourceSetup {
            config: scripted(&[("errors.tolerance", tolerance), ("errors.retry.timeout", "1000")]),
            producer: FakeProducer::deciding(|_| Answer::Hold),
            window: Buffer { records: 4, bytes: 200 },
            flush_interval: Duration::from_millis(50),
            flush_timeout: Duration::from_millis(500),
            dead_letters: self.letters.then_some(false),
            ..SourceSetup::default()
        }
    }

    /// Everything below the committed offset of each partition is in Kafka, or was to be dropped.
    fn check(&mut self, rig: &SourceRig) {
        for partition in 0..3 {
            let Some(newest) = rig.offsets.newest(partition) else { continue };
            let committed = &mut self.committed[usize::try_from(partition).unwrap()];
            assert!(newest >= *committed, "an offset went back");
            *committed = newest;
            for offset in 1..=newest {
                let text = text(partition, offset);
                let settled = if is_live(&text) {
                    self.delivered.contains(&text) || (self.tolerant && self.refused.contains(&text))
                } else if text.starts_with("drop") {
                    true
                } else {
                    self.tolerant && (!self.letters || self.delivered.contains(&text))
                };
                assert!(settled, "{text} is below the committed offset {newest}");
            }
        }
    }

    fn answer(&mut self, rig: &SourceRig, place: usize, outcome: Result<(), Error>) {
        let held = rig.producer.held_texts();
        if held.is_empty() {
            return;
        }
        let place = place % held.len();
        let known = if outcome.is_ok() { &mut self.delivered } else { &mut self.refused };
        // A dead letter stands for the record in it.
        let letter = held[place].strip_prefix(r#"{"schema":null,"payload":""#);
        let text = letter.and_then(|rest| rest.strip_suffix(r#""}"#)).unwrap_or(&held[place]);
        known.insert(text.to_owned());
        rig.producer.answer(place, outcome);
    }

    /// A task that failed or was stopped is started again behind the committed offsets.
    async fn restart(&mut self, rig: SourceRig) -> SourceRig {
        let (producer, offsets) = (Arc::clone(&rig.producer), Arc::clone(&rig.offsets));
        rig.stop().await;
        drop(producer);
        for partition in 0..3 {
            let at = usize::try_from(partition).unwrap();
            if let Some(newest) = offsets.newest(partition) {
                self.committed[at] = newest;
            }
            self.next[at] = self.committed[at];
        }
        self.setup().run()
    }

    fn hand(&mut self, rig: &SourceRig, partition: i64, count: usize) {
        let next = &mut self.next[usize::try_from(partition).unwrap()];
        let batch = (0..count).map(|_| {
            *next += 1;
            record(&text(partition, *next), partition, *next)
        });
        rig.poll(Step::Batch(batch.collect()));
    }
}

async fn play(tolerant: bool, letters: bool, moves: Vec<Move>) {
    let mut world = World {
        tolerant,
        letters,
        next: [0; 3],
        committed: [0; 3],
        delivered: BTreeSet::new(),
        refused: BTreeSet::new(),
    };
    let mut rig = world.setup().run();
    for step in moves {
        match step {
            Move::Hand { partition, count } => world.hand(&rig, partition, count),
            Move::Ack(place) => world.answer(&rig, place, Ok(())),
            Move::Nack(place) => world.answer(&rig, place, Err(Error::data("refused"))),
            Move::Pass(millis) => pass(millis).await,
            Move::Pause => rig.target(Target::Paused),
            Move::Resume => rig.target(Target::Running),
            Move::FailCommit => rig.offsets.fail_next(Error::retriable("not now")),
            Move::Restart => rig = world.restart(rig).await,
        }
        tokio::task::yield_now().await;
        world.check(&rig);
    }
    // In the end Kafka answers for everything and the source hands out what it has not committed.
    let goal = 20;
    rig = world.restart(rig).await;
    for partition in 0..3 {
        let left = goal - world.next[usize::try_from(partition).unwrap()];
        world.hand(&rig, partition, usize::try_from(left.max(0)).unwrap());
    }
    for _ in 0..100 {
        while rig.producer.held() > 0 {
            world.answer(&rig, 0, Ok(()));
        }
        pass(100).await;
        world.check(&rig);
    }
    if tolerant {
        assert!(!rig.observer.has_ended(), "{:?}", rig.observer.failure());
        for partition in 0..3 {
            let reached = world.next[usize::try_from(partition).unwrap()];
            assert_eq!(world.committed[usize::try_from(partition).unwrap()], reached, "all is settled");
        }
    } else {
        assert!(rig.observer.has_ended(), "a bad record fails the task");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn committed_offsets_never_pass_the_acknowledged_prefix(tolerant: bool, letters: bool, moves in moves()) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(tolerant, letters, moves));
    }
}
