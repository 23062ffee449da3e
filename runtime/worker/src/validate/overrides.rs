//! Client settings that a connector overrides.

use lavka_api::config::{Config, ConfigDef, Password};
use lavka_api::plugin::PluginKind;

use super::reports::report;
use crate::answers::ConfigInfo;
use crate::config::{ClientKind, OverridePolicy, is_secret, uses_topic_creation};

/// The overrides of clients that the connector really has, with the policy's refusals.
pub(super) fn infos(kind: PluginKind, config: &Config, policy: &OverridePolicy) -> Vec<ConfigInfo> {
    let nothing = ConfigDef::new();
    let mut infos = Vec::new();
    for client in ClientKind::ALL.into_iter().filter(|client| has(kind, *client, config)) {
        for (key, value) in config.iter() {
            let Some(name) = key.strip_prefix(client.override_prefix()) else { continue };
            // A null was reported with the keys that nobody defines.
            let Some(value) = value else { continue };
            let errors = policy.refusal(name).into_iter().collect();
            let value = if is_secret(name, &nothing) { Password::HIDDEN } else { value };
            infos.push(ConfigInfo { definition: None, value: report(key, Some(value.to_owned()), errors) });
        }
    }
    infos
}

/// Whether a connector has such a client: producers for sources and dead letters, consumers for sinks, admin clients
/// where topics are created.
fn has(kind: PluginKind, client: ClientKind, config: &Config) -> bool {
    let source = kind == PluginKind::Source;
    let set = |key: &str| config.get(key).is_some_and(|topic| !topic.trim().is_empty());
    let dead_letters = if source {
        set("lavka.errors.deadletterqueue.topic.name")
    } else {
        set("errors.deadletterqueue.topic.name")
    };
    match client {
        ClientKind::Producer => source || dead_letters,
        ClientKind::Consumer => !source,
        ClientKind::Admin => dead_letters || (source && uses_topic_creation(config)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_overrides_of_clients_that_there_are() {
        let mut config = Config::from([
            ("consumer.override.max.poll.records", "5"),
            ("consumer.override.sasl.jaas.config", "s3cret"),
            ("producer.override.acks", "0"),
            ("admin.override.retries", "1"),
        ]);
        let shown = |kind, config: &Config| -> Vec<(String, Option<String>, usize)> {
            let policy = OverridePolicy::Allowlist(vec!["max.poll.records".into()]);
            let infos = infos(kind, config, &policy).into_iter();
            infos.map(|info| (info.value.name, info.value.value, info.value.errors.len())).collect()
        };
        let row = |key: &str, value: &str, errors| (key.to_owned(), Some(value.to_owned()), errors);
        assert_eq!(
            shown(PluginKind::Sink, &config),
            [
                row("consumer.override.max.poll.records", "5", 0),
                row("consumer.override.sasl.jaas.config", "[hidden]", 1)
            ]
        );
        assert_eq!(shown(PluginKind::Source, &config), [row("producer.override.acks", "0", 1)]);
        config.set("errors.deadletterqueue.topic.name", "dlq");
        assert_eq!(shown(PluginKind::Sink, &config).len(), 4);
        config.set("lavka.errors.deadletterqueue.topic.name", "dlq");
        assert_eq!(shown(PluginKind::Source, &config).len(), 2);
    }
}
