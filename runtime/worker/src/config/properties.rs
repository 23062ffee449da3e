//! Java's `.properties` files (`java.util.Properties.load`).

use std::borrow::Cow;

use lavka_api::config::Config;
use lavka_api::{Error, Result};

/// White space within a line.
const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// The text of a properties file: UTF-8, as people write it today; ISO-8859-1, as Java reads it, where the bytes are no
/// UTF-8. The two agree on ASCII, and so on `\uXXXX` escapes.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// Reads a properties text: `#` and `!` comments, `=`, `:` or white space between key and value, `\` continuations and
/// escapes. Of two equal keys the last counts.
///
/// # Errors
/// A config error that begins with the line (`line 3: …`) of a malformed `\u` escape.
pub fn parse(text: &str) -> Result<Config> {
    let mut config = Config::new();
    let mut lines = NaturalLines { rest: text, number: 0 };
    while let Some(line) = LogicalLine::next(&mut lines) {
        let (key, value) = split(&line.text);
        let value_start = line.text.len() - value.len();
        let malformed = |start: usize, escape: Malformed| {
            Error::config(format!(
                "line {}: malformed \\uXXXX escape '{}'; write four hexadecimal digits after \\u, or \\\\ for a backslash",
                line.number_at(start + escape.at),
                escape.text
            ))
        };
        let key = unescape(key).map_err(|escape| malformed(0, escape))?;
        let value = unescape(value).map_err(|escape| malformed(value_start, escape))?;
        config.set(key, value);
    }
    Ok(config)
}

/// Lines as they are in the text; `\n`, `\r` and `\r\n` end one.
struct NaturalLines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Iterator for NaturalLines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\r', '\n'])).unwrap_or("");
        Some(line)
    }
}

/// One entry: a line and those that continue it.
struct LogicalLine {
    text: String,
    /// Where in `text` each line begins, and its number.
    parts: Vec<(usize, usize)>,
}

impl LogicalLine {
    fn next(lines: &mut NaturalLines<'_>) -> Option<Self> {
        let mut logical = Self { text: String::new(), parts: Vec::new() };
        loop {
            let Some(line) = lines.next() else {
                // A continuation that nothing follows; one of nothing is an entry all the same.
                return (!logical.parts.is_empty()).then_some(logical);
            };
            let line = line.trim_start_matches(BLANKS);
            if logical.text.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
                logical.parts.clear();
                continue;
            }
            logical.parts.push((logical.text.len(), lines.number));
            match line.strip_suffix('\\').filter(|_| continues(line)) {
                Some(line) => logical.text.push_str(line),
                None => {
                    logical.text.push_str(line);
                    return Some(logical);
                }
            }
        }
    }

    /// The number of the line that the byte at `offset` came from.
    fn number_at(&self, offset: usize) -> usize {
        self.parts.iter().rev().find(|(start, _)| *start <= offset).map_or(0, |(_, number)| *number)
    }
}

/// An odd number of backslashes at the end continues the line.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let separates = !escaped && (matches!(c, '=' | ':') || BLANKS.contains(&c));
        escaped = c == '\\' && !escaped;
        separates
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(BLANKS))
}

/// A `\u` without four hexadecimal digits.
struct Malformed {
    /// The byte where it begins.
    at: usize,
    /// What is there.
    text: String,
}

fn unescape(text: &str) -> Result<String, Malformed> {
    let mut out = String::with_capacity(text.len());
    // Escapes are UTF-16: characters beyond U+FFFF come as two.
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let after = &rest[c.len_utf8()..];
        if let Some(digits) = after.strip_prefix('u').filter(|_| c == '\\') {
            let digits = digits.get(..4).filter(|four| four.bytes().all(|b| b.is_ascii_hexdigit()));
            let unit = digits.and_then(|four| u16::from_str_radix(four, 16).ok());
            let Some(unit) = unit else {
                return Err(Malformed { at, text: rest.chars().take(6).collect() });
            };
            units.push(unit);
            rest = after.get(5..).unwrap_or_default();
            continue;
        }
        out.push_str(&String::from_utf16_lossy(&units));
        units.clear();
        if c != '\\' {
            out.push(c);
            rest = after;
            continue;
        }
        rest = match after.chars().next() {
            Some(escaped) => {
                out.push(match escaped {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'f' => '\u{c}',
                    other => other,
                });
                &after[escaped.len_utf8()..]
            }
            None => "",
        };
    }
    out.push_str(&String::from_utf16_lossy(&units));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java makes of each text, as its own class answered (`testdata/java-properties.tsv`).
    #[test]
    fn texts_mean_what_they_mean_to_java() {
        let table = include_str!("../../testdata/java-properties.tsv");
        let mut rows = 0;
        for row in table.lines().filter(|row| !row.starts_with("# Texts")) {
            rows += 1;
            let cells: Vec<&str> = row.split('\t').collect();
            let plain = |cell: &&str| unescape(cell).ok().unwrap();
            match (parse(&plain(&cells[0])), cells[1]) {
                (Ok(config), "ok") => {
                    let ours: Vec<&str> = config.iter().flat_map(|(k, v)| [k, v.unwrap()]).collect();
                    assert_eq!(ours, cells[2..].iter().map(plain).collect::<Vec<_>>(), "{row}");
                }
                (Err(error), "error") => assert!(error.to_string().contains("line 1: malformed"), "{error}"),
                (outcome, _) => panic!("{row}: {outcome:?}"),
            }
        }
        assert!(rows > 40, "{rows}");
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        for (text, line) in [
            ("a=1\nb=2\nc=\\u12x4", 3),
            ("a=1\r\n\r\nb=x\\\r\n  \\uzzzz", 4),
            ("# c\n\\u1=2", 2),
            ("a=\\\n\\\nx\\u", 3),
            ("a=1\rb=\\u00é9", 2),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: malformed")), "{text:?}: {error}");
        }
    }

    #[test]
    fn text_beyond_ascii() {
        let value = |bytes: &[u8]| parse(&decode(bytes)).unwrap().get("a").unwrap().to_owned();
        assert_eq!(value("a=é😀".as_bytes()), "é😀");
        assert_eq!(value(b"a=\xe9"), "é");
        assert_eq!(value("\u{feff}a=1".as_bytes()), "1");
        assert_eq!(value(b"a=\\ud83d\\ude00\\u00e9"), "😀é");
        assert_eq!(value(b"a=\\ud83dx"), "\u{fffd}x", "half of a surrogate pair");
    }

    /// As Java's `store` writes a key or value.
    fn stored(text: &str, key: bool) -> String {
        let mut out = String::new();
        for (place, c) in text.chars().enumerate() {
            match c {
                ' ' if key || place == 0 => out.push_str("\\ "),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\u{c}' => out.push_str("\\f"),
                '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04X}"));
                    }
                }
            }
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn what_java_stores_is_read_back(key in "\\PC*|[ =:#!\\\\\t\n\r\u{c}a]*", value in "\\PC*|[ =:#!\\\\\t\n\r\u{c}a]*") {
            let text = format!("# stored\n{}={}\n", stored(&key, true), stored(&value, false));
            let config = parse(&text).unwrap();
            proptest::prop_assert_eq!(config.get(&key), Some(value.as_str()));
            proptest::prop_assert_eq!(config.len(), 1);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&decode(&bytes));
        }

        #[test]
        fn no_escapes_are_too_odd(text in "[\\\\u0aé\n\r #=]{0,40}") {
            let _ = parse(&text);
        }
    }
}
