//! A converter of texts that does one thing wrong.

use lavka_api::config::{ConfigSpec, key};
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Type, Value};
use lavka_api::plugin::{Converter, Factory, Plugin};
use lavka_api::{Error, Result, async_trait};
use lavka_testkit::acceptance::{self, ConverterAcceptance};

use crate::broken;

lavka_api::config! {
    /// Keys of the converter.
    struct FlawedConfig {
        flaw: String = key("flaw").default("none").doc("What to do wrong."),
    }
}

struct Flawed {
    flaw: String,
    count: u8,
}

impl Flawed {
    fn is(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }
}

#[async_trait]
impl Converter for Flawed {
    fn decode(&mut self, _topic: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        let Some(payload) = payload else {
            let datum = if self.is("fills nulls") { Datum::schemaless("") } else { Datum::NULL };
            return Ok(datum);
        };
        assert!(!self.is("touchy") || payload.first() != Some(&0xff), "not UTF-8");
        let text = std::str::from_utf8(payload).map_err(|error| Error::data(error.to_string()))?;
        Ok(Datum::new(Schema::optional(Type::String), text))
    }

    fn encode(
        &mut self,
        _topic: &Topic,
        _headers: &mut Headers,
        _schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        if self.is("overwrites") {
            out.clear();
        }
        if self.is("counts") {
            self.count = self.count.wrapping_add(1);
            out.push(self.count);
        }
        match value {
            Value::Null => Ok(false),
            Value::String(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(true)
            }
            Value::Bytes(_) if self.is("trusting") => panic!("bytes"),
            other => Err(Error::data(other.java_class())),
        }
    }
}

fn suite(flaw: &str) -> ConverterAcceptance {
    let plugin = Plugin {
        class: "org.example.FlawedConverter",
        aliases: &[],
        version: "1",
        doc: "Texts.",
        definition: FlawedConfig::definition,
        factory: Factory::Converter(|config, _| {
            Ok(Box::new(Flawed { flaw: FlawedConfig::from_config(config)?.flaw, count: 0 }))
        }),
    };
    acceptance::converter(plugin)
        .config([("flaw", flaw)])
        .keeps(Datum::new(Schema::optional(Type::String), "text"))
}

#[test]
fn a_good_one_passes() {
    suite("none").check().assert_clean();
}

#[test]
fn each_flaw_breaks_its_rule() {
    const NULLS: &str = "no bytes are a null";
    const SAMPLES: &str = "samples come back as said, behind what was there";
    for (flaw, rules) in [
        ("fills nulls", &[NULLS][..]),
        ("overwrites", &[NULLS, SAMPLES]),
        ("counts", &[NULLS, SAMPLES, "the same gives the same again"]),
        ("touchy", &["hostile bytes never panic"]),
    ] {
        let report = suite(flaw).check();
        assert_eq!(broken(&report), rules, "{flaw}: {:#?}", report.faults());
    }
    let report = suite("trusting").check();
    assert!(broken(&report).contains(&"hostile data never panics"), "{:#?}", report.faults());
}
