//! Bytes in each `binary.handling.mode`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lavka_api::data::{Blob, Schema, SchemaBuilder, Type, Value};
use lavka_api::hex;

use super::BinaryMode;
use super::codec::Unconvertible;

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
            Self::Hex => Value::from(hex::encode(bytes)),
        }
    }
}

/// `bytea` as `bytea_output hex` prints it: `\x0102ff`.
pub(super) fn bytea(text: &[u8], mode: BinaryMode) -> Result<Value, Unconvertible> {
    const EXPECTED: Unconvertible = Unconvertible("no bytea in hex format (set bytea_output to hex)");
    let digits = text.strip_prefix(b"\\x").ok_or(EXPECTED)?;
    let bytes = hex::decode(digits).ok_or(EXPECTED)?;
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
