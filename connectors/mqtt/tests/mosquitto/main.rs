//! The MQTT source and sink against a real Mosquitto, used as the engine uses it; and against servers that play a script, for
//! what Mosquitto does not do.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod devices;
mod network;
mod other_server;
mod pressure;
mod reconnect;
mod records;
mod scripted;
mod security;
mod session;
mod sink;
mod sink_peers;
mod source;
mod switched;
mod websocket;

/// Both protocol versions, as configured.
const VERSIONS: [&str; 2] = ["3.1.1", "5"];
