//! The port to whatever holds the files.
//!
//! Exactly-once needs five things of a store: bytes that stay once [`sync`](LakeStore::sync)ed, an append that can be
//! repeated, a rename that never replaces, names that can be listed, and a lease that keeps a second writer out. Local
//! directories have them all ([`LocalStore`]); an object store or HDFS needs an implementation of its own.

mod local;
mod path;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::Result;

pub use local::LocalStore;
pub use path::LakePath;

/// Bytes on their way into a file; cloning copies a pointer, so that a failed append can be repeated.
pub type Chunk = Arc<Vec<u8>>;

/// The right to write under some prefix, held until the last clone is dropped.
///
/// Every operation that changes something takes it, and an implementation keeps a clone until the operation has really
/// ended: a caller that was cancelled in the middle must not lose the lease while its rename is still under way.
#[derive(Clone)]
pub struct Lease {
    _guard: Arc<dyn Any + Send + Sync>,
}

impl Lease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self { _guard: Arc::new(guard) }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// What became of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renamed {
    /// The file has its new name.
    Done,
    /// There is a file of the new name and none of the old one: an earlier try succeeded.
    AlreadyDone,
    /// There are two different files, which were both left alone.
    TargetExists,
    /// There is no file of either name.
    SourceMissing,
}

/// A store of files below a root. Paths are relative to the root.
///
/// Errors are classified: retriable where the same call may succeed later without anybody restarting anything (a full
/// disk), fatal otherwise. Their texts name the path and the remedy.
#[async_trait]
pub trait LakeStore: Send + Sync + fmt::Debug {
    /// Makes sure that files can be written, once, before anything else is called.
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Takes the lease of the lock file `path`; `None` while somebody else holds it.
    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>>;

    /// Creates an empty file and the directories above it; false if it exists already.
    async fn create(&self, lease: &Lease, path: &LakePath) -> Result<bool>;

    /// Writes `bytes` at `at`, which is the length of the file as far as the caller knows. Whatever lies beyond is the
    /// rest of an append that failed, and is cut off first; so the call may be repeated after an error.
    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()>;

    /// Makes durable what was written to a file or, of a directory, which names are in it; false if there is neither.
    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool>;

    /// The content of a small file; `None` if there is none. Files of more than `limit` bytes are an error.
    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>>;

    /// Gives a file another name, in one step and never replacing a file; directories above the new name are created.
    async fn rename_if_absent(&self, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed>;

    /// All files below the directory `path`, at any depth, in no particular order; none if it does not exist.
    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>>;

    /// Deletes a file; false if there is none.
    async fn delete(&self, lease: &Lease, path: &LakePath) -> Result<bool>;
}
