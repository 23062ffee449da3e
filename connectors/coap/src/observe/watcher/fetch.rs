//! Representations on their way: from the message that brings one, or its first block, to a reading.

use coap_lite::Packet;

use super::asks::{Ask, Purpose};
use super::{Outbox, Pending, Watcher};
use crate::Millis;
use crate::observe::body::{Body, Part};
use crate::observe::reading::Reading;
use crate::peer::Peer;
use crate::wire::{self, option};

/// A representation of which blocks are missing.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) number: u64,
    body: Body,
    arrival: Arrival,
}

/// The message that brought a representation, or its first block.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) peer: Peer,
    pub(super) received: i64,
    pub(super) receipt: Option<u64>,
    pub(super) notification: bool,
    /// Its options; the payload is elsewhere.
    pub(super) packet: Packet,
}

impl Watcher {
    /// A representation, or its first block, has come.
    pub(super) fn begin(&mut self, now: Millis, target: u64, arrival: Arrival, out: &mut Outbox) {
        // What was under way is not the newest any longer.
        let before = self.take_fetch(target);
        self.acknowledge_now(before.and_then(|fetch| fetch.arrival.receipt), out);
        let number = self.number();
        let fetch = Fetch { number, body: Body::new(), arrival };
        self.part(now, target, fetch, None, out);
    }

    /// Another block of a fetch has come.
    pub(super) fn more(&mut self, now: Millis, target: u64, number: u64, packet: Packet, out: &mut Outbox) {
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

    /// A target is asked for again when there may be room.
    fn later(&mut self, now: Millis, target: u64) {
        if let Some(state) = self.targets.get_mut(&target) {
            state.asked = false;
        }
        let wait = self.backoff(1);
        self.appoint(now.saturating_add(wait), target);
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
}
