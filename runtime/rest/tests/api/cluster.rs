//! Kafka in memory: clients that move nothing, and consumer groups with offsets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{Topic, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::{
    Ack, Admin, Buffer, Cluster, ClusterInfo, Consumer, ConsumerEvent, LogReader, NewTopic, OutgoingRecord,
    Producer, SendError, Subscription, TopicCreated, TopicInfo, TransactionalProducer,
};

/// Groups by name.
#[derive(Default)]
struct Groups {
    offsets: Mutex<BTreeMap<String, Offsets>>,
    have_members: AtomicBool,
    away: AtomicBool,
    waited_for: AtomicBool,
    created: Mutex<Vec<NewTopic>>,
}

#[derive(Default)]
pub(crate) struct MemoryCluster(Arc<Groups>);

impl MemoryCluster {
    /// From now on every group has members that did not leave, as after a task that does not stop.
    pub(crate) fn keep_members(&self) {
        self.0.have_members.store(true, Ordering::SeqCst);
    }

    /// From now on nobody answers.
    pub(crate) fn go_away(&self) {
        self.0.away.store(true, Ordering::SeqCst);
    }

    /// Whether somebody waits for an answer that does not come.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.waited_for.load(Ordering::SeqCst)
    }

    /// The topics that were created.
    pub(crate) fn created(&self) -> Vec<NewTopic> {
        self.0.created.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let offsets = Offsets::from([(TopicPartition::new(topic, partition), offset)]);
        self.0.change(|groups| groups.entry(group.to_owned()).or_default().extend(offsets));
    }
}

impl Groups {
    fn change<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Offsets>) -> T) -> T {
        act(&mut self.offsets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for ever where the cluster is away.
    async fn reach(&self) {
        if self.away.load(Ordering::SeqCst) {
            self.waited_for.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }

    fn write<T>(
        &self,
        exception: &'static str,
        act: impl FnOnce(&mut BTreeMap<String, Offsets>) -> T,
    ) -> Result<T> {
        if self.have_members.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorClass::Fatal, exception, "The group still has members."));
        }
        Ok(self.change(act))
    }
}

impl Cluster for MemoryCluster {
    fn producer(&self, _config: &Config) -> Result<Arc<dyn Producer>> {
        Ok(Arc::new(Silent))
    }

    fn transactional_producer(&self, _: &Config) -> Result<Arc<dyn TransactionalProducer>> {
        Err(Error::config("there are no transactions here"))
    }

    fn log_reader(&self, _: &Config, _: &str) -> Result<Box<dyn LogReader>> {
        Err(Error::config("there is no log here"))
    }

    fn consumer(&self, _config: &Config, _buffer: Buffer) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(Silent))
    }

    fn admin(&self, _config: &Config) -> Result<Arc<dyn Admin>> {
        Ok(Arc::new(MemoryAdmin(Arc::clone(&self.0))))
    }
}

/// A client to which nothing ever happens.
struct Silent;

#[async_trait]
impl Producer for Silent {
    fn send(&self, _record: OutgoingRecord<'_>) -> std::result::Result<(), SendError> {
        Err(SendError::QueueFull)
    }

    async fn acks(&self, _out: &mut Vec<Ack>) {
        std::future::pending::<()>().await;
    }

    async fn flush(&self, _timeout: Duration) -> bool {
        true
    }

    async fn partitions(&self, _topic: &Topic, _timeout: Duration) -> Result<Option<i32>> {
        Ok(Some(1))
    }
}

#[async_trait]
impl Consumer for Silent {
    async fn subscribe(&mut self, _subscription: &Subscription) -> Result<()> {
        Ok(())
    }

    async fn next(&mut self, _max_records: usize, wait: Duration) -> Result<ConsumerEvent> {
        tokio::time::sleep(wait).await;
        Ok(ConsumerEvent::Idle)
    }

    async fn seek(&mut self, _: &TopicPartition, _: i64, _: Option<i32>) -> Result<()> {
        Ok(())
    }

    async fn pause(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    async fn resume(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    async fn commit(&mut self, _offsets: &Offsets) -> Result<()> {
        Ok(())
    }

    async fn topics(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn close(self: Box<Self>) {}
}

struct MemoryAdmin(Arc<Groups>);

#[async_trait]
impl Admin for MemoryAdmin {
    async fn cluster(&self) -> Result<ClusterInfo> {
        Ok(ClusterInfo { id: "in-memory".into() })
    }

    async fn topic(&self, _name: &str) -> Result<Option<TopicInfo>> {
        Ok(None)
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<TopicCreated> {
        self.0.created.lock().unwrap_or_else(PoisonError::into_inner).push(topic.clone());
        Ok(TopicCreated::Created)
    }

    async fn topic_setting(&self, _: &str, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn fence_producers(&self, _: &[String]) -> Result<()> {
        Ok(())
    }

    async fn end_offsets(&self, _partitions: &[TopicPartition]) -> Result<Offsets> {
        Ok(Offsets::new())
    }

    async fn group_offsets(&self, group: &str) -> Result<Offsets> {
        self.0.reach().await;
        Ok(self.0.change(|groups| groups.get(group).cloned().unwrap_or_default()))
    }

    async fn alter_group_offsets(&self, group: &str, offsets: &Offsets) -> Result<()> {
        self.0.reach().await;
        self.0.write("org.apache.kafka.common.errors.UnknownMemberIdException", |groups| {
            groups.entry(group.to_owned()).or_default().extend(offsets.clone());
        })
    }

    async fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<()> {
        self.0.reach().await;
        self.0.write("org.apache.kafka.common.errors.GroupSubscribedToTopicException", |groups| {
            if let Some(offsets) = groups.get_mut(group) {
                offsets.retain(|partition, _| !partitions.contains(partition));
            }
        })
    }

    async fn delete_group(&self, group: &str) -> Result<()> {
        self.0.reach().await;
        self.0.write("org.apache.kafka.common.errors.GroupNotEmptyException", |groups| {
            groups.remove(group);
        })
    }
}
