//! Rows to Arrow record batches, once for every sink that writes columns.
//!
//! Records travel through Lavka as rows with shared schemas ([`lavka_api::data`]); Parquet and friends want columns.
//! [`BatchBuilder`] is the one place where the two meet. It takes the values of records, either structs with a Connect
//! schema or schemaless objects, and hands out Arrow [`RecordBatch`](arrow_array::RecordBatch)es:
//!
//! - [`BatchBuilder::declared`] lays the columns out by a Connect schema. Structs of that schema, structs of another
//!   schema with fields of the same names, and schemaless objects (JSON without a schema) are all fitted to it.
//! - [`BatchBuilder::inferred`] finds the layout in the schemaless objects themselves and widens it as they come; see
//!   [`Inferred`] for the rules.
//!
//! # Invariants
//!
//! - A row is taken whole or not at all: after a refusal every column is as long as before.
//! - The way from a source's fields to the columns (a plan) is worked out once per schema pointer or shape pointer.
//!   Rows of one source in a row are appended column by column, so the type of a column is looked at once per block.
//! - From the first [`finish`](BatchBuilder::finish) on, the layout is fixed: later batches have the same Arrow schema,
//!   and a row that would need another is refused as [`Refusal::Layout`].
//! - Pure: no I/O, no clock. Hostile values are refused, they never panic; nesting is bounded.
//!
//! # Connect types to Arrow types
//!
//! | Connect | Arrow |
//! |---|---|
//! | `INT8` `INT16` `INT32` `INT64` | `Int8` `Int16` `Int32` `Int64` |
//! | `FLOAT32` `FLOAT64` | `Float32` `Float64` |
//! | `BOOLEAN`, `STRING`, `BYTES` | `Boolean`, `Utf8`, `Binary` |
//! | `ARRAY` | `List` of `element` |
//! | `MAP` | `Map` of `key_value` with `key` (never null) and `value` |
//! | `STRUCT` | `Struct` |
//! | `Decimal` of scale s (0 to 38) | `Decimal128(38, s)` |
//! | `Date`, `Time`, `Timestamp` | `Date32`, `Time32(ms)`, `Timestamp(ms, "UTC")` |
//!
//! Optional schemas become nullable fields. A null field whose schema has a default is written as the default, as
//! Java's `Struct.get` reads it.
//!
//! # Map
//!
//! `builder`: the public face. `column`: values of one column, how they are appended and become an array. `record`: the
//! fields of a struct column and the plans that feed them. `fit`: single values to Arrow's native types. `infer`: the
//! layout of schemaless data. `misfit`: why a value was refused, with its path.

mod builder;
mod column;
mod fit;
mod infer;
mod misfit;
mod record;

pub use builder::{Appended, BatchBuilder, Refusal};
pub use infer::Inferred;

/// Values nested deeper than this are refused: neither Arrow nor any reader gains from more, and recursion stays
/// bounded.
pub(crate) const MAX_DEPTH: usize = 64;
