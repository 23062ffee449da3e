//! `TombstoneHandler`: drops records without a value, or fails on them.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::{Remark, RemarkLevel, Remarks, Transform, Verdict};
use lavka_api::{Error, Result};

lavka_api::config! {
    /// Keys of `TombstoneHandler`.
    pub(crate) struct TombstoneHandlerConfig {
        behavior: String = key("behavior").default("warn").check(Check::one_of_ignoring_case(&["ignore", "warn", "fail"]))
            .doc("What becomes of records without a value. ignore: they are dropped. warn: they are dropped, and the log \
                  says so. fail: they fail."),
    }
}

pub(crate) struct TombstoneHandler {
    fails: bool,
    /// `None` where nothing is to be said.
    remarks: Option<Remarks>,
}

impl TombstoneHandler {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = TombstoneHandlerConfig::from_config(config)?;
        let is = |name: &str| config.behavior.eq_ignore_ascii_case(name);
        Ok(Self { fails: is("fail"), remarks: is("warn").then(Remarks::default) })
    }
}

impl Transform for TombstoneHandler {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        match (record.value.is_null(), self.fails) {
            (false, _) => Ok(Verdict::Keep),
            (true, false) => {
                if let Some(remarks) = &mut self.remarks {
                    let text = format_args!(
                        "dropped a record of topic {} that has no value (a tombstone), as behavior=warn says",
                        record.topic
                    );
                    remarks.say(RemarkLevel::Warn, text);
                }
                Ok(Verdict::Drop)
            }
            (true, true) => Err(Error::data(format!(
                "a record of topic {} has no value (a tombstone), and behavior=fail of TombstoneHandler lets none through",
                record.topic
            ))),
        }
    }

    fn take_remarks(&mut self) -> Vec<Remark> {
        self.remarks.as_mut().map(Remarks::take).unwrap_or_default()
    }
}
