//! Kafka Connect's transforms and predicates, and widely used ones of others, by their Java class names.
//!
//! # Map
//!
//! One module per transform, named like it: `cast`, `drop_headers`, `extract_field`, `filter`, `flatten`, `header_from`,
//! `hoist_field`, `insert_field`, `insert_header`, `mask_field`, `regex_router`, `replace_field`, `set_schema_metadata`,
//! `timestamp_converter`, `timestamp_router`, `value_to_key`; the three `predicates` share one. `confluent` and `debezium` have theirs. They stand on:
//!
//! - `operand`: the half of a record (key or value) that a transform works on, and the wording of its refusals;
//! - `plan`: what is worked out once per schema or shape and found again by pointer;
//! - `nulls`: what becomes of null fields when a struct is copied field by field;
//! - `field_path`: names of fields, nested ones too (KIP-821);
//! - `regex`: Java's regular expressions;
//! - `date_format`: Java's date patterns;
//! - `names`: lists of names in configurations;
//! - `topics`: what is worked out once per topic.
//!
//! # Invariants
//!
//! - A record is changed in place and values move; what a transform copies, it copies because both places keep it.
//! - Whatever can fail comes before the first change, so an error leaves the record as it was.
//! - Nothing is compiled, looked up by name or allocated per record that a plan could hold.
//! - Error texts are Connect's, down to the Java class names in them.

mod cast;
mod confluent;
mod date_format;
mod debezium;
mod drop_headers;
mod extract_field;
mod field_path;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod mask_field;
mod names;
mod nulls;
mod operand;
mod plan;
mod predicates;
mod regex;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod timestamp_converter;
mod timestamp_router;
mod topics;
mod value_to_key;

use lavka_api::KAFKA_VERSION;
use lavka_api::config::ConfigSpec;
use lavka_api::plugin::{Factory, Plugin};

use operand::Side;

/// The entry of a transform that works on the record as a whole.
macro_rules! transform {
    ($name:literal, $transform:path, $config:ty, $doc:literal) => {
        Plugin {
            class: concat!("org.apache.kafka.connect.transforms.", $name),
            aliases: &[],
            version: KAFKA_VERSION,
            doc: $doc,
            definition: <$config>::definition,
            factory: Factory::Transform(|config| Ok(Box::new(<$transform>::new(config)?))),
        }
    };
}

/// The entries of the two variants of a transform, `$Key` and `$Value`.
macro_rules! sided {
    ($name:literal, $transform:path, $config:ty, $doc:literal) => {
        [
            Plugin {
                class: concat!("org.apache.kafka.connect.transforms.", $name, "$Key"),
                aliases: &[],
                version: KAFKA_VERSION,
                doc: concat!($doc, " Works on the key."),
                definition: <$config>::definition,
                factory: Factory::Transform(|config| Ok(Box::new(<$transform>::new(config, Side::Key)?))),
            },
            Plugin {
                class: concat!("org.apache.kafka.connect.transforms.", $name, "$Value"),
                aliases: &[],
                version: KAFKA_VERSION,
                doc: concat!($doc, " Works on the value."),
                definition: <$config>::definition,
                factory: Factory::Transform(|config| Ok(Box::new(<$transform>::new(config, Side::Value)?))),
            },
        ]
    };
}

macro_rules! predicate {
    ($name:literal, $predicate:path, $config:ty, $doc:literal) => {
        Plugin {
            class: concat!("org.apache.kafka.connect.transforms.predicates.", $name),
            aliases: &[],
            version: KAFKA_VERSION,
            doc: $doc,
            definition: <$config>::definition,
            factory: Factory::Predicate(|config| Ok(Box::new(<$predicate>::new(config)?))),
        }
    };
}

/// Every transform and predicate of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    let mut plugins = vec![
        transform!(
            "DropHeaders",
            drop_headers::DropHeaders,
            drop_headers::DropHeadersConfig,
            "Removes headers by name."
        ),
        Plugin {
            // Others have a Filter too; without a package it is this one.
            aliases: &["Filter"],
            ..transform!(
                "Filter",
                filter::Filter,
                filter::FilterConfig,
                "Drops every record it is given; used with a predicate."
            )
        },
        transform!(
            "InsertHeader",
            insert_header::InsertHeader,
            insert_header::InsertHeaderConfig,
            "Adds a header with a fixed value."
        ),
        transform!(
            "RegexRouter",
            regex_router::RegexRouter,
            regex_router::RegexRouterConfig,
            "Rewrites the topic by a regular expression and a replacement."
        ),
        transform!(
            "TimestampRouter",
            timestamp_router::TimestampRouter,
            timestamp_router::TimestampRouterConfig,
            "Makes a topic of the record's topic and timestamp."
        ),
        transform!(
            "ValueToKey",
            value_to_key::ValueToKey,
            value_to_key::ValueToKeyConfig,
            "Makes the key out of fields of the value."
        ),
        predicate!(
            "HasHeaderKey",
            predicates::HasHeaderKey,
            predicates::HasHeaderKeyConfig,
            "Holds for records with a header of the given name."
        ),
        predicate!(
            "RecordIsTombstone",
            predicates::RecordIsTombstone,
            predicates::RecordIsTombstoneConfig,
            "Holds for records whose value is null."
        ),
        predicate!(
            "TopicNameMatches",
            predicates::TopicNameMatches,
            predicates::TopicNameMatchesConfig,
            "Holds for records whose whole topic name matches a regular expression."
        ),
    ];
    plugins.extend(sided!(
        "Cast",
        cast::Cast,
        cast::CastConfig,
        "Converts fields, or the key or value as a whole, to another primitive type."
    ));
    plugins.extend(sided!(
        "ExtractField",
        extract_field::ExtractField,
        extract_field::ExtractFieldConfig,
        "Replaces a struct or map by one of its fields."
    ));
    plugins.extend(sided!(
        "Flatten",
        flatten::Flatten,
        flatten::FlattenConfig,
        "Makes the fields of nested structs or maps fields of the top."
    ));
    plugins.extend(sided!(
        "HeaderFrom",
        header_from::HeaderFrom,
        header_from::HeaderFromConfig,
        "Moves or copies fields into headers."
    ));
    plugins.extend(sided!(
        "HoistField",
        hoist_field::HoistField,
        hoist_field::HoistFieldConfig,
        "Wraps the key or value as the single field of a struct or map."
    ));
    plugins.extend(sided!(
        "InsertField",
        insert_field::InsertField,
        insert_field::InsertFieldConfig,
        "Adds fields with the record's topic, partition, offset or timestamp, or with a fixed text."
    ));
    plugins.extend(sided!(
        "MaskField",
        mask_field::MaskField,
        mask_field::MaskFieldConfig,
        "Replaces the values of fields by an empty value of their type, or by a fixed one."
    ));
    plugins.extend(sided!(
        "ReplaceField",
        replace_field::ReplaceField,
        replace_field::ReplaceFieldConfig,
        "Leaves fields out and renames fields."
    ));
    plugins.extend(sided!(
        "SetSchemaMetadata",
        set_schema_metadata::SetSchemaMetadata,
        set_schema_metadata::SetSchemaMetadataConfig,
        "Gives the schema of a struct another name or version."
    ));
    plugins.extend(sided!(
        "TimestampConverter",
        timestamp_converter::TimestampConverter,
        timestamp_converter::TimestampConverterConfig,
        "Converts a time between text, number and the logical types."
    ));
    plugins.extend(confluent::plugins());
    plugins.extend(debezium::plugins());
    plugins
}
