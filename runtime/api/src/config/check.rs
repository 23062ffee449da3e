//! Checks beyond the type, with the error texts of Kafka's validators.

use std::fmt;
use std::sync::Arc;

use super::value::ConfigType;

type CheckFn = dyn Fn(&str, &str) -> Result<(), Refusal> + Send + Sync;

/// What a check has against a value.
enum Refusal {
    /// Completes `Invalid value <value> for configuration <key>: `.
    Detail(String),
    /// Is the whole error text.
    Whole(String),
}

/// A check of a value's text after it parsed.
#[derive(Clone)]
pub struct Check {
    run: Arc<CheckFn>,
    describe: String,
    /// What error texts leave out of the key.
    prefix: String,
}

impl Check {
    /// A check of one's own; `describe` completes "Valid values:" on the reference page. The error of `run` is the
    /// detail of the error text, without key and value.
    ///
    /// ```
    /// use lavka_api::config::{Check, key};
    ///
    /// let port = key::<String>("address").check(Check::new("host:port", |text| {
    ///     let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    ///     port.map(drop).ok_or_else(|| "it needs a port behind a colon".to_owned())
    /// }));
    /// let error = port.read(&[("address", "localhost")].into()).unwrap_err();
    /// assert_eq!(
    ///     error.message(),
    ///     Some("Invalid value localhost for configuration address: it needs a port behind a colon")
    /// );
    /// ```
    pub fn new(
        describe: impl Into<String>,
        run: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            run: Arc::new(move |_, text| run(text).map_err(Refusal::Detail)),
            describe: describe.into(),
            prefix: String::new(),
        }
    }

    /// As [`new`](Self::new) for a check with a wording of its own: `run` is given the key too, and its error is the
    /// whole text that the user reads.
    pub fn worded(
        describe: impl Into<String>,
        run: impl Fn(&str, &str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            run: Arc::new(move |key, text| run(key, text).map_err(Refusal::Whole)),
            describe: describe.into(),
            prefix: String::new(),
        }
    }

    /// This check for a key with `prefix` before its name. Error texts leave it out, as Connect's do.
    pub(super) fn behind(mut self, prefix: &str) -> Self {
        self.prefix.insert_str(0, prefix);
        self
    }

    /// A number of at least `min` (`Value must be at least <min>`).
    #[must_use]
    pub fn at_least(min: i64) -> Self {
        Self::new(format!("[{min},...]"), move |text| match text.trim().parse::<f64>() {
            Ok(number) if number < to_f64(min) => Err(format!("Value must be at least {min}")),
            _ => Ok(()),
        })
    }

    /// A number from `min` to `max`, both included.
    #[must_use]
    pub fn between(min: i64, max: i64) -> Self {
        Self::new(format!("[{min},...,{max}]"), move |text| match text.trim().parse::<f64>() {
            Ok(number) if number < to_f64(min) => Err(format!("Value must be at least {min}")),
            Ok(number) if number > to_f64(max) => Err(format!("Value must be no more than {max}")),
            _ => Ok(()),
        })
    }

    /// One of `allowed`, exactly (`String must be one of: a, b`).
    #[must_use]
    pub fn one_of(allowed: &'static [&'static str]) -> Self {
        let list = allowed.join(", ");
        Self::new(format!("[{list}]"), move |text| {
            if allowed.contains(&text.trim()) {
                Ok(())
            } else {
                Err(format!("String must be one of: {list}"))
            }
        })
    }

    /// One of `allowed`, whatever the case (`String must be one of (case insensitive): A, B`).
    #[must_use]
    pub fn one_of_ignoring_case(allowed: &'static [&'static str]) -> Self {
        let list = allowed.join(", ");
        Self::new(format!("(case insensitive) [{list}]"), move |text| {
            if allowed.iter().any(|a| a.eq_ignore_ascii_case(text.trim())) {
                Ok(())
            } else {
                Err(format!("String must be one of (case insensitive): {list}"))
            }
        })
    }

    /// Not empty (`String must be non-empty`).
    #[must_use]
    pub fn non_empty() -> Self {
        Self::new("non-empty string", |text| {
            if text.trim().is_empty() { Err("String must be non-empty".into()) } else { Ok(()) }
        })
    }

    /// A list with at least one element (`Empty list`).
    #[must_use]
    pub fn non_empty_list() -> Self {
        Self::new("non-empty list", |text| match Vec::<String>::parse(text) {
            Ok(items) if items.is_empty() => Err("Empty list".into()),
            _ => Ok(()),
        })
    }

    /// A list without repetitions and without empty elements, as Kafka's `ValidList` words it
    /// (`Configuration 'fields' values must not be duplicated.`); whether it `may_be_empty` itself is up to the key.
    #[must_use]
    pub fn distinct_list(may_be_empty: bool) -> Self {
        let describe = if may_be_empty { "distinct elements" } else { "non-empty list of distinct elements" };
        Self::worded(describe, move |key, text| {
            let mut items = Vec::<String>::parse(text)?;
            if items.is_empty() && !may_be_empty {
                return Err(format!(
                    "Configuration '{key}' must not be empty. Valid values include: any non-empty value"
                ));
            }
            let count = items.len();
            items.sort();
            items.dedup();
            if items.len() < count {
                return Err(format!("Configuration '{key}' values must not be duplicated."));
            }
            if items.iter().any(String::is_empty) {
                return Err(format!("Configuration '{key}' values must not be empty."));
            }
            Ok(())
        })
    }

    /// A list without repetitions (`Duplicate alias provided.`).
    #[must_use]
    pub fn unique_aliases() -> Self {
        Self::new("unique aliases", |text| {
            let mut items = Vec::<String>::parse(text)?;
            let count = items.len();
            items.sort();
            items.dedup();
            if items.len() == count { Ok(()) } else { Err("Duplicate alias provided.".into()) }
        })
    }

    /// Runs the check on the `text` of `key`, which error texts show as `shown`.
    ///
    /// # Errors
    /// The complete error text.
    pub fn run(&self, key: &str, text: &str, shown: &str) -> Result<(), String> {
        let key = key.strip_prefix(self.prefix.as_str()).unwrap_or(key);
        (self.run)(key, text).map_err(|refusal| match refusal {
            Refusal::Detail(detail) => format!("Invalid value {shown} for configuration {key}: {detail}"),
            Refusal::Whole(text) => text,
        })
    }

    /// What completes "Valid values:".
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.describe
    }
}

/// Bounds of configuration keys are small; beyond 2^53 the comparison would only be off by rounding.
#[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
fn to_f64(bound: i64) -> f64 {
    bound as f64
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.describe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, key};

    #[test]
    fn lists_are_worded_as_kafka_words_them() {
        let refusal = |check: Check, text: &str| {
            key::<Vec<String>>("fields")
                .check(check)
                .read(&Config::from([("fields", text)]))
                .err()
                .map(|error| error.message().unwrap_or_default().to_owned())
        };
        for (text, message) in [
            ("a,,a", "Configuration 'fields' values must not be duplicated."),
            ("a,", "Configuration 'fields' values must not be empty."),
            ("", "Configuration 'fields' must not be empty. Valid values include: any non-empty value"),
        ] {
            assert_eq!(refusal(Check::distinct_list(false), text).as_deref(), Some(message));
        }
        assert_eq!(refusal(Check::distinct_list(true), ""), None);
        assert_eq!(refusal(Check::distinct_list(false), "a, b"), None);
        assert_eq!(
            refusal(Check::non_empty_list(), " ").as_deref(),
            Some("Invalid value [] for configuration fields: Empty list")
        );
    }
}
