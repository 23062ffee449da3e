//! Topics that a source task creates before it sends their first record (KIP-158).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::Topic;
use lavka_api::{Error, Result};
use lavka_ports::{Admin, NewTopic, TopicCreated};

use crate::TopicMatcher;

/// Waits after the cluster could not be asked; there is no deadline.
const RETRY: Duration = Duration::from_millis(100);

/// Kafka's names for what is answered in words of its own.
mod kafka {
    pub(super) const TOPIC_AUTHORIZATION: &str = "org.apache.kafka.common.errors.TopicAuthorizationException";
    pub(super) const CLUSTER_AUTHORIZATION: &str =
        "org.apache.kafka.common.errors.ClusterAuthorizationException";
    pub(super) const UNSUPPORTED_VERSION: &str = "org.apache.kafka.common.errors.UnsupportedVersionException";
    pub(super) const CONFIGURATION: &str = "org.apache.kafka.common.errors.InvalidConfigurationException";
    pub(super) const REPLICATION_FACTOR: &str =
        "org.apache.kafka.common.errors.InvalidReplicationFactorException";
    pub(super) const TOPIC: &str = "org.apache.kafka.common.errors.InvalidTopicException";
}

/// What new topics are like whose names match.
#[derive(Clone)]
pub struct TopicGroup {
    /// Its alias, for logs.
    pub name: String,
    /// Whether a topic of this name belongs to it.
    pub matcher: Arc<TopicMatcher>,
    /// Partitions; the broker's default if `None`.
    pub partitions: Option<i32>,
    /// Replication factor; the broker's default if `None`.
    pub replication_factor: Option<i16>,
    /// Topic settings (`cleanup.policy` …).
    pub configs: Vec<(String, String)>,
}

impl TopicGroup {
    fn topic(&self, name: &Topic) -> NewTopic {
        NewTopic {
            name: name.to_string(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            configs: self.configs.clone(),
        }
    }
}

/// Creates topics that are missing. A topic is looked at once in a task's life.
pub struct TopicCreation {
    groups: Vec<TopicGroup>,
    admin: Arc<dyn Admin>,
    brokers: String,
    known: HashSet<Topic>,
    /// Most records have the topic of the one before.
    last: Option<Topic>,
}

impl TopicCreation {
    /// The first of `groups` that matches a topic says what it is like; one that none matches is not created.
    /// `brokers` are the admin client's `bootstrap.servers`, for error texts.
    #[must_use]
    pub fn new(groups: Vec<TopicGroup>, admin: Arc<dyn Admin>, brokers: impl Into<String>) -> Self {
        Self { groups, admin, brokers: brokers.into(), known: HashSet::new(), last: None }
    }

    /// Whether `topic` was not looked at yet.
    pub(super) fn is_new(&mut self, topic: &Topic) -> bool {
        if self.last.as_ref() == Some(topic) {
            return false;
        }
        let known = self.known.contains(topic);
        if known {
            self.last = Some(topic.clone());
        }
        !known
    }

    /// Sees to it that `topic` exists, however long the cluster cannot be asked. Can be dropped.
    ///
    /// # Errors
    /// Fatal, with Connect's texts, where the cluster refuses.
    pub(super) async fn ensure(&mut self, topic: &Topic) -> Result<()> {
        while let Err(error) = self.attempt(topic).await {
            if !error.is_retriable() {
                return Err(error);
            }
            tracing::warn!(
                "topic {topic} could not be looked at or created, and will be tried again: {error}"
            );
            tokio::time::sleep(RETRY).await;
        }
        self.known.insert(topic.clone());
        self.last = Some(topic.clone());
        Ok(())
    }

    async fn attempt(&self, topic: &Topic) -> Result<()> {
        if self.admin.topic(topic).await.map_err(|error| self.not_described(topic, error))?.is_some() {
            return Ok(());
        }
        let Some(group) = self.groups.iter().find(|group| (group.matcher)(topic)) else { return Ok(()) };
        let wanted = group.topic(topic);
        match self.admin.create_topic(&wanted).await.map_err(|error| not_created(&wanted, error))? {
            TopicCreated::Created => {
                tracing::info!("created topic {} as the group '{}' says", Described(&wanted), group.name);
            }
            // Somebody else was faster.
            TopicCreated::Existed => tracing::info!("topic {topic} exists by now"),
        }
        Ok(())
    }

    fn not_described(&self, topic: &Topic, error: Error) -> Error {
        if error.is_retriable() {
            return error;
        }
        let brokers = &self.brokers;
        let text = match error.exception() {
            kafka::TOPIC_AUTHORIZATION | kafka::CLUSTER_AUTHORIZATION => {
                format!("Not authorized to describe topic(s) '{topic}' on the brokers {brokers}")
            }
            kafka::UNSUPPORTED_VERSION => format!(
                "Unable to describe topic(s) '{topic}' since the brokers at {brokers} do not support the \
                 DescribeTopics API."
            ),
            _ => format!("Error while attempting to describe topics '{topic}'"),
        };
        Error::fatal(text).caused_by(error)
    }
}

fn not_created(topic: &NewTopic, error: Error) -> Error {
    if error.is_retriable() {
        return error;
    }
    let name = &topic.name;
    let text = match error.exception() {
        kafka::TOPIC_AUTHORIZATION | kafka::CLUSTER_AUTHORIZATION | kafka::UNSUPPORTED_VERSION => format!(
            "Task failed to create new topic {}. Ensure that the task is authorized to create topics or that the topic \
             exists and restart the task",
            Described(topic)
        ),
        kafka::CONFIGURATION | kafka::REPLICATION_FACTOR | kafka::TOPIC => {
            // Admin clients say which topic they speak of.
            let reason = error.message().unwrap_or_default();
            let reason = reason.strip_prefix(&format!("Topic {name}: ")).unwrap_or(reason);
            format!("Unable to create topic(s) '{name}': {reason}")
        }
        _ => format!("Error while attempting to create/find topic(s) '{name}'"),
    };
    Error::fatal(text).caused_by(error)
}

/// A new topic as Java's `NewTopic` prints itself.
struct Described<'a>(&'a NewTopic);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewTopic { name, partitions, replication_factor, configs } = self.0;
        let (partitions, replication) = (partitions.unwrap_or(-1), replication_factor.unwrap_or(-1));
        write!(f, "(name={name}, numPartitions={partitions}, replicationFactor={replication}, ")?;
        f.write_str("replicasAssignments=null, configs={")?;
        for (at, (key, value)) in configs.iter().enumerate() {
            write!(f, "{}{key}={value}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("})")
    }
}
