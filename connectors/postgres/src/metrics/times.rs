//! Times that metrics tell: since the last event, and how long something was paused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the last event was. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastEvent(Arc<Mutex<Option<Instant>>>);

impl LastEvent {
    /// It was now.
    pub(crate) fn mark(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Milliseconds since; -1 before the first, as with Debezium.
    pub(crate) fn millis_ago(&self, now: Instant) -> f64 {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map_or(-1.0, |last| (now.saturating_duration_since(last).as_secs_f64() * 1000.0).round())
    }
}

/// How long something has been paused, all pauses together. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pauses(Arc<Mutex<(Duration, Option<Instant>)>>);

impl Pauses {
    /// From now on it is paused, or is not.
    pub(crate) fn set(&self, paused: bool, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (paused, state.1) {
            (true, None) => state.1 = Some(now),
            (false, Some(since)) => *state = (state.0 + now.saturating_duration_since(since), None),
            _ => {}
        }
    }

    /// Whole seconds so far.
    pub(crate) fn seconds(&self, now: Instant) -> f64 {
        let (before, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        (before + now).as_secs_f64().floor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_add_up() {
        let (pauses, began) = (Pauses::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        for (paused, when) in [(false, 0), (true, 1), (true, 2), (false, 4), (false, 5), (true, 10)] {
            pauses.set(paused, at(when));
        }
        assert_eq!((pauses.seconds(at(10)), pauses.seconds(at(12))), (3.0, 5.0));
    }

    #[test]
    fn before_the_first_event_there_is_no_time_since() {
        let (last, now) = (LastEvent::default(), Instant::now());
        assert_eq!(last.millis_ago(now), -1.0);
        last.mark(now);
        assert_eq!(last.millis_ago(now + Duration::from_millis(250)), 250.0);
    }
}
