//! Topics that a connector reads beside its own work: orders to it.

use async_trait::async_trait;

use crate::config::Config;
use crate::data::Blob;
use crate::error::Result;

/// A message of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicMessage {
    /// The key's bytes.
    pub key: Option<Blob>,
    /// The value's bytes.
    pub value: Option<Blob>,
}

/// Reads a topic as a member of a consumer group.
#[async_trait]
pub trait TopicReader: Send {
    /// The next messages; waits until there are some. May be dropped while it waits.
    ///
    /// # Errors
    /// Why it cannot go on. Passing trouble (a broker that is away) is waited out.
    async fn next(&mut self) -> Result<Vec<TopicMessage>>;

    /// What was handed out is dealt with: the group's offsets move behind it.
    ///
    /// # Errors
    /// Where they could not be committed.
    async fn commit(&mut self) -> Result<()>;
}

/// Opens readers of topics, for connectors that take orders there. A worker that has no Kafka offers none.
pub trait Topics: Send + Sync {
    /// A reader of `topic`. `config` has Java's client keys; `bootstrap.servers` and what is needed to log in are those of
    /// the worker where it does not say, and `group.id` names the group.
    ///
    /// # Errors
    /// A config error for a setting that is wrong or has no counterpart.
    fn reader(&self, config: &Config, topic: &str) -> Result<Box<dyn TopicReader>>;
}
