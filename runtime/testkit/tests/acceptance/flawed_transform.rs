//! A transform that adds a field, and does one thing wrong.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Object, Record, Schema, Shape, Struct, Type, Value};
use lavka_api::plugin::{Factory, Plugin, Predicate, Transform, Verdict};
use lavka_api::{Error, Result};
use lavka_testkit::acceptance::{self, TransformAcceptance};

use crate::broken;

lavka_api::config! {
    /// Keys of the transform.
    struct FlawedConfig {
        flaw: String = key("flaw").default("none").doc("What to do wrong."),
    }
}

struct Flawed {
    flaw: String,
    count: i64,
    schema: Schema,
    shape: Shape,
}

fn schema() -> Schema {
    Schema::structure().field("t", Schema::of(Type::Int64)).build().unwrap()
}

fn plugin() -> Plugin {
    Plugin {
        class: "org.example.Flawed",
        aliases: &[],
        version: "1",
        doc: "Wraps a number.",
        definition: FlawedConfig::definition,
        factory: Factory::Transform(|config| {
            let flaw = FlawedConfig::from_config(config)?.flaw;
            let shape = Shape::new(["t".into()]);
            Ok(Box::new(Flawed { flaw, count: 0, schema: schema(), shape }))
        }),
    }
}

impl Flawed {
    fn is(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }
}

impl Transform for Flawed {
    /// Makes a struct of an INT64 that has a schema, and an object of one that has none.
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        self.count += 1;
        assert!(!self.is("touchy") || !matches!(record.value.value, Value::Float64(v) if v.is_nan()), "NaN");
        if record.value.is_null() && self.is("covers tombstones") {
            record.value = Datum::schemaless(0_i64);
        }
        if record.value.is_null() && self.is("refuses tombstones") {
            return Err(Error::data("a null"));
        }
        if self.is("marks everything") {
            record.headers.add("seen", Datum::schemaless(true));
        }
        let Value::Int64(number) = record.value.value else {
            if self.is("half done") && record.value.value.as_str().is_some() {
                record.key = Datum::NULL;
                return Err(Error::data("a text"));
            }
            return Ok(Verdict::Keep);
        };
        let number = if self.is("counts") { self.count } else { number };
        record.value = if record.value.schema.is_some() {
            let schema = if self.is("wasteful") { schema() } else { self.schema.clone() };
            Datum::new(schema.clone(), Struct::new(schema, [number.into()])?)
        } else {
            Datum::schemaless(Object::new(self.shape.clone(), vec![number.into()]))
        };
        Ok(Verdict::Keep)
    }

    fn apply_batch(&mut self, records: &mut [&mut Record]) -> Vec<Result<Verdict>> {
        let last = records.len().saturating_sub(usize::from(self.is("forgets the last")));
        let mut verdicts: Vec<_> = records[..last].iter_mut().map(|record| self.apply(record)).collect();
        verdicts.resize(records.len(), Ok(Verdict::Keep));
        verdicts
    }
}

fn value(datum: Datum) -> Record {
    Record { value: datum, key: Datum::schemaless("k"), ..Record::for_topic("t") }
}

fn suite(flaw: &str) -> TransformAcceptance {
    acceptance::transform(plugin())
        .config([("flaw", flaw)])
        .record(value(Datum::new(Schema::of(Type::Int64), 7_i64)))
        .record(value(Datum::schemaless(8_i64)))
        .untouched(value(Datum::schemaless(true)))
}

#[test]
fn a_good_one_passes() {
    suite("none").check().assert_clean();
}

#[test]
fn each_flaw_breaks_its_rule() {
    const ALONE: &str = "what does not concern it is left alone";
    const TOMBSTONES: &str = "tombstones are treated as declared";
    const BATCH: &str = "one by one and as a batch are the same";
    const STATE: &str = "nothing is remembered from the record before";
    for (flaw, rules) in [
        ("covers tombstones", &[TOMBSTONES][..]),
        ("refuses tombstones", &[TOMBSTONES]),
        ("marks everything", &[ALONE, TOMBSTONES]),
        ("counts", &[STATE]),
        ("forgets the last", &[BATCH]),
        ("wasteful", &["schemas and shapes stay shared"]),
        ("half done", &["an error leaves the record as it was"]),
    ] {
        let report = suite(flaw).check();
        assert_eq!(broken(&report), rules, "{flaw}: {:#?}", report.faults());
    }
    let report = suite("touchy").check();
    assert!(broken(&report).contains(&"a hostile record never panics"), "{:#?}", report.faults());
}

#[test]
fn samples_have_to_be_samples() {
    let report = suite("none").record(value(Datum::schemaless("nothing becomes of this"))).check();
    assert_eq!(broken(&report), ["a sample is changed or dropped"]);
    let report = acceptance::transform(plugin()).check();
    assert_eq!(broken(&report), ["a sample is changed or dropped"]);
}

struct Alternating(bool);

impl Predicate for Alternating {
    fn test(&mut self, record: &Record) -> Result<bool> {
        self.0 = !self.0;
        Ok(self.0 && !record.value.is_null())
    }
}

#[test]
fn a_predicate_with_a_memory_is_found() {
    let factory = Factory::Predicate(|_: &Config| Ok(Box::new(Alternating(false))));
    let report = acceptance::predicate(Plugin { factory, ..plugin() })
        .holds(value(Datum::schemaless(1_i64)))
        .fails(value(Datum::NULL))
        .check();
    assert_eq!(broken(&report), ["nothing is remembered from the record before"]);
}
