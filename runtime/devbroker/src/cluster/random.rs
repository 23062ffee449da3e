//! Identifiers out of a seed, so that a simulation repeats itself exactly.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::{Builder, Uuid};

/// SplitMix64 (Steele, Lea, Flood 2014): enough for identifiers that only have to differ.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to 1, the latter exclusive.
    pub(super) fn share(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        (self.next() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
    }

    /// A version 4 UUID whose Base64 form does not begin with a dash, as Kafka picks its own so that they can be
    /// typed as command line arguments.
    pub(super) fn uuid(&mut self) -> Uuid {
        loop {
            let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
            let id = Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
            if !kafka_text(id).starts_with('-') {
                return id;
            }
        }
    }
}

/// A UUID the way Kafka prints it: 22 characters of URL-safe Base64.
pub(super) fn kafka_text(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_identifiers_and_they_look_like_kafkas() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        let ids: Vec<_> = (0..500).map(|_| one.uuid()).collect();
        assert_eq!(ids, (0..500).map(|_| other.uuid()).collect::<Vec<_>>());
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 500);
        for id in ids {
            assert_eq!(kafka_text(id).len(), 22);
            assert_eq!(id.get_version_num(), 4);
        }
    }
}
