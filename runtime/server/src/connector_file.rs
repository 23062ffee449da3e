//! Connector files: JSON (flat, or with `name` and `config`), or properties.

use std::path::{Path, PathBuf};

use lavka_api::config::Config;
use lavka_api::{Error, Result};
use lavka_worker::TargetState;
use serde_json::{Map, Value};

use crate::properties::{self, in_file, read_bytes};

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
        let bytes = read_bytes(path)?;
        let json = is_json(&bytes) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let parsed = if json { Self::from_json(&bytes) } else { Self::from_properties(&bytes) };
        parsed.map_err(|error| in_file(path, &error))
    }

    fn from_json(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let body: Value = serde_json::from_slice(bytes).map_err(|error| {
            let whole = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let what = whole.strip_suffix(&place).unwrap_or(&whole);
            Error::config(format!("line {} column {}: {what}", error.line(), error.column()))
        })?;
        let Value::Object(body) = body else {
            return Err(Error::config(
                "not a JSON object; write {\"name\": …, \"config\": {…}}, or the keys in one object",
            ));
        };
        let Some(Value::Object(config)) = body.get("config") else {
            return Self::new(None, flat(&body)?, None);
        };
        let initial = match body.get("initial_state") {
            None | Some(Value::Null) => None,
            Some(state) => {
                let known = state.as_str().and_then(TargetState::from_initial_state);
                Some(known.ok_or_else(|| {
                    Error::config(format!("initial_state {state} is none of RUNNING, PAUSED and STOPPED"))
                })?)
            }
        };
        let name = body.get("name").and_then(Value::as_str).map(str::to_owned);
        Self::new(name, flat(config)?, initial)
    }

    fn from_properties(bytes: &[u8]) -> Result<Self> {
        Self::new(None, properties::parse(&properties::decode(bytes))?, None)
    }

    /// `outer` is the name beside a `config` object.
    fn new(outer: Option<String>, config: Config, initial: Option<TargetState>) -> Result<Self> {
        let inner = config.get("name").map(|name| name.trim().to_owned());
        let name = match (outer, inner) {
            (Some(outer), Some(inner)) if outer != inner => {
                return Err(Error::config(format!("the names '{outer}' and '{inner}' (in config) differ")));
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => return Err(Error::config("the connector has no name; add the key 'name'")),
        };
        let mut named = Config::from([("name", name.as_str())]);
        for (key, value) in config.iter().filter(|(key, _)| *key != "name") {
            named.set_nullable(key, value.map(str::to_owned));
        }
        Ok(Self { name, config: named, initial })
    }
}

/// Reads connector files, all of them before any connector is started.
///
/// # Errors
/// As [`ConnectorFile::read`], and where two files have a connector of the same name.
pub fn read_connector_files(paths: &[PathBuf]) -> Result<Vec<ConnectorFile>> {
    let mut files: Vec<ConnectorFile> = Vec::with_capacity(paths.len());
    for path in paths {
        let file = ConnectorFile::read(path)?;
        if let Some((other, _)) = paths.iter().zip(&files).find(|(_, known)| known.name == file.name) {
            let text = format!("the name '{}' is taken by the connector in {}", file.name, other.display());
            return Err(in_file(path, &Error::config(text)));
        }
        files.push(file);
    }
    Ok(files)
}

/// A properties file could begin so too, but hardly one of a connector.
fn is_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"{")
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

    fn json(text: &str) -> Result<ConnectorFile> {
        ConnectorFile::from_json(text.as_bytes())
    }

    #[test]
    fn three_forms_mean_the_same() {
        let flat = json(r#"{"name":"c","tasks.max":1}"#).unwrap();
        let nested = json("\u{feff}{\"name\":\"c\",\"config\":{\"tasks.max\":\"1\"},\"more\":[]}").unwrap();
        let properties = ConnectorFile::from_properties(b"name=c\ntasks.max=1\n").unwrap();
        for file in [flat, nested, properties] {
            assert_eq!((file.name.as_str(), file.config.get("tasks.max")), ("c", Some("1")));
        }
        let flat = json(r#"{"name":"c","config":"x","a":null,"b":true}"#).unwrap();
        assert_eq!(flat.config.get("config"), Some("x"), "a key of that name, as Java reads it");
        assert_eq!((flat.config.entry("a"), flat.config.get("b")), (Some(None), Some("true")));
    }

    #[test]
    fn names_are_needed_and_agree() {
        assert!(ConnectorFile::from_properties(b"a=b").unwrap_err().to_string().contains("no name"));
        let error = json(r#"{"name":"a","config":{"name":"b"}}"#).unwrap_err();
        assert!(error.to_string().contains("'a' and 'b'"));
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let error = |text: &str| json(text).unwrap_err().to_string();
        assert_eq!(error("{\n  \"name\": \"c\"\n  \"a\": 1\n}"), "line 3 column 3: expected `,` or `}`");
        assert_eq!(error("{"), "line 1 column 1: EOF while parsing an object");
        assert_eq!(error("{\"a\": \"\u{0}\"}").split(": ").next(), Some("line 1 column 8"));
        assert!(error("[]").starts_with("not a JSON object"));
        assert_eq!(error(r#"{"a":{"b":1}}"#), "the value of \"a\" is not a string, number or boolean");
        let deep = "[".repeat(100_000);
        assert!(error(&deep).contains("recursion limit"));
    }

    #[test]
    fn the_file_decides_by_its_name_or_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            ConnectorFile::read(&path).map_err(|error| {
                error.to_string().replace(&folder.path().display().to_string(), "").split_off(1)
            })
        };
        assert_eq!(read("a.properties", " {\"name\":\"c\"}").unwrap().name, "c");
        assert_eq!(read("b.json", "name=c").unwrap_err(), "b.json, line 1 column 2: expected ident");
        assert_eq!(
            read("c.properties", "name=c\na=\\u1").unwrap_err().split(": ").next(),
            Some("c.properties, line 2")
        );
        let paths = [folder.path().join("a.properties"), folder.path().join("d.json")];
        std::fs::write(&paths[1], r#"{"name":"c","config":{}}"#).unwrap();
        let error = read_connector_files(&paths).unwrap_err().to_string();
        assert!(error.contains("d.json: the name 'c' is taken by the connector in "), "{error}");
        assert!(error.ends_with("a.properties"), "{error}");
    }

    #[test]
    fn the_initial_state_is_read() {
        let file = json(r#"{"name":"c","config":{},"initial_state":"paused"}"#).unwrap();
        assert_eq!(file.initial, Some(TargetState::Paused));
        assert!(json(r#"{"name":"c","config":{},"initial_state":1}"#).is_err());
    }
}
