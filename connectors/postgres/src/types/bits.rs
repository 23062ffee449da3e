//! `bit` and `varbit`.

use lavka_api::data::{Blob, SchemaBuilder, Type, Value};

use super::codec::Unconvertible;
use super::temporal::named;

/// `io.debezium.data.Bits`.
pub(super) fn schema(length: i32) -> SchemaBuilder {
    named(Type::Bytes, "io.debezium.data.Bits").parameter("length", length.to_string())
}

/// Little-endian bytes, as many as the highest bit that is set needs.
pub(super) fn bits(text: &[u8]) -> Result<Value, Unconvertible> {
    let significant = text.iter().position(|&digit| digit == b'1').map_or(0, |first| text.len() - first);
    let mut bytes = vec![0_u8; significant.div_ceil(8)];
    for (index, digit) in text.iter().rev().enumerate() {
        match digit {
            b'0' => {}
            b'1' => {
                if let Some(byte) = bytes.get_mut(index / 8) {
                    *byte |= 1 << (index % 8);
                }
            }
            _ => return Err(Unconvertible("no bit string")),
        }
    }
    Ok(Value::Bytes(Blob::from(bytes)))
}

/// A single bit.
pub(super) fn bit(text: &[u8]) -> Result<Value, Unconvertible> {
    match text {
        b"1" => Ok(Value::Boolean(true)),
        b"0" => Ok(Value::Boolean(false)),
        _ => Err(Unconvertible("no single bit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_little_endian_and_as_short_as_possible() {
        for (text, bytes) in [
            ("10000001", vec![0x81]),
            ("10101010101010101010", vec![0xAA, 0xAA, 0x0A]),
            ("110", vec![0x06]),
            ("00000000000000001", vec![0x01]),
            ("000", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(bits(text.as_bytes()), Ok(Value::Bytes(bytes.into())), "{text}");
        }
        assert!(bits(b"102").is_err() && bit(b"").is_err() && bit(b"11").is_err());
    }
}
