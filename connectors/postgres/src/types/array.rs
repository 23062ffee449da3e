//! Arrays: the server's text form, and their values.

use lavka_api::data::Value;

use super::codec::{Codec, Unconvertible};

const NO_ARRAY: Unconvertible = Unconvertible("no array");
/// An array of more dimensions than the server allows (6) is none.
const MAX_DEPTH: usize = 6;

/// How the elements of an array become values.
#[derive(Clone, Debug)]
pub(super) struct Elements {
    pub(super) codec: Codec,
    /// Whether null has no place among them: Debezium's schemas of some arrays say so.
    pub(super) required: bool,
    /// What stands between elements (`pg_type.typdelim`).
    pub(super) delimiter: u8,
}

impl Elements {
    /// The value of what the server prints: `{1,NULL,"a b"}`, `[0:1]={1,2}`.
    ///
    /// Of an array with several dimensions each element of the first becomes null, as in Debezium.
    pub(super) fn value(&self, text: &[u8]) -> Result<Value, Unconvertible> {
        let mut rest = text;
        if rest.first() == Some(&b'[') {
            let equals = rest.iter().position(|&byte| byte == b'=').ok_or(NO_ARRAY)?;
            rest = rest.get(equals + 1..).unwrap_or_default();
        }
        let mut reader = Reader {
            rest: rest.strip_prefix(b"{").ok_or(NO_ARRAY)?,
            unescaped: Vec::new(),
            delimiter: self.delimiter,
        };
        let mut values = Vec::new();
        loop {
            values.push(match reader.element()? {
                Element::End if values.is_empty() => break,
                Element::End => return Err(NO_ARRAY),
                Element::Null | Element::Nested if self.required => {
                    return Err(Unconvertible("null in an array whose schema has no null"));
                }
                Element::Null | Element::Nested => Value::Null,
                Element::Plain(text) => self.codec.value(text)?,
                Element::Unescaped => self.codec.value(&reader.unescaped)?,
            });
            match reader.next() {
                Some(byte) if byte == self.delimiter => {}
                Some(b'}') => break,
                _ => return Err(NO_ARRAY),
            }
        }
        if reader.rest.is_empty() { Ok(Value::from(values)) } else { Err(NO_ARRAY) }
    }
}

enum Element<'a> {
    /// The array is empty.
    End,
    Null,
    /// An array inside.
    Nested,
    Plain(&'a [u8]),
    /// In [`Reader::unescaped`].
    Unescaped,
}

struct Reader<'a> {
    rest: &'a [u8],
    delimiter: u8,
    unescaped: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn element(&mut self) -> Result<Element<'a>, Unconvertible> {
        match self.rest.first() {
            Some(b'}') => {
                self.next();
                Ok(Element::End)
            }
            Some(b'{') => {
                self.skip_nested()?;
                Ok(Element::Nested)
            }
            Some(b'"') => {
                self.next();
                self.quoted()
            }
            _ => {
                let end = self
                    .rest
                    .iter()
                    .position(|&byte| byte == self.delimiter || byte == b'}')
                    .ok_or(NO_ARRAY)?;
                let (plain, rest) = self.rest.split_at(end);
                self.rest = rest;
                Ok(if plain == b"NULL" { Element::Null } else { Element::Plain(plain) })
            }
        }
    }

    /// What is inside quotes, which are open.
    fn quoted(&mut self) -> Result<Element<'a>, Unconvertible> {
        let end = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).ok_or(NO_ARRAY)?;
        if self.rest.get(end) == Some(&b'"') {
            let (plain, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            return Ok(Element::Plain(plain));
        }
        self.unescaped.clear();
        loop {
            match self.next().ok_or(NO_ARRAY)? {
                b'"' => return Ok(Element::Unescaped),
                b'\\' => {
                    let escaped = self.next().ok_or(NO_ARRAY)?;
                    self.unescaped.push(escaped);
                }
                byte => self.unescaped.push(byte),
            }
        }
    }

    /// Passes over an array inside this one.
    fn skip_nested(&mut self) -> Result<(), Unconvertible> {
        let mut depth = 0;
        loop {
            match self.next().ok_or(NO_ARRAY)? {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b'"' => {
                    self.quoted()?;
                }
                _ => {}
            }
            match depth {
                0 => return Ok(()),
                1..=MAX_DEPTH => {}
                _ => return Err(NO_ARRAY),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::Kind;
    use super::*;

    fn texts(text: &str) -> Result<Value, Unconvertible> {
        Elements { codec: Codec(Kind::Text), required: false, delimiter: b',' }.value(text.as_bytes())
    }

    #[test]
    fn elements_are_read_with_quotes_and_nulls() {
        for (text, values) in [
            ("{}", vec![]),
            ("{a,\"b,c\",NULL}", vec!["a".into(), "b,c".into(), Value::Null]),
            (r#"{"a\"b","NULL","\\"}"#, vec!["a\"b".into(), "NULL".into(), "\\".into()]),
            ("[0:1]={x,y}", vec!["x".into(), "y".into()]),
            ("{{1,2},{3,\"}\"}}", vec![Value::Null, Value::Null]),
            ("{\"\"}", vec!["".into()]),
        ] {
            assert_eq!(texts(text), Ok(Value::from(values)), "{text}");
        }
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for text in [
            "",
            "a",
            "{",
            "{a",
            "{a,",
            "{a,}",
            "{\"a}",
            "{a}b",
            "[0:1]{a}",
            "{{1}",
            "{\"a\\",
            "{{{{{{{{1}}}}}}}}",
        ] {
            assert!(texts(text).is_err(), "{text}");
        }
        let required = Elements { codec: Codec(Kind::Text), required: true, delimiter: b',' };
        assert!(required.value(b"{a,NULL}").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r#"[{}",\\a1 \[\]=]{0,30}"#) {
            let _ = texts(&text);
        }
    }
}
