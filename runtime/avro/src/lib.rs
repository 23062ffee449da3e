//! Avro for Connect: schemas, their mapping as Confluent's `AvroData` does it, and records to bytes and back through
//! compiled plans.
//!
//! # Map
//!
//! - [`AvroSchema`]: parsed and printed here, for apache-avro drops what the mapping lives on: properties of primitive
//!   types, the order of properties, defaults that do not fit (`runtime/adr/0008-avro-of-our-own.md`).
//! - [`Mapping`]: Connect schemas to Avro schemas and back. The text is byte for byte what the Java converter registers.
//! - [`AvroConverter`]: the converter that is made of them, with a Schema Registry; [`plugins`] is its entry in the
//!   catalogue.
//! - [`Encoder`]: a plan for one Connect schema and one Avro schema, from values straight to bytes.
//! - [`Decoder`]: a plan for a writer's and a reader's schema, from bytes straight to values, with Avro's resolution.
//!
//! # Invariants
//!
//! - Mapping and plans are pure: no I/O and no clock. A plan serves every record of its schemas.
//! - The converter asks the registry once a batch and schema, in `prepare_*`. What is wrong with one schema is the fault of
//!   its records, not of the batch.
//! - Hostile bytes and hostile schemas give errors: never a panic, endless recursion, or memory out of proportion to
//!   the bytes. Depth is bounded at 64 levels.
//! - What Connect cannot hold is refused with its reason (records that contain themselves, a null alone).
//!
//! # Where this differs from Java
//!
//! - Types of one name whose bytes differ are refused; Java writes the first one's text and data that nobody can read.
//! - A nested value is written by the fields' names when the registry's schema is used (`use.latest.version`), not by
//!   their positions.
//! - Schemaless items of an array or map come back schemaless, not as structs named `Anything`.
//! - Maps keep their order.

mod codec;
mod converter;
mod mapping;
mod schema;

pub use codec::{Decoder, Encoder, read_length, write_length};
pub use converter::{AvroConverter, plugins};
pub use mapping::{Mapping, parameter};
pub use schema::AvroSchema;
