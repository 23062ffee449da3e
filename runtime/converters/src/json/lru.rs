//! A bounded map that forgets what has not been used for longest.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// At most `capacity` entries. Keys are kept twice, so they should be cheap to clone.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    index: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    capacity: usize,
    newest: usize,
    oldest: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

/// No slot.
const NONE: usize = usize::MAX;

impl<K: Hash + Eq + Clone, V> Lru<K, V> {
    /// An empty cache. One entry is always kept, so that what was made last is there to be used.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            index: HashMap::new(),
            slots: Vec::new(),
            capacity: capacity.max(1),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// The value of `key`, which becomes the newest entry.
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = *self.index.get(key)?;
        self.touch(at);
        self.slots.get(at).map(|slot| &slot.value)
    }

    /// The newest entry.
    pub(super) fn newest(&self) -> Option<(&K, &V)> {
        self.slots.get(self.newest).map(|slot| (&slot.key, &slot.value))
    }

    /// The first of the `count` newest entries that `wanted` accepts; it becomes the newest.
    pub(super) fn find_recent(&mut self, count: usize, wanted: impl Fn(&K) -> bool) -> Option<(&K, &V)> {
        let mut at = self.newest;
        for _ in 0..count {
            let slot = self.slots.get(at)?;
            if wanted(&slot.key) {
                self.touch(at);
                return self.newest();
            }
            at = slot.older;
        }
        None
    }

    /// The value of `key`, which becomes the newest entry, made where it is not there yet. `is_key` is a cheap test
    /// for the newest entry alone.
    pub(super) fn get_or_make<E>(
        &mut self,
        key: &K,
        is_key: impl Fn(&K) -> bool,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<&mut V, E> {
        let at = match self.newest() {
            Some((newest, _)) if is_key(newest) => self.newest,
            _ => match self.index.get(key).copied() {
                Some(at) => {
                    self.touch(at);
                    at
                }
                None => self.add(key.clone(), make()?),
            },
        };
        Ok(&mut self.slots[at].value)
    }

    /// Adds an entry, which `get` did not find, as the newest; at the bound the oldest goes.
    pub(super) fn insert(&mut self, key: K, value: V) -> &V {
        let at = self.add(key, value);
        &self.slots[at].value
    }

    fn add(&mut self, key: K, value: V) -> usize {
        let at = if self.slots.len() < self.capacity {
            self.slots.push(Slot { key: key.clone(), value, newer: NONE, older: NONE });
            self.slots.len() - 1
        } else {
            let at = self.oldest;
            self.unlink(at);
            let slot = &mut self.slots[at];
            self.index.remove(&slot.key);
            slot.key = key.clone();
            slot.value = value;
            at
        };
        self.index.insert(key, at);
        self.link_newest(at);
        at
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn touch(&mut self, at: usize) {
        if at != self.newest {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    fn unlink(&mut self, at: usize) {
        let Some(slot) = self.slots.get(at) else { return };
        let (newer, older) = (slot.newer, slot.older);
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: usize) {
        let before = self.newest;
        if let Some(slot) = self.slots.get_mut(at) {
            slot.newer = NONE;
            slot.older = before;
        }
        match self.slots.get_mut(before) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut cache = Lru::new(2);
        cache.insert("a", 1);
        cache.insert("b", 2);
        assert_eq!(cache.get("a"), Some(&1));
        cache.insert("c", 3);
        assert_eq!(cache.get("a"), Some(&1));
        assert_eq!(cache.get("b"), None);
        assert_eq!(cache.get("c"), Some(&3));
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.find_recent(1, |key| *key == "a"), None);
        assert_eq!(cache.find_recent(2, |key| *key == "a"), Some((&"a", &1)));
        assert_eq!(cache.newest(), Some((&"a", &1)));
        let made = |key, value| -> Result<i32, ()> {
            Lru::new(1).get_or_make(&key, |_: &&str| false, || value).copied()
        };
        assert_eq!((made("x", Ok(5)), made("x", Err(()))), (Ok(5), Err(())));
        assert_eq!(cache.get_or_make(&"c", |_| false, || Err(())), Ok(&mut 3));
        assert_eq!(cache.newest(), Some((&"c", &3)));
    }

    #[test]
    fn one_entry_is_always_kept() {
        let mut cache = Lru::new(0);
        for i in 0..5 {
            assert_eq!(*cache.insert(i, i), i);
            assert_eq!(cache.get(&i), Some(&i));
            assert_eq!(cache.len(), 1);
        }
    }

    proptest::proptest! {
        #[test]
        fn behaves_as_a_list_in_order_of_use(capacity in 1usize..5, keys: Vec<u8>) {
            let mut cache = Lru::new(capacity);
            let mut model: Vec<u8> = Vec::new();
            for key in keys {
                let key = key % 8;
                let known = model.iter().position(|&k| k == key);
                proptest::prop_assert_eq!(cache.get(&key).is_some(), known.is_some());
                match known {
                    Some(at) => drop(model.remove(at)),
                    None => drop(cache.insert(key, ())),
                }
                model.insert(0, key);
                model.truncate(capacity);
                proptest::prop_assert_eq!(cache.len(), model.len());
            }
        }
    }
}
