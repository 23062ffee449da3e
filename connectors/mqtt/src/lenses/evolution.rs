//! Schemas that keep the fields of earlier messages, as Lenses' `JsonConverterWithSchemaEvolution` is meant to.
//!
//! Lenses' class adds them to the schema's builder after the schema was built, so that they have no effect, and fails at
//! the first field that is new. Here they are kept: a struct has the fields of the messages before it in their order, then
//! its own, and a field that the message lacks is null.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::{Datum, Schema, Struct, Type, Value};

/// What the messages of a statement have had in them.
#[derive(Debug, Default)]
pub(crate) struct Evolution {
    seen: Option<Schema>,
    /// `seen` under the names of other topics.
    named: HashMap<String, Schema>,
}

/// Fields that are kept, at all levels together; a message beyond it begins anew.
const FIELDS: usize = 1000;
/// Names that are remembered.
const NAMES: usize = 1000;

impl Evolution {
    /// `datum` with the fields of those before it; what is no struct is handed back.
    ///
    /// # Errors
    /// None that a message can bring about.
    pub(crate) fn evolve(&mut self, datum: Datum) -> Result<Datum> {
        let Datum { schema: Some(own), value: Value::Struct(fields) } = datum else { return Ok(datum) };
        let value = Value::Struct(fields);
        let seen = match self.seen.take() {
            Some(seen) if covers(&seen, &own, &value) => seen,
            seen => {
                self.named.clear();
                let merged = merged(seen.as_ref(), &own, &value)?;
                if fields_of(&merged) > FIELDS { own.clone() } else { merged }
            }
        };
        self.seen = Some(seen.clone());
        let schema = self.under_name(seen, &own)?;
        let value = laid_out(&schema, value)?;
        Ok(Datum::new(schema, value))
    }

    /// `seen` with the name of `own`.
    fn under_name(&mut self, seen: Schema, own: &Schema) -> Result<Schema> {
        let Some(name) = own.name().filter(|name| seen.name() != Some(name)) else { return Ok(seen) };
        if let Some(known) = self.named.get(name.as_str()) {
            return Ok(known.clone());
        }
        let renamed = seen.to_builder().name(name.clone()).build()?;
        if self.named.len() >= NAMES {
            self.named.clear();
        }
        self.named.insert(name.to_string(), renamed.clone());
        Ok(renamed)
    }
}

/// Whether `value` of `own` can be laid out under `seen` as it is.
fn covers(seen: &Schema, own: &Schema, value: &Value) -> bool {
    match value {
        Value::Null => seen.is_optional(),
        Value::Struct(fields) if seen.ty() == Type::Struct => {
            let known = own.fields().iter().zip(fields.values()).all(|(field, value)| {
                seen.field(field.name()).is_some_and(|kept| covers(kept.schema(), field.schema(), value))
            });
            let mut others = seen.fields().iter().filter(|kept| own.field(kept.name()).is_none());
            known && others.all(|kept| kept.schema().is_optional())
        }
        _ => same_apart_from_null(seen, own),
    }
}

/// Whether values of `own` are values of `seen`, which may allow null where `own` does not.
fn same_apart_from_null(seen: &Schema, own: &Schema) -> bool {
    seen == own || (seen.is_optional() && !own.is_optional() && optional(own).is_ok_and(|own| *seen == own))
}

fn merged(seen: Option<&Schema>, own: &Schema, value: &Value) -> Result<Schema> {
    let Some(seen) = seen else { return Ok(own.clone()) };
    match value {
        Value::Null => optional(seen),
        Value::Struct(fields) if seen.ty() == Type::Struct => {
            let mut builder =
                Schema::structure().optional_if(seen.is_optional()).name_if(own.name().cloned());
            for kept in seen.fields() {
                let place = own.index_of(kept.name());
                let place = place.and_then(|place| own.fields().get(place).zip(fields.values().get(place)));
                let schema = match place {
                    Some((field, value)) => merged(Some(kept.schema()), field.schema(), value)?,
                    None => optional(kept.schema())?,
                };
                builder = builder.field(kept.name().clone(), schema);
            }
            for field in own.fields().iter().filter(|field| seen.field(field.name()).is_none()) {
                builder = builder.field(field.name().clone(), field.schema().clone());
            }
            builder.build()
        }
        _ if same_apart_from_null(seen, own) => Ok(seen.clone()),
        _ => Ok(own.clone()),
    }
}

fn optional(schema: &Schema) -> Result<Schema> {
    if schema.is_optional() { Ok(schema.clone()) } else { schema.to_builder().optional().build() }
}

fn fields_of(schema: &Schema) -> usize {
    schema.fields().iter().map(|field| 1 + fields_of(field.schema())).sum()
}

/// `value` in the order of `schema`'s fields, null where it has none.
fn laid_out(schema: &Schema, value: Value) -> Result<Value> {
    let Value::Struct(fields) = value else { return Ok(value) };
    if fields.schema().same(schema) {
        return Ok(Value::Struct(fields));
    }
    let own = fields.schema().clone();
    let mut given: Vec<Option<Value>> = fields.into_values().into_vec().into_iter().map(Some).collect();
    let values = schema.fields().iter().map(|field| {
        let place = own.index_of(field.name());
        let value = place.and_then(|place| given.get_mut(place)).and_then(Option::take);
        laid_out(field.schema(), value.unwrap_or(Value::Null))
    });
    let values: Vec<Value> = values.collect::<Result<_>>()?;
    Struct::new(schema.clone(), values).map(|fields| Value::Struct(Box::new(fields)))
}

#[cfg(test)]
mod tests {
    use lavka_converters::json::{JsonWriter, WriteOptions, parse};

    use super::super::json::{Rules, SchemaReader};
    use super::*;

    struct Stream(SchemaReader, Evolution);

    impl Stream {
        fn new() -> Self {
            Self(SchemaReader::new(Rules::EVOLVING), Evolution::default())
        }

        fn evolve(&mut self, topic: &str, json: &str) -> Datum {
            let own = self.0.read(topic, parse(json.as_bytes()).unwrap()).unwrap();
            self.1.evolve(own).unwrap()
        }

        fn shown(&mut self, topic: &str, json: &str) -> String {
            let datum = self.evolve(topic, json);
            lavka_api::data::validate(None, datum.schema.as_ref().unwrap(), &datum.value).unwrap();
            let mut out = Vec::new();
            let mut writer = JsonWriter::new(WriteOptions::default(), 10);
            writer.write(datum.schema.as_ref(), &datum.value, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        }
    }

    #[test]
    fn fields_stay_and_come() {
        let mut stream = Stream::new();
        for (json, expected) in [
            (r#"{"a":1,"at":{"x":1.5}}"#, r#"{"a":1,"at":{"x":1.5}}"#),
            (r#"{"b":true}"#, r#"{"a":null,"at":null,"b":true}"#),
            (r#"{"at":{"y":"n"},"a":2}"#, r#"{"a":2,"at":{"x":null,"y":"n"},"b":null}"#),
            (r#"{"a":null}"#, r#"{"a":null,"at":null,"b":null}"#),
            (r#"{"a":"text"}"#, r#"{"a":"text","at":null,"b":null}"#),
        ] {
            assert_eq!(stream.shown("t", json), expected, "{json}");
        }
        // What is no object has no fields, and takes none away.
        assert_eq!(stream.shown("t", "[1]"), "[1]");
        assert_eq!(stream.shown("t", r#"{"b":false}"#), r#"{"a":null,"at":null,"b":false}"#);
    }

    #[test]
    fn messages_without_anything_new_share_a_schema() {
        let mut stream = Stream::new();
        let schema = |datum: Datum| datum.schema.unwrap();
        let first = schema(stream.evolve("t", r#"{"a":1,"b":2}"#));
        assert_eq!(first.fields().len(), 2);
        let fewer = schema(stream.evolve("t", r#"{"b":1}"#));
        assert!(fewer.same(&first), "optional from the beginning, so that nothing changes");
        let other = schema(stream.evolve("u/v", r#"{"a":null}"#));
        assert_eq!(other.name().map(|name| name.as_str()), Some("u/v"));
        assert_eq!(other.fields(), first.fields());
        assert!(schema(stream.evolve("u/v", r#"{"b":3,"a":1}"#)).same(&other));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut stream = Stream::new();
        for number in 0..FIELDS + 10 {
            let datum = stream.evolve("t", &format!("{{\"member{number}\":1}}"));
            assert!(datum.schema.unwrap().fields().len() <= FIELDS);
        }
        let mut stream = Stream::new();
        for number in 0..NAMES + 10 {
            stream.evolve(&format!("t{number}"), "{}");
        }
        assert!(stream.1.named.len() <= NAMES);
    }
}
