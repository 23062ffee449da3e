//! The sink loop.
//!
//! One async task; the consumer is polled by its own thread whatever happens here. A batch whose `put` failed with a
//! retriable error is kept and put again; meanwhile the consumer is asked for group events alone, so a rebalance is
//! still answered and nothing is read ahead of the sink.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::Result;
use lavka_api::plugin::{SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_ports::{Consumer, ConsumerEvent, Subscription};
use lavka_telemetry::metrics::SinkTaskMetrics;
use tokio::sync::watch;
use tokio::time::Instant;

use super::batch::Pending;
use super::decode::Decoder;
use super::progress::Progress;
use super::topics::TopicSelection;
use crate::active_topics::ActiveTopics;
use crate::chain::Chain;
use crate::errors::{ErrorPolicy, now_ms};
use crate::task::{Target, TaskHandle, TaskObserver, TaskState, may_start};

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
    let (id, target, observer) = (spec.id.clone(), spec.target.clone(), Arc::clone(&spec.observer));
    let mut receiver = target.subscribe();
    TaskHandle::spawn(id, target, observer, async move {
        // The handle has the only sender: without it the task ends.
        drop(spec.target);
        if !may_start(&spec.id, &mut receiver, &*spec.observer).await {
            spec.consumer.close().await;
            return Ok(());
        }
        let started = Instant::now();
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
            progress: Progress::new(0, millis(spec.commit_interval)),
            commits: 0,
            pending: None,
            last_put: started,
            subscribed: None,
            refresh_at: started,
            announced: None,
            active_topics: ActiveTopics::new(started),
        };
        let outcome = runner.run().await;
        runner.end(outcome).await
    })
}

/// How often `put` is called without records, so that a sink can act on time.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Runner {
    pub(super) id: TaskId,
    pub(super) task: Box<dyn SinkTask>,
    pub(super) chain: Chain,
    pub(super) decoder: Decoder,
    pub(super) policy: ErrorPolicy,
    pub(super) consumer: Box<dyn Consumer>,
    topics: TopicSelection,
    topics_refresh: Duration,
    max_batch: usize,
    pub(super) metrics: Arc<SinkTaskMetrics>,
    pub(super) observer: Arc<dyn TaskObserver>,
    target: watch::Receiver<Target>,
    started: Instant,
    pub(super) progress: Progress,
    pub(super) commits: u64,
    pub(super) pending: Option<Pending>,
    pub(super) last_put: Instant,
    subscribed: Option<Subscription>,
    refresh_at: Instant,
    announced: Option<Target>,
    pub(super) active_topics: ActiveTopics,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Runner {
    async fn run(&mut self) -> Result<()> {
        self.task.start(SinkTaskStart { id: self.id.clone() }).await?;
        for counter in self.task.counters() {
            self.metrics.counter(counter.name(), move || counter.value());
        }
        for gauge in self.task.gauges() {
            self.metrics.gauge(gauge.name(), move || gauge.value());
        }
        self.last_put = Instant::now();
        loop {
            let now = *self.target.borrow_and_update();
            self.announce(now);
            if now.is_stopping() {
                return Ok(());
            }
            self.refresh_subscription().await?;
            if self.pending.as_ref().is_some_and(|pending| pending.due <= Instant::now()) {
                self.put_pending().await?;
            }
            if self.progress.commit_in(self.clock()) == 0 {
                self.commit(None).await?;
                self.progress.schedule_next(self.clock());
            }
            let taking = now == Target::Running && self.pending.is_none();
            let (records, wait) = (if taking { self.max_batch } else { 0 }, self.wait());
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
                    self.take(records).await;
                    self.put_pending().await?;
                }
                ConsumerEvent::Assigned(partitions) => self.assigned(&partitions).await?,
                ConsumerEvent::Revoked { partitions, lost, done } => {
                    let outcome = self.revoked(&partitions, lost).await;
                    drop(done);
                    outcome?;
                }
                ConsumerEvent::Idle => {
                    if self.pending.is_none() && self.last_put.elapsed() >= TICK {
                        self.put_nothing().await?;
                    }
                }
            }
        }
    }

    /// Milliseconds since the loop began.
    pub(super) fn clock(&self) -> u64 {
        millis(self.started.elapsed())
    }

    /// How long nothing is due: a commit, and the next try of the waiting batch or else a `put` without records.
    fn wait(&self) -> Duration {
        let commit = Duration::from_millis(self.progress.commit_in(self.clock()));
        let put = match &self.pending {
            Some(pending) => pending.due.saturating_duration_since(Instant::now()).min(TICK),
            None => TICK.saturating_sub(self.last_put.elapsed()),
        };
        commit.min(put).max(Duration::from_millis(1))
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

    /// A context for a call of the task now.
    pub(super) fn context(&self) -> SinkContext {
        SinkContext { takes_errant_records: self.policy.takes_errant_records(), ..SinkContext::at(now_ms()) }
    }
}
