//! `io.confluent.connect.json.JsonSchemaConverter`: JSON payloads whose schemas, in JSON Schema, are in a registry.
//!
//! # Invariants
//!
//! - The text of a registered schema is the one that Confluent's converter registers, to the order of its keys, so that
//!   both find each other's ids.
//! - A schema is translated once; payloads go through plans found by pointer, without a tree between.
//! - Schemas from the registry lead to an error where they are not understood, never to endless recursion.
//!
//! # Map
//!
//! - `converter`: the converter.
//! - `config`: its keys.
//! - `text`: a Connect schema as the text of a JSON schema; `java_order` is the order in which Java prints members.
//! - `model`: JSON schemas as they are read, with their references; `load` reads them.
//! - `connect`: a JSON schema as a Connect schema; `defaults` are to the last digit.
//! - `compatibility`: whether one schema takes what another describes.
//!
//! # Documented differences from Java
//!
//! - `NaN` and infinities, which are written as strings, are read back as what they say instead of as 0.
//! - Maps keep their order.
//! - A recursive schema is an error that says so; Java's converter makes a schema that refers to itself.
//! - A schema of anything (`{}`) is an error that says so.
//! - The default of a struct is not taken over: a schema cannot hold a value of itself.

mod compatibility;
mod config;
mod connect;
mod converter;
mod defaults;
mod java_order;
mod load;
mod model;
#[cfg(test)]
mod tests;
mod text;

pub use converter::{JsonSchemaConverter, plugins};
