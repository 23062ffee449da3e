//! A consumer group of one member, and the topics it reads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{TimestampType, Topic, TopicPartition};
use lavka_api::plugin::Offsets;
use lavka_api::{Error, Result};
use lavka_ports::{
    ConsumedRecord, Consumer, ConsumerEvent, RebalanceWaiter, Subscription, rebalance_handshake,
};
use tokio::sync::Notify;

pub(crate) fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

pub(crate) fn offsets<const N: usize>(entries: [(i32, i64); N]) -> Offsets {
    entries.into_iter().map(|(partition, offset)| (tp(partition), offset)).collect()
}

/// Something to happen to the group.
enum Change {
    Assign(Vec<TopicPartition>),
    Revoke(Vec<TopicPartition>, ConsumerEvent),
}

#[derive(Default)]
struct State {
    logs: BTreeMap<TopicPartition, Vec<ConsumedRecord>>,
    changes: VecDeque<Change>,
    /// Positions of the partitions that the member has.
    positions: BTreeMap<TopicPartition, i64>,
    paused: BTreeSet<TopicPartition>,
    committed: Offsets,
    commits: Vec<Offsets>,
    commit_failures: VecDeque<Error>,
    seeks: Vec<(TopicPartition, i64, Option<i32>)>,
    subscriptions: Vec<Subscription>,
    names: Vec<String>,
    failure: Option<Error>,
    polls: usize,
    closed: bool,
}

/// The broker, as the test sees it.
#[derive(Clone, Default)]
pub(crate) struct Broker {
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

impl Broker {
    /// A broker with these records in partition 0, which it assigns.
    pub(crate) fn holding(values: &[&str]) -> Self {
        let broker = Self::default();
        broker.append(0, values);
        broker.assign(&[tp(0)]);
        broker
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn consumer(&self) -> Box<dyn Consumer> {
        Box::new(Member(self.clone()))
    }

    /// Appends records to a partition.
    pub(crate) fn append<T: AsRef<str>>(&self, partition: i32, values: impl IntoIterator<Item = T>) {
        for value in values {
            let offset = self.end(partition);
            self.append_record(ConsumedRecord {
                topic: Topic::from("t"),
                partition,
                offset,
                leader_epoch: Some(0),
                timestamp: Some(1000 + offset),
                timestamp_type: TimestampType::CreateTime,
                key: None,
                value: Some(value.as_ref().as_bytes().into()),
                headers: Vec::new(),
            });
        }
    }

    pub(crate) fn append_record(&self, record: ConsumedRecord) {
        let at = TopicPartition::new(record.topic.clone(), record.partition);
        self.state().logs.entry(at).or_default().push(record);
        self.news.notify_one();
    }

    /// The offset of the next record of a partition.
    pub(crate) fn end(&self, partition: i32) -> i64 {
        self.state().logs.get(&tp(partition)).map_or(0, |log| log.len() as i64)
    }

    pub(crate) fn assign(&self, partitions: &[TopicPartition]) {
        self.state().changes.push_back(Change::Assign(partitions.to_vec()));
        self.news.notify_one();
    }

    /// Takes partitions away; the waiter tells when the member has let go of them.
    pub(crate) fn revoke(&self, partitions: &[TopicPartition], lost: bool) -> RebalanceWaiter {
        let (done, waiter) = rebalance_handshake();
        let event = ConsumerEvent::Revoked { partitions: partitions.to_vec(), lost, done };
        self.state().changes.push_back(Change::Revoke(partitions.to_vec(), event));
        self.news.notify_one();
        waiter
    }

    pub(crate) fn committed(&self) -> Offsets {
        self.state().committed.clone()
    }

    pub(crate) fn commits(&self) -> Vec<Offsets> {
        self.state().commits.clone()
    }

    /// Sets what the group has committed.
    pub(crate) fn set_committed(&self, partition: i32, offset: i64) {
        self.state().committed.insert(tp(partition), offset);
    }

    pub(crate) fn fail_next_commit(&self, error: Error) {
        self.state().commit_failures.push_back(error);
    }

    pub(crate) fn fail(&self, error: Error) {
        self.state().failure = Some(error);
        self.news.notify_one();
    }

    pub(crate) fn seeks(&self) -> Vec<(TopicPartition, i64, Option<i32>)> {
        self.state().seeks.clone()
    }

    pub(crate) fn paused(&self) -> Vec<TopicPartition> {
        self.state().paused.iter().cloned().collect()
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.state().subscriptions.clone()
    }

    pub(crate) fn create_topic(&self, name: &str) {
        self.state().names.push(name.to_owned());
    }

    /// How far the member has read.
    pub(crate) fn position(&self, partition: i32) -> Option<i64> {
        self.state().positions.get(&tp(partition)).copied()
    }

    /// How often the member asked for something.
    pub(crate) fn polls(&self) -> usize {
        self.state().polls
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }
}

impl State {
    fn take(&mut self, most: usize) -> Option<ConsumerEvent> {
        match self.changes.pop_front() {
            Some(Change::Assign(partitions)) => {
                for partition in &partitions {
                    let from = self.committed.get(partition).copied().unwrap_or(0);
                    self.positions.insert(partition.clone(), from);
                }
                return Some(ConsumerEvent::Assigned(partitions));
            }
            Some(Change::Revoke(partitions, event)) => {
                for partition in &partitions {
                    self.positions.remove(partition);
                    self.paused.remove(partition);
                }
                return Some(event);
            }
            None => {}
        }
        let mut records = Vec::new();
        for (partition, position) in &mut self.positions {
            if self.paused.contains(partition) {
                continue;
            }
            let from = usize::try_from(*position).unwrap();
            let log = self.logs.get(partition).map_or(&[][..], Vec::as_slice);
            let ready = log.get(from..).unwrap_or_default();
            let count = ready.len().min(most - records.len());
            records.extend_from_slice(&ready[..count]);
            *position += count as i64;
        }
        (!records.is_empty()).then_some(ConsumerEvent::Records(records))
    }
}

struct Member(Broker);

#[async_trait]
impl Consumer for Member {
    async fn subscribe(&mut self, subscription: &Subscription) -> Result<()> {
        self.0.state().subscriptions.push(subscription.clone());
        Ok(())
    }

    async fn next(&mut self, max_records: usize, wait: Duration) -> Result<ConsumerEvent> {
        self.0.state().polls += 1;
        let event = async {
            loop {
                {
                    let mut state = self.0.state();
                    if let Some(error) = &state.failure {
                        return Err(error.clone());
                    }
                    if let Some(event) = state.take(max_records) {
                        return Ok(event);
                    }
                }
                self.0.news.notified().await;
            }
        };
        tokio::time::timeout(wait, event).await.unwrap_or(Ok(ConsumerEvent::Idle))
    }

    async fn seek(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
        leader_epoch: Option<i32>,
    ) -> Result<()> {
        let mut state = self.0.state();
        state.seeks.push((partition.clone(), offset, leader_epoch));
        match state.positions.get_mut(partition) {
            Some(position) => *position = offset,
            None => return Err(Error::fatal(format!("No current assignment for partition {partition}"))),
        }
        Ok(())
    }

    async fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.0.state().paused.extend(partitions.iter().cloned());
        Ok(())
    }

    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.0.state().paused.retain(|paused| !partitions.contains(paused));
        Ok(())
    }

    async fn commit(&mut self, offsets: &Offsets) -> Result<()> {
        let mut state = self.0.state();
        if let Some(error) = state.commit_failures.pop_front() {
            return Err(error);
        }
        state.commits.push(offsets.clone());
        state.committed.extend(offsets.iter().map(|(partition, offset)| (partition.clone(), *offset)));
        Ok(())
    }

    async fn topics(&mut self) -> Result<Vec<String>> {
        Ok(self.0.state().names.clone())
    }

    async fn close(self: Box<Self>) {
        self.0.state().closed = true;
    }
}
