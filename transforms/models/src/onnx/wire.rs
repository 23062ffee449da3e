//! The protobuf wire format, as far as ONNX files use it: a cursor over fields that borrows from the file.
//!
//! Nothing here recurses, and nothing is allocated but the numbers of a packed list, which are at most eight times as
//! long as their bytes.

use crate::error::{ModelError, ModelErrorKind};

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Message<'a>),
}

/// The bytes of a message, a string or a packed list, and where in the file they begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Wire<'a>,
    /// Where in the file its value begins.
    pub(super) at: usize,
}

/// Reads the fields of one message in the order they come.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    pub(super) fn fields(self) -> Fields<'a> {
        Fields { rest: self.bytes, at: self.at }
    }

    /// The message as text.
    pub(super) fn text(self) -> Result<&'a str, ModelError> {
        std::str::from_utf8(self.bytes).map_err(|_| malformed(self.at, "text that is not UTF-8"))
    }
}

impl<'a> Fields<'a> {
    /// The next field, or `None` at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, ModelError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let at = self.at;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let at = self.at;
                let bytes =
                    usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
                let Some((bytes, rest)) = bytes else {
                    return Err(malformed(
                        at,
                        format!("a field of {length} bytes with {} bytes left", self.rest.len()),
                    ));
                };
                self.rest = rest;
                self.at += bytes.len();
                Wire::Bytes(Message { bytes, at })
            }
            5 => Wire::Fixed32(self.array()?),
            kind => return Err(malformed(at, format!("a field of unknown wire type {kind}"))),
        };
        Ok(Some(Field { number: tag >> 3, value, at }))
    }

    fn varint(&mut self) -> Result<u64, ModelError> {
        let (value, length) =
            varint(self.rest).ok_or_else(|| malformed(self.at, "a broken variable-length number"))?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.at += length;
        Ok(value)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let Some((&array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(malformed(self.at, format!("{N} bytes wanted with {} left", self.rest.len())));
        };
        self.rest = rest;
        self.at += N;
        Ok(array)
    }
}

/// Reads a number of up to ten bytes; returns it with its length.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (position, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            // The tenth byte holds the 64th bit alone.
            return (position < 9 || byte <= 1).then_some((value, position + 1));
        }
    }
    None
}

impl<'a> Field<'a> {
    pub(super) fn message(&self) -> Result<Message<'a>, ModelError> {
        match self.value {
            Wire::Bytes(message) => Ok(message),
            _ => Err(self.wrong("a message or text")),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, ModelError> {
        self.message()?.text()
    }

    pub(super) fn integer(&self) -> Result<i64, ModelError> {
        match self.value {
            Wire::Varint(value) => Ok(value as i64),
            _ => Err(self.wrong("an integer")),
        }
    }

    pub(super) fn float(&self) -> Result<f32, ModelError> {
        match self.value {
            Wire::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(self.wrong("a 32-bit number")),
        }
    }

    /// Appends the integers of a list, packed or not.
    pub(super) fn integers(&self, list: &mut Vec<i64>) -> Result<(), ModelError> {
        let Wire::Bytes(Message { bytes, at }) = self.value else {
            list.push(self.integer()?);
            return Ok(());
        };
        // One number ends with every byte below 0x80, so this is exact and at most eight times the bytes.
        list.reserve(bytes.iter().filter(|&&byte| byte < 0x80).count());
        let mut rest = bytes;
        while !rest.is_empty() {
            let (value, length) = varint(rest).ok_or_else(|| {
                malformed(at + bytes.len() - rest.len(), "a broken variable-length number in a list")
            })?;
            list.push(value as i64);
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Appends the 32-bit numbers of a list, packed or not.
    pub(super) fn floats(&self, list: &mut Vec<f32>) -> Result<(), ModelError> {
        match self.value {
            Wire::Fixed32(bytes) => list.push(f32::from_le_bytes(bytes)),
            Wire::Bytes(Message { bytes, .. }) => {
                let (numbers, []) = bytes.as_chunks() else { return Err(self.wrong("whole 32-bit numbers")) };
                list.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
            }
            _ => return Err(self.wrong("32-bit numbers")),
        }
        Ok(())
    }

    /// Appends the 64-bit numbers of a list, packed or not.
    pub(super) fn doubles(&self, list: &mut Vec<f64>) -> Result<(), ModelError> {
        match self.value {
            Wire::Fixed64(bytes) => list.push(f64::from_le_bytes(bytes)),
            Wire::Bytes(Message { bytes, .. }) => {
                let (numbers, []) = bytes.as_chunks() else { return Err(self.wrong("whole 64-bit numbers")) };
                list.extend(numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)));
            }
            _ => return Err(self.wrong("64-bit numbers")),
        }
        Ok(())
    }

    fn wrong(&self, wanted: &str) -> ModelError {
        malformed(self.at, format!("field {} does not hold {wanted}", self.number))
    }
}

pub(super) fn malformed(at: usize, what: impl Into<String>) -> ModelError {
    ModelErrorKind::Malformed { format: super::FORMAT, at, what: what.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<u64>, ModelError> {
        let mut fields = Message { bytes, at: 0 }.fields();
        let mut numbers = Vec::new();
        while let Some(field) = fields.next()? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn reads_every_wire_type() {
        let bytes = [0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, b'h', b'i', 0x25, 1, 2, 3, 4];
        assert_eq!(fields(&bytes).unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn refuses_what_is_cut_off_or_too_long() {
        for bytes in [&[0x08][..], &[0x80], &[0x1a, 5, 1], &[0x0d, 1, 2, 3], &[0x09, 1], &[0x0b], &[0x0f, 0]]
        {
            assert!(fields(bytes).is_err(), "{bytes:?}");
        }
        let huge = [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let error = fields(&huge).unwrap_err().to_string();
        assert!(error.contains("18446744073709551615 bytes") && error.contains("at byte 11"), "{error}");
    }

    #[test]
    fn numbers_have_at_most_64_bits() {
        assert_eq!(varint(&[0xff; 9]), None);
        assert_eq!(
            varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            Some((u64::MAX, 10))
        );
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), None);
        assert_eq!(varint(&[0x80; 11]), None);
    }

    #[test]
    fn lists_come_packed_or_one_by_one() {
        let packed = Field { number: 1, value: Wire::Bytes(Message { bytes: &[1, 0x80, 1], at: 0 }), at: 0 };
        let single = Field { number: 1, value: Wire::Varint(7), at: 0 };
        let mut list = Vec::new();
        packed.integers(&mut list).unwrap();
        single.integers(&mut list).unwrap();
        assert_eq!(list, [1, 128, 7]);
        let odd = Field { number: 1, value: Wire::Bytes(Message { bytes: &[0; 6], at: 3 }), at: 3 };
        assert!(odd.floats(&mut Vec::new()).is_err());
        assert!(odd.doubles(&mut Vec::new()).is_err());
    }
}
