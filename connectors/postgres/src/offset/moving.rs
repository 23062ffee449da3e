//! The offset of a stream on its way from record to record.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use lavka_api::data::OffsetMap;

use super::{MessageType, Offset, Place};
use crate::pgoutput::Lsn;

/// The offset behind the last record. What the changes of a transaction have in common is kept once for all of their maps,
/// which are made of it when somebody looks into them.
#[derive(Clone, Debug, Default)]
pub(crate) struct MovingOffset {
    offset: Offset,
    /// The offset as of some record since which nothing moved but what [`map`](Self::map) takes from the present one.
    common: Option<Arc<Offset>>,
}

impl MovingOffset {
    pub(crate) fn new(offset: Offset) -> Self {
        Self { offset, common: None }
    }

    /// To a change of rows at `lsn`.
    pub(crate) fn change(&mut self, lsn: Lsn, message_type: MessageType) {
        self.offset.lsn = Some(lsn);
        self.offset.lsn_proc = Some(lsn);
        self.offset.message_type = Some(message_type);
    }

    /// To a record of the change.
    pub(crate) fn place(&mut self, place: Option<Place>) {
        self.offset.place = place;
    }

    /// As [`Offset::to_map`].
    pub(crate) fn map(&mut self) -> OffsetMap {
        // Counts of a transaction move with each record.
        if self.offset.transaction.is_some() {
            return self.offset.to_map();
        }
        let common = Arc::clone(self.common.get_or_insert_with(|| Arc::new(self.offset.clone())));
        let Offset { lsn, lsn_proc, message_type, place, .. } = self.offset;
        OffsetMap::late(move || {
            Offset { lsn, lsn_proc, message_type, place, ..(*common).clone() }.to_entries()
        })
    }
}

impl Deref for MovingOffset {
    type Target = Offset;
    fn deref(&self) -> &Offset {
        &self.offset
    }
}

/// Whatever may change now, later maps have.
impl DerefMut for MovingOffset {
    fn deref_mut(&mut self) -> &mut Offset {
        self.common = None;
        &mut self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset::TransactionCounts;

    #[test]
    fn maps_are_those_of_the_moment() {
        let mut offset = MovingOffset::new(Offset { cluster: Some("7001/1".into()), ..Offset::default() });
        let (mut maps, mut expected) = (Vec::new(), Vec::new());
        for step in 1..=12_u64 {
            match step {
                4 => offset.lsn_commit = Some(Lsn(400)),
                6 => offset.transaction = Some(TransactionCounts { id: "7".into(), orders: Vec::new() }),
                8 => offset.transaction = None,
                10 => offset.tx_id = Some(10),
                _ => {}
            }
            offset.change(Lsn(step), if step % 2 == 0 { MessageType::Insert } else { MessageType::Delete });
            offset.place(Some(Place { commit: Lsn(500), change: step, record: 1 }));
            maps.push(offset.map());
            expected.push(offset.to_map());
        }
        for (map, expected) in maps.iter().zip(&expected) {
            assert_eq!(map.entries(), expected.entries());
        }
    }
}
