//! The newest source offset of each source partition since the last transaction. Pure.

use std::collections::HashMap;

use lavka_api::data::{OffsetMap, SourcePosition};

/// Offsets in the order in which their partitions were first met.
#[derive(Debug, Default)]
pub(super) struct Newest {
    entries: Vec<(OffsetMap, OffsetMap)>,
    by_partition: HashMap<OffsetMap, usize>,
    /// The place of the last record's partition: most sources stay with one for a while.
    last: usize,
}

impl Newest {
    pub(super) fn note(&mut self, position: SourcePosition) {
        let SourcePosition { partition, offset } = position;
        if let Some(entry) = self.entries.get_mut(self.last)
            && entry.0.same(&partition)
        {
            entry.1 = offset;
            return;
        }
        match self.by_partition.get(&partition) {
            Some(&place) => {
                self.last = place;
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.1 = offset;
                }
            }
            None => {
                self.last = self.entries.len();
                self.by_partition.insert(partition.clone(), self.last);
                self.entries.push((partition, offset));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> &[(OffsetMap, OffsetMap)] {
        &self.entries
    }

    pub(super) fn take(&mut self) -> Vec<(OffsetMap, OffsetMap)> {
        self.by_partition.clear();
        std::mem::take(&mut self.entries)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Value;

    use super::*;

    #[test]
    fn each_partition_has_the_offset_that_came_last() {
        let map = |key: &str, number: i64| OffsetMap::new([(key, Value::Int64(number))]);
        let mut newest = Newest::default();
        for (partition, offset) in [(1, 1), (1, 2), (2, 7), (1, 3), (2, 8)] {
            newest.note(SourcePosition { partition: map("p", partition), offset: map("o", offset) });
        }
        assert_eq!(newest.entries(), [(map("p", 1), map("o", 3)), (map("p", 2), map("o", 8))]);
        assert_eq!(newest.take().len(), 2);
        assert!(newest.is_empty());
        newest.note(SourcePosition { partition: map("p", 2), offset: map("o", 9) });
        assert_eq!(newest.entries(), [(map("p", 2), map("o", 9))]);
    }
}
