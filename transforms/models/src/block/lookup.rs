//! Kernels that look values up: categories, labels, replacements.

use super::elementwise::is_nan;
use super::lanes::{Element, Frame, Kernel, Refusal, Reg};

/// Values by integer key. Keys close together are found by position, others by binary search.
#[derive(Debug)]
pub(crate) struct Table<V> {
    lowest: i64,
    /// The value for `lowest + position`, when the keys lie close enough together.
    near: Box<[Option<V>]>,
    /// Otherwise the keys in ascending order with their values.
    far: Box<[(i64, V)]>,
}

impl<V: Copy> Table<V> {
    /// `last` says whether the last of several equal keys counts, or the first.
    pub(crate) fn new(entries: impl IntoIterator<Item = (i64, V)>, last: bool) -> Self {
        let mut entries: Vec<(i64, V)> = entries.into_iter().collect();
        if last {
            entries.reverse();
        }
        // A stable sort keeps the winner in front of its equals.
        entries.sort_by_key(|&(key, _)| key);
        entries.dedup_by_key(|&mut (key, _)| key);
        let (Some(&(lowest, _)), Some(&(highest, _))) = (entries.first(), entries.last()) else {
            return Self { lowest: 0, near: Box::default(), far: Box::default() };
        };
        let span = highest.abs_diff(lowest);
        if span / 4 <= entries.len() as u64 + 16 {
            let mut near = vec![None; span as usize + 1];
            for (key, value) in entries {
                near[key.abs_diff(lowest) as usize] = Some(value);
            }
            return Self { lowest, near: near.into(), far: Box::default() };
        }
        Self { lowest, near: Box::default(), far: entries.into() }
    }

    #[inline]
    pub(crate) fn get(&self, key: i64) -> Option<V> {
        if self.far.is_empty() {
            let position = usize::try_from(key.checked_sub(self.lowest)?).ok()?;
            return *self.near.get(position)?;
        }
        self.far.binary_search_by_key(&key, |&(key, _)| key).ok().map(|position| self.far[position].1)
    }
}

/// What a value of a column is looked up by.
pub(crate) trait Key: Element {
    fn key(self) -> i64;
}

impl Key for i64 {
    #[inline(always)]
    fn key(self) -> i64 {
        self
    }
}

/// The bits of a number; both zeros are one key, and so are all NaNs.
macro_rules! float_key {
    ($type:ty) => {
        impl Key for $type {
            #[inline(always)]
            fn key(self) -> i64 {
                let value = if is_nan(self) { <$type>::NAN } else { self + 0.0 };
                value.to_bits() as i64
            }
        }
    };
}

float_key!(f32);
float_key!(f64);

/// `output = table[input]`, or a default.
#[derive(Debug)]
pub(crate) struct Translate<K, V> {
    pub(crate) input: Reg<K>,
    pub(crate) output: Reg<V>,
    pub(crate) table: Table<V>,
    pub(crate) default: V,
}

impl<K: Key, V: Element> Kernel for Translate<K, V> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        super::elementwise::convert(frame, self.input, self.output, |value: K| {
            self.table.get(value.key()).unwrap_or(self.default)
        });
        Ok(())
    }
}

/// `output = values[input]`; negative positions count from the end.
#[derive(Debug)]
pub(crate) struct Pick<V> {
    pub(crate) input: Reg<i64>,
    pub(crate) output: Reg<V>,
    pub(crate) values: Box<[V]>,
}

impl<V: Element> Kernel for Pick<V> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let width = self.output.width.max(1);
        let count = self.values.len() as i64;
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(width);
            for (group, (out, input)) in out.chunks_exact_mut(width).zip(input).enumerate() {
                for (out, positions) in out.iter_mut().zip(input) {
                    for lane in 0..frame.lanes_of(group) {
                        let position = positions[lane];
                        let position = if position < 0 { position.wrapping_add(count) } else { position };
                        let value = usize::try_from(position).ok().and_then(|at| self.values.get(at));
                        out[lane] = *value.ok_or_else(|| Refusal {
                            row: group * super::LANES + lane,
                            what: format!("position {} is outside the {count} values", positions[lane]),
                        })?;
                    }
                }
            }
            Ok(())
        })
    }
}

/// One column per category for every column of the input: 1 for the category it has, 0 for the others.
#[derive(Debug)]
pub(crate) struct OneHot<K> {
    pub(crate) input: Reg<K>,
    pub(crate) output: Reg<f32>,
    /// Position of each category.
    pub(crate) categories: Table<u32>,
    pub(crate) count: usize,
    /// Whether a category that is not there is refused instead of being all zeros.
    pub(crate) strict: bool,
}

impl<K: Category> Kernel for OneHot<K> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let height = self.input.width.max(1);
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(height);
            for (group, (out, input)) in out.chunks_exact_mut(self.output.width.max(1)).zip(input).enumerate()
            {
                out.fill([0.0; super::LANES]);
                for (out, values) in out.chunks_exact_mut(self.count.max(1)).zip(input) {
                    for lane in 0..frame.lanes_of(group) {
                        match self.categories.get(values[lane].category()) {
                            Some(position) => out[position as usize][lane] = 1.0,
                            None if self.strict => {
                                return Err(Refusal {
                                    row: group * super::LANES + lane,
                                    what: "unknown category, and the model allows none (zeros=0)".to_owned(),
                                });
                            }
                            None => {}
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

/// The integer a value is as a category: numbers lose their fraction.
pub(crate) trait Category: Element {
    fn category(self) -> i64;
}

impl Category for i64 {
    fn category(self) -> i64 {
        self
    }
}

impl Category for f32 {
    fn category(self) -> i64 {
        self as i64
    }
}

impl Category for f64 {
    fn category(self) -> i64 {
        self as i64
    }
}

/// `output = input` with one value replaced, by a value per column.
#[derive(Debug)]
pub(crate) struct Replace<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<T>,
    pub(crate) replaced: T,
    pub(crate) by: Box<[T]>,
}

impl<T: Element> Kernel for Replace<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let any_nan = is_nan(self.replaced);
        frame.write(self.output, |frame, out| {
            for ((out, input), &by) in out.iter_mut().zip(frame.read(self.input)).zip(self.by.iter().cycle())
            {
                for (cell, &value) in out.iter_mut().zip(input) {
                    let hit = value == self.replaced || (any_nan && is_nan(value));
                    *cell = if hit { by } else { value };
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_find_near_and_far_keys() {
        let near = Table::new([(5, 'a'), (7, 'b'), (5, 'c')], false);
        assert_eq!([4, 5, 6, 7, 8].map(|key| near.get(key)), [None, Some('a'), None, Some('b'), None]);
        let far = Table::new([(i64::MIN, 'a'), (0, 'b'), (i64::MAX, 'c'), (0, 'd')], true);
        assert_eq!(
            [i64::MIN, 0, i64::MAX, 1].map(|key| far.get(key)),
            [Some('a'), Some('d'), Some('c'), None]
        );
        assert_eq!(near.get(i64::MIN), None);
        assert_eq!(Table::<char>::new([], false).get(0), None);
    }

    #[test]
    fn keys_of_numbers_do_not_tell_zeros_or_nans_apart() {
        assert_eq!((-0.0f32).key(), 0.0f32.key());
        assert_eq!((-f32::NAN).key(), f32::NAN.key());
        assert_ne!(1.0f64.key(), (-1.0f64).key());
    }
}
