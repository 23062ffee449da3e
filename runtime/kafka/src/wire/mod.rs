//! A small Kafka client of our own, for what librdkafka's binding lacks.
//!
//! - [`WireClient`] holds one connection per broker, opens them when needed and repeats calls while trouble passes.
//! - [`connection`] multiplexes requests over one stream: any request of the codec, in the newest version that both
//!   ends speak.
//! - [`stream`] and [`tls`] open streams, [`sasl`] and [`scram`] prove who we are, [`frame`] and [`guard`] turn bytes
//!   into responses without trusting them.
//!
//! Nothing that a broker sends can panic or take more memory than a multiple of `frame::MAX_RESPONSE`.

mod client;
mod connection;
mod frame;
mod guard;
mod sasl;
mod scram;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use client::WireClient;
pub(crate) use tls::{client_config, trusting_nobody};
