//! The MQTT sink: records of Kafka to topics of an MQTT server, at least once.
//!
//! Takes the configurations of Confluent's `MqttSinkConnector`, and of Lenses' (module `lenses`).
//!
//! # Delivery
//!
//! `put` returns when the server has acknowledged every message of the batch: `PUBACK` with QoS 1, `PUBCOMP` with QoS 2;
//! with QoS 0 when it was written to the connection. Only then do offsets move. When the connection is lost the batch comes
//! again, and of it those messages are sent again whose acknowledgement did not arrive: so QoS 1 and 2 may repeat messages
//! and leave none out. Messages of a partition are sent in order.
//!
//! What the server or the configuration will never take (a topic that cannot be made, `PUBACK` with a reason that lasts) is
//! the record's error: it is reported to the dead letter queue, or fails the task.
//!
//! # Map
//!
//! - `config`, `connector`, `validate`: from the configuration to tasks.
//! - `template`, `payload`, `properties`, `field`: from records to messages, put together in `publication`.
//! - `task`: batches, what became of them, when to give up.
//! - `publisher`: the task that owns the connection; `outbox`, pure: which messages are under way.
//! - `lenses`: the same under the keys of Lenses' connector, with its KCQL.

mod config;
mod connector;
mod field;
mod lenses;
mod outbox;
mod payload;
mod properties;
mod publication;
mod publisher;
mod task;
mod template;

pub(crate) use config::SinkConfig;
pub(crate) use connector::MqttSink;
pub(crate) use lenses::{LensesSink, LensesSinkConfig};
