//! Definitions of keys: what REST shows, what validation goes by, what the reference page prints.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::{Check, Config, ConfigType, KeyError, Password, parse_text};

/// The type of a key as REST names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// Double.
    Double,
    /// Comma-separated list.
    List,
    /// Class name or alias of a plugin.
    Class,
    /// Secret.
    Password,
}

impl Kind {
    /// The name over REST (`STRING`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        }
    }
}

/// How much a key matters to a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Importance {
    /// Look at it first.
    High,
    /// Look at it before production.
    Medium,
    /// Rarely changed.
    Low,
}

impl Importance {
    /// The name over REST (`HIGH`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        }
    }
}

/// How wide a form field should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// No opinion.
    None,
    /// A word.
    Short,
    /// A few words.
    Medium,
    /// A line.
    Long,
}

impl Width {
    /// The name over REST (`SHORT`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Width::None => "NONE",
            Width::Short => "SHORT",
            Width::Medium => "MEDIUM",
            Width::Long => "LONG",
        }
    }
}

/// The definition of one key.
#[derive(Debug, Clone)]
pub struct KeyDef {
    /// The key.
    pub name: Cow<'static, str>,
    /// Its type.
    pub kind: Kind,
    /// `None`: required. `Some(None)`: the default is null. `Some(Some(text))`: the default as text.
    pub default: Option<Option<String>>,
    /// Its importance.
    pub importance: Importance,
    /// What it does, in a sentence or more.
    pub doc: Cow<'static, str>,
    /// The group it is shown in.
    pub group: Option<Cow<'static, str>>,
    /// The position in its group, from 1; -1 outside any group.
    pub order_in_group: i32,
    /// The width of a form field.
    pub width: Width,
    /// What a form calls it; the key itself by default.
    pub display_name: Cow<'static, str>,
    /// Keys whose meaning depends on this one.
    pub dependents: Vec<String>,
    /// Values to offer.
    pub recommended: Vec<String>,
    /// Checks beyond the type, run in order until one fails.
    pub checks: Vec<Check>,
}

impl KeyDef {
    /// Whether a value has to be given.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// The text in force for what the user wrote: trimmed, or the default; `None` for null.
    #[must_use]
    pub fn effective<'a>(&'a self, written: Option<&'a str>) -> Option<&'a str> {
        match written {
            Some(text) if self.kind == Kind::Password => Some(text),
            Some(text) => Some(text.trim()),
            None => self.default.as_ref().and_then(Option::as_deref),
        }
    }

    /// Error texts for an entry of the configuration (`None` = the key is missing, `Some(None)` = null).
    #[must_use]
    pub fn errors(&self, entry: Option<Option<&str>>) -> Vec<String> {
        let text = match entry {
            Some(None) => return vec!["Null value can not be supplied as the configuration value.".into()],
            Some(Some(text)) => text,
            None => match &self.default {
                None => {
                    return vec![format!(
                        "Missing required configuration \"{}\" which has no default value.",
                        self.name
                    )];
                }
                // A default is the declaration's own business.
                Some(_) => return Vec::new(),
            },
        };
        let shown = self.shown(text);
        let outcome = parse_text(self.kind, text)
            .map_err(|detail| format!("Invalid value {shown} for configuration {}: {detail}", self.name))
            .and_then(|()| self.checks.iter().try_for_each(|check| check.run(&self.name, text, &shown)));
        outcome.err().into_iter().collect()
    }

    /// How error texts show `text`: secrets hidden, lists as Java prints them.
    fn shown(&self, text: &str) -> String {
        match self.kind {
            Kind::Password => Password::HIDDEN.into(),
            Kind::List => format!("[{}]", Vec::<String>::parse(text).unwrap_or_default().join(", ")),
            _ => text.trim().to_owned(),
        }
    }
}

/// What validation found about one key (`ConfigValueInfo` over REST).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// The key.
    pub name: String,
    /// The value in force, secrets hidden; `None` for null.
    pub value: Option<String>,
    /// Values to offer.
    pub recommended: Vec<String>,
    /// Error texts, complete sentences that name the key.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

/// The keys of a plugin or of the framework, in order.
#[derive(Debug, Clone, Default)]
pub struct ConfigDef {
    keys: IndexMap<Cow<'static, str>, KeyDef>,
}

impl ConfigDef {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `key`, or replaces the one of that name. In a group the position counts up from 1.
    pub fn add(&mut self, mut key: KeyDef) {
        if let Some(group) = &key.group
            && key.order_in_group < 0
        {
            let before = self.keys.values().filter(|k| k.group.as_ref() == Some(group)).count();
            key.order_in_group = i32::try_from(before + 1).unwrap_or(i32::MAX);
        }
        self.keys.insert(key.name.clone(), key);
    }

    /// Appends every key of `other` that is not here yet.
    pub fn extend(&mut self, other: ConfigDef) {
        for (name, key) in other.keys {
            self.keys.entry(name).or_insert(key);
        }
    }

    /// This definition with `prefix` before every key and `group` as the group of all. As in Kafka, a value that is not of
    /// its key's type is reported with the whole key, one that a check refuses without the prefix.
    #[must_use]
    pub fn embedded(&self, prefix: &str, group: &str) -> ConfigDef {
        let mut out = ConfigDef::new();
        for key in self.keys.values() {
            let mut key = key.clone();
            key.name = Cow::Owned(format!("{prefix}{}", key.name));
            key.group = Some(Cow::Owned(group.to_owned()));
            key.dependents = key.dependents.iter().map(|d| format!("{prefix}{d}")).collect();
            key.checks = key.checks.into_iter().map(|check| check.behind(prefix)).collect();
            out.add(key);
        }
        out
    }

    /// The definition of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&KeyDef> {
        self.keys.get(name)
    }

    /// Definitions in order.
    pub fn iter(&self) -> impl Iterator<Item = &KeyDef> {
        self.keys.values()
    }

    /// Groups in order of first appearance.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for group in self.keys.values().filter_map(|key| key.group.as_deref()) {
            if !groups.iter().any(|g| g == group) {
                groups.push(group.to_owned());
            }
        }
        groups
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks `config` key by key; keys without a definition are not looked at. Never fails: errors are in the
    /// reports.
    #[must_use]
    pub fn validate(&self, config: &Config) -> Vec<KeyReport> {
        self.keys
            .values()
            .map(|key| {
                let entry = config.entry(&key.name);
                let value = key.effective(entry.flatten()).map(|text| match key.kind {
                    Kind::Password => Password::HIDDEN.to_owned(),
                    Kind::List => text.split(',').map(str::trim).collect::<Vec<_>>().join(","),
                    _ => text.to_owned(),
                });
                KeyReport {
                    name: key.name.clone().into_owned(),
                    value,
                    recommended: key.recommended.clone(),
                    errors: key.errors(entry),
                    visible: true,
                }
            })
            .collect()
    }

    /// As [`Self::validate`], with `errors` put in. One about a key without a definition gets a report of its own, behind
    /// the others.
    #[must_use]
    pub fn validate_with(
        &self,
        config: &Config,
        errors: impl IntoIterator<Item = KeyError>,
    ) -> Vec<KeyReport> {
        let mut reports = self.validate(config);
        for error in errors {
            match reports.iter_mut().find(|report| report.name == error.key) {
                Some(report) => report.errors.push(error.message),
                None => reports.push(KeyReport {
                    name: error.key.to_owned(),
                    value: config.get(error.key).map(str::to_owned),
                    recommended: Vec::new(),
                    errors: vec![error.message],
                    visible: true,
                }),
            }
        }
        reports
    }
}
