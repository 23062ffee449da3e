//! Which messages are under way and what became of them. Pure.

use std::collections::VecDeque;

use crate::link::Denial;
use crate::message::{Publication, Qos};

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server has it; with QoS 0: it was written.
    Taken,
    /// The server will not take it, with its words.
    Refused(String),
    /// The server did not take it this time, with its words.
    Again(String),
}

/// The messages of one batch on one connection.
///
/// Packet ids go round. So that none is given out that is still taken, the window is counted from the oldest message that is
/// not settled.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// QoS 1 and 2 messages that may be under way.
    window: usize,
    /// Bytes of the largest packet the server takes.
    max_packet: usize,
    batch: Batch,
    /// Tells the messages of this batch from those of batches that were given up.
    epoch: u64,
    /// QoS 0, handed over and not written yet, in order.
    unwritten: VecDeque<Ticket>,
    /// QoS 1 and 2, in order, beginning with the oldest that is not settled.
    under_way: VecDeque<UnderWay>,
}

#[derive(Debug, Default)]
struct Batch {
    publications: Vec<Publication>,
    fates: Vec<Option<Fate>>,
    /// The next one to hand over.
    next: usize,
    /// How many have no fate yet.
    open: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    epoch: u64,
    index: usize,
}

#[derive(Debug)]
struct UnderWay {
    packet_id: u16,
    ticket: Ticket,
    settled: bool,
}

impl Outbox {
    /// For a server that takes `window` messages at once, and packets of `max_packet` bytes.
    pub(crate) fn new(window: usize, max_packet: usize) -> Self {
        Self {
            window: window.max(1),
            max_packet,
            batch: Batch::default(),
            epoch: 0,
            unwritten: VecDeque::new(),
            under_way: VecDeque::new(),
        }
    }

    /// Begins with `publications`. What is left of the batch before is given up.
    pub(crate) fn begin(&mut self, publications: Vec<Publication>) {
        self.epoch += 1;
        let open = publications.len();
        self.batch = Batch { fates: vec![None; open], publications, next: 0, open };
    }

    /// Hands messages to `send` while there is room, until it takes no more; it gives the packet id of those it takes.
    pub(crate) fn feed(&mut self, mut send: impl FnMut(&Publication) -> Option<u16>) {
        while let Some(publication) = self.batch.publications.get(self.batch.next) {
            let index = self.batch.next;
            if publication.packet_size() > self.max_packet {
                let words = format!(
                    "its packet is larger than the {} bytes that the server takes at most",
                    self.max_packet
                );
                self.batch.next += 1;
                self.decide(index, Fate::Refused(words));
                continue;
            }
            if self.unwritten.len() + self.under_way.len() >= self.window {
                return;
            }
            let Some(packet_id) = send(publication) else { return };
            let ticket = Ticket { epoch: self.epoch, index };
            match publication.qos {
                Qos::AtMostOnce => self.unwritten.push_back(ticket),
                Qos::AtLeastOnce | Qos::ExactlyOnce => {
                    self.under_way.push_back(UnderWay { packet_id, ticket, settled: false });
                }
            }
            self.batch.next += 1;
        }
    }

    /// The oldest QoS 0 message was written.
    pub(crate) fn written(&mut self) {
        if let Some(ticket) = self.unwritten.pop_front() {
            self.settle(ticket, Fate::Taken);
        }
    }

    /// The server has answered for the message with `packet_id`. Answers that nobody asked for mean nothing.
    pub(crate) fn settled(&mut self, packet_id: u16, answer: Result<(), Denial>) {
        let mut open = self.under_way.iter_mut().filter(|one| !one.settled);
        let Some(one) = open.find(|one| one.packet_id == packet_id) else { return };
        one.settled = true;
        let ticket = one.ticket;
        while self.under_way.pop_front_if(|one| one.settled).is_some() {}
        let fate = match answer {
            Ok(()) => Fate::Taken,
            Err(Denial { words, for_good: true }) => Fate::Refused(words),
            Err(Denial { words, for_good: false }) => Fate::Again(words),
        };
        self.settle(ticket, fate);
    }

    /// Whether there are messages that wait to be written or answered, of this batch or of one that was given up.
    pub(crate) fn has_open(&self) -> bool {
        !(self.unwritten.is_empty() && self.under_way.is_empty())
    }

    /// The fates of the batch once all have one; then there is no batch any more.
    pub(crate) fn finished(&mut self) -> Option<Vec<Option<Fate>>> {
        (self.batch.open == 0 && !self.batch.fates.is_empty()).then(|| self.give_up())
    }

    /// The fates so far. What is not decided is given up: whatever the server still says of it means nothing.
    pub(crate) fn give_up(&mut self) -> Vec<Option<Fate>> {
        self.epoch += 1;
        std::mem::take(&mut self.batch).fates
    }

    fn settle(&mut self, ticket: Ticket, fate: Fate) {
        if ticket.epoch == self.epoch {
            self.decide(ticket.index, fate);
        }
    }

    fn decide(&mut self, index: usize, fate: Fate) {
        if let Some(slot @ None) = self.batch.fates.get_mut(index) {
            *slot = Some(fate);
            self.batch.open = self.batch.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn publication(qos: Qos, size: usize) -> Publication {
        let payload = vec![0; size].into();
        Publication { topic: "t".into(), payload, qos, retain: false, properties: None }
    }

    fn batch(qos: Qos, count: usize) -> Vec<Publication> {
        vec![publication(qos, 1); count]
    }

    /// What is handed over now, under ids that count on from `last`.
    fn fed(outbox: &mut Outbox, last: &mut u16) -> Vec<u16> {
        let mut ids = Vec::new();
        outbox.feed(|publication| {
            if publication.qos != Qos::AtMostOnce {
                *last += 1;
            }
            ids.push(*last);
            Some(*last)
        });
        ids
    }

    fn no(for_good: bool) -> Result<(), Denial> {
        Err(Denial { words: "no".into(), for_good })
    }

    #[test]
    fn no_more_than_the_window_counted_from_the_oldest() {
        let (mut outbox, mut last) = (Outbox::new(2, 1000), 0);
        outbox.begin(batch(Qos::AtLeastOnce, 4));
        assert_eq!(fed(&mut outbox, &mut last), [1, 2]);
        outbox.settled(2, Ok(()));
        assert_eq!(fed(&mut outbox, &mut last), [0; 0]);
        outbox.settled(1, Ok(()));
        assert_eq!(fed(&mut outbox, &mut last), [3, 4]);
        assert_eq!(outbox.finished(), None);
        outbox.settled(3, no(true));
        outbox.settled(4, no(false));
        let fates = outbox.finished().unwrap();
        let refused = Some(Fate::Refused("no".into()));
        assert_eq!(fates, [Some(Fate::Taken), Some(Fate::Taken), refused, Some(Fate::Again("no".into()))]);
        assert_eq!(outbox.finished(), None);
    }

    #[test]
    fn qos_0_is_done_when_it_is_written() {
        let (mut outbox, mut last) = (Outbox::new(1, 1000), 0);
        outbox.begin(batch(Qos::AtMostOnce, 2));
        for _ in 0..2 {
            assert_eq!(fed(&mut outbox, &mut last).len(), 1);
            outbox.written();
        }
        assert_eq!(outbox.finished().unwrap().len(), 2);
        outbox.written();
    }

    #[test]
    fn what_the_server_never_takes_is_not_sent() {
        let (mut outbox, mut last) = (Outbox::new(5, 100), 0);
        outbox.begin(vec![publication(Qos::AtLeastOnce, 200), publication(Qos::AtLeastOnce, 1)]);
        assert_eq!(fed(&mut outbox, &mut last), [1]);
        outbox.settled(1, Ok(()));
        let fates = outbox.finished().unwrap();
        assert!(matches!(&fates[0], Some(Fate::Refused(words)) if words.contains("100 bytes")), "{fates:?}");
        assert_eq!(fates[1], Some(Fate::Taken));
    }

    #[test]
    fn answers_for_a_batch_that_was_given_up_mean_nothing() {
        let (mut outbox, mut last) = (Outbox::new(5, 1000), 0);
        outbox.begin(batch(Qos::ExactlyOnce, 2));
        fed(&mut outbox, &mut last);
        outbox.settled(1, Ok(()));
        assert_eq!(outbox.give_up(), [Some(Fate::Taken), None]);
        outbox.begin(batch(Qos::ExactlyOnce, 1));
        assert_eq!(fed(&mut outbox, &mut last), [3]);
        outbox.settled(2, Ok(()));
        assert_eq!(outbox.finished(), None);
        outbox.settled(3, Ok(()));
        assert_eq!(outbox.finished(), Some(vec![Some(Fate::Taken)]));
        outbox.settled(9, Ok(()));
    }

    proptest! {
        /// In whatever order the server answers, no more ids are between the oldest open one and the newest than the window
        /// has; and every message gets a fate.
        #[test]
        fn ids_stay_within_the_window(window in 1usize..6, count in 0usize..40, picks in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
            let (mut outbox, mut last) = (Outbox::new(window, 1000), 0);
            outbox.begin(batch(Qos::AtLeastOnce, count));
            let mut open: Vec<u16> = Vec::new();
            for pick in picks {
                open.extend(fed(&mut outbox, &mut last));
                if let Some(oldest) = open.iter().min() {
                    prop_assert!(usize::from(last - oldest) < window);
                    let id = open.remove(pick.index(open.len()));
                    outbox.settled(id, Ok(()));
                }
            }
            if count > 0 {
                prop_assert_eq!(outbox.finished(), Some(vec![Some(Fate::Taken); count]));
            }
        }
    }
}
