//! The worker's own configuration: all that is wrong with it, at once.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::{Catalogue, PluginKind};
use lavka_api::{Error, Result};
use lavka_worker::Providers;
use lavka_worker::config::{WorkerConfig, WorkerKey};

use crate::properties::{self, in_file};

/// Kafka's default for `default.api.timeout.ms`.
const DEFAULT_PATIENCE: Duration = Duration::from_mins(1);

/// Keys that name a converter, and its kind.
pub(crate) const CONVERTERS: [(&str, PluginKind); 3] = [
    ("key.converter", PluginKind::Converter),
    ("value.converter", PluginKind::Converter),
    ("header.converter", PluginKind::HeaderConverter),
];

/// Reads a worker's properties file and checks it against the built-in plugins.
///
/// # Errors
/// A config error that names the file, and every wrong key.
pub(crate) fn read_worker_config(path: &Path) -> Result<WorkerConfig> {
    let raw = properties::read(path)?;
    typed(&raw, &crate::catalogue()).map_err(|error| in_file(path, &error))
}

/// The configuration of a worker that is about to start.
///
/// # Errors
/// As [`typed`]; and where the offset file could not be written.
pub(crate) fn accept(raw: Config, catalogue: &Catalogue) -> Result<WorkerConfig> {
    let config = typed(&raw, catalogue)?;
    check_offset_file(Path::new(&config.keys.offset_file))?;
    Ok(config)
}

/// # Errors
/// A config error that names every wrong key.
fn typed(raw: &Config, catalogue: &Catalogue) -> Result<WorkerConfig> {
    let resolved = Providers::from_config(raw, catalogue)?.resolve(raw)?;
    let hidden = |error: &Error| Error::config(resolved.secrets.redact(&error.to_string()).into_owned());
    check(&resolved.config, catalogue).map_err(|error| hidden(&error))?;
    WorkerConfig::resolving(raw, catalogue)
}

/// # Errors
/// A config error that names every wrong key.
fn check(raw: &Config, catalogue: &Catalogue) -> Result<()> {
    let reports = WorkerConfig::definition().validate(raw);
    let mut errors: Vec<String> = reports.into_iter().flat_map(|report| report.errors).collect();
    for (key, kind) in CONVERTERS {
        let Some(class) = raw.get(key).map(str::trim).filter(|class| !class.is_empty()) else { continue };
        if let Err(error) = catalogue.find(class, |k| k == kind) {
            errors.push(format!(
                "Invalid value {class} for configuration {key}: Class {class} could not be found: {error}"
            ));
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::config(one.clone())),
        all => {
            let text = format!("{} keys are wrong:\n  {}", all.len(), all.join("\n  "));
            Err(Error::config(text))
        }
    }
}

/// Writing offsets replaces the file with one written beside it, so its folder has to be writable.
fn check_offset_file(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        // Said by whoever opens the file.
        return Ok(());
    }
    // Not the name that the offsets are written under: another worker may be doing that just now.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".probe");
    let beside = PathBuf::from(beside);
    let written = OpenOptions::new().write(true).create(true).truncate(false).open(&beside);
    written.and_then(|_| std::fs::remove_file(&beside)).map_err(|error| {
        Error::config(format!(
            "The file {} (offset.storage.file.filename) cannot be used: {error}; make its folder {} writable for the \
             user that runs the worker, or name a file in one that is",
            path.display(),
            folder.display()
        ))
    })
}

/// Names the keys of a worker that have no effect.
pub(crate) fn log_unused_keys(config: &WorkerConfig) {
    for (key, meaning) in config.explain() {
        match meaning {
            WorkerKey::Used => {}
            WorkerKey::Ignored(why) => tracing::info!("the worker key '{key}' has no effect: {why}"),
            WorkerKey::Unknown(Some(nearest)) => {
                tracing::warn!("the worker key '{key}' is not known; did you mean '{nearest}'?");
            }
            WorkerKey::Unknown(None) => tracing::warn!("the worker key '{key}' is not known"),
        }
    }
}

/// The converters of a worker whose file is not at hand: JSON without schemas.
pub(crate) fn default_worker() -> Config {
    Config::from([
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
    ])
}

/// How long a worker waits for the Kafka cluster to answer for the first time.
pub(crate) fn patience(config: &WorkerConfig) -> Duration {
    ["admin.default.api.timeout.ms", "default.api.timeout.ms"]
        .into_iter()
        .find_map(|key| i32::parse(config.raw.get(key)?).ok())
        .and_then(|millis| u64::try_from(millis).ok())
        .map_or(DEFAULT_PATIENCE, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &[(&str, &str)]) -> Config {
        let mut config = Config::from([
            ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter", "StringConverter"),
            ("offset.storage.file.filename", "connect.offsets"),
        ]);
        for (key, value) in extra {
            config.set(*key, *value);
        }
        config
    }

    #[test]
    fn all_wrong_keys_are_named_at_once() {
        let mut raw = config(&[
            ("offset.flush.interval.ms", "soon"),
            ("topic.tracking.enable", "yes"),
            ("value.converter", "StringConvertor"),
        ]);
        raw.remove("offset.storage.file.filename");
        let error = typed(&raw, &crate::catalogue()).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "4 keys are wrong:",
                "Missing required configuration \"offset.storage.file.filename\" which has no default value.",
                "Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
                "Invalid value yes for configuration topic.tracking.enable: Expected value to be either true or false",
                "Invalid value StringConvertor for configuration value.converter: Class StringConvertor could not be \
                 found: no plugin has the class or alias StringConvertor; did you mean \
                 org.apache.kafka.connect.storage.StringConverter?",
            ]
        );
        let one = typed(&config(&[("offset.flush.timeout.ms", "0")]), &crate::catalogue()).unwrap_err();
        assert_eq!(
            one.message(),
            Some("Invalid value 0 for configuration offset.flush.timeout.ms: Value must be at least 1")
        );
        assert!(typed(&config(&[]), &crate::catalogue()).is_ok());
    }

    #[test]
    fn an_offset_file_that_cannot_be_written_is_refused_before_anything_starts() {
        // Not even root creates files there.
        let error = check_offset_file(Path::new("/proc/connect.offsets")).unwrap_err().to_string();
        assert!(error.contains("/proc/connect.offsets (offset.storage.file.filename)"), "{error}");
        assert!(error.contains("make its folder /proc writable"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        assert!(check_offset_file(&folder.path().join("connect.offsets")).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn patience_is_kafkas() {
        let of = |extra: &[(&str, &str)]| patience(&WorkerConfig::new(config(extra)).unwrap());
        assert_eq!(of(&[]), Duration::from_mins(1));
        assert_eq!(of(&[("default.api.timeout.ms", "1500")]), Duration::from_millis(1500));
        assert_eq!(of(&[("admin.default.api.timeout.ms", "-1")]), Duration::from_mins(1));
    }
}
