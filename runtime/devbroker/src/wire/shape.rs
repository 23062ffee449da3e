//! Walks the raw bytes of a request before they are decoded.
//!
//! The generated decoders reserve room for as many array elements as a length field claims, so a request of a
//! dozen bytes could ask for gigabytes and abort the process. The walk proves that every claimed element is really
//! there, and that there are not too many of them, without allocating anything.

use super::cursor::Cursor;

/// More array elements and tagged fields than this in one request are refused. A fetch of every partition that
/// [`BrokerConfig::max_partitions`](crate::BrokerConfig) allows stays far below it.
const MAX_ELEMENTS: usize = 1 << 16;

/// What a field looks like on the wire. Null and absent are the decoder's business; the walk only counts bytes.
#[derive(Debug)]
pub(super) enum Shape {
    /// So many bytes, whatever they hold.
    Fixed(usize),
    /// A string, nullable or not: 16-bit length, or an unsigned varint of length + 1 in flexible versions.
    Text,
    /// Bytes or records, nullable or not: 32-bit length, or an unsigned varint of length + 1 in flexible versions.
    Blob,
    /// An array of fixed-size values.
    Numbers(usize),
    /// An array of strings.
    Texts,
    /// An array of structures, each closed by tagged fields in flexible versions.
    Structs(&'static [Field]),
}

/// One field and the first and last version that has it.
#[derive(Debug)]
pub(super) struct Field {
    from: i16,
    to: i16,
    shape: Shape,
}

impl Field {
    /// A field that every version from `from` on has.
    pub(super) const fn since(from: i16, shape: Shape) -> Self {
        Self { from, to: i16::MAX, shape }
    }

    /// A field of versions `from` to `to` only.
    pub(super) const fn between(from: i16, to: i16, shape: Shape) -> Self {
        Self { from, to, shape }
    }
}

/// Whether `body` begins with one whole request of these fields at this version, with nothing missing and no more
/// elements than a request may have. Bytes after it are nobody's business, as in Kafka: librdkafka 2.12 writes the
/// length of "all topics" in Metadata as four bytes where one is meant, and so leaves three over.
pub(super) fn is_whole(fields: &'static [Field], body: &[u8], version: i16, flexible: bool) -> bool {
    let mut walk = Walk { cursor: Cursor::new(body), version, flexible, budget: MAX_ELEMENTS };
    walk.fields(fields).is_some()
}

/// Moves past the tagged fields that close a structure.
pub(super) fn skip_tags(cursor: &mut Cursor<'_>, budget: &mut usize) -> Option<()> {
    let count = cursor.uvarint()? as usize;
    *budget = budget.checked_sub(count)?;
    for _ in 0..count {
        cursor.uvarint()?;
        let size = cursor.uvarint()?;
        cursor.skip(size as usize)?;
    }
    Some(())
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    version: i16,
    flexible: bool,
    budget: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &'static [Field]) -> Option<()> {
        for field in fields {
            if (field.from..=field.to).contains(&self.version) {
                self.field(&field.shape)?;
            }
        }
        if self.flexible { skip_tags(&mut self.cursor, &mut self.budget) } else { Some(()) }
    }

    fn field(&mut self, shape: &'static Shape) -> Option<()> {
        match shape {
            Shape::Fixed(size) => self.cursor.skip(*size),
            Shape::Text => self.text(),
            Shape::Blob => {
                let length = self.length()?;
                self.cursor.skip(length)
            }
            Shape::Numbers(size) => {
                let count = self.count()?;
                self.cursor.skip(count.checked_mul(*size)?)
            }
            Shape::Texts => (0..self.count()?).try_for_each(|_| self.text()),
            Shape::Structs(fields) => (0..self.count()?).try_for_each(|_| self.fields(fields)),
        }
    }

    fn text(&mut self) -> Option<()> {
        let length = if self.flexible {
            self.length()?
        } else {
            match self.cursor.i16()? {
                -1 => 0,
                length => usize::try_from(length).ok()?,
            }
        };
        self.cursor.skip(length)
    }

    /// The length of a blob or array; null counts as nothing.
    fn length(&mut self) -> Option<usize> {
        if self.flexible {
            return Some((self.cursor.uvarint()? as usize).saturating_sub(1));
        }
        match self.cursor.i32()? {
            -1 => Some(0),
            length => usize::try_from(length).ok(),
        }
    }

    fn count(&mut self) -> Option<usize> {
        let count = self.length()?;
        self.budget = self.budget.checked_sub(count)?;
        Some(count)
    }
}
