//! What `add.fields` and `add.headers` name: fields of a change event, and what they are called in the result.

use lavka_api::data::{Schema, Str, Struct, Value};
use lavka_api::{Error, Result};

/// A field of the change event or of a struct in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The struct it is in, unless it is the event itself.
    parent: Option<String>,
    field: String,
    /// What it is called in the result.
    name: Str,
}

impl Reference {
    /// Reads a list of `field`, `struct.field` and `field:NEW`; names in the result begin with `prefix`.
    ///
    /// # Errors
    /// A config error that names `key` for an item with two colons or none of a name.
    pub(super) fn list(key: &str, prefix: &str, items: &[String]) -> Result<Vec<Self>> {
        items.iter().map(|item| Self::parse(key, prefix, item)).collect()
    }

    fn parse(key: &str, prefix: &str, item: &str) -> Result<Self> {
        let refused = || Error::invalid_value(key, item, format!("Unexpected field name: {item}"));
        let (path, new_name) = match item.split_once(':') {
            None => (item, None),
            Some((path, name)) if !name.is_empty() && !name.contains(':') => (path, Some(name)),
            Some(_) => return Err(refused()),
        };
        let (parent, field) = match path.split_once('.') {
            // Of longer paths the rest is not looked at.
            Some((parent, rest)) => (Some(parent), rest.split('.').next().unwrap_or(rest)),
            None => (None, path),
        };
        if field.is_empty() {
            return Err(refused());
        }
        let name = match (new_name, parent) {
            (Some(name), _) => format!("{prefix}{name}"),
            (None, Some(parent)) => format!("{prefix}{parent}_{field}"),
            (None, None) => format!("{prefix}{field}"),
        };
        let parent = parent.or(match field {
            "id" | "total_order" | "data_collection_order" => Some("transaction"),
            "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
            "updateDescription" => Some("updateDescription"),
            _ => Some("source"),
        });
        Ok(Self { parent: parent.map(str::to_owned), field: field.to_owned(), name: name.into() })
    }

    /// Whether it is the operation, which tombstones have too.
    pub(super) fn is_operation(&self) -> bool {
        self.field == "op"
    }

    /// What it is called in the result.
    pub(super) fn name(&self) -> &Str {
        &self.name
    }

    /// Where it is in events of `schema`; `None` where they lack it.
    pub(super) fn place(&self, schema: &Schema) -> Result<Option<Place>> {
        let field_of = |schema: &Schema| {
            let at = schema.index_of(&self.field)?;
            Some((at, schema.fields().get(at)?.schema().clone()))
        };
        let parent = self.parent.as_deref().and_then(|parent| {
            let at = schema.index_of(parent)?;
            Some((at, field_of(schema.fields().get(at)?.schema())?))
        });
        let (parent, found) = match parent {
            Some((parent, found)) => (Some(parent), Some(found)),
            None => (None, field_of(schema)),
        };
        let Some((at, schema)) = found else { return Ok(None) };
        let schema = schema.to_builder().optional().default_value(None).build()?;
        Ok(Some(Place { parent, at, schema, name: self.name.clone() }))
    }
}

/// Where a referenced field is in the events of one schema.
#[derive(Debug, Clone)]
pub(super) struct Place {
    parent: Option<usize>,
    at: usize,
    /// Its schema in the result, which allows null.
    pub(super) schema: Schema,
    pub(super) name: Str,
}

impl Place {
    /// The value, null where the struct that it is in is.
    pub(super) fn value(&self, envelope: &Struct) -> Value {
        let values = envelope.values();
        let values = match self.parent.map(|parent| values.get(parent)) {
            None => values,
            Some(Some(Value::Struct(parent))) => parent.values(),
            Some(_) => return Value::Null,
        };
        values.get(self.at).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (item, parent, field, name) in [
            ("op", None, "op", "__op"),
            ("table", Some("source"), "table", "__table"),
            ("source.ts_ms", Some("source"), "ts_ms", "__source_ts_ms"),
            ("id", Some("transaction"), "id", "__id"),
            ("before.a:OLD", Some("before"), "a", "__OLD"),
            ("lsn:position", Some("source"), "lsn", "__position"),
        ] {
            let found = Reference::parse("add.fields", "__", item).unwrap();
            assert_eq!(
                (found.parent.as_deref(), found.field.as_str(), found.name.as_str()),
                (parent, field, name)
            );
        }
        for item in ["a:b:c", "a:", "", ":b"] {
            let error = Reference::parse("add.fields", "__", item).unwrap_err();
            assert!(error.message().unwrap().starts_with("Invalid value"), "{item}");
        }
    }
}
