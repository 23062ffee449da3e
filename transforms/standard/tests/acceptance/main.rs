//! Every transform and predicate of this crate keeps what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

mod confluent;
mod debezium;
mod kafka;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, Record, Schema, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, Factory, Plugin};
use lavka_testkit::acceptance::{self, TransformAcceptance};

/// Where a transform works.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Key,
    Value,
}

impl Side {
    fn record(self, datum: Datum) -> Record {
        let base = Record { timestamp: Some(1_700_000_000_000), ..Record::for_topic("readings") };
        match self {
            Side::Key => Record { key: datum, value: Datum::schemaless("v"), ..base },
            Side::Value => Record { key: Datum::schemaless("k"), value: datum, ..base },
        }
    }

    /// A schemaless map.
    fn map<const N: usize>(self, entries: [(&str, Value); N]) -> Record {
        self.record(Datum::schemaless(Object::from_entries(entries)))
    }

    /// A struct of optional fields.
    fn structure<const N: usize>(self, fields: [(&str, Type, Value); N]) -> Record {
        let mut builder = Schema::structure().name("reading").version(2);
        let mut values = Vec::new();
        for (name, ty, value) in fields {
            builder = builder.field(name, Schema::optional(ty));
            values.push(value);
        }
        let schema = builder.build().unwrap();
        self.record(Datum::new(schema.clone(), Struct::new(schema, values).unwrap()))
    }

    /// A reading with a number and a text, with and without a schema.
    fn readings(self) -> [Record; 2] {
        [
            self.structure([("t", Type::Float64, 21.5.into()), ("device", Type::String, "d-1".into())]),
            self.map([("t", 21.5.into()), ("device", "d-1".into())]),
        ]
    }

    /// A struct without the field `t`.
    fn other(self) -> Record {
        self.structure([("other", Type::Int32, Value::Int32(1))])
    }
}

/// The plugin of a full class name.
fn plugin(class: &str) -> Plugin {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    catalogue.find(class, |kind| !kind.is_connector()).unwrap().clone()
}

/// Both variants of a class, each made ready by `with`.
fn sided(class: &str, with: impl Fn(Side, TransformAcceptance) -> TransformAcceptance) {
    for side in [Side::Key, Side::Value] {
        with(side, acceptance::transform(plugin(&format!("{class}${side:?}")))).check().assert_clean();
    }
}

fn transform(class: &str, config: impl Into<Config>) -> TransformAcceptance {
    acceptance::transform(plugin(class)).config(config)
}

fn records(mut suite: TransformAcceptance, records: impl IntoIterator<Item = Record>) -> TransformAcceptance {
    for record in records {
        suite = suite.record(record);
    }
    suite
}

/// Stand for transforms that need a scripting engine, and say so: there is nothing to look at.
const NOT_HERE: &[&str] = &["io.debezium.transforms.ContentBasedRouter", "io.debezium.transforms.Filter"];

#[test]
fn none_was_forgotten() {
    let tests =
        [include_str!("kafka.rs"), include_str!("confluent.rs"), include_str!("debezium.rs")].concat();
    for plugin in lavka_transforms::plugins().iter().filter(|plugin| !NOT_HERE.contains(&plugin.class)) {
        let class = plugin.class.split('$').next().unwrap_or_default();
        assert!(tests.contains(&format!("\"{class}\"")), "{class} has no test here");
    }
}

#[test]
fn what_is_not_here_says_so() {
    for class in NOT_HERE {
        let Factory::Transform(make) = plugin(class).factory else { unreachable!() };
        for config in [Config::new(), Config::from([("language", "jsr223.groovy"), ("condition", "true")])] {
            assert_eq!(make(&config).err().unwrap().class(), lavka_api::ErrorClass::Config);
        }
    }
}
