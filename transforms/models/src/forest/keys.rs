//! Numbers as integers in the same order, so that a test of a tree is one integer comparison and a missing value can
//! be given a place in that order.
//!
//! A row has each of its columns once with missing values above all numbers, where they fail `key <= threshold`, and
//! once more, if the forest needs it, with missing values below all numbers, where they pass. Which of the two a test
//! looks at says where it sends a missing value, so walking has no case for it.

use crate::block::lanes::{Frame, Lanes, Real};

/// An integer in the order of the numbers.
pub(crate) trait Key: Copy + Ord + Default + std::fmt::Debug + Send + Sync + 'static {
    /// Below every number: the place of a missing value that passes, and a threshold that only such a value passes.
    const LOWEST: Self;
    /// Above every number: the place of a missing value that fails.
    const HIGHEST: Self;

    /// The next lower key. Keys of numbers are neither the lowest nor the highest two, so this is safe for them.
    fn below(self) -> Self;
}

/// A floating point type whose numbers have keys.
pub(crate) trait Ordered: Real {
    type Key: Key;

    /// The key of a number; both zeros have the same. Not for NaN.
    fn key(self) -> Self::Key;

    /// Scratch memory of a frame for keys.
    fn scratch(frame: &mut Frame) -> &mut Vec<Lanes<Self::Key>>;
}

macro_rules! ordered {
    ($number:ty, $key:ty, $unsigned:ty, $scratch:ident) => {
        impl Key for $key {
            const LOWEST: Self = <$key>::MIN;
            const HIGHEST: Self = <$key>::MAX;

            fn below(self) -> Self {
                self.wrapping_sub(1)
            }
        }

        impl Ordered for $number {
            type Key = $key;

            #[inline(always)]
            fn key(self) -> $key {
                // Adding zero makes the negative zero positive. The bits of a negative number count downwards.
                let bits = (self + 0.0).to_bits() as $key;
                bits ^ ((bits >> (<$key>::BITS - 1)) as $unsigned >> 1) as $key
            }

            fn scratch(frame: &mut Frame) -> &mut Vec<Lanes<$key>> {
                &mut frame.$scratch
            }
        }
    };
}

ordered!(f32, i32, u32, short_keys);
ordered!(f64, i64, u64, long_keys);

/// Fills in the keys of all groups of rows: for each group the columns with missing values failing, and then, with
/// `passing`, the columns with missing values passing.
pub(super) fn fill<T: Ordered>(
    input: &[Lanes<T>],
    width: usize,
    passing: bool,
    keys: &mut Vec<Lanes<T::Key>>,
) {
    let copies = if passing { 2 } else { 1 };
    keys.resize(input.len() * copies, Lanes::<T::Key>::default());
    let width = width.max(1);
    for (input, keys) in input.chunks_exact(width).zip(keys.chunks_exact_mut(width * copies)) {
        let (failing, passing) = keys.split_at_mut(width);
        place(input, failing, T::Key::HIGHEST);
        place(input, passing, T::Key::LOWEST);
    }
}

#[inline(always)]
fn place<T: Ordered>(input: &[Lanes<T>], keys: &mut [Lanes<T::Key>], missing: T::Key) {
    for (lanes, keys) in input.iter().zip(keys) {
        for (key, &value) in keys.iter_mut().zip(lanes) {
            *key = if value.not_a_number() { missing } else { value.key() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let numbers =
            [f32::NEG_INFINITY, f32::MIN, -1.0, -1e-45, 0.0, 1e-45, 1.0, 1.5, f32::MAX, f32::INFINITY];
        for pair in numbers.windows(2) {
            assert!(pair[0].key() < pair[1].key(), "{pair:?}");
            assert!(f64::from(pair[0]).key() < f64::from(pair[1]).key(), "{pair:?}");
        }
        assert_eq!(0.0f32.key(), (-0.0f32).key());
        assert!(
            0.0f32.key().below() >= (-1e-45f32).key(),
            "nothing lies between a number and the key below it"
        );
        assert_eq!(1.0f32.key().below(), 1.0f32.next_down().key());
        assert!(f32::NEG_INFINITY.key().below() > i32::LOWEST);
        assert!(f32::INFINITY.key() < i32::HIGHEST.below());
        assert!(f64::NEG_INFINITY.key().below() > i64::LOWEST);
        assert!(f64::INFINITY.key() < i64::HIGHEST.below());
    }

    #[test]
    fn missing_values_have_two_places() {
        let mut keys = Vec::new();
        let input = [[f32::NAN, -f32::NAN, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]];
        fill(&input, 1, true, &mut keys);
        assert_eq!(keys[0][..3], [i32::HIGHEST, i32::HIGHEST, 1.0f32.key()]);
        assert_eq!(keys[1][..3], [i32::LOWEST, i32::LOWEST, 1.0f32.key()]);
        fill(&input, 1, false, &mut keys);
        assert_eq!(keys.len(), 1);
    }
}
