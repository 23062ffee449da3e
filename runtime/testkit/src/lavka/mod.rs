//! The `lavka` executable under test.

pub(crate) mod binary;
mod cargo;
mod command;
pub(crate) mod disk;
mod process;

pub(crate) use cargo::{Artifacts, cargo};
pub use command::{LavkaCommand, LavkaOutput};
pub use disk::can_mount_for;
pub use process::LavkaProcess;
