//! The services of a run, started when first used.

use std::ops::Deref;
use std::sync::OnceLock;

use crate::failure::{Failure, fail};
use crate::hdfs::Hdfs;
use crate::kafka::{Kafka, Unavailable};
use crate::missed::had;
use crate::mosquitto::SharedMosquitto;
use crate::schema_registry::SchemaRegistry;

/// The services every test of a run shares.
///
/// Each is started at its first use, so a test that needs one alone does not wait for the others. Under `testrun`
/// they are started once for all test binaries; in a plain `cargo test` once for each binary.
#[derive(Debug)]
pub struct Services {
    /// Apache Kafka.
    pub kafka: Shared<Kafka>,
    /// Mosquitto.
    pub mosquitto: Shared<SharedMosquitto>,
    schema_registry: OnceLock<Result<SchemaRegistry, Unavailable>>,
    hdfs: OnceLock<Result<Hdfs, Unavailable>>,
}

impl Services {
    /// An HDFS cluster for `test`. Where its jars cannot be had, `None`, as [`had`] says.
    ///
    /// `testrun` starts one for all where it runs a test target named `hdfs`; otherwise each test binary that asks has its
    /// own.
    #[track_caller]
    pub fn hdfs_for(&self, test: &str) -> Option<&Hdfs> {
        had(self.hdfs.get_or_init(Hdfs::attach_or_start).as_ref(), test, "HDFS")
    }

    /// A schema registry for `test`. Where its jars cannot be had, `None`, as [`had`] says.
    ///
    /// `testrun` starts one for all where it runs a test target named `registry`; otherwise each test binary that asks
    /// has its own.
    #[track_caller]
    pub fn schema_registry_for(&self, test: &str) -> Option<&SchemaRegistry> {
        let registry = self.schema_registry.get_or_init(SchemaRegistry::attach_or_start);
        had(registry.as_ref(), test, "a schema registry")
    }
}

/// A service that is started at its first use. A failed start fails every test that uses it, with its reason.
#[derive(Debug)]
pub struct Shared<T> {
    cell: OnceLock<Result<T, Failure>>,
    start: fn() -> Result<T, Failure>,
}

impl<T> Shared<T> {
    const fn new(start: fn() -> Result<T, Failure>) -> Self {
        Self { cell: OnceLock::new(), start }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        match self.cell.get_or_init(self.start) {
            Ok(service) => service,
            Err(failure) => fail(failure),
        }
    }
}

static SERVICES: Services = Services {
    kafka: Shared::new(Kafka::attach_or_start),
    mosquitto: Shared::new(SharedMosquitto::attach_or_start),
    schema_registry: OnceLock::new(),
    hdfs: OnceLock::new(),
};

/// The shared services: `services().kafka.bootstrap()`, `services().mosquitto.port()`.
pub fn services() -> &'static Services {
    &SERVICES
}
