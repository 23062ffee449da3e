//! Splitting a text into tokens, as `Values.Parser` does.

/// Java's `String.trim`: everything up to the space counts as white space.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Tokens of a text: each of the delimiters `: , { } [ ] "`, unless a backslash precedes it, and what lies between
/// two of them.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// A token that was looked at but not taken.
    ahead: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, ahead: None }
    }

    /// Where the next token begins, for [`rewind`](Self::rewind). White space that was looked past is not counted.
    pub(super) fn mark(&self) -> usize {
        self.at - self.ahead.map_or(0, str::len)
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
        self.ahead = None;
    }

    pub(super) fn has_next(&self) -> bool {
        self.ahead.is_some() || self.at < self.text.len()
    }

    /// The next token; empty at the end.
    pub(super) fn next(&mut self) -> &'a str {
        match self.ahead.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    /// The text of the next `count` tokens, delimiters included; with fewer left, none is taken.
    pub(super) fn next_joined(&mut self, count: usize) -> Option<&'a str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.next();
        }
        self.text.get(start..self.at)
    }

    /// Takes the next token if it is `expected`, white space around it aside. Tokens of white space alone before it
    /// are passed over, also where the answer is no.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let mut token = match self.ahead {
            Some(token) => token,
            None if self.at < self.text.len() => self.read(),
            None => return false,
        };
        while trim(token).is_empty() && self.at < self.text.len() {
            token = self.read();
        }
        let is_expected = trim(token) == expected;
        self.ahead = (!is_expected).then_some(token);
        is_expected
    }

    fn read(&mut self) -> &'a str {
        let start = self.at;
        let mut escaped = false;
        for &byte in self.text.as_bytes().get(start..).unwrap_or_default() {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    if self.at == start {
                        self.at += 1;
                    }
                    break;
                }
                _ => escaped = false,
            }
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut tokens = Tokens::new(text);
        std::iter::from_fn(|| tokens.has_next().then(|| tokens.next())).collect()
    }

    #[test]
    fn delimiters_are_tokens_unless_escaped() {
        assert_eq!(all("a:b, {c}"), ["a", ":", "b", ",", " ", "{", "c", "}"]);
        assert_eq!(all(r#"a\:b"#), [r"a\:b"]);
        assert_eq!(all(r#""a\"b\\"c"#), ["\"", r#"a\"b\\"#, "\"", "c"]);
        assert_eq!(all("é[日"), ["é", "[", "日"]);
    }

    #[test]
    fn white_space_is_passed_over_when_taking() {
        let mut tokens = Tokens::new("  [ 1 :x");
        let mark = tokens.mark();
        assert!(!tokens.take("]") && tokens.take("["));
        assert!(!tokens.take("["));
        assert_eq!(tokens.next(), " 1 ");
        assert_eq!(tokens.next_joined(3), None);
        assert_eq!(tokens.next_joined(2), Some(":x"));
        assert!(!tokens.has_next() && !tokens.take("x"));
        tokens.rewind(mark);
        assert_eq!(tokens.next(), "  ");
    }
}
