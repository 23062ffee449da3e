//! Where source offsets are kept, and how users look at and change offsets of connectors.

mod file;
#[cfg(test)]
mod java;
mod java_map;
mod log;
mod manage;
mod table;
mod topic;

pub use file::FileOffsetStore;
pub(crate) use log::OffsetLogs;
pub(crate) use topic::TaskOffsets;
