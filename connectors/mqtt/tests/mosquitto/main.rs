//! The MQTT source against a real Mosquitto, used as the engine uses it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod pressure;
mod reconnect;
mod records;
mod security;
mod session;
mod source;

/// Both protocol versions, as configured.
const VERSIONS: [&str; 2] = ["3.1.1", "5"];
