//! The standalone offset file.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lavka_api::data::OffsetMap;
use lavka_api::plugin::OffsetReader;
use lavka_api::{Error, Result};
use lavka_engine::source::OffsetStore;

use super::java_map;
use super::table::{Change, Table};

/// Source offsets in one file, in Java's own format (`FileOffsetBackingStore`), so that a user can go back and forth
/// between Kafka Connect and Lavka. Unlike Java the file is replaced atomically: written beside, synced, renamed.
pub struct FileOffsetStore {
    path: PathBuf,
    table: Arc<Mutex<Table>>,
    /// Writers take turns, so that an older state never overwrites a newer one. The turn belongs to the blocking work,
    /// not to the future that waits for it: where that is dropped, the next writer still waits for the file.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl FileOffsetStore {
    /// Opens the file; one that is missing or empty holds no offsets.
    ///
    /// # Errors
    /// A config error that names `offset.storage.file.filename`, the path and the remedy: it cannot be read, is not an
    /// offset file, or its folder cannot be written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(refused(&path, &error.to_string(), "make it readable")),
        };
        let entries = java_map::read(&bytes).map_err(|error| {
            refused(
                &path,
                &error.to_string(),
                "name another file, or delete this one to start without offsets",
            )
        })?;
        let folder = folder_of(&path);
        if !folder.is_dir() {
            let why = format!("its folder {} does not exist", folder.display());
            return Err(refused(&path, &why, "create it"));
        }
        let mut table = Table::default();
        for (key, value) in entries {
            table.put(Change::new(key, value));
        }
        Ok(Self { path, table: Arc::new(Mutex::new(table)), turn: Arc::default() })
    }
}

fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refused(path: &Path, why: &str, remedy: &str) -> Error {
    Error::config(format!(
        "The file {} (offset.storage.file.filename) cannot be used: {why}; {remedy}",
        path.display()
    ))
}

/// Writes beside the file, syncs, renames, syncs the folder: a crash leaves the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(folder_of(path))?.sync_all()
}

#[async_trait]
impl OffsetStore for FileOffsetStore {
    async fn write(&self, connector: &str, changes: &[(OffsetMap, Option<OffsetMap>)]) -> Result<()> {
        let encoded = changes
            .iter()
            .map(|(partition, offset)| Change::of(connector, partition, offset.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (path, table) = (self.path.clone(), Arc::clone(&self.table));
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let bytes = locked(&table).bytes_with(&encoded);
            replace(&path, &bytes)?;
            // Only what is in the file is told to readers: an offset that a crash could take back is none.
            let mut table = locked(&table);
            encoded.into_iter().for_each(|change| table.put(change));
            Ok::<_, std::io::Error>(())
        })
        .await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::retriable(format!(
                "Source offsets could not be written to {} (offset.storage.file.filename): {error}",
                self.path.display()
            ))),
            Err(error) => Err(Error::retriable(format!("Source offsets could not be written: {error}"))),
        }
    }

    async fn read_all(&self, connector: &str) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        locked(&self.table).of_connector(connector)
    }

    fn reader(&self, connector: &str) -> Arc<dyn OffsetReader> {
        Arc::new(Reader { connector: connector.to_owned(), table: Arc::clone(&self.table) })
    }
}

struct Reader {
    connector: String,
    table: Arc<Mutex<Table>>,
}

#[async_trait]
impl OffsetReader for Reader {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        let table = locked(&self.table);
        partitions.iter().map(|partition| table.get(&self.connector, partition)).collect()
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Value;

    use super::*;

    fn map(key: &str, value: i64) -> OffsetMap {
        OffsetMap::new([(key, Value::Int64(value))])
    }

    #[tokio::test]
    async fn offsets_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        let changes = [(map("p", 1), Some(map("o", 5))), (map("p", 2), Some(map("o", 6)))];
        store.write("c", &changes).await.unwrap();
        store.write("c", &[(map("p", 1), None)]).await.unwrap();
        store.write("d", &[(map("p", 1), Some(map("o", 9)))]).await.unwrap();
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.read_all("c").await.unwrap(), [(map("p", 2), map("o", 6))]);
        let read = store.reader("d").offsets(&[map("p", 1), map("p", 2)]).await.unwrap();
        assert_eq!(read, [Some(map("o", 9)), None]);
    }

    #[tokio::test]
    async fn one_write_may_name_a_partition_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        let changes = [(map("p", 1), Some(map("o", 5))), (map("p", 1), Some(map("o", 6)))];
        store.write("c", &changes).await.unwrap();
        let entries = java_map::read(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(entries, [(br#"["c",{"p":1}]"#.to_vec(), Some(br#"{"o":6}"#.to_vec()))]);
        assert_eq!(store.read_all("c").await.unwrap(), [(map("p", 1), map("o", 6))]);
    }

    #[tokio::test]
    async fn a_write_that_failed_changed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        store.write("c", &[(map("p", 1), Some(map("o", 5)))]).await.unwrap();
        let in_the_way = folder.path().join("offsets.new");
        std::fs::create_dir(&in_the_way).unwrap();
        let changes = [(map("p", 1), Some(map("o", 6))), (map("p", 2), Some(map("o", 7)))];
        let error = store.write("c", &changes).await.unwrap_err();
        assert!(error.to_string().contains("offset.storage.file.filename"), "{error}");
        let before = [(map("p", 1), map("o", 5))];
        assert_eq!(store.read_all("c").await.unwrap(), before);
        let read = store.reader("c").offsets(&[map("p", 1), map("p", 2)]).await.unwrap();
        assert_eq!(read, [Some(map("o", 5)), None]);
        std::fs::remove_dir(&in_the_way).unwrap();
        // Nor does it come with the next one.
        store.write("d", &[(map("p", 3), Some(map("o", 8)))]).await.unwrap();
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.read_all("c").await.unwrap(), before);
        assert_eq!(store.read_all("d").await.unwrap(), [(map("p", 3), map("o", 8))]);
    }

    #[tokio::test]
    async fn a_cancelled_write_keeps_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        // A pipe beside the file: whoever opens it for writing waits until somebody reads.
        let pipe = folder.path().join("offsets.new");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let cancelled_changes = [(map("p", 1), Some(map("o", 5)))];
        let mut cancelled = store.write("c", &cancelled_changes);
        assert!(futures::poll!(&mut cancelled).is_pending());
        drop(cancelled);
        let next_changes = [(map("p", 2), Some(map("o", 6)))];
        let mut next = store.write("c", &next_changes);
        assert!(futures::poll!(&mut next).is_pending());
        assert!(store.turn.try_lock().is_err(), "the blocking write goes on, and has the turn");
        // Read to its end, which comes when the first write gives up: a pipe cannot be synced.
        let reading = pipe.clone();
        tokio::task::spawn_blocking(move || {
            let mut reader = std::fs::File::open(&reading).unwrap();
            // Out of the way of the next write, which would wait as well.
            std::fs::remove_file(&reading).unwrap();
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
        })
        .await
        .unwrap();
        next.await.unwrap();
        let expected = [(map("p", 2), map("o", 6))];
        assert_eq!(store.read_all("c").await.unwrap(), expected);
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.read_all("c").await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_cancelled_write_that_succeeds_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let store = FileOffsetStore::open(&path).unwrap();
        let changes = [(map("p", 1), Some(map("o", 5)))];
        let mut write = store.write("c", &changes);
        // Ready at once or not: the write is on its way either way.
        let _ = futures::poll!(&mut write);
        drop(write);
        drop(store.turn.lock().await);
        let expected = [(map("p", 1), map("o", 5))];
        assert_eq!(store.read_all("c").await.unwrap(), expected);
        let store = FileOffsetStore::open(&path).unwrap();
        assert_eq!(store.read_all("c").await.unwrap(), expected);
    }

    #[test]
    fn a_file_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        std::fs::write(&path, "{}").unwrap();
        let error = FileOffsetStore::open(&path).err().unwrap();
        assert!(error.to_string().contains("offset.storage.file.filename"), "{error}");
        let error = FileOffsetStore::open(folder.path().join("no/such/offsets")).err().unwrap();
        assert!(error.to_string().contains("does not exist"), "{error}");
    }
}
