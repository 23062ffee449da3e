//! From Avro schemas to Connect schemas.

use std::collections::{HashMap, HashSet};

use lavka_api::data::{Logical, Schema, SchemaBuilder, Str, Type};
use lavka_api::{Error, Result};
use serde_json::Value as Json;

use super::names::{self, parameter, prop};
use super::{Mapping, UnionForm, connect_defaults, is_anything, is_map_entry, is_variant};
use crate::schema::{
    AvroSchema, AvroType, EnumType, Kind, MAX_DEPTH, RecordField, RecordType, TypeId, Types,
};

/// Schemas of more parts than this have no Connect schema. A type that is used again and again counts once, but for
/// where it has another default.
const MAX_PARTS: usize = 100_000;

/// A precision that is not said again.
const PRECISION: i64 = 64;

pub(super) fn convert(
    mapping: &Mapping,
    schema: &AvroSchema,
    version: Option<i32>,
) -> Result<Option<Schema>> {
    if is_anything(schema.types(), schema.root()) {
        return Ok(None);
    }
    let mut reader = Reader {
        mapping,
        types: schema.types(),
        root: schema.root(),
        open: Vec::new(),
        finished: HashMap::new(),
        unions: 0,
        depth: 0,
        parts: 0,
    };
    reader.any(schema.root(), &Place { version, ..Place::default() }).map(Some)
}

struct Reader<'a> {
    mapping: &'a Mapping,
    types: &'a Types,
    root: TypeId,
    /// Records whose fields are being read: meeting one again is recursion.
    open: Vec<TypeId>,
    /// What has no default of its own, by whether it is optional: named types may be used often.
    finished: HashMap<(TypeId, bool), Schema>,
    /// Unions met, which generalized sum types are numbered by.
    unions: usize,
    depth: usize,
    /// Parts that were made.
    parts: usize,
}

/// What the place of a type adds to its schema.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    optional: bool,
    /// The default of the field.
    default: Option<&'a Json>,
    /// The doc of the field, which `discard.type.doc.default` alone looks at.
    doc: Option<&'a str>,
    version: Option<i32>,
}

impl<'a> Reader<'a> {
    fn any(&mut self, id: TypeId, place: &Place<'a>) -> Result<Schema> {
        let plain = place.default.is_none() && place.doc.is_none() && place.version.is_none();
        if plain && let Some(schema) = self.finished.get(&(id, place.optional)) {
            return Ok(schema.clone());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "an Avro schema nested deeper than {MAX_DEPTH} levels has no Connect schema"
            )));
        }
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Error::data(format!(
                "The Avro schema {} describes more than {MAX_PARTS} parts",
                self.types.kind(self.root).label()
            )));
        }
        self.depth += 1;
        let schema = self.build(id, place);
        self.depth -= 1;
        let schema = schema?;
        if plain {
            self.finished.insert((id, place.optional), schema.clone());
        }
        Ok(schema)
    }

    /// The schema of items or values; `None` for schemaless ones.
    fn inner(&mut self, id: TypeId) -> Result<Option<Schema>> {
        if is_anything(self.types, id) {
            return Ok(None);
        }
        self.any(id, &Place::default()).map(Some)
    }

    fn build(&mut self, id: TypeId, place: &Place<'a>) -> Result<Schema> {
        let ty = self.types.get(id);
        if let Kind::Union(members) = &ty.kind {
            match self.mapping.union_form(self.types, members) {
                UnionForm::Single(member) => {
                    return self.any(member, &Place { doc: place.doc, ..Place::default() });
                }
                UnionForm::Nullable(member) => {
                    return self.any(member, &Place { doc: place.doc, optional: true, ..Place::default() });
                }
                UnionForm::Struct => {}
            }
        }
        let builder = match &ty.kind {
            Kind::Boolean => Schema::builder(Type::Boolean),
            Kind::Bytes | Kind::Fixed(_) => bytes(ty)?,
            Kind::Double => Schema::builder(Type::Float64),
            Kind::Float => Schema::builder(Type::Float32),
            Kind::Int => int(ty)?,
            Kind::Long if is_logical(ty, "timestamp-millis") => SchemaBuilder::logical(Logical::Timestamp),
            Kind::Long => Schema::builder(Type::Int64),
            Kind::String => Schema::builder(Type::String),
            Kind::Array(items) if is_map_entry(self.types, *items) => self.entries(*items)?,
            Kind::Array(items) => match self.inner(*items)? {
                Some(items) => Schema::array(items).to_builder(),
                None => Schema::array_of_null().to_builder(),
            },
            Kind::Map(values) => match self.inner(*values)? {
                Some(values) => Schema::map(Schema::of(Type::String), values).to_builder(),
                None => Schema::map_with_null_values(Schema::of(Type::String)).to_builder(),
            },
            Kind::Record(_) if is_variant(ty) => Schema::structure()
                .name(names::VARIANT_NAME)
                .field("metadata", Schema::of(Type::Bytes))
                .field("value", Schema::of(Type::Bytes)),
            Kind::Record(record) => self.record(id, record)?,
            Kind::Enum(it) => self.enumeration(it),
            Kind::Union(members) => self.union(members)?,
            Kind::Null => {
                return Err(Error::data("Standalone null schemas are not supported by this converter"));
            }
        };
        self.finish(ty, builder, place)
    }

    fn entries(&mut self, items: TypeId) -> Result<SchemaBuilder> {
        let types = self.types;
        let Kind::Record(record) = types.kind(items) else { return Ok(Schema::map_of_null().to_builder()) };
        let field = |name: &str| record.fields.iter().find(|field| field.name == name);
        let (Some(key), Some(value), 2) = (field("key"), field("value"), record.fields.len()) else {
            return Err(Error::data(
                "Found map encoded as array of key-value pairs, but array elements do not match the expected format.",
            ));
        };
        self.enter(items)?;
        let inner = (self.inner(key.ty)?, self.inner(value.ty)?);
        self.open.pop();
        Ok(match inner {
            (Some(keys), Some(values)) => Schema::map(keys, values).to_builder(),
            (Some(keys), None) => Schema::map_with_null_values(keys).to_builder(),
            (None, _) => Schema::map_of_null().to_builder(),
        })
    }

    fn enter(&mut self, id: TypeId) -> Result<()> {
        if self.open.contains(&id) {
            return Err(Error::data(format!(
                "The Avro record {} contains itself. Recursive types have no Connect schema here: read the topic with \
                 a converter that does not look inside (ByteArrayConverter), or flatten the type where it is written",
                self.types.kind(id).label()
            )));
        }
        self.open.push(id);
        Ok(())
    }

    fn record(&mut self, id: TypeId, record: &'a RecordType) -> Result<SchemaBuilder> {
        self.enter(id)?;
        let with_docs = !self.mapping.discard_type_doc_default && self.mapping.connect_meta_data;
        let mut builder = Schema::structure();
        if let Some(doc) = record.doc.as_ref().filter(|_| with_docs) {
            builder = builder.parameter(parameter::RECORD_DOC, doc);
        }
        for field in &record.fields {
            if let Some(doc) = field.doc.as_ref().filter(|_| with_docs) {
                builder = builder.parameter(format!("{}{}", parameter::FIELD_DOC, field.name), doc);
            }
            let schema = self.field(field)?;
            builder = builder.field(field.name.as_str(), schema);
        }
        self.open.pop();
        Ok(builder)
    }

    fn field(&mut self, field: &'a RecordField) -> Result<Schema> {
        let place = Place {
            default: field.default.as_ref(),
            // Without the switch nobody looks at it, and types without it are read once.
            doc: field.doc.as_deref().filter(|_| self.mapping.discard_type_doc_default),
            ..Place::default()
        };
        let schema = self.any(field.ty, &place)?;
        let Some(Json::Object(parameters)) = field.props.get(prop::PARAMETERS) else { return Ok(schema) };
        if !self.mapping.connect_meta_data {
            return Ok(schema);
        }
        let same = parameters
            .iter()
            .all(|(key, value)| schema.parameter(key).is_some_and(|own| own.as_str() == bare_text(value)));
        if same {
            return Ok(schema);
        }
        let builder = parameters.iter().fold(schema.to_builder(), |builder, (key, value)| {
            builder.parameter(key.as_str(), bare_text(value))
        });
        builder.build()
    }

    fn enumeration(&self, it: &EnumType) -> SchemaBuilder {
        let mut builder = Schema::builder(Type::String);
        let old = self.mapping.discard_type_doc_default;
        if self.mapping.connect_meta_data {
            if let Some(doc) = &it.doc {
                let key = if old {
                    parameter::OLD_ENUM_DOC.to_owned()
                } else {
                    format!("{}{}", parameter::ENUM_DOC, it.name.simple())
                };
                builder = builder.parameter(key, doc);
            }
            if let Some(default) = it.default.as_ref().filter(|_| !old) {
                builder =
                    builder.parameter(format!("{}{}", parameter::ENUM_DEFAULT, it.name.simple()), default);
            }
        }
        let general = self.mapping.generalized_sum_type_support;
        let key = if general { parameter::GENERAL_ENUM } else { parameter::ENUM };
        builder = builder.parameter(key, it.name.full());
        for (i, symbol) in it.symbols.iter().enumerate() {
            let value = if general { Str::from(i.to_string()) } else { Str::from(symbol) };
            builder = builder.parameter(format!("{key}.{symbol}"), value);
        }
        builder
    }

    fn union(&mut self, members: &[TypeId]) -> Result<SchemaBuilder> {
        let general = self.mapping.generalized_sum_type_support;
        let name = if general {
            let number = self.unions;
            self.unions += 1;
            format!("{}{number}", names::GENERAL_UNION_PREFIX)
        } else {
            names::UNION_NAME.to_owned()
        };
        let mut builder = Schema::structure().name(name.as_str());
        if general {
            builder = builder.parameter(parameter::GENERAL_UNION, name);
        }
        let mut taken = HashSet::with_capacity(members.len());
        for (i, member) in members.iter().enumerate() {
            let kind = self.types.kind(*member);
            if matches!(kind, Kind::Null) {
                builder = builder.optional();
                continue;
            }
            let field = self.mapping.member_field(kind, i);
            let schema = self.any(*member, &Place { optional: true, ..Place::default() })?;
            if !taken.insert(field.clone()) {
                return Err(Error::data(format!(
                    "Multiple union schemas map to the Connect union field name {field}: set \
                     enhanced.avro.schema.support=true, which tells them apart by their full names"
                )));
            }
            builder = builder.field(field, schema);
        }
        Ok(builder)
    }

    /// Sets what every type may say about itself, in Java's order.
    fn finish(&self, ty: &AvroType, builder: SchemaBuilder, place: &Place<'_>) -> Result<Schema> {
        let builder = self.documented(ty, builder, place);
        let builder = versioned(ty, builder, place)?;
        let builder = self.parameterised(ty, builder)?;
        let builder = named(ty, builder)?.optional_if(place.optional);
        let union = matches!(ty.kind, Kind::Union(_));
        let optional_union = match &ty.kind {
            Kind::Union(members) => {
                members.iter().any(|member| matches!(self.types.kind(*member), Kind::Null))
            }
            _ => false,
        };
        let builder = if union { builder.optional_if(optional_union) } else { builder };
        self.with_default(ty, builder, place)
    }

    fn documented(&self, ty: &AvroType, builder: SchemaBuilder, place: &Place<'_>) -> SchemaBuilder {
        let own = ty.props.text(prop::DOC);
        if !self.mapping.discard_type_doc_default {
            return match own.filter(|_| self.mapping.connect_meta_data) {
                Some(doc) => builder.doc(doc),
                None => builder,
            };
        }
        let of_type = match &ty.kind {
            Kind::Record(it) => it.doc.as_deref(),
            Kind::Enum(it) => it.doc.as_deref(),
            Kind::Fixed(it) => it.doc.as_deref(),
            _ => None,
        };
        let builder = match place.doc.or(of_type).or(own) {
            Some(doc) => builder.doc(doc),
            None => builder,
        };
        match of_type.filter(|_| self.mapping.connect_meta_data) {
            Some(doc) => builder.parameter(parameter::OLD_RECORD_DOC, doc),
            None => builder,
        }
    }

    fn parameterised(&self, ty: &AvroType, mut builder: SchemaBuilder) -> Result<SchemaBuilder> {
        if let Some(parameters) = ty.props.get(prop::PARAMETERS).filter(|_| self.mapping.connect_meta_data) {
            let Json::Object(parameters) = parameters else {
                return Err(Error::data(format!(
                    "Expected JSON object for schema parameters but found: {}",
                    bare_text(parameters)
                )));
            };
            for (key, value) in parameters {
                let Json::String(value) = value else {
                    return Err(Error::data(format!(
                        "Expected schema parameter values to be strings but found: {value}"
                    )));
                };
                builder = builder.parameter(key.as_str(), value.as_str());
            }
        }
        for (key, value) in ty.props.iter().filter(|(key, _)| key.starts_with(prop::AVRO_PREFIX)) {
            builder = builder.parameter(key, bare_text(value));
        }
        Ok(builder)
    }

    /// Sets the default: the field's, else that of `connect.default`. One that does not fit is left out.
    fn with_default(&self, ty: &AvroType, builder: SchemaBuilder, place: &Place<'_>) -> Result<Schema> {
        let of_type = ty.props.get(prop::DEFAULT);
        let of_field = place.default;
        let flagged = of_field.is_some()
            && of_type.is_none()
            && self.mapping.connect_meta_data
            && !self.mapping.discard_type_doc_default;
        let (default, meant) = match (of_field, of_type) {
            (Some(default), _) | (None, Some(default)) => (default, true),
            (None, None) => (&Json::Null, false),
        };
        let schema = builder.build()?;
        if !meant {
            return Ok(schema);
        }
        let value = if default.is_null() {
            None
        } else {
            connect_defaults::convert(self.mapping, self.types, ty, &schema, default)
        };
        if value.is_none() && !default.is_null() {
            tracing::warn!("ignoring the default of {schema}, which is no value of it: {default}");
            if of_field.is_some() && !connect_defaults::is_of_kind(&ty.kind, default) {
                return Ok(schema);
            }
        }
        let mut builder = schema.to_builder();
        if flagged {
            builder = builder.parameter(parameter::FIELD_DEFAULT, "true");
        }
        builder.default_value(value).build()
    }
}

/// JSON as Java's `toString` gives it: texts without quotes.
fn bare_text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn is_logical(ty: &AvroType, name: &str) -> bool {
    ty.props.text(prop::LOGICAL_TYPE).is_some_and(|logical| logical.eq_ignore_ascii_case(name))
}

fn bytes(ty: &AvroType) -> Result<SchemaBuilder> {
    let mut builder = if is_logical(ty, "decimal") {
        let number = |key: &str| {
            ty.props.get(key).filter(|it| it.is_number()).and_then(|it| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "Java's Number.intValue, saturating as well"
                )]
                it.as_i64().or_else(|| it.as_f64().map(|it| it as i64))
            })
        };
        let scale = number(prop::SCALE).and_then(|scale| i32::try_from(scale).ok()).unwrap_or(0);
        let builder = SchemaBuilder::logical(Logical::Decimal(scale));
        match (ty.props.get(prop::PRECISION), number(prop::PRECISION)) {
            (None, _) | (_, Some(PRECISION)) => builder,
            (_, Some(precision)) => builder.parameter(parameter::PRECISION, precision.to_string()),
            (Some(_), None) => {
                return Err(Error::data(
                    "precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal",
                ));
            }
        }
    } else {
        Schema::builder(Type::Bytes)
    };
    if let Kind::Fixed(fixed) = &ty.kind {
        builder = builder.parameter(parameter::FIXED_SIZE, fixed.size.to_string());
    }
    Ok(builder)
}

fn int(ty: &AvroType) -> Result<SchemaBuilder> {
    Ok(match (ty.props.text(prop::LOGICAL_TYPE), ty.props.text(prop::TYPE)) {
        (Some(_), _) if is_logical(ty, "date") => SchemaBuilder::logical(Logical::Date),
        (Some(_), _) if is_logical(ty, "time-millis") => SchemaBuilder::logical(Logical::Time),
        (Some(_), _) | (None, None) => Schema::builder(Type::Int32),
        (None, Some("int8")) => Schema::builder(Type::Int8),
        (None, Some("int16")) => Schema::builder(Type::Int16),
        (None, Some(_)) => return Err(Error::data("Connect type annotation for Avro int field is null")),
    })
}

fn versioned(ty: &AvroType, builder: SchemaBuilder, place: &Place<'_>) -> Result<SchemaBuilder> {
    let version = match ty.props.get(prop::VERSION) {
        Some(Json::Number(number)) => number.as_i64().and_then(|it| i32::try_from(it).ok()),
        Some(other) => {
            return Err(Error::data(format!("Invalid Connect version found: {}", bare_text(other))));
        }
        None => place.version,
    };
    let Some(version) = version.filter(|version| *version >= 0) else { return Ok(builder) };
    // Logical types come with theirs.
    match builder.clone().build()?.version() {
        Some(own) if own != version => Err(Error::data(format!(
            "Mismatched versions: version already added to SchemaBuilder ({own}) differs from version in source \
             schema ({version})"
        ))),
        _ => Ok(builder.version(version)),
    }
}

fn named(ty: &AvroType, builder: SchemaBuilder) -> Result<SchemaBuilder> {
    let own = builder.clone().build()?;
    let own = own.name();
    let name = match (&ty.kind, ty.props.get(prop::NAME)) {
        (_, Some(Json::String(name))) => Some(name.as_str()),
        (_, Some(other)) => return Err(Error::data(format!("Invalid schema name: {other}"))),
        (Kind::Record(_), None) if own.is_some_and(|own| own == names::VARIANT_NAME) => None,
        (Kind::Fixed(_), None) if own.is_some_and(|own| own == Logical::DECIMAL) => None,
        (kind, None) => kind.name().map(crate::schema::Name::full),
    };
    match (own, name.filter(|name| !name.starts_with(names::DEFAULT_NAME))) {
        (Some(own), Some(name)) if own != name => Err(Error::data(format!(
            "Mismatched names: name already added to SchemaBuilder ({own}) differs from name in source schema ({name})"
        ))),
        (None, Some(name)) => Ok(builder.name(name)),
        _ => Ok(builder),
    }
}
