//! Which targets have a table beside theirs.

use std::collections::HashSet;

/// Tables beside others at most, but for a batch that needs more; others mean that schemas change all the time.
const MOST: usize = 256;

/// Targets that have a table beside theirs, which rows are written to before they are merged.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// The oldest first.
    made: Vec<u64>,
    /// Those that were asked for since the last transaction began: the next one writes to them.
    wanted: HashSet<u64>,
}

impl Stages {
    pub(super) fn contains(&self, target: u64) -> bool {
        self.made.contains(&target)
    }

    /// Notes that the next transaction writes to `target`; `true` if its table is still to be made.
    pub(super) fn want(&mut self, target: u64) -> bool {
        self.wanted.insert(target);
        !self.contains(target)
    }

    /// Takes out the one that has to make room for another.
    pub(super) fn evict(&mut self) -> Option<u64> {
        let full = self.made.len() >= MOST;
        let at = self.made.iter().position(|target| full && !self.wanted.contains(target))?;
        Some(self.made.remove(at))
    }

    /// Notes that there is a table for `target`.
    pub(super) fn made(&mut self, target: u64) {
        self.made.push(target);
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) {
        self.wanted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes those that are missing, and returns those that were dropped.
    fn prepare(stages: &mut Stages, targets: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut dropped = Vec::new();
        for target in targets {
            if stages.want(target) {
                dropped.extend(stages.evict());
                stages.made(target);
            }
        }
        stages.begin();
        dropped
    }

    #[test]
    fn a_batch_keeps_all_its_tables_however_many() {
        let mut stages = Stages::default();
        assert_eq!(prepare(&mut stages, 0..300), Vec::<u64>::new());
        assert!((0..300).all(|target| stages.contains(target)));
        // Of the last batch's, those that this one needs stay.
        assert_eq!(prepare(&mut stages, [1, 300, 301]), [0, 2]);
        assert!([1, 300, 301].into_iter().all(|target| stages.contains(target)));
    }
}
