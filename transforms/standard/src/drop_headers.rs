//! `DropHeaders`: removes headers by name, exact case.

use lavka_api::Result;
use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::Record;
use lavka_api::plugin::{Transform, Verdict};

use crate::names::valid_names;

lavka_api::config! {
    /// Keys of `DropHeaders`.
    pub(crate) struct DropHeadersConfig {
        headers: Vec<String> = key("headers").high().check(valid_names(false))
            .doc("Names of the headers to remove; every header of such a name goes."),
    }
}

pub(crate) struct DropHeaders {
    names: Vec<String>,
}

impl DropHeaders {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self { names: DropHeadersConfig::from_config(config)?.headers })
    }
}

impl Transform for DropHeaders {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        record.headers.retain(|header| !self.names.iter().any(|name| header.key == **name));
        Ok(Verdict::Keep)
    }
}
