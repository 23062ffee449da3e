//! Validation of a connector configuration: everything that can be known to be wrong before the connector starts.

use lavka_api::config::{Config, ConfigDef, ConfigType, KeyReport};
use lavka_api::plugin::{Catalogue, Plugin, PluginKind};
use lavka_engine::chain::Chain;

use crate::answers::{ConfigInfo, ConfigInfos, Refusal};
use crate::assembly::{Connector, Converters, connector_plugin, topic_selection};
use crate::config::{ClientKind, OverridePolicy, aliases, definition_for, is_secret};

/// What a connector is validated against.
pub struct Validation<'a> {
    /// The plugins there are.
    pub catalogue: &'a Catalogue,
    /// The worker's configuration, for the converters a connector inherits.
    pub worker: &'a Config,
    /// What connectors may override.
    pub policy: &'a OverridePolicy,
}

impl Validation<'_> {
    /// Validates `config`: 200 with errors inside, as Connect answers.
    ///
    /// # Errors
    /// 400 where there is no connector class, or none of that name.
    pub async fn run(&self, config: &Config) -> Result<ConfigInfos, Refusal> {
        if config.get("connector.class").is_none_or(|class| class.trim().is_empty()) {
            return Err(Refusal::bad_request(format!(
                "Connector config {} contains no connector type",
                shown(config, &ConfigDef::new())
            )));
        }
        let plugin = connector_plugin(config, self.catalogue)
            .map_err(|error| Refusal::bad_request(error.message().unwrap_or_default()))?;
        let definition = definition_for(plugin, config, self.catalogue);
        let mut reports = definition.validate(config);
        self.ask_connector(plugin, config, &mut reports).await;
        self.check_plugins(config, &mut reports);
        self.check_converters(config, &mut reports);
        match plugin.kind() {
            PluginKind::Sink => check_topics(config, self.catalogue, &mut reports),
            _ => check_source(config, &mut reports),
        }
        Ok(self.compose(plugin, config, &definition, reports))
    }

    async fn ask_connector(&self, plugin: &Plugin, config: &Config, reports: &mut Vec<KeyReport>) {
        let own = (plugin.definition)();
        let answers = match Connector::new(plugin) {
            Ok(Connector::Source(source)) => source.validate(&own, config).await,
            Ok(Connector::Sink(sink)) => sink.validate(&own, config).await,
            Err(_) => return,
        };
        for answer in answers {
            match reports.iter_mut().find(|report| report.name == answer.name) {
                Some(report) => *report = answer,
                None => reports.push(answer),
            }
        }
    }

    /// Transforms and predicates: each must be known and accept its settings.
    fn check_plugins(&self, config: &Config, reports: &mut Vec<KeyReport>) {
        for (list, kind) in
            [("transforms", PluginKind::Transformation), ("predicates", PluginKind::Predicate)]
        {
            for alias in aliases(config, list) {
                let type_key = format!("{list}.{alias}.type");
                let Some(class) = config.get(&type_key) else { continue };
                if let Err(error) = self.catalogue.find(class, |k| k == kind) {
                    let text = format!(
                        "Invalid value {class} for configuration {type_key}: Class {class} could not be found: {error}"
                    );
                    complain(reports, &type_key, text);
                }
            }
        }
        let clean = |reports: &[KeyReport]| {
            !reports.iter().any(|report| {
                !report.errors.is_empty()
                    && ["transforms", "predicates"].iter().any(|list| report.name.starts_with(list))
            })
        };
        if clean(reports)
            && let Err(error) = Chain::from_config(config, self.catalogue)
        {
            let key = aliases(config, "transforms")
                .into_iter()
                .map(|alias| format!("transforms.{alias}"))
                .find(|prefix| error.message().is_some_and(|message| message.contains(prefix.as_str())))
                .map_or_else(|| "transforms".to_owned(), |prefix| format!("{prefix}.type"));
            complain(reports, &key, error.message().unwrap_or_default().to_owned());
        }
    }

    fn check_converters(&self, config: &Config, reports: &mut Vec<KeyReport>) {
        if let Err(error) = Converters::new(config, self.worker, self.catalogue) {
            let message = error.message().unwrap_or_default().to_owned();
            let key = ["key.converter", "value.converter", "header.converter"]
                .into_iter()
                .find(|key| message.contains(key))
                .unwrap_or("value.converter");
            complain(reports, key, message);
        }
    }

    /// Connect's order: keys without a definition first, then the definition's, then refused overrides.
    fn compose(
        &self,
        plugin: &Plugin,
        config: &Config,
        definition: &ConfigDef,
        reports: Vec<KeyReport>,
    ) -> ConfigInfos {
        let mut configs: Vec<ConfigInfo> = Vec::new();
        let is_override =
            |key: &str| ClientKind::ALL.iter().any(|kind| key.starts_with(kind.override_prefix()));
        for (key, value) in
            config.iter().filter(|(key, _)| definition.get(key).is_none() && !is_override(key))
        {
            let secret = is_secret(key, definition);
            let shown = value.map(|value| if secret { "[hidden]".to_owned() } else { value.to_owned() });
            configs.push(ConfigInfo { definition: None, value: report(key, shown, Vec::new()) });
        }
        configs.extend(
            reports
                .into_iter()
                .map(|value| ConfigInfo { definition: definition.get(&value.name).cloned(), value }),
        );
        for kind in ClientKind::ALL {
            for (key, value) in config.iter().filter(|(key, _)| key.starts_with(kind.override_prefix())) {
                let client_key = key.strip_prefix(kind.override_prefix()).unwrap_or_default();
                let errors = self.policy.refusal(client_key).into_iter().collect();
                let secret = is_secret(key, definition);
                let shown = value.map(|value| if secret { "[hidden]".to_owned() } else { value.to_owned() });
                configs.push(ConfigInfo { definition: None, value: report(key, shown, errors) });
            }
        }
        ConfigInfos {
            name: plugin.class.to_owned(),
            error_count: configs.iter().map(|info| info.value.errors.len()).sum(),
            groups: definition.groups(),
            configs,
        }
    }
}

/// The text of a 400 to a configuration with errors (`AbstractHerder.maybeAddConfigErrors`).
#[must_use]
pub(crate) fn refusal_of(infos: &ConfigInfos) -> Option<Refusal> {
    if infos.error_count == 0 {
        return None;
    }
    let mut text = format!(
        "Connector configuration is invalid and contains the following {} error(s):",
        infos.error_count
    );
    for error in infos.errors() {
        text.push('\n');
        text.push_str(error);
    }
    text.push_str(
        "\nYou can also find the above list of errors at the endpoint \
         `/connector-plugins/{connectorType}/config/validate`",
    );
    Some(Refusal::bad_request(text))
}

fn report(name: &str, value: Option<String>, errors: Vec<String>) -> KeyReport {
    KeyReport { name: name.to_owned(), value, recommended: Vec::new(), errors, visible: true }
}

fn complain(reports: &mut Vec<KeyReport>, key: &str, text: String) {
    match reports.iter_mut().find(|report| report.name == key) {
        Some(report) => {
            if !report.errors.contains(&text) {
                report.errors.push(text);
            }
        }
        None => reports.push(report(key, None, vec![text])),
    }
}

/// A configuration as Java prints a map, secrets hidden.
fn shown(config: &Config, definition: &ConfigDef) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(key, value)| {
            let value = if is_secret(key, definition) { "[hidden]" } else { value.unwrap_or("null") };
            format!("{key}={value}")
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn list(config: &Config, key: &str) -> Vec<String> {
    Vec::<String>::parse(config.get(key).unwrap_or_default()).unwrap_or_default()
}

fn check_topics(config: &Config, catalogue: &Catalogue, reports: &mut Vec<KeyReport>) {
    let topics = list(config, "topics");
    let regex = config.get("topics.regex").map(str::trim).filter(|text| !text.is_empty());
    let both = |reports: &mut Vec<KeyReport>, text: &str| {
        complain(reports, "topics", text.to_owned());
        complain(reports, "topics.regex", text.to_owned());
    };
    match (topics.is_empty(), regex) {
        (false, Some(_)) => {
            return both(
                reports,
                "topics and topics.regex are mutually exclusive options, but both are set.",
            );
        }
        (true, None) => return both(reports, "Must configure one of topics or topics.regex"),
        _ => {}
    }
    let selection = match topic_selection(config, catalogue) {
        Ok(selection) => selection,
        Err(error) => {
            return complain(reports, "topics.regex", error.message().unwrap_or_default().to_owned());
        }
    };
    let key = "errors.deadletterqueue.topic.name";
    let dead_letters = config.get(key).map(str::trim).unwrap_or_default();
    if dead_letters.is_empty() {
        return;
    }
    if topics.iter().any(|topic| topic == dead_letters) {
        let text = format!(
            "The DLQ topic '{dead_letters}' may not be included in the list of topics ('topics=[{}]') consumed by the \
             connector",
            topics.join(", ")
        );
        complain(reports, key, text);
    } else if let lavka_engine::sink::TopicSelection::Matching { regex, matcher } = selection
        && matcher(dead_letters)
    {
        let text = format!(
            "The DLQ topic '{dead_letters}' may not be matched by the regex for the topics ('topics.regex={regex}') \
             consumed by the connector"
        );
        complain(reports, key, text);
    }
}

fn check_source(config: &Config, reports: &mut Vec<KeyReport>) {
    let key = "exactly.once.support";
    if config.get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case("required")) {
        complain(reports, key, "This worker does not have exactly-once source support enabled.".into());
    }
}

/// The keys of a plugin as `GET /connector-plugins/{plugin}/config` lists them: a connector's own first, then the
/// framework's.
#[must_use]
pub(crate) fn plugin_keys(plugin: &Plugin) -> ConfigDef {
    let mut keys = (plugin.definition)();
    if plugin.kind().is_connector() {
        keys.extend(crate::config::framework_definition(plugin.kind()));
    }
    keys
}
