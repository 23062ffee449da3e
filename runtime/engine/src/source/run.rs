//! The source loop: three activities over one set of books.
//!
//! The *pump* polls, transforms, encodes and sends; the *collector* takes acknowledgements and tells the source; the
//! *committer* writes settled offsets. They run side by side in one async task, so a `poll` that waits for
//! acknowledgements (a full MQTT window) never stands in their way.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::{SourceTask, SourceTaskStart, TaskId};
use lavka_api::{Error, Result};
use lavka_ports::{Buffer, Producer};
use lavka_telemetry::metrics::SourceTaskMetrics;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::books::Books;
use super::commit::Committer;
use super::dead_letter::SourceDeadLetters;
use super::encode::Encoder;
use super::new_topics::TopicCreation;
use super::pump::Pump;
use super::store::OffsetStore;
use crate::chain::Chain;
use crate::errors::ErrorPolicy;
use crate::task::{Target, TaskHandle, TaskObserver, may_start};

/// Everything a source task runs on.
pub struct SourceTaskSpec {
    /// Which task it is.
    pub id: TaskId,
    /// The task, configured and not started.
    pub task: Box<dyn SourceTask>,
    /// Its transforms.
    pub chain: Chain,
    /// Its converters.
    pub encoder: Encoder,
    /// What to do about errors. Made with a receiving end of `target`.
    pub policy: ErrorPolicy,
    /// Where records go that fail in a transform or converter and are tolerated; `None` to skip them.
    pub dead_letters: Option<SourceDeadLetters>,
    /// What creates the topics that it is the first to use; `None` to leave that to the broker.
    pub topic_creation: Option<TopicCreation>,
    /// Its producer, used by nobody else.
    pub producer: Arc<dyn Producer>,
    /// Where its offsets are kept.
    pub offsets: Arc<dyn OffsetStore>,
    /// `offset.flush.interval.ms`.
    pub flush_interval: Duration,
    /// `offset.flush.timeout.ms`: how long the last records in flight are waited for when the task stops, and how long
    /// the last commit may take.
    pub flush_timeout: Duration,
    /// Bounds of what is in flight.
    pub in_flight: Buffer,
    /// Counters.
    pub metrics: Arc<SourceTaskMetrics>,
    /// Who hears of the task's life.
    pub observer: Arc<dyn TaskObserver>,
    /// Holds what the task should do, with its first value set.
    pub target: watch::Sender<Target>,
}

/// Starts the loop of a source task.
#[must_use]
pub fn spawn_source(spec: SourceTaskSpec) -> TaskHandle {
    let SourceTaskSpec { id, target, .. } = &spec;
    // The handle has the only sender: without it the task ends.
    let (id, receiver, observer) = (id.clone(), target.subscribe(), Arc::clone(&spec.observer));
    let target = target.clone();
    TaskHandle::spawn(id, target, observer, run(spec, receiver))
}

async fn run(spec: SourceTaskSpec, mut target: watch::Receiver<Target>) -> Result<()> {
    let SourceTaskSpec { id, mut task, observer, offsets, .. } = spec;
    drop(spec.target);
    if !may_start(&id, &mut target, &*observer).await {
        return Ok(());
    }
    let reader = offsets.reader(&id.connector);
    if let Err(error) = task.start(SourceTaskStart { id: id.clone(), offsets: reader }).await {
        task.stop().await;
        return Err(error);
    }
    for counter in task.counters() {
        spec.metrics.counter(counter.name(), move || counter.value());
    }
    for gauge in task.gauges() {
        spec.metrics.gauge(gauge.name(), move || gauge.value());
    }
    let books = Arc::new(Books::new(spec.producer, task.delivery_listener(), spec.metrics));
    let committer = Committer { connector: id.connector.clone(), offsets, books: Arc::clone(&books) };
    let mut pump = Pump {
        task,
        chain: spec.chain,
        encoder: spec.encoder,
        policy: spec.policy,
        dead_letters: spec.dead_letters,
        topic_creation: spec.topic_creation,
        books: Arc::clone(&books),
        skipped: Vec::new(),
    };
    let ended = Notify::new();
    let mut committing = std::pin::pin!(committer.run(spec.flush_interval, &ended));
    let outcome = tokio::select! {
        outcome = pump.run(&id, &*observer, spec.in_flight, target) => outcome,
        never = books.collect() => match never {},
        () = &mut committing => Ok(()),
    };
    // Whatever ended the pump: what Kafka still acknowledges within the time given is committed.
    ended.notify_one();
    let patience = spec.flush_timeout;
    let (answered, idle) =
        tokio::join!(timeout(patience, books.collect_rest()), timeout(patience, &mut committing));
    let judged = pump.judge_refused().await;
    if answered.is_err() {
        tracing::warn!(
            task = %id,
            "{} records were not acknowledged within {} ms; they will be read from the source again",
            books.in_flight(),
            patience.as_millis()
        );
    }
    let committed = match idle {
        Ok(()) => timeout(patience, committer.commit()).await,
        Err(late) => Err(late),
    };
    pump.stop().await;
    outcome.and(judged)?;
    committed.unwrap_or_else(|_| {
        Err(Error::retriable(format!(
            "Source offsets could not be committed within offset.flush.timeout.ms ({} ms)",
            patience.as_millis()
        )))
    })
}
