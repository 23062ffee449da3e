//! Schemas: immutable, shared, compared by pointer and fingerprint.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use super::{Logical, SchemaBuilder, Str, Type, Value};

/// A field of a struct schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    name: Str,
    schema: Schema,
}

impl Field {
    pub(super) fn new(name: Str, schema: Schema) -> Self {
        Self { name, schema }
    }

    /// The field's name.
    #[must_use]
    pub fn name(&self) -> &Str {
        &self.name
    }

    /// The field's schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// A schema. Cloning copies a pointer; equality is pointer, then a 128-bit fingerprint over everything Connect
/// compares (type, optional, default, name, version, doc, parameters, fields, inner schemas).
///
/// ```
/// use lavka_api::data::{Logical, Schema, Type};
///
/// // Of primitive types there is one each, shared by all.
/// assert!(Schema::of(Type::Int64).same(&Schema::of(Type::Int64)));
///
/// let order = Schema::structure()
///     .name("org.example.Order")
///     .version(2)
///     .field("id", Schema::of(Type::Int64))
///     .field("lines", Schema::array(Schema::of(Type::String)))
///     .field("total", Schema::logical_of(Logical::Decimal(2)))
///     .field("paid", Schema::logical_of(Logical::Timestamp).to_builder().optional().build()?)
///     .build()?;
/// assert_eq!(order.index_of("total"), Some(2));
/// assert_eq!(order.field("paid").unwrap().schema().logical(), Some(Logical::Timestamp));
///
/// // Changed copies are built from what is there.
/// let slim = order.to_builder().retain_fields(|field| *field.name() != "lines").build()?;
/// assert_eq!(slim.fields().len(), 3);
/// assert_ne!(slim, order);
/// # Ok::<(), lavka_api::Error>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Node>);

struct Node {
    ty: Type,
    optional: bool,
    default: Option<Value>,
    name: Option<Str>,
    version: Option<i32>,
    doc: Option<Str>,
    parameters: Box<[(Str, Str)]>,
    fields: Box<[Field]>,
    by_name: HashMap<Str, usize>,
    keys: Option<Schema>,
    values: Option<Schema>,
    logical: Option<Logical>,
    fingerprint: u128,
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || self.0.fingerprint == other.0.fingerprint
    }
}

impl Eq for Schema {}

impl Hash for Schema {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.fingerprint.hash(state);
    }
}

/// Plain schemas without a name are so common that each is made once.
static PLAIN: LazyLock<[[Schema; 2]; 9]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        [false, true].map(|optional| Schema::node(SchemaBuilder::new(Type::ALL[i]).optional_if(optional)))
    })
});

impl Schema {
    /// The required schema of a primitive type; always the same pointer. Containers have no plain schema: use
    /// [`Schema::array`], [`Schema::map`] and [`Schema::builder`].
    #[must_use]
    pub fn of(ty: Type) -> Schema {
        Self::plain(ty, false)
    }

    /// The optional schema of a primitive type; always the same pointer.
    #[must_use]
    pub fn optional(ty: Type) -> Schema {
        Self::plain(ty, true)
    }

    fn plain(ty: Type, optional: bool) -> Schema {
        match PLAIN.get(ty as usize) {
            Some(pair) => pair[usize::from(optional)].clone(),
            None => Schema::node(SchemaBuilder::new(ty).optional_if(optional)),
        }
    }

    /// A required array of `items`.
    #[must_use]
    pub fn array(items: Schema) -> Schema {
        Schema::node(SchemaBuilder { values: Some(items), ..SchemaBuilder::new(Type::Array) })
    }

    /// A required map from `keys` to `values`.
    #[must_use]
    pub fn map(keys: Schema, values: Schema) -> Schema {
        Schema::node(SchemaBuilder {
            keys: Some(keys),
            values: Some(values),
            ..SchemaBuilder::new(Type::Map)
        })
    }

    /// The required schema of a logical type, version 1, as Connect builds it.
    #[must_use]
    pub fn logical_of(logical: Logical) -> Schema {
        Schema::node(SchemaBuilder::logical(logical))
    }

    /// Starts a schema of type `ty`.
    pub fn builder(ty: Type) -> SchemaBuilder {
        SchemaBuilder::new(ty)
    }

    /// Starts a struct schema.
    pub fn structure() -> SchemaBuilder {
        SchemaBuilder::new(Type::Struct)
    }

    /// A builder that holds all of this schema, for changing a copy.
    pub fn to_builder(&self) -> SchemaBuilder {
        SchemaBuilder {
            ty: self.0.ty,
            optional: self.0.optional,
            default: self.0.default.clone(),
            name: self.0.name.clone(),
            version: self.0.version,
            doc: self.0.doc.clone(),
            parameters: self.0.parameters.to_vec(),
            fields: self.0.fields.to_vec(),
            keys: self.0.keys.clone(),
            values: self.0.values.clone(),
        }
    }

    pub(super) fn node(builder: SchemaBuilder) -> Schema {
        let logical = builder.logical_type();
        let fingerprint = builder.fingerprint();
        let by_name = builder.fields.iter().enumerate().map(|(i, field)| (field.name.clone(), i)).collect();
        Schema(Arc::new(Node {
            ty: builder.ty,
            optional: builder.optional,
            default: builder.default,
            name: builder.name,
            version: builder.version,
            doc: builder.doc,
            parameters: builder.parameters.into_boxed_slice(),
            fields: builder.fields.into_boxed_slice(),
            by_name,
            keys: builder.keys,
            values: builder.values,
            logical,
            fingerprint,
        }))
    }

    /// Whether both are the same allocation: the cheap test of a plan's cache.
    #[must_use]
    pub fn same(&self, other: &Schema) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address of the allocation, for caches keyed by pointer. Such a cache must keep a clone of the schema, or
    /// the address may come to mean another one.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// 128 bits over everything equality looks at.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.0.fingerprint
    }

    /// The type.
    #[must_use]
    pub fn ty(&self) -> Type {
        self.0.ty
    }

    /// Whether null is a value of this schema.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }

    /// The default value.
    #[must_use]
    pub fn default_value(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }

    /// The schema's name, which for logical types says which.
    #[must_use]
    pub fn name(&self) -> Option<&Str> {
        self.0.name.as_ref()
    }

    /// The schema's version.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// The documentation.
    #[must_use]
    pub fn doc(&self) -> Option<&Str> {
        self.0.doc.as_ref()
    }

    /// Parameters in the order they were set.
    #[must_use]
    pub fn parameters(&self) -> &[(Str, Str)] {
        &self.0.parameters
    }

    /// The parameter `key`.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&Str> {
        self.0.parameters.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The fields of a struct, in order; empty for other types.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The position of the field `name`.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    /// The field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index_of(name).and_then(|i| self.0.fields.get(i))
    }

    /// The schema of a map's keys.
    #[must_use]
    pub fn keys(&self) -> Option<&Schema> {
        self.0.keys.as_ref()
    }

    /// The schema of a map's values or an array's items.
    #[must_use]
    pub fn values(&self) -> Option<&Schema> {
        self.0.values.as_ref()
    }

    /// The logical type, where name and base type say one that Connect knows.
    #[must_use]
    pub fn logical(&self) -> Option<Logical> {
        self.0.logical
    }

    /// What stands in for null: the default, if there is one.
    #[must_use]
    pub fn or_default<'a>(&'a self, value: &'a Value) -> &'a Value {
        match (value, &self.0.default) {
            (Value::Null, Some(default)) => default,
            _ => value,
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.ty)?;
        if let Some(name) = &self.0.name {
            write!(f, "({name})")?;
        }
        if self.0.optional {
            f.write_str("?")?;
        }
        if let Some(keys) = &self.0.keys {
            write!(f, "<{keys:?}")?;
            f.write_str(",")?;
        } else if self.0.values.is_some() {
            f.write_str("<")?;
        }
        if let Some(values) = &self.0.values {
            write!(f, "{values:?}>")?;
        }
        if self.0.ty == Type::Struct {
            f.debug_map().entries(self.0.fields.iter().map(|field| (&field.name, &field.schema))).finish()?;
        }
        if let Some(default) = &self.0.default {
            write!(f, "={default:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Schema {
    /// Java's `ConnectSchema.toString()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.0.ty),
            None => write!(f, "Schema{{{}}}", self.0.ty),
        }
    }
}

/// Hashes a default value; floats by their bits.
pub(super) fn hash_value(value: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Boolean(v) => v.hash(hasher),
        Value::Int8(v) => v.hash(hasher),
        Value::Int16(v) => v.hash(hasher),
        Value::Int32(v) | Value::Date(v) | Value::Time(v) => v.hash(hasher),
        Value::Int64(v) | Value::Timestamp(v) => v.hash(hasher),
        Value::Float32(v) => v.to_bits().hash(hasher),
        Value::Float64(v) => v.to_bits().hash(hasher),
        Value::String(v) => v.hash(hasher),
        Value::Bytes(v) => v.hash(hasher),
        Value::Array(items) => items.iter().for_each(|item| hash_value(item, hasher)),
        Value::Map(entries) => entries.iter().for_each(|(key, item)| {
            hash_value(key, hasher);
            hash_value(item, hasher);
        }),
        Value::Object(object) => object.iter().for_each(|(key, item)| {
            key.hash(hasher);
            hash_value(item, hasher);
        }),
        Value::Struct(record) => {
            record.schema().hash(hasher);
            record.values().iter().for_each(|item| hash_value(item, hasher));
        }
        Value::Decimal(v) => v.hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> SchemaBuilder {
        Schema::structure().field("x", Schema::of(Type::Int32)).field("y", Schema::optional(Type::String))
    }

    #[test]
    fn plain_schemas_are_shared() {
        assert!(Schema::of(Type::Int32).same(&Schema::of(Type::Int32)));
        assert!(!Schema::of(Type::Int32).same(&Schema::optional(Type::Int32)));
    }

    #[test]
    fn equality_looks_at_everything() {
        let base = point().build().unwrap();
        assert_eq!(base, point().build().unwrap());
        for other in [
            point().optional(),
            point().name("p"),
            point().version(1),
            point().doc("d"),
            point().parameter("a", "b"),
            point().field("z", Schema::of(Type::Int8)),
            Schema::structure()
                .field("y", Schema::optional(Type::String))
                .field("x", Schema::of(Type::Int32)),
        ] {
            assert_ne!(base, other.build().unwrap());
        }
    }

    #[test]
    fn duplicate_fields_are_refused() {
        let error = point().field("x", Schema::of(Type::Int8)).build().unwrap_err();
        assert_eq!(error.message(), Some("Cannot create field because of field name duplication x"));
    }

    #[test]
    fn logical_types_go_by_name_and_base() {
        assert_eq!(Schema::logical_of(Logical::Decimal(2)).logical(), Some(Logical::Decimal(2)));
        assert_eq!(Schema::logical_of(Logical::Date).logical(), Some(Logical::Date));
        let wrong_base = Schema::builder(Type::String).name(Logical::DATE).build().unwrap();
        assert_eq!(wrong_base.logical(), None);
    }
}
