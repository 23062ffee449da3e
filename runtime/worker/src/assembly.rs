//! Puts tasks together from configurations: converters, chain, error policy, clients.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::{Config, ConfigSpec, ConfigType};
use lavka_api::data::Topic;
use lavka_api::plugin::{
    Catalogue, Converter, ConverterRole, Factory, HeaderConverter, LookupError, Plugin, PluginKind,
    SinkConnector, SourceConnector, TaskId, TransactionContext,
};
use lavka_api::{Error, Result};
use lavka_engine::chain::Chain;
use lavka_engine::errors::{DeadLetters, ErrorPolicy, ErrorSettings, redacted};
use lavka_engine::sink::{Decoder, SinkTaskSpec, TopicSelection, spawn_sink};
use lavka_engine::source::{
    Boundary, Delivery, Encoder, ExactlyOnce, OffsetStore, SourceDeadLetters, SourceTaskSpec, TopicCreation,
    TopicGroup, spawn_source,
};
use lavka_engine::task::{Target, TaskHandle, TaskObserver};
use lavka_ports::{Buffer, Cluster, NewTopic};
use lavka_telemetry::metrics::Metrics;
use lavka_telemetry::redaction::Redactor;
use tokio::sync::watch;

use crate::config::{Clients, SinkConfig, SourceConfig, WorkerConfig, max_poll_records, topic_groups};
use crate::discretion::discreet;
use crate::generation::TaskStart;
use crate::offsets::{FileOffsetStore, OffsetLogs, TaskOffsets};
use crate::providers::Resolved;
use crate::topic_names;

/// Bounds of what a source task has in flight, and of what a sink task's consumer holds ahead.
const SOURCE_WINDOW: Buffer = Buffer { records: 20_000, bytes: 32 << 20 };
const SINK_BUFFER: Buffer = Buffer { records: 20_000, bytes: 16 << 20 };

/// How often `topics.regex` is matched anew.
const TOPICS_REFRESH: Duration = Duration::from_secs(30);

/// How long a transaction may be open: Java's default, and what brokers allow at most by default. Behind the end of an
/// interval there is time for the commit.
const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";
const JAVAS_TIMEOUT: Duration = Duration::from_secs(60);
const MOST_TIMEOUT: Duration = Duration::from_secs(900);
const COMMIT_TIME: Duration = Duration::from_secs(30);

/// How a task begins.
struct Begin<'a> {
    paused: bool,
    start: TaskStart,
    observer: Arc<dyn TaskObserver>,
    /// What is not to be seen.
    secrets: &'a Redactor,
}

/// What tasks are put together from.
#[derive(Clone)]
pub(crate) struct Assembly {
    pub(crate) worker: WorkerConfig,
    pub(crate) clients: Clients,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) offsets: Arc<FileOffsetStore>,
    pub(crate) offset_logs: Arc<OffsetLogs>,
    pub(crate) metrics: Metrics,
}

/// The three converters of a connector, each with its class.
pub struct Converters {
    /// Keys.
    pub key: (String, Box<dyn Converter>),
    /// Values.
    pub value: (String, Box<dyn Converter>),
    /// Headers.
    pub header: (String, Box<dyn HeaderConverter>),
}

impl Converters {
    /// The converters that `connector` asks for, else those of `worker`. A connector that sets a class gets none of
    /// the worker's settings for it; one that does not keeps the worker's class and settings.
    ///
    /// # Errors
    /// A config error that names the key: unknown class, or a setting that the converter refuses.
    pub fn new(connector: &Config, worker: &Config, catalogue: &Catalogue) -> Result<Self> {
        let header_default = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
        Ok(Self {
            key: converter("key.converter", ConverterRole::Key, connector, worker, catalogue)?,
            value: converter("value.converter", ConverterRole::Value, connector, worker, catalogue)?,
            header: {
                let (class, config) = chosen("header.converter", connector, worker, Some(header_default))?;
                let plugin = lookup("header.converter", &class, PluginKind::HeaderConverter, catalogue)?;
                match plugin.factory {
                    Factory::HeaderConverter(make) => {
                        (plugin.class.to_owned(), make(&config).map_err(|e| in_key("header.converter", &e))?)
                    }
                    _ => {
                        return Err(Error::invalid_value(
                            "header.converter",
                            class,
                            "is not a header converter",
                        ));
                    }
                }
            },
        })
    }
}

fn chosen(
    key: &str,
    connector: &Config,
    worker: &Config,
    fallback: Option<&str>,
) -> Result<(String, Config)> {
    let prefix = format!("{key}.");
    for level in [connector, worker] {
        if let Some(class) = level.get(key).map(str::trim).filter(|class| !class.is_empty()) {
            return Ok((class.to_owned(), level.with_prefix_stripped(&prefix)));
        }
    }
    fallback.map(|class| (class.to_owned(), Config::new())).ok_or_else(|| {
        Error::config(format!("Missing required configuration \"{key}\" which has no default value."))
    })
}

fn lookup<'c>(key: &str, class: &str, kind: PluginKind, catalogue: &'c Catalogue) -> Result<&'c Plugin> {
    catalogue.find(class, |k| k == kind).map_err(|error| {
        Error::invalid_value(key, class, format!("Class {class} could not be found: {error}"))
    })
}

fn in_key(key: &str, error: &Error) -> Error {
    Error::config(format!("{key}: {}", error.message().unwrap_or_default()))
}

fn converter(
    key: &str,
    role: ConverterRole,
    connector: &Config,
    worker: &Config,
    catalogue: &Catalogue,
) -> Result<(String, Box<dyn Converter>)> {
    let (class, config) = chosen(key, connector, worker, None)?;
    let plugin = lookup(key, &class, PluginKind::Converter, catalogue)?;
    match plugin.factory {
        Factory::Converter(make) => {
            Ok((plugin.class.to_owned(), make(&config, role).map_err(|e| in_key(key, &e))?))
        }
        _ => Err(Error::invalid_value(key, class, "is not a converter")),
    }
}

/// An unconfigured connector of either kind.
pub(crate) enum Connector {
    Source(Box<dyn SourceConnector>),
    Sink(Box<dyn SinkConnector>),
}

impl Connector {
    pub(crate) fn new(plugin: &Plugin) -> Result<Self> {
        match plugin.factory {
            Factory::Source(make) => Ok(Connector::Source(make())),
            Factory::Sink(make) => Ok(Connector::Sink(make())),
            _ => Err(Error::invalid_value("connector.class", plugin.class, "is not a connector")),
        }
    }
}

/// The connector plugin that `config` names.
///
/// # Errors
/// With Connect's text, which lists every connector there is.
pub(crate) fn connector_plugin<'c>(config: &Config, catalogue: &'c Catalogue) -> Result<&'c Plugin> {
    let class = config.get("connector.class").unwrap_or_default();
    catalogue.find(class, PluginKind::is_connector).map_err(|error| {
        let LookupError::Unknown { nearest, .. } = &error else { return Error::config(error.to_string()) };
        let connectors = catalogue.iter().filter(|plugin| plugin.kind().is_connector());
        let described: Vec<String> = connectors.map(described).collect();
        let hint = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        Error::config(format!(
            "Failed to find any class that implements Connector and which name matches {class}, available connectors \
             are: {}{hint}",
            described.join(", ")
        ))
    })
}

/// As Java's `PluginDesc` prints itself.
fn described(plugin: &Plugin) -> String {
    let (class, version, kind) = (plugin.class, plugin.version, plugin.kind().name());
    format!(
        "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, type={kind}, \
         typeName='{kind}', location='built in'}}"
    )
}

impl Assembly {
    /// A connector's configuration without variables, and what it shares with the worker's to hide.
    ///
    /// # Errors
    /// A config error where a provider cannot read what it is asked for.
    pub(crate) async fn resolve(&self, raw: &Config) -> Result<Resolved> {
        let resolved = self.worker.providers.resolve_elsewhere(raw).await?;
        Ok(Resolved { secrets: resolved.secrets.with(&self.worker.secrets), ..resolved })
    }

    /// Puts a task together and starts its loop.
    pub(crate) async fn start_task(
        &self,
        id: &TaskId,
        connector: &Config,
        config: &Config,
        paused: bool,
        observer: Arc<dyn TaskObserver>,
        start: TaskStart,
    ) -> Result<TaskHandle> {
        let connector = self.resolve(connector).await?;
        let config = self.resolve(config).await.map_err(|error| connector.discreet(&error))?;
        let secrets = connector.secrets.with(&config.secrets);
        let observer = discreet(observer, &secrets);
        let begin = Begin { paused, start, observer, secrets: &secrets };
        let started = self.start_resolved(id, &connector.config, &config.config, begin);
        started.await.map_err(|error| redacted(&error, &secrets))
    }

    async fn start_resolved(
        &self,
        id: &TaskId,
        connector: &Config,
        config: &Config,
        begin: Begin<'_>,
    ) -> Result<TaskHandle> {
        let Begin { paused, start, observer, secrets } = begin;
        let plugin = connector_plugin(connector, &self.catalogue)?;
        let (converters, chain) = self.conversion(connector).await?;
        let errors = ErrorSettings::from_config(connector)?;
        let target = watch::Sender::new(if paused { Target::Paused } else { Target::Running });
        let error_metrics = self.metrics.errors(&id.connector, id.task);
        match Connector::new(plugin)? {
            Connector::Source(source) => Ok(spawn_source(SourceTaskSpec {
                id: id.clone(),
                task: self.source_task(id, connector, config, &*source)?,
                chain,
                encoder: Encoder::new(converters.key, converters.value, converters.header),
                policy: ErrorPolicy::new(id.clone(), &errors, None, error_metrics, target.subscribe())
                    .hiding(secrets.clone()),
                dead_letters: self.source_dead_letters(id, connector).await?,
                topic_creation: self.topic_creation(id, connector)?,
                delivery: self.delivery(id, connector, start)?,
                flush_interval: self.worker.flush_interval(),
                flush_timeout: self.worker.flush_timeout(),
                in_flight: SOURCE_WINDOW,
                metrics: self.metrics.source_task(&id.connector, id.task),
                observer,
                target,
            })),
            Connector::Sink(sink) => {
                let dead_letters = self.dead_letters(id, connector).await?;
                let consumer_config = self.clients.consumer(id, connector);
                Ok(spawn_sink(SinkTaskSpec {
                    id: id.clone(),
                    task: sink.task(config)?,
                    chain,
                    decoder: Decoder::new(converters.key, converters.value, converters.header),
                    policy: ErrorPolicy::new(
                        id.clone(),
                        &errors,
                        dead_letters,
                        error_metrics,
                        target.subscribe(),
                    )
                    .hiding(secrets.clone()),
                    consumer: self.cluster.consumer(&consumer_config, SINK_BUFFER)?,
                    topics: topic_selection(connector, &self.catalogue)?,
                    topics_refresh: TOPICS_REFRESH,
                    commit_interval: self.worker.flush_interval(),
                    max_batch: max_poll_records(&consumer_config),
                    metrics: self.metrics.sink_task(&id.connector, id.task),
                    observer,
                    target,
                }))
            }
        }
    }

    fn delivery(&self, id: &TaskId, connector: &Config, start: TaskStart) -> Result<Delivery> {
        let Some(offsets) = self.topic_offsets(&id.connector, connector)? else {
            return Ok(Delivery::AtLeastOnce {
                producer: self.cluster.producer(&self.clients.producer(id, connector))?,
                offsets: Arc::clone(&self.offsets) as Arc<dyn OffsetStore>,
            });
        };
        let keys = SourceConfig::from_config(connector)?;
        let boundary = match keys.boundary.trim().to_ascii_lowercase().as_str() {
            "interval" => {
                let given = keys.boundary_interval.and_then(|ms| u64::try_from(ms).ok());
                Boundary::Interval(given.map_or(self.worker.flush_interval(), Duration::from_millis))
            }
            "connector" => Boundary::Connector(TransactionContext::new()),
            _ => Boundary::Poll,
        };
        let mut producer = self.clients.transactional_producer(id, connector);
        if let Boundary::Interval(interval) = boundary
            && producer.get(TRANSACTION_TIMEOUT).is_none()
        {
            // The broker aborts what is open for longer than the producer said it would be.
            let timeout = (interval + COMMIT_TIME).clamp(JAVAS_TIMEOUT, MOST_TIMEOUT);
            producer.set(TRANSACTION_TIMEOUT, timeout.as_millis().to_string());
        }
        let ids = self.transactional_ids(&id.connector, start.fence.count);
        let admin = self.cluster.admin(&self.clients.topic_admin(id, connector))?;
        Ok(Delivery::ExactlyOnce(ExactlyOnce {
            producer: self.cluster.transactional_producer(&producer)?,
            offsets: Arc::new(TaskOffsets::new(offsets, self.worker.flush_interval())),
            generation: start.generation(admin, ids),
            boundary,
        }))
    }

    /// The transactional ids of the first `count` tasks of a connector.
    pub(crate) fn transactional_ids(&self, connector: &str, count: u32) -> Vec<String> {
        let id = |task| TaskId { connector: connector.to_owned(), task };
        (0..count).map(|task| self.clients.transactional_id(&id(task))).collect()
    }

    /// What a source connector says on new topics, where the worker lets it.
    ///
    /// # Errors
    /// A config error, for the first key that is wrong.
    pub(crate) fn topic_groups(&self, connector: &Config) -> Result<Option<Vec<TopicGroup>>> {
        if !self.worker.keys.topic_creation {
            return Ok(None);
        }
        topic_groups(connector, &self.catalogue)
    }

    fn topic_creation(&self, id: &TaskId, connector: &Config) -> Result<Option<TopicCreation>> {
        let Some(groups) = self.topic_groups(connector)? else { return Ok(None) };
        let config = self.clients.topic_admin(id, connector);
        let brokers = config.get("bootstrap.servers").unwrap_or_default();
        Ok(Some(TopicCreation::new(groups, self.cluster.admin(&config)?, brokers)))
    }

    /// The connector's converters and transforms. They may read files (certificates, models), so they are made on a
    /// blocking thread.
    async fn conversion(&self, connector: &Config) -> Result<(Converters, Chain)> {
        let (catalogue, connector) = (Arc::clone(&self.catalogue), connector.clone());
        let worker = self.worker.raw.clone();
        let made = tokio::task::spawn_blocking(move || {
            let converters = Converters::new(&connector, &worker, &catalogue)?;
            Ok((converters, Chain::from_config(&connector, &catalogue)?))
        });
        let failed = |crash| Error::fatal(format!("converters and transforms could not be made: {crash}"));
        made.await.unwrap_or_else(|crash| Err(failed(crash)))
    }

    async fn dead_letters(&self, id: &TaskId, connector: &Config) -> Result<Option<DeadLetters>> {
        let keys = SinkConfig::from_config(connector)?;
        let topic = keys.dlq_topic.trim();
        if topic.is_empty() {
            return Ok(None);
        }
        self.dead_letter_topic(id, connector, topic, keys.dlq_replication, "").await?;
        let producer = self.cluster.producer(&self.clients.dead_letter_producer(id, connector))?;
        Ok(Some(DeadLetters::new(Topic::from(topic), keys.dlq_headers, producer)))
    }

    async fn source_dead_letters(
        &self,
        id: &TaskId,
        connector: &Config,
    ) -> Result<Option<SourceDeadLetters>> {
        let keys = SourceConfig::from_config(connector)?;
        let topic = keys.dlq_topic.trim();
        if topic.is_empty() {
            return Ok(None);
        }
        self.dead_letter_topic(id, connector, topic, keys.dlq_replication, "lavka.").await?;
        Ok(Some(SourceDeadLetters::new(Topic::from(topic), keys.dlq_headers)))
    }

    /// Creates the topic for dead letters if it is missing. `prefix` is that of the keys.
    async fn dead_letter_topic(
        &self,
        id: &TaskId,
        connector: &Config,
        topic: &str,
        replication: i16,
        prefix: &str,
    ) -> Result<()> {
        let admin = self.cluster.admin(&self.clients.dead_letter_admin(id, connector))?;
        if admin.topic(topic).await?.is_some() {
            return Ok(());
        }
        let wanted = NewTopic {
            name: topic.to_owned(),
            partitions: Some(1),
            replication_factor: Some(replication),
            configs: Vec::new(),
        };
        let created = admin.create_topic(&wanted).await;
        created.map(drop).map_err(|error| {
            Error::config(format!(
                "Could not create the dead letter queue topic '{topic}' with replication factor {replication} \
                 ({prefix}errors.deadletterqueue.topic.replication.factor): {error}"
            ))
        })
    }
}

/// `topics` or `topics.regex` of a sink. Topic names are matched by the predicate of the catalogue that knows Java's
/// regular expressions.
pub(crate) fn topic_selection(connector: &Config, catalogue: &Catalogue) -> Result<TopicSelection> {
    let topics = Vec::<String>::parse(connector.get("topics").unwrap_or_default()).unwrap_or_default();
    if !topics.is_empty() {
        return Ok(TopicSelection::Named(topics));
    }
    let regex = connector.get("topics.regex").map(str::trim).unwrap_or_default().to_owned();
    let matcher = topic_names::matcher(&regex, catalogue)
        .map_err(|reason| Error::invalid_value("topics.regex", &regex, format!("Invalid regex: {reason}")))?;
    Ok(TopicSelection::Matching { regex, matcher })
}

/// What the framework adds to a task's configuration: its class, and for sinks what it reads.
pub(crate) fn complete_task_config(mut config: Config, plugin: &Plugin, connector: &Config) -> Config {
    let class = plugin.class.strip_suffix("Connector").unwrap_or(plugin.class);
    config.set("task.class", format!("{class}Task"));
    if plugin.kind() == PluginKind::Sink {
        for key in ["topics", "topics.regex"] {
            if let Some(value) = connector.get(key) {
                config.set(key, value);
            }
        }
    }
    config
}
