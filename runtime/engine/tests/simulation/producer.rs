//! A producer whose broker does as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::Topic;
use lavka_api::{Error, Result};
use lavka_ports::{Ack, OutgoingRecord, Producer, SendError, TransactionalProducer};
use tokio::sync::Notify;

/// A record that the producer was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) partition: Option<i32>,
    token: usize,
}

impl Sent {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name).expect(name);
        value.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap())
    }
}

/// What becomes of a record.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Ack,
    Nack(Error),
    /// Taken, and nothing said until the test does.
    Hold,
    Full,
    Refuse(Error),
    Fatal(Error),
}

type Decide = Box<dyn FnMut(&Sent) -> Answer + Send>;

struct State {
    /// Everything that was taken.
    sent: Vec<Sent>,
    /// Places in `sent` of what was not answered for.
    held: VecDeque<usize>,
    acks: Vec<Ack>,
    decide: Decide,
    most_held: usize,
    /// What was asked of it, in order: calls of the port by their names, records by their topics and texts.
    calls: Vec<String>,
    /// What the next calls come to, by their names.
    orders: VecDeque<(&'static str, Error)>,
}

pub(crate) struct FakeProducer {
    state: Mutex<State>,
    arrived: Notify,
}

impl FakeProducer {
    pub(crate) fn new() -> Arc<Self> {
        Self::deciding(|_| Answer::Ack)
    }

    pub(crate) fn deciding(decide: impl FnMut(&Sent) -> Answer + Send + 'static) -> Arc<Self> {
        let state = State {
            sent: Vec::new(),
            held: VecDeque::new(),
            acks: Vec::new(),
            decide: Box::new(decide),
            most_held: 0,
            calls: Vec::new(),
            orders: VecDeque::new(),
        };
        Arc::new(Self { state: Mutex::new(state), arrived: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.state().sent.iter().map(|sent| sent.text().to_owned()).collect()
    }

    /// Texts of what is held, oldest first.
    pub(crate) fn held_texts(&self) -> Vec<String> {
        let state = self.state();
        state.held.iter().map(|&at| state.sent[at].text().to_owned()).collect()
    }

    pub(crate) fn held(&self) -> usize {
        self.state().held.len()
    }

    /// The most records that were ever held at once.
    pub(crate) fn most_held(&self) -> usize {
        self.state().most_held
    }

    /// Answers for the held record number `place` (of those still held, the oldest is 0).
    pub(crate) fn answer(&self, place: usize, outcome: Result<()>) {
        let mut state = self.state();
        let at = state.held.remove(place).unwrap();
        let token = state.sent[at].token;
        state.acks.push(Ack { token, outcome: outcome.map(|()| (0, at as i64)) });
        self.arrived.notify_one();
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// The next call of this name fails.
    pub(crate) fn fail(&self, call: &'static str, error: Error) {
        self.state().orders.push_back((call, error));
    }

    fn called(&self, call: &'static str) -> Result<()> {
        let mut state = self.state();
        state.calls.push(call.to_owned());
        match state.orders.iter().position(|(name, _)| *name == call).and_then(|at| state.orders.remove(at)) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Acknowledges everything that is held.
    pub(crate) fn release(&self) {
        for _ in 0..self.held() {
            self.answer(0, Ok(()));
        }
    }
}

#[async_trait]
impl Producer for FakeProducer {
    fn send(&self, record: OutgoingRecord<'_>) -> std::result::Result<(), SendError> {
        let sent = Sent {
            topic: record.topic.to_string(),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp: record.timestamp,
            partition: record.partition,
            token: record.token,
        };
        let mut state = self.state();
        let outcome = match (state.decide)(&sent) {
            Answer::Full => return Err(SendError::QueueFull),
            Answer::Refuse(error) => return Err(SendError::Refused(error)),
            Answer::Fatal(error) => return Err(SendError::Fatal(error)),
            Answer::Hold => None,
            Answer::Ack => Some(Ok((0, state.sent.len() as i64))),
            Answer::Nack(error) => Some(Err(error)),
        };
        let place = state.sent.len();
        state.calls.push(format!("{} {}", sent.topic, sent.text()));
        state.sent.push(sent);
        match outcome {
            None => {
                state.held.push_back(place);
                state.most_held = state.most_held.max(state.held.len());
            }
            Some(outcome) => {
                state.acks.push(Ack { token: record.token, outcome });
                self.arrived.notify_one();
            }
        }
        Ok(())
    }

    async fn acks(&self, out: &mut Vec<Ack>) {
        loop {
            {
                let mut state = self.state();
                if !state.acks.is_empty() {
                    out.append(&mut state.acks);
                    return;
                }
            }
            self.arrived.notified().await;
        }
    }

    async fn flush(&self, _: Duration) -> bool {
        self.held() == 0
    }

    async fn partitions(&self, _: &Topic, _: Duration) -> Result<Option<i32>> {
        Ok(Some(1))
    }
}

#[async_trait]
impl TransactionalProducer for FakeProducer {
    async fn init(&self, _: Duration) -> Result<()> {
        self.called("init")
    }

    fn begin(&self) -> Result<()> {
        self.called("begin")
    }

    /// As a real one: nothing is committed before everything is acknowledged.
    async fn commit(&self, timeout: Duration) -> Result<()> {
        if self.held() > 0 {
            tokio::time::sleep(timeout).await;
            return Err(Error::retriable("records are in flight"));
        }
        self.called("commit")
    }

    async fn abort(&self, _: Duration) -> Result<()> {
        self.called("abort")
    }
}
