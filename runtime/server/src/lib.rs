//! Lavka: Kafka Connect without the JVM. The library behind the `lavka` binary.
//!
//! A binary with plugins of its own is a few lines on [`StandaloneBuilder`]:
//!
//! ```no_run
//! # fn my_plugins() -> Vec<lavka_api::plugin::Plugin> { Vec::new() }
//! # async fn run() -> lavka_api::Result<()> {
//! let config = lavka::read_worker_file("worker.properties".as_ref())?;
//! let worker = lavka::StandaloneBuilder::new(config).plugins(my_plugins()).start().await?;
//! tokio::signal::ctrl_c().await?;
//! worker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! - `catalogue`: the one list of built-in plugins.
//! - `run`: a worker with its REST API.
//! - [`properties`], [`connector_file`], `worker_file`: the files that users have.
//! - `connector_keys`: what each key of a connector configuration means.
//! - `transform`: records through converters and transforms, without Kafka.
//! - [`reference`]: the pages that tell of every key.
//! - [`cli`]: the subcommands.
//! - [`demo`]: sensors → MQTT → Kafka → scored → Parquet, on this machine.

mod catalogue;
pub mod cli;
pub mod connector_file;
mod connector_keys;
pub mod demo;
pub mod properties;
pub mod reference;
mod run;
mod transform;
mod worker_file;

pub(crate) use catalogue::other_names;
pub use catalogue::{builtin_plugins, catalogue};
pub use connector_file::read_connector_files;
pub use run::{Standalone, StandaloneBuilder, install_tls_provider, read_worker_file};
pub(crate) use worker_file::read_worker_config;
