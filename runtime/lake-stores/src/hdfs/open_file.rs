//! A file that is being written.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError};
use lavka_api::{Error, Result};

use super::answer;
use super::errors::{explain, is_missing, is_taken};
use super::patience::Patience;
use crate::Chunk;

/// Waits for the data nodes to agree on the end of a file that somebody left open.
const RECOVERY_POLL: Duration = Duration::from_millis(200);
const RECOVERY_POLLS: usize = 300;

/// A file that this process writes, or wrote until something failed.
pub(super) struct OpenFile {
    path: String,
    /// The configuration key that says where the store is.
    key: &'static str,
    writer: Option<FileWriter>,
    /// Bytes that appends brought into it.
    length: u64,
    /// Whether the last operation went through. What a failed or cancelled one has done is not known.
    sound: bool,
    /// Whether bytes that were written are in no data node any more, or cannot be had: the file will never be whole.
    lost: bool,
    /// How long the data nodes may take.
    patience: Arc<Patience>,
    /// A log is fenced by HDFS's lease on it. After a failure nobody may take that back by force, because somebody else
    /// may have it by now.
    is_log: bool,
}

impl OpenFile {
    pub(super) fn new(
        path: String,
        key: &'static str,
        writer: FileWriter,
        length: u64,
        patience: Arc<Patience>,
    ) -> Self {
        Self { path, key, writer: Some(writer), length, sound: true, lost: false, patience, is_log: false }
    }

    /// A file of which only the path is known; what is in it is looked up before more is written.
    pub(super) fn unknown(path: String, key: &'static str, patience: Arc<Patience>) -> Self {
        Self { path, key, writer: None, length: 0, sound: false, lost: false, patience, is_log: false }
    }

    /// The same file, as a log.
    pub(super) fn into_log(self) -> Self {
        Self { is_log: true, ..self }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Whether the file has to be written from its beginning again.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    fn explain(&self, doing: &str, error: &HdfsError) -> Error {
        explain(self.key, doing, &self.path, error)
    }

    /// Writes `bytes` at `at`; see [`LakeStore::append`](crate::LakeStore::append).
    pub(super) async fn append(&mut self, client: &Client, at: u64, mut bytes: Chunk) -> Result<()> {
        if !self.sound {
            let there = self.reopen(client, at, &bytes).await?;
            bytes = bytes.slice(there..);
        } else if self.length != at {
            return Err(Error::fatal(format!(
                "{}: {} has {} bytes where {at} were written; restart the task",
                self.key, self.path, self.length
            )));
        }
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.sound = false;
        let Some(writer) = &mut self.writer else { return Err(self.gone()) };
        if let Err(error) = Box::pin(self.patience.wait(writer.write_bytes(bytes))).await {
            return Err(self.failed("write to", &error));
        }
        self.length = self.length.saturating_add(count);
        self.sound = true;
        Ok(())
    }

    /// Brings what was written to the disks of the data nodes.
    pub(super) async fn hsync(&mut self) -> Result<()> {
        if !self.sound {
            return Err(self.gone());
        }
        self.sound = false;
        let Some(writer) = &mut self.writer else { return Err(self.gone()) };
        if let Err(error) = Box::pin(self.patience.wait(writer.hsync())).await {
            return Err(self.failed("bring to disk", &error));
        }
        self.sound = true;
        Ok(())
    }

    /// Brings everything to the disks of the data nodes, and completes the file. May be repeated after an error.
    pub(super) async fn finish(&mut self, client: &Client) -> Result<()> {
        if !self.sound {
            self.reopen(client, self.length, &Bytes::new()).await?;
        }
        self.sound = false;
        let Some(writer) = &mut self.writer else { return Err(self.gone()) };
        let closed = match Box::pin(self.patience.wait(writer.hsync())).await {
            // Erasure coded files cannot be synced; closing them waits for every data node.
            Ok(()) | Err(HdfsError::OperationFailed(_) | HdfsError::UnsupportedFeature(_)) => {
                Box::pin(self.patience.wait(writer.close())).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = closed {
            return Err(self.failed("complete", &error));
        }
        self.sound = true;
        Ok(())
    }

    /// Gives the lease back, with the file as it is.
    pub(super) async fn close(mut self) {
        if let Some(mut writer) = self.writer.take()
            && self.sound
            && let Err(error) = Box::pin(self.patience.wait(writer.close())).await
        {
            tracing::warn!("{} (HDFS takes the lease back within a minute)", self.explain("close", &error));
        }
    }

    /// After a failure: waits until the file has an end, looks which part of `bytes` made it there behind `at`, and opens
    /// it again. Tells how many bytes that were.
    async fn reopen(&mut self, client: &Client, at: u64, bytes: &Bytes) -> Result<usize> {
        if self.is_log {
            return Err(self.gone());
        }
        self.writer = None;
        if let Err(error) = recover(client, &self.path).await {
            // Its data nodes may be gone for good. Without them nothing else waits for the file.
            self.lost = matches!(error, HdfsError::OperationFailed(_));
            return Err(self.failed("recover", &error));
        }
        let status = answer(client.get_file_info(&self.path)).await;
        let status = status.map_err(|error| self.failed("look at", &error))?;
        let length = u64::try_from(status.length).unwrap_or(u64::MAX);
        let there = length.checked_sub(at).and_then(|there| usize::try_from(there).ok());
        let Some(there) = there.filter(|there| *there <= bytes.len()) else {
            self.lost = true;
            return Err(Error::retriable(format!(
                "{}: {} has {length} bytes where {at} were written, and the data nodes that had the others are gone; the \
                 partition is taken over anew, and its records are read again",
                self.key, self.path
            )));
        };
        if there > 0 {
            let tail = read_range(client, &self.path, at, there).await;
            let tail = tail.map_err(|error| self.failed("read", &error))?;
            if bytes.get(..there) != Some(tail.as_slice()) {
                return Err(Error::fatal(format!(
                    "{}: {} has bytes that this task did not write; restart the task",
                    self.key, self.path
                )));
            }
        }
        let writer = answer(client.append(&self.path)).await;
        let writer = writer.map_err(|error| self.failed("write to", &error))?;
        (self.writer, self.length, self.sound) = (Some(writer), length, true);
        Ok(there)
    }

    fn failed(&mut self, doing: &str, error: &HdfsError) -> Error {
        self.writer = None;
        if is_taken(error) {
            // Whoever took the partition over has cleared it away.
            self.lost = true;
            return self.gone();
        }
        self.explain(doing, error)
    }

    fn gone(&self) -> Error {
        Error::retriable(format!(
            "{}: writing to {} has failed, and another writer may have taken it over since; the partition is taken over \
             anew",
            self.key, self.path
        ))
    }
}

/// Takes the lease of whoever has `path` open, and waits until the file has an end.
pub(super) async fn recover(client: &Client, path: &str) -> Result<(), HdfsError> {
    for _ in 0..RECOVERY_POLLS {
        match answer(client.recover_lease(path)).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if is_missing(&error) => return Err(error),
            Err(HdfsError::AlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(RECOVERY_POLL).await;
    }
    Err(HdfsError::OperationFailed(format!("the lease of {path} was not recovered in a minute")))
}

/// `count` bytes from `at` on; fewer where the file ends before that.
pub(super) async fn read_range(
    client: &Client,
    path: &str,
    at: u64,
    count: usize,
) -> Result<Vec<u8>, HdfsError> {
    let reader = answer(client.read(path)).await?;
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(reader.file_length());
    let count = count.min(reader.file_length() - start);
    let mut bytes = Vec::with_capacity(count);
    if count == 0 {
        return Ok(bytes);
    }
    let mut stream = std::pin::pin!(reader.read_range_stream(start, count));
    while let Some(part) = stream.next().await {
        bytes.extend_from_slice(&part?);
    }
    Ok(bytes)
}
