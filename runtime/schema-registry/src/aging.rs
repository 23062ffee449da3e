//! Bounded caches whose entries may age. Time comes in as an argument.

use std::borrow::Borrow;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::cache::Cache;

/// A [`Cache`] whose entries count for `lifetime`; `None`: for ever.
#[derive(Debug)]
pub(crate) struct AgingCache<K, V> {
    entries: Cache<K, (V, Instant)>,
    lifetime: Option<Duration>,
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

impl<K: Hash + Eq + Clone, V: Clone> AgingCache<K, V> {
    pub(crate) fn new(capacity: usize, lifetime: Option<Duration>) -> Self {
        Self { entries: Cache::new(capacity), lifetime }
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
        match self.entries.get(key) {
            None => Found::Nothing,
            Some((value, since)) => {
                let age = now.saturating_duration_since(*since);
                let counts = self.lifetime.is_none_or(|lifetime| age < lifetime);
                if counts { Found::Fresh(value.clone()) } else { Found::Stale(value.clone()) }
            }
        }
    }

    /// Puts `value` in, at the age of zero.
    pub(crate) fn put(&mut self, key: K, value: V, now: Instant) {
        if self.lifetime != Some(Duration::ZERO) {
            self.entries.put(key, (value, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_gone() {
        let now = Instant::now();
        let mut cache = AgingCache::new(2, Some(Duration::from_secs(60)));
        cache.put("a", 1, now);
        assert_eq!(cache.get("a", now + Duration::from_secs(59)), Some(1));
        assert_eq!(cache.get("a", now + Duration::from_secs(60)), None);
        assert_eq!(cache.find("a", now + Duration::from_secs(60)), Found::Stale(1));
        assert_eq!(cache.find("b", now), Found::Nothing);
        let mut never = AgingCache::new(2, Some(Duration::ZERO));
        never.put("a", 1, now);
        assert_eq!(never.get("a", now), None);
    }
}
