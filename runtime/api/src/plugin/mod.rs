//! The contracts of plugins and the catalogue that finds them.
//!
//! A plugin crate exports one `pub fn plugins() -> Vec<Plugin>`; the server's catalogue has one line for it.
//!
//! # Who is called when
//!
//! A connector is two things. The *connector* proper ([`SourceConnector`], [`SinkConnector`]) runs once: it checks the
//! configuration and says what each of at most `tasks.max` tasks is to do. The *tasks* ([`SourceTask`], [`SinkTask`]) move
//! records, and may run on other machines; all that a task knows is in its configuration.
//!
//! | when | source | sink |
//! | --- | --- | --- |
//! | a configuration is posted | `validate` | `validate` |
//! | the connector starts | `start`, `task_configs` | `start`, `task_configs` |
//! | a task starts | `task`, then its `start` | `task`, then its `start` |
//! | it runs | `poll`, again and again | `open`, `put`, `pre_commit`, `close` |
//! | it is paused | a pending `poll` is dropped | consumption pauses; `put` gets empty batches |
//! | it ends | `stop` | `pre_commit`, `close`, `stop` |
//! | the connector ends | `stop` | `stop` |
//!
//! Calls on one object come one at a time. A [`Transform`] or [`Predicate`] has one method and belongs to one task.
//!
//! # A source
//!
//! ```
//! use lavka_api::config::{Check, Config, ConfigSpec, key};
//! use lavka_api::data::{Datum, OffsetMap, Record, SourcePosition, SourceRecord, Value};
//! use lavka_api::plugin::{ConnectorContext, SourceConnector, SourceTask, SourceTaskStart};
//! use lavka_api::{Result, async_trait};
//!
//! lavka_api::config! {
//!     struct CountConfig {
//!         topic: String = key("topic").high().check(Check::non_empty()).doc("Where numbers go."),
//!         end: i64 = key("end").default(100).doc("The number to end before."),
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Count(Config);
//!
//! #[async_trait]
//! impl SourceConnector for Count {
//!     async fn start(&mut self, _context: ConnectorContext, config: &Config) -> Result<()> {
//!         self.0 = config.clone();
//!         Ok(())
//!     }
//!
//!     async fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<Config>> {
//!         Ok(vec![self.0.clone()]) // One task, whatever is allowed.
//!     }
//!
//!     fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>> {
//!         Ok(Box::new(CountTask { config: CountConfig::from_config(config)?, next: 0 }))
//!     }
//!
//!     async fn stop(&mut self) {}
//! }
//!
//! struct CountTask {
//!     config: CountConfig,
//!     next: i64,
//! }
//!
//! fn partition() -> OffsetMap {
//!     OffsetMap::new([("counter", "the only one")])
//! }
//!
//! #[async_trait]
//! impl SourceTask for CountTask {
//!     async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
//!         let committed = start.offsets.offsets(&[partition()]).await?.into_iter().next().flatten();
//!         // Offsets come back with every integer as INT64.
//!         self.next = committed.and_then(|it| it.get("n")?.as_i64()).map_or(0, |n| n + 1);
//!         Ok(())
//!     }
//!
//!     async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
//!         if self.next >= self.config.end {
//!             return std::future::pending().await; // Nothing will come; the engine drops this to stop the task.
//!         }
//!         let mut record = Record::for_topic(self.config.topic.as_str());
//!         record.value = Datum::schemaless(self.next);
//!         let offset = OffsetMap::new([("n", self.next)]);
//!         self.next += 1;
//!         let position = Some(SourcePosition { partition: partition(), offset });
//!         Ok(vec![SourceRecord { record, position, token: 0 }])
//!     }
//!
//!     async fn stop(&mut self) {}
//! }
//! ```
//!
//! # A sink task
//!
//! Its connector is made as a source's.
//!
//! ```
//! # type Connection = Vec<(lavka_api::data::TopicPartition, i64, String)>;
//! use lavka_api::data::TopicPartition;
//! use lavka_api::plugin::{ErrantRecord, Offsets, SinkBatch, SinkContext, SinkTask, SinkTaskStart};
//! use lavka_api::{Error, Result, async_trait};
//!
//! struct Table {
//!     rows: Connection,
//! }
//!
//! #[async_trait]
//! impl SinkTask for Table {
//!     async fn start(&mut self, _start: SinkTaskStart) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()> {
//!         for (index, record) in batch.iter().enumerate() {
//!             let Some(text) = record.record.value.value.as_str() else {
//!                 let error = Error::data("only texts fit the table");
//!                 if !context.takes_errant_records {
//!                     return Err(error); // Ends the task, at this record.
//!                 }
//!                 context.errant.push(ErrantRecord { index, error });
//!                 continue;
//!             };
//!             let partition = TopicPartition::new(record.origin.topic.clone(), record.origin.partition);
//!             self.rows.push((partition, record.origin.offset, text.to_owned()));
//!         }
//!         Ok(())
//!     }
//!
//!     async fn pre_commit(&mut self, seen: &Offsets, _context: &mut SinkContext) -> Result<Offsets> {
//!         // Whatever was put is in the table, so all of it may be committed.
//!         Ok(seen.clone())
//!     }
//!
//!     async fn stop(&mut self) {}
//! }
//! ```

mod catalogue;
mod connector;
mod converter;
mod counter;
mod gauge;
mod remarks;
mod sink;
mod source;
mod topics;
mod transactions;
mod transform;

pub use catalogue::{Catalogue, LookupError};
pub use connector::{ConnectorContext, TaskId};
pub use converter::{Converter, ConverterRole, HeaderConverter, Undecoded};
pub use counter::Counter;
pub use gauge::{Gauge, Gauges};
pub use remarks::{Remark, RemarkLevel, Remarks};
pub use sink::{ErrantRecord, Offsets, SinkBatch, SinkConnector, SinkContext, SinkTask, SinkTaskStart};
pub use source::{
    CACHED_BATCH, DeliveryListener, OffsetReader, SourceConnector, SourceTask, SourceTaskStart,
};
pub use topics::{TopicMessage, TopicReader, Topics};
pub use transactions::{ExactlyOnceSupport, TransactionContext, TransactionEnd};
pub use transform::{Predicate, Transform, Verdict};

use crate::config::{Config, ConfigDef};
use crate::error::Result;

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginKind {
    /// A sink connector.
    Sink,
    /// A source connector.
    Source,
    /// A transformation.
    Transformation,
    /// A predicate.
    Predicate,
    /// A converter of keys and values.
    Converter,
    /// A converter of headers.
    HeaderConverter,
}

impl PluginKind {
    /// The name over REST.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PluginKind::Sink => "sink",
            PluginKind::Source => "source",
            PluginKind::Transformation => "transformation",
            PluginKind::Predicate => "predicate",
            PluginKind::Converter => "converter",
            PluginKind::HeaderConverter => "header_converter",
        }
    }

    /// Whether it is a connector.
    #[must_use]
    pub fn is_connector(self) -> bool {
        matches!(self, PluginKind::Sink | PluginKind::Source)
    }
}

/// Makes an unconfigured source connector.
pub type NewSource = fn() -> Box<dyn SourceConnector>;
/// Makes an unconfigured sink connector.
pub type NewSink = fn() -> Box<dyn SinkConnector>;
/// Makes a configured transform.
pub type NewTransform = fn(&Config) -> Result<Box<dyn Transform>>;
/// Makes a configured predicate.
pub type NewPredicate = fn(&Config) -> Result<Box<dyn Predicate>>;
/// Makes a configured converter for keys, values or headers.
pub type NewConverter = fn(&Config, ConverterRole) -> Result<Box<dyn Converter>>;
/// Makes a configured header converter.
pub type NewHeaderConverter = fn(&Config) -> Result<Box<dyn HeaderConverter>>;

/// How instances of a plugin are made.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Factory {
    /// A source connector.
    Source(NewSource),
    /// A sink connector.
    Sink(NewSink),
    /// A transformation.
    Transform(NewTransform),
    /// A predicate.
    Predicate(NewPredicate),
    /// A converter of keys and values.
    Converter(NewConverter),
    /// A converter of headers.
    HeaderConverter(NewHeaderConverter),
}

/// One entry of the catalogue. The [crate's documentation](crate) has a whole one.
#[derive(Clone)]
pub struct Plugin {
    /// The class name users write, of the Java class it stands in for where there is one.
    pub class: &'static str,
    /// Other full class names that mean the same plugin. Short names (`FileStreamSource`) follow by Connect's rules.
    pub aliases: &'static [&'static str],
    /// The version shown over REST.
    pub version: &'static str,
    /// One sentence on what it does, for the reference page.
    pub doc: &'static str,
    /// Its keys.
    pub definition: fn() -> ConfigDef,
    /// How it is made.
    pub factory: Factory,
}

impl Plugin {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        match self.factory {
            Factory::Source(_) => PluginKind::Source,
            Factory::Sink(_) => PluginKind::Sink,
            Factory::Transform(_) => PluginKind::Transformation,
            Factory::Predicate(_) => PluginKind::Predicate,
            Factory::Converter(_) => PluginKind::Converter,
            Factory::HeaderConverter(_) => PluginKind::HeaderConverter,
        }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({}, {})", self.class, self.kind().name())
    }
}
