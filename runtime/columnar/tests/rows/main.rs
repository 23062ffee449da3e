//! Rows in, batches out, and read back.

mod declared;
mod inferred;
mod reading;
