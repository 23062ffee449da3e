//! Bytes to data and back, byte for byte as Kafka Connect's converters.
//!
//! # Map
//!
//! - [`plugins`]: the catalogue entries, under the Java class names.
//! - [`json`]: the JSON codec that `JsonConverter` is made of, for everyone else who speaks this JSON: sources that
//!   decode payloads, sinks that write lines, the store of source offsets.
//! - [`payload`]: JSON, CBOR, SenML and text of devices, for sources whose messages say what they are.
//! - `text`, `binary`, `number`, `boolean`: the converters without a schema on the wire.
//! - `header`: `SimpleHeaderConverter`, which infers a type from text.
//! - `adapter`: one codec serves keys, values and headers.
//!
//! # Invariants
//!
//! - No I/O, no clock, no state beyond caches: the same bytes give the same data in any order of calls.
//! - JSON is written straight from values and parsed straight into them; no tree lies between.
//! - The same schema text gives the same [`Schema`](lavka_api::data::Schema) pointer, and objects with the same keys
//!   in the same order share a [`Shape`](lavka_api::data::Shape), as long as both stay in their caches.
//! - Hostile bytes give an error: never a panic, and neither time nor memory beyond a small multiple of their length.

mod adapter;
mod binary;
mod boolean;
mod catalogue;
mod charset;
mod distinct;
mod header;
pub mod json;
mod number;
pub mod payload;
mod text;

pub use catalogue::plugins;
