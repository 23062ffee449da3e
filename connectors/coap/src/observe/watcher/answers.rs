//! Answers and notifications: what they mean for a target, and when they become readings.

use coap_lite::{MessageType, Packet};

use super::asks::{Ask, Purpose};
use super::{Outbox, Pending, Receipt, Timer, Watcher};
use crate::Millis;
use crate::observe::body::{Body, Part};
use crate::observe::reading::Reading;
use crate::peer::Peer;
use crate::repeats::Reply;
use crate::wire::{self, Draft, code, option};

/// Max-Age where a message says none (RFC 7252, section 5.10.5), in seconds.
const MAX_AGE: u32 = 60;
/// After which a notification is newer whatever its number (RFC 7641, section 3.4).
const NUMBERS_HOLD: Millis = 128_000;

/// A representation of which blocks are missing.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) number: u64,
    body: Body,
    arrival: Arrival,
}

/// The message that brought a representation, or its first block.
#[derive(Debug)]
struct Arrival {
    peer: Peer,
    received: i64,
    receipt: Option<u64>,
    notification: bool,
    /// Its options; the payload is elsewhere.
    packet: Packet,
}

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
        // A message that cannot be remembered could come twice.
        let no_room = confirmable && !self.repeats.has_room(now);
        if code == code::CONTENT && !outdated && (self.is_full() || no_room) {
            self.tally.missed += 1;
            // A server does not send this one again, so its state is asked for when there may be room.
            if !confirmable {
                let wait = self.backoff(1);
                self.appoint(now.saturating_add(wait), target);
            }
            return;
        }
        let receipt = self.receipt(now, peer, &packet);
        if outdated {
            self.tally.outdated += 1;
            return self.acknowledge_now(receipt, out);
        }
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

    /// A representation, or its first block, has come.
    fn begin(&mut self, now: Millis, target: u64, arrival: Arrival, out: &mut Outbox) {
        // What was under way is not the newest any longer.
        let before = self.take_fetch(target);
        self.acknowledge_now(before.and_then(|fetch| fetch.arrival.receipt), out);
        let number = self.number();
        let fetch = Fetch { number, body: Body::new(), arrival };
        self.part(now, target, fetch, None, out);
    }

    /// Another block of a fetch has come.
    fn more(&mut self, now: Millis, target: u64, number: u64, packet: Packet, out: &mut Outbox) {
        if self.targets.get(&target).is_some_and(|target| target.fetches(number))
            && let Some(fetch) = self.take_fetch(target)
        {
            self.part(now, target, fetch, Some(packet), out);
        }
    }

    /// Takes what `packet`, or the message of the arrival itself, has of a representation.
    fn part(&mut self, now: Millis, target: u64, mut fetch: Fetch, packet: Option<Packet>, out: &mut Outbox) {
        let limit = self.settings.body;
        let part = match &packet {
            Some(packet) => fetch.body.take(packet, limit),
            None => fetch.body.take(&fetch.arrival.packet, limit),
        };
        if let Some(packet) = packet {
            // Of a representation that was begun again, the options are those of its own message.
            let (id, kind) = (fetch.arrival.packet.header.message_id, fetch.arrival.packet.header.get_type());
            let (token, observe) = (
                fetch.arrival.packet.get_token().to_vec(),
                wire::first(&fetch.arrival.packet, option::OBSERVE).map(<[u8]>::to_vec),
            );
            fetch.arrival.packet = packet;
            fetch.arrival.packet.header.message_id = id;
            fetch.arrival.packet.header.set_type(kind);
            fetch.arrival.packet.set_token(token);
            if let Some(observe) = observe {
                fetch.arrival.packet.add_option(option::OBSERVE.into(), observe);
            }
        }
        fetch.arrival.packet.payload = Vec::new();
        let Some(state) = self.targets.get_mut(&target) else { return };
        let server = state.server;
        match part {
            Part::Whole(bytes) => self.whole(now, target, fetch.arrival, bytes, out),
            Part::Next(block) => {
                if self.partial.saturating_add(fetch.body.len()) > self.settings.bodies {
                    self.tally.missed += 1;
                    self.disown(fetch.arrival.receipt);
                    return self.later(now, target);
                }
                self.partial += fetch.body.len();
                state.asked = true;
                let purpose = Purpose::Rest(target, fetch.number);
                state.fetch = Some(fetch);
                self.ask(now, server, Ask { purpose, block: Some(block) }, true, out);
            }
            Part::TooLarge => {
                self.tally.too_large += 1;
                let shown = state.shown.clone();
                out.bad(format!(
                    "{shown} of {} is left out: it is larger than {limit} bytes (lavka.coap.max.body.bytes)",
                    self.name(server)
                ));
                self.acknowledge_now(fetch.arrival.receipt, out);
                self.done(now, target, &fetch.arrival.packet);
            }
            Part::Broken => {
                self.disown(fetch.arrival.receipt);
                self.failed(
                    now,
                    server,
                    Purpose::Represent(target),
                    "its blocks do not fit together",
                    None,
                    out,
                );
            }
        }
    }

    /// A representation is whole: a reading, unless Kafka has it.
    fn whole(&mut self, now: Millis, target: u64, arrival: Arrival, bytes: Vec<u8>, out: &mut Outbox) {
        let Some(state) = self.targets.get_mut(&target) else { return };
        let etag = wire::first(&arrival.packet, option::ETAG).map(<[u8]>::to_vec);
        if !arrival.notification && etag.is_some() && etag == state.etag {
            self.acknowledge_now(arrival.receipt, out);
            return self.done(now, target, &arrival.packet);
        }
        state.etag.clone_from(&etag);
        let mut reading = Reading {
            ticket: 0,
            server: state.server,
            wish: state.wish,
            resource: state.shown.clone(),
            variables: state.variables.clone(),
            peer: arrival.peer,
            notification: arrival.notification,
            received: arrival.received,
            etag,
            packet: Box::new(arrival.packet),
        };
        match arrival.notification {
            true => self.tally.notifications += 1,
            false => self.tally.answers += 1,
        }
        self.done(now, target, &reading.packet);
        reading.packet.payload = bytes;
        reading.ticket = self.number();
        let size = reading.size();
        self.bytes = self.bytes.saturating_add(size);
        self.pending.insert(reading.ticket, Pending { receipt: arrival.receipt, size });
        out.readings.push(reading);
    }

    /// Nothing of a target is missing at present; `packet` was the last of it.
    fn done(&mut self, now: Millis, target: u64, packet: &Packet) {
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

    /// A target is asked for again when there may be room.
    fn later(&mut self, now: Millis, target: u64) {
        if let Some(state) = self.targets.get_mut(&target) {
            state.asked = false;
        }
        let wait = self.backoff(1);
        self.appoint(now.saturating_add(wait), target);
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

    fn take_fetch(&mut self, target: u64) -> Option<Fetch> {
        let fetch = self.targets.get_mut(&target)?.fetch.take()?;
        self.partial = self.partial.saturating_sub(fetch.body.len());
        Some(fetch)
    }

    /// Gives up what was fetched of a target.
    pub(super) fn drop_fetch(&mut self, target: u64) {
        if let Some(fetch) = self.take_fetch(target) {
            self.disown(fetch.arrival.receipt);
        }
    }

    /// Notes that a message is to be acknowledged, if it is one of those.
    fn receipt(&mut self, now: Millis, peer: Peer, packet: &Packet) -> Option<u64> {
        if packet.header.get_type() != MessageType::Confirmable {
            return None;
        }
        let name = self.namer.name(&peer, packet);
        self.repeats.keep(now, name, Reply::Pending);
        let number = self.number();
        self.receipts.insert(number, Receipt { peer, id: packet.header.message_id, name });
        self.at(now.saturating_add(self.settings.hold), Timer::Hold(number));
        Some(number)
    }

    fn acknowledge_now(&mut self, receipt: Option<u64>, out: &mut Outbox) {
        if let Some(receipt) = receipt {
            self.acknowledge(receipt, out);
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
