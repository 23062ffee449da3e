//! What is wrong with a configuration beyond its single keys, said of the key that it is about.

use std::fmt::Display;

use lavka_api::Error;
use lavka_api::config::{Config, ConfigDef, KeyReport};

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyError {
    pub(crate) key: &'static str,
    /// Names the key.
    pub(crate) message: String,
}

impl KeyError {
    /// With Connect's words for a value that is not good.
    pub(crate) fn invalid(key: &'static str, value: impl Display, why: impl Display) -> Self {
        Self { key, message: format!("Invalid value {value} for configuration {key}: {why}") }
    }

    /// For a value that has to be there.
    pub(crate) fn missing(key: &'static str, why: impl Display) -> Self {
        Self { key, message: format!("{key} is missing: {why}") }
    }

    /// The same in the words of another dialect, whose names for keys are beside ours.
    pub(crate) fn in_words_of(mut self, dialect: &[(&'static str, &'static str)]) -> Self {
        for (ours, theirs) in dialect {
            self.message = self.message.replace(ours, theirs);
            if self.key == *ours {
                self.key = theirs;
            }
        }
        self
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Error::config(error.message)
    }
}

/// The reports of `definition` with `errors` put in; one whose key is not defined there gets a report of its own.
pub(crate) fn reports(
    definition: &ConfigDef,
    config: &Config,
    errors: impl IntoIterator<Item = KeyError>,
) -> Vec<KeyReport> {
    definition.validate_with(config, errors.into_iter().map(|error| (error.key, error.message)))
}
