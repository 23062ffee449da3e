//! What each key of a connector configuration means: the connector's own, the framework's, those of its transforms,
//! predicates, converters and Kafka clients.

use lavka_api::config::{Config, ConfigDef, KeyDef, nearest_name};
use lavka_api::plugin::{Catalogue, Plugin, PluginKind};
use lavka_kafka::{KeyFate, key_fate};
use lavka_worker::config::{ClientKind, KeyMeaning, definition_for, describe_key};

use crate::reference::kafka_keys;
use crate::worker_file::CONVERTERS;

/// The keys that one connector configuration may have.
pub(crate) struct ConnectorKeys<'a> {
    plugin: &'a Plugin,
    config: &'a Config,
    catalogue: &'a Catalogue,
    definition: ConfigDef,
}

/// Keys by which Confluent's connectors ask for their licence, with or without a value of their own.
const LICENCE: [&str; 4] =
    ["confluent.license", "confluent.topic", "confluent.value.schema", "confluent.reporter"];
const NO_LICENCE: &str = "no licence is needed";

impl<'a> ConnectorKeys<'a> {
    pub(crate) fn new(plugin: &'a Plugin, config: &'a Config, catalogue: &'a Catalogue) -> Self {
        Self { plugin, config, catalogue, definition: definition_for(plugin, config, catalogue) }
    }

    /// What `name` means here.
    pub(crate) fn meaning(&self, name: &str) -> KeyMeaning {
        if let Some(why) = self.definition.get(name).and_then(without_effect) {
            return KeyMeaning::Ignored(why);
        }
        match describe_key(name, &self.definition, self.config) {
            KeyMeaning::Unknown(nearest) => self.beyond_the_definition(name, nearest),
            KeyMeaning::Understood if self.definition.get(name).is_none() => {
                self.of_a_client(name).or_else(|| self.of_a_converter(name)).unwrap_or(KeyMeaning::Understood)
            }
            other => other,
        }
    }

    fn beyond_the_definition(&self, name: &str, nearest: Option<String>) -> KeyMeaning {
        if is_licence_key(name) {
            return KeyMeaning::Ignored(NO_LICENCE.to_owned());
        }
        for list in ["transforms", "predicates"] {
            let rest = name.strip_prefix(list).and_then(|rest| rest.strip_prefix('.'));
            let Some((alias, _)) = rest.and_then(|rest| rest.split_once('.')) else { continue };
            let listed = self.config.get(list).unwrap_or_default();
            if !listed.split(',').any(|item| item.trim() == alias) {
                return KeyMeaning::Ignored(format!("'{alias}' is not listed in '{list}'"));
            }
        }
        let clients = ClientKind::ALL.into_iter().map(ClientKind::override_prefix);
        let prefix = clients.map(|prefix| prefix.trim_end_matches("override.")).find(|p| name.starts_with(p));
        if let Some(prefix) = prefix {
            // A client key as a worker file would have it.
            let key = name.strip_prefix(prefix).unwrap_or_default();
            return KeyMeaning::Unknown(Some(format!("{prefix}override.{key}")));
        }
        KeyMeaning::Unknown(nearest)
    }

    /// `producer.override.…` and the like.
    fn of_a_client(&self, name: &str) -> Option<KeyMeaning> {
        let (kind, key) = ClientKind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, name.strip_prefix(kind.override_prefix())?)))?;
        let client = match kind {
            ClientKind::Producer => lavka_kafka::ClientKind::Producer,
            ClientKind::Consumer => lavka_kafka::ClientKind::Consumer,
            ClientKind::Admin => lavka_kafka::ClientKind::Admin,
        };
        Some(match key_fate(client, key) {
            KeyFate::Ignored(why) => KeyMeaning::Ignored(why.to_owned()),
            KeyFate::Unknown => {
                let near = nearest_name(key, kafka_keys::of(kafka_keys::section(client)));
                KeyMeaning::Unknown(near.map(|near| format!("{}{near}", kind.override_prefix())))
            }
            KeyFate::Understood => match self.why_no_client(kind) {
                Some(why) => KeyMeaning::Ignored(why.to_owned()),
                None => KeyMeaning::Understood,
            },
        })
    }

    /// Why the connector has no client of this kind.
    fn why_no_client(&self, kind: ClientKind) -> Option<&'static str> {
        let dead_letters = self
            .config
            .get("errors.deadletterqueue.topic.name")
            .is_some_and(|topic| !topic.trim().is_empty());
        match (self.plugin.kind(), kind) {
            (PluginKind::Sink, ClientKind::Producer) if !dead_letters => Some(
                "a sink has a producer for dead letters alone; errors.deadletterqueue.topic.name is not set",
            ),
            (PluginKind::Source, ClientKind::Consumer) => Some("a source has no consumer"),
            _ => None,
        }
    }

    /// `value.converter.…` beside a `value.converter`.
    fn of_a_converter(&self, name: &str) -> Option<KeyMeaning> {
        let (converter, kind, key) = CONVERTERS.into_iter().find_map(|(converter, kind)| {
            Some((converter, kind, name.strip_prefix(converter)?.strip_prefix('.')?))
        })?;
        let class = self.config.get(converter)?;
        let plugin = self.catalogue.find(class, |k| k == kind).ok()?;
        let definition = (plugin.definition)();
        if key == "converter.type" {
            return Some(KeyMeaning::Ignored("the place of the converter says it".to_owned()));
        }
        // Headers of requests to a schema registry have the names that the user gives them.
        if key.starts_with("request.header.") && definition.get("schema.registry.url").is_some() {
            return Some(KeyMeaning::Understood);
        }
        Some(match definition.get(key) {
            Some(def) => without_effect(def).map_or(KeyMeaning::Understood, KeyMeaning::Ignored),
            None => {
                let near = nearest_name(key, definition.iter().map(|def| def.name.as_ref()));
                KeyMeaning::Unknown(near.map(|near| format!("{converter}.{near}")))
            }
        })
    }
}

/// Names the keys of a connector that have no effect.
pub(crate) fn log_unused_keys(name: &str, config: &Config, catalogue: &Catalogue) {
    let class = config.get("connector.class").unwrap_or_default();
    // Without a connector nothing is known of its keys; starting it says so.
    let Ok(plugin) = catalogue.find(class, PluginKind::is_connector) else { return };
    let keys = ConnectorKeys::new(plugin, config, catalogue);
    for key in config.keys() {
        match keys.meaning(key) {
            KeyMeaning::Understood => {}
            KeyMeaning::Ignored(why) => {
                tracing::info!("the key '{key}' of the connector '{name}' has no effect: {why}");
            }
            KeyMeaning::Unknown(Some(nearest)) => tracing::warn!(
                "the key '{key}' of the connector '{name}' is not known; did you mean '{nearest}'?"
            ),
            KeyMeaning::Unknown(None) => {
                tracing::warn!("the key '{key}' of the connector '{name}' is not known");
            }
        }
    }
}

/// Why a key that is declared has no effect, by its own declaration: its group is `Ignored`, or its documentation
/// begins with `Ignored` or `Accepted`, and goes on with the reason.
pub(crate) fn without_effect(key: &KeyDef) -> Option<String> {
    let doc = key.doc.trim();
    let start =
        ["Accepted and ignored", "Accepted for compatibility, without effect", "Accepted for compatibility"]
            .into_iter()
            .chain(["Ignored", "Without effect"])
            .find_map(|start| doc.strip_prefix(start));
    let reason = match start {
        // `Without effect where …` has its reason in the whole sentence.
        Some(rest) if doc.starts_with("Without effect") && !rest.starts_with(':') => doc,
        Some(rest) => rest,
        None if key.group.as_deref() == Some("Ignored") => doc,
        None => return None,
    };
    let reason = reason.trim_start_matches([':', ';', ',', '.', ' ']).trim_end_matches(['.', ' ']);
    Some(match reason {
        "" if is_licence_key(&key.name) => NO_LICENCE.to_owned(),
        "" => "accepted for compatibility".to_owned(),
        reason => reason.to_owned(),
    })
}

fn is_licence_key(name: &str) -> bool {
    LICENCE
        .iter()
        .any(|known| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use lavka_api::config::key;

    use super::*;

    #[test]
    fn headers_for_a_registry_are_understood() {
        let catalogue = crate::catalogue::catalogue();
        let plugin = catalogue.find("FileStreamSource", PluginKind::is_connector).unwrap();
        let config = Config::from([
            ("connector.class", "FileStreamSource"),
            ("key.converter", "StringConverter"),
            ("value.converter", "AvroConverter"),
        ]);
        let keys = ConnectorKeys::new(plugin, &config, &catalogue);
        let meaning = |key| keys.meaning(key);
        assert!(matches!(meaning("value.converter.request.header.X-Team"), KeyMeaning::Understood));
        assert!(matches!(meaning("key.converter.request.header.X-Team"), KeyMeaning::Unknown(_)));
        assert!(matches!(meaning("value.converter.rule.metrics.enable"), KeyMeaning::Ignored(_)));
    }

    #[test]
    fn reasons_are_taken_from_the_documentation() {
        let reason = |doc: &'static str| without_effect(&key::<String>("k").doc(doc).into_def());
        assert_eq!(reason("What it does."), None);
        assert_eq!(
            reason("Accepted and ignored: no licence is needed.").as_deref(),
            Some("no licence is needed")
        );
        assert_eq!(reason("Accepted and ignored. It is Java's.").as_deref(), Some("It is Java's"));
        assert_eq!(
            reason("Accepted for compatibility, without effect: a task sleeps.").as_deref(),
            Some("a task sleeps")
        );
        assert_eq!(reason("Accepted and ignored.").as_deref(), Some("accepted for compatibility"));
        assert_eq!(
            reason("Without effect where it is off.").as_deref(),
            Some("Without effect where it is off")
        );
        let grouped = key::<String>("k").group("Ignored").doc("No Hadoop here.").into_def();
        assert_eq!(without_effect(&grouped).as_deref(), Some("No Hadoop here"));
    }
}
