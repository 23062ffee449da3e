//! The `lavka` executable under test.

pub(crate) mod binary;
mod cargo;
mod command;
mod process;

pub(crate) use cargo::{Artifacts, cargo};
pub use command::{LavkaCommand, LavkaOutput};
pub use process::LavkaProcess;
