//! Keys of this converter beside those of the registry and the mapping.

use lavka_api::config::{Check, ClassName, ConfigDef, ConfigSpec, key};
use lavka_schema_registry::RegistryConfig;

use crate::settings::MappingSettings;

const DEFAULT: &str = "io.confluent.kafka.serializers.subject.DefaultReferenceSubjectNameStrategy";
const QUALIFIED: &str = "io.confluent.kafka.serializers.subject.QualifiedReferenceSubjectNameStrategy";

lavka_api::config! {
    /// How imports are registered, and what there is of the Java client that this one does not do.
    pub(super) struct ReferenceSettings {
        /// Whether references are looked up, whatever else is said.
        pub(super) lookup_only: bool = key("reference.lookup.only").default(false)
            .doc("Whether imported schemas are looked up by their text, even where the record's own schema is registered."),
        /// Whether known files are not registered.
        pub(super) skip_known: bool = key("skip.known.types").default(true).low()
            .doc("Whether imports that every Protobuf library has (google/protobuf, google/type, confluent) are left out \
                  of the references."),
        /// How subjects of imports are named.
        pub(super) strategy: ClassName = key("reference.subject.name.strategy").default(DEFAULT).low()
            .check(Check::one_of(&[DEFAULT, QUALIFIED]))
            .doc("How the subject of an imported schema is named: by the import path \
                  (DefaultReferenceSubjectNameStrategy), or by the path with dots and without .proto \
                  (QualifiedReferenceSubjectNameStrategy)."),
        /// Not supported: rules.
        pub(super) validation: String = key("validation.rules.execution").default("DISABLED")
            .check(Check::one_of(&["DISABLED"]))
            .doc("When the rules in a schema are checked: DISABLED; nothing else is supported."),
        /// Not supported: backup envelopes.
        pub(super) backup: String = key("schema.backup.enabled").default("false").low()
            .check(Check::one_of(&["false"]))
            .doc("Whether records are wrapped together with their schema's text; only false is supported."),
    }
}

impl ReferenceSettings {
    /// The subject of the import `path`.
    pub(super) fn subject(&self, path: &str) -> String {
        if self.strategy.0.ends_with("QualifiedReferenceSubjectNameStrategy") {
            path.replace(".proto", "").replace('/', ".")
        } else {
            path.to_owned()
        }
    }
}

/// All keys of the converter.
pub(super) fn definition() -> ConfigDef {
    let mut all = RegistryConfig::definition();
    all.extend(MappingSettings::definition());
    all.extend(ReferenceSettings::definition());
    all
}
