//! The admin client, on the wire client alone: it costs one connection instead of librdkafka's threads, and brokers' own
//! words reach the user.

mod groups;
pub(crate) mod offsets;
mod producers;
pub(crate) mod topics;

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;
use lavka_ports::{Admin, ClusterInfo, NewTopic, TopicCreated, TopicInfo};

use crate::settings;
use crate::wire::WireClient;

/// The admin client behind the port.
pub(crate) struct WireAdmin {
    wire: WireClient,
}

impl WireAdmin {
    /// Makes an admin client; connects to nothing yet.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self { wire: WireClient::new(settings::admin(config)?) })
    }
}

#[async_trait]
impl Admin for WireAdmin {
    async fn cluster(&self) -> Result<ClusterInfo> {
        self.wire
            .repeat("Asking for the cluster's id", || async {
                // No topics: the answer is about the cluster alone.
                let metadata = self.wire.metadata(Some(&[])).await?;
                Ok(ClusterInfo { id: metadata.cluster_id.map(|id| id.to_string()).unwrap_or_default() })
            })
            .await
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        topics::describe(&self.wire, name).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<TopicCreated> {
        topics::create(&self.wire, topic).await
    }

    async fn topic_setting(&self, topic: &str, setting: &str) -> Result<Option<String>> {
        topics::setting(&self.wire, topic, setting).await
    }

    async fn fence_producers(&self, transactional_ids: &[String]) -> Result<()> {
        producers::fence(&self.wire, transactional_ids).await
    }

    async fn end_offsets(&self, partitions: &[TopicPartition]) -> Result<Offsets> {
        offsets::ends(&self.wire, partitions, self.wire.settings().read_committed).await
    }

    async fn group_offsets(&self, group: &str) -> Result<Offsets> {
        groups::offsets(&self.wire, group).await
    }

    async fn alter_group_offsets(&self, group: &str, offsets: &Offsets) -> Result<()> {
        groups::alter(&self.wire, group, offsets).await
    }

    async fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<()> {
        groups::forget(&self.wire, group, partitions).await
    }

    async fn delete_group(&self, group: &str) -> Result<()> {
        groups::delete(&self.wire, group).await
    }
}
