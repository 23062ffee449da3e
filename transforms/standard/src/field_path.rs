//! Names of fields as configurations write them (KIP-821).

use lavka_api::{Error, Result};

/// How a path is written (`field.syntax.version`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathSyntax {
    /// The text is the name of a field at the top, dots and all.
    V1,
    /// Steps are separated by dots; a step that holds dots itself stands between backticks.
    V2,
}

/// A field by the names that lead to it; one name at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    parents: Vec<String>,
    last: String,
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// A config error where a backtick opens a step and none closes it.
    pub(crate) fn parse(text: &str, syntax: PathSyntax) -> Result<Self> {
        let mut parents = match syntax {
            PathSyntax::V1 => vec![text.to_owned()],
            PathSyntax::V2 => steps(text)?,
        };
        let last = parents.pop().unwrap_or_default();
        Ok(Self { parents, last })
    }

    /// The names that lead to the struct or map that holds the field.
    pub(crate) fn parents(&self) -> &[String] {
        &self.parents
    }

    /// The name of the field itself.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }
}

fn steps(path: &str) -> Result<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        let (step, after) = match rest.strip_prefix('`') {
            Some(quoted) => quoted_step(quoted).ok_or_else(|| {
                // Java counts UTF-16 units.
                let position = path[..path.len() - rest.len()].encode_utf16().count();
                Error::config(format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at \
                     position {position} to escape it"
                ))
            })?,
            None => match rest.split_once('.') {
                Some((step, after)) => (step.to_owned(), Some(after)),
                None => (rest.to_owned(), None),
            },
        };
        steps.push(step);
        match after {
            Some(after) => rest = after,
            None => return Ok(steps),
        }
    }
}

/// The step that begins behind a backtick, and what follows its dot. The closing backtick is the first one before a dot
/// or the end that has no backslash before it; a backslash before a backtick and a dot is left out of the name.
fn quoted_step(text: &str) -> Option<(String, Option<&str>)> {
    let mut step = String::new();
    let mut taken = 0;
    for (at, _) in text.match_indices('`') {
        let (before, after) = (text.get(taken..at)?, text.get(at + 1..)?);
        let escaped = text.get(..at)?.ends_with('\\');
        match (after.strip_prefix('.'), escaped) {
            (None, true) if after.is_empty() => return None,
            (None, false) if after.is_empty() => {
                step.push_str(before);
                return Some((step, None));
            }
            (None, _) => {}
            (Some(_), true) => {
                step.push_str(before.strip_suffix('\\').unwrap_or(before));
                step.push('`');
                taken = at + 1;
            }
            (Some(rest), false) => {
                step.push_str(before);
                return Some((step, Some(rest)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(text: &str) -> Result<Vec<String>, String> {
        let path =
            FieldPath::parse(text, PathSyntax::V2).map_err(|e| e.message().unwrap_or_default().to_owned())?;
        Ok(path.parents.into_iter().chain([path.last]).collect())
    }

    #[test]
    fn p1_to_p3_steps() {
        for (row, text, steps) in [
            ("P1", "..", &["", "", ""][..]),
            ("P2", "foo.`bar.baz`", &["foo", "bar.baz"]),
            ("P3", "foo.``bar.baz`", &["foo", "`bar.baz"]),
            ("trailing dot", "a.b.", &["a", "b", ""]),
            ("backtick inside", "a`.b", &["a`", "b"]),
            ("backtick inside a quoted step", "`a`b`.c", &["a`b", "c"]),
            ("escaped", "`a\\`.b`", &["a`.b"]),
            ("backslash kept", "`a\\`b`", &["a\\`b"]),
            ("empty quoted step", "``", &[""]),
            ("nothing", "", &[""]),
        ] {
            assert_eq!(v2(text).unwrap(), steps, "{row}");
        }
    }

    #[test]
    fn p4_unclosed_backtick() {
        for (text, position) in [("`a", 0), ("a.`b", 2), ("a.`b`c", 2), ("`a\\`", 0), ("é.`", 2)] {
            assert_eq!(
                v2(text).unwrap_err(),
                format!(
                    "Incomplete backtick pair in path: [{text}], consider adding a backslash before backtick at \
                     position {position} to escape it"
                )
            );
        }
    }

    #[test]
    fn v1_takes_the_text_as_it_is() {
        let path = FieldPath::parse("`a.b", PathSyntax::V1).unwrap();
        assert_eq!((path.parents(), path.last()), (&[][..], "`a.b"));
    }
}
