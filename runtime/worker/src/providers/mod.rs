//! Configuration providers: `${provider:path:key}` in the worker's and connectors' configurations.
//!
//! Variables are resolved where a configuration is used: when the worker starts, when a connector is validated, when a
//! connector or a task starts. What is stored and shown over REST has the variables; what they stand for is hidden in
//! error texts ([`Resolved::secrets`]) and in the log.

mod source;
mod variable;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::Catalogue;
use lavka_api::{Error, Result};
use lavka_telemetry::redaction::{Redactor, hide_in_log};

use crate::topic_names;
use source::{AllowedPaths, Source};
use variable::variables;

/// Where Java has the classes of the providers.
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// A shorter time to live is taken for this.
const LEAST_TTL: Duration = Duration::from_millis(100);

/// The configuration providers of a worker, by their names. Cloning is cheap; `Debug` shows the names.
#[derive(Clone, Default)]
pub struct Providers(Arc<IndexMap<String, Provider>>);

struct Provider {
    source: Source,
    /// How long what it gives is valid; `None` for ever.
    ttl: Option<Duration>,
}

/// A configuration without variables.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// Keys and values. A variable whose provider or key is not known is left as it is.
    pub config: Config,
    /// Hides what the variables stood for.
    pub secrets: Redactor,
    /// When the first of the values is to be looked at again, if any ever.
    pub ttl: Option<Duration>,
}

impl Providers {
    /// The providers that a worker's configuration names: `config.providers`, `config.providers.NAME.class` and
    /// `config.providers.NAME.param.…`. A name without a class is passed over, as in Java.
    ///
    /// # Errors
    /// A config error that names the key: a class that is no provider, or a parameter that is wrong.
    pub fn from_config(worker: &Config, catalogue: &Catalogue) -> Result<Self> {
        let names = Vec::<String>::parse(worker.get("config.providers").unwrap_or_default());
        let mut providers = IndexMap::new();
        for name in names.unwrap_or_default() {
            let own = worker.with_prefix_stripped(&format!("config.providers.{name}."));
            let Some(class) = own.get("class").map(str::trim).filter(|class| !class.is_empty()) else {
                tracing::warn!(
                    "the configuration provider '{name}' has no class: set config.providers.{name}.class"
                );
                continue;
            };
            let provider = Provider::new(&name, class, &own.with_prefix_stripped("param."), catalogue)?;
            providers.insert(name, provider);
        }
        Ok(Self(Arc::new(providers)))
    }

    /// Whether `config` has anything to resolve. What has not needs no I/O.
    #[must_use]
    pub fn concern(&self, config: &Config) -> bool {
        !self.0.is_empty() && config.iter().filter_map(|(_, value)| value).any(has_variables)
    }

    /// Puts values in the place of variables, and has the log hide them. Reads files: not on a thread that must not
    /// block. Each file is read once.
    ///
    /// # Errors
    /// A config error with Java's text where a provider cannot read what it is asked for.
    pub fn resolve(&self, raw: &Config) -> Result<Resolved> {
        if !self.concern(raw) {
            return Ok(Resolved { config: raw.clone(), ..Resolved::default() });
        }
        let mut wanted: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for variable in raw.iter().filter_map(|(_, value)| value).flat_map(variables) {
            if self.0.contains_key(variable.provider) {
                wanted.entry((variable.provider, variable.path)).or_default().insert(variable.key);
            }
        }
        let mut found: HashMap<(&str, &str), HashMap<String, String>> = HashMap::new();
        let mut ttl: Option<Duration> = None;
        for ((name, path), keys) in wanted {
            let Some(provider) = self.0.get(name) else { continue };
            found.insert((name, path), provider.source.get(path, &keys)?);
            ttl = ttl.into_iter().chain(provider.ttl).min();
        }
        let mut config = Config::new();
        for (key, value) in raw.iter() {
            config.set_nullable(key, value.map(|text| replaced(text, &found)));
        }
        let secrets = Redactor::new(found.into_values().flat_map(HashMap::into_values));
        hide_in_log(&secrets);
        Ok(Resolved { config, secrets, ttl })
    }

    /// As [`resolve`](Self::resolve), on a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn resolve_elsewhere(&self, raw: &Config) -> Result<Resolved> {
        if !self.concern(raw) {
            return Ok(Resolved { config: raw.clone(), ..Resolved::default() });
        }
        let (providers, raw) = (self.clone(), raw.clone());
        let resolved = tokio::task::spawn_blocking(move || providers.resolve(&raw)).await;
        resolved.unwrap_or_else(|crash| {
            Err(Error::fatal(format!("the configuration could not be resolved: {crash}")))
        })
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Providers")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Provider {
    fn new(name: &str, class: &str, params: &Config, catalogue: &Catalogue) -> Result<Self> {
        let invalid = |param: &str, value: &str, detail: String| {
            Error::invalid_value(&format!("config.providers.{name}.param.{param}"), value, detail)
        };
        let allowed = || {
            let text = params.get("allowed.paths");
            AllowedPaths::new(text)
                .map_err(|detail| invalid("allowed.paths", text.unwrap_or_default(), detail))
        };
        let source = match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "FileConfigProvider" => Source::File(allowed()?),
            "DirectoryConfigProvider" => Source::Directory(allowed()?),
            "EnvVarConfigProvider" => Source::Environment(
                params
                    .get("allowlist.pattern")
                    .map(|pattern| {
                        topic_names::matcher(pattern, catalogue).map_err(|reason| {
                            invalid("allowlist.pattern", pattern, format!("Invalid regex: {reason}"))
                        })
                    })
                    .transpose()?,
            ),
            _ => {
                return Err(Error::invalid_value(
                    &format!("config.providers.{name}.class"),
                    class,
                    format!(
                        "Could not load config provider class or one of its dependencies; there are \
                         {PACKAGE}FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider"
                    ),
                ));
            }
        };
        let ttl = match params.get("lavka.ttl.ms") {
            Some(text) => {
                let ms = i64::parse(text).map_err(|detail| invalid("lavka.ttl.ms", text, detail))?;
                u64::try_from(ms).ok().map(|ms| Duration::from_millis(ms).max(LEAST_TTL))
            }
            None => None,
        };
        Ok(Self { source, ttl })
    }
}

fn has_variables(text: &str) -> bool {
    variables(text).next().is_some()
}

fn replaced(text: &str, found: &HashMap<(&str, &str), HashMap<String, String>>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for variable in variables(text) {
        let values = found.get(&(variable.provider, variable.path));
        if let Some(value) = values.and_then(|values| values.get(variable.key)) {
            out.push_str(text.get(done..variable.place.start).unwrap_or_default());
            out.push_str(value);
            done = variable.place.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// A task's configuration as it is stored: keys whose value has variables in the connector's have them here too.
pub(crate) fn with_variables_of(connector: &Config, mut task: Config) -> Config {
    for (key, value) in connector.iter() {
        if let Some(value) = value.filter(|value| task.contains(key) && has_variables(value)) {
            task.set(key, value);
        }
    }
    task
}

impl Resolved {
    /// The value of `key` as it may be shown: with its variables.
    pub(crate) fn shown<'r>(&self, raw: &'r Config, key: &str) -> Option<&'r str> {
        raw.get(key).filter(|raw| self.config.get(key) != Some(raw))
    }

    /// An error without what the variables stood for.
    pub(crate) fn discreet(&self, error: &Error) -> Error {
        lavka_engine::errors::redacted(error, &self.secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.properties"), "user=alice\npassword=hunter2\nempty=\n").unwrap();
        std::fs::write(folder.path().join("token"), "t0ken\n").unwrap();
        folder
    }

    fn providers(extra: &[(&str, &str)]) -> Result<Providers> {
        let mut worker = Config::from([
            ("config.providers", "file, dir,unused"),
            ("config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
            ("config.providers.dir.class", "DirectoryConfigProvider"),
        ]);
        extra.iter().for_each(|(key, value)| worker.set(*key, *value));
        Providers::from_config(&worker, &Catalogue::new([]))
    }

    fn resolve(providers: &Providers, folder: &tempfile::TempDir, text: &str) -> Result<Resolved> {
        let text = text.replace("DIR", folder.path().to_str().unwrap());
        providers.resolve(&Config::from([("key", text)]))
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_left() {
        let (providers, folder) = (providers(&[]).unwrap(), folder());
        for (text, value) in [
            ("plain", "plain"),
            ("${file:DIR/a.properties:password}", "hunter2"),
            ("<${file:DIR/a.properties:user}:${dir:DIR:token}>", "<alice:t0ken\n>"),
            ("${file:DIR/a.properties:empty}", ""),
            ("${file:DIR/a.properties:nothing}${dir:DIR:token}", "${file:DIR/a.properties:nothing}t0ken\n"),
            ("${unused:x} ${vault:a:b} ${routeByField}", "${unused:x} ${vault:a:b} ${routeByField}"),
            ("${file:password}", "${file:password}"),
        ] {
            let resolved = resolve(&providers, &folder, text).unwrap();
            let value = value.replace("DIR", folder.path().to_str().unwrap());
            assert_eq!(resolved.config.get("key"), Some(value.as_str()), "{text}");
        }
        let error = resolve(&providers, &folder, "${file:DIR/b.properties:x}").unwrap_err().to_string();
        assert!(error.starts_with("Could not read properties from file /"), "{error}");
    }

    /// Line breaks as `\n`, a backslash as two.
    fn plain(cell: &str) -> String {
        cell.replace("\\\\", "\u{0}").replace("\\n", "\n").replace('\u{0}', "\\")
    }

    #[test]
    fn texts_become_what_javas_own_providers_made_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let properties =
            "user=alice\npassword=hunter2\nempty=\nwith\\ space=v\né=umlaut\ndollar=${file:x:y}\n";
        write("in/a.properties", properties);
        write("out.properties", "x=1\n");
        write("dir/token", "t0ken\n");
        write("dir/sub/inner", "x");
        let mut worker = Config::from([("config.providers", "file,in,dir,din,env")]);
        for (name, class, allowed) in [
            ("file", "FileConfigProvider", None),
            ("in", "FileConfigProvider", Some(format!("{root}/in/../in"))),
            ("dir", "DirectoryConfigProvider", None),
            ("din", "DirectoryConfigProvider", Some(format!("{root}/in"))),
            ("env", "EnvVarConfigProvider", None),
        ] {
            worker.set(format!("config.providers.{name}.class"), format!("{PACKAGE}{class}"));
            if let Some(allowed) = allowed {
                worker.set(format!("config.providers.{name}.param.allowed.paths"), allowed);
            }
        }
        let providers = Providers::from_config(&worker, &Catalogue::new([])).unwrap();
        let table = include_str!("../../testdata/config-providers.tsv");
        let mut rows = 0;
        for row in table.lines().skip(1) {
            rows += 1;
            let cells: Vec<String> = row.split('\t').map(|cell| plain(cell).replace("ROOT", root)).collect();
            let outcome = providers.resolve(&Config::from([("k", cells[0].as_str())]));
            match (outcome, cells[1].as_str()) {
                (Ok(resolved), "ok") => {
                    assert_eq!(resolved.config.get("k"), Some(cells[2].as_str()), "{row}");
                }
                (Err(error), "error") => {
                    let told = format!("{}: {}", error.exception(), error.message().unwrap());
                    assert_eq!(told, cells[2], "{row}");
                }
                (outcome, _) => panic!("{row}: {outcome:?}"),
            }
        }
        assert!(rows > 45, "{rows}");
    }

    #[test]
    fn what_variables_stood_for_is_hidden_in_texts() {
        let (providers, folder) = (providers(&[]).unwrap(), folder());
        let resolved = resolve(&providers, &folder, "x${file:DIR/a.properties:password}").unwrap();
        assert_eq!(resolved.secrets.redact("no: xhunter2 alice"), "no: x[hidden] alice");
        let error = Error::data("bad hunter2")
            .wrapped_in("E", "outer hunter2")
            .caused_by(Error::data("x").without_message());
        let hidden = resolved.discreet(&error);
        assert_eq!(
            hidden.trace(),
            "E: outer [hidden]\nCaused by: org.apache.kafka.connect.errors.DataException: bad [hidden]\nCaused by: \
             org.apache.kafka.connect.errors.DataException\n"
        );
        assert_eq!(hidden.class(), error.class());
    }

    #[test]
    fn nulls_and_order_stay() {
        let providers = providers(&[]).unwrap();
        let mut raw = Config::from([("b", "${file:/none:x"), ("a", "1")]);
        raw.set_nullable("n", None);
        assert_eq!(providers.resolve(&raw).unwrap().config, raw);
    }

    #[test]
    fn the_shortest_time_to_live_counts() {
        let folder = folder();
        let ttl = |extra: &[(&str, &str)], text: &str| {
            resolve(&providers(extra).unwrap(), &folder, text).unwrap().ttl
        };
        let both = "${file:DIR/a.properties:user} ${dir:DIR:token}";
        assert_eq!(ttl(&[], both), None);
        let one = [("config.providers.file.param.lavka.ttl.ms", "5000")];
        assert_eq!(ttl(&one, both), Some(Duration::from_secs(5)));
        assert_eq!(ttl(&one, "${dir:DIR:token}"), None);
        let two = [one[0], ("config.providers.dir.param.lavka.ttl.ms", "1")];
        assert_eq!(ttl(&two, both), Some(LEAST_TTL));
        assert_eq!(ttl(&[("config.providers.file.param.lavka.ttl.ms", "-1")], both), None);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |extra: &[(&str, &str)]| providers(extra).unwrap_err().to_string();
        assert!(error(&[("config.providers.dir.class", "com.acme.Vault")]).starts_with(
            "Invalid value com.acme.Vault for configuration config.providers.dir.class: Could not load config provider \
             class or one of its dependencies"
        ));
        assert_eq!(
            error(&[("config.providers.dir.param.allowed.paths", "a")]),
            "Invalid value a for configuration config.providers.dir.param.allowed.paths: Path a is not absolute"
        );
        assert_eq!(
            error(&[("config.providers.dir.param.lavka.ttl.ms", "soon")]),
            "Invalid value soon for configuration config.providers.dir.param.lavka.ttl.ms: Not a number of type LONG"
        );
    }

    #[test]
    fn a_task_is_stored_with_the_variables_of_its_connector() {
        let connector = Config::from([("user", "${file:f:u}"), ("url", "jdbc"), ("more", "${env:X}")]);
        let task = Config::from([("user", "alice"), ("url", "other"), ("task.id", "1")]);
        assert_eq!(
            with_variables_of(&connector, task),
            Config::from([("user", "${file:f:u}"), ("url", "other"), ("task.id", "1")])
        );
    }
}
