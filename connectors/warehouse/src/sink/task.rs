//! The task: polls into transactions.
//!
//! A poll of many records is [written ahead](super::ahead): `put` returns while the database is still busy with it, and
//! `pre_commit` waits until it is committed. Where that goes wrong in any way, what is not in the database is read again
//! from Kafka, and for some time each poll is written before `put` returns: then what is to be done about an error, tries
//! and reports of records among it, is a matter of the poll at hand.

use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::{ErrantRecord, Offsets, SinkBatch, SinkContext, SinkTask, SinkTaskStart};
use lavka_api::{Error, Result};

use super::ahead::{Ahead, Trouble};
use super::batch::Batch;
use super::writer::{Ended, Writer};
use crate::driver::Failure;
use crate::settings::SinkSettings;

/// Polls of fewer records are written before `put` returns: nobody waits for them.
const MANY: usize = 100;
/// After trouble so many polls have to go well before one is written ahead again.
const PROBATION: u32 = 20;

/// Who has the writer.
enum Hands {
    Ours(Box<Writer>),
    Ahead(Ahead),
    /// It was lost to a panic.
    Nobody,
}

/// A task of the sink.
pub(super) struct WarehouseSinkTask {
    settings: Arc<SinkSettings>,
    hands: Hands,
    /// What has to be read again before anything else is written: for each partition from where on.
    unwritten: Offsets,
    /// Polls that have to go well yet.
    probation: u32,
    /// Tries of the present poll that failed.
    failures: u32,
}

impl WarehouseSinkTask {
    pub(super) fn new(settings: SinkSettings) -> Self {
        let settings = Arc::new(settings);
        let hands = Hands::Ours(Box::new(Writer::new(settings.clone())));
        Self { settings, hands, unwritten: Offsets::new(), probation: 0, failures: 0 }
    }

    /// The writer, once all that was written ahead is in the database, or is known not to be.
    async fn writer(&mut self) -> Result<&mut Writer> {
        self.hands = match std::mem::replace(&mut self.hands, Hands::Nobody) {
            Hands::Ahead(ahead) => match ahead.finish().await {
                Some(done) => {
                    if let Some(trouble) = done.trouble {
                        self.note(trouble);
                    }
                    Hands::Ours(done.writer)
                }
                None => Hands::Nobody,
            },
            hands => hands,
        };
        match &mut self.hands {
            Hands::Ours(writer) => Ok(writer),
            Hands::Ahead(_) | Hands::Nobody => {
                Err(Error::fatal("writing to the database ended without a result; the log says why"))
            }
        }
    }

    fn note(&mut self, trouble: Trouble) {
        let why = match &trouble.why {
            Ended::Failed(failure) => failure.to_string(),
            Ended::Refused(error) => error.to_string(),
            Ended::Records(records) => {
                records.first().map_or_else(String::new, |(_, error)| error.to_string())
            }
        };
        let from: Vec<String> =
            trouble.unwritten.iter().map(|(partition, offset)| format!("{partition}@{offset}")).collect();
        tracing::info!(
            "{}: records could not be written ahead and are read again from {}, to be written poll by poll: {why}",
            self.settings.name,
            from.join(", ")
        );
        self.unwritten = trouble.unwritten;
        self.probation = PROBATION;
    }

    /// Where something has to be read again, and `batch` behind it, asks for it.
    fn rewind(&mut self, batch: SinkBatch, context: &mut SinkContext) -> bool {
        if self.unwritten.is_empty() {
            return false;
        }
        let mut offsets = std::mem::take(&mut self.unwritten);
        Batch::of(batch).lower(&mut offsets);
        context.rewind.extend(offsets);
        true
    }

    /// Hands a poll to the writer. `false` where it stopped working before.
    async fn write_ahead(&mut self, batch: &SinkBatch) -> bool {
        self.hands = match std::mem::replace(&mut self.hands, Hands::Nobody) {
            Hands::Ours(writer) => Hands::Ahead(Ahead::start(writer, self.settings.transaction_records)),
            hands => hands,
        };
        match &self.hands {
            Hands::Ahead(ahead) => ahead.take(batch).await,
            Hands::Ours(_) | Hands::Nobody => false,
        }
    }

    /// Writes a poll to the end.
    async fn write_now(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        let takes_errant = context.takes_errant_records;
        let batch = Batch::of(batch);
        match self.writer().await?.write(&batch, takes_errant).await {
            Ok(refused) => {
                self.failures = 0;
                self.probation =
                    if refused.is_empty() { self.probation.saturating_sub(1) } else { PROBATION };
                let errant = refused.into_iter();
                context.errant.extend(
                    errant.map(|(index, error)| ErrantRecord { index, error: batch.located(index, &error) }),
                );
                Ok(())
            }
            Err(Ended::Failed(failure)) if failure.kind.passes() => Err(self.retriable(&failure, context)),
            Err(Ended::Failed(failure)) => Err(failure.error()),
            Err(Ended::Refused(error)) => Err(error),
            Err(Ended::Records(records)) => batch.fail(&records),
        }
    }

    /// What the engine is told of a failure that may pass, or that came too often.
    fn retriable(&mut self, failure: &Failure, context: &mut SinkContext) -> Error {
        self.failures += 1;
        if self.failures > self.settings.max_retries {
            return Error::fatal(format!(
                "{failure}; this was the last of {} tries ({})",
                self.failures,
                self.settings.retries_key()
            ));
        }
        context.retry_after_ms = Some(self.settings.retry_backoff_ms);
        failure.error()
    }
}

#[async_trait]
impl SinkTask for WarehouseSinkTask {
    async fn start(&mut self, _start: SinkTaskStart) -> Result<()> {
        let writer = self.writer().await?;
        writer.connect().await?;
        self.settings = writer.settings().clone();
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        if self.settings.offsets_table.is_none() {
            return Ok(());
        }
        self.writer().await?.open(partitions, &mut context.rewind).await
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        if self.rewind(batch.clone(), context) {
            return Ok(());
        }
        let ahead = self.probation == 0 && batch.len() >= MANY && self.settings.writes_ahead();
        if ahead && self.write_ahead(&batch).await {
            return Ok(());
        }
        // Without records too: nothing comes for a while, so errors should show.
        self.writer().await?;
        if self.rewind(batch.clone(), context) || batch.is_empty() {
            return Ok(());
        }
        self.write_now(batch, context).await
    }

    async fn pre_commit(&mut self, seen: &Offsets, _context: &mut SinkContext) -> Result<Offsets> {
        self.writer().await?;
        let mut durable = seen.clone();
        for (partition, end) in &mut durable {
            if let Some(offset) = self.unwritten.get(partition) {
                *end = *offset.min(end);
            }
        }
        Ok(durable)
    }

    async fn close(&mut self, partitions: &[TopicPartition], _context: &mut SinkContext) -> Result<()> {
        self.writer().await?.drop_offsets(partitions);
        self.unwritten.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    async fn stop(&mut self) {
        if let Ok(writer) = self.writer().await {
            writer.close().await;
        }
    }
}
