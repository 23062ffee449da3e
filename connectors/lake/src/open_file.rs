//! A file that rows go into.

use std::sync::Arc;

use lavka_api::data::{TopicPartition, Value};
use lavka_api::{Error, Result};
use lavka_columnar::{Appended, Refusal};

use crate::companions::View;
use crate::file_name::FileName;
use crate::file_part::FilePart;
use crate::lake::{Lake, Target};
use crate::naming::Naming;
use crate::store::{LakePath, Lease};

/// An unfinished file: the object with the values of its records and, where they are stored, those with the keys and the
/// headers of the same records, row for row. One of tombstones has no values.
pub(crate) struct OpenFile {
    /// `<topic>/<encoded partition>` or a name from a template, by which it is found.
    pub(crate) place: Arc<str>,
    /// Where it will be when it is finished.
    target: Target,
    /// At least one; that of the values, if there is one, is the first.
    parts: Vec<FilePart>,
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
}

/// Rows of the views, all of as many records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ViewRows<'a> {
    pub(crate) values: &'a [&'a Value],
    pub(crate) keys: &'a [Value],
    pub(crate) headers: &'a [Value],
}

impl OpenFile {
    pub(crate) fn new(
        (tp, overtaken): (&TopicPartition, i64),
        place: Arc<str>,
        target: Target,
        parts: Vec<FilePart>,
    ) -> Self {
        Self {
            place,
            target,
            parts,
            tp: tp.clone(),
            overtaken,
            offsets: None,
            epoch: None,
            rows: 0,
            wrote_at: 0,
        }
    }

    /// The objects that it is made of.
    pub(crate) fn parts(&self) -> &[FilePart] {
        &self.parts
    }

    pub(crate) fn into_parts(self) -> Vec<FilePart> {
        self.parts
    }

    /// The object with the values; `None` in a file of tombstones.
    pub(crate) fn values(&self) -> Option<&FilePart> {
        self.parts.first().filter(|part| part.view == View::Value)
    }

    /// Puts records into all objects or none, until one is refused.
    pub(crate) fn append(&mut self, rows: ViewRows<'_>) -> Appended {
        if let [only] = self.parts.as_mut_slice()
            && only.view == View::Value
        {
            return only.encoder.append(rows.values);
        }
        let (keys, headers): (Vec<&Value>, Vec<&Value>) =
            (rows.keys.iter().collect(), rows.headers.iter().collect());
        let mut appended = Appended { rows: usize::MAX, refusal: None };
        // The values come last: an object that has more rows than a later one took gives them back.
        for index in (0..self.parts.len()).rev() {
            let rest = self.parts.get_mut(index..).unwrap_or_default();
            let Some((part, earlier)) = rest.split_first_mut() else { continue };
            let rows = match part.view {
                View::Value => rows.values,
                View::Key => &keys,
                View::Headers => &headers,
            };
            let wanted = appended.rows.min(rows.len());
            let taken = part.encoder.append(rows.get(..wanted).unwrap_or_default());
            if taken.rows < wanted {
                earlier.iter_mut().for_each(|part| part.encoder.take_back(wanted - taken.rows));
                let place = part.view.place();
                appended.refusal = taken.refusal.map(|refusal| match refusal {
                    Refusal::Row(error) => Refusal::Row(Error::data(format!("{place}{error}"))),
                    refusal => refusal,
                });
            }
            appended.rows = wanted.min(taken.rows);
        }
        appended
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
        self.parts.iter().any(FilePart::is_complete)
    }

    /// Offsets of the first and the last record; `None` for an empty file.
    pub(crate) fn offsets(&self) -> Option<(i64, i64)> {
        self.offsets
    }

    /// The path of a finished object of it; `None` for an empty file. One that begins at an offset which others had before
    /// has its epoch in its name.
    ///
    /// # Errors
    /// A data error where that is no possible path, such as one that is too long.
    pub(crate) fn path(&self, lake: &Lake, part: &FilePart) -> Result<Option<LakePath>> {
        self.path_ending(lake, &part.extension)
    }

    fn path_ending(&self, lake: &Lake, extension: &str) -> Result<Option<LakePath>> {
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
        let text = lake.settings.naming.text(&name, lake.settings.pad, extension);
        directory.join(&text).map(Some)
    }

    /// The same, if more records do not change it.
    fn settled_path(&self, lake: &Lake, extension: &str) -> Option<LakePath> {
        match lake.settings.naming {
            Naming::Start { .. } | Naming::Template(_) => self.path_ending(lake, extension).ok().flatten(),
            Naming::Span => None,
        }
    }

    /// Bytes that its largest object would have if it were finished now, without rows that are not encoded yet.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(FilePart::size).max().unwrap_or(0)
    }

    /// Bytes of memory in use, roughly, also by the store.
    pub(crate) fn memory(&self, lake: &Lake) -> usize {
        self.parts.iter().map(|part| part.memory(lake)).sum()
    }

    /// The same without the store's.
    pub(crate) fn own_memory(&self) -> usize {
        self.parts.iter().map(FilePart::own_memory).sum()
    }

    /// Encodes and writes what is ripe; everything, with `cut`. `limit` is the size at which the file is finished.
    pub(crate) async fn advance(
        &mut self,
        lake: &Lake,
        lease: &Lease,
        limit: Option<u64>,
        cut: bool,
    ) -> Result<()> {
        for index in 0..self.parts.len() {
            let becomes = self.becomes(lake, index);
            let Some(part) = self.parts.get_mut(index) else { break };
            part.advance(lake, lease, becomes.as_ref(), limit, cut).await?;
        }
        Ok(())
    }

    /// Brings the whole file to the store, durable on return. May be repeated after an error.
    pub(crate) async fn seal(&mut self, lake: &Lake, lease: &Lease) -> Result<()> {
        for index in 0..self.parts.len() {
            let becomes = self.becomes(lake, index);
            let Some(part) = self.parts.get_mut(index) else { break };
            part.seal(lake, lease, becomes.as_ref()).await?;
        }
        Ok(())
    }

    /// The final name of an object that the store does not have yet, where it is known.
    fn becomes(&self, lake: &Lake, part: usize) -> Option<LakePath> {
        let part = self.parts.get(part).filter(|part| !part.is_stored())?;
        self.settled_path(lake, &part.extension)
    }
}
