//! From Connect schemas to Avro schemas.

use std::collections::{HashMap, HashSet};

use lavka_api::data::{Field, Logical, Schema, Str, Type};
use lavka_api::{Error, Result};
use serde_json::{Map, Value as Json};

use super::names::{self, parameter, prop, scrubbed, scrubbed_full, split};
use super::{Mapping, anything, avro_defaults};
use crate::schema::{
    AVRO_RUNTIME, AvroSchema, EnumType, FixedType, Kind, MAX_DEPTH, Name, RecordField, RecordType,
    SCHEMA_PARSE, TypeId, Types, same_shape,
};

/// The precision of decimals that do not say theirs.
const PRECISION: i64 = 64;

pub(super) fn convert(mapping: &Mapping, schema: Option<&Schema>) -> Result<AvroSchema> {
    let Some(schema) = schema else { return anything::schema() };
    let mut builder = Builder {
        mapping,
        types: Types::default(),
        finished: HashMap::new(),
        structs: HashMap::new(),
        seen: HashSet::new(),
        unnamed: 0,
        anything: None,
        depth: 0,
    };
    let root = builder.any(schema, false)?;
    builder.types.check_depth(root)?;
    builder.refuse_redefinitions()?;
    Ok(builder.types.finish(root))
}

struct Builder<'a> {
    mapping: &'a Mapping,
    types: Types,
    /// Required schemas that were converted: the same one again is the same type.
    finished: HashMap<Schema, TypeId>,
    /// Structs by name, from when their fields are being converted: inside of containers the name and the fields count,
    /// whatever else is different.
    structs: HashMap<Str, (TypeId, Schema)>,
    /// Names that fields had.
    seen: HashSet<String>,
    unnamed: usize,
    anything: Option<TypeId>,
    depth: usize,
}

impl Builder<'_> {
    /// The type of `schema`; with `bare` without the null of an optional.
    fn any(&mut self, schema: &Schema, bare: bool) -> Result<TypeId> {
        let is_union = Mapping::is_union(schema);
        if !is_union
            && !schema.is_optional()
            && let Some(id) = self.finished.get(schema)
        {
            return Ok(*id);
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "a schema nested deeper than {MAX_DEPTH} levels has no Avro schema"
            )));
        }
        self.depth += 1;
        let base = self.base(schema, is_union);
        self.depth -= 1;
        let base = base?;
        let id = if matches!(self.types.kind(base), Kind::Union(_)) {
            base
        } else {
            self.annotate(schema, base)?;
            if bare { base } else { self.or_null(schema, base) }
        };
        if !schema.is_optional() {
            self.finished.insert(schema.clone(), id);
        }
        Ok(id)
    }

    /// The type of an inner schema. A struct that is known by its name is that one.
    fn inner(&mut self, schema: Option<&Schema>, bare: bool) -> Result<TypeId> {
        let Some(schema) = schema else { return self.anything() };
        let named =
            schema.name().filter(|_| schema.ty() == Type::Struct).and_then(|name| self.structs.get(name));
        match named.filter(|(_, known)| known.fields() == schema.fields()) {
            Some(&(id, _)) if bare => Ok(id),
            Some(&(id, _)) => Ok(self.or_null(schema, id)),
            None => self.any(schema, bare),
        }
    }

    fn anything(&mut self) -> Result<TypeId> {
        if let Some(id) = self.anything {
            return Ok(id);
        }
        let id = anything::add_to(&mut self.types)?;
        self.anything = Some(id);
        Ok(id)
    }

    /// A union with null where `schema` is optional: null first, unless a default has to match the first member.
    fn or_null(&mut self, schema: &Schema, id: TypeId) -> TypeId {
        if !schema.is_optional() {
            return id;
        }
        let null = self.types.add(Kind::Null);
        let members = if schema.default_value().is_some() { vec![id, null] } else { vec![null, id] };
        self.types.add(Kind::Union(members))
    }

    fn base(&mut self, schema: &Schema, is_union: bool) -> Result<TypeId> {
        let kind = match schema.ty() {
            Type::Int8 | Type::Int16 | Type::Int32 => Kind::Int,
            Type::Int64 => Kind::Long,
            Type::Float32 => Kind::Float,
            Type::Float64 => Kind::Double,
            Type::Boolean => Kind::Boolean,
            Type::String => match self.mapping.enum_parameter(schema) {
                Some(parameter) => self.enumeration(schema, parameter)?,
                None => Kind::String,
            },
            Type::Bytes => return self.bytes(schema),
            Type::Array => Kind::Array(self.inner(schema.values(), false)?),
            Type::Map if self.mapping.is_plain_map(schema) => Kind::Map(self.inner(schema.values(), false)?),
            Type::Map => return self.entries(schema),
            Type::Struct if schema.name().is_some_and(|name| name == names::VARIANT_NAME) => {
                return self.variant();
            }
            Type::Struct if is_union => return self.union(schema),
            Type::Struct if schema.is_optional() => {
                let required = schema.to_builder().optional_if(false).build()?;
                let null = self.types.add(Kind::Null);
                let inner = self.inner(Some(&required), false)?;
                Kind::Union(vec![null, inner])
            }
            Type::Struct => return self.record(schema),
        };
        Ok(self.types.add(kind))
    }

    /// The name of `schema`, or the next one for schemas without.
    fn name(&mut self, schema: &Schema) -> Result<Name> {
        let Some(name) = schema.name() else {
            self.unnamed += 1;
            let number = if self.unnamed > 1 { self.unnamed.to_string() } else { String::new() };
            return Name::new(&format!("{}{number}", names::DEFAULT_NAME), None);
        };
        let (space, simple) = split(name, self.mapping.scrub_invalid_names);
        Name::new(&simple, space.as_deref())
    }

    fn enumeration(&mut self, schema: &Schema, key: &str) -> Result<Kind> {
        let label = schema
            .parameter(key)
            .ok_or_else(|| Error::data(format!("{schema} has no parameter {key}, which names the enum")))?;
        let prefix = format!("{key}.");
        let symbols = schema
            .parameters()
            .iter()
            .filter_map(|(key, _)| key.strip_prefix(&*prefix).map(str::to_owned))
            .collect();
        let own = self.name(schema)?;
        let about = |prefix: &str| schema.parameter(&format!("{prefix}{}", own.simple())).map(Str::as_str);
        let name = Name::new(label, None)?;
        Ok(Kind::Enum(Box::new(if self.mapping.discard_type_doc_default {
            EnumType::new(name, schema.parameter(parameter::OLD_ENUM_DOC).map(Str::as_str), symbols, None)?
        } else {
            let default = about(parameter::ENUM_DEFAULT).map(str::to_owned);
            EnumType::new(name, about(parameter::ENUM_DOC), symbols, default)?
        })))
    }

    fn bytes(&mut self, schema: &Schema) -> Result<TypeId> {
        let kind = match fixed_size(schema)? {
            Some(size) => {
                let name = self.name(schema)?;
                Kind::Fixed(Box::new(FixedType { name, doc: None, aliases: Vec::new(), size }))
            }
            None => Kind::Bytes,
        };
        let id = self.types.add(kind);
        if let Some(decimal) = decimal(schema)?
            && let Some(ty) = self.types.get_mut(id)
        {
            ty.props.set(prop::SCALE, decimal.scale);
            ty.props.set(prop::PRECISION, decimal.precision);
        }
        Ok(id)
    }

    /// A map whose keys Avro cannot have: an array of records with key and value.
    fn entries(&mut self, schema: &Schema) -> Result<TypeId> {
        let name = match schema.name() {
            Some(_) => self.name(schema)?,
            None => Name::new(names::MAP_ENTRY_NAME, None)?,
        };
        let mut fields = Vec::with_capacity(2);
        for (name, inner) in [("key", schema.keys()), ("value", schema.values())] {
            let field = match inner {
                Some(inner) => self.field(name, inner, None)?,
                None => RecordField::new(name, self.anything()?),
            };
            fields.push(field);
        }
        let record = RecordType { name, doc: None, aliases: Vec::new(), fields, error: false };
        let id = self.types.add(Kind::Record(Box::new(record)));
        if schema.name().is_some()
            && let Some(ty) = self.types.get_mut(id)
        {
            ty.props.set(prop::INTERNAL_TYPE, names::MAP_ENTRY);
        }
        Ok(self.types.add(Kind::Array(id)))
    }

    fn variant(&mut self) -> Result<TypeId> {
        let mut fields = Vec::with_capacity(2);
        for name in ["metadata", "value"] {
            fields.push(RecordField::new(name, self.types.add(Kind::Bytes)));
        }
        let name = Name::new(names::VARIANT_RECORD, None)?;
        let record = RecordType { name, doc: None, aliases: Vec::new(), fields, error: false };
        let id = self.types.add(Kind::Record(Box::new(record)));
        if let Some(ty) = self.types.get_mut(id) {
            ty.props.set(prop::LOGICAL_TYPE, names::VARIANT_LOGICAL);
        }
        Ok(id)
    }

    fn union(&mut self, schema: &Schema) -> Result<TypeId> {
        let mut members = Vec::with_capacity(schema.fields().len() + 1);
        if schema.is_optional() {
            members.push(self.types.add(Kind::Null));
        }
        for field in schema.fields() {
            let required = field.schema().to_builder().optional_if(false).build()?;
            members.push(self.inner(Some(&required), true)?);
        }
        self.types.check_union(&members)?;
        Ok(self.types.add(Kind::Union(members)))
    }

    fn record(&mut self, schema: &Schema) -> Result<TypeId> {
        let name = self.name(schema)?;
        let old = self.mapping.discard_type_doc_default;
        let doc = schema.parameter(if old { parameter::OLD_RECORD_DOC } else { parameter::RECORD_DOC });
        let record = RecordType {
            name,
            doc: doc.map(|doc| doc.as_str().to_owned()),
            aliases: Vec::new(),
            fields: Vec::new(),
            error: false,
        };
        let id = self.types.add(Kind::Record(Box::new(record)));
        if let Some(name) = schema.name() {
            self.structs.insert(name.clone(), (id, schema.clone()));
        }
        let mut fields: Vec<RecordField> = Vec::with_capacity(schema.fields().len());
        let mut taken = HashSet::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let name = scrubbed(field.name(), self.mapping.scrub_invalid_names);
            if !taken.insert(name.clone()) {
                return Err(Error::new(
                    lavka_api::ErrorClass::Data,
                    AVRO_RUNTIME,
                    format!("Duplicate field {name} in record {}", self.types.kind(id).label()),
                ));
            }
            let doc = schema.parameter(&field_doc(field)).map(Str::as_str);
            fields.push(self.field(&name, field.schema(), doc)?);
        }
        if let Some(Kind::Record(record)) = self.types.get_mut(id).map(|ty| &mut ty.kind) {
            record.fields = fields;
        }
        Ok(id)
    }

    fn field(&mut self, name: &str, schema: &Schema, doc: Option<&str>) -> Result<RecordField> {
        let default = match schema.default_value() {
            Some(value) => Some(avro_defaults::json_of(self.mapping, schema, value)?),
            None if schema.is_optional() => Some(Json::Null),
            None => None,
        };
        let full = schema.name().map(|name| scrubbed_full(name, self.mapping.scrub_invalid_names));
        let met_before = full.is_some_and(|name| !self.seen.insert(name));
        let ty = self.any(schema, false)?;
        crate::schema::valid_name(name)?;
        let mut field = RecordField::new(name, ty);
        let old = self.mapping.discard_type_doc_default;
        field.doc = if old { schema.doc().map(Str::as_str) } else { doc }.map(str::to_owned);
        // What does not fit is left out; Java logs a warning.
        field.default = default.filter(|default| avro_defaults::fits(&self.types, ty, default));
        if self.mapping.connect_meta_data && met_before && self.is_named(ty) {
            let parameters = self.parameters(schema);
            if !parameters.is_empty() {
                field.props.set(prop::PARAMETERS, parameters);
            }
        }
        Ok(field)
    }

    /// Whether a type, or a member of a union, is named: met again it is its name alone.
    fn is_named(&self, id: TypeId) -> bool {
        self.types.members(&id).iter().any(|member| self.types.kind(*member).name().is_some())
    }

    fn parameters(&self, schema: &Schema) -> Map<String, Json> {
        schema
            .parameters()
            .iter()
            .filter(|(key, _)| self.mapping.discard_type_doc_default || key != parameter::FIELD_DEFAULT)
            .map(|(key, value)| (key.as_str().to_owned(), Json::from(value.as_str())))
            .collect()
    }

    /// Sets the properties that keep what Avro has no word for. Their order is part of the text that is registered.
    fn annotate(&mut self, schema: &Schema, id: TypeId) -> Result<()> {
        let parameters = self.parameters(schema);
        let default = match schema.default_value() {
            Some(value)
                if self.mapping.discard_type_doc_default
                    || schema.parameter(parameter::FIELD_DEFAULT).is_none() =>
            {
                Some(avro_defaults::json_of(self.mapping, schema, value)?)
            }
            _ => None,
        };
        let decimal = decimal(schema)?;
        if let Some(decimal) = &decimal {
            decimal.check(self.types.kind(id))?;
        }
        let meta_data = self.mapping.connect_meta_data;
        let Some(ty) = self.types.get_mut(id) else { return Ok(()) };
        if meta_data {
            if let Some(doc) = schema.doc() {
                ty.props.set(prop::DOC, doc.as_str());
            }
            if let Some(version) = schema.version() {
                ty.props.set(prop::VERSION, version);
            }
            if !parameters.is_empty() {
                ty.props.set(prop::PARAMETERS, parameters);
            }
            if let Some(default) = default {
                ty.props.set(prop::DEFAULT, default);
            }
            if let Some(name) = schema.name() {
                ty.props.set(prop::NAME, name.as_str());
            }
            match schema.ty() {
                Type::Int8 => ty.props.set(prop::TYPE, "int8"),
                Type::Int16 => ty.props.set(prop::TYPE, "int16"),
                _ => {}
            }
        }
        let logical = match (decimal, schema.name().map(Str::as_str)) {
            // Also where Avro allows no such decimal: scale and precision were set with the type.
            (Some(_), _) => Some("decimal"),
            (None, Some(name)) if name.eq_ignore_ascii_case(Logical::TIME) => Some("time-millis"),
            (None, Some(name)) if name.eq_ignore_ascii_case(Logical::TIMESTAMP) => Some("timestamp-millis"),
            (None, Some(name)) if name.eq_ignore_ascii_case(Logical::DATE) => Some("date"),
            _ => None,
        };
        if let Some(logical) = logical {
            ty.props.set(prop::LOGICAL_TYPE, logical);
        }
        for (key, value) in schema.parameters().iter().filter(|(key, _)| key.starts_with(prop::AVRO_PREFIX)) {
            ty.props.set(key, value.as_str());
        }
        Ok(())
    }

    /// Two types of one name are written once: refuses them where their bytes differ, since nobody could read those of
    /// the second.
    fn refuse_redefinitions(&self) -> Result<()> {
        let mut first: HashMap<&str, TypeId> = HashMap::new();
        for id in self.types.ids() {
            let Some(name) = self.types.kind(id).name() else { continue };
            let known = *first.entry(name.full()).or_insert(id);
            if !same_shape((&self.types, known), (&self.types, id)) {
                return Err(Error::new(
                    lavka_api::ErrorClass::Data,
                    SCHEMA_PARSE,
                    format!(
                        "Can't redefine: {}. Two different types in the record's schema have this name: give one of them another",
                        name.full()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The scale and precision of a schema that is named as decimal. Java compares the name without regard to case.
struct DecimalForm {
    scale: i64,
    precision: i64,
}

impl DecimalForm {
    /// Holds the decimal to Avro's rules, as Java does where it is one by those rules at all: one whose scale is
    /// negative or beyond its precision is written all the same.
    fn check(&self, kind: &Kind) -> Result<()> {
        let illegal = |message: String| {
            Error::data(message).with_exception(lavka_api::error::exception::ILLEGAL_ARGUMENT)
        };
        if self.scale < 0 || self.scale > self.precision {
            return Ok(());
        }
        if self.precision <= 0 {
            return Err(illegal(format!("Invalid decimal precision: {} (must be positive)", self.precision)));
        }
        if let Kind::Fixed(fixed) = kind {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a size of 31 bits"
            )]
            let digits = (2_f64.log10() * (8.0 * fixed.size as f64 - 1.0)).floor() as i64;
            if self.precision > digits {
                return Err(illegal(format!(
                    "fixed({}) cannot store {} digits (max {digits}): set the parameter {}",
                    fixed.size,
                    self.precision,
                    parameter::PRECISION
                )));
            }
        }
        Ok(())
    }
}

fn decimal(schema: &Schema) -> Result<Option<DecimalForm>> {
    if schema.ty() != Type::Bytes
        || !schema.name().is_some_and(|name| name.eq_ignore_ascii_case(Logical::DECIMAL))
    {
        return Ok(None);
    }
    let number = |key: &str| match schema.parameter(key) {
        None => Ok(None),
        Some(text) => text
            .parse::<i32>()
            .map(|number| Some(i64::from(number)))
            .map_err(|_| Error::data(format!("the parameter {key} of {schema} is no number: {text}"))),
    };
    let scale = number(parameter::SCALE)?.ok_or_else(|| {
        Error::data(format!("Invalid Decimal schema: scale parameter not found in {schema}."))
    })?;
    Ok(Some(DecimalForm { scale, precision: number(parameter::PRECISION)?.unwrap_or(PRECISION) }))
}

/// The size of a schema that is a fixed: named bytes with that parameter.
pub(super) fn fixed_size(schema: &Schema) -> Result<Option<usize>> {
    let Some(size) = schema.parameter(parameter::FIXED_SIZE).filter(|_| schema.name().is_some()) else {
        return Ok(None);
    };
    let size = size.parse::<u32>().ok().filter(|size| i32::try_from(*size).is_ok());
    match size.and_then(|size| usize::try_from(size).ok()) {
        Some(size) => Ok(Some(size)),
        None => Err(Error::data(format!("the parameter {} of {schema} is no size", parameter::FIXED_SIZE))),
    }
}

fn field_doc(field: &Field) -> String {
    format!("{}{}", parameter::FIELD_DOC, field.name())
}

impl RecordField {
    fn new(name: &str, ty: TypeId) -> Self {
        Self {
            name: name.to_owned(),
            ty,
            doc: None,
            default: None,
            order: None,
            aliases: Vec::new(),
            props: crate::schema::Props::default(),
        }
    }
}
