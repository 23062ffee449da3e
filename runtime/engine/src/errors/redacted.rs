//! Errors without values that must not be shown.

use lavka_api::Error;
use lavka_telemetry::redaction::Redactor;

/// `error` and its causes with what `secrets` hides left out of their messages.
#[must_use]
pub fn redacted(error: &Error, secrets: &Redactor) -> Error {
    if secrets.is_empty() {
        return error.clone();
    }
    let mut chain = std::iter::successors(Some(error), |error| error.cause()).map(|error| {
        let message = error.message().map(|text| secrets.redact(text).into_owned());
        let copy = Error::new(error.class(), error.exception(), message.clone().unwrap_or_default());
        if message.is_some() { copy } else { copy.without_message() }
    });
    let outermost = chain.next().unwrap_or_else(|| error.clone());
    chain.fold(outermost, Error::caused_by)
}
