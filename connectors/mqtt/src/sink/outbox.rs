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
/// Packet ids are given by the client library, in the order in which it is handed messages and round and round within the
/// window. So that it never comes to one that is still taken, the window is counted from the oldest message that is not
/// settled.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// QoS 1 and 2 messages that may be under way.
    window: usize,
    /// Bytes of the largest packet the server takes.
    max_packet: usize,
    batch: Batch,
    /// Tells the messages of this batch from those of batches that were given up.
    epoch: u64,
    /// Handed to the library, not written yet, in order.
    handed: VecDeque<Ticket>,
    /// Written, in order, beginning with the oldest that is not settled.
    written: VecDeque<Written>,
    /// Places in the library's window that are lost, see [`is_spent`](Self::is_spent).
    wasted: usize,
}

#[derive(Debug, Default)]
struct Batch {
    publications: Vec<Publication>,
    fates: Vec<Option<Fate>>,
    /// The next one to hand to the library.
    next: usize,
    /// How many have no fate yet.
    open: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    epoch: u64,
    index: usize,
    qos: Qos,
}

#[derive(Debug)]
struct Written {
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
            handed: VecDeque::new(),
            written: VecDeque::new(),
            wasted: 0,
        }
    }

    /// Begins with `publications`. What is left of the batch before is given up.
    pub(crate) fn begin(&mut self, publications: Vec<Publication>) {
        self.epoch += 1;
        let open = publications.len();
        self.batch = Batch { fates: vec![None; open], publications, next: 0, open };
    }

    /// Hands messages to `send` while there is room, until it takes no more.
    pub(crate) fn feed(&mut self, mut send: impl FnMut(&Publication) -> bool) {
        while let Some(publication) = self.batch.publications.get(self.batch.next) {
            if publication.packet_size() > self.max_packet {
                let index = self.batch.next;
                let words = format!(
                    "its packet is larger than the {} bytes that the server takes at most",
                    self.max_packet
                );
                self.batch.next += 1;
                self.decide(index, Fate::Refused(words));
                continue;
            }
            let under_way = self.handed.len() + self.written.len() + self.wasted;
            if under_way >= self.window || !send(publication) {
                return;
            }
            let ticket = Ticket { epoch: self.epoch, index: self.batch.next, qos: publication.qos };
            self.handed.push_back(ticket);
            self.batch.next += 1;
        }
    }

    /// The oldest message that was handed over was written under `packet_id`, 0 with QoS 0.
    pub(crate) fn written(&mut self, packet_id: u16) {
        let Some(ticket) = self.handed.pop_front() else { return };
        match ticket.qos {
            Qos::AtMostOnce => self.settle(ticket, Fate::Taken),
            Qos::AtLeastOnce | Qos::ExactlyOnce => {
                self.written.push_back(Written { packet_id, ticket, settled: false });
            }
        }
    }

    /// The server has answered for the message with `packet_id`. Answers that nobody asked for mean nothing.
    pub(crate) fn settled(&mut self, packet_id: u16, answer: Result<(), Denial>) {
        let mut open = self.written.iter_mut().filter(|written| !written.settled);
        let Some(written) = open.find(|written| written.packet_id == packet_id) else { return };
        written.settled = true;
        let ticket = written.ticket;
        while self.written.pop_front_if(|written| written.settled).is_some() {}
        let fate = match answer {
            Ok(()) => Fate::Taken,
            Err(Denial { words, for_good }) => {
                self.wasted += usize::from(ticket.qos == Qos::ExactlyOnce);
                if for_good { Fate::Refused(words) } else { Fate::Again(words) }
            }
        };
        self.settle(ticket, fate);
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

    /// Whether another connection is called for: with a refused QoS 2 message the library loses a place in its window.
    pub(crate) fn is_spent(&self) -> bool {
        self.wasted * 2 >= self.window && self.wasted > 0
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

    fn fed(outbox: &mut Outbox) -> usize {
        let mut count = 0;
        outbox.feed(|_| {
            count += 1;
            true
        });
        count
    }

    fn no(for_good: bool) -> Result<(), Denial> {
        Err(Denial { words: "no".into(), for_good })
    }

    #[test]
    fn no_more_than_the_window_counted_from_the_oldest() {
        let mut outbox = Outbox::new(2, 1000);
        outbox.begin(batch(Qos::AtLeastOnce, 4));
        assert_eq!(fed(&mut outbox), 2);
        outbox.written(1);
        outbox.written(2);
        outbox.settled(2, Ok(()));
        // The first is still open, and its packet id is the next the library would give.
        assert_eq!(fed(&mut outbox), 0);
        outbox.settled(1, Ok(()));
        assert_eq!(fed(&mut outbox), 2);
        outbox.written(1);
        outbox.written(2);
        assert_eq!(outbox.finished(), None);
        outbox.settled(1, no(true));
        outbox.settled(2, no(false));
        let fates = outbox.finished().unwrap();
        let refused = Some(Fate::Refused("no".into()));
        assert_eq!(fates, [Some(Fate::Taken), Some(Fate::Taken), refused, Some(Fate::Again("no".into()))]);
        assert_eq!(outbox.finished(), None);
    }

    #[test]
    fn qos_0_is_done_when_it_is_written() {
        let mut outbox = Outbox::new(1, 1000);
        outbox.begin(batch(Qos::AtMostOnce, 2));
        assert_eq!(fed(&mut outbox), 1);
        outbox.written(0);
        assert_eq!(fed(&mut outbox), 1);
        outbox.written(0);
        assert_eq!(outbox.finished().unwrap().len(), 2);
    }

    #[test]
    fn what_the_server_never_takes_is_not_sent() {
        let mut outbox = Outbox::new(5, 100);
        outbox.begin(vec![publication(Qos::AtLeastOnce, 200), publication(Qos::AtLeastOnce, 1)]);
        assert_eq!(fed(&mut outbox), 1);
        outbox.written(1);
        outbox.settled(1, Ok(()));
        let fates = outbox.finished().unwrap();
        assert!(matches!(&fates[0], Some(Fate::Refused(words)) if words.contains("100 bytes")), "{fates:?}");
        assert_eq!(fates[1], Some(Fate::Taken));
    }

    #[test]
    fn answers_for_a_batch_that_was_given_up_mean_nothing() {
        let mut outbox = Outbox::new(5, 1000);
        outbox.begin(batch(Qos::ExactlyOnce, 2));
        fed(&mut outbox);
        outbox.written(1);
        outbox.settled(1, Ok(()));
        assert_eq!(outbox.give_up(), [Some(Fate::Taken), None]);
        outbox.begin(batch(Qos::ExactlyOnce, 1));
        fed(&mut outbox);
        outbox.written(2);
        outbox.written(3);
        outbox.settled(2, Ok(()));
        assert_eq!(outbox.finished(), None);
        outbox.settled(3, Ok(()));
        assert_eq!(outbox.finished(), Some(vec![Some(Fate::Taken)]));
        outbox.settled(9, Ok(()));
    }

    #[test]
    fn refusals_with_qos_2_use_the_connection_up() {
        let mut outbox = Outbox::new(4, 1000);
        outbox.begin(batch(Qos::ExactlyOnce, 4));
        fed(&mut outbox);
        for id in 1..=4 {
            outbox.written(id);
        }
        outbox.settled(1, no(true));
        assert!(!outbox.is_spent());
        outbox.settled(2, no(true));
        assert!(outbox.is_spent());
    }

    proptest! {
        /// A library that gives ids round the window never comes to one that is taken, in whatever order the server
        /// answers; and every message gets a fate.
        #[test]
        fn ids_never_collide(window in 1usize..6, count in 0usize..40, picks in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
            let mut outbox = Outbox::new(window, 1000);
            outbox.begin(batch(Qos::AtLeastOnce, count));
            let mut under_way: Vec<u16> = Vec::new();
            let mut next = 0u16;
            for pick in picks {
                let fed = fed(&mut outbox);
                for _ in 0..fed {
                    next = if usize::from(next) == window { 1 } else { next + 1 };
                    prop_assert!(!under_way.contains(&next));
                    under_way.push(next);
                    outbox.written(next);
                }
                if !under_way.is_empty() {
                    let id = under_way.remove(pick.index(under_way.len()));
                    outbox.settled(id, Ok(()));
                }
            }
            if count > 0 {
                prop_assert_eq!(outbox.finished(), Some(vec![Some(Fate::Taken); count]));
            }
        }
    }
}
