//! The cluster between the tasks that use it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use kafka_protocol::messages::{RequestKind, ResponseKind};
use tokio::sync::{Notify, oneshot};

use crate::cluster::{Caller, Cluster, ConnectionId, Holdings, Moment, Outcome, Ticket};

/// The clock the cluster is driven by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { elapsed: self.0.elapsed(), unix_millis: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
    }
}

/// What becomes of a request, for the task that brought it.
#[expect(
    clippy::large_enum_variant,
    reason = "moved once per request; a box would be an allocation per request"
)]
pub(crate) enum Answer {
    Now(ResponseKind),
    Later(Pending),
    Never,
    Disconnect,
}

/// An answer that comes later; it may be given up with [`Shared::disconnected`].
pub(crate) struct Pending {
    ticket: Ticket,
    pub(crate) response: oneshot::Receiver<ResponseKind>,
}

struct State {
    cluster: Cluster,
    waiting: HashMap<Ticket, oneshot::Sender<ResponseKind>>,
    /// When the timer task will look again; `None` while it sleeps without end.
    armed: Option<Duration>,
}

impl State {
    fn hand_out(&mut self) {
        for (ticket, response) in self.cluster.take_completed() {
            if let Some(sender) = self.waiting.remove(&ticket) {
                // The receiver is gone when the client left at this very moment.
                drop(sender.send(response));
            }
        }
    }
}

/// The cluster behind its lock, and what wakes the timer task.
pub(crate) struct Shared {
    clock: Clock,
    state: Mutex<State>,
    earlier: Notify,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(clock: Clock, cluster: Cluster) -> Self {
        let state = State { cluster, waiting: HashMap::new(), armed: None };
        Self { clock, state: Mutex::new(state), earlier: Notify::new() }
    }

    /// A panic under the lock would be a bug, but not one that should take the other clients down.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handle(&self, caller: Caller<'_>, request: RequestKind) -> Answer {
        let mut state = self.lock();
        let answer = match state.cluster.handle(self.clock.now(), caller, request) {
            Outcome::Reply(response) => Answer::Now(response),
            Outcome::Silent => Answer::Never,
            Outcome::Disconnect => Answer::Disconnect,
            Outcome::Parked(ticket) => {
                let (sender, response) = oneshot::channel();
                state.waiting.insert(ticket, sender);
                Answer::Later(Pending { ticket, response })
            }
        };
        self.deliver(&mut state);
        answer
    }

    /// Forgets a connection and the answer it may be waiting for.
    pub(crate) fn disconnected(&self, connection: ConnectionId, pending: Option<Pending>) {
        let mut state = self.lock();
        if let Some(pending) = pending {
            state.waiting.remove(&pending.ticket);
        }
        state.cluster.disconnected(connection);
    }

    pub(crate) fn holdings(&self) -> Holdings {
        self.lock().cluster.holdings()
    }

    /// Hands out the answers that have come, and wakes the timer task if it would sleep too long now.
    fn deliver(&self, state: &mut State) {
        state.hand_out();
        let next = state.cluster.next_wakeup();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.earlier.notify_one();
        }
    }

    /// Lets time pass for the cluster, for ever.
    pub(crate) async fn keep_time(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                state.cluster.advance(self.clock.now());
                state.hand_out();
                state.armed = state.cluster.next_wakeup();
                state.armed
            };
            match next {
                None => self.earlier.notified().await,
                Some(at) => {
                    let at = tokio::time::Instant::from_std(self.clock.0 + at);
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }
}
