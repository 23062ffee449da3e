//! What is due when. Pure.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::Millis;

/// Things that are due, each at one time. As many as there are things: one that is set anew, or is over, leaves nothing
/// behind.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    times: HashMap<T, Millis>,
    order: BTreeSet<(Millis, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { times: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<T: Copy + Eq + Hash + Ord> Timers<T> {
    /// `what` is due at `at`, and not when it was before.
    pub(crate) fn set(&mut self, at: Millis, what: T) {
        self.cancel(what);
        self.times.insert(what, at);
        self.order.insert((at, what));
    }

    /// `what` is not due any longer.
    pub(crate) fn cancel(&mut self, what: T) {
        if let Some(at) = self.times.remove(&what) {
            self.order.remove(&(at, what));
        }
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the first that is due at `now`.
    pub(crate) fn due(&mut self, now: Millis) -> Option<T> {
        let (_, what) = self.order.first().copied().filter(|(at, _)| *at <= now)?;
        self.cancel(what);
        Some(what)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.times.len(), self.order.len());
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_at_the_time_that_was_set_last() {
        let mut timers = Timers::default();
        timers.set(5, 'a');
        timers.set(3, 'b');
        timers.set(3, 'c');
        timers.set(9, 'a');
        timers.cancel('c');
        timers.cancel('d');
        assert_eq!((timers.len(), timers.next(), timers.due(2)), (2, Some(3), None));
        assert_eq!(
            [timers.due(8), timers.due(8), timers.due(9), timers.due(9)],
            [Some('b'), None, Some('a'), None]
        );
        assert_eq!((timers.len(), timers.next()), (0, None));
    }
}
