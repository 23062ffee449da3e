//! An in-memory Kafka broker on the real wire protocol, for trying and testing. **Never for production**: records live
//! in memory only and are gone when it stops, there is one replica, and old records are dropped to stay within a
//! memory limit.
//!
//! It serves librdkafka, kcat, the Java clients (including 4.x) and what is built on them, over TCP or driven directly
//! by a simulation. It is ready in milliseconds, wakes waiting fetches as soon as records arrive, and uses no CPU
//! while nobody asks for anything.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use lavka_devbroker::{Broker, BrokerConfig};
//!
//! let broker = Broker::start(BrokerConfig::default()).await?;
//! println!("bootstrap.servers={}", broker.bootstrap());
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! - [`Broker`] and its private `connection`: sockets, tasks, timers. Everything asynchronous is there.
//! - `wire`: frames to requests and responses to frames, with a check that no request can make the decoder reserve
//!   more than it sent; the table of APIs and versions.
//! - [`cluster`]: the state machine. One module per subject: partition logs, idempotent producers, fetches that wait,
//!   transactions, groups, topic settings, retention, faults.
//! - [`Fault`]: what can be made to go wrong on purpose.
//! - [`TlsConfig`] and [`SaslConfig`]: who may connect.
//! - [`BrokerConfig`]: every setting, with Kafka's name for it.
//!
//! # Invariants
//!
//! - [`cluster::Cluster`] decides everything and knows no clock, no socket and no randomness but its seed: the same
//!   calls give the same answers. The lock around it is held for one request and never across an await.
//! - Only what is implemented is advertised, each version of it.
//! - Bytes from a socket never panic and never allocate more than a small multiple of what was received.
//! - A connection has one request in work at a time, in order, as in Kafka; that is its back-pressure.
//! - Batches are kept as the producer encoded them; only offset, leader epoch and append time are written over.
//!
//! # Differences from Apache Kafka 4
//!
//! `tests/contract` runs the same cases against both; what it cannot see or is told to expect is here.
//!
//! - A topic that metadata creates is there at once, where Kafka answers "unknown" first and lets the client ask again.
//! - Fetch sessions are not given out (session id 0), which clients take for an invitation to send whole requests.
//! - The records inside compressed batches are looked at only where a compacted topic needs to know that they have keys.
//! - A full broker compacts the newest segments too before it refuses records.
//! - A fetch ends after a whole batch, where Kafka may cut one in two, and reads over the ends of segments.
//! - Retention drops batches, not segments; `compression.type` other than `producer` is kept and does nothing.
//! - `retention.bytes` is 256 MiB unless something else is said, and old records also go when `memory_limit` is reached.
//! - `min.insync.replicas` is shown as a default, where Kafka shows it as set for all brokers.
//! - Requests that name a topic, group or resource twice get one answer for it, and none may have more than 65,536
//!   array elements.
//! - One broker writes all transaction markers at once: PrepareCommit and PrepareAbort are never seen, and there is no
//!   two-phase commit (KIP-939).
//! - There are no consumer groups of the new protocol, no share groups, no ACLs and no quotas.
//! - There is one listener. With SASL, a handshake of version 0, after which tokens come bare, is not answered, nobody
//!   has to authenticate again, and a SCRAM user may be anybody with a password.
//! - Compaction drops a batch that has lost all its records, where Kafka may keep it without records.

mod broker;
pub mod cluster;
mod config;
mod connection;
mod fault;
mod security;
mod shared;
mod wire;

pub use broker::{Broker, Stats};
pub use config::BrokerConfig;
pub use fault::{Fault, Requests, UnknownFault};
pub use kafka_protocol::{ResponseError, messages::ApiKey};
pub use security::{SaslConfig, SaslMechanism, TlsConfig};
