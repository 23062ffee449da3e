//! Keys of this converter beside those of the registry and the mapping.

use lavka_api::config::{Check, ClassName, ConfigDef, ConfigSpec, key};
use lavka_schema_registry::unsupported::{self, NO_JAVA_CLASSES};

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
        /// Not supported: generated classes.
        pub(super) key_type: Option<String> = key("specific.protobuf.key.type").check(unsupported::setting(NO_JAVA_CLASSES))
            .doc("The Java class that keys are read into; not supported."),
        /// Not supported: generated classes.
        pub(super) value_type: Option<String> = key("specific.protobuf.value.type").check(unsupported::setting(NO_JAVA_CLASSES))
            .doc("The Java class that values are read into; not supported."),
        /// Not supported: generated classes.
        pub(super) derive_type: bool = key("derive.type").default(false)
            .check(unsupported::switch(NO_JAVA_CLASSES))
            .doc("Whether the Java class to read into is found by the schema's options; only false is supported."),
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
    let mut all = lavka_schema_registry::definition();
    all.extend(MappingSettings::definition());
    all.extend(ReferenceSettings::definition());
    all
}
