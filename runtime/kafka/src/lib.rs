//! librdkafka and Kafka's wire protocol behind the ports.
//!
//! [`RdKafkaCluster`] opens clients from configurations written with Java's keys. Producers and consumers are
//! librdkafka's; admin clients, and whatever else the binding lacks, run on a small client of our own.
//!
//! # Map
//!
//! - `settings`: Java's keys, one table row each, and the defaults. Pure.
//! - `producer`: sending, with acknowledgements handed back in batches; transactions.
//! - `topic_log`: reading a topic as a whole.
//! - `consumer`: a member of a group on a thread of its own, and the bounded inbox it fills.
//! - `admin`: topics, end offsets, group offsets, fencing of producers.
//! - `wire`: connections, requests and authentication of our own client.
//! - `oauth`: tokens of OAUTHBEARER, for librdkafka and the wire client.
//! - `failure`: error codes as errors with Java's names and texts; `log`: librdkafka's log lines as ours.
//!
//! # Invariants
//!
//! - Nothing here blocks an async thread: librdkafka is polled on threads of its own, its blocking calls run on the
//!   blocking pool.
//! - Every queue is bounded: records in flight by count and by `buffer.memory`, records read ahead by the caller's
//!   [`Buffer`](lavka_ports::Buffer) and, per partition, by librdkafka's queues.
//! - A rebalance is answered only after the reader let go or the deadline passed; records of a revoked partition are
//!   never handed out after it was told.
//! - Secrets are in no log line, error text or `Debug` output.
//! - Bytes from a broker never panic the wire client and never make it reserve more than a bounded amount of memory.

mod admin;
mod consumer;
mod failure;
mod log;
mod oauth;
mod producer;
mod settings;
mod topic_log;
mod wire;

use std::sync::Arc;

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_ports::{Admin, Buffer, Cluster, Consumer, LogReader, Producer, TransactionalProducer};

pub use settings::{ClientKind, KeyFate, Translation, key_fate, translations};

/// A Kafka cluster reached over the network: whatever `bootstrap.servers` names.
///
/// Producers and consumers must be made and used inside of a tokio runtime; each has one thread of its own beside
/// librdkafka's.
#[derive(Debug, Clone, Copy, Default)]
pub struct RdKafkaCluster;

impl RdKafkaCluster {
    /// Opens nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Cluster for RdKafkaCluster {
    fn producer(&self, config: &Config) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(producer::RdKafkaProducer::new(config)?))
    }

    fn transactional_producer(&self, config: &Config) -> Result<Arc<dyn TransactionalProducer>> {
        Ok(Arc::new(producer::RdKafkaProducer::transactional(config)?))
    }

    fn log_reader(&self, config: &Config, topic: &str) -> Result<Box<dyn LogReader>> {
        Ok(Box::new(topic_log::TopicLog::new(config, topic)?))
    }

    fn consumer(&self, config: &Config, buffer: Buffer) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(consumer::RdKafkaConsumer::new(config, buffer)?))
    }

    fn admin(&self, config: &Config) -> Result<Arc<dyn Admin>> {
        Ok(Arc::new(admin::WireAdmin::new(config)?))
    }
}
