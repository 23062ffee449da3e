//! Java's key stores: JKS, and PKCS#12, which is Java's default since version 9.
//!
//! Users of Kafka Connect have their certificates in them, since Java's connectors take nothing else. [`KeyStore`] is what is
//! in one: certificates that are trusted, and private keys with their certificates, each under its alias.
//!
//! # Invariants
//!
//! - Hostile bytes give an error: never a panic, and no memory beyond a small multiple of their length.
//! - Error texts are the end of a sentence about the file; passwords are in none.
//!
//! # Map
//!
//! - `store`: what is in a key store, and which kind it is.
//! - `jks`: the format of `sun.security.provider.JavaKeyStore`, and of its protected keys; `input`: bytes from the front.
//! - `elliptic`: what Java leaves out of keys of elliptic curves; `der`: the encoding of keys.

mod der;
mod elliptic;
mod input;
mod jks;
mod store;

pub use store::{KeyEntry, KeyStore, Trusted};
