//! A client of Schema Registry, and what converters with a registry share: configuration keys, subjects, wire forms and
//! the order of decisions.
//!
//! # For a converter
//!
//! - [`definition`] is part of its definition: the keys of [`RegistryConfig`], and those about Java.
//! - A [`Session`] is made from its configuration. In `prepare_encode` it gives the schema to write with
//!   ([`resolve_for_encode`](Session::resolve_for_encode)), in `prepare_decode` the one a message was written with
//!   ([`resolve_for_decode`](Session::resolve_for_decode)). Both ask the registry at most once per schema, so they are
//!   called for every distinct schema of a batch.
//! - What it makes of them it keeps in [`Plans`], which has all that a batch needs, whatever the bound.
//! - Per record there are [`Session::locate`] on the way in and [`Frame::write`](wire::Frame::write) on the way out,
//!   neither of which does I/O.
//!
//! # Errors
//!
//! | what happens | class |
//! | --- | --- |
//! | no URL answers, or all with 408, 429, 500, 502, 503 or 504, after `max.retries` rounds | retriable |
//! | 401, 403, a certificate that is not trusted | config |
//! | 404, 409, 422 and other refusals; bytes that name no schema; incompatible schemas | data |
//!
//! Each names what was asked for, the URL without credentials, and the server's code and message.
//!
//! # Invariants
//!
//! - Secrets are in no error, log or `Debug`.
//! - Every cache is bounded; what the registry may change has an age.
//! - No lock is held across an await. A future that is dropped gives its request up and leaves nothing behind.
//! - Answers are bounded, and references are followed without recursion and up to a limit.
//!
//! # Map
//!
//! - `config`, `java`, [`unsupported`]: the keys, and checks that name what does not work.
//! - `schema`: [`SchemaText`], [`ResolvedSchema`], [`RegisteredSchema`], ids and GUIDs.
//! - `plans`: [`Plans`], what a converter made of schemas, over a [`Cache`].
//! - `rules`: schemas with rules, which are refused.
//! - `subject`, [`wire`]: names of subjects, wire forms.
//! - `session`: [`Session`].
//! - `client`: [`Registry`], over a [`Transport`]; `answer` reads bodies, `failure` classifies errors, `retry`, `cache` and
//!   `aging` decide.
//! - `http`: the transport; `auth`, `oauth` and `tls` serve it.
//! - `mock` (feature `mock`): a registry in memory for tests.

mod aging;
mod answer;
mod auth;
mod cache;
mod client;
mod config;
mod failure;
mod http;
mod java;
#[cfg(any(test, feature = "mock"))]
pub mod mock;
mod oauth;
mod plans;
mod retry;
mod rules;
mod schema;
mod session;
mod subject;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
pub mod unsupported;
pub mod wire;

pub use cache::Cache;
pub use client::Registry;
pub use config::{RegistryConfig, Urls};
pub use failure::of_converter;
pub use java::definition;
pub use plans::Plans;
pub use schema::{
    Compatibility, Dependency, Guid, Reference, RegisteredSchema, ResolvedSchema, SchemaId, SchemaKey,
    SchemaText, SchemaType,
};
pub use session::Session;
pub use subject::SubjectStrategy;
pub use transport::{Answer, Method, Request, Transport, Trouble};
