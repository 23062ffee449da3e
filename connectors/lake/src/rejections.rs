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
    found: Vec<(KafkaOrigin, Error)>,
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
        self.found.push((origin.clone(), error));
        Ok(())
    }

    /// Forgets records of partitions that were taken away.
    pub(crate) fn forget(&mut self, partitions: &[TopicPartition]) {
        let forgotten = |origin: &KafkaOrigin| {
            partitions.iter().any(|tp| tp.partition == origin.partition && tp.topic == origin.topic)
        };
        self.found.retain(|(origin, _)| !forgotten(origin));
    }

    /// What is to be reported of `batch`, which is through.
    pub(crate) fn report(&mut self, batch: &[SinkRecord], errant: &mut Vec<ErrantRecord>) {
        if self.found.is_empty() {
            return;
        }
        fn place(origin: &KafkaOrigin) -> (&str, i32, i64, Option<i32>) {
            (&origin.topic, origin.partition, origin.offset, origin.leader_epoch)
        }
        let indices: HashMap<_, usize> =
            batch.iter().enumerate().map(|(index, record)| (place(&record.origin), index)).collect();
        for (origin, error) in self.found.drain(..) {
            if let Some(&index) = indices.get(&place(&origin)) {
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
