//! Whether a text is one JSON value, told without decoding it: the reader takes the first value and leaves the rest unread.

/// Whether `text` is one JSON value with nothing but white space around it, as far as brackets, strings and white space
/// tell; whether the value is right in itself is for the reader to say.
pub(super) fn holds_one_value(text: &[u8]) -> bool {
    let value = text.trim_ascii();
    let end = match value.first() {
        Some(b'{' | b'[') => end_of_brackets(value),
        Some(b'"') => end_of_string(value),
        Some(_) if value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) => {
            Some(value.len())
        }
        _ => None,
    };
    end == Some(value.len())
}

/// The position behind the bracket that closes the one at the beginning.
fn end_of_brackets(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += match byte {
            b'"' => end_of_string(text.get(at..)?)?,
            _ => 1,
        };
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The position behind the quote that closes the one at the beginning.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_and_white_space() {
        for text in [
            r#"{"a":[1,{"b":"}"}],"c":"\"]"}"#,
            " [1, 2] \n",
            r#""text \\""#,
            "21.5",
            "-1e+3",
            "true",
            "null",
            "{}",
        ] {
            assert!(holds_one_value(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn anything_else() {
        for text in [
            "",
            "  ",
            "21.5 C",
            "1;2",
            "{}{}",
            r#"{"a":1} x"#,
            r#"{"a":1"#,
            r#"{"a":"1}"#,
            r#""text" 1"#,
            r#""text"#,
            "\"\\",
            "]",
            "}{",
            "1,2",
            "\u{feff}{}",
        ] {
            assert!(!holds_one_value(text.as_bytes()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_are_looked_at_without_harm(text: Vec<u8>) {
            holds_one_value(&text);
        }
    }
}
