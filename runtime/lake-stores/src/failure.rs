//! What a user is told of an operation of a store that failed.

use std::fmt;

use lavka_api::Error;
use lavka_api::error::{ErrorClass, exception};

/// Whether waiting may help, and what to do.
pub(crate) type Verdict = (ErrorClass, &'static str);

/// The error of an operation: what was done (`doing`, as in "write to") to what, what the store says of it, and the
/// remedy. `key` is the configuration key that says where the store is.
pub(crate) fn failure(
    key: &str,
    doing: &str,
    what: &dyn fmt::Display,
    said: &dyn fmt::Display,
    (class, remedy): Verdict,
) -> Error {
    let exception = match class {
        ErrorClass::Retriable => exception::RETRIABLE,
        _ => exception::CONNECT,
    };
    Error::new(class, exception, format!("{key}: cannot {doing} {what}: {said}; {remedy}"))
}
