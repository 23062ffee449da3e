//! Rules on declarations and configurations, the same for every kind of plugin.

use lavka_api::config::{Config, ConfigDef, KeyDef, KeyReport, Kind};
use lavka_api::plugin::{ConverterRole, Factory, Plugin, PluginKind};
use lavka_api::{Error, Result};
use tokio::runtime::Runtime;

use super::hostile;
use super::suite::{Suite, panic_of};
use super::{PATIENCE, within};

/// Keys that the worker reads from a connector's configuration; a connector's own may not be named so.
const FRAMEWORK: &[&str] = &[
    "connector.class",
    "errors.tolerance",
    "header.converter",
    "key.converter",
    "name",
    "predicates",
    "tasks.max",
    "transforms",
    "value.converter",
];

/// The key of a converter's configuration that the worker sets.
const ROLE: &str = "converter.type";

/// Values that most checks refuse one of.
const UNLIKELY: &[&str] = &[
    "",
    " ",
    "no such value 🦀",
    "-1",
    "0",
    "1.5",
    "2147483648",
    "99999999999999999999",
    "NaN",
    "a,a",
    "a,",
    ",",
];

/// What must not be seen where a secret is configured.
const SECRET: &str = "kiwi-7f3a-in-the-clear";

/// A plugin and a configuration that it works with.
pub(super) struct Subject {
    pub(super) plugin: Plugin,
    pub(super) sample: Config,
    /// Keys and values that the author knows to be refused.
    pub(super) refused: Vec<(String, String)>,
}

impl Subject {
    pub(super) fn new(plugin: Plugin) -> Self {
        Self { plugin, sample: Config::new(), refused: Vec::new() }
    }

    fn definition(&self) -> ConfigDef {
        (self.plugin.definition)()
    }

    /// `config` with what the worker adds.
    pub(super) fn complete(&self, config: &Config) -> Config {
        let mut config = config.clone();
        let added: &[(&str, &str)] = match self.plugin.kind() {
            PluginKind::Source | PluginKind::Sink => {
                &[("name", "acceptance"), ("connector.class", self.plugin.class), ("tasks.max", "1")]
            }
            PluginKind::Converter => &[(ROLE, "value")],
            PluginKind::HeaderConverter => &[(ROLE, "header")],
            PluginKind::Transformation | PluginKind::Predicate => &[],
        };
        for (key, value) in added {
            if !config.contains(key) {
                config.set(*key, *value);
            }
        }
        config
    }

    /// The sample with `key` set to `value`.
    fn with(&self, key: &str, value: &str) -> Config {
        let mut config = self.complete(&self.sample);
        config.set(key, value);
        config
    }

    /// As the worker validates.
    fn reports(&self, runtime: &Runtime, config: &Config) -> Result<Vec<KeyReport>, String> {
        let definition = self.definition();
        match self.plugin.factory {
            Factory::Source(make) => {
                runtime.block_on(within(PATIENCE, "validate", make().validate(&definition, config)))
            }
            Factory::Sink(make) => {
                runtime.block_on(within(PATIENCE, "validate", make().validate(&definition, config)))
            }
            _ => Ok(definition.validate(config)),
        }
    }

    /// The errors that validation reports, with their keys.
    fn errors(&self, runtime: &Runtime, config: &Config) -> Result<Vec<(String, String)>, String> {
        let reports = self.reports(runtime, config)?.into_iter();
        Ok(reports
            .flat_map(|report| report.errors.into_iter().map(move |text| (report.name.clone(), text)))
            .collect())
    }

    /// Makes an instance, or a connector's task.
    fn make(&self, runtime: &Runtime, config: &Config) -> Result<()> {
        // Some make what needs a runtime around it.
        let _inside = runtime.enter();
        match self.plugin.factory {
            Factory::Source(make) => make().task(config).map(drop),
            Factory::Sink(make) => make().task(config).map(drop),
            Factory::Transform(make) => make(config).map(drop),
            Factory::Predicate(make) => make(config).map(drop),
            Factory::Converter(make) => make(config, ConverterRole::Value).map(drop),
            Factory::HeaderConverter(make) => make(config).map(drop),
            _ => Ok(()),
        }
    }

    /// What is wrong with how `config` is refused on account of `key`.
    fn not_refused(&self, runtime: &Runtime, key: &str, what: &str, config: &Config) -> Option<String> {
        let errors = match self.errors(runtime, config) {
            Ok(errors) => errors,
            Err(found) => return Some(format!("'{key}' {what}: {found}")),
        };
        let of_key: Vec<&str> =
            errors.iter().filter(|(name, _)| name == key).map(|(_, text)| text.as_str()).collect();
        if of_key.is_empty() {
            return Some(format!("'{key}' {what}: validation has nothing against it"));
        }
        if !of_key.iter().any(|text| text.contains(key)) {
            return Some(format!("'{key}' {what}: the error does not name the key: {}", of_key.join("; ")));
        }
        // The worker makes connectors of validated configurations alone; in front of a transform is nobody.
        if self.plugin.kind().is_connector() { None } else { self.made_anyway(runtime, key, what, config) }
    }

    /// What is wrong with how the factory refuses `config` on account of `key`.
    fn made_anyway(&self, runtime: &Runtime, key: &str, what: &str, config: &Config) -> Option<String> {
        match self.make(runtime, config) {
            Ok(()) => Some(format!("'{key}' {what}: the factory makes an instance")),
            Err(error) if !error.to_string().contains(key) => {
                Some(format!("'{key}' {what}: the factory's error does not name the key: {error}"))
            }
            Err(_) => None,
        }
    }

    /// What is wrong with how a value is refused that the declaration may know nothing about: a connector's validation
    /// tells, and of everything else the factory.
    fn author_refusals(&self, runtime: &Runtime) -> Vec<String> {
        let one = |(key, value): &(String, String)| {
            let (what, config) = (format!("as '{value}'"), self.with(key, value));
            if self.plugin.kind().is_connector() {
                self.not_refused(runtime, key, &what, &config)
            } else {
                self.made_anyway(runtime, key, &what, &config)
            }
        };
        self.refused.iter().filter_map(one).collect()
    }

    /// Looks at all rules of this module.
    pub(super) fn look(&self, suite: &mut Suite) {
        let definition = self.definition();
        suite.look("the catalogue's entry is complete", |_| self.entry());
        suite.look("the declaration is well formed", |_| {
            definition.iter().flat_map(|key| self.form(key, &definition))
        });
        suite.look("every key is documented", |_| definition.iter().filter_map(documentation));
        suite.look("the sample is accepted", |runtime| self.sample_faults(runtime));
        suite.look("what the declaration refuses is refused by name", |runtime| {
            let of_users = definition.iter().filter(|key| key.name != ROLE);
            of_users.flat_map(|key| self.refusals(runtime, key)).collect::<Vec<_>>()
        });
        suite.look("what the author says is refused is refused by name", |runtime| {
            self.author_refusals(runtime)
        });
        suite.look("a hostile configuration never panics", |runtime| self.hostile(runtime, &definition));
        suite.look("secrets are not shown", |runtime| self.secrets(runtime, &definition));
    }

    fn entry(&self) -> Vec<String> {
        let Plugin { class, aliases, version, doc, .. } = &self.plugin;
        let mut found = Vec::new();
        for name in [*class].iter().chain(aliases.iter()) {
            if name.is_empty() || name.chars().any(char::is_whitespace) {
                found.push(format!("'{name}' is no class name"));
            }
        }
        if version.is_empty() {
            found.push("it has no version".into());
        }
        if doc.trim().is_empty() {
            found.push("it has no sentence of documentation".into());
        }
        found
    }

    fn form(&self, key: &KeyDef, definition: &ConfigDef) -> Vec<String> {
        let name = &key.name;
        let mut found = Vec::new();
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            found.push(format!("'{name}' is no name for a key"));
        }
        if self.plugin.kind().is_connector() && FRAMEWORK.contains(&name.as_ref()) {
            found.push(format!("'{name}' is a key of the worker"));
        }
        if let Some(Some(default)) = &key.default {
            let errors = key.errors(Some(Some(default))).into_iter();
            found.extend(errors.map(|error| format!("the default of '{name}' is refused: {error}")));
        }
        for value in &key.recommended {
            let errors = key.errors(Some(Some(value))).into_iter();
            found.extend(errors.map(|error| format!("a value that '{name}' recommends is refused: {error}")));
        }
        let unknown = key.dependents.iter().filter(|dependent| definition.get(dependent).is_none());
        found.extend(unknown.map(|dependent| format!("'{name}' names '{dependent}', which is not declared")));
        let secret = ["password", "secret", "private.key", "passphrase"];
        let looks_secret = key.kind == Kind::String && secret.iter().any(|word| name.ends_with(word));
        if looks_secret {
            found.push(format!("'{name}' sounds like a secret and is not of type Password"));
        }
        found
    }

    fn sample_faults(&self, runtime: &Runtime) -> Vec<String> {
        let config = self.complete(&self.sample);
        let reports = match self.reports(runtime, &config) {
            Ok(reports) => reports,
            Err(found) => return vec![found],
        };
        let mut found: Vec<String> = reports.iter().flat_map(|report| report.errors.clone()).collect();
        for key in self.definition().iter() {
            if reports.iter().filter(|report| report.name == key.name).count() != 1 {
                found.push(format!("validation has to report '{}' once", key.name));
            }
        }
        if found.is_empty() {
            found
                .extend(self.make(runtime, &config).err().map(|error| format!("it cannot be made: {error}")));
        }
        found
    }

    fn refusals(&self, runtime: &Runtime, key: &KeyDef) -> Vec<String> {
        let name = key.name.as_ref();
        let mut found = Vec::new();
        if key.is_required() {
            let mut config = self.complete(&self.sample);
            config.remove(name);
            found.extend(self.not_refused(runtime, name, "missing", &config));
        }
        for value in UNLIKELY.iter().filter(|value| !key.errors(Some(Some(value))).is_empty()) {
            found.extend(self.not_refused(runtime, name, &format!("as '{value}'"), &self.with(name, value)));
        }
        // The text for a null is Kafka's, which leaves the naming to the report.
        let mut config = self.complete(&self.sample);
        config.set_nullable(name, None);
        match self.errors(runtime, &config) {
            Ok(errors) if errors.iter().any(|(of, _)| of == name) => {}
            Ok(_) => found.push(format!("'{name}' as null: validation has nothing against it")),
            Err(hung) => found.push(format!("'{name}' as null: {hung}")),
        }
        found
    }

    fn hostile(&self, runtime: &Runtime, definition: &ConfigDef) -> Vec<String> {
        let texts = hostile::texts();
        let mut configs = vec![("an empty configuration".to_owned(), Config::new())];
        for text in &texts {
            let everywhere =
                definition.iter().map(|key| (key.name.clone().into_owned(), text.clone())).collect();
            configs.push((format!("{} everywhere", shown(text)), self.complete(&everywhere)));
            let mut unknown = self.complete(&self.sample);
            unknown.set(text.as_str(), text.as_str());
            configs.push((format!("an unknown key {}", shown(text)), unknown));
            for key in definition.iter() {
                configs.push((format!("'{}' as {}", key.name, shown(text)), self.with(&key.name, text)));
            }
        }
        let found = configs.into_iter().filter_map(|(what, config)| {
            let mut hung = None;
            let panic = panic_of(|| match self.errors(runtime, &config) {
                Ok(errors) if errors.is_empty() => drop(self.make(runtime, &config)),
                Ok(_) => {}
                Err(found) => hung = Some(found),
            });
            panic.or(hung).map(|found| format!("{what}: {found}"))
        });
        found.collect()
    }

    fn secrets(&self, runtime: &Runtime, definition: &ConfigDef) -> Vec<String> {
        let mut found = Vec::new();
        for key in definition.iter().filter(|key| key.kind == Kind::Password) {
            let config = self.with(&key.name, SECRET);
            let reports = match self.reports(runtime, &config) {
                Ok(reports) => reports,
                Err(hung) => return vec![hung],
            };
            let made = self.make(runtime, &config).err();
            let error = made.as_ref().map(Error::trace).unwrap_or_default();
            if format!("{reports:?}{error}").contains(SECRET) {
                found.push(format!("the value of '{}' is in a report or an error", key.name));
            }
        }
        found
    }
}

fn documentation(key: &KeyDef) -> Option<String> {
    let missing = [("documentation", key.doc.trim()), ("a name for forms", key.display_name.trim())];
    let missing: Vec<&str> =
        missing.iter().filter(|(_, text)| text.is_empty()).map(|(what, _)| *what).collect();
    (!missing.is_empty()).then(|| format!("'{}' lacks {}", key.name, missing.join(" and ")))
}

/// A text for a message: short and on one line.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(24).collect();
    if start.len() < text.len() {
        format!("{start:?}… ({} bytes)", text.len())
    } else {
        format!("{start:?}")
    }
}
