//! A Connect schema as the text of a JSON schema, as Confluent's converter prints it.

use std::collections::HashSet;

use lavka_api::data::{Decimal, Logical, Schema, Str, Type};
use lavka_api::{Error, Result};
use lavka_converters::json::{GENERALIZED_UNION, ONE_OF, PayloadWriter};

use crate::config::JsonSchemaConfig;
use crate::java_order;

/// Parameters whose names begin so are the mapping's own, and are not written.
pub(crate) const NAMESPACE: &str = "io.confluent.connect.json";
/// The parameter of a schema that others refer to.
pub(crate) const ID: &str = "io.confluent.connect.json.Id";
/// The parameter of an enum; with a dot and a symbol behind it, of each symbol.
pub(crate) const ENUM: &str = "io.confluent.connect.json.Enum";
/// The same where sum types are generalised.
pub(crate) const GENERALIZED_ENUM: &str = "org.apache.kafka.connect.data.Enum";
/// The symbol of null.
pub(crate) const NULL_SYMBOL: &str = "<NULL>";

/// Deeper schemas have no values that could be written.
pub(crate) const MAX_DEPTH: usize = 200;

/// Larger texts are not made: no registry takes them. A schema that uses others again and again can be shorter by any
/// factor than its text, which says them each time.
const MAX_TEXT: usize = 16 << 20;

/// The text of `schema`.
///
/// # Errors
/// A data error for schemas that are nested too deep or whose text is larger than 16 MiB, and for defaults that are no
/// values of their schema.
pub(crate) fn text_of(schema: &Schema, config: &JsonSchemaConfig) -> Result<String> {
    let mut printer = Printer { config, ids: HashSet::new(), out: String::new() };
    match printer.schema(schema, &Place::default(), 0) {
        Err(_) if printer.out.len() > MAX_TEXT => {
            Err(Error::data(format!("{schema} as a JSON schema is larger than {MAX_TEXT} bytes")))
        }
        done => done.map(|()| printer.out),
    }
}

/// Where a schema stands.
#[derive(Default, Clone, Copy)]
struct Place {
    /// The number of the field (`connect.index`).
    index: Option<usize>,
    /// In a union, null is a case of its own.
    in_union: bool,
    /// Printed as if it were required: the null is written around it.
    required: bool,
}

struct Printer<'c> {
    config: &'c JsonSchemaConfig,
    /// Ids of the schemas that have been printed.
    ids: HashSet<Str>,
    out: String,
}

impl Printer<'_> {
    fn schema(&mut self, schema: &Schema, place: &Place, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::data(format!("The schema is nested deeper than {MAX_DEPTH} levels")));
        }
        if self.out.len() > MAX_TEXT {
            return Err(Error::data("a text that is too large"));
        }
        let id = schema.parameter(ID).cloned();
        if let Some(id) = &id {
            self.ids.insert(id.clone());
        }
        if is_union(schema) {
            return self.union(schema, place, id.as_ref(), depth);
        }
        if schema.is_optional() && !place.in_union && !place.required {
            self.out.push('{');
            self.member("id", id.as_ref());
            self.index(place.index);
            self.name("oneOf");
            self.out.push_str("[{\"type\":\"null\"},");
            // The index is on what stands around.
            let index = None;
            self.schema(schema, &Place { index, required: true, ..*place }, depth + 1)?;
            self.out.push_str("]}");
            return Ok(());
        }
        self.plain(schema, place, id.as_ref(), depth)
    }

    fn union(&mut self, schema: &Schema, place: &Place, id: Option<&Str>, depth: usize) -> Result<()> {
        self.out.push('{');
        self.member("id", id);
        self.index(place.index);
        self.name("oneOf");
        self.out.push('[');
        let optional = schema.is_optional() && !place.in_union;
        if optional {
            self.out.push_str("{\"type\":\"null\"}");
        }
        for (at, field) in schema.fields().iter().enumerate() {
            if at > 0 || optional {
                self.out.push(',');
            }
            let place = Place { index: Some(at), in_union: true, required: false };
            self.schema(field.schema(), &place, depth + 1)?;
        }
        self.out.push_str("]}");
        Ok(())
    }

    fn plain(&mut self, schema: &Schema, place: &Place, id: Option<&Str>, depth: usize) -> Result<()> {
        self.out.push('{');
        let symbols = self.symbols(schema);
        let mut connect_type = None;
        match schema.ty() {
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {
                self.member("type", Some("integer"));
                connect_type = Some(match schema.ty() {
                    Type::Int8 => "int8",
                    Type::Int16 => "int16",
                    Type::Int32 => "int32",
                    _ => "int64",
                });
            }
            Type::Float32 | Type::Float64 => {
                self.member("type", Some("number"));
                connect_type = Some(if schema.ty() == Type::Float32 { "float32" } else { "float64" });
            }
            // Java's printer has the type of this one behind everything else.
            Type::Boolean => {}
            Type::String => match symbols {
                Some(symbols) => self.symbol_list(&symbols),
                None => self.member("type", Some("string")),
            },
            Type::Bytes => {
                let is_decimal = schema.name().is_some_and(|name| *name == *Logical::DECIMAL);
                let is_number = is_decimal && self.config.is_numeric();
                self.member("type", Some(if is_number { "number" } else { "string" }));
                connect_type = Some("bytes");
            }
            Type::Array => self.member("type", Some("array")),
            Type::Map if has_text_keys(schema) => {
                self.member("type", Some("object"));
                connect_type = Some("map");
            }
            Type::Map => {
                self.member("type", Some("array"));
                connect_type = Some("map");
            }
            Type::Struct => {
                self.member("type", Some("object"));
                if !self.config.additional {
                    self.name("additionalProperties");
                    self.out.push_str("false");
                }
            }
        }
        self.annotations(schema, place, id, connect_type)?;
        self.inner(schema, depth)?;
        self.out.push('}');
        Ok(())
    }

    /// Title, description, default and the properties of Connect.
    fn annotations(
        &mut self,
        schema: &Schema,
        place: &Place,
        id: Option<&Str>,
        connect_type: Option<&str>,
    ) -> Result<()> {
        self.member("title", schema.name());
        self.member("description", schema.doc());
        if let Some(default) = schema.default_value() {
            let mut text = Vec::new();
            PayloadWriter::new(schema, self.config.write_options())?.write(default, &mut text)?;
            let invalid =
                |what: &dyn std::fmt::Display| Error::data(format!("Invalid default value: {what}"));
            let text = String::from_utf8(text).map_err(|error| invalid(&error))?;
            self.name("default");
            if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
                self.out.push_str(&printed_number(&text));
            } else {
                self.json(&serde_json::from_str(&text).map_err(|error| invalid(&error))?);
            }
        }
        // The id of what was optional is on the schema around it; of a struct, on both.
        if !place.required || schema.ty() == Type::Struct {
            self.member("id", id);
        }
        self.index(place.index);
        if let Some(version) = schema.version() {
            self.name("connect.version");
            self.out.push_str(&version.to_string());
        }
        self.member("connect.type", connect_type);
        let mut parameters: Vec<&(Str, Str)> =
            schema.parameters().iter().filter(|(name, _)| !name.starts_with(NAMESPACE)).collect();
        if !parameters.is_empty() {
            java_order::refilled(&mut parameters, |(name, _)| name);
            self.name("connect.parameters");
            self.out.push('{');
            for (name, value) in parameters {
                self.member(name, Some(value));
            }
            self.out.push('}');
        }
        Ok(())
    }

    /// Items and members.
    fn inner(&mut self, schema: &Schema, depth: usize) -> Result<()> {
        let lacking = || Error::data(format!("A schema of type {} lacks an inner schema", schema.ty()));
        match schema.ty() {
            Type::Boolean => self.member("type", Some("boolean")),
            Type::Array => {
                self.name("items");
                self.referable(schema.values().ok_or_else(lacking)?, &Place::default(), depth)?;
            }
            Type::Map if has_text_keys(schema) => {
                self.name("additionalProperties");
                self.schema(schema.values().ok_or_else(lacking)?, &Place::default(), depth + 1)?;
            }
            Type::Map => {
                let (keys, values) =
                    (schema.keys().ok_or_else(lacking)?, schema.values().ok_or_else(lacking)?);
                self.name("items");
                self.out.push_str("{\"type\":\"object\",\"properties\":{");
                self.name("value");
                self.schema(values, &Place { index: Some(1), ..Place::default() }, depth + 1)?;
                self.name("key");
                self.schema(keys, &Place { index: Some(0), ..Place::default() }, depth + 1)?;
                self.out.push_str("}}");
            }
            Type::Struct if !schema.fields().is_empty() => {
                let mut fields: Vec<(usize, &lavka_api::data::Field)> =
                    schema.fields().iter().enumerate().collect();
                java_order::copied(&mut fields, |(_, field)| field.name());
                self.name("properties");
                self.out.push('{');
                for (index, field) in fields {
                    self.name(field.name());
                    self.referable(field.schema(), &Place { index: Some(index), ..Place::default() }, depth)?;
                }
                self.out.push('}');
            }
            _ => {}
        }
        Ok(())
    }

    /// A schema, or a reference to it where it was printed before.
    fn referable(&mut self, schema: &Schema, place: &Place, depth: usize) -> Result<()> {
        match schema.parameter(ID).filter(|id| self.ids.contains(id.as_str())) {
            Some(id) => {
                let id = id.clone();
                self.out.push('{');
                self.member("$ref", Some(&id));
                self.out.push('}');
                Ok(())
            }
            None => self.schema(schema, place, depth + 1),
        }
    }

    /// The symbols of an enum; `None` for other schemas.
    fn symbols(&self, schema: &Schema) -> Option<Vec<Str>> {
        schema.parameter(ENUM).or_else(|| schema.parameter(GENERALIZED_ENUM))?;
        let wanted = if self.config.generalized { GENERALIZED_ENUM } else { ENUM };
        let symbol = |(name, _): &(Str, Str)| Some(Str::from(name.strip_prefix(wanted)?.strip_prefix('.')?));
        let mut symbols: Vec<Str> = schema.parameters().iter().filter_map(symbol).collect();
        java_order::added(&mut symbols, |symbol| symbol);
        Some(symbols)
    }

    fn symbol_list(&mut self, symbols: &[Str]) {
        self.name("enum");
        self.out.push('[');
        for (at, symbol) in symbols.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            if *symbol == NULL_SYMBOL {
                self.out.push_str("null");
            } else {
                self.quoted(symbol);
            }
        }
        self.out.push(']');
    }

    fn index(&mut self, index: Option<usize>) {
        if let Some(index) = index {
            self.name("connect.index");
            self.out.push_str(&index.to_string());
        }
    }

    /// A member, if there is one.
    fn member<T: AsRef<str> + ?Sized>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.name(name);
            self.quoted(value.as_ref());
        }
    }

    /// The name of a member, behind a comma unless it is the first.
    fn name(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.quoted(name);
        self.out.push(':');
    }

    fn quoted(&mut self, text: &str) {
        // A string can always be written.
        self.out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }

    /// A default, whose numbers and members are as org.json prints them.
    fn json(&mut self, json: &serde_json::Value) {
        match json {
            serde_json::Value::Number(number) => self.out.push_str(&printed_number(&number.to_string())),
            serde_json::Value::Array(items) => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                    }
                    self.json(item);
                }
                self.out.push(']');
            }
            serde_json::Value::Object(members) => {
                let mut members: Vec<(&String, &serde_json::Value)> = members.iter().collect();
                java_order::added(&mut members, |(name, _)| name);
                self.out.push('{');
                for (name, value) in members {
                    self.name(name);
                    self.json(value);
                }
                self.out.push('}');
            }
            other => self.out.push_str(&other.to_string()),
        }
    }
}

/// A number as org.json prints it (no zeros at the end of a fraction), after Jackson read it as a decimal.
fn printed_number(text: &str) -> String {
    if text.contains(['e', 'E']) {
        return Decimal::parse(text).map_or_else(|| text.to_owned(), |decimal| decimal.to_string());
    }
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(crate) fn is_union(schema: &Schema) -> bool {
    schema.ty() == Type::Struct
        && (schema.name().is_some_and(|name| *name == *ONE_OF)
            || schema.parameter(GENERALIZED_UNION).is_some())
}

fn has_text_keys(schema: &Schema) -> bool {
    schema.keys().is_some_and(|keys| keys.ty() == Type::String && !keys.is_optional())
}
