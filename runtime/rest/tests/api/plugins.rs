//! Plugins whose behaviour is in their configuration.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use lavka_api::config::{Config, ConfigDef, ConfigSpec, Password, key};
use lavka_api::data::{
    Blob, Datum, Headers, OffsetMap, Record, Schema, SourceRecord, Topic, TopicPartition, Value,
};
use lavka_api::plugin::{
    ConnectorContext, Converter, Factory, HeaderConverter, Plugin, Predicate, SinkBatch, SinkConnector,
    SinkContext, SinkTask, SinkTaskStart, SourceConnector, SourceTask, SourceTaskStart, TaskId, Transform,
    Verdict,
};
use lavka_api::{Error, Result};

pub(crate) const SOURCE: &str = "test.ScriptedSourceConnector";
pub(crate) const SINK: &str = "test.ScriptedSinkConnector";
pub(crate) const CONVERTER: &str = "test.PlainConverter";
pub(crate) const STRICT: &str = "test.StrictConverter";
pub(crate) const MARK: &str = "test.Mark";
pub(crate) const MATCHES: &str = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches";

lavka_api::config! {
    /// What a connector is to do.
    struct Script {
        /// Tasks that it makes, whatever `tasks.max` says.
        tasks: Option<i32> = key("script.tasks").doc("Tasks to make."),
        /// The call that fails: start, tasks, regenerate, build, validate-panics, start-panics,
        /// start-hangs, stop-panics.
        fail: String = key("script.fail").default("").doc("What fails."),
        /// Tasks that fail when they start.
        failing: Vec<String> = key("script.failing.tasks").default("").doc("Tasks that fail."),
        /// Whether they fail the first time alone.
        once: bool = key("script.fail.once").default(false).doc("Whether they fail once only."),
        /// Whether offsets are kept in Connect alone.
        managed: bool = key("script.managed").default(true).doc("Whether offsets are Connect's alone."),
        /// A secret, which it is careless with only by name.
        secret: Option<Password> = key("script.secret").doc("A secret."),
        /// Something to get wrong.
        size: i32 = key("script.size").default(7).group("Script").doc("A size."),
    }
}

/// What failures repeat, and how long it is: `script.leak`, which nobody defines.
fn leaked(config: &Config) -> String {
    config.get("script.leak").map_or_else(String::new, |leak| format!(": {leak} ({} bytes)", leak.len()))
}

/// How often each task was started, by `<connector>-<task>`.
static STARTS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

/// How often a task was started so far.
pub(crate) fn starts(task: &str) -> u32 {
    let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    *starts.get_or_insert_default().entry(task.to_owned()).or_default()
}

fn count_start(id: &TaskId) -> u32 {
    let mut starts = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = starts.get_or_insert_default().entry(id.to_string()).or_default();
    *count += 1;
    *count
}

#[derive(Default)]
struct Scripted {
    config: Config,
    calls: u32,
}

impl Scripted {
    fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
        let script = Script::from_config(config)?;
        self.config = config.clone();
        match script.fail.as_str() {
            "start" => {
                return Err(Error::fatal(format!("the script says that the start fails{}", leaked(config))));
            }
            "start-panics" => panic!("the script says so"),
            "regenerate" => {
                // Asked for again as soon as the tasks were made.
                drop(tokio::spawn(async move { context.request_task_reconfiguration() }));
            }
            _ => {}
        }
        Ok(())
    }

    fn task_configs(&mut self, max: u32) -> Result<Vec<Config>> {
        let script = Script::from_config(&self.config)?;
        self.calls += 1;
        if script.fail == "tasks" || (script.fail == "regenerate" && self.calls > 1) {
            return Err(Error::fatal("the script says that there are no tasks"));
        }
        let count = script.tasks.and_then(|tasks| u32::try_from(tasks).ok()).unwrap_or(max);
        Ok((0..count).map(|_| self.config.clone()).collect())
    }

    fn altered(config: &Config) -> Result<bool> {
        Ok(Script::from_config(config)?.managed)
    }
}

struct ScriptedTask(Script, String);

impl ScriptedTask {
    fn new(config: &Config) -> Result<Self> {
        let script = Script::from_config(config)?;
        if script.fail == "build" {
            return Err(Error::fatal("the script says that there is no such task"));
        }
        Ok(Self(script, leaked(config)))
    }

    fn start(&self, id: &TaskId) -> Result<()> {
        let first = count_start(id) == 1;
        if self.0.failing.contains(&id.task.to_string()) && (first || !self.0.once) {
            return Err(Error::fatal(format!("the script says that this task fails{}", self.1)));
        }
        Ok(())
    }
}

macro_rules! connector {
    ($name:ident, $contract:ident, $task:ident, $start:ident, $partition:ty, $offset:ty) => {
        #[derive(Default)]
        struct $name(Scripted);

        #[async_trait]
        impl $contract for $name {
            async fn validate(
                &self,
                definition: &ConfigDef,
                config: &Config,
            ) -> Vec<lavka_api::config::KeyReport> {
                assert!(config.get("script.fail") != Some("validate-panics"), "the script says so");
                definition.validate(config)
            }

            async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()> {
                if config.get("script.fail") == Some("start-hangs") {
                    std::future::pending::<()>().await;
                }
                self.0.start(context, config)
            }

            async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>> {
                self.0.task_configs(max_tasks)
            }

            fn task(&self, config: &Config) -> Result<Box<dyn $task>> {
                Ok(Box::new(ScriptedTask::new(config)?))
            }

            async fn stop(&mut self) {
                let fail = self.0.config.get("script.fail");
                assert!(fail != Some("stop-panics"), "the script says so");
            }

            fn alter_offsets(
                &self,
                config: &Config,
                _offsets: &[($partition, Option<$offset>)],
            ) -> Result<bool> {
                Scripted::altered(config)
            }
        }
    };
}

connector!(ScriptedSource, SourceConnector, SourceTask, SourceTaskStart, OffsetMap, OffsetMap);
connector!(ScriptedSink, SinkConnector, SinkTask, SinkTaskStart, TopicPartition, i64);

#[async_trait]
impl SourceTask for ScriptedTask {
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        ScriptedTask::start(self, &start.id)
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        std::future::pending().await
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl SinkTask for ScriptedTask {
    async fn start(&mut self, start: SinkTaskStart) -> Result<()> {
        ScriptedTask::start(self, &start.id)
    }

    async fn put(&mut self, _batch: SinkBatch, _context: &mut SinkContext) -> Result<()> {
        Ok(())
    }

    async fn stop(&mut self) {}
}

/// Nothing goes through it here.
struct Plain;

impl Converter for Plain {
    fn decode(&mut self, _topic: &Topic, _payload: Option<&Blob>) -> Result<Datum> {
        Err(Error::data("nothing is read here"))
    }

    fn encode(
        &mut self,
        _topic: &Topic,
        _headers: &mut Headers,
        _schema: Option<&Schema>,
        _value: &Value,
        _out: &mut Vec<u8>,
    ) -> Result<bool> {
        Ok(false)
    }
}

impl HeaderConverter for Plain {
    fn decode(&mut self, _topic: &Topic, _key: &str, _payload: Option<&Blob>) -> Result<Datum> {
        Err(Error::data("nothing is read here"))
    }

    fn encode(&mut self, _topic: &Topic, _key: &str, _datum: &Datum, _out: &mut Vec<u8>) -> Result<bool> {
        Ok(false)
    }
}

lavka_api::config! {
    /// A converter that is particular.
    struct StrictConfig {
        role: String = key("converter.type").low().doc("What it converts."),
        strict: bool = key("strict").default(true).group("Strictness").doc("How strict it is."),
    }
}

lavka_api::config! {
    /// A transform that has to be told something.
    struct MarkConfig {
        mark: String = key("mark").high().doc("The mark."),
        colour: String = key("colour").default("red").doc("Its colour."),
    }
}

struct Mark;

impl Transform for Mark {
    fn apply(&mut self, _record: &mut Record) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }
}

lavka_api::config! {
    /// Names by their beginning: as much of a pattern as is needed here.
    struct MatchesConfig {
        pattern: String = key("pattern").doc("The beginning of the name and `.*`."),
    }
}

struct Matches(String);

impl Predicate for Matches {
    fn test(&mut self, record: &Record) -> Result<bool> {
        Ok(match self.0.strip_suffix(".*") {
            Some(beginning) => record.topic.starts_with(beginning),
            None => record.topic.as_str() == self.0,
        })
    }
}

fn plugin(class: &'static str, definition: fn() -> ConfigDef, factory: Factory) -> Plugin {
    Plugin { class, aliases: &[], version: "1.2.3", doc: "For tests.", definition, factory }
}

/// Every plugin of these tests.
pub(crate) fn plugins() -> Vec<Plugin> {
    let nothing: fn() -> ConfigDef = ConfigDef::new;
    let header = Factory::HeaderConverter(|_| Ok(Box::new(Plain)));
    vec![
        plugin(SOURCE, Script::definition, Factory::Source(|| Box::new(ScriptedSource::default()))),
        plugin(SINK, Script::definition, Factory::Sink(|| Box::new(ScriptedSink::default()))),
        plugin(CONVERTER, nothing, Factory::Converter(|_, _| Ok(Box::new(Plain)))),
        plugin(
            STRICT,
            StrictConfig::definition,
            Factory::Converter(|config, _| {
                let mut config = config.clone();
                config.set("converter.type", "value");
                StrictConfig::from_config(&config)?;
                Ok(Box::new(Plain))
            }),
        ),
        plugin("org.apache.kafka.connect.storage.SimpleHeaderConverter", nothing, header),
        plugin(
            MARK,
            MarkConfig::definition,
            Factory::Transform(|config| {
                MarkConfig::from_config(config)?;
                Ok(Box::new(Mark))
            }),
        ),
        plugin(
            MATCHES,
            MatchesConfig::definition,
            Factory::Predicate(|config| Ok(Box::new(Matches(MatchesConfig::from_config(config)?.pattern)))),
        ),
    ]
}
