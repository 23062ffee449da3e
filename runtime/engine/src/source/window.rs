//! How much of a source task is under way: as little as keeps Kafka busy.
//!
//! What waits in the producer makes nothing faster: it falls out of the processor's caches, takes memory, and delays what
//! comes behind it. But what is under way has to cover the time until Kafka answers, which hangs on the network, on
//! `linger.ms` and on how many partitions there are. So the window opens when it turns out to be too small for that, and
//! closes again when it was wide for a while without need.
//!
//! Pure: what came of a wait is given.

use std::time::Duration;

use lavka_ports::Buffer;

/// What is enough nearly always: at 600 bytes a record 2.4 MB, more than two full requests by the producer's defaults.
const FIRST: Buffer = Buffer { records: 4096, bytes: 4 << 20 };

/// A wait that says by itself that more should be under way: some partition does not get on, others may.
pub(super) const STALL: Duration = Duration::from_millis(100);

/// Waits in a row that a narrower window would have done for, until there is one.
const CALM: u32 = 256;

/// The bounds of what is under way at the time.
#[derive(Debug)]
pub(super) struct Window {
    most: Buffer,
    /// How often it was doubled.
    doublings: u32,
    /// Waits since it last was too small.
    calm: u32,
}

impl Window {
    /// A window that never exceeds `most`.
    pub(super) fn new(most: Buffer) -> Self {
        Self { most, doublings: 0, calm: 0 }
    }

    /// The bounds now.
    fn bounds(&self) -> Buffer {
        let doubled = |first: usize, most: usize| first.saturating_mul(1 << self.doublings).min(most);
        Buffer {
            records: doubled(FIRST.records, self.most.records),
            bytes: doubled(FIRST.bytes, self.most.bytes),
        }
    }

    /// Whether another record may go under way beside these.
    pub(super) fn has_room(&self, under_way: Buffer) -> bool {
        let bounds = self.bounds();
        under_way.records < bounds.records && under_way.bytes < bounds.bytes
    }

    /// Room was waited for, and then `left` was still under way. Where one answer of Kafka's emptied half of the window,
    /// it is about to have nothing to do while the next records are made.
    pub(super) fn waited(&mut self, left: Buffer) {
        let bounds = self.bounds();
        if left.records <= bounds.records / 2 && left.bytes <= bounds.bytes / 2 {
            self.widen();
            return;
        }
        self.calm += 1;
        if self.calm >= CALM {
            self.calm = 0;
            self.doublings = self.doublings.saturating_sub(1);
        }
    }

    /// Room was waited for in vain for as long as [`STALL`].
    pub(super) fn stalled(&mut self) {
        self.widen();
    }

    fn widen(&mut self) {
        self.calm = 0;
        if self.bounds() != self.most {
            self.doublings += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Buffer = Buffer { records: 20_000, bytes: 32 << 20 };
    const NOTHING: Buffer = Buffer { records: 0, bytes: 0 };
    const MUCH: Buffer = Buffer { records: 4000, bytes: 1 << 20 };

    #[test]
    fn it_opens_as_far_as_it_may_where_answers_empty_it() {
        let mut window = Window::new(MOST);
        assert_eq!(window.bounds(), FIRST);
        assert!(window.has_room(Buffer { records: 4095, bytes: (4 << 20) - 1 }));
        assert!(!window.has_room(Buffer { records: 4096, bytes: 0 }));
        assert!(!window.has_room(Buffer { records: 0, bytes: 4 << 20 }));
        window.waited(Buffer { records: 2048, bytes: 2 << 20 });
        assert_eq!(window.bounds(), Buffer { records: 8192, bytes: 8 << 20 });
        for _ in 0..40 {
            window.waited(NOTHING);
        }
        assert_eq!(window.bounds(), MOST);
    }

    #[test]
    fn it_stays_where_answers_come_in_small_pieces() {
        let mut window = Window::new(MOST);
        for _ in 0..1000 {
            window.waited(MUCH);
        }
        assert_eq!(window.bounds(), FIRST);
    }

    #[test]
    fn it_opens_where_nothing_moves_and_closes_step_by_step() {
        let mut window = Window::new(MOST);
        window.stalled();
        window.stalled();
        let wide = Buffer { records: 16_384, bytes: 16 << 20 };
        assert_eq!(window.bounds(), wide);
        let nearly = Buffer { records: 16_000, bytes: 1 << 20 };
        for _ in 1..CALM {
            window.waited(nearly);
        }
        assert_eq!(window.bounds(), wide, "not yet");
        window.waited(nearly);
        assert_eq!(window.bounds(), Buffer { records: 8192, bytes: 8 << 20 });
        for _ in 0..2 * CALM {
            window.waited(nearly);
        }
        assert_eq!(window.bounds(), FIRST);
    }

    #[test]
    fn a_small_bound_holds_from_the_beginning() {
        let most = Buffer { records: 10, bytes: 1000 };
        let mut window = Window::new(most);
        assert_eq!(window.bounds(), most);
        window.stalled();
        assert_eq!(window.bounds(), most);
        assert_eq!(window.doublings, 0, "or it would take long to close");
    }
}
