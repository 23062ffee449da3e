//! Looks at single records inside a batch, where the header is not enough: keys of compacted topics, lookups by time.
//!
//! Packed records are read as a stream, so that a small batch that unpacks into gigabytes costs time up to
//! [`MAX_UNPACKED`] and no memory.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write as _},
    ops::ControlFlow,
};

use super::batch::{BatchHeader, Codec, HEADER};

/// Reading stops here, and the batch counts as broken.
const MAX_UNPACKED: u64 = 64 * 1024 * 1024;

/// What is looked at of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// Position in the batch, from 0.
    pub(super) offset_delta: i32,
    /// Milliseconds since 1970, the batch's own where the broker stamped it.
    pub(super) timestamp: i64,
    pub(super) has_key: bool,
}

/// Shows the records of a batch one by one until `each` breaks. An error says what is wrong with the bytes.
pub(super) fn scan(
    header: &BatchHeader,
    batch: &[u8],
    each: impl FnMut(RecordHead) -> ControlFlow<()>,
) -> io::Result<()> {
    let packed = batch.get(HEADER..).unwrap_or_default();
    match header.codec() {
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "unknown codec")),
        Some(Codec::None) => walk(header, packed, each),
        Some(Codec::Gzip) => walk(header, BufReader::new(flate2::read::MultiGzDecoder::new(packed)), each),
        Some(Codec::Snappy) => walk(header, BufReader::new(SnappyBlocks::new(packed)), each),
        Some(Codec::Lz4) => walk(header, BufReader::new(lz4::Decoder::new(packed)?), each),
        Some(Codec::Zstd) => walk(header, BufReader::new(zstd::Decoder::with_buffer(packed)?), each),
    }
}

fn walk(
    header: &BatchHeader,
    records: impl BufRead,
    mut each: impl FnMut(RecordHead) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut records = records.take(MAX_UNPACKED);
    for _ in 0..header.count {
        if each(read_head(header, &mut records)?).is_break() {
            return Ok(());
        }
    }
    if records.fill_buf()?.is_empty() {
        return Ok(());
    }
    Err(broken("Found invalid record count: there are more bytes than records"))
}

fn read_head(header: &BatchHeader, records: &mut impl BufRead) -> io::Result<RecordHead> {
    let length = varint(records)?.1;
    let mut left = u64::try_from(length).map_err(|_| broken("a record of negative length"))?;
    let mut spend = |size: u64| {
        left = left.checked_sub(size).ok_or_else(|| broken("a record shorter than its fields"))?;
        Ok::<_, io::Error>(())
    };
    byte(records)?;
    spend(1)?;
    let (size, timestamp_delta) = varint(records)?;
    spend(size)?;
    let (size, offset_delta) = varint(records)?;
    spend(size)?;
    let (size, key) = varint(records)?;
    spend(size)?;
    let key_size = u64::try_from(key.max(0)).unwrap_or_default();
    spend(key_size)?;
    skip(records, key_size)?;
    let (size, value) = varint(records)?;
    spend(size)?;
    spend(u64::try_from(value.max(0)).unwrap_or_default())?;
    skip(records, left + u64::try_from(value.max(0)).unwrap_or_default())?;
    let timestamp = if header.is_log_append_time() {
        header.max_timestamp
    } else {
        header.base_timestamp.saturating_add(timestamp_delta)
    };
    let offset_delta = i32::try_from(offset_delta).map_err(|_| broken("a record offset out of range"))?;
    Ok(RecordHead { offset_delta, timestamp, has_key: key >= 0 })
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn byte(records: &mut impl BufRead) -> io::Result<u8> {
    let byte = records.fill_buf()?.first().copied().ok_or(io::ErrorKind::UnexpectedEof)?;
    records.consume(1);
    Ok(byte)
}

/// A zigzag varint of up to 64 bits and the bytes it took.
fn varint(records: &mut impl BufRead) -> io::Result<(u64, i64)> {
    let mut raw: u64 = 0;
    for index in 0..10_u32 {
        let byte = byte(records)?;
        raw |= u64::from(byte & 0x7f) << (index * 7);
        if byte < 0x80 {
            let value = (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed());
            return Ok((u64::from(index) + 1, value));
        }
    }
    Err(broken("a variable-length number without an end"))
}

fn skip(records: &mut impl BufRead, mut count: u64) -> io::Result<()> {
    while count > 0 {
        let available = records.fill_buf()?.len();
        if available == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let step = available.min(usize::try_from(count).unwrap_or(usize::MAX));
        records.consume(step);
        count -= step as u64;
    }
    Ok(())
}

/// One record of an unpacked batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordView<'a> {
    /// All its bytes, with the length before them.
    pub(super) raw: &'a [u8],
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    /// It has no value.
    pub(super) is_deletion: bool,
}

/// The records of a batch without compression, at most [`MAX_UNPACKED`] bytes of them.
pub(super) fn unpack(header: &BatchHeader, batch: &[u8]) -> io::Result<Vec<u8>> {
    let packed = batch.get(HEADER..).unwrap_or_default();
    let codec = header.codec().ok_or_else(|| broken("unknown codec"))?;
    let mut unpacked = Vec::new();
    let limit = MAX_UNPACKED + 1;
    let size = match codec {
        Codec::None => packed.take(limit).read_to_end(&mut unpacked),
        Codec::Gzip => flate2::read::MultiGzDecoder::new(packed).take(limit).read_to_end(&mut unpacked),
        Codec::Snappy => SnappyBlocks::new(packed).take(limit).read_to_end(&mut unpacked),
        Codec::Lz4 => lz4::Decoder::new(packed)?.take(limit).read_to_end(&mut unpacked),
        Codec::Zstd => zstd::Decoder::with_buffer(packed)?.take(limit).read_to_end(&mut unpacked),
    }?;
    if size as u64 > MAX_UNPACKED { Err(broken("a batch unpacks into too much")) } else { Ok(unpacked) }
}

/// Packs records the way the header says.
pub(super) fn pack(header: &BatchHeader, records: &[u8]) -> io::Result<Vec<u8>> {
    match header.codec() {
        None => Err(broken("unknown codec")),
        Some(Codec::None) => Ok(records.to_vec()),
        Some(Codec::Gzip) => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(records)?;
            packer.finish()
        }
        Some(Codec::Snappy) => {
            let mut packed = SNAPPY_JAVA.to_vec();
            packed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
            for block in records.chunks(SNAPPY_BLOCK) {
                let block = snap::raw::Encoder::new().compress_vec(block)?;
                let length = u32::try_from(block.len()).map_err(|_| broken("a snappy block too large"))?;
                packed.extend_from_slice(&length.to_be_bytes());
                packed.extend_from_slice(&block);
            }
            Ok(packed)
        }
        Some(Codec::Lz4) => {
            let mut packer = lz4::EncoderBuilder::new().build(Vec::new())?;
            packer.write_all(records)?;
            let (packed, result) = packer.finish();
            result.map(|()| packed)
        }
        Some(Codec::Zstd) => zstd::encode_all(records, zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}

/// The records of an unpacked batch, one by one.
pub(super) fn views(unpacked: &[u8]) -> impl Iterator<Item = io::Result<RecordView<'_>>> {
    let mut rest = unpacked;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let view = view(rest);
        rest = view.as_ref().ok().and_then(|view| rest.get(view.raw.len()..)).unwrap_or_default();
        Some(view)
    })
}

fn view(from: &[u8]) -> io::Result<RecordView<'_>> {
    let mut rest = from;
    let (size, length) = varint(&mut rest)?;
    let whole =
        usize::try_from(length).ok().and_then(|length| length.checked_add(usize::try_from(size).ok()?));
    let raw = whole.and_then(|whole| from.get(..whole)).ok_or_else(|| broken("a record is cut off"))?;
    byte(&mut rest)?;
    let (_, timestamp_delta) = varint(&mut rest)?;
    let (_, offset_delta) = varint(&mut rest)?;
    let offset_delta = i32::try_from(offset_delta).map_err(|_| broken("a record offset out of range"))?;
    let (_, key_length) = varint(&mut rest)?;
    let key = match usize::try_from(key_length) {
        Err(_) => None,
        Ok(length) => {
            let (key, after) = rest.split_at_checked(length).ok_or_else(|| broken("a key is cut off"))?;
            rest = after;
            Some(key)
        }
    };
    let (_, value_length) = varint(&mut rest)?;
    Ok(RecordView { raw, timestamp_delta, offset_delta, key, is_deletion: value_length < 0 })
}

/// Snappy as Kafka clients write it: the framing of snappy-java (magic, two version numbers, then blocks with a 32-bit
/// length each), or one bare block as librdkafka does.
struct SnappyBlocks<'a> {
    packed: &'a [u8],
    bare: bool,
    block: Cursor<Vec<u8>>,
}

const SNAPPY_JAVA: &[u8; 8] = b"\x82SNAPPY\0";
const SNAPPY_JAVA_HEADER: usize = 16;
/// What snappy-java packs at a time.
const SNAPPY_BLOCK: usize = 32 * 1024;

impl<'a> SnappyBlocks<'a> {
    fn new(packed: &'a [u8]) -> Self {
        let framed = packed.starts_with(SNAPPY_JAVA).then(|| packed.get(SNAPPY_JAVA_HEADER..)).flatten();
        Self { packed: framed.unwrap_or(packed), bare: framed.is_none(), block: Cursor::default() }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let block = if self.bare {
            std::mem::take(&mut self.packed)
        } else {
            let (length, rest) =
                self.packed.split_first_chunk::<4>().ok_or_else(|| broken("a snappy block is cut off"))?;
            let length = u32::from_be_bytes(*length) as usize;
            let (block, rest) =
                rest.split_at_checked(length).ok_or_else(|| broken("a snappy block is cut off"))?;
            self.packed = rest;
            block
        };
        let size = snap::raw::decompress_len(block)?;
        // Snappy packs at most about 1:21, so a block that claims more lies, and is refused before room is made.
        if size > block.len().saturating_mul(32).saturating_add(64) {
            return Err(broken("a snappy block claims an impossible size"));
        }
        self.block = Cursor::new(snap::raw::Decoder::new().decompress_vec(block)?);
        Ok(())
    }
}

impl Read for SnappyBlocks<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(target)?;
            if count > 0 || self.packed.is_empty() {
                return Ok(count);
            }
            self.next_block()?;
        }
    }
}
