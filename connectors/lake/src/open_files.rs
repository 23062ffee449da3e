//! The open files of a topic partition.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::Result;

use crate::lake::Lake;
use crate::open_file::OpenFile;
use crate::store::Lease;

/// Files that are finished together, in the order in which they were opened. Each is known by its number in here until
/// they are cleared.
#[derive(Default)]
pub(crate) struct OpenFiles {
    files: Vec<OpenFile>,
    /// Those that take records, by their places.
    by_place: HashMap<Arc<str>, usize>,
    /// The size of the largest of them.
    largest: u64,
}

impl OpenFiles {
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OpenFile> {
        self.files.iter()
    }

    pub(crate) fn as_slice(&self) -> &[OpenFile] {
        &self.files
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [OpenFile] {
        &mut self.files
    }

    pub(crate) fn get_mut(&mut self, file: usize) -> Option<&mut OpenFile> {
        self.files.get_mut(file)
    }

    /// The size of the largest file.
    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether this file takes records of `place`.
    pub(crate) fn takes(&self, file: usize, place: &str) -> bool {
        self.files.get(file).is_some_and(|file| *file.place == *place && !file.is_complete())
    }

    /// The file that takes records of `place`; `likely` is looked at first.
    pub(crate) fn find(&self, place: &str, likely: usize) -> Option<usize> {
        if self.takes(likely, place) { Some(likely) } else { self.by_place.get(place).copied() }
    }

    /// This file, else the one that was opened last.
    pub(crate) fn last(&self, file: usize) -> Option<&OpenFile> {
        self.files.get(file).or(self.files.last())
    }

    pub(crate) fn add(&mut self, file: OpenFile) -> usize {
        let number = self.files.len();
        self.by_place.insert(Arc::clone(&file.place), number);
        self.files.push(file);
        number
    }

    /// Forgets files without a record; the others take no more.
    pub(crate) fn close(&mut self) {
        self.files.retain(|file| file.offsets().is_some());
        self.by_place.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.files.clear();
        self.by_place.clear();
        self.largest = 0;
    }

    pub(crate) fn into_files(self) -> Vec<OpenFile> {
        self.files
    }

    /// Encodes and writes what is ripe of this file, see [`OpenFile::advance`].
    pub(crate) async fn advance(
        &mut self,
        file: usize,
        lake: &Lake,
        lease: &Lease,
        limit: Option<u64>,
    ) -> Result<()> {
        let Some(file) = self.files.get_mut(file) else { return Ok(()) };
        file.advance(lake, lease, limit, false).await?;
        self.largest = self.largest.max(file.size());
        Ok(())
    }

    /// Bytes of memory in use, roughly, also by the store.
    pub(crate) fn memory(&self, lake: &Lake) -> usize {
        self.files.iter().map(|file| file.memory(lake)).sum()
    }

    /// Writes out the file that uses most memory; false where none uses any.
    pub(crate) async fn relieve(&mut self, lake: &Lake, lease: &Lease) -> Result<bool> {
        let largest = self.files.iter_mut().max_by_key(|file| file.memory(lake));
        let Some(file) = largest.filter(|file| file.own_memory() > 0) else { return Ok(false) };
        let before = file.memory(lake);
        file.advance(lake, lease, None, true).await?;
        Ok(file.memory(lake) < before)
    }

    /// Completes the files that got their last record at `since` or before: they leave memory, and records of their
    /// places go into further files.
    pub(crate) async fn complete_idle(&mut self, lake: &Lake, lease: &Lease, since: i64) -> Result<()> {
        for (number, file) in self.files.iter_mut().enumerate() {
            if file.offsets().is_some() && !file.is_complete() && file.wrote_at() <= since {
                if self.by_place.get(&file.place) == Some(&number) {
                    self.by_place.remove(&file.place);
                }
                file.seal(lake, lease).await?;
            }
        }
        Ok(())
    }
}
