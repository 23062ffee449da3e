//! Dotted paths into a record's value.

use std::fmt;

use lavka_api::data::{Schema, Shape, Str, Value};

/// A path to a field. A name that contains dots is found too where a field has just that name.
#[derive(Debug, Clone)]
pub(crate) struct FieldPath {
    text: String,
    whole: Step,
    steps: Vec<Step>,
}

/// One name of a path, with the place where it was found in the last record: for records of one schema or shape each
/// step is one pointer comparison.
#[derive(Debug, Clone)]
struct Step {
    name: Str,
    seen: Option<(Keys, Option<usize>)>,
}

/// Holding on to the schema or shape keeps its address from meaning another one.
#[derive(Debug, Clone)]
enum Keys {
    Schema(Schema),
    Shape(Shape),
}

impl Step {
    fn new(name: &str) -> Self {
        Self { name: name.into(), seen: None }
    }

    fn get<'v>(&mut self, value: &'v Value) -> Option<&'v Value> {
        match value {
            Value::Struct(record) => {
                let schema = record.schema();
                let place = match &self.seen {
                    Some((Keys::Schema(seen), place)) if seen.same(schema) => *place,
                    _ => {
                        let place = schema.index_of(&self.name);
                        self.seen = Some((Keys::Schema(schema.clone()), place));
                        place
                    }
                }?;
                Some(schema.fields().get(place)?.schema().or_default(record.values().get(place)?))
            }
            Value::Object(object) => {
                let shape = object.shape();
                let place = match &self.seen {
                    Some((Keys::Shape(seen), place)) if seen.same(shape) => *place,
                    _ => {
                        let place = shape.index_of(&self.name);
                        self.seen = Some((Keys::Shape(shape.clone()), place));
                        place
                    }
                }?;
                object.values().get(place)
            }
            Value::Map(entries) => {
                entries.iter().find(|(key, _)| key.as_str() == Some(&self.name)).map(|(_, item)| item)
            }
            _ => None,
        }
    }
}

impl FieldPath {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            whole: Step::new(text),
            steps: text.split('.').map(Step::new).collect(),
        }
    }

    /// The value at the path; `None` where there is no such field.
    pub(crate) fn get<'v>(&mut self, value: &'v Value) -> Option<&'v Value> {
        if self.steps.len() == 1 {
            return self.whole.get(value);
        }
        if let Some(found) = self.whole.get(value) {
            return Some(found);
        }
        let mut at = value;
        for step in &mut self.steps {
            at = step.get(at)?;
        }
        Some(at)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Object;

    use super::*;

    #[test]
    fn paths_go_through_objects_and_prefer_the_literal_name() {
        let inner = Object::from_entries([("b", Value::Int64(1))]);
        let value: Value = Object::from_entries([("a", Value::from(inner)), ("x.y", Value::Int64(2))]).into();
        assert_eq!(FieldPath::new("a.b").get(&value), Some(&Value::Int64(1)));
        assert_eq!(FieldPath::new("x.y").get(&value), Some(&Value::Int64(2)));
        assert_eq!(FieldPath::new("a.c").get(&value), None);
        assert_eq!(FieldPath::new("a.b.c").get(&value), None);
    }
}
