//! A batch on its way into the sink.

use lavka_api::Error;
use lavka_api::data::{Topic, TopicPartition};
use lavka_api::plugin::SinkBatch;
use lavka_ports::ConsumedRecord;
use tokio::time::Instant;

/// What was consumed and is not yet in the sink.
pub(super) struct Pending {
    pub(super) batch: SinkBatch,
    /// What was consumed, also records that are not in the batch.
    pub(super) consumed: Vec<ConsumedRecord>,
    /// For each record of the batch its place in `consumed`.
    pub(super) places: Vec<usize>,
    /// Fails the task once the batch is in.
    pub(super) then_fail: Option<Error>,
    /// Tries of `put` that failed.
    pub(super) failures: u32,
    /// When it is put next.
    pub(super) due: Instant,
}

impl Pending {
    /// What is left without the records of `partitions`. A batch with a fatal record at its end fails the task even
    /// where that record's partition is gone: what was consumed behind it is in no batch.
    pub(super) fn without(self, partitions: &[TopicPartition]) -> Option<Self> {
        let gone = |topic: &Topic, partition: i32| {
            partitions.iter().any(|tp| tp.partition == partition && tp.topic == *topic)
        };
        let mut consumed = Vec::new();
        let mut kept: Vec<Option<usize>> = Vec::new();
        for record in self.consumed {
            if gone(&record.topic, record.partition) {
                kept.push(None);
            } else {
                kept.push(Some(consumed.len()));
                consumed.push(record);
            }
        }
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for (record, place) in self.batch.iter().zip(&self.places) {
            if let Some(Some(place)) = kept.get(*place) {
                batch.push(record.clone());
                places.push(*place);
            }
        }
        if consumed.is_empty() && self.then_fail.is_none() {
            return None;
        }
        Some(Self { batch: batch.into(), consumed, places, ..self })
    }
}
