//! The MQTT source: messages of an MQTT 3.1.1 or 5 server to Kafka, at least once.
//!
//! Takes the configurations of Confluent's `MqttSourceConnector`, and of Lenses' (module `lenses`). With the former a record has the MQTT topic as its key, the payload
//! as its value, and the headers `mqtt.message.id`, `mqtt.qos`, `mqtt.retained` and `mqtt.duplicate`.
//!
//! # Delivery
//!
//! A QoS 1 or 2 message is acknowledged (`PUBACK`, `PUBREC`) after Kafka has acknowledged its record, or a transform
//! dropped it; until then the server keeps it and, in a kept session (`mqtt.clean.session.enabled=false`), sends it
//! again on the next connection. Nothing is dropped because it is marked as a duplicate: that the server sent it
//! before does not say that Kafka has it. So a lost connection can make duplicates but no gaps, with QoS 2 as well:
//! its packet ids do not outlive the session on our side. QoS 0 messages are handed on while there is room for them.
//! There are no source offsets; the server knows what is open.
//!
//! # Back-pressure
//!
//! While Kafka is slow, acknowledgements stay away, and the server stops at its window of unacknowledged messages:
//! `lavka.mqtt.max.inflight` with MQTT 5, the server's own limit with 3.1.1. The client goes on reading all the time,
//! because one loop reads, pings and acknowledges. Only where QoS 1 and 2 messages fill the inbox to
//! `records.buffer.queue.size` or `lavka.mqtt.buffer.bytes`, which takes a server with a window wider than that, nothing
//! more is read until some were handed out.
//!
//! # Invariants
//!
//! - Acknowledgements go out in order of arrival, on the connection on which their messages came, or never.
//! - No lock is held across an await, and who reports deliveries never waits.
//! - A `poll` that is dropped has taken nothing.
//! - A refusal that only the user can lift (credentials, client id, protocol version, certificate, subscription) fails
//!   the task with a text that names the key; everything else is tried again, for ever.
//!
//! # Map
//!
//! - `connector`, `config`, `keys`, `validate`, `filter`, `server`, `tls`, `keystore`, `access`, `settings`: from the configuration to what a
//!   connection needs.
//! - `task`, `record`: from messages to records.
//! - `lenses`: the same under the keys of Lenses' connector, with its records.
//! - `exchange`: what connection, `poll` and deliveries share; inside, pure: `inbox` (what waits to be handed out) and
//!   `window` (what waits to be acknowledged).
//! - `connection`: the task that owns the connection; `reconnect` makes one after another, `backoff`, `refusal` and
//!   `environment` decide when it is worth trying again.
//! - `link`: the protocol, one face for both versions, over TCP, TLS and WebSocket.
//! - `sink`: the sink.

mod access;
mod backoff;
mod config;
mod connection;
mod connector;
mod environment;
mod exchange;
mod filter;
mod inbox;
mod keys;
mod keystore;
mod lenses;
mod link;
mod message;
mod reconnect;
mod record;
mod refusal;
mod server;
mod settings;
mod sink;
mod task;
mod tls;
mod validate;
mod window;

use lavka_api::LAVKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![
        Plugin {
            class: "io.confluent.connect.mqtt.MqttSourceConnector",
            // The short names, which would mean Lenses' connector as well.
            aliases: &["MqttSourceConnector", "MqttSource"],
            version: LAVKA_VERSION,
            doc: "Writes the messages of MQTT topics to a Kafka topic and acknowledges each to the MQTT server when Kafka \
              has it.",
            definition: config::MqttConfig::definition,
            factory: Factory::Source(|| Box::new(connector::MqttSource::default())),
        },
        Plugin {
            class: "io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector",
            aliases: &["com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector"],
            version: LAVKA_VERSION,
            doc: "Writes the messages of MQTT topics to Kafka topics by KCQL statements, and acknowledges each to the MQTT server \
              when Kafka has it.",
            definition: lenses::LensesConfig::definition,
            factory: Factory::Source(|| Box::new(lenses::LensesSource::default())),
        },
        Plugin {
            class: "io.confluent.connect.mqtt.MqttSinkConnector",
            // The short names, which would mean Lenses' connector as well.
            aliases: &["MqttSinkConnector", "MqttSink"],
            version: LAVKA_VERSION,
            doc: "Publishes records to topics of an MQTT server, and moves offsets when the server has acknowledged them.",
            definition: sink::SinkConfig::definition,
            factory: Factory::Sink(|| Box::new(sink::MqttSink::default())),
        },
        Plugin {
            class: "io.lenses.streamreactor.connect.mqtt.sink.MqttSinkConnector",
            aliases: &["com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector"],
            version: LAVKA_VERSION,
            doc: "Publishes records to topics of an MQTT server by KCQL statements, and moves offsets when the server has \
                  acknowledged them.",
            definition: sink::LensesSinkConfig::definition,
            factory: Factory::Sink(|| Box::new(sink::LensesSink::default())),
        },
    ]
}
