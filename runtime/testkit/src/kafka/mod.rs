//! Apache Kafka for tests: the shared cluster, and servers of a test's own.

#[cfg(feature = "harness")]
mod client;
mod embedded;
mod jars;
mod java;
#[cfg(feature = "harness")]
mod java_worker;
mod probe;
mod program;
#[cfg(feature = "harness")]
mod record;
mod server;
mod shared;

#[cfg(feature = "harness")]
pub use client::KafkaClient;
pub(crate) use jars::lock;
pub use jars::{JarSet, Jars, Unavailable};
pub(crate) use java::{FoundJava, find as find_java, find_with_version as find_java_with_version};
#[cfg(feature = "harness")]
pub use java_worker::JavaWorker;
pub use program::JavaProgram;
#[cfg(feature = "harness")]
pub use record::{ConsumedRecord, NewRecord};
pub use server::KafkaServer;
pub use shared::{Kafka, KafkaKind};
