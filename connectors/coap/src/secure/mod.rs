//! DTLS 1.2 (RFC 6347) between the socket and the machines: datagrams in, plaintext out, and back. Pure, but for the
//! credentials, which are files.
//!
//! The handshake and the records are those of `dimpl`, which has no I/O of its own either. What is done here:
//!
//! - `credentials`: what a task is known by and whom it trusts; from `files` with certificates, and `keys` (pre-shared).
//! - `hello`: the cookie exchange, without any state for a client that has not shown that it is where it says.
//! - `session`: one connection, with the identity of its peer; `trouble`: why it ended.
//! - `gate`: all of them, within limits; `settings`: the keys that server and client have in common.
//!
//! runtime/adr/0011 says why this library, and what it does not have: connection ids, RSA, certificate chains on the wire.

mod credentials;
mod files;
mod gate;
mod hello;
mod keys;
mod session;
pub(crate) mod settings;
mod trouble;

pub(crate) use credentials::{Credentials, loaded, loaded_for};
pub(crate) use files::Files;
pub(crate) use gate::{Gate, Limits, Passed, Tally};
