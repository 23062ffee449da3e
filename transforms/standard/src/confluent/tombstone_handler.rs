//! `TombstoneHandler`: drops records without a value, or fails on them.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

lavka_api::config! {
    /// Keys of `TombstoneHandler`.
    pub(crate) struct TombstoneHandlerConfig {
        behavior: String = key("behavior").default("warn").check(Check::one_of_ignoring_case(&["ignore", "warn", "fail"]))
            .doc("What becomes of records without a value. ignore and warn: they are dropped; the metrics of the \
                  connector count them either way. fail: they fail."),
    }
}

pub(crate) struct TombstoneHandler {
    fails: bool,
}

impl TombstoneHandler {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = TombstoneHandlerConfig::from_config(config)?;
        Ok(Self { fails: config.behavior.eq_ignore_ascii_case("fail") })
    }
}

impl Transform for TombstoneHandler {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        match (record.value.is_null(), self.fails) {
            (false, _) => Ok(Verdict::Keep),
            (true, false) => Ok(Verdict::Drop),
            (true, true) => Err(Error::data(format!(
                "a record of topic {} has no value (a tombstone), and behavior=fail of TombstoneHandler lets none through",
                record.topic
            ))),
        }
    }
}
