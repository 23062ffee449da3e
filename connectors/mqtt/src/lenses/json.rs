//! JSON as Lenses' converters have it: structs whose schemas are read off each message.

use std::collections::HashMap;

use lavka_api::data::{Datum, Field, Object, Schema, Shape, Struct, Type, Value};
use lavka_api::{Error, Result};

/// In what the converters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether scalars that are there are required.
    required: bool,
    /// Whether slashes stay in the names of schemas.
    slashes: bool,
}

impl Rules {
    /// Of `JsonSimpleConverter`.
    pub(crate) const SIMPLE: Self = Self { required: false, slashes: false };
    /// Of `JsonOptNullConverter`.
    pub(crate) const OPT_NULL: Self = Self { required: true, slashes: false };
    /// Of `JsonConverterWithSchemaEvolution`.
    pub(crate) const EVOLVING: Self = Self { required: false, slashes: true };
}

/// Makes structs of schemaless values. Messages of one topic with the same members of the same types share a schema.
#[derive(Debug)]
pub(crate) struct SchemaReader {
    rules: Rules,
    /// Schemas of structs, by name and by what their fields are, up to a limit.
    known: HashMap<(String, Vec<(String, Schema)>), Schema>,
}

/// Schemas that are remembered; beyond it they are forgotten and made anew.
const KNOWN: usize = 1000;
/// Fields of the largest schema that is remembered, at all levels, and bytes of their names. One that is larger is made
/// anew for each message: devices that send what nobody else does would otherwise fill memory.
const REMEMBERED_FIELDS: usize = 200;
const REMEMBERED_NAMES: usize = 16 * 1024;

/// Whether a schema is to be remembered.
fn is_small(schema: &Schema) -> bool {
    let (mut fields, mut names) = (0, 0_usize);
    let mut rest = vec![schema];
    while let Some(schema) = rest.pop() {
        fields += schema.fields().len();
        names += schema.fields().iter().map(|field| field.name().len()).sum::<usize>();
        if fields > REMEMBERED_FIELDS || names > REMEMBERED_NAMES {
            return false;
        }
        rest.extend(schema.fields().iter().map(Field::schema).chain(schema.values()));
    }
    true
}

impl SchemaReader {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, known: HashMap::new() }
    }

    /// `value` with its schema; `name` is the topic, which names the schema of an object.
    ///
    /// # Errors
    /// A data error for an empty array, whose schema nothing tells, or for values of different types in one array.
    pub(crate) fn read(&mut self, name: &str, value: Value) -> Result<Datum> {
        let scalar = |ty: Type| if self.rules.required { Schema::of(ty) } else { Schema::optional(ty) };
        Ok(match value {
            Value::Null => Datum::new(Schema::optional(Type::String), Value::Null),
            Value::Boolean(_) => Datum::new(scalar(Type::Boolean), value),
            Value::Int64(_) => Datum::new(scalar(Type::Int64), value),
            Value::Float64(_) => Datum::new(scalar(Type::Float64), value),
            Value::String(_) => Datum::new(scalar(Type::String), value),
            Value::Array(elements) => self.array(name, elements)?,
            Value::Object(object) => self.object(name, *object)?,
            other => return Err(Error::data(format!("{other:?} does not come in JSON"))),
        })
    }

    /// The first element tells the type of all.
    fn array(&mut self, name: &str, elements: Box<[Value]>) -> Result<Datum> {
        let mut schema: Option<Schema> = None;
        let mut values = Vec::with_capacity(elements.len());
        for element in elements.into_vec() {
            let element = self.read(name, element)?;
            let fits = match &schema {
                None => true,
                Some(first) if element.value.is_null() => first.is_optional(),
                Some(_) => schema == element.schema,
            };
            if !fits {
                return Err(Error::data(format!(
                    "the elements of an array in {name} are of different types"
                )));
            }
            schema = schema.or(element.schema);
            values.push(element.value);
        }
        let Some(element) = schema else {
            return Err(Error::data(format!(
                "an empty array in {name} does not tell the type of its elements"
            )));
        };
        let schema = Schema::array(element).to_builder().optional().build()?;
        Ok(Datum::new(schema, values))
    }

    fn object(&mut self, name: &str, object: Object) -> Result<Datum> {
        let (shape, members): (Shape, Box<[Value]>) = object.into_parts();
        let mut fields = Vec::with_capacity(members.len());
        let mut values = Vec::with_capacity(members.len());
        for (member, value) in shape.keys().iter().zip(members.into_vec()) {
            let datum = self.read(member, value)?;
            fields.push((member.to_string(), datum.schema.unwrap_or_else(|| Schema::optional(Type::String))));
            values.push(datum.value);
        }
        let name = if self.rules.slashes { name.to_owned() } else { name.replace('/', "_") };
        let schema = self.structure(name, fields)?;
        Ok(Datum::new(schema.clone(), Struct::new(schema, values)?))
    }

    fn structure(&mut self, name: String, fields: Vec<(String, Schema)>) -> Result<Schema> {
        let key = (name, fields);
        if let Some(schema) = self.known.get(&key) {
            return Ok(schema.clone());
        }
        let builder = Schema::structure().name(key.0.as_str());
        let fields = key.1.iter();
        let schema =
            fields.fold(builder, |builder, (name, schema)| builder.field(name, schema.clone())).build()?;
        if is_small(&schema) {
            if self.known.len() >= KNOWN {
                self.known.clear();
            }
            self.known.insert(key, schema.clone());
        }
        Ok(schema)
    }
}

#[cfg(test)]
mod tests {
    use lavka_converters::json::parse;

    use super::*;

    fn read(reader: &mut SchemaReader, json: &str) -> Result<Datum> {
        reader.read("/sensors/1", parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn schemas_are_read_off_the_message() {
        let mut reader = SchemaReader::new(Rules::SIMPLE);
        let json = r#"{"id":7,"t":21.5,"ok":true,"name":"x","none":null,"list":[1,2],"at":{"lat":50.1}}"#;
        let datum = read(&mut reader, json).unwrap();
        let schema = datum.schema.unwrap();
        assert_eq!(schema.name().map(|name| name.as_str()), Some("_sensors_1"));
        assert!(!schema.is_optional());
        let of = |field: &str| schema.field(field).unwrap().schema().clone();
        for (field, ty) in [
            ("id", Type::Int64),
            ("t", Type::Float64),
            ("ok", Type::Boolean),
            ("name", Type::String),
            ("none", Type::String),
            ("list", Type::Array),
        ] {
            assert_eq!((of(field).ty(), of(field).is_optional()), (ty, true), "{field}");
        }
        assert_eq!(of("at").name().map(|name| name.as_str()), Some("at"));
        assert_eq!(of("list").values().map(Schema::ty), Some(Type::Int64));
        let again = read(&mut reader, json).unwrap().schema.unwrap();
        assert!(again.same(&schema));
    }

    #[test]
    fn values_that_are_no_objects() {
        let mut reader = SchemaReader::new(Rules::SIMPLE);
        assert_eq!(read(&mut reader, "21").unwrap(), Datum::new(Schema::optional(Type::Int64), 21i64));
        assert_eq!(read(&mut reader, "null").unwrap().value, Value::Null);
        for (json, part) in [("[]", "an empty array"), (r#"{"a":[1,"x"]}"#, "different types")] {
            let error = read(&mut reader, json).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{error}");
        }
    }

    #[test]
    fn rules() {
        let mut reader = SchemaReader::new(Rules::OPT_NULL);
        let schema = read(&mut reader, r#"{"a":1,"n":null,"l":[true]}"#).unwrap().schema.unwrap();
        let of = |field: &str| schema.field(field).unwrap().schema().clone();
        assert_eq!(of("a"), Schema::of(Type::Int64));
        assert_eq!(of("n"), Schema::optional(Type::String));
        assert_eq!(
            (of("l").is_optional(), of("l").values().cloned()),
            (true, Some(Schema::of(Type::Boolean)))
        );
        // The first element is required, so another cannot be null.
        assert!(read(&mut reader, r#"{"l":[1,null]}"#).is_err());
        assert!(read(&mut SchemaReader::new(Rules::SIMPLE), r#"{"l":[1,null]}"#).is_ok());
        let schema = read(&mut SchemaReader::new(Rules::EVOLVING), "{}").unwrap().schema.unwrap();
        assert_eq!(schema.name().map(|name| name.as_str()), Some("/sensors/1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut reader = SchemaReader::new(Rules::SIMPLE);
        for number in 0..KNOWN + 5 {
            read(&mut reader, &format!("{{\"member{number}\":1}}")).unwrap();
        }
        assert!(reader.known.len() <= KNOWN);

        let mut reader = SchemaReader::new(Rules::SIMPLE);
        let members = |count: usize| (0..count).map(|n| format!("\"m{n}\":1")).collect::<Vec<_>>().join(",");
        for (json, remembered) in [
            (format!("{{{}}}", members(REMEMBERED_FIELDS)), 1),
            (format!("{{{}}}", members(REMEMBERED_FIELDS + 1)), 1),
            (format!("{{\"{}\":1}}", "m".repeat(REMEMBERED_NAMES + 1)), 1),
            (format!("{{\"inner\":{{{}}}}}", members(REMEMBERED_FIELDS + 1)), 1),
            (format!("{{\"inner\":[{{{}}}]}}", members(REMEMBERED_FIELDS + 1)), 1),
        ] {
            assert!(read(&mut reader, &json).is_ok());
            assert_eq!(reader.known.len(), remembered);
        }
    }
}
