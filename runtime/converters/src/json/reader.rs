//! A pull reader over the bytes of one JSON document: white space, literals, strings, and skipping of whole values.

use lavka_api::error::exception;
use lavka_api::{Error, Result};

use super::scan;
use crate::adapter::serialization;

/// Arrays and objects nested deeper than this are refused, on reading and on writing. Jackson allows 1000; this much
/// leaves every recursive walk over a value (drop, clone, comparison, a transform) 8 KiB a level on a thread with a
/// stack of 2 MiB, which is what makes the limit safe in unoptimised builds too.
pub const MAX_DEPTH: usize = 256;

/// The text before every syntax error, which is its cause.
pub(super) const UNREADABLE: &str =
    "Converting byte[] to Kafka Connect data failed due to serialization error: ";

/// What stands for the end of the document; never part of valid JSON.
const END: u8 = 0;

/// A position in a document. Methods read forward and leave the position behind what they read.
///
/// The document is checked to be UTF-8 once, up front; after that slices between ASCII bytes are texts. Jackson looks
/// only at bytes up to the end of the first value, so bytes that are not UTF-8 count only once they are reached.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether the document goes on behind `text` with bytes that are not UTF-8.
    broken: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte; a byte order mark is stepped over.
    pub(super) fn new(document: &'a [u8]) -> Self {
        let unmarked = document.strip_prefix(b"\xef\xbb\xbf").filter(|rest| !rest.is_empty());
        let document = unmarked.unwrap_or(document);
        match std::str::from_utf8(document) {
            Ok(text) => Self { text, at: 0, broken: false },
            Err(error) => {
                let valid = document.get(..error.valid_up_to()).unwrap_or_default();
                Self { text: std::str::from_utf8(valid).unwrap_or_default(), at: 0, broken: true }
            }
        }
    }

    /// A reader over a part of a document that has been read before.
    pub(super) fn of_text(text: &'a str) -> Self {
        Self { text, at: 0, broken: false }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text from `start` up to the current position.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The byte at the position, 0 at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(END)
    }

    #[inline]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Steps over white space; the byte behind it, 0 at the end.
    #[inline]
    pub(super) fn next(&mut self) -> u8 {
        loop {
            let byte = self.peek();
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Whether nothing is left, not even bytes that are not UTF-8.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len() && !self.broken
    }

    /// Steps over the colon after a key, and the white space around it.
    #[inline]
    pub(super) fn colon(&mut self) -> Result<()> {
        if self.next() != b':' {
            return Err(self.unexpected("a colon after the name of a member"));
        }
        self.at += 1;
        Ok(())
    }

    /// Steps over `[` or `{` and the white space behind it: true where `close` follows, which is stepped over too.
    #[inline]
    pub(super) fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        let empty = self.next() == close;
        self.at += usize::from(empty);
        empty
    }

    /// Steps over what follows an element: true for a comma, false for `close`.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool> {
        let byte = self.next();
        if byte == b',' {
            self.at += 1;
            Ok(true)
        } else if byte == close {
            self.at += 1;
            Ok(false)
        } else if close == b']' {
            Err(self.unexpected("a comma or the end of the array"))
        } else {
            Err(self.unexpected("a comma or the end of the object"))
        }
    }

    /// The name of a member, up to and with its colon. The name lies in the document, or in `scratch` where it has
    /// escapes.
    #[inline]
    pub(super) fn key<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str>
    where
        'a: 's,
    {
        if self.next() != b'"' {
            return Err(self.unexpected("the quoted name of a member"));
        }
        let key = self.string(scratch)?;
        self.colon()?;
        Ok(key)
    }

    /// The string whose opening quote is at the position.
    #[inline]
    pub(super) fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str>
    where
        'a: 's,
    {
        let start = self.at + 1;
        let end = scan::string_end(self.text.as_bytes(), start);
        self.at = end;
        if self.peek() == b'"' {
            self.at += 1;
            return Ok(self.text.get(start..end).unwrap_or_default());
        }
        self.escaped_string(start, scratch)?;
        Ok(scratch)
    }

    /// The rest of a string whose part from `start` up to the position is plain.
    #[cold]
    fn escaped_string(&mut self, start: usize, scratch: &mut String) -> Result<()> {
        scratch.clear();
        let mut plain = start;
        loop {
            scratch.push_str(self.text_since(plain));
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    let c = self.escape()?;
                    scratch.push(c);
                }
                _ if self.at >= self.text.len() => return Err(self.unexpected("the end of the string")),
                _ => return Err(self.unexpected("an escape instead of a bare control character")),
            }
            plain = self.at;
            self.at = scan::string_end(self.text.as_bytes(), plain);
        }
    }

    /// The character of the escape at the position. Half of a surrogate pair is read as U+FFFD: Java's strings can
    /// hold one, texts cannot.
    fn escape(&mut self) -> Result<char> {
        self.at += 1;
        let c = match self.peek() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.code_unit()?;
                if (0xd800..0xdc00).contains(&unit) && self.rest().starts_with(b"\\u") {
                    let before_low = self.at;
                    self.at += 2;
                    let low = self.code_unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let c = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = before_low;
                }
                return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return Err(self.unexpected("an escape that JSON knows")),
        };
        self.at += 1;
        Ok(c)
    }

    /// The four hexadecimal digits at the position.
    fn code_unit(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.peek()).to_digit(16) else {
                return Err(self.unexpected("a hexadecimal digit"));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Steps over `word`, which its first byte announced.
    pub(super) fn literal(&mut self, word: &str) -> Result<()> {
        let rest = self.rest();
        let after = rest.get(word.len()).copied().unwrap_or(b' ');
        let is_word_char = after.is_ascii_alphanumeric() || matches!(after, b'_' | b'$' | 0x7f..);
        if !rest.starts_with(word.as_bytes()) || is_word_char {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Checks what follows a number that is the whole document: white space or the end.
    pub(super) fn end_of_root_number(&self) -> Result<()> {
        match self.peek() {
            b' ' | b'\t' | b'\n' | b'\r' => Ok(()),
            _ if self.is_at_end() => Ok(()),
            _ => Err(self.unexpected("white space after the number")),
        }
    }

    /// Steps over a whole value, checking its syntax.
    pub(super) fn skip(&mut self, depth: usize) -> Result<()> {
        match self.next() {
            b'"' => self.skip_string(),
            b'[' => {
                self.check_depth(depth)?;
                if self.open(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            b'{' => {
                self.check_depth(depth)?;
                if self.open(b'}') {
                    return Ok(());
                }
                loop {
                    if self.next() != b'"' {
                        return Err(self.unexpected("the quoted name of a member"));
                    }
                    self.skip_string()?;
                    self.colon()?;
                    self.skip(depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number().map(drop),
        }
    }

    fn skip_string(&mut self) -> Result<()> {
        self.at += 1;
        loop {
            self.at = scan::string_end(self.text.as_bytes(), self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.escape()?;
                }
                _ if self.at >= self.text.len() => return Err(self.unexpected("the end of the string")),
                _ => return Err(self.unexpected("an escape instead of a bare control character")),
            }
        }
    }

    /// Refuses to open an array or object at `depth`, which counts those around it.
    #[inline]
    pub(super) fn check_depth(&self, depth: usize) -> Result<()> {
        if depth < MAX_DEPTH { Ok(()) } else { Err(self.too_deep()) }
    }

    #[cold]
    fn too_deep(&self) -> Error {
        self.error(format!("nested deeper than {MAX_DEPTH} levels"))
    }

    /// The error of a document that goes on otherwise than `wanted` says.
    #[cold]
    pub(super) fn unexpected(&self, wanted: &str) -> Error {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
            Some(c) => format!("'{c}'"),
            None if self.broken => "bytes that are not UTF-8".to_owned(),
            None => "the end of the document".to_owned(),
        };
        self.error(format!("expected {wanted}, found {found}"))
    }

    /// A syntax error at the position.
    #[cold]
    pub(super) fn error(&self, detail: impl std::fmt::Display) -> Error {
        Error::data(UNREADABLE)
            .caused_by(serialization(format!("Invalid JSON at byte {}: {detail}", self.at)))
    }
}

/// Whether `error` is one of syntax.
pub(super) fn is_syntax(error: &Error) -> bool {
    error.cause().is_some_and(|cause| cause.exception() == exception::SERIALIZATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(document: &[u8]) -> Result<usize> {
        let mut reader = Reader::new(document);
        reader.skip(0)?;
        Ok(reader.position())
    }

    #[test]
    fn whole_values_are_skipped() {
        for document in [
            "null",
            "true",
            "false",
            "0",
            "-12.5e+3",
            "\"a\\\"b\\u00e9\"",
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1, [2], {}]",
            "{\"a\" : {\"b\\n\":[null,true]} , \"c\":\"}\"}",
            "007",
        ] {
            assert_eq!(skip(document.as_bytes()).unwrap(), document.len(), "{document}");
        }
        assert_eq!(skip(b"[1]]").unwrap(), 3);
    }

    #[test]
    fn broken_documents_name_the_place() {
        for (document, detail) in [
            (&b"[1,]"[..], "Invalid JSON at byte 3: expected a value, found ']'"),
            (b"{\"a\":1,}", "Invalid JSON at byte 7: expected the quoted name of a member, found '}'"),
            (b"{\"a\" 1}", "Invalid JSON at byte 5: expected a colon after the name of a member, found '1'"),
            (b"[1 2]", "Invalid JSON at byte 3: expected a comma or the end of the array, found '2'"),
            (
                b"\"a\x01\"",
                "Invalid JSON at byte 2: expected an escape instead of a bare control character, found the \
                control character U+0001",
            ),
            (b"\"a", "Invalid JSON at byte 2: expected the end of the string, found the end of the document"),
            (
                b"\"\xff\"",
                "Invalid JSON at byte 1: expected the end of the string, found bytes that are not UTF-8",
            ),
            (b"\"\\x\"", "Invalid JSON at byte 2: expected an escape that JSON knows, found 'x'"),
            (b"\"\\u00g0\"", "Invalid JSON at byte 5: expected a hexadecimal digit, found 'g'"),
            (b"truefalse", "Invalid JSON at byte 0: expected a value, found 't'"),
            (b"nul", "Invalid JSON at byte 0: expected a value, found 'n'"),
        ] {
            let error = skip(document).unwrap_err();
            assert_eq!(error.message(), Some(UNREADABLE));
            assert_eq!(error.cause().and_then(Error::message), Some(detail));
            assert!(is_syntax(&error));
        }
    }
}
