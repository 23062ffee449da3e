//! Looking at and changing topics and groups.

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;

/// What a cluster says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// Its id.
    pub id: String,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// The name.
    pub name: String,
    /// Partitions; the broker's default if `None`.
    pub partitions: Option<i32>,
    /// Replication factor; the broker's default if `None`.
    pub replication_factor: Option<i16>,
    /// Topic settings (`cleanup.policy` …).
    pub configs: Vec<(String, String)>,
}

/// What creating a topic came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicCreated {
    /// It was created.
    Created,
    /// It was there already; its settings were not looked at.
    Existed,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// The name.
    pub name: String,
    /// The number of its partitions.
    pub partitions: i32,
}

/// An admin client. All errors are retriable where the cluster cannot be asked now.
#[async_trait]
pub trait Admin: Send + Sync {
    /// The cluster's id.
    async fn cluster(&self) -> Result<ClusterInfo>;

    /// The topic `name`; `None` where it does not exist. Never creates it.
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>>;

    /// Creates a topic.
    async fn create_topic(&self, topic: &NewTopic) -> Result<TopicCreated>;

    /// The value of a setting of `topic` as it is in effect; `None` where the broker has no such setting.
    async fn topic_setting(&self, topic: &str, setting: &str) -> Result<Option<String>>;

    /// Sees to it that no producer which has one of these transactional ids now can write any more; transactions that
    /// such a producer left open are aborted (`fenceProducers`).
    async fn fence_producers(&self, transactional_ids: &[String]) -> Result<()>;

    /// End offsets (the offset of the next record) of `partitions`; those that do not exist are left out.
    async fn end_offsets(&self, partitions: &[TopicPartition]) -> Result<Offsets>;

    /// Committed offsets of a consumer group; empty where there is no such group.
    async fn group_offsets(&self, group: &str) -> Result<Offsets>;

    /// Sets offsets of a group without members; creates the group if need be.
    ///
    /// # Errors
    /// Fatal with the broker's text where the group has members.
    async fn alter_group_offsets(&self, group: &str, offsets: &Offsets) -> Result<()>;

    /// Forgets offsets of a group for `partitions` (`OffsetDelete`). Offsets that are not there are fine.
    async fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<()>;

    /// Deletes a group without members. A group that is not there is fine.
    async fn delete_group(&self, group: &str) -> Result<()>;
}
