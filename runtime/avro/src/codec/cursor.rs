//! Reading bytes that nobody vouches for.

use lavka_api::error::{ErrorClass, exception};
use lavka_api::{Error, Result};

use super::varint::{read_spread, unzigzag};
use crate::schema::{AvroSchema, Kind, MAX_DEPTH, TypeId};

/// Values that may come out of no bytes at all, for each message: records without fields, nulls, fixed types of no
/// length, fields that the writer does not have. All others are bounded by the bytes they take.
const FREE: usize = 1 << 16;

/// As many more may come with each byte: items that are read by a schema with new fields, which have defaults.
const FREE_PER_BYTE: usize = 16;

/// What is left of a message.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    free: usize,
}

/// Takes a length off the front of `bytes`, as [`write_length`](crate::write_length) puts it there.
///
/// # Errors
/// A data error where it is cut off, too long or negative.
pub fn read_length(bytes: &mut &[u8]) -> Result<usize> {
    let mut cursor = Cursor::new(bytes);
    let length = cursor.length()?;
    *bytes = cursor.rest;
    Ok(length)
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, free: bytes.len().saturating_mul(FREE_PER_BYTE).saturating_add(FREE) }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes `count` values that cost no bytes.
    #[inline]
    pub(super) fn spend(&mut self, count: usize) -> Result<()> {
        match self.free.checked_sub(count) {
            Some(left) => {
                self.free = left;
                Ok(())
            }
            None => Err(broken("too many values that take no bytes".to_owned())),
        }
    }

    /// Takes one where nothing has been taken since `before` bytes were left.
    fn spend_unless_taken(&mut self, before: usize) -> Result<()> {
        if self.left() == before { self.spend(1) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        let Some((&byte, rest)) = self.rest.split_first() else { return Err(ended()) };
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else { return Err(ended()) };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else { return Err(ended()) };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn long(&mut self) -> Result<i64> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(unzigzag(u64::from(*byte)))
            }
            _ => self.long_of_many(),
        }
    }

    #[inline]
    fn long_of_many(&mut self) -> Result<i64> {
        if let Some(next) = self.rest.first_chunk()
            && let Some((value, length)) = read_spread(u64::from_le_bytes(*next))
            && let Some(rest) = self.rest.get(length..)
        {
            self.rest = rest;
            return Ok(unzigzag(value));
        }
        self.long_by_bytes()
    }

    /// Of more than eight bytes, or at the end of the data.
    fn long_by_bytes(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = self.rest.get(i + 1..).unwrap_or_default();
                return Ok(unzigzag(value));
            }
        }
        Err(if self.rest.len() < 10 { ended() } else { broken("Invalid long encoding".to_owned()) })
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| too_wide())
    }

    /// A length or an index: not negative.
    #[inline]
    pub(super) fn length(&mut self) -> Result<usize> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| negative(length))
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool> {
        // Java takes everything but 1 as false.
        Ok(self.byte()? == 1)
    }

    /// The number of items in the next block of an array or map, none at the end. Items take at least `least` bytes
    /// each, so that a count which cannot be true is found before anything is allocated for it.
    #[inline]
    pub(super) fn block(&mut self, least: usize) -> Result<usize> {
        let count = self.block_of_any()?;
        if least == 0 {
            self.spend(count)?;
        } else if count > self.left() / least {
            return Err(broken(format!(
                "Malformed data. A block of {count} items does not fit into {} bytes",
                self.left()
            )));
        }
        Ok(count)
    }

    /// The number of items in the next block, whatever they take.
    #[inline]
    fn block_of_any(&mut self) -> Result<usize> {
        let count = self.long()?;
        let count = if count < 0 {
            // The block's length in bytes follows; it serves readers that skip.
            self.long()?;
            count
                .checked_neg()
                .ok_or_else(|| broken("Malformed data. Block count is out of range".to_owned()))?
        } else {
            count
        };
        usize::try_from(count)
            .map_err(|_| broken(format!("Malformed data. Block count is out of range: {count}")))
    }

    /// Passes over a value of the type `id`.
    pub(super) fn skip(&mut self, schema: &AvroSchema, id: TypeId, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        match schema.types().kind(id) {
            Kind::Null => {}
            Kind::Boolean => drop(self.byte()?),
            Kind::Int | Kind::Long | Kind::Enum(_) => drop(self.long()?),
            Kind::Float => drop(self.take(4)?),
            Kind::Double => drop(self.take(8)?),
            Kind::Bytes | Kind::String => drop(self.bytes()?),
            Kind::Fixed(fixed) => drop(self.take(fixed.size)?),
            Kind::Record(record) => {
                let before = self.left();
                for field in &record.fields {
                    self.skip(schema, field.ty, depth + 1)?;
                }
                self.spend_unless_taken(before)?;
            }
            Kind::Union(members) => {
                let index = self.length()?;
                let member = members.get(index).ok_or_else(|| no_member(index, members.len()))?;
                self.skip(schema, *member, depth + 1)?;
            }
            Kind::Array(inner) => {
                while let count @ 1.. = self.block_of_any()? {
                    for _ in 0..count {
                        let before = self.left();
                        self.skip(schema, *inner, depth + 1)?;
                        self.spend_unless_taken(before)?;
                    }
                }
            }
            Kind::Map(inner) => {
                while let count @ 1.. = self.block(1)? {
                    for _ in 0..count {
                        self.bytes()?;
                        self.skip(schema, *inner, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cold]
fn ended() -> Error {
    broken("the data ends too early".to_owned())
}

#[cold]
fn too_wide() -> Error {
    broken("Invalid int encoding".to_owned())
}

#[cold]
fn negative(length: i64) -> Error {
    broken(format!("Malformed data. Length is negative: {length}"))
}

#[cold]
pub(super) fn too_deep() -> Error {
    broken(format!("the data is nested deeper than {MAX_DEPTH} levels"))
}

#[cold]
pub(super) fn no_member(index: usize, members: usize) -> Error {
    broken(format!("the union has {members} members, none at {index}"))
}

/// Bytes that are no data of their schema.
#[cold]
pub(super) fn broken(message: String) -> Error {
    Error::new(ErrorClass::Data, exception::SERIALIZATION, message)
}
