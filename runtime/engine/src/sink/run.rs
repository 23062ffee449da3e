//! The sink loop.
//!
//! One async task; the consumer is polled by its own thread whatever happens here. A batch whose `put` failed with a
//! retriable error is kept and put again; meanwhile the consumer is asked for group events alone, so a rebalance is
//! still answered and nothing is read ahead of the sink.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::data::{SinkRecord, Topic, TopicPartition};
use lavka_api::error::exception;
use lavka_api::plugin::{SinkBatch, SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_api::{Error, Result};
use lavka_ports::{ConsumedRecord, Consumer, ConsumerEvent, Subscription};
use lavka_telemetry::metrics::SinkTaskMetrics;
use tokio::sync::watch;

use super::decode::{Decoder, original};
use super::progress::Progress;
use super::topics::TopicSelection;
use crate::chain::{Chain, Fate};
use crate::errors::{Backoff, ErrorPolicy, Failure, Stage, Tries, now_ms};
use crate::task::{Target, TaskHandle, TaskObserver, TaskState};

/// Everything a sink task runs on.
pub struct SinkTaskSpec {
    /// Which task it is.
    pub id: TaskId,
    /// The task, configured and not started.
    pub task: Box<dyn SinkTask>,
    /// Its transforms.
    pub chain: Chain,
    /// Its converters.
    pub decoder: Decoder,
    /// What to do about errors. Made with a receiving end of `target`.
    pub policy: ErrorPolicy,
    /// Its member of the consumer group, not yet subscribed.
    pub consumer: Box<dyn Consumer>,
    /// What to read.
    pub topics: TopicSelection,
    /// How often a pattern is matched against the cluster's topics anew.
    pub topics_refresh: Duration,
    /// `offset.flush.interval.ms`.
    pub commit_interval: Duration,
    /// `max.poll.records`: records per `put` at most.
    pub max_batch: usize,
    /// Counters.
    pub metrics: Arc<SinkTaskMetrics>,
    /// Who hears of the task's life.
    pub observer: Arc<dyn TaskObserver>,
    /// Holds what the task should do, with its first value set.
    pub target: watch::Sender<Target>,
}

/// Starts the loop of a sink task.
#[must_use]
pub fn spawn_sink(spec: SinkTaskSpec) -> TaskHandle {
    let receiver = spec.target.subscribe();
    let (id, target, observer) = (spec.id.clone(), spec.target.clone(), Arc::clone(&spec.observer));
    TaskHandle::spawn(id, target, observer, async move {
        let started = Instant::now();
        let progress = Progress::new(0, millis(spec.commit_interval));
        let mut runner = Runner {
            id: spec.id,
            task: spec.task,
            chain: spec.chain,
            decoder: spec.decoder,
            policy: spec.policy,
            consumer: spec.consumer,
            topics: spec.topics,
            topics_refresh: spec.topics_refresh,
            max_batch: spec.max_batch.max(1),
            metrics: spec.metrics,
            observer: spec.observer,
            target: receiver,
            started,
            progress,
            pending: None,
            subscribed: None,
            refresh_at: started,
            announced: None,
            seen_topics: HashSet::new(),
            last_topic: None,
        };
        let outcome = runner.run().await;
        runner.end(outcome).await
    })
}

/// How often `put` is called without records, so that a sink can act on time.
const TICK: Duration = Duration::from_secs(1);

/// Waits between tries of a batch where the sink names none; there is no deadline (Connect tries for ever too).
const PUT_BACKOFF: Backoff = Backoff { timeout_ms: None, max_delay_ms: 60_000 };

/// A batch on its way into the sink.
struct Pending {
    batch: SinkBatch,
    /// What was consumed, also records that are not in the batch.
    consumed: Vec<ConsumedRecord>,
    /// For each record of the batch its place in `consumed`.
    places: Vec<usize>,
    /// Fails the task once the batch is in.
    then_fail: Option<Error>,
    failures: u32,
    due: Instant,
}

struct Runner {
    id: TaskId,
    task: Box<dyn SinkTask>,
    chain: Chain,
    decoder: Decoder,
    policy: ErrorPolicy,
    consumer: Box<dyn Consumer>,
    topics: TopicSelection,
    topics_refresh: Duration,
    max_batch: usize,
    metrics: Arc<SinkTaskMetrics>,
    observer: Arc<dyn TaskObserver>,
    target: watch::Receiver<Target>,
    started: Instant,
    progress: Progress,
    pending: Option<Pending>,
    subscribed: Option<Subscription>,
    refresh_at: Instant,
    announced: Option<Target>,
    seen_topics: HashSet<Topic>,
    last_topic: Option<Topic>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Runner {
    async fn run(&mut self) -> Result<()> {
        self.task.start(SinkTaskStart { id: self.id.clone() }).await?;
        let mut last_put = Instant::now();
        loop {
            let now = *self.target.borrow_and_update();
            self.announce(now);
            if now.is_stopping() {
                return Ok(());
            }
            self.refresh_subscription().await?;
            if self.pending.as_ref().is_some_and(|pending| pending.due <= Instant::now()) {
                self.put_pending().await?;
                last_put = Instant::now();
            }
            if self.progress.commit_in(self.clock()) == 0 {
                self.commit(None).await?;
                self.progress.schedule_next(self.clock());
            }
            let taking = now == Target::Running && self.pending.is_none();
            let (records, wait) = (if taking { self.max_batch } else { 0 }, self.wait(last_put));
            let event = tokio::select! {
                biased;
                changed = self.target.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
                event = self.consumer.next(records, wait) => event?,
            };
            match event {
                ConsumerEvent::Records(records) => {
                    self.take(records).await?;
                    self.put_pending().await?;
                    last_put = Instant::now();
                }
                ConsumerEvent::Assigned(partitions) => self.assigned(&partitions).await?,
                ConsumerEvent::Revoked { partitions, lost, done } => {
                    let outcome = self.revoked(&partitions, lost).await;
                    drop(done);
                    outcome?;
                }
                ConsumerEvent::Idle => {
                    if taking && last_put.elapsed() >= TICK {
                        self.put_nothing().await?;
                        last_put = Instant::now();
                    }
                }
            }
        }
    }

    /// Milliseconds since the loop began.
    fn clock(&self) -> u64 {
        millis(self.started.elapsed())
    }

    fn wait(&self, last_put: Instant) -> Duration {
        let commit = Duration::from_millis(self.progress.commit_in(self.clock()));
        let tick = TICK.saturating_sub(last_put.elapsed());
        let again = self.pending.as_ref().map_or(TICK, |p| p.due.saturating_duration_since(Instant::now()));
        commit.min(tick).min(again).max(Duration::from_millis(1))
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

    async fn refresh_subscription(&mut self) -> Result<()> {
        if self.subscribed.is_some() && (!self.topics.is_pattern() || Instant::now() < self.refresh_at) {
            return Ok(());
        }
        self.refresh_at = Instant::now() + self.topics_refresh;
        let known = if self.topics.is_pattern() {
            match self.consumer.topics().await {
                Ok(topics) => topics,
                Err(error) if error.is_retriable() => {
                    tracing::warn!(task = %self.id, "topics cannot be listed now for topics.regex: {error}");
                    self.refresh_at = Instant::now() + TICK;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        } else {
            Vec::new()
        };
        let wanted = self.topics.subscription(&known);
        if self.subscribed.as_ref() != Some(&wanted) {
            self.consumer.subscribe(&wanted).await?;
            self.subscribed = Some(wanted);
        }
        Ok(())
    }

    fn context(&self) -> SinkContext {
        SinkContext { takes_errant_records: self.policy.takes_errant_records(), ..SinkContext::at(now_ms()) }
    }

    /// Decodes and transforms what was consumed; what becomes of it is in `pending`.
    async fn take(&mut self, consumed: Vec<ConsumedRecord>) -> Result<()> {
        self.metrics.read(consumed.len());
        let mut tries = Tries::default();
        while let Err(error) = self.decoder.prepare(&consumed).await {
            self.policy.try_again(&mut tries, error).await?;
        }
        let mut items: Vec<SinkRecord> = Vec::with_capacity(consumed.len());
        let mut undecoded: Vec<Option<Failure>> = Vec::with_capacity(consumed.len());
        for record in &consumed {
            undecoded.push(match self.decoder.decode(record) {
                Ok(item) => {
                    items.push(item);
                    None
                }
                Err(failure) => Some(failure),
            });
        }
        let fates = self.chain.apply(&mut items, &mut self.policy).await;
        let mut decoded = items.into_iter().zip(fates);
        let mut batch = Vec::with_capacity(consumed.len());
        let mut places = Vec::with_capacity(consumed.len());
        let mut then_fail = None;
        let mut end = consumed.len();
        for (place, failure) in undecoded.into_iter().enumerate() {
            let failure = match failure {
                Some(failure) => failure,
                None => match decoded.next() {
                    Some((item, Fate::Live)) => {
                        batch.push(item);
                        places.push(place);
                        continue;
                    }
                    Some((_, Fate::Failed(failure))) => failure,
                    Some((_, Fate::Dropped)) | None => continue,
                },
            };
            let place_original = consumed.get(place).map(original);
            if let Err(error) = self.policy.failed(&failure, place_original.as_ref()).await {
                then_fail = Some(error);
                end = place;
                break;
            }
        }
        let mut consumed = consumed;
        consumed.truncate(end);
        self.pending = Some(Pending {
            batch: batch.into(),
            consumed,
            places,
            then_fail,
            failures: 0,
            due: Instant::now(),
        });
        Ok(())
    }

    async fn put_pending(&mut self) -> Result<()> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        let mut context = self.context();
        let began = Instant::now();
        match self.task.put(Arc::clone(&pending.batch), &mut context).await {
            Ok(()) => {}
            Err(error) if error.is_retriable() => {
                pending.failures += 1;
                let wait =
                    context.retry_after_ms.unwrap_or_else(|| PUT_BACKOFF.delay_ms(pending.failures, 0, 1.0));
                tracing::warn!(task = %self.id, "the sink could not take a batch, next try in {wait} ms: {error}");
                pending.due = Instant::now() + Duration::from_millis(wait);
                self.pending = Some(pending);
                return self.obey(context).await;
            }
            Err(error) => {
                return Err(error.wrapped_in(
                    exception::CONNECT,
                    "Exiting WorkerSinkTask due to unrecoverable exception.",
                ));
            }
        }
        self.metrics.sent(pending.batch.len(), began.elapsed());
        for errant in std::mem::take(&mut context.errant) {
            let failure = Failure {
                stage: Stage::TaskPut,
                class: "org.apache.kafka.connect.sink.SinkTask".into(),
                error: errant.error,
            };
            let consumed = pending.places.get(errant.index).and_then(|&place| pending.consumed.get(place));
            self.policy.failed(&failure, consumed.map(original).as_ref()).await?;
        }
        for record in &pending.consumed {
            self.note(record);
        }
        self.obey(context).await?;
        match pending.then_fail {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn put_nothing(&mut self) -> Result<()> {
        let mut context = self.context();
        match self.task.put(SinkBatch::from([]), &mut context).await {
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.id, "the sink could not do its housekeeping and will try again: {error}");
            }
            other => other?,
        }
        self.obey(context).await
    }

    fn note(&mut self, record: &ConsumedRecord) {
        let partition = TopicPartition::new(record.topic.clone(), record.partition);
        self.progress.advance(&partition, record.offset.saturating_add(1));
        if self.last_topic.as_ref() != Some(&record.topic) {
            self.last_topic = Some(record.topic.clone());
            if self.seen_topics.insert(record.topic.clone()) {
                self.observer.topic_used(&self.id, &record.topic);
            }
        }
    }

    /// Does what the task asked for in a call.
    async fn obey(&mut self, context: SinkContext) -> Result<()> {
        for (partition, offset) in &context.rewind {
            tracing::info!(task = %self.id, "{partition} goes on at offset {offset} as the sink asked");
            self.consumer.seek(partition, *offset).await?;
            self.progress.advance(partition, *offset);
        }
        if !context.pause.is_empty() {
            self.consumer.pause(&context.pause).await?;
        }
        if !context.resume.is_empty() {
            self.consumer.resume(&context.resume).await?;
        }
        if context.request_commit {
            self.progress.request_commit();
        }
        Ok(())
    }

    async fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        tracing::info!(task = %self.id, "assigned {}", listed(partitions));
        self.progress.assign(partitions);
        self.metrics.partitions(self.progress.assigned().len());
        let mut context = self.context();
        self.task.open(partitions, &mut context).await?;
        self.obey(context).await
    }

    async fn revoked(&mut self, partitions: &[TopicPartition], lost: bool) -> Result<()> {
        tracing::info!(task = %self.id, "{} {}", if lost { "lost" } else { "handing back" }, listed(partitions));
        if !lost {
            self.commit(Some(partitions)).await?;
        }
        let mut context = self.context();
        self.task.close(partitions, &mut context).await?;
        self.progress.revoke(partitions);
        self.metrics.partitions(self.progress.assigned().len());
        // Their next owner reads again what was not committed.
        if let Some(pending) = self.pending.take() {
            self.pending = pending.without(partitions);
        }
        context.rewind.retain(|partition, _| !partitions.contains(partition));
        self.obey(context).await
    }

    /// Asks the task what is durable and commits it. A commit that fails is tried again at the next interval: the
    /// offsets are only ever late.
    async fn commit(&mut self, only: Option<&[TopicPartition]>) -> Result<()> {
        self.policy.settle().await?;
        if self.progress.seen().is_empty() {
            return Ok(());
        }
        let mut context = self.context();
        let durable = match self.task.pre_commit(self.progress.seen(), &mut context).await {
            Ok(durable) => durable,
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.id, "the sink cannot say now what is durable: {error}");
                return self.obey(context).await;
            }
            Err(error) => return Err(error),
        };
        let offsets = self.progress.committable(&durable, only);
        if !offsets.is_empty() {
            match self.consumer.commit(&offsets).await {
                Ok(()) => {
                    self.metrics.committed();
                    self.progress.note_committed(&offsets);
                }
                Err(error) => tracing::warn!(task = %self.id, "offsets were not committed: {error}"),
            }
        }
        context.request_commit = false;
        self.obey(context).await
    }

    /// Commits, closes and stops, whatever way the loop ended; its error comes first.
    async fn end(mut self, outcome: Result<()>) -> Result<()> {
        let partitions = self.progress.assigned();
        let committed = self.commit(None).await;
        let mut context = self.context();
        let closed =
            if partitions.is_empty() { Ok(()) } else { self.task.close(&partitions, &mut context).await };
        self.task.stop().await;
        self.consumer.close().await;
        outcome.and(committed).and(closed)
    }
}

impl Pending {
    /// What is left without the records of `partitions`.
    fn without(self, partitions: &[TopicPartition]) -> Option<Self> {
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

fn listed(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
