//! The real executable, put through what goes wrong: kills, servers that go away or refuse, bad input, full disks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

#[path = "../../../connectors/lake/tests/support/bucket.rs"]
mod bucket;
mod change_capture;
mod coap;
mod databases;
mod debezium;
mod disk;
mod elections;
mod exactly_once;
mod faults;
mod kafka_away;
mod kill;
mod lake;
mod lake_elsewhere;
mod lives;
mod metrics;
mod mqtt_away;
mod over;
mod pipeline;
mod poison;
mod postgres;
mod publisher;
mod requests;
mod standalone;
mod warehouse;
