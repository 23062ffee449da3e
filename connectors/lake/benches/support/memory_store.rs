//! A store in memory, without faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use lavka_api::Result;
use lavka_connector_lake::store::{Chunk, End, LakePath, LakeStore, Lease, Renamed};

#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<BTreeMap<LakePath, Vec<u8>>>>);

impl MemoryStore {
    fn files(&self) -> MutexGuard<'_, BTreeMap<LakePath, Vec<u8>>> {
        self.0.lock().expect("no thread panicked")
    }

    /// How many finished files there are.
    pub(crate) fn finished(&self) -> usize {
        self.files().keys().filter(|path| path.as_str().starts_with("topics/t/")).count()
    }
}

#[async_trait]
impl LakeStore for MemoryStore {
    async fn lease(&self, _path: &LakePath) -> Result<Option<Lease>> {
        Ok(Some(Lease::new(())))
    }

    async fn holder(&self, _path: &LakePath) -> String {
        String::new()
    }

    async fn create(&self, _lease: &Lease, path: &LakePath, _becomes: Option<&LakePath>) -> Result<bool> {
        Ok(self.files().insert(path.clone(), Vec::new()).is_none())
    }

    async fn append(&self, _lease: &Lease, path: &LakePath, _at: u64, bytes: Chunk) -> Result<()> {
        self.files().entry(path.clone()).or_default().extend_from_slice(&bytes);
        Ok(())
    }

    async fn sync(&self, _lease: &Lease, _path: &LakePath) -> Result<bool> {
        Ok(true)
    }

    async fn read(&self, path: &LakePath, _limit: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.files().get(path).cloned())
    }

    async fn read_end(&self, path: &LakePath, _end: End) -> Result<Option<Vec<u8>>> {
        self.read(path, u64::MAX).await
    }

    async fn rename_if_absent(&self, _lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        let mut files = self.files();
        let bytes = files.remove(from).expect("the sink renames what it has written");
        files.insert(to.clone(), bytes);
        Ok(Renamed::Done)
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        let prefix = format!("{path}/");
        Ok(self.files().keys().filter(|name| name.as_str().starts_with(&prefix)).cloned().collect())
    }

    async fn delete(&self, _lease: &Lease, path: &LakePath) -> Result<bool> {
        Ok(self.files().remove(path).is_some())
    }
}
