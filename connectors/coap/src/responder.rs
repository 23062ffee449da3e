//! The server as a machine without sockets or clocks: datagrams, deliveries and time in; datagrams and requests out.
//!
//! A request to a resource is handed out under a ticket and answered when [`settled`](Responder::settled) says what became
//! of it. Until then repeats of it are taken for what they are. A device that waits longer than the configured part of
//! its ACK_TIMEOUT gets an empty acknowledgement, and the answer in a message of its own (RFC 7252, section 5.2.2).

mod answer;
mod checks;

use std::collections::HashMap;

use coap_lite::{MessageType, Packet};
use lavka_api::data::Str;

use crate::Millis;
use crate::directory::Directory;
use crate::leisure::Leisure;
use crate::peer::Peer;
use crate::repeats::{MessageName, Namer, Repeats, Reply};
use crate::request::Request;
use crate::resource::{Resource, Variables};
use crate::separate::{Retransmission, Separate};
use crate::timers::Timers;
use crate::upload::{Taken, UploadLimits, Uploads};
use crate::wire::{self, Block, Draft, Malformed, code, option};

use answer::{Answer, To};

/// What a server is made of.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// In order; the first that matches counts.
    pub(crate) resources: Vec<Resource>,
    /// Requests that may be under way to Kafka, and their bytes ([`Request::size`]).
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
    /// Messages remembered for repeats, and answers remembered for their acknowledgement.
    pub(crate) exchanges: usize,
    /// Unfinished bodies.
    pub(crate) uploads: UploadLimits,
    /// When an empty acknowledgement is due.
    pub(crate) ack_delay: Millis,
    /// How answers are repeated.
    pub(crate) retransmission: Retransmission,
    /// Seconds after which a device that was refused may try again: Max-Age of a 5.03.
    pub(crate) retry_after: u32,
    /// How long an answer to a question for everybody may wait.
    pub(crate) leisure: Millis,
    /// 64 random bits at each call.
    pub(crate) random: fn() -> u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Kafka has it, or it was left out on purpose: 2.04.
    Delivered,
    /// Its payload is not what it should be: 4.00.
    Undecodable,
    /// The server stops, and does not know: 5.03.
    Stopping,
}

/// What a step brought.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// To be sent, in order.
    pub(crate) datagrams: Vec<(Peer, Vec<u8>)>,
    /// To be made records of, in order.
    pub(crate) requests: Vec<Request>,
}

/// What was refused or went missing, for metrics and the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Requests taken.
    pub(crate) accepted: u64,
    /// Messages that had come before.
    pub(crate) repeated: u64,
    /// Requests answered 5.03.
    pub(crate) overloaded: u64,
    /// Requests answered 4.xx, and datagrams that are no messages.
    pub(crate) refused: u64,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Responder {
    settings: Settings,
    directory: Directory,
    namer: Namer,
    repeats: Repeats,
    uploads: Uploads,
    separate: Separate,
    leisure: Leisure,
    pending: HashMap<u64, Pending>,
    bytes: usize,
    next_ticket: u64,
    timers: Timers<Timer>,
    tally: Tally,
}

/// A request that was handed out.
#[derive(Debug)]
struct Pending {
    to: To,
    name: MessageName,
    size: usize,
    /// An empty acknowledgement went out.
    acknowledged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    EmptyAck(u64),
    Retransmit(Peer, u16),
    /// The answer to a question for everybody, by whose it is and its message id.
    Leisure(Peer, u16),
}

impl Responder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            directory: Directory::new(&settings.resources),
            namer: Namer::default(),
            repeats: Repeats::new(settings.exchanges),
            uploads: Uploads::new(settings.uploads),
            separate: Separate::new(settings.retransmission, settings.exchanges),
            leisure: Leisure::new(settings.leisure),
            pending: HashMap::new(),
            bytes: 0,
            next_ticket: 0,
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
            Err(malformed) => {
                self.tally.refused += 1;
                if let Malformed::Reject(id) = malformed {
                    out.send(peer, &Draft::reset(id));
                }
                return;
            }
        };
        let id = packet.header.message_id;
        let request = (1..0x20).contains(&wire::code_of(&packet));
        match packet.header.get_type() {
            MessageType::Acknowledgement | MessageType::Reset => {
                self.separate.settled(peer, id);
                self.timers.cancel(Timer::Retransmit(peer, id));
            }
            MessageType::Confirmable | MessageType::NonConfirmable if request => {
                self.request(now, received, peer, packet, out);
            }
            // A ping (RFC 7252, section 4.3), or an answer to a question that was never asked.
            MessageType::Confirmable => out.send(peer, &Draft::reset(id)),
            MessageType::NonConfirmable => {}
        }
    }

    /// A datagram for everybody came from `peer`. What is there to write to is told, after a while; anything else is passed
    /// over in silence, errors too (RFC 7252, section 8.2): who sends a reading means one server.
    pub(crate) fn datagram_for_all(&mut self, now: Millis, peer: Peer, datagram: &[u8]) {
        let Ok(packet) = wire::read(datagram) else { return };
        let question = packet.header.get_type() == MessageType::NonConfirmable
            && wire::code_of(&packet) == code::GET
            && checks::options(&packet).is_none()
            && checks::path(&packet).is_some_and(|path| Directory::is_at(&path));
        if !question || !self.directory.has(&packet) {
            return;
        }
        let (asked, id) = (packet.header.message_id, self.next_id(now, peer));
        let answer = self.directory.answer(&packet, MessageType::NonConfirmable, id);
        if answer.code() != code::CONTENT {
            return;
        }
        let random = (self.settings.random)();
        if let Some(at) = self.leisure.keep(now, peer, asked, || answer.datagram(), random) {
            self.timers.set(at, Timer::Leisure(peer, asked));
        }
    }

    /// `outcome` of the request with `ticket`. Tickets that are unknown, or were settled before, mean nothing.
    pub(crate) fn settled(&mut self, now: Millis, ticket: u64, outcome: Outcome, out: &mut Outbox) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        self.bytes = self.bytes.saturating_sub(pending.size);
        self.timers.cancel(Timer::EmptyAck(ticket));
        let answer = match outcome {
            Outcome::Delivered => Answer::of(code::CHANGED),
            Outcome::Undecodable => Answer::of(code::BAD_REQUEST).saying("the payload cannot be decoded"),
            Outcome::Stopping => {
                Answer::of(code::SERVICE_UNAVAILABLE).with_max_age(self.settings.retry_after)
            }
        };
        if pending.acknowledged {
            self.send_separately(now, &pending.to, &answer, out);
        } else {
            self.send(now, &pending.to, &answer, out);
            self.repeats.answer(pending.name, pending.to.reply(answer.code));
        }
    }

    /// Settles what is still open, because the server goes away.
    pub(crate) fn stop(&mut self, now: Millis, out: &mut Outbox) {
        let mut open: Vec<u64> = self.pending.keys().copied().collect();
        open.sort_unstable();
        for ticket in open {
            self.settled(now, ticket, Outcome::Stopping, out);
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
                Timer::EmptyAck(ticket) => {
                    let Some(pending) = self.pending.get_mut(&ticket) else { continue };
                    pending.acknowledged = true;
                    out.send(pending.to.peer, &Draft::empty_ack(pending.to.id));
                    self.repeats.answer(pending.name, Reply::EmptyAck);
                }
                Timer::Retransmit(peer, id) => {
                    let Some((datagram, next)) = self.separate.due(now, peer, id) else { continue };
                    out.datagrams.push((peer, datagram.to_vec()));
                    self.timers.set(next, timer);
                }
                Timer::Leisure(peer, asked) => {
                    out.datagrams.extend(self.leisure.take(peer, asked).map(|answer| (peer, answer)));
                }
            }
        }
    }

    /// What happened so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    fn request(&mut self, now: Millis, received: i64, peer: Peer, packet: Packet, out: &mut Outbox) {
        let to = To::answer(peer, &packet);
        match self.consider(now, &to, &packet) {
            Decision::Answer(answer) => {
                self.tally.count(answer.code);
                self.send(now, &to, &answer, out);
            }
            Decision::Keep(name, answer) => {
                self.send(now, &to, &answer, out);
                self.repeats.keep(now, name, to.reply(answer.code));
            }
            Decision::Directory => {
                let (kind, id) = match to.confirmable {
                    true => (MessageType::Acknowledgement, to.id),
                    false => (MessageType::NonConfirmable, self.next_id(now, peer)),
                };
                out.send(peer, &self.directory.answer(&packet, kind, id));
            }
            Decision::Repeat(reply) => {
                self.tally.repeated += 1;
                match reply {
                    Reply::Pending | Reply::Silence => {}
                    Reply::EmptyAck => out.send(peer, &Draft::empty_ack(to.id)),
                    Reply::Piggybacked(code) => {
                        let answer = Answer::of(code).with_max_age_if_unavailable(self.settings.retry_after);
                        self.send(now, &to, &answer, out);
                    }
                }
            }
            Decision::Accept(accepted) => self.accept(now, received, to, packet, accepted, out),
            Decision::Ignore => {}
        }
    }

    /// What is to be done with a request. Changes nothing but the bodies under way.
    fn consider(&mut self, now: Millis, to: &To, packet: &Packet) -> Decision {
        if let Some(refusal) = checks::options(packet) {
            return match to.confirmable {
                true => Decision::Answer(refusal),
                // RFC 7252, section 5.4.1: rejected, which for these may be silence.
                false => Decision::Ignore,
            };
        }
        let Some(path) = checks::path(packet) else { return Decision::answer(code::BAD_OPTION) };
        let method = wire::code_of(packet);
        if Directory::is_at(&path) {
            return match method {
                code::GET => Decision::Directory,
                _ => Decision::answer(code::METHOD_NOT_ALLOWED),
            };
        }
        let resources = self.settings.resources.iter().enumerate();
        let mut matches = resources.filter_map(|(place, resource)| Some((place, resource.matches(&path)?)));
        let Some((resource, variables)) = matches.next() else { return Decision::answer(code::NOT_FOUND) };
        if !matches!(method, code::POST | code::PUT) {
            return Decision::answer(code::METHOD_NOT_ALLOWED);
        }
        let name = self.namer.name(&to.peer, packet);
        if let Some(reply) = self.repeats.reply(now, name) {
            return Decision::Repeat(reply);
        }
        if !self.repeats.has_room(now) || self.pending.len() >= self.settings.requests {
            return Decision::Answer(self.overloaded());
        }
        let body = match self.body(now, to, packet, name) {
            Ok(body) => body,
            Err(decision) => return decision,
        };
        let path = path.iter().fold(String::new(), |all, segment| all + "/" + segment);
        Decision::Accept(Accepted { name, resource, variables, path: Str::from(path), body })
    }

    /// The payload of a request, put together from its blocks where it came in some.
    fn body(
        &mut self,
        now: Millis,
        to: &To,
        packet: &Packet,
        name: MessageName,
    ) -> Result<Option<Vec<u8>>, Decision> {
        let too_large = || {
            Decision::Answer(Answer::of(code::REQUEST_ENTITY_TOO_LARGE).with_size1(self.uploads.largest()))
        };
        let block = match wire::first(packet, option::BLOCK1).map(Block::parse) {
            None if packet.payload.len() > self.settings.uploads.body => return Err(too_large()),
            // Looked at before a body is given up for it, so that its last block can be sent again later.
            None | Some(Some(_)) if self.bytes >= self.settings.bytes => {
                return Err(Decision::Answer(self.overloaded()));
            }
            None => return Ok(None),
            Some(None) => return Err(Decision::answer(code::BAD_REQUEST)),
            Some(Some(block)) => block,
        };
        match self.uploads.take(now, &to.peer, packet, block) {
            Taken::Whole(body) => Ok(Some(body)),
            Taken::More => Err(Decision::Keep(name, Answer::of(code::CONTINUE))),
            Taken::Incomplete => Err(Decision::answer(code::REQUEST_ENTITY_INCOMPLETE)),
            Taken::TooLarge => {
                let largest = self.uploads.largest();
                Err(Decision::Answer(Answer::of(code::REQUEST_ENTITY_TOO_LARGE).with_size1(largest)))
            }
            Taken::Full => Err(Decision::Answer(self.overloaded())),
            Taken::Malformed => Err(Decision::answer(code::BAD_REQUEST)),
        }
    }

    fn accept(
        &mut self,
        now: Millis,
        received: i64,
        to: To,
        packet: Packet,
        accepted: Accepted,
        out: &mut Outbox,
    ) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let request = Request {
            ticket,
            peer: to.peer,
            identity: None,
            method: wire::code_of(&packet),
            resource: accepted.resource,
            path: accepted.path,
            variables: accepted.variables,
            query: checks::query(&packet),
            content_format: wire::first(&packet, option::CONTENT_FORMAT).and_then(wire::uint),
            confirmable: to.confirmable,
            message_id: to.id,
            token: to.token.clone(),
            received,
            payload: accepted.body.unwrap_or(packet.payload),
        };
        let size = request.size();
        self.tally.accepted += 1;
        self.bytes = self.bytes.saturating_add(size);
        if to.confirmable {
            self.timers.set(now.saturating_add(self.settings.ack_delay), Timer::EmptyAck(ticket));
        }
        let reply = if to.confirmable { Reply::Pending } else { Reply::Silence };
        self.repeats.keep(now, accepted.name, reply);
        let pending = Pending { to, name: accepted.name, size, acknowledged: false };
        self.pending.insert(ticket, pending);
        out.requests.push(request);
    }

    fn overloaded(&self) -> Answer {
        Answer::of(code::SERVICE_UNAVAILABLE).with_max_age(self.settings.retry_after)
    }

    /// Sends an answer with the acknowledgement, or non-confirmable to a non-confirmable request.
    fn send(&mut self, now: Millis, to: &To, answer: &Answer, out: &mut Outbox) {
        match (to.confirmable, to.wants(answer.code)) {
            (true, true) => out.send(to.peer, &answer.draft(to, MessageType::Acknowledgement, to.id)),
            (true, false) => out.send(to.peer, &Draft::empty_ack(to.id)),
            (false, true) => {
                let id = self.next_id(now, to.peer);
                out.send(to.peer, &answer.draft(to, MessageType::NonConfirmable, id));
            }
            (false, false) => {}
        }
    }

    /// Sends an answer behind the empty acknowledgement, until the device has it.
    fn send_separately(&mut self, now: Millis, to: &To, answer: &Answer, out: &mut Outbox) {
        if !to.wants(answer.code) {
            return;
        }
        let id = self.next_id(now, to.peer);
        let datagram = answer.draft(to, MessageType::Confirmable, id).datagram();
        out.datagrams.push((to.peer, datagram.clone()));
        if let Some(at) = self.separate.sent(now, to.peer, id, datagram, (self.settings.random)()) {
            self.timers.set(at, Timer::Retransmit(to.peer, id));
        }
    }

    fn next_id(&mut self, now: Millis, peer: Peer) -> u16 {
        self.separate.next_id(now, peer, (self.settings.random)())
    }
}

/// What to do with a request.
#[derive(Debug)]
enum Decision {
    /// Answer at once; a repeat is looked at afresh, with the same result.
    Answer(Answer),
    /// Answer at once, and answer a repeat alike.
    Keep(MessageName, Answer),
    Directory,
    Repeat(Reply),
    Accept(Accepted),
    Ignore,
}

impl Decision {
    fn answer(code: u8) -> Self {
        Self::Answer(Answer::of(code))
    }
}

#[derive(Debug)]
struct Accepted {
    name: MessageName,
    resource: usize,
    variables: Variables,
    path: Str,
    /// If it came in blocks.
    body: Option<Vec<u8>>,
}

impl Outbox {
    fn send(&mut self, peer: Peer, draft: &Draft) {
        self.datagrams.push((peer, draft.datagram()));
    }
}

impl Tally {
    fn count(&mut self, code: u8) {
        match code {
            code::SERVICE_UNAVAILABLE => self.overloaded += 1,
            _ => self.refused += 1,
        }
    }
}

#[cfg(test)]
mod tests;
