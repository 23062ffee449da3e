//! What the bench compares with, and where both write to.

pub(crate) mod memory_store;
pub(crate) mod typed;
