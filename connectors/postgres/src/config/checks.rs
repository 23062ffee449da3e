//! Checks of single values, in Debezium's words.

use lavka_api::config::{Check, ConfigType as _};

/// `The '<key>' value is invalid: <problem>`, as Debezium words what its validators find.
pub(crate) fn invalid(key: &str, problem: &str) -> String {
    format!("The '{key}' value is invalid: {problem}")
}

/// One of `words`, whatever the case, or another name that Debezium takes for one of them.
pub(super) fn mode(key: &'static str, words: &'static [&'static str]) -> Check {
    // What Debezium lists with the words, and what it takes without a word.
    let (shown, older): (&'static [&'static str], &'static [&'static str]) = match key {
        "snapshot.mode" => (&[], &["never"]),
        "event.processing.failure.handling.mode" => (&["ignore"], &[]),
        "event.converting.failure.handling.mode" => (&[], &["ignore"]),
        "database.sslmode" => (&[], &["required"]),
        _ => (&[], &[]),
    };
    let list = [words, shown].concat().join(", ");
    Check::worded(format!("[{list}]"), move |_, text| {
        let text = text.trim();
        if words.iter().chain(shown).chain(older).any(|word| word.eq_ignore_ascii_case(text)) {
            Ok(())
        } else {
            Err(invalid(key, &format!("Value must be one of {list}")))
        }
    })
}

/// A number from `least`, else `problem`. What is no number is told elsewhere.
fn from(least: i64, problem: &'static str) -> Check {
    Check::worded(format!("[{least},...]"), move |key, text| match text.trim().parse::<i64>() {
        Ok(number) if number < least => Err(invalid(key, problem)),
        _ => Ok(()),
    })
}

/// A number above 0.
pub(super) fn positive() -> Check {
    from(1, "A positive, non-zero integer value is expected")
}

/// The same, of 64 bits.
pub(super) fn positive_long() -> Check {
    from(1, "A positive, non-zero long value is expected")
}

/// A number from 0.
pub(super) fn non_negative() -> Check {
    from(0, "An non-negative integer is expected")
}

/// The same, of 64 bits.
pub(super) fn non_negative_long() -> Check {
    from(0, "A non-negative long value is expected")
}

/// A list of `name=value`.
pub(super) fn pairs() -> Check {
    Check::worded("a list of name=value", |key, text| {
        let pair = |entry: &String| entry.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty());
        if items(text).iter().all(pair) {
            Ok(())
        } else {
            Err(invalid(
                key,
                "A equivalent-separated map of valid key/value pairs is expected, for example: k1=v1,k2=v2",
            ))
        }
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
