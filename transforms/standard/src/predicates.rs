//! The predicates: `HasHeaderKey`, `RecordIsTombstone`, `TopicNameMatches`.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::Predicate;
use lavka_api::{Error, Result};

use crate::regex::{JavaRegex, valid_regex};
use crate::topics::TopicMemory;

lavka_api::config! {
    /// Keys of `HasHeaderKey`.
    pub(crate) struct HasHeaderKeyConfig {
        name: String = key("name").check(Check::non_empty()).doc("Name of the header to look for."),
    }
}

/// Holds where at least one header has the name.
pub(crate) struct HasHeaderKey {
    name: String,
}

impl HasHeaderKey {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self { name: HasHeaderKeyConfig::from_config(config)?.name })
    }
}

impl Predicate for HasHeaderKey {
    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.headers.iter().any(|header| header.key == *self.name))
    }
}

lavka_api::config! {
    /// No keys.
    pub(crate) struct RecordIsTombstoneConfig {}
}

/// Holds where the value is null, whatever its schema.
pub(crate) struct RecordIsTombstone;

impl RecordIsTombstone {
    #[expect(clippy::unnecessary_wraps, reason = "made like every other predicate")]
    pub(crate) fn new(_: &Config) -> Result<Self> {
        Ok(Self)
    }
}

impl Predicate for RecordIsTombstone {
    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(record.value.is_null())
    }
}

lavka_api::config! {
    /// Keys of `TopicNameMatches`.
    pub(crate) struct TopicNameMatchesConfig {
        pattern: String = key("pattern").check(Check::non_empty()).check(valid_regex())
            .doc("Java regular expression that the whole name of the topic must match."),
    }
}

/// Holds where the whole topic matches.
pub(crate) struct TopicNameMatches {
    pattern: JavaRegex,
    known: TopicMemory<Result<bool>>,
}

impl TopicNameMatches {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let pattern = TopicNameMatchesConfig::from_config(config)?.pattern;
        Ok(Self { pattern: JavaRegex::compile(&pattern).map_err(Error::config)?, known: TopicMemory::new() })
    }
}

impl Predicate for TopicNameMatches {
    fn test(&mut self, record: &Record) -> Result<bool> {
        self.known.get(&record.topic, |topic| self.pattern.matches(topic)).clone()
    }
}
