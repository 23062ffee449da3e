//! The end of what goes on beside a test.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets the flag when it is dropped: a round that fails must not leave the threads of its scope going.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
