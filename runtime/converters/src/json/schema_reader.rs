//! The `schema` part of an envelope, read once per text.

use lavka_api::data::{Schema, Str, Type};
use lavka_api::error::{ErrorClass, exception};
use lavka_api::{Error, Result};

use super::decoder::Decoder;
use super::dialect::Dialect;
use super::read_plan::ReadNode;
use super::reader::Reader;
use super::schema_writer::type_name;

/// The schema that `text` describes in the syntax of an envelope's `schema` part, as in a file or a configuration:
/// `{"type":"struct","fields":[{"field":"t","type":"double"}]}`.
///
/// # Errors
/// A data error with the text of Java's `JsonConverter`; for broken JSON its cause tells the place.
pub fn parse_schema(text: &str) -> Result<Schema> {
    Reader::of_text(text).skip(0)?;
    read_schema(text, &mut Decoder::new())
}

/// The schema that `text`, a JSON value without syntax errors, describes.
///
/// # Errors
/// A data error with the text of Java's `JsonConverter`.
pub(super) fn read_schema(text: &str, decoder: &mut Decoder) -> Result<Schema> {
    Description::read(&mut Reader::of_text(text), decoder, 0)?.schema
}

/// A schema and, where it is that of a struct's field, the field's name. What is wrong with the schema is found out
/// here but raised only by what needs it: Java ignores, for example, the items of anything that is not an array.
struct Description {
    field: Option<Str>,
    schema: Result<Schema>,
}

/// The members of a schema's description as they were found; unknown ones are ignored.
#[derive(Default)]
struct Members<'a> {
    ty: Option<Str>,
    optional: bool,
    name: Option<Str>,
    version: Option<i32>,
    doc: Option<Str>,
    parameters: Parameters,
    default: Option<&'a str>,
    items: Inner,
    keys: Inner,
    values: Inner,
    fields: Option<Vec<Description>>,
    field: Option<Str>,
}

/// An inner schema.
#[derive(Default)]
enum Inner {
    #[default]
    Missing,
    Null,
    Described(Result<Schema>),
}

#[derive(Default)]
enum Parameters {
    #[default]
    None,
    /// One of them is not a string.
    NotText,
    Some(Vec<(Str, Str)>),
}

impl Description {
    /// The description at the position. The outer error is one of syntax.
    fn read(reader: &mut Reader<'_>, decoder: &mut Decoder, depth: usize) -> Result<Self> {
        if reader.next() != b'{' {
            reader.skip(depth)?;
            return Ok(Self { field: None, schema: Err(missing_type()) });
        }
        reader.check_depth(depth)?;
        let mut members = Members::default();
        let mut more = !reader.open(b'}');
        while more {
            members.read_member(reader, decoder, depth + 1)?;
            more = reader.more(b'}')?;
        }
        let field = members.field.take();
        Ok(Self { field, schema: members.build(decoder) })
    }
}

impl<'a> Members<'a> {
    fn read_member(&mut self, reader: &mut Reader<'a>, decoder: &mut Decoder, depth: usize) -> Result<()> {
        let mut scratch = String::new();
        match reader.key(&mut scratch)? {
            "type" => self.ty = read_text(reader, depth)?,
            "optional" => {
                self.optional = reader.next() == b't';
                reader.skip(depth)?;
            }
            "name" => self.name = read_text(reader, depth)?,
            "version" => self.version = read_version(reader, depth)?,
            "doc" => self.doc = read_text(reader, depth)?,
            "parameters" => self.parameters = read_parameters(reader, depth)?,
            "default" => {
                reader.next();
                let start = reader.position();
                reader.skip(depth)?;
                self.default = Some(reader.text_since(start));
            }
            "items" => self.items = read_inner(reader, decoder, depth)?,
            "keys" => self.keys = read_inner(reader, decoder, depth)?,
            "values" => self.values = read_inner(reader, decoder, depth)?,
            "fields" => self.fields = read_fields(reader, decoder, depth)?,
            "field" => self.field = read_text(reader, depth)?,
            _ => reader.skip(depth)?,
        }
        Ok(())
    }

    fn build(self, decoder: &mut Decoder) -> Result<Schema> {
        let name = self.ty.ok_or_else(missing_type)?;
        let Some(ty) = Type::ALL.into_iter().find(|&ty| name == type_name(ty)) else {
            return Err(Error::data(format!("Unknown schema type: {name}")));
        };
        let mut builder = Schema::builder(ty).optional_if(self.optional);
        match ty {
            Type::Array => match self.items {
                Inner::Described(items) => builder = builder.values(items?),
                _ => return Err(Error::data("Array schema did not specify the element type")),
            },
            Type::Map => {
                let unspecified = |what| Error::data(format!("Map schema did not specify the {what} type"));
                match (&self.keys, &self.values) {
                    (Inner::Missing, _) => return Err(unspecified("key")),
                    (_, Inner::Missing) => return Err(unspecified("value")),
                    _ => {}
                }
                builder = builder.keys(self.keys.required("keySchema")?);
                builder = builder.values(self.values.required("valueSchema")?);
            }
            Type::Struct => {
                let Some(fields) = self.fields else {
                    return Err(Error::data("Struct schema's \"fields\" argument is not an array."));
                };
                for field in fields {
                    let Some(name) = field.field else {
                        return Err(Error::data("Struct schema's field name not specified properly"));
                    };
                    builder = builder.field(name, field.schema?);
                }
            }
            _ => {}
        }
        builder = builder.name_if(self.name.clone()).version(self.version).doc_if(self.doc.clone());
        let mut is_plain = self.name.is_none() && self.version.is_none() && self.doc.is_none();
        match self.parameters {
            Parameters::None => {}
            Parameters::NotText => return Err(Error::data("Schema parameters must have string values.")),
            Parameters::Some(parameters) => {
                for (key, value) in parameters {
                    is_plain = false;
                    builder = builder.parameter(key, value);
                }
            }
        }
        let schema = match (is_plain && ty.is_primitive(), self.optional) {
            (true, false) => Schema::of(ty),
            (true, true) => Schema::optional(ty),
            (false, _) => builder.build()?,
        };
        match self.default {
            None => Ok(schema),
            Some(text) => {
                let default = ReadNode::compile(&schema, true, Dialect::JsonConverter, 0)?
                    .read_default(text, decoder)?;
                if default.is_none() {
                    Ok(schema)
                } else {
                    schema.to_builder().default_value(default).build()
                }
            }
        }
    }
}

impl Inner {
    fn required(self, what: &str) -> Result<Schema> {
        match self {
            Inner::Described(schema) => schema,
            Inner::Missing | Inner::Null => Err(Error::new(
                ErrorClass::Data,
                exception::SCHEMA_BUILDER,
                format!("{what} cannot be null."),
            )),
        }
    }
}

fn read_inner(reader: &mut Reader<'_>, decoder: &mut Decoder, depth: usize) -> Result<Inner> {
    if reader.next() == b'n' {
        reader.literal("null")?;
        return Ok(Inner::Null);
    }
    Ok(Inner::Described(Description::read(reader, decoder, depth)?.schema))
}

/// The fields of a struct; `None` for anything but an array.
fn read_fields(
    reader: &mut Reader<'_>,
    decoder: &mut Decoder,
    depth: usize,
) -> Result<Option<Vec<Description>>> {
    if reader.next() != b'[' {
        reader.skip(depth)?;
        return Ok(None);
    }
    reader.check_depth(depth)?;
    let mut fields = Vec::new();
    let mut more = !reader.open(b']');
    while more {
        fields.push(Description::read(reader, decoder, depth + 1)?);
        more = reader.more(b']')?;
    }
    Ok(Some(fields))
}

/// A text; `None` for anything else.
fn read_text(reader: &mut Reader<'_>, depth: usize) -> Result<Option<Str>> {
    if reader.next() != b'"' {
        reader.skip(depth)?;
        return Ok(None);
    }
    Ok(Some(Str::from(reader.string(&mut String::new())?)))
}

/// An integer, cut to 32 bits; `None` for anything else.
fn read_version(reader: &mut Reader<'_>, depth: usize) -> Result<Option<i32>> {
    if !matches!(reader.next(), b'-' | b'0'..=b'9') {
        reader.skip(depth)?;
        return Ok(None);
    }
    let number = reader.number()?;
    Ok(number.is_integral().then(|| number.to_i64() as i32))
}

fn read_parameters(reader: &mut Reader<'_>, depth: usize) -> Result<Parameters> {
    if reader.next() != b'{' {
        reader.skip(depth)?;
        return Ok(Parameters::None);
    }
    reader.check_depth(depth)?;
    let mut parameters = Some(Vec::new());
    let mut more = !reader.open(b'}');
    while more {
        let key = Str::from(reader.key(&mut String::new())?);
        match (read_text(reader, depth + 1)?, &mut parameters) {
            (Some(value), Some(parameters)) => parameters.push((key, value)),
            _ => parameters = None,
        }
        more = reader.more(b'}')?;
    }
    Ok(parameters.map_or(Parameters::NotText, Parameters::Some))
}

#[cold]
fn missing_type() -> Error {
    Error::data("Schema must contain 'type' field")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::schema_text;

    #[test]
    fn a_schema_s_text_gives_the_schema_back() {
        let text = r#"{"type":"struct","fields":[{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"array","items":{"type":"bytes","optional":true},"optional":false},"optional":false,"field":"é\""},{"type":"int16","optional":true,"doc":"d","default":-7,"field":"b"}],"optional":true,"name":"n","version":3,"parameters":{"z":"1","a":"2"}}"#;
        let schema = parse_schema(text).unwrap();
        assert_eq!(schema_text(&schema).unwrap(), text);
        assert_eq!(parse_schema(&format!(" {text} ")).unwrap(), schema);
        for (text, message) in
            [("{\"type\":", super::super::reader::UNREADABLE), ("null", "Schema must contain 'type' field")]
        {
            assert_eq!(parse_schema(text).unwrap_err().message(), Some(message));
        }
    }
}
