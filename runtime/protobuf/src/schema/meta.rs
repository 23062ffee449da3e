//! `(confluent.field_meta)` in a file's text: a message in text format, or one of its fields.

use std::iter::Peekable;
use std::str::Chars;

use lavka_api::data::Str;
use prost_types::UninterpretedOption;
use prost_types::uninterpreted_option::NamePart;

/// Values inside values that are looked into; a parameter is at the second.
const MAX_DEPTH: usize = 16;

/// Adds the parameters that `option` sets, whose name goes on with `path`. What is not understood sets nothing, as an
/// option that nobody knows.
pub(super) fn merge_params(params: &mut Vec<(Str, Str)>, path: &[NamePart], option: &UninterpretedOption) {
    let Some(text) = &option.aggregate_value else { return };
    let Some(fields) = Text(text.chars().peekable()).message(None, 0) else { return };
    match path {
        [] => {
            for (_, value) in fields.iter().filter(|(name, _)| name == "params") {
                value.each(|entry| add(params, entry));
            }
        }
        [part] if part.name_part == "params" => add(params, &fields),
        _ => {}
    }
}

/// Adds the entry of a map; the last one of a key counts.
pub(super) fn insert(params: &mut Vec<(Str, Str)>, key: Str, value: Str) {
    match params.iter_mut().find(|(known, _)| *known == key) {
        Some(entry) => entry.1 = value,
        None => params.push((key, value)),
    }
}

fn add(params: &mut Vec<(Str, Str)>, entry: &[(String, TextValue)]) {
    let text = |wanted: &str| {
        entry.iter().rev().find(|(name, _)| name == wanted).map_or(Str::default(), |(_, value)| match value {
            TextValue::Scalar(text) => text.as_str().into(),
            _ => Str::default(),
        })
    };
    insert(params, text("key"), text("value"));
}

enum TextValue {
    Scalar(String),
    Message(Vec<(String, TextValue)>),
    List(Vec<TextValue>),
}

impl TextValue {
    fn each(&self, mut found: impl FnMut(&[(String, TextValue)])) {
        match self {
            TextValue::Message(fields) => found(fields),
            TextValue::List(items) => {
                for item in items {
                    if let TextValue::Message(fields) = item {
                        found(fields);
                    }
                }
            }
            TextValue::Scalar(_) => {}
        }
    }
}

/// A reader of the text format (protobuf.dev, "Text Format Language Specification"), as far as options need it.
struct Text<'a>(Peekable<Chars<'a>>);

impl Text<'_> {
    /// Fields up to `end`, or to the end of the text.
    fn message(&mut self, end: Option<char>, depth: usize) -> Option<Vec<(String, TextValue)>> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            self.blank();
            match self.0.peek().copied() {
                next if next == end => {
                    self.0.next();
                    return Some(fields);
                }
                Some(',' | ';') => {
                    self.0.next();
                    continue;
                }
                None => return None,
                Some(_) => {}
            }
            let name = self.name()?;
            self.blank();
            let colon = self.0.next_if_eq(&':').is_some();
            self.blank();
            if !colon && !matches!(self.0.peek(), Some('{' | '<')) {
                return None;
            }
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn value(&mut self, depth: usize) -> Option<TextValue> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blank();
        match self.0.peek().copied()? {
            '{' => {
                self.0.next();
                self.message(Some('}'), depth).map(TextValue::Message)
            }
            '<' => {
                self.0.next();
                self.message(Some('>'), depth).map(TextValue::Message)
            }
            '[' => {
                self.0.next();
                let mut items = Vec::new();
                loop {
                    self.blank();
                    match self.0.peek()? {
                        ']' => {
                            self.0.next();
                            return Some(TextValue::List(items));
                        }
                        ',' => {
                            self.0.next();
                        }
                        _ => items.push(self.value(depth + 1)?),
                    }
                }
            }
            '"' | '\'' => {
                // Strings side by side are one.
                let mut text = String::new();
                while let Some(quote) = self.0.next_if(|next| matches!(next, '"' | '\'')) {
                    self.quoted(quote, &mut text)?;
                    self.blank();
                }
                Some(TextValue::Scalar(text))
            }
            _ => self
                .word(|next| next.is_alphanumeric() || matches!(next, '_' | '.' | '-' | '+'))
                .map(TextValue::Scalar),
        }
    }

    fn name(&mut self) -> Option<String> {
        if self.0.next_if_eq(&'[').is_some() {
            let name = self.word(|next| next != ']')?;
            self.0.next();
            return Some(name);
        }
        self.word(|next| next.is_alphanumeric() || next == '_')
    }

    fn word(&mut self, part: impl Fn(char) -> bool) -> Option<String> {
        let mut word = String::new();
        while let Some(next) = self.0.next_if(|&next| part(next)) {
            word.push(next);
        }
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Option<()> {
        loop {
            match self.0.next()? {
                next if next == quote => return Some(()),
                '\\' => text.push(match self.0.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    other => other,
                }),
                next => text.push(next),
            }
        }
    }

    /// White space and comments.
    fn blank(&mut self) {
        while let Some(&next) = self.0.peek() {
            if next == '#' {
                while self.0.next_if(|&next| next != '\n').is_some() {}
            } else if next.is_whitespace() {
                self.0.next();
            } else {
                return;
            }
        }
    }
}
