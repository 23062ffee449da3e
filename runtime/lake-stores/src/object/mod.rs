//! Object stores: S3 and what speaks its protocol, Google Cloud Storage, Azure.

mod client;
mod errors;
mod role;
mod s3;
mod settings;
mod upload;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use lavka_api::{Error, Result};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::sync::{Mutex, OnceCell};

use crate::{Chunk, End, LakePath, LakeStore, Lease, LogForm, Renamed};
use client::{Client, Clients, clients};
use errors::{explain, lacks_blocks};
pub use settings::{
    Account, AssumedRole, AzureSettings, GoogleSettings, ObjectSettings, Provider, S3Settings,
};
use upload::{Upload, UploadNote};

/// Behind the name of a temporary file: the note of its upload.
const NOTE: &str = ".upload";
const MAX_NOTE: u64 = 16 * 1024 * 1024;

/// Files in a bucket.
///
/// A small file is put under its temporary name and copied within the store; a large one is a multipart upload to its final
/// name, which becomes visible when it is completed. Until then a note beside the temporary name has the upload's id, so
/// that whoever takes over after a crash completes it, or aborts it.
#[derive(Clone)]
pub struct BucketStore {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ObjectSettings,
    clients: OnceCell<Clients>,
    uploads: SyncMutex<HashMap<LakePath, Arc<Mutex<Upload>>>>,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BucketStore").field(&self.inner.settings).finish()
    }
}

impl BucketStore {
    /// A store as `settings` say; nothing is connected to yet.
    #[must_use]
    pub fn new(settings: ObjectSettings) -> Self {
        Self { inner: Arc::new(Inner { settings, clients: OnceCell::new(), uploads: SyncMutex::default() }) }
    }

    async fn client(&self) -> Result<&Arc<dyn Client>> {
        Ok(&self.clients().await?.store)
    }

    async fn clients(&self) -> Result<&Clients> {
        self.inner
            .clients
            .get_or_try_init(|| async {
                let settings = self.inner.settings.clone();
                let made = tokio::task::spawn_blocking(move || clients(&settings)).await;
                made.map_err(|error| Error::fatal(format!("the worker is shutting down: {error}")))?
            })
            .await
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<LakePath, Arc<Mutex<Upload>>>> {
        self.inner.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upload(&self, path: &LakePath) -> Option<Arc<Mutex<Upload>>> {
        self.uploads().get(path).cloned()
    }

    /// The name in the bucket.
    fn key(&self, path: &LakePath) -> Result<Path> {
        let prefix = &self.inner.settings.prefix;
        let name = if prefix.is_empty() { path.to_string() } else { format!("{prefix}/{path}") };
        Path::parse(&name).map_err(|error| Error::data(format!("{path} is no name for an object: {error}")))
    }

    fn explain(&self, doing: &str, path: &dyn fmt::Display, error: &StoreError) -> Error {
        let settings = &self.inner.settings;
        explain(settings.key, doing, &format!("{path} in the bucket {}", settings.bucket), error)
    }

    async fn put(&self, key: &Path, bytes: PutPayload) -> Result<()> {
        let put = self.client().await?.put(key, bytes).await;
        put.map(drop).map_err(|error| self.explain("write", key, &error))
    }

    /// The size of an object.
    async fn size(&self, key: &Path) -> Result<Option<u64>> {
        match self.client().await?.head(key).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain("look at", key, &error)),
        }
    }

    /// Deletes an object; stores do not tell whether there was one.
    async fn remove(&self, key: &Path) -> Result<()> {
        match self.client().await?.delete(key).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain("delete", key, &error)),
        }
    }

    async fn get(&self, key: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        let got = match self.client().await?.get(key).await {
            Ok(got) => got,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.explain("read", key, &error)),
        };
        if got.meta.size > limit {
            return Err(Error::fatal(format!(
                "{key} has {} bytes, and at most {limit} make sense",
                got.meta.size
            )));
        }
        let bytes = got.bytes().await.map_err(|error| self.explain("read", key, &error))?;
        Ok(Some(bytes.to_vec()))
    }

    fn note_key(&self, path: &LakePath) -> Result<Path> {
        self.key(&LakePath::new(&format!("{path}{NOTE}"))?)
    }

    async fn note(&self, key: &Path) -> Result<Option<UploadNote>> {
        let bytes = self.get(key, MAX_NOTE).await?;
        Ok(bytes.and_then(|bytes| UploadNote::parse(std::str::from_utf8(&bytes).ok()?)))
    }

    async fn write_note(&self, path: &LakePath, upload: &Upload, id: &str, whole: bool) -> Result<()> {
        let parts = upload.parts.iter().map(|part| part.content_id.clone()).collect();
        let note = UploadNote {
            key: upload.key.to_string(),
            id: id.to_owned(),
            whole: whole.then(|| (upload.length(), parts)),
        };
        self.put(&self.note_key(path)?, note.to_text().into()).await
    }

    /// Sends parts while there is enough for one; with `last`, what is left.
    async fn send(&self, path: &LakePath, upload: &mut Upload, last: bool) -> Result<()> {
        let part = self.inner.settings.part_bytes.max(1);
        while upload.waiting_bytes() >= part || (last && upload.waiting_bytes() > 0) {
            let client = self.client().await?;
            let id = match &upload.id {
                Some(id) => id.clone(),
                None => {
                    let begun = client.create_multipart(&upload.key).await;
                    let id = begun.map_err(|error| self.explain("begin to write", &upload.key, &error))?;
                    if let Err(error) = self.write_note(path, upload, &id, false).await {
                        // Without the note nobody would know of the upload.
                        let _ = client.abort_multipart(&upload.key, &id).await;
                        return Err(error);
                    }
                    upload.id.insert(id).clone()
                }
            };
            let bytes = upload.peek(part);
            let count = bytes.content_length();
            let sent = client.put_part(&upload.key, &id, upload.parts.len(), bytes).await;
            upload.parts.push(sent.map_err(|error| self.explain("write to", &upload.key, &error))?);
            upload.drop_front(count);
        }
        Ok(())
    }

    /// Makes an upload visible under `key`. Where it is no more, an earlier try may have done it, and may have brought the
    /// file to `target` as well.
    async fn complete(
        &self,
        key: &Path,
        target: &Path,
        id: &str,
        parts: Vec<PartId>,
        length: u64,
    ) -> Result<Renamed> {
        let Err(error) = self.client().await?.complete_multipart(key, &id.to_owned(), parts).await else {
            return Ok(Renamed::Done);
        };
        for name in [key, target] {
            if self.size(name).await? == Some(length) {
                return Ok(Renamed::AlreadyDone);
            }
        }
        match error {
            StoreError::NotFound { .. } => Ok(Renamed::SourceMissing),
            error if lacks_blocks(&error) => Ok(Renamed::SourceMissing),
            error => Err(self.explain("complete", key, &error)),
        }
    }

    async fn abort(&self, key: &Path, id: &str) -> Result<()> {
        match self.client().await?.abort_multipart(key, &id.to_owned()).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain("abort the upload of", key, &error)),
        }
    }

    /// Aborts the upload that a note tells of, and deletes the note.
    async fn forget(&self, note_key: &Path) -> Result<bool> {
        let Some(note) = self.note(note_key).await? else { return Ok(false) };
        let key = Path::parse(&note.key);
        self.abort(&key.map_err(|error| self.explain("abort", &note.key, &error.into()))?, &note.id).await?;
        self.remove(note_key).await?;
        Ok(true)
    }

    async fn copy(&self, from: &Path, to: &Path) -> Result<Renamed> {
        match self.client().await?.copy(from, to).await {
            Ok(()) => {
                self.remove(from).await?;
                Ok(Renamed::Done)
            }
            Err(StoreError::NotFound { .. }) => {
                Ok(if self.size(to).await?.is_some() { Renamed::AlreadyDone } else { Renamed::SourceMissing })
            }
            Err(error) => Err(self.explain("copy a finished file to", to, &error)),
        }
    }
}

#[async_trait]
impl LakeStore for BucketStore {
    fn log_form(&self) -> LogForm {
        LogForm::Objects
    }

    /// Lists something, which takes the bucket and the right to see it.
    async fn prepare(&self) -> Result<()> {
        let prefix = Path::parse(&self.inner.settings.prefix).unwrap_or_default();
        let mut objects = self.client().await?.list(Some(&prefix));
        let first = objects.try_next().await;
        first.map(drop).map_err(|error| self.explain("list", &"the objects", &error))
    }

    /// Everybody gets it: who may commit is decided by the log.
    async fn lease(&self, _path: &LakePath) -> Result<Option<Lease>> {
        Ok(Some(Lease::new(())))
    }

    async fn holder(&self, _path: &LakePath) -> String {
        String::new()
    }

    async fn create(&self, _lease: &Lease, path: &LakePath, becomes: Option<&LakePath>) -> Result<bool> {
        let key = self.key(becomes.unwrap_or(path))?;
        let mut uploads = self.uploads();
        if uploads.contains_key(path) {
            return Ok(false);
        }
        uploads.insert(path.clone(), Arc::new(Mutex::new(Upload::new(key))));
        Ok(true)
    }

    async fn create_object(&self, path: &LakePath, bytes: Chunk) -> Result<bool> {
        let key = self.key(path)?;
        let payload = PutPayload::from(bytes);
        match self.client().await?.put_opts(&key, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.explain("write", &key, &error)),
        }
    }

    async fn append(&self, _lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        let Some(upload) = self.upload(path) else {
            return Err(Error::fatal(format!("{path} is not being written; restart the task")));
        };
        let mut upload = upload.lock().await;
        upload.take(at, bytes)?;
        self.send(path, &mut upload, false).await
    }

    async fn sync(&self, _lease: &Lease, path: &LakePath) -> Result<bool> {
        // What is no upload of ours is an object, or a directory, of which there are none.
        let Some(upload) = self.upload(path) else { return Ok(true) };
        let mut upload = upload.lock().await;
        if upload.stored {
            return Ok(true);
        }
        if upload.id.is_none() {
            let bytes = upload.peek(upload.waiting_bytes());
            self.put(&self.key(path)?, bytes).await?;
        } else {
            self.send(path, &mut upload, true).await?;
            let id = upload.id.clone().unwrap_or_default();
            self.write_note(path, &upload, &id, true).await?;
        }
        let waiting = upload.waiting_bytes();
        upload.drop_front(waiting);
        upload.stored = true;
        Ok(true)
    }

    fn held_bytes(&self, path: &LakePath) -> usize {
        let Some(upload) = self.upload(path) else { return 0 };
        upload.try_lock().map_or(0, |upload| upload.waiting_bytes())
    }

    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>> {
        self.get(&self.key(path)?, limit).await
    }

    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>> {
        let key = self.key(path)?;
        let Some(length) = self.size(&key).await? else { return Ok(None) };
        let range = end.range(length);
        if range.is_empty() {
            return Ok(Some(Vec::new()));
        }
        match self.client().await?.get_range(&key, range).await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain("read", &key, &error)),
        }
    }

    async fn rename_if_absent(&self, _lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        let (source, target, note_key) = (self.key(from)?, self.key(to)?, self.note_key(from)?);
        let known = match self.upload(from) {
            Some(upload) => {
                let upload = upload.lock().await;
                let parts = upload.parts.iter().map(|part| part.content_id.clone()).collect();
                Some(upload.id.clone().map(|id| UploadNote {
                    key: upload.key.to_string(),
                    id,
                    whole: Some((upload.length(), parts)),
                }))
            }
            None => None,
        };
        let note = match known {
            Some(note) => note,
            None => self.note(&note_key).await?,
        };
        let renamed = match note {
            None => self.copy(&source, &target).await?,
            Some(UploadNote { whole: None, .. }) => Renamed::SourceMissing,
            Some(UploadNote { key, id, whole: Some((length, parts)) }) => {
                let key =
                    Path::parse(&key).map_err(|error| self.explain("complete", &target, &error.into()))?;
                let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
                let mut renamed = self.complete(&key, &target, &id, parts, length).await?;
                if key != target && renamed != Renamed::SourceMissing {
                    renamed = self.copy(&key, &target).await?;
                }
                self.remove(&note_key).await?;
                renamed
            }
        };
        self.uploads().remove(from);
        Ok(renamed)
    }

    async fn tag(&self, path: &LakePath, tags: &[(String, String)]) -> Result<()> {
        let key = self.key(path)?;
        match &self.clients().await?.tagger {
            Some(tagger) => tagger.tag(&self.inner.settings, &key, tags).await,
            None => Err(Error::fatal(format!("{path}: objects of this store get no tags"))),
        }
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        let key = self.key(path)?;
        let found: Result<Vec<_>, _> = self.client().await?.list(Some(&key)).try_collect().await;
        let prefix = &self.inner.settings.prefix;
        let found = found.map_err(|error| self.explain("list", path, &error))?;
        // Names that no path of ours can have are not ours.
        let paths = found
            .iter()
            .filter_map(|meta| LakePath::new(meta.location.as_ref().strip_prefix(prefix.as_str())?).ok());
        Ok(paths.collect())
    }

    async fn delete(&self, _lease: &Lease, path: &LakePath) -> Result<bool> {
        if let Some(upload) = self.upload(path) {
            let upload = upload.lock().await;
            // The id stays until the store has heard: a call that fails is repeated.
            if let Some(id) = upload.id.clone() {
                self.abort(&upload.key, &id).await?;
                self.remove(&self.note_key(path)?).await?;
            } else if upload.stored {
                self.remove(&self.key(path)?).await?;
            }
            self.uploads().remove(path);
            return Ok(true);
        }
        let key = self.key(path)?;
        if path.name().ends_with(NOTE) && self.forget(&key).await? {
            return Ok(true);
        }
        self.remove(&key).await?;
        Ok(true)
    }
}
