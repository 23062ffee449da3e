//! Transactions at random against a model of a few lines: what a reader of committed records sees is what the model
//! says, after every step.

use std::time::Duration;

use super::{
    Sim, batch,
    transactions::{Producer, add, committed, end, end_and_raise, init, producer, write},
};

const IDS: [&str; 3] = ["a", "b", "c"];
const VALUES: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Open(usize),
    Committed,
    Aborted,
}

/// One offset: a record, or a marker without a value.
struct Entry {
    value: Option<&'static str>,
    fate: Fate,
}

struct Model {
    log: Vec<Entry>,
    producers: Vec<Producer>,
    sequences: Vec<i32>,
    /// Which producers have written in a transaction that is open.
    open: [bool; 3],
}

impl Model {
    fn ended(&mut self, who: usize, fate: Fate) {
        for entry in self.log.iter_mut().filter(|entry| entry.fate == Fate::Open(who)) {
            entry.fate = fate;
        }
        if std::mem::take(&mut self.open[who]) {
            self.log.push(Entry { value: None, fate: Fate::Committed });
        }
    }

    /// Values, and where a reader has to stop.
    fn committed(&self) -> (Vec<String>, i64) {
        let stable = self.log.iter().position(|entry| matches!(entry.fate, Fate::Open(_)));
        let stable = stable.unwrap_or(self.log.len());
        let seen = self.log[..stable].iter().filter(|entry| entry.fate == Fate::Committed);
        (seen.filter_map(|entry| entry.value).map(str::to_owned).collect(), i64::try_from(stable).unwrap())
    }
}

/// Splitmix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)) >> 33).unwrap()
}

fn play(seed: u64, steps: usize) {
    let mut state = seed;
    let mut sim = Sim::new();
    sim.create("t", 1, &[]);
    let producers = IDS.iter().map(|id| producer(&mut sim, id)).collect();
    let mut model = Model { log: Vec::new(), producers, sequences: vec![0; 3], open: [false; 3] };
    for step in 0..steps {
        let who = next(&mut state) % 3;
        let (id, now) = (IDS[who], model.producers[who]);
        let context = format!("seed {seed}, step {step}");
        match next(&mut state) % 10 {
            // Both protocols by turns; each finds what the other left.
            0..=3 => {
                let count = 1 + next(&mut state) % 3;
                let values = &VALUES[..count];
                let second = next(&mut state).is_multiple_of(2);
                if !second {
                    assert_eq!(add(&mut sim, id, now, &[0]), [0], "{context}");
                }
                let version = if second { 12 } else { 9 };
                let code = write(&mut sim, version, id, now, model.sequences[who], values);
                assert_eq!(code, 0, "{context}");
                model.sequences[who] += i32::try_from(count).unwrap();
                model.open[who] = true;
                let entries = values.iter().map(|value| Entry { value: Some(value), fate: Fate::Open(who) });
                model.log.extend(entries);
            }
            4 => {
                assert_eq!(sim.produce("t", 0, batch(&["plain"])).error_code, 0, "{context}");
                model.log.push(Entry { value: Some("plain"), fate: Fate::Committed });
            }
            5 | 6 => {
                let commit = next(&mut state).is_multiple_of(2);
                if model.open[who] {
                    assert_eq!(end(&mut sim, id, now, commit), 0, "{context}");
                    model.ended(who, if commit { Fate::Committed } else { Fate::Aborted });
                }
            }
            7 => {
                let commit = next(&mut state).is_multiple_of(2);
                if model.open[who] {
                    let ended = end_and_raise(&mut sim, id, now, commit);
                    assert_eq!(ended.error_code, 0, "{context}");
                    model.producers[who] = (*ended.producer_id, ended.producer_epoch);
                    model.sequences[who] = 0;
                    model.ended(who, if commit { Fate::Committed } else { Fate::Aborted });
                }
            }
            8 => {
                // The producer died and another takes its id.
                if model.open[who] {
                    assert_eq!(init(&mut sim, id).error_code, 51, "{context}");
                }
                model.producers[who] = producer(&mut sim, id);
                model.sequences[who] = 0;
                model.ended(who, Fate::Aborted);
            }
            _ => {
                // All that are open die of old age.
                sim.pass(Duration::from_secs(61));
                for (who, id) in IDS.iter().enumerate() {
                    if model.open[who] {
                        let code = end(&mut sim, id, model.producers[who], true);
                        assert_eq!(code, 90, "{context}: fenced");
                        model.producers[who] = producer(&mut sim, id);
                        model.sequences[who] = 0;
                    }
                }
                // Their markers come in the order in which the transactions began.
                let mut order: Vec<usize> = Vec::new();
                for entry in &model.log {
                    if let Fate::Open(who) = entry.fate
                        && !order.contains(&who)
                    {
                        order.push(who);
                    }
                }
                order.into_iter().for_each(|who| model.ended(who, Fate::Aborted));
            }
        }
        assert_eq!(committed(&mut sim), model.committed(), "{context}");
    }
    let all = sim.cluster.holdings().records;
    assert_eq!(all, u64::try_from(model.log.len()).unwrap(), "records and markers");
}

#[test]
fn committed_records_are_what_the_model_says() {
    (0..60).for_each(|seed| play(seed, 120));
}
