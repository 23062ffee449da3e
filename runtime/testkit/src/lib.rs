//! Launchers of real services and helpers for the tests that use them.
//!
//! For tests and benches alone; everything blocks, so that any test can use it. Test code begins with
//! [`services`]: one Apache Kafka and one Mosquitto for the whole run.
//!
//! ```no_run
//! use lavka_testkit::{NewRecord, services, unique};
//!
//! let topic = unique("readings");
//! let kafka = services().kafka.client();
//! kafka.create_topic(&topic, 2);
//! kafka.produce(&topic, [NewRecord::of("21.5").key("sensor-1")]);
//! assert_eq!(kafka.consume_all(&topic)[0].value_text(), Some("21.5"));
//! ```
//!
//! # Invariants
//!
//! - Nothing outlives the process that started it, not even one that is killed (`leash`).
//! - A service listens on 127.0.0.1, on a port that was free, with its files in a folder of its own.
//! - A test that cannot run is never passed over in silence: a missing service is a failure that says what to
//!   install, and the one permitted fallback names its tests in the closing lines ([`Kafka::is_real_for`]).
//! - A waiting person is told what is being waited for.
//!
//! # Map
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`acceptance`] | the rules that every connector and transform is held against |
//! | `services` | the shared services, started when first used |
//! | `kafka` | the jars, a server, the shared cluster, a client for tests |
//! | `mosquitto`, `aedes` | MQTT brokers: the one that tests use, with its configurations, and another |
//! | `network` | a way to a server that can be cut, and can lead to another |
//! | `mariadb` | a MariaDB server |
//! | `postgres` | a PostgreSQL server ready for logical replication, also of version 17, and a standby of it |
//! | `npm` | packages of npm, which some of the servers are |
//! | `hdfs` | HDFS, small or of processes that die alone, and Kerberos for it |
//! | `s3`, `azure` | servers that speak the protocols of S3, of Google Cloud Storage and of Azure's blobs |
//! | `metastore` | Hive's metastore |
//! | `class_archive` | what lets Java's programs start faster |
//! | `schema_registry` | Apicurio Registry, which speaks the Schema Registry's API |
//! | `lavka` | the executable under test: found, built, called, started, stopped |
//! | `rest` | a JSON client that returns every answer |
//! | `python` | clients and serializers in Python |
//! | `exchange` | messages back and forth with those serializers |
//! | `driven` | a converter as the engine drives it |
//! | [`measure`] | what benches of converters measure with |
//! | `certificates` | an authority for one test |
//! | `leash` | processes that end with their owner |
//! | `missed` | tests that could not run |
//! | `rows` | rows of the conformance cases, and whether each has a test |
//! | `folders`, `ports`, `names`, `waiting` | what tests need at every turn |
//! | `chance` | random numbers that can be had again |
//! | `environment` | the variables that steer a run |
//! | `bin/testrun` | starts the services once, runs `cargo test` with them, stops them |
//!
//! The feature `harness` (default) is what test code uses on top of the launchers, `acceptance` (default) is the suite and what
//! drives and measures converters;
//! `testrun` is built without either, and a plugin crate's tests may take the suite alone.

#[cfg(feature = "acceptance")]
pub mod acceptance;
mod aedes;
mod azure;
#[cfg(feature = "harness")]
mod certificates;
mod chance;
mod class_archive;
#[cfg(feature = "acceptance")]
mod driven;
mod environment;
mod exchange;
mod failure;
mod folders;
mod hdfs;
mod kafka;
mod lavka;
mod leash;
mod mariadb;
#[cfg(feature = "acceptance")]
pub mod measure;
mod metastore;
mod missed;
mod mosquitto;
mod names;
mod network;
mod npm;
mod ports;
mod postgres;
mod progress;
mod python;
#[cfg(feature = "harness")]
mod rest;
mod rows;
mod run;
mod s3;
mod schema_registry;
mod services;
mod waiting;

pub use aedes::Aedes;
pub use azure::AzureServer;
#[cfg(feature = "harness")]
pub use certificates::{Authority, Identity};
pub use chance::Chance;
#[cfg(feature = "acceptance")]
pub use driven::DrivenConverter;
pub use environment::{count, soak};
pub use exchange::{PythonExchange, from_hex, to_hex};
pub use failure::Failure;
pub use folders::{temp_dir, write_file};
pub use hdfs::{Hdfs, HdfsCluster, HdfsServer, Kdc};
#[cfg(feature = "harness")]
pub use kafka::{ConsumedRecord, JavaWorker, KafkaClient, NewRecord};
pub use kafka::{JarSet, Jars, JavaProgram, Kafka, KafkaKind, KafkaServer, Unavailable};
pub use lavka::{LavkaCommand, LavkaOutput, LavkaProcess, can_mount_for};
pub use mariadb::MariaDb;
pub use metastore::HiveMetastore;
pub use missed::{cannot_run, had};
pub use mosquitto::{Mosquitto, MosquittoConfig, MosquittoTls, SharedMosquitto};
pub use names::unique;
pub use network::Network;
pub use ports::free_port;
pub use postgres::{Postgres, PostgresConfig, PostgresRelease, PostgresTls};
pub use python::Python;
#[cfg(feature = "harness")]
pub use rest::{RestAnswer, RestClient};
pub use rows::{ConformanceRows, rows_of_tests_below};
pub use run::TestRun;
pub use s3::{GoogleServer, S3Server};
pub use schema_registry::{SchemaRegistry, SchemaRegistryServer};
pub use services::{Services, Shared, services};
pub use tempfile::TempDir;
pub use waiting::eventually;
