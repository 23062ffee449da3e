//! Partitions that come and go, and what is committed of them.

use lavka_api::data::TopicPartition;
use lavka_api::plugin::{Offsets, SinkContext};
use lavka_api::{Error, Result};

use super::run::Runner;

impl Runner {
    pub(super) async fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        tracing::info!(task = %self.id, "assigned {}", listed(partitions));
        self.progress.assign(partitions);
        self.metrics.partitions(self.progress.assigned().len());
        let mut context = self.context();
        self.task.open(partitions, &mut context).await?;
        self.obey(context).await
    }

    /// Gives partitions back, whether or not the sink can say what of them is durable: they are somebody else's in a
    /// moment.
    pub(super) async fn revoked(&mut self, partitions: &[TopicPartition], lost: bool) -> Result<()> {
        tracing::info!(task = %self.id, "{} {}", if lost { "lost" } else { "handing back" }, listed(partitions));
        let committed = if lost { Ok(()) } else { self.commit(Some(partitions)).await };
        let mut context = self.context();
        let closed = self.task.close(partitions, &mut context).await;
        self.progress.revoke(partitions);
        self.metrics.partitions(self.progress.assigned().len());
        // Their next owner reads again what was not committed.
        if let Some(pending) = self.pending.take() {
            self.pending = pending.without(partitions);
        }
        committed.and(closed)?;
        self.obey(context).await
    }

    /// Asks the task what is durable (of `only` these partitions, where given) and commits it. A commit that fails is
    /// tried again at the next interval: the offsets are only ever late.
    pub(super) async fn commit(&mut self, only: Option<&[TopicPartition]>) -> Result<()> {
        self.policy.settle().await?;
        let seen = self.progress.seen(only);
        if seen.is_empty() {
            return Ok(());
        }
        let mut context = self.context();
        let durable = match self.task.pre_commit(&seen, &mut context).await {
            Ok(durable) => durable,
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.id, "the sink cannot say now what is durable: {error}");
                return self.obey(context).await;
            }
            Err(error) => return Err(error),
        };
        let offsets = self.progress.committable(&durable, only);
        if !offsets.is_empty() {
            self.write(&offsets).await;
        }
        context.request_commit = false;
        self.obey(context).await
    }

    async fn write(&mut self, offsets: &Offsets) {
        self.commits += 1;
        self.metrics.commit_number(self.commits);
        match self.consumer.commit(offsets).await {
            Ok(()) => {
                self.metrics.committed();
                self.progress.note_committed(offsets);
            }
            Err(error) => tracing::warn!(task = %self.id, "offsets were not committed: {error}"),
        }
    }

    /// Does what the task asked for in a call, for the partitions that it has.
    pub(super) async fn obey(&mut self, mut context: SinkContext) -> Result<()> {
        if let Some(errant) = context.errant.first() {
            return Err(Error::fatal(
                "the sink reported a record outside of put with records; which one it means cannot be told",
            )
            .caused_by(errant.error.clone()));
        }
        for (partition, offset) in &context.rewind {
            if !self.progress.is_assigned(partition) {
                tracing::warn!(task = %self.id, "{partition} is not this task's and is not rewound");
                continue;
            }
            tracing::info!(task = %self.id, "{partition} goes on at offset {offset} as the sink asked");
            let leader_epoch = context.rewind_epochs.get(partition).copied();
            self.consumer.seek(partition, *offset, leader_epoch).await?;
            self.progress.advance(partition, *offset);
        }
        context.pause.retain(|partition| self.progress.is_assigned(partition));
        if !context.pause.is_empty() {
            self.consumer.pause(&context.pause).await?;
        }
        context.resume.retain(|partition| self.progress.is_assigned(partition));
        if !context.resume.is_empty() {
            self.consumer.resume(&context.resume).await?;
        }
        if context.request_commit {
            self.progress.request_commit();
        }
        Ok(())
    }

    /// Commits, closes and stops, whatever way the loop ended; its error comes first.
    pub(super) async fn end(mut self, outcome: Result<()>) -> Result<()> {
        let partitions = self.progress.assigned();
        let committed = self.commit(None).await;
        let mut context = self.context();
        let closed =
            if partitions.is_empty() { Ok(()) } else { self.task.close(&partitions, &mut context).await };
        self.task.stop().await;
        self.consumer.close().await;
        outcome.and(committed).and(closed)
    }
}

fn listed(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
