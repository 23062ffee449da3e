//! The offsets of one connector in a topic, with the worker's file behind it.
//!
//! As in Connect there are two levels: what the topic has counts, and what it does not have is looked up in the store of
//! the worker, here the offset file. So a worker goes on where it was when exactly-once support is switched on, and, since
//! committed offsets are copied to the file from time to time, nearly so when it is switched off again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{OffsetMap, Topic};
use lavka_api::plugin::OffsetReader;
use lavka_api::{Error, Result};
use lavka_engine::source::{OffsetRecord, OffsetStore, OffsetTopic};
use lavka_ports::{Ack, OutgoingRecord, SendError, TransactionalProducer};
use tokio::task::AbortHandle;

use super::file::FileOffsetStore;
use super::log::OffsetLog;
use super::table::{key_of, value_of};

/// How long one attempt at a call of the producer may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Offsets of one connector.
#[derive(Clone)]
pub(crate) struct TopicOffsets {
    pub(super) connector: String,
    pub(super) topic: Topic,
    pub(super) log: Arc<OffsetLog>,
    pub(super) file: Arc<FileOffsetStore>,
}

impl TopicOffsets {
    /// Every partition with an offset, of the topic and, where that has none, of the file.
    pub(super) async fn read_all(&self) -> Result<Vec<(OffsetMap, OffsetMap)>> {
        self.log.refresh().await?;
        let mut found = self.log.table().partitions(&self.connector)?;
        for (partition, offset) in self.file.read_all(&self.connector).await? {
            if !found.iter().any(|(known, _)| *known == partition) {
                found.push((partition, Some(offset)));
            }
        }
        Ok(found.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect())
    }

    fn record(
        &self,
        partition: &OffsetMap,
        offset: Option<&OffsetMap>,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
        Ok((self.log.table().key(&self.connector, partition)?, value_of(offset)?))
    }

    /// Writes what a user wants, all of it or nothing. `producer` is used for nothing else.
    ///
    /// # Errors
    /// Retriable where the cluster does not answer in time.
    pub(super) async fn write(
        &self,
        producer: &dyn TransactionalProducer,
        changes: &[(OffsetMap, Option<OffsetMap>)],
    ) -> Result<()> {
        self.log.refresh().await?;
        let records = changes
            .iter()
            .map(|(partition, offset)| self.record(partition, offset.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        // What is to be forgotten is forgotten behind the topic first: it would come back otherwise.
        let (set, forgotten): (Vec<_>, Vec<_>) =
            changes.iter().cloned().partition(|(_, offset)| offset.is_some());
        if !forgotten.is_empty() {
            self.file.write(&self.connector, &forgotten).await?;
        }
        let sent = tokio::select! {
            sent = self.send(producer, &records) => sent,
            never = drain(producer) => match never {},
        };
        if let Err(error) = sent {
            let _ = producer.abort(ATTEMPT).await;
            return Err(error);
        }
        if let (false, Err(error)) = (set.is_empty(), self.file.write(&self.connector, &set).await) {
            tracing::warn!(connector = %self.connector, "offsets were not copied to the worker's file: {error}");
        }
        Ok(())
    }

    async fn send(
        &self,
        producer: &dyn TransactionalProducer,
        records: &[(Vec<u8>, Option<Vec<u8>>)],
    ) -> Result<()> {
        producer.init(ATTEMPT * 6).await?;
        producer.begin()?;
        for (token, (key, value)) in records.iter().enumerate() {
            let outgoing = OutgoingRecord {
                topic: &self.topic,
                partition: None,
                key: Some(key),
                value: value.as_deref(),
                timestamp: None,
                headers: &[],
                token,
            };
            loop {
                match producer.send(outgoing) {
                    Ok(()) => break,
                    Err(SendError::QueueFull) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(SendError::Refused(error) | SendError::Fatal(error)) => return Err(error),
                }
            }
        }
        producer.commit(ATTEMPT * 6).await
    }
}

/// Takes acknowledgements; a commit tells of those that failed.
async fn drain(producer: &dyn TransactionalProducer) -> Infallible {
    let mut acks: Vec<Ack> = Vec::new();
    loop {
        producer.acks(&mut acks).await;
        acks.clear();
    }
}

/// What a task knows of its connector's offsets: what was committed when it started, and what it committed since.
type Known = Arc<Mutex<HashMap<OffsetMap, Option<OffsetMap>>>>;

fn locked(known: &Known) -> MutexGuard<'_, HashMap<OffsetMap, Option<OffsetMap>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The offsets of one task, which writes them in its own transactions.
pub(crate) struct TaskOffsets {
    offsets: TopicOffsets,
    known: Known,
    /// Committed, and not copied to the file yet.
    uncopied: Known,
    copying: AbortHandle,
}

impl TaskOffsets {
    /// `interval`: how often committed offsets are copied to the file.
    pub(crate) fn new(offsets: TopicOffsets, interval: Duration) -> Self {
        let uncopied = Known::default();
        let (copied, own) = (offsets.clone(), Arc::clone(&uncopied));
        let copying = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                copy(&copied, &own).await;
            }
        });
        Self { offsets, known: Known::default(), uncopied, copying: copying.abort_handle() }
    }
}

impl Drop for TaskOffsets {
    fn drop(&mut self) {
        self.copying.abort();
    }
}

async fn copy(offsets: &TopicOffsets, uncopied: &Known) {
    let taken: Vec<_> = locked(uncopied).drain().collect();
    if taken.is_empty() {
        return;
    }
    if let Err(error) = offsets.file.write(&offsets.connector, &taken).await {
        tracing::warn!(connector = %offsets.connector, "offsets were not copied to the worker's file: {error}");
        let mut uncopied = locked(uncopied);
        for (partition, offset) in taken {
            uncopied.entry(partition).or_insert(offset);
        }
    }
}

/// A partition or offset as it comes back from JSON: integers are of 64 bits.
fn normal(connector: &str, partition: &OffsetMap) -> Result<OffsetMap> {
    let key = key_of(connector, partition)?;
    let read = lavka_converters::json::offsets::read_key(&key);
    read.map(|(_, partition)| partition).map_err(|refusal| Error::data(refusal.to_string()))
}

#[async_trait]
impl OffsetTopic for TaskOffsets {
    fn topic(&self) -> &Topic {
        &self.offsets.topic
    }

    async fn reader(&self) -> Result<Arc<dyn OffsetReader>> {
        self.offsets.log.refresh().await?;
        let read = self.offsets.log.table().partitions(&self.offsets.connector)?;
        *locked(&self.known) = read.into_iter().collect();
        let connector = self.offsets.connector.clone();
        Ok(Arc::new(Reader {
            behind: self.offsets.file.reader(&connector),
            connector,
            known: Arc::clone(&self.known),
        }))
    }

    fn records(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<Vec<OffsetRecord>> {
        let record = |(partition, offset): &(OffsetMap, OffsetMap)| {
            let (key, value) = self.offsets.record(partition, Some(offset))?;
            Ok(OffsetRecord { key, value: value.unwrap_or_default() })
        };
        offsets.iter().map(record).collect()
    }

    fn committed(&self, offsets: &[(OffsetMap, OffsetMap)]) {
        let mut known = locked(&self.known);
        let mut uncopied = locked(&self.uncopied);
        for (partition, offset) in offsets {
            if let Ok(partition) = normal(&self.offsets.connector, partition) {
                known.insert(partition.clone(), Some(offset.clone()));
                uncopied.insert(partition, Some(offset.clone()));
            }
        }
    }

    async fn close(&self) {
        copy(&self.offsets, &self.uncopied).await;
    }
}

struct Reader {
    connector: String,
    known: Known,
    behind: Arc<dyn OffsetReader>,
}

#[async_trait]
impl OffsetReader for Reader {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        let behind = self.behind.offsets(partitions).await?;
        let known = locked(&self.known);
        partitions
            .iter()
            .zip(behind)
            .map(|(partition, behind)| {
                let own = known.get(&normal(&self.connector, partition)?);
                Ok(own.cloned().unwrap_or(behind))
            })
            .collect()
    }
}
