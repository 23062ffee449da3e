//! Where a source stands: source partitions and source offsets.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use super::schema::hash_value;
use super::{Str, Value};

/// A small map from strings to primitive values: a source partition or a source offset. Shared, immutable, in
/// insertion order (the order reaches the stored key bytes).
///
/// Equality ignores the order of keys: `{"a":1,"b":2}` and `{"b":2,"a":1}` are one partition.
///
/// The offset store keeps it as JSON without a schema. A restarted task therefore gets every integer as `Int64` and every
/// fraction as `Float64`, whatever was written; bytes, arrays and maps do not belong here. Equality tells types apart, so
/// a partition is best made of texts and `Int64`.
///
/// ```
/// use lavka_api::data::OffsetMap;
///
/// let partition = OffsetMap::new([("schema", "public"), ("table", "orders")]);
/// assert_eq!(partition, OffsetMap::new([("table", "orders"), ("schema", "public")]));
/// let offset = OffsetMap::new([("id", 42_i64)]);
/// assert_eq!(offset.get("id").and_then(|id| id.as_i64()), Some(42));
/// ```
#[derive(Clone)]
pub struct OffsetMap(Arc<Entries<Late>>);

/// What makes entries when they are asked for.
type Late = dyn Fn() -> Vec<(Str, Value)> + Send + Sync;

struct Entries<F: ?Sized> {
    made: OnceLock<Vec<(Str, Value)>>,
    /// Most offsets are never looked up, only the last of many is kept: made when it is asked for.
    hash: OnceLock<u64>,
    late: F,
}

impl OffsetMap {
    /// A map of `entries`; of two equal keys the last value counts.
    pub fn new<K: Into<Str>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut list: Vec<(Str, Value)> = Vec::new();
        for (key, value) in entries {
            let (key, value) = (key.into(), value.into());
            match list.iter_mut().find(|(k, _)| *k == key) {
                Some(entry) => entry.1 = value,
                None => list.push((key, value)),
            }
        }
        Self::of_distinct(list)
    }

    /// A map of `entries` whose keys are all different: as [`new`](Self::new), without looking for those that are not.
    #[must_use]
    pub fn of_distinct(entries: Vec<(Str, Value)>) -> Self {
        check_distinct(&entries);
        Self(Arc::new(Entries { made: OnceLock::from(entries), hash: OnceLock::new(), late: Vec::new }))
    }

    /// A map whose entries, with keys that are all different, are made when somebody asks for one: for a source that
    /// gives each record an offset of its own. Of those only the last of many is looked into.
    ///
    /// ```
    /// use lavka_api::data::OffsetMap;
    ///
    /// let line = 42_i64;
    /// let offset = OffsetMap::late(move || vec![("line".into(), line.into())]);
    /// assert_eq!(offset, OffsetMap::new([("line", 42_i64)]));
    /// ```
    #[must_use]
    pub fn late(entries: impl Fn() -> Vec<(Str, Value)> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Entries { made: OnceLock::new(), hash: OnceLock::new(), late: entries }))
    }

    /// The entries in insertion order.
    #[must_use]
    pub fn entries(&self) -> &[(Str, Value)] {
        self.0.made.get_or_init(|| {
            let entries = (self.0.late)();
            check_distinct(&entries);
            entries
        })
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Whether both are the same allocation.
    #[must_use]
    pub fn same(&self, other: &OffsetMap) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn hash_of_entries(&self) -> u64 {
        // A sum is the same in any order.
        *self.0.hash.get_or_init(|| {
            self.entries().iter().fold(0, |sum: u64, (key, value)| {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                hash_value(value, &mut hasher);
                sum.wrapping_add(hasher.finish())
            })
        })
    }
}

fn check_distinct(entries: &[(Str, Value)]) {
    debug_assert!(
        entries.iter().enumerate().all(|(at, (key, _))| entries.iter().take(at).all(|(k, _)| k != key)),
        "a key is there twice: {entries:?}"
    );
}

impl fmt::Debug for OffsetMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries().iter().map(|(key, value)| (key, value))).finish()
    }
}

impl PartialEq for OffsetMap {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
            || (self.entries().len() == other.entries().len()
                && self.hash_of_entries() == other.hash_of_entries()
                && self.entries().iter().all(|(key, value)| other.get(key) == Some(value)))
    }
}

impl Eq for OffsetMap {}

impl Hash for OffsetMap {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_of_entries().hash(state);
    }
}

/// Where a source record came from: after it is durable in Kafka, a restarted task goes on behind `offset`.
///
/// Records that share an offset (rows of one transaction) must be tellable apart by it, or a task that was cut off between
/// them goes on behind the last: put the place within the transaction into the offset.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcePosition {
    /// Which part of the source: a file, a table, a topic filter. Not a task: their number changes.
    pub partition: OffsetMap,
    /// How far in that part.
    pub offset: OffsetMap,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_for_equality() {
        let a = OffsetMap::new([("a", Value::Int64(1)), ("b", Value::Int64(2))]);
        let b = OffsetMap::new([("b", Value::Int64(2)), ("a", Value::Int64(1))]);
        let c = OffsetMap::new([("b", Value::Int64(1)), ("a", Value::Int64(2))]);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn late_entries_are_made_once_and_only_when_asked_for() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let late = OffsetMap::late(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            vec![("a".into(), Value::Int64(1))]
        });
        let copy = late.clone();
        assert!(copy.same(&late));
        assert_eq!(made.load(Ordering::Relaxed), 0);
        assert_eq!(late, OffsetMap::new([("a", 1_i64)]));
        assert_eq!((copy.get("a"), copy.entries().len()), (Some(&Value::Int64(1)), 1));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
