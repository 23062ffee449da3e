//! Java's client keys, translated.
//!
//! [`table`] says key by key what becomes of it, [`defaults`] what a client gets that the user did not ask for. The
//! result is plain data: no client is made here.

mod bootstrap;
mod defaults;
mod jaas;
mod oauth;
mod pem;
mod rules;
mod security;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lavka_api::config::{Config, ConfigType, parse_text};
use lavka_api::{Error, Result};
use lavka_ports::Buffer;

pub(crate) use bootstrap::Endpoint;
pub(crate) use oauth::{OauthLogin, TokenEndpoint, TokenOrigin};
pub(crate) use security::{Identity, Login, Mechanism, Pem, Sasl, Security, Tls};
use table::{Row, Rule};

/// What a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// A producer.
    Producer,
    /// A member of a consumer group.
    Consumer,
    /// An admin client.
    Admin,
}

impl ClientKind {
    fn name(self) -> &'static str {
        match self {
            ClientKind::Producer => "producer",
            ClientKind::Consumer => "consumer",
            ClientKind::Admin => "admin client",
        }
    }
}

/// What becomes of a client key, for those who check configurations without a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFate {
    /// It takes effect.
    Understood,
    /// It has no effect, for this reason.
    Ignored(&'static str),
    /// No Java client of this kind has such a key.
    Unknown,
}

/// What becomes of the key `key` (without a `producer.` or similar prefix) of a client of this kind.
#[must_use]
pub fn key_fate(kind: ClientKind, key: &str) -> KeyFate {
    match table::find(kind, key) {
        Some(Row { rule: Rule::Moot | Rule::Refused, why, .. }) => KeyFate::Ignored(why),
        Some(_) => KeyFate::Understood,
        None if key.starts_with(METRICS_CONTEXT) => KeyFate::Ignored("labels of Java's metric reporters"),
        None => KeyFate::Unknown,
    }
}

/// A key of Java's clients and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Java's name.
    pub key: &'static str,
    /// librdkafka's names; none for what is done here instead, or without effect.
    pub native: Vec<&'static str>,
    /// What becomes of it.
    pub fate: KeyFate,
    /// In what the two differ, or why it is so.
    pub remark: &'static str,
}

/// Every key that clients of this kind know, in the order of the table: all clients, security, then their own.
pub fn translations(kind: ClientKind) -> impl Iterator<Item = Translation> {
    table::ROWS
        .iter()
        // The first row of a key is the one that counts.
        .filter(move |row| table::find(kind, row.key).is_some_and(|first| std::ptr::eq(first, *row)))
        .map(move |row| Translation {
            key: row.key,
            native: row.names(),
            fate: key_fate(kind, row.key),
            remark: row.why,
        })
}

/// Connect adds labels for metric reporters under this prefix.
const METRICS_CONTEXT: &str = "metrics.context.";

/// librdkafka's settings for one client. `Debug` shows names only: values may be secrets.
pub(crate) struct Native(BTreeMap<&'static str, String>);

impl Native {
    /// For librdkafka.
    pub(crate) fn client_config(&self) -> rdkafka::ClientConfig {
        let mut config = rdkafka::ClientConfig::new();
        for (key, value) in &self.0 {
            config.set(*key, value.as_str());
        }
        // What of it is shown is decided by the level of the target `librdkafka`, which can change at any time.
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Info);
        config
    }

    /// The number under `key`, as it was written by this module.
    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.parse().ok()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn set(&mut self, key: &'static str, value: impl ToString) {
        self.0.insert(key, value.to_string());
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Settings of a producer.
#[derive(Debug)]
pub(crate) struct ProducerSettings {
    pub(crate) native: Native,
    pub(crate) wire: WireSettings,
}

/// Settings of a consumer.
#[derive(Debug)]
pub(crate) struct ConsumerSettings {
    pub(crate) native: Native,
    pub(crate) wire: WireSettings,
    pub(crate) group: String,
    /// `allow.auto.create.topics`.
    pub(crate) creates_topics: bool,
    /// `max.poll.records`.
    pub(crate) max_records: usize,
    /// How long a rebalance may wait for the reader.
    pub(crate) handover: Duration,
    /// `auto.offset.reset=earliest`.
    pub(crate) from_beginning: bool,
}

/// Settings of connections of our own.
#[derive(Debug, Clone)]
pub(crate) struct WireSettings {
    pub(crate) bootstrap: Vec<Endpoint>,
    pub(crate) client_id: String,
    pub(crate) security: Security,
    /// Whether the end of a partition is that of committed transactions.
    pub(crate) read_committed: bool,
    /// `socket.connection.setup.timeout.ms`.
    pub(crate) connect_timeout: Duration,
    /// `request.timeout.ms`.
    pub(crate) request_timeout: Duration,
    /// `default.api.timeout.ms`: bounds a call with all its repetitions.
    pub(crate) call_timeout: Duration,
    /// `retry.backoff.ms`: the wait before the first repetition; doubled each time.
    pub(crate) backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub(crate) backoff_max: Duration,
}

/// The settings of a producer.
///
/// # Errors
/// A config error for a value that is wrong or has no counterpart.
pub(crate) fn producer(config: &Config) -> Result<ProducerSettings> {
    let kind = ClientKind::Producer;
    let wire = wire(kind, config)?;
    let mut native = translate(kind, config, &wire)?;
    defaults::complete_producer(config, &mut native)?;
    Ok(ProducerSettings { native, wire })
}

/// The settings of a producer that sends in transactions.
///
/// # Errors
/// As [`producer`]; and where there is no `transactional.id`.
pub(crate) fn transactional_producer(config: &Config) -> Result<ProducerSettings> {
    let Some(id) = value(config, TRANSACTIONAL_ID).filter(|id| !id.is_empty()) else {
        return Err(Error::config(
            "Missing required configuration \"transactional.id\" which has no default value.",
        ));
    };
    let timeout = millis(config, "transaction.timeout.ms", 60_000)?;
    let others: Config = config
        .iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .filter(|(key, _)| *key != TRANSACTIONAL_ID)
        .collect();
    let mut settings = producer(&others)?;
    defaults::transactional(id, timeout, &mut settings.native)?;
    Ok(settings)
}

/// What a producer is known by across its lives.
const TRANSACTIONAL_ID: &str = "transactional.id";

/// The settings of a reader of whole topics, which belongs to no group and sees committed records alone.
///
/// # Errors
/// A config error for a value that is wrong or has no counterpart.
pub(crate) fn log_reader(config: &Config, buffer: Buffer) -> Result<ConsumerSettings> {
    let mut config = config.clone();
    // librdkafka wants a group even of those who assign partitions to themselves; nothing is ever committed for it.
    config.set("group.id", "lavka-log-reader");
    config.set("isolation.level", "read_committed");
    config.set("auto.offset.reset", "earliest");
    config.set("enable.auto.commit", "false");
    let mut settings = consumer(&config, buffer)?;
    settings.native.set("enable.partition.eof", true);
    // The end of a partition shows in an answer without records, which the broker holds back for that long.
    settings.native.set("fetch.wait.max.ms", 10);
    Ok(settings)
}

/// The settings of a consumer that reads `buffer` ahead of its reader.
///
/// # Errors
/// A config error for a value that is wrong or has no counterpart, or where `group.id` is missing.
pub(crate) fn consumer(config: &Config, buffer: Buffer) -> Result<ConsumerSettings> {
    let kind = ClientKind::Consumer;
    let Some(group) = value(config, "group.id").filter(|group| !group.is_empty()) else {
        return Err(Error::config("Missing required configuration \"group.id\" which has no default value."));
    };
    let wire = wire(kind, config)?;
    let mut native = translate(kind, config, &wire)?;
    // The coordinator waits for max.poll.interval.ms. We hear of a rebalance up to one heartbeat after it began, and our
    // answer has to reach the coordinator in time.
    let interval = millis(config, "max.poll.interval.ms", 300_000)?;
    let spare = millis(config, "heartbeat.interval.ms", 3_000)? + (interval / 4).min(Duration::from_secs(10));
    defaults::complete_consumer(buffer, &mut native);
    Ok(ConsumerSettings {
        native,
        wire,
        group: group.to_owned(),
        creates_topics: number(config, "allow.auto.create.topics", true)?,
        max_records: usize::try_from(number::<i32>(config, "max.poll.records", 500)?.max(1)).unwrap_or(1),
        handover: interval.saturating_sub(spare).max(interval / 4),
        from_beginning: value(config, "auto.offset.reset")
            .is_some_and(|reset| reset.eq_ignore_ascii_case("earliest")),
    })
}

/// The settings of an admin client.
///
/// # Errors
/// A config error for a value that is wrong or has no counterpart.
pub(crate) fn admin(config: &Config) -> Result<WireSettings> {
    let wire = wire(ClientKind::Admin, config)?;
    translate(ClientKind::Admin, config, &wire)?;
    Ok(wire)
}

fn wire(kind: ClientKind, config: &Config) -> Result<WireSettings> {
    let servers = value(config, "bootstrap.servers").unwrap_or_default();
    if servers.is_empty() {
        return Err(Error::config(
            "Missing required configuration \"bootstrap.servers\" which has no default value.",
        ));
    }
    let isolation = value(config, "isolation.level").unwrap_or("read_uncommitted");
    rules::isolation(isolation)
        .map_err(|detail| Error::invalid_value("isolation.level", isolation, detail))?;
    let client_id = value(config, "client.id").filter(|id| !id.is_empty()).unwrap_or(defaults::CLIENT_ID);
    let backoff = millis(config, "retry.backoff.ms", 100)?;
    let call_timeout = if kind == ClientKind::Producer {
        // Java's producer bounds its own questions for metadata by max.block.ms, which Connect sets to for ever; who
        // asks gives a limit instead.
        Duration::from_mins(1)
    } else {
        millis(config, "default.api.timeout.ms", 60_000)?
    };
    Ok(WireSettings {
        bootstrap: bootstrap::parse(servers).map_err(Error::config)?,
        client_id: client_id.to_owned(),
        security: Security::from_config(config)?,
        read_committed: isolation.eq_ignore_ascii_case("read_committed"),
        connect_timeout: millis(config, "socket.connection.setup.timeout.ms", 10_000)?,
        request_timeout: millis(config, "request.timeout.ms", 30_000)?,
        call_timeout,
        backoff,
        backoff_max: millis(config, "retry.backoff.max.ms", 1_000)?.max(backoff),
    })
}

/// The trimmed value of `key`; `None` where it is missing or null.
fn value<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(str::trim)
}

fn number<T: ConfigType>(config: &Config, key: &str, default: T) -> Result<T> {
    match value(config, key) {
        Some(text) => T::parse(text).map_err(|detail| Error::invalid_value(key, text, detail)),
        None => Ok(default),
    }
}

/// At least one millisecond, so that nothing ever spins; at most a month, so that no clock overflows.
fn millis(config: &Config, key: &str, default: i64) -> Result<Duration> {
    const MONTH: i64 = 31 * 24 * 60 * 60 * 1000;
    let millis = number::<i64>(config, key, default)?.clamp(1, MONTH);
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Goes through the user's keys and reports those without effect, by name and never by value.
fn translate(kind: ClientKind, config: &Config, wire: &WireSettings) -> Result<Native> {
    let mut native = Native(BTreeMap::new());
    for default in defaults::of(kind) {
        tracing::trace!("{}={} unless set otherwise: {}", default.key, default.value, default.why);
        native.set(default.key, default.value);
    }
    let mut unknown = Vec::new();
    for (key, text) in config.iter() {
        let Some(text) = text.map(str::trim) else { continue };
        let Some(row) = table::find(kind, key) else {
            if !key.starts_with(METRICS_CONTEXT) {
                unknown.push(key);
            }
            continue;
        };
        for (key, value) in apply(row, text)? {
            native.set(key, value);
        }
    }
    if !unknown.is_empty() {
        tracing::warn!(
            client = %wire.client_id,
            "{} has no use for these configurations, which were supplied: {}",
            kind.name(),
            unknown.join(", ")
        );
    }
    for (key, value) in wire.security.native() {
        native.set(key, value);
    }
    Ok(native)
}

fn apply(row: &'static Row, text: &str) -> Result<Vec<(&'static str, String)>> {
    let invalid = |detail: String| Error::invalid_value(row.key, text, detail);
    match row.rule {
        Rule::Text(to) => Ok(if text.is_empty() { Vec::new() } else { vec![(to, text.to_owned())] }),
        Rule::Flag(to) => Ok(vec![(to, bool::parse(text).map_err(invalid)?.to_string())]),
        Rule::Number { to, kind, min, max } => {
            parse_text(kind, text).map_err(invalid)?;
            let number = i64::parse(text).map_err(invalid)?;
            Ok(vec![(to, number.clamp(min, max).to_string())])
        }
        Rule::Special { translate, .. } => translate(text).map_err(invalid),
        Rule::Ours(kind) => parse_text(kind, text).map(|()| Vec::new()).map_err(invalid),
        Rule::Security(_) => Ok(Vec::new()),
        Rule::Moot => {
            tracing::debug!("{} is ignored: {}", row.key, row.why);
            Ok(Vec::new())
        }
        Rule::Refused => {
            if !text.is_empty() {
                tracing::warn!("{} is not supported and has no effect: {}", row.key, row.why);
            }
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests;
