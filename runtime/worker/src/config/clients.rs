//! Configurations of the Kafka clients of connectors: framework defaults, then the worker's `producer.`, `consumer.` or
//! `admin.` keys, then the connector's overrides.

use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::TaskId;

use super::worker::{WorkerConfig, is_client_key};

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
    /// An admin client.
    Admin,
}

impl ClientKind {
    /// All kinds, in the order of validation answers.
    pub const ALL: [ClientKind; 3] = [ClientKind::Producer, ClientKind::Consumer, ClientKind::Admin];

    /// The prefix of its keys in worker files.
    #[must_use]
    pub fn worker_prefix(self) -> &'static str {
        match self {
            ClientKind::Producer => "producer.",
            ClientKind::Consumer => "consumer.",
            ClientKind::Admin => "admin.",
        }
    }

    /// The prefix of its keys in connector configurations.
    #[must_use]
    pub fn override_prefix(self) -> &'static str {
        match self {
            ClientKind::Producer => "producer.override.",
            ClientKind::Consumer => "consumer.override.",
            ClientKind::Admin => "admin.override.",
        }
    }
}

/// `connector.client.config.override.policy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Everything may be overridden.
    All,
    /// Nothing may.
    None,
    /// What says who the client is.
    Principal,
    /// The keys listed.
    Allowlist(Vec<String>),
}

impl OverridePolicy {
    fn of(worker: &WorkerConfig) -> Self {
        match policy_name(&worker.keys.override_policy) {
            Ok("None") => Self::None,
            Ok("Principal") => Self::Principal,
            Ok("Allowlist") => Self::Allowlist(worker.keys.override_allowlist.clone()),
            _ => Self::All,
        }
    }

    /// Why a connector may not set `key` (without the prefix); `None` if it may.
    #[must_use]
    pub fn refusal(&self, key: &str) -> Option<String> {
        let (allowed, name) = match self {
            Self::All => (true, "All"),
            Self::None => (false, "None"),
            Self::Principal => {
                (matches!(key, "security.protocol" | "sasl.jaas.config" | "sasl.mechanism"), "Principal")
            }
            Self::Allowlist(keys) => (keys.iter().any(|k| k == key), "Allowlist"),
        };
        (!allowed).then(|| {
            format!(
                "The '{name}' policy does not allow '{key}' to be overridden in the connector configuration."
            )
        })
    }
}

/// The short name of a policy: given by it, whatever the case, or by its Java class with or without the package.
///
/// # Errors
/// The detail of the error text.
pub(super) fn policy_name(text: &str) -> Result<&'static str, String> {
    const PACKAGE: &str = "org.apache.kafka.connect.connector.policy.";
    const NAMES: [&str; 4] = ["All", "None", "Principal", "Allowlist"];
    let class = text.trim();
    let class = class.strip_prefix(PACKAGE).unwrap_or(class);
    let short = class.strip_suffix("ConnectorClientConfigOverridePolicy").unwrap_or(class);
    NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(short)).ok_or_else(|| {
        format!(
            "Failed to find any class that implements interface {PACKAGE}ConnectorClientConfigOverridePolicy and which \
             name matches {text}, available policies are: {}",
            NAMES.join(", ")
        )
    })
}

/// Makes client configurations.
#[derive(Debug, Clone)]
pub struct Clients {
    worker: WorkerConfig,
    policy: OverridePolicy,
}

impl Clients {
    /// For the connectors of a worker.
    #[must_use]
    pub fn new(worker: &WorkerConfig) -> Self {
        Self { policy: OverridePolicy::of(worker), worker: worker.clone() }
    }

    /// What connectors may override.
    #[must_use]
    pub fn policy(&self) -> &OverridePolicy {
        &self.policy
    }

    /// The producer of a source task.
    #[must_use]
    pub fn producer(&self, id: &TaskId, connector: &Config) -> Config {
        self.sending(format!("connector-producer-{id}"), connector)
    }

    /// The producer of a source task that delivers exactly once.
    #[must_use]
    pub fn transactional_producer(&self, id: &TaskId, connector: &Config) -> Config {
        let mut config = self.producer(id, connector);
        for (key, value) in [
            ("acks", "all".to_owned()),
            ("enable.idempotence", "true".to_owned()),
            ("transactional.id", self.transactional_id(id)),
        ] {
            let asked = connector
                .get(&format!("{}{key}", ClientKind::Producer.override_prefix()))
                .or_else(|| self.worker.raw.get(&format!("{}{key}", ClientKind::Producer.worker_prefix())));
            if asked.is_some_and(|asked| asked.trim() != value) {
                tracing::warn!(
                    task = %id,
                    "the producer's {key} is set to {value}, which exactly-once source support requires, whatever was \
                     configured"
                );
            }
            config.set(key, value);
        }
        config
    }

    /// The transactional id of a source task (KIP-618).
    #[must_use]
    pub fn transactional_id(&self, id: &TaskId) -> String {
        format!("{}-{id}", self.worker.keys.group_id.as_deref().unwrap_or_default())
    }

    /// What reads the offsets topic of a connector.
    #[must_use]
    pub fn offsets_consumer(&self, connector: &Config) -> Config {
        let defaults = [("bootstrap.servers", self.bootstrap()), ("client.id", self.offsets_client())];
        self.layered(defaults, ClientKind::Consumer, connector)
    }

    /// What creates the offsets topic of a connector.
    #[must_use]
    pub fn offsets_admin(&self, connector: &Config) -> Config {
        let defaults = [("bootstrap.servers", self.bootstrap()), ("client.id", self.offsets_client())];
        self.layered(defaults, ClientKind::Admin, connector)
    }

    fn offsets_client(&self) -> String {
        format!("{}-offsets", self.worker.keys.group_id.as_deref().unwrap_or_default())
    }

    /// The producer of a sink task's dead letters.
    #[must_use]
    pub fn dead_letter_producer(&self, id: &TaskId, connector: &Config) -> Config {
        self.sending(format!("connector-dlq-producer-{id}"), connector)
    }

    fn sending(&self, client_id: String, connector: &Config) -> Config {
        let defaults = [
            ("bootstrap.servers", self.bootstrap()),
            ("acks", "all".into()),
            ("max.in.flight.requests.per.connection", "1".into()),
            ("enable.idempotence", "false".into()),
            ("max.block.ms", i64::MAX.to_string()),
            ("delivery.timeout.ms", i32::MAX.to_string()),
            ("client.id", client_id),
        ];
        self.layered(defaults, ClientKind::Producer, connector)
    }

    /// The consumer of a sink task.
    #[must_use]
    pub fn consumer(&self, id: &TaskId, connector: &Config) -> Config {
        let defaults = [
            ("bootstrap.servers", self.bootstrap()),
            ("group.id", default_group(&id.connector)),
            ("enable.auto.commit", "false".into()),
            ("auto.offset.reset", "earliest".into()),
            ("client.id", format!("connector-consumer-{id}")),
        ];
        self.layered(defaults, ClientKind::Consumer, connector)
    }

    /// The admin client for a connector's offsets and topics.
    #[must_use]
    pub fn admin(&self, connector_name: &str, connector: &Config) -> Config {
        let defaults = [
            ("bootstrap.servers", self.bootstrap()),
            ("client.id", format!("connector-worker-adminclient-{connector_name}")),
        ];
        self.layered(defaults, ClientKind::Admin, connector)
    }

    /// The admin client that creates topics for a source task.
    #[must_use]
    pub fn topic_admin(&self, id: &TaskId, connector: &Config) -> Config {
        let defaults =
            [("bootstrap.servers", self.bootstrap()), ("client.id", format!("connector-adminclient-{id}"))];
        self.layered(defaults, ClientKind::Admin, connector)
    }

    /// The admin client that creates the topic for a task's dead letters.
    #[must_use]
    pub fn dead_letter_admin(&self, id: &TaskId, connector: &Config) -> Config {
        let defaults = [
            ("bootstrap.servers", self.bootstrap()),
            ("client.id", format!("connector-dlq-adminclient-{id}")),
        ];
        self.layered(defaults, ClientKind::Admin, connector)
    }

    /// The worker's own admin client.
    #[must_use]
    pub fn worker_admin(&self) -> Config {
        self.layered([("bootstrap.servers", self.bootstrap())], ClientKind::Admin, &Config::new())
    }

    /// The consumer group of a sink connector.
    #[must_use]
    pub fn group(&self, connector_name: &str, connector: &Config) -> String {
        connector
            .get("consumer.override.group.id")
            .or_else(|| self.worker.raw.get("consumer.group.id"))
            .map_or_else(|| default_group(connector_name), str::to_owned)
    }

    fn bootstrap(&self) -> String {
        self.worker.keys.bootstrap_servers.join(",")
    }

    fn layered<const N: usize>(
        &self,
        defaults: [(&str, String); N],
        kind: ClientKind,
        connector: &Config,
    ) -> Config {
        let mut config: Config = defaults.into_iter().collect();
        if kind == ClientKind::Admin {
            // Admin clients have the worker's keys without a prefix too.
            for (key, value) in self.worker.raw.iter().filter(|(key, _)| is_client_key(key)) {
                config.set_nullable(key, value.map(str::to_owned));
            }
        }
        let worker = self.worker.raw.with_prefix_stripped(kind.worker_prefix());
        let overrides = connector.with_prefix_stripped(kind.override_prefix());
        for layer in [worker, overrides] {
            for (key, value) in layer.iter() {
                // `producer.override.x` in a worker file belongs to nobody.
                if let (Some(value), false) = (value, key.starts_with("override.")) {
                    config.set(key, value);
                }
            }
        }
        config
    }
}

fn default_group(connector: &str) -> String {
    format!("connect-{connector}")
}

/// `max.poll.records` of a consumer configuration: records per batch.
#[must_use]
pub(crate) fn max_poll_records(consumer: &Config) -> usize {
    consumer
        .get("max.poll.records")
        .and_then(|text| i32::parse(text).ok())
        .and_then(|records| usize::try_from(records).ok())
        .filter(|records| *records > 0)
        .unwrap_or(500)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(extra: &[(&str, &str)]) -> Clients {
        let mut raw = Config::from([
            ("bootstrap.servers", "a:1, b:2"),
            ("key.converter", "x"),
            ("value.converter", "x"),
            ("offset.storage.file.filename", "f"),
        ]);
        for (key, value) in extra {
            raw.set(*key, *value);
        }
        Clients::new(&WorkerConfig::new(raw).unwrap())
    }

    fn id() -> TaskId {
        TaskId { connector: "c".into(), task: 2 }
    }

    #[test]
    fn later_layers_win() {
        let clients =
            clients(&[("producer.linger.ms", "5"), ("producer.acks", "1"), ("consumer.linger.ms", "9")]);
        let config = clients.producer(&id(), &Config::from([("producer.override.acks", "0"), ("acks", "7")]));
        let get = |key| config.get(key);
        assert_eq!(get("bootstrap.servers"), Some("a:1,b:2"));
        assert_eq!(get("client.id"), Some("connector-producer-c-2"));
        assert_eq!((get("linger.ms"), get("acks")), (Some("5"), Some("0")));
        assert_eq!(get("max.in.flight.requests.per.connection"), Some("1"));
    }

    #[test]
    fn the_group_can_be_overridden() {
        let clients = clients(&[]);
        assert_eq!(clients.group("c", &Config::new()), "connect-c");
        let config = Config::from([("consumer.override.group.id", "mine")]);
        assert_eq!(clients.group("c", &config), "mine");
        assert_eq!(clients.consumer(&id(), &config).get("group.id"), Some("mine"));
    }

    #[test]
    fn producers_of_exactly_once_sources_are_what_that_requires() {
        let clients = clients(&[("group.id", "workers"), ("producer.acks", "1")]);
        let connector =
            Config::from([("producer.override.transactional.id", "x"), ("producer.override.linger.ms", "7")]);
        let config = clients.transactional_producer(&id(), &connector);
        for (key, value) in [
            ("transactional.id", "workers-c-2"),
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("linger.ms", "7"),
            ("client.id", "connector-producer-c-2"),
        ] {
            assert_eq!(config.get(key), Some(value), "{key}");
        }
        assert_eq!(clients.offsets_consumer(&connector).get("client.id"), Some("workers-offsets"));
    }

    #[test]
    fn policies_have_javas_names() {
        let package = "org.apache.kafka.connect.connector.policy.";
        let of = |name: &str| {
            let keys = [
                ("connector.client.config.override.policy", name),
                ("connector.client.config.override.allowlist", "acks, linger.ms"),
            ];
            clients(&keys).policy().clone()
        };
        let allowed = || OverridePolicy::Allowlist(vec!["acks".into(), "linger.ms".into()]);
        for (short, policy) in [
            ("All", OverridePolicy::All),
            ("None", OverridePolicy::None),
            ("Principal", OverridePolicy::Principal),
            ("Allowlist", allowed()),
        ] {
            let class = format!("{short}ConnectorClientConfigOverridePolicy");
            for name in [short.to_owned(), short.to_lowercase(), format!("{package}{class}"), class] {
                assert_eq!(of(&name), policy, "{name}");
            }
        }
        assert_eq!(allowed().refusal("acks"), None);
        assert_eq!(
            allowed().refusal("retries").as_deref(),
            Some(
                "The 'Allowlist' policy does not allow 'retries' to be overridden in the connector configuration."
            )
        );
        assert_eq!(
            policy_name("com.acme.Mine").unwrap_err(),
            "Failed to find any class that implements interface \
             org.apache.kafka.connect.connector.policy.ConnectorClientConfigOverridePolicy and which name matches \
             com.acme.Mine, available policies are: All, None, Principal, Allowlist"
        );
    }

    #[test]
    fn every_client_has_the_worker_s_keys_and_then_the_connector_s() {
        let clients = clients(&[
            ("producer.linger.ms", "1"),
            ("producer.acks", "1"),
            ("consumer.max.poll.records", "1"),
            ("consumer.client.rack", "a"),
            ("admin.retries", "1"),
            ("admin.client.id", "w"),
            ("security.protocol", "SSL"),
            ("listeners", "http://:8083"),
        ]);
        let connector = Config::from([
            ("producer.override.linger.ms", "2"),
            ("consumer.override.max.poll.records", "2"),
            ("admin.override.retries", "2"),
        ]);
        let has = |config: Config, pairs: &[(&str, &str)]| {
            for (key, value) in pairs {
                assert_eq!(config.get(key), Some(*value), "{key}");
            }
        };
        for config in [clients.producer(&id(), &connector), clients.dead_letter_producer(&id(), &connector)] {
            has(config, &[("linger.ms", "2"), ("acks", "1")]);
        }
        has(clients.consumer(&id(), &connector), &[("max.poll.records", "2"), ("client.rack", "a")]);
        for config in [clients.admin("c", &connector), clients.topic_admin(&id(), &connector)] {
            assert_eq!(config.get("listeners"), None);
            has(config, &[("retries", "2"), ("client.id", "w"), ("security.protocol", "SSL")]);
        }
        has(clients.worker_admin(), &[("retries", "1"), ("client.id", "w"), ("security.protocol", "SSL")]);
        assert_eq!(
            clients.producer(&id(), &connector).get("security.protocol"),
            None,
            "behind its prefix alone"
        );
    }

    #[test]
    fn policies_refuse_by_name() {
        let principal = clients(&[("connector.client.config.override.policy", "principal")]);
        assert_eq!(principal.policy().refusal("sasl.mechanism"), None);
        assert_eq!(
            principal.policy().refusal("acks").as_deref(),
            Some(
                "The 'Principal' policy does not allow 'acks' to be overridden in the connector configuration."
            )
        );
    }
}
