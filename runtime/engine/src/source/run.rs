//! The source loop: three activities over one set of books.
//!
//! The *pump* polls, transforms, encodes and sends; the *collector* takes acknowledgements and tells the source; the
//! *committer* writes settled offsets. They run side by side in one async task, so a `poll` that waits for
//! acknowledgements (a full MQTT window) never stands in their way.
//!
//! With exactly-once delivery there is no committer: the pump ends its transactions itself, with the offsets in them.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::error::exception;
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
use super::transaction::{Boundary, ExactlyOnce, Transactions};
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
    /// Its producer, and where its offsets are kept.
    pub delivery: Delivery,
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

/// What is promised of records.
pub enum Delivery {
    /// None is lost; after the process died some may come again.
    AtLeastOnce {
        /// The task's producer, used by nobody else.
        producer: Arc<dyn Producer>,
        /// Where its offsets are kept.
        offsets: Arc<dyn OffsetStore>,
    },
    /// Readers of committed records see each record once.
    ExactlyOnce(ExactlyOnce),
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
    let SourceTaskSpec { id, mut task, observer, delivery, metrics, .. } = spec;
    drop(spec.target);
    if !may_start(&id, &mut target, &*observer).await {
        return Ok(());
    }
    let (producer, reader) = match &delivery {
        Delivery::AtLeastOnce { producer, offsets } => (Arc::clone(producer), offsets.reader(&id.connector)),
        Delivery::ExactlyOnce(once) => {
            let reader = tokio::select! {
                biased;
                () = told_to_stop(target.clone()) => return Ok(()),
                reader = once.take_over(&id) => reader?,
            };
            match &once.boundary {
                Boundary::Connector(context) => task.define_transactions(context.clone()),
                Boundary::Poll => task.batches_are_transactions(),
                Boundary::Interval(_) => {}
            }
            (Arc::clone(&once.producer) as Arc<dyn Producer>, reader)
        }
    };
    if let Err(error) = task.start(SourceTaskStart { id: id.clone(), offsets: reader }).await {
        task.stop().await;
        return Err(error);
    }
    for counter in task.counters() {
        metrics.counter(counter.name(), move || counter.value());
    }
    for gauge in task.gauges() {
        metrics.gauge(gauge.name(), move || gauge.value());
    }
    for gauges in task.gauges_by_label() {
        metrics.gauges(gauges.name(), gauges.label(), move || gauges.values());
    }
    metrics.labels(task.metric_labels());
    let listener = task.delivery_listener();
    let (books, transactions, offsets) = match delivery {
        Delivery::AtLeastOnce { offsets, .. } => {
            (Arc::new(Books::new(producer, listener, metrics)), None, Some(offsets))
        }
        Delivery::ExactlyOnce(once) => {
            // That Kafka has a record says nothing before its transaction has ended.
            let books = Arc::new(Books::new(producer, None, metrics));
            let transactions = Transactions::new(id.clone(), once, Arc::clone(&books), listener);
            (books, Some(transactions), None)
        }
    };
    let pump = Pump {
        task,
        chain: spec.chain,
        encoder: spec.encoder,
        policy: spec.policy,
        dead_letters: spec.dead_letters,
        topic_creation: spec.topic_creation,
        books: Arc::clone(&books),
        transactions,
        skipped: Vec::new(),
    };
    let run = Run { id, observer, books, window: spec.in_flight, patience: spec.flush_timeout };
    match offsets {
        Some(offsets) => run.at_least_once(pump, offsets, spec.flush_interval, target).await,
        None => run.exactly_once(pump, target).await,
    }
}

/// Returns when the task is to stop, or nobody is left who could tell.
pub(super) async fn told_to_stop(mut target: watch::Receiver<Target>) {
    let _ = target.wait_for(|target| target.is_stopping()).await;
}

/// What both ways of running a started task go by.
struct Run {
    id: TaskId,
    observer: Arc<dyn TaskObserver>,
    books: Arc<Books>,
    window: Buffer,
    patience: Duration,
}

impl Run {
    async fn at_least_once(
        self,
        mut pump: Pump,
        offsets: Arc<dyn OffsetStore>,
        interval: Duration,
        target: watch::Receiver<Target>,
    ) -> Result<()> {
        let Self { id, observer, books, window, patience } = self;
        let committer = Committer { connector: id.connector.clone(), offsets, books: Arc::clone(&books) };
        let ended = Notify::new();
        let mut committing = std::pin::pin!(committer.run(interval, &ended));
        let outcome = tokio::select! {
            outcome = pump.run(&id, &*observer, window, target) => outcome,
            never = books.collect() => match never {},
            () = &mut committing => Ok(()),
        };
        // Whatever ended the pump: what Kafka still acknowledges within the time given is committed.
        ended.notify_one();
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
        committed.unwrap_or_else(|_| Err(too_late(patience)))
    }

    async fn exactly_once(self, mut pump: Pump, target: watch::Receiver<Target>) -> Result<()> {
        let Self { id, observer, books, window, patience } = self;
        let outcome = tokio::select! {
            outcome = pump.run(&id, &*observer, window, target) => outcome,
            never = books.collect() => match never {},
        };
        let failed = outcome.is_err();
        let ended = tokio::select! {
            ended = timeout(patience, pump.end_transactions(failed)) => ended,
            never = books.collect() => match never {},
        };
        pump.stop().await;
        match (outcome, ended) {
            // A producer that cannot even abort knows best why it failed: another one has its id.
            (Err(error), Ok(Err(cause))) if !cause.is_retriable() => {
                Err(cause.wrapped_in(exception::CONNECT, error.message().unwrap_or_default()))
            }
            (Err(error), _) => Err(error),
            // What was not committed in time is not lost: the next start reads it from the source again.
            (Ok(()), ended) => ended.unwrap_or_else(|_| Err(too_late(patience))),
        }
    }
}

fn too_late(patience: Duration) -> Error {
    Error::retriable(format!(
        "Source offsets could not be committed within offset.flush.timeout.ms ({} ms)",
        patience.as_millis()
    ))
}
