//! A directory of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use lavka_api::error::{ErrorClass, exception};
use lavka_api::{Error, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::failure::failure;
use crate::names::random_name;
use crate::{Chunk, End, LakePath, LakeStore, Lease, Renamed};

/// Times that a directory is created for the same file, when it vanishes each time.
const DIRECTORY_TRIES: usize = 5;
/// A note about the holder of a lease is a short line.
const MAX_NOTE: u64 = 512;

/// Files below a local directory.
///
/// Durability is that of `fsync`: of a file for its content, of a directory for its names. Renames use
/// `RENAME_NOREPLACE`, or a hard link where the file system does not know it. A lease is a file locked with `flock`,
/// which the kernel releases when the process ends in whatever way.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
    /// The configuration key that says where the root is, for error texts.
    key: &'static str,
}

impl LocalStore {
    /// A store below `root`, which `key` configures; nothing is touched yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, key: &'static str) -> Self {
        Self { root: root.into(), key }
    }

    fn path(&self, path: &LakePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    /// Runs `work` where blocking is allowed. It owns a clone of the lease until it has ended, even if nobody waits
    /// for it any more.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        target: Option<(&LakePath, Option<&Lease>)>,
        work: impl FnOnce(&LocalStore, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let path = target.map_or_else(|| self.root.clone(), |(path, _)| self.path(path));
        let lease = target.and_then(|(_, lease)| lease.cloned());
        tokio::task::spawn_blocking(move || {
            let outcome = work(&store, &path).map_err(|error| store.explain(doing, &path, &error));
            drop(lease);
            outcome
        })
        .await
        .map_err(|error| Error::fatal(format!("the worker is shutting down: {error}")))?
    }

    /// What the user should know of an I/O error, and whether waiting may help.
    fn explain(&self, doing: &str, path: &Path, error: &io::Error) -> Error {
        let verdict = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                (ErrorClass::Retriable, "make room there; the task then goes on by itself")
            }
            ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::ResourceBusy
            | ErrorKind::OutOfMemory
            | ErrorKind::StaleNetworkFileHandle => (ErrorClass::Retriable, "this is tried again"),
            _ if matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE)) => {
                (ErrorClass::Retriable, "raise the limit of open files (ulimit -n); this is tried again")
            }
            ErrorKind::PermissionDenied => (
                ErrorClass::Fatal,
                "give the user that the worker runs as write access to it, or choose another directory",
            ),
            ErrorKind::ReadOnlyFilesystem => {
                (ErrorClass::Fatal, "mount the file system for writing, or choose another directory")
            }
            ErrorKind::Unsupported => (
                ErrorClass::Fatal,
                "the file system there cannot do this; the lake needs one with locks (flock), fsync and rename",
            ),
            _ if Errno::from_io_error(error) == Some(Errno::NOLCK) => (
                ErrorClass::Fatal,
                "the file system there has no locks (flock): mount it with them, or choose another directory",
            ),
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => (
                ErrorClass::Fatal,
                "something else has a name that the lake needs for a directory: move it away",
            ),
            _ => (
                ErrorClass::Fatal,
                "restart the task when that is repaired; it goes on behind the last whole file",
            ),
        };
        failure(self.key, doing, &path.display(), error, verdict)
    }
}

#[async_trait]
impl LakeStore for LocalStore {
    /// Creates the root directory and writes a file there, which goes away again.
    async fn prepare(&self) -> Result<()> {
        self.blocking("write to", None, move |store, _| {
            create_dirs(&store.root)?;
            let probe = store.root.join(format!(".lavka-probe-{}-{}", std::process::id(), random_name()));
            let written = File::create(&probe)?.write_all(b"probe");
            fs::remove_file(&probe)?;
            written
        })
        .await
    }

    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>> {
        self.blocking("lock", Some((path, None)), |_, path| {
            path.parent().map_or(Ok(()), create_dirs)?;
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            match file.try_lock() {
                Ok(()) => {
                    // The note is for people; a lock without it is as good.
                    drop(note_holder(&file));
                    Ok(Some(Lease::new(file)))
                }
                Err(fs::TryLockError::WouldBlock) => Ok(None),
                Err(fs::TryLockError::Error(error)) => Err(error),
            }
        })
        .await
    }

    async fn holder(&self, path: &LakePath) -> String {
        let note = self.read(path, MAX_NOTE).await.ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&note).trim().to_owned()
    }

    async fn create(&self, lease: &Lease, path: &LakePath, _becomes: Option<&LakePath>) -> Result<bool> {
        self.blocking("create", Some((path, Some(lease))), |_, path| {
            match in_directory(path, || OpenOptions::new().create_new(true).write(true).open(path)) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_file() => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        self.blocking("write to", Some((path, Some(lease))), move |_, path| {
            let mut file = OpenOptions::new().write(true).open(path)?;
            let length = file.metadata()?.len();
            if length < at {
                let text = format!("it has {length} bytes where {at} were written");
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            }
            if length > at {
                file.set_len(at)?;
            }
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&bytes)
        })
        .await
    }

    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        let outcome = self
            .blocking("bring to disk", Some((path, Some(lease))), |_, path| match File::open(path) {
                Ok(file) if file.metadata()?.is_dir() => sync_names(&file).map(|()| true),
                Ok(file) => file.sync_all().map(|()| true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            })
            .await;
        // After a failed fsync the kernel may take the lost pages for written; another try would prove nothing.
        outcome.map_err(|error| error.with_class(ErrorClass::Fatal).with_exception(exception::CONNECT))
    }

    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>> {
        self.blocking("read", Some((path, None)), move |_, path| {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut bytes = Vec::new();
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    format!("it has more than {limit} bytes"),
                ));
            }
            Ok(Some(bytes))
        })
        .await
    }

    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>> {
        self.blocking("read", Some((path, None)), move |_, path| {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let range = end.range(file.metadata()?.len());
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end - range.start).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        })
        .await
    }

    async fn rename_if_absent(&self, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        let from = self.path(from);
        self.blocking("rename a finished file to", Some((to, Some(lease))), move |_, to| {
            match in_directory(to, || rename_no_replace(&from, to)) {
                Ok(()) => Ok(Renamed::Done),
                Err(error) if error.kind() == ErrorKind::NotFound && !from.exists() => {
                    Ok(if to.exists() { Renamed::AlreadyDone } else { Renamed::SourceMissing })
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !from.exists() {
                        Ok(Renamed::AlreadyDone)
                    } else if same_file(&from, to)? {
                        fs::remove_file(&from)?;
                        Ok(Renamed::Done)
                    } else {
                        Ok(Renamed::TargetExists)
                    }
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        let base = path.clone();
        self.blocking("list", Some((path, None)), move |store, _| {
            let mut files = Vec::new();
            let mut directories = vec![base];
            while let Some(directory) = directories.pop() {
                let entries = match fs::read_dir(store.path(&directory)) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                for entry in entries {
                    let entry = entry?;
                    // Names that are no UTF-8, or that no path of ours can have, are not ours.
                    let Some(path) = entry.file_name().to_str().and_then(|name| directory.join(name).ok())
                    else {
                        continue;
                    };
                    let ty = match entry.file_type() {
                        Ok(ty) => ty,
                        // Somebody has moved it away since.
                        Err(error) if error.kind() == ErrorKind::NotFound => continue,
                        Err(error) => return Err(error),
                    };
                    if ty.is_dir() {
                        directories.push(path);
                    } else {
                        files.push(path);
                    }
                }
            }
            Ok(files)
        })
        .await
    }

    async fn delete(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        self.blocking("delete", Some((path, Some(lease))), |_, path| match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }
}

/// Writes into a lock file whose it is.
fn note_holder(mut file: &File) -> io::Result<()> {
    let system = rustix::system::uname();
    file.set_len(0)?;
    writeln!(file, "process {} on {}", std::process::id(), system.nodename().to_string_lossy())
}

/// Creates `path` and what is missing above it, each new name durable: a file that is synced in a directory whose own
/// name is lost would be lost with it.
fn create_dirs(path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(directory) = next.filter(|directory| !directory.as_os_str().is_empty()) {
        if directory.is_dir() {
            break;
        }
        missing.push(directory);
        next = directory.parent();
    }
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            Ok(()) => {
                let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
                sync_names(&File::open(parent.unwrap_or(Path::new(".")))?)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the names in a directory durable. Network file systems that do not know `fsync` of a directory (SMB, some of
/// FUSE) have no other way to offer either.
fn sync_names(directory: &File) -> io::Result<()> {
    match directory.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Does `work`, which gives something the name `path`, in a directory that is created if it is missing: also if somebody
/// who clears empty directories away comes in between.
fn in_directory<T>(path: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..DIRECTORY_TRIES {
        path.parent().map_or(Ok(()), create_dirs)?;
        match work() {
            Err(error)
                if error.kind() == ErrorKind::NotFound && path.parent().is_some_and(|dir| !dir.is_dir()) => {}
            other => return other,
        }
    }
    work()
}

fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_then_unlink(from, to),
        other => Ok(other?),
    }
}

/// Whether both names are of one file, which a rename by hard link leaves behind when it is cut off in the middle.
fn same_file(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (fs::metadata(a)?, fs::metadata(b)?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// For file systems without `RENAME_NOREPLACE`.
fn link_then_unlink(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> LakePath {
        LakePath::new(text).unwrap()
    }

    async fn store() -> (tempfile::TempDir, LocalStore, Lease) {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path().join("a/b"), "store.url");
        store.prepare().await.unwrap();
        let lease = store.lease(&path("logs/lock")).await.unwrap().unwrap();
        (dir, store, lease)
    }

    #[tokio::test]
    async fn appends_can_be_repeated() {
        let (_dir, store, lease) = store().await;
        let file = path("x/f");
        assert!(store.create(&lease, &file, None).await.unwrap());
        assert!(!store.create(&lease, &file, None).await.unwrap());
        store.append(&lease, &file, 0, Chunk::from(b"abc".to_vec())).await.unwrap();
        store.append(&lease, &file, 3, Chunk::from(b"torn".to_vec())).await.unwrap();
        store.append(&lease, &file, 3, Chunk::from(b"d".to_vec())).await.unwrap();
        for (name, there) in [("x/f", true), ("x", true), ("x/none", false), ("none/f", false)] {
            assert_eq!(store.sync(&lease, &path(name)).await.unwrap(), there, "{name}");
        }
        assert_eq!(store.read(&file, 100).await.unwrap().unwrap(), b"abcd");
        assert!(store.read(&file, 3).await.is_err());
        assert_eq!(store.read(&path("x/none"), 3).await.unwrap(), None);
        for (end, want) in
            [(End::First(2), "ab"), (End::Last(3), "bcd"), (End::First(9), "abcd"), (End::Last(9), "abcd")]
        {
            assert_eq!(store.read_end(&file, end).await.unwrap().unwrap(), want.as_bytes());
        }
        assert_eq!(store.read_end(&path("x/none"), End::Last(3)).await.unwrap(), None);
        let error = store.append(&lease, &file, 9, Chunk::default()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal);
    }

    #[tokio::test]
    async fn renames_never_replace() {
        let (_dir, store, lease) = store().await;
        for name in ["t/1", "t/2"] {
            store.create(&lease, &path(name), None).await.unwrap();
            store.append(&lease, &path(name), 0, Chunk::from(name)).await.unwrap();
        }
        let target = path("deep/er/final");
        let rename = async |from: &str| store.rename_if_absent(&lease, &path(from), &target).await.unwrap();
        assert_eq!(rename("t/none").await, Renamed::SourceMissing);
        assert_eq!(rename("t/1").await, Renamed::Done);
        assert_eq!(rename("t/2").await, Renamed::TargetExists);
        assert_eq!(rename("t/1").await, Renamed::AlreadyDone);
        assert_eq!(store.read(&target, 100).await.unwrap().unwrap(), b"t/1");
        let mut all = store.list(&path("t")).await.unwrap();
        all.extend(store.list(&path("deep")).await.unwrap());
        assert_eq!(all, [path("t/2"), target]);
        assert!(store.list(&path("nowhere")).await.unwrap().is_empty());
        assert!(store.delete(&lease, &path("t/2")).await.unwrap());
        assert!(!store.delete(&lease, &path("t/2")).await.unwrap());
    }

    #[tokio::test]
    async fn a_rename_by_hard_link_that_was_cut_off_is_finished() {
        let (_dir, store, lease) = store().await;
        let (from, to) = (path("t/1"), path("t/2"));
        store.create(&lease, &from, None).await.unwrap();
        fs::hard_link(store.path(&from), store.path(&to)).unwrap();
        assert_eq!(store.rename_if_absent(&lease, &from, &to).await.unwrap(), Renamed::Done);
        assert_eq!(store.list(&path("t")).await.unwrap(), [to]);
    }

    #[test]
    fn a_directory_that_somebody_clears_away_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/f");
        let cleared = std::cell::Cell::new(0);
        let clear_twice = || {
            if cleared.get() < 2 {
                cleared.set(cleared.get() + 1);
                fs::remove_dir_all(dir.path().join("a"))?;
            }
            File::create_new(&file)
        };
        in_directory(&file, clear_twice).unwrap();
        assert!(file.is_file());
        let none = in_directory(&file, || Err::<(), _>(io::Error::from(ErrorKind::NotFound)));
        assert_eq!(none.unwrap_err().kind(), ErrorKind::NotFound, "not for want of a directory");
    }

    #[test]
    fn hard_links_do_not_replace_either() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&a, "a").unwrap();
        link_then_unlink(&a, &b).unwrap();
        fs::write(&a, "second").unwrap();
        assert_eq!(link_then_unlink(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&b).unwrap(), "a");
    }

    #[tokio::test]
    async fn a_lease_keeps_others_out_until_it_is_dropped() {
        let (_dir, store, lease) = store().await;
        assert!(store.lease(&path("logs/lock")).await.unwrap().is_none());
        assert!(store.lease(&path("logs/other")).await.unwrap().is_some());
        let clone = lease.clone();
        drop(lease);
        assert!(store.lease(&path("logs/lock")).await.unwrap().is_none());
        drop(clone);
        assert!(store.lease(&path("logs/lock")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn errors_name_key_place_and_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let store = LocalStore::new(dir.path().join("file/below"), "store.url");
        let error = store.prepare().await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal);
        let text = error.message().unwrap();
        assert!(text.starts_with("store.url: cannot write to "), "{text}");
        assert!(text.ends_with("for a directory: move it away") && text.contains("/file"), "{text}");
        let full = store.explain("write to", Path::new("/x"), &io::Error::from_raw_os_error(28));
        assert!(full.is_retriable());
        for (errno, class, remedy) in [
            (Errno::MFILE, ErrorClass::Retriable, "ulimit -n"),
            (Errno::NOMEM, ErrorClass::Retriable, "tried again"),
            (Errno::DQUOT, ErrorClass::Retriable, "make room"),
            (Errno::NOLCK, ErrorClass::Fatal, "no locks (flock)"),
            (Errno::OPNOTSUPP, ErrorClass::Fatal, "flock"),
            (Errno::IO, ErrorClass::Fatal, "restart the task when that is repaired"),
        ] {
            let error = store.explain("lock", Path::new("/x"), &io::Error::from(errno));
            assert!(error.class() == class && error.to_string().contains(remedy), "{error}");
        }
        let read_only = store.explain("write to", Path::new("/x"), &io::Error::from_raw_os_error(30));
        assert_eq!(
            read_only.message(),
            Some(
                "store.url: cannot write to /x: Read-only file system (os error 30); mount the file system for \
                 writing, or choose another directory"
            )
        );
    }
}
