//! Topics that source tasks read beside their own work.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::{Offsets, SourceConnector, SourceTask, TaskId, TopicMessage, TopicReader, Topics};
use lavka_api::{Result, async_trait};
use lavka_ports::{Buffer, Cluster, Consumer, ConsumerEvent, Subscription};

use crate::assembly::Assembly;

/// What a reader holds ahead: orders are few and small.
const BUFFER: Buffer = Buffer { records: 1000, bytes: 1 << 20 };

/// Messages handed out at once, and how long they are waited for before another look.
const MOST: usize = 100;
const WAIT: Duration = Duration::from_secs(1);

impl Assembly {
    /// A task of `source`, which may read topics with the worker's client settings.
    ///
    /// # Errors
    /// Where the task cannot be made of `config`.
    pub(crate) fn source_task(
        &self,
        id: &TaskId,
        connector: &Config,
        config: &Config,
        source: &dyn SourceConnector,
    ) -> Result<Box<dyn SourceTask>> {
        let mut task = source.task(config)?;
        let defaults = self.clients.consumer(id, connector);
        task.take_topics(Arc::new(OfWorker { cluster: Arc::clone(&self.cluster), defaults }));
        Ok(task)
    }
}

/// Readers with a task's consumer settings.
struct OfWorker {
    cluster: Arc<dyn Cluster>,
    defaults: Config,
}

impl Topics for OfWorker {
    fn reader(&self, config: &Config, topic: &str) -> Result<Box<dyn TopicReader>> {
        let mut all = self.defaults.clone();
        for (key, value) in config.iter() {
            all.set_nullable(key, value.map(str::to_owned));
        }
        let consumer = self.cluster.consumer(&all, BUFFER)?;
        Ok(Box::new(Reader { consumer, topic: topic.to_owned(), subscribed: false, behind: Offsets::new() }))
    }
}

struct Reader {
    consumer: Box<dyn Consumer>,
    topic: String,
    subscribed: bool,
    /// Behind what was handed out and is not committed.
    behind: Offsets,
}

#[async_trait]
impl TopicReader for Reader {
    async fn next(&mut self) -> Result<Vec<TopicMessage>> {
        if !self.subscribed {
            self.consumer.subscribe(&Subscription::Topics(vec![self.topic.clone()])).await?;
            self.subscribed = true;
        }
        loop {
            match self.consumer.next(MOST, WAIT).await? {
                ConsumerEvent::Records(records) => {
                    let message = |record: lavka_ports::ConsumedRecord| {
                        let partition = TopicPartition::new(record.topic, record.partition);
                        self.behind.insert(partition, record.offset.saturating_add(1));
                        TopicMessage { key: record.key, value: record.value }
                    };
                    return Ok(records.into_iter().map(message).collect());
                }
                ConsumerEvent::Revoked { partitions, .. } => {
                    self.behind.retain(|partition, _| !partitions.contains(partition));
                }
                ConsumerEvent::Assigned(_) | ConsumerEvent::Idle => {}
            }
        }
    }

    async fn commit(&mut self) -> Result<()> {
        let behind = std::mem::take(&mut self.behind);
        if behind.is_empty() { Ok(()) } else { self.consumer.commit(&behind).await }
    }
}
