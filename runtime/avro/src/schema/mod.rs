//! Avro schemas with everything that Connect's mapping reads and writes: properties on every type and field, in their
//! order, defaults as they were written, and names that may come round again.

mod depth;
mod name;
mod parse;
mod print;
mod shape;

use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

pub(crate) use name::{Name, valid as valid_name};
pub(crate) use shape::same_shape;

/// Deeper nesting is refused: of types in each other, and of values.
pub(crate) const MAX_DEPTH: usize = 64;

/// The exception of Avro's library for what is no schema.
pub(crate) const SCHEMA_PARSE: &str = "org.apache.avro.SchemaParseException";
/// The exception of Avro's library for a schema that contradicts itself.
pub(crate) const AVRO_RUNTIME: &str = "org.apache.avro.AvroRuntimeException";

/// An Avro schema. A clone is a pointer.
///
/// Types lie in one list and name each other by position, so that a type which refers to itself is nothing special.
///
/// ```
/// use lavka_avro::AvroSchema;
///
/// let text = r#"{"type":"record","name":"A","fields":[{"name":"next","type":["null","A"],"default":null}]}"#;
/// let schema = AvroSchema::parse(text)?;
/// assert_eq!(schema.full_name(), Some("A"));
/// assert_eq!(schema.to_string(), text);
/// # Ok::<(), lavka_api::Error>(())
/// ```
#[derive(Clone)]
pub struct AvroSchema(Arc<Types>);

/// The position of a type in its schema's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(u32);

/// All types of a schema.
#[derive(Default, Debug)]
pub(crate) struct Types {
    list: Vec<AvroType>,
    root: Option<TypeId>,
}

/// One type with its custom properties, in the order in which they were set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AvroType {
    pub(crate) kind: Kind,
    pub(crate) props: Props,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Record(Box<RecordType>),
    Enum(Box<EnumType>),
    Fixed(Box<FixedType>),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordType {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<Name>,
    pub(crate) fields: Vec<RecordField>,
    /// Whether its `type` is `error`, which protocols use; otherwise it is a record like any.
    pub(crate) error: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordField {
    pub(crate) name: String,
    pub(crate) ty: TypeId,
    pub(crate) doc: Option<String>,
    /// As written; nobody has checked that it fits the type.
    pub(crate) default: Option<Json>,
    /// `descending` or `ignore`.
    pub(crate) order: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) props: Props,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnumType {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<Name>,
    pub(crate) symbols: Vec<String>,
    pub(crate) default: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixedType {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<Name>,
    pub(crate) size: usize,
}

/// Custom properties.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Props(Vec<(String, Json)>);

impl Props {
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The property if it is a string, as Java's `getProp` gives it.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Json::as_str)
    }

    /// Adds a property, or replaces it in its place.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Types {
    /// Adds a type. More than four billion do not fit into any text that is accepted.
    pub(crate) fn add(&mut self, kind: Kind) -> TypeId {
        let id = TypeId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(AvroType { kind, props: Props::default() });
        id
    }

    pub(crate) fn get(&self, id: TypeId) -> &AvroType {
        // An id is made by `add` of the same list and nothing is ever taken out; the other arm is never reached.
        static NOTHING: AvroType = AvroType { kind: Kind::Null, props: Props(Vec::new()) };
        self.list.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    pub(crate) fn get_mut(&mut self, id: TypeId) -> Option<&mut AvroType> {
        self.list.get_mut(id.0 as usize)
    }

    pub(crate) fn kind(&self, id: TypeId) -> &Kind {
        &self.get(id).kind
    }

    /// Every type, in the order in which they were added.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TypeId> + use<> {
        (0..u32::try_from(self.list.len()).unwrap_or(u32::MAX)).map(TypeId)
    }

    /// Takes in all types of another list; the answer is what `id` is now.
    pub(crate) fn graft(&mut self, other: &Types, id: TypeId) -> TypeId {
        let offset = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let moved = |id: TypeId| TypeId(id.0.saturating_add(offset));
        for ty in &other.list {
            let mut ty = ty.clone();
            match &mut ty.kind {
                Kind::Record(record) => record.fields.iter_mut().for_each(|field| field.ty = moved(field.ty)),
                Kind::Array(inner) | Kind::Map(inner) => *inner = moved(*inner),
                Kind::Union(members) => members.iter_mut().for_each(|member| *member = moved(*member)),
                _ => {}
            }
            self.list.push(ty);
        }
        moved(id)
    }

    /// The members of a union, or the type alone.
    pub(crate) fn members<'a>(&'a self, id: &'a TypeId) -> &'a [TypeId] {
        match self.kind(*id) {
            Kind::Union(members) => members,
            _ => std::slice::from_ref(id),
        }
    }

    pub(crate) fn finish(mut self, root: TypeId) -> AvroSchema {
        self.root = Some(root);
        AvroSchema(Arc::new(self))
    }
}

impl AvroSchema {
    pub(crate) fn types(&self) -> &Types {
        &self.0
    }

    pub(crate) fn root(&self) -> TypeId {
        self.0.root.unwrap_or(TypeId(0))
    }

    /// The full name of a record, enum or fixed at the top, from which record name strategies make the subject; `None`
    /// for other types.
    #[must_use]
    pub fn full_name(&self) -> Option<&str> {
        self.0.kind(self.root()).name().map(Name::full)
    }

    /// Whether both are the same allocation.
    #[must_use]
    pub fn same(&self, other: &AvroSchema) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self.0.kind(self.root()), Kind::Bytes)
    }
}

impl Kind {
    /// The name of a named type.
    pub(crate) fn name(&self) -> Option<&Name> {
        match self {
            Kind::Record(it) => Some(&it.name),
            Kind::Enum(it) => Some(&it.name),
            Kind::Fixed(it) => Some(&it.name),
            _ => None,
        }
    }

    /// The names that a named type had before.
    pub(crate) fn aliases(&self) -> &[Name] {
        match self {
            Kind::Record(it) => &it.aliases,
            Kind::Enum(it) => &it.aliases,
            Kind::Fixed(it) => &it.aliases,
            _ => &[],
        }
    }

    /// What tells a union's members apart: the full name, or the type's own.
    pub(crate) fn label(&self) -> &str {
        self.name().map_or_else(|| self.type_name(), Name::full)
    }

    /// The type's own name.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Record(_) => "record",
            Kind::Enum(_) => "enum",
            Kind::Fixed(_) => "fixed",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
        }
    }

    /// The primitive type that `name` means.
    pub(crate) fn primitive(name: &str) -> Option<Kind> {
        Some(match name {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::String,
            _ => return None,
        })
    }
}

/// The text that Java's `Schema.toString()` gives, which is what the Java converter registers.
impl fmt::Display for AvroSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::text(self))
    }
}

impl fmt::Debug for AvroSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Equal where the texts are: types, names, defaults, docs and properties in their order.
impl PartialEq for AvroSchema {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || print::text(self) == print::text(other)
    }
}

impl Eq for AvroSchema {}
