//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::{
    ResponseError,
    messages::{
        AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ResponseKind,
        alter_configs_response::AlterConfigsResourceResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
        incremental_alter_configs_request::AlterableConfig,
        incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse,
    },
    protocol::StrBytes,
};

use crate::BrokerConfig;

use super::{
    Cluster,
    batch::Refusal,
    topic_config::{self, Kind, SETTINGS, Setting, Source, TopicConfig},
    topics::{Topic, TopicRef},
    unique,
};

/// Kinds of resources that have settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// What an incremental change does.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn text(value: String) -> Option<StrBytes> {
    Some(StrBytes::from_string(value))
}

/// A reason, where the code alone would not do.
fn said(message: String) -> Option<StrBytes> {
    (!message.is_empty()).then(|| StrBytes::from_string(message))
}

impl Cluster {
    pub(super) fn describe_configs(&self, request: DescribeConfigsRequest) -> ResponseKind {
        let synonyms = request.include_synonyms;
        let resources = unique(request.resources, |one| (one.resource_type, one.resource_name.clone()));
        let results = resources.map(|resource| {
            let described = match resource.resource_type {
                TOPIC => self.describe_topic_configs(&resource, synonyms),
                BROKER => self.describe_broker_configs(&resource),
                kind => Err((ResponseError::InvalidRequest, format!("Unsupported resource type: {kind}"))),
            };
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            match described {
                Ok(configs) => result.with_configs(configs),
                Err((error, message)) => {
                    result.with_error_code(error.code()).with_error_message(text(message))
                }
            }
        });
        ResponseKind::DescribeConfigs(DescribeConfigsResponse::default().with_results(results.collect()))
    }

    fn describe_topic_configs(
        &self,
        resource: &DescribeConfigsResource,
        synonyms: bool,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let found = self.topics.get(TopicRef::Name(&resource.resource_name));
        let topic = found.ok_or_else(|| (ResponseError::UnknownTopicOrPartition, String::new()))?;
        let wanted = SETTINGS.iter().filter(|setting| is_wanted(resource, setting.name));
        Ok(wanted.map(|setting| self.describe_setting(topic, setting, synonyms)).collect())
    }

    fn describe_setting(
        &self,
        topic: &Topic,
        setting: &Setting,
        synonyms: bool,
    ) -> DescribeConfigsResourceResult {
        let value = topic.config.value(setting, &self.config);
        let mut chain = Vec::new();
        if synonyms {
            let entry = |name: &'static str, value: String, source: Source| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(name))
                    .with_value(text(value))
                    .with_source(source as i8)
            };
            if value.source == Source::Topic {
                chain.push(entry(setting.name, value.text.clone(), Source::Topic));
            }
            if let Some(synonym) = setting.synonym {
                let inherited = setting.inherited(&self.config);
                if inherited.source == Source::Broker {
                    chain.push(entry(synonym.name, inherited.text, Source::Broker));
                }
                if synonym.has_default {
                    chain.push(entry(synonym.name, setting.built_in().to_owned(), Source::Default));
                }
            }
        }
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(text(value.text))
            .with_config_source(value.source as i8)
            .with_config_type(setting.kind as i8)
            .with_synonyms(chain)
    }

    fn describe_broker_configs(
        &self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = resource.resource_name.as_str();
        if name.is_empty() {
            // The defaults of all brokers: nothing was ever set there.
            return Ok(Vec::new());
        }
        if name != self.config.node_id.to_string() {
            let message =
                format!("Unexpected broker id, expected {} but received {name}", self.config.node_id);
            return Err((ResponseError::InvalidRequest, message));
        }
        let settings = self.broker_settings();
        let wanted = settings.into_iter().filter(|(name, ..)| is_wanted(resource, name));
        let described = wanted.map(|(name, kind, value)| {
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(text(value))
                .with_read_only(true)
                .with_config_source(Source::Broker as i8)
                .with_config_type(kind as i8)
        });
        Ok(described.collect())
    }

    /// What is set for the broker as a whole; all of it was decided when it was started.
    fn broker_settings(&self) -> Vec<(&'static str, Kind, String)> {
        let config = &self.config;
        let protocol = match (&config.tls, &config.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        };
        let address = format!("{protocol}://{}:{}", self.endpoint.host, self.endpoint.port);
        let millis = |duration: std::time::Duration| duration.as_millis().to_string();
        let inherited = |name: &str| {
            topic_config::find(name).map_or_else(String::new, |setting| setting.inherited(config).text)
        };
        vec![
            ("advertised.listeners", Kind::Text, address.clone()),
            ("auto.create.topics.enable", Kind::Boolean, config.auto_create_topics.to_string()),
            ("broker.id", Kind::Int, config.node_id.to_string()),
            ("compression.type", Kind::Text, inherited("compression.type")),
            ("connections.max.idle.ms", Kind::Long, millis(config.max_connection_idle)),
            ("default.replication.factor", Kind::Int, "1".to_owned()),
            ("delete.topic.enable", Kind::Boolean, "true".to_owned()),
            ("fetch.max.bytes", Kind::Int, config.max_fetch_bytes.to_string()),
            ("group.initial.rebalance.delay.ms", Kind::Int, millis(config.initial_rebalance_delay)),
            ("group.max.session.timeout.ms", Kind::Int, millis(config.max_session_timeout)),
            ("group.max.size", Kind::Int, config.max_group_members.to_string()),
            ("group.min.session.timeout.ms", Kind::Int, millis(config.min_session_timeout)),
            ("listeners", Kind::Text, address),
            ("log.cleanup.policy", Kind::List, inherited("cleanup.policy")),
            ("log.message.timestamp.type", Kind::Text, inherited("message.timestamp.type")),
            ("log.retention.bytes", Kind::Long, inherited("retention.bytes")),
            ("log.retention.check.interval.ms", Kind::Long, millis(config.retention_check_interval)),
            ("log.retention.ms", Kind::Long, inherited("retention.ms")),
            ("max.connections", Kind::Int, config.max_connections.to_string()),
            ("message.max.bytes", Kind::Int, config.max_message_bytes.to_string()),
            ("min.insync.replicas", Kind::Int, "1".to_owned()),
            ("node.id", Kind::Int, config.node_id.to_string()),
            ("num.partitions", Kind::Int, config.default_partitions.to_string()),
            ("offset.metadata.max.bytes", Kind::Int, config.max_offset_metadata_bytes.to_string()),
            ("offsets.retention.minutes", Kind::Int, (config.offsets_retention.as_secs() / 60).to_string()),
            ("process.roles", Kind::List, "broker,controller".to_owned()),
            ("socket.request.max.bytes", Kind::Int, config.max_request_bytes.to_string()),
        ]
    }

    pub(super) fn alter_configs(&mut self, request: AlterConfigsRequest) -> ResponseKind {
        let only_check = request.validate_only;
        let responses = request.resources.into_iter().map(|resource| {
            let name = resource.resource_name;
            let given = resource.configs.iter();
            let replaced =
                given.filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string()))).collect();
            let changed = self.change_config(resource.resource_type, &name, only_check, |_, _| Ok(replaced));
            let response = AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(name);
            match changed {
                Ok(()) => response.with_error_message(None),
                Err((error, message)) => {
                    response.with_error_code(error.code()).with_error_message(text(message))
                }
            }
        });
        ResponseKind::AlterConfigs(AlterConfigsResponse::default().with_responses(responses.collect()))
    }

    pub(super) fn incremental_alter_configs(
        &mut self,
        request: IncrementalAlterConfigsRequest,
    ) -> ResponseKind {
        let only_check = request.validate_only;
        let responses = request.resources.into_iter().map(|resource| {
            let name = resource.resource_name;
            let changed = self.change_config(resource.resource_type, &name, only_check, |now, broker| {
                let mut names = HashSet::new();
                if !resource.configs.iter().all(|change| names.insert(&change.name)) {
                    let message = "Error due to duplicate config keys".to_owned();
                    return Err((ResponseError::InvalidRequest, message));
                }
                resource.configs.iter().try_fold(now, |now, change| apply(now, change, broker))
            });
            let response = IncrementalResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(name);
            match changed {
                Ok(()) => response.with_error_message(None),
                Err((error, message)) => {
                    response.with_error_code(error.code()).with_error_message(said(message))
                }
            }
        });
        let response = IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
        ResponseKind::IncrementalAlterConfigs(response)
    }

    /// Lets `change` turn what a topic sets now into what it shall set.
    fn change_config(
        &mut self,
        kind: i8,
        name: &str,
        only_check: bool,
        change: impl FnOnce(Overrides, &BrokerConfig) -> Result<Overrides, Refusal>,
    ) -> Result<(), Refusal> {
        if kind != TOPIC {
            let message =
                "only topics can be reconfigured; the broker's settings are given when it is started";
            return Err((ResponseError::InvalidRequest, message.to_owned()));
        }
        let topic = self.topics.get_mut(TopicRef::Name(name)).ok_or_else(|| {
            (ResponseError::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
        })?;
        let now = topic.config.overrides().iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let overrides = change(now.collect(), &self.config)?;
        let config =
            TopicConfig::new(overrides, &self.config).map_err(|why| (ResponseError::InvalidConfig, why))?;
        if !only_check {
            topic.config = config;
        }
        Ok(())
    }
}

/// What a topic sets itself: names and values.
type Overrides = BTreeMap<String, String>;

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| **key == *name))
}

/// One step of an incremental change (KIP-339).
fn apply(mut now: Overrides, change: &AlterableConfig, broker: &BrokerConfig) -> Result<Overrides, Refusal> {
    let name = change.name.as_str();
    if change.config_operation == DELETE {
        now.remove(name);
        return Ok(now);
    }
    let Some(value) = change.value.as_deref() else {
        return Err((ResponseError::InvalidRequest, format!("Null value not supported for : {name}")));
    };
    match change.config_operation {
        SET => {
            now.insert(name.to_owned(), value.to_owned());
            Ok(now)
        }
        APPEND | SUBTRACT => {
            let Some(setting) = topic_config::find(name).filter(|setting| setting.kind == Kind::List) else {
                let verb = if change.config_operation == APPEND { "APPEND" } else { "SUBTRACT" };
                let message = format!("Can't {verb} to key {name} because its type is not LIST.");
                return Err((ResponseError::InvalidConfig, message));
            };
            let old = now.remove(name).unwrap_or_else(|| setting.inherited(broker).text);
            let mut parts: Vec<&str> = topic_config::list(&old).collect();
            for part in topic_config::list(value) {
                parts.retain(|other| *other != part);
                if change.config_operation == APPEND {
                    parts.push(part);
                }
            }
            let joined = parts.join(",");
            now.insert(name.to_owned(), joined);
            Ok(now)
        }
        // Kafka has no better word for an operation it does not know.
        _ => Err((ResponseError::UnknownServerError, String::new())),
    }
}
