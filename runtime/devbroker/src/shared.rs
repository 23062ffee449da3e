//! The cluster between the tasks that use it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use tokio::sync::{Notify, oneshot};

use crate::Fault;
use crate::cluster::{Caller, Cluster, ConnectionId, Holdings, Interference, Moment, Outcome, Ticket};

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

    /// What faults have in mind for a request.
    pub(crate) fn interfere(&self, api: ApiKey) -> Interference {
        self.lock().cluster.interfere(api)
    }

    pub(crate) fn faults(&self) -> Vec<(Fault, u64)> {
        self.lock().cluster.faults()
    }

    /// Changes the cluster from outside.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Cluster, Moment)) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.cluster.advance(now);
        change(&mut state.cluster, now);
        self.deliver(&mut state);
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

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake},
    };

    use kafka_protocol::{
        messages::{JoinGroupRequest, join_group_request::JoinGroupRequestProtocol},
        protocol::StrBytes,
    };

    use super::*;
    use crate::{BrokerConfig, cluster::Endpoint};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request that starts a group of one, whose session ends in ten seconds.
    fn join() -> RequestKind {
        let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("p"));
        RequestKind::JoinGroup(
            JoinGroupRequest::default()
                .with_group_id(StrBytes::from_static_str("g").into())
                .with_protocol_type(StrBytes::from_static_str("t"))
                .with_session_timeout_ms(10_000)
                .with_protocols(vec![protocol]),
        )
    }

    #[test]
    fn the_timer_task_sleeps_between_alarms_and_wakes_for_earlier_ones() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let clock = Clock::start();
        let endpoint = Endpoint { host: "localhost".to_owned(), port: 1 };
        let cluster = Cluster::new(&BrokerConfig::default(), endpoint, 1, clock.now());
        let shared = Shared::new(clock, cluster);
        let wakes = Arc::new(Wakes::default());
        let waker = Arc::clone(&wakes).into();
        let mut context = Context::from_waker(&waker);
        let mut task = pin!(shared.keep_time());
        assert_eq!(task.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0, "nothing to wait for");
        let caller = Caller { connection: ConnectionId(1), client_id: "", host: "", version: 0 };
        assert!(matches!(shared.handle(caller, join()), Answer::Later(_)));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "an alarm, and the first one");
        for _ in 0..3 {
            assert_eq!(task.as_mut().poll(&mut context), Poll::Pending);
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "it sleeps until then");
    }
}
