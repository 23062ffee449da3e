//! Java's regular expressions, as users of Connect write them.
//!
//! The grammar, the meaning and the error texts are those of `java.util.regex`, seen on Java 17; where later versions
//! differ (`\b` goes by the characters of `\w`), the later one counts. Matching tries and goes back as Java's does, so
//! that alternatives, groups and possessive quantifiers mean the same, but it counts its steps: a pattern and a text
//! that would take for ever end in an error. What is not supported (grapheme clusters, characters and blocks by name,
//! canonical equivalence) is refused by name when the pattern is read.
//!
//! - [`parser`]: the grammar of expressions; [`escape`]: what follows a backslash; [`class`]: what stands between
//!   brackets; [`property`]: the names that `\p` knows; [`flags`].
//! - [`node`]: the tree they make; [`set`]: sets of characters; [`program`]: the tree as instructions; [`matcher`]: what
//!   runs them.
//! - [`replacement`]: the texts that take the place of a match.

mod blocks;
mod class;
mod escape;
mod flags;
mod matcher;
mod node;
mod parser;
mod program;
mod property;
mod replacement;
mod set;
#[cfg(test)]
mod tests;

use lavka_api::config::Check;
use lavka_api::{Error, ErrorClass, Result};

use matcher::{GivenUp, Text};
use program::Program;
use replacement::Groups;

/// A pattern ready for matching.
pub(crate) struct JavaRegex {
    pattern: String,
    program: Program,
    /// Names of groups with their numbers.
    names: Vec<(String, usize)>,
}

impl JavaRegex {
    /// Reads `pattern`.
    ///
    /// # Errors
    /// `Invalid regex: ` and what Java says, or what is not supported here.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        let tree = parser::parse(pattern)?;
        let program = Program::of(&tree.root, tree.groups).ok_or_else(|| {
            format!("Invalid regex: its counted repetitions multiply to too much\n{pattern}")
        })?;
        Ok(Self { pattern: pattern.to_owned(), program, names: tree.names })
    }

    /// Whether `text` matches as a whole (`Matcher.matches`).
    ///
    /// # Errors
    /// A data error where the search was given up.
    pub(crate) fn matches(&self, text: &str) -> Result<bool> {
        matcher::matches(&self.program, &Text::new(text)).map_err(|GivenUp| self.given_up(text))
    }

    /// `text` with its first match replaced (`Matcher.replaceFirst`).
    ///
    /// # Errors
    /// Java's errors for a faulty `replacement`, and a data error where the search was given up.
    pub(crate) fn replace_first(&self, text: &str, replacement: &str) -> Result<String> {
        let chars = Text::new(text);
        let found = matcher::find(&self.program, &chars).map_err(|GivenUp| self.given_up(text))?;
        let Some(found) = found else { return Ok(text.to_owned()) };
        let (before, after) = chars.around(&found);
        let mut out = String::with_capacity(text.len() + replacement.len());
        out.push_str(before);
        let groups =
            Groups { count: found.groups(), names: &self.names, text: |number| chars.group(&found, number) };
        replacement::expand(replacement, &groups, &mut out)?;
        out.push_str(after);
        Ok(out)
    }

    fn given_up(&self, text: &str) -> Error {
        let message = format!(
            "The regex {} takes too long on {text:?}; avoid repetitions within repetitions such as (a+)+",
            self.pattern
        );
        Error::new(ErrorClass::Data, "java.lang.StackOverflowError", message)
    }
}

/// Checks that a key's value is a regular expression.
pub(crate) fn valid_regex() -> Check {
    Check::new("valid regex", |text| JavaRegex::compile(text.trim()).map(drop))
}
