//! The standalone offset file.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lavka_api::data::OffsetMap;
use lavka_api::plugin::OffsetReader;
use lavka_api::{Error, Result};
use lavka_converters::json::offsets;
use lavka_engine::source::OffsetStore;

use super::java_map::{self, Entries};

/// Source offsets in one file, in Java's own format (`FileOffsetBackingStore`), so that a user can go back and forth
/// between Kafka Connect and Lavka. Unlike Java the file is replaced atomically: written beside, synced, renamed.
pub struct FileOffsetStore {
    path: PathBuf,
    table: Arc<Mutex<Table>>,
    /// Writers take turns, so that an older state never overwrites a newer one.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    entries: Entries,
    /// Connector and partition to the entry: keys are indexed by what they mean, and keep the bytes they came with.
    index: HashMap<(String, OffsetMap), usize>,
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
            table.put(key, value);
        }
        Ok(Self { path, table: Arc::new(Mutex::new(table)), turn: tokio::sync::Mutex::new(()) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let Ok(meaning) = offsets::read_key(&key) else {
            // Not ours to understand, but kept for whoever does.
            self.entries.push((key, value));
            return;
        };
        match self.index.get(&meaning).and_then(|&at| self.entries.get_mut(at)) {
            Some(entry) => entry.1 = value,
            None => {
                self.index.insert(meaning, self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    /// Looked up by what is stored: numbers come back from JSON as 64-bit integers, whatever they went in as.
    fn get(&self, connector: &str, partition: &OffsetMap) -> Result<Option<OffsetMap>> {
        let mut key = Vec::new();
        offsets::write_key(connector, partition, &mut key)?;
        let Ok(meaning) = offsets::read_key(&key) else { return Ok(None) };
        let at = self.index.get(&meaning);
        match at.and_then(|&at| self.entries.get(at)).and_then(|(_, value)| value.as_deref()) {
            Some(value) => offsets::read_offset(value),
            None => Ok(None),
        }
    }
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
        let mut encoded = Vec::with_capacity(changes.len());
        for (partition, offset) in changes {
            let mut key = Vec::new();
            offsets::write_key(connector, partition, &mut key)?;
            let value = match offset {
                Some(offset) => {
                    let mut value = Vec::new();
                    offsets::write_offset(offset, &mut value)?;
                    Some(value)
                }
                None => None,
            };
            encoded.push((key, value));
        }
        let _turn = self.turn.lock().await;
        let bytes = {
            let mut table = self.table();
            for (key, value) in encoded {
                table.put(key, value);
            }
            java_map::write(&table.entries)
        };
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || replace(&path, &bytes)).await;
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
        let table = self.table();
        let mut found: Vec<(usize, &OffsetMap)> = table
            .index
            .iter()
            .filter(|((owner, _), _)| owner == connector)
            .map(|((_, partition), at)| (*at, partition))
            .collect();
        found.sort_by_key(|(at, _)| *at);
        let mut out = Vec::new();
        for (_, partition) in found {
            if let Some(offset) = table.get(connector, partition)? {
                out.push((partition.clone(), offset));
            }
        }
        Ok(out)
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
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
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
