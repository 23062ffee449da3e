//! The widely used transforms of Confluent, under their Java class names, as their documentation describes them.

mod drop;
mod extract_topic;
mod gzip_decompress;
mod json_path;
mod message_timestamp_router;
mod tombstone_handler;

use lavka_api::KAFKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

use crate::operand::Side;

use drop::{Drop, DropConfig};
use extract_topic::{ExtractTopic, ExtractTopicConfig, Part};
use gzip_decompress::{GzipDecompress, GzipDecompressConfig};
use message_timestamp_router::{MessageTimestampRouter, MessageTimestampRouterConfig};
use tombstone_handler::{TombstoneHandler, TombstoneHandlerConfig};

/// One entry of the catalogue.
macro_rules! entry {
    ($name:literal, $config:ty, $doc:literal, $make:expr) => {
        Plugin {
            class: concat!("io.confluent.connect.transforms.", $name),
            aliases: &[],
            version: KAFKA_VERSION,
            doc: $doc,
            definition: <$config>::definition,
            factory: Factory::Transform($make),
        }
    };
}

/// The transforms of this module.
pub(crate) fn plugins() -> Vec<Plugin> {
    vec![
        entry!("Drop$Key", DropConfig, "Sets the key to null.", |config| Ok(Box::new(Drop::new(
            config,
            Side::Key
        )?))),
        entry!("Drop$Value", DropConfig, "Sets the value to null.", |config| Ok(Box::new(Drop::new(
            config,
            Side::Value
        )?))),
        entry!("ExtractTopic$Key", ExtractTopicConfig, "Takes the topic from the key.", |config| Ok(
            Box::new(ExtractTopic::new(config, Part::Key)?)
        )),
        entry!("ExtractTopic$Value", ExtractTopicConfig, "Takes the topic from the value.", |config| Ok(
            Box::new(ExtractTopic::new(config, Part::Value)?)
        )),
        entry!("ExtractTopic$Header", ExtractTopicConfig, "Takes the topic from a header.", |config| Ok(
            Box::new(ExtractTopic::new(config, Part::Header)?)
        )),
        entry!(
            "GzipDecompress$Key",
            GzipDecompressConfig,
            "Unpacks a key of bytes that gzip packed.",
            |_| Ok(Box::new(GzipDecompress::new(Side::Key)))
        ),
        entry!(
            "GzipDecompress$Value",
            GzipDecompressConfig,
            "Unpacks a value of bytes that gzip packed.",
            |_| Ok(Box::new(GzipDecompress::new(Side::Value)))
        ),
        entry!(
            "MessageTimestampRouter",
            MessageTimestampRouterConfig,
            "Makes a topic of the record's topic and a time in its value.",
            |config| Ok(Box::new(MessageTimestampRouter::new(config)?))
        ),
        entry!(
            "TombstoneHandler",
            TombstoneHandlerConfig,
            "Drops records without a value, or fails on them.",
            |config| Ok(Box::new(TombstoneHandler::new(config)?))
        ),
    ]
}
