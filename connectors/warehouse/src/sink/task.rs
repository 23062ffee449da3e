//! The task: a batch is a transaction.
//!
//! The tables of a batch are looked up, made and altered first, outside of the transaction. Then the rows of the whole batch
//! are written in one, with few large statements. Where the database refuses a row, all of it is rolled back and done again
//! with care: in halves, until the rows at fault stand alone, are reported, and the others are in. So a batch without bad
//! rows pays for no savepoints.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{SinkRecord, TopicPartition};
use lavka_api::plugin::{ErrantRecord, Offsets, SinkBatch, SinkContext, SinkTask, SinkTaskStart};
use lavka_api::{Error, Result};

use super::apply::{NotApplied, ReadyWork};
use super::offsets::OffsetTable;
use super::route::{Router, Work};
use super::tables::{NoTarget, Tables};
use crate::driver::{Failure, FailureKind, Session, connect};
use crate::settings::SinkSettings;
use crate::table::TableId;

/// A task of the sink.
pub(super) struct WarehouseSinkTask {
    settings: Arc<SinkSettings>,
    /// Taken out while it is in use, so that one whose use was cut short is not used again.
    session: Option<Box<dyn Session>>,
    router: Router,
    tables: Tables,
    offsets: Option<OffsetTable>,
    /// Tries of the present batch that failed.
    failures: u32,
}

/// Why a try of a batch ended.
enum Ended {
    /// These records are not to be written; the others were not either.
    Records(Vec<(usize, Error)>),
    Failed(Failure),
    Refused(Error),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NoTarget> for Ended {
    fn from(none: NoTarget) -> Self {
        match none {
            NoTarget::Failed(failure) => Self::Failed(failure),
            NoTarget::Refused(error) => Self::Refused(error),
        }
    }
}

/// What a batch's tries have in common.
#[derive(Default)]
struct Progress {
    /// Records that are out, with why.
    refused: BTreeMap<usize, Error>,
    careful: bool,
    /// Whether records may be out.
    takes_errant: bool,
    /// A transaction was begun and not committed.
    begun: bool,
    /// Tables were looked up anew.
    renewed: bool,
    /// The connection was opened anew.
    reconnected: bool,
}

impl WarehouseSinkTask {
    pub(super) fn new(settings: SinkSettings) -> Self {
        let settings = Arc::new(settings);
        let offsets = settings
            .offsets_table
            .as_deref()
            .map(|table| OffsetTable::new(table, settings.statements, &settings.name));
        Self {
            router: Router::new(settings.clone()),
            tables: Tables::new(settings.clone()),
            offsets,
            settings,
            session: None,
            failures: 0,
        }
    }

    async fn session(&mut self) -> Result<Box<dyn Session>, Failure> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => {
                if let Some(offsets) = &mut self.offsets {
                    offsets.forget();
                }
                self.tables.forget();
                connect(&self.settings.connection).await
            }
        }
    }

    /// Reads the offsets of new partitions. A database that is away is waited for, as with a batch: an error here would
    /// end the task.
    async fn read_offsets(&mut self, partitions: &[TopicPartition]) -> Result<(), Failure> {
        let mut failures = 0;
        loop {
            let kept = self.session.is_some();
            match self.try_read_offsets(partitions).await {
                Err(failure) if failure.kind.passes() && failures < self.settings.max_retries => {
                    tracing::warn!("{}: offsets cannot be read yet: {failure}", self.settings.name);
                    failures += 1;
                    if !kept {
                        tokio::time::sleep(Duration::from_millis(self.settings.retry_backoff_ms)).await;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_read_offsets(&mut self, partitions: &[TopicPartition]) -> Result<(), Failure> {
        let mut session = self.session().await?;
        if let Some(offsets) = &mut self.offsets {
            offsets.read(&mut *session, partitions.iter()).await?;
        }
        self.session = Some(session);
        Ok(())
    }

    /// Tries a batch until it is written or cannot be now.
    async fn write(
        &mut self,
        batch: &[SinkRecord],
        takes_errant: bool,
    ) -> Result<BTreeMap<usize, Error>, Ended> {
        let mut progress = Progress { takes_errant, ..Progress::default() };
        loop {
            let kept = self.session.is_some();
            let mut session = self.session().await?;
            let outcome = self.try_batch(&mut *session, batch, &mut progress).await;
            let ended = match outcome {
                Ok(()) => {
                    self.session = Some(session);
                    return Ok(progress.refused);
                }
                Err(ended) => ended,
            };
            let lost = matches!(&ended, Ended::Failed(failure) if failure.kind == FailureKind::Lost);
            let begun = std::mem::take(&mut progress.begun);
            // Rolling back may itself show that the connection is gone.
            if !lost && (!begun || session.rollback().await.is_ok()) {
                self.session = Some(session);
            }
            match ended {
                Ended::Records(records) => {
                    if let (false, Some((index, error))) = (takes_errant, records.first()) {
                        return Err(Ended::Refused(located(batch, *index, error)));
                    }
                    progress.refused.extend(records);
                }
                Ended::Failed(failure) if failure.kind == FailureKind::Row && !progress.careful => {
                    progress.careful = true;
                    // What looks like bad rows may be a table that takes others since it was looked up.
                    progress.renewed = true;
                    self.tables.forget();
                }
                Ended::Failed(failure) if failure.kind == FailureKind::Changed && !progress.renewed => {
                    progress.renewed = true;
                    self.tables.forget();
                }
                // A connection that was idle may have died long ago: a new one is worth a try at once.
                Ended::Failed(failure)
                    if failure.kind == FailureKind::Lost && kept && !progress.reconnected =>
                {
                    tracing::info!(
                        "{}: the connection was lost and is opened anew: {failure}",
                        self.settings.name
                    );
                    progress.reconnected = true;
                }
                ended => return Err(ended),
            }
        }
    }

    /// One try: one transaction.
    async fn try_batch(
        &mut self,
        session: &mut dyn Session,
        batch: &[SinkRecord],
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        let next = match &mut self.offsets {
            Some(offsets) => {
                let places: HashSet<TopicPartition> = batch.iter().map(place).collect();
                offsets.read(session, places.iter()).await?;
                Some(next_offsets(batch, offsets))
            }
            None => None,
        };
        let offsets = &self.offsets;
        let written = |record: &SinkRecord| {
            offsets
                .as_ref()
                .and_then(|offsets| offsets.next(&place(record)))
                .is_some_and(|next| record.origin.offset < next)
        };
        let routed = self.router.route(batch, |index| {
            progress.refused.contains_key(&index) || batch.get(index).is_some_and(&written)
        });
        if !routed.refused.is_empty() {
            return Err(Ended::Records(routed.refused));
        }
        let mut works = Vec::with_capacity(routed.works.len());
        for work in routed.works {
            let ready = self.ready(session, work).await?;
            ready.prepare(session).await?;
            works.push(ready);
        }
        let moves = next.as_ref().is_some_and(|next| !next.is_empty());
        if works.is_empty() && !moves {
            return Ok(());
        }
        let settings = self.settings.clone();
        let transactions = settings.statements.dialect.has_transactions();
        progress.begun = true;
        session.begin().await?;
        if progress.careful {
            session.check_at_once().await?;
        }
        for work in &works {
            if work.work.truncate {
                truncate(&settings, session, &work.work).await?;
            } else if progress.careful {
                let mut refused = Vec::new();
                work.apply_carefully(session, &mut refused).await?;
                if !refused.is_empty() && (transactions || !progress.takes_errant) {
                    // Once more without them, so that what is committed was written in order and whole.
                    return Err(Ended::Records(refused));
                }
                // Without transactions the others are written for good.
                progress.refused.extend(refused);
            } else {
                work.apply(session, &work.work.ops).await.map_err(|ended| match ended {
                    NotApplied::Records(records) => Ended::Records(records),
                    NotApplied::Failed(failure) => {
                        Ended::Failed(failure.at(&format!("writing to table {}", work.work.table)))
                    }
                })?;
            }
        }
        if let (Some(offsets), Some(next)) = (&self.offsets, &next) {
            offsets.write(session, next).await?;
        }
        session.commit().await.map_err(|failure| failure.at("committing"))?;
        if let (Some(offsets), Some(next)) = (&mut self.offsets, &next) {
            offsets.committed(next);
        }
        Ok(())
    }

    async fn ready<'a>(&mut self, session: &mut dyn Session, work: Work<'a>) -> Result<ReadyWork<'a>, Ended> {
        let write = match &work.write {
            Some(plan) => self.tables.target(session, &work.table, plan, false).await?,
            None => None,
        };
        let delete = match &work.delete {
            Some(plan) => self.tables.target(session, &work.table, plan, true).await?,
            None => None,
        };
        Ok(ReadyWork { work, write, delete, mode: self.settings.mode })
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
        let session = connect(&self.settings.connection).await.map_err(|failure| failure.error())?;
        if let Some(dialect) =
            session.dialect().filter(|dialect| *dialect != self.settings.statements.dialect)
        {
            *self = Self::new(self.settings.for_dialect(dialect)?);
        }
        self.session = Some(session);
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        let Some(offsets) = &mut self.offsets else { return Ok(()) };
        offsets.close(partitions);
        self.read_offsets(partitions).await.map_err(|failure| failure.error())?;
        for partition in partitions {
            if let Some(next) = self.offsets.as_ref().and_then(|offsets| offsets.next(partition)) {
                context.rewind.insert(partition.clone(), next);
            }
        }
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.write(&batch, context.takes_errant_records).await {
            Ok(refused) => {
                self.failures = 0;
                context.errant.extend(
                    refused
                        .into_iter()
                        .map(|(index, error)| ErrantRecord { index, error: located(&batch, index, &error) }),
                );
                Ok(())
            }
            Err(Ended::Failed(failure)) if failure.kind.passes() => {
                if let Some(offsets) = &mut self.offsets {
                    offsets.forget();
                }
                Err(self.retriable(&failure, context))
            }
            Err(Ended::Failed(failure)) => Err(failure.error()),
            Err(Ended::Refused(error)) => Err(error),
            Err(Ended::Records(records)) => Err(records.first().map_or_else(
                || Error::fatal("records were refused"),
                |(index, error)| located(&batch, *index, error),
            )),
        }
    }

    async fn close(&mut self, partitions: &[TopicPartition], _context: &mut SinkContext) -> Result<()> {
        if let Some(offsets) = &mut self.offsets {
            offsets.close(partitions);
        }
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

async fn truncate(
    settings: &SinkSettings,
    session: &mut dyn Session,
    work: &Work<'_>,
) -> Result<(), Failure> {
    let statements = &settings.statements;
    let id = TableId::parse(&work.table, statements.dialect.quote());
    let Some(table) = session.describe(&id, &statements.new_table(&id)).await? else { return Ok(()) };
    session.execute(&statements.truncate(&table.id)).await.map(drop)
}

fn place(record: &SinkRecord) -> TopicPartition {
    TopicPartition::new(record.origin.topic.clone(), record.origin.partition)
}

/// Behind the last record of each partition, where that is ahead of what the database has.
fn next_offsets(batch: &[SinkRecord], offsets: &OffsetTable) -> Offsets {
    let mut next = Offsets::new();
    for record in batch {
        let behind = record.origin.offset.saturating_add(1);
        let entry = next.entry(place(record)).or_insert(behind);
        *entry = behind.max(*entry);
    }
    next.retain(|partition, behind| offsets.next(partition).is_none_or(|known| known < *behind));
    next
}

/// An error with the record's place before it.
fn located(batch: &[SinkRecord], index: usize, error: &Error) -> Error {
    let Some(record) = batch.get(index) else { return error.clone() };
    let origin = &record.origin;
    Error::new(
        error.class(),
        error.exception(),
        format!("the record at {}-{}@{}: {error}", origin.topic, origin.partition, origin.offset),
    )
}
