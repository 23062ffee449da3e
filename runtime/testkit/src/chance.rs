//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::environment::{SEED, get, soak};
use crate::failure::{Context as _, Failure, OrFail as _};

/// The seed of a usual run.
const USUAL: u64 = 20_260_401;

/// Numbers drawn from a seed (`SplitMix64`), so that a failed run can be had again: whoever draws shows
/// [`seed`](Self::seed) in its failure, and `LAVKA_SEED` takes it back.
#[derive(Clone, Debug)]
pub struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// With the seed of `LAVKA_SEED` (decimal); without it one that no other run had where this is a soak run, else
    /// always the same, so that a change that passed goes on passing.
    #[track_caller]
    pub fn new() -> Self {
        Self::seeded(seed().or_fail())
    }

    /// With this seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// What it began with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number, below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(limit).unwrap_or(0)
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}

fn seed() -> Result<u64, Failure> {
    match get(SEED) {
        Some(text) => text.parse().context(|| format!("{SEED} must be a whole number, not {text:?}")),
        None if !soak() => Ok(USUAL),
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(u64::try_from(now.as_nanos()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_repeats_its_numbers_and_another_does_not() {
        let draw = |seed| {
            let mut chance = Chance::seeded(seed);
            (0..8).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|number| *number < 1000));
        assert_eq!(Chance::seeded(7).below(0), 0);
    }
}
