//! Where source offsets are kept, and how users look at and change offsets of connectors.

mod file;
#[cfg(test)]
mod java;
mod java_map;
mod manage;

pub use file::FileOffsetStore;
