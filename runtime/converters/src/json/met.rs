//! Which fields of a struct have been met.

/// Which fields of a struct have been met.
pub(super) struct Met {
    first: u64,
    others: Vec<u64>,
}

impl Met {
    /// The first `count` fields.
    pub(super) fn up_to(count: usize) -> Self {
        let mut met = Self { first: 0, others: Vec::new() };
        (0..count).for_each(|at| met.add(at));
        met
    }

    pub(super) fn add(&mut self, at: usize) {
        match at / 64 {
            0 => self.first |= 1 << at,
            word => {
                if self.others.len() < word {
                    self.others.resize(word, 0);
                }
                if let Some(bits) = self.others.get_mut(word - 1) {
                    *bits |= 1 << (at % 64);
                }
            }
        }
    }

    pub(super) fn contains(&self, at: usize) -> bool {
        let bits = match at / 64 {
            0 => self.first,
            word => self.others.get(word - 1).copied().unwrap_or(0),
        };
        bits >> (at % 64) & 1 == 1
    }
}
