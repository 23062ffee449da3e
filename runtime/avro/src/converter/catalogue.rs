//! The catalogue entry.

use lavka_api::KAFKA_VERSION;
use lavka_api::plugin::{Factory, Plugin};

use super::{AvroConverter, config};

/// The converter, under its Java class name.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "io.confluent.connect.avro.AvroConverter",
        aliases: &[],
        version: KAFKA_VERSION,
        doc: "Avro, with the schema in a Schema Registry.",
        definition: config::definition,
        factory: Factory::Converter(|config, role| Ok(Box::new(AvroConverter::new(config, role)?))),
    }]
}
