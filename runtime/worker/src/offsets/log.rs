//! Offsets topics, each read by one task of the worker for everybody who asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::Topic;
use lavka_api::{Error, Result};
use lavka_converters::json::offsets::KeyRefusal;
use lavka_ports::{Admin, Cluster, LogReader, NewTopic, TopicCreated};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::table::Table;

/// Who may wait for a read at a time; more wait for a place.
const ASKS: usize = 64;

/// How long a topic that was created may take to be seen.
const CREATION: Duration = Duration::from_secs(10);
const CREATION_PAUSE: Duration = Duration::from_millis(50);

/// One offsets topic, as far as it was read.
pub(crate) struct OffsetLog {
    table: Arc<Mutex<Table>>,
    asks: mpsc::Sender<oneshot::Sender<Result<()>>>,
    serving: AbortHandle,
}

impl OffsetLog {
    fn start(reader: Box<dyn LogReader>, admin: Arc<dyn Admin>, wanted: NewTopic, key: &'static str) -> Self {
        let table = Arc::<Mutex<Table>>::default();
        let (asks, queue) = mpsc::channel(ASKS);
        let serving = Serving { reader, admin, wanted, key, ready: false, table: Arc::clone(&table) };
        Self { table, asks, serving: tokio::spawn(serving.run(queue)).abort_handle() }
    }

    /// Reads what has been committed until now.
    ///
    /// # Errors
    /// Retriable where the topic cannot be read now; else with what is wrong with it.
    pub(super) async fn refresh(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(reply).await.is_ok();
        let answer = if asked { answer.await.ok() } else { None };
        answer.unwrap_or_else(|| Err(Error::retriable("The reader of the offsets topic is gone")))
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        locked(&self.table)
    }
}

impl Drop for OffsetLog {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Serving {
    reader: Box<dyn LogReader>,
    admin: Arc<dyn Admin>,
    wanted: NewTopic,
    /// The key that names the topic, for error texts.
    key: &'static str,
    ready: bool,
    table: Arc<Mutex<Table>>,
}

impl Serving {
    async fn run(mut self, mut queue: mpsc::Receiver<oneshot::Sender<Result<()>>>) {
        let mut waiting = Vec::new();
        // One read is for all who asked before it began.
        while queue.recv_many(&mut waiting, ASKS).await > 0 {
            let outcome = self.read().await;
            for reply in waiting.drain(..) {
                let _ = reply.send(outcome.clone());
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        if !self.ready {
            make_ready(&*self.admin, &self.wanted, self.key).await?;
            self.ready = true;
        }
        let (table, topic) = (&self.table, &self.wanted.name);
        let mut put = |record: lavka_ports::LogRecord<'_>| {
            let Some(key) = record.key else { return };
            match locked(table).put_record(key, record.value) {
                Ok(()) | Err(KeyRefusal::NullPartition) => {}
                Err(refusal) => tracing::warn!("{topic}: {refusal}"),
            }
        };
        self.reader.read_to_end(&mut put).await
    }
}

/// Creates the topic if it is missing, and makes sure that it keeps offsets for good.
async fn make_ready(admin: &dyn Admin, wanted: &NewTopic, key: &str) -> Result<()> {
    let NewTopic { name, .. } = wanted;
    if admin.topic(name).await?.is_none() {
        match admin.create_topic(wanted).await {
            Ok(TopicCreated::Created) => tracing::info!("created the offsets topic {name}"),
            Ok(TopicCreated::Existed) => {}
            Err(error) if error.is_retriable() => return Err(error),
            Err(error) => {
                return Err(Error::config(format!(
                        "The offsets topic {name} ({key}) does not exist and cannot be created; create it, with cleanup.policy=compact, \
                         or set offset.storage.replication.factor and offset.storage.partitions to what the cluster allows"
                    ))
                    .caused_by(error));
            }
        }
        let seen = async {
            while !matches!(admin.topic(name).await, Ok(Some(_))) {
                tokio::time::sleep(CREATION_PAUSE).await;
            }
        };
        return tokio::time::timeout(CREATION, seen)
            .await
            .map_err(|_| Error::retriable(format!("The offsets topic {name} is not there yet")));
    }
    match admin.topic_setting(name, POLICY).await {
        Ok(Some(policy)) if policy != COMPACT => Err(Error::config(format!(
            "Topic '{name}' supplied via the '{key}' property is required to have '{POLICY}={COMPACT}' to guarantee \
             consistency and durability of source connector offsets, but found the topic currently has \
             '{POLICY}={policy}'. Change the topic's '{POLICY}', or name another topic"
        ))),
        Err(error) if error.is_retriable() => Err(error),
        Err(error) => {
            tracing::debug!("the settings of the offsets topic {name} cannot be looked at: {error}");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

const POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

/// The logs that are in use, so that tasks of one topic share one.
#[derive(Default)]
pub(crate) struct OffsetLogs(Mutex<Vec<Open>>);

struct Open {
    topic: String,
    clients: (Config, Config),
    log: Weak<OffsetLog>,
}

impl OffsetLogs {
    /// The log of a topic, which `consumer` reads and `admin` creates as `wanted`. `key` names the topic in the
    /// configuration.
    pub(super) fn open(
        &self,
        cluster: &dyn Cluster,
        (consumer, admin): (Config, Config),
        wanted: NewTopic,
        key: &'static str,
    ) -> Result<Arc<OffsetLog>> {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|open| open.log.strong_count() > 0);
        let same =
            |open: &&Open| open.topic == wanted.name && open.clients.0 == consumer && open.clients.1 == admin;
        if let Some(log) = logs.iter().find(same).and_then(|open| open.log.upgrade()) {
            return Ok(log);
        }
        let topic = wanted.name.clone();
        let reader = cluster.log_reader(&consumer, &topic)?;
        let log = Arc::new(OffsetLog::start(reader, cluster.admin(&admin)?, wanted, key));
        logs.push(Open { topic, clients: (consumer, admin), log: Arc::downgrade(&log) });
        Ok(log)
    }
}

/// A topic to create for offsets.
pub(super) fn compacted(
    name: &Topic,
    partitions: i32,
    replication: i16,
    settings: Vec<(String, String)>,
) -> NewTopic {
    let mut configs = vec![(POLICY.to_owned(), COMPACT.to_owned())];
    for (key, value) in settings {
        if key == POLICY {
            tracing::warn!("offset.storage.{POLICY} is ignored: the topic is always compacted");
        } else {
            configs.push((key, value));
        }
    }
    NewTopic {
        name: name.to_string(),
        partitions: Some(partitions).filter(|n| *n > 0),
        replication_factor: Some(replication).filter(|n| *n > 0),
        configs,
    }
}
