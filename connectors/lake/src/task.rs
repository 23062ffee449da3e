//! The task: which records go to which partition's writer, and what the engine is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::data::TopicPartition;
use lavka_api::error::{Error, ErrorClass, Result, exception};
use lavka_api::plugin::{Counter, Gauge, Offsets, SinkBatch, SinkContext, SinkTask, SinkTaskStart};

use crate::hive::Registrar;
use crate::lake::Lake;
use crate::partition_writer::PartitionWriter;
use crate::partitioner::Partitioner;
use crate::recovery::{Listings, recover};
use crate::rejections::{Rejections, is_of, partition_of};
use crate::report::FileReport;
use crate::rotation::Cause;
use crate::run::Call;
use crate::settings::Settings;
use crate::store::LakeStore;

/// Waits between tries for a lease that somebody else holds.
const LEASE_WAITS_MS: [i64; 4] = [1000, 2000, 4000, 8000];

/// A task of the lake sink.
#[derive(Debug)]
pub struct LakeSinkTask {
    lake: Lake,
    partitioner: Partitioner,
    slots: BTreeMap<TopicPartition, Slot>,
    rejections: Rejections,
    /// Partitions that were taken over in the course of a batch, and where to read them from. Until that batch is
    /// through, which may take several tries, its records of them are passed over.
    rewinds: BTreeMap<TopicPartition, (i64, Option<i32>)>,
    /// Tells Hive of what was finished.
    hive: Option<Registrar>,
    report: FileReport,
}

/// Asks the engine to go on reading `tp` at an offset, behind a record of this leader epoch.
fn rewind(context: &mut SinkContext, tp: &TopicPartition, (next, epoch): (i64, Option<i32>)) {
    context.rewind.insert(tp.clone(), next);
    if let Some(epoch) = epoch {
        context.rewind_epochs.insert(tp.clone(), epoch);
    }
}

/// A partition that is assigned to the task.
enum Slot {
    /// Another writer has the lease, or the store was out of order. The partition is paused, so that the others go on.
    Waiting {
        tries: usize,
        due: i64,
        why: Error,
        /// Where to read from, if the store does not know better: what was open when the partition was given up.
        from: Option<i64>,
    },
    Ready(Box<PartitionWriter>),
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Slot::Waiting { .. } => "Waiting",
            Slot::Ready(_) => "Ready",
        })
    }
}

impl LakeSinkTask {
    pub(crate) fn new(settings: Settings, store: Arc<dyn LakeStore>) -> Self {
        let partitioner = settings.partitioner.clone();
        let hive = settings.hive.clone().map(Registrar::new);
        let lake = Lake { store, settings: Arc::new(settings) };
        Self {
            lake,
            partitioner,
            slots: BTreeMap::new(),
            rejections: Rejections::default(),
            rewinds: BTreeMap::new(),
            hive,
            report: FileReport::new(),
        }
    }

    /// Tells the metastore of files that were finished.
    async fn register(&mut self, now: i64) -> Result<()> {
        let Some(hive) = &mut self.hive else { return Ok(()) };
        for slot in self.slots.values_mut() {
            if let Slot::Ready(writer) = slot {
                writer.take_finished().into_iter().for_each(|finished| hive.finished(finished));
            }
        }
        hive.advance(&self.lake, now, self.lake.settings.retry_backoff_ms).await
    }

    /// Counts the files that were finished, and those that are open.
    fn account(&mut self, now: i64) {
        let (mut files, mut memory) = (0, 0);
        for slot in self.slots.values_mut() {
            if let Slot::Ready(writer) = slot {
                writer.take_cuts().into_iter().for_each(|cut| self.report.finished(cut, now));
                files += writer.open_files();
                memory += writer.memory();
            }
        }
        self.report.open(files, memory);
        if let Some(line) = self.report.line(now) {
            tracing::info!("{line}");
        }
    }

    /// Tries to take over partitions whose time has come.
    async fn retry_waiting(&mut self, now: i64) -> Result<Vec<(TopicPartition, Option<i64>)>> {
        let due: Vec<(TopicPartition, usize, Option<i64>)> = self
            .slots
            .iter()
            .filter_map(|(tp, slot)| match slot {
                Slot::Waiting { tries, due, from, .. } if now >= *due => Some((tp.clone(), *tries, *from)),
                _ => None,
            })
            .collect();
        let mut fresh = Vec::new();
        let mut listings = Listings::new();
        for (tp, tries, from) in due {
            let mut slot = take_over(&self.lake, &tp, tries, &mut listings, now).await?;
            match &mut slot {
                Slot::Ready(_) => fresh.push((tp.clone(), from)),
                Slot::Waiting { why, from: kept, .. } => {
                    *kept = from;
                    tracing::warn!("{why}");
                }
            }
            self.slots.insert(tp, slot);
        }
        Ok(fresh)
    }

    /// Gives up the partitions whose open files cannot be committed any more, because the store has lost the end of a log or
    /// another writer has won, to take them over anew. Tells whether there was one.
    async fn give_up_unsound(&mut self, now: i64, error: &Error) -> bool {
        let unsound = |slot: &Slot| matches!(slot, Slot::Ready(writer) if !writer.is_sound());
        let lost: Vec<TopicPartition> =
            self.slots.iter().filter(|(_, slot)| unsound(slot)).map(|(tp, _)| tp.clone()).collect();
        for tp in &lost {
            if let Some(Slot::Ready(writer)) = self.slots.remove(tp) {
                let from = writer.first_open();
                writer.close().await;
                let why = error.clone();
                self.slots.insert(tp.clone(), Slot::Waiting { tries: 0, due: now, why, from });
            }
        }
        !lost.is_empty()
    }

    async fn write(&mut self, batch: &SinkBatch, context: &mut SinkContext) -> Result<()> {
        let fresh = self.retry_waiting(context.now).await?;
        let Self { lake, partitioner, slots, rejections, rewinds, .. } = self;
        rejections.tolerated = context.takes_errant_records;
        for (tp, from) in &fresh {
            tracing::info!("{tp} is free now");
            // Records behind the place where the files end are read again, from there.
            let first = batch.iter().find(|record| is_of(record, tp)).map(|record| record.origin.offset);
            if let Some(Slot::Ready(writer)) = slots.get(tp)
                && let Some(next) = writer.next().or(from.map(|from| (from, None)))
                && first.is_none_or(|first| first > next.0)
            {
                rewinds.insert(tp.clone(), next);
            }
        }
        context.resume.extend(fresh.into_iter().map(|(tp, _)| tp));
        rewinds.iter().for_each(|(tp, next)| rewind(context, tp, *next));
        let mut start = 0;
        while let Some(record) = batch.get(start) {
            let tp = partition_of(record);
            let len =
                batch.get(start..).unwrap_or_default().iter().take_while(|record| is_of(record, &tp)).count();
            let range = start..start + len.max(1);
            start = range.end;
            if rewinds.contains_key(&tp) {
                continue;
            }
            match slots.get_mut(&tp) {
                Some(Slot::Ready(writer)) => {
                    let mut call = Call { now: context.now, partitioner, rejections };
                    writer.write(batch, range, &mut call).await?;
                }
                Some(Slot::Waiting { why, due, .. }) => {
                    context.retry_after_ms = u64::try_from(due.saturating_sub(context.now)).ok();
                    return Err(why.clone());
                }
                None => return Err(Error::fatal(format!("{tp} was not assigned to this task"))),
            }
        }
        for slot in slots.values_mut() {
            if let Slot::Ready(writer) = slot {
                writer.tick(context.now).await?;
            }
        }
        relieve(slots, lake.settings.buffer_bytes, context.now).await
    }
}

/// Takes over a partition, or notes when to try again.
async fn take_over(
    lake: &Lake,
    tp: &TopicPartition,
    tries: usize,
    listings: &mut Listings,
    now: i64,
) -> Result<Slot> {
    let waits = LEASE_WAITS_MS.get(tries).or(LEASE_WAITS_MS.last()).copied().unwrap_or(0);
    let waiting = |why| Slot::Waiting {
        tries: tries.saturating_add(1),
        due: now.saturating_add(waits),
        why,
        from: None,
    };
    match recover(lake, tp, listings).await {
        Ok(Some(recovered)) => {
            Ok(Slot::Ready(Box::new(PartitionWriter::new(lake.clone(), tp.clone(), recovered, now)?)))
        }
        Ok(None) => Ok(waiting(held_elsewhere(lake, tp).await?)),
        Err(error) if error.is_retriable() => Ok(waiting(error)),
        Err(error) => Err(error),
    }
}

/// What to tell where another writer has the lease.
pub(crate) async fn held_elsewhere(lake: &Lake, tp: &TopicPartition) -> Result<Error> {
    let lock = lake.lock(tp)?;
    let holder = lake.store.holder(&lock).await;
    let holder = match holder.trim() {
        "" => String::new(),
        holder => format!(". The lock was taken by {holder}"),
    };
    Ok(Error::retriable(format!(
        "another writer holds the lease of {tp} ({lock}): a task of this or another worker that has not stopped yet, \
         or another connector that writes the same topic to the same directory (which needs a logs.dir of its \
         own){holder}"
    )))
}

/// Writes out row groups, and where that does not help finishes files, until the open files use at most `limit` bytes
/// of memory.
async fn relieve(slots: &mut BTreeMap<TopicPartition, Slot>, limit: usize, now: i64) -> Result<()> {
    loop {
        let mut writers: Vec<&mut Box<PartitionWriter>> = slots
            .values_mut()
            .filter_map(|slot| match slot {
                Slot::Ready(writer) => Some(writer),
                Slot::Waiting { .. } => None,
            })
            .collect();
        if writers.iter().map(|writer| writer.memory()).sum::<usize>() <= limit {
            return Ok(());
        }
        writers.sort_by_key(|writer| writer.memory());
        let Some(largest) = writers.pop() else { return Ok(()) };
        if !largest.relieve().await? {
            if largest.open_files() == 0 {
                return Ok(());
            }
            largest.rotate(now, Cause::Memory).await?;
        }
    }
}

#[async_trait]
impl SinkTask for LakeSinkTask {
    async fn start(&mut self, start: SinkTaskStart) -> Result<()> {
        tracing::info!(task = %start.id, root = %self.lake.settings.storage.name(), "the lake sink starts");
        match self.lake.store.prepare().await {
            // Records can be waited with; nothing has to be restarted when there is room again.
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %start.id, "{error}");
                Ok(())
            }
            other => other,
        }
    }

    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        let mut listings = Listings::new();
        for tp in partitions {
            if let Some(hive) = &mut self.hive {
                hive.opened(&tp.topic);
            }
            let slot = take_over(&self.lake, tp, 0, &mut listings, context.now).await?;
            match &slot {
                Slot::Ready(writer) => {
                    if let Some(next) = writer.next() {
                        rewind(context, tp, next);
                    }
                }
                Slot::Waiting { why, .. } => {
                    tracing::warn!("{why}");
                    context.pause.push(tp.clone());
                }
            }
            self.slots.insert(tp.clone(), slot);
        }
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        let mut outcome = self.write(&batch, context).await;
        self.account(context.now);
        if let Err(error) = &outcome
            && self.give_up_unsound(context.now, &error.clone()).await
        {
            outcome = outcome.map_err(|error| {
                error.with_class(ErrorClass::Retriable).with_exception(exception::RETRIABLE)
            });
        }
        if let Err(error) = &outcome {
            if error.is_retriable() {
                context.retry_after_ms.get_or_insert(self.lake.settings.retry_backoff_ms);
            }
            return outcome;
        }
        self.rewinds.clear();
        for slot in self.slots.values_mut() {
            if let Slot::Ready(writer) = slot {
                writer.settle();
            }
        }
        self.rejections.report(&batch, &mut context.errant);
        self.register(context.now).await
    }

    async fn pre_commit(&mut self, seen: &Offsets, context: &mut SinkContext) -> Result<Offsets> {
        if self.lake.settings.rotation.on_commit {
            for slot in self.slots.values_mut() {
                if let Slot::Ready(writer) = slot
                    && let Err(error) = writer.rotate(context.now, Cause::Commit).await
                {
                    // The next call of `put` goes on with it, or finds that the partition is lost.
                    tracing::warn!("{error}");
                }
            }
            self.account(context.now);
        }
        let durable = self.slots.iter().filter_map(|(tp, slot)| match slot {
            Slot::Ready(writer) => Some((tp.clone(), writer.durable(seen.get(tp).copied())?)),
            Slot::Waiting { .. } => None,
        });
        Ok(durable.collect())
    }

    async fn close(&mut self, partitions: &[TopicPartition], _context: &mut SinkContext) -> Result<()> {
        for tp in partitions {
            if let Some(Slot::Ready(writer)) = self.slots.remove(tp) {
                writer.close().await;
            }
        }
        self.rejections.forget(partitions);
        self.rewinds.retain(|tp, _| !partitions.contains(tp));
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        self.report.counters()
    }

    fn gauges(&self) -> Vec<Gauge> {
        self.report.gauges()
    }

    async fn stop(&mut self) {
        if let Some(line) = self.report.last_line() {
            tracing::info!("{line}");
        }
        for slot in std::mem::take(&mut self.slots).into_values() {
            if let Slot::Ready(writer) = slot {
                writer.close().await;
            }
        }
    }
}
