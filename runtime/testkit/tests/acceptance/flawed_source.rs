//! A source that counts, and does one thing wrong.

use std::time::Duration;

use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec, KeyReport, Password, key};
use lavka_api::data::{Datum, OffsetMap, Record, SourcePosition, SourceRecord, Value};
use lavka_api::plugin::{ConnectorContext, Factory, Plugin, SourceConnector, SourceTask, SourceTaskStart};
use lavka_api::{Error, Result, async_trait};
use lavka_testkit::acceptance::{self, SourceAcceptance};

use crate::broken;

const RECORDS: i64 = 7;

lavka_api::config! {
    /// Keys of the source.
    struct FlawedConfig {
        topic: String = key("topic").check(Check::non_empty()).doc("The topic."),
        flaw: String = key("flaw").default("none").doc("What to do wrong."),
        secret: Password = key("secret").default("").doc("A secret."),
    }
}

fn plugin() -> Plugin {
    Plugin {
        class: "org.example.FlawedSource",
        aliases: &[],
        version: "1",
        doc: "Counts.",
        definition: FlawedConfig::definition,
        factory: Factory::Source(|| Box::new(Flawed::default())),
    }
}

pub(crate) fn suite(flaw: &str) -> SourceAcceptance {
    acceptance::source(plugin()).config([("topic", "t"), ("flaw", flaw)]).records(7)
}

#[derive(Default)]
struct Flawed {
    config: Config,
}

fn flaw(config: &Config) -> &str {
    config.get("flaw").unwrap_or_default()
}

#[async_trait]
impl SourceConnector for Flawed {
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        let mut reports = definition.validate(config);
        if flaw(config) == "nameless" {
            let errors = reports.iter_mut().flat_map(|report| &mut report.errors);
            errors.for_each(|error| *error = "it is wrong".to_owned());
        }
        if flaw(config) == "lax" {
            reports.iter_mut().for_each(|report| report.errors.clear());
        }
        if flaw(config) == "loose-tongued" {
            let secret = config.get("secret").unwrap_or_default().to_owned();
            reports.iter_mut().for_each(|report| report.value = Some(secret.clone()));
        }
        assert!(flaw(config) != "panics" || config.get("topic") != Some("\0"), "a NUL");
        reports
    }

    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        let tasks = if flaw(&self.config) == "greedy" { max_tasks + 1 } else { 1 };
        Ok((0..tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
        Ok(Box::new(FlawedTask { flaw: flaw(config).to_owned(), next: 0, turn: 0 }))
    }

    async fn stop(&mut self) {}

    fn alter_offsets(&self, config: &Config, _offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        if flaw(config) == "stubborn" { Err(Error::fatal("no")) } else { Ok(true) }
    }
}

struct FlawedTask {
    flaw: String,
    next: i64,
    turn: usize,
}

#[async_trait]
impl SourceTask for FlawedTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        if self.flaw == "forgetful" {
            return Ok(());
        }
        let partition = OffsetMap::new([("of", "all")]);
        let offset = start.offsets.offsets(&[partition]).await?.remove(0);
        self.next = match (offset.as_ref().and_then(|offset| offset.get("n")), self.flaw.as_str()) {
            // What it wrote as INT32 comes back as INT64.
            (Some(Value::Int64(_)), "narrow") => return Err(Error::fatal("not an INT32")),
            (Some(value), "trusting") => value.as_i64().unwrap() + 1,
            (value, _) => value.and_then(Value::as_i64).map_or(0, |n| n.saturating_add(1)),
        };
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        if self.next >= RECORDS {
            return if self.flaw == "spins" { Ok(Vec::new()) } else { std::future::pending().await };
        }
        let from = self.next;
        let to = RECORDS.min(from + 3);
        if self.flaw == "hasty" {
            self.next = to;
        }
        // Waiting for the system.
        self.turn += 1;
        tokio::task::yield_now().await;
        self.next = to;
        let record = |n: i64| {
            let of_offset = if self.flaw == "far ahead" { to - 1 } else { n };
            let n_of_offset = match self.flaw.as_str() {
                "narrow" => Value::Int32(of_offset.try_into().unwrap()),
                _ => Value::Int64(of_offset),
            };
            let mut record = Record::for_topic("t");
            record.value = Datum::schemaless(n);
            SourceRecord {
                record,
                position: Some(SourcePosition {
                    partition: OffsetMap::new([("of", "all")]),
                    offset: OffsetMap::new([("n", n_of_offset)]),
                }),
                token: 0,
            }
        };
        Ok((from..to).map(record).collect())
    }

    async fn stop(&mut self) {
        if self.flaw == "deaf" {
            std::future::pending::<()>().await;
        }
    }
}

#[test]
fn a_good_one_passes() {
    suite("none").refuses("topic", "").check().assert_clean();
}

const CUTS: &str = "it goes on after every cut point";
const OTHER_TASKS: &str = "another number of tasks loses nothing";
const ACKNOWLEDGEMENTS: &str = "acknowledgements may come in any order";
const TASKS: &str = "there are at most as many tasks as allowed";
const DROPPED: &str = "a dropped poll has taken nothing";

#[test]
fn each_flaw_breaks_its_rule() {
    let flaws = [
        ("nameless", &["what the declaration refuses is refused by name"][..]),
        ("lax", &["what the declaration refuses is refused by name"]),
        ("panics", &["a hostile configuration never panics"]),
        ("loose-tongued", &["secrets are not shown"]),
        // Two tasks hand out the same, so whatever counts records complains too.
        ("greedy", &[TASKS, CUTS, OTHER_TASKS, DROPPED]),
        ("stubborn", &["a user may set the offsets that it writes"]),
        ("forgetful", &[CUTS, OTHER_TASKS, ACKNOWLEDGEMENTS]),
        ("far ahead", &[CUTS]),
        ("narrow", &[CUTS, OTHER_TASKS, ACKNOWLEDGEMENTS]),
        ("hasty", &[DROPPED]),
        ("spins", &["an idle poll waits"]),
        ("trusting", &["a hostile offset never panics"]),
    ];
    // What is lost is waited for, so all at once.
    std::thread::scope(|scope| {
        for (flaw, rules) in flaws {
            scope.spawn(move || {
                let report = suite(flaw).patience(Duration::from_secs(15)).check();
                assert_eq!(broken(&report), rules, "{flaw}: {:#?}", report.faults());
            });
        }
    });
}

#[test]
fn what_is_lost_is_named() {
    let report = suite("hasty").patience(Duration::from_secs(15)).check();
    let found = &report.faults()[0].found;
    assert!(found.starts_with("lost: Null Int64("), "{found}");
}

#[test]
fn a_stop_that_hangs_is_found() {
    let report = suite("deaf").check();
    assert_eq!(broken(&report), ["it stops whenever it is told to", "the records come"]);
}

#[test]
fn a_declaration_has_rules_too() {
    lavka_api::config! {
        /// Keys with flaws.
        struct Badly {
            undocumented: String = key("undocumented"),
            refused: i32 = key("refused").default(0).check(Check::at_least(1)).doc("Its default is refused."),
            password: String = key("the.password").doc("No secret by its type."),
            of_the_worker: String = key("tasks.max").doc("The worker's."),
        }
    }
    let plugin = Plugin { definition: Badly::definition, doc: " ", ..plugin() };
    let report = acceptance::source(plugin).check();
    let found: Vec<&str> = report.faults().iter().map(|fault| fault.found.as_str()).collect();
    for text in [
        "it has no sentence of documentation",
        "'undocumented' lacks documentation",
        "the default of 'refused' is refused: Invalid value 0 for configuration refused: Value must be at least 1",
        "'the.password' sounds like a secret and is not of type Password",
        "'tasks.max' is a key of the worker",
    ] {
        assert!(found.contains(&text), "{text}: {found:#?}");
    }
}
