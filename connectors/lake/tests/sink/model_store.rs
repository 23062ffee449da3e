//! A store in memory that knows what would survive a power cut, and that can die at any operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use lavka_api::{Error, Result};
use lavka_connector_lake::store::{Chunk, End, LakePath, LakeStore, Lease, Renamed};

/// Shared by the task under test and the test; a crash changes the disk under all of its handles.
#[derive(Clone, Debug)]
pub(crate) struct ModelStore {
    disk: Arc<Mutex<Disk>>,
    power: Arc<Mutex<Power>>,
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: BTreeMap<LakePath, u64>,
    /// Changes of names since their directories were synced, oldest first.
    unsynced: Vec<NameChange>,
    leases: BTreeSet<LakePath>,
    /// How many operations were called.
    operations: usize,
}

#[derive(Debug, Default, Clone)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Created(LakePath),
    Renamed(LakePath, LakePath),
    Deleted(LakePath, u64),
}

impl NameChange {
    fn directories(&self) -> Vec<Option<LakePath>> {
        match self {
            NameChange::Created(path) | NameChange::Deleted(path, _) => vec![path.parent()],
            NameChange::Renamed(from, to) => vec![from.parent(), to.parent()],
        }
    }
}

/// When the store dies and how.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Death {
    /// Before the operation does anything.
    Before,
    /// After it did half of it, if it can be halved.
    Halfway,
    /// After it did all of it, but before anybody heard.
    After,
}

#[derive(Debug, Default)]
struct Power {
    /// The operation at which to die, counted from now.
    left: Option<(usize, Option<Death>)>,
    dead: bool,
    /// Appends and renames that fail as a full disk does.
    full: usize,
    /// Appends that succeed before that.
    spare: usize,
}

/// What is lost in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing: the process was killed, the machine runs on.
    Nothing,
    /// Everything that was not synced: the machine lost power.
    Unsynced,
}

impl ModelStore {
    pub(crate) fn new() -> Self {
        Self { disk: Arc::default(), power: Arc::default() }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    fn power(&self) -> MutexGuard<'_, Power> {
        self.power.lock().unwrap()
    }

    /// Dies at the operation number `at` from now on (0 is the next one).
    pub(crate) fn die_at(&self, at: usize, how: Death) {
        self.power().left = Some((at, Some(how)));
    }

    /// The next `count` appends find the disk full, after writing a part.
    pub(crate) fn fill_up(&self, count: usize) {
        self.fill_up_after(0, count);
    }

    /// The same after `spare` appends that succeed.
    pub(crate) fn fill_up_after(&self, spare: usize, count: usize) {
        let mut power = self.power();
        (power.spare, power.full) = (spare, count);
    }

    pub(crate) fn operations(&self) -> usize {
        self.disk().operations
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.power().dead
    }

    /// Starts again after a crash. Leases of whoever held them are gone.
    pub(crate) fn restart(&mut self, loss: Loss) {
        let mut disk = self.disk();
        disk.leases.clear();
        if loss == Loss::Unsynced {
            for change in std::mem::take(&mut disk.unsynced).into_iter().rev() {
                match change {
                    NameChange::Created(path) => drop(disk.names.remove(&path)),
                    NameChange::Deleted(path, file) => drop(disk.names.insert(path, file)),
                    NameChange::Renamed(from, to) => {
                        if let Some(file) = disk.names.remove(&to) {
                            disk.names.insert(from, file);
                        }
                    }
                }
            }
            for file in disk.files.values_mut() {
                file.bytes.clone_from(&file.synced);
            }
        }
        drop(disk);
        // The old task may still hold the old handles; they stay dead.
        self.power = Arc::default();
    }

    /// Files with their bytes, below `directory`.
    pub(crate) fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let disk = self.disk();
        let below = disk.names.iter().filter(|(path, _)| path.as_str().starts_with(directory));
        below.map(|(path, file)| (path.to_string(), disk.files[file].bytes.clone())).collect()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.disk().names.remove(&LakePath::new(path).unwrap()).unwrap();
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut disk = self.disk();
        let id = disk.next_file;
        disk.next_file += 1;
        disk.files.insert(id, File { bytes: bytes.to_vec(), synced: bytes.to_vec() });
        disk.names.insert(LakePath::new(path).unwrap(), id);
    }

    /// Counts an operation; what is to become of it.
    fn step(&self) -> Result<Option<Death>> {
        self.disk().operations += 1;
        let mut power = self.power();
        if power.dead {
            return Err(dead());
        }
        match power.left {
            Some((0, how)) => {
                power.dead = true;
                match how {
                    Some(Death::Before) | None => Err(dead()),
                    other => Ok(other),
                }
            }
            Some((left, how)) => {
                power.left = Some((left - 1, how));
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

fn dead() -> Error {
    Error::fatal("the store is dead")
}

/// The answer of an operation that was done, or that nobody hears of.
fn answer<T>(death: Option<Death>, value: T) -> Result<T> {
    if death.is_some() { Err(dead()) } else { Ok(value) }
}

struct Unlock(Arc<Mutex<Disk>>, LakePath);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.lock().unwrap().leases.remove(&self.1);
    }
}

#[async_trait]
impl LakeStore for ModelStore {
    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>> {
        let death = self.step()?;
        let fresh = self.disk().leases.insert(path.clone());
        let lease = fresh.then(|| Lease::new(Unlock(Arc::clone(&self.disk), path.clone())));
        answer(death, lease)
    }

    async fn holder(&self, _path: &LakePath) -> String {
        String::new()
    }

    async fn create(&self, _lease: &Lease, path: &LakePath, _becomes: Option<&LakePath>) -> Result<bool> {
        let death = self.step()?;
        let mut disk = self.disk();
        if disk.names.contains_key(path) {
            return answer(death, false);
        }
        let id = disk.next_file;
        disk.next_file += 1;
        disk.files.insert(id, File::default());
        disk.names.insert(path.clone(), id);
        disk.unsynced.push(NameChange::Created(path.clone()));
        answer(death, true)
    }

    async fn append(&self, _lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        let death = self.step()?;
        let full = {
            let mut power = self.power();
            let full = power.full > 0 && power.spare == 0;
            if full {
                power.full -= 1;
            }
            power.spare = power.spare.saturating_sub(1);
            full
        };
        let mut disk = self.disk();
        let id = disk.names.get(path).copied().ok_or_else(|| Error::fatal(format!("no {path}")))?;
        let file = disk.files.get_mut(&id).unwrap();
        let at = usize::try_from(at).unwrap();
        assert!(at <= file.bytes.len(), "{path}: append at {at} of {}", file.bytes.len());
        file.bytes.truncate(at);
        let half = full || matches!(death, Some(Death::Halfway));
        let part = if half { bytes.len() / 2 } else { bytes.len() };
        file.bytes.extend_from_slice(&bytes[..part]);
        if full {
            return Err(Error::retriable("No space left on device"));
        }
        answer(death, ())
    }

    async fn sync(&self, _lease: &Lease, path: &LakePath) -> Result<bool> {
        let death = self.step()?;
        if matches!(death, Some(Death::Halfway)) {
            return Err(dead());
        }
        let mut disk = self.disk();
        if let Some(id) = disk.names.get(path).copied() {
            let file = disk.files.get_mut(&id).unwrap();
            file.synced.clone_from(&file.bytes);
        } else {
            // A directory: what happened to its names lasts from now on, a rename with both its sides.
            disk.unsynced.retain(|change| !change.directories().contains(&Some(path.clone())));
        }
        answer(death, true)
    }

    async fn read(&self, path: &LakePath, _limit: u64) -> Result<Option<Vec<u8>>> {
        let death = self.step()?;
        let disk = self.disk();
        let bytes = disk.names.get(path).map(|file| disk.files[file].bytes.clone());
        answer(death, bytes)
    }

    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>> {
        let bytes = self.read(path, u64::MAX).await?;
        Ok(bytes.map(|bytes| {
            let range = end.range(u64::try_from(bytes.len()).unwrap());
            bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
        }))
    }

    async fn rename_if_absent(&self, _lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        let death = self.step()?;
        let mut disk = self.disk();
        let renamed = match (disk.names.contains_key(from), disk.names.contains_key(to)) {
            (true, true) => Renamed::TargetExists,
            (false, true) => Renamed::AlreadyDone,
            (false, false) => Renamed::SourceMissing,
            (true, false) => {
                let file = disk.names.remove(from).unwrap();
                disk.names.insert(to.clone(), file);
                disk.unsynced.push(NameChange::Renamed(from.clone(), to.clone()));
                Renamed::Done
            }
        };
        answer(death, renamed)
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        let death = self.step()?;
        let prefix = format!("{path}/");
        let found =
            self.disk().names.keys().filter(|name| name.as_str().starts_with(&prefix)).cloned().collect();
        answer(death, found)
    }

    async fn delete(&self, _lease: &Lease, path: &LakePath) -> Result<bool> {
        let death = self.step()?;
        let mut disk = self.disk();
        let file = disk.names.remove(path);
        if let Some(file) = file {
            disk.unsynced.push(NameChange::Deleted(path.clone(), file));
        }
        answer(death, file.is_some())
    }
}
