//! How schemas and records are mapped: the keys of Confluent's `ProtobufDataConfig`.

use lavka_api::config::{Check, key};

lavka_api::config! {
    /// The keys of `ProtobufDataConfig`, all with Confluent's names and defaults.
    pub struct MappingSettings {
        /// Whether enums and unions get Connect's own parameters, which other formats understand too.
        pub generalized_sum_types: bool = key("generalized.sum.type.support").default(false)
            .doc("Whether enums and unions carry parameters that the converters of all formats understand."),
        /// Whether a null stays null where its field has a default.
        pub ignore_default_for_nullables: bool = key("ignore.default.for.nullables").default(false)
            .doc("Whether a null stays null where its field has a default."),
        /// How many schemas are kept in each direction.
        pub cache_size: i32 = key("schemas.cache.config").default(1000).low().check(Check::at_least(1))
            .doc("How many converted schemas are kept."),
        /// Whether schema names have the package in front.
        pub enhanced_schemas: bool = key("enhanced.protobuf.schema.support").default(false)
            .doc("Whether the names of schemas have the package in front."),
        /// Whether names that Protobuf does not allow are changed.
        pub scrub_invalid_names: bool = key("scrub.invalid.names").default(false)
            .doc("Whether characters that Protobuf does not allow in names are replaced; otherwise such names fail."),
        /// Whether enums are read as numbers.
        pub int_for_enums: bool = key("int.for.enums").default(false)
            .doc("Whether enums are read as INT32 instead of STRING."),
        /// Whether optional fields are proto3 `optional`.
        pub optional_for_nullables: bool = key("optional.for.nullables").default(false)
            .doc("Whether optional fields are written as proto3 'optional', and only such are read as optional."),
        /// Whether missing fields of proto2 are null.
        pub optional_for_proto2: bool = key("optional.for.proto2").default(true)
            .doc("Whether an optional field of proto2 that is missing is null instead of its default."),
        /// Whether optional fields are wrapper messages.
        pub wrapper_for_nullables: bool = key("wrapper.for.nullables").default(false)
            .doc("Whether optional fields are written as wrapper messages (google/protobuf/wrappers.proto), and wrapper \
                  messages read as optional fields."),
        /// Whether a wrapper message is the value in it.
        pub wrapper_for_raw_primitives: bool = key("wrapper.for.raw.primitives").default(true)
            .doc("Whether a wrapper message, as a whole record or in a field, is read as the value in it."),
        /// Whether a message that is missing is read as one with all fields at their defaults.
        pub struct_for_nulls: bool = key("generate.struct.for.nulls").default(false)
            .doc("Whether a message that is missing is read as a struct of defaults instead of null."),
        /// Whether the name of a union has its position in it.
        pub index_for_unions: bool = key("generate.index.for.unions").default(true)
            .doc("Whether the field that a oneof becomes is named with its position behind: kind_0."),
        /// Whether members of a oneof are fields of the message.
        pub flatten_unions: bool = key("flatten.unions").default(false)
            .doc("Whether the members of a oneof are read as fields of their message."),
    }
}

impl Default for MappingSettings {
    fn default() -> Self {
        Self {
            generalized_sum_types: false,
            ignore_default_for_nullables: false,
            cache_size: 1000,
            enhanced_schemas: false,
            scrub_invalid_names: false,
            int_for_enums: false,
            optional_for_nullables: false,
            optional_for_proto2: true,
            wrapper_for_nullables: false,
            wrapper_for_raw_primitives: true,
            struct_for_nulls: false,
            index_for_unions: true,
            flatten_unions: false,
        }
    }
}
