//! Fields of a record by dotted path.

use lavka_api::data::Value;

/// A path such as `payload.sensor.id`. A field whose own name has dots is found by its whole name first.
#[derive(Debug, Clone)]
pub(crate) struct FieldPath {
    text: String,
}

impl FieldPath {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// As configured.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The value in structs and schemaless objects, defaults applied; `None` where a field on the way is missing or
    /// null.
    pub(crate) fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut value = value;
        let mut rest = self.text.as_str();
        loop {
            if let Some(found) = field(value, rest) {
                return Some(found);
            }
            let (first, below) = rest.split_once('.')?;
            value = field(value, first)?;
            rest = below;
        }
    }
}

fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Struct(record) => record.get(name),
        Value::Object(object) => object.get(name),
        Value::Map(entries) => {
            entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::{Object, Schema, Struct, Type};

    #[test]
    fn paths_lead_through_structs_and_objects() {
        let schema = Schema::structure()
            .field("d", Schema::builder(Type::Int32).default_value(Value::Int32(7)).build().unwrap())
            .build()
            .unwrap();
        let inner = Struct::new(schema, vec![Value::Null]).unwrap();
        let value: Value =
            Object::from_entries([("a", Value::from(inner)), ("x.y", Value::Int64(1)), ("n", Value::Null)])
                .into();
        let get = |path| FieldPath::new(path).get(&value).cloned();
        assert_eq!(get("a.d"), Some(Value::Int32(7)));
        assert_eq!(get("x.y"), Some(Value::Int64(1)));
        assert_eq!(get("n"), Some(Value::Null));
        assert_eq!(get("n.m"), None);
        assert_eq!(get("a.z"), None);
        assert_eq!(get(""), None);
    }
}
