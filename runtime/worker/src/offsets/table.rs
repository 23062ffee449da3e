//! Offsets in memory, by what their keys mean.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::OffsetMap;
use lavka_converters::json::offsets::{self, KeyRefusal};

use super::java_map::{self, Entries};

/// A key and its value, `None` for a tombstone.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Connector and partition.
type Meaning = (String, OffsetMap);

/// One change: the key's meaning where it has one, the key, and the value, `None` for a tombstone.
pub(super) struct Change {
    meaning: Option<Meaning>,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Change {
    /// A key and value as they are stored.
    pub(super) fn new(key: Vec<u8>, value: Option<Vec<u8>>) -> Self {
        Self { meaning: offsets::read_key(&key).ok(), key, value }
    }

    /// The change of the offset of one partition.
    ///
    /// # Errors
    /// A data error for a value that is not primitive.
    pub(super) fn of(connector: &str, partition: &OffsetMap, offset: Option<&OffsetMap>) -> Result<Self> {
        Ok(Self::new(key_of(connector, partition)?, value_of(offset)?))
    }
}

/// The key of a partition as it is stored, where nobody stored it before.
///
/// # Errors
/// A data error for a value that is not primitive.
pub(super) fn key_of(connector: &str, partition: &OffsetMap) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    offsets::write_key(connector, partition, &mut key)?;
    Ok(key)
}

/// An offset as it is stored.
///
/// # Errors
/// A data error for a value that is not primitive.
pub(super) fn value_of(offset: Option<&OffsetMap>) -> Result<Option<Vec<u8>>> {
    let written = |offset| {
        let mut value = Vec::new();
        offsets::write_offset(offset, &mut value).map(|()| value)
    };
    offset.map(written).transpose()
}

/// Stored offsets. Keys are indexed by what they mean, and keep the bytes they came with.
#[derive(Default)]
pub(super) struct Table {
    entries: Entries,
    /// To the entry.
    index: HashMap<Meaning, usize>,
}

impl Table {
    pub(super) fn put(&mut self, change: Change) {
        // A key that is not ours to understand is kept for whoever does.
        if let Some(meaning) = change.meaning {
            if let Some(entry) = self.index.get(&meaning).and_then(|&at| self.entries.get_mut(at)) {
                entry.1 = change.value;
                return;
            }
            self.index.insert(meaning, self.entries.len());
        }
        self.entries.push((change.key, change.value));
    }

    /// Puts a record of an offsets topic. Here the bytes of a key are its newest, since compaction knows no other.
    ///
    /// # Errors
    /// Why the key is none of an offset; nothing is kept of it.
    pub(super) fn put_record(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), KeyRefusal> {
        let meaning = offsets::read_key(key)?;
        let (key, value) = (key.to_vec(), value.map(<[u8]>::to_vec));
        match self.index.get(&meaning).and_then(|&at| self.entries.get_mut(at)) {
            Some(entry) => *entry = (key, value),
            None => {
                self.index.insert(meaning, self.entries.len());
                self.entries.push((key, value));
            }
        }
        Ok(())
    }

    /// The file's bytes as they are once `changes` are put, which they are not yet.
    pub(super) fn bytes_with(&self, changes: &[Change]) -> Vec<u8> {
        let mut entries: Vec<(&[u8], Option<&[u8]>)> =
            self.entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        let mut added: HashMap<&Meaning, usize> = HashMap::new();
        for change in changes {
            let value = change.value.as_deref();
            if let Some(meaning) = &change.meaning {
                let at = self.index.get(meaning).or_else(|| added.get(meaning));
                if let Some(entry) = at.and_then(|&at| entries.get_mut(at)) {
                    entry.1 = value;
                    continue;
                }
                added.insert(meaning, entries.len());
            }
            entries.push((&change.key, value));
        }
        java_map::write(&entries)
    }

    fn entry(&self, connector: &str, partition: &OffsetMap) -> Result<Option<&Entry>> {
        let key = key_of(connector, partition)?;
        let Ok(meaning) = offsets::read_key(&key) else { return Ok(None) };
        Ok(self.index.get(&meaning).and_then(|&at| self.entries.get(at)))
    }

    /// Looked up by what is stored: numbers come back from JSON as 64-bit integers, whatever they went in as.
    pub(super) fn get(&self, connector: &str, partition: &OffsetMap) -> Result<Option<OffsetMap>> {
        Ok(self.look_up(connector, partition)?.flatten())
    }

    /// As [`get`](Self::get), and tells a tombstone (`Some(None)`) from nothing.
    pub(super) fn look_up(
        &self,
        connector: &str,
        partition: &OffsetMap,
    ) -> Result<Option<Option<OffsetMap>>> {
        match self.entry(connector, partition)? {
            Some((_, Some(value))) => offsets::read_offset(value).map(Some),
            Some((_, None)) => Ok(Some(None)),
            None => Ok(None),
        }
    }

    /// The bytes that the key of a partition has, or is to have where there is none yet.
    pub(super) fn key(&self, connector: &str, partition: &OffsetMap) -> Result<Vec<u8>> {
        if let Some((key, _)) = self.entry(connector, partition)? {
            return Ok(key.clone());
        }
        key_of(connector, partition)
    }

    /// Every partition of a connector that ever had an offset, with the one that it has.
    pub(super) fn partitions(&self, connector: &str) -> Result<Vec<(OffsetMap, Option<OffsetMap>)>> {
        let of_connector = self.index.iter().filter(|((owner, _), _)| owner == connector);
        let mut found: Vec<(usize, &OffsetMap)> = of_connector.map(|((_, map), at)| (*at, map)).collect();
        found.sort_by_key(|(at, _)| *at);
        let offset = |at: usize| match self.entries.get(at) {
            Some((_, Some(value))) => offsets::read_offset(value),
            _ => Ok(None),
        };
        found.into_iter().map(|(at, map)| Ok((map.clone(), offset(at)?))).collect()
    }

    /// Every partition of a connector that has an offset.
    pub(super) fn of_connector(&self, connector: &str) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        let all = self.partitions(connector)?;
        Ok(all.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect())
    }
}
