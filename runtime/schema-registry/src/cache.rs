//! Bounded caches whose entries may age. Time comes in as an argument.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// At most `capacity` entries; where there is no more room, the one that was asked for longest ago goes.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    capacity: usize,
    /// How long an entry counts; `None`: for ever.
    lifetime: Option<Duration>,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    since: Instant,
    used: u64,
}

/// What a cache has under a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<V> {
    /// It counts.
    Fresh(V),
    /// It did count, and whoever asks again may find the same.
    Stale(V),
    /// Nothing.
    Nothing,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize, lifetime: Option<Duration>) -> Self {
        Self { entries: HashMap::new(), capacity, lifetime, clock: 0 }
    }

    /// The value of `key`, if it is there and young enough.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, now: Instant) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self.find(key, now) {
            Found::Fresh(value) => Some(value),
            Found::Stale(_) | Found::Nothing => None,
        }
    }

    /// The value of `key`, young or old.
    pub(crate) fn find<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, now: Instant) -> Found<V>
    where
        K: Borrow<Q>,
    {
        let Some(entry) = self.entries.get_mut(key) else { return Found::Nothing };
        if self.lifetime.is_some_and(|lifetime| now.saturating_duration_since(entry.since) >= lifetime) {
            return Found::Stale(entry.value.clone());
        }
        self.clock += 1;
        entry.used = self.clock;
        Found::Fresh(entry.value.clone())
    }

    /// Puts `value` in, at the age of zero.
    pub(crate) fn put(&mut self, key: K, value: V, now: Instant) {
        if self.capacity == 0 || self.lifetime == Some(Duration::ZERO) {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            // Rare: full caches of schemas mean that a thousand of them are in use.
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        self.entries.insert(key, Entry { value, since: now, used: self.clock });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_goes_first() {
        let now = Instant::now();
        let mut cache = Cache::new(2, None);
        cache.put("a", 1, now);
        cache.put("b", 2, now);
        assert_eq!(cache.get("a", now), Some(1));
        cache.put("c", 3, now);
        assert_eq!((cache.get("a", now), cache.get("b", now), cache.get("c", now)), (Some(1), None, Some(3)));
        let mut none = Cache::new(0, None);
        none.put("a", 1, now);
        assert_eq!(none.get("a", now), None);
    }

    #[test]
    fn what_is_old_is_gone() {
        let now = Instant::now();
        let mut cache = Cache::new(2, Some(Duration::from_secs(60)));
        cache.put("a", 1, now);
        assert_eq!(cache.get("a", now + Duration::from_secs(59)), Some(1));
        assert_eq!(cache.get("a", now + Duration::from_secs(60)), None);
        assert_eq!(cache.find("a", now + Duration::from_secs(60)), Found::Stale(1));
        assert_eq!(cache.find("b", now), Found::Nothing);
        let mut never = Cache::new(2, Some(Duration::ZERO));
        never.put("a", 1, now);
        assert_eq!(never.get("a", now), None);
    }
}
