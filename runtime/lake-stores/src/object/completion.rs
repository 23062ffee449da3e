//! Giving a finished file its name: completing its upload, or copying it within the store.
//!
//! What is found tells what has happened:
//!
//! | note | upload | file | |
//! | --- | --- | --- | --- |
//! | there | there | | to be completed |
//! | there | gone | there, of the length in the note | completed before; only the note was left |
//! | gone | gone | there or not | done by another writer, and perhaps moved away since |
//! | there | gone | gone | the store has cleared the upload away and the file is lost; or a writer died between completing it and deleting the note, and somebody has moved the file away since. Nothing tells these apart |
//!
//! A small file has no note. It lies under its temporary name until it was copied.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lavka_api::{Error, Result};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _};

use super::BucketStore;
use super::client::MAX_BACKOFF;
use super::errors::is_gone;
use super::upload::UploadNote;
use crate::{LakePath, Lost, Renamed};

impl BucketStore {
    /// Makes the file that was written as `from` visible as `target`; `source` is the object of its temporary name.
    pub(super) async fn finish(&self, from: &LakePath, source: &Path, target: &Path) -> Result<Renamed> {
        let note_key = self.note_key(from)?;
        let upload = self.upload(from);
        let (note, is_complete) = match &upload {
            Some(upload) => {
                let upload = upload.lock().await;
                (upload.note(), upload.completed)
            }
            None => (self.readable_note(&note_key, target).await?, false),
        };
        let Some(note) = note else { return self.copy(source, target).await };
        let key = Path::parse(&note.key).map_err(|error| self.explain("complete", target, &error.into()))?;
        let mut renamed = match is_complete {
            true => Renamed::Done,
            false => self.complete(&key, target, &note_key, note).await?,
        };
        if let Renamed::Lost(_) | Renamed::SourceMissing = renamed {
            return Ok(renamed);
        }
        if let Some(upload) = upload {
            // Where one of the next steps fails, they alone are tried again.
            upload.lock().await.completed = true;
        }
        if key != *target {
            renamed = self.copy(&key, target).await?;
        }
        self.remove(&note_key).await?;
        Ok(renamed)
    }

    /// The note of an upload; an error, where something is there that is none.
    async fn readable_note(&self, key: &Path, target: &Path) -> Result<Option<UploadNote>> {
        let note = self.note(key).await?;
        if note.is_none() && self.look(key).await?.is_some() {
            return Err(Error::fatal(format!(
                "{key} is no note of this sink, which needs it to finish {target}: something else has changed it. Restore \
                 it; or, if {target} was finished and moved away, delete it"
            )));
        }
        Ok(note)
    }

    /// Makes an upload visible under `key`. Where it is no more, an earlier try may have done it, and may have brought the
    /// file to `target` as well.
    async fn complete(
        &self,
        key: &Path,
        target: &Path,
        note_key: &Path,
        note: UploadNote,
    ) -> Result<Renamed> {
        // Commits come behind the notes of whole files.
        let Some((length, parts)) = note.whole else {
            return Ok(self.look(note_key).await?.map_or(Renamed::SourceMissing, |note| lost(key, &note)));
        };
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let Err(error) = self.client().await?.complete_multipart(key, &note.id, parts).await else {
            return Ok(Renamed::Done);
        };
        let mut wait = self.inner.settings.retry_backoff;
        for tries in 0..=self.inner.settings.retries {
            if tries > 0 {
                // The same writer's former try or another one may be under way in the store.
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(MAX_BACKOFF);
            }
            for name in [key, target] {
                if self.size(name).await? == Some(length) {
                    return Ok(Renamed::AlreadyDone);
                }
            }
            if !is_gone(&error) {
                return Err(self.explain("complete", key, &error));
            }
            match self.look(note_key).await? {
                None => return Ok(Renamed::SourceMissing),
                Some(note) if tries == self.inner.settings.retries => return Ok(lost(key, &note)),
                Some(_) => {}
            }
        }
        Ok(Renamed::SourceMissing)
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

fn lost(key: &Path, note: &ObjectMeta) -> Renamed {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let since = u64::try_from(note.last_modified.timestamp()).ok().map(Duration::from_secs);
    let age = now.zip(since).and_then(|(now, since)| now.checked_sub(since));
    Renamed::Lost(Lost { object: key.to_string(), note: note.location.to_string(), age })
}
