//! Topics: looking at them and creating them.

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{CreateTopicsRequest, DescribeConfigsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::{NewTopic, TopicCreated, TopicInfo};

use crate::failure;
use crate::wire::WireClient;

/// Resources whose configurations are described are of this kind.
const TOPIC: i8 = 2;
const UNKNOWN_TOPIC: i16 = 3;
const TOPIC_EXISTS: i16 = 36;
const NOT_CONTROLLER: i16 = 41;

/// The topic `name`; `None` where it does not exist.
pub(crate) async fn describe(wire: &WireClient, name: &str) -> Result<Option<TopicInfo>> {
    let subject = format!("Topic {name}");
    wire.repeat(&subject, || async {
        let metadata = wire.metadata(Some(&[name])).await?;
        let Some(topic) = metadata.topics.into_iter().next() else {
            return Err(Error::retriable(format!("{subject}: the broker's answer does not speak of it")));
        };
        match topic.error_code {
            0 => {
                let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                Ok(Some(TopicInfo { name: name.to_owned(), partitions }))
            }
            UNKNOWN_TOPIC => Ok(None),
            code => Err(failure::protocol(code, &subject, None)),
        }
    })
    .await
}

/// Names of all topics that are not internal.
pub(crate) async fn list(wire: &WireClient) -> Result<Vec<String>> {
    wire.repeat("Listing topics", || async {
        let metadata = wire.metadata(None).await?;
        let visible = metadata.topics.into_iter().filter(|topic| topic.error_code == 0 && !topic.is_internal);
        Ok(visible.filter_map(|topic| topic.name).map(|name| name.to_string()).collect())
    })
    .await
}

/// Creates a topic.
pub(super) async fn create(wire: &WireClient, topic: &NewTopic) -> Result<TopicCreated> {
    let subject = format!("Topic {}", topic.name);
    wire.repeat(&format!("Creating topic {}", topic.name), || async {
        let metadata = wire.metadata(Some(&[])).await?;
        let controller = wire.broker(&metadata, metadata.controller_id).await?;
        // Version 4 is the first in which -1 stands for the broker's default (KIP-464).
        let oldest = if topic.partitions.is_none() || topic.replication_factor.is_none() { 4 } else { 2 };
        let timeout = i32::try_from(wire.settings().request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request =
            CreateTopicsRequest::default().with_topics(vec![creatable(topic)]).with_timeout_ms(timeout);
        let answer = controller.call(oldest..=7, |_| request).await?;
        let Some(result) = answer.topics.into_iter().next() else {
            return Err(Error::retriable(format!("{subject}: the broker's answer does not speak of it")));
        };
        match result.error_code {
            0 => Ok(TopicCreated::Created),
            TOPIC_EXISTS => Ok(TopicCreated::Existed),
            // Retriable, although the protocol says otherwise: the next attempt asks who the controller is.
            NOT_CONTROLLER => Err(Error::retriable(format!("{subject}: the controller has moved"))),
            code => Err(failure::protocol(code, &subject, result.error_message.as_deref())),
        }
    })
    .await
}

/// The value of a setting of a topic; `None` where the broker has no such setting.
pub(super) async fn setting(wire: &WireClient, topic: &str, setting: &str) -> Result<Option<String>> {
    let subject = format!("Setting {setting} of topic {topic}");
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    wire.repeat(&subject, || async {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(Some(vec![text(setting)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = wire.any().await?.call(1..=4, |_| request).await?;
        let Some(result) = answer.results.into_iter().next() else {
            return Err(Error::retriable(format!("{subject}: the broker's answer does not speak of it")));
        };
        match result.error_code {
            0 => {
                let found = result.configs.into_iter().find(|config| config.name.as_str() == setting);
                Ok(found.and_then(|config| config.value).map(|value| value.to_string()))
            }
            code => {
                let error = failure::protocol(code, &subject, result.error_message.as_deref());
                // Waiting would not bring the topic about.
                Err(if code == UNKNOWN_TOPIC { error.with_class(ErrorClass::Fatal) } else { error })
            }
        }
    })
    .await
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let configs = topic.configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    });
    CreatableTopic::default()
        .with_name(TopicName(text(&topic.name)))
        .with_num_partitions(topic.partitions.unwrap_or(-1))
        .with_replication_factor(topic.replication_factor.unwrap_or(-1))
        .with_configs(configs.collect())
}
