//! From consumed records into the sink: decode, transform, put.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::{SinkRecord, TopicPartition};
use lavka_api::error::exception;
use lavka_api::plugin::{ErrantRecord, SinkBatch};
use lavka_api::{Error, Result};
use lavka_ports::ConsumedRecord;
use tokio::time::Instant;

use super::batch::Pending;
use super::decode::original;
use super::run::Runner;
use crate::chain::Fate;
use crate::errors::{Backoff, Failure, Stage, Stopping, prepare};

/// Waits between tries of a batch where the sink names none; there is no deadline (Connect tries for ever too).
const PUT_BACKOFF: Backoff = Backoff { timeout_ms: None, max_delay_ms: 60_000 };

/// The class that error reports name for records that a sink reported.
const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";

impl Runner {
    /// Decodes and transforms what was consumed; what is to be put is in `pending` afterwards. Where the task is to
    /// stop meanwhile, nothing is: the records will be read again.
    pub(super) async fn take(&mut self, mut consumed: Vec<ConsumedRecord>) {
        self.metrics.read(consumed.len());
        let Ok(converted) = self.convert(&consumed).await else { return };
        let Converted { mut records, mut places, failures } = converted;
        let mut then_fail = None;
        for (place, failure) in failures {
            if let Err(error) = self.policy.failed(&failure, consumed.get(place).map(original).as_ref()).await
            {
                then_fail = Some(error);
                consumed.truncate(place);
                let before = places.partition_point(|at| *at < place);
                places.truncate(before);
                records.truncate(before);
                break;
            }
        }
        let (batch, due) = (records.into(), Instant::now());
        self.pending = Some(Pending { batch, consumed, places, then_fail, failures: 0, due });
    }

    /// Decodes and transforms. Records are moved about only where some of them do not go on.
    async fn convert(&mut self, consumed: &[ConsumedRecord]) -> Result<Converted, Stopping> {
        let mut unprepared = prepare(&mut self.decoder, consumed, &mut self.policy).await?;
        let mut converted = Converted::with_capacity(consumed.len());
        for (place, record) in consumed.iter().enumerate() {
            let decoded = match unprepared.get_mut(place).and_then(Option::take) {
                Some(failure) => Err(failure),
                None => self.decoder.decode(record),
            };
            converted.push(place, decoded);
        }
        if self.chain.is_empty() {
            return Ok(converted);
        }
        let fates = self.chain.apply(&mut converted.records, &mut self.policy).await?;
        Ok(converted.after(fates))
    }

    /// Puts the waiting batch. Where the sink cannot take it now it goes on waiting, just as it is.
    pub(super) async fn put_pending(&mut self) -> Result<()> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        let mut context = self.context();
        let began = Instant::now();
        let outcome = self.task.put(Arc::clone(&pending.batch), &mut context).await;
        self.last_put = Instant::now();
        match outcome {
            Ok(()) => {}
            Err(error) if error.is_retriable() => {
                pending.failures += 1;
                let wait =
                    context.retry_after_ms.unwrap_or_else(|| PUT_BACKOFF.delay_ms(pending.failures, 0, 1.0));
                tracing::warn!(task = %self.id, "the sink could not take a batch, next try in {wait} ms: {error}");
                pending.due = self.last_put + Duration::from_millis(wait);
                self.pending = Some(pending);
                // The batch comes again, and with it these reports.
                context.errant.clear();
                return self.obey(context).await;
            }
            Err(error) => {
                return Err(error.wrapped_in(
                    exception::CONNECT,
                    "Exiting WorkerSinkTask due to unrecoverable exception.",
                ));
            }
        }
        self.metrics.sent(pending.batch.len(), self.last_put - began);
        for errant in std::mem::take(&mut context.errant) {
            self.report(errant, &pending).await?;
        }
        self.note(&pending.consumed);
        self.obey(context).await?;
        match pending.then_fail {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Lets the sink act on time where there is nothing to put.
    pub(super) async fn put_nothing(&mut self) -> Result<()> {
        let mut context = self.context();
        let outcome = self.task.put(SinkBatch::from([]), &mut context).await;
        self.last_put = Instant::now();
        match outcome {
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.id, "the sink could not do its housekeeping and will try again: {error}");
            }
            other => other?,
        }
        self.obey(context).await
    }

    /// Reports a record that the sink could not write.
    async fn report(&mut self, errant: ErrantRecord, pending: &Pending) -> Result<()> {
        let consumed = pending.places.get(errant.index).and_then(|&place| pending.consumed.get(place));
        let Some(consumed) = consumed else {
            return Err(Error::fatal(format!(
                "the sink reported record {} of a batch of {}; which one it means cannot be told",
                errant.index,
                pending.batch.len()
            ))
            .caused_by(errant.error));
        };
        let failure = Failure { stage: Stage::TaskPut, class: SINK_TASK.into(), error: errant.error };
        self.policy.failed(&failure, Some(&original(consumed))).await
    }

    /// The sink has these records. They come in runs of one partition.
    fn note(&mut self, consumed: &[ConsumedRecord]) {
        self.active_topics.begin(Instant::now());
        let same = |a: &ConsumedRecord, b: &ConsumedRecord| a.partition == b.partition && a.topic == b.topic;
        for last in consumed.chunk_by(same).filter_map(<[ConsumedRecord]>::last) {
            let partition = TopicPartition::new(last.topic.clone(), last.partition);
            self.progress.advance(&partition, last.offset.saturating_add(1));
            if self.active_topics.note(&last.topic) {
                self.observer.topic_used(&self.id, &last.topic);
            }
        }
    }
}

/// What became of consumed records; their places are those among the consumed.
struct Converted {
    /// Those that go into the sink, in order.
    records: Vec<SinkRecord>,
    /// The place of each.
    places: Vec<usize>,
    /// Those that failed, by place and in order.
    failures: Vec<(usize, Failure)>,
}

impl Converted {
    fn with_capacity(records: usize) -> Self {
        Self {
            records: Vec::with_capacity(records),
            places: Vec::with_capacity(records),
            failures: Vec::new(),
        }
    }

    fn push(&mut self, place: usize, converted: Result<SinkRecord, Failure>) {
        match converted {
            Ok(record) => {
                self.records.push(record);
                self.places.push(place);
            }
            Err(failure) => self.failures.push((place, failure)),
        }
    }

    /// What is left behind the transforms, given the fate of each record there.
    fn after(self, fates: Vec<Fate>) -> Self {
        if fates.iter().all(|fate| matches!(fate, Fate::Live)) {
            return self;
        }
        let mut after = Self { failures: self.failures, ..Self::with_capacity(self.records.len()) };
        for ((record, place), fate) in self.records.into_iter().zip(self.places).zip(fates) {
            match fate {
                Fate::Live => after.push(place, Ok(record)),
                Fate::Dropped => {}
                Fate::Failed(failure) => after.push(place, Err(failure)),
            }
        }
        after.failures.sort_by_key(|(place, _)| *place);
        after
    }
}
