//! Settings of topics and of the broker: names, types, defaults, checks, and the few that change what is done.
//!
//! Names, types, defaults and messages are those of Apache Kafka 4 (`LogConfig`, `ConfigDef`), so that admin clients
//! see what they expect; most settings are about disks and replicas and have no effect here.

use std::{collections::BTreeMap, time::Duration};

use crate::BrokerConfig;

use super::log::{Appetite, SegmentLimits};

/// The type of a setting as DescribeConfigs numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean = 1,
    Text = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// Where a value comes from, as DescribeConfigs numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Topic = 1,
    Broker = 4,
    Default = 5,
}

/// One setting of a topic.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    default: &'static str,
    /// The broker's setting that gives the default, if there is one.
    pub(super) synonym: Option<Synonym>,
    check: Check,
}

/// A setting of the broker that stands behind one of topics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Synonym {
    pub(super) name: &'static str,
    /// Whether it has a default of its own to show. The others give way to settings in other units.
    pub(super) has_default: bool,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Any,
    AtLeast(i64),
    Fraction,
    Between(i64, i64),
    BetweenOr(i64, i64, i64),
    OneOf(&'static [&'static str]),
}

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    synonym: Option<Synonym>,
    check: Check,
) -> Setting {
    Setting { name, kind, default, synonym, check }
}

const fn same_as(name: &'static str) -> Option<Synonym> {
    Some(Synonym { name, has_default: true })
}

const fn unset(name: &'static str) -> Option<Synonym> {
    Some(Synonym { name, has_default: false })
}

const FOR_EVER: &str = "9223372036854775807";

/// Every setting of a topic, by name.
pub(super) static SETTINGS: [Setting; 33] = [
    setting(
        CLEANUP_POLICY,
        Kind::List,
        "delete",
        same_as("log.cleanup.policy"),
        Check::OneOf(&["compact", "delete"]),
    ),
    setting(
        "compression.gzip.level",
        Kind::Int,
        "-1",
        same_as("compression.gzip.level"),
        Check::BetweenOr(1, 9, -1),
    ),
    setting("compression.lz4.level", Kind::Int, "9", same_as("compression.lz4.level"), Check::Between(1, 17)),
    setting(
        "compression.type",
        Kind::Text,
        "producer",
        same_as("compression.type"),
        Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    ),
    setting(
        "compression.zstd.level",
        Kind::Int,
        "3",
        same_as("compression.zstd.level"),
        Check::Between(-131_072, 22),
    ),
    setting(
        DELETE_RETENTION,
        Kind::Long,
        "86400000",
        same_as("log.cleaner.delete.retention.ms"),
        Check::AtLeast(0),
    ),
    setting(
        "file.delete.delay.ms",
        Kind::Long,
        "60000",
        same_as("log.segment.delete.delay.ms"),
        Check::AtLeast(0),
    ),
    setting(
        "flush.messages",
        Kind::Long,
        FOR_EVER,
        same_as("log.flush.interval.messages"),
        Check::AtLeast(1),
    ),
    setting("flush.ms", Kind::Long, FOR_EVER, unset("log.flush.interval.ms"), Check::AtLeast(0)),
    setting("follower.replication.throttled.replicas", Kind::List, "", None, Check::Any),
    setting(
        "index.interval.bytes",
        Kind::Int,
        "4096",
        same_as("log.index.interval.bytes"),
        Check::AtLeast(0),
    ),
    setting("leader.replication.throttled.replicas", Kind::List, "", None, Check::Any),
    setting(
        "local.retention.bytes",
        Kind::Long,
        "-2",
        same_as("log.local.retention.bytes"),
        Check::AtLeast(-2),
    ),
    setting("local.retention.ms", Kind::Long, "-2", same_as("log.local.retention.ms"), Check::AtLeast(-2)),
    setting(MAX_LAG, Kind::Long, FOR_EVER, same_as("log.cleaner.max.compaction.lag.ms"), Check::AtLeast(1)),
    setting(MAX_MESSAGE_BYTES, Kind::Int, "1048588", same_as("message.max.bytes"), Check::AtLeast(0)),
    setting(
        TIMESTAMP_AFTER,
        Kind::Long,
        "3600000",
        same_as("log.message.timestamp.after.max.ms"),
        Check::AtLeast(0),
    ),
    setting(
        TIMESTAMP_BEFORE,
        Kind::Long,
        FOR_EVER,
        same_as("log.message.timestamp.before.max.ms"),
        Check::AtLeast(0),
    ),
    setting(
        TIMESTAMP_TYPE,
        Kind::Text,
        "CreateTime",
        same_as("log.message.timestamp.type"),
        Check::OneOf(&["CreateTime", "LogAppendTime"]),
    ),
    setting(DIRTY_RATIO, Kind::Double, "0.5", same_as("log.cleaner.min.cleanable.ratio"), Check::Fraction),
    setting(MIN_LAG, Kind::Long, "0", same_as("log.cleaner.min.compaction.lag.ms"), Check::AtLeast(0)),
    setting("min.insync.replicas", Kind::Int, "1", same_as("min.insync.replicas"), Check::AtLeast(1)),
    setting("preallocate", Kind::Boolean, "false", same_as("log.preallocate"), Check::Any),
    setting("remote.log.copy.disable", Kind::Boolean, "false", None, Check::Any),
    setting("remote.log.delete.on.disable", Kind::Boolean, "false", None, Check::Any),
    setting("remote.storage.enable", Kind::Boolean, "false", None, Check::Any),
    setting(RETENTION_BYTES, Kind::Long, "-1", same_as("log.retention.bytes"), Check::Any),
    setting(RETENTION_MS, Kind::Long, "604800000", unset("log.retention.ms"), Check::AtLeast(-1)),
    setting(SEGMENT_BYTES, Kind::Int, "1073741824", same_as("log.segment.bytes"), Check::AtLeast(1_048_576)),
    setting(
        "segment.index.bytes",
        Kind::Int,
        "10485760",
        same_as("log.index.size.max.bytes"),
        Check::AtLeast(4),
    ),
    setting("segment.jitter.ms", Kind::Long, "0", unset("log.roll.jitter.ms"), Check::AtLeast(0)),
    setting(SEGMENT_MS, Kind::Long, "604800000", unset("log.roll.ms"), Check::AtLeast(1)),
    setting(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        same_as("unclean.leader.election.enable"),
        Check::Any,
    ),
];

const CLEANUP_POLICY: &str = "cleanup.policy";
const DELETE_RETENTION: &str = "delete.retention.ms";
const DIRTY_RATIO: &str = "min.cleanable.dirty.ratio";
const MAX_LAG: &str = "max.compaction.lag.ms";
const MIN_LAG: &str = "min.compaction.lag.ms";
const SEGMENT_BYTES: &str = "segment.bytes";
const SEGMENT_MS: &str = "segment.ms";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const TIMESTAMP_AFTER: &str = "message.timestamp.after.max.ms";
const TIMESTAMP_BEFORE: &str = "message.timestamp.before.max.ms";
const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const RETENTION_BYTES: &str = "retention.bytes";
const RETENTION_MS: &str = "retention.ms";

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) source: Source,
}

impl Setting {
    /// The value of a topic that does not set it.
    pub(super) fn inherited(&self, broker: &BrokerConfig) -> Value {
        let own = match self.name {
            MAX_MESSAGE_BYTES => Some(broker.max_message_bytes.to_string()),
            RETENTION_BYTES => {
                Some(broker.retention_bytes.map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string()))
            }
            RETENTION_MS => Some(
                broker
                    .retention
                    .map_or_else(|| "-1".to_owned(), |retention| retention.as_millis().to_string()),
            ),
            _ => None,
        };
        match own {
            Some(text) if text != self.default => Value { text, source: Source::Broker },
            _ => Value { text: self.default.to_owned(), source: Source::Default },
        }
    }

    /// The default without the broker's say.
    pub(super) fn built_in(&self) -> &'static str {
        self.default
    }

    /// Why `value` cannot be, in Kafka's words.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        let text = value.trim();
        let (shown, why) = match self.kind {
            Kind::Boolean if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
                return Ok(());
            }
            Kind::Boolean => (value.to_owned(), "Expected value to be either true or false".to_owned()),
            Kind::Int => match text.parse::<i32>() {
                Ok(number) => (number.to_string(), self.check_number(number.into())),
                Err(_) => (value.to_owned(), "Not a number of type INT".to_owned()),
            },
            Kind::Long => match text.parse::<i64>() {
                Ok(number) => (number.to_string(), self.check_number(number)),
                Err(_) => (value.to_owned(), "Not a number of type LONG".to_owned()),
            },
            Kind::Double => match text.parse::<f64>() {
                Ok(number) => (format!("{number:?}"), self.check_fraction(number)),
                Err(_) => (value.to_owned(), "Not a number of type DOUBLE".to_owned()),
            },
            Kind::Text => self.check_words(std::iter::once(text)),
            Kind::List => self.check_words(list(text)),
        };
        if why.is_empty() {
            return Ok(());
        }
        Err(format!("Invalid value {shown} for configuration {}: {why}", self.name))
    }

    /// What is wrong with a number; empty if nothing is.
    fn check_number(&self, number: i64) -> String {
        match self.check {
            Check::AtLeast(least) | Check::Between(least, _) if number < least => {
                format!("Value must be at least {least}")
            }
            Check::Between(_, most) if number > most => format!("Value must be no more than {most}"),
            Check::BetweenOr(least, most, other) if number != other && !(least..=most).contains(&number) => {
                format!("Value must be between {least} and {most} or equal to {other}")
            }
            _ => String::new(),
        }
    }

    fn check_fraction(&self, number: f64) -> String {
        match self.check {
            Check::Fraction if number < 0.0 => "Value must be at least 0".to_owned(),
            Check::Fraction if number > 1.0 => "Value must be no more than 1".to_owned(),
            _ => String::new(),
        }
    }

    /// The first word that cannot be, and why; nothing if all can.
    fn check_words<'a>(&self, mut words: impl Iterator<Item = &'a str>) -> (String, String) {
        let Check::OneOf(allowed) = self.check else { return Default::default() };
        let wrong = words.find(|word| !allowed.contains(word));
        wrong.map_or_else(Default::default, |wrong| {
            (wrong.to_owned(), format!("String must be one of: {}", allowed.join(", ")))
        })
    }
}

/// The parts of a list value.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// What a topic sets itself, and what follows from it.
#[derive(Debug)]
pub(super) struct TopicConfig {
    overrides: BTreeMap<&'static str, String>,
    pub(super) rules: Rules,
}

/// The settings that change what is done, as numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rules {
    /// Records are kept per key, and so every record needs one.
    pub(super) compacted: bool,
    /// Old records may go.
    pub(super) deletable: bool,
    pub(super) log_append_time: bool,
    pub(super) max_message_bytes: usize,
    pub(super) retention: Option<Duration>,
    pub(super) retention_bytes: Option<usize>,
    /// How many milliseconds before and after now a record's timestamp may lie.
    pub(super) timestamp_before: i64,
    pub(super) timestamp_after: i64,
    pub(super) segment: SegmentLimits,
    pub(super) appetite: Appetite,
    /// How many milliseconds a deletion stays in a compacted topic.
    pub(super) delete_retention: i64,
}

impl TopicConfig {
    /// Checks the overrides of a topic: pairs of name and value.
    pub(super) fn new(overrides: BTreeMap<String, String>, broker: &BrokerConfig) -> Result<Self, String> {
        let mut known = BTreeMap::new();
        for (name, value) in overrides {
            let setting = find(&name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
            setting.check(&value)?;
            known.insert(setting.name, value);
        }
        let rules = Rules::new(&known, broker);
        Ok(Self { overrides: known, rules })
    }

    /// What the topic sets itself.
    pub(super) fn overrides(&self) -> &BTreeMap<&'static str, String> {
        &self.overrides
    }

    /// The value in force.
    pub(super) fn value(&self, setting: &Setting, broker: &BrokerConfig) -> Value {
        match self.overrides.get(setting.name) {
            Some(text) => Value { text: text.clone(), source: Source::Topic },
            None => setting.inherited(broker),
        }
    }
}

impl Rules {
    fn new(overrides: &BTreeMap<&'static str, String>, broker: &BrokerConfig) -> Self {
        let text = |name: &str| match (overrides.get(name), find(name)) {
            (Some(text), _) => text.trim().to_owned(),
            (None, Some(setting)) => setting.inherited(broker).text,
            (None, None) => String::new(),
        };
        let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let policy = text(CLEANUP_POLICY);
        let compacted = list(&policy).any(|part| part == "compact");
        let max_lag = number(MAX_LAG);
        let segment_age = if compacted { number(SEGMENT_MS).min(max_lag) } else { number(SEGMENT_MS) };
        Self {
            compacted,
            deletable: list(&policy).any(|part| part == "delete"),
            log_append_time: text(TIMESTAMP_TYPE) == "LogAppendTime",
            max_message_bytes: usize::try_from(number(MAX_MESSAGE_BYTES)).unwrap_or_default(),
            retention: u64::try_from(number(RETENTION_MS)).ok().map(Duration::from_millis),
            retention_bytes: usize::try_from(number(RETENTION_BYTES)).ok(),
            timestamp_before: number(TIMESTAMP_BEFORE),
            timestamp_after: number(TIMESTAMP_AFTER),
            segment: SegmentLimits {
                bytes: usize::try_from(number(SEGMENT_BYTES)).unwrap_or_default(),
                age: segment_age,
            },
            appetite: Appetite {
                dirty_ratio: text(DIRTY_RATIO).parse().unwrap_or_default(),
                min_lag: number(MIN_LAG),
                max_lag,
            },
            delete_retention: number(DELETE_RETENTION),
        }
    }
}
