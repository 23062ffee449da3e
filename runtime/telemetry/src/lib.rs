//! Log levels that change while running, metric names, redaction.

pub mod metrics;
