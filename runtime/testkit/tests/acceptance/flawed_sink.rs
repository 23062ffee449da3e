//! A sink to memory that does one thing wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, TopicPartition, Value};
use lavka_api::plugin::{
    ConnectorContext, ErrantRecord, Factory, Offsets, Plugin, SinkBatch, SinkConnector, SinkContext,
    SinkTask, SinkTaskStart,
};
use lavka_api::{Error, Result, async_trait};
use lavka_testkit::acceptance::{self, SinkAcceptance};

use crate::broken;

lavka_api::config! {
    /// Keys of the sink.
    struct FlawedConfig {
        table: String = key("table").doc("The place in memory."),
        flaw: String = key("flaw").default("none").doc("What to do wrong."),
    }
}

/// Tables by name; a table has its rows and, with them, the offsets up to which it has them.
static TABLES: Mutex<BTreeMap<String, Table>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Table {
    rows: Vec<(i32, i64)>,
    offsets: HashMap<i32, i64>,
}

fn with_table<T>(name: &str, work: impl FnOnce(&mut Table) -> T) -> T {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    work(tables.entry(name.to_owned()).or_default())
}

fn plugin() -> Plugin {
    Plugin {
        class: "org.example.FlawedSink",
        aliases: &[],
        version: "1",
        doc: "Writes to memory.",
        definition: FlawedConfig::definition,
        factory: Factory::Sink(|| Box::new(Flawed::default())),
    }
}

fn suite(flaw: &'static str) -> SinkAcceptance {
    let table = |round: &str| Config::from([("table", format!("{flaw} {round}")), ("flaw", flaw.to_owned())]);
    acceptance::sink(plugin())
        .config(table("sample"))
        .round(move |round| Config::from([("table", format!("{flaw} {round}")), ("flaw", flaw.to_owned())]))
        .unwritable(Record { value: Datum::schemaless("no place"), ..Record::for_topic("t") })
        .written(|config| with_table(config.get("table").unwrap(), |table| table.rows.clone()))
        .exactly_once()
}

#[derive(Default)]
struct Flawed {
    config: Config,
}

#[async_trait]
impl SinkConnector for Flawed {
    async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>> {
        Ok(Box::new(FlawedTask {
            config: FlawedConfig::from_config(config)?,
            open: BTreeSet::new(),
            buffer: Vec::new(),
        }))
    }

    async fn stop(&mut self) {}
}

struct FlawedTask {
    config: FlawedConfig,
    open: BTreeSet<TopicPartition>,
    buffer: Vec<(i32, i64)>,
}

impl FlawedTask {
    fn is(&self, flaw: &str) -> bool {
        self.config.flaw == flaw
    }

    /// Writes what is buffered of open partitions, and the offsets with it.
    fn flush(&mut self) {
        let rows = std::mem::take(&mut self.buffer);
        with_table(&self.config.table, |table| {
            for (partition, offset) in rows {
                table.rows.push((partition, offset));
                table.offsets.insert(partition, offset + 1);
            }
        });
    }
}

#[async_trait]
impl SinkTask for FlawedTask {
    async fn start(&mut self, _start: SinkTaskStart) -> Result<()> {
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        self.open.extend(partitions.iter().cloned());
        if self.is("at least once") {
            return Ok(());
        }
        with_table(&self.config.table, |table| {
            for partition in partitions {
                if let Some(offset) = table.offsets.get(&partition.partition) {
                    context.rewind.insert(partition.clone(), *offset);
                }
            }
        });
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
        for (index, record) in batch.iter().enumerate() {
            let number = |key: &str| match &record.record.value.value {
                Value::Object(object) => object.get(key).and_then(Value::as_i64),
                _ => None,
            };
            assert!(!self.is("touchy") || !record.record.value.is_null(), "a null");
            match number("partition").zip(number("offset")) {
                Some((partition, offset)) => self.buffer.push((partition.try_into().unwrap(), offset)),
                None if self.is("silent") => {}
                None if self.is("all or nothing") => return Err(Error::data("no place in it")),
                None if context.takes_errant_records => {
                    context.errant.push(ErrantRecord { index, error: Error::data("no place in it") });
                }
                None => return Err(Error::data("no place in it")),
            }
        }
        // At once, so that a kill between put and commit leaves rows behind.
        if !self.is("early") {
            self.flush();
        }
        Ok(())
    }

    async fn pre_commit(&mut self, seen: &Offsets, _context: &mut SinkContext) -> Result<Offsets> {
        let mut durable = seen.clone();
        if self.is("presumptuous") {
            durable.values_mut().for_each(|offset| *offset += 1);
        }
        if !self.is("possessive") {
            durable.retain(|partition, _| self.open.contains(partition));
        } else {
            durable.extend(self.open.iter().map(|partition| (partition.clone(), 0)));
        }
        Ok(durable)
    }

    async fn close(&mut self, partitions: &[TopicPartition], _context: &mut SinkContext) -> Result<()> {
        if !self.is("possessive") {
            self.open.retain(|partition| !partitions.contains(partition));
        }
        Ok(())
    }

    async fn stop(&mut self) {}
}

#[test]
fn a_good_one_passes() {
    suite("none").check().assert_clean();
}

#[test]
fn each_flaw_breaks_its_rule() {
    const WRITTEN: &str = "what was committed is in the target";
    const AFTER_KILL: &str = "what comes again after a kill is written as declared";
    const AFTER_REBALANCE: &str = "what comes again after a rebalance is written as declared";
    const REBALANCE: &str = "partitions may come and go";
    const ERRANT: &str = "records that cannot be written are reported alone";
    for (flaw, rules) in [
        ("at least once", &[AFTER_KILL][..]),
        ("early", &[WRITTEN, AFTER_KILL, AFTER_REBALANCE, REBALANCE, ERRANT]),
        ("presumptuous", &[WRITTEN, AFTER_KILL, AFTER_REBALANCE, REBALANCE, ERRANT]),
        ("silent", &[ERRANT]),
        ("all or nothing", &[ERRANT]),
        ("touchy", &["a hostile record never panics"]),
    ] {
        let report = suite(flaw).check();
        assert_eq!(broken(&report), rules, "{flaw}: {:#?}", report.faults());
    }
    let report = suite("possessive").check();
    assert!(broken(&report).contains(&REBALANCE), "{:#?}", report.faults());
}

#[test]
fn what_is_lost_is_named() {
    let report = suite("early").check();
    let lost = "acceptance-0 is committed up to 30, and offset 0 is not in the target";
    assert!(report.faults().iter().any(|fault| fault.found == lost), "{:#?}", report.faults());
}
