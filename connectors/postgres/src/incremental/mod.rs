//! Incremental snapshots: tables are read in chunks by key while the stream runs.
//!
//! A chunk is read between two rows that the connector writes to the signal table. Both come by in the stream, and what
//! changed between them is newer than what was read, so those rows of the chunk are dropped; the others are handed out
//! where the second row comes by, before it. Where nothing may be written (`read.only`), the window begins where all that has
//! come by is seen by readers, and ends where the stream has come by what they saw. The state is in every offset, under Debezium's keys. The keys that were
//! reached are there twice: as serialised Java objects, so that Debezium goes on where we were and the other way round, and
//! as JSON of our own, which has keys of any type.

mod chunk;
mod java_key;
mod paging;
mod signal;
mod state;
mod visibility;

pub(crate) use chunk::{Bounds, Chunk, KeyNames, Markers, Request, read};
pub(crate) use signal::{Signal, blocking_tables};
pub(crate) use state::{Marker, Running};
pub(crate) use visibility::{reached, see};
