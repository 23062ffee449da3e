//! The header of a record batch, format 2 (Kafka protocol guide, "Record Batch").

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;

/// Bytes before the first record.
pub(super) const HEADER: usize = 61;
/// Bytes before the part that the batch length counts.
const LENGTH_OVERHEAD: usize = 12;
/// Where, after the header, the lower byte of a marker's type is.
const MARKER_KIND: usize = 8;
/// Where the checksummed part begins.
const ATTRIBUTES: usize = 21;
const TIMESTAMP_TYPE: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What a producer's batch says of itself. Offsets are not here: the log gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) count: i32,
}

/// How the records of a batch are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

const NO_BATCH: &str = "Produce requests must have exactly one record batch";

/// Why a batch is refused: the error code and a sentence for the producer.
pub(super) type Refusal = (ResponseError, String);

fn invalid(reason: impl Into<String>) -> Refusal {
    (ResponseError::InvalidRecord, reason.into())
}

/// Reads big-endian numbers at fixed places of a header already known to be long enough.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes.get(offset..).and_then(|tail| tail.first_chunk::<N>()).copied().unwrap_or([0; N])
}

impl BatchHeader {
    /// Reads the one batch of a produce request: whole, alone, of format 2, checksum right. The texts follow Kafka's.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() < HEADER {
            return Err(invalid(NO_BATCH));
        }
        let [magic] = at::<1>(bytes, 16);
        if magic != 2 {
            return Err(invalid(format!(
                "Produce requests are only allowed to contain record batches with magic version 2, not {magic}"
            )));
        }
        let stated = i64::from(i32::from_be_bytes(at(bytes, 8))) + LENGTH_OVERHEAD as i64;
        let actual = bytes.len() as i64;
        if stated > actual || stated < HEADER as i64 {
            return Err(invalid(NO_BATCH));
        }
        if stated < actual {
            return Err(invalid("Produce requests are only allowed to contain exactly one record batch"));
        }
        let stored = u32::from_be_bytes(at(bytes, 17));
        let computed = checksum(bytes);
        if stored != computed {
            let text = format!("Record is corrupt (stored crc = {stored}, computed crc = {computed})");
            return Err((ResponseError::CorruptMessage, text));
        }
        Ok(Self::read(bytes))
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            attributes: i16::from_be_bytes(at(bytes, ATTRIBUTES)),
            last_offset_delta: i32::from_be_bytes(at(bytes, 23)),
            base_timestamp: i64::from_be_bytes(at(bytes, 27)),
            max_timestamp: i64::from_be_bytes(at(bytes, 35)),
            producer_id: i64::from_be_bytes(at(bytes, 43)),
            producer_epoch: i16::from_be_bytes(at(bytes, 51)),
            base_sequence: i32::from_be_bytes(at(bytes, 53)),
            count: i32::from_be_bytes(at(bytes, 57)),
        }
    }

    fn write(&self, batch: &mut BytesMut) {
        put(batch, ATTRIBUTES, &self.attributes.to_be_bytes());
        put(batch, 23, &self.last_offset_delta.to_be_bytes());
        put(batch, 27, &self.base_timestamp.to_be_bytes());
        put(batch, 35, &self.max_timestamp.to_be_bytes());
        put(batch, 43, &self.producer_id.to_be_bytes());
        put(batch, 51, &self.producer_epoch.to_be_bytes());
        put(batch, 53, &self.base_sequence.to_be_bytes());
        put(batch, 57, &self.count.to_be_bytes());
    }

    /// Whether the numbers agree with each other, which the log looks at.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if self.attributes & CONTROL != 0 {
            return Err(invalid("Clients are not allowed to write control records"));
        }
        if self.count <= 0 {
            return Err(invalid(format!("Invalid reported count for record batch: {}", self.count)));
        }
        if self.last_offset_delta != self.count - 1 {
            return Err(invalid(format!(
                "Inconsistent batch offset range: {} offsets for {} records",
                i64::from(self.last_offset_delta) + 1,
                self.count
            )));
        }
        if self.codec().is_none() {
            // Kafka has no better word for it.
            let text = format!("Unknown compression type id: {}", self.attributes & 7);
            return Err((ResponseError::UnknownServerError, text));
        }
        if self.producer_id >= 0 && self.base_sequence < 0 {
            return Err(invalid(format!(
                "Invalid sequence number {} in record batch with producerId {}",
                self.base_sequence, self.producer_id
            )));
        }
        Ok(self)
    }

    /// `None` for a codec that does not exist; a parsed header always has one.
    pub(super) fn codec(&self) -> Option<Codec> {
        match self.attributes & 7 {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// Whether the batch is a marker that the broker wrote.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the broker stamped the whole batch when it was appended.
    pub(super) fn is_log_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE != 0
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes.get(ATTRIBUTES..).unwrap_or_default())
}

/// Copies a checked batch into storage of its own and writes what the broker decides: the base offset and the leader
/// epoch, which the checksum leaves out, and the append time where the topic wants it, which the checksum covers.
pub(super) fn stamp(
    bytes: &[u8],
    header: &mut BatchHeader,
    base_offset: i64,
    leader_epoch: i32,
    append_time: Option<i64>,
) -> Bytes {
    let mut batch = BytesMut::from(bytes);
    put(&mut batch, 0, &base_offset.to_be_bytes());
    put(&mut batch, 12, &leader_epoch.to_be_bytes());
    let attributes = match append_time {
        Some(_) => header.attributes | TIMESTAMP_TYPE,
        None => header.attributes & !TIMESTAMP_TYPE,
    };
    let max_timestamp = append_time.unwrap_or(header.max_timestamp);
    if attributes != header.attributes || max_timestamp != header.max_timestamp {
        header.attributes = attributes;
        header.max_timestamp = max_timestamp;
        put(&mut batch, ATTRIBUTES, &attributes.to_be_bytes());
        put(&mut batch, 35, &max_timestamp.to_be_bytes());
        seal(&mut batch);
    }
    batch.freeze()
}

/// The control batch that ends a transaction in a partition: one record, whose key says how it ended
/// (`EndTransactionMarker`: version 0, type 0 for abort and 1 for commit) and whose value has version 0 and the epoch of
/// the coordinator, which never changes here.
pub(super) fn marker(
    producer_id: i64,
    producer_epoch: i16,
    commit: bool,
    unix_millis: i64,
) -> (Bytes, BatchHeader) {
    /// Attributes, two deltas, key (4 bytes), value (6 bytes) and no headers; lengths are zigzag varints.
    const RECORD: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0];
    let header = BatchHeader {
        attributes: TRANSACTIONAL | CONTROL,
        last_offset_delta: 0,
        base_timestamp: unix_millis,
        max_timestamp: unix_millis,
        producer_id,
        producer_epoch,
        base_sequence: -1,
        count: 1,
    };
    let mut batch = BytesMut::zeroed(HEADER);
    put(&mut batch, 8, &((HEADER + RECORD.len() - LENGTH_OVERHEAD) as i32).to_be_bytes());
    put(&mut batch, 16, &[2]);
    header.write(&mut batch);
    batch.extend_from_slice(&RECORD);
    put(&mut batch, HEADER + MARKER_KIND, &[u8::from(commit)]);
    seal(&mut batch);
    (batch.freeze(), header)
}

/// The same batch with other records: offsets, leader epoch and producer stay.
pub(super) fn repack(bytes: &[u8], header: &BatchHeader, records: &[u8]) -> Bytes {
    let mut batch = BytesMut::with_capacity(HEADER + records.len());
    batch.extend_from_slice(bytes.get(..HEADER).unwrap_or_default());
    batch.extend_from_slice(records);
    let length = i32::try_from(batch.len().saturating_sub(LENGTH_OVERHEAD)).unwrap_or(i32::MAX);
    put(&mut batch, 8, &length.to_be_bytes());
    header.write(&mut batch);
    seal(&mut batch);
    batch.freeze()
}

/// Whether a control batch commits (or else aborts).
pub(super) fn commits(bytes: &[u8]) -> bool {
    bytes.get(HEADER + MARKER_KIND) == Some(&1)
}

/// Makes the checksum right after a change.
fn seal(batch: &mut BytesMut) {
    let crc = checksum(batch);
    put(batch, 17, &crc.to_be_bytes());
}

fn put(batch: &mut BytesMut, offset: usize, value: &[u8]) {
    if let Some(place) = batch.get_mut(offset..offset + value.len()) {
        place.copy_from_slice(value);
    }
}
