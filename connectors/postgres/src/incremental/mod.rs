//! Incremental snapshots: tables are read in chunks by key while the stream runs.
//!
//! A chunk is read between two rows that the connector writes to the signal table. Both come by in the stream, and what
//! changed between them is newer than what was read, so those rows of the chunk are dropped; the others are handed out
//! where the second row comes by, before it. The state is in every offset, under Debezium's keys; the keys that were
//! reached, which Debezium keeps as serialised Java objects, are kept as JSON of our own beside them: Debezium begins the
//! table again if it takes over, and so do we the other way round.

mod chunk;
mod signal;
mod state;

pub(crate) use chunk::{Chunk, KeyNames, Request, read};
pub(crate) use signal::Signal;
pub(crate) use state::{Marker, Running};
