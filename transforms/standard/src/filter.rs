//! `Filter`: drops records. Which ones is up to the predicate.

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::Record;
use lavka_api::plugin::{Transform, Verdict};

lavka_api::config! {
    /// No keys.
    pub(crate) struct FilterConfig {}
}

pub(crate) struct Filter;

impl Filter {
    #[expect(clippy::unnecessary_wraps, reason = "made like every other transform")]
    pub(crate) fn new(_: &Config) -> Result<Self> {
        Ok(Self)
    }
}

impl Transform for Filter {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict> {
        Ok(Verdict::Drop)
    }
}
