//! Keys of Confluent's converters about Java's own machinery: each is accepted where nothing depends on it, and refused
//! with the reason where something would.

use lavka_api::config::{Check, ConfigDef, ConfigSpec as _, key};

use crate::config::RegistryConfig;
use crate::unsupported;

/// What Java makes of `validation.rules.executor.class` when nobody sets it.
const CEL: &str = "io.confluent.kafka.schemaregistry.rules.cel.CelValidator";

lavka_api::config! {
    /// The keys beside those of [`RegistryConfig`] that every converter has.
    pub(crate) struct JavaConfig {
        /// Not supported: Java classes.
        pub(crate) reflection: bool = key("schema.reflection")
            .default(false)
            .low()
            .check(unsupported::switch("there are no Java classes to look into"))
            .doc("Whether schemas are made of Java classes; not supported."),
        /// Not supported: rules.
        pub(crate) validation: String = key("validation.rules.execution")
            .default("DISABLED")
            .low()
            .check(Check::one_of(&["DISABLED"]))
            .doc("When the rules in a schema are checked: DISABLED; nothing else is supported."),
        /// For rules that are not run.
        pub(crate) validation_class: String = key("validation.rules.executor.class")
            .default(CEL)
            .low()
            .check(Check::one_of(&[CEL]))
            .doc("Without effect: the rules in a schema are not checked."),
        /// For rules that are not run.
        pub(crate) fail_fast: bool = key("validation.rules.fail.fast")
            .default(false)
            .low()
            .doc("Without effect: the rules in a schema are not checked."),
        /// For rules that are not run.
        pub(crate) loader: bool = key("rule.service.loader.enable")
            .default(true)
            .low()
            .doc("Without effect: no rules are run, so nothing is looked for to run them."),
        /// For rules that are not run.
        pub(crate) rule_metrics: bool = key("rule.metrics.enable")
            .default(true)
            .low()
            .doc("Without effect: no rules are run."),
        /// For rules that are not run.
        pub(crate) environment: Option<String> = key("execution.environment")
            .low()
            .check(Check::one_of_ignoring_case(&["ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"]))
            .doc("Without effect: no rules are run."),
        /// Not supported: backup envelopes.
        pub(crate) backup: bool = key("schema.backup.enabled")
            .default(false)
            .low()
            .check(unsupported::switch("records are not wrapped together with their schema's text"))
            .doc("Whether records are wrapped together with their schema's text; not supported."),
        /// For the registry.
        pub(crate) scope_claim: String = key("bearer.auth.scope.claim.name")
            .default("scope")
            .low()
            .doc("Without effect: a token is passed on as it came, and what it says is the registry's to check."),
        /// For the registry.
        pub(crate) subject_claim: String = key("bearer.auth.sub.claim.name")
            .default("sub")
            .low()
            .doc("Without effect: a token is passed on as it came, and what it says is the registry's to check."),
        /// One client serves all.
        pub(crate) apache: bool = key("schema.registry.use.apache.http.client")
            .default(false)
            .low()
            .doc("Without effect: there is one HTTP client."),
    }
}

/// The keys that all converters with a registry share: [`RegistryConfig`], and those about Java that have no effect or
/// are refused.
#[must_use]
pub fn definition() -> ConfigDef {
    let mut all = RegistryConfig::definition();
    all.extend(JavaConfig::definition());
    all
}
