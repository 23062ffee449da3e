//! The topics there are, by name and by id, and the memory their records take.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    isolation::Isolation,
    log::{Held, Log},
    name::Name,
    producers::Producers,
    topic_config::{Rules, TopicConfig},
};

/// One partition, addressed for as long as its topic lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PartitionKey {
    pub(super) topic: Uuid,
    pub(super) index: i32,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) log: Log,
    pub(super) producers: Producers,
    pub(super) isolation: Isolation,
    /// How many times the partition changed its leader. Requests that know another number are refused.
    pub(super) leader_epoch: i32,
}

impl Partition {
    /// Where a reader of committed records has to stop: the first offset of the oldest open transaction.
    pub(super) fn last_stable_offset(&self) -> i64 {
        let end = self.log.end();
        self.isolation.first_open().map_or(end, |first| first.max(self.log.start()).min(end))
    }
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Name,
    pub(super) id: Uuid,
    pub(super) partitions: Vec<Partition>,
    pub(super) config: TopicConfig,
}

impl Topic {
    pub(super) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn key(&self, index: i32) -> PartitionKey {
        PartitionKey { topic: self.id, index }
    }

    /// Number of partitions as the protocol counts them.
    pub(super) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// How a request names a topic: by name in older versions, by id in newer ones.
#[derive(Debug, Clone, Copy)]
pub(super) enum TopicRef<'a> {
    Name(&'a str),
    Id(Uuid),
}

/// See the module. Invariants: `names` has exactly the ids of `topics`; `partitions` and `held` are the sums over
/// all topics.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: HashMap<Uuid, Topic>,
    names: BTreeMap<Name, Uuid>,
    partitions: usize,
    held: Held,
}

impl Topics {
    pub(super) fn get(&self, topic: TopicRef<'_>) -> Option<&Topic> {
        match topic {
            TopicRef::Name(name) => self.topics.get(self.names.get(name)?),
            TopicRef::Id(id) => self.topics.get(&id),
        }
    }

    pub(super) fn get_mut(&mut self, topic: TopicRef<'_>) -> Option<&mut Topic> {
        match topic {
            TopicRef::Name(name) => self.topics.get_mut(self.names.get(name)?),
            TopicRef::Id(id) => self.topics.get_mut(&id),
        }
    }

    pub(super) fn has_partition(&self, name: &str, index: i32) -> bool {
        self.get(TopicRef::Name(name)).is_some_and(|topic| topic.partition(index).is_some())
    }

    /// All topics in order of name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.names.values().filter_map(|id| self.topics.get(id))
    }

    /// A topic whose name differs from `name` in dots and underscores only; their metrics would be mixed up, so Kafka
    /// lets only one of them exist.
    pub(super) fn collision(&self, name: &str) -> Option<&Name> {
        if !name.contains(['.', '_']) {
            return None;
        }
        let plain = name.replace('.', "_");
        self.names.keys().find(|other| other.replace('.', "_") == plain)
    }

    pub(super) fn count(&self) -> usize {
        self.topics.len()
    }

    pub(super) fn partition_count(&self) -> usize {
        self.partitions
    }

    pub(super) fn held(&self) -> Held {
        self.held
    }

    /// Adds a topic; the name must be new.
    pub(super) fn add(&mut self, name: Name, id: Uuid, partitions: usize, config: TopicConfig) {
        self.names.insert(name.clone(), id);
        let topic = Topic {
            name,
            id,
            partitions: std::iter::repeat_with(Partition::default).take(partitions).collect(),
            config,
        };
        self.topics.insert(id, topic);
        self.partitions += partitions;
    }

    /// Grows a topic to `count` partitions.
    pub(super) fn grow(&mut self, name: &str, count: usize) {
        let Some(topic) = self.get_mut(TopicRef::Name(name)) else { return };
        let more = count.saturating_sub(topic.partitions.len());
        topic.partitions.extend(std::iter::repeat_with(Partition::default).take(more));
        self.partitions += more;
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Option<Topic> {
        let topic = self.topics.remove(&id)?;
        self.names.remove(&topic.name);
        self.partitions -= topic.partitions.len();
        for partition in &topic.partitions {
            self.held.bytes -= partition.log.held().bytes;
            self.held.records -= partition.log.held().records;
        }
        Some(topic)
    }

    /// Changes a partition and keeps the sums right.
    pub(super) fn change<R>(
        &mut self,
        key: PartitionKey,
        change: impl FnOnce(&mut Partition, &Rules) -> R,
    ) -> Option<R> {
        let topic = self.topics.get_mut(&key.topic)?;
        let rules = topic.config.rules;
        let partition = topic.partition_mut(key.index)?;
        let before = partition.log.held();
        let result = change(partition, &rules);
        let after = partition.log.held();
        self.held.bytes = self.held.bytes - before.bytes + after.bytes;
        self.held.records = self.held.records - before.records + after.records;
        Some(result)
    }

    /// The keys of all partitions.
    pub(super) fn keys(&self) -> Vec<PartitionKey> {
        self.topics
            .values()
            .flat_map(|topic| (0..topic.partition_count()).map(|index| topic.key(index)))
            .collect()
    }

    /// The partition that may give back the most.
    pub(super) fn largest_deletable(&self) -> Option<(PartitionKey, usize)> {
        self.topics
            .values()
            .filter(|topic| topic.config.rules.deletable)
            .flat_map(|topic| {
                let sizes = topic.partitions.iter().map(|partition| partition.log.held().bytes);
                (0..).zip(sizes).map(|(index, bytes)| (topic.key(index), bytes))
            })
            .max_by_key(|(_, bytes)| *bytes)
            .filter(|(_, bytes)| *bytes > 0)
    }
}
