//! The port to whatever holds the files, which has a crate of its own.

pub use lavka_lake_stores::*;
