//! A sink connector in the hands of the suite, and a topic and a consumer group to feed it from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use lavka_api::Error;
use lavka_api::config::Config;
use lavka_api::data::{KafkaOrigin, Record, RecordKind, SinkRecord, TimestampType, TopicPartition};
use lavka_api::plugin::{
    ErrantRecord, Factory, Offsets, Plugin, SinkBatch, SinkConnector, SinkContext, SinkTask, SinkTaskStart,
};

use super::source_run::{context, task_id};
use super::{GRACE, PATIENCE, done, within};

/// The topic that records come from.
pub(super) const TOPIC: &str = "acceptance";

/// Committed offsets, which outlive tasks.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) committed: Offsets,
}

/// A started connector with one started task. Dropping it is what a kill is: nothing more is called.
pub(super) struct SinkRun {
    connector: Box<dyn SinkConnector>,
    task: Box<dyn SinkTask>,
    assigned: BTreeSet<TopicPartition>,
    /// Where the consumer reads next.
    positions: Offsets,
    /// What `put` was given, as `pre_commit` is told.
    seen: Offsets,
    /// Reported instead of written.
    pub(super) errant: Vec<ErrantRecord>,
}

pub(super) fn connector(plugin: &Plugin) -> Result<Box<dyn SinkConnector>, String> {
    match plugin.factory {
        Factory::Sink(make) => Ok(make()),
        _ => Err("this is no sink connector".into()),
    }
}

pub(super) fn partitions(numbers: &[i32]) -> Vec<TopicPartition> {
    numbers.iter().map(|number| TopicPartition::new(TOPIC, *number)).collect()
}

/// A record as it comes out of a partition.
pub(super) fn consumed(partition: &TopicPartition, offset: i64, record: Record) -> SinkRecord {
    let record = Record {
        topic: partition.topic.clone(),
        partition: Some(partition.partition),
        kind: RecordKind::Sink { offset, timestamp_type: TimestampType::CreateTime },
        timestamp: record.timestamp.or(Some(now())),
        ..record
    };
    let origin = KafkaOrigin {
        topic: partition.topic.clone(),
        partition: partition.partition,
        offset,
        leader_epoch: None,
    };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl SinkRun {
    pub(super) async fn start(plugin: &Plugin, config: &Config) -> Result<Self, String> {
        let mut connector = connector(plugin)?;
        done(PATIENCE, "the connector's start", connector.start(context(), config)).await?;
        let configs = done(PATIENCE, "task_configs", connector.task_configs(1)).await?;
        let config = configs.first().ok_or("task_configs gives no task for the sample")?;
        let mut task = connector.task(config).map_err(|error| format!("the task cannot be made: {error}"))?;
        done(PATIENCE, "the task's start", task.start(SinkTaskStart { id: task_id(0) })).await?;
        Ok(Self {
            connector,
            task,
            assigned: BTreeSet::new(),
            positions: Offsets::new(),
            seen: Offsets::new(),
            errant: Vec::new(),
        })
    }

    /// Assigns partitions. The consumer stands at the group's offset, or where the task wants it.
    pub(super) async fn open(&mut self, numbers: &[i32], group: &Group) -> Result<(), String> {
        let opened = partitions(numbers);
        for partition in &opened {
            self.positions.insert(partition.clone(), group.committed.get(partition).copied().unwrap_or(0));
        }
        self.assigned.extend(opened.iter().cloned());
        let mut context = SinkContext::at(now());
        done(PATIENCE, "open", self.task.open(&opened, &mut context)).await?;
        self.rewind(&context)
    }

    fn rewind(&mut self, context: &SinkContext) -> Result<(), String> {
        for (partition, offset) in &context.rewind {
            if !self.assigned.contains(partition) {
                return Err(format!("a rewind of {partition}, which is not assigned"));
            }
            self.positions.insert(partition.clone(), *offset);
        }
        Ok(())
    }

    /// The next `count` records of every assigned partition, up to `end`.
    pub(super) fn fetch(
        &mut self,
        count: i64,
        end: i64,
        record: &dyn Fn(&TopicPartition, i64) -> Record,
    ) -> Vec<SinkRecord> {
        let mut batch = Vec::new();
        for partition in &self.assigned {
            let from = self.positions.get(partition).copied().unwrap_or(0);
            let to = end.min(from.saturating_add(count)).max(from);
            batch.extend((from..to).map(|offset| consumed(partition, offset, record(partition, offset))));
            self.positions.insert(partition.clone(), to);
        }
        batch
    }

    /// Whether the consumer has read every assigned partition up to `end`.
    pub(super) fn is_at(&self, end: i64) -> bool {
        self.assigned.iter().all(|partition| self.positions.get(partition).is_some_and(|at| *at >= end))
    }

    /// Gives the task a batch, again for as long as it wants to be given it again.
    pub(super) async fn put(
        &mut self,
        batch: Vec<SinkRecord>,
        takes_errant_records: bool,
    ) -> Result<Result<(), Error>, String> {
        let batch: SinkBatch = batch.into();
        let mut read: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for record in batch.iter() {
            let origin = &record.origin;
            read.insert(TopicPartition::new(origin.topic.clone(), origin.partition), origin.offset + 1);
        }
        self.seen.extend(read);
        let put = async {
            loop {
                let mut context = SinkContext { takes_errant_records, ..SinkContext::at(now()) };
                match self.task.put(batch.clone(), &mut context).await {
                    Err(error) if error.is_retriable() => tokio::task::yield_now().await,
                    Err(error) => return Ok(Err(error)),
                    Ok(()) => {
                        self.rewind(&context)?;
                        self.errant.append(&mut context.errant);
                        return Ok(Ok(()));
                    }
                }
            }
        };
        within(PATIENCE, "put", put).await?
    }

    /// Asks what is durable, and commits that.
    pub(super) async fn commit(&mut self, group: &mut Group) -> Result<(), String> {
        let mut context = SinkContext::at(now());
        let durable = done(PATIENCE, "pre_commit", self.task.pre_commit(&self.seen, &mut context)).await?;
        for (partition, offset) in durable {
            if !self.assigned.contains(&partition) {
                return Err(format!("pre_commit answers for {partition}, which is not assigned"));
            }
            let position = self.positions.get(&partition).copied().unwrap_or(0);
            let known = self.seen.get(&partition).copied().unwrap_or(0).max(position);
            if offset > known {
                return Err(format!(
                    "pre_commit says {partition} is durable up to {offset}; it was given up to {known}"
                ));
            }
            group.committed.insert(partition, offset);
        }
        self.rewind(&context)
    }

    /// Takes partitions away, as a rebalance does: commit, then close.
    pub(super) async fn close(&mut self, numbers: &[i32], group: &mut Group) -> Result<(), String> {
        self.commit(group).await?;
        let closed = partitions(numbers);
        done(PATIENCE, "close", self.task.close(&closed, &mut SinkContext::at(now()))).await?;
        for partition in closed {
            self.assigned.remove(&partition);
            self.seen.remove(&partition);
            self.positions.remove(&partition);
        }
        Ok(())
    }

    /// Closes what is open and stops.
    pub(super) async fn finish(mut self, group: &mut Group) -> Result<(), String> {
        let open: Vec<i32> = self.assigned.iter().map(|partition| partition.partition).collect();
        if !open.is_empty() {
            self.close(&open, group).await?;
        }
        self.stop().await
    }

    /// Stops without a commit.
    pub(super) async fn stop(mut self) -> Result<(), String> {
        within(GRACE, "the task's stop", self.task.stop()).await?;
        within(GRACE, "the connector's stop", self.connector.stop()).await
    }
}
