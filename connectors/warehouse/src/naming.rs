//! Which table a record goes to.

use std::collections::HashMap;

use lavka_api::data::{Struct, Value};

/// How tables are named after topics.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) format: String,
    /// `table.name.normalize`.
    pub(crate) normalize: bool,
    /// `topics.to.tables.mapping`.
    pub(crate) mapping: HashMap<String, String>,
    /// Debezium's: dots of the topic become underscores.
    pub(crate) underscores: bool,
    /// Debezium's: `${source.x}`.
    pub(crate) sources: bool,
}

impl Naming {
    /// Whether the name depends on more than the topic.
    pub(crate) fn by_record(&self) -> bool {
        self.sources && self.format.contains("${source.")
    }

    /// The table of a record of `topic`; `source` is the change event's. `None` where the name needs a source that the
    /// record has not: it is nobody's row.
    pub(crate) fn table(&self, topic: &str, source: Option<&Struct>) -> Option<String> {
        if let Some(table) = self.mapping.get(topic) {
            return Some(table.clone());
        }
        let topic = if self.underscores { topic.replace('.', "_") } else { topic.to_owned() };
        let mut name = String::with_capacity(self.format.len() + topic.len());
        let mut rest = self.format.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            name.push_str(before);
            let Some((variable, after)) = after.split_once('}') else {
                name.push_str("${");
                rest = after;
                continue;
            };
            rest = after;
            match variable.strip_prefix("source.").filter(|_| self.sources) {
                _ if variable == "topic" => name.push_str(&topic),
                Some(field) => match source.and_then(|source| source.get(field)) {
                    Some(Value::String(text)) => name.push_str(text),
                    _ => return None,
                },
                None => {
                    name.push_str("${");
                    name.push_str(variable);
                    name.push('}');
                }
            }
        }
        name.push_str(rest);
        if self.normalize {
            name =
                name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        }
        Some(name)
    }
}

/// Reads `topic:table, ...`; `None` where it is not of that form.
pub(crate) fn mapping(text: &str) -> Option<HashMap<String, String>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (topic, table) = entry.split_once(':')?;
            let (topic, table) = (topic.trim(), table.trim());
            (!topic.is_empty() && !table.is_empty()).then(|| (topic.to_owned(), table.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Schema, Type};

    use super::*;

    fn naming(format: &str) -> Naming {
        Naming {
            format: format.to_owned(),
            normalize: false,
            mapping: HashMap::new(),
            underscores: false,
            sources: false,
        }
    }

    #[test]
    fn tables_are_named_after_topics() {
        assert_eq!(naming("kafka_${topic}").table("a.b", None).as_deref(), Some("kafka_a.b"));
        assert_eq!(naming("${other}${topic").table("a", None).as_deref(), Some("${other}${topic"));
        let normal = Naming { normalize: true, ..naming("${topic}") };
        assert_eq!(normal.table("a.b-č", None).as_deref(), Some("a_b__"));
        let mapped = Naming { mapping: mapping("a:x, b:y").unwrap(), ..naming("${topic}") };
        assert_eq!(mapped.table("b", None).as_deref(), Some("y"));
        assert_eq!((mapping("a"), mapping("a:")), (None, None));
    }

    #[test]
    fn sources_of_change_events_name_tables() {
        let schema = Schema::structure().field("table", Schema::of(Type::String)).build().unwrap();
        let source = Struct::new(schema, ["orders".into()]).unwrap();
        let naming = Naming { underscores: true, sources: true, ..naming("${topic}_${source.table}") };
        assert_eq!(naming.table("s.p", Some(&source)).as_deref(), Some("s_p_orders"));
        assert_eq!(naming.table("s.p", None), None);
    }
}
