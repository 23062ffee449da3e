//! The port to whatever holds the files.
//!
//! Exactly-once needs five things of a store: bytes that stay once [`sync`](LakeStore::sync)ed, an append that can be
//! repeated, a way to give a finished file its name in one step, names that can be listed, and something that keeps a
//! second writer out: a lease, or a log whose entries are created only where there is none.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lavka_api::{Error, Result};

use crate::LakePath;

/// Bytes on their way into a file; cloning copies a pointer, so that a failed append can be repeated.
pub type Chunk = Bytes;

/// The right to write under some prefix, held until the last clone is dropped.
///
/// Every operation that changes something takes it, and an implementation keeps a clone until the operation has really
/// ended: a caller that was cancelled in the middle must not lose the lease while its rename is still under way.
#[derive(Clone)]
pub struct Lease {
    guard: Arc<dyn Any + Send + Sync>,
}

impl Lease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self { guard: Arc::new(guard) }
    }

    /// Asks the guard; false where it is no `T`.
    pub(crate) fn guard_is<T: Any + Send + Sync>(&self, question: impl FnOnce(&T) -> bool) -> bool {
        self.guard.downcast_ref().is_some_and(question)
    }

    /// The guard, if this is the last clone and its guard a `T`.
    pub(crate) fn into_guard<T: Any + Send + Sync>(self) -> Option<T> {
        Arc::into_inner(self.guard.downcast::<T>().ok()?)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// What became of a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renamed {
    /// The file has its new name.
    Done,
    /// There is a file of the new name and none of the old one: an earlier try succeeded.
    AlreadyDone,
    /// There are two different files, which were both left alone.
    TargetExists,
    /// There is no file of either name, and nothing says that there should be one: it was moved away.
    SourceMissing,
    /// There is no file of either name, although a note says that one was only to be made visible.
    Lost(Lost),
}

/// A file that was brought to an object store but not made visible, and whose bytes the store has no more. Stores clear away
/// what is not completed: Azure after a week, the others where a rule of the bucket's says so. Should somebody have made it
/// visible and another one have moved it away before the note was deleted, then it looks the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The object that it was to become.
    pub object: String,
    /// The object with the note. Once that is deleted, the file counts as one that was moved away.
    pub note: String,
    /// For how long the note has been there; `None` where clocks disagree.
    pub age: Option<Duration>,
}

/// One end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// So many bytes from its beginning.
    First(u64),
    /// So many bytes up to its end.
    Last(u64),
}

impl End {
    /// Where the bytes of a file of `length` begin and end.
    #[must_use]
    pub fn range(self, length: u64) -> Range<u64> {
        match self {
            Self::First(count) => 0..count.min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        }
    }
}

/// How a store keeps the log of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogForm {
    /// A file of lines that grows, written by whoever has the lease of a lock file.
    Lines,
    /// The binary log of the HDFS sink, written by whoever has HDFS's lease on it. Paths in it are URLs that begin with
    /// `root`.
    Hadoop {
        /// The URL of the store's root, without a slash at its end.
        root: String,
    },
    /// An object for each commit, numbered: whoever creates the next one ([`LakeStore::create_object`]) has committed.
    /// Leases are not exclusive.
    Objects,
}

/// A store of files below a root. Paths are relative to the root.
///
/// Errors are classified: retriable where the same call may succeed later without anybody restarting anything (a full
/// disk), fatal otherwise. Their texts name the path and the remedy.
#[async_trait]
pub trait LakeStore: Send + Sync + fmt::Debug {
    /// How the log of commits is kept here.
    fn log_form(&self) -> LogForm {
        LogForm::Lines
    }

    /// Makes sure that files can be written, once, before anything else is called.
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Takes the lease of `path`, which is the lock file or, with [`LogForm::Hadoop`], the log itself; `None` while
    /// somebody else holds it.
    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>>;

    /// Gives a lease back, where waiting for that makes a difference to the next who wants it. Dropping it does the same,
    /// later.
    async fn release(&self, lease: Lease) {
        drop(lease);
    }

    /// Whether what is under the lease can still be committed. Where it cannot, because writing the log failed halfway or
    /// another writer has won, the partition has to be taken over anew.
    fn is_sound(&self, lease: &Lease) -> bool {
        let _ = lease;
        true
    }

    /// A note about who holds the lease of `path`, for people; empty where nobody knows.
    async fn holder(&self, path: &LakePath) -> String;

    /// Whether a file can have this name here, as far as that does not depend on what is there.
    ///
    /// # Errors
    /// A data error that says what is wrong with the name.
    fn check_name(&self, path: &LakePath) -> Result<()> {
        let _ = path;
        Ok(())
    }

    /// Creates an empty file and the directories above it; false if it exists already. `becomes` is the name that it will
    /// be given by [`rename_if_absent`](Self::rename_if_absent), where that is known already.
    async fn create(&self, lease: &Lease, path: &LakePath, becomes: Option<&LakePath>) -> Result<bool>;

    /// Creates a small file with its content in one step; false if there is one of that name. Only where the log is kept
    /// as [`LogForm::Objects`].
    async fn create_object(&self, path: &LakePath, bytes: Chunk) -> Result<bool> {
        let _ = bytes;
        Err(Error::fatal(format!("{path}: this store creates no file with its content in one step")))
    }

    /// Writes `bytes` at `at`, which is the length of the file as far as the caller knows. Whatever lies beyond is what an
    /// append of the same bytes did before it failed; so the call may be repeated after an error.
    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()>;

    /// Makes durable what was written to a file or, of a directory, which names are in it; false if there is neither.
    /// Nothing is appended to a file behind it, except to a log.
    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool>;

    /// Bytes of a file that were appended and are in this process's memory alone.
    fn held_bytes(&self, path: &LakePath) -> usize {
        let _ = path;
        0
    }

    /// The content of a small file; `None` if there is none. Files of more than `limit` bytes are an error.
    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>>;

    /// The bytes at one end of a finished file, fewer where it has fewer; `None` if there is none.
    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>>;

    /// Gives a file another name, in one step and never replacing a file; directories above the new name are created. An
    /// object store replaces what has the new name, as the S3 sink does: only the winner of the log comes here.
    async fn rename_if_absent(&self, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed>;

    /// Gives a finished file these tags, names and values, in place of those that it has. Only where files are objects of
    /// S3.
    async fn tag(&self, path: &LakePath, tags: &[(String, String)]) -> Result<()> {
        let _ = tags;
        Err(Error::fatal(format!("{path}: files of this store get no tags")))
    }

    /// All files below the directory `path`, at any depth, in no particular order; none if it does not exist.
    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>>;

    /// Deletes a file, also one that is being written; false if there is none.
    async fn delete(&self, lease: &Lease, path: &LakePath) -> Result<bool>;
}
