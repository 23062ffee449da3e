//! What the three activities of a source task share: which records are under way, and what Kafka said of them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lavka_api::Error;
use lavka_api::data::{OffsetMap, SourcePosition};
use lavka_api::plugin::DeliveryListener;
use lavka_ports::{Ack, Buffer, Producer};
use lavka_telemetry::metrics::SourceTaskMetrics;
use tokio::sync::Notify;

use super::tracker::Tracker;

/// The shared books. Their lock is held for a few instructions and never across an await.
pub(super) struct Books {
    pages: Mutex<Pages>,
    /// Wakes the pump: room in the window, or a refused record.
    pub(super) progress: Notify,
    pub(super) producer: Arc<dyn Producer>,
    pub(super) listener: Option<Arc<dyn DeliveryListener>>,
    pub(super) metrics: Arc<SourceTaskMetrics>,
}

#[derive(Default)]
struct Pages {
    tracker: Tracker,
    /// Records that the producer was given or is about to be given, and has not answered for.
    unanswered: usize,
    /// Records that Kafka refused: for the pump to decide on, since policy belongs to one place.
    refused: VecDeque<Refused>,
    /// Records under way that are the engine's own: dead letters, source offsets.
    own: HashSet<u64>,
}

impl Pages {
    fn submit(&mut self, position: Option<SourcePosition>, token: u64, bytes: usize) -> (u64, Buffer) {
        self.unanswered += 1;
        (self.tracker.submit(position, token, bytes), self.tracker.under_way())
    }

    /// So many answers have come, or never will.
    fn wait_for_fewer(&mut self, answers: usize) {
        self.unanswered = self.unanswered.saturating_sub(answers);
    }
}

/// A record that Kafka refused.
pub(super) struct Refused {
    pub(super) sequence: u64,
    pub(super) error: Error,
    /// It is the engine's own: a dead letter.
    pub(super) own: bool,
}

impl Books {
    pub(super) fn new(
        producer: Arc<dyn Producer>,
        listener: Option<Arc<dyn DeliveryListener>>,
        metrics: Arc<SourceTaskMetrics>,
    ) -> Self {
        Self { pages: Mutex::default(), progress: Notify::new(), producer, listener, metrics }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a record that is about to be given to the producer, and gives its sequence number, see [`Tracker::submit`], and
    /// all that is under way now.
    pub(super) fn submit(&self, position: Option<SourcePosition>, token: u64, bytes: usize) -> (u64, Buffer) {
        self.pages().submit(position, token, bytes)
    }

    /// Notes a record that is not sent and to be settled by the caller.
    pub(super) fn pass_over(&self, position: Option<SourcePosition>, token: u64) -> u64 {
        self.pages().tracker.submit(position, token, 0)
    }

    /// Notes a record of the engine's own as [`submit`](Self::submit) does. No count of written records has it in it: it is a
    /// dead letter, for the record in whose stead it is sent, or an offset.
    pub(super) fn submit_own(
        &self,
        position: Option<SourcePosition>,
        token: u64,
        bytes: usize,
    ) -> (u64, Buffer) {
        let mut pages = self.pages();
        let noted = pages.submit(position, token, bytes);
        pages.own.insert(noted.0);
        noted
    }

    /// A submitted record was not sent after all, and never will be.
    pub(super) fn withdraw(&self, sequence: u64) {
        let mut pages = self.pages();
        pages.wait_for_fewer(1);
        pages.own.remove(&sequence);
        pages.tracker.withdraw(sequence);
    }

    /// The producer did not take a submitted record, so that no answer comes; the caller settles it.
    pub(super) fn not_taken(&self) {
        self.pages().wait_for_fewer(1);
    }

    /// Records that are not settled.
    pub(super) fn under_way(&self) -> Buffer {
        self.pages().tracker.under_way()
    }

    /// Records that are not settled.
    pub(super) fn in_flight(&self) -> usize {
        self.pages().tracker.in_flight()
    }

    /// The next record that Kafka refused.
    pub(super) fn next_refused(&self) -> Option<Refused> {
        self.pages().refused.pop_front()
    }

    /// Returns when there is a record that Kafka refused.
    pub(super) async fn refusal(&self) {
        loop {
            let mut progress = std::pin::pin!(self.progress.notified());
            progress.as_mut().enable();
            if !self.pages().refused.is_empty() {
                return;
            }
            progress.await;
        }
    }

    /// What may be committed now.
    pub(super) fn take_committable(&self) -> Vec<(OffsetMap, OffsetMap)> {
        self.pages().tracker.take_committable()
    }

    /// Offsets that could not be written.
    pub(super) fn give_back(&self, offsets: Vec<(OffsetMap, OffsetMap)>) {
        self.pages().tracker.give_back(offsets);
    }

    /// These records need nothing more.
    pub(super) fn settle(&self, sequences: impl IntoIterator<Item = u64>) {
        let mut tokens = Vec::new();
        let in_flight = {
            let mut pages = self.pages();
            for sequence in sequences {
                if let Some(settled) = pages.tracker.settle(sequence)
                    && self.listener.is_some()
                {
                    tokens.push(settled.token);
                }
            }
            pages.tracker.in_flight()
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
        let mut own_delivered = 0;
        {
            let mut pages = self.pages();
            pages.wait_for_fewer(acks.len());
            for ack in acks.drain(..) {
                let sequence = ack.token as u64;
                let own = !pages.own.is_empty() && pages.own.remove(&sequence);
                own_delivered += usize::from(own && ack.outcome.is_ok());
                match ack.outcome {
                    Ok(_) => delivered.push(sequence),
                    // Before the wake-up in `settle`, so that the pump finds it.
                    Err(error) => pages.refused.push_back(Refused { sequence, error, own }),
                }
            }
        }
        self.metrics.written(delivered.len() - own_delivered);
        self.settle(delivered);
    }

    /// Takes acknowledgements as they come; ends by being dropped.
    pub(super) async fn collect(&self) -> Never {
        let mut acks = Vec::new();
        loop {
            self.producer.acks(&mut acks).await;
            self.acknowledge(&mut acks);
        }
    }

    /// Takes acknowledgements until Kafka has answered for every record.
    pub(super) async fn collect_rest(&self) {
        let mut acks = Vec::new();
        while self.pages().unanswered > 0 {
            self.producer.acks(&mut acks).await;
            self.acknowledge(&mut acks);
        }
    }
}

/// What a loop without end returns.
pub(super) enum Never {}
