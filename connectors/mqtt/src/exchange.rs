//! What the connection, `poll` and the listener for deliveries share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lavka_api::Error;
use lavka_api::plugin::DeliveryListener;
use tokio::sync::Notify;

use crate::inbox::{Arrival, Inbox, Limits};
use crate::message::Message;
use crate::window::Ack;

/// The inbox behind a lock that is never held across an await, and who waits for what.
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// Wakes `poll`: there is a message, or the connection has failed for good.
    news: Notify,
    /// Wakes the connection: there is an acknowledgement to send.
    acks: Notify,
    /// Wakes the connection: there may be room again.
    room: Notify,
}

struct State {
    inbox: Inbox,
    failure: Option<Error>,
}

impl Exchange {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State { inbox: Inbox::new(limits), failure: None }),
            news: Notify::new(),
            acks: Notify::new(),
            room: Notify::new(),
        }
    }

    // The connection's side.

    /// A connection stands, and what came over the one before can be acknowledged no more; how many messages were thrown
    /// away because they will come again, which they do where the session of the connection before goes on (`resumed`).
    pub(crate) fn connected(&self, resumed: bool) -> usize {
        self.lock().inbox.connected(resumed)
    }

    /// Takes a message. If it had to be dropped, how many have been so far.
    pub(crate) fn arrived(&self, message: Message) -> Result<(), u64> {
        {
            let mut state = self.lock();
            if !state.inbox.arrived(message) {
                return Err(state.inbox.dropped());
            }
        }
        self.news.notify_one();
        Ok(())
    }

    /// Whether more may be read from the server.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().inbox.has_room()
    }

    /// Waits until there may be room.
    pub(crate) async fn room(&self) {
        while !self.has_room() {
            self.room.notified().await;
        }
    }

    /// Hands acknowledgements that are due to `send`, in order, until it takes no more; true if none is left.
    pub(crate) fn send_acks(&self, mut send: impl FnMut(Ack) -> bool) -> bool {
        let mut state = self.lock();
        while let Some(ack) = state.inbox.window.next_ack() {
            if !send(ack) {
                return false;
            }
            state.inbox.window.acknowledged();
        }
        true
    }

    /// Waits until acknowledgements may have become due.
    pub(crate) async fn ack_due(&self) {
        self.acks.notified().await;
    }

    /// The connection cannot be had; `poll` fails with `error` once it has handed out what is there.
    pub(crate) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
        self.news.notify_one();
    }

    // The task's side.

    /// Messages in order of arrival, waiting for some. Nothing is lost where this future is dropped.
    ///
    /// # Errors
    /// Why the connection failed for good.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Arrival>, Error> {
        loop {
            {
                let mut state = self.lock();
                if !state.inbox.is_empty() {
                    let full = !state.inbox.has_room();
                    let taken = state.inbox.take(limit);
                    if full {
                        self.room.notify_one();
                    }
                    return Ok(taken);
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
            }
            self.news.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryListener for Exchange {
    fn delivered(&self, tokens: &[u64]) {
        let due = {
            let mut state = self.lock();
            let window = &mut state.inbox.window;
            for token in tokens {
                window.delivered(*token);
            }
            window.next_ack().is_some()
        };
        if due {
            self.acks.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::Qos;

    fn message(id: u16) -> Message {
        Message {
            topic: "t".into(),
            payload: (&[1]).into(),
            packet_id: id,
            qos: Qos::AtLeastOnce,
            retained: false,
            duplicate: false,
            received: 0,
            properties: None,
        }
    }

    fn exchange() -> Exchange {
        Exchange::new(Limits { messages: 2, bytes: 1 << 20 })
    }

    #[tokio::test]
    async fn acknowledgements_leave_in_order_and_stop_where_the_client_takes_no_more() {
        let exchange = exchange();
        for id in 1..=3 {
            exchange.arrived(message(id)).unwrap();
        }
        let tokens: Vec<u64> = exchange.take(9).await.unwrap().iter().map(|a| a.token).collect();
        exchange.delivered(&tokens[1..]);
        assert!(exchange.send_acks(|ack| panic!("{ack:?} is not due")));
        exchange.delivered(&tokens[..1]);
        exchange.ack_due().await;
        let mut sent = Vec::new();
        let take_two = |ack: Ack, sent: &mut Vec<u16>| {
            let room = sent.len() < 2;
            if room {
                sent.push(ack.packet_id);
            }
            room
        };
        assert!(!exchange.send_acks(|ack| take_two(ack, &mut sent)));
        assert_eq!(sent, [1, 2]);
        sent.clear();
        assert!(exchange.send_acks(|ack| take_two(ack, &mut sent)));
        assert_eq!(sent, [3]);
    }

    #[tokio::test]
    async fn a_failure_is_reported_behind_what_had_arrived() {
        let exchange = exchange();
        exchange.arrived(message(1)).unwrap();
        exchange.fail(Error::fatal("no"));
        exchange.fail(Error::fatal("later"));
        assert_eq!(exchange.take(9).await.unwrap().len(), 1);
        assert_eq!(exchange.take(9).await.unwrap_err().message(), Some("no"));
    }

    #[tokio::test]
    async fn taking_makes_room() {
        let exchange = exchange();
        for id in 1..=2 {
            exchange.arrived(message(id)).unwrap();
        }
        assert!(!exchange.has_room());
        let waiting = tokio::time::timeout(Duration::from_secs(20), exchange.room());
        let (waited, taken) = tokio::join!(waiting, async {
            tokio::task::yield_now().await;
            exchange.take(1).await
        });
        assert!(waited.is_ok() && taken.unwrap().len() == 1);
    }
}
