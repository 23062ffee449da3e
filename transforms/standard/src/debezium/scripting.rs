//! `ContentBasedRouter` and `Filter`, which need a scripting engine that this build has none of: their configuration
//! says so, and what to use instead.

use std::convert::Infallible;

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

const REMEDY: &str = "Debezium's ContentBasedRouter and Filter evaluate a script for each record, and this build has no \
                      scripting engine. To route, use io.confluent.connect.transforms.ExtractTopic where a field or header \
                      names the topic, or org.apache.kafka.connect.transforms.RegexRouter with a predicate; to filter, use \
                      org.apache.kafka.connect.transforms.Filter with a predicate (TopicNameMatches, HasHeaderKey, \
                      RecordIsTombstone)";

lavka_api::config! {
    /// Keys of `ContentBasedRouter` and `Filter`.
    pub(super) struct ScriptingConfig {
        _language: String = key("language").high().check(Check::worded("none in this build", |_, _| Err(REMEDY.into())))
            .doc("Language of the script; this build has none."),
        _expression: Option<String> = key("topic.expression").high().doc("Script that gives the new topic."),
        _condition: Option<String> = key("condition").high().doc("Script that says which records stay."),
    }
}

/// Stands for either; there never is one.
pub(super) struct NotHere(Infallible);

impl NotHere {
    pub(super) fn new(config: &Config) -> Result<Self> {
        ScriptingConfig::from_config(config)?;
        Err(Error::config(REMEDY))
    }
}

impl Transform for NotHere {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict> {
        match self.0 {}
    }
}
