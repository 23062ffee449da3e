//! Object stores: S3 and what speaks its protocol, Google Cloud Storage, Azure.

mod client;
mod completion;
mod errors;
mod role;
mod s3;
mod settings;
mod upload;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use lavka_api::{Error, Result};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::sync::{Mutex, OnceCell};

use crate::{Chunk, End, LakePath, LakeStore, Lease, LogForm, Renamed};
use client::{Client, Clients, clients};
use errors::{explain, is_gone};
pub use settings::{
    Account, AssumedRole, AzureSettings, GoogleSettings, ObjectSettings, Provider, S3Settings,
};
use upload::{Upload, UploadNote};

/// Behind the name of a temporary file: the note of its upload.
const NOTE: &str = ".upload";
const MAX_NOTE: u64 = 16 * 1024 * 1024;
/// What S3 and Google Cloud Storage allow for a name; Azure counts characters.
const MAX_KEY: usize = 1024;

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

/// What a lease holds.
struct Hold {
    /// An upload under it is gone, so that what is open cannot be committed.
    lost: AtomicBool,
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

    /// What the store says of an object.
    async fn look(&self, key: &Path) -> Result<Option<ObjectMeta>> {
        match self.client().await?.head(key).await {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain("look at", key, &error)),
        }
    }

    /// The size of an object.
    async fn size(&self, key: &Path) -> Result<Option<u64>> {
        Ok(self.look(key).await?.map(|meta| meta.size))
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

    /// The note of an upload; `None` also for what is none.
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
    async fn send(&self, lease: &Lease, path: &LakePath, upload: &mut Upload, last: bool) -> Result<()> {
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
            upload.parts.push(sent.map_err(|error| self.unsent(lease, &upload.key, &error))?);
            upload.drop_front(count);
        }
        Ok(())
    }

    /// What to tell of a part that was not taken.
    fn unsent(&self, lease: &Lease, key: &Path, error: &StoreError) -> Error {
        if !is_gone(error) {
            return self.explain("write to", key, error);
        }
        lease.guard_is(|hold: &Hold| !hold.lost.swap(true, Ordering::Relaxed));
        Error::retriable(format!(
            "the upload of {key} in the bucket {} is gone. Another writer has taken the partition over and cleared it away; \
             or a rule of the bucket's aborts uploads that are under way for less time than files stay open: have it wait \
             longer, or files finished sooner (rotate.schedule.interval.ms, lavka.rotate.idle.ms). Their records are read \
             again",
            self.inner.settings.bucket
        ))
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

    fn check_name(&self, path: &LakePath) -> Result<()> {
        let key = self.key(path)?;
        if key.as_ref().len() > MAX_KEY {
            let shown: String = key.as_ref().chars().take(64).collect();
            return Err(Error::data(format!(
                "the name \"{shown}...\" is longer than the {MAX_KEY} bytes that object stores allow"
            )));
        }
        Ok(())
    }

    /// Everybody gets it: who may commit is decided by the log.
    async fn lease(&self, _path: &LakePath) -> Result<Option<Lease>> {
        Ok(Some(Lease::new(Hold { lost: AtomicBool::new(false) })))
    }

    fn is_sound(&self, lease: &Lease) -> bool {
        lease.guard_is(|hold: &Hold| !hold.lost.load(Ordering::Relaxed))
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

    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        let Some(upload) = self.upload(path) else {
            return Err(Error::fatal(format!("{path} is not being written; restart the task")));
        };
        let mut upload = upload.lock().await;
        upload.take(at, bytes)?;
        self.send(lease, path, &mut upload, false).await
    }

    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
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
            self.send(lease, path, &mut upload, true).await?;
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
        let (source, target) = (self.key(from)?, self.key(to)?);
        let renamed = self.finish(from, &source, &target).await?;
        if !matches!(renamed, Renamed::Lost(_)) {
            self.uploads().remove(from);
        }
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
        let prefix = self.inner.settings.prefix.as_str();
        let mut objects = self.client().await?.list(Some(&key));
        let mut paths = Vec::new();
        // There may be millions: what else the store says of them is not kept.
        while let Some(meta) = objects.try_next().await.map_err(|error| self.explain("list", path, &error))? {
            // Names that no path of ours can have are not ours.
            let name = meta.location.as_ref().strip_prefix(prefix);
            paths.extend(name.and_then(|name| LakePath::new(name).ok()));
        }
        Ok(paths)
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
