//! Questions to servers: one at a time each, repeated until they are acknowledged (RFC 7252, section 4.2).

use std::net::SocketAddr;

use coap_lite::MessageType;

use super::{Outbox, Timer, Watcher};
use crate::Millis;
use crate::peer::Peer;
use crate::wire::{Block, Draft, code, option};

/// How long an answer may take that follows the acknowledgement: MAX_TRANSMIT_WAIT of RFC 7252, section 4.8.2.
const ANSWER: Millis = 93_000;

/// A question that waits its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) purpose: Purpose,
    /// A block other than the first.
    pub(super) block: Option<Block>,
}

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The server's directory.
    Discover,
    /// A target's representation, and notifications of its changes if so configured.
    Represent(u64),
    /// More blocks of a target's nth fetch.
    Rest(u64, u64),
}

/// A question that was sent.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) server: usize,
    pub(super) ask: Ask,
    pub(super) peer: Peer,
    pub(super) id: u16,
    datagram: Vec<u8>,
    timeout: Millis,
    /// Times sent.
    sent: u32,
    acknowledged: bool,
}

impl Watcher {
    /// Puts a question into the queue, at its front if it is `urgent`.
    pub(super) fn ask(&mut self, now: Millis, server: usize, ask: Ask, urgent: bool, out: &mut Outbox) {
        if let Some(server) = self.servers.get_mut(server) {
            if urgent { server.queue.push_front(ask) } else { server.queue.push_back(ask) }
        }
        self.ask_next(now, server, out);
    }

    /// Sends the next question, if it may be sent now.
    pub(super) fn ask_next(&mut self, now: Millis, server: usize, out: &mut Outbox) {
        let is_full = self.is_full();
        loop {
            let Some(state) = self.servers.get_mut(server) else { return };
            let waits = state.active.is_some() || state.asleep || state.resolving || is_full;
            if waits || state.queue.is_empty() {
                return;
            }
            if state.resolve {
                state.resolving = true;
                out.errands.push(super::Errand::Resolve(server));
                return;
            }
            let (Some(peer), Some(ask)) = (state.peer, state.queue.pop_front()) else { return };
            if self.send(now, server, peer, ask, out) {
                return;
            }
        }
    }

    /// The address of a server, or why there is none.
    pub(crate) fn resolved(
        &mut self,
        now: Millis,
        server: usize,
        address: Result<SocketAddr, String>,
        out: &mut Outbox,
    ) {
        let Some(state) = self.servers.get_mut(server) else { return };
        state.resolving = false;
        match address {
            Ok(address) => {
                state.resolve = false;
                state.peer = Some(Peer::at(address));
                self.ask_next(now, server, out);
            }
            Err(why) => self.leave_alone(now, server, &why, out),
        }
    }

    /// Sends a question; false where what it was about is gone.
    fn send(&mut self, now: Millis, server: usize, peer: Peer, ask: Ask, out: &mut Outbox) -> bool {
        let random = self.random();
        let Some((token, draft)) = self.draft(now, server, peer, ask) else { return false };
        let (id, datagram) = (draft.id(), draft.datagram());
        let timeout = self.settings.retransmission.first(random);
        out.datagrams.push((peer, datagram.clone()));
        self.at(now.saturating_add(timeout), Timer::Exchange(token));
        self.unacknowledged.insert((peer, id), token);
        let exchange = Exchange { server, ask, peer, id, datagram, timeout, sent: 1, acknowledged: false };
        self.exchanges.insert(token, exchange);
        if let Some(state) = self.servers.get_mut(server) {
            state.active = Some(token);
        }
        true
    }

    fn draft(&mut self, now: Millis, server: usize, peer: Peer, ask: Ask) -> Option<(u64, Draft)> {
        let (random, fresh) = (self.random(), self.random());
        let id = self.ids.next(now, peer, random);
        let (name, _) = self.settings.servers.get(server)?;
        let request = |token: u64| {
            let draft = Draft::new(MessageType::Confirmable, code::GET, id, &token.to_be_bytes());
            match name.uri_host() {
                Some(host) => draft.bytes(option::URI_HOST, host.as_bytes()),
                None => draft,
            }
        };
        let (token, mut draft) = match ask.purpose {
            Purpose::Discover => {
                let mut draft =
                    request(fresh).bytes(option::URI_PATH, b".well-known").bytes(option::URI_PATH, b"core");
                // Servers filter by one attribute (RFC 6690, section 4.1); the rest is done here.
                if let [filter] = self.settings.filters.as_slice()
                    && let Some(query) = filter.query()
                {
                    draft = draft.bytes(option::URI_QUERY, query.as_bytes());
                }
                (fresh, draft)
            }
            Purpose::Represent(target) => {
                let target = self.targets.get(&target)?;
                let mut draft = target.address(request(target.token));
                if self.settings.observe {
                    draft = draft.number(option::OBSERVE, 0);
                }
                if let Some(etag) = &target.etag {
                    draft = draft.bytes(option::ETAG, etag);
                }
                (target.token, draft)
            }
            Purpose::Rest(target, fetch) => {
                let target = self.targets.get(&target).filter(|target| target.fetches(fetch))?;
                (fresh, target.address(request(fresh)))
            }
        };
        if let Some(block) = ask.block {
            draft = draft.block(option::BLOCK2, block);
        }
        Some((token, draft))
    }

    /// Ends an observation that is not wanted any longer (RFC 7641, section 3.6).
    pub(super) fn cancel(&mut self, now: Millis, token: u64, target: u64, out: &mut Outbox) {
        let random = self.random();
        let Some(target) = self.targets.get(&target) else { return };
        let Some(peer) = self.servers.get(target.server).and_then(|server| server.peer) else { return };
        let id = self.ids.next(now, peer, random);
        let draft = Draft::new(MessageType::NonConfirmable, code::GET, id, &token.to_be_bytes());
        out.send(peer, &target.address(draft).number(option::OBSERVE, 1));
    }

    /// The server has a question, and answers later.
    pub(super) fn acknowledged(&mut self, now: Millis, peer: Peer, id: u16, out: &mut Outbox) {
        let Some(token) = self.unacknowledged.remove(&(peer, id)) else { return };
        let Some(exchange) = self.exchanges.get_mut(&token) else { return };
        exchange.acknowledged = true;
        let server = exchange.server;
        self.at(now.saturating_add(ANSWER), Timer::Exchange(token));
        self.passed(token, server);
        self.reached(now, server, out);
        self.ask_next(now, server, out);
    }

    /// The server does not understand a question.
    pub(super) fn rejected(&mut self, now: Millis, peer: Peer, id: u16, out: &mut Outbox) {
        let Some(token) = self.unacknowledged.get(&(peer, id)).copied() else { return };
        if let Some(exchange) = self.finish(token) {
            self.reached(now, exchange.server, out);
            self.failed(
                now,
                exchange.server,
                exchange.ask.purpose,
                "it was answered with a Reset",
                None,
                out,
            );
            self.ask_next(now, exchange.server, out);
        }
    }

    /// Takes an exchange out that is over.
    pub(super) fn finish(&mut self, token: u64) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&token)?;
        self.timers.cancel(Timer::Exchange(token));
        self.unacknowledged.remove(&(exchange.peer, exchange.id));
        self.passed(token, exchange.server);
        Some(exchange)
    }

    /// The server may be asked the next question.
    fn passed(&mut self, token: u64, server: usize) {
        if let Some(state) = self.servers.get_mut(server)
            && state.active == Some(token)
        {
            state.active = None;
        }
    }

    pub(super) fn exchange_due(&mut self, now: Millis, token: u64, out: &mut Outbox) {
        let times = self.settings.retransmission.times;
        let Some(exchange) = self.exchanges.get_mut(&token) else { return };
        if exchange.acknowledged || exchange.sent > times {
            return self.give_up(now, token, "it does not answer", out);
        }
        exchange.sent += 1;
        exchange.timeout = exchange.timeout.saturating_mul(2);
        out.datagrams.push((exchange.peer, exchange.datagram.clone()));
        let at = now.saturating_add(exchange.timeout);
        self.at(at, Timer::Exchange(token));
    }

    /// A question stays without an answer.
    fn give_up(&mut self, now: Millis, token: u64, why: &str, out: &mut Outbox) {
        self.tally.unanswered += 1;
        let Some(exchange) = self.finish(token) else { return };
        let (server, purpose) = (exchange.server, exchange.ask.purpose);
        if exchange.acknowledged {
            self.failed(now, server, purpose, "it was acknowledged, but not answered", None, out);
            self.ask_next(now, server, out);
        } else {
            // Asked again first of all, when the server is no longer left alone.
            let ask = match purpose {
                Purpose::Rest(target, _) => {
                    self.drop_fetch(target);
                    Ask { purpose: Purpose::Represent(target), block: None }
                }
                _ => exchange.ask,
            };
            if let Some(state) = self.servers.get_mut(server) {
                state.queue.push_front(ask);
            }
            self.leave_alone(now, server, why, out);
        }
    }

    /// A handshake or session with the server at `address` is over, and `why` if something went wrong. Observations belong
    /// to sessions (RFC 7252, section 9.1.1), so they went with it.
    pub(crate) fn session_ended(
        &mut self,
        now: Millis,
        address: SocketAddr,
        why: Option<&str>,
        out: &mut Outbox,
    ) {
        let peer = Some(Peer::at(address));
        let servers: Vec<(usize, Option<u64>)> = self
            .servers
            .iter()
            .enumerate()
            .filter(|(_, state)| state.peer == peer)
            .map(|(server, state)| (server, state.active))
            .collect();
        for (server, active) in servers {
            match (active, why) {
                // Whoever runs the connector hears why at once, and not that there was no answer for a minute.
                (Some(token), Some(why)) => self.give_up(now, token, why, out),
                _ => self.register_again(now, server),
            }
        }
    }

    /// Leaves a server alone for a while; then its address is looked up again, for it may have moved.
    fn leave_alone(&mut self, now: Millis, server: usize, why: &str, out: &mut Outbox) {
        let Some(state) = self.servers.get_mut(server) else { return };
        state.failures = state.failures.saturating_add(1);
        state.resolve = true;
        state.asleep = true;
        let failures = state.failures;
        let wait = self.backoff(failures);
        self.at(now.saturating_add(wait), Timer::Server(server));
        if failures == 1 {
            out.bad(format!("{} cannot be reached: {why}. It is tried again and again.", self.name(server)));
        }
    }

    /// A server was heard of. After it was away it may have forgotten its observers.
    pub(super) fn reached(&mut self, now: Millis, server: usize, out: &mut Outbox) {
        let Some(state) = self.servers.get_mut(server) else { return };
        if std::mem::take(&mut state.failures) == 0 {
            return;
        }
        out.good(format!("{} can be reached again", self.name(server)));
        self.register_again(now, server);
    }

    /// Registers all that is observed on a server anew, at times that are spread.
    fn register_again(&mut self, now: Millis, server: usize) {
        let mut again: Vec<u64> = self.observing.values().copied().collect();
        again.retain(|target| self.targets.get(target).is_some_and(|target| target.server == server));
        again.sort_unstable();
        for target in again {
            let wait = self.random() % self.settings.reregister.saturating_add(1);
            self.appoint(now.saturating_add(wait), target);
        }
    }

    /// A server as it was configured.
    pub(super) fn name(&self, server: usize) -> String {
        self.settings.servers.get(server).map(|(name, _)| name.to_string()).unwrap_or_default()
    }
}
