//! Compression of a file's bytes on the blocking pool, as one member of gzip (RFC 1952).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lavka_api::{Error, Result};

/// What zlib's windows and tables take (zlib's manual, "memory usage").
const STATE_BYTES: usize = 256 * 1024;

pub(crate) struct Gzip {
    /// `None` while a job has it, and for good where the call that waited for the job was cancelled.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    /// `level`: 0 (stored) to 9 (smallest).
    pub(crate) fn new(level: u32) -> Self {
        Self { encoder: Some(GzEncoder::new(Vec::new(), Compression::new(level.min(9)))) }
    }

    /// Takes in `bytes` and hands out what is ready.
    ///
    /// # Errors
    /// Fatal where an earlier call was cut off.
    pub(crate) async fn compress(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut encoder = self.encoder.take().ok_or_else(cut_off)?;
        let job = tokio::task::spawn_blocking(move || {
            encoder.write_all(&bytes).map(|()| (std::mem::take(encoder.get_mut()), encoder))
        });
        let (out, encoder) = outcome(job.await)?;
        self.encoder = Some(encoder);
        Ok(out)
    }

    /// Hands out the rest: nothing can come after it.
    ///
    /// # Errors
    /// As [`compress`](Self::compress).
    pub(crate) async fn finish(&mut self) -> Result<Vec<u8>> {
        let encoder = self.encoder.take().ok_or_else(cut_off)?;
        outcome(tokio::task::spawn_blocking(move || encoder.finish()).await)
    }

    pub(crate) fn memory(&self) -> usize {
        self.encoder.as_ref().map_or(0, |encoder| STATE_BYTES + encoder.get_ref().capacity())
    }
}

fn cut_off() -> Error {
    Error::fatal("a file was cut off while it was being compressed; restart the task")
}

fn outcome<T>(job: Result<std::io::Result<T>, tokio::task::JoinError>) -> Result<T> {
    job.map_err(std::io::Error::other)
        .flatten()
        .map_err(|error| Error::fatal(format!("cannot compress rows: {error}")))
}
