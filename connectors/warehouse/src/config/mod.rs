//! The keys of the three JDBC sinks and of the JDBC source, and our own.

mod aiven;
mod checks;
mod confluent;
mod debezium;
mod ours;
mod source;

pub(crate) use aiven::AivenKeys;
pub(crate) use confluent::ConfluentKeys;
pub(crate) use debezium::DebeziumKeys;
pub(crate) use ours::{OdbcKeys, OurKeys};
pub(crate) use source::{SourceKeys, definition as source};

use lavka_api::config::{ConfigDef, ConfigSpec, Importance, KeyDef, Kind, Width};

/// The group of keys that are accepted so that existing configurations go on working, and have no effect.
pub(crate) const IGNORED_GROUP: &str = "Ignored";

/// A key without effect: name, type, default, why.
pub(crate) type Ignored = (&'static str, Kind, Option<&'static str>, &'static str);

/// Adds keys without effect to a definition.
pub(crate) fn with_ignored(mut definition: ConfigDef, ignored: &[Ignored]) -> ConfigDef {
    for &(name, kind, default, why) in ignored {
        definition.add(KeyDef {
            name: name.into(),
            kind,
            default: Some(default.map(str::to_owned)),
            importance: Importance::Low,
            doc: format!("Accepted and ignored. {why}").into(),
            group: Some(IGNORED_GROUP.into()),
            order_in_group: -1,
            width: Width::None,
            display_name: name.into(),
            dependents: Vec::new(),
            recommended: Vec::new(),
            checks: Vec::new(),
        });
    }
    definition
}

fn whole(own: ConfigDef, ignored: &[Ignored]) -> ConfigDef {
    let mut definition = own;
    definition.extend(OurKeys::definition());
    definition.extend(OdbcKeys::definition());
    with_ignored(definition, ignored)
}

/// The keys of Confluent's sink.
pub(crate) fn confluent() -> ConfigDef {
    whole(ConfluentKeys::definition(), confluent::IGNORED)
}

/// The keys of Aiven's sink.
pub(crate) fn aiven() -> ConfigDef {
    whole(AivenKeys::definition(), &[])
}

/// The keys of Debezium's sink.
pub(crate) fn debezium() -> ConfigDef {
    whole(DebeziumKeys::definition(), debezium::IGNORED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_passes_its_own_check() {
        for key in [confluent(), aiven(), debezium(), source()].iter().flat_map(ConfigDef::iter) {
            if let Some(Some(default)) = &key.default {
                assert_eq!(key.errors(Some(Some(default))), Vec::<String>::new(), "{}", key.name);
            }
            assert!(!key.doc.is_empty(), "{}", key.name);
        }
    }
}
