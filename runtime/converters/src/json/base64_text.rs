//! Base64 as Jackson reads it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is needed; bits that it leaves over are not looked at.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of `text`. Between units of four characters Jackson allows white space and control characters, and
/// another text may follow the padding of one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if let Ok(bytes) = STRICT.decode(text) {
        return Some(bytes);
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut rest = text.as_bytes();
    loop {
        while let Some((0..=b' ', behind)) = rest.split_first() {
            rest = behind;
        }
        if rest.is_empty() {
            return Some(bytes);
        }
        let (unit, behind) = rest.split_first_chunk::<4>()?;
        bytes.extend_from_slice(&STRICT.decode(unit).ok()?);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jackson_reads() {
        for (text, length) in [
            ("", 0),
            ("AB==", 1),
            ("AAA=", 2),
            ("AA==AA==", 2),
            ("AAAA\n", 3),
            ("AAAA AAAA", 6),
            ("\nAAAA", 3),
            (" ", 0),
            ("AAAB\r\nAAAB", 6),
            ("AAAAAAA=", 5),
            ("AA==\n", 1),
            ("AAA=AAAA", 5),
            ("\0AAAA", 3),
        ] {
            assert_eq!(decode(text).map(|bytes| bytes.len()), Some(length), "{text:?}");
        }
    }

    #[test]
    fn what_jackson_refuses() {
        for text in [
            "A",
            "AA",
            "AAA",
            "AA=",
            "AA==A",
            "AA=A",
            "=AAA",
            "A===",
            "====",
            "AAAA=",
            "AA== x",
            "-_-_",
            "A A=",
            "AAA =",
            "AA=\n=",
            "AA = =",
            "AAAé",
            "\u{a0}AAAA",
            "!!",
            "AJ w=",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
