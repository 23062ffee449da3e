//! CreateTopics, DeleteTopics, CreatePartitions and DeleteRecords.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
        CreateTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest,
        DeleteTopicsResponse, ResponseKind, TopicName,
        create_partitions_request::CreatePartitionsTopic,
        create_partitions_response::CreatePartitionsTopicResult,
        create_topics_request::CreatableTopic,
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        delete_topics_response::DeletableTopicResult,
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::{
    Cluster,
    batch::Refusal,
    name::Name,
    topic_config::{SETTINGS, TopicConfig},
    topics::{Topic, TopicRef},
};

/// DeleteRecords: up to the high watermark.
const TO_THE_END: i64 = -1;
const MAX_NAME: usize = 249;

/// Kafka's rule for topic names, in Kafka's words.
fn check_name(name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > MAX_NAME => {
            format!("the length of '{name}' is longer than the max allowed length {MAX_NAME}")
        }
        _ if !name.chars().all(legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err((ResponseError::InvalidTopicException, format!("Topic name is invalid: {why}")))
}

/// Names that appear more than once in one request.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts = HashMap::new();
    names.for_each(|name| *counts.entry(name).or_insert(0) += 1);
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

fn text(message: String) -> Option<StrBytes> {
    Some(StrBytes::from_string(message))
}

/// A reason, where the code alone would not do.
fn said(message: String) -> Option<StrBytes> {
    (!message.is_empty()).then(|| StrBytes::from_string(message))
}

impl Cluster {
    pub(super) fn create_topics(&mut self, request: CreateTopicsRequest) -> ResponseKind {
        let limit = self.config.max_partitions;
        let too_many = request.topics.len() > limit;
        let repeated: Vec<String> = repeated(request.topics.iter().map(|topic| topic.name.as_str()))
            .into_iter()
            .map(str::to_owned)
            .collect();
        let results = request.topics.into_iter().map(|topic| {
            let created = if too_many {
                let text = format!("more than max_partitions topics, {limit}, in one request");
                Err((ResponseError::PolicyViolation, text))
            } else if repeated.iter().any(|name| **name == *topic.name.as_str()) {
                Err((ResponseError::InvalidRequest, "Duplicate topic name.".to_owned()))
            } else {
                self.create_topic(&topic, request.validate_only)
            };
            let result = match created {
                Ok(result) => result,
                Err((error, message)) => CreatableTopicResult::default()
                    .with_error_code(error.code())
                    .with_error_message(text(message))
                    .with_topic_config_error_code(0)
                    .with_num_partitions(-1)
                    .with_replication_factor(-1),
            };
            result.with_name(topic.name)
        });
        ResponseKind::CreateTopics(CreateTopicsResponse::default().with_topics(results.collect()))
    }

    fn create_topic(
        &mut self,
        topic: &CreatableTopic,
        only_check: bool,
    ) -> Result<CreatableTopicResult, Refusal> {
        let name = topic.name.as_str();
        self.check_new_name(name)?;
        let partitions = self.wanted_partitions(topic)?;
        self.check_room(partitions)?;
        let overrides: BTreeMap<String, String> = topic
            .configs
            .iter()
            .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
            .collect();
        let config =
            TopicConfig::new(overrides, &self.config).map_err(|why| (ResponseError::InvalidConfig, why))?;
        let configs = SETTINGS.iter().map(|setting| {
            let value = config.value(setting, &self.config);
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_static_str(setting.name))
                .with_value(text(value.text))
                .with_config_source(value.source as i8)
        });
        let mut result = CreatableTopicResult::default()
            .with_num_partitions(i32::try_from(partitions).unwrap_or(i32::MAX))
            .with_replication_factor(1)
            .with_error_message(None)
            .with_configs(Some(configs.collect()));
        if !only_check {
            result.topic_id = self.agenda.random.uuid();
            self.topics.add(Name::from(name), result.topic_id, partitions, config);
        }
        Ok(result)
    }

    fn check_new_name(&self, name: &str) -> Result<(), Refusal> {
        check_name(name)?;
        if self.topics.get(TopicRef::Name(name)).is_some() {
            return Err((ResponseError::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        match self.topics.collision(name) {
            None => Ok(()),
            Some(other) => {
                let message = format!("Topic '{name}' collides with existing topic: {other}");
                Err((ResponseError::InvalidTopicException, message))
            }
        }
    }

    fn wanted_partitions(&self, topic: &CreatableTopic) -> Result<usize, Refusal> {
        let refuse = |error: ResponseError, message: &str| Err((error, message.to_owned()));
        if !topic.assignments.is_empty() {
            if topic.replication_factor != -1 {
                let message =
                    "A manual partition assignment was specified, but replication factor was not set to -1.";
                return refuse(ResponseError::InvalidRequest, message);
            }
            if topic.num_partitions != -1 {
                let message =
                    "A manual partition assignment was specified, but numPartitions was not set to -1.";
                return refuse(ResponseError::InvalidRequest, message);
            }
            let mut indexes: Vec<i32> = topic.assignments.iter().map(|entry| entry.partition_index).collect();
            indexes.sort_unstable();
            if !(0..).zip(&indexes).all(|(expected, index)| expected == *index) {
                let message = "partitions should be a consecutive 0-based integer sequence";
                return refuse(ResponseError::InvalidReplicaAssignment, message);
            }
            let assigned = topic.assignments.iter().map(|entry| &*entry.broker_ids);
            assigned.into_iter().try_for_each(|brokers| self.check_assignment(brokers))?;
            return Ok(indexes.len());
        }
        match topic.replication_factor {
            -1 | 1 => {}
            factor if factor > 1 => {
                let message = format!(
                    "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
                );
                return refuse(ResponseError::InvalidReplicationFactor, &message);
            }
            _ => {
                let message = "Replication factor must be larger than 0, or -1 to use the default value.";
                return refuse(ResponseError::InvalidReplicationFactor, message);
            }
        }
        let count =
            if topic.num_partitions == -1 { self.config.default_partitions } else { topic.num_partitions };
        match usize::try_from(count) {
            Ok(count) if count > 0 => Ok(count),
            _ => {
                let message = "Number of partitions was set to an invalid non-positive value.";
                refuse(ResponseError::InvalidPartitions, message)
            }
        }
    }

    /// A partition can be given to this broker and to nobody else.
    fn check_assignment(&self, brokers: &[BrokerId]) -> Result<(), Refusal> {
        let message = match brokers {
            [] => "The manual partition assignment includes an empty replica list.".to_owned(),
            [only] if *only == self.node() => return Ok(()),
            [first, second, ..] if first == second => {
                format!("The manual partition assignment includes the broker {} more than once.", first.0)
            }
            brokers => {
                let unknown =
                    brokers.iter().find(|broker| **broker != self.node()).copied().unwrap_or_default();
                format!(
                    "The manual partition assignment includes broker {}, but no such broker is registered.",
                    unknown.0
                )
            }
        };
        Err((ResponseError::InvalidReplicaAssignment, message))
    }

    fn check_room(&self, more: usize) -> Result<(), Refusal> {
        let limit = self.config.max_partitions;
        if self.topics.partition_count().saturating_add(more) <= limit {
            return Ok(());
        }
        let message =
            format!("{more} more partitions would be more than max_partitions allows, {limit} in all");
        Err((ResponseError::PolicyViolation, message))
    }

    /// Creates a topic somebody asked about.
    pub(super) fn auto_create(&mut self, name: &str) -> Result<(), Refusal> {
        self.check_new_name(name)?;
        let partitions = usize::try_from(self.config.default_partitions).unwrap_or(1).max(1);
        self.check_room(partitions)?;
        let config = TopicConfig::new(BTreeMap::new(), &self.config)
            .map_err(|why| (ResponseError::InvalidConfig, why))?;
        let id = self.agenda.random.uuid();
        self.topics.add(Name::from(name), id, partitions, config);
        Ok(())
    }

    pub(super) fn delete_topics(&mut self, version: i16, request: DeleteTopicsRequest) -> ResponseKind {
        let wanted: Vec<(Option<TopicName>, Uuid)> = if version >= 6 {
            request.topics.into_iter().map(|topic| (topic.name, topic.topic_id)).collect()
        } else {
            request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil())).collect()
        };
        let results = wanted.into_iter().map(|(name, id)| {
            let invalid = match &name {
                Some(_) if !id.is_nil() => Some("You may not specify both topic name and topic id."),
                None if id.is_nil() => Some("Neither topic name nor id were specified."),
                _ => None,
            };
            if let Some(message) = invalid {
                return DeletableTopicResult::default()
                    .with_name(name)
                    .with_topic_id(id)
                    .with_error_code(ResponseError::InvalidRequest.code())
                    .with_error_message(Some(StrBytes::from_static_str(message)));
            }
            let reference = match &name {
                Some(name) => TopicRef::Name(name),
                None => TopicRef::Id(id),
            };
            match self.topics.get(reference).map(|topic| topic.id) {
                Some(id) => {
                    let name = self.delete_topic(id).map(|topic| TopicName(topic.name.wire()));
                    DeletableTopicResult::default().with_name(name).with_topic_id(id)
                }
                None => {
                    let (error, message) = if name.is_some() {
                        (
                            ResponseError::UnknownTopicOrPartition,
                            "This server does not host this topic-partition.",
                        )
                    } else {
                        (ResponseError::UnknownTopicId, "This server does not host this topic ID.")
                    };
                    DeletableTopicResult::default()
                        .with_name(name)
                        .with_topic_id(id)
                        .with_error_code(error.code())
                        .with_error_message(Some(StrBytes::from_static_str(message)))
                }
            }
        });
        ResponseKind::DeleteTopics(DeleteTopicsResponse::default().with_responses(results.collect()))
    }

    fn delete_topic(&mut self, id: Uuid) -> Option<Topic> {
        let topic = self.topics.remove(id)?;
        self.groups.forget_topic(&topic.name);
        self.transactions.topic_removed(id);
        self.wake_fetches_of(id);
        Some(topic)
    }

    pub(super) fn create_partitions(&mut self, request: CreatePartitionsRequest) -> ResponseKind {
        let repeated: Vec<String> = repeated(request.topics.iter().map(|topic| topic.name.as_str()))
            .into_iter()
            .map(str::to_owned)
            .collect();
        let results = request.topics.into_iter().map(|topic| {
            let grown = if repeated.iter().any(|name| **name == *topic.name.as_str()) {
                Err((ResponseError::InvalidRequest, "Duplicate topic name.".to_owned()))
            } else {
                self.grow_topic(&topic, request.validate_only)
            };
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            match grown {
                Ok(()) => result.with_error_message(None),
                Err((error, message)) => {
                    result.with_error_code(error.code()).with_error_message(said(message))
                }
            }
        });
        ResponseKind::CreatePartitions(CreatePartitionsResponse::default().with_results(results.collect()))
    }

    fn grow_topic(&mut self, wanted: &CreatePartitionsTopic, only_check: bool) -> Result<(), Refusal> {
        let name = wanted.name.as_str();
        let Some(topic) = self.topics.get(TopicRef::Name(name)) else {
            return Err((ResponseError::UnknownTopicOrPartition, String::new()));
        };
        let (now, count) = (topic.partition_count(), wanted.count);
        if count <= now {
            let message = if count == now {
                format!("Topic already has {now} partition(s).")
            } else {
                format!(
                    "The topic {name} currently has {now} partition(s); {count} would not be an increase."
                )
            };
            return Err((ResponseError::InvalidPartitions, message));
        }
        let more = usize::try_from(count - now).unwrap_or(usize::MAX);
        if let Some(assignments) = &wanted.assignments {
            let assigned = assignments.iter().map(|assignment| &*assignment.broker_ids);
            assigned.into_iter().try_for_each(|brokers| self.check_assignment(brokers))?;
            if assignments.len() != more {
                let message = format!(
                    "Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                );
                return Err((ResponseError::InvalidReplicaAssignment, message));
            }
        }
        self.check_room(more)?;
        if !only_check {
            self.topics.grow(name, usize::try_from(count).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    pub(super) fn delete_records(&mut self, request: DeleteRecordsRequest) -> ResponseKind {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let result =
                    DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
                match self.delete_records_of(&topic.name, wanted.partition_index, wanted.offset) {
                    Ok(low_watermark) => result.with_low_watermark(low_watermark),
                    Err(error) => result.with_low_watermark(-1).with_error_code(error.code()),
                }
            });
            let partitions = partitions.collect();
            DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
        });
        ResponseKind::DeleteRecords(DeleteRecordsResponse::default().with_topics(topics.collect()))
    }

    fn delete_records_of(&mut self, name: &str, index: i32, before: i64) -> Result<i64, ResponseError> {
        let unknown = ResponseError::UnknownTopicOrPartition;
        let topic = self.topics.get(TopicRef::Name(name)).ok_or(unknown)?;
        if !topic.config.rules.deletable {
            return Err(ResponseError::PolicyViolation);
        }
        let key = topic.key(index);
        self.topics
            .change(key, |partition, _| {
                let log = &mut partition.log;
                let before = if before == TO_THE_END { log.end() } else { before };
                if before < 0 || before > log.end() {
                    return Err(ResponseError::OffsetOutOfRange);
                }
                log.drop_before_offset(before);
                Ok(log.start())
            })
            .unwrap_or(Err(unknown))
    }
}
