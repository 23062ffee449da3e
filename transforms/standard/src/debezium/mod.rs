//! Debezium's transforms of change events, under their Java class names (3.x).
//!
//! A change event is a struct whose schema's name ends in `.Envelope`, with the row in `before` and `after`. What is no
//! such event (heartbeats, changes of schemas) passes all of them as it is.

mod by_logical_table_router;
mod outbox;
mod schema_names;
mod scripting;
mod unwrap;

use lavka_api::KAFKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::data::{Datum, Struct, Value};
use lavka_api::plugin::{Factory, Plugin};
use lavka_api::{Error, Result};

/// One entry of the catalogue.
macro_rules! entry {
    ($name:literal, $transform:path, $config:ty, $doc:literal) => {
        Plugin {
            class: concat!("io.debezium.transforms.", $name),
            aliases: &[],
            version: KAFKA_VERSION,
            doc: $doc,
            definition: <$config>::definition,
            factory: Factory::Transform(|config| Ok(Box::new(<$transform>::new(config)?))),
        }
    };
}

/// The transforms of this module.
pub(crate) fn plugins() -> Vec<Plugin> {
    vec![
        entry!(
            "ByLogicalTableRouter",
            by_logical_table_router::ByLogicalTableRouter,
            by_logical_table_router::ByLogicalTableRouterConfig,
            "Sends the change events of many tables to one topic."
        ),
        entry!(
            "ExtractNewRecordState",
            unwrap::ExtractNewRecordState,
            unwrap::ExtractNewRecordStateConfig,
            "Replaces a change event by the row as it is after the change."
        ),
        entry!(
            "outbox.EventRouter",
            outbox::EventRouter,
            outbox::EventRouterConfig,
            "Makes messages of the rows of an outbox table."
        ),
        // One entry for both, so that the short name Filter goes on meaning Kafka's.
        Plugin {
            aliases: &["io.debezium.transforms.Filter"],
            ..entry!(
                "ContentBasedRouter",
                scripting::NotHere,
                scripting::ScriptingConfig,
                "Not in this build, as Debezium's Filter is not: they evaluate scripts. ExtractTopic, RegexRouter and \
                 Filter with predicates do without."
            )
        },
    ]
}

/// Whether a value is a change event.
fn is_envelope(value: &Datum) -> bool {
    let name = value.schema.as_ref().and_then(|schema| schema.name());
    name.is_some_and(|name| name.ends_with(".Envelope"))
}

/// The struct that a change event has to be.
fn envelope<'a>(value: &'a Value, purpose: &str) -> Result<&'a Struct> {
    match value {
        Value::Struct(envelope) => Ok(envelope),
        other => Err(crate::operand::not_a_struct(other, purpose)),
    }
}

/// A text in a field, or its default, with the texts of Java's `Struct.getString` where there is none such.
fn string_field<'a>(record: &'a Struct, name: &str) -> Result<Option<&'a str>> {
    match record.get(name) {
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::data(format!("Field '{name}' is not of type STRING"))),
        None => Err(Error::data(format!("{name} is not a valid field name"))),
    }
}
