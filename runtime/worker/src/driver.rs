//! The driver: feeds the herder and hands its effects to the actors.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use lavka_coordination::herder::{Answer, Effect, Event, Herder, HerderError, Request, RequestId};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::actor::{Actor, News};
use crate::assembly::Assembly;

/// A request on its way to the herder.
pub(crate) enum Ask {
    Request(Request, oneshot::Sender<Result<Answer, HerderError>>),
    /// Answered at once: is the driver alive?
    Ping(oneshot::Sender<()>),
    /// Stop everything.
    Shutdown(oneshot::Sender<()>),
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
}

/// Requests per worker that may wait for their answers at a time; more are refused.
const MAX_WAITING: usize = 1000;

pub(crate) struct Driver {
    view: HerderView,
    assembly: Assembly,
    graceful: Duration,
    actors: HashMap<String, ActorHandle>,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Answer, HerderError>>>,
    next_request: RequestId,
    news: UnboundedSender<News>,
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
            next_request: 0,
            news,
        };
        (driver, incoming)
    }

    /// Runs until it is told to shut down, or nobody is left who could ask.
    pub(crate) async fn run(mut self, mut asks: mpsc::Receiver<Ask>, mut incoming: UnboundedReceiver<News>) {
        let done = loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(Ask::Request(request, reply)) => self.ask(request, reply),
                    Some(Ask::Ping(reply)) => {
                        let _ = reply.send(());
                    }
                    Some(Ask::Shutdown(done)) => break Some(done),
                    None => break None,
                },
                Some(news) = incoming.recv() => self.learn(news),
            }
        };
        // Closing its queue tells an actor to stop what it runs.
        let joins: Vec<JoinHandle<()>> = self.actors.drain().map(|(_, actor)| actor.join).collect();
        futures::future::join_all(joins).await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn ask(&mut self, request: Request, reply: oneshot::Sender<Result<Answer, HerderError>>) {
        if self.waiting.len() >= MAX_WAITING {
            let busy = "Too many operations are pending on this worker; try again in a moment";
            let _ = reply.send(Err(HerderError::Conflict(busy.into())));
            return;
        }
        self.next_request += 1;
        self.waiting.insert(self.next_request, reply);
        self.handle(Event::Request(self.next_request, request));
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Event(event) => self.handle(event),
            News::Answer(request, answer) => {
                if let Some(reply) = self.waiting.remove(&request) {
                    let _ = reply.send(answer);
                }
            }
            News::Ended(name) => {
                // Unless it was created anew meanwhile.
                if self.view.read().configs().connector(&name).is_none() {
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
                let actor = Actor::new(self.assembly.clone(), self.news.clone(), self.graceful);
                ActorHandle { effects, join: tokio::spawn(actor.run(queue)) }
            });
            let _ = actor.effects.send(effect);
        }
    }
}
