//! From the text of a `.proto` file. `protox-parse` knows the grammar; names stay as they are written, and options that
//! mean nothing to a record are dropped, whether or not they could be resolved: Confluent's client reads files so, and
//! registers some whose options have no import.

use std::collections::HashSet;

use lavka_api::data::Str;
use lavka_api::{Error, Result};
use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type as ProtoType};
use prost_types::uninterpreted_option::NamePart;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, UninterpretedOption,
};

use super::{Enum, Field, FieldType, File, Import, Label, MAX_DEPTH, Message, Scalar, Syntax, meta};

/// Bytes of one file; a registry's limit on schemas is lower.
const MAX_TEXT: usize = 8 << 20;

pub(super) fn parse(name: &str, text: &str) -> Result<File> {
    if text.len() > MAX_TEXT {
        return Err(Error::data(format!("Could not parse Protobuf - {name} has more than {MAX_TEXT} bytes")));
    }
    let file = protox_parse::parse(name, text)
        .map_err(|error| Error::data(format!("Could not parse Protobuf - {error:?}")))?;
    from_proto(file)
}

fn from_proto(file: FileDescriptorProto) -> Result<File> {
    let imports = file.dependency.iter().enumerate().map(|(i, path)| Import {
        path: path.as_str().into(),
        public: file.public_dependency.iter().any(|&public| usize::try_from(public) == Ok(i)),
    });
    Ok(File {
        package: file.package.as_deref().map(Str::from),
        syntax: if file.syntax() == "proto3" { Syntax::Proto3 } else { Syntax::Proto2 },
        imports: imports.collect(),
        messages: file.message_type.iter().map(|message| from_message(message, 0)).collect::<Result<_>>()?,
        enums: file.enum_type.iter().map(from_enum).collect(),
    })
}

fn from_message(message: &DescriptorProto, depth: usize) -> Result<Message> {
    if depth >= MAX_DEPTH {
        return Err(Error::data(format!(
            "Could not parse Protobuf - message {} is nested deeper than {MAX_DEPTH} levels",
            message.name()
        )));
    }
    let groups: HashSet<&str> = message
        .field
        .iter()
        .filter(|field| field.r#type() == ProtoType::Group)
        .map(FieldDescriptorProto::type_name)
        .collect();
    let messages = message.nested_type.iter().map(|nested| {
        let mut made = from_message(nested, depth + 1)?;
        // Written out, `option map_entry = true` is one of the options that are not interpreted.
        made.implied = nested.options.as_ref().is_some_and(|options| options.map_entry())
            || groups.contains(nested.name());
        Ok(made)
    });
    // What stands for a proto3 `optional` comes last.
    let synthetic = message.field.iter().filter(|field| field.proto3_optional()).count();
    let oneofs = message.oneof_decl.len().saturating_sub(synthetic);
    Ok(Message {
        name: message.name().into(),
        fields: message.field.iter().map(from_field).collect::<Result<_>>()?,
        oneofs: message.oneof_decl.iter().take(oneofs).map(|oneof| oneof.name().into()).collect(),
        messages: messages.collect::<Result<_>>()?,
        enums: message.enum_type.iter().map(from_enum).collect(),
        implied: false,
    })
}

fn from_field(field: &FieldDescriptorProto) -> Result<Field> {
    let ty = match (field.r#type, &field.type_name) {
        (Some(ty), Some(name)) if ty == ProtoType::Group as i32 => FieldType::Group(name.as_str().into()),
        (_, Some(name)) => FieldType::Named(name.as_str().into()),
        (Some(_), None) => match scalar(field.r#type()) {
            Some(scalar) => FieldType::Scalar(scalar),
            None => return Err(no_type(field.name())),
        },
        (None, None) => return Err(no_type(field.name())),
    };
    let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
    let label = match field.label() {
        _ if oneof.is_some() => Label::None,
        ProtoLabel::Repeated => Label::Repeated,
        ProtoLabel::Required => Label::Required,
        // Of proto3 this says "no label", which is told apart by the syntax when the field is linked.
        ProtoLabel::Optional => Label::None,
    };
    let mut made = Field {
        name: field.name().into(),
        number: field.number(),
        label: if field.proto3_optional() { Label::Optional } else { label },
        ty,
        oneof: oneof.and_then(|at| usize::try_from(at).ok()),
        packed: None,
        default: field.default_value.as_deref().map(Str::from),
        params: Vec::new(),
    };
    for option in field.options.iter().flat_map(|options| &options.uninterpreted_option) {
        match name_of(option) {
            ("packed", false, []) => made.packed = Some(option.identifier_value() == "true"),
            ("confluent.field_meta", true, path) => meta::merge_params(&mut made.params, path, option),
            _ => {}
        }
    }
    Ok(made)
}

/// The first part of an option's name, whether it is an extension, and the other parts.
fn name_of(option: &UninterpretedOption) -> (&str, bool, &[NamePart]) {
    match option.name.split_first() {
        Some((first, rest)) => {
            let name = first.name_part.strip_prefix('.').unwrap_or(&first.name_part);
            (name, first.is_extension, rest)
        }
        None => ("", false, &[]),
    }
}

fn from_enum(made: &EnumDescriptorProto) -> Enum {
    Enum {
        name: made.name().into(),
        values: made.value.iter().map(|value| (value.name().into(), value.number())).collect(),
    }
}

fn scalar(ty: ProtoType) -> Option<Scalar> {
    Some(match ty {
        ProtoType::Double => Scalar::Double,
        ProtoType::Float => Scalar::Float,
        ProtoType::Int64 => Scalar::Int64,
        ProtoType::Uint64 => Scalar::UInt64,
        ProtoType::Int32 => Scalar::Int32,
        ProtoType::Fixed64 => Scalar::Fixed64,
        ProtoType::Fixed32 => Scalar::Fixed32,
        ProtoType::Bool => Scalar::Bool,
        ProtoType::String => Scalar::String,
        ProtoType::Bytes => Scalar::Bytes,
        ProtoType::Uint32 => Scalar::UInt32,
        ProtoType::Sfixed32 => Scalar::SFixed32,
        ProtoType::Sfixed64 => Scalar::SFixed64,
        ProtoType::Sint32 => Scalar::SInt32,
        ProtoType::Sint64 => Scalar::SInt64,
        ProtoType::Group | ProtoType::Message | ProtoType::Enum => return None,
    })
}

fn no_type(field: &str) -> Error {
    Error::data(format!("Could not parse Protobuf - field {field} has no type"))
}
