//! Batches into the database: a batch is a transaction.
//!
//! The tables of a batch are looked up, made and altered first, outside of the transaction. Then the rows of the whole batch
//! are written in one, with few large statements. Where the database refuses a row, all of it is rolled back and done again
//! with care: in halves, until the rows at fault stand alone, are reported, and the others are in. So a batch without bad
//! rows pays for no savepoints.

mod stream;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::{SinkRecord, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_api::{Error, Result};

use super::apply::{NotApplied, ReadyWork};
use super::batch::{Batch, place};
use super::offsets::OffsetTable;
use super::route::{Routed, Router, Work};
use super::tables::{NoTarget, Tables};
use super::threads;
use crate::driver::{Failure, FailureKind, Session, connect};
use crate::settings::SinkSettings;
use crate::table::TableId;

pub(super) use stream::Streamed;

/// Why a try of a batch ended.
pub(super) enum Ended {
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

/// What is done about records that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusals {
    /// The others are written without them.
    Report,
    /// The first of them fails the batch.
    Fail,
    /// Nothing is written, and nobody looks which they are.
    GiveUp,
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

/// A session, and what is known of the tables behind it.
pub(super) struct Writer {
    settings: Arc<SinkSettings>,
    /// Taken out while it is in use, so that one whose use was cut short is not used again.
    session: Option<Box<dyn Session>>,
    router: Router,
    tables: Tables,
    offsets: Option<OffsetTable>,
}

impl Writer {
    pub(super) fn new(settings: Arc<SinkSettings>) -> Self {
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
        }
    }

    pub(super) fn settings(&self) -> &Arc<SinkSettings> {
        &self.settings
    }

    /// Connects, and goes by the database that it finds.
    pub(super) async fn connect(&mut self) -> Result<()> {
        let session = open_session(self.settings.clone()).await.map_err(|failure| failure.error())?;
        if let Some(dialect) =
            session.dialect().filter(|dialect| *dialect != self.settings.statements.dialect)
        {
            *self = Self::new(Arc::new(self.settings.for_dialect(dialect)?));
        }
        self.session = Some(session);
        Ok(())
    }

    /// Takes leave of the database.
    pub(super) async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Reads the offsets of new partitions, where they are kept in the database, and adds them to `rewind`. A database that
    /// is away is waited for, as with a batch: an error here would end the task.
    pub(super) async fn open(&mut self, partitions: &[TopicPartition], rewind: &mut Offsets) -> Result<()> {
        self.drop_offsets(partitions);
        let mut failures = 0;
        loop {
            let kept = self.session.is_some();
            match self.read_offsets(partitions).await {
                Ok(()) => break,
                Err(failure) if failure.kind.passes() && failures < self.settings.max_retries => {
                    tracing::warn!("{}: offsets cannot be read yet: {failure}", self.settings.name);
                    failures += 1;
                    if !kept {
                        tokio::time::sleep(Duration::from_millis(self.settings.retry_backoff_ms)).await;
                    }
                }
                Err(failure) => return Err(failure.error()),
            }
        }
        for partition in partitions {
            if let Some(next) = self.offsets.as_ref().and_then(|offsets| offsets.next(partition)) {
                rewind.insert(partition.clone(), next);
            }
        }
        Ok(())
    }

    /// Partitions that are not this task's any more.
    pub(super) fn drop_offsets(&mut self, partitions: &[TopicPartition]) {
        if let Some(offsets) = &mut self.offsets {
            offsets.close(partitions);
        }
    }

    async fn read_offsets(&mut self, partitions: &[TopicPartition]) -> Result<(), Failure> {
        if self.offsets.is_none() {
            return Ok(());
        }
        let mut session = self.session().await?;
        if let Some(offsets) = &mut self.offsets {
            offsets.read(&mut *session, partitions.iter()).await?;
        }
        self.session = Some(session);
        Ok(())
    }

    async fn session(&mut self) -> Result<Box<dyn Session>, Failure> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => {
                if let Some(offsets) = &mut self.offsets {
                    offsets.forget();
                }
                self.tables.forget();
                open_session(self.settings.clone()).await
            }
        }
    }

    /// Writes a batch; where `takes_errant`, without the records that cannot be written: these are returned.
    pub(super) async fn write(
        &mut self,
        batch: &Batch,
        takes_errant: bool,
    ) -> Result<BTreeMap<usize, Error>, Ended> {
        let refusals = if takes_errant { Refusals::Report } else { Refusals::Fail };
        self.try_until(batch, refusals).await
    }

    /// Writes a batch if all of it can be written.
    pub(super) async fn write_whole(&mut self, batch: &Batch) -> Result<(), Ended> {
        self.try_until(batch, Refusals::GiveUp).await.map(drop)
    }

    /// Tries a batch until it is written or cannot be now.
    async fn try_until(
        &mut self,
        batch: &Batch,
        refusals: Refusals,
    ) -> Result<BTreeMap<usize, Error>, Ended> {
        let takes_errant = refusals == Refusals::Report;
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
                Ended::Records(records) if refusals == Refusals::Report => progress.refused.extend(records),
                Ended::Records(records) if refusals == Refusals::Fail => {
                    return batch.fail(&records).map_err(Ended::Refused);
                }
                // The session writes in another form now.
                Ended::Failed(failure) if failure.kind == FailureKind::Form => {}
                Ended::Failed(failure)
                    if failure.kind == FailureKind::Row
                        && !progress.careful
                        && refusals != Refusals::GiveUp =>
                {
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
                ended => {
                    if let (Some(offsets), Ended::Failed(_)) = (&mut self.offsets, &ended) {
                        offsets.forget();
                    }
                    return Err(ended);
                }
            }
        }
    }

    /// One try: one transaction.
    async fn try_batch(
        &mut self,
        session: &mut dyn Session,
        batch: &Batch,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        if let Some(offsets) = &mut self.offsets {
            offsets.read(session, batch.ends().keys()).await?;
        }
        let next = self.moved_by(batch);
        let routed = self.route(batch.iter(), |index| progress.refused.contains_key(&index));
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
        self.commit(session, next).await?;
        Ok(())
    }

    /// Routes the records that are not written yet and for which `skip` does not hold.
    fn route<'a>(
        &mut self,
        records: impl Iterator<Item = &'a SinkRecord>,
        skip: impl Fn(usize) -> bool,
    ) -> Routed<'a> {
        let offsets = &self.offsets;
        let written = |record: &SinkRecord| {
            offsets
                .as_ref()
                .and_then(|offsets| offsets.next(&place(record)))
                .is_some_and(|next| record.origin.offset < next)
        };
        self.router.route(records, |index, record| skip(index) || written(record))
    }

    /// The offsets behind a batch, where they are kept in the database and it does not have these yet.
    fn moved_by(&self, batch: &Batch) -> Option<Offsets> {
        let offsets = self.offsets.as_ref()?;
        let mut ends = batch.ends();
        ends.retain(|partition, end| offsets.next(partition).is_none_or(|known| known < *end));
        Some(ends)
    }

    /// Commits, and with it the offsets.
    async fn commit(&mut self, session: &mut dyn Session, next: Option<Offsets>) -> Result<(), Failure> {
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
}

/// Opens a session whose socket the [threads] of their own look after, whoever uses it.
async fn open_session(settings: Arc<SinkSettings>) -> Result<Box<dyn Session>, Failure> {
    let opened = threads::run(async move { connect(&settings.connection).await }).await;
    opened.unwrap_or_else(|| {
        Err(Failure::new(FailureKind::Other, "connecting ended without a result; the log says why"))
    })
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
