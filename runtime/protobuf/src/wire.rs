//! The wire format: varints, tags, length-delimited and fixed-width fields (protobuf.dev, "Encoding").

use lavka_api::{Error, Result};

/// Groups inside groups that are skipped; protoc's parsers stop there too.
const MAX_GROUPS: usize = 100;

/// How a field's value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

impl WireType {
    pub(crate) fn code(self) -> u32 {
        match self {
            WireType::Varint => 0,
            WireType::Fixed64 => 1,
            WireType::Bytes => 2,
            WireType::StartGroup => 3,
            WireType::EndGroup => 4,
            WireType::Fixed32 => 5,
        }
    }
}

/// The tag of field `number`.
pub(crate) fn tag(number: u32, wire: WireType) -> u32 {
    (number << 3) | wire.code()
}

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        if let Some((&first, rest)) = self.rest.split_first()
            && first < 0x80
        {
            self.rest = rest;
            return Ok(first.into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            // Of the tenth byte one bit is left; as other parsers do, what does not fit is dropped.
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = self.rest.get(i + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { truncated() } else { malformed_varint() })
    }

    /// The next field: its number and wire type.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<(u32, WireType)> {
        split_tag(self.varint()?)
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32> {
        let (head, rest) = self.rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*head))
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64> {
        let (head, rest) = self.rest.split_first_chunk::<8>().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*head))
    }

    /// A length and that many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| truncated())?;
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// Passes over the value of field `number`.
    pub(crate) fn skip(&mut self, number: u32, wire: WireType) -> Result<()> {
        match wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
            WireType::Bytes => self.bytes().map(drop),
            WireType::StartGroup => self.group(number).map(drop),
            WireType::EndGroup => Err(stray_end()),
        }
    }

    /// The fields of the group `number`, whose start was read, up to its end.
    pub(crate) fn group(&mut self, number: u32) -> Result<&'a [u8]> {
        let start = self.rest;
        let mut open = vec![number];
        loop {
            let left = self.rest.len();
            let (next, wire) = self.field()?;
            match wire {
                WireType::StartGroup if open.len() >= MAX_GROUPS => return Err(too_deep()),
                WireType::StartGroup => open.push(next),
                WireType::EndGroup if open.last() != Some(&next) => return Err(stray_end()),
                WireType::EndGroup => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(start.get(..start.len() - left).unwrap_or_default());
                    }
                }
                _ => self.skip(next, wire)?,
            }
        }
    }
}

#[inline]
fn split_tag(tag: u64) -> Result<(u32, WireType)> {
    // A tag is an unsigned 32-bit number; 29 bits of it are the field's.
    let tag = u32::try_from(tag).map_err(|_| invalid_tag())?;
    let wire = match tag & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Bytes,
        3 => WireType::StartGroup,
        4 => WireType::EndGroup,
        5 => WireType::Fixed32,
        _ => return Err(invalid_wire_type()),
    };
    if tag < 8 {
        return Err(invalid_tag());
    }
    Ok((tag >> 3, wire))
}

#[inline]
pub(crate) fn write_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        write_long_varint(out, value);
    }
}

fn write_long_varint(out: &mut Vec<u8>, mut value: u64) {
    let (mut bytes, mut length) = ([0_u8; 10], 0);
    for slot in &mut bytes {
        *slot = (value & 0x7f) as u8 | 0x80;
        length += 1;
        value >>= 7;
        if value == 0 {
            *slot &= 0x7f;
            break;
        }
    }
    out.extend_from_slice(bytes.get(..length).unwrap_or_default());
}

/// Appends a length and what `body` appends, which need not be sized beforehand: most bodies are shorter than 128
/// bytes, so that one byte is left for the length, and the body is moved where it takes more.
#[inline]
pub(crate) fn write_delimited<R>(
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Vec<u8>) -> Result<R>,
) -> Result<R> {
    let at = out.len();
    out.push(0);
    let result = body(out)?;
    let length = out.len() - at - 1;
    match out.get_mut(at) {
        Some(slot) if length < 0x80 => *slot = length as u8,
        _ => widen_length(out, at, length),
    }
    Ok(result)
}

#[cold]
fn widen_length(out: &mut Vec<u8>, at: usize, length: usize) {
    let mut prefix = Vec::with_capacity(10);
    write_varint(&mut prefix, length as u64);
    out.splice(at..=at, prefix);
}

#[inline]
pub(crate) fn zigzag32(value: i32) -> u64 {
    u64::from((value.cast_unsigned() << 1) ^ (value >> 31).cast_unsigned())
}

#[inline]
pub(crate) fn zigzag64(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

#[inline]
pub(crate) fn unzigzag32(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[inline]
pub(crate) fn unzigzag64(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

// The texts of Java's InvalidProtocolBufferException, which users know from their logs.

#[cold]
pub(crate) fn truncated() -> Error {
    Error::data(
        "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  This could mean \
         either that the input has been truncated or that an embedded message misreported its own length.",
    )
}

#[cold]
fn malformed_varint() -> Error {
    Error::data("CodedInputStream encountered a malformed varint.")
}

#[cold]
fn invalid_tag() -> Error {
    Error::data("Protocol message contained an invalid tag (zero).")
}

#[cold]
fn invalid_wire_type() -> Error {
    Error::data("Protocol message tag had invalid wire type.")
}

#[cold]
fn stray_end() -> Error {
    Error::data("Protocol message end-group tag did not match expected tag.")
}

#[cold]
fn too_deep() -> Error {
    Error::data(
        "Protocol message had too many levels of nesting.  May be malicious.  Groups are read to a depth of 100.",
    )
}

#[cold]
pub(crate) fn invalid_utf8() -> Error {
    Error::data("Protocol message had invalid UTF-8.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_go_both_ways() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint().unwrap(), value);
            assert!(reader.is_empty());
        }
        assert!(Reader::new(&[0x80; 9]).varint().is_err());
        assert!(Reader::new(&[0x80; 11]).varint().is_err());
        for value in [0, -1, 1, i32::MIN, i32::MAX] {
            assert_eq!(unzigzag32(zigzag32(value)), value);
            assert_eq!(unzigzag64(zigzag64(value.into())), i64::from(value));
        }
    }

    #[test]
    fn long_bodies_get_long_lengths() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let mut out = b"x".to_vec();
            write_delimited(&mut out, |out| {
                out.resize(out.len() + length, 7);
                Ok(())
            })
            .unwrap();
            let mut reader = Reader::new(out.get(1..).unwrap());
            assert_eq!(reader.bytes().unwrap(), vec![7; length]);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn groups_end_where_they_should() {
        // 1: group { 2: varint, 3: group {} }, then 4: varint
        let bytes = [0x0b, 0x10, 0x05, 0x1b, 0x1c, 0x0c, 0x20, 0x01];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.field().unwrap(), (1, WireType::StartGroup));
        assert_eq!(reader.group(1).unwrap(), [0x10, 0x05, 0x1b, 0x1c]);
        assert_eq!(reader.field().unwrap(), (4, WireType::Varint));
        assert!(Reader::new(&[0x1b, 0x0c]).group(1).is_err());
        assert!(Reader::new(&[0x0b; 5000]).group(1).is_err());
        assert!(Reader::new(&[0x0c]).skip(1, WireType::EndGroup).is_err());
        assert!(Reader::new(&[0x00]).field().is_err());
        assert!(Reader::new(&[0x0f]).field().is_err());
    }
}
