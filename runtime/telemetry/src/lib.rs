//! Log levels that change while running, metric names, redaction.
