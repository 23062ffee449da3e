//! Schemas as the registry knows them: a text, its kind, and the other texts it refers to.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lavka_api::{Error, Result};

use crate::rules::Rules;

/// What language a schema is written in (`schemaType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaType {
    /// Avro; what the registry means where it says nothing.
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol Buffers, as the text of a `.proto` file.
    Protobuf,
}

impl SchemaType {
    /// The registry's name for it (`AVRO`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SchemaType::Avro => "AVRO",
            SchemaType::Json => "JSON",
            SchemaType::Protobuf => "PROTOBUF",
        }
    }

    /// The kind of that name; `None` for one that is not known here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [SchemaType::Avro, SchemaType::Json, SchemaType::Protobuf].into_iter().find(|ty| ty.name() == name)
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Another schema that a schema refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What the schema calls it: a full type name (Avro), a URL of `$ref` (JSON Schema), an import path (Protobuf).
    pub name: Arc<str>,
    /// The subject it is registered under.
    pub subject: Arc<str>,
    /// Its version there.
    pub version: i32,
}

/// A schema's text with its references. Cloning copies a pointer; comparing two of different text compares hashes.
#[derive(Clone)]
pub struct SchemaText(Arc<Inner>);

struct Inner {
    ty: SchemaType,
    text: Box<str>,
    references: Box<[Reference]>,
    hash: u64,
}

impl SchemaText {
    /// The schema `text` without references.
    #[must_use]
    pub fn new(ty: SchemaType, text: impl Into<Box<str>>) -> Self {
        Self::with_references(ty, text, Vec::new())
    }

    /// The schema `text`, which refers to `references`.
    #[must_use]
    pub fn with_references(
        ty: SchemaType,
        text: impl Into<Box<str>>,
        references: impl Into<Box<[Reference]>>,
    ) -> Self {
        let (text, references) = (text.into(), references.into());
        let mut hasher = DefaultHasher::new();
        (ty, &text, &references).hash(&mut hasher);
        Self(Arc::new(Inner { ty, text, references, hash: hasher.finish() }))
    }

    /// The language.
    #[must_use]
    pub fn ty(&self) -> SchemaType {
        self.0.ty
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it refers to.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.0.references
    }

    /// Whether both are the same allocation.
    #[must_use]
    pub fn same(&self, other: &SchemaText) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for SchemaText {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        self.same(other)
            || (a.hash == b.hash && a.ty == b.ty && a.text == b.text && a.references == b.references)
    }
}

impl Eq for SchemaText {}

impl Hash for SchemaText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for SchemaText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaText({} {:?}", self.0.ty, self.0.text)?;
        if !self.0.references.is_empty() {
            write!(f, ", refers to {:?}", self.0.references)?;
        }
        f.write_str(")")
    }
}

/// A schema with everything it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSchema {
    /// The schema itself.
    pub schema: SchemaText,
    /// What it refers to, directly or not, each name once; one that refers to another comes behind it.
    pub dependencies: Vec<Dependency>,
    pub(crate) rules: Rules,
}

impl ResolvedSchema {
    /// A schema without references.
    #[must_use]
    pub fn alone(schema: SchemaText) -> Self {
        Self { schema, dependencies: Vec::new(), rules: Rules::default() }
    }

    /// The schema that is referred to as `name`.
    #[must_use]
    pub fn dependency(&self, name: &str) -> Option<&SchemaText> {
        self.dependencies.iter().find(|dependency| &*dependency.name == name).map(|found| &found.schema)
    }
}

/// A schema that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What it is called by those that refer to it.
    pub name: Arc<str>,
    /// It.
    pub schema: SchemaText,
}

/// The number of a schema in its registry (and context).
pub type SchemaId = i32;

/// The name of a schema that is the same in every registry: a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The GUID of these bytes, most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, most significant first, as they are on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The GUID written as `89791762-2336-4186-9674-299b90a802e2`, in either case.
    ///
    /// ```
    /// use lavka_schema_registry::Guid;
    ///
    /// let text = "89791762-2336-4186-9674-299b90a802e2";
    /// assert_eq!(Guid::parse(text).unwrap().to_string(), text);
    /// assert_eq!(Guid::parse("89791762"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0; 16];
        let mut digits = 0_usize;
        for (at, &letter) in text.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if letter != b'-' {
                    return None;
                }
                continue;
            }
            let digit = char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
            let byte = bytes.get_mut(digits / 2)?;
            *byte = *byte << 4 | digit;
            digits += 1;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// By what a message names its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// By the number in the registry.
    Id(SchemaId),
    /// By the name that is the same everywhere.
    Guid(Guid),
}

impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaKey::Id(id) => write!(f, "id {id}"),
            SchemaKey::Guid(guid) => write!(f, "guid {guid}"),
        }
    }
}

/// A schema under a subject, as an encoder uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The subject.
    pub subject: Arc<str>,
    /// Its number; `None` where only the GUID is known.
    pub id: Option<SchemaId>,
    /// Its GUID, where the registry says it.
    pub guid: Option<Guid>,
    /// Its version under the subject, where the registry says it.
    pub version: Option<i32>,
    /// What data has to be written as. Of a schema that was registered or looked up this is the one that was asked
    /// for; under `use.latest.version` and `use.schema.id` it is the registry's.
    pub schema: ResolvedSchema,
}

/// Checks that what a converter would write can be read by the schema that the registry has (the strictness of
/// `latest.compatibility.strict` and `id.compatibility.strict`).
///
/// Each kind of schema has its own rules: `Ok` where data of `written` can be read by `registered`, otherwise what is
/// in the way, in a sentence without a full stop.
pub type Compatibility<'a> = &'a (dyn Fn(&ResolvedSchema, &SchemaText) -> Result<(), String> + Send + Sync);

/// An error of a schema that is not of the converter's kind.
pub(crate) fn wrong_type(what: &str, found: SchemaType, wanted: SchemaType) -> Error {
    Error::data(format!(
        "{what} is of type {found}, and this converter reads and writes {wanted}: use the converter of that type"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_all_of_them() {
        let base = SchemaText::new(SchemaType::Avro, "\"int\"");
        assert_eq!(base, SchemaText::new(SchemaType::Avro, "\"int\""));
        assert_ne!(base, SchemaText::new(SchemaType::Json, "\"int\""));
        let reference = Reference { name: "a".into(), subject: "s".into(), version: 1 };
        assert_ne!(base, SchemaText::with_references(SchemaType::Avro, "\"int\"", vec![reference]));
    }

    #[test]
    fn guids_have_one_form() {
        for text in [
            "",
            "89791762-2336-4186-9674-299b90a802e",
            "89791762x2336-4186-9674-299b90a802e2",
            "8979176g-2336-4186-9674-299b90a802e2",
        ] {
            assert_eq!(Guid::parse(text), None, "{text}");
        }
        let guid = Guid::parse("89791762-2336-4186-9674-299B90A802E2").unwrap();
        assert_eq!(guid.as_bytes()[..3], [0x89, 0x79, 0x17]);
    }
}
