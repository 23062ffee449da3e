//! The catalogue entries of this crate.

use lavka_api::config::{Check, ConfigDef, ConfigSpec, key};
use lavka_api::plugin::{ConverterRole, Factory, Plugin};
use lavka_api::{KAFKA_VERSION, LAVKA_VERSION};

use crate::adapter::Plain;
use crate::binary::BytesCodec;
use crate::boolean::BooleanCodec;
use crate::header::SimpleHeaderConverter;
use crate::json::{self, JsonCodec, ResilientCodec};
use crate::number::NumberCodec;
use crate::text::{TextCodec, TextSettings};

/// The values of `converter.type`.
pub(crate) const ROLES: &[&str] = &["key", "value", "header"];

lavka_api::config! {
    /// Settings of a converter that has none of its own.
    struct RoleSettings {
        _role: String = key("converter.type")
            .low()
            .check(Check::one_of(ROLES))
            .doc("What the converter converts; the worker sets it."),
    }
}

lavka_api::config! {
    /// No settings at all.
    struct NoSettings {}
}

/// The entries of one codec: as a converter of keys and values, and as one of headers.
macro_rules! in_both_roles {
    ($class:literal, $doc:literal, $definition:expr, |$config:ident, $role:ident| $codec:expr) => {
        [
            Plugin {
                class: $class,
                aliases: &[],
                version: KAFKA_VERSION,
                doc: $doc,
                definition: $definition,
                factory: Factory::Converter(|$config, $role| Ok(Box::new(Plain($codec)))),
            },
            Plugin {
                class: $class,
                aliases: &[],
                version: KAFKA_VERSION,
                doc: $doc,
                definition: $definition,
                factory: Factory::HeaderConverter(|$config| {
                    let $role = ConverterRole::Header;
                    Ok(Box::new(Plain($codec)))
                }),
            },
        ]
    };
}

/// Names that Lenses' converter had in earlier releases.
const RESILIENT: &[&str] = &[
    "com.datamountaineer.streamreactor.connect.converters.source.JsonResilientConverter",
    "com.datamountaineer.streamreactor.common.converters.source.JsonResilientConverter",
];

/// Every converter of this crate under its Java class name; all but `SimpleHeaderConverter` twice, for keys and values
/// and for headers.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    let role: fn() -> ConfigDef = RoleSettings::definition;
    [
        in_both_roles!(
            "org.apache.kafka.connect.json.JsonConverter",
            "JSON, with the schema in every message or without.",
            json::definition,
            |config, role| JsonCodec::new(config, role)?
        ),
        in_both_roles!(
            "org.apache.kafka.connect.storage.StringConverter",
            "The text of any value; reads strings.",
            TextSettings::definition,
            |config, role| TextCodec::new(config, role)?
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.ByteArrayConverter",
            "Bytes as they are.",
            role,
            |_config, _role| BytesCodec
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.ShortConverter",
            "16-bit integers, big-endian.",
            role,
            |_config, _role| NumberCodec::SHORT
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.IntegerConverter",
            "32-bit integers, big-endian.",
            role,
            |_config, _role| NumberCodec::INTEGER
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.LongConverter",
            "64-bit integers, big-endian.",
            role,
            |_config, _role| NumberCodec::LONG
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.FloatConverter",
            "Single-precision numbers, big-endian.",
            role,
            |_config, _role| NumberCodec::FLOAT
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.DoubleConverter",
            "Double-precision numbers, big-endian.",
            role,
            |_config, _role| NumberCodec::DOUBLE
        ),
        in_both_roles!(
            "org.apache.kafka.connect.converters.BooleanConverter",
            "Booleans as one byte.",
            role,
            |_config, _role| BooleanCodec
        ),
        in_both_roles!(
            "io.lenses.streamreactor.connect.converters.source.JsonResilientConverter",
            "JSON as JsonConverter has it, with null in place of what is malformed or cannot be written.",
            json::definition,
            |config, role| ResilientCodec(JsonCodec::new(config, role)?)
        )
        .map(|plugin| Plugin { aliases: RESILIENT, version: LAVKA_VERSION, ..plugin }),
    ]
    .into_iter()
    .flatten()
    .chain([Plugin {
        class: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        aliases: &[],
        version: KAFKA_VERSION,
        doc: "Header values as text, whose type is inferred when they are read.",
        definition: NoSettings::definition,
        factory: Factory::HeaderConverter(|_| Ok(Box::new(SimpleHeaderConverter))),
    }])
    .collect()
}
