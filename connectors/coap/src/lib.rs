//! The CoAP sources: what devices POST and PUT to a CoAP server (RFC 7252) to Kafka, and what CoAP servers say of their
//! resources (`observe`, and by the keys of Lenses `lenses`).
//!
//! # Delivery
//!
//! Of the server; that of the client is in `observe::watcher`.
//!
//! A request is answered 2.04 Changed after Kafka has acknowledged its record, or a transform dropped it; not before, so
//! a device that was answered can forget its reading. Where Kafka takes longer than `lavka.coap.ack.delay.ms`, an empty
//! acknowledgement keeps the device from sending again, and the answer follows in a message of its own. A message that
//! was sent again gets the answer of the first and makes no second record, for 247 seconds and as long as the process
//! lives; so there are no gaps, and duplicates only after a restart.
//!
//! # Back-pressure
//!
//! Requests under way to Kafka, remembered messages and unfinished bodies are bounded in number and bytes. At a bound a
//! device is answered 5.03 Service Unavailable with the time when it may try again.
//!
//! # Invariants
//!
//! - A datagram costs no more memory than its own size, but for what was accepted within the bounds.
//! - No lock is held across an await, and who reports deliveries never waits.
//! - A `poll` that is dropped has taken nothing.
//!
//! # Map
//!
//! - `connector`, `config`, `task`: from the configuration to what a server needs.
//! - `responder`: the server, pure; of it `repeats` (what came before), `upload` (bodies in blocks), `separate` (answers
//!   in messages of their own), `leisure` (answers to questions for everybody), `directory` (`/.well-known/core`), `resource`
//!   (what may be written to).
//! - `observe`: the client, with a map of its own; `lenses`: the same in other words.
//! - `secure`: DTLS, between the socket and either machine.
//! - `wire`: messages as bytes; `peer`, `request`: who sent what; `timers`: what is due when.
//! - `channel`: the socket; `listener`: the server's loop, `running` beside its task; `handover`: what it shares with `poll`,
//!   which is in `outlet`, and with deliveries; `multicast`: groups of addresses that a server answers for.
//! - `links`: directories as text.
//! - `record`: from requests to records; `payload`: what becomes of payloads; `counters`: metrics.

mod channel;
mod config;
mod connector;
mod counters;
mod directory;
mod environment;
mod handover;
mod leisure;
mod lenses;
mod links;
mod listener;
mod multicast;
mod observe;
mod outlet;
mod payload;
mod peer;
mod record;
mod repeats;
mod request;
mod resource;
mod responder;
mod running;
mod secure;
mod separate;
mod task;
mod timers;
mod upload;
mod wire;

use lavka_api::LAVKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

/// A point in time or a span, in milliseconds; points count from when the server began.
type Millis = u64;

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![
        Plugin {
            class: "io.lavka.connect.coap.CoapServerSourceConnector",
            aliases: &["CoapServerSource"],
            version: LAVKA_VERSION,
            doc: "Is a CoAP server that devices write to, and answers each when Kafka has its reading.",
            definition: config::ServerConfig::definition,
            factory: Factory::Source(|| Box::new(connector::CoapServer::default())),
        },
        Plugin {
            class: "io.lavka.connect.coap.CoapObserveSourceConnector",
            aliases: &["CoapObserveSource"],
            version: LAVKA_VERSION,
            doc: "Observes resources of CoAP servers, or polls those that cannot be observed.",
            definition: observe::ObserveConfig::definition,
            factory: Factory::Source(|| Box::new(observe::CoapObserver::default())),
        },
        Plugin {
            class: "com.datamountaineer.streamreactor.connect.coap.source.CoapSourceConnector",
            aliases: &["LensesCoapSource", "CoapSource"],
            version: LAVKA_VERSION,
            doc: "Observes resources of a CoAP server, as configured for Lenses' Stream Reactor.",
            definition: lenses::LensesConfig::definition,
            factory: Factory::Source(|| Box::new(lenses::LensesSource::default())),
        },
    ]
}
