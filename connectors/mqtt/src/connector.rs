//! The source connector.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use crate::config::MqttConfig;
use crate::environment::Environment;
use crate::filter::assign;
use crate::task::{Dialect, MqttTask};
use crate::validate::cross_check;

/// The connector: splits the filters over its tasks.
#[derive(Debug)]
pub(crate) struct MqttSource {
    config: Config,
    environment: Environment,
}

impl Default for MqttSource {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// Why offsets cannot be set.
pub(crate) const NO_OFFSETS: &str = "The MQTT source has no offsets to set: the MQTT server keeps what was not \
                                     acknowledged, in the session of the task's client id";

/// Errors beyond single keys; none where a key is wrong in itself, of which the definition tells.
async fn check(config: &Config) -> Vec<KeyError> {
    let Ok(parsed) = MqttConfig::from_config(config) else { return Vec::new() };
    let config = config.clone();
    spawn_blocking(move || cross_check(&config, &parsed)).await.unwrap_or_default()
}

#[async_trait]
impl SourceConnector for MqttSource {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, check(config).await)
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        let parsed = MqttConfig::from_config(config)?;
        if let Some(error) = check(config).await.into_iter().next() {
            return Err(error.into());
        }
        if parsed.qos > 0 && parsed.clean_session {
            tracing::warn!(
                connector = context.name,
                "mqtt.clean.session.enabled is true: the MQTT server forgets the subscription whenever the connection \
                 is gone, and messages published meanwhile are lost; mqtt.qos={} needs it to be false",
                parsed.qos
            );
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let parsed = MqttConfig::from_config(&self.config)?;
        let tasks = assign(&parsed.topics, max_tasks, parsed.share_every_task).into_iter().map(|filters| {
            let mut config = self.config.clone();
            config.set("mqtt.topics", filters.join(","));
            config
        });
        Ok(tasks.collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(MqttTask::new(MqttConfig::from_config(config)?, Dialect::Confluent, self.environment)))
    }

    async fn stop(&mut self) {}

    /// The server keeps what it sends, and sends again what it does not know to have arrived.
    fn exactly_once_support(&self, _config: &Config) -> Option<ExactlyOnceSupport> {
        Some(ExactlyOnceSupport::Unsupported)
    }

    /// There are no offsets: the MQTT server knows what was acknowledged. Removing some that another connector left
    /// under this name is fine.
    fn alter_offsets(&self, _config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        if offsets.iter().any(|(_, offset)| offset.is_some()) {
            return Err(Error::fatal(NO_OFFSETS));
        }
        Ok(false)
    }
}
