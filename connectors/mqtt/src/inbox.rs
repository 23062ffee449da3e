//! Messages between the connection and `poll`. Pure.

use std::collections::VecDeque;

use crate::message::{Message, Qos};
use crate::window::{Ack, AckWindow, NOT_ACKNOWLEDGED};

/// A message with the token by which its delivery will be reported.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) token: u64,
    pub(crate) message: Message,
}

/// What the inbox may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Messages.
    pub(crate) messages: usize,
    /// Bytes, see [`Message::size`].
    pub(crate) bytes: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, size: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(size);
    }

    fn remove(&mut self, size: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }

    fn fits(self, limits: Limits) -> bool {
        self.messages < limits.messages && self.bytes < limits.bytes
    }
}

/// Messages that wait to be handed out, and the window of those that wait to be acknowledged.
///
/// QoS 0 messages beyond the limits are dropped: nobody would send them again anyway. QoS 1 and 2 messages are always
/// taken, because they are here already; that nothing more be read once they have reached the limits is for the
/// connection to see to ([`has_room`](Self::has_room)). Both kinds together hold at most twice the limits, and what one
/// read of the client brings.
#[derive(Debug)]
pub(crate) struct Inbox {
    limits: Limits,
    waiting: VecDeque<Arrival>,
    load: Load,
    /// The part of `load` that has QoS 1 or 2.
    reliable: Load,
    pub(crate) window: AckWindow,
    /// The first token of the session that stands; what came before it is of sessions that are gone.
    session: u64,
    dropped: u64,
}

impl Inbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            load: Load::default(),
            reliable: Load::default(),
            window: AckWindow::default(),
            session: 0,
            dropped: 0,
        }
    }

    /// Takes a message; false if it was dropped.
    pub(crate) fn arrived(&mut self, message: Message) -> bool {
        let size = message.size();
        let token = match message.qos {
            Qos::AtMostOnce if !self.load.fits(self.limits) => {
                self.dropped += 1;
                return false;
            }
            Qos::AtMostOnce => NOT_ACKNOWLEDGED,
            Qos::AtLeastOnce | Qos::ExactlyOnce => {
                self.reliable.add(size);
                let exactly_once = message.qos == Qos::ExactlyOnce;
                self.window.arrived(Ack { packet_id: message.packet_id, exactly_once })
            }
        };
        self.load.add(size);
        self.waiting.push_back(Arrival { token, message });
        true
    }

    /// Hands out at most `limit` messages in order of arrival.
    pub(crate) fn take(&mut self, limit: usize) -> Vec<Arrival> {
        let count = self.waiting.len().min(limit);
        let taken: Vec<Arrival> = self.waiting.drain(..count).collect();
        for arrival in &taken {
            let size = arrival.message.size();
            self.load.remove(size);
            if arrival.token != NOT_ACKNOWLEDGED {
                self.reliable.remove(size);
            }
        }
        taken
    }

    /// A new connection stands. Where the session of the connection before goes on (`resumed`), the server sends again
    /// every message of it that was not acknowledged (MQTT 3.1.1 and 5, §4.4), so the copies that were not handed out yet
    /// are thrown away: a server that connects and loses us again and again would otherwise fill memory with the same
    /// messages. What came in a session that is gone, or that another server has, is the last copy and stays. Returns how
    /// many were thrown away.
    pub(crate) fn connected(&mut self, resumed: bool) -> usize {
        self.window.connection_lost();
        if !resumed {
            self.session = self.window.next_token();
            return 0;
        }
        let before = self.waiting.len();
        let Self { waiting, load, reliable, session, .. } = self;
        waiting.retain(|arrival| {
            let comes_again = arrival.token != NOT_ACKNOWLEDGED && arrival.token >= *session;
            if comes_again {
                let size = arrival.message.size();
                load.remove(size);
                reliable.remove(size);
            }
            !comes_again
        });
        before - self.waiting.len()
    }

    /// Whether more may be read from the server.
    pub(crate) fn has_room(&self) -> bool {
        self.reliable.fits(self.limits)
    }

    /// Whether nothing waits to be handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// QoS 0 messages dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, qos: Qos, payload: usize) -> Message {
        Message {
            topic: "t".into(),
            payload: vec![0; payload].into(),
            packet_id: id,
            qos,
            retained: false,
            duplicate: false,
            received: 0,
            properties: None,
        }
    }

    fn ids(arrivals: &[Arrival]) -> Vec<u16> {
        arrivals.iter().map(|a| a.message.packet_id).collect()
    }

    const WIDE: Limits = Limits { messages: 100, bytes: 1 << 20 };

    #[test]
    fn messages_come_out_in_order_and_a_batch_at_a_time() {
        let mut inbox = Inbox::new(WIDE);
        for id in 1..=5 {
            assert!(inbox.arrived(message(id, Qos::AtLeastOnce, 10)));
        }
        assert_eq!(ids(&inbox.take(3)), [1, 2, 3]);
        assert_eq!(ids(&inbox.take(3)), [4, 5]);
        assert!(inbox.take(3).is_empty() && inbox.is_empty());
    }

    #[test]
    fn qos_0_beyond_the_limits_is_dropped_and_counted() {
        let mut inbox = Inbox::new(Limits { messages: 2, bytes: 1 << 20 });
        let taken: Vec<bool> = (0..4).map(|_| inbox.arrived(message(0, Qos::AtMostOnce, 1))).collect();
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!(inbox.dropped(), 2);
        // It never keeps the connection from reading: that would only move the loss to the server.
        assert!(inbox.has_room());
        inbox.take(1);
        assert!(inbox.arrived(message(0, Qos::AtMostOnce, 1)));

        let mut inbox = Inbox::new(Limits { messages: 100, bytes: 1000 });
        assert!(inbox.arrived(message(0, Qos::AtMostOnce, 5000)));
        assert!(!inbox.arrived(message(0, Qos::AtMostOnce, 1)));
    }

    #[test]
    fn qos_1_is_never_dropped_but_stops_the_reading() {
        let mut inbox = Inbox::new(Limits { messages: 2, bytes: 1 << 20 });
        assert!(inbox.arrived(message(1, Qos::AtLeastOnce, 1)));
        assert!(inbox.has_room());
        assert!(inbox.arrived(message(2, Qos::ExactlyOnce, 1)));
        assert!(!inbox.has_room());
        assert!(inbox.arrived(message(3, Qos::AtLeastOnce, 1)));
        inbox.take(1);
        assert!(!inbox.has_room());
        inbox.take(1);
        assert!(inbox.has_room());
        assert_eq!(inbox.dropped(), 0);
    }

    #[test]
    fn what_the_server_will_send_again_is_thrown_away() {
        let mut inbox = Inbox::new(Limits { messages: 3, bytes: 1 << 20 });
        inbox.arrived(message(1, Qos::AtLeastOnce, 1));
        inbox.arrived(message(0, Qos::AtMostOnce, 1));
        inbox.arrived(message(2, Qos::ExactlyOnce, 1));
        inbox.arrived(message(3, Qos::AtLeastOnce, 1));
        let handed_out = inbox.take(1);
        assert_eq!(inbox.connected(true), 2);
        assert_eq!(ids(&inbox.take(9)), [0]);
        assert!(inbox.has_room() && inbox.load.messages == 0 && inbox.load.bytes == 0);
        // What was handed out before belongs to the connection that is gone.
        inbox.window.delivered(handed_out[0].token);
        assert_eq!(inbox.window.next_ack(), None);
    }

    #[test]
    fn the_last_copy_stays_when_the_next_session_goes_on() {
        let mut inbox = Inbox::new(Limits { messages: 3, bytes: 1 << 20 });
        inbox.arrived(message(1, Qos::AtLeastOnce, 10));
        inbox.arrived(message(0, Qos::AtMostOnce, 10));
        assert_eq!(inbox.connected(false), 0);
        inbox.arrived(message(2, Qos::AtLeastOnce, 10));
        inbox.arrived(message(3, Qos::ExactlyOnce, 10));
        assert!(!inbox.has_room());
        assert_eq!(inbox.connected(true), 2);
        assert!(inbox.has_room() && (inbox.load.messages, inbox.reliable.messages) == (2, 1));
        assert_eq!(inbox.connected(true), 0);
        assert_eq!(ids(&inbox.take(9)), [1, 0]);
        assert_eq!((inbox.load.bytes, inbox.reliable.bytes), (0, 0));
    }

    #[test]
    fn without_a_session_the_last_copy_stays_but_is_not_acknowledged() {
        let mut inbox = Inbox::new(WIDE);
        inbox.arrived(message(1, Qos::AtLeastOnce, 1));
        assert_eq!(inbox.connected(false), 0);
        inbox.arrived(message(1, Qos::AtLeastOnce, 1));
        let taken = inbox.take(9);
        assert_eq!(ids(&taken), [1, 1]);
        inbox.window.delivered(taken[0].token);
        assert_eq!(inbox.window.next_ack(), None);
        inbox.window.delivered(taken[1].token);
        assert_eq!(inbox.window.next_ack(), Some(Ack { packet_id: 1, exactly_once: false }));
        assert!(inbox.has_room() && inbox.reliable.messages == 0);
    }
}
