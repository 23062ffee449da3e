//! Values that are in no log line and no error text, wherever they come from: what configuration providers resolved.
//!
//! Types keep secrets out of texts where they are known to be secrets (`Password`). A value that a provider gave may
//! stand in any key, and then in any text that a plugin or a client library writes; so it is looked for in the text.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is shown instead, as for passwords.
const HIDDEN: &str = "[hidden]";

/// Values with fewer bytes are hidden only where they stand alone: `1` is part of too much.
const SHORT: usize = 4;

/// How many values the log hides at most; of more the oldest are forgotten.
const IN_LOG: usize = 10_000;

/// Hides values in texts. Clones share them. `Debug` shows how many there are.
///
/// ```
/// use lavka_telemetry::redaction::Redactor;
///
/// let redactor = Redactor::new(["hunter2".to_owned(), "7".to_owned()]);
/// assert_eq!(redactor.redact("hunter22 has 7 of 77"), "[hidden]2 has [hidden] of 77");
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a value that contains another is hidden whole.
    values: Arc<[String]>,
}

impl Redactor {
    /// Hides `values`, also without white space around them and as they are in quotes (`\n` for a line break).
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut all = Vec::new();
        for value in values {
            let quoted = format!("{value:?}");
            let escaped = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
            let trimmed = value.trim().to_owned();
            all.extend([value, escaped, trimmed]);
        }
        all.retain(|value| !value.trim().is_empty());
        all.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self { values: all.into() }
    }

    /// Hides what either of them hides.
    #[must_use]
    pub fn with(&self, other: &Redactor) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => other.clone(),
            _ => Self::new(self.values.iter().chain(other.values.iter()).cloned()),
        }
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `text` without the values.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.values.iter().fold(Cow::Borrowed(text), |text, value| hide(text, value))
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({})", self.values.len())
    }
}

fn hide<'t>(text: Cow<'t, str>, value: &str) -> Cow<'t, str> {
    // Hiding `hidden` must not go on for ever, nor make a mess of what is hidden already.
    if !text.contains(value) || HIDDEN.contains(value) {
        return text;
    }
    if value.len() >= SHORT {
        return Cow::Owned(text.replace(value, HIDDEN));
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in text.match_indices(value) {
        let end = at + found.len();
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(end..).and_then(|after| after.chars().next());
        if [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric()) {
            out.push_str(text.get(done..at).unwrap_or_default());
            out.push_str(HIDDEN);
            done = end;
        }
    }
    if done == 0 {
        return text;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

/// What the log of this process hides.
struct Log {
    values: VecDeque<String>,
    redactor: Redactor,
}

static LOG: RwLock<Option<Log>> = RwLock::new(None);
static ANY_IN_LOG: AtomicBool = AtomicBool::new(false);

/// Hides the values of `redactor` in every line of the log from now on; all but those of less than four bytes, without
/// which lines would be hard to read.
pub fn hide_in_log(redactor: &Redactor) {
    let mut guard = LOG.write().unwrap_or_else(PoisonError::into_inner);
    let log = guard.get_or_insert_with(|| Log { values: VecDeque::new(), redactor: Redactor::default() });
    let new: Vec<&String> =
        redactor.values.iter().filter(|value| value.len() >= SHORT && !log.values.contains(value)).collect();
    if new.is_empty() {
        return;
    }
    log.values.extend(new.into_iter().cloned());
    let surplus = log.values.len().saturating_sub(IN_LOG);
    log.values.drain(..surplus);
    log.redactor = Redactor::new(log.values.iter().cloned());
    ANY_IN_LOG.store(true, Ordering::Release);
}

/// Text of a line as the log shows it.
pub fn for_log(text: &str) -> Cow<'_, str> {
    if !ANY_IN_LOG.load(Ordering::Acquire) {
        return Cow::Borrowed(text);
    }
    let guard = LOG.read().unwrap_or_else(PoisonError::into_inner);
    match &*guard {
        Some(log) => log.redactor.redact(text),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(values: &[&str], text: &str) -> String {
        Redactor::new(values.iter().map(|value| (*value).to_owned())).redact(text).into_owned()
    }

    #[test]
    fn values_are_hidden_longest_first() {
        assert_eq!(redact(&["pass", "password1"], "a password1 and a pass"), "a [hidden] and a [hidden]");
        assert_eq!(redact(&[" spaced \n"], "it is spaced, really"), "it is [hidden], really");
        assert_eq!(redact(&["two\nlines"], r#"field="two\nlines""#), r#"field="[hidden]""#);
        assert_eq!(redact(&["", "  "], "nothing  to hide"), "nothing  to hide");
        assert_eq!(redact(&["hidden", "hidd"], "hidden stays"), "hidden stays");
        assert_eq!(redact(&["äöü"], "x äöü äöüx"), "x [hidden] [hidden]x");
    }

    #[test]
    fn short_values_are_hidden_where_they_stand_alone() {
        assert_eq!(
            redact(&["1"], "Invalid value 1 for 1st of 21, 1"),
            "Invalid value [hidden] for 1st of 21, [hidden]"
        );
        assert_eq!(redact(&["a"], "a"), "[hidden]");
        assert_eq!(redact(&["é"], "é-é"), "[hidden]-[hidden]");
    }

    #[test]
    fn two_are_merged_and_debug_tells_nothing() {
        let merged = Redactor::new(["alpha".to_owned()]).with(&Redactor::new(["omega".to_owned()]));
        assert_eq!(merged.redact("alpha omega"), "[hidden] [hidden]");
        assert_eq!(format!("{merged:?}"), "Redactor(2)");
        assert!(Redactor::default().with(&Redactor::default()).is_empty());
    }

    #[test]
    fn the_log_forgets_the_oldest() {
        hide_in_log(&Redactor::new(["redaction-test-first".to_owned(), "abc".to_owned()]));
        assert_eq!(for_log("redaction-test-first abc"), "[hidden] abc");
        hide_in_log(&Redactor::new((0..IN_LOG).map(|n| format!("redaction-test-{n}-x"))));
        assert_eq!(for_log("redaction-test-first"), "redaction-test-first");
        assert_eq!(for_log("redaction-test-9999-x"), "[hidden]");
    }
}
