//! Replacement texts, by the rules of `Matcher.appendReplacement`.

use lavka_api::error::exception;
use lavka_api::{Error, ErrorClass, Result};

/// The groups of a match, as a replacement refers to them.
pub(super) struct Groups<'a, F> {
    /// The number of groups, the whole match being one.
    pub(super) count: usize,
    /// Names with their numbers.
    pub(super) names: &'a [(String, usize)],
    /// What a group matched; nothing where it did not take part.
    pub(super) text: F,
}

/// Appends `template` to `out`, with `$1` and `${name}` replaced by what the groups matched and a backslash taking the
/// meaning off the character behind it.
///
/// # Errors
/// Java's, with its texts.
pub(super) fn expand<'t>(
    template: &str,
    groups: &Groups<'_, impl Fn(usize) -> &'t str>,
    out: &mut String,
) -> Result<()> {
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped) => out.push(escaped),
                None => return Err(illegal("character to be escaped is missing")),
            },
            '$' => {
                let number = match rest.next() {
                    None => return Err(illegal("Illegal group reference: group index is missing")),
                    Some('{') => {
                        let (name, after) = group_name(rest.as_str())?;
                        rest = after.chars();
                        named(name, groups.names)?
                    }
                    Some(c) => {
                        let Some(first) = c.to_digit(10) else {
                            return Err(illegal("Illegal group reference"));
                        };
                        let (number, after) = longest_number(first as usize, rest.as_str(), groups.count);
                        rest = after.chars();
                        number
                    }
                };
                if number >= groups.count {
                    let message = format!("No group {number}");
                    return Err(Error::new(ErrorClass::Data, exception::INDEX_OUT_OF_BOUNDS, message));
                }
                out.push_str((groups.text)(number));
            }
            c => out.push(c),
        }
    }
    Ok(())
}

fn illegal(message: impl Into<String>) -> Error {
    Error::new(ErrorClass::Data, exception::ILLEGAL_ARGUMENT, message)
}

/// Splits `name}…` at the brace.
fn group_name(text: &str) -> Result<(&str, &str)> {
    let (name, after) = text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len()));
    if name.is_empty() {
        return Err(illegal("named capturing group has 0 length name"));
    }
    match after.strip_prefix('}') {
        Some(after) => Ok((name, after)),
        None => Err(illegal("named capturing group is missing trailing '}'")),
    }
}

fn named(name: &str, names: &[(String, usize)]) -> Result<usize> {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(illegal(format!("capturing group name {{{name}}} starts with digit character")));
    }
    let known = names.iter().find(|(known, _)| known == name);
    known.map(|(_, number)| *number).ok_or_else(|| illegal(format!("No group with name {{{name}}}")))
}

/// Takes digits as long as they make the number of a group.
fn longest_number(first: usize, text: &str, groups: usize) -> (usize, &str) {
    let mut number = first;
    let mut rest = text.chars();
    loop {
        let after = rest.as_str();
        let longer = rest.next().and_then(|c| c.to_digit(10)).map(|digit| number * 10 + digit as usize);
        match longer {
            Some(longer) if longer < groups => number = longer,
            _ => return (number, after),
        }
    }
}
