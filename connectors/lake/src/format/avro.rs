//! Avro object container files (Avro specification 1.11, "Object Container Files"), as Java's `DataFileWriter` cuts
//! them: a block is closed by the record with which it reaches 64,000 bytes.

use std::io::Write as _;
use std::sync::Arc;

use lavka_api::data::{Schema, Value};
use lavka_api::{Error, Result};
use lavka_avro::{Encoder, Mapping, write_length};
use lavka_columnar::{Appended, Refusal};

/// Bytes of records with which a block is closed: `DataFileConstants.DEFAULT_SYNC_INTERVAL`.
const BLOCK_BYTES: usize = 64_000;
/// Bytes of records that are worth being compressed and handed out.
const RIPE_BYTES: usize = 1024 * 1024;
/// What files begin with.
pub(crate) const MAGIC: &[u8] = b"Obj\x01";

/// `avro.codec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AvroCodec {
    Null,
    Deflate,
    Snappy,
    Bzip2,
}

impl AvroCodec {
    /// The name that files and configurations have for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AvroCodec::Null => "null",
            AvroCodec::Deflate => "deflate",
            AvroCodec::Snappy => "snappy",
            AvroCodec::Bzip2 => "bzip2",
        }
    }

    /// The codec of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [AvroCodec::Null, AvroCodec::Deflate, AvroCodec::Snappy, AvroCodec::Bzip2]
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    fn compress(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            AvroCodec::Null => Ok(bytes.to_vec()),
            AvroCodec::Deflate => {
                let mut encoder =
                    flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            AvroCodec::Snappy => {
                let mut out = snap::raw::Encoder::new().compress_vec(bytes)?;
                out.extend_from_slice(&crc32fast::hash(bytes).to_be_bytes());
                Ok(out)
            }
            AvroCodec::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct AvroSettings {
    pub(crate) codec: AvroCodec,
    pub(crate) mapping: Mapping,
}

/// Records that become one block of the file.
#[derive(Debug, Default)]
struct Block {
    rows: u64,
    bytes: Vec<u8>,
}

pub(crate) struct AvroEncoder {
    settings: Arc<AvroSettings>,
    encoder: Encoder,
    /// What separates the blocks of this file.
    marker: [u8; 16],
    /// The file's head, until it is handed out.
    head: Vec<u8>,
    open: Block,
    /// Blocks that are closed, shared with the job that compresses them: they stay until its outcome is handed out, so
    /// that a call that is cancelled loses nothing.
    closed: Arc<Vec<Block>>,
    closed_bytes: usize,
    /// Where the rows of the last call of `append` begin in their blocks.
    starts: Vec<usize>,
}

impl AvroEncoder {
    /// A file of records of `schema`, or schemaless ones, whose blocks `marker`, 16 random bytes, separates.
    ///
    /// # Errors
    /// A data error where Avro has no form for the schema.
    pub(crate) fn new(
        settings: Arc<AvroSettings>,
        schema: Option<&Schema>,
        marker: [u8; 16],
    ) -> Result<Self> {
        let avro = settings.mapping.to_avro(schema)?;
        let encoder = Encoder::new(&settings.mapping, schema, &avro)?;
        let mut head = MAGIC.to_vec();
        write_length(&mut head, 2);
        for (key, value) in
            [("avro.schema", avro.to_string().as_str()), ("avro.codec", settings.codec.name())]
        {
            for text in [key, value] {
                write_length(&mut head, text.len());
                head.extend_from_slice(text.as_bytes());
            }
        }
        write_length(&mut head, 0);
        head.extend_from_slice(&marker);
        Ok(Self {
            settings,
            encoder,
            marker,
            head,
            open: Block::default(),
            closed: Arc::default(),
            closed_bytes: 0,
            starts: Vec::new(),
        })
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        self.starts.clear();
        for (i, row) in rows.iter().enumerate() {
            let before = self.open.bytes.len();
            if let Err(error) = self.encoder.encode_datum(row, &mut self.open.bytes) {
                self.open.bytes.truncate(before);
                return Appended { rows: i, refusal: Some(Refusal::Row(error)) };
            }
            self.open.rows += 1;
            self.starts.push(before);
            if self.open.bytes.len() >= BLOCK_BYTES {
                self.close_block();
            }
        }
        Appended { rows: rows.len(), refusal: None }
    }

    /// Takes back the last `count` rows of the last call of [`append`](Self::append), behind which nothing else was called.
    pub(crate) fn take_back(&mut self, count: usize) {
        for _ in 0..count {
            let Some(start) = self.starts.pop() else { return };
            if self.open.rows == 0 {
                self.reopen_block();
            }
            self.open.bytes.truncate(start);
            self.open.rows = self.open.rows.saturating_sub(1);
        }
    }

    /// Makes the block that was closed last the open one again.
    fn reopen_block(&mut self) {
        let copy = |block: &Block| Block { rows: block.rows, bytes: block.bytes.clone() };
        let closed = std::mem::take(&mut self.closed);
        // A job that was cut off still reads them.
        let mut closed = Arc::try_unwrap(closed).unwrap_or_else(|shared| shared.iter().map(copy).collect());
        if let Some(block) = closed.pop() {
            self.closed_bytes -= block.bytes.len();
            self.open = block;
        }
        self.closed = Arc::new(closed);
    }

    fn close_block(&mut self) {
        if self.open.rows == 0 {
            return;
        }
        let next = Vec::with_capacity(self.open.bytes.capacity());
        let block = Block { rows: self.open.rows, bytes: std::mem::replace(&mut self.open.bytes, next) };
        self.open.rows = 0;
        self.closed_bytes += block.bytes.len();
        match Arc::get_mut(&mut self.closed) {
            Some(closed) => closed.push(block),
            // A job that was cut off still reads the others; it takes no part in what comes of them.
            None => {
                let closed = std::mem::take(&mut self.closed);
                let copy = |block: &Block| Block { rows: block.rows, bytes: block.bytes.clone() };
                self.closed = Arc::new(closed.iter().map(copy).chain([block]).collect());
            }
        }
    }

    pub(crate) fn is_ripe(&self, room: u64) -> bool {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        self.closed_bytes >= RIPE_BYTES.min(room.max(BLOCK_BYTES))
    }

    /// Compresses the closed blocks on the blocking pool and hands them out; with `cut` the open one as well.
    pub(crate) async fn encode(&mut self, cut: bool) -> Result<Vec<u8>> {
        if cut {
            self.close_block();
        }
        let (blocks, codec, marker) = (Arc::clone(&self.closed), self.settings.codec, self.marker);
        let room = self.closed_bytes;
        let job = tokio::task::spawn_blocking(move || {
            let mut out = Vec::with_capacity(room / 2);
            for block in blocks.iter() {
                let bytes = codec.compress(&block.bytes)?;
                write_length(&mut out, usize::try_from(block.rows).unwrap_or(usize::MAX));
                write_length(&mut out, bytes.len());
                out.extend_from_slice(&bytes);
                out.extend_from_slice(&marker);
            }
            Ok::<_, std::io::Error>(out)
        });
        let bytes = job
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| Error::fatal(format!("cannot encode rows as Avro: {error}")))?;
        self.closed = Arc::default();
        self.closed_bytes = 0;
        let mut out = std::mem::take(&mut self.head);
        out.extend_from_slice(&bytes);
        Ok(out)
    }

    pub(crate) fn memory(&self) -> usize {
        self.open.bytes.capacity() + self.closed_bytes + self.head.capacity()
    }

    /// Bytes that are not handed out yet, before compression.
    pub(crate) fn held_back(&self) -> usize {
        self.head.len() + self.closed_bytes + self.open.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use apache_avro::types::Value as Avro;
    use lavka_api::data::{Object, Struct, Type};

    use super::*;

    fn encoder(codec: AvroCodec, schema: Option<&Schema>) -> AvroEncoder {
        let settings = AvroSettings { codec, mapping: Mapping::default() };
        AvroEncoder::new(Arc::new(settings), schema, *b"0123456789abcdef").unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn reading() -> Schema {
        let schema = Schema::structure().name("Reading").field("id", Schema::of(Type::Int32));
        schema.field("text", Schema::optional(Type::String)).build().unwrap()
    }

    #[test]
    fn another_implementation_reads_the_records_with_each_codec() {
        let schema = reading();
        for codec in [AvroCodec::Null, AvroCodec::Deflate, AvroCodec::Snappy, AvroCodec::Bzip2] {
            let mut encoder = encoder(codec, Some(&schema));
            let mut file = Vec::new();
            let rows: Vec<Value> = (0..20_000)
                .map(|id| {
                    let text = if id % 3 == 0 { Value::Null } else { format!("row {id}").into() };
                    Struct::new(schema.clone(), [Value::Int32(id), text]).unwrap().into()
                })
                .collect();
            for chunk in rows.chunks(3000) {
                let appended = encoder.append(&chunk.iter().collect::<Vec<_>>());
                assert_eq!((appended.rows, appended.refusal.is_none()), (chunk.len(), true));
                file.extend(run(encoder.encode(false)).unwrap());
            }
            file.extend(run(encoder.encode(true)).unwrap());
            assert_eq!((encoder.held_back(), encoder.closed_bytes), (0, 0));
            let reader = apache_avro::Reader::new(&file[..]).unwrap();
            assert_eq!(reader.user_metadata().len(), 0);
            let read: Vec<Avro> = reader.map(Result::unwrap).collect();
            assert_eq!(read.len(), rows.len(), "{codec:?}");
            let Avro::Record(fields) = &read[7] else { panic!("{:?}", read[7]) };
            let text = Avro::Union(1, Box::new(Avro::String("row 7".into())));
            assert_eq!(fields[..], [("id".into(), Avro::Int(7)), ("text".into(), text)]);
        }
    }

    #[test]
    fn a_block_ends_with_the_record_that_fills_it() {
        let schema = Schema::of(Type::Bytes);
        let mut encoder = encoder(AvroCodec::Null, Some(&schema));
        let row = Value::Bytes((&[7; 30_000]).into());
        encoder.append(&[&row, &row, &row, &row]);
        let blocks: Vec<(u64, usize)> =
            encoder.closed.iter().map(|block| (block.rows, block.bytes.len())).collect();
        assert_eq!(blocks, [(3, 90_009)], "each with its length of three bytes in front");
        assert_eq!(encoder.open.rows, 1);
        let file = run(encoder.encode(true)).unwrap();
        let read: Vec<Avro> = apache_avro::Reader::new(&file[..]).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, vec![Avro::Bytes(vec![7; 30_000]); 4]);
    }

    #[test]
    fn rows_that_are_taken_back_leave_nothing_behind_also_in_blocks_that_were_full() {
        let schema = Schema::of(Type::Bytes);
        let mut encoder = encoder(AvroCodec::Null, Some(&schema));
        let rows: Vec<Value> = (0..6).map(|byte| Value::Bytes((&[byte; 40_000]).into())).collect();
        let rows: Vec<&Value> = rows.iter().collect();
        encoder.append(&rows[..3]);
        encoder.append(&rows[3..]);
        assert_eq!((encoder.closed.len(), encoder.open.rows), (3, 0));
        encoder.take_back(2);
        assert_eq!((encoder.closed.len(), encoder.closed_bytes, encoder.open.rows), (2, 160_012, 0));
        encoder.append(&rows[5..]);
        let file = run(encoder.encode(true)).unwrap();
        let read: Vec<Avro> = apache_avro::Reader::new(&file[..]).unwrap().map(Result::unwrap).collect();
        let first =
            |row: &Avro| matches!(row, Avro::Bytes(bytes) if bytes.len() == 40_000).then_some(row.clone());
        assert_eq!(read.iter().filter_map(first).count(), 5);
        assert_eq!(read[4], Avro::Bytes(vec![5; 40_000]));
    }

    #[test]
    fn schemaless_records_have_the_schema_of_anything() {
        let mut encoder = encoder(AvroCodec::Null, None);
        let row = Value::from(Object::from_entries([("a", Value::Int64(1))]));
        assert_eq!(encoder.append(&[&row]).rows, 1);
        let file = run(encoder.encode(true)).unwrap();
        assert!(String::from_utf8_lossy(&file).contains("Anything"));
        assert_eq!(apache_avro::Reader::new(&file[..]).unwrap().map(Result::unwrap).count(), 1);
    }

    #[test]
    fn a_record_that_does_not_fit_leaves_nothing_behind() {
        let schema = reading();
        let mut encoder = encoder(AvroCodec::Null, Some(&schema));
        let good = Value::from(Struct::new(schema.clone(), [Value::Int32(1), Value::Null]).unwrap());
        let appended = encoder.append(&[&good, &Value::Int32(3), &good]);
        assert_eq!((appended.rows, appended.refusal.is_some()), (1, true));
        encoder.append(&[&good]);
        let file = run(encoder.encode(true)).unwrap();
        assert_eq!(apache_avro::Reader::new(&file[..]).unwrap().map(Result::unwrap).count(), 2);
    }

    #[test]
    fn a_call_that_is_cut_off_loses_nothing() {
        let schema = Schema::of(Type::Bytes);
        let mut encoder = encoder(AvroCodec::Deflate, Some(&schema));
        let row = Value::Bytes((&[7; 70_000]).into());
        encoder.append(&[&row]);
        run(async {
            let mut cut_off = Box::pin(encoder.encode(false));
            let waker = std::task::Waker::noop();
            let polled = cut_off.as_mut().poll(&mut std::task::Context::from_waker(waker));
            assert!(polled.is_pending());
        });
        encoder.append(&[&row]);
        let file = run(encoder.encode(true)).unwrap();
        assert_eq!(apache_avro::Reader::new(&file[..]).unwrap().map(Result::unwrap).count(), 2);
    }
}
