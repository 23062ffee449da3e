//! The pure brain of a worker: state in, effects out; no clock, no I/O.
