//! The keys of the converter.

use lavka_api::Result;
use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec, key};
use lavka_converters::json::{DecimalFormat, WriteOptions};
use lavka_schema_registry::unsupported;

lavka_api::config! {
    /// The converter's own keys; those of the registry are shared.
    pub(crate) struct JsonSchemaConfig {
        pub(crate) generalized: bool = key("generalized.sum.type.support")
            .default(false)
            .doc("Whether unions and enums have the same form as with other converters."),
        pub(crate) ignore_default: bool = key("ignore.default.for.nullables")
            .default(false)
            .doc("Whether a null is written as null where the schema has a default."),
        pub(crate) cached: i32 = key("schemas.cache.config")
            .default(1000)
            .low()
            .check(Check::at_least(1))
            .doc("How many schemas and plans are kept."),
        pub(crate) additional: bool = key("object.additional.properties")
            .default(true)
            .doc("Whether the schemas that are registered allow members that they do not name."),
        pub(crate) optional: bool = key("use.optional.for.nonrequired")
            .default(false)
            .doc("Whether a member that a schema does not require becomes an optional field."),
        _modern: bool = key("ignore.modern.dialects")
            .default(false)
            .low()
            .doc("Without effect: schemas of every draft are read in the same way."),
        decimal_format: String = key("decimal.format")
            .default("BASE64")
            .low()
            .check(Check::one_of_ignoring_case(&["BASE64", "NUMERIC"]))
            .doc("How decimals are written: as Base64 of their unscaled value (BASE64), or as numbers (NUMERIC)."),
        pub(crate) flatten: bool = key("flatten.singleton.unions")
            .default(true)
            .low()
            .doc("Whether a union of one schema is that schema."),
        _preserve: bool = key("preserve.additional.properties")
            .default(false)
            .check(unsupported::switch("members that a schema does not name are dropped"))
            .doc("Whether members that a schema does not name are kept; not supported."),
        _validate: bool = key("json.fail.invalid.schema")
            .default(false)
            .check(unsupported::switch("payloads are not validated against constraints of the schema"))
            .doc("Whether payloads are validated against the whole schema; not supported."),
        _indent: bool = key("json.indent.output")
            .default(false)
            .low()
            .check(unsupported::switch("payloads are written without white space"))
            .doc("Whether payloads are written with line breaks; not supported."),
        _dates: bool = key("json.write.dates.iso8601")
            .default(false)
            .low()
            .doc("Without effect, as in Java: dates of Connect's data are numbers."),
        _unknown: bool = key("json.fail.unknown.properties")
            .default(true)
            .low()
            .doc("Without effect, as in Java: it is about Java objects."),
        _one_of: bool = key("json.oneof.for.nullables")
            .default(true)
            .low()
            .doc("Without effect, as in Java: it is about Java objects. Optional schemas are always oneOf."),
        _version: String = key("json.schema.spec.version")
            .default("draft_7")
            .low()
            .doc("Without effect, as in Java: it is about Java objects."),
        _inclusion: Option<String> = key("json.default.property.inclusion")
            .low()
            .doc("Without effect, as in Java: it is about Java objects."),
        _before: bool = key("json.validate.before.domain.rules")
            .default(false)
            .low()
            .doc("Without effect: payloads are not validated, and rules are not run."),
        _packages: Vec<String> = key("json.schema.scan.packages")
            .default("")
            .low()
            .doc("Without effect, as in Java: it is about Java objects."),
        _envelope: bool = key("json.envelope.detection")
            .default(true)
            .low()
            .doc("Without effect, as in Java: it is about Java objects."),
        _key_type: Option<String> = key("json.key.type")
            .doc("Without effect, as in Java: it is about Java objects."),
        _value_type: Option<String> = key("json.value.type")
            .doc("Without effect, as in Java: it is about Java objects."),
        _type_property: String = key("type.property")
            .default("javaType")
            .doc("Without effect, as in Java: it is about Java objects."),
        _allowed: Vec<String> = key("json.type.allowed.packages")
            .default("*")
            .doc("Without effect, as in Java: it is about Java objects."),
        _role: Option<String> = key("converter.type")
            .low()
            .doc("What the converter converts; the worker sets it."),
    }
}

/// Every key of the converter.
pub(crate) fn definition() -> ConfigDef {
    let mut all = lavka_schema_registry::definition();
    all.extend(JsonSchemaConfig::definition());
    all
}

impl JsonSchemaConfig {
    pub(crate) fn read(config: &Config) -> Result<Self> {
        Self::from_config(config)
    }

    /// How payloads are written.
    pub(crate) fn write_options(&self) -> WriteOptions {
        WriteOptions {
            decimal_format: if self.is_numeric() { DecimalFormat::Numeric } else { DecimalFormat::Base64 },
            replace_null_with_default: !self.ignore_default,
        }
    }

    pub(crate) fn is_numeric(&self) -> bool {
        self.decimal_format.eq_ignore_ascii_case("NUMERIC")
    }

    pub(crate) fn cached(&self) -> usize {
        usize::try_from(self.cached).unwrap_or(0).max(1)
    }
}
