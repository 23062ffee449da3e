//! Where ours are different on purpose.
//!
//! - A null struct that has a default stands for the default. Java's classes cannot put such a default into the copy:
//!   its schema is not equal to the field's, for it lacks the default. So only Flatten, which does not use it, is given
//!   structs with defaults inside others.
//! - A pattern that `TimestampRouter` cannot format with is refused with the configuration, not by the first record.
//! - Of two old names with one new name `ReplaceField` reads the one that the struct has; Java takes the one that comes
//!   later in the order of a hash, and fails where that is the other one.
//! - `SimpleDateFormat` goes on in a zone that a text named, for the next records too; ours stays with UTC.
//! - Names of zones whose offset from Greenwich changed since 1970 (MSK) are not read.

use serde_json::Value as Json;

use crate::Case;

/// Why a case may differ; `None` where it may not.
pub(crate) fn explain(case: &Case, ours: &Json) -> Option<&'static str> {
    if case.class.ends_with("TimestampRouter") && ours.get("refused").is_some() {
        return Some("refused with the configuration");
    }
    let renames = case.keys.iter().find(|(key, _)| *key == "renames").map(|(_, text)| text.as_str());
    let mut targets: Vec<&str> =
        renames.unwrap_or_default().split(',').filter_map(|item| item.split(':').nth(1)).collect();
    let count = targets.len();
    targets.sort_unstable();
    targets.dedup();
    (targets.len() < count).then_some("two old names for one new one")
}
