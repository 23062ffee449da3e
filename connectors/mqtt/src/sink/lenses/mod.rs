//! The sink as Lenses' Stream Reactor configures it: KCQL statements say which topics go where.
//!
//! - `config`: the keys, and what each is in the sink's own.
//! - `statement`: what the statements mean.
//! - `publication`: from records to messages; `avro`: those of Lenses' `AvroConverter`.
//! - `connector`: the connector.
//!
//! A failure is never answered by leaving records out because the server is away, as `NOOP` does in Java: it is about
//! records that cannot be published.

mod avro;
mod config;
mod connector;
#[cfg(test)]
mod java;
mod publication;
mod statement;

pub(crate) use config::LensesSinkConfig;
pub(crate) use connector::LensesSink;
