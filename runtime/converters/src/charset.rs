//! The character sets that every Java has (`java.nio.charset.StandardCharsets`).

use lavka_api::data::Str;

/// A character set, under any of the names Java knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    Ascii,
    /// Big-endian with a mark when written, either order when read.
    Utf16,
    Utf16Be,
    Utf16Le,
}

/// What stands for a character that a charset lacks.
const UNMAPPABLE: u8 = b'?';

impl Charset {
    /// The canonical names, for messages.
    pub(crate) const NAMES: &'static str = "UTF-8, ISO-8859-1, US-ASCII, UTF-16, UTF-16BE, UTF-16LE";

    /// The charset that Java finds by `name`, whatever its case.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "iso-8859-1" | "iso8859-1" | "iso8859_1" | "iso_8859-1" | "iso_8859_1" | "8859_1" | "latin1"
            | "l1" | "cp819" | "ibm819" | "ibm-819" | "819" | "iso-ir-100" | "csisolatin1" => Self::Latin1,
            "us-ascii" | "ascii" | "ascii7" | "iso646-us" | "iso_646.irv:1991" | "iso_646.irv:1983"
            | "ansi_x3.4-1968" | "ansi_x3.4-1986" | "us" | "cp367" | "ibm367" | "646" | "csascii"
            | "iso-ir-6" | "default" => Self::Ascii,
            "utf-16" | "utf16" | "utf_16" | "unicode" | "unicodebig" => Self::Utf16,
            "utf-16be" | "utf_16be" | "x-utf-16be" | "iso-10646-ucs-2" | "unicodebigunmarked" => {
                Self::Utf16Be
            }
            "utf-16le" | "utf_16le" | "x-utf-16le" | "unicodelittleunmarked" => Self::Utf16Le,
            _ => return None,
        })
    }

    /// Appends `text`; what the charset lacks becomes a question mark.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Latin1 => out.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(UNMAPPABLE))),
            Self::Ascii => out.extend(
                text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(UNMAPPABLE)),
            ),
            Self::Utf16 => {
                if !text.is_empty() {
                    out.extend_from_slice(&[0xfe, 0xff]);
                }
                Self::Utf16Be.encode(text, out);
            }
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        }
    }

    /// The text of `bytes`; what is malformed becomes U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> Str {
        match self {
            Self::Utf8 => {
                Str::from_utf8(bytes).unwrap_or_else(|_| Str::from(&*String::from_utf8_lossy(bytes)))
            }
            Self::Latin1 => bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
            Self::Ascii => bytes
                .iter()
                .map(|&byte| if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER })
                .collect::<String>()
                .into(),
            Self::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
                _ => utf16(bytes, u16::from_be_bytes),
            },
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes),
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Str {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|&pair| unit(pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_java_does() {
        for (name, bytes) in [
            ("UTF-8", &b"\xc3\xa9\xf0\x9f\x98\x80a\xe2\x82\xac"[..]),
            ("ISO-8859-1", b"\xe9?a?"),
            ("US-ASCII", b"??a?"),
            ("UTF-16", b"\xfe\xff\x00\xe9\xd8\x3d\xde\x00\x00a\x20\xac"),
            ("UTF-16LE", b"\xe9\x00\x3d\xd8\x00\xdea\x00\xac\x20"),
            ("UTF-16BE", b"\x00\xe9\xd8\x3d\xde\x00\x00a\x20\xac"),
        ] {
            let mut out = Vec::new();
            Charset::by_name(name).unwrap().encode("é😀a€", &mut out);
            assert_eq!(out, bytes, "{name}");
        }
    }

    #[test]
    fn malformed_bytes_become_replacement_characters() {
        let bytes = [0xe9, 0, 0x61, 0x80];
        for (name, text) in [
            ("ISO-8859-1", "\u{e9}\0a\u{80}"),
            ("UTF-16", "\u{e900}\u{6180}"),
            ("US-ASCII", "\u{fffd}\0a\u{fffd}"),
            ("utf8", "\u{fffd}\0a\u{fffd}"),
            ("UTF-16LE", "\u{e9}\u{8061}"),
        ] {
            assert_eq!(Charset::by_name(name).unwrap().decode(&bytes), text, "{name}");
        }
        assert_eq!(Charset::Utf16.decode(&[0xff, 0xfe, 0x61, 0, 0x62]), "a\u{fffd}");
        assert_eq!(Charset::Utf16Be.decode(&[0xd8, 0x3d]), "\u{fffd}");
    }

    #[test]
    fn names_are_looked_up_whatever_their_case() {
        assert_eq!(Charset::by_name("Latin1"), Some(Charset::Latin1));
        assert_eq!(Charset::by_name("utf-16Be"), Some(Charset::Utf16Be));
        assert_eq!(Charset::by_name("nope"), None);
    }
}
