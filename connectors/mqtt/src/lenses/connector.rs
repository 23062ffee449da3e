//! The source connector under Lenses' keys.

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyError, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_api::plugin::{ConnectorContext, ExactlyOnceSupport, SourceConnector, SourceTask};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use super::{LensesConfig, Statement};
use crate::connector::NO_OFFSETS;
use crate::environment::Environment;
use crate::task::{Dialect, MqttTask};
use crate::validate::cross_check;

/// The connector: spreads the statements over its tasks.
#[derive(Debug)]
pub(crate) struct LensesSource {
    config: Config,
    environment: Environment,
}

impl Default for LensesSource {
    fn default() -> Self {
        Self { config: Config::new(), environment: Environment::SYSTEM }
    }
}

/// Settings and statements.
fn understand(config: &Config) -> Result<(LensesConfig, Vec<Statement>)> {
    let parsed = LensesConfig::from_config(config)?;
    let statements = Statement::parse_all(&parsed.kcql).map_err(Error::config)?;
    Ok((parsed, statements))
}

/// Errors beyond single keys; none where a key is wrong in itself, of which the definition tells.
async fn check(config: &Config) -> Vec<KeyError> {
    let Ok((parsed, statements)) = understand(config) else { return Vec::new() };
    if let Err(what) = parsed.certificates() {
        return vec![KeyError::new("connect.mqtt.ssl.ca.cert", what)];
    }
    let found = match parsed.own(config, &statements) {
        Ok(settings) => {
            let config = config.clone();
            let check = move || {
                let mut errors = cross_check(&config, &settings);
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

/// Reports an error at the key that the user wrote.
pub(crate) fn in_lenses_words(error: KeyError) -> KeyError {
    let key = match error.key {
        "mqtt.server.uri" => "connect.mqtt.hosts",
        "mqtt.topics" => "connect.mqtt.kcql",
        "mqtt.username" => "connect.mqtt.username",
        "mqtt.keepalive.interval.seconds" => "connect.mqtt.keep.alive",
        "lavka.mqtt.ssl.ca.pem" => "connect.mqtt.ssl.ca.cert",
        "lavka.mqtt.ssl.cert.pem" => "connect.mqtt.ssl.cert",
        "lavka.mqtt.ssl.key.pem" => "connect.mqtt.ssl.key",
        other => other,
    };
    KeyError::new(key, error.message.replace(error.key, key))
}

#[async_trait]
impl SourceConnector for LensesSource {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate_with(config, check(config).await)
    }

    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        let (parsed, statements) = understand(config)?;
        if let Some(error) = check(config).await.into_iter().next() {
            return Err(error.into());
        }
        for name in statements.iter().flat_map(|statement| &statement.unused) {
            tracing::warn!(
                connector = context.name,
                "passed over {name} in connect.mqtt.kcql, which means nothing for an MQTT source"
            );
        }
        if parsed.qos > 0 && parsed.clean {
            tracing::warn!(
                connector = context.name,
                "connect.mqtt.clean is true: the MQTT server forgets the subscription whenever the connection is gone, and \
                 messages published meanwhile are lost; connect.mqtt.service.quality={} needs it to be false",
                parsed.qos
            );
        }
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let parsed = LensesConfig::from_config(&self.config)?;
        let statements = lavka_kcql::split(&parsed.kcql).map_err(|error| Error::config(error.to_string()))?;
        let groups = spread(&statements, max_tasks, parsed.replicate_shared);
        let alone = groups.len() == 1;
        let configs = groups.into_iter().enumerate().map(|(task, statements)| {
            let mut config = self.config.clone();
            config.set("connect.mqtt.kcql", statements.join(";"));
            if let Some(id) = parsed.client_id.as_ref().filter(|_| !alone) {
                config.set("connect.mqtt.client.id", format!("{id}-{task}"));
            }
            config
        });
        Ok(configs.collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        let (parsed, statements) = understand(config)?;
        let own = parsed.own(config, &statements)?;
        let conversions = parsed.conversions(config, statements);
        let dialect = Dialect::Lenses { conversions, config: Box::new(parsed) };
        Ok(Box::new(MqttTask::new(own, dialect, self.environment)))
    }

    async fn stop(&mut self) {}

    /// The server keeps what it sends, and sends again what it does not know to have arrived.
    fn exactly_once_support(&self, _config: &Config) -> Option<ExactlyOnceSupport> {
        Some(ExactlyOnceSupport::Unsupported)
    }

    /// There are no offsets, as in [`MqttSource`](crate::connector::MqttSource).
    fn alter_offsets(&self, _config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        match offsets.iter().any(|(_, offset)| offset.is_some()) {
            true => Err(Error::fatal(NO_OFFSETS)),
            false => Ok(false),
        }
    }
}

/// The statements of each task, in Lenses' groups: as many in each as the quotient and the remainder of the division by the
/// number of tasks together.
fn spread<'a>(statements: &[&'a str], max_tasks: u32, replicate_shared: bool) -> Vec<Vec<&'a str>> {
    let max_tasks = usize::try_from(max_tasks).unwrap_or(usize::MAX).max(1);
    if max_tasks == 1 || statements.len() == 1 {
        return vec![statements.to_vec()];
    }
    let size = statements.len() / max_tasks + statements.len() % max_tasks;
    let (replicated, distributed): (Vec<&str>, Vec<&str>) =
        statements.iter().partition(|statement| replicate_shared && statement.contains("$share/"));
    let mut groups: Vec<Vec<&str>> = distributed.chunks(size.max(1)).map(<[&str]>::to_vec).collect();
    if !replicated.is_empty() {
        groups.resize_with(groups.len().max(max_tasks), Vec::new);
    }
    for group in &mut groups {
        group.extend(&replicated);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_over_tasks() {
        let groups = |count: usize, tasks: u32| {
            let statements = vec!["s"; count];
            spread(&statements, tasks, true).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(groups(1, 4), [1]);
        assert_eq!(groups(4, 1), [4]);
        assert_eq!(groups(4, 2), [2, 2]);
        assert_eq!(groups(5, 2), [3, 2]);
        assert_eq!(groups(5, 3), [3, 2]);
        assert_eq!(groups(2, 4), [2]);
        let shared = ["FROM $share/g/a", "FROM b", "FROM c", "FROM d"];
        let all: Vec<&str> = vec![shared[1], shared[0]];
        assert_eq!(
            spread(&shared, 4, true),
            [all, vec![shared[2], shared[0]], vec![shared[3], shared[0]], vec![shared[0]]]
        );
        assert_eq!(spread(&shared, 2, false).len(), 2);
    }

    fn config(entries: &[(&str, &str)]) -> Config {
        let mut config = Config::from([
            ("connect.mqtt.hosts", "tcp://h:1883, other"),
            ("connect.mqtt.service.quality", "1"),
            ("connect.mqtt.clean", "false"),
            ("connect.mqtt.client.id", "me"),
            ("connect.mqtt.kcql", "INSERT INTO k SELECT * FROM a/#;INSERT INTO l SELECT * FROM b"),
        ]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        config
    }

    #[tokio::test]
    async fn tasks_have_client_ids_of_their_own() {
        let mut source = LensesSource::default();
        source.start(ConnectorContext::new("c", || ()), &config(&[])).await.unwrap();
        let ids = |configs: &[Config]| {
            configs.iter().map(|c| c.get("connect.mqtt.client.id").unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&source.task_configs(1).await.unwrap()), ["me"]);
        let two = source.task_configs(2).await.unwrap();
        assert_eq!(ids(&two), ["me-0", "me-1"]);
        assert_eq!(two[1].get("connect.mqtt.kcql"), Some("INSERT INTO l SELECT * FROM b"));
        assert!(source.task(&two[0]).is_ok());
    }

    /// What a list of topics and a cut at each `;` would take apart.
    #[tokio::test]
    async fn quoted_commas_and_semicolons_belong_to_their_statement() {
        let kcql = "INSERT INTO k SELECT * FROM `a,,b/#` KEYDELIMITER=';'; INSERT INTO l SELECT * FROM b";
        let config = config(&[("connect.mqtt.kcql", kcql)]);
        let (parsed, statements) = understand(&config).unwrap();
        assert_eq!(parsed.own(&config, &statements).unwrap().topics, ["a,,b/#", "b"]);
        let reports = LensesSource::default().validate(&LensesConfig::definition(), &config).await;
        assert!(reports.iter().all(|report| report.errors.is_empty()), "{reports:?}");
        let mut source = LensesSource::default();
        source.start(ConnectorContext::new("c", || ()), &config).await.unwrap();
        let two = source.task_configs(2).await.unwrap();
        let (_, statements) = understand(&two[0]).unwrap();
        assert_eq!((statements[0].filter.as_str(), statements[0].delimiter.as_str()), ("a,,b/#", ";"));
        assert_eq!(two[1].get("connect.mqtt.kcql"), Some("INSERT INTO l SELECT * FROM b"));
        assert!(two.iter().all(|config| source.task(config).is_ok()));
    }

    #[tokio::test]
    async fn errors_are_at_lenses_keys() {
        let source = LensesSource::default();
        for (key, value, part) in [
            ("connect.mqtt.hosts", "http://h", "the scheme must be tcp, ssl, ws or wss"),
            ("connect.mqtt.kcql", "INSERT INTO", "the target's name is missing at character 12"),
            ("connect.mqtt.service.quality", "3", "3"),
            ("connect.mqtt.ssl.ca.cert", "/ca.pem", "without the other"),
            ("connect.converter.avro.schemas", "a", "a has not the form topic=file"),
            ("connect.converter.avro.schemas", "a=/nowhere/a.avsc", "/nowhere/a.avsc of a cannot be read"),
            ("producer.override.acks", "1", "must be all"),
        ] {
            let config = config(&[(key, value)]);
            let reports = source.validate(&LensesConfig::definition(), &config).await;
            let report = reports.iter().find(|report| report.name == key).unwrap();
            assert!(report.errors.iter().any(|error| error.contains(part)), "{key}: {:?}", report.errors);
            assert_eq!(reports.iter().filter(|report| !report.errors.is_empty()).count(), 1, "{key}");
        }
    }
}
