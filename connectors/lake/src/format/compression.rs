//! Compression of a whole file's bytes on the blocking pool: one member of gzip (RFC 1952), one frame of Zstandard (RFC
//! 8878), or the stream of snappy-java.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;
use lavka_api::{Error, Result};

/// What files are compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// With a level of 0 (stored) to 9 (smallest).
    Gzip(u32),
    /// Blocks as `SnappyOutputStream` of snappy-java frames them.
    Snappy,
    Zstd,
}

impl Compression {
    /// What names of such files end with.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Gzip(_) => ".gz",
            Self::Snappy => ".snappy",
            Self::Zstd => ".zst",
        }
    }

    /// Memory that a file takes, roughly: zlib's windows and tables (zlib's manual, "memory usage"), a block of snappy,
    /// the window and tables of Zstandard's level 3.
    fn state_bytes(self) -> usize {
        match self {
            Self::Gzip(_) => 256 * 1024,
            Self::Snappy => 3 * SNAPPY_BLOCK,
            Self::Zstd => 1536 * 1024,
        }
    }

    fn begin(self) -> io::Result<State> {
        Ok(match self {
            Self::Gzip(level) => {
                State::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(level.min(9))))
            }
            Self::Snappy => State::Snappy(Snappy::default()),
            Self::Zstd => State::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }
}

/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;
/// Bytes of a block of snappy-java.
const SNAPPY_BLOCK: usize = 32 * 1024;
/// Magic, version and the lowest version that can read it.
const SNAPPY_HEADER: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

enum State {
    Gzip(GzEncoder<Vec<u8>>),
    Snappy(Snappy),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl State {
    fn write(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Snappy(snappy) => snappy.write(bytes),
            Self::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Snappy(snappy) => snappy.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[derive(Default)]
struct Snappy {
    begun: bool,
    block: Vec<u8>,
}

impl Snappy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.block.extend_from_slice(bytes);
        let whole = self.block.len() - self.block.len() % SNAPPY_BLOCK;
        let rest = self.block.split_off(whole);
        let ready = std::mem::replace(&mut self.block, rest);
        self.blocks(&ready)
    }

    fn blocks(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(SNAPPY_HEADER);
        }
        for block in bytes.chunks(SNAPPY_BLOCK) {
            let block = snap::raw::Encoder::new().compress_vec(block)?;
            out.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(&block);
        }
        Ok(out)
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        let block = std::mem::take(&mut self.block);
        self.blocks(&block)
    }
}

/// A file that is being compressed.
pub(crate) struct Compressor {
    compression: Compression,
    /// `None` while a job has it, and for good where the call that waited for the job was cancelled.
    state: Option<State>,
}

impl Compressor {
    /// # Errors
    /// Fatal where the codec cannot be set up.
    pub(crate) fn new(compression: Compression) -> Result<Self> {
        let state = compression.begin().map_err(|error| failed(&error))?;
        Ok(Self { compression, state: Some(state) })
    }

    /// Takes in `bytes` and hands out what is ready.
    ///
    /// # Errors
    /// Fatal where an earlier call was cut off.
    pub(crate) async fn compress(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut state = self.state.take().ok_or_else(cut_off)?;
        let job = tokio::task::spawn_blocking(move || state.write(&bytes).map(|out| (out, state)));
        let (out, state) = outcome(job.await)?;
        self.state = Some(state);
        Ok(out)
    }

    /// Hands out the rest: nothing can come after it.
    ///
    /// # Errors
    /// As [`compress`](Self::compress).
    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        let state = self.state.take().ok_or_else(cut_off)?;
        outcome(tokio::task::spawn_blocking(move || state.finish()).await)
    }

    pub(crate) fn memory(&self) -> usize {
        if self.state.is_some() { self.compression.state_bytes() } else { 0 }
    }
}

fn cut_off() -> Error {
    Error::fatal("a file was cut off while it was being compressed; restart the task")
}

fn failed(error: &io::Error) -> Error {
    Error::fatal(format!("cannot compress rows: {error}"))
}

fn outcome<T>(job: Result<io::Result<T>, tokio::task::JoinError>) -> Result<T> {
    job.map_err(io::Error::other).flatten().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn compressed(compression: Compression, parts: &[&[u8]]) -> Vec<u8> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut compressor = Compressor::new(compression).unwrap();
            let mut out = Vec::new();
            for part in parts {
                out.extend(compressor.compress(part.to_vec()).await.unwrap());
            }
            out.extend(compressor.finish().await.unwrap());
            out
        })
    }

    #[test]
    fn what_is_compressed_is_read_back() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let parts: Vec<&[u8]> = plain.chunks(33_333).collect();
        for level in [0, 1, 9] {
            let mut read = Vec::new();
            let bytes = compressed(Compression::Gzip(level), &parts);
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).unwrap();
            assert!(read == plain, "level {level}");
        }
        assert!(zstd::decode_all(&compressed(Compression::Zstd, &parts)[..]).unwrap() == plain);
        let bytes = compressed(Compression::Snappy, &parts);
        let mut rest = bytes.strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01").unwrap();
        let mut read = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let (block, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
            read.extend(snap::raw::Decoder::new().decompress_vec(block).unwrap());
            rest = behind;
        }
        assert!(read == plain && rest.is_empty());
    }

    #[test]
    fn a_file_without_bytes_is_one_of_its_kind() {
        assert_eq!(compressed(Compression::Snappy, &[]), SNAPPY_HEADER);
        assert!(zstd::decode_all(&compressed(Compression::Zstd, &[])[..]).unwrap().is_empty());
    }
}
