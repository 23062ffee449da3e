//! Polls, transforms, encodes and sends.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::data::{Record, SourceRecord, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::{SourceTask, TaskId};
use lavka_api::{Error, Result};
use lavka_ports::{Buffer, OutgoingRecord, SendError};
use tokio::sync::watch;

use super::encode::Encoder;
use super::run::Shared;
use crate::chain::{Chain, Fate};
use crate::errors::{Backoff, ErrorPolicy, Failure, Stage, Tries};
use crate::task::{Target, TaskObserver, TaskState};

pub(super) struct Pump {
    id: TaskId,
    task: Box<dyn SourceTask>,
    chain: Chain,
    encoder: Encoder,
    policy: ErrorPolicy,
    shared: Arc<Shared>,
    observer: Arc<dyn TaskObserver>,
    window: Buffer,
    target: watch::Receiver<Target>,
    announced: Option<Target>,
    seen_topics: HashSet<Topic>,
    last_topic: Option<Topic>,
}

/// How long a full client queue is waited for when no acknowledgement wakes the pump earlier.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(20);

/// Waits after a poll that failed with a retriable error; there is no deadline.
const POLL_BACKOFF: Backoff = Backoff { timeout_ms: None, max_delay_ms: 10_000 };

impl Pump {
    #[expect(clippy::too_many_arguments, reason = "the parts of a spec, taken apart once")]
    pub(super) fn new(
        id: TaskId,
        task: Box<dyn SourceTask>,
        chain: Chain,
        encoder: Encoder,
        policy: ErrorPolicy,
        shared: Arc<Shared>,
        observer: Arc<dyn TaskObserver>,
        window: Buffer,
        target: watch::Receiver<Target>,
    ) -> Self {
        Self {
            id,
            task,
            chain,
            encoder,
            policy,
            shared,
            observer,
            window,
            target,
            announced: None,
            seen_topics: HashSet::new(),
            last_topic: None,
        }
    }

    /// Runs until the task is to stop, or fails.
    pub(super) async fn run(&mut self) -> Result<()> {
        let mut poll_failures = 0;
        loop {
            if self.target.has_changed().is_err() {
                return Ok(());
            }
            let now = *self.target.borrow_and_update();
            self.announce(now);
            match now {
                Target::Stopping => return Ok(()),
                Target::Paused => {
                    if self.target.changed().await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
                Target::Running => {}
            }
            self.judge_refused().await?;
            if !self.room().await {
                continue;
            }
            let started = Instant::now();
            let polled = tokio::select! {
                biased;
                changed = self.target.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
                polled = self.task.poll() => polled,
            };
            match polled {
                Ok(batch) => {
                    poll_failures = 0;
                    self.shared.metrics.polled(batch.len(), started.elapsed());
                    if !batch.is_empty() {
                        self.deliver(batch).await?;
                    }
                }
                Err(error) if error.is_retriable() => {
                    poll_failures += 1;
                    let wait = POLL_BACKOFF.delay_ms(poll_failures, 0, 1.0);
                    tracing::warn!(task = %self.id, "the source could not be polled, next try in {wait} ms: {error}");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                        _ = self.target.changed() => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn stop(&mut self) {
        self.task.stop().await;
    }

    fn announce(&mut self, now: Target) {
        if self.announced == Some(now) {
            return;
        }
        self.announced = Some(now);
        match now {
            Target::Running => self.observer.changed(&self.id, TaskState::Running),
            Target::Paused => self.observer.changed(&self.id, TaskState::Paused),
            Target::Stopping => {}
        }
    }

    fn has_room(&self) -> bool {
        let tracker = self.shared.tracker();
        tracker.in_flight() < self.window.records && tracker.bytes() < self.window.bytes
    }

    /// Waits for room in the window; false if something else needs looking at first (a refused record, a new target).
    async fn room(&mut self) -> bool {
        let mut progress = std::pin::pin!(self.shared.progress.notified());
        progress.as_mut().enable();
        if self.has_room() {
            return true;
        }
        tokio::select! {
            () = progress => {}
            _ = self.target.changed() => {}
        }
        false
    }

    /// Decides about records that Kafka refused: skipped and reported where errors are tolerated.
    pub(super) async fn judge_refused(&mut self) -> Result<()> {
        for (sequence, error) in self.shared.take_refused() {
            if !self.policy.tolerates() {
                return Err(error
                    .wrapped_in(exception::CONNECT, "Unrecoverable exception from producer send callback"));
            }
            let failure = Failure { stage: Stage::KafkaProduce, class: "lavka.Producer".into(), error };
            self.policy.failed(&failure, None).await?;
            self.shared.settle([sequence]);
        }
        Ok(())
    }

    async fn deliver(&mut self, mut batch: Vec<SourceRecord>) -> Result<()> {
        let fates = self.chain.apply(&mut batch, &mut self.policy).await;
        self.prepare(&batch, &fates).await?;
        for (mut item, fate) in batch.into_iter().zip(fates) {
            match fate {
                Fate::Live => {
                    if !self.send(&mut item).await? {
                        // Stopping: the rest was not sent and will be read again.
                        return Ok(());
                    }
                }
                Fate::Dropped => self.skip(&mut item),
                Fate::Failed(failure) => {
                    self.policy.failed(&failure, None).await?;
                    self.skip(&mut item);
                }
            }
        }
        Ok(())
    }

    async fn prepare(&mut self, batch: &[SourceRecord], fates: &[Fate]) -> Result<()> {
        let live: Vec<&Record> = batch
            .iter()
            .zip(fates)
            .filter(|(_, fate)| matches!(fate, Fate::Live))
            .map(|(item, _)| &item.record)
            .collect();
        let mut tries = Tries::default();
        while let Err(error) = self.encoder.prepare(&live).await {
            self.policy.try_again(&mut tries, error).await?;
        }
        Ok(())
    }

    /// A record that is not sent counts as delivered.
    fn skip(&mut self, item: &mut SourceRecord) {
        let sequence = self.shared.tracker().submit(item.position.take(), item.token, 0);
        self.shared.settle([sequence]);
    }

    /// Encodes and sends one record, waiting for room; false if the task is stopping instead.
    async fn send(&mut self, item: &mut SourceRecord) -> Result<bool> {
        while !self.room().await {
            if stopping(&self.target) {
                return Ok(false);
            }
            self.judge_refused().await?;
        }
        let encoded = match self.encoder.encode(&mut item.record) {
            Ok(encoded) => encoded,
            Err(failure) => {
                self.policy.failed(&failure, None).await?;
                self.skip(item);
                return Ok(true);
            }
        };
        let bytes = encoded.size();
        let sequence = self.shared.tracker().submit(item.position.take(), item.token, bytes);
        let refusal = loop {
            let outgoing = OutgoingRecord {
                topic: encoded.topic,
                partition: encoded.partition,
                key: encoded.key,
                value: encoded.value,
                timestamp: encoded.timestamp,
                headers: &encoded.headers,
                token: usize::try_from(sequence).unwrap_or(usize::MAX),
            };
            match self.shared.producer.send(outgoing) {
                Ok(()) => break None,
                Err(SendError::QueueFull) => {
                    let _ = tokio::time::timeout(QUEUE_FULL_WAIT, self.shared.progress.notified()).await;
                    if stopping(&self.target) {
                        return Ok(false);
                    }
                }
                Err(SendError::Refused(error)) => break Some(error),
                Err(SendError::Fatal(error)) => {
                    return Err(
                        error.wrapped_in(exception::CONNECT, "Unrecoverable exception trying to send")
                    );
                }
            }
        };
        if let Some(error) = refusal {
            self.refused(sequence, error).await?;
        }
        self.note_topic(&item.record.topic);
        Ok(true)
    }

    async fn refused(&mut self, sequence: u64, error: Error) -> Result<()> {
        if !self.policy.tolerates() {
            return Err(error.wrapped_in(exception::CONNECT, "Unrecoverable exception trying to send"));
        }
        let failure = Failure { stage: Stage::KafkaProduce, class: "lavka.Producer".into(), error };
        self.policy.failed(&failure, None).await?;
        self.shared.settle([sequence]);
        Ok(())
    }

    fn note_topic(&mut self, topic: &Topic) {
        if self.last_topic.as_ref() == Some(topic) {
            return;
        }
        self.last_topic = Some(topic.clone());
        if self.seen_topics.insert(topic.clone()) {
            self.observer.topic_used(&self.id, topic);
        }
    }
}

/// Told to stop, or nobody is left who could tell.
fn stopping(target: &watch::Receiver<Target>) -> bool {
    target.borrow().is_stopping() || target.has_changed().is_err()
}
