//! Answers and notifications, and what they mean for a target.

use coap_lite::{MessageType, Packet};

use super::asks::{Ask, Purpose};
use super::fetch::Arrival;
use super::{Outbox, Timer, Watcher};
use crate::Millis;
use crate::observe::body::{Body, Part};
use crate::peer::Peer;
use crate::repeats::Reply;
use crate::wire::{self, Draft, code, option};

/// Max-Age where a message says none (RFC 7252, section 5.10.5), in seconds.
const MAX_AGE: u32 = 60;
/// After which a notification is newer whatever its number (RFC 7641, section 3.4).
const NUMBERS_HOLD: Millis = 128_000;

/// Whether a notification with number `next` at `now` is newer than the `last` (RFC 7641, section 3.4).
fn is_newer((last, then): (u32, Millis), next: u32, now: Millis) -> bool {
    const HALF: u32 = 1 << 23;
    (last < next && next - last < HALF)
        || (last > next && last - next > HALF)
        || now > then.saturating_add(NUMBERS_HOLD)
}

impl Watcher {
    pub(super) fn response(
        &mut self,
        now: Millis,
        received: i64,
        peer: Peer,
        packet: Packet,
        out: &mut Outbox,
    ) {
        let (kind, id) = (packet.header.get_type(), packet.header.message_id);
        if kind == MessageType::Confirmable {
            match self.repeats.reply(now, self.namer.name(&peer, &packet)) {
                None => {}
                Some(reply) => {
                    self.tally.repeated += 1;
                    if reply == Reply::EmptyAck {
                        out.send(peer, &Draft::empty_ack(id));
                    }
                    return;
                }
            }
        }
        let token = <[u8; 8]>::try_from(packet.get_token()).ok().map(u64::from_be_bytes);
        let answers = |exchange: &super::Exchange| {
            exchange.peer == peer && (kind != MessageType::Acknowledgement || exchange.id == id)
        };
        if let Some(token) = token.filter(|token| self.exchanges.get(token).is_some_and(answers)) {
            let Some(exchange) = self.finish(token) else { return };
            self.reached(now, exchange.server, out);
            self.answered(now, received, exchange.server, exchange.ask, peer, packet, out);
            self.ask_next(now, exchange.server, out);
            return;
        }
        let observed = token.and_then(|token| self.observing.get(&token).copied());
        let from_server = |target: &u64| {
            let server = self.targets.get(target).and_then(|target| self.servers.get(target.server));
            server.is_some_and(|server| server.peer == Some(peer))
        };
        match observed.filter(from_server) {
            Some(target) => self.notified(now, received, target, peer, packet, out),
            // An answer to a question that was given up.
            None if kind == MessageType::Acknowledgement => {}
            // An observation that is not known, from before a restart for example: this ends it.
            None => out.send(peer, &Draft::reset(id)),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of a message")]
    fn answered(
        &mut self,
        now: Millis,
        received: i64,
        server: usize,
        ask: Ask,
        peer: Peer,
        packet: Packet,
        out: &mut Outbox,
    ) {
        let code = wire::code_of(&packet);
        let receipt = self.receipt(now, peer, &packet);
        let target = match ask.purpose {
            Purpose::Discover => {
                self.acknowledge_now(receipt, out);
                return self.directory(now, server, &packet, out);
            }
            Purpose::Rest(target, fetch) => {
                self.acknowledge_now(receipt, out);
                match code {
                    // Something newer has come meanwhile.
                    _ if !self.targets.get(&target).is_some_and(|target| target.fetches(fetch)) => {}
                    code::CONTENT => self.more(now, target, fetch, packet, out),
                    _ => self.refused(now, server, ask.purpose, &packet, out),
                }
                return;
            }
            Purpose::Represent(target) => target,
        };
        match code {
            code::CONTENT => {
                self.registered(now, target, &packet, out);
                let arrival = Arrival { peer, received, receipt, notification: false, packet };
                self.begin(now, target, arrival, out);
            }
            code::VALID => {
                self.acknowledge_now(receipt, out);
                self.registered(now, target, &packet, out);
                self.done(now, target, &packet);
            }
            _ => {
                self.acknowledge_now(receipt, out);
                self.forget_observation(target);
                self.refused(now, server, ask.purpose, &packet, out);
            }
        }
    }

    /// Whether a server observes from now on.
    fn registered(&mut self, now: Millis, target: u64, packet: &Packet, out: &mut Outbox) {
        let Some(state) = self.targets.get_mut(&target) else { return };
        let sequence = wire::first(packet, option::OBSERVE).and_then(wire::uint);
        state.sequence = sequence.map(|sequence| (sequence, now));
        if sequence.is_some() {
            state.polled = false;
            self.observing.insert(state.token, target);
            return;
        }
        let (token, server, said) = (state.token, state.server, state.polled);
        state.polled = true;
        self.observing.remove(&token);
        if self.settings.observe && !said {
            let shown = self.targets.get(&target).map(|target| target.shown.clone()).unwrap_or_default();
            out.good(format!(
                "{} does not offer to observe {shown}; it is asked every {} ms (lavka.coap.poll.interval.ms)",
                self.name(server),
                self.settings.poll_interval
            ));
        }
    }

    fn notified(
        &mut self,
        now: Millis,
        received: i64,
        target: u64,
        peer: Peer,
        packet: Packet,
        out: &mut Outbox,
    ) {
        let Some(state) = self.targets.get(&target) else { return };
        let (token, server, etag) = (state.token, state.server, state.etag.clone());
        let sequence = wire::first(&packet, option::OBSERVE).and_then(wire::uint);
        let outdated = match (state.sequence, sequence) {
            (Some(last), Some(next)) => !is_newer(last, next, now),
            _ => false,
        };
        let code = wire::code_of(&packet);
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        if outdated {
            // Nothing comes of it, however often it comes, so it needs not be remembered.
            self.tally.outdated += 1;
            if confirmable {
                out.send(peer, &Draft::empty_ack(packet.header.message_id));
            }
            return;
        }
        // A message that cannot be remembered could come twice.
        let no_room = confirmable && !self.repeats.has_room(now);
        if no_room || (code == code::CONTENT && self.is_full()) {
            self.tally.missed += 1;
            // A server does not send this one again, so its state is asked for when there may be room.
            if !confirmable {
                let wait = self.backoff(1);
                self.appoint(now.saturating_add(wait), target);
            }
            return;
        }
        let receipt = self.receipt(now, peer, &packet);
        match (code, sequence) {
            (code::CONTENT | code::VALID, Some(sequence)) => {
                if let Some(state) = self.targets.get_mut(&target) {
                    state.sequence = Some((sequence, now));
                }
                self.refresh(now, target, &packet);
            }
            // It was the last (RFC 7641, section 4.2).
            (code::CONTENT | code::VALID, None) => {
                self.observing.remove(&token);
                let wait = self.backoff(1);
                self.appoint(now.saturating_add(wait), target);
            }
            _ => {
                self.acknowledge_now(receipt, out);
                self.observing.remove(&token);
                return self.refused(now, server, Purpose::Represent(target), &packet, out);
            }
        }
        if code == code::CONTENT {
            let arrival = Arrival { peer, received, receipt, notification: true, packet };
            return self.begin(now, target, arrival, out);
        }
        self.acknowledge_now(receipt, out);
        // An earlier representation holds again, of which only the ETag is known.
        if wire::first(&packet, option::ETAG) != etag.as_deref() {
            if let Some(state) = self.targets.get_mut(&target) {
                state.etag = None;
            }
            self.represent(now, target, out);
        }
    }

    /// Nothing of a target is missing at present; `packet` was the last of it.
    pub(super) fn done(&mut self, now: Millis, target: u64, packet: &Packet) {
        let Some(state) = self.targets.get_mut(&target) else { return };
        state.asked = false;
        state.failures = 0;
        if self.observing.contains_key(&state.token) {
            return self.refresh(now, target, packet);
        }
        let interval = self.settings.poll_interval;
        // Spread by a tenth, lest all servers be asked at once for ever.
        let spread = self.random() % (interval / 10).saturating_add(1);
        self.appoint(now.saturating_add(interval).saturating_sub(spread), target);
    }

    /// An observation was heard of.
    fn refresh(&mut self, now: Millis, target: u64, packet: &Packet) {
        let max_age = wire::first(packet, option::MAX_AGE).and_then(wire::uint).unwrap_or(MAX_AGE);
        let wait = self.settings.reregister;
        let jitter = self.random() % wait.saturating_mul(2).saturating_add(1);
        let fresh = u64::from(max_age).saturating_mul(1000);
        self.appoint(now.saturating_add(fresh).saturating_add(wait).saturating_add(jitter), target);
    }

    fn directory(&mut self, now: Millis, server: usize, packet: &Packet, out: &mut Outbox) {
        if wire::code_of(packet) != code::CONTENT {
            return self.refused(now, server, Purpose::Discover, packet, out);
        }
        let limit = self.settings.body;
        let Some(state) = self.servers.get_mut(server) else { return };
        match state.directory.take(packet, limit) {
            Part::Whole(bytes) => {
                state.directory = Body::new();
                state.directory_failed = 0;
                self.discovered(now, server, &String::from_utf8_lossy(&bytes), out);
            }
            Part::Next(block) => {
                let ask = Ask { purpose: Purpose::Discover, block: Some(block) };
                self.ask(now, server, ask, true, out);
            }
            part => {
                state.directory = Body::new();
                let why = match part {
                    Part::TooLarge => "it is larger than lavka.coap.max.body.bytes",
                    _ => "its blocks do not fit together",
                };
                self.failed(now, server, Purpose::Discover, why, None, out);
            }
        }
    }

    fn refused(&mut self, now: Millis, server: usize, purpose: Purpose, packet: &Packet, out: &mut Outbox) {
        self.tally.refused += 1;
        let code = wire::code_of(packet);
        let diagnostic: String =
            String::from_utf8_lossy(&packet.payload).chars().filter(|c| !c.is_control()).take(200).collect();
        let mut why = format!("it was answered {}.{:02}", code >> 5, code & 0x1f);
        if !diagnostic.is_empty() {
            why = format!("{why} ({diagnostic})");
        }
        // Of a 5.03: when to try again (RFC 7252, section 5.9.3.4).
        let wait = wire::first(packet, option::MAX_AGE).and_then(wire::uint);
        let wait = wait.filter(|_| code == code::SERVICE_UNAVAILABLE).map(|wait| u64::from(wait) * 1000);
        self.failed(now, server, purpose, &why, wait, out);
    }

    /// A question came to nothing; it is asked again later.
    pub(super) fn failed(
        &mut self,
        now: Millis,
        server: usize,
        purpose: Purpose,
        why: &str,
        wait: Option<Millis>,
        out: &mut Outbox,
    ) {
        let (what, failures) = match purpose {
            Purpose::Discover => {
                let Some(state) = self.servers.get_mut(server) else { return };
                state.directory = Body::new();
                state.directory_failed = state.directory_failed.saturating_add(1);
                ("/.well-known/core".to_owned(), state.directory_failed)
            }
            Purpose::Represent(target) | Purpose::Rest(target, _) => {
                self.drop_fetch(target);
                let Some(state) = self.targets.get_mut(&target) else { return };
                state.asked = false;
                state.failures = state.failures.saturating_add(1);
                (state.shown.to_string(), state.failures)
            }
        };
        let at = now.saturating_add(self.backoff(failures).max(wait.unwrap_or(0)));
        match purpose {
            Purpose::Discover => self.at(at, Timer::Discover(server)),
            Purpose::Represent(target) | Purpose::Rest(target, _) => self.appoint(at, target),
        }
        if failures == 1 {
            out.bad(format!("{what} of {} cannot be had: {why}. It is tried again.", self.name(server)));
        }
    }

    fn forget_observation(&mut self, target: u64) {
        if let Some(target) = self.targets.get(&target) {
            self.observing.remove(&target.token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_notifications() {
        // last, next, milliseconds between, newer
        for (last, next, wait, newer) in [
            (1, 2, 0, true),
            (2, 1, 0, false),
            (2, 2, 0, false),
            (0x00ff_ffff, 0, 0, true),
            (0, 0x00ff_ffff, 0, false),
            (0, 1 << 23, 0, false),
            (0, (1 << 23) - 1, 0, true),
            (2, 1, 128_000, false),
            (2, 1, 128_001, true),
        ] {
            assert_eq!(is_newer((last, 1000), next, 1000 + wait), newer, "{last} {next} {wait}");
        }
    }
}
