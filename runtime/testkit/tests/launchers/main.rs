//! The launchers against the real services, in one binary so that they are started once.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test itself does")]

mod kafka;
mod lavka;
mod mosquitto;
mod network;
mod rest;
mod schema_registry;
mod testrun;

use std::time::Duration;

/// Ends a hanging test; nothing is measured by it.
const LONG: Duration = Duration::from_secs(60);
