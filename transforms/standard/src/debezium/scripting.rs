//! `ContentBasedRouter` and `Filter`, which need a scripting engine that this build has none of: their configuration
//! says so, and what to use instead.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

const ROUTER: &str = "io.debezium.transforms.ContentBasedRouter evaluates a script for each record, and this build has no \
                      scripting engine. Use io.confluent.connect.transforms.ExtractTopic where a field or header names the \
                      topic, or org.apache.kafka.connect.transforms.RegexRouter with a predicate";
const FILTER: &str = "io.debezium.transforms.Filter evaluates a script for each record, and this build has no scripting \
                      engine. Use org.apache.kafka.connect.transforms.Filter with a predicate (TopicNameMatches, \
                      HasHeaderKey, RecordIsTombstone)";

lavka_api::config! {
    /// Keys of `ContentBasedRouter`.
    pub(super) struct ContentBasedRouterConfig {
        _language: String = key("language").high().check(Check::new("none in this build", |_| Err(ROUTER.into())))
            .doc("Scripting language of the expression; this build has none."),
        _expression: Option<String> = key("topic.expression").high().doc("Script that gives the new topic."),
    }
}

lavka_api::config! {
    /// Keys of `Filter`.
    pub(super) struct FilterConfig {
        _language: String = key("language").high().check(Check::new("none in this build", |_| Err(FILTER.into())))
            .doc("Scripting language of the condition; this build has none."),
        _condition: Option<String> = key("condition").high().doc("Script that says which records stay."),
    }
}

/// Stands for either; it is never made.
pub(super) struct NotHere;

impl NotHere {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let is_router = config.contains("topic.expression");
        if is_router {
            ContentBasedRouterConfig::from_config(config)?;
        } else {
            FilterConfig::from_config(config)?;
        }
        Err(Error::config(if is_router { ROUTER } else { FILTER }))
    }
}

impl Transform for NotHere {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict> {
        Err(Error::config(FILTER))
    }
}
