//! Java's `.properties` files (`java.util.Properties.load`).

use lavka_api::config::Config;
use lavka_api::{Error, Result};

/// Reads a properties text: `#` and `!` comments, `=`, `:` or white space between key and value, `\` continuations and
/// escapes. Of two equal keys the last counts. Text beyond ASCII may be UTF-8, as people write it, or `\uXXXX`.
///
/// # Errors
/// A config error that names the line of a malformed `\u` escape.
pub fn parse(text: &str) -> Result<Config> {
    let mut config = Config::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let start = line.trim_start_matches([' ', '\t', '\u{c}']);
        if start.is_empty() || start.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = start.to_owned();
        while continues(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches([' ', '\t', '\u{c}']));
        }
        let (key, value) = split(&logical);
        let at = |error: String| Error::config(format!("line {}: {error}", number + 1));
        config.set(unescape(key).map_err(at)?, unescape(value).map_err(at)?);
    }
    Ok(config)
}

/// An odd number of backslashes at the end continues the line.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let separates = !escaped && matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}');
        escaped = c == '\\' && !escaped;
        separates
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let blank = [' ', '\t', '\u{c}'];
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            flush(&mut units, &mut out);
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| valid);
                units.push(unit.ok_or_else(|| {
                    format!("malformed \\uXXXX escape '\\u{digits}'; write four hexadecimal digits, or \\\\u for a backslash")
                })?);
            }
            other => {
                flush(&mut units, &mut out);
                match other {
                    Some('t') => out.push('\t'),
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('f') => out.push('\u{c}'),
                    Some(other) => out.push(other),
                    None => {}
                }
            }
        }
    }
    flush(&mut units, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().iter().map(|(k, v)| (k.to_owned(), v.unwrap().to_owned())).collect()
    }

    fn one(text: &str) -> (String, String) {
        entries(text).pop().unwrap()
    }

    #[test]
    fn separators_comments_and_blanks() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(one("a=1"), pair("a", "1"));
        assert_eq!(one("  a : 1 "), pair("a", "1 "));
        assert_eq!(one("a b c"), pair("a", "b c"));
        assert_eq!(one("a"), pair("a", ""));
        assert_eq!(one("a==b"), pair("a", "=b"));
        assert_eq!(one(r"a\=b=c"), pair("a=b", "c"));
        assert_eq!(entries("# x\n! y\n\n\r\n"), []);
        assert_eq!(entries("a=1\r\na=2\r\n"), [pair("a", "2")]);
    }

    #[test]
    fn continuations_and_escapes() {
        assert_eq!(one("a=b,\\\n   c").1, "b,c");
        assert_eq!(one("a=b\\\\\nc=d").0, "c");
        assert_eq!(one(r"a=C:\\dir\tx\q").1, "C:\\dir\txq");
        assert_eq!(one(r"a=\u00e9\ud83d\ude00é").1, "é😀é");
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        let error = parse("a=1\nb=2\nc=\\u12x4").unwrap_err();
        assert!(error.message().is_some_and(|text| text.starts_with("line 3: malformed")), "{error}");
    }
}
