//! A Connect schema and its message to writers.

use lavka_api::data::{Schema, Str, Type, Value};
use lavka_api::{Error, Result};

use super::Root;
use super::message::{EntryWriter, FieldWriter, InnerWriter, MessageWriter, ValueWriter};
use super::scalar::{Form, ScalarWriter, Tag, wire_of};
use crate::mapping::{Derived, Names, is_union, is_wrapped, logical_name, vocabulary, well_known, wrapped};
use crate::schema::{FieldDescriptor, Kind, MAX_DEPTH, MessageDescriptor, Pool, Scalar};
use crate::settings::MappingSettings;
use crate::wire::WireType;

pub(super) fn root(
    schema: &Schema,
    derived: &Derived,
    pool: &Pool,
    settings: &MappingSettings,
) -> Result<Root> {
    if let Some(scalar) = wrapped(&derived.message).filter(|_| schema.ty() != Type::Struct) {
        return Ok(Root::Wrapped(wrapper_field(scalar, schema.ty())));
    }
    let compiler = Compiler { pool, settings, names: Names::new(settings.scrub_invalid_names) };
    let message = pool
        .message_named(&derived.message)
        .ok_or_else(|| Error::data(format!("Invalid message name: {}", derived.message)))?;
    compiler.message(schema, message, 0).map(Root::Message)
}

/// The one field of a wrapper message. It has no presence.
fn wrapper_field(scalar: Scalar, ty: Type) -> ScalarWriter {
    ScalarWriter { tag: Tag::new(1, wire_of(scalar)), form: Form::Plain(scalar), explicit: false, ty }
}

struct Compiler<'c> {
    pool: &'c Pool,
    settings: &'c MappingSettings,
    names: Names,
}

impl Compiler<'_> {
    fn message(&self, schema: &Schema, message: usize, depth: usize) -> Result<MessageWriter> {
        let descriptor = self.descriptor(message)?;
        if depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "The schema is nested deeper than {MAX_DEPTH} levels at {}",
                descriptor.full_name
            )));
        }
        let mut fields = Vec::new();
        for (slot, field) in schema.fields().iter().enumerate() {
            if is_union(field.schema()) {
                for (member, inner) in field.schema().fields().iter().enumerate() {
                    let found = self.find(descriptor, inner.name())?;
                    let writer = self.value(inner.schema(), found, true, depth)?;
                    // That there is a default says that defaults count; which one is asked of the member.
                    let default = (!self.settings.ignore_default_for_nullables).then_some(Value::Null);
                    fields.push((found.number, FieldWriter { slot, member: Some(member), default, writer }));
                }
                if field.schema().fields().is_empty() {
                    let writer = ValueWriter::Nothing;
                    fields.push((0, FieldWriter { slot, member: None, default: None, writer }));
                }
            } else {
                let found = self.find(descriptor, field.name())?;
                let writer = self.value(field.schema(), found, false, depth)?;
                let default = field
                    .schema()
                    .default_value()
                    .filter(|default| !default.is_null() && !self.settings.ignore_default_for_nullables);
                fields.push((
                    found.number,
                    FieldWriter { slot, member: None, default: default.cloned(), writer },
                ));
            }
        }
        fields.sort_by_key(|(number, _)| *number);
        let fields = fields.into_iter().map(|(_, field)| field).collect();
        Ok(MessageWriter { schema: schema.clone(), fields })
    }

    fn descriptor(&self, message: usize) -> Result<&MessageDescriptor> {
        self.pool.message(message).ok_or_else(|| Error::data("Invalid message name"))
    }

    fn find<'d>(&self, message: &'d MessageDescriptor, name: &str) -> Result<&'d FieldDescriptor> {
        let name = self.names.scrubbed(name);
        message.fields.iter().find(|field| *field.name == *name).ok_or_else(|| {
            Error::data(format!("Cannot find field with name {name} in message {}", message.full_name))
        })
    }

    fn value(
        &self,
        schema: &Schema,
        field: &FieldDescriptor,
        member: bool,
        depth: usize,
    ) -> Result<ValueWriter> {
        if schema.ty() == Type::Array {
            let items = schema.values().ok_or_else(|| mismatch(field, schema))?;
            return Ok(match self.single(items, field, member, true, depth)? {
                ValueWriter::Scalar(writer) if field.packed => {
                    ValueWriter::Packed(Tag::new(field.number, WireType::Bytes), Box::new(writer))
                }
                writer @ (ValueWriter::Scalar(_) | ValueWriter::Message(..)) => {
                    ValueWriter::List(Box::new(writer))
                }
                _ => return Err(Error::data(format!("Array cannot be nested: field {}", field.name))),
            });
        }
        self.single(schema, field, member, field.presence, depth)
    }

    fn single(
        &self,
        schema: &Schema,
        field: &FieldDescriptor,
        member: bool,
        explicit: bool,
        depth: usize,
    ) -> Result<ValueWriter> {
        let form = match (schema.ty(), field.kind) {
            (Type::Struct, Kind::Message(message)) => {
                let tag = Tag::new(field.number, WireType::Bytes);
                return Ok(ValueWriter::Message(tag, Box::new(self.message(schema, message, depth + 1)?)));
            }
            (Type::Map, Kind::Message(message)) => return self.map(schema, field, message, depth + 1),
            (ty, Kind::Message(message)) => self.well_known(schema, ty, message, member, field)?,
            (Type::String, Kind::Enum(_)) => Form::Symbols(self.symbols(schema)),
            // Enums of proto3 hold any number.
            (_, Kind::Enum(_)) => Form::Plain(Scalar::Int32),
            (_, Kind::Scalar(scalar)) => Form::Plain(scalar),
            (_, Kind::Group(_)) => return Err(mismatch(field, schema)),
        };
        let tag = Tag::new(field.number, form.wire());
        Ok(ValueWriter::Scalar(ScalarWriter { tag, form, explicit, ty: schema.ty() }))
    }

    /// A message that stands for a value that is no struct.
    fn well_known(
        &self,
        schema: &Schema,
        ty: Type,
        message: usize,
        member: bool,
        field: &FieldDescriptor,
    ) -> Result<Form> {
        let name = &self.descriptor(message)?.full_name;
        match logical_name(schema) {
            Some(well_known::DECIMAL) => return Ok(Form::Decimal),
            Some(well_known::DATE) => return Ok(Form::Date),
            Some(well_known::TIME) => return Ok(Form::Time),
            Some(well_known::TIMESTAMP) => return Ok(Form::Timestamp),
            _ => {}
        }
        match wrapped(name).filter(|_| is_wrapped(schema, member, self.settings)) {
            // The Java client puts a signed wrapper in the place of an unsigned one.
            Some(Scalar::UInt32) => Ok(Form::Wrapper(Box::new(wrapper_field(Scalar::Int32, ty)))),
            Some(scalar) => Ok(Form::Wrapper(Box::new(wrapper_field(scalar, ty)))),
            None => Err(mismatch(field, schema)),
        }
    }

    fn symbols(&self, schema: &Schema) -> Box<[(Str, i32)]> {
        let parameter =
            if self.settings.generalized_sum_types { vocabulary::GENERAL_ENUM } else { vocabulary::ENUM };
        let symbols = schema.parameters().iter().filter_map(|(key, number)| {
            let symbol = key.strip_prefix(parameter)?.strip_prefix('.')?;
            Some((symbol.into(), number.parse().ok()?))
        });
        let mut symbols: Vec<(Str, i32)> = symbols.collect();
        symbols.sort();
        symbols.into()
    }

    fn map(
        &self,
        schema: &Schema,
        field: &FieldDescriptor,
        message: usize,
        depth: usize,
    ) -> Result<ValueWriter> {
        if depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "The schema is nested deeper than {MAX_DEPTH} levels at {}",
                field.name
            )));
        }
        let descriptor = self.descriptor(message)?;
        let inner = |name: &str, inner: Option<&Schema>| {
            let found = descriptor.fields.iter().find(|field| field.name == name);
            let (Some(inner), Some(found)) = (inner, found) else { return Err(mismatch(field, schema)) };
            self.value(inner, found, false, depth).map(|writer| InnerWriter { writer })
        };
        let (key, value) = (inner("key", schema.keys())?, inner("value", schema.values())?);
        let tag = Tag::new(field.number, WireType::Bytes);
        Ok(ValueWriter::Map(tag, Box::new(EntryWriter { key, value })))
    }
}

#[cold]
fn mismatch(field: &FieldDescriptor, schema: &Schema) -> Error {
    Error::data(format!("Field {} cannot hold values of type {}", field.name, schema.ty()))
}
