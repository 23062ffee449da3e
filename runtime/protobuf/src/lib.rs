//! Protobuf for Kafka Connect: schemas, records and the converter, byte for byte as Confluent's.
//!
//! # What becomes what
//!
//! A struct is a message, and each of its fields one of the message's, numbered from 1 or by the schema's parameter
//! `io.confluent.connect.protobuf.Tag`. A struct in it is a nested message, an array a repeated field, a map a repeated
//! field of entries, a union a `oneof`. Decimals, dates, times and timestamps are the messages `confluent.type.Decimal`,
//! `google.type.Date`, `google.type.TimeOfDay` and `google.protobuf.Timestamp`. A primitive value that is a whole record
//! is one of the messages of `google/protobuf/wrappers.proto`. The way back follows the same lines;
//! [`MappingSettings`] has the choices.
//!
//! Where this differs from the Java converter:
//!
//! - A message that holds itself is refused, since a Connect schema cannot; `google.protobuf.Struct`, `Value` and
//!   `ListValue`, which do, are read as JSON text.
//! - Groups of proto2 are read as the messages they are; Java leaves them out.
//! - An enum's symbol that the schema does not have, and a null in an array, are errors that name the field.
//!
//! # Map
//!
//! - [`ProtobufConverter`]: the plugin. Its parts write, read, refer to imports and compare schemas.
//! - `schema`: `.proto` files as data: parsed, printed, linked.
//! - `mapping`: a Connect schema to the file that is registered for it.
//! - `encode`: plans from values to bytes. `decode`: messages to Connect schemas, and plans from bytes to values.
//! - `wire`: varints, tags and groups, known to nothing else. `calendar`: Java's dates.
//!
//! # Invariants
//!
//! - A plan is compiled once per schema and found by it; between a value and its bytes there is no tree.
//! - A batch's schemas are fetched or registered before its records; no record does I/O.
//! - Hostile bytes and schemas give errors: no panic, no recursion deeper than 100 levels, and memory within a small
//!   multiple of what came in.
//! - Everything that is kept is bounded by `schemas.cache.config`.

mod calendar;
mod converter;
mod decode;
mod encode;
mod mapping;
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

pub use converter::{ProtobufConverter, plugins};
pub use settings::MappingSettings;
