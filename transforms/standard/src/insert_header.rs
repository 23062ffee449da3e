//! `InsertHeader`: adds a header with a fixed value.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Blob, Datum, Record, Str, Topic};
use lavka_api::plugin::{Factory, Transform, Verdict};
use lavka_api::{Error, Result};

lavka_api::config! {
    /// Keys of `InsertHeader`.
    pub(crate) struct InsertHeaderConfig {
        header: String = key("header").high().doc("Name of the header. Headers of that name that are there stay."),
        literal: String = key("value.literal").high()
            .doc("Value of the header. Its type is inferred as for a header that is read: 12 is a number, true a \
                  boolean, [1,2] an array, null no value."),
    }
}

pub(crate) struct InsertHeader {
    header: Str,
    value: Datum,
}

impl InsertHeader {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = InsertHeaderConfig::from_config(config)?;
        Ok(Self { header: config.header.into(), value: infer(&config.literal)? })
    }
}

/// The data that `text` looks like, by the rules of `SimpleHeaderConverter`.
fn infer(text: &str) -> Result<Datum> {
    let converter = lavka_converters::plugins()
        .into_iter()
        .find(|plugin| plugin.class == "org.apache.kafka.connect.storage.SimpleHeaderConverter");
    match converter.map(|plugin| plugin.factory) {
        Some(Factory::HeaderConverter(make)) => {
            make(&Config::new())?.decode(&Topic::from(""), "", Some(&Blob::from(text.as_bytes())))
        }
        _ => {
            Err(Error::fatal("this build has no SimpleHeaderConverter, by which header values are inferred"))
        }
    }
}

impl Transform for InsertHeader {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        record.headers.add(self.header.clone(), self.value.clone());
        Ok(Verdict::Keep)
    }
}
