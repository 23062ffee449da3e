//! Writing strings and bytes as Jackson does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::scan;

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` in quotes. Escaped are quote, backslash and control characters, and characters above U+FFFF, as two
/// surrogates; everything else is plain UTF-8.
#[inline]
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 10);
    out.push(b'"');
    let rest = scan::copy_writable(out, bytes);
    if !rest.is_empty() {
        write_escaped(out, text, bytes.len() - rest.len());
    }
    out.push(b'"');
}

/// Appends the inside of a string from `start` on, with escapes.
#[cold]
fn write_escaped(out: &mut Vec<u8>, text: &str, start: usize) {
    let bytes = text.as_bytes();
    let mut plain = start;
    let mut at = scan::unwritable(bytes, plain);
    loop {
        out.extend_from_slice(bytes.get(plain..at).unwrap_or_default());
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { return };
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\r' => out.extend_from_slice(b"\\r"),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| write_code_unit(out, unit)),
        }
        plain = at + c.len_utf8();
        at = scan::unwritable(bytes, plain);
    }
}

fn write_code_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(UPPER_HEX[usize::from(unit >> shift & 0xf)]);
    }
}

/// Appends `bytes` as Base64 with padding, in quotes.
pub(super) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), true).unwrap_or(0);
    out.resize(start + length, 0);
    if let Some(target) = out.get_mut(start..) {
        // The target was made long enough.
        let _ = BASE64.encode_slice(bytes, target);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn j13_control_characters() {
        assert_eq!(string("\u{8}\u{c}\n\r\t\0\u{1f}"), r#""\b\f\n\r\t\u0000\u001F""#);
        assert_eq!(string("a\"b\\c"), r#""a\"b\\c""#);
    }

    #[test]
    fn j14_characters_above_the_basic_plane() {
        assert_eq!(string("😀"), r#""\uD83D\uDE00""#);
        assert_eq!(string("\u{10000}\u{10ffff}x"), r#""\uD800\uDC00\uDBFF\uDFFFx""#);
    }

    #[test]
    fn j15_everything_else_is_plain() {
        let text = "é\u{2028}\u{7f}\u{80}\u{9f}\u{feff}\u{ffff}/<";
        assert_eq!(string(text), format!("\"{text}\""));
    }

    #[test]
    fn bytes_are_base64() {
        for (bytes, text) in [(&[][..], "\"\""), (&[0, 0xff], "\"AP8=\""), (&[1, 2, 3], "\"AQID\"")] {
            let mut out = b"x".to_vec();
            write_base64(&mut out, bytes);
            assert_eq!(out, format!("x{text}").as_bytes());
        }
    }
}
