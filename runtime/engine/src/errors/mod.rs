//! What happens to errors: Connect's `errors.*` keys.

mod backoff;
mod dead_letter;
mod policy;
mod prepare;
mod redacted;

pub use backoff::Backoff;
pub use dead_letter::{DeadLetters, Original};
pub use policy::{ErrorPolicy, ErrorSettings, Failure, Stage, Tolerance};
pub(crate) use policy::{Next, Stopping, Tries, now_ms};
pub(crate) use prepare::{Prepares, prepare};
pub use redacted::redacted;
