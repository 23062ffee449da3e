//! The client as a machine without sockets or clocks: datagrams, deliveries and time in; datagrams, readings and errands
//! out.
//!
//! It asks one question at a time of each server (NSTART of RFC 7252, section 4.7). A resource is asked for with the
//! Observe option; a server that does not observe passes over it, and is asked again after the polling interval. An
//! observation that has not been heard of for Max-Age is registered anew (RFC 7641, section 3.3.1).
//!
//! A confirmable notification is acknowledged when Kafka has its record, or when it was held for as long as a server can
//! be kept waiting. While no more may be under way, notifications are neither taken nor acknowledged.

mod answers;
mod asks;
mod fetch;
mod receipts;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use coap_lite::MessageType;
use lavka_api::data::Str;

use super::address::ServerName;
use super::body::Body;
use super::reading::Reading;
use super::wish::{Share, Wish};
use crate::Millis;
use crate::links::Filter;
use crate::peer::Peer;
use crate::repeats::{Namer, Repeats};
use crate::separate::{MessageIds, Retransmission};
use crate::timers::Timers;
use crate::wire::{self, Draft, Malformed, code};

use asks::{Ask, Exchange, Purpose};
use receipts::Receipt;
use targets::Target;

/// What a client is made of.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Each with the share of its resources that is to be observed.
    pub(crate) servers: Vec<(ServerName, Share)>,
    pub(crate) wishes: Vec<Wish>,
    /// What discovered links must have.
    pub(crate) filters: Vec<Filter>,
    /// Whether to ask for notifications at all.
    pub(crate) observe: bool,
    pub(crate) poll_interval: Millis,
    /// When directories are read again; 0 for never.
    pub(crate) discover_interval: Millis,
    /// How long an acknowledgement waits for Kafka.
    pub(crate) hold: Millis,
    /// Readings that may be under way to Kafka, and their bytes ([`Reading::size`]).
    pub(crate) readings: usize,
    pub(crate) bytes: usize,
    /// The largest representation, and all unfinished ones together.
    pub(crate) body: usize,
    pub(crate) bodies: usize,
    /// Messages remembered for repeats.
    pub(crate) exchanges: usize,
    /// Resources that may be observed.
    pub(crate) observations: usize,
    pub(crate) retransmission: Retransmission,
    /// The first wait after a failure, and the longest.
    pub(crate) backoff: (Millis, Millis),
    /// After Max-Age, registrations wait between once and three times as long.
    pub(crate) reregister: Millis,
    /// 64 random bits at each call.
    pub(crate) random: fn() -> u64,
}

/// What a step brought.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// To be sent, in order.
    pub(crate) datagrams: Vec<(Peer, Vec<u8>)>,
    /// To be made records of, in order.
    pub(crate) readings: Vec<Reading>,
    /// To be looked up.
    pub(crate) errands: Vec<Errand>,
    /// For the log.
    pub(crate) news: Vec<News>,
}

/// Something to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// The address of a server, by its place.
    Resolve(usize),
    /// The committed offset of a resource.
    Recall { target: u64, server: usize, resource: Str },
}

/// Something that whoever runs the connector may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Good(String),
    Bad(String),
}

/// What happened, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Notifications that became readings.
    pub(crate) notifications: u64,
    /// Answers that became readings.
    pub(crate) answers: u64,
    /// Notifications that came behind newer ones.
    pub(crate) outdated: u64,
    /// Messages that had come before.
    pub(crate) repeated: u64,
    /// Notifications not taken because too much was under way.
    pub(crate) missed: u64,
    /// Observations registered anew, mostly because nothing was heard for Max-Age.
    pub(crate) stale: u64,
    /// Requests that a server refused.
    pub(crate) refused: u64,
    /// Requests that no server answered.
    pub(crate) unanswered: u64,
    /// Representations larger than allowed.
    pub(crate) too_large: u64,
    /// Acknowledgements sent before Kafka had the record.
    pub(crate) acknowledged_early: u64,
}

/// The client.
#[derive(Debug)]
pub(crate) struct Watcher {
    settings: Settings,
    servers: Vec<Server>,
    targets: HashMap<u64, Target>,
    /// By server and shown path.
    places: HashMap<(usize, Str), u64>,
    /// Tokens of observations.
    observing: HashMap<u64, u64>,
    exchanges: HashMap<u64, Exchange>,
    /// Exchanges that wait for an acknowledgement.
    unacknowledged: HashMap<(Peer, u16), u64>,
    namer: Namer,
    repeats: Repeats,
    ids: MessageIds,
    /// Messages to be acknowledged.
    receipts: HashMap<u64, Receipt>,
    pending: HashMap<u64, Pending>,
    bytes: usize,
    /// Bytes of unfinished bodies.
    partial: usize,
    next_number: u64,
    timers: Timers<Timer>,
    tally: Tally,
}

/// A server at present.
#[derive(Debug)]
struct Server {
    peer: Option<Peer>,
    /// Its address is to be looked up before the next question.
    resolve: bool,
    resolving: bool,
    queue: VecDeque<Ask>,
    active: Option<u64>,
    /// Failures in a row.
    failures: u32,
    /// It is left alone for a while.
    asleep: bool,
    directory: Body,
    directory_failed: u32,
}

/// A reading that was handed out.
#[derive(Debug)]
struct Pending {
    receipt: Option<u64>,
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    /// A server has been left alone for long enough.
    Server(usize),
    /// An exchange has waited for long enough.
    Exchange(u64),
    /// A target is to be asked for.
    Target(u64),
    /// An acknowledgement can wait no longer.
    Hold(u64),
    Discover(usize),
}

impl Watcher {
    pub(crate) fn new(settings: Settings) -> Self {
        let server = |_: &_| Server {
            peer: None,
            resolve: true,
            resolving: false,
            queue: VecDeque::new(),
            active: None,
            failures: 0,
            asleep: false,
            directory: Body::new(),
            directory_failed: 0,
        };
        Self {
            servers: settings.servers.iter().map(server).collect(),
            targets: HashMap::new(),
            places: HashMap::new(),
            observing: HashMap::new(),
            exchanges: HashMap::new(),
            unacknowledged: HashMap::new(),
            namer: Namer::default(),
            repeats: Repeats::new(settings.exchanges),
            ids: MessageIds::new(settings.servers.len().max(1)),
            receipts: HashMap::new(),
            pending: HashMap::new(),
            bytes: 0,
            partial: 0,
            next_number: 0,
            timers: Timers::default(),
            tally: Tally::default(),
            settings,
        }
    }

    /// A datagram came from `peer` at `now`, which is `received` in epoch milliseconds.
    pub(crate) fn datagram(
        &mut self,
        now: Millis,
        received: i64,
        peer: Peer,
        datagram: &[u8],
        out: &mut Outbox,
    ) {
        let packet = match wire::read(datagram) {
            Ok(packet) => packet,
            Err(Malformed::Reject(id)) => return out.send(peer, &Draft::reset(id)),
            Err(Malformed::Ignore) => return,
        };
        let id = packet.header.message_id;
        let kind = packet.header.get_type();
        match (kind, wire::code_of(&packet)) {
            (MessageType::Acknowledgement, code::EMPTY) => self.acknowledged(now, peer, id, out),
            (MessageType::Reset, _) => self.rejected(now, peer, id, out),
            // A ping, or a request: this is no server.
            (MessageType::Confirmable, 0..0x20) => out.send(peer, &Draft::reset(id)),
            (_, 0..0x20) => {}
            _ => self.response(now, received, peer, packet, out),
        }
    }

    /// What became of the reading with `ticket`: it is in Kafka, or will never be. Tickets that are unknown, or were
    /// settled before, mean nothing.
    pub(crate) fn settled(&mut self, now: Millis, ticket: u64, out: &mut Outbox) {
        let was_full = self.is_full();
        let Some(pending) = self.pending.remove(&ticket) else { return };
        self.bytes = self.bytes.saturating_sub(pending.size);
        if let Some(receipt) = pending.receipt {
            self.acknowledge(receipt, out);
        }
        if was_full && !self.is_full() {
            for server in 0..self.servers.len() {
                self.ask_next(now, server, out);
            }
        }
    }

    /// When [`wake`](Self::wake) is to be called.
    pub(crate) fn next_wakeup(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Millis, out: &mut Outbox) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Server(server) => {
                    if let Some(server) = self.servers.get_mut(server) {
                        server.asleep = false;
                    }
                    self.ask_next(now, server, out);
                }
                Timer::Exchange(token) => self.exchange_due(now, token, out),
                Timer::Target(target) => self.target_due(now, target, out),
                Timer::Hold(receipt) => {
                    self.tally.acknowledged_early += 1;
                    self.acknowledge(receipt, out);
                }
                Timer::Discover(server) => {
                    self.ask(now, server, Ask { purpose: Purpose::Discover, block: None }, false, out);
                }
            }
        }
    }

    /// Ends the observations, as far as a message can that nobody waits for an answer to. What is not acknowledged stays
    /// so: the servers send it again, and the next process registers anew.
    pub(crate) fn stop(&mut self, now: Millis, out: &mut Outbox) {
        let mut tokens: Vec<(u64, u64)> =
            self.observing.iter().map(|(token, target)| (*token, *target)).collect();
        tokens.sort_unstable();
        for (token, target) in tokens {
            self.cancel(now, token, target, out);
        }
        self.observing.clear();
    }

    /// What happened so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// A number that was not used before.
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn random(&self) -> u64 {
        (self.settings.random)()
    }

    /// Whether nothing more may be taken.
    fn is_full(&self) -> bool {
        self.pending.len() >= self.settings.readings || self.bytes >= self.settings.bytes
    }

    /// The wait after `failures` in a row, at least half of the nominal one.
    fn backoff(&self, failures: u32) -> Millis {
        let (first, longest) = self.settings.backoff;
        let nominal = first.saturating_mul(1 << failures.saturating_sub(1).min(30)).min(longest.max(first));
        nominal / 2 + self.random() % (nominal / 2).saturating_add(1)
    }

    fn at(&mut self, when: Millis, timer: Timer) {
        self.timers.set(when, timer);
    }
}

impl Outbox {
    fn send(&mut self, peer: Peer, draft: &Draft) {
        self.datagrams.push((peer, draft.datagram()));
    }

    fn good(&mut self, text: String) {
        self.news.push(News::Good(text));
    }

    fn bad(&mut self, text: String) {
        self.news.push(News::Bad(text));
    }
}
