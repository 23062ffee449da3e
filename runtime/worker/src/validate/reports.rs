//! What is found about each key, on its way to the answer.

use lavka_api::config::{Config, ConfigDef, KeyDef, KeyReport, Kind, Password, parse_text};

use crate::answers::ConfigInfo;

/// The error of a key that is null.
const NULL_VALUE: &str = "Null value can not be supplied as the configuration value.";

/// Reports, keys that nobody defines first.
pub(super) struct Reports(Vec<KeyReport>);

pub(super) fn report(name: &str, value: Option<String>, errors: Vec<String>) -> KeyReport {
    KeyReport { name: name.to_owned(), value, recommended: Vec::new(), errors, visible: true }
}

/// Checks `config` against `definition`. A value that is null or not of its key's type is shown as null, as in Connect.
pub(super) fn validate(definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
    let mut reports = definition.validate(config);
    for (report, key) in reports.iter_mut().zip(definition.iter()) {
        show_typed(report, key);
        if config.entry(&key.name) == Some(None) {
            report.value = None;
        }
    }
    reports
}

/// Shows the value of a key only as far as it is one.
pub(super) fn show_typed(report: &mut KeyReport, key: &KeyDef) {
    let typed = |text: &str| parse_text(key.kind, text).is_ok();
    if key.kind == Kind::Password {
        report.value = report.value.take().map(|_| Password::HIDDEN.to_owned());
    } else if !report.errors.is_empty() && !report.value.as_deref().is_some_and(typed) {
        report.value = None;
    }
}

impl Reports {
    pub(super) fn of(definition: &ConfigDef, config: &Config) -> Self {
        let nulls = config.iter().filter(|(key, value)| value.is_none() && definition.get(key).is_none());
        let mut reports: Vec<KeyReport> =
            nulls.map(|(key, _)| report(key, None, vec![NULL_VALUE.to_owned()])).collect();
        reports.extend(validate(definition, config));
        Self(reports)
    }

    fn find(&mut self, key: &str) -> Option<&mut KeyReport> {
        self.0.iter_mut().find(|report| report.name == key)
    }

    /// Replaces the report of a key, or adds one.
    pub(super) fn put(&mut self, report: KeyReport) {
        match self.find(&report.name) {
            Some(known) => *known = report,
            None => self.0.push(report),
        }
    }

    /// Adds an error to a key.
    pub(super) fn complain(&mut self, key: &str, text: String) {
        match self.find(key) {
            Some(report) if report.errors.contains(&text) => {}
            Some(report) => report.errors.push(text),
            None => self.0.push(report(key, None, vec![text])),
        }
    }

    /// As [`complain`](Self::complain), of a value that is none: it is shown as null.
    pub(super) fn reject(&mut self, key: &str, text: String) {
        self.complain(key, text);
        self.change(key, |report| report.value = None);
    }

    /// Changes the report of a key, if there is one.
    pub(super) fn change(&mut self, key: &str, change: impl FnOnce(&mut KeyReport)) {
        if let Some(report) = self.find(key) {
            change(report);
        }
    }

    /// Whether there is no error at the keys that `of` picks.
    pub(super) fn clean(&self, of: impl Fn(&str) -> bool) -> bool {
        self.0.iter().all(|report| report.errors.is_empty() || !of(&report.name))
    }

    pub(super) fn into_infos(self, definition: &ConfigDef) -> Vec<ConfigInfo> {
        let with_definition =
            |value: KeyReport| ConfigInfo { definition: definition.get(&value.name).cloned(), value };
        self.0.into_iter().map(with_definition).collect()
    }
}
