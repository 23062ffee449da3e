//! A file that rows go into.

use std::collections::VecDeque;
use std::sync::Arc;

use lavka_api::data::{TopicPartition, Value};
use lavka_api::{Error, Result};
use lavka_columnar::Appended;

use crate::file_name::FileName;
use crate::format::{Encoder, chunk};
use crate::lake::{Lake, Target};
use crate::naming::Naming;
use crate::store::{Chunk, LakePath, Lease};

/// An unfinished file. Its bytes wait in memory until they are worth a write; it exists in the store from the first
/// write on, under its temporary name.
pub(crate) struct OpenFile {
    /// `<topic>/<encoded partition>` or a name from a template, by which it is found.
    pub(crate) place: Arc<str>,
    /// Where it will be when it is finished.
    target: Target,
    pub(crate) temp: LakePath,
    pub(crate) encoder: Encoder,
    tp: TopicPartition,
    /// Below this offset earlier files may have other records at the same offsets.
    overtaken: i64,
    /// Offsets of the first and the last record in it.
    offsets: Option<(i64, i64)>,
    /// The leader epoch of the first, where known.
    epoch: Option<i32>,
    rows: u64,
    /// When the last record came, in epoch milliseconds.
    wrote_at: i64,
    unwritten: VecDeque<Chunk>,
    /// Bytes in the store; `None` before the file is there.
    written: Option<u64>,
    /// Whether all its bytes are in `unwritten` or in the store.
    complete: bool,
}

impl OpenFile {
    pub(crate) fn new(
        (tp, overtaken): (&TopicPartition, i64),
        place: Arc<str>,
        target: Target,
        temp: LakePath,
        encoder: Encoder,
    ) -> Self {
        Self {
            place,
            target,
            temp,
            encoder,
            tp: tp.clone(),
            overtaken,
            offsets: None,
            epoch: None,
            rows: 0,
            wrote_at: 0,
            unwritten: VecDeque::new(),
            written: None,
            complete: false,
        }
    }

    pub(crate) fn append(&mut self, rows: &[&Value]) -> Appended {
        self.encoder.append(rows)
    }

    /// Notes that `rows` records from `first`, of the leader epoch `epoch`, to `last` are in it since `now`.
    pub(crate) fn cover(&mut self, first: i64, epoch: Option<i32>, last: i64, rows: u64, now: i64) {
        self.rows = self.rows.saturating_add(rows);
        self.wrote_at = now;
        match &mut self.offsets {
            Some((_, end)) => *end = last,
            None => (self.offsets, self.epoch) = (Some((first, last)), epoch),
        }
    }

    /// Records in it.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// When the last record came, in epoch milliseconds.
    pub(crate) fn wrote_at(&self) -> i64 {
        self.wrote_at
    }

    /// Whether nothing more goes in.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Offsets of the first and the last record; `None` for an empty file.
    pub(crate) fn offsets(&self) -> Option<(i64, i64)> {
        self.offsets
    }

    /// The path of the finished file; `None` for an empty one. One that begins at an offset which others had before has its
    /// epoch in its name.
    ///
    /// # Errors
    /// A data error where that is no possible path, such as one that is too long.
    pub(crate) fn path(&self, lake: &Lake) -> Result<Option<LakePath>> {
        let Some((start, end)) = self.offsets else { return Ok(None) };
        let epoch = self.epoch.filter(|_| start < self.overtaken);
        let directory = match &self.target {
            Target::Directory(directory) => directory,
            Target::File(path) => {
                return match epoch {
                    Some(epoch) => LakePath::new(&format!("{path}-{epoch}")).map(Some),
                    None => Ok(Some(path.clone())),
                };
            }
        };
        let name = FileName { topic: &self.tp.topic, partition: self.tp.partition, start, end, epoch };
        let text = lake.settings.naming.text(&name, lake.settings.pad, lake.settings.format.extension());
        directory.join(&text).map(Some)
    }

    /// The same, if more records do not change it.
    fn settled_path(&self, lake: &Lake) -> Option<LakePath> {
        match lake.settings.naming {
            Naming::Start { .. } | Naming::Template(_) => self.path(lake).ok().flatten(),
            Naming::Span => None,
        }
    }

    /// Bytes that it would have if it were finished now, without rows that are not encoded yet.
    pub(crate) fn size(&self) -> u64 {
        let unwritten: usize = self.unwritten.iter().map(|chunk| chunk.len()).sum();
        self.written.unwrap_or(0) + self.encoder.held_back() + u64::try_from(unwritten).unwrap_or(u64::MAX)
    }

    pub(crate) fn memory(&self) -> usize {
        self.encoder.memory() + self.unwritten.iter().map(|chunk| chunk.len()).sum::<usize>()
    }

    /// Encodes and writes what is ripe; everything, with `cut`. `limit` is the size at which the file is finished.
    pub(crate) async fn advance(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        limit: Option<u64>,
        cut: bool,
    ) -> Result<()> {
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.size()));
        if cut || self.encoder.is_ripe(room) {
            let bytes = self.encoder.encode(cut).await?;
            self.unwritten.extend(chunk(bytes));
        }
        self.write(lake, lease).await
    }

    /// Brings the whole file to the store, durable on return. May be repeated after an error.
    pub(crate) async fn seal(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        if !self.complete {
            let bytes = self.encoder.finish().await?;
            self.unwritten.extend(chunk(bytes));
            self.complete = true;
        }
        self.write(lake, lease).await?;
        if self.written.is_none() {
            lake.store.create(lease, &self.temp, self.settled_path(lake).as_ref()).await?;
            self.written = Some(0);
        }
        if lake.store.sync(lease, &self.temp).await? {
            return Ok(());
        }
        Err(Error::fatal(format!(
            "the temporary file {} is gone: something else deletes files below +tmp. Restart the task; it reads the \
             records again",
            self.temp
        )))
    }

    async fn write(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        while let Some(chunk) = self.unwritten.front() {
            let at = match self.written {
                Some(at) => at,
                None => {
                    lake.store.create(lease, &self.temp, self.settled_path(lake).as_ref()).await?;
                    *self.written.insert(0)
                }
            };
            lake.store.append(lease, &self.temp, at, Chunk::clone(chunk)).await?;
            self.written = Some(at.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
            self.unwritten.pop_front();
        }
        Ok(())
    }

    /// Whether the store may have a file of its temporary name.
    pub(crate) fn is_stored(&self) -> bool {
        self.written.is_some()
    }
}
