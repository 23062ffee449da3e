//! What the socket's loop, `poll` and the listener for deliveries share.
//!
//! Bounded without a limit of its own: the machines take no more items than may be under way, from their arrival to
//! their outcome, and all that waits here is among them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lavka_api::Error;
use lavka_api::plugin::DeliveryListener;
use tokio::sync::Notify;

use crate::responder::Outcome;

/// Items (requests of devices, readings of resources) on their way out, outcomes on their way back, behind a lock that is
/// never held across an await.
#[derive(Debug)]
pub(crate) struct Handover<T> {
    state: Mutex<State<T>>,
    /// Wakes `poll`: there is an item, or the socket has failed.
    items: Notify,
    /// Wakes the loop: there are outcomes.
    outcomes: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    outcomes: Vec<(u64, Outcome)>,
    failure: Option<Error>,
}

impl<T> Default for Handover<T> {
    fn default() -> Self {
        let state = State { items: VecDeque::new(), outcomes: Vec::new(), failure: None };
        Self { state: Mutex::new(state), items: Notify::new(), outcomes: Notify::new() }
    }
}

impl<T> Handover<T> {
    /// Hands items to `poll`.
    pub(crate) fn push(&self, items: Vec<T>) {
        if !items.is_empty() {
            self.lock().items.extend(items);
            self.items.notify_one();
        }
    }

    /// The socket cannot be used any longer; `poll` fails with `error` behind what is there.
    pub(crate) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
        self.items.notify_one();
    }

    /// At most `limit` items in order of arrival, waiting for some. Nothing is lost where this future is dropped.
    ///
    /// # Errors
    /// Why the socket failed.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<T>, Error> {
        loop {
            {
                let mut state = self.lock();
                if !state.items.is_empty() {
                    let count = state.items.len().min(limit);
                    return Ok(state.items.drain(..count).collect());
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
            }
            self.items.notified().await;
        }
    }

    /// These items will be no records, for their payloads cannot be decoded.
    pub(crate) fn refuse(&self, tickets: &[u64]) {
        self.settle(tickets, Outcome::Undecodable);
    }

    /// Waits until there may be outcomes.
    pub(crate) async fn outcomes_due(&self) {
        self.outcomes.notified().await;
    }

    /// The outcomes since the last call.
    pub(crate) fn take_outcomes(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.lock().outcomes)
    }

    fn settle(&self, tickets: &[u64], outcome: Outcome) {
        self.lock().outcomes.extend(tickets.iter().map(|ticket| (*ticket, outcome)));
        self.outcomes.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> DeliveryListener for Handover<T> {
    fn delivered(&self, tokens: &[u64]) {
        self.settle(tokens, Outcome::Delivered);
    }
}
