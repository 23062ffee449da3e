//! The sink connector.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::plugin::{ConnectorContext, SinkConnector, SinkTask};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use super::SinkConfig;
use super::properties::PropertyRules;
use super::publication::{Manner, PublicationMaker};
use super::task::{MqttSinkTask, Parts, Tolerance};
use super::template::TopicTemplate;
use crate::environment::Environment;
use crate::message::Qos;
use crate::validate::check_access;

/// The connector: its tasks differ by the partitions they are given alone.
#[derive(Debug)]
pub(crate) struct MqttSink {
    config: Config,
    environment: Environment,
}

impl Default for MqttSink {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// Everything that is wrong with `parsed` beyond its single keys. Reads files, so it blocks.
pub(super) fn cross_check(parsed: &SinkConfig) -> Vec<KeyError> {
    let mut errors = check_access(&parsed.access());
    if !parsed.is_v5() {
        let v5 = |key: &'static str, value: String| {
            KeyError::invalid(key, value, "only MQTT 5 has properties; set lavka.mqtt.version=5")
        };
        if parsed.v5_headers {
            errors.push(v5("lavka.mqtt.v5.headers", "true".to_owned()));
        }
        if !parsed.user_properties.is_empty() {
            errors.push(v5("lavka.mqtt.user.properties", parsed.user_properties.join(",")));
        }
    }
    errors
}

/// Errors beyond single keys; none where a key is wrong in itself, of which the definition tells.
async fn check(config: &Config) -> Vec<KeyError> {
    let Ok(parsed) = SinkConfig::from_config(config) else { return Vec::new() };
    spawn_blocking(move || cross_check(&parsed)).await.unwrap_or_default()
}

/// Which headers become properties; none with MQTT 3.1.1.
pub(super) fn property_rules(config: &SinkConfig) -> Option<PropertyRules> {
    let wanted = config.v5_headers || !config.user_properties.is_empty();
    (config.is_v5() && wanted).then(|| PropertyRules {
        of_source: config.v5_headers,
        all_others: config.user_properties.iter().any(|name| name == "*"),
        names: config.user_properties.clone(),
    })
}

#[async_trait]
impl SinkConnector for MqttSink {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, check(config).await)
    }

    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        SinkConfig::from_config(config)?;
        if let Some(error) = check(config).await.into_iter().next() {
            return Err(error.into());
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        let parsed = SinkConfig::from_config(config)?;
        let topic = TopicTemplate::parse(&parsed.topic)
            .map_err(|what| Error::invalid_value("lavka.mqtt.topic", &parsed.topic, what))?;
        let manner = Manner { qos: Qos::from_number(parsed.qos), retain: parsed.retained };
        let maker = PublicationMaker::new(topic, manner, parsed.encoding(), property_rules(&parsed));
        Ok(Box::new(MqttSinkTask::new(Parts {
            access: parsed.access(),
            client_id: None,
            window: window(&parsed),
            tolerance: Tolerance {
                retry_for: u64::try_from(parsed.max_retry_time).ok(),
                retry_every: None,
                leaves_out: false,
            },
            open_maker: Some(Box::new(move || Ok(Box::new(maker)))),
            environment: self.environment,
        })))
    }

    async fn stop(&mut self) {}
}

/// QoS 1 and 2 messages that may be under way.
pub(super) fn window(config: &SinkConfig) -> u16 {
    u16::try_from(config.max_inflight).unwrap_or(u16::MAX)
}
