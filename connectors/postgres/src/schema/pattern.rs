//! Debezium's lists of regular expressions.

use fancy_regex::{Regex, RegexBuilder};
use lavka_api::{Error, Result};

/// What one match may cost before it counts as none: an expression that backtracks without end must not stop the stream.
const BACKTRACK_LIMIT: usize = 100_000;

/// A comma-separated list of regular expressions, each of which has to match the whole text, whatever its case.
#[derive(Clone, Debug, Default)]
pub struct PatternList {
    patterns: Vec<Regex>,
}

impl PatternList {
    /// Reads a list. A comma that belongs to an expression is written `\,`; empty entries are passed over.
    ///
    /// # Errors
    /// Where an entry is no regular expression; the text names the entry.
    pub fn parse(list: &str) -> Result<Self> {
        let patterns = split(list).iter().map(|pattern| compile(pattern)).collect::<Result<_>>();
        let patterns = patterns.map_err(|error| {
            let why = error.message().unwrap_or_default();
            // In Debezium's words.
            Error::config(format!(
                "A comma-separated list of valid regular expressions is expected, but {why}"
            ))
        })?;
        Ok(Self { patterns })
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of the patterns matches the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| is_match(pattern, text))
    }
}

/// Whether a pattern matches. One that backtracks beyond the limit does not, and says so: a column may go unmasked by it.
pub(super) fn is_match(pattern: &Regex, text: &str) -> bool {
    pattern.is_match(text).unwrap_or_else(|error| {
        tracing::error!(%pattern, text, %error, "a regular expression gives up and counts as not matching: simplify it");
        false
    })
}

/// The entries of a list.
pub(super) fn split(list: &str) -> Vec<String> {
    let mut entries = vec![String::new()];
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match (c, entries.last_mut()) {
            (',', _) => entries.push(String::new()),
            ('\\', Some(entry)) => match chars.next() {
                Some(',') => entry.push(','),
                Some(escaped) => entry.extend(['\\', escaped]),
                None => entry.push('\\'),
            },
            (c, Some(entry)) => entry.push(c),
            (_, None) => {}
        }
    }
    entries.iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// A regular expression that matches a whole text in any case.
pub(super) fn compile(pattern: &str) -> Result<Regex> {
    build(&format!("^(?:{})$", quotations_escaped(pattern)), true, pattern)
}

/// A regular expression as it is.
pub(super) fn build(pattern: &str, any_case: bool, shown: &str) -> Result<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(any_case)
        .backtrack_limit(BACKTRACK_LIMIT)
        .build()
        .map_err(|error| Error::config(format!("the regular expression {shown} is not valid: {error}")))
}

/// Java quotes text between `\Q` and `\E`.
pub(super) fn quotations_escaped(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find("\\Q") {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let behind = behind.get(2..).unwrap_or_default();
        let (quoted, after) = behind.split_once("\\E").unwrap_or((behind, ""));
        out.push_str(&fancy_regex::escape(quoted));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_matches_in_any_case() {
        let list = PatternList::parse(r"inv\.customers, INV.ord.*,(?!x).*\.docs ,\Qa.b\E").unwrap();
        for (text, matches) in [
            ("inv.customers", true),
            ("INV.Customers", true),
            ("inv.customers2", false),
            ("x.inv.customers", false),
            ("inv.orders", true),
            ("inv.docs", true),
            ("x.docs", false),
            ("a.b", true),
            ("axb", false),
        ] {
            assert_eq!(list.matches(text), matches, "{text}");
        }
    }

    #[test]
    fn a_comma_is_escaped() {
        assert_eq!(split(r" a{1\,2} ,, b\.c,"), ["a{1,2}", r"b\.c"]);
        assert!(PatternList::parse("").unwrap().is_empty());
        let error = PatternList::parse("ok,(").unwrap_err();
        assert!(
            error.message().unwrap().contains("is expected, but the regular expression ( is not valid: "),
            "{error}"
        );
    }

    #[test]
    fn endless_backtracking_matches_nothing() {
        let list = PatternList::parse(r"(a+)+\1b").unwrap();
        assert!(!list.matches(&"a".repeat(200)));
    }
}
