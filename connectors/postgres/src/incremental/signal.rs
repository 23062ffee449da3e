//! Signals: what a row of the signal table, or a line of the signal file, asks for.

use lavka_api::data::Str;
use serde_json::Value;

use crate::schema::PatternList;

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Signal {
    /// `execute-snapshot`.
    Execute {
        /// Patterns of tables.
        tables: Vec<String>,
        /// Conditions and keys by pattern of table.
        conditions: Vec<(String, String)>,
        /// A column to go by instead of the key.
        surrogate: Option<String>,
        /// Whether the stream is to wait meanwhile.
        blocking: bool,
    },
    /// `stop-snapshot`: of these tables, or of all.
    Stop(Option<Vec<String>>),
    /// `pause-snapshot`.
    Pause,
    /// `resume-snapshot`.
    Resume,
    /// `log`.
    Log(String),
}

/// A table that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    /// `schema.table`.
    pub(crate) id: String,
    /// An SQL condition, in parentheses.
    pub(crate) condition: Option<String>,
    /// A column to go by instead of the key.
    pub(crate) surrogate: Option<String>,
}

impl Signal {
    /// Reads type and data of a signal; `None` where it is none for us (the markers of windows among them).
    ///
    /// # Errors
    /// Where the data is not what the type needs.
    pub(crate) fn parse(ty: &str, data: &str) -> Result<Option<Self>, String> {
        let object = || -> Result<Value, String> {
            if data.trim().is_empty() {
                return Ok(Value::Object(serde_json::Map::new()));
            }
            serde_json::from_str(data).map_err(|error| format!("its data is no JSON: {error}"))
        };
        // `None` where there are none.
        let tables = |value: &Value| -> Result<Option<Vec<String>>, String> {
            let list = value.get("data-collections").and_then(Value::as_array);
            let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
            let name = |item: &Value| item.as_str().map(|name| name.trim().to_owned());
            let names: Option<Vec<String>> = list.iter().map(name).collect();
            names.map(Some).ok_or_else(|| "its data-collections have one that is no text".to_owned())
        };
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Some(match ty {
            "execute-snapshot" => {
                let data = object()?;
                let tables = tables(&data)?.ok_or("its data has no data-collections")?;
                let conditions = data
                    .get("additional-conditions")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| Some((text(entry, "data-collection")?, text(entry, "filter")?)))
                    .collect();
                let blocking = is_blocking(text(&data, "type"))?;
                let surrogate = text(&data, "surrogate-key").filter(|name| !name.trim().is_empty());
                Self::Execute { tables, conditions, surrogate, blocking }
            }
            "stop-snapshot" => {
                let data = object()?;
                if is_blocking(text(&data, "type"))? {
                    return Err("a blocking snapshot cannot be stopped".to_owned());
                }
                Self::Stop(tables(&data)?)
            }
            "pause-snapshot" => Self::Pause,
            "resume-snapshot" => Self::Resume,
            "log" => Self::Log(text(&object()?, "message").unwrap_or_default()),
            _ => return Ok(None),
        }))
    }
}

/// Whether the `type` of a snapshot is blocking.
fn is_blocking(ty: Option<String>) -> Result<bool, String> {
    match ty.as_deref() {
        None => Ok(false),
        Some(ty) if ty.eq_ignore_ascii_case("incremental") => Ok(false),
        Some(ty) if ty.eq_ignore_ascii_case("blocking") => Ok(true),
        Some(ty) => Err(format!("its type {ty} is none of incremental and blocking")),
    }
}

/// The tables of `known` that `patterns` name, in the order of the patterns; each with its condition. A pattern that names
/// none may be the name of a table that was made since.
pub(super) fn expand(
    patterns: &[String],
    conditions: &[(String, String)],
    surrogate: Option<&str>,
    known: &[String],
) -> Vec<Collection> {
    let mut out: Vec<Collection> = Vec::new();
    for pattern in patterns {
        let list = PatternList::parse(pattern).unwrap_or_default();
        let mut ids: Vec<&String> = known.iter().filter(|id| *id == pattern || list.matches(id)).collect();
        if ids.is_empty() {
            ids.push(pattern);
        }
        for id in ids {
            if out.iter().any(|collection| collection.id == *id) {
                continue;
            }
            out.push(Collection {
                id: id.clone(),
                condition: condition(conditions, id).map(|filter| format!("({filter})")),
                surrogate: surrogate.map(str::to_owned),
            });
        }
    }
    out
}

/// The tables of `known` that a blocking snapshot is to read, each with its query where it has one.
pub(crate) fn blocking_tables(
    tables: &[String],
    conditions: &[(String, String)],
    known: &[String],
) -> Vec<(String, Option<String>)> {
    let with_query = |table: Collection| {
        let query = condition(conditions, &table.id).map(str::to_owned);
        (table.id, query)
    };
    expand(tables, &[], None, known).into_iter().map(with_query).collect()
}

/// What `conditions` say of a table.
fn condition<'a>(conditions: &'a [(String, String)], id: &str) -> Option<&'a str> {
    let of = |table: &str| table == id || PatternList::parse(table).is_ok_and(|list| list.matches(id));
    conditions.iter().find(|(table, _)| of(table)).map(|(_, condition)| condition.as_str())
}

/// `incremental_snapshot_collections` of the offset.
pub(super) fn collections_text(collections: &[Collection]) -> Str {
    let list: Vec<Value> = collections
        .iter()
        .map(|collection| {
            serde_json::json!({
                "incremental_snapshot_collections_id": collection.id,
                "incremental_snapshot_collections_additional_condition": collection.condition,
                "incremental_snapshot_collections_surrogate_key": collection.surrogate,
            })
        })
        .collect();
    Str::from(Value::Array(list).to_string())
}

/// Reads that text; entries of another form are passed over.
pub(super) fn collections_of(text: &str) -> Vec<Collection> {
    let list: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let field = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    list.iter()
        .filter_map(|entry| {
            Some(Collection {
                id: field(entry, "incremental_snapshot_collections_id")?,
                condition: field(entry, "incremental_snapshot_collections_additional_condition"),
                surrogate: field(entry, "incremental_snapshot_collections_surrogate_key"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_debezium_writes_them() {
        let data = r#"{"data-collections":["r\\.t.*"],"type":"incremental",
            "additional-conditions":[{"data-collection":"r.t","filter":"id<=6"}],"surrogate-key":"x"}"#;
        let Some(Signal::Execute { tables, conditions, surrogate, blocking }) =
            Signal::parse("execute-snapshot", data).unwrap()
        else {
            panic!("an execute signal")
        };
        assert!(!blocking);
        let known = ["r.t".to_owned(), "r.t2".to_owned(), "s.t".to_owned()];
        let collections = expand(&tables, &conditions, surrogate.as_deref(), &known);
        assert_eq!(collections.len(), 2);
        assert_eq!(collections[0].condition.as_deref(), Some("(id<=6)"));
        assert_eq!(
            collections_text(&collections[..1]).as_str(),
            r#"[{"incremental_snapshot_collections_id":"r.t","incremental_snapshot_collections_additional_condition":"(id<=6)","incremental_snapshot_collections_surrogate_key":"x"}]"#
        );
        assert_eq!(collections_of(&collections_text(&collections)), collections);
        assert_eq!(expand(&["r.late".to_owned()], &[], None, &known)[0].id, "r.late");
        let all = Some(Signal::Stop(None));
        for data in ["", "{}", r#"{"data-collections":[]}"#, r#"{"type":"INCREMENTAL"}"#] {
            assert_eq!(Signal::parse("stop-snapshot", data).unwrap(), all, "{data}");
        }
        assert_eq!(Signal::parse("snapshot-window-open", "{").unwrap(), None);
        assert!(Signal::parse("execute-snapshot", "{").is_err());
        assert!(Signal::parse("execute-snapshot", "{}").is_err());
        for data in [r#"{"data-collections":["a",1]}"#, r#"{"data-collections":["a"],"type":"other"}"#] {
            assert!(Signal::parse("execute-snapshot", data).is_err(), "{data}");
            assert!(Signal::parse("stop-snapshot", data).is_err(), "{data}");
        }
    }
}
