//! Messages that are acknowledged when Kafka has what they say.

use coap_lite::{MessageType, Packet};

use super::{Outbox, Timer, Watcher};
use crate::Millis;
use crate::peer::Peer;
use crate::repeats::{MessageName, Reply};
use crate::wire::Draft;

/// A message to be acknowledged.
#[derive(Debug)]
pub(super) struct Receipt {
    peer: Peer,
    id: u16,
    name: MessageName,
}

impl Watcher {
    /// Notes that a message is to be acknowledged, if it is one of those.
    pub(super) fn receipt(&mut self, now: Millis, peer: Peer, packet: &Packet) -> Option<u64> {
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

    /// Acknowledges a message, unless that has happened.
    pub(super) fn acknowledge(&mut self, receipt: u64, out: &mut Outbox) {
        let Some(receipt) = self.take_receipt(receipt) else { return };
        out.send(receipt.peer, &Draft::empty_ack(receipt.id));
        self.repeats.answer(receipt.name, Reply::EmptyAck);
    }

    /// The same for a message that may be none of those to be acknowledged.
    pub(super) fn acknowledge_now(&mut self, receipt: Option<u64>, out: &mut Outbox) {
        if let Some(receipt) = receipt {
            self.acknowledge(receipt, out);
        }
    }

    /// A message will not be acknowledged; when it comes again, it is looked at anew.
    pub(super) fn disown(&mut self, receipt: Option<u64>) {
        if let Some(receipt) = receipt.and_then(|receipt| self.take_receipt(receipt)) {
            self.repeats.release(receipt.name);
        }
    }

    fn take_receipt(&mut self, receipt: u64) -> Option<Receipt> {
        self.timers.cancel(Timer::Hold(receipt));
        self.receipts.remove(&receipt)
    }
}
