//! Connect schemas to Avro schemas and back, as Confluent's `AvroData` maps them.

mod anything;
mod avro_defaults;
mod connect_defaults;
mod names;
mod to_avro;
mod to_connect;

use lavka_api::Result;
use lavka_api::data::{Schema, Type};

use crate::schema::{AvroSchema, Kind, TypeId, Types};

pub(crate) use anything::is_anything;
pub(crate) use connect_defaults::value_of_default;
pub use names::parameter;
pub(crate) use names::scrubbed;

/// The options of the mapping, under the names and with the defaults of `AvroDataConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `enhanced.avro.schema.support`: enums stay enums, and members of unions go by full name.
    pub enhanced_avro_schema_support: bool,
    /// `scrub.invalid.names`: names that Avro refuses are changed instead of failing.
    pub scrub_invalid_names: bool,
    /// `connect.meta.data`: what Avro has no word for is written as `connect.*` properties, and read back.
    pub connect_meta_data: bool,
    /// `allow.optional.map.keys`: maps with optional string keys are Avro maps too.
    pub allow_optional_map_keys: bool,
    /// `flatten.singleton.unions`: a union of one member is read as that member.
    pub flatten_singleton_unions: bool,
    /// `generalized.sum.type.support`: enums and unions as the other formats describe them.
    pub generalized_sum_type_support: bool,
    /// `ignore.default.for.nullables`: a null stays null although its field has a default.
    pub ignore_default_for_nullables: bool,
    /// `discard.type.doc.default` (deprecated): docs and defaults are kept for fields alone.
    pub discard_type_doc_default: bool,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            enhanced_avro_schema_support: false,
            scrub_invalid_names: false,
            connect_meta_data: true,
            allow_optional_map_keys: false,
            flatten_singleton_unions: true,
            generalized_sum_type_support: false,
            ignore_default_for_nullables: false,
            discard_type_doc_default: false,
        }
    }
}

impl Mapping {
    /// The Avro schema of `schema`; that of schemaless data where there is none.
    ///
    /// # Errors
    /// A data error where Avro has no form for it: a name that it refuses, two members of a union that it cannot tell
    /// apart, two different types of one name, nesting beyond 64 levels.
    pub fn to_avro(&self, schema: Option<&Schema>) -> Result<AvroSchema> {
        to_avro::convert(self, schema)
    }

    /// The Connect schema of `schema`; `None` for that of schemaless data. `version` is the registry's, for schemas
    /// that do not carry one.
    ///
    /// # Errors
    /// A data error where Connect has no form for it: a type that contains itself, a null alone, properties of the
    /// wrong type.
    pub fn to_connect(&self, schema: &AvroSchema, version: Option<i32>) -> Result<Option<Schema>> {
        to_connect::convert(self, schema, version)
    }

    /// Whether a struct stands for a union.
    pub(crate) fn is_union(schema: &Schema) -> bool {
        schema.ty() == Type::Struct
            && (schema.name().is_some_and(|name| name == names::UNION_NAME)
                || schema.parameter(parameter::GENERAL_UNION).is_some())
    }

    /// The parameter that names the enum, where a string is one under these options.
    pub(crate) fn enum_parameter(&self, schema: &Schema) -> Option<&'static str> {
        let known = schema.parameter(parameter::GENERAL_ENUM).is_some()
            || schema.parameter(parameter::ENUM).is_some();
        let wanted = self.generalized_sum_type_support || self.enhanced_avro_schema_support;
        (schema.ty() == Type::String && known && wanted).then_some(if self.generalized_sum_type_support {
            parameter::GENERAL_ENUM
        } else {
            parameter::ENUM
        })
    }

    /// Whether a map is an Avro map; others are arrays of entries.
    pub(crate) fn is_plain_map(&self, schema: &Schema) -> bool {
        schema.keys().is_some_and(|keys| {
            keys.ty() == Type::String && (!keys.is_optional() || self.allow_optional_map_keys)
        })
    }

    /// The field that stands for a member of a union; `index` counts members with null.
    pub(crate) fn member_field(&self, kind: &Kind, index: usize) -> String {
        if self.generalized_sum_type_support {
            return format!("{}{index}", names::GENERAL_UNION_FIELD);
        }
        match kind.name() {
            Some(name) if self.enhanced_avro_schema_support => name.full().to_owned(),
            Some(name) => names::split(name.simple(), self.scrub_invalid_names).1,
            None => kind.type_name().to_owned(),
        }
    }

    /// A schema's full name as Avro has it.
    pub(crate) fn scrubbed_full_name(&self, name: &str) -> String {
        names::scrubbed_full(name, self.scrub_invalid_names)
    }

    /// What a union means for Connect.
    pub(crate) fn union_form(&self, types: &Types, members: &[TypeId]) -> UnionForm {
        let is_null = |member: &TypeId| matches!(types.kind(*member), Kind::Null);
        match members {
            [member] if self.flatten_singleton_unions => UnionForm::Single(*member),
            [null, member] | [member, null] if is_null(null) && !is_null(member) => {
                UnionForm::Nullable(*member)
            }
            _ => UnionForm::Struct,
        }
    }
}

/// What a union means for Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnionForm {
    /// The member itself.
    Single(TypeId),
    /// An optional of the member.
    Nullable(TypeId),
    /// A struct with a field for each member but null.
    Struct,
}

/// Whether `id` is a record that stands for an entry of a map whose keys are no strings.
pub(crate) fn is_map_entry(types: &Types, id: TypeId) -> bool {
    let ty = types.get(id);
    let Kind::Record(record) = &ty.kind else { return false };
    record.name.full() == names::MAP_ENTRY_NAME
        || ty.props.text(names::prop::INTERNAL_TYPE) == Some(names::MAP_ENTRY)
}

/// Whether `ty` is the record of a variant: two byte strings that Connect knows as a struct.
pub(crate) fn is_variant(ty: &crate::schema::AvroType) -> bool {
    matches!(ty.kind, Kind::Record(_))
        && ty.props.text(names::prop::LOGICAL_TYPE) == Some(names::VARIANT_LOGICAL)
}
