//! The contracts of plugins and the catalogue that finds them.
//!
//! A plugin crate exports one `pub fn plugins() -> Vec<Plugin>`; the server's catalogue has one line for it.

mod catalogue;
mod connector;
mod converter;
mod sink;
mod source;
mod transform;

pub use catalogue::{Catalogue, LookupError};
pub use connector::{ConnectorContext, TaskId};
pub use converter::{Converter, ConverterRole, HeaderConverter, Undecoded};
pub use sink::{ErrantRecord, Offsets, SinkBatch, SinkConnector, SinkContext, SinkTask, SinkTaskStart};
pub use source::{DeliveryListener, OffsetReader, SourceConnector, SourceTask, SourceTaskStart};
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

/// One entry of the catalogue.
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
