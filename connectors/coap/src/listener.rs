//! The loop that owns the socket: datagrams to the responder, its answers to the network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::channel::{Cast, Channel};
use crate::counters::Counters;
use crate::environment::Environment;
use crate::handover::Handover;
use crate::multicast::Group;
use crate::request::Request;
use crate::responder::{Outbox, Responder, Tally};
use crate::secure;

/// How often trouble is mentioned in the log.
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

/// A socket that listens at `address`, and in groups.
///
/// # Errors
/// Where the address cannot be had, or a group cannot be joined.
pub(crate) async fn open(
    id: &TaskId,
    address: SocketAddr,
    groups: &[Group],
    receive_buffer: usize,
) -> Result<Channel> {
    let channel = Channel::open(id.clone(), address, receive_buffer).await.map_err(|error| {
        let reason = Error::fatal(error.to_string());
        Error::config(format!(
            "Cannot listen for CoAP on {address} (lavka.coap.listen): {error}. Choose an address of this machine and a \
             port that is free."
        ))
        .caused_by(reason)
    })?;
    tracing::info!(task = %id, "listening for CoAP on {address}");
    let join = |group: &Group| {
        group.join(address).map_err(|error| {
            Error::config(format!(
                "Cannot join the group {group} (lavka.coap.multicast) on the interface of {address}: {error}. Does that \
                 interface take part in multicast?"
            ))
        })
    };
    let joined = groups.iter().map(join).collect::<Result<Vec<_>>>()?;
    Ok(channel.among(joined))
}

/// A server: answers due are sent, and what is open is refused, when it ends.
pub(crate) struct Server {
    id: TaskId,
    channel: Channel,
    responder: Responder,
    handover: Arc<Handover<Request>>,
    counters: Counters<Tally>,
    environment: Environment,
    /// When trouble was last looked at, and what had happened by then.
    reported: (Instant, Tally, secure::Tally),
    /// With whom a handshake or a session failed last, and why.
    failure: Option<(SocketAddr, String)>,
}

impl Server {
    pub(crate) fn new(
        id: TaskId,
        channel: Channel,
        responder: Responder,
        handover: Arc<Handover<Request>>,
        counters: Counters<Tally>,
        environment: Environment,
    ) -> Self {
        let reported = (Instant::now(), Tally::default(), secure::Tally::default());
        Self { id, channel, responder, handover, counters, environment, reported, failure: None }
    }

    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
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
        self.channel.receive(|cast, peer, datagram| match cast {
            Cast::One => responder.datagram(now, received, peer, datagram, out),
            Cast::All => responder.datagram_for_all(now, peer, datagram),
        })
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
        let failures = self.channel.take_ended().into_iter();
        self.failure =
            failures.filter_map(|(peer, why)| Some((peer, why?))).next_back().or(self.failure.take());
    }

    fn report(&mut self) {
        let (when, before, secure_before) = self.reported;
        if when.elapsed() < REPORT {
            return;
        }
        let (tally, secure) = (self.responder.tally(), self.channel.tally());
        self.reported = (Instant::now(), tally, secure);
        if let Some((peer, why)) = self.failure.take() {
            let failed = secure.failed.saturating_sub(secure_before.failed);
            tracing::warn!(task = %self.id, failed, "devices could not connect over DTLS; the last, {peer}: {why}");
        }
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
