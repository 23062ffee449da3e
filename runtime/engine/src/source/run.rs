//! The source loop: three activities over one tracker.
//!
//! The *pump* polls, transforms, encodes and sends; the *collector* takes acknowledgements and tells the source; the
//! *committer* writes settled offsets. They run side by side in one async task, so a `poll` that waits for
//! acknowledgements (a full MQTT window) never stands in their way. The tracker's lock is held for a few instructions
//! and never across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lavka_api::plugin::{DeliveryListener, SourceTask, SourceTaskStart, TaskId};
use lavka_api::{Error, Result};
use lavka_ports::{Ack, Buffer, Producer};
use lavka_telemetry::metrics::SourceTaskMetrics;
use tokio::sync::{Notify, watch};

use super::encode::Encoder;
use super::pump::Pump;
use super::store::OffsetStore;
use super::tracker::Tracker;
use crate::chain::Chain;
use crate::errors::ErrorPolicy;
use crate::task::{Target, TaskHandle, TaskObserver};

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
    let receiver = spec.target.subscribe();
    let (id, target, observer) = (spec.id.clone(), spec.target.clone(), Arc::clone(&spec.observer));
    TaskHandle::spawn(id, target, observer, run(spec, receiver))
}

/// What the three activities share.
pub(super) struct Shared {
    tracker: Mutex<Tracker>,
    /// Records that Kafka refused, by sequence number: for the pump to decide on, since policy belongs to one place.
    refused: Mutex<Vec<(u64, Error)>>,
    /// Wakes the pump: room in the window, or a refused record.
    pub(super) progress: Notify,
    pub(super) producer: Arc<dyn Producer>,
    listener: Option<Arc<dyn DeliveryListener>>,
    pub(super) metrics: Arc<SourceTaskMetrics>,
}

impl Shared {
    pub(super) fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, Vec<(u64, Error)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the records that Kafka refused since the last call.
    pub(super) fn take_refused(&self) -> Vec<(u64, Error)> {
        std::mem::take(&mut *self.refused())
    }

    /// These records need nothing more.
    pub(super) fn settle(&self, sequences: impl IntoIterator<Item = u64>) {
        let mut tokens = Vec::new();
        let in_flight = {
            let mut tracker = self.tracker();
            tokens.extend(sequences.into_iter().filter_map(|sequence| Some(tracker.settle(sequence)?.token)));
            tracker.in_flight()
        };
        self.metrics.active(in_flight);
        if !tokens.is_empty()
            && let Some(listener) = &self.listener
        {
            listener.delivered(&tokens);
        }
        self.progress.notify_waiters();
    }

    fn acknowledge(&self, acks: &mut Vec<Ack>) {
        let mut delivered = Vec::with_capacity(acks.len());
        let mut failed = Vec::new();
        for ack in acks.drain(..) {
            match ack.outcome {
                Ok(_) => delivered.push(ack.token as u64),
                Err(error) => failed.push((ack.token as u64, error)),
            }
        }
        self.metrics.written(delivered.len());
        // Before the wake-up in `settle`, so that the pump finds them.
        self.refused().append(&mut failed);
        self.settle(delivered);
    }

    /// Returns when Kafka has answered for every record.
    async fn answered(&self) {
        loop {
            let mut progress = std::pin::pin!(self.progress.notified());
            progress.as_mut().enable();
            if self.tracker().in_flight() <= self.refused().len() {
                return;
            }
            progress.await;
        }
    }
}

/// What a loop without end returns.
enum Never {}

async fn collect(shared: &Shared) -> Never {
    let mut acks = Vec::new();
    loop {
        shared.producer.acks(&mut acks).await;
        shared.acknowledge(&mut acks);
    }
}

struct Committer {
    connector: String,
    offsets: Arc<dyn OffsetStore>,
    shared: Arc<Shared>,
}

impl Committer {
    async fn run(&self, interval: Duration) -> Never {
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.commit().await {
                tracing::warn!(
                    connector = %self.connector,
                    "source offsets were not committed and will be at the next interval: {error}"
                );
            }
        }
    }

    async fn commit(&self) -> Result<()> {
        let offsets = self.shared.tracker().take_committable();
        if offsets.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> =
            offsets.iter().map(|(map, offset)| (map.clone(), Some(offset.clone()))).collect();
        if let Err(error) = self.offsets.write(&self.connector, &entries).await {
            self.shared.tracker().give_back(offsets);
            return Err(error);
        }
        if let Some(listener) = &self.shared.listener {
            listener.committed(&offsets);
        }
        Ok(())
    }
}

async fn run(spec: SourceTaskSpec, target: watch::Receiver<Target>) -> Result<()> {
    let SourceTaskSpec { id, mut task, chain, encoder, policy, producer, offsets, metrics, observer, .. } =
        spec;
    let reader = offsets.reader(&id.connector);
    if let Err(error) = task.start(SourceTaskStart { id: id.clone(), offsets: reader }).await {
        task.stop().await;
        return Err(error);
    }
    let shared = Arc::new(Shared {
        tracker: Mutex::new(Tracker::new()),
        refused: Mutex::new(Vec::new()),
        progress: Notify::new(),
        producer,
        listener: task.delivery_listener(),
        metrics,
    });
    let committer = Committer { connector: id.connector.clone(), offsets, shared: Arc::clone(&shared) };
    let mut pump = Pump::new(
        id.clone(),
        task,
        chain,
        encoder,
        policy,
        Arc::clone(&shared),
        observer,
        spec.in_flight,
        target,
    );
    let outcome = tokio::select! {
        outcome = pump.run() => outcome,
        never = collect(&shared) => match never {},
        never = committer.run(spec.flush_interval) => match never {},
    };
    // Whatever ended the pump: what Kafka still acknowledges within the time given is committed.
    let answered = tokio::time::timeout(spec.flush_timeout, async {
        tokio::select! {
            () = shared.answered() => {}
            never = collect(&shared) => match never {},
        }
    });
    if answered.await.is_err() {
        tracing::warn!(
            task = %id,
            "{} records were not acknowledged within {} ms; they will be read from the source again",
            shared.tracker().in_flight(),
            spec.flush_timeout.as_millis()
        );
    }
    let committed = tokio::time::timeout(spec.flush_timeout, committer.commit()).await;
    let judged = pump.judge_refused().await;
    pump.stop().await;
    outcome.and(judged)?;
    committed.unwrap_or_else(|_| {
        Err(Error::retriable(format!(
            "Source offsets could not be committed within offset.flush.timeout.ms ({} ms)",
            spec.flush_timeout.as_millis()
        )))
    })
}
