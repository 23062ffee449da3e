//! Of entries with equal keys the last value counts, at the place of the first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use lavka_api::data::Value;

/// Up to this many entries a linear search beats the hash.
const LINEAR: usize = 16;

/// Entries of a map as they arrive, without duplicate keys. Time grows linearly with the entries, whatever the keys.
#[derive(Default)]
pub(crate) struct DistinctEntries {
    entries: Vec<(Value, Value)>,
    /// Positions by hash; filled once there are more than [`LINEAR`] entries.
    by_hash: HashMap<u64, Vec<usize>>,
}

impl DistinctEntries {
    /// Adds an entry, or replaces the value of the entry with this key.
    pub(crate) fn insert(&mut self, key: Value, value: Value) {
        if self.entries.len() < LINEAR {
            match self.entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => self.entries.push((key, value)),
            }
            return;
        }
        if self.by_hash.is_empty() {
            for (at, (known, _)) in self.entries.iter().enumerate() {
                self.by_hash.entry(hash_of(known)).or_default().push(at);
            }
        }
        let places = self.by_hash.entry(hash_of(&key)).or_default();
        let entries = &mut self.entries;
        match places.iter().copied().find(|&at| entries.get(at).is_some_and(|(known, _)| *known == key)) {
            Some(at) => {
                if let Some(entry) = entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            None => {
                places.push(entries.len());
                entries.push((key, value));
            }
        }
    }

    /// The entries in order of first appearance.
    pub(crate) fn into_entries(self) -> Box<[(Value, Value)]> {
        self.entries.into_boxed_slice()
    }
}

fn hash_of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

/// Equal values feed equal bytes; the converse need not hold.
fn feed(value: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Boolean(v) => v.hash(hasher),
        Value::Int8(v) => v.hash(hasher),
        Value::Int16(v) => v.hash(hasher),
        Value::Int32(v) | Value::Date(v) | Value::Time(v) => v.hash(hasher),
        Value::Int64(v) | Value::Timestamp(v) => v.hash(hasher),
        // Adding zero makes the two zeros, which are equal, the same bits.
        Value::Float32(v) => (v + 0.0).to_bits().hash(hasher),
        Value::Float64(v) => (v + 0.0).to_bits().hash(hasher),
        Value::String(v) => v.hash(hasher),
        Value::Bytes(v) => v.hash(hasher),
        Value::Decimal(v) => v.hash(hasher),
        Value::Array(items) => items.iter().for_each(|item| feed(item, hasher)),
        Value::Map(entries) => entries.iter().for_each(|(key, item)| {
            feed(key, hasher);
            feed(item, hasher);
        }),
        Value::Object(object) => object.values().iter().for_each(|item| feed(item, hasher)),
        Value::Struct(record) => record.values().iter().for_each(|item| feed(item, hasher)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_at_the_first_place() {
        for count in [3i32, 16, 17, 200] {
            let mut distinct = DistinctEntries::default();
            for round in 0..3 {
                for i in 0..count {
                    distinct.insert(Value::from(i), Value::from(i * 10 + round));
                }
            }
            let entries = distinct.into_entries();
            let expected: Vec<_> = (0..count).map(|i| (Value::from(i), Value::from(i * 10 + 2))).collect();
            assert_eq!(*entries, expected);
        }
    }

    #[test]
    fn keys_of_another_type_are_other_keys() {
        let mut distinct = DistinctEntries::default();
        for i in 0..20i8 {
            distinct.insert(Value::Int8(i), Value::Null);
            distinct.insert(Value::Int16(i.into()), Value::Null);
            distinct.insert(Value::from(vec![Value::Int8(i)]), Value::Null);
        }
        assert_eq!(distinct.into_entries().len(), 60);
    }
}
