//! Where Confluent's `JsonSchemaConverter` writes and reads data otherwise than `JsonConverter` does.

use lavka_api::Result;
use lavka_api::data::{Schema, Type, Value};

use super::decoder::JsonReader;
use super::envelope::read_payload_alone;
use super::read_plan::ReadNode;
use super::write_plan::{WriteNode, WriteOptions};

/// The rules in which converters of JSON differ.
///
/// | | `JsonConverter` | `JsonSchemaConverter` |
/// | --- | --- | --- |
/// | null where the schema does not allow it | an error | left out of a struct, null elsewhere |
/// | member of a struct that is missing | as null | the default or null, whatever the schema says |
/// | map whose keys are no (required) strings | pairs `[k,v]` | objects `{"key":k,"value":v}` |
/// | struct that stands for a union | a struct | the one field that is not null |
/// | `NaN`, infinities read for a float | 0 | what they say |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    JsonConverter,
    JsonSchema,
}

/// The name of a struct schema that stands for a union.
pub const ONE_OF: &str = "io.confluent.connect.json.OneOf";

/// The parameter of a struct schema that stands for a union, where sum types are generalised.
pub const GENERALIZED_UNION: &str = "org.apache.kafka.connect.data.Union";

impl Dialect {
    /// Whether values of `schema` are those of one of its fields.
    pub(super) fn is_union(self, schema: &Schema) -> bool {
        self == Self::JsonSchema
            && schema.ty() == Type::Struct
            && (schema.name().is_some_and(|name| *name == *ONE_OF)
                || schema.parameter(GENERALIZED_UNION).is_some())
    }

    /// Whether maps of `schema` are objects.
    pub(super) fn has_text_keys(self, schema: &Schema) -> bool {
        schema.keys().is_some_and(|keys| {
            keys.ty() == Type::String && !(self == Self::JsonSchema && keys.is_optional())
        })
    }
}

/// Writes values of one schema as `JsonSchemaConverter` does: the schema compiled once.
pub struct PayloadWriter(WriteNode);

impl PayloadWriter {
    /// A writer of values of `schema`.
    ///
    /// # Errors
    /// Where it is nested too deep for its values to be written.
    pub fn new(schema: &Schema, options: WriteOptions) -> Result<Self> {
        WriteNode::compile(schema, options, Dialect::JsonSchema, 0).map(Self)
    }

    /// Whether [`write`](Self::write) writes anything for `value`.
    #[inline]
    #[must_use]
    pub fn writes(&self, value: &Value) -> bool {
        !self.0.is_absent(value)
    }

    /// Appends `value`; false where it is a null that the schema does not allow, with nothing appended: null bytes.
    ///
    /// # Errors
    /// Where the value does not fit the schema; `out` then holds a part, which the caller cuts off.
    pub fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<bool> {
        if self.0.is_absent(value) {
            return Ok(false);
        }
        self.0.write(value, out, 0)?;
        Ok(true)
    }
}

/// Reads values of one schema as `JsonSchemaConverter` does: the schema compiled once.
pub struct PayloadReader(ReadNode);

impl PayloadReader {
    /// A reader of values of `schema`.
    ///
    /// # Errors
    /// Where it is nested too deep for any document to have values of it.
    pub fn new(schema: &Schema) -> Result<Self> {
        ReadNode::compile(schema, true, Dialect::JsonSchema, 0).map(Self)
    }

    /// The schema of what is read.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.0.schema()
    }

    /// The first value of `document`; `reader` lends its scratch space.
    ///
    /// # Errors
    /// A data error where the document is not JSON, or not of the schema.
    pub fn read(&self, document: &[u8], reader: &mut JsonReader) -> Result<Value> {
        read_payload_alone(&self.0, document, reader.decoder())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::Struct;

    fn written(schema: &Schema, value: &Value) -> Option<String> {
        let mut out = Vec::new();
        let wrote =
            PayloadWriter::new(schema, WriteOptions::default()).unwrap().write(value, &mut out).unwrap();
        wrote.then(|| String::from_utf8(out).unwrap())
    }

    fn read(schema: &Schema, document: &str) -> Result<Value> {
        PayloadReader::new(schema).unwrap().read(document.as_bytes(), &mut JsonReader::new())
    }

    fn union(fields: &[Schema]) -> Schema {
        let mut builder = Schema::structure().name(ONE_OF);
        for (at, field) in fields.iter().enumerate() {
            builder = builder.field(format!("{ONE_OF}.field.{at}"), field.clone());
        }
        builder.build().unwrap()
    }

    #[test]
    fn nulls_that_are_not_allowed_are_left_out() {
        let schema = Schema::structure()
            .field("a", Schema::of(Type::Int32))
            .field("b", Schema::optional(Type::Int32))
            .field("c", Schema::of(Type::Int32))
            .build()
            .unwrap();
        for (values, text) in [
            ([Value::Null, Value::Null, Value::Null], r#"{"b":null}"#),
            ([Value::Null, Value::Int32(1), Value::Int32(2)], r#"{"b":1,"c":2}"#),
            ([Value::Int32(0), Value::Int32(1), Value::Null], r#"{"a":0,"b":1}"#),
        ] {
            let value = Value::from(Struct::new(schema.clone(), values).unwrap());
            assert_eq!(written(&schema, &value).as_deref(), Some(text));
            assert_eq!(read(&schema, text).unwrap(), value);
        }
        assert_eq!(written(&schema, &Value::Null), None);
        assert_eq!(written(&Schema::optional(Type::Int32), &Value::Null).as_deref(), Some("null"));
        assert!(read(&schema, r#"{"a":null}"#).is_err());
    }

    #[test]
    fn maps_without_text_keys_are_arrays_of_objects() {
        let schema = Schema::map(Schema::optional(Type::String), Schema::of(Type::Int64));
        let value = Value::Map([("a".into(), Value::Int64(1)), (Value::Null, Value::Int64(2))].into());
        let text = r#"[{"key":"a","value":1},{"key":null,"value":2}]"#;
        assert_eq!(written(&schema, &value).as_deref(), Some(text));
        assert_eq!(read(&schema, text).unwrap(), value);
        assert_eq!(read(&schema, r#"[{"value":1,"key":"a"}, {"value":2,"key":null}]"#).unwrap(), value);
        for wrong in [r#"[["a",1]]"#, r#"[{"key":"a"}]"#, r#"[{"key":"a","value":1,"x":2}]"#, "{}"] {
            assert!(read(&schema, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn unions_are_the_field_that_is_set() {
        let of = |name: &str| {
            Schema::structure().field(name, Schema::optional(Type::String)).optional().build().unwrap()
        };
        let (a, b) = (of("a"), of("b"));
        let optional = [Type::Int64, Type::String].map(Schema::optional);
        let schema = union(&[optional[0].clone(), optional[1].clone(), a.clone(), b.clone()]);
        let inner = |schema: &Schema| Value::from(Struct::new(schema.clone(), ["x".into()]).unwrap());
        for (at, value, text) in [
            (0, Value::Int64(7), "7"),
            (1, "t".into(), "\"t\""),
            (2, inner(&a), r#"{"a":"x"}"#),
            (3, inner(&b), r#"{"b":"x"}"#),
        ] {
            let mut values = vec![Value::Null; 4];
            values[at] = value;
            let value = Value::from(Struct::new(schema.clone(), values).unwrap());
            assert_eq!(written(&schema, &value).as_deref(), Some(text));
            assert_eq!(read(&schema, text).unwrap(), value);
        }
        for wrong in ["true", "1.5", "[]", "{}", r#"{"c":1}"#] {
            assert!(read(&schema, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn floats_that_json_has_no_number_for_come_back() {
        let schema = Schema::of(Type::Float64);
        for (value, texts) in [
            (f64::NAN, ["\"NaN\"", "NaN"]),
            (f64::INFINITY, ["\"Infinity\"", "Infinity"]),
            (f64::NEG_INFINITY, ["\"-Infinity\"", "-Infinity"]),
        ] {
            assert_eq!(written(&schema, &Value::Float64(value)).as_deref(), Some(texts[0]));
            for text in texts {
                let Value::Float64(back) = read(&schema, text).unwrap() else { panic!("no double") };
                assert!(back == value || (back.is_nan() && value.is_nan()), "{text}");
            }
        }
        assert_eq!(read(&schema, "-1.5").unwrap(), Value::Float64(-1.5));
        assert_eq!(read(&schema, "\"1.5\"").unwrap(), Value::Float64(0.0));
    }
}
