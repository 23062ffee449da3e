//! Names resolved: messages and enums of a file and of what it imports, each known by its place in a [`Pool`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use lavka_api::data::Str;
use lavka_api::{Error, Result};

use super::{Enum, Field, FieldType, File, Label, Message, Scalar, Syntax, known};

/// Field numbers end here (protobuf.dev, "Assigning Field Numbers").
const MAX_NUMBER: u32 = 536_870_911;

/// Files that one schema may import, directly or not.
const MAX_FILES: usize = 1000;

/// The descriptors of one schema.
#[derive(Debug)]
pub(crate) struct Pool {
    messages: Vec<MessageDescriptor>,
    enums: Vec<EnumDescriptor>,
    by_name: HashMap<Str, Named>,
}

#[derive(Debug, Clone, Copy)]
enum Named {
    Message(usize),
    Enum(usize),
}

#[derive(Debug)]
pub(crate) struct MessageDescriptor {
    pub(crate) full_name: Str,
    pub(crate) name: Str,
    pub(crate) fields: Vec<FieldDescriptor>,
    /// Without those that a proto3 `optional` stands for.
    pub(crate) oneofs: Vec<OneofDescriptor>,
    /// Whether text has to be UTF-8.
    pub(crate) strict_text: bool,
}

#[derive(Debug)]
pub(crate) struct OneofDescriptor {
    pub(crate) full_name: Str,
    pub(crate) name: Str,
    /// Positions of its members among the message's fields.
    pub(crate) members: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct FieldDescriptor {
    pub(crate) name: Str,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) repeated: bool,
    /// Whether a list is written as one run of bytes.
    pub(crate) packed: bool,
    /// Whether a value that is there is told apart from the default.
    pub(crate) presence: bool,
    pub(crate) required: bool,
    /// `optional` of proto3.
    pub(crate) proto3_optional: bool,
    /// `optional` of either syntax, outside of oneofs.
    pub(crate) optional_keyword: bool,
    /// The position of its oneof in [`MessageDescriptor::oneofs`].
    pub(crate) oneof: Option<usize>,
    /// What stands for a missing value of proto2.
    pub(crate) default: Option<Str>,
    params: Vec<(Str, Str)>,
}

impl FieldDescriptor {
    /// A parameter of `(confluent.field_meta)`.
    pub(crate) fn param(&self, key: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// The type of a field. Messages, groups and enums are places in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Message(usize),
    Group(usize),
    Enum(usize),
}

#[derive(Debug)]
pub(crate) struct EnumDescriptor {
    pub(crate) full_name: Str,
    pub(crate) name: Str,
    pub(crate) values: Vec<(Str, i32)>,
    /// Whether numbers without a name are kept.
    pub(crate) open: bool,
}

impl EnumDescriptor {
    pub(crate) fn number_of(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }
}

impl Pool {
    /// Links `file` with what it imports: `imports` by path, and the known files. An import that is in neither is passed
    /// over, since nothing of it may be used.
    ///
    /// # Errors
    /// Where a field's type is found nowhere, two things have one name, or two fields one number.
    pub(crate) fn link(file: &Arc<File>, imports: &HashMap<String, Arc<File>>) -> Result<Pool> {
        let mut pool = Pool { messages: Vec::new(), enums: Vec::new(), by_name: HashMap::new() };
        let files = with_imports(file, imports)?;
        let mut declared = Vec::new();
        for file in &files {
            let scope = file.package.as_deref().unwrap_or_default();
            for made in &file.enums {
                pool.declare_enum(scope, made, file.syntax)?;
            }
            for message in &file.messages {
                pool.declare(scope, message, file.syntax, &mut declared)?;
            }
        }
        for (at, message, syntax) in declared {
            let fields = pool.fields(at, message, syntax)?;
            if let Some(descriptor) = pool.messages.get_mut(at) {
                descriptor.oneofs = oneofs(descriptor, message, &fields);
                descriptor.fields = fields;
            }
        }
        Ok(pool)
    }

    pub(crate) fn message(&self, at: usize) -> Option<&MessageDescriptor> {
        self.messages.get(at)
    }

    pub(crate) fn enumeration(&self, at: usize) -> Option<&EnumDescriptor> {
        self.enums.get(at)
    }

    pub(crate) fn message_named(&self, full_name: &str) -> Option<usize> {
        match self.by_name.get(full_name)? {
            Named::Message(at) => Some(*at),
            Named::Enum(_) => None,
        }
    }

    fn declare<'f>(
        &mut self,
        scope: &str,
        message: &'f Message,
        syntax: Syntax,
        declared: &mut Vec<(usize, &'f Message, Syntax)>,
    ) -> Result<()> {
        let full_name = join(scope, &message.name);
        let at = self.messages.len();
        self.add(&full_name, &message.name, Named::Message(at))?;
        self.messages.push(MessageDescriptor {
            full_name: full_name.as_str().into(),
            name: message.name.clone(),
            fields: Vec::new(),
            oneofs: Vec::new(),
            strict_text: syntax == Syntax::Proto3,
        });
        declared.push((at, message, syntax));
        for made in &message.enums {
            self.declare_enum(&full_name, made, syntax)?;
        }
        message.messages.iter().try_for_each(|nested| self.declare(&full_name, nested, syntax, declared))
    }

    fn declare_enum(&mut self, scope: &str, made: &Enum, syntax: Syntax) -> Result<()> {
        let full_name = join(scope, &made.name);
        let at = self.enums.len();
        self.add(&full_name, &made.name, Named::Enum(at))?;
        if made.values.is_empty() {
            return Err(invalid(&full_name, "Enums must contain at least one value."));
        }
        self.enums.push(EnumDescriptor {
            full_name: full_name.as_str().into(),
            name: made.name.clone(),
            values: made.values.clone(),
            open: syntax == Syntax::Proto3,
        });
        Ok(())
    }

    fn add(&mut self, full_name: &str, name: &str, named: Named) -> Result<()> {
        if !is_identifier(name) {
            return Err(invalid(full_name, &format!("\"{name}\" is not a valid identifier.")));
        }
        match self.by_name.insert(full_name.into(), named) {
            None => Ok(()),
            Some(_) => Err(invalid(full_name, &format!("\"{full_name}\" is already defined."))),
        }
    }

    fn fields(&self, at: usize, message: &Message, syntax: Syntax) -> Result<Vec<FieldDescriptor>> {
        let scope = self.messages.get(at).map_or("", |descriptor| descriptor.full_name.as_str());
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        let mut fields = Vec::with_capacity(message.fields.len());
        for field in &message.fields {
            let full_name = join(scope, &field.name);
            if !is_identifier(&field.name) {
                return Err(invalid(&full_name, &format!("\"{}\" is not a valid identifier.", field.name)));
            }
            if !names.insert(field.name.as_str()) {
                return Err(invalid(&full_name, &format!("\"{full_name}\" is already defined.")));
            }
            let number = u32::try_from(field.number)
                .ok()
                .filter(|number| (1..=MAX_NUMBER).contains(number))
                .ok_or_else(|| invalid(&full_name, "Field numbers must be positive integers."))?;
            if !numbers.insert(number) {
                return Err(invalid(
                    &full_name,
                    &format!("Field number {number} has already been used in \"{scope}\"."),
                ));
            }
            fields.push(self.field(scope, field, number, syntax)?);
        }
        Ok(fields)
    }

    fn field(&self, scope: &str, field: &Field, number: u32, syntax: Syntax) -> Result<FieldDescriptor> {
        let kind = match &field.ty {
            FieldType::Scalar(scalar) => Kind::Scalar(*scalar),
            FieldType::Named(name) | FieldType::Group(name) => match (self.resolve(scope, name), &field.ty) {
                (Some(Named::Message(at)), FieldType::Group(_)) => Kind::Group(at),
                (Some(Named::Message(at)), _) => Kind::Message(at),
                (Some(Named::Enum(at)), FieldType::Named(_)) => Kind::Enum(at),
                _ => return Err(invalid(&join(scope, &field.name), &format!("\"{name}\" is not defined."))),
            },
        };
        let repeated = field.label == Label::Repeated;
        let packable = match kind {
            Kind::Scalar(scalar) => scalar.is_packable(),
            Kind::Enum(_) => true,
            Kind::Message(_) | Kind::Group(_) => false,
        };
        let proto3 = syntax == Syntax::Proto3;
        let optional = field.label == Label::Optional;
        let is_message = matches!(kind, Kind::Message(_) | Kind::Group(_));
        Ok(FieldDescriptor {
            name: field.name.clone(),
            number,
            kind,
            repeated,
            packed: repeated && packable && field.packed.unwrap_or(proto3),
            presence: !repeated && (!proto3 || optional || is_message || field.oneof.is_some()),
            required: !proto3 && field.label == Label::Required,
            proto3_optional: proto3 && optional,
            optional_keyword: if proto3 {
                optional
            } else {
                !repeated && field.label != Label::Required && field.oneof.is_none()
            },
            oneof: field.oneof,
            default: field.default.clone(),
            params: field.params.clone(),
        })
    }

    /// The type `name`, looked up from the innermost scope outwards.
    fn resolve(&self, scope: &str, name: &str) -> Option<Named> {
        if let Some(full) = name.strip_prefix('.') {
            return self.by_name.get(full).copied();
        }
        let mut scope = scope;
        loop {
            if let Some(found) = self.by_name.get(join(scope, name).as_str()) {
                return Some(*found);
            }
            if scope.is_empty() {
                return None;
            }
            scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

/// The file and all that it imports, each once.
fn with_imports(file: &Arc<File>, imports: &HashMap<String, Arc<File>>) -> Result<Vec<Arc<File>>> {
    let mut files = vec![file.clone()];
    let mut seen: HashSet<Str> = HashSet::new();
    let mut open: VecDeque<Str> = file.imports.iter().map(|import| import.path.clone()).collect();
    while let Some(path) = open.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if files.len() >= MAX_FILES {
            return Err(Error::data(format!("A Protobuf schema imports more than {MAX_FILES} files")));
        }
        let found = match imports.get(path.as_str()) {
            Some(found) => found.clone(),
            None if known::is_known(&path) => known::known(&path)?,
            None => continue,
        };
        open.extend(found.imports.iter().map(|import| import.path.clone()));
        files.push(found);
    }
    Ok(files)
}

fn oneofs(
    descriptor: &MessageDescriptor,
    message: &Message,
    fields: &[FieldDescriptor],
) -> Vec<OneofDescriptor> {
    let made = message.oneofs.iter().map(|name| OneofDescriptor {
        full_name: join(&descriptor.full_name, name).into(),
        name: name.clone(),
        members: Vec::new(),
    });
    let mut made: Vec<_> = made.collect();
    for (position, field) in fields.iter().enumerate() {
        if let Some(oneof) = field.oneof.and_then(|at| made.get_mut(at)) {
            oneof.members.push(position);
        }
    }
    made
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cold]
fn invalid(place: &str, problem: &str) -> Error {
    Error::data(format!("Invalid protobuf schema definition: {place}: {problem}"))
}
