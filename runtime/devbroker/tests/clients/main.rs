//! The broker with librdkafka on the other side, and with sockets that speak nonsense.
//!
//! Nothing here measures time: waiting is bounded so that a mistake ends the test, and no test asks how long
//! something took.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod admin;
mod faults;
mod groups;
mod records;
mod security;
mod sockets;
mod transactions;

use std::{
    thread,
    time::{Duration, Instant},
};

use lavka_devbroker::{Broker, BrokerConfig};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};

/// A mistake ends a test after this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker with a runtime of its own, so that the blocking clients can be called from the test's thread.
struct Running {
    runtime: tokio::runtime::Runtime,
    broker: Broker,
}

impl Running {
    fn new() -> Self {
        Self::with(BrokerConfig::default())
    }

    fn with(config: BrokerConfig) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let broker = runtime.block_on(Broker::start(config)).unwrap();
        Self { runtime, broker }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap());
        config
    }

    fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.client();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().unwrap()
    }

    fn consumer(&self, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.client();
        config
            .set("group.id", "group")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        // What makes a group of librdkafka consumers quick to agree.
        config.set("heartbeat.interval.ms", "100").set("session.timeout.ms", "6000");
        config.set("fetch.wait.max.ms", "100");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in configs {
            topic = topic.set(key, value);
        }
        let admin = self.admin();
        let created = admin.create_topics([&topic], &AdminOptions::new());
        assert_eq!(self.runtime.block_on(created).unwrap(), [Ok(name.to_owned())]);
    }

    /// Sends texts to a partition and waits until all are acknowledged.
    fn send(&self, topic: &str, partition: i32, values: &[&str]) {
        let producer = self.producer(&[("linger.ms", "0")]);
        for value in values {
            producer.send(BaseRecord::<(), str>::to(topic).partition(partition).payload(value)).unwrap();
        }
        flush(&producer);
    }

    fn shutdown(self) {
        self.runtime.block_on(self.broker.shutdown());
    }
}

/// Waits until everything is acknowledged, in smaller steps than `Producer::flush` takes.
fn flush<C: ProducerContext>(producer: &BaseProducer<C>) {
    until("acknowledgements", || producer.poll(Duration::from_millis(1)), || producer.in_flight_count() == 0);
}

/// Polls until so many messages have come.
fn receive(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let start = Instant::now();
    let mut messages = Vec::new();
    while messages.len() < count {
        assert!(start.elapsed() < PATIENCE, "only {} of {count} messages came", messages.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            messages.push(message.unwrap().detach());
        }
    }
    messages
}

/// Waits for something to become true, doing `meanwhile` over and over.
fn until(what: &str, mut meanwhile: impl FnMut(), mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        meanwhile();
        thread::sleep(Duration::from_millis(1));
    }
}

fn assigned(consumer: &BaseConsumer) -> usize {
    consumer.assignment().unwrap().count()
}
