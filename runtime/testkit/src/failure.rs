//! What went wrong in a launcher, told to the person who runs the tests.

use std::fmt;

/// A message that names the thing, the place and, where there is one, the remedy.
///
/// `Debug` prints the message itself, so that `.unwrap()` in a test shows it readably.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// Makes a failure out of a complete message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Adds what was being attempted to an error.
pub(crate) trait Context<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{}: {error}", doing())))
    }
}

/// Ends the calling test with the message, at the test's own line.
#[track_caller]
#[expect(
    clippy::panic,
    reason = "the test that called a helper has failed, and a panic is how a test says so"
)]
pub(crate) fn fail(message: impl fmt::Display) -> ! {
    panic!("{message}")
}

/// Unwraps for the helpers that promise a value to a test.
pub(crate) trait OrFail<T> {
    #[track_caller]
    fn or_fail(self) -> T;
}

impl<T> OrFail<T> for Result<T, Failure> {
    #[track_caller]
    fn or_fail(self) -> T {
        match self {
            Ok(value) => value,
            Err(failure) => fail(failure),
        }
    }
}
