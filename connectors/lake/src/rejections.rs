//! Records of a batch that cannot be written.

use std::collections::HashMap;

use lavka_api::data::{KafkaOrigin, SinkRecord, TopicPartition};
use lavka_api::error::{Error, Result};
use lavka_api::plugin::ErrantRecord;

/// The records found at fault so far. They are kept until the batch is through: after a retriable error it comes again,
/// and what was found by then is passed over.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    /// Whether errant records are taken; where not, the first one fails the task.
    pub(crate) tolerated: bool,
    found: Vec<(TopicPartition, i64, Error)>,
}

impl Rejections {
    /// `record` cannot be written because of `error`.
    ///
    /// # Errors
    /// The error with the record's place, where errant records are not taken.
    pub(crate) fn add(&mut self, record: &SinkRecord, error: Error) -> Result<()> {
        let origin = &record.origin;
        let error = Error::data(format!(
            "topic {}, partition {}, offset {}: {error}",
            origin.topic, origin.partition, origin.offset
        ));
        if !self.tolerated {
            return Err(error);
        }
        self.found.push((partition_of(record), origin.offset, error));
        Ok(())
    }

    /// Forgets records of partitions that were taken away.
    pub(crate) fn forget(&mut self, partitions: &[TopicPartition]) {
        self.found.retain(|(tp, ..)| !partitions.contains(tp));
    }

    /// What is to be reported of `batch`, which is through.
    pub(crate) fn report(&mut self, batch: &[SinkRecord], errant: &mut Vec<ErrantRecord>) {
        if self.found.is_empty() {
            return;
        }
        let place = |origin: &KafkaOrigin| (origin.topic.clone(), origin.partition, origin.offset);
        let indices: HashMap<_, usize> =
            batch.iter().enumerate().map(|(index, record)| (place(&record.origin), index)).collect();
        for (tp, offset, error) in self.found.drain(..) {
            if let Some(&index) = indices.get(&(tp.topic, tp.partition, offset)) {
                errant.push(ErrantRecord { index, error });
            }
        }
    }
}

/// The partition that `record` was read from.
pub(crate) fn partition_of(record: &SinkRecord) -> TopicPartition {
    TopicPartition { topic: record.origin.topic.clone(), partition: record.origin.partition }
}

/// Whether `record` was read from `tp`.
pub(crate) fn is_of(record: &SinkRecord, tp: &TopicPartition) -> bool {
    record.origin.partition == tp.partition && record.origin.topic == tp.topic
}
