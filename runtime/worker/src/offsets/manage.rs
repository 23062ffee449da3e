//! Offsets of connectors as users see and change them (KIP-875).

use std::collections::BTreeMap;
use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Topic, TopicPartition, Value};
use lavka_api::plugin::{Offsets, TaskId};
use lavka_converters::json::offsets::check_primitive;
use lavka_coordination::herder::tasks_max;
use lavka_engine::source::OffsetStore as _;
use lavka_ports::Admin;

use super::log::compacted;
use super::topic::TopicOffsets;
use crate::answers::{ConnectorOffset, OffsetChange, Refusal};
use crate::assembly::{Assembly, Connector, connector_plugin};
use crate::generation::MOST_UNKNOWN;

/// What is done to offsets, for the text of the answer.
#[derive(Clone, Copy)]
enum Done {
    Altered,
    Reset,
}

impl Done {
    /// `managed`: the connector keeps its offsets in Connect alone.
    fn message(self, managed: bool) -> &'static str {
        match (self, managed) {
            (Done::Altered, true) => "The offsets for this connector have been altered successfully",
            (Done::Reset, true) => "The offsets for this connector have been reset successfully",
            (Done::Altered, false) => {
                "The Connect framework-managed offsets for this connector have been altered successfully. However, if \
                 this connector manages offsets externally, they will need to be manually altered in the system that \
                 the connector uses."
            }
            (Done::Reset, false) => {
                "The Connect framework-managed offsets for this connector have been reset successfully. However, if \
                 this connector manages offsets externally, they will need to be manually reset in the system that \
                 the connector uses."
            }
        }
    }
}

impl Assembly {
    fn group_admin(&self, name: &str, config: &Config) -> Result<(Arc<dyn Admin>, String), Refusal> {
        let admin = self.cluster.admin(&self.clients.admin(name, config))?;
        Ok((admin, self.clients.group(name, config)))
    }

    /// The offsets of a source connector in a topic, where sources deliver exactly once.
    pub(crate) fn topic_offsets(
        &self,
        name: &str,
        config: &Config,
    ) -> lavka_api::Result<Option<TopicOffsets>> {
        let keys = &self.worker.keys;
        let Some(worker_topic) = keys.offset_topic.as_deref().filter(|_| self.worker.exactly_once()) else {
            return Ok(None);
        };
        let own = config.get("offsets.storage.topic").map(str::trim).filter(|topic| !topic.is_empty());
        let key = if own.is_some() { "offsets.storage.topic" } else { "offset.storage.topic" };
        let topic = Topic::from(own.unwrap_or(worker_topic));
        let settings = self.worker.offset_topic_settings();
        let wanted = compacted(&topic, keys.offset_partitions, keys.offset_replication, settings);
        let clients = (self.clients.offsets_consumer(config), self.clients.offsets_admin(config));
        let log = self.offset_logs.open(&*self.cluster, clients, wanted, key)?;
        Ok(Some(TopicOffsets { connector: name.to_owned(), topic, log, file: Arc::clone(&self.offsets) }))
    }

    async fn source_offsets(
        &self,
        name: &str,
        config: &Config,
    ) -> Result<Vec<(OffsetMap, OffsetMap)>, Refusal> {
        match self.topic_offsets(name, config)? {
            Some(offsets) => Ok(offsets.read_all().await?),
            None => Ok(self.offsets.read_all(name).await?),
        }
    }

    /// Writes offsets of a source connector. With exactly-once delivery tasks that may still be about are fenced first,
    /// as in Connect.
    async fn write_source_offsets(
        &self,
        name: &str,
        config: &Config,
        entries: &[(OffsetMap, Option<OffsetMap>)],
    ) -> Result<(), Refusal> {
        let Some(offsets) = self.topic_offsets(name, config)? else {
            return Ok(self.offsets.write(name, entries).await?);
        };
        let count = tasks_max(config);
        let admin = self.cluster.admin(&self.clients.admin(name, config))?;
        admin.fence_producers(&self.transactional_ids(name, MOST_UNKNOWN.min(count))).await?;
        let id = TaskId { connector: name.to_owned(), task: 0 };
        let producer =
            self.cluster.transactional_producer(&self.clients.transactional_producer(&id, config))?;
        Ok(offsets.write(&*producer, entries).await?)
    }

    /// `GET /connectors/{name}/offsets`.
    pub(crate) async fn offsets_of(
        &self,
        name: &str,
        config: &Config,
    ) -> Result<Vec<ConnectorOffset>, Refusal> {
        match Connector::new(connector_plugin(config, &self.catalogue)?)? {
            Connector::Source(_) => {
                let offsets = self.source_offsets(name, config).await?;
                Ok(offsets
                    .into_iter()
                    .map(|(partition, offset)| ConnectorOffset { partition, offset })
                    .collect())
            }
            Connector::Sink(_) => {
                let (admin, group) = self.group_admin(name, config)?;
                let offsets = admin.group_offsets(&group).await?;
                Ok(offsets.iter().map(|(partition, offset)| shown(partition, *offset)).collect())
            }
        }
    }

    /// `PATCH /connectors/{name}/offsets`; the connector is stopped.
    pub(crate) async fn alter_offsets(
        &self,
        name: &str,
        config: &Config,
        changes: Vec<OffsetChange>,
    ) -> Result<&'static str, Refusal> {
        match Connector::new(connector_plugin(config, &self.catalogue)?)? {
            Connector::Source(source) => {
                let mut entries = Vec::with_capacity(changes.len());
                for change in changes {
                    let partition = change.partition.ok_or_else(|| {
                        Refusal::bad_request(
                            "The partition for a source connector offset cannot be null or missing",
                        )
                    })?;
                    for (key, value) in partition
                        .entries()
                        .iter()
                        .chain(change.offset.iter().flat_map(|offset| offset.entries()))
                    {
                        check_primitive(key, value)
                            .map_err(|error| Refusal::bad_request(error.to_string()))?;
                    }
                    entries.push((partition, change.offset));
                }
                let managed = source
                    .alter_offsets(config, &entries)
                    .map_err(|e| Refusal::bad_request(e.to_string()))?;
                self.write_source_offsets(name, config, &entries).await?;
                Ok(Done::Altered.message(managed))
            }
            Connector::Sink(sink) => {
                let wanted = sink_offsets(changes)?;
                let entries: Vec<_> =
                    wanted.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect();
                let managed =
                    sink.alter_offsets(config, &entries).map_err(|e| Refusal::bad_request(e.to_string()))?;
                let (admin, group) = self.group_admin(name, config)?;
                let set: Offsets = wanted
                    .iter()
                    .filter_map(|(partition, offset)| Some((partition.clone(), (*offset)?)))
                    .collect();
                let forgotten: Vec<TopicPartition> = wanted
                    .iter()
                    .filter(|(_, offset)| offset.is_none())
                    .map(|(partition, _)| partition.clone())
                    .collect();
                if !set.is_empty() {
                    let altered = admin.alter_group_offsets(&group, &set).await;
                    altered.map_err(|error| refused(name, Done::Altered, &error))?;
                }
                if !forgotten.is_empty() {
                    let altered = admin.delete_group_offsets(&group, &forgotten).await;
                    altered.map_err(|error| refused(name, Done::Altered, &error))?;
                }
                Ok(Done::Altered.message(managed))
            }
        }
    }

    /// `DELETE /connectors/{name}/offsets`; the connector is stopped.
    pub(crate) async fn reset_offsets(&self, name: &str, config: &Config) -> Result<&'static str, Refusal> {
        match Connector::new(connector_plugin(config, &self.catalogue)?)? {
            Connector::Source(source) => {
                let held = self.source_offsets(name, config).await?;
                let entries: Vec<(OffsetMap, Option<OffsetMap>)> =
                    held.into_iter().map(|(partition, _)| (partition, None)).collect();
                let managed = source
                    .alter_offsets(config, &entries)
                    .map_err(|e| Refusal::bad_request(e.to_string()))?;
                if !entries.is_empty() {
                    self.write_source_offsets(name, config, &entries).await?;
                }
                Ok(Done::Reset.message(managed))
            }
            Connector::Sink(sink) => {
                let (admin, group) = self.group_admin(name, config)?;
                let held = admin.group_offsets(&group).await?;
                let entries: Vec<_> = held.keys().map(|partition| (partition.clone(), None)).collect();
                let managed =
                    sink.alter_offsets(config, &entries).map_err(|e| Refusal::bad_request(e.to_string()))?;
                let reset = admin.delete_group(&group).await;
                reset.map_err(|error| refused(name, Done::Reset, &error))?;
                Ok(Done::Reset.message(managed))
            }
        }
    }
}

/// The exceptions by which Kafka protects a group that has members.
const HAS_MEMBERS: [&str; 3] =
    ["UnknownMemberIdException", "GroupNotEmptyException", "GroupSubscribedToTopicException"];

/// The answer where the group's offsets could not be altered, or reset. Connect's text where the group has members, with
/// what Kafka said behind it.
fn refused(name: &str, done: Done, error: &lavka_api::Error) -> Refusal {
    let verb = match done {
        Done::Altered => "alter",
        Done::Reset => "reset",
    };
    if !HAS_MEMBERS.iter().any(|exception| error.exception().ends_with(exception)) {
        return Refusal::internal(format!(
            "Failed to {verb} consumer group offsets for connector {name}: {error}"
        ));
    }
    Refusal::internal(format!(
        "Failed to {verb} consumer group offsets for connector {name} either because its tasks haven't stopped \
         completely yet or the connector was resumed before the request to {verb} its offsets could be successfully \
         completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't \
         eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks. ({error})"
    ))
}

fn shown(partition: &TopicPartition, offset: i64) -> ConnectorOffset {
    ConnectorOffset {
        partition: OffsetMap::new([
            ("kafka_partition", Value::Int32(partition.partition)),
            ("kafka_topic", Value::from(partition.topic.as_str())),
        ]),
        offset: OffsetMap::new([("kafka_offset", Value::Int64(offset))]),
    }
}

/// The Kafka partitions and offsets that a request names (`SinkUtils.parseSinkConnectorOffsets`).
fn sink_offsets(changes: Vec<OffsetChange>) -> Result<BTreeMap<TopicPartition, Option<i64>>, Refusal> {
    let mut wanted = BTreeMap::new();
    for change in changes {
        let partition = change.partition.ok_or_else(|| {
            Refusal::bad_request("The partition for a sink connector offset cannot be null or missing")
        })?;
        let (Some(topic), Some(number)) = (partition.get("kafka_topic"), partition.get("kafka_partition"))
        else {
            return Err(Refusal::bad_request(
                "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
            ));
        };
        if topic.is_null() {
            return Err(Refusal::bad_request("Kafka topic names must be valid strings and may not be null"));
        }
        let topic = lavka_api::java::plain_text(topic);
        if number.is_null() {
            return Err(Refusal::bad_request("Kafka partitions must be valid numbers and may not be null"));
        }
        let number = integer(number).and_then(|number| i32::try_from(number).ok()).ok_or_else(|| {
            Refusal::bad_request(format!(
                "Failed to parse the following Kafka partition value in the provided offsets: '{}'. Partition values \
                 for sink connectors need to be integers.",
                lavka_api::java::plain_text(number)
            ))
        })?;
        let offset = match change.offset {
            None => None,
            Some(offset) => {
                let value = offset.get("kafka_offset").ok_or_else(|| {
                    Refusal::bad_request(
                        "The offset for a sink connector should either be null or contain the key 'kafka_offset'",
                    )
                })?;
                let number = integer(value).ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "Failed to parse the following Kafka offset value in the provided offsets: '{}'. Offset values \
                         for sink connectors need to be integers.",
                        lavka_api::java::plain_text(value)
                    ))
                })?;
                if number < 0 {
                    return Err(Refusal::bad_request(format!(
                        "The Kafka offset {number} in the provided offsets is negative; to forget an offset give null"
                    )));
                }
                Some(number)
            }
        };
        wanted.insert(TopicPartition::new(topic.as_str(), number), offset);
    }
    Ok(wanted)
}

/// Numbers, and texts of numbers.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(partition: Option<OffsetMap>, offset: Option<OffsetMap>) -> Vec<OffsetChange> {
        vec![OffsetChange { partition, offset }]
    }

    fn kafka(topic: Value, partition: Value) -> Option<OffsetMap> {
        Some(OffsetMap::new([("kafka_topic", topic), ("kafka_partition", partition)]))
    }

    #[test]
    fn a30_a31_each_mistake_has_its_text() {
        let refused = |changes| sink_offsets(changes).unwrap_err();
        let empty = || Some(OffsetMap::new::<&str, Value>([]));
        for (changes, part) in [
            (change(None, None), "cannot be null or missing"),
            (change(empty(), None), "must contain the keys 'kafka_topic' and 'kafka_partition'"),
            (change(kafka(Value::Null, Value::Int64(0)), None), "Kafka topic names must be valid strings"),
            (change(kafka("t".into(), Value::Null), None), "Kafka partitions must be valid numbers"),
            (
                change(kafka("t".into(), "x".into()), None),
                "Kafka partition value in the provided offsets: 'x'",
            ),
            (change(kafka("t".into(), Value::Int64(0)), empty()), "contain the key 'kafka_offset'"),
            (
                change(
                    kafka("t".into(), Value::Int64(0)),
                    Some(OffsetMap::new([("kafka_offset", Value::Boolean(true))])),
                ),
                "Kafka offset value in the provided offsets: 'true'",
            ),
            (
                change(
                    kafka("t".into(), Value::Int64(0)),
                    Some(OffsetMap::new([("kafka_offset", Value::Int64(-5))])),
                ),
                "The Kafka offset -5 in the provided offsets is negative",
            ),
        ] {
            let refusal = refused(changes);
            assert_eq!(refusal.status, 400);
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
    }

    #[test]
    fn texts_of_numbers_are_numbers() {
        let offset = Some(OffsetMap::new([("kafka_offset", Value::from("7"))]));
        let wanted = sink_offsets(change(kafka("t".into(), "3".into()), offset)).unwrap();
        assert_eq!(wanted.into_iter().collect::<Vec<_>>(), [(TopicPartition::new("t", 3), Some(7))]);
    }
}
