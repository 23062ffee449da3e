//! Which messages of a connection were received and may be acknowledged. Pure.

use std::collections::VecDeque;

/// An acknowledgement to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The packet id the server gave the message.
    pub(crate) packet_id: u16,
    /// QoS 2 (`PUBREC`) instead of QoS 1 (`PUBACK`).
    pub(crate) exactly_once: bool,
}

/// The token of a message that the server expects no acknowledgement for.
pub(crate) const NOT_ACKNOWLEDGED: u64 = u64::MAX;

/// The unacknowledged messages of one network connection, in order of arrival.
///
/// Acknowledgements have to go out in the order in which the messages came (MQTT 3.1.1 and 5, §4.6), while Kafka
/// delivers in any order: a message that is delivered early waits for those before it. And they belong to the
/// connection on which the message came: after a reconnect the server sends again whatever is open, possibly under
/// other packet ids, so an acknowledgement for an earlier connection would at best be unasked for and at worst
/// acknowledge another message.
///
/// Tokens count up over all connections, which makes one comparison tell the connection: everything below `first` is
/// of an earlier one.
#[derive(Debug, Default)]
pub(crate) struct AckWindow {
    first: u64,
    messages: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    ack: Ack,
    delivered: bool,
}

impl AckWindow {
    /// A message arrived that wants `ack`; its token.
    pub(crate) fn arrived(&mut self, ack: Ack) -> u64 {
        self.messages.push_back(Pending { ack, delivered: false });
        self.next_token() - 1
    }

    /// The message with `token` is safe in Kafka. Unknown tokens, and those of earlier connections, mean nothing.
    pub(crate) fn delivered(&mut self, token: u64) {
        let index = token.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(message) = index.and_then(|index| self.messages.get_mut(index)) {
            message.delivered = true;
        }
    }

    /// The next acknowledgement that may go out.
    pub(crate) fn next_ack(&self) -> Option<Ack> {
        self.messages.front().filter(|message| message.delivered).map(|message| message.ack)
    }

    /// What [`next_ack`](Self::next_ack) gave is on its way.
    pub(crate) fn acknowledged(&mut self) {
        if self.messages.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The connection is gone, and with it everything that waited for an acknowledgement.
    pub(crate) fn connection_lost(&mut self) {
        self.first = self.next_token();
        self.messages.clear();
    }

    /// The token of the message that arrives next.
    pub(crate) fn next_token(&self) -> u64 {
        self.first + u64::try_from(self.messages.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ack(packet_id: u16) -> Ack {
        Ack { packet_id, exactly_once: false }
    }

    fn drain(window: &mut AckWindow) -> Vec<u16> {
        let mut sent = Vec::new();
        while let Some(ack) = window.next_ack() {
            window.acknowledged();
            sent.push(ack.packet_id);
        }
        sent
    }

    #[test]
    fn early_deliveries_wait_for_those_before_them() {
        let mut window = AckWindow::default();
        let tokens: Vec<u64> = (1..=4).map(|id| window.arrived(ack(id))).collect();
        window.delivered(tokens[2]);
        window.delivered(tokens[1]);
        assert!(drain(&mut window).is_empty());
        window.delivered(tokens[0]);
        assert_eq!(drain(&mut window), [1, 2, 3]);
        assert_eq!(window.messages.len(), 1);
    }

    #[test]
    fn acknowledgements_of_an_earlier_connection_are_void() {
        let mut window = AckWindow::default();
        let old = window.arrived(ack(1));
        window.connection_lost();
        // The server sends it again, under the same packet id.
        let again = window.arrived(Ack { packet_id: 1, exactly_once: true });
        window.delivered(old);
        assert!(drain(&mut window).is_empty());
        window.delivered(again);
        assert_eq!(window.next_ack(), Some(Ack { packet_id: 1, exactly_once: true }));
    }

    #[test]
    fn a_delivered_message_of_a_lost_connection_is_not_acknowledged() {
        let mut window = AckWindow::default();
        let token = window.arrived(ack(7));
        window.delivered(token);
        assert_eq!(window.next_ack(), Some(ack(7)));
        window.connection_lost();
        assert_eq!(window.next_ack(), None);
    }

    #[test]
    fn foreign_and_repeated_tokens_mean_nothing() {
        let mut window = AckWindow::default();
        for token in [0, 5, NOT_ACKNOWLEDGED] {
            window.delivered(token);
        }
        let token = window.arrived(ack(1));
        assert!(drain(&mut window).is_empty());
        window.delivered(token);
        assert_eq!(drain(&mut window), [1]);
        let next = window.arrived(ack(2));
        window.delivered(token);
        assert!(drain(&mut window).is_empty());
        window.delivered(next);
        assert_eq!(drain(&mut window), [2]);
    }

    #[test]
    fn acknowledging_nothing_changes_nothing() {
        let mut window = AckWindow::default();
        window.acknowledged();
        assert_eq!(window.arrived(ack(1)), 0);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Arrive,
        /// Deliver the token at this place among all that were ever given out.
        Deliver(prop::sample::Index),
        Send(usize),
        Reconnect,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            5 => Just(Step::Arrive),
            5 => any::<prop::sample::Index>().prop_map(Step::Deliver),
            2 => (0usize..4).prop_map(Step::Send),
            1 => Just(Step::Reconnect),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a plain list of messages: what goes out is always the longest prefix of delivered messages of this
        /// connection, each once and in order.
        #[test]
        fn sends_the_delivered_prefix_of_this_connection(steps in steps()) {
            let mut window = AckWindow::default();
            // (token, packet id, connection, delivered)
            let mut messages: Vec<(u64, u16, u32, bool)> = Vec::new();
            let (mut connection, mut packet_id) = (0, 0);
            let mut sent: Vec<(u32, u16)> = Vec::new();
            for step in steps {
                match step {
                    Step::Arrive => {
                        packet_id += 1;
                        messages.push((window.arrived(ack(packet_id)), packet_id, connection, false));
                    }
                    Step::Deliver(index) if !messages.is_empty() => {
                        let message = index.get(&messages).0;
                        window.delivered(message);
                        for m in messages.iter_mut().filter(|m| m.0 == message && m.2 == connection) {
                            m.3 = true;
                        }
                    }
                    Step::Deliver(_) => {}
                    Step::Send(limit) => {
                        for _ in 0..limit {
                            let Some(next) = window.next_ack() else { break };
                            window.acknowledged();
                            sent.push((connection, next.packet_id));
                        }
                    }
                    Step::Reconnect => {
                        window.connection_lost();
                        connection += 1;
                        packet_id = 0;
                    }
                }
                let here: Vec<_> = messages.iter().filter(|m| m.2 == connection).collect();
                let out: Vec<u16> = sent.iter().filter(|s| s.0 == connection).map(|s| s.1).collect();
                prop_assert!(out.iter().copied().eq(here.iter().take(out.len()).map(|m| m.1)));
                prop_assert!(here.iter().take(out.len()).all(|m| m.3));
                let next = here.get(out.len()).filter(|m| m.3).map(|m| m.1);
                prop_assert_eq!(window.next_ack().map(|a| a.packet_id), next);
                prop_assert_eq!(window.messages.len(), here.len() - out.len());
            }
            let mut tokens: Vec<u64> = messages.iter().map(|m| m.0).collect();
            tokens.dedup();
            prop_assert_eq!(tokens.len(), messages.len());
        }
    }
}
