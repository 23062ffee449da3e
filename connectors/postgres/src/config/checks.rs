//! Checks of single values, in Debezium's words.

use lavka_api::config::{Check, ConfigType as _};

/// `The '<key>' value is invalid: <problem>`, as Debezium words what its validators find.
pub(crate) fn invalid(key: &str, problem: &str) -> String {
    format!("The '{key}' value is invalid: {problem}")
}

/// One of `words`, whatever the case; older names are the type's own business.
pub(super) fn mode(key: &'static str, words: &'static [&'static str]) -> Check {
    let list = words.join(", ");
    Check::worded(format!("[{list}]"), move |_, text| {
        let older: &[&str] = match key {
            "snapshot.mode" => &["never"],
            "event.processing.failure.handling.mode" | "event.converting.failure.handling.mode" => {
                &["ignore"]
            }
            "database.sslmode" => &["required"],
            _ => &[],
        };
        if words.iter().chain(older).any(|word| word.eq_ignore_ascii_case(text.trim())) {
            Ok(())
        } else {
            Err(invalid(key, &format!("Value must be one of {list}")))
        }
    })
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A number above 0.
pub(super) fn positive() -> Check {
    Check::worded("[1,...]", |key, text| match number(text) {
        Some(number) if number <= 0 => Err(invalid(key, "A positive, non-zero integer value is expected")),
        _ => Ok(()),
    })
}

/// A number from 0.
pub(super) fn non_negative() -> Check {
    Check::worded("[0,...]", |key, text| match number(text) {
        Some(number) if number < 0 => Err(invalid(key, "A non-negative integer value is expected")),
        _ => Ok(()),
    })
}

/// What the server takes as the name of a slot.
pub(super) fn slot_name() -> Check {
    Check::worded("lower case letters, digits and underscores, at most 63", |key, text| {
        let name = text.trim();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.is_empty() && name.len() <= 63 && name.bytes().all(good) {
            Ok(())
        } else {
            Err(invalid(
                key,
                "Valid replication slot name must contain only digits, lowercase characters and underscores with \
                 length <= 63",
            ))
        }
    })
}

/// What topics can begin with.
pub(super) fn topic_prefix() -> Check {
    Check::worded("letters, digits, underscores, hyphens and dots", |key, text| {
        let name = text.trim();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.is_empty() && name.chars().all(good) {
            Ok(())
        } else {
            Err(invalid(
                key,
                &format!(
                    "{name} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are \
                          allowed)"
                ),
            ))
        }
    })
}

/// Splits a comma list and drops what is empty.
pub(crate) fn items(text: &str) -> Vec<String> {
    Vec::<String>::parse(text).unwrap_or_default().into_iter().filter(|item| !item.is_empty()).collect()
}
