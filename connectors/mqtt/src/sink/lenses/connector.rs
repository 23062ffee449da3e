//! The sink connector under Lenses' keys.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::plugin::{ConnectorContext, SinkConnector, SinkTask};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use super::super::SinkConfig;
use super::super::connector::{cross_check, window};
use super::super::publication::Manner;
use super::super::task::{MqttSinkTask, Parts, Tolerance};
use super::LensesSinkConfig;
use super::publication::LensesPublications;
use super::statement::Statement;
use crate::environment::Environment;
use crate::lenses::in_lenses_words;
use crate::lenses::keys::all_or_none;
use crate::message::Qos;

/// The connector.
#[derive(Debug)]
pub(crate) struct LensesSink {
    config: Config,
    environment: Environment,
}

impl Default for LensesSink {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// Errors beyond single keys; none where a key is wrong in itself, of which the definition tells.
async fn check(config: &Config) -> Vec<KeyError> {
    let Ok(parsed) = LensesSinkConfig::from_config(config) else { return Vec::new() };
    if let Err(what) = all_or_none([&parsed.ca, &parsed.cert, &parsed.key]) {
        return vec![KeyError::new("connect.mqtt.ssl.ca.cert", what)];
    }
    let found = match SinkConfig::from_config(&parsed.translated(config)) {
        Ok(own) => {
            let check = move || {
                let mut errors = cross_check(&own);
                // What is no KCQL is told at its key.
                let statements = Statement::parse_all(&parsed.kcql).unwrap_or_default();
                errors.extend(parsed.schemas(&statements).err());
                errors
            };
            spawn_blocking(check).await.unwrap_or_default()
        }
        Err(error) => {
            vec![KeyError::new("connect.mqtt.hosts", error.message().unwrap_or_default().to_owned())]
        }
    };
    found.into_iter().map(in_lenses_words).collect()
}

#[async_trait]
impl SinkConnector for LensesSink {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, check(config).await)
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        let parsed = LensesSinkConfig::from_config(config)?;
        if let Some(error) = check(config).await.into_iter().next() {
            return Err(error.into());
        }
        let statements = Statement::parse_all(&parsed.kcql).map_err(Error::config)?;
        for name in statements.iter().flat_map(|statement| &statement.unused) {
            tracing::warn!(
                connector = context.name,
                "passed over {name} in connect.mqtt.kcql, which means nothing for an MQTT sink"
            );
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let id = self.config.get("connect.mqtt.client.id").map(str::to_owned);
        let configs = (0..max_tasks).map(|task| {
            let mut config = self.config.clone();
            if let Some(id) = id.as_ref().filter(|_| max_tasks > 1) {
                config.set("connect.mqtt.client.id", format!("{id}-{task}"));
            }
            config
        });
        Ok(configs.collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        let parsed = LensesSinkConfig::from_config(config)?;
        let statements = Statement::parse_all(&parsed.kcql).map_err(Error::config)?;
        let own = SinkConfig::from_config(&parsed.translated(config))?;
        let manner = Manner { qos: Qos::from_number(own.qos), retain: own.retained };
        Ok(Box::new(MqttSinkTask::new(Parts {
            access: own.access(),
            client_id: parsed.client_id.clone(),
            window: window(&own),
            tolerance: Tolerance {
                retry_for: u64::try_from(own.max_retry_time).ok(),
                retry_every: parsed.retry_every(),
                leaves_out: parsed.leaves_out(),
            },
            open_maker: Some(Box::new(move || {
                let schemas = parsed.schemas(&statements)?;
                Ok(Box::new(LensesPublications::new(statements, &schemas, manner)?))
            })),
            environment: self.environment,
        })))
    }

    async fn stop(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        let mut config = Config::from([
            ("connect.mqtt.hosts", "tcp://h:1883"),
            ("connect.mqtt.service.quality", "1"),
            ("connect.mqtt.client.id", "me"),
            ("connect.mqtt.kcql", "INSERT INTO t SELECT * FROM k"),
        ]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        config
    }

    #[tokio::test]
    async fn tasks_have_client_ids_of_their_own() {
        let mut sink = LensesSink::default();
        sink.start(ConnectorContext::new("c", || ()), &config(&[])).await.unwrap();
        for (max, ids) in [(1, vec!["me"]), (2, vec!["me-0", "me-1"])] {
            let configs = sink.task_configs(max).await.unwrap();
            let found: Vec<&str> = configs.iter().filter_map(|c| c.get("connect.mqtt.client.id")).collect();
            assert_eq!(found, ids);
            assert!(sink.task(&configs[0]).is_ok());
        }
    }

    #[tokio::test]
    async fn errors_are_at_lenses_keys() {
        let sink = LensesSink::default();
        for (key, value, part) in [
            ("connect.mqtt.hosts", "http://h", "the scheme must be"),
            ("connect.mqtt.kcql", "INSERT INTO t", "SELECT is missing at character 14"),
            ("connect.mqtt.error.policy", "PANIC", "PANIC"),
            ("connect.mqtt.ssl.cert", "/c.pem", "without the other"),
            ("connect.mqtt.password", "p", "connect.mqtt.username is missing"),
            ("connect.converter.avro.schemas", "k=/nowhere/k.avsc", "/nowhere/k.avsc of k cannot be read"),
            (
                "connect.mqtt.kcql",
                "INSERT INTO t SELECT * FROM k WITHCONVERTER=`AvroConverter`",
                "Invalid [connect.converter.avro.schemas] is not configured for [k]",
            ),
        ] {
            let reports = sink.validate(&LensesSinkConfig::definition(), &config(&[(key, value)])).await;
            let errors: Vec<&String> = reports.iter().flat_map(|report| &report.errors).collect();
            assert!(errors.len() == 1 && errors[0].contains(part), "{key}: {errors:?}");
        }
    }

    #[test]
    fn policies_say_how_long_failures_are_borne() {
        for (policy, retry_for, every, leaves_out) in [
            ("THROW", "30000", None, false),
            ("retry", "1200000", Some(60_000), false),
            ("NOOP", "-1", None, true),
        ] {
            let config = config(&[("connect.mqtt.error.policy", policy)]);
            let parsed = LensesSinkConfig::from_config(&config).unwrap();
            assert_eq!(parsed.translated(&config).get("max.retry.time.ms"), Some(retry_for));
            assert_eq!((parsed.retry_every(), parsed.leaves_out()), (every, leaves_out), "{policy}");
        }
    }
}
