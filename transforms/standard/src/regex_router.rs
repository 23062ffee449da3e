//! `RegexRouter`: rewrites topics that match a regular expression as a whole.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Record, Topic};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::regex::{JavaRegex, valid_regex};
use crate::topics::TopicMemory;

lavka_api::config! {
    /// Keys of `RegexRouter`.
    pub(crate) struct RegexRouterConfig {
        regex: String = key("regex").high().check(valid_regex())
            .doc("Java regular expression. Topics that match it as a whole are rewritten, others stay."),
        replacement: String = key("replacement").high()
            .doc("What takes the place of the first match; $1 or ${name} stand for what a group matched."),
    }
}

pub(crate) struct RegexRouter {
    regex: JavaRegex,
    replacement: String,
    known: TopicMemory<Result<Option<Topic>>>,
}

impl RegexRouter {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = RegexRouterConfig::from_config(config)?;
        Ok(Self {
            regex: JavaRegex::compile(&config.regex).map_err(Error::config)?,
            replacement: config.replacement,
            known: TopicMemory::new(),
        })
    }
}

impl Transform for RegexRouter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { regex, replacement, known } = self;
        let outcome = known.get(&record.topic, |topic| {
            // The replacement is looked at only where the topic matches, faults and all.
            if !regex.matches(topic)? {
                return Ok(None);
            }
            regex.replace_first(topic, replacement).map(|topic| Some(Topic::from(topic)))
        });
        match outcome {
            Ok(Some(topic)) => record.topic = topic.clone(),
            Ok(None) => {}
            Err(error) => return Err(error.clone()),
        }
        Ok(Verdict::Keep)
    }
}
