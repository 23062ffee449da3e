//! The catalogue entry.

use lavka_api::KAFKA_VERSION;
use lavka_api::plugin::{Factory, Plugin};

use super::{ProtobufConverter, config};

/// The converter, under its Java class name.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "io.confluent.connect.protobuf.ProtobufConverter",
        aliases: &[],
        version: KAFKA_VERSION,
        doc: "Protobuf, with the schema in a Schema Registry.",
        definition: config::definition,
        factory: Factory::Converter(|config, role| Ok(Box::new(ProtobufConverter::new(config, role)?))),
    }]
}
