//! HDFS, by a client of its own: no Java, no libhdfs.

mod errors;
mod holder;
mod lease;
mod open_file;
mod patience;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hdfs_native::HdfsError;
use hdfs_native::client::{Client, ClientBuilder, WriteOptions};
use lavka_api::{Error, Result};
use tokio::sync::{Mutex, OnceCell};

use crate::{Chunk, End, LakePath, LakeStore, Lease, LogForm, Renamed};
use errors::{explain, is_missing, is_there};
use lease::Held;
use open_file::{OpenFile, read_range};
use patience::Patience;

/// An answer of the name node that takes longer than this does not come.
const SLOWEST_ANSWER: Duration = Duration::from_secs(30);
/// Times that a call goes from one name node to the next within the client. The sink repeats what fails by itself, so a
/// call need not hold up the task for minutes.
const FAILOVERS: &str = "4";
const DIRECTORY_PERMISSION: u32 = 0o755;

/// Where a cluster is, and who asks.
#[derive(Debug, Clone, Default)]
pub struct HdfsSettings {
    /// Scheme and authority: `hdfs://namenode:8020`, `hdfs://nameservice`, `viewfs://cluster`, or `hdfs://` for the cluster
    /// of `fs.defaultFS`.
    pub cluster: String,
    /// The directory that is the store's root, empty or with a slash at its beginning.
    pub root: String,
    /// The configuration key that says so, for error texts.
    pub key: &'static str,
    /// The directory of `core-site.xml` and `hdfs-site.xml`, where not that of `HADOOP_CONF_DIR`.
    pub conf_dir: Option<String>,
    /// Who asks, where the cluster wants to know for sure.
    pub kerberos: Option<Kerberos>,
}

/// Kerberos for HDFS. It takes the system's `libgssapi_krb5`, which is loaded when a cluster asks for it.
#[derive(Debug, Clone, Default)]
pub struct Kerberos {
    /// Whom the worker acts for; with a keytab it has to be given, without one the ticket cache tells.
    pub principal: Option<String>,
    /// The file with the principal's keys; without one the ticket cache (`KRB5CCNAME`) counts.
    pub keytab: Option<String>,
    /// The name node's principal (`dfs.namenode.kerberos.principal`), where `hdfs-site.xml` does not have it.
    pub namenode_principal: Option<String>,
}

/// Files below a directory of HDFS.
///
/// The lease of a partition is HDFS's own on the log of commits, which is kept open: an append by anybody else is refused
/// until a minute after the holder fell silent, and from the moment that somebody has it the former holder's appends fail.
#[derive(Clone)]
pub struct HdfsStore {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HdfsSettings,
    client: OnceCell<Client>,
    open: SyncMutex<HashMap<LakePath, Arc<Mutex<Option<OpenFile>>>>>,
    /// What logs had in them when they were opened, until more is appended.
    logs: SyncMutex<HashMap<LakePath, Vec<u8>>>,
    patience: Arc<Patience>,
}

impl fmt::Debug for HdfsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HdfsStore").field(&self.inner.settings).finish()
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, HashMap<LakePath, Arc<Mutex<Option<OpenFile>>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn logs(&self) -> MutexGuard<'_, HashMap<LakePath, Vec<u8>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HdfsStore {
    /// A store as `settings` say; nothing is connected to yet.
    #[must_use]
    pub fn new(settings: HdfsSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                client: OnceCell::new(),
                open: SyncMutex::default(),
                logs: SyncMutex::default(),
                patience: Arc::default(),
            }),
        }
    }

    /// The path as the cluster knows it.
    fn absolute(&self, path: &LakePath) -> String {
        format!("{}/{path}", self.inner.settings.root)
    }

    /// The client, which is made within the runtime that it is used in.
    async fn client(&self) -> Result<&Client> {
        self.inner.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client> {
        let settings = self.inner.settings.clone();
        let key = settings.key;
        let cluster = settings.cluster.clone();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut overrides = vec![("dfs.client.failover.max.attempts", FAILOVERS.to_owned())];
            let mut builder = ClientBuilder::new().with_io_runtime(runtime);
            if settings.cluster != "hdfs://" {
                builder = builder.with_url(settings.cluster.as_str());
            }
            if let Some(conf_dir) = settings.conf_dir {
                builder = builder.with_config_dir(conf_dir);
            }
            if let Some(kerberos) = settings.kerberos {
                overrides.push(("hadoop.security.authentication", "kerberos".to_owned()));
                if let Some(principal) = kerberos.namenode_principal {
                    overrides.push(("dfs.namenode.kerberos.principal", principal));
                }
                if let Some(principal) = kerberos.principal {
                    builder = builder.with_kerberos_principal(principal);
                }
                if let Some(keytab) = kerberos.keytab {
                    check_keytab(&keytab)?;
                    builder = builder.with_kerberos_keytab(keytab);
                }
            }
            let made = builder.with_config(overrides).build();
            made.map_err(|error| explain(key, "set up the client of", &settings.cluster, &error))
        })
        .await
        .map_err(|error| Error::fatal(format!("{key}: the client of {cluster} cannot be set up: {error}")))?
    }

    fn explain(&self, doing: &str, path: &LakePath, error: &HdfsError) -> Error {
        explain(self.inner.settings.key, doing, &self.absolute(path), error)
    }

    /// Whether there is a file or directory of that name.
    async fn exists(&self, path: &LakePath) -> Result<bool> {
        Ok(self.length(path).await?.is_some())
    }

    /// Bytes of a file; `None` if there is none.
    async fn length(&self, path: &LakePath) -> Result<Option<u64>> {
        let client = self.client().await?;
        match answer(client.get_file_info(&self.absolute(path))).await {
            Ok(status) => Ok(Some(u64::try_from(status.length).unwrap_or(u64::MAX))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.explain("look at", path, &error)),
        }
    }

    /// `count` bytes of a file from `at` on; `None` if there is none.
    async fn range(&self, path: &LakePath, at: u64, count: usize) -> Result<Option<Vec<u8>>> {
        match read_range(self.client().await?, &self.absolute(path), at, count).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.explain("read", path, &error)),
        }
    }

    fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.inner.patience)
    }

    fn opened(&self, path: &LakePath) -> Option<Arc<Mutex<Option<OpenFile>>>> {
        self.inner.open().get(path).cloned()
    }
}

/// A file that will never be whole takes the lease with it: who holds that begins anew behind the last commit.
fn give_up_lost(lease: &Lease, file: &OpenFile) {
    if file.is_lost() {
        lease.guard_is(Held::give_up);
    }
}

/// The library would only say that there are no tickets.
fn check_keytab(keytab: &str) -> Result<()> {
    let path = keytab.strip_prefix("FILE:").unwrap_or(keytab);
    match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::fatal(format!(
            "connect.hdfs.keytab: cannot read {path}: {error}; put the file there, readable for the worker's user"
        ))),
    }
}

/// What the name node answers, which may be gone without a word.
async fn answer<T>(call: impl Future<Output = Result<T, HdfsError>>) -> Result<T, HdfsError> {
    match tokio::time::timeout(SLOWEST_ANSWER, call).await {
        Ok(answer) => answer,
        Err(_) => Err(HdfsError::IOError(std::io::ErrorKind::TimedOut.into())),
    }
}

#[async_trait]
impl LakeStore for HdfsStore {
    fn log_form(&self) -> LogForm {
        let settings = &self.inner.settings;
        LogForm::Hadoop { root: format!("{}{}", settings.cluster, settings.root) }
    }

    /// Creates the root directory.
    async fn prepare(&self) -> Result<()> {
        let client = self.client().await?;
        let settings = &self.inner.settings;
        let root = if settings.root.is_empty() { "/" } else { &settings.root };
        let there = answer(client.get_file_info(root)).await;
        match there {
            Ok(status) if status.isdir => Ok(()),
            Ok(_) => {
                Err(Error::fatal(format!("{}: {root} is a file; the lake needs a directory", settings.key)))
            }
            Err(error) if is_missing(&error) => {
                let made = answer(client.mkdirs(root, DIRECTORY_PERMISSION, true)).await;
                made.map_err(|error| explain(settings.key, "create", root, &error))
            }
            Err(error) => Err(explain(settings.key, "look at", root, &error)),
        }
    }

    async fn lease(&self, path: &LakePath) -> Result<Option<Lease>> {
        Ok(Held::take(self, path).await?.map(Lease::new))
    }

    async fn release(&self, lease: Lease) {
        if let Some(held) = lease.into_guard::<Held>() {
            held.close().await;
        }
    }

    fn is_sound(&self, lease: &Lease) -> bool {
        lease.guard_is(|held: &Held| held.is_sound())
    }

    async fn holder(&self, path: &LakePath) -> String {
        let note = lease::read_note(self, path).await.unwrap_or_default();
        note.lines().next().unwrap_or_default().to_owned()
    }

    async fn create(&self, lease: &Lease, path: &LakePath, _becomes: Option<&LakePath>) -> Result<bool> {
        let _lease = lease.clone();
        if self.opened(path).is_some() {
            return Ok(false);
        }
        let client = self.client().await?;
        let absolute = self.absolute(path);
        match answer(client.create(&absolute, WriteOptions::default())).await {
            Ok(writer) => {
                let file = OpenFile::new(absolute, self.inner.settings.key, writer, 0, self.patience());
                self.inner.open().insert(path.clone(), Arc::new(Mutex::new(Some(file))));
                Ok(true)
            }
            Err(error) if is_there(&error) => Ok(false),
            Err(error) => Err(self.explain("create", path, &error)),
        }
    }

    async fn append(&self, lease: &Lease, path: &LakePath, at: u64, bytes: Chunk) -> Result<()> {
        let _lease = lease.clone();
        let client = self.client().await?;
        let file = match self.opened(path) {
            Some(file) => file,
            // The creation was heard of by the name node alone.
            None => {
                let file = OpenFile::unknown(self.absolute(path), self.inner.settings.key, self.patience());
                let file = Arc::new(Mutex::new(Some(file)));
                Arc::clone(self.inner.open().entry(path.clone()).or_insert(file))
            }
        };
        self.inner.logs().remove(path);
        let mut file = file.lock().await;
        let Some(file) = file.as_mut() else {
            return Err(Error::fatal(format!("{path} was closed while it was written; restart the task")));
        };
        let outcome = file.append(client, at, bytes).await;
        give_up_lost(lease, file);
        outcome
    }

    async fn sync(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        let _lease = lease.clone();
        let client = self.client().await?;
        // Names are as durable as the name node's journal, which it has written before it answers.
        let Some(file) = self.opened(path) else { return self.exists(path).await };
        let mut slot = file.lock().await;
        let Some(file) = slot.as_mut() else { return self.exists(path).await };
        if lease.guard_is(|held: &Held| held.is_log(path)) {
            file.hsync().await?;
            return Ok(true);
        }
        let outcome = file.finish(client).await;
        give_up_lost(lease, file);
        outcome?;
        *slot = None;
        drop(slot);
        self.inner.open().remove(path);
        Ok(true)
    }

    async fn read(&self, path: &LakePath, limit: u64) -> Result<Option<Vec<u8>>> {
        let log = self.inner.logs().get(path).cloned();
        if let Some(log) = log {
            return Ok(Some(log));
        }
        let Some(length) = self.length(path).await? else { return Ok(None) };
        if length > limit {
            return Err(Error::fatal(format!(
                "{} has {length} bytes, and at most {limit} make sense",
                self.absolute(path)
            )));
        }
        self.range(path, 0, usize::try_from(length).unwrap_or(usize::MAX)).await
    }

    async fn read_end(&self, path: &LakePath, end: End) -> Result<Option<Vec<u8>>> {
        let Some(length) = self.length(path).await? else { return Ok(None) };
        let range = end.range(length);
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        self.range(path, range.start, count).await
    }

    async fn rename_if_absent(&self, lease: &Lease, from: &LakePath, to: &LakePath) -> Result<Renamed> {
        let _lease = lease.clone();
        let client = self.client().await?;
        let (source, target) = (self.absolute(from), self.absolute(to));
        let mut outcome = answer(client.rename(&source, &target, false)).await;
        if outcome.as_ref().is_err_and(is_missing) && self.exists(from).await? {
            // What is missing is the directory.
            if let Some((directory, _)) = target.rsplit_once('/') {
                let made = answer(client.mkdirs(directory, DIRECTORY_PERMISSION, true)).await;
                made.map_err(|error| self.explain("create the directory of", to, &error))?;
            }
            outcome = answer(client.rename(&source, &target, false)).await;
        }
        match outcome {
            Ok(()) => Ok(Renamed::Done),
            Err(error) if is_missing(&error) && !self.exists(from).await? => {
                Ok(if self.exists(to).await? { Renamed::AlreadyDone } else { Renamed::SourceMissing })
            }
            Err(error) if is_there(&error) => {
                Ok(if self.exists(from).await? { Renamed::TargetExists } else { Renamed::AlreadyDone })
            }
            Err(error) => Err(self.explain("rename a finished file to", to, &error)),
        }
    }

    async fn list(&self, path: &LakePath) -> Result<Vec<LakePath>> {
        let client = self.client().await?;
        let statuses = match answer(client.list_status(&self.absolute(path), true)).await {
            Ok(statuses) => statuses,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(self.explain("list", path, &error)),
        };
        let root = &self.inner.settings.root;
        let files = statuses.into_iter().filter(|status| !status.isdir);
        // Names that no path of ours can have are not ours.
        Ok(files.filter_map(|status| LakePath::new(status.path.strip_prefix(root.as_str())?).ok()).collect())
    }

    async fn delete(&self, lease: &Lease, path: &LakePath) -> Result<bool> {
        let _lease = lease.clone();
        let client = self.client().await?;
        self.inner.open().remove(path);
        match answer(client.delete(&self.absolute(path), false)).await {
            Ok(was_there) => Ok(was_there),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(self.explain("delete", path, &error)),
        }
    }
}
