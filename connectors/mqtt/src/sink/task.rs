//! The sink task.

use std::collections::HashMap;

use async_trait::async_trait;
use lavka_api::data::{SinkRecord, TopicPartition};
use lavka_api::plugin::{ErrantRecord, SinkBatch, SinkContext, SinkTask, SinkTaskStart};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use super::outbox::Fate;
use super::publication::MakePublications;
use super::publisher::Publisher;
use crate::access::Access;
use crate::environment::Environment;
use crate::message::Publication;
use crate::settings::Settings;

/// How long failures are borne, and what becomes of what cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tolerance {
    /// Milliseconds after which the task fails; for ever where there is none.
    pub(crate) retry_for: Option<u64>,
    /// Milliseconds between two tries; the runtime's back-off where there is none.
    pub(crate) retry_every: Option<u64>,
    /// Whether records that cannot be published are left out instead of being reported.
    pub(crate) leaves_out: bool,
}

/// What a task is made of.
pub(crate) struct Parts {
    pub(crate) access: Access,
    /// The client id as it is, without the task's number; made up where there is none.
    pub(crate) client_id: Option<String>,
    /// QoS 1 and 2 messages that may be under way.
    pub(crate) window: u16,
    pub(crate) tolerance: Tolerance,
    /// Taken when the task starts.
    pub(crate) open_maker: Option<OpenMaker>,
    pub(crate) environment: Environment,
}

/// Makes what makes messages, once, when the task starts; may read files, so it blocks.
pub(crate) type OpenMaker = Box<dyn FnOnce() -> Result<Box<dyn MakePublications>> + Send>;

/// A task: a connection of its own, under a client id of its own.
pub(crate) struct MqttSinkTask {
    parts: Parts,
    /// There when the task has started.
    maker: Option<Box<dyn MakePublications>>,
    publisher: Option<Publisher>,
    /// Of a batch that comes again: what is settled, by topic partition and offset, with why it cannot be published.
    settled: HashMap<(TopicPartition, i64), Option<Error>>,
    /// Since when the same batch has failed without any record of it being settled, in epoch milliseconds.
    failing_since: Option<i64>,
}

impl MqttSinkTask {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, maker: None, publisher: None, settled: HashMap::new(), failing_since: None }
    }

    /// Messages of the records that are not settled, up to the first of which none can be made where that fails the task.
    fn prepare(&mut self, batch: &[SinkRecord], takes_errant: bool) -> Prepared {
        let mut prepared = Prepared::default();
        let Some(maker) = &mut self.maker else { return prepared };
        for record in batch {
            let earlier =
                if self.settled.is_empty() { None } else { self.settled.get(&place(record)).cloned() };
            if let Some(earlier) = earlier {
                prepared.records.push(Fated { messages: 0, error: earlier, settled: true });
                continue;
            }
            let before = prepared.publications.len();
            match maker.publications(record, &mut prepared.publications) {
                Ok(()) => {
                    let messages = prepared.publications.len() - before;
                    prepared.records.push(Fated { messages, error: None, settled: messages == 0 });
                }
                Err(error) => {
                    prepared.publications.truncate(before);
                    prepared.records.push(Fated { messages: 0, error: Some(error), settled: true });
                    if !takes_errant && !self.parts.tolerance.leaves_out {
                        break;
                    }
                }
            }
        }
        prepared
    }

    /// The batch comes again, or the task fails.
    fn trouble(&mut self, why: String, context: &mut SinkContext) -> Error {
        let since = *self.failing_since.get_or_insert(context.now);
        let failing = context.now.saturating_sub(since).unsigned_abs();
        match self.parts.tolerance.retry_for {
            Some(limit) if failing >= limit => Error::fatal(format!(
                "{why}. The batch was tried for {failing} ms in which no record was taken, which is as long as max.retry.time.ms allows; restart the \
                 task when the MQTT server is back, or set it to -1 to go on trying."
            )),
            _ => {
                context.retry_after_ms = self.parts.tolerance.retry_every;
                Error::retriable(why)
            }
        }
    }
}

#[derive(Default)]
struct Prepared {
    publications: Vec<Publication>,
    /// Of the records in order; they end where preparing ended.
    records: Vec<Fated>,
}

/// A record: how many messages it has, or why it has none.
struct Fated {
    messages: usize,
    error: Option<Error>,
    /// Whether it needs no further try.
    settled: bool,
}

fn place(record: &SinkRecord) -> (TopicPartition, i64) {
    let origin = &record.origin;
    (TopicPartition::new(origin.topic.clone(), origin.partition), origin.offset)
}

#[async_trait]
impl SinkTask for MqttSinkTask {
    /// Reads the certificates and begins to connect. Whether the server can be reached is not waited for.
    async fn start(&mut self, start: SinkTaskStart) -> Result<()> {
        let Some(open_maker) = self.parts.open_maker.take() else {
            return Err(Error::fatal("the MQTT sink was started twice"));
        };
        let access = self.parts.access.clone();
        let mut settings = Settings::to_reach(&access, &start.id)?;
        settings.outgoing = self.parts.window;
        if let Some(id) = &self.parts.client_id {
            settings.client_id.clone_from(id);
        }
        let opened = spawn_blocking(move || Ok::<_, Error>((access.tls()?, open_maker()?))).await;
        let (tls, maker) = opened.map_err(|panic| Error::fatal(panic.to_string()))??;
        settings.tls = tls;
        self.maker = Some(maker);
        self.publisher = Some(Publisher::start(settings, self.parts.environment));
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        let Some(publisher) = &self.publisher else {
            return Err(Error::fatal("the MQTT sink was given records before it was started"));
        };
        if let Some(failure) = publisher.failure() {
            return Err(failure);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let Prepared { publications, mut records } = self.prepare(&batch, context.takes_errant_records);
        let mut trouble = None;
        let mut progress = false;
        if !publications.is_empty()
            && let Some(publisher) = &mut self.publisher
        {
            let outcome = publisher.publish(publications).await?;
            trouble = outcome.trouble;
            let mut fates = outcome.fates.into_iter();
            for fated in records.iter_mut().filter(|fated| fated.messages > 0) {
                fated.settled = true;
                for fate in fates.by_ref().take(fated.messages) {
                    match fate {
                        Some(Fate::Taken) => {}
                        Some(Fate::Refused(words)) => fated.error = Some(refused(&words)),
                        Some(Fate::Again(words)) => {
                            fated.settled = false;
                            trouble = Some(format!("The MQTT server did not take a message: {words}"));
                        }
                        None => fated.settled = false,
                    }
                }
                progress |= fated.settled;
            }
            if trouble.is_none() && records.iter().any(|fated| !fated.settled) {
                trouble = Some("The MQTT server has not taken all messages".to_owned());
            }
        }
        if let Some(why) = trouble {
            if progress {
                // A server that takes some at each try is slow, not away.
                self.failing_since = None;
            }
            let settled = batch.iter().zip(records).filter(|(_, fated)| fated.settled);
            self.settled.extend(settled.map(|(record, fated)| (place(record), fated.error)));
            return Err(self.trouble(why, context));
        }
        self.settled.clear();
        self.failing_since = None;
        for (index, fated) in records.into_iter().enumerate() {
            let Some(error) = fated.error else { continue };
            if self.parts.tolerance.leaves_out {
                tracing::warn!("left out a record that cannot be published: {error}");
            } else if context.takes_errant_records {
                context.errant.push(ErrantRecord { index, error });
            } else {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn close(&mut self, partitions: &[TopicPartition], _context: &mut SinkContext) -> Result<()> {
        self.settled.retain(|(partition, _), _| !partitions.contains(partition));
        self.failing_since = None;
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.stop().await;
        }
    }
}

fn refused(words: &str) -> Error {
    Error::data(format!("the MQTT server refuses the message: {words}"))
}
