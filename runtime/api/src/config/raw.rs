//! A configuration as a user wrote it.

use std::fmt;

use indexmap::IndexMap;

/// Keys and values in the order they were written. A value may be null, which validation reports.
///
/// `Debug` shows keys only: any value may be a secret.
///
/// ```
/// use lavka_api::config::Config;
///
/// let mut config = Config::from([("name", "lines"), ("transforms.t.type", "Cast$Value")]);
/// config.set_nullable("file", None);
/// assert_eq!(config.get("file"), None);
/// assert_eq!((config.entry("file"), config.entry("topic")), (Some(None), None));
/// assert_eq!(config.with_prefix_stripped("transforms.t.").get("type"), Some("Cast$Value"));
/// assert_eq!(format!("{config:?}"), r#"Config{"name", "transforms.t.type", "file"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config(IndexMap<String, Option<String>>);

impl Config {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`; `None` where it is missing or null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_deref()
    }

    /// The entry of `key`, telling a null value from a missing key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<Option<&str>> {
        self.0.get(key).map(Option::as_deref)
    }

    /// Whether `key` is there, null or not.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets `key`, at the end if it is new.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), Some(value.into()));
    }

    /// Sets `key` to a value or null.
    pub fn set_nullable(&mut self, key: impl Into<String>, value: Option<String>) {
        self.0.insert(key.into(), value);
    }

    /// Removes `key`, keeping the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Option<String>> {
        self.0.shift_remove(key)
    }

    /// The entries whose key starts with `prefix`, with the prefix cut off.
    #[must_use]
    pub fn with_prefix_stripped(&self, prefix: &str) -> Config {
        Self(
            self.0
                .iter()
                .filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone())))
                .filter(|(k, _)| !k.is_empty())
                .collect(),
        )
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_deref()))
    }

    /// Keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(k, v)| (k.into(), Some(v.into()))).collect())
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Config {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}
