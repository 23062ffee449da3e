//! Waking the consumer's thread.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that a thread sleeps on. Setting it never blocks for long: librdkafka does so with its queue locked.
#[derive(Default)]
pub(super) struct Signal {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Wakes the thread now, or keeps it from its next sleep.
    pub(super) fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Sleeps until the flag is set, at most for `limit`; clears it.
    pub(super) fn wait(&self, limit: Duration) {
        let guard = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, _) = self
            .changed
            .wait_timeout_while(guard, limit, |set| !*set)
            .unwrap_or_else(PoisonError::into_inner);
        *guard = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_signal_before_the_sleep_is_not_missed() {
        let signal = Arc::new(Signal::default());
        signal.set();
        signal.wait(Duration::MAX);
        let other = Arc::clone(&signal);
        let thread = std::thread::spawn(move || other.set());
        signal.wait(Duration::MAX);
        thread.join().unwrap();
        signal.wait(Duration::ZERO);
    }
}
