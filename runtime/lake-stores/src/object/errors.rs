//! What went wrong with an object store: who can do something about it, and what.

use lavka_api::Error;
use lavka_api::error::ErrorClass;
use object_store::Error as StoreError;

use crate::failure::{Verdict, failure};

/// More of an answer than this helps nobody.
const MAX_TEXT: usize = 600;
const AGAIN: Verdict = (ErrorClass::Retriable, "this is tried again");

/// The status of the store's answer, which object_store has in the text alone.
fn status(error: &StoreError) -> Option<u16> {
    let text = error.to_string();
    let (_, behind) = text.split_once("status code: ")?;
    behind.split_whitespace().next()?.parse().ok()
}

/// Whether the store knows the upload of a file no more, or one of the parts that the file was to be made of: the file was
/// finished, the upload was aborted, or the store has cleared it away.
pub(super) fn is_gone(error: &StoreError) -> bool {
    let text = error.to_string();
    let says = |code: &str| text.contains(&format!("<Code>{code}</Code>"));
    let is_missing = matches!(error, StoreError::NotFound { .. }) || status(error) == Some(404);
    says("NoSuchUpload")
        || (is_missing && !says("NoSuchBucket") && !says("ContainerNotFound"))
        || (status(error) == Some(400) && (says("InvalidBlockList") || says("InvalidPart")))
}

/// What the user should know of an error, and whether waiting may help.
pub(super) fn explain(key: &str, doing: &str, what: &str, error: &StoreError) -> Error {
    const REFUSED: Verdict = (
        ErrorClass::Fatal,
        "check the account's key, or where it comes from, and allow the account to read, write, delete and list there, and \
         to use multipart uploads",
    );
    const UNKNOWN: Verdict = (ErrorClass::Fatal, "check the account's key, or where it comes from");
    const MISSING: Verdict = (ErrorClass::Fatal, "check that the bucket exists");
    let verdict = match error {
        // object_store sorts the answers to requests for one object, and leaves those to lists and the like as they are.
        StoreError::Generic { .. } => match status(error) {
            Some(403) => REFUSED,
            Some(401) => UNKNOWN,
            Some(404) => MISSING,
            _ => AGAIN,
        },
        StoreError::PermissionDenied { .. } => REFUSED,
        StoreError::Unauthenticated { .. } => UNKNOWN,
        StoreError::NotFound { .. } => MISSING,
        StoreError::InvalidPath { .. }
        | StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. } => (ErrorClass::Fatal, "the store cannot do this"),
        StoreError::UnknownConfigurationKey { .. } => (ErrorClass::Fatal, "correct the configuration"),
        _ => AGAIN,
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
    fn answers_to_lists_have_a_class() {
        for (said, retriable) in [
            ("Server returned non-2xx status code: 403 Forbidden: <Error/>", false),
            ("Server returned non-2xx status code: 401 Unauthorized", false),
            ("Server returned non-2xx status code: 404 Not Found: ", false),
            ("Server returned non-2xx status code: 503 Slow Down", true),
            ("Server returned non-2xx status code: ", true),
            ("error sending request", true),
        ] {
            let error = StoreError::Generic { store: "S3", source: said.into() };
            assert_eq!(explain("store.url", "list", "x", &error).is_retriable(), retriable, "{said}");
        }
    }

    #[test]
    fn uploads_that_are_gone_are_told_from_buckets() {
        const ANSWER: &str = "Server returned non-2xx status code: ";
        for (said, gone) in [
            // Google's answer to a completion, which object_store does not sort.
            ("404 Not Found: <Error><Code>NoSuchUpload</Code></Error>", true),
            ("404 Not Found: ", true),
            ("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>", false),
            ("404 Not Found: <Error><Code>ContainerNotFound</Code></Error>", false),
            ("400 Bad Request: <Error><Code>InvalidBlockList</Code></Error>", true),
            ("400 Bad Request: <Error><Code>InvalidPart</Code></Error>", true),
            ("400 Bad Request: <Error><Code>EntityTooSmall</Code></Error>", false),
            ("503 Slow Down: ", false),
        ] {
            let error = StoreError::Generic { store: "GCS", source: format!("{ANSWER}{said}").into() };
            assert_eq!(is_gone(&error), gone, "{said}");
        }
    }

    #[test]
    fn signatures_are_not_told() {
        let text = without_queries("error (https://a.blob/c/x?sv=1&sig=SECRET): what? now");
        assert_eq!(text, "error (https://a.blob/c/x?...): what? now");
        assert!(!text.contains("SECRET"));
    }
}
