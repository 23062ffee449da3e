//! What went wrong with an object store: who can do something about it, and what.

use lavka_api::Error;
use lavka_api::error::ErrorClass;
use object_store::Error as StoreError;

use crate::failure::failure;

/// More of an answer than this helps nobody.
const MAX_TEXT: usize = 600;

/// What the user should know of an error, and whether waiting may help.
pub(super) fn explain(key: &str, doing: &str, what: &str, error: &StoreError) -> Error {
    let verdict = match error {
        StoreError::PermissionDenied { .. } => (
            ErrorClass::Fatal,
            "allow the account to read, write, delete and list there, and to use multipart uploads",
        ),
        StoreError::Unauthenticated { .. } => {
            (ErrorClass::Fatal, "check the account's key, or where it comes from")
        }
        StoreError::NotFound { .. } => (ErrorClass::Fatal, "check that the bucket exists"),
        StoreError::InvalidPath { .. }
        | StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. } => (ErrorClass::Fatal, "the store cannot do this"),
        StoreError::UnknownConfigurationKey { .. } => (ErrorClass::Fatal, "correct the configuration"),
        _ => (ErrorClass::Retriable, "this is tried again"),
    };
    let text: String = without_queries(&error.to_string()).chars().take(MAX_TEXT).collect();
    failure(key, doing, &what, &text, verdict)
}

/// The text without the queries of URLs: a shared access signature is there for whoever reads it.
pub(super) fn without_queries(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        match word.split_once('?') {
            Some((before, rest)) if before.contains("://") => {
                shown.push_str(before);
                shown.push_str("?...");
                let query =
                    rest.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ')' | ':' | ','));
                shown.push_str(rest.get(query.len()..).unwrap_or_default());
            }
            _ => shown.push_str(word),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_told() {
        let text = without_queries("error (https://a.blob/c/x?sv=1&sig=SECRET): what? now");
        assert_eq!(text, "error (https://a.blob/c/x?...): what? now");
        assert!(!text.contains("SECRET"));
    }
}
