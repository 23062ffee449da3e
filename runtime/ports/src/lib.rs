//! What the runtime asks of a Kafka cluster: traits and plain types.
//!
//! The engine and the worker know Kafka through these ports alone. `lavka-kafka` implements them on librdkafka and on
//! Kafka's wire protocol; simulations implement them in memory.
//!
//! - [`Cluster`] opens clients from configurations written with Java's client keys.
//! - [`Producer`] sends records, each with an integer token, and hands back tokens in batches: no future and no
//!   allocation per record.
//! - [`TransactionalProducer`] sends in transactions.
//! - [`LogReader`] reads all of a topic.
//! - [`Consumer`] reads as a member of a consumer group, with a handshake for rebalances.
//! - [`Admin`] looks at and changes topics and consumer groups.

mod admin;
mod consumer;
mod log;
mod producer;

use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::config::Config;

pub use admin::{Admin, ClusterInfo, NewTopic, TopicCreated, TopicInfo};
pub use consumer::{
    ConsumedRecord, Consumer, ConsumerEvent, RebalanceDone, RebalanceWaiter, Subscription,
    rebalance_handshake,
};
pub use log::{EachRecord, LogReader, LogRecord};
pub use producer::{Ack, OutgoingRecord, Producer, SendError, TransactionalProducer};

/// Opens clients of one kind of Kafka. Configurations use Java's client keys (`bootstrap.servers`, `acks`,
/// `security.protocol` …) without any `producer.` or `consumer.` prefix; the implementation translates them.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// A producer. Nothing is sent yet; a broker that is not there shows as a failed acknowledgement later.
    ///
    /// # Errors
    /// A config error for a setting that is wrong or has no counterpart.
    fn producer(&self, config: &Config) -> Result<Arc<dyn Producer>>;

    /// A producer that sends in transactions, under the `transactional.id` of `config`.
    ///
    /// # Errors
    /// As [`producer`](Self::producer); and where there is no `transactional.id`.
    fn transactional_producer(&self, config: &Config) -> Result<Arc<dyn TransactionalProducer>>;

    /// A reader of all committed records of `topic`, by a consumer's configuration.
    ///
    /// # Errors
    /// A config error for a setting that is wrong or has no counterpart.
    fn log_reader(&self, config: &Config, topic: &str) -> Result<Box<dyn LogReader>>;

    /// A member of the consumer group that `config` names (`group.id`), not yet subscribed. `buffer` bounds what it
    /// holds ahead of the reader.
    ///
    /// # Errors
    /// A config error for a setting that is wrong or has no counterpart.
    fn consumer(&self, config: &Config, buffer: Buffer) -> Result<Box<dyn Consumer>>;

    /// An admin client.
    ///
    /// # Errors
    /// A config error for a setting that is wrong or has no counterpart.
    fn admin(&self, config: &Config) -> Result<Arc<dyn Admin>>;
}

/// Bounds of a queue, in records and in bytes; whichever is reached first holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Records at most.
    pub records: usize,
    /// Bytes at most (one record may exceed it alone).
    pub bytes: usize,
}
