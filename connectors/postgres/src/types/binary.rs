//! Bytes in each `binary.handling.mode`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lavka_api::data::{Blob, Schema, SchemaBuilder, Type, Value};

use super::BinaryMode;
use super::codec::Unconvertible;

const HEX: &[u8; 16] = b"0123456789abcdef";

impl BinaryMode {
    /// The schema of bytes.
    pub(crate) fn schema(self) -> SchemaBuilder {
        Schema::builder(match self {
            Self::Bytes => Type::Bytes,
            _ => Type::String,
        })
    }

    /// The value of bytes.
    pub(crate) fn value(self, bytes: &[u8]) -> Value {
        match self {
            Self::Bytes => Value::Bytes(Blob::from(bytes)),
            Self::Base64 => Value::from(STANDARD.encode(bytes)),
            Self::Base64UrlSafe => Value::from(URL_SAFE.encode(bytes)),
            Self::Hex => Value::from(hex(bytes)),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The bytes of hexadecimal digits.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

/// `bytea` as `bytea_output hex` prints it: `\x0102ff`.
pub(super) fn bytea(text: &[u8], mode: BinaryMode) -> Result<Value, Unconvertible> {
    const EXPECTED: Unconvertible = Unconvertible("no bytea in hex format (set bytea_output to hex)");
    let digits = text.strip_prefix(b"\\x").ok_or(EXPECTED)?;
    let bytes = unhex(digits).ok_or(EXPECTED)?;
    Ok(match mode {
        BinaryMode::Bytes => Value::Bytes(Blob::from(bytes)),
        mode => mode.value(&bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_each_mode() {
        for (mode, value) in [
            (BinaryMode::Bytes, Value::Bytes(Blob::from(&[1, 2, 255]))),
            (BinaryMode::Base64, "AQL/".into()),
            (BinaryMode::Base64UrlSafe, "AQL_".into()),
            (BinaryMode::Hex, "0102ff".into()),
        ] {
            assert_eq!(bytea(b"\\x0102ff", mode), Ok(value));
        }
        for text in ["", "\\", "\\x0", "\\x0g", "abc"] {
            assert!(bytea(text.as_bytes(), BinaryMode::Bytes).is_err(), "{text}");
        }
    }
}
