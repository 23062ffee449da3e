//! The converters that a connector names.

use std::borrow::Cow;

use lavka_api::config::{Config, ConfigDef};
use lavka_api::plugin::{Catalogue, PluginKind};

use super::plugins::{Fault, lookup, note};
use super::reports::{self, Reports};
use crate::answers::ConfigInfo;
use crate::assembly::Converters;

/// The keys that name converters, in the order of Connect's answers.
pub(super) const KEYS: [(&str, PluginKind); 3] = [
    ("header.converter", PluginKind::HeaderConverter),
    ("key.converter", PluginKind::Converter),
    ("value.converter", PluginKind::Converter),
];

/// The header converter of a worker that names none.
pub(super) const HEADER_DEFAULT: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// The keys of one converter, with the connector's prefix.
pub(super) struct Block {
    pub(super) groups: Vec<String>,
    pub(super) infos: Vec<ConfigInfo>,
}

/// Each converter that the connector names must be known; the keys of those that are. As in Connect error texts in
/// such a block name keys without the prefix.
pub(super) fn check(config: &Config, catalogue: &Catalogue, reports: &mut Reports) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (key, kind) in KEYS {
        let Some(class) = config.get(key) else { continue };
        match lookup(key, class, kind, catalogue) {
            Ok(plugin) => {
                reports.change(key, |report| report.value = Some(plugin.class.to_owned()));
                blocks.push(block(key, &(plugin.definition)(), config));
            }
            Err(fault) => {
                if matches!(fault, Fault::Unknown(_)) {
                    reports.change(&format!("{key}.plugin.version"), |report| report.visible = false);
                }
                note(key, fault, reports);
            }
        }
    }
    blocks
}

fn block(key: &str, definition: &ConfigDef, config: &Config) -> Block {
    let prefix = format!("{key}.");
    let mut own = config.with_prefix_stripped(&prefix);
    // The worker sets it, whatever the connector says.
    own.set("converter.type", key.strip_suffix(".converter").unwrap_or(key));
    let infos =
        reports::validate(definition, &own).into_iter().zip(definition.iter()).map(|(mut value, def)| {
            let mut def = def.clone();
            def.name = Cow::Owned(format!("{prefix}{}", def.name));
            def.dependents = def.dependents.iter().map(|name| format!("{prefix}{name}")).collect();
            value.name = def.name.clone().into_owned();
            ConfigInfo { definition: Some(def), value }
        });
    Block { groups: definition.groups(), infos: infos.collect() }
}

/// Makes the connector's converters, its own and those it inherits; what is wrong with one, and at which key.
pub(super) fn make(config: &Config, worker: &Config, catalogue: &Catalogue) -> Option<(String, String)> {
    let error = Converters::new(config, worker, catalogue).err()?;
    let text = error.message().unwrap_or_default().to_owned();
    let named = KEYS.into_iter().find(|(key, _)| text.contains(key));
    Some((named.map_or("value.converter", |(key, _)| key).to_owned(), text))
}
