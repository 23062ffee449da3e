//! What happens to errors: Connect's `errors.*` keys.

mod backoff;
mod dead_letter;
mod policy;

pub use backoff::Backoff;
pub use dead_letter::{DeadLetters, Original};
pub(crate) use policy::now_ms;
pub use policy::{ErrorPolicy, ErrorSettings, Failure, Stage, Tolerance, Tries};
