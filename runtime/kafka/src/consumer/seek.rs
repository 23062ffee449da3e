//! Going on at another place of a partition.

use std::time::{Duration, Instant};

use lavka_api::data::TopicPartition;
use lavka_api::error::exception;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::ConsumedRecord;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::context::Context;
use super::epoch;
use super::position::Place;
use crate::failure;

/// A seek waits no longer for that: the partition's coordinator or leader is away.
const LIMIT: Duration = Duration::from_secs(60);

/// A seek that waits until the partition is being fetched. Until then nothing of the partition is handed out.
pub(super) struct PendingSeek {
    place: Place,
    pub(super) deadline: Instant,
    /// The reader waits here, unless the seek is our own.
    pub(super) reply: Option<oneshot::Sender<Result<()>>>,
}

impl PendingSeek {
    pub(super) fn new(place: Place, reply: Option<oneshot::Sender<Result<()>>>) -> Self {
        Self { place, deadline: Instant::now() + LIMIT, reply }
    }

    /// Another seek or a revocation has come instead.
    pub(super) fn give_way(self) {
        if let Some(reply) = self.reply {
            let _ = reply.send(Ok(()));
        }
    }

    /// Tries it once; what librdkafka has queued of the partition is void afterwards. Where the place has an epoch,
    /// librdkafka has the broker check it.
    pub(super) fn attempt(&self, consumer: &BaseConsumer<Context>, partition: &TopicPartition) -> Result<()> {
        let offset = self.place.offset.map_or(Offset::Beginning, Offset::Offset);
        let subject = format!("Cannot seek {partition} to {offset:?}");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.partition, offset).map_err(|_| {
            Error::new(
                ErrorClass::Fatal,
                exception::ILLEGAL_ARGUMENT,
                "seek offset must not be a negative number",
            )
        })?;
        if let Some(leader_epoch) = self.place.epoch {
            epoch::set(&mut list, &partition.topic, partition.partition, leader_epoch);
        }
        let list = consumer
            .seek_partitions(list, Duration::from_secs(1))
            .map_err(|error| Error::retriable(format!("{subject}: {error}")))?;
        for element in list.elements() {
            if let Err(error) = element.error() {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                return Err(failure::native(code, &subject));
            }
        }
        Ok(())
    }
}

/// Says that the log no longer has what was read from the place of `record` on up to `stood`.
pub(super) fn warn_of_cut(partition: &TopicPartition, stood: Place, record: &ConsumedRecord) {
    let known =
        |epoch: Option<i32>| epoch.map(|epoch| format!(" (leader epoch {epoch})")).unwrap_or_default();
    tracing::warn!(
        "{partition}: reading goes back from offset {}{} to {}{}, because the log no longer has what was read from there: \
         a leader that lacked it was elected (unclean.leader.election.enable), or the log was lost. The records now there \
         are read as new ones",
        stood.offset.unwrap_or(0),
        known(stood.epoch),
        record.offset,
        known(record.leader_epoch),
    );
}
