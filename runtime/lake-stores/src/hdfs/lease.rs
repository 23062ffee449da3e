//! The lease on a log, which is HDFS's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hdfs_native::HdfsError;
use hdfs_native::client::WriteOptions;
use lavka_api::Result;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::errors::{is_held, is_held_by_itself, is_missing};
use super::holder::{Hold, is_dead};
use super::open_file::{OpenFile, read_range, recover};
use super::{HdfsStore, answer};
use crate::LakePath;

/// A note about the holder of a lease is a few short lines.
const MAX_NOTE: usize = 1024;

/// A log longer than this is not one.
const MAX_LOG: usize = 256 * 1024 * 1024;
/// Times that a log is read anew because somebody wrote to it before it could be opened.
const TAKES: usize = 3;

/// What became of a try to open a log.
enum Taken {
    Held(Held),
    /// Somebody else has it open.
    Elsewhere,
    /// Somebody else has written to it and closed it meanwhile.
    Changed,
}

/// An open log.
pub(super) struct Held {
    store: HdfsStore,
    path: LakePath,
    file: Arc<Mutex<Option<OpenFile>>>,
    runtime: Handle,
    /// Whether a file that the next commit needs is lost.
    given_up: AtomicBool,
    /// Notes of leases that are not in here are of dead ones.
    hold: Option<Hold>,
}

impl Held {
    /// Opens the log for appending, or creates it; `None` while somebody else has it open.
    pub(super) async fn take(store: &HdfsStore, path: &LakePath) -> Result<Option<Self>> {
        if store.opened(path).is_some() {
            return Ok(None);
        }
        for _ in 0..TAKES {
            match Self::try_to_take(store, path).await? {
                Taken::Held(held) => return Ok(Some(held)),
                Taken::Elsewhere => return Ok(None),
                Taken::Changed => {}
            }
        }
        Ok(None)
    }

    async fn try_to_take(store: &HdfsStore, path: &LakePath) -> Result<Taken> {
        let client = store.client().await?;
        let absolute = store.absolute(path);
        // Data nodes tell of a block that is open only what its writer knows anyway, so the log is read before it is opened.
        let content = match answer(read_range(client, &absolute, 0, MAX_LOG)).await {
            Ok(content) => content,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(store.explain("read", path, &error)),
        };
        let mut outcome = answer(client.append(&absolute)).await;
        if outcome.as_ref().is_err_and(is_held)
            && (outcome.as_ref().is_err_and(is_held_by_itself)
                || read_note(store, path).await.is_some_and(|note| is_dead(&note)))
        {
            tracing::info!("{absolute}: the writer that had it open is dead; its lease is taken over");
            match recover(client, &absolute).await {
                Ok(()) => outcome = answer(client.append(&absolute)).await,
                Err(error) if is_held(&error) => {}
                Err(error) => return Err(store.explain("take over", path, &error)),
            }
        }
        if outcome.as_ref().is_err_and(is_missing) {
            outcome = answer(client.create(&absolute, WriteOptions::default())).await;
        }
        let writer = match outcome {
            Ok(writer) => writer,
            Err(error) if is_held(&error) => return Ok(Taken::Elsewhere),
            Err(error) => return Err(store.explain("open", path, &error)),
        };
        // Nobody else writes it from here on, so its length is what the name node says.
        let status = answer(client.get_file_info(&absolute)).await;
        let status = status.map_err(|error| store.explain("look at", path, &error))?;
        let length = u64::try_from(status.length).unwrap_or(u64::MAX);
        let file =
            OpenFile::new(absolute, store.inner.settings.key, writer, length, store.patience()).into_log();
        if u64::try_from(content.len()) != Ok(length) {
            // Somebody has written to it since it was read, or did not get round to closing it.
            Box::pin(file.close()).await;
            return Ok(Taken::Changed);
        }
        let file = Arc::new(Mutex::new(Some(file)));
        store.inner.open().insert(path.clone(), Arc::clone(&file));
        store.inner.logs().insert(path.clone(), content);
        let hold = Hold::begin();
        let note = hold.note();
        let held = Self {
            store: store.clone(),
            path: path.clone(),
            file,
            runtime: Handle::current(),
            given_up: AtomicBool::new(false),
            hold: Some(hold),
        };
        // The note is for a faster start after a crash, and for people; a lease without it is as good.
        if let Err(error) = Box::pin(write_note(store, path, note)).await {
            tracing::debug!("{error}");
        }
        Ok(Taken::Held(held))
    }

    pub(super) fn is_log(&self, path: &LakePath) -> bool {
        self.path == *path
    }

    /// Nothing can be committed any more.
    pub(super) fn give_up(&self) -> bool {
        self.given_up.store(true, Ordering::Relaxed);
        true
    }

    /// Whether the log can still be appended to, with what is open. While an append is under way it can.
    pub(super) fn is_sound(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed)
            && self.file.try_lock().map_or(true, |file| file.as_ref().is_some_and(OpenFile::is_sound))
    }

    /// Closes the log, so that the next writer has it at once.
    pub(super) async fn close(mut self) {
        Box::pin(close(&self.store, &self.path, &self.file)).await;
        self.hold = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closed on purpose.
        let Some(hold) = self.hold.take() else { return };
        let (store, path, file) = (self.store.clone(), self.path.clone(), Arc::clone(&self.file));
        self.runtime.spawn(async move {
            Box::pin(close(&store, &path, &file)).await;
            drop(hold);
        });
    }
}

async fn close(store: &HdfsStore, path: &LakePath, file: &Mutex<Option<OpenFile>>) {
    if let Some(file) = file.lock().await.take() {
        Box::pin(file.close()).await;
    }
    store.inner.open().remove(path);
    store.inner.logs().remove(path);
}

fn note_path(path: &LakePath) -> Result<LakePath> {
    LakePath::new(&format!("{path}.holder"))
}

async fn write_note(store: &HdfsStore, path: &LakePath, note: String) -> Result<()> {
    let path = note_path(path)?;
    let client = store.client().await?;
    let absolute = store.absolute(&path);
    let written = async {
        // Overwriting is for files that are there.
        client.delete(&absolute, false).await?;
        let mut writer = client.create(&absolute, WriteOptions::default()).await?;
        Box::pin(writer.write_bytes(note.into())).await?;
        Box::pin(writer.close()).await
    };
    answer(written).await.map_err(|error: HdfsError| store.explain("write", &path, &error))
}

/// The note beside the log `path`.
pub(super) async fn read_note(store: &HdfsStore, path: &LakePath) -> Option<String> {
    let path = note_path(path).ok()?;
    let client = store.client().await.ok()?;
    let bytes = answer(read_range(client, &store.absolute(&path), 0, MAX_NOTE)).await.ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
