//! What is wrong with a configuration beyond its single keys.

use std::fmt::Display;

use crate::Error;

/// What is wrong with a key, found by a check that looks at more than its declaration does: at other keys, or at files. It
/// is shown over REST among the key's own errors ([`ConfigDef::validate_with`](super::ConfigDef::validate_with)), and ends
/// the start of a task as an error of the configuration.
///
/// ```
/// use lavka_api::Error;
/// use lavka_api::config::KeyError;
///
/// let error = KeyError::invalid("ssl.key", "a.pem", "it has no key");
/// assert_eq!(error.message, "Invalid value a.pem for configuration ssl.key: it has no key");
/// assert_eq!(Error::from(error).message(), Some("Invalid value a.pem for configuration ssl.key: it has no key"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError {
    /// The key.
    pub key: &'static str,
    /// A sentence that names the key, and shows no secret.
    pub message: String,
}

impl KeyError {
    /// An error with its own words.
    #[must_use]
    pub fn new(key: &'static str, message: String) -> Self {
        Self { key, message }
    }

    /// With Connect's words for a value that is not good.
    #[must_use]
    pub fn invalid(key: &'static str, value: impl Display, why: impl Display) -> Self {
        Self { key, message: format!("Invalid value {value} for configuration {key}: {why}") }
    }

    /// For a value that has to be there.
    #[must_use]
    pub fn missing(key: &'static str, why: impl Display) -> Self {
        Self { key, message: format!("{key} is missing: {why}") }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Error::config(error.message)
    }
}
