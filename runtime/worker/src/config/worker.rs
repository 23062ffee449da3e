//! The worker's own keys (`connect-standalone.properties`).

use std::time::Duration;

use lavka_api::config::{Check, ClassName, Config, ConfigDef, ConfigSpec, key};
use lavka_api::plugin::Catalogue;
use lavka_api::{Error, Result};
use lavka_telemetry::redaction::Redactor;

use super::clients::policy_name;
use super::listener::addresses;
use crate::providers::Providers;

lavka_api::config! {
    /// Keys of a standalone worker.
    pub struct StandaloneKeys {
        /// `bootstrap.servers`.
        pub bootstrap_servers: Vec<String> = key("bootstrap.servers").default("localhost:9092").high()
            .check(Check::non_empty_list())
            .doc("Host and port pairs to find the Kafka cluster by. Also the default of every connector's clients."),
        /// `key.converter`.
        pub key_converter: ClassName = key("key.converter").high()
            .doc("Converter between Connect's data and the bytes of record keys. Its own keys follow under \
                  key.converter., for example key.converter.schemas.enable."),
        /// `value.converter`.
        pub value_converter: ClassName = key("value.converter").high()
            .doc("Converter between Connect's data and the bytes of record values. Its own keys follow under \
                  value.converter."),
        /// `header.converter`.
        pub header_converter: ClassName = key("header.converter")
            .default("org.apache.kafka.connect.storage.SimpleHeaderConverter").low()
            .doc("Converter of record headers. Its own keys follow under header.converter."),
        /// `offset.storage.file.filename`.
        pub offset_file: String = key("offset.storage.file.filename").high().check(Check::non_empty())
            .doc("File that keeps source offsets, in the format of Kafka Connect's own file."),
        /// `exactly.once.source.support`.
        pub exactly_once: String = key("exactly.once.source.support").default("disabled").high()
            .check(Check::one_of_ignoring_case(&["DISABLED", "PREPARING", "ENABLED"]))
            .doc("Whether source connectors deliver exactly once. With 'enabled' the records of a source and its offsets \
                  are written in transactions, the offsets to a Kafka topic, and offset.storage.file.filename only has \
                  a copy; group.id and offset.storage.topic are required then. 'preparing' is as 'disabled': alone, a \
                  worker needs no preparation. Kafka Connect has this key in distributed mode only."),
        /// `group.id`.
        pub group_id: Option<String> = key("group.id").high().check(Check::non_empty())
            .doc("With exactly-once support: a name that no other worker or Connect cluster has on this Kafka cluster. \
                  Transactional ids are GROUP-CONNECTOR-TASK, as Kafka Connect's are. Without effect otherwise."),
        /// `offset.storage.topic`.
        pub offset_topic: Option<String> = key("offset.storage.topic").high().check(Check::non_empty())
            .doc("With exactly-once support: the compacted topic for source offsets, in the format of Kafka Connect; it \
                  is created if it does not exist. Without effect otherwise."),
        /// `offset.storage.partitions`.
        pub offset_partitions: i32 = key("offset.storage.partitions").default(25).low()
            .check(positive_or_broker("Number of partitions"))
            .doc("Partitions of the offsets topic if it has to be created; -1 for the broker's default."),
        /// `offset.storage.replication.factor`.
        pub offset_replication: i16 = key("offset.storage.replication.factor").default(3).low()
            .check(positive_or_broker("Replication factor"))
            .doc("Replication factor of the offsets topic if it has to be created; -1 for the broker's default. Other \
                  keys behind offset.storage. are settings of the topic."),
        /// `offset.flush.interval.ms`.
        pub offset_flush_interval_ms: i64 = key("offset.flush.interval.ms").default(60_000).low()
            .check(Check::at_least(1))
            .doc("How often offsets are committed, of sources to the offset store and of sinks to Kafka, in \
                  milliseconds."),
        /// `offset.flush.timeout.ms`.
        pub offset_flush_timeout_ms: i64 = key("offset.flush.timeout.ms").default(5000).low()
            .check(Check::at_least(1))
            .doc("How long one commit may take, and how long a stopping source waits for records in flight, in \
                  milliseconds."),
        /// `task.shutdown.graceful.timeout.ms`.
        pub graceful_timeout_ms: i64 = key("task.shutdown.graceful.timeout.ms").default(5000).low()
            .check(Check::at_least(0))
            .doc("How long tasks may take to stop, all together, in milliseconds. Then they are cancelled."),
        /// `listeners`.
        pub listeners: Vec<String> = key("listeners").default("http://:8083").low()
            .check(addresses(false))
            .doc("Addresses of the REST API, as http://HOST:PORT. No host means all interfaces."),
        /// `admin.listeners`.
        pub admin_listeners: Option<Vec<String>> = key("admin.listeners").low()
            .check(addresses(true))
            .doc("Addresses of the admin endpoints (/admin/loggers). Not set: the same as 'listeners'. Empty: none."),
        /// `rest.advertised.host.name`.
        pub advertised_host: Option<String> = key("rest.advertised.host.name").low()
            .doc("Host name in the worker's id."),
        /// `rest.advertised.port`.
        pub advertised_port: Option<i32> = key("rest.advertised.port").low().doc("Port in the worker's id."),
        /// `access.control.allow.origin`.
        pub cors_origin: String = key("access.control.allow.origin").default("").low()
            .doc("Origin that web pages may call the REST API from; none by default."),
        /// `access.control.allow.methods`.
        pub cors_methods: String = key("access.control.allow.methods").default("").low()
            .doc("Methods that web pages of that origin may use; GET, POST and HEAD by default."),
        /// `response.http.headers.config`.
        pub response_headers: String = key("response.http.headers.config").default("").low()
            .doc("Rules for headers of REST answers: 'set name: value' or 'add name: value', separated by commas."),
        /// `topic.tracking.enable`.
        pub topic_tracking: bool = key("topic.tracking.enable").default(true).low()
            .doc("Whether the topics that a connector uses are remembered."),
        /// `topic.tracking.allow.reset`.
        pub topic_reset: bool = key("topic.tracking.allow.reset").default(true).low()
            .doc("Whether the remembered topics may be reset over REST."),
        /// `topic.creation.enable`.
        pub topic_creation: bool = key("topic.creation.enable").default(true).low()
            .doc("Whether source connectors create topics as their topic.creation. keys say."),
        /// `config.providers`.
        pub config_providers: Vec<String> = key("config.providers").default("").low()
            .doc("Names of configuration providers. Each has config.providers.NAME.class, one of \
                  org.apache.kafka.common.config.provider.FileConfigProvider, DirectoryConfigProvider and \
                  EnvVarConfigProvider, and may have config.providers.NAME.param.allowed.paths (files and directories) \
                  or config.providers.NAME.param.allowlist.pattern (environment). ${NAME:path:key} or ${NAME:key} in a \
                  value of this file or of a connector then stands for what the provider finds there. With \
                  config.providers.NAME.param.lavka.ttl.ms a connector looks again after so many milliseconds, and is \
                  restarted with its tasks where a value has changed, unless its config.action.reload is none."),
        /// `connector.client.config.override.policy`.
        pub override_policy: String = key("connector.client.config.override.policy").default("All")
            .check(Check::new("All, None, Principal or Allowlist, or the Java class of one", |text| {
                policy_name(text).map(drop)
            }))
            .doc("Which producer.override., consumer.override. and admin.override. keys connectors may set. All: every \
                  key. None: no key. Principal: security.protocol, sasl.mechanism and sasl.jaas.config. Allowlist: \
                  those in connector.client.config.override.allowlist."),
        /// `connector.client.config.override.allowlist`.
        pub override_allowlist: Vec<String> = key("connector.client.config.override.allowlist").default("")
            .doc("The client keys, without prefix, that the Allowlist policy allows; none where it is empty."),
    }
}

fn positive_or_broker(what: &'static str) -> Check {
    Check::new("positive, or -1 for the broker's default", move |text| match text.trim().parse::<i64>() {
        Ok(number) if number > 0 || number == -1 => Ok(()),
        _ => Err(format!("{what} must be positive, or -1 to use the broker's default")),
    })
}

/// A worker's configuration: its typed keys, and all of it for converters and clients.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The typed keys.
    pub keys: StandaloneKeys,
    /// Everything as written, with the values of variables.
    pub raw: Config,
    /// What resolves variables in the configurations of connectors.
    pub providers: Providers,
    /// Hides what variables of this configuration stood for.
    pub secrets: Redactor,
}

/// What a key of a worker file means to this worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerKey {
    /// It is used.
    Used,
    /// It is known and has no effect here.
    Ignored(&'static str),
    /// It is not known; the nearest known key, if one is near.
    Unknown(Option<String>),
}

impl WorkerConfig {
    /// Reads a worker's configuration.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn new(raw: Config) -> Result<Self> {
        let keys = StandaloneKeys::from_config(&raw)?;
        if is_enabled(&keys.exactly_once) {
            for (name, value) in [("group.id", &keys.group_id), ("offset.storage.topic", &keys.offset_topic)]
            {
                if value.is_none() {
                    return Err(Error::config(format!(
                        "Missing required configuration \"{name}\" which has no default value."
                    )));
                }
            }
        }
        Ok(Self { keys, raw, providers: Providers::default(), secrets: Redactor::default() })
    }

    /// Reads a worker's configuration that may have variables, by the configuration providers that it names itself.
    /// Reads files.
    ///
    /// # Errors
    /// As [`new`](Self::new); and where a provider is wrong or cannot read what it is asked for. No value of a variable
    /// is in it.
    pub fn resolving(raw: &Config, catalogue: &Catalogue) -> Result<Self> {
        let providers = Providers::from_config(raw, catalogue)?;
        let resolved = providers.resolve(raw)?;
        let worker = Self::new(resolved.config.clone()).map_err(|error| resolved.discreet(&error))?;
        Ok(Self { providers, secrets: resolved.secrets, ..worker })
    }

    /// The definition of the typed keys.
    #[must_use]
    pub fn definition() -> ConfigDef {
        StandaloneKeys::definition()
    }

    /// What each key of the file means, in its order.
    pub fn explain(&self) -> impl Iterator<Item = (&str, WorkerKey)> {
        let exactly_once = self.exactly_once();
        self.raw.keys().map(move |name| (name, meaning(name, exactly_once)))
    }

    /// Whether sources deliver exactly once.
    #[must_use]
    pub fn exactly_once(&self) -> bool {
        is_enabled(&self.keys.exactly_once)
    }

    /// The settings that the offsets topic is created with, beside those that have keys of their own.
    pub(crate) fn offset_topic_settings(&self) -> Vec<(String, String)> {
        const OWN: [&str; 4] = ["topic", "partitions", "replication.factor", "file.filename"];
        let behind = self.raw.with_prefix_stripped("offset.storage.");
        let settings = behind.iter().filter(|(key, _)| !OWN.contains(key));
        settings.filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect()
    }

    /// `offset.flush.interval.ms`.
    #[must_use]
    pub fn flush_interval(&self) -> Duration {
        positive(self.keys.offset_flush_interval_ms)
    }

    /// `offset.flush.timeout.ms`.
    #[must_use]
    pub fn flush_timeout(&self) -> Duration {
        positive(self.keys.offset_flush_timeout_ms)
    }

    /// `task.shutdown.graceful.timeout.ms`.
    #[must_use]
    pub fn graceful_timeout(&self) -> Duration {
        positive(self.keys.graceful_timeout_ms)
    }
}

/// Of a value of `exactly.once.source.support`.
pub(crate) fn is_enabled(support: &str) -> bool {
    support.trim().eq_ignore_ascii_case("enabled")
}

fn positive(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Prefixes whose keys go to converters and clients.
const PREFIXES: [&str; 7] = [
    "config.providers.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "producer.",
    "consumer.",
    "admin.",
];

/// Keys of real worker files that mean nothing to this worker, and why.
const IGNORED: [(&str, &str); 16] = [
    ("plugin.path", "plugins are built in"),
    ("plugin.discovery", "plugins are built in"),
    ("client.dns.lookup", "librdkafka tries all addresses of a name"),
    ("metric.reporters", "there is no JMX"),
    ("metrics.", "there is no JMX"),
    ("auto.include.jmx.reporter", "there is no JMX"),
    ("internal.key.converter", "removed in Kafka 3.0"),
    ("internal.value.converter", "removed in Kafka 3.0"),
    ("rest.extension.classes", "Java classes cannot be loaded"),
    ("rest.advertised.listener", "only http is served"),
    ("rest.host.name", "removed in Kafka 3.0; use 'listeners'"),
    ("rest.port", "removed in Kafka 3.0; use 'listeners'"),
    ("ssl.client.auth", "only http is served"),
    ("config.storage.", "only distributed workers have internal topics"),
    ("status.storage.", "only distributed workers have internal topics"),
    ("task.shutdown.", "no such key in standalone mode"),
];

/// Why `name`, a key of Kafka Connect worker files, has no effect here; `None` if it has one or is not known.
#[must_use]
pub fn ignored_worker_key(name: &str) -> Option<&'static str> {
    IGNORED
        .iter()
        .find(|(known, _)| if known.ends_with('.') { name.starts_with(known) } else { name == *known })
        .map(|(_, why)| *why)
}

/// Keys of Kafka clients without a prefix: they configure the worker's own admin clients.
pub(super) fn is_client_key(name: &str) -> bool {
    ["ssl.", "sasl."].iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            "security.protocol"
                | "client.id"
                | "request.timeout.ms"
                | "default.api.timeout.ms"
                | "retries"
                | "metadata.recovery.strategy"
                | "metadata.recovery.rebootstrap.trigger.ms"
                | "retry.backoff.ms"
                | "retry.backoff.max.ms"
                | "reconnect.backoff.ms"
                | "reconnect.backoff.max.ms"
                | "connections.max.idle.ms"
                | "metadata.max.age.ms"
                | "send.buffer.bytes"
                | "receive.buffer.bytes"
                | "socket.connection.setup.timeout.ms"
                | "socket.connection.setup.timeout.max.ms"
        )
}

/// Keys that take effect with exactly-once support alone.
const OF_TRANSACTIONS: [&str; 2] = ["group.id", "offset.storage."];

fn meaning(name: &str, exactly_once: bool) -> WorkerKey {
    let definition = StandaloneKeys::definition();
    if name != "offset.storage.file.filename" && OF_TRANSACTIONS.iter().any(|known| name.starts_with(known)) {
        let known = definition.iter().map(|key| key.name.as_ref());
        return match lavka_api::config::nearest_name(name, known).filter(|near| *near != name) {
            // Whatever else is behind the prefix is a setting of the topic, unless it looks like a slip of the pen.
            Some(near) if definition.get(name).is_none() => WorkerKey::Unknown(Some(near.to_owned())),
            _ if exactly_once => WorkerKey::Used,
            _ => WorkerKey::Ignored("used with exactly.once.source.support=enabled"),
        };
    }
    if definition.get(name).is_some() || PREFIXES.iter().any(|p| name.starts_with(p)) || is_client_key(name) {
        return WorkerKey::Used;
    }
    match ignored_worker_key(name) {
        Some(why) => WorkerKey::Ignored(why),
        None => {
            let known =
                definition.iter().map(|key| key.name.as_ref()).chain(IGNORED.iter().map(|(name, _)| *name));
            WorkerKey::Unknown(lavka_api::config::nearest_name(name, known).map(str::to_owned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Config {
        Config::from([
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("offset.storage.file.filename", "/tmp/connect.offsets"),
        ])
    }

    #[test]
    fn every_key_is_explained() {
        let mut raw = minimal();
        for key in [
            "plugin.path",
            "ofset.flush.interval.ms",
            "producer.linger.ms",
            "zzz",
            "group.id",
            "offset.storage.segment.bytes",
            "offset.storage.partition",
        ] {
            raw.set(key, "1");
        }
        let config = WorkerConfig::new(raw).unwrap();
        let of = |name: &str| config.explain().find(|(key, _)| *key == name).map(|(_, meaning)| meaning);
        assert_eq!(of("key.converter"), Some(WorkerKey::Used));
        assert_eq!(of("plugin.path"), Some(WorkerKey::Ignored("plugins are built in")));
        let unused = Some(WorkerKey::Ignored("used with exactly.once.source.support=enabled"));
        assert_eq!((of("group.id"), of("offset.storage.segment.bytes")), (unused.clone(), unused));
        let near = Some("offset.storage.partitions".to_owned());
        assert_eq!(of("offset.storage.partition"), Some(WorkerKey::Unknown(near)));
        assert_eq!(
            of("ofset.flush.interval.ms"),
            Some(WorkerKey::Unknown(Some("offset.flush.interval.ms".into())))
        );
        assert_eq!(of("zzz"), Some(WorkerKey::Unknown(None)));
    }

    #[test]
    fn a_missing_key_is_named() {
        let mut raw = minimal();
        raw.remove("value.converter");
        let error = WorkerConfig::new(raw).unwrap_err();
        assert_eq!(
            error.message(),
            Some("Missing required configuration \"value.converter\" which has no default value.")
        );
    }

    #[test]
    fn exactly_once_support_needs_a_name_and_a_topic() {
        let mut raw = minimal();
        raw.set("exactly.once.source.support", "Enabled");
        for (missing, then) in [("group.id", "workers"), ("offset.storage.topic", "offsets")] {
            let error = WorkerConfig::new(raw.clone()).unwrap_err();
            let text = format!("Missing required configuration \"{missing}\" which has no default value.");
            assert_eq!(error.to_string(), text);
            raw.set(missing, then);
        }
        raw.set("offset.storage.min.insync.replicas", "2");
        let config = WorkerConfig::new(raw.clone()).unwrap();
        assert!(config.exactly_once());
        assert_eq!(config.offset_topic_settings(), [("min.insync.replicas".to_owned(), "2".to_owned())]);
        assert!(config.explain().all(|(_, meaning)| meaning == WorkerKey::Used));
        raw.set("exactly.once.source.support", "preparing");
        assert!(!WorkerConfig::new(raw.clone()).unwrap().exactly_once());
        raw.set("offset.storage.partitions", "0");
        assert!(WorkerConfig::new(raw).is_err());
    }
}
