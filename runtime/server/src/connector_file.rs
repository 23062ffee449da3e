//! Connector files: JSON (flat, or with `name` and `config`), or properties.

use std::path::Path;

use lavka_api::config::Config;
use lavka_api::{Error, Result};
use lavka_worker::TargetState;
use serde_json::{Map, Value};

use crate::properties;

/// A connector as a file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorFile {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub config: Config,
    /// `initial_state`.
    pub initial: Option<TargetState>,
}

impl ConnectorFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A config error that names the file, the place and what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let in_file = |error: &Error| Error::config(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| in_file(&error.into()))?;
        Self::parse(&text).map_err(|error| in_file(&error))
    }

    fn parse(text: &str) -> Result<Self> {
        let (outer, config, initial) = if text.trim_start().starts_with('{') {
            let body: Map<String, Value> =
                serde_json::from_str(text).map_err(|error| Error::config(format!("not JSON: {error}")))?;
            match body.get("config") {
                Some(Value::Object(config)) => {
                    let initial = body.get("initial_state").and_then(Value::as_str);
                    let initial = initial.map(|text| {
                        TargetState::from_initial_state(text).ok_or_else(|| {
                            Error::config(format!(
                                "initial_state '{text}' is none of RUNNING, PAUSED and STOPPED"
                            ))
                        })
                    });
                    let name = body.get("name").and_then(Value::as_str).map(str::to_owned);
                    (name, flat(config)?, initial.transpose()?)
                }
                _ => (None, flat(&body)?, None),
            }
        } else {
            (None, properties::parse(text)?, None)
        };
        let inner = config.get("name").map(|name| name.trim().to_owned());
        let name = match (outer, inner) {
            (Some(outer), Some(inner)) if outer != inner => {
                return Err(Error::config(format!("the names '{outer}' and '{inner}' (in config) differ")));
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => return Err(Error::config("the connector has no name; add name=…")),
        };
        let mut config = config;
        config.set("name", name.clone());
        Ok(Self { name, config, initial })
    }
}

fn flat(map: &Map<String, Value>) -> Result<Config> {
    let mut config = Config::new();
    for (key, value) in map {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                return Err(Error::config(format!(
                    "the value of \"{key}\" is not a string, number or boolean"
                )));
            }
        };
        config.set_nullable(key, text);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_mean_the_same() {
        let flat = ConnectorFile::parse(r#"{"name":"c","tasks.max":1}"#).unwrap();
        let nested = ConnectorFile::parse(r#"{"name":"c","config":{"tasks.max":"1"}}"#).unwrap();
        let properties = ConnectorFile::parse("name=c\ntasks.max=1\n").unwrap();
        for file in [flat, nested, properties] {
            assert_eq!((file.name.as_str(), file.config.get("tasks.max")), ("c", Some("1")));
        }
    }

    #[test]
    fn names_are_needed_and_agree() {
        assert!(ConnectorFile::parse("a=b").unwrap_err().to_string().contains("no name"));
        let error = ConnectorFile::parse(r#"{"name":"a","config":{"name":"b"}}"#).unwrap_err();
        assert!(error.to_string().contains("'a' and 'b'"));
        assert!(ConnectorFile::parse("{").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn the_initial_state_is_read() {
        let file = ConnectorFile::parse(r#"{"name":"c","config":{},"initial_state":"paused"}"#).unwrap();
        assert_eq!(file.initial, Some(TargetState::Paused));
    }
}
