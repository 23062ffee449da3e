//! Waiting for what happens in another process.

use std::time::{Duration, Instant};

use crate::failure::fail;

const POLL: Duration = Duration::from_millis(25);

/// Asks `probe` again and again until it has an answer, and returns that.
///
/// Fails the test when there is none after `limit`, naming `what` was awaited. The limit is there to end a hanging
/// test, not to measure: choose it generously.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        if Instant::now() >= deadline {
            fail(format!("waited {limit:?} in vain for {what}"));
        }
        std::thread::sleep(POLL);
    }
}
