//! Building schemas.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::schema::hash_value;
use super::{Field, Logical, Schema, Str, Type, Value};
use crate::error::{Error, ErrorClass, Result, exception};

/// Builds a [`Schema`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SchemaBuilder {
    pub(super) ty: Type,
    pub(super) optional: bool,
    pub(super) default: Option<Value>,
    pub(super) name: Option<Str>,
    pub(super) version: Option<i32>,
    pub(super) doc: Option<Str>,
    pub(super) parameters: Vec<(Str, Str)>,
    pub(super) fields: Vec<Field>,
    pub(super) keys: Option<Schema>,
    pub(super) values: Option<Schema>,
}

impl SchemaBuilder {
    pub(super) fn new(ty: Type) -> Self {
        Self {
            ty,
            optional: false,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            fields: Vec::new(),
            keys: None,
            values: None,
        }
    }

    /// A builder of a logical type, version 1, with the scale of a decimal as its parameter.
    pub fn logical(logical: Logical) -> Self {
        let (ty, name) = match logical {
            Logical::Decimal(_) => (Type::Bytes, Logical::DECIMAL),
            Logical::Date => (Type::Int32, Logical::DATE),
            Logical::Time => (Type::Int32, Logical::TIME),
            Logical::Timestamp => (Type::Int64, Logical::TIMESTAMP),
        };
        let builder = Self::new(ty).name(name).version(1);
        match logical {
            Logical::Decimal(scale) => builder.parameter("scale", scale.to_string()),
            _ => builder,
        }
    }

    /// Null becomes a value of the schema.
    pub fn optional(self) -> Self {
        self.optional_if(true)
    }

    /// Sets or clears the optional flag.
    pub fn optional_if(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// Sets the default value.
    pub fn default_value(mut self, value: impl Into<Option<Value>>) -> Self {
        self.default = value.into();
        self
    }

    /// Sets the name.
    pub fn name(mut self, name: impl Into<Str>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets or clears the name.
    pub fn name_if(mut self, name: Option<Str>) -> Self {
        self.name = name;
        self
    }

    /// Sets the version.
    pub fn version(mut self, version: impl Into<Option<i32>>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets the documentation.
    pub fn doc(mut self, doc: impl Into<Str>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Sets or clears the documentation.
    pub fn doc_if(mut self, doc: Option<Str>) -> Self {
        self.doc = doc;
        self
    }

    /// Appends a parameter, or replaces the one of that key.
    pub fn parameter(mut self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.parameters.iter_mut().find(|(k, _)| *k == key) {
            Some(entry) => entry.1 = value,
            None => self.parameters.push((key, value)),
        }
        self
    }

    /// Takes name, version, doc and parameters of `other`, as the transforms do when they copy a struct's schema
    /// (`SchemaUtil.copySchemaBasics`).
    pub fn basics_of(mut self, other: &Schema) -> Self {
        self.name = other.name().cloned();
        self.version = other.version();
        self.doc = other.doc().cloned();
        self.parameters = other.parameters().to_vec();
        self
    }

    /// Appends a field. Duplicates are found by [`build`](Self::build).
    pub fn field(mut self, name: impl Into<Str>, schema: Schema) -> Self {
        self.fields.push(Field::new(name.into(), schema));
        self
    }

    /// Keeps those fields that `keep` accepts.
    pub fn retain_fields(mut self, keep: impl FnMut(&Field) -> bool) -> Self {
        self.fields.retain(keep);
        self
    }

    /// Sets the schema of a map's values or an array's items.
    pub fn values(mut self, values: Schema) -> Self {
        self.values = Some(values);
        self
    }

    /// Sets the schema of a map's keys.
    pub fn keys(mut self, keys: Schema) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The schema.
    ///
    /// # Errors
    /// `Cannot create field because of field name duplication <name>` (`SchemaBuilderException`) for two fields of
    /// one name, and an error for an array or map that lacks an inner schema, or for a field of something that is not
    /// a struct.
    pub fn build(self) -> Result<Schema> {
        let broken = |message: String| Error::new(ErrorClass::Data, exception::SCHEMA_BUILDER, message);
        match self.ty {
            Type::Array if self.values.is_none() => {
                return Err(broken("items schema of an array may not be null.".into()));
            }
            Type::Map if self.keys.is_none() || self.values.is_none() => {
                return Err(broken("key and value schemas of a map may not be null.".into()));
            }
            Type::Struct => {
                let mut seen = HashSet::with_capacity(self.fields.len());
                for field in &self.fields {
                    if field.name().is_empty() {
                        return Err(broken("fieldName cannot be null.".into()));
                    }
                    if !seen.insert(field.name().as_str()) {
                        return Err(broken(format!(
                            "Cannot create field because of field name duplication {}",
                            field.name()
                        )));
                    }
                }
            }
            other if !self.fields.is_empty() => {
                return Err(broken(format!("Cannot create fields on type {other}")));
            }
            _ => {}
        }
        Ok(Schema::node(self))
    }

    pub(super) fn logical_type(&self) -> Option<Logical> {
        match (self.name.as_deref()?, self.ty) {
            (Logical::DECIMAL, Type::Bytes) => {
                let (_, scale) = self.parameters.iter().find(|(key, _)| key == "scale")?;
                Some(Logical::Decimal(scale.parse().ok()?))
            }
            (Logical::DATE, Type::Int32) => Some(Logical::Date),
            (Logical::TIME, Type::Int32) => Some(Logical::Time),
            (Logical::TIMESTAMP, Type::Int64) => Some(Logical::Timestamp),
            _ => None,
        }
    }

    /// Two SipHash runs with different prefixes; inner schemas contribute their own fingerprints.
    pub(super) fn fingerprint(&self) -> u128 {
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            seed.hash(&mut hasher);
            self.ty.hash(&mut hasher);
            self.optional.hash(&mut hasher);
            self.name.hash(&mut hasher);
            self.version.hash(&mut hasher);
            self.doc.hash(&mut hasher);
            let mut parameters: Vec<_> = self.parameters.iter().collect();
            parameters.sort();
            parameters.hash(&mut hasher);
            self.default.is_some().hash(&mut hasher);
            if let Some(default) = &self.default {
                hash_value(default, &mut hasher);
            }
            for field in &self.fields {
                field.name().hash(&mut hasher);
                field.schema().hash(&mut hasher);
            }
            self.keys.hash(&mut hasher);
            self.values.hash(&mut hasher);
            hasher.finish()
        };
        (u128::from(half(1)) << 64) | u128::from(half(2))
    }
}

/// Containers whose contents say nothing about their type, as inferring a header's type makes them
/// (`SchemaBuilder.arrayOfNull` and its siblings). [`Schema::keys`] and [`Schema::values`] give `None` for them.
impl Schema {
    /// A required array without an item schema.
    #[must_use]
    pub fn array_of_null() -> Schema {
        Schema::node(SchemaBuilder::new(Type::Array))
    }

    /// A required map without key and value schemas.
    #[must_use]
    pub fn map_of_null() -> Schema {
        Schema::node(SchemaBuilder::new(Type::Map))
    }

    /// A required map from `keys` to values without a schema.
    #[must_use]
    pub fn map_with_null_values(keys: Schema) -> Schema {
        Schema::node(SchemaBuilder { keys: Some(keys), ..SchemaBuilder::new(Type::Map) })
    }
}
