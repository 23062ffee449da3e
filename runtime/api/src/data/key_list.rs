//! Keys as they arrive.

use std::collections::HashMap;

use super::Str;

/// Up to this many keys a linear search beats the hash.
const LINEAR: usize = 8;

/// The keys of an object in the order in which they first came, each once. Finding a key again takes the same time
/// however many there are, and whoever chose them.
///
/// ```
/// use lavka_api::data::{KeyList, Shape};
///
/// let mut keys = KeyList::default();
/// assert_eq!(["a", "b", "a"].map(|key| keys.place(key.into())), [0, 1, 0]);
/// assert_eq!(Shape::from(keys).keys(), ["a", "b"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyList {
    keys: Vec<Str>,
    /// Places by key; filled once there are more than [`LINEAR`] keys.
    places: HashMap<Str, usize>,
}

impl KeyList {
    /// `keys` as they are: of two equal ones both stay, and the first is found.
    pub(super) fn of_all(keys: Vec<Str>) -> Self {
        let mut places = HashMap::new();
        if keys.len() > LINEAR {
            for (place, key) in keys.iter().enumerate() {
                places.entry(key.clone()).or_insert(place);
            }
        }
        Self { keys, places }
    }

    /// The keys in order.
    #[must_use]
    pub fn keys(&self) -> &[Str] {
        &self.keys
    }

    /// The place of `key`, counted from 0; one behind the last so far where it is new.
    pub fn place(&mut self, key: Str) -> usize {
        if let Some(known) = self.find(&key) {
            return known;
        }
        let place = self.keys.len();
        if place == LINEAR {
            self.places = self.keys.iter().cloned().zip(0..).collect();
        }
        if place >= LINEAR {
            self.places.insert(key.clone(), place);
        }
        self.keys.push(key);
        place
    }

    /// The place of `key`, if it is there.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<usize> {
        if self.keys.len() <= LINEAR {
            return self.keys.iter().position(|known| known == key);
        }
        self.places.get(key).copied()
    }
}

/// Of two equal keys the first counts.
impl FromIterator<Str> for KeyList {
    fn from_iter<I: IntoIterator<Item = Str>>(keys: I) -> Self {
        let mut list = Self::default();
        for key in keys {
            list.place(key);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_place_of_their_first() {
        for count in [0, 1, LINEAR - 1, LINEAR, LINEAR + 1, 500] {
            let keys: Vec<Str> = (0..count).map(|at| Str::from(format!("k{at}"))).collect();
            let mut list: KeyList = keys.iter().chain(&keys).cloned().collect();
            assert_eq!(list.keys(), keys);
            for (at, key) in keys.iter().enumerate() {
                assert_eq!((list.find(key), list.place(key.clone())), (Some(at), at));
            }
            assert_eq!((list.find("new"), list.place("new".into())), (None, count));
            assert_eq!(list.find("new"), Some(count));
        }
    }
}
