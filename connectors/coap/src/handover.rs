//! What the socket's loop, `poll` and the listener for deliveries share.
//!
//! Bounded without a limit of its own: the responder takes no more requests than may be under way, from their arrival to
//! their outcome, and all that waits here is among them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lavka_api::Error;
use lavka_api::plugin::DeliveryListener;
use tokio::sync::Notify;

use crate::request::Request;
use crate::responder::Outcome;

/// Requests on their way out, outcomes on their way back, behind a lock that is never held across an await.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    state: Mutex<State>,
    /// Wakes `poll`: there is a request, or the socket has failed.
    requests: Notify,
    /// Wakes the loop: there are outcomes.
    outcomes: Notify,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Request>,
    outcomes: Vec<(u64, Outcome)>,
    failure: Option<Error>,
}

impl Handover {
    /// Hands requests to `poll`.
    pub(crate) fn push(&self, requests: Vec<Request>) {
        if !requests.is_empty() {
            self.lock().requests.extend(requests);
            self.requests.notify_one();
        }
    }

    /// The socket cannot be used any longer; `poll` fails with `error` behind what is there.
    pub(crate) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
        self.requests.notify_one();
    }

    /// At most `limit` requests in order of arrival, waiting for some. Nothing is lost where this future is dropped.
    ///
    /// # Errors
    /// Why the socket failed.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Request>, Error> {
        loop {
            {
                let mut state = self.lock();
                if !state.requests.is_empty() {
                    let count = state.requests.len().min(limit);
                    return Ok(state.requests.drain(..count).collect());
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
            }
            self.requests.notified().await;
        }
    }

    /// These requests will be no records, for their payloads cannot be decoded.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryListener for Handover {
    fn delivered(&self, tokens: &[u64]) {
        self.settle(tokens, Outcome::Delivered);
    }
}
