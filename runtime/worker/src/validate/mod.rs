//! Validation of a connector configuration: everything that can be known to be wrong before the connector starts.
//!
//! The answer is composed as Connect composes it: keys that nobody defines and that are null, the definition's keys
//! (framework, transforms and predicates, connector), client overrides, and the keys of the converters that the
//! connector names. Keys that nobody defines and that have a value are not in it.

mod converters;
mod exactly_once;
mod overrides;
mod plugins;
mod reports;
mod topics;

use lavka_api::config::{Config, ConfigDef, ConfigType, Password};
use lavka_api::plugin::{Catalogue, Plugin, PluginKind};

use crate::answers::{ConfigInfos, Refusal};
use crate::assembly::{Connector, connector_plugin};
use crate::config::{OverridePolicy, definition_for, topic_groups};
use crate::providers::{Providers, Resolved};
use crate::stage;
use reports::Reports;

/// What a connector is validated against.
pub struct Validation<'a> {
    /// The plugins there are.
    pub catalogue: &'a Catalogue,
    /// The worker's configuration, for the converters a connector inherits.
    pub worker: &'a Config,
    /// What connectors may override.
    pub policy: &'a OverridePolicy,
    /// What resolves the variables in a connector's configuration.
    pub providers: &'a Providers,
}

impl Validation<'_> {
    /// Validates `config`: 200 with errors inside, as Connect answers. Variables are resolved first; the answer has the
    /// variables, and nowhere what they stand for.
    ///
    /// # Errors
    /// 400 where there is no connector class, or none of that name; 500 where a variable cannot be resolved.
    pub async fn run(&self, config: &Config) -> Result<ConfigInfos, Refusal> {
        let resolved = self.providers.resolve_elsewhere(config).await?;
        match self.run_resolved(&resolved.config).await {
            Ok(mut infos) => {
                hide(&mut infos, config, &resolved);
                Ok(infos)
            }
            Err(refusal) => Err(refusal.without(&resolved.secrets)),
        }
    }

    async fn run_resolved(&self, config: &Config) -> Result<ConfigInfos, Refusal> {
        let _stage = stage::enter("validating connector configuration");
        let Some(class) = config.get("connector.class") else {
            return Err(Refusal::bad_request(format!(
                "Connector config {} contains no connector type",
                shown(config)
            )));
        };
        let plugin = connector_plugin(config, self.catalogue)
            .map_err(|error| Refusal::bad_request(error.message().unwrap_or_default()))?;
        let mut definition = definition_for(plugin, config, self.catalogue);
        self.fill_in_versions(&mut definition, plugin, config);
        let mut reports = Reports::of(&definition, config);
        self.ask_connector(plugin, config, &mut reports).await;
        plugins::check(config, self.catalogue, &mut reports);
        let blocks = converters::check(config, self.catalogue, &mut reports);
        self.try_out(config, &blocks, &mut reports).await;
        topics::check(plugin.kind(), config, self, &mut reports);
        exactly_once::check(plugin, config, self.worker, &mut reports);

        let mut groups = definition.groups();
        for group in blocks.iter().flat_map(|block| &block.groups) {
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        let mut configs = reports.into_infos(&definition);
        configs.extend(overrides::infos(plugin.kind(), config, self.policy));
        configs.extend(blocks.into_iter().flat_map(|block| block.infos));
        Ok(ConfigInfos {
            name: class.to_owned(),
            error_count: configs.iter().map(|info| info.value.errors.len()).sum(),
            groups,
            configs,
        })
    }

    /// What [`run`](Self::run) does not look at, since Connect's validation does not: the `topic.creation.` keys, which
    /// are read when a source connector starts.
    ///
    /// # Errors
    /// A config error, for the first key that is wrong.
    pub fn topic_creation(&self, config: &Config) -> Result<(), lavka_api::Error> {
        let plugin = connector_plugin(config, self.catalogue)?;
        let enabled =
            self.worker.get("topic.creation.enable").is_none_or(|text| bool::parse(text) != Ok(false));
        if plugin.kind() == PluginKind::Source && enabled {
            topic_groups(config, self.catalogue)?;
        }
        Ok(())
    }

    /// The keys whose defaults depend on the worker and on the plugins that are named: versions, and the converters a
    /// connector inherits.
    fn fill_in_versions(&self, definition: &mut ConfigDef, plugin: &Plugin, config: &Config) {
        let defaults = plugins::dependent_defaults(plugin, config, self.worker, self.catalogue);
        let mut filled = ConfigDef::new();
        for key in definition.iter() {
            let mut key = key.clone();
            if let Some(dependent) = defaults.get(key.name.as_ref()) {
                key.default = Some(dependent.default.clone());
                key.recommended.clone_from(&dependent.recommended);
            }
            filled.add(key);
        }
        *definition = filled;
    }

    /// The connector's own say on its own keys.
    async fn ask_connector(&self, plugin: &Plugin, config: &Config, reports: &mut Reports) {
        let _stage = stage::enter("performing multi-property validation for the connector");
        let own = (plugin.definition)();
        let answers = match Connector::new(plugin) {
            Ok(Connector::Source(source)) => source.validate(&own, config).await,
            Ok(Connector::Sink(sink)) => sink.validate(&own, config).await,
            Err(_) => return,
        };
        for mut answer in answers {
            if let Some(key) = own.get(&answer.name) {
                reports::show_typed(&mut answer, key);
            }
            reports.put(answer);
        }
    }

    /// Makes the transforms and converters. They may read files (models), so this is done on a blocking thread, and
    /// only where nothing is known to be wrong with their keys.
    async fn try_out(&self, config: &Config, blocks: &[converters::Block], reports: &mut Reports) {
        let chain = reports.clean(|key| key.starts_with("transforms") || key.starts_with("predicates"));
        let converters = reports.clean(|key| key.ends_with(".converter"))
            && blocks.iter().flat_map(|block| &block.infos).all(|info| info.value.errors.is_empty());
        let (catalogue, worker, own) = (self.catalogue.clone(), self.worker.clone(), config.clone());
        let _stage =
            stage::enter("performing config validation for the connector's transforms and converters");
        let tried = tokio::task::spawn_blocking(move || {
            let mut faults = Vec::new();
            if chain {
                faults.extend(plugins::make(&own, &catalogue));
            }
            if converters {
                faults.extend(converters::make(&own, &worker, &catalogue));
            }
            faults
        });
        match tried.await {
            Ok(faults) => faults.into_iter().for_each(|(key, text)| reports.complain(&key, text)),
            Err(crash) => {
                reports.complain("transforms", format!("A transform or converter crashed: {crash}"));
            }
        }
    }
}

/// Keys that the herder reads, which knows no variables.
const LITERAL: [&str; 2] = ["tasks.max", "tasks.max.enforce"];

/// Shows the values of keys with variables as they were written, and no value of a variable in any text.
fn hide(infos: &mut ConfigInfos, raw: &Config, resolved: &Resolved) {
    for info in infos.configs.iter_mut().filter(|info| LITERAL.contains(&info.value.name.as_str())) {
        let key = &info.value.name;
        if let Some(shown) = resolved.shown(raw, key) {
            let text = format!(
                "Invalid value {shown} for configuration {key}: write the value itself; there can be no \
                         variable in this key"
            );
            info.value.errors.push(text);
            infos.error_count += 1;
        }
    }
    if resolved.secrets.is_empty() {
        return;
    }
    for info in &mut infos.configs {
        if let Some(shown) = resolved.shown(raw, &info.value.name) {
            info.value.value = Some(shown.to_owned());
        }
        for error in &mut info.value.errors {
            *error = resolved.secrets.redact(error).into_owned();
        }
    }
    if let Some(shown) = resolved.shown(raw, "connector.class") {
        infos.name = shown.to_owned();
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

/// A configuration as Java prints a map. Without a class nobody knows which values are secrets, so none is shown.
fn shown(config: &Config) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(key, value)| match (key, value) {
            ("name", Some(name)) => format!("name={name}"),
            (key, Some(_)) => format!("{key}={}", Password::HIDDEN),
            (key, None) => format!("{key}=null"),
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

/// The keys of a plugin as `GET /connector-plugins/{plugin}/config` lists them: a connector's own first, then the
/// framework's.
#[must_use]
pub(crate) fn plugin_keys(plugin: &Plugin) -> ConfigDef {
    let mut keys = (plugin.definition)();
    if plugin.kind().is_connector() {
        for key in crate::config::framework_definition(plugin.kind()).iter() {
            let mut key = key.clone();
            if key.name == "connector.plugin.version" {
                key.default = Some(Some(plugin.version.to_owned()));
            }
            if keys.get(&key.name).is_none() {
                keys.add(key);
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::ConfigInfo;

    #[test]
    fn no_value_is_shown_where_nothing_defines_it() {
        let mut config = Config::from([("name", "x"), ("db.password", "s3cret")]);
        config.set_nullable("connector.class", None);
        assert_eq!(shown(&config), "{name=x, db.password=[hidden], connector.class=null}");
    }

    #[test]
    fn a_refusal_lists_every_error() {
        let info = |errors: &[&str]| ConfigInfo {
            definition: None,
            value: reports::report("k", None, errors.iter().map(|e| (*e).to_owned()).collect()),
        };
        let mut infos = ConfigInfos {
            name: "C".into(),
            error_count: 0,
            groups: Vec::new(),
            configs: vec![info(&["a", "b"]), info(&["c"])],
        };
        assert_eq!(refusal_of(&infos), None);
        infos.error_count = 3;
        assert_eq!(
            refusal_of(&infos).unwrap().message,
            "Connector configuration is invalid and contains the following 3 error(s):\na\nb\nc\nYou can also find \
             the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
        );
    }
}
