//! Data model, configuration declarations, plugin contracts and errors: the one crate a plugin author sees.
//!
//! # Map
//!
//! - [`data`]: [`Schema`](data::Schema), [`Value`](data::Value), records, headers. Rows with shared schemas.
//! - [`config`]: raw configurations as users write them, and the declaration from which the typed struct, the REST
//!   definition, validation and the reference page of a plugin all come.
//! - [`plugin`]: the contracts of connectors, transforms, predicates and converters, and the catalogue that finds
//!   them by class name or alias.
//! - [`error`]: one error type with four classes; who raises an error classifies it, one policy module acts on it.
//! - [`java`]: Java's rules for turning numbers, decimals, dates and collections into text, which users see in keys,
//!   headers and files.
//!
//! # Invariants
//!
//! - Nothing here does I/O, reads a clock or needs an async runtime.
//! - A schema is never cloned deeply nor compared deeply per record: equality is pointer, then fingerprint.
//! - Called once per batch → async; called per record → sync.

pub mod config;
pub mod data;
pub mod error;
pub mod java;
pub mod plugin;

pub use error::{Error, ErrorClass, Result};

/// The release of Apache Kafka whose behaviour this build follows; shown where Connect shows its own version.
pub const KAFKA_VERSION: &str = "4.3.0";

/// The version of Lavka itself.
pub const LAVKA_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the contracts with `async` methods are implemented under (of the crate of that name), so that a plugin crate
/// needs no dependency for it.
pub use async_trait::async_trait;
