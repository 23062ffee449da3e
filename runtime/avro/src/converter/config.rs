//! Keys of this converter beside those of the registry.

use lavka_api::config::{Check, ConfigDef, ConfigSpec, key};
use lavka_schema_registry::unsupported::{self, NO_JAVA_CLASSES};

use crate::mapping::Mapping;

lavka_api::config! {
    /// The keys of `AvroDataConfig`, all with Confluent's names and defaults, and what there is of the Java client that
    /// this one does not do.
    pub(super) struct MappingConfig {
        /// Enums and full names.
        pub(super) enhanced: bool = key("enhanced.avro.schema.support").default(false)
            .doc("Whether enums are written as enums, and fields of unions are named by full names."),
        /// Names that Avro refuses.
        pub(super) scrub: bool = key("scrub.invalid.names").default(false)
            .doc("Whether characters that Avro does not allow in names are replaced; otherwise such names fail."),
        /// Properties.
        pub(super) meta_data: bool = key("connect.meta.data").default(true).low()
            .doc("Whether what Avro has no word for (names, versions, parameters, defaults) is written as connect.* \
                  properties of the schema, and read back."),
        /// Maps with optional keys.
        pub(super) optional_keys: bool = key("allow.optional.map.keys").default(false).low()
            .doc("Whether maps with optional string keys are written as Avro maps; otherwise as arrays of entries."),
        /// Unions of one.
        pub(super) flatten: bool = key("flatten.singleton.unions").default(true).low()
            .doc("Whether a union of one type is read as that type."),
        /// Enums and unions of all formats.
        pub(super) generalized: bool = key("generalized.sum.type.support").default(false)
            .doc("Whether enums and unions carry parameters that the converters of all formats understand."),
        /// Null and defaults.
        pub(super) ignore_default: bool = key("ignore.default.for.nullables").default(false)
            .doc("Whether a null stays null where its field has a default."),
        /// The old form of docs.
        pub(super) discard: bool = key("discard.type.doc.default").default(false).low()
            .doc("Deprecated. Whether docs and defaults of types are given up, and those of fields alone are kept."),
        /// Bound of the caches.
        pub(super) cache_size: i32 = key("schemas.cache.config").default(1000).low().check(Check::at_least(1))
            .doc("How many schemas with their plans are kept in each direction."),
        /// Not supported: generated classes.
        pub(super) specific: bool = key("specific.avro.reader").default(false).low()
            .check(unsupported::switch(NO_JAVA_CLASSES))
            .doc("Whether data is read into generated Java classes; only false is supported."),
        /// Not supported: logical types of the Java library.
        pub(super) logical: bool = key("avro.use.logical.type.converters").default(false).low()
            .check(unsupported::switch("logical types are those of Connect, not those of Avro's Java library"))
            .doc("Whether Avro's Java library converts logical types; only false is supported. Dates, times, timestamps \
                  and decimals are Connect's logical types anyway."),
        /// Not supported: generated classes.
        pub(super) key_type: Option<String> = key("specific.avro.key.type").check(unsupported::setting(NO_JAVA_CLASSES))
            .doc("The Java class that keys are read into; not supported."),
        /// Not supported: generated classes.
        pub(super) value_type: Option<String> = key("specific.avro.value.type").check(unsupported::setting(NO_JAVA_CLASSES))
            .doc("The Java class that values are read into; not supported."),
        /// About Java objects.
        pub(super) allow_null: bool = key("avro.reflection.allow.null").default(false)
            .doc("Without effect, as in Java: it is about Java objects."),
        /// About Java objects.
        pub(super) java_properties: bool = key("avro.remove.java.properties").default(false).low()
            .doc("Without effect, as in Java: it is about Java objects."),
        /// Bytes behind a datum.
        pub(super) fail_on_trailing: bool = key("avro.fail.on.trailing.data").default(false).low()
            .doc("Whether bytes behind a record's data are an error; otherwise they are left alone."),
    }
}

impl MappingConfig {
    pub(super) fn mapping(&self) -> Mapping {
        Mapping {
            enhanced_avro_schema_support: self.enhanced,
            scrub_invalid_names: self.scrub,
            connect_meta_data: self.meta_data,
            allow_optional_map_keys: self.optional_keys,
            flatten_singleton_unions: self.flatten,
            generalized_sum_type_support: self.generalized,
            ignore_default_for_nullables: self.ignore_default,
            discard_type_doc_default: self.discard,
        }
    }
}

/// All keys of the converter.
pub(super) fn definition() -> ConfigDef {
    let mut all = lavka_schema_registry::definition();
    all.extend(MappingConfig::definition());
    all
}
