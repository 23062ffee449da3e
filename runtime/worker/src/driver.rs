//! The driver: feeds the herder and hands its effects to the actors.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_coordination::config_log::TargetState;
use lavka_coordination::herder::{Answer, Effect, Event, Herder, HerderError, Request, RequestId};
use lavka_coordination::restart::RestartRequest;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::actor::{Actor, News};
use crate::assembly::Assembly;

/// A request on its way to the herder.
pub(crate) enum Ask {
    Request {
        request: Request,
        /// A connector, and the configuration that it has to have for the request to be made at all.
        unchanged: Option<(String, Config)>,
        reply: oneshot::Sender<Reply>,
    },
    /// Keep a stopped connector from being started until what is answered is dropped.
    Hold { connector: String, reply: oneshot::Sender<Result<Held, HerderError>> },
    /// Answered at once: is the driver alive?
    Ping(oneshot::Sender<()>),
    /// Stop everything.
    Shutdown(oneshot::Sender<()>),
}

/// What became of a request.
pub(crate) enum Reply {
    Done(Result<Answer, HerderError>),
    /// The connector's configuration is another one by now; nothing was done.
    Changed,
}

/// A connector that stays stopped while this lives: its offsets are being changed.
#[derive(Debug)]
pub(crate) struct Held {
    connector: String,
    news: UnboundedSender<News>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A driver that is gone holds nothing.
        let _ = self.news.send(News::Released(std::mem::take(&mut self.connector)));
    }
}

/// The herder, read by whoever looks; written by the driver alone, for a few instructions at a time.
#[derive(Clone)]
pub(crate) struct HerderView(Arc<RwLock<Herder>>);

impl HerderView {
    pub(crate) fn new(herder: Herder) -> Self {
        Self(Arc::new(RwLock::new(herder)))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Herder> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ActorHandle {
    effects: UnboundedSender<Effect>,
    join: JoinHandle<()>,
    /// Deletions that it has not run yet. Until it has, a connector created anew goes to the same actor, so that its
    /// tasks start behind the end of the old ones.
    deletions: usize,
}

/// Requests per connector that may wait for their answers at a time; more are refused. Per connector, so that one
/// that is stuck refuses nobody else's.
const MAX_WAITING: usize = 100;

/// How long connectors may take to stop when the worker ends, besides the graceful time of their tasks.
const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Somebody who waits for an answer.
struct Waiting {
    connector: String,
    reply: oneshot::Sender<Reply>,
}

pub(crate) struct Driver {
    view: HerderView,
    assembly: Assembly,
    graceful: Duration,
    actors: HashMap<String, ActorHandle>,
    waiting: HashMap<RequestId, Waiting>,
    held: HashSet<String>,
    next_request: RequestId,
    news: UnboundedSender<News>,
    ready: Arc<AtomicBool>,
}

impl Driver {
    pub(crate) fn new(
        view: HerderView,
        assembly: Assembly,
        graceful: Duration,
    ) -> (Self, UnboundedReceiver<News>) {
        let (news, incoming) = mpsc::unbounded_channel();
        let driver = Self {
            view,
            assembly,
            graceful,
            actors: HashMap::new(),
            waiting: HashMap::new(),
            held: HashSet::new(),
            next_request: 0,
            news,
            ready: Arc::default(),
        };
        (driver, incoming)
    }

    /// Becomes true once it takes requests.
    pub(crate) fn ready(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ready)
    }

    /// Runs until it is told to shut down, or nobody is left who could ask.
    pub(crate) async fn run(mut self, mut asks: mpsc::Receiver<Ask>, mut incoming: UnboundedReceiver<News>) {
        self.ready.store(true, Ordering::Relaxed);
        let done = loop {
            tokio::select! {
                ask = asks.recv() => {
                    // What happened before the question counts for its answer: whoever let go of a connector and asks again
                    // is not told that it is held.
                    while let Ok(news) = incoming.try_recv() {
                        self.learn(news);
                    }
                    match ask {
                        Some(Ask::Request { request, unchanged, reply }) => self.ask(request, unchanged, reply),
                        Some(Ask::Hold { connector, reply }) => {
                            let _ = reply.send(self.hold(connector));
                        }
                        Some(Ask::Ping(reply)) => {
                            let _ = reply.send(());
                        }
                        Some(Ask::Shutdown(done)) => break Some(done),
                        None => break None,
                    }
                }
                Some(news) = incoming.recv() => self.learn(news),
            }
        };
        // Whoever waits or is still queued is told at once that there will be no answer.
        drop(asks);
        self.waiting.clear();
        // Closing its queue tells an actor to stop what it runs.
        let mut joins: Vec<JoinHandle<()>> = self.actors.drain().map(|(_, actor)| actor.join).collect();
        let patience = self.graceful.saturating_add(CONNECTOR_STOP_TIMEOUT);
        if tokio::time::timeout(patience, futures::future::join_all(&mut joins)).await.is_err() {
            tracing::warn!(
                "some connectors did not stop within {} ms and are cancelled",
                patience.as_millis()
            );
            joins.iter().for_each(JoinHandle::abort);
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn ask(&mut self, request: Request, unchanged: Option<(String, Config)>, reply: oneshot::Sender<Reply>) {
        // The driver alone writes, so nothing changes between this look and the request.
        if let Some((name, config)) = unchanged
            && self.view.read().configs().connector(&name) != Some(&config)
        {
            let _ = reply.send(Reply::Changed);
            return;
        }
        let connector = connector_of(&request).to_owned();
        if self.held.contains(&connector) && !leaves_stopped(&request) {
            let busy =
                format!("The offsets of connector {connector} are being changed; try again in a moment");
            let _ = reply.send(Reply::Done(Err(HerderError::Conflict(busy))));
            return;
        }
        if self.waiting.values().filter(|waiting| waiting.connector == connector).count() >= MAX_WAITING {
            let busy =
                format!("Too many operations are pending on connector {connector}; try again in a moment");
            let _ = reply.send(Reply::Done(Err(HerderError::Conflict(busy))));
            return;
        }
        self.next_request += 1;
        self.waiting.insert(self.next_request, Waiting { connector, reply });
        self.handle(Event::Request(self.next_request, request));
    }

    /// Holds a connector, provided that it is stopped.
    fn hold(&mut self, connector: String) -> Result<Held, HerderError> {
        {
            let herder = self.view.read();
            let configs = herder.configs();
            if configs.connector(&connector).is_none() {
                return Err(HerderError::NotFound(format!("Connector {connector} not found")));
            }
            if configs.target(&connector) != TargetState::Stopped || !configs.tasks(&connector).is_empty() {
                return Err(HerderError::BadRequest(format!(
                    "Connectors must be in the STOPPED state before their offsets can be modified. This can be done \
                     for the specified connector by issuing a 'PUT' request to the '/connectors/{connector}/stop' \
                     endpoint"
                )));
            }
        }
        if !self.held.insert(connector.clone()) {
            let busy = format!("The offsets of connector {connector} are being changed by another request");
            return Err(HerderError::Conflict(busy));
        }
        Ok(Held { connector, news: self.news.clone() })
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Released(connector) => {
                self.held.remove(&connector);
            }
            News::Event(event) => self.handle(event),
            News::Answer(request, answer) => {
                if let Some(waiting) = self.waiting.remove(&request) {
                    let _ = waiting.reply.send(Reply::Done(answer));
                }
            }
            News::Changed(name) => {
                // Nobody waits for the answer.
                self.next_request += 1;
                let everything = RestartRequest { include_tasks: true, only_failed: false };
                self.handle(Event::Request(self.next_request, Request::Restart(name, everything)));
            }
            News::Ended(name) => {
                let Some(actor) = self.actors.get_mut(&name) else { return };
                actor.deletions = actor.deletions.saturating_sub(1);
                // Unless it was created anew meanwhile.
                if actor.deletions == 0 && self.view.read().configs().connector(&name).is_none() {
                    self.actors.remove(&name);
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let effects: Vec<_> = {
            let mut herder = self.view.0.write().unwrap_or_else(PoisonError::into_inner);
            herder.handle(event);
            std::iter::from_fn(|| herder.poll_effect()).collect()
        };
        for effect in effects {
            if let Effect::Answer { name, request, answer } = &effect
                && !self.actors.contains_key(name)
            {
                // Nothing to wait behind, and a name that nobody knows gets no actor.
                self.learn(News::Answer(*request, answer.clone()));
                continue;
            }
            let actor = self.actors.entry(effect.connector().to_owned()).or_insert_with(|| {
                let (effects, queue) = mpsc::unbounded_channel();
                let actor =
                    Actor::new(self.assembly.clone(), self.view.clone(), self.news.clone(), self.graceful);
                ActorHandle { effects, join: tokio::spawn(actor.run(queue)), deletions: 0 }
            });
            actor.deletions += usize::from(matches!(effect, Effect::Forget(_)));
            let _ = actor.effects.send(effect);
        }
    }
}

fn connector_of(request: &Request) -> &str {
    match request {
        Request::Put { name, .. }
        | Request::Delete(name)
        | Request::SetTarget(name, _)
        | Request::RestartConnector(name)
        | Request::Restart(name, _)
        | Request::Reconfigure(name)
        | Request::ResetTopics(name)
        | Request::Barrier(name) => name,
        Request::RestartTask(task) => &task.connector,
    }
}

/// Whether a connector that is stopped still is so after `request`.
fn leaves_stopped(request: &Request) -> bool {
    !matches!(request, Request::Put { .. } | Request::Delete(_))
        && !matches!(request, Request::SetTarget(_, target) if *target != TargetState::Stopped)
}
