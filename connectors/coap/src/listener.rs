//! The loop that owns the socket: datagrams to the responder, its answers to the network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::channel::Channel;
use crate::counters::Counters;
use crate::environment::Environment;
use crate::handover::Handover;
use crate::request::Request;
use crate::responder::{Outbox, Responder, Settings, Tally};
use crate::secure::Gate;

/// How long the last answers may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often overload is mentioned in the log.
const REPORT: Duration = Duration::from_secs(10);

/// What the server counts, for metrics.
pub(crate) fn counters() -> Counters<Tally> {
    Counters::new(&[
        ("coap-accepted-total", |tally| tally.accepted),
        ("coap-repeated-total", |tally| tally.repeated),
        ("coap-overloaded-total", |tally| tally.overloaded),
        ("coap-refused-total", |tally| tally.refused),
    ])
}

/// A running server. Dropping it closes the socket.
pub(crate) struct Listener {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `address`, served on the runtime of the caller.
    ///
    /// # Errors
    /// Where the address cannot be had.
    #[expect(clippy::too_many_arguments, reason = "all that a server is made of")]
    pub(crate) async fn start(
        id: TaskId,
        address: SocketAddr,
        receive_buffer: usize,
        gate: Option<Gate>,
        settings: Settings,
        handover: Arc<Handover<Request>>,
        counters: Counters<Tally>,
        environment: Environment,
    ) -> Result<Self> {
        let cannot = |error: io::Error| {
            let reason = Error::fatal(error.to_string());
            Error::config(format!(
                "Cannot listen for CoAP on {address} (lavka.coap.listen): {error}. Choose an address of this machine and a \
                 port that is free."
            ))
            .caused_by(reason)
        };
        let channel = Channel::open(id.clone(), address, receive_buffer).await.map_err(cannot)?;
        tracing::info!(task = %id, "listening for CoAP on {address}");
        let (stop, stopping) = watch::channel(false);
        let server = Server {
            id,
            channel: channel.behind(gate),
            responder: Responder::new(settings),
            handover,
            counters,
            environment,
            reported: (Instant::now(), Tally::default()),
        };
        Ok(Self { stop, task: tokio::spawn(server.run(stopping)) })
    }

    /// Sends the answers that are due, refuses what is open, and ends, within bounded time.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Server {
    id: TaskId,
    channel: Channel,
    responder: Responder,
    handover: Arc<Handover<Request>>,
    counters: Counters<Tally>,
    environment: Environment,
    /// When overload was last looked at, and what had happened by then.
    reported: (Instant, Tally),
}

impl Server {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let ready = tokio::select! {
                ready = self.channel.ready(self.responder.next_wakeup()) => ready,
                () = self.handover.outcomes_due() => Ok(()),
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let mut out = Outbox::default();
            let read = ready.and_then(|()| self.read(&mut out));
            self.settle(&mut out);
            self.send(out).await;
            if let Err(error) = read {
                self.handover.fail(Error::retriable(format!("The CoAP socket failed: {error}")));
                return;
            }
            self.report();
        }
        let mut out = Outbox::default();
        self.settle(&mut out);
        self.responder.stop(self.channel.now(), &mut out);
        self.send(out).await;
        self.channel.close().await;
    }

    fn read(&mut self, out: &mut Outbox) -> io::Result<()> {
        let (now, received) = (self.channel.now(), (self.environment.now)());
        let responder = &mut self.responder;
        self.channel.receive(|peer, datagram| responder.datagram(now, received, peer, datagram, out))
    }

    fn settle(&mut self, out: &mut Outbox) {
        let now = self.channel.now();
        for (ticket, outcome) in self.handover.take_outcomes() {
            self.responder.settled(now, ticket, outcome, out);
        }
        self.responder.wake(now, out);
        self.counters.show(self.responder.tally(), self.channel.tally());
    }

    async fn send(&mut self, mut out: Outbox) {
        for request in &mut out.requests {
            request.identity = self.channel.identity(&request.peer);
        }
        self.handover.push(out.requests);
        self.channel.send(out.datagrams).await;
    }

    fn report(&mut self) {
        let (when, before) = self.reported;
        if when.elapsed() < REPORT {
            return;
        }
        let tally = self.responder.tally();
        self.reported = (Instant::now(), tally);
        let overloaded = tally.overloaded.saturating_sub(before.overloaded);
        if overloaded > 0 {
            tracing::warn!(
                task = %self.id,
                overloaded,
                accepted = tally.accepted.saturating_sub(before.accepted),
                "devices were refused with 5.03 because too much is under way to Kafka (lavka.coap.max.inflight, \
                 lavka.coap.max.inflight.bytes, lavka.coap.max.exchanges)"
            );
        }
    }
}
