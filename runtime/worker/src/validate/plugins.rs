//! Transforms, predicates and whatever else is named by its class.

use std::collections::HashMap;

use lavka_api::config::Config;
use lavka_api::plugin::{Catalogue, LookupError, Plugin, PluginKind};
use lavka_engine::chain::Chain;

use super::reports::Reports;
use crate::config::aliases;

/// The lists of aliases and what they name.
const LISTS: [(&str, PluginKind); 2] =
    [("transforms", PluginKind::Transformation), ("predicates", PluginKind::Predicate)];

/// What is wrong with a class.
pub(super) enum Fault {
    /// Nobody knows it: its key's value is shown as null.
    Unknown(String),
    /// It is something else than asked for, or its short name is several classes'.
    Unfit(String),
}

/// The plugin of `kind` that `class`, the value of `key`, names.
pub(super) fn lookup<'c>(
    key: &str,
    class: &str,
    kind: PluginKind,
    catalogue: &'c Catalogue,
) -> Result<&'c Plugin, Fault> {
    let class = class.trim();
    catalogue.find(class, |k| k == kind).map_err(|error| match error {
        LookupError::Ambiguous { .. } => Fault::Unfit(error.to_string()),
        LookupError::Unknown { nearest, .. } => {
            if let Some(other) = catalogue.iter().find(|plugin| plugin.class == class) {
                return Fault::Unfit(format!(
                    "Class class {} does not implement the {} interface",
                    other.class,
                    interface(kind)
                ));
            }
            // Kafka's transforms have a variant for keys and one for values; the name that both share is no class.
            let variants: Vec<&str> = catalogue
                .iter()
                .filter(|plugin| plugin.kind() == kind)
                .filter(|plugin| plugin.class.strip_prefix(class).is_some_and(|rest| rest.starts_with('$')))
                .map(|plugin| plugin.class)
                .collect();
            if !variants.is_empty() {
                return Fault::Unfit(format!(
                    "This class is abstract and cannot be created. Did you mean {}?",
                    variants.join(", ")
                ));
            }
            let hint = nearest.map(|nearest| format!(" Did you mean {nearest}?")).unwrap_or_default();
            Fault::Unknown(format!(
                "Invalid value {class} for configuration {key}: Class {class} could not be found.{hint}"
            ))
        }
    })
}

fn interface(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Sink | PluginKind::Source => "Connector",
        PluginKind::Transformation => "Transformation",
        PluginKind::Predicate => "Predicate",
        PluginKind::Converter => "Converter",
        PluginKind::HeaderConverter => "HeaderConverter",
    }
}

/// Notes a fault of the class that `key` names.
pub(super) fn note(key: &str, fault: Fault, reports: &mut Reports) {
    match fault {
        Fault::Unknown(text) => reports.reject(key, text),
        Fault::Unfit(text) => reports.complain(key, text),
    }
}

/// Each transform and predicate must be known.
pub(super) fn check(config: &Config, catalogue: &Catalogue, reports: &mut Reports) {
    for (list, kind) in LISTS {
        for alias in aliases(config, list) {
            let key = format!("{list}.{alias}.type");
            let Some(class) = config.get(&key) else { continue };
            match lookup(&key, class, kind, catalogue) {
                Ok(plugin) => reports.change(&key, |report| report.value = Some(plugin.class.to_owned())),
                Err(fault) => note(&key, fault, reports),
            }
            let own = |name: &str| format!("{list}.{alias}.{name}");
            let (negate, predicate) = (own("negate"), own("predicate"));
            if kind == PluginKind::Transformation && config.contains(&negate) && !config.contains(&predicate)
            {
                let text = format!(
                    "Config '{negate}' was provided but there is no config '{predicate}' defining a predicate to be \
                     negated."
                );
                reports.complain(&key, text);
            }
        }
    }
}

/// Makes the chain; what is wrong with it, and at which key.
pub(super) fn make(config: &Config, catalogue: &Catalogue) -> Option<(String, String)> {
    let error = Chain::from_config(config, catalogue).err()?;
    let text = error.message().unwrap_or_default().to_owned();
    let names = LISTS
        .into_iter()
        .flat_map(|(list, _)| aliases(config, list).into_iter().map(move |alias| format!("{list}.{alias}")));
    // The longest of those that the text names: `transforms.ab` is not about `transforms.a`.
    let key = names
        .filter(|name| text.contains(name.as_str()))
        .max_by_key(String::len)
        .map_or_else(|| "transforms".to_owned(), |name| format!("{name}.type"));
    Some((key, text))
}

/// A default that depends on the configuration.
pub(super) struct Dependent {
    pub(super) default: Option<String>,
    pub(super) recommended: Vec<String>,
}

/// Defaults of the version keys (the one version there is) and of the converters (the worker's).
pub(super) fn dependent_defaults(
    plugin: &Plugin,
    config: &Config,
    worker: &Config,
    catalogue: &Catalogue,
) -> HashMap<String, Dependent> {
    let version = |plugin: Option<&Plugin>| {
        let version = plugin.map(|plugin| plugin.version.to_owned());
        Dependent { recommended: version.clone().into_iter().collect(), default: version }
    };
    let mut defaults = HashMap::from([("connector.plugin.version".to_owned(), version(Some(plugin)))]);
    for (list, kind) in LISTS {
        for alias in aliases(config, list) {
            let class = config.get(&format!("{list}.{alias}.type"));
            let found = class.and_then(|class| catalogue.find(class, |k| k == kind).ok());
            defaults.insert(format!("{list}.{alias}.plugin.version"), version(found));
        }
    }
    for (key, kind) in super::converters::KEYS {
        let fallback = (kind == PluginKind::HeaderConverter).then_some(super::converters::HEADER_DEFAULT);
        let inherited = worker.get(key).or(fallback);
        let classes = catalogue.iter().filter(|plugin| plugin.kind() == kind);
        let mut recommended: Vec<String> = classes.map(|plugin| plugin.class.to_owned()).collect();
        recommended.dedup();
        let find = |class: &str| catalogue.find(class, |k| k == kind).ok();
        let default = inherited.map(|class| find(class).map_or(class, |plugin| plugin.class).to_owned());
        defaults.insert(key.to_owned(), Dependent { default, recommended });
        let used = config.get(key).or(inherited).and_then(find);
        defaults.insert(format!("{key}.plugin.version"), version(used));
    }
    defaults
}
