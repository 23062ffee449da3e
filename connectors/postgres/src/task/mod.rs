//! The task: connects, reads the snapshot, streams, and starts over when a connection is lost.
//!
//! A `poll` can be dropped at any await. What takes several steps (connecting, preparing) runs as a task of its own, whose
//! outcome is fetched; what arrives stays in queues until it is turned into records without a pause.

mod acks;
mod backoff;
mod channels;
mod context;
mod failing;
mod measuring;
mod planning;
mod reselect;
mod signals;
mod startup;
mod streaming;
mod upkeep;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::SourceRecord;
use lavka_api::plugin::{
    CACHED_BATCH, Counter, DeliveryListener, Gauge, Gauges, SourceTask, SourceTaskStart, Topics,
};
use lavka_api::{Error, ErrorClass, Result};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::acks::Acks;
use self::backoff::Backoff;
use self::context::Context;
use self::signals::Blocking;
use self::startup::{Started, Step};
pub(crate) use self::startup::{too_old, wal_level};
use self::streaming::Streaming;
use crate::config::Settings;
use crate::database::SLOT_IN_USE;
use crate::metrics::Metrics;
use crate::offset::Offset;
use crate::snapshot::SnapshotRun;

/// The task of the connector; there is one.
pub(crate) struct PostgresTask {
    settings: Option<Settings>,
    running: Option<Running>,
    /// Records that are handed out at once, at most.
    most: usize,
    metrics: Metrics,
    topics: Option<Arc<dyn Topics>>,
}

struct Running {
    context: Arc<Context>,
    acks: Arc<Acks>,
    phase: Phase,
    /// Behind what was handed out; where the next attempt goes on.
    offset: Option<Offset>,
    /// The snapshot of this run was read, or none is needed.
    past_snapshot: bool,
    backoff: Backoff,
    attempts: i32,
    slot_attempts: i32,
    out: Vec<SourceRecord>,
    /// What ends the task, once the records before it are handed out.
    failure: Option<Error>,
}

enum Phase {
    Starting(JoinHandle<Result<Started>>),
    Snapshot(Box<SnapshotRun>),
    Streaming(Box<Streaming>),
    /// The stream waits for a snapshot that a signal has asked for.
    Blocked(Box<Blocked>),
    /// A failure that may pass by itself.
    Waiting(Instant),
    /// The snapshot is read and nothing is to be streamed.
    Idle,
}

/// A stream that waits for a snapshot. What arrives meanwhile stays in its queue and, once that is full, with the server.
struct Blocked {
    streaming: Box<Streaming>,
    beginning: Option<JoinHandle<Result<SnapshotRun>>>,
    run: Option<SnapshotRun>,
}

impl Blocked {
    /// Makes records of rows that have come; whether there are no more. May be dropped while it waits.
    async fn fill(&mut self, out: &mut Vec<SourceRecord>) -> Result<bool> {
        if let Some(beginning) = &mut self.beginning {
            let begun = beginning.await;
            self.beginning = None;
            self.run = Some(begun.map_err(|error| Error::retriable(format!("it was cut off: {error}")))??);
        }
        let Some(run) = &mut self.run else { return Ok(true) };
        run.take(context::now_nanos, out).await?;
        Ok(run.is_done())
    }
}

impl PostgresTask {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Some(settings),
            running: None,
            most: CACHED_BATCH,
            metrics: Metrics::default(),
            topics: None,
        }
    }
}

#[async_trait]
impl SourceTask for PostgresTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let Some(settings) = self.settings.take() else {
            return Err(Error::fatal("the PostgreSQL task was started twice"));
        };
        let partition = Offset::partition(settings.server());
        let stored =
            start.offsets.offsets(std::slice::from_ref(&partition)).await?.into_iter().flatten().next();
        let acks = Arc::new(Acks::new(settings.flush_mode(), stored.as_ref()));
        let wait =
            Duration::from_millis(settings.run.retriable_restart_connector_wait_ms.max(1).unsigned_abs());
        let context = Arc::new(Context::new(
            settings,
            start.id,
            acks.confirmed(),
            self.most,
            self.metrics.clone(),
            self.topics.clone(),
        )?);
        let offset = stored.as_ref().map(Offset::from_map);
        let mut running = Running {
            phase: Phase::Waiting(Instant::now()),
            context,
            acks,
            offset,
            past_snapshot: false,
            backoff: Backoff::new(wait.min(Duration::from_millis(500)), wait),
            attempts: 0,
            slot_attempts: 0,
            out: Vec::new(),
            failure: None,
        };
        // What is wrong with the configuration fails the task here; what may pass by itself is left to `poll`.
        let first = running.spawn();
        running.phase = Phase::Starting(first);
        running.advance_start().await?;
        self.running = Some(running);
        Ok(())
    }

    fn batches_are_transactions(&mut self) {
        self.most = usize::MAX;
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        let Some(running) = &mut self.running else {
            return Err(Error::fatal("the PostgreSQL task was polled before it was started"));
        };
        running.poll().await
    }

    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        let running = self.running.as_ref()?;
        Some(Arc::clone(&running.acks) as Arc<dyn DeliveryListener>)
    }

    fn counters(&self) -> Vec<Counter> {
        self.metrics.list().counters
    }

    fn gauges(&self) -> Vec<Gauge> {
        self.metrics.list().gauges
    }

    fn gauges_by_label(&self) -> Vec<Gauges> {
        self.metrics.list().by_label
    }

    /// Of its MBeans' names Debezium has the kind of database and `topic.prefix`, which it calls the server.
    fn metric_labels(&self) -> Vec<(&'static str, String)> {
        let server = self.running.as_ref().map(|running| running.context.settings.server().to_owned());
        [("plugin", Some("postgres".to_owned())), ("name", server)]
            .into_iter()
            .filter_map(|(label, value)| Some((label, value?)))
            .collect()
    }

    fn take_topics(&mut self, topics: Arc<dyn Topics>) {
        self.topics = Some(topics);
    }

    async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        match running.phase {
            Phase::Streaming(mut streaming) => streaming.stop().await,
            Phase::Blocked(mut blocked) => {
                if let Some(beginning) = blocked.beginning.take() {
                    beginning.abort();
                }
                blocked.streaming.stop().await;
            }
            Phase::Starting(handle) => handle.abort(),
            Phase::Snapshot(_) | Phase::Waiting(_) | Phase::Idle => {}
        }
        if running.context.settings.replication.slot_drop_on_stop {
            running.context.drop_slot().await;
        }
    }
}

impl Running {
    fn spawn(&self) -> JoinHandle<Result<Started>> {
        let (context, offset) = (Arc::clone(&self.context), self.offset.clone());
        tokio::spawn(startup::run(context, offset, self.past_snapshot))
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        loop {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            let outcome = match &mut self.phase {
                Phase::Starting(_) => {
                    self.advance_start().await?;
                    continue;
                }
                Phase::Waiting(until) => {
                    let until = *until;
                    tokio::time::sleep_until(until).await;
                    self.phase = Phase::Starting(self.spawn());
                    continue;
                }
                Phase::Idle => {
                    tokio::time::sleep(self.context.poll_interval()).await;
                    return Ok(Vec::new());
                }
                Phase::Snapshot(run) => {
                    let outcome = run.take(context::now_nanos, &mut self.out).await;
                    self.offset = Some(run.offset().clone());
                    let done = run.is_done();
                    if done {
                        tracing::info!(task = %self.context.id, rows = run.rows(), "the snapshot is read");
                    }
                    if done && outcome.is_ok() {
                        self.past_snapshot = true;
                        self.phase = if self.context.settings.streams() {
                            Phase::Starting(self.spawn())
                        } else {
                            Phase::Idle
                        };
                    }
                    outcome
                }
                Phase::Streaming(streaming) => {
                    let outcome = streaming.fill(&self.context, &mut self.out).await;
                    self.offset = Some(streaming.offset().clone());
                    if outcome.is_ok() {
                        self.attempts = 0;
                        self.slot_attempts = 0;
                        if let Some(request) = streaming.take_blocking() {
                            self.block(request);
                        }
                    }
                    outcome
                }
                Phase::Blocked(blocked) => {
                    let outcome = blocked.fill(&mut self.out).await;
                    if let Err(error) = &outcome {
                        tracing::error!(task = %self.context.id, "a blocking snapshot is given up: {error}");
                        self.context.metrics.snapshot.end(false);
                    }
                    if !matches!(outcome, Ok(false)) {
                        self.unblock();
                    }
                    Ok(())
                }
            };
            // What was made before a failure is handed out first; what is final comes back with the next poll.
            if let Err(error) = outcome {
                self.failure = self.retry_or_fail(error).err();
            }
            let streaming = matches!(self.phase, Phase::Streaming(_)) && self.failure.is_none();
            if !self.out.is_empty() || streaming {
                // The next batch is likely to be as large.
                let next = Vec::with_capacity(self.out.len());
                let records = std::mem::replace(&mut self.out, next);
                self.acks.handed_out(&records);
                if let Phase::Streaming(streaming) = &mut self.phase {
                    streaming.handed_out(&self.acks);
                }
                return Ok(records);
            }
        }
    }

    /// Has the stream wait for the snapshot of `request`.
    fn block(&mut self, request: Blocking) {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Streaming(streaming) = phase else {
            self.phase = phase;
            return;
        };
        tracing::info!(task = %self.context.id, signal = request.id, "the stream waits for a snapshot");
        let (context, offset) = (Arc::clone(&self.context), streaming.offset().clone());
        let (types, passed) = (streaming.types().clone(), streaming.passed());
        let beginning = tokio::spawn(startup::blocking(context, request, types, passed, offset));
        self.phase = Phase::Blocked(Box::new(Blocked { streaming, beginning: Some(beginning), run: None }));
    }

    /// Goes on with the stream.
    fn unblock(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        self.phase = match phase {
            Phase::Blocked(blocked) => Phase::Streaming(blocked.streaming),
            other => other,
        };
    }

    /// Fetches the outcome of starting.
    async fn advance_start(&mut self) -> Result<()> {
        let Phase::Starting(handle) = &mut self.phase else { return Ok(()) };
        let started = match handle.await {
            Ok(started) => started,
            Err(error) => Err(Error::fatal(format!("starting was cut off: {error}"))),
        };
        match started {
            Ok(Started { offset, step }) => {
                self.offset = Some(offset);
                self.phase = match step {
                    Step::Snapshot(run) => Phase::Snapshot(run),
                    Step::Stream(streaming) => {
                        self.context.metrics.stream.connected.set(1.0);
                        if !self.past_snapshot {
                            self.context.metrics.snapshot.skip();
                        }
                        self.past_snapshot = true;
                        Phase::Streaming(streaming)
                    }
                    Step::Idle => Phase::Idle,
                };
                self.backoff.succeeded();
                Ok(())
            }
            Err(error) => self.retry_or_fail(error),
        }
    }

    /// Waits before another attempt, or gives up.
    fn retry_or_fail(&mut self, error: Error) -> Result<()> {
        self.context.metrics.stream.connected.set(0.0);
        if matches!(self.phase, Phase::Snapshot(_)) {
            self.context.metrics.snapshot.end(false);
        }
        let run = &self.context.settings.run;
        let replication = &self.context.settings.replication;
        if !error.is_retriable() {
            return Err(error);
        }
        let wait = if error.to_string().contains(SLOT_IN_USE) {
            self.slot_attempts += 1;
            if self.slot_attempts > replication.slot_max_retries {
                return Err(Error::fatal(format!(
                    "{error}. Another connector uses this slot: give each its own slot.name; or end the session that is left \
                     (SELECT pg_terminate_backend(PID)). slot.max.retries={} attempts were made.",
                    replication.slot_max_retries
                )));
            }
            Duration::from_millis(replication.slot_retry_delay_ms.max(0).unsigned_abs())
        } else {
            self.attempts = self.attempts.saturating_add(1);
            if run.errors_max_retries >= 0 && self.attempts > run.errors_max_retries {
                return Err(error.with_class(ErrorClass::Fatal));
            }
            self.backoff.next(context::random())
        };
        tracing::warn!(task = %self.context.id, "{error}; starting over in {wait:?}");
        self.phase = Phase::Waiting(Instant::now() + wait);
        Ok(())
    }
}
