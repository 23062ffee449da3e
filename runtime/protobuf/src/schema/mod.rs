//! `.proto` files as data: read from text or from a serialized descriptor, printed as Confluent's client registers them,
//! linked to descriptors that plans are compiled from.

mod binary;
mod known;
mod link;
mod meta;
mod parse;
mod print;

use lavka_api::Result;
use lavka_api::data::Str;

pub(crate) use known::{is_known, known_file};
pub(crate) use link::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Pool};

/// Messages and groups inside messages that a descriptor may have, and levels of fields that a plan may go down. Java's
/// reader stops at 100 levels of a record.
pub(crate) const MAX_DEPTH: usize = 100;

/// Which rules a file goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Syntax {
    /// What a file that says nothing goes by.
    #[default]
    Proto2,
    Proto3,
}

/// One `.proto` file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct File {
    pub(crate) package: Option<Str>,
    pub(crate) syntax: Syntax,
    pub(crate) imports: Vec<Import>,
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Str,
    pub(crate) public: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Message {
    pub(crate) name: Str,
    /// Members of oneofs are here too.
    pub(crate) fields: Vec<Field>,
    /// Names of the oneofs, without those that a proto3 `optional` stands for.
    pub(crate) oneofs: Vec<Str>,
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    /// Made for a `map<..>` or `group` field: not written as a message of its own, and not counted by message indexes.
    pub(crate) implied: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Str,
    pub(crate) number: i32,
    pub(crate) label: Label,
    pub(crate) ty: FieldType,
    /// The position in [`Message::oneofs`].
    pub(crate) oneof: Option<usize>,
    /// `[packed = ..]`.
    pub(crate) packed: Option<bool>,
    /// `[default = ..]` as in a descriptor: text of the value, escaped for bytes.
    pub(crate) default: Option<Str>,
    /// The parameters of `(confluent.field_meta)`.
    pub(crate) params: Vec<(Str, Str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// No label, as members of oneofs and most fields of proto3 have it.
    None,
    Optional,
    Required,
    Repeated,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldType {
    Scalar(Scalar),
    /// A message or enum, by a name that is looked up from the field's message outwards.
    Named(Str),
    Group(Str),
}

/// The types that have no name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    SInt64,
    Fixed32,
    Fixed64,
    SFixed32,
    SFixed64,
    Bool,
    String,
    Bytes,
}

impl Scalar {
    pub(crate) const ALL: [Scalar; 15] = [
        Scalar::Double,
        Scalar::Float,
        Scalar::Int32,
        Scalar::Int64,
        Scalar::UInt32,
        Scalar::UInt64,
        Scalar::SInt32,
        Scalar::SInt64,
        Scalar::Fixed32,
        Scalar::Fixed64,
        Scalar::SFixed32,
        Scalar::SFixed64,
        Scalar::Bool,
        Scalar::String,
        Scalar::Bytes,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Scalar::Double => "double",
            Scalar::Float => "float",
            Scalar::Int32 => "int32",
            Scalar::Int64 => "int64",
            Scalar::UInt32 => "uint32",
            Scalar::UInt64 => "uint64",
            Scalar::SInt32 => "sint32",
            Scalar::SInt64 => "sint64",
            Scalar::Fixed32 => "fixed32",
            Scalar::Fixed64 => "fixed64",
            Scalar::SFixed32 => "sfixed32",
            Scalar::SFixed64 => "sfixed64",
            Scalar::Bool => "bool",
            Scalar::String => "string",
            Scalar::Bytes => "bytes",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Scalar> {
        Self::ALL.into_iter().find(|scalar| scalar.name() == name)
    }

    /// Whether a list of them is one run of bytes in proto3.
    pub(crate) fn is_packable(self) -> bool {
        !matches!(self, Scalar::String | Scalar::Bytes)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Enum {
    pub(crate) name: Str,
    pub(crate) values: Vec<(Str, i32)>,
}

impl File {
    /// Reads what a registry holds: the text of a `.proto` file or, as clients in other languages register it, a
    /// serialized `FileDescriptorProto` in Base64.
    ///
    /// # Errors
    /// A data error with the place of the first mistake.
    pub(crate) fn parse(name: &str, text: &str) -> Result<File> {
        match parse::parse(name, text) {
            Ok(file) => Ok(file),
            Err(error) => binary::from_base64(text).ok_or(error),
        }
    }

    /// The text as Confluent's client registers it.
    pub(crate) fn to_text(&self) -> String {
        print::print(self)
    }

    /// `package.name`.
    pub(crate) fn qualify(&self, name: &str) -> String {
        match &self.package {
            Some(package) if !package.is_empty() => format!("{package}.{name}"),
            _ => name.to_owned(),
        }
    }

    /// The way to the message `full_name`, as the wire format has it; empty where nothing of the name is found, which
    /// stands for the first message. As in Java the name is walked part by part, and parts that name no message, such as
    /// those of the package, are passed over.
    pub(crate) fn message_indexes(&self, full_name: &str) -> Vec<i32> {
        let mut messages = &self.messages;
        let mut indexes = Vec::new();
        for part in full_name.split('.') {
            let found = explicit(messages).enumerate().find(|(_, message)| message.name == part);
            if let Some((index, message)) = found {
                indexes.push(i32::try_from(index).unwrap_or(i32::MAX));
                messages = &message.messages;
            }
        }
        indexes
    }

    /// The full name of the message that `indexes` lead to; none leads to the first.
    pub(crate) fn message_name(&self, indexes: &[i32]) -> Option<String> {
        let indexes = if indexes.is_empty() { &[0] } else { indexes };
        let mut messages = &self.messages;
        let mut name = String::new();
        for &index in indexes {
            let message = explicit(messages).nth(usize::try_from(index).ok()?)?;
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&message.name);
            messages = &message.messages;
        }
        Some(self.qualify(&name))
    }
}

fn explicit(messages: &[Message]) -> impl Iterator<Item = &Message> {
    messages.iter().filter(|message| !message.implied)
}
