//! Our transforms beside those of Apache Kafka's release: generated records and configurations go through both, and
//! what comes out has to be the same to the last byte, or an exception of the same class and text.
//!
//! Needs a JDK (for `javac`) and Kafka's jars, which the testkit resolves; where either is missing and no real Kafka is
//! required, the tests say so and pass. `LAVKA_SEED` draws other cases, `LAVKA_SOAK=1` others each time and many more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod configs;
mod data;
mod dates;
mod debezium;
mod differences;
mod oracle;
mod regexes;
mod wire;

use std::collections::BTreeMap;

use lavka_api::ErrorClass;
use lavka_api::config::Config;
use lavka_api::data::{Record, Schema};
use lavka_api::plugin::{Catalogue, Factory, Plugin, Verdict};
use lavka_testkit::{Chance, JarSet};
use serde_json::{Value as Json, json};

use configs::Keys;
use oracle::Oracle;

const PACKAGE: &str = "org.apache.kafka.connect.transforms.";

/// Transforms in two variants.
const SIDED: &[&str] = &[
    "Cast",
    "ExtractField",
    "Flatten",
    "HeaderFrom",
    "HoistField",
    "InsertField",
    "MaskField",
    "ReplaceField",
    "SetSchemaMetadata",
    "TimestampConverter",
];
const WHOLE: &[&str] =
    &["DropHeaders", "Filter", "InsertHeader", "RegexRouter", "TimestampRouter", "ValueToKey"];
const PREDICATES: &[&str] = &["HasHeaderKey", "RecordIsTombstone", "TopicNameMatches"];

/// One plugin, configured once, and records for it.
pub(crate) struct Case {
    pub(crate) class: String,
    pub(crate) keys: Keys,
    pub(crate) records: Vec<Record>,
}

impl Case {
    fn drawn(chance: &mut Chance, class: String, simple: &str) -> Self {
        let on_key = class.ends_with("$Key");
        let keys = configs::keys(chance, simple);
        Self { keys, records: data::records(chance, on_key, simple == "Flatten"), class }
    }

    fn json(&self) -> Json {
        let mut schemas: Vec<Schema> = Vec::new();
        let records: Vec<Json> =
            self.records.iter().map(|record| wire::record(record, &mut schemas)).collect();
        let config: serde_json::Map<String, Json> =
            self.keys.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect();
        let schemas: Vec<Json> = schemas.iter().map(wire::schema).collect();
        json!({"class": self.class, "config": config, "schemas": schemas, "records": records})
    }

    /// What ours make of it.
    fn ours(&self, plugin: &Plugin) -> Json {
        let config: Config = self.keys.iter().map(|(key, text)| (*key, text.as_str())).collect();
        let refused = |error: lavka_api::Error| {
            assert_eq!(error.class(), ErrorClass::Config, "{error:?}");
            json!({"refused": error.exception(), "message": error.message()})
        };
        let results: Vec<Json> = match plugin.factory {
            Factory::Transform(make) => match make(&config) {
                Err(error) => return refused(error),
                Ok(mut transform) => {
                    let apply = |record: &Record| {
                        let mut changed = record.clone();
                        match transform.apply(&mut changed) {
                            Ok(Verdict::Keep) => wire::result(&changed),
                            Ok(Verdict::Drop) => json!({"drop": true}),
                            Err(error) => {
                                assert_eq!(
                                    wire::result(&changed),
                                    wire::result(record),
                                    "{error:?} changed it"
                                );
                                json!({"error": error.exception(), "message": error.message()})
                            }
                        }
                    };
                    self.records.iter().map(apply).collect()
                }
            },
            Factory::Predicate(make) => match make(&config) {
                Err(error) => return refused(error),
                Ok(mut predicate) => {
                    let test = |record| json!({"test": predicate.test(record).unwrap()});
                    self.records.iter().map(test).collect()
                }
            },
            _ => panic!("{} is neither a transform nor a predicate", self.class),
        };
        json!({ "results": results })
    }
}

/// What a comparison leaves out: the texts of errors that Java's runtime words.
fn canonical(mut result: Json) -> Json {
    if let Some(refusal) = result.as_object()
        && refusal.contains_key("refused")
    {
        return json!({"refused": refused_because(refusal["message"].as_str().unwrap_or_default())});
    }
    for one in result["results"].as_array_mut().unwrap() {
        let by_runtime = one["error"].as_str().is_some_and(|class| class.starts_with("java."));
        let message = one["message"].as_str().unwrap_or_default();
        let shows_record = message.starts_with("Timestamp missing on record: ");
        if let Some(text) =
            message.contains("LinkedHashMap").then(|| message.replace("LinkedHashMap", "HashMap"))
        {
            // The maps of the cases keep their order; those of a converter would not.
            one["message"] = text.into();
        }
        if (by_runtime || shows_record)
            && let Some(one) = one.as_object_mut()
        {
            one.remove("message");
        }
    }
    result
}

/// The text of a refusal without what got into Java's by mistake: a cause in the place of the value with the text itself
/// in the place of the key, and the address of an object.
fn refused_because(message: &str) -> &str {
    if message.starts_with("Invalid value java.lang.IllegalArgumentException: ") {
        return message.rsplit_once(" for configuration ").map_or(message, |(_, text)| text);
    }
    let field = "No value specified for static field: ";
    message.find(field).and_then(|at| message.get(..at + field.len())).unwrap_or(message)
}

fn drawn(chance: &mut Chance, classes: &[(String, &str)], each: usize) -> Vec<Case> {
    let one =
        |(class, simple): &(String, &str), chance: &mut Chance| Case::drawn(chance, class.clone(), simple);
    classes.iter().flat_map(|class| (0..each).map(|_| one(class, chance)).collect::<Vec<_>>()).collect()
}

fn compare(seed: u64, cases: &[Case], jars: JarSet) {
    let Some(oracle) = Oracle::find(jars) else { return };
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let theirs = oracle.run(cases.iter().map(Case::json));
    assert_eq!(theirs.len(), cases.len());
    let mut kept = 0;
    let mut faults: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (case, theirs) in cases.iter().zip(theirs) {
        let plugin = catalogue.find(&case.class, |kind| !kind.is_connector()).unwrap();
        let ours = case.ours(plugin);
        kept += theirs["results"]
            .as_array()
            .map_or(0, |all| all.iter().filter(|one| one.get("topic").is_some()).count());
        if let Some(fault) = fault(case, &ours, &theirs)
            && differences::explain(case, &ours, &theirs).is_none()
        {
            faults.entry(&case.class).or_default().push(fault);
        }
    }
    let shown: String = faults
        .iter()
        .map(|(class, all)| {
            format!("{class}: {}, of which\n{}\n", all.len(), all.iter().take(3).cloned().collect::<String>())
        })
        .collect();
    assert!(faults.is_empty(), "of {} cases there differ (LAVKA_SEED={seed})\n{shown}", cases.len());
    // Cases that all fail would agree without saying anything.
    assert!(kept * 4 >= cases.len(), "only {kept} records came through {} cases", cases.len());
}

/// What differs, in short.
fn fault(case: &Case, ours: &Json, theirs: &Json) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let (ours, theirs) = (canonical(ours.clone()), canonical(theirs.clone()));
    if ours == theirs {
        return None;
    }
    let results = |side: &Json| side["results"].as_array().cloned().unwrap_or_else(|| vec![side.clone()]);
    let (ours, theirs) = (results(&ours), results(&theirs));
    let at = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs).unwrap_or(0);
    let short = |text: String| text.chars().take(900).collect::<String>();
    let record = case.records.get(at)?;
    let given = if case.class.ends_with("$Key") { &record.key } else { &record.value };
    Some(format!(
        "  {:?}\n    given  {}\n    ours   {}\n    theirs {}\n",
        case.keys,
        short(format!("{:?} {:?}", given.schema, given.value)),
        short(differing(ours.get(at), theirs.get(at))),
        short(differing(theirs.get(at), ours.get(at)))
    ))
}

/// The members of one result that the other has not like this.
fn differing(one: Option<&Json>, other: Option<&Json>) -> String {
    match (one, other) {
        (Some(Json::Object(one)), Some(Json::Object(other))) => one
            .iter()
            .filter(|(name, value)| other.get(*name) != Some(value))
            .map(|(name, value)| format!("{name}={value} "))
            .collect(),
        (one, _) => format!("{one:?}"),
    }
}

#[test]
fn transforms_of_keys_and_values() {
    let classes: Vec<_> = SIDED
        .iter()
        .flat_map(|simple| ["Key", "Value"].map(|side| (format!("{PACKAGE}{simple}${side}"), *simple)))
        .collect();
    let mut chance = Chance::new();
    let cases = drawn(&mut chance, &classes, lavka_testkit::count(800, 30_000));
    compare(chance.seed(), &cases, JarSet::Connect);
}

#[test]
fn transforms_of_records_and_predicates() {
    let mut classes: Vec<_> = WHOLE.iter().map(|simple| (format!("{PACKAGE}{simple}"), *simple)).collect();
    classes.extend(PREDICATES.iter().map(|simple| (format!("{PACKAGE}predicates.{simple}"), *simple)));
    let mut chance = Chance::new();
    let cases = drawn(&mut chance, &classes, lavka_testkit::count(2000, 40_000));
    compare(chance.seed(), &cases, JarSet::Connect);
}

/// Patterns that people write and such that nobody would, to write instants by and to read texts by.
#[test]
fn dates() {
    let mut chance = Chance::new();
    let cases: Vec<Case> = (0..lavka_testkit::count(4000, 200_000))
        .map(|_| dates::case(&mut chance, format!("{PACKAGE}TimestampConverter$Value")))
        .collect();
    compare(chance.seed(), &cases, JarSet::Connect);
}

/// Regular expressions, matched against whole names of topics and used to rewrite them.
#[test]
fn regular_expressions() {
    let mut chance = Chance::new();
    let (router, predicate) =
        (format!("{PACKAGE}RegexRouter"), format!("{PACKAGE}predicates.TopicNameMatches"));
    let cases: Vec<Case> = (0..lavka_testkit::count(6000, 200_000))
        .map(|_| regexes::case(&mut chance, &router, &predicate))
        .collect();
    compare(chance.seed(), &cases, JarSet::Connect);
}

/// Change events and the rows of outbox tables.
#[test]
fn transforms_of_debezium() {
    let mut chance = Chance::new();
    let cases: Vec<Case> =
        (0..lavka_testkit::count(3000, 100_000)).map(|_| debezium::case(&mut chance)).collect();
    compare(chance.seed(), &cases, JarSet::Debezium);
}
