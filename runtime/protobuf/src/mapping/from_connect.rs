//! The Protobuf schema of a Connect schema.

use std::sync::Arc;

use lavka_api::data::{Schema, Str, Type};
use lavka_api::{Error, Result};

use super::names::{Names, map_entry, number};
use super::{is_union, logical_name, vocabulary, well_known};
use crate::schema::{
    Enum, Field, FieldType, File, Import, Label, MAX_DEPTH, Message, Scalar, Syntax, known_file,
};
use crate::settings::MappingSettings;

/// Schemas of more fields than this have no file: each message holds its own copy of those within it, so that a schema
/// which uses others again and again becomes larger by any factor.
const MAX_FIELDS: usize = 100_000;

/// What is registered for a Connect schema.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) file: Arc<File>,
    /// The text to register.
    pub(crate) text: Str,
    /// The full name of the record's message.
    pub(crate) message: String,
}

/// Makes the file that holds records of `schema`.
///
/// # Errors
/// Where `schema` is of a type that no message can stand for.
pub(crate) fn derive(schema: &Schema, settings: &MappingSettings) -> Result<Derived> {
    let names = Names::new(settings.scrub_invalid_names);
    let mut maker = Maker { settings, names, imports: Vec::new(), fields: 0 };
    let (package, name) = maker.names.split(schema.name().map(Str::as_str));
    if schema.ty() == Type::Struct {
        let message = maker.message(&name, schema, 0)?;
        let file = File {
            package: package.map(Str::from),
            syntax: Syntax::Proto3,
            imports: maker.imports,
            messages: vec![message],
            enums: Vec::new(),
        };
        let (text, message) = (file.to_text().into(), file.qualify(&name));
        return Ok(Derived { file: Arc::new(file), text, message });
    }
    let wrapper = match schema.ty() {
        _ if logical_name(schema).is_some() => None,
        Type::Int8 | Type::Int16 | Type::Int32 => Some("Int32Value"),
        Type::Int64 => Some("Int64Value"),
        Type::Float32 => Some("FloatValue"),
        Type::Float64 => Some("DoubleValue"),
        Type::Boolean => Some("BoolValue"),
        Type::String => Some("StringValue"),
        Type::Bytes => Some("BytesValue"),
        Type::Array | Type::Map | Type::Struct => None,
    };
    let Some(wrapper) = wrapper else {
        let shown = schema.name().map_or(schema.ty().name(), |name| name.as_str());
        return Err(Error::data(format!(
            "Unsupported root schema of type {shown}: Protobuf records are structs or plain primitive values"
        )));
    };
    let (file, text) = known_file(well_known::WRAPPERS)?;
    Ok(Derived { file, text: text.into(), message: format!("google.protobuf.{wrapper}") })
}

struct Maker<'s> {
    settings: &'s MappingSettings,
    names: Names,
    imports: Vec<Import>,
    /// Fields of all messages that were begun.
    fields: usize,
}

impl Maker<'_> {
    fn message(&mut self, name: &str, schema: &Schema, depth: usize) -> Result<Message> {
        if depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "The schema is nested deeper than {MAX_DEPTH} levels at {name}"
            )));
        }
        self.fields += 1 + schema.fields().len();
        if self.fields > MAX_FIELDS {
            return Err(Error::data(format!(
                "The schema has more than {MAX_FIELDS} fields, those of nested messages counted each time, at {name}"
            )));
        }
        let mut message = Message { name: name.into(), ..Message::default() };
        let mut next = 1;
        for field in schema.fields() {
            let number = self.number(field.schema(), field.name(), &mut next)?;
            let name = self.names.scrubbed(field.name());
            if is_union(field.schema()) {
                self.oneof(&mut message, field.schema(), &mut next, depth)?;
            } else {
                let made = self.field(&mut message, field.schema(), &name, number, false, depth)?;
                message.fields.push(made);
            }
        }
        Ok(message)
    }

    /// The number that the schema's parameter says, or the next one. As in the Java client those of parameters are not
    /// left out in counting.
    fn number(&self, schema: &Schema, field: &str, next: &mut i32) -> Result<i32> {
        match schema.parameter(vocabulary::TAG) {
            Some(tag) => number(tag, field),
            None => {
                let number = *next;
                *next = next.saturating_add(1);
                Ok(number)
            }
        }
    }

    fn oneof(&mut self, message: &mut Message, union: &Schema, next: &mut i32, depth: usize) -> Result<()> {
        let general =
            self.settings.generalized_sum_types.then(|| union.parameter(vocabulary::GENERAL_UNION)).flatten();
        let name = match (general, union.name()) {
            (Some(name), _) => name.to_string(),
            (None, Some(name)) => {
                let own = name.strip_prefix(vocabulary::UNION).and_then(|rest| rest.strip_prefix('.'));
                self.names.unqualified(Some(own.unwrap_or(name)))
            }
            (None, None) => self.names.unqualified(None),
        };
        let at = message.oneofs.len();
        message.oneofs.push(name.into());
        for field in union.fields() {
            let number = self.number(field.schema(), field.name(), next)?;
            let name = self.names.scrubbed(field.name());
            if is_union(field.schema()) || matches!(field.schema().ty(), Type::Array | Type::Map) {
                return Err(Error::data(format!(
                    "Field {} of union {} is of type {}, which a oneof cannot have",
                    field.name(),
                    message.oneofs.get(at).map_or("", Str::as_str),
                    field.schema().ty()
                )));
            }
            let mut made = self.field(message, field.schema(), &name, number, true, depth)?;
            made.oneof = Some(at);
            made.label = Label::None;
            message.fields.push(made);
        }
        Ok(())
    }

    fn field(
        &mut self,
        message: &mut Message,
        schema: &Schema,
        name: &str,
        number: i32,
        member: bool,
        depth: usize,
    ) -> Result<Field> {
        let label = match schema.ty() {
            Type::Array | Type::Map => Label::Repeated,
            _ if self.settings.optional_for_nullables && schema.is_optional() => Label::Optional,
            _ => Label::None,
        };
        let schema = match schema.ty() {
            Type::Array => schema.values().ok_or_else(|| no_inner(name))?,
            _ => schema,
        };
        let mut params = Vec::new();
        let ty = self.data_type(schema, name, member, &mut params)?;
        match schema.ty() {
            _ if logical_name(schema).is_some() => self.import(&ty),
            Type::Struct => {
                // A message inside one of its own name is taken for that one.
                let known = *message.name == *ty || message.messages.iter().any(|nested| *nested.name == *ty);
                if !known {
                    let nested = self.message(&ty, schema, depth + 1)?;
                    message.messages.push(nested);
                }
            }
            Type::Map => {
                let entry = self.entry(&ty, schema, depth + 1)?;
                message.messages.push(entry);
            }
            _ => match self.enumeration(schema)? {
                Some(made) if message.enums.iter().any(|known| known.name == made.name) => {}
                Some(made) => message.enums.push(made),
                None => self.import(&ty),
            },
        }
        let ty = Scalar::named(&ty).map_or_else(|| FieldType::Named(ty.into()), FieldType::Scalar);
        Ok(Field { name: name.into(), number, label, ty, oneof: None, packed: None, default: None, params })
    }

    fn entry(&mut self, name: &str, schema: &Schema, depth: usize) -> Result<Message> {
        if depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "The schema is nested deeper than {MAX_DEPTH} levels at {name}"
            )));
        }
        let mut message = Message { name: name.into(), ..Message::default() };
        for (field, number, inner) in [("key", 1, schema.keys()), ("value", 2, schema.values())] {
            let inner = inner.ok_or_else(|| no_inner(name))?;
            if is_union(inner) {
                return Err(Error::data(format!(
                    "The {field} of map {name} is a union, which is a field of messages only"
                )));
            }
            let mut made = self.field(&mut message, inner, field, number, false, depth)?;
            if made.label == Label::Optional {
                // The Java client has no `optional` in entries.
                made.label = Label::None;
            }
            message.fields.push(made);
        }
        Ok(message)
    }

    fn enumeration(&mut self, schema: &Schema) -> Result<Option<Enum>> {
        if schema.parameter(vocabulary::GENERAL_ENUM).is_none()
            && schema.parameter(vocabulary::ENUM).is_none()
        {
            return Ok(None);
        }
        let parameter =
            if self.settings.generalized_sum_types { vocabulary::GENERAL_ENUM } else { vocabulary::ENUM };
        let name = match schema.name() {
            Some(name) => self.names.unqualified(Some(name)),
            None => schema.parameter(parameter).map(ToString::to_string).unwrap_or_default(),
        };
        let mut values = Vec::new();
        for (key, value) in schema.parameters() {
            if let Some(symbol) = key.strip_prefix(parameter).and_then(|rest| rest.strip_prefix('.')) {
                values.push((symbol.into(), number(value, symbol)?));
            }
        }
        Ok(Some(Enum { name: name.into(), values }))
    }

    /// Imports the file of `ty`, where it has one.
    fn import(&mut self, ty: &str) {
        if let Some(path) = well_known::file_of(ty)
            && !self.imports.iter().any(|import| import.path == path)
        {
            self.imports.push(Import { path: path.into(), public: false });
        }
    }

    /// The name of the type of a field with `schema`.
    fn data_type(
        &mut self,
        schema: &Schema,
        field: &str,
        member: bool,
        params: &mut Vec<(Str, Str)>,
    ) -> Result<String> {
        if let Some(message) = logical_name(schema) {
            if message == well_known::DECIMAL {
                for (param, key) in [("precision", vocabulary::PRECISION), ("scale", "scale")] {
                    if let Some(value) = schema.parameter(key) {
                        params.push((param.into(), value.clone()));
                    }
                }
            }
            return Ok(message.to_owned());
        }
        let wrapped = is_wrapped(schema, member, self.settings);
        let plain = |wrapper: &str, ty: &str| {
            if wrapped { format!("google.protobuf.{wrapper}") } else { ty.to_owned() }
        };
        let own_type = schema.parameter(vocabulary::TYPE).map(Str::as_str);
        let enum_name = schema.parameter(vocabulary::ENUM);
        Ok(match schema.ty() {
            Type::Int8 | Type::Int16 => {
                let name = if schema.ty() == Type::Int8 { "int8" } else { "int16" };
                params.push((vocabulary::CONNECT_TYPE.into(), name.into()));
                plain("Int32Value", "int32")
            }
            Type::Int32 => match enum_name {
                Some(name) => name.to_string(),
                None => plain("Int32Value", own_type.unwrap_or("int32")),
            },
            Type::Int64 => match own_type.unwrap_or("int64") {
                ty @ ("uint32" | "fixed32") => plain("UInt32Value", ty),
                ty @ ("uint64" | "fixed64") => plain("UInt64Value", ty),
                ty => plain("Int64Value", ty),
            },
            Type::Float32 => plain("FloatValue", "float"),
            Type::Float64 => plain("DoubleValue", "double"),
            Type::Boolean => plain("BoolValue", "bool"),
            Type::String => match schema.parameter(vocabulary::GENERAL_ENUM).or(enum_name) {
                Some(name) => name.to_string(),
                None => plain("StringValue", "string"),
            },
            Type::Bytes => plain("BytesValue", "bytes"),
            Type::Array => return Err(Error::data(format!("Array cannot be nested: field {field}"))),
            Type::Map => map_entry(&self.names.unqualified(schema.name().map(Str::as_str))),
            Type::Struct => {
                let mut name = self.names.unqualified(schema.name().map(Str::as_str));
                if name == field {
                    // A message and a field beside it cannot have one name.
                    name.push_str("Message");
                }
                name
            }
        })
    }
}

/// Whether values of `schema` are in a wrapper message. A member of a union is not there at all where it is null, so it
/// is wrapped only where it was when it was read.
pub(crate) fn is_wrapped(schema: &Schema, member: bool, settings: &MappingSettings) -> bool {
    settings.wrapper_for_nullables
        && schema.is_optional()
        && (!member
            || schema
                .parameter(vocabulary::WRAPPER)
                .is_some_and(|marker| marker.eq_ignore_ascii_case("true")))
}

fn no_inner(place: &str) -> Error {
    Error::data(format!(
        "The array or map {place} has no schema for what is in it, which Protobuf cannot do without"
    ))
}
