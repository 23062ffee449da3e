//! The keys that every connector has, and the definition of a whole connector configuration: framework keys, the
//! connector's own, and those of the transforms and predicates it names.

use lavka_api::config::{
    Check, Config, ConfigDef, ConfigSpec, ConfigType, Importance, KeyDef, Kind, Width, key, nearest_name,
};
use lavka_api::plugin::{Catalogue, Plugin, PluginKind};
use lavka_engine::chain::transform_framework_keys;
use lavka_engine::errors::ErrorSettings;

use super::clients::ClientKind;
use super::topic_creation;

lavka_api::config! {
    /// Keys of source and sink connectors alike.
    pub struct CommonConfig {
        /// `name`.
        pub name: String = key("name").high().group("Common").width(Width::Medium).display("Connector name")
            .check(Check::new("non-empty string without ISO control characters", name_without_control))
            .doc("Globally unique name of the connector."),
        /// `connector.class`.
        pub class: String = key("connector.class").high().group("Common").width(Width::Long)
            .display("Connector class")
            .doc("Class name or alias of the connector, for example FileStreamSource or its full Java class name."),
        /// `connector.plugin.version`.
        pub plugin_version: Option<String> = key("connector.plugin.version").group("Common")
            .width(Width::Medium).display("Connector version")
            .doc("Accepted for compatibility: there is one version of each plugin."),
        /// `tasks.max`.
        pub tasks_max: i32 = key("tasks.max").default(1).high().group("Common").width(Width::Short)
            .display("Tasks max").check(Check::at_least(1))
            .doc("The most tasks that the connector may run."),
        /// `tasks.max.enforce`.
        pub tasks_max_enforce: bool = key("tasks.max.enforce").default(true).low().group("Common")
            .width(Width::Short).display("Enforce tasks max")
            .doc("Whether a connector that asks for more than tasks.max tasks fails."),
        /// `key.converter`.
        pub key_converter: Option<lavka_api::config::ClassName> = key("key.converter").low().group("Common")
            .width(Width::Short).display("Key converter class")
            .doc("Converter of record keys. Not set: the worker's, with the worker's settings."),
        /// `key.converter.plugin.version`.
        pub key_converter_version: Option<String> = key("key.converter.plugin.version").low().group("Common")
            .width(Width::Short).display("Key converter version")
            .doc("Accepted for compatibility: there is one version of each plugin."),
        /// `value.converter`.
        pub value_converter: Option<lavka_api::config::ClassName> = key("value.converter").low().group("Common")
            .width(Width::Short).display("Value converter class")
            .doc("Converter of record values. Not set: the worker's, with the worker's settings."),
        /// `value.converter.plugin.version`.
        pub value_converter_version: Option<String> = key("value.converter.plugin.version").low().group("Common")
            .width(Width::Short).display("Value converter version")
            .doc("Accepted for compatibility: there is one version of each plugin."),
        /// `header.converter`.
        pub header_converter: Option<lavka_api::config::ClassName> = key("header.converter").low().group("Common")
            .width(Width::Short).display("Header converter class")
            .doc("Converter of record headers. Not set: the worker's, with the worker's settings."),
        /// `header.converter.plugin.version`.
        pub header_converter_version: Option<String> = key("header.converter.plugin.version").low().group("Common")
            .width(Width::Short).display("Header converter version")
            .doc("Accepted for compatibility: there is one version of each plugin."),
        /// `transforms`.
        pub transforms: Vec<String> = key("transforms").default("").low().group("Transforms").width(Width::Long)
            .display("Transforms").check(Check::unique_aliases())
            .doc("Aliases of the transformations to apply, in order."),
        /// `predicates`.
        pub predicates: Vec<String> = key("predicates").default("").low().group("Predicates").width(Width::Long)
            .display("Predicates").check(Check::unique_aliases())
            .doc("Aliases of the predicates that transformations refer to."),
        /// `config.action.reload`.
        pub reload: String = key("config.action.reload").default("restart").low().group("Common")
            .width(Width::Medium).display("Reload Action").check(Check::one_of(&["none", "restart"]))
            .doc("What follows where a value that a configuration provider gave with a time to live has changed: \
                  'restart' restarts the connector and its tasks, 'none' leaves them as they are."),
    }
}

/// A name has text in it and no control characters. Java trims off only what is up to U+0020.
fn name_without_control(text: &str) -> Result<(), String> {
    let name = text.trim_matches(|c| c <= ' ');
    if name.is_empty() {
        return Err("String may not be empty".into());
    }
    let control: Vec<String> =
        name.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    if control.is_empty() {
        return Ok(());
    }
    Err(format!(
        "String may not contain control sequences but had the following ASCII chars: {}",
        control.join(", ")
    ))
}

lavka_api::config! {
    /// Keys of every sink.
    pub struct SinkConfig {
        /// `topics`.
        pub topics: Vec<String> = key("topics").default("").high().group("Common").width(Width::Long)
            .display("Topics").doc("Topics to read. Either this or topics.regex."),
        /// `topics.regex`.
        pub topics_regex: String = key("topics.regex").default("").high().group("Common").width(Width::Long)
            .display("Topics regex")
            .doc("Java regular expression; topics whose whole name matches are read. Either this or topics."),
        /// `errors.deadletterqueue.topic.name`.
        pub dlq_topic: String = key("errors.deadletterqueue.topic.name").default("").group("Error Handling")
            .width(Width::Medium).display("Dead Letter Queue Topic Name")
            .doc("Topic that records which failed are written to, as they were consumed. Empty: none."),
        /// `errors.deadletterqueue.topic.replication.factor`.
        pub dlq_replication: i16 = key("errors.deadletterqueue.topic.replication.factor").default(3)
            .group("Error Handling").width(Width::Medium).display("Dead Letter Queue Topic Replication Factor")
            .doc("Replication factor of the dead letter topic if it has to be created."),
        /// `errors.deadletterqueue.context.headers.enable`.
        pub dlq_headers: bool = key("errors.deadletterqueue.context.headers.enable").default(false)
            .group("Error Handling").width(Width::Medium).display("Enable Error Context Headers")
            .doc("Whether dead letters carry headers with where and why they failed."),
    }
}

lavka_api::config! {
    /// Keys of every source.
    pub struct SourceConfig {
        /// `topic.creation.groups`.
        pub topic_creation_groups: Vec<String> = key("topic.creation.groups").default("").low()
            .group("Topic Creation").width(Width::Long).display("Topic Creation Groups")
            .check(Check::unique_aliases())
            .doc("Aliases of groups of topics. A source connector with any topic.creation. key creates the topics that \
                  are missing, each as the first group in this list says that it belongs to, else as the group \
                  'default', which is always there. Without such a key topics are left to the broker."),
        /// `exactly.once.support`.
        pub exactly_once: String = key("exactly.once.support").default("requested").group("Exactly Once Support")
            .width(Width::Short).display("Exactly once support")
            .check(Check::one_of_ignoring_case(&["REQUIRED", "REQUESTED"]))
            .doc("Whether the connector has to deliver exactly once. With 'required' the configuration is refused where \
                  the worker has no exactly-once support, or the connector does not say that it can deliver so. With \
                  'requested' nothing is checked: where the worker has exactly-once support, records and offsets are \
                  written in transactions."),
        /// `transaction.boundary`.
        pub boundary: String = key("transaction.boundary").default("poll").group("Exactly Once Support")
            .width(Width::Short).display("Transaction Boundary")
            .check(Check::one_of_ignoring_case(&["INTERVAL", "POLL", "CONNECTOR"]))
            .doc("Where transactions end: behind each batch that the source hands out (poll), so long after the one before \
                  (interval), or where the connector says so, if it can (connector). Without effect where exactly-once \
                  support is off."),
        /// `transaction.boundary.interval.ms`.
        pub boundary_interval: Option<i64> = key("transaction.boundary.interval.ms").low()
            .group("Exactly Once Support").width(Width::Short).display("Transaction boundary interval")
            .check(Check::at_least(0))
            .doc("The interval of transaction.boundary=interval, in milliseconds; offset.flush.interval.ms of the worker \
                  if not set. The producer's transaction.timeout.ms is half a minute more, if it is not set either. Without \
                  effect where exactly-once support is off."),
        /// `offsets.storage.topic`.
        pub offsets_topic: Option<String> = key("offsets.storage.topic").low().group("offsets.topic")
            .width(Width::Long).display("Offsets topic").check(Check::non_empty())
            .doc("With exactly-once support: a topic of the connector's own for its offsets, instead of \
                  offset.storage.topic of the worker. Without effect otherwise: offsets are in the worker's file."),
        /// `lavka.errors.deadletterqueue.topic.name`.
        pub dlq_topic: String = key("lavka.errors.deadletterqueue.topic.name").default("").group("Error Handling")
            .width(Width::Medium).display("Dead Letter Queue Topic Name")
            .doc("Topic for records that fail in a transform or converter where errors.tolerance is all; Kafka Connect \
                  has this for sinks alone. A record is kept as the source handed it out, before any transform: bytes \
                  as they are, everything else as JSON with its schema. Its source offset moves once Kafka has \
                  acknowledged the dead letter. Empty: such records are skipped."),
        /// `lavka.errors.deadletterqueue.topic.replication.factor`.
        pub dlq_replication: i16 = key("lavka.errors.deadletterqueue.topic.replication.factor").default(3)
            .group("Error Handling").width(Width::Medium).display("Dead Letter Queue Topic Replication Factor")
            .doc("Replication factor of the dead letter topic if it has to be created."),
        /// `lavka.errors.deadletterqueue.context.headers.enable`.
        pub dlq_headers: bool = key("lavka.errors.deadletterqueue.context.headers.enable").default(false)
            .group("Error Handling").width(Width::Medium).display("Enable Error Context Headers")
            .doc("Whether dead letters carry headers with where and why they failed: those of a sink's dead letters \
                  without partition and offset in Kafka, then __lavka.errors.source.partition and \
                  __lavka.errors.source.offset as JSON, and __lavka.errors.key.format and \
                  __lavka.errors.value.format: bytes, json, text (of what JSON cannot hold) or null."),
    }
}

/// Positions in their groups that Connect counts otherwise than one after another.
const POSITIONS: [(&str, i32); 11] = [
    ("transforms", 12),
    ("predicates", 13),
    ("config.action.reload", 14),
    ("topics", 4),
    ("topics.regex", 4),
    ("errors.deadletterqueue.topic.name", 6),
    ("errors.deadletterqueue.topic.replication.factor", 7),
    ("errors.deadletterqueue.context.headers.enable", 8),
    ("exactly.once.support", 2),
    ("transaction.boundary", 3),
    ("transaction.boundary.interval.ms", 4),
];

/// The framework's keys for a connector of `kind`, in the order and with the positions of Connect's own answers.
#[must_use]
pub fn framework_definition(kind: PluginKind) -> ConfigDef {
    let mut definition = ConfigDef::new();
    for key in declared(kind).iter() {
        let mut key = key.clone();
        if let Some((_, position)) = POSITIONS.iter().find(|(name, _)| *name == key.name) {
            key.order_in_group = *position;
        }
        definition.add(key);
    }
    definition
}

fn declared(kind: PluginKind) -> ConfigDef {
    let mut definition = CommonConfig::definition();
    definition.extend(ErrorSettings::definition());
    match kind {
        PluginKind::Sink => definition.extend(SinkConfig::definition()),
        PluginKind::Source => definition.extend(SourceConfig::definition()),
        _ => {}
    }
    definition
}

/// The whole definition of a connector configuration: framework keys, keys of the transforms and predicates that
/// `config` names (as far as they are known), then the connector's own.
#[must_use]
pub fn definition_for(plugin: &Plugin, config: &Config, catalogue: &Catalogue) -> ConfigDef {
    let mut definition = framework_definition(plugin.kind());
    for (list, title, kind) in [
        ("transforms", "Transforms", PluginKind::Transformation),
        ("predicates", "Predicates", PluginKind::Predicate),
    ] {
        for alias in aliases(config, list) {
            definition.extend(alias_definition(&alias, list, title, kind, config, catalogue));
        }
    }
    definition.extend((plugin.definition)());
    definition
}

pub(crate) fn aliases(config: &Config, list: &str) -> Vec<String> {
    let mut aliases = Vec::<String>::parse(config.get(list).unwrap_or_default()).unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    aliases.retain(|alias| seen.insert(alias.clone()));
    aliases
}

/// The keys of one transform or predicate: its class and version, then its own in Connect's order, all in one group.
fn alias_definition(
    alias: &str,
    list: &str,
    title: &str,
    kind: PluginKind,
    config: &Config,
    catalogue: &Catalogue,
) -> ConfigDef {
    let prefix = format!("{list}.{alias}.");
    let known: Vec<&str> =
        catalogue.iter().filter(|plugin| plugin.kind() == kind).map(|plugin| plugin.class).collect();
    let what = if kind == PluginKind::Transformation { "Transformation" } else { "Predicate" };
    let mut type_key = key::<lavka_api::config::ClassName>("type")
        .high()
        .width(Width::Long)
        .doc("Class name or alias.")
        .recommend(&known)
        .into_def();
    type_key.display_name = format!("{what} type for {alias}").into();
    let mut version_key = key::<Option<String>>("plugin.version")
        .high()
        .width(Width::Long)
        .doc("Accepted for compatibility: there is one version of each plugin.")
        .into_def();
    version_key.display_name = format!("{what} version for {alias}").into();
    let mut rest = ConfigDef::new();
    let class = config.get(&format!("{prefix}type"));
    if let Some(plugin) = class.and_then(|class| catalogue.find(class, |k| k == kind).ok()) {
        if kind == PluginKind::Transformation {
            rest.extend(transform_framework_keys());
        }
        rest.extend((plugin.definition)());
    }
    let mut own = ConfigDef::new();
    for (position, mut key) in (0..).zip([type_key, version_key].into_iter().chain(sorted(&rest))) {
        key.order_in_group = position;
        own.add(key);
    }
    own.embedded(&prefix, &format!("{title}: {alias}"))
}

/// Keys in the order of `ConfigDef.sortedConfigs`: by group and position in it, then those without a default, then by
/// importance and name.
fn sorted(definition: &ConfigDef) -> Vec<KeyDef> {
    let groups = definition.groups();
    let mut keys: Vec<KeyDef> = definition.iter().cloned().collect();
    keys.sort_by_cached_key(|key| {
        let group = key.group.as_deref().and_then(|group| groups.iter().position(|known| known == group));
        let importance = match key.importance {
            Importance::High => 0,
            Importance::Medium => 1,
            Importance::Low => 2,
        };
        (group, key.order_in_group, !key.is_required(), importance, key.name.clone().into_owned())
    });
    keys
}

/// What a key of a connector configuration means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMeaning {
    /// It is used.
    Understood,
    /// It is known and has no effect, and why.
    Ignored(String),
    /// It is not known; the nearest known key, if one is near.
    Unknown(Option<String>),
}

/// Keys that are accepted and have no effect in this version.
const WITHOUT_EFFECT: [(&str, &str); 4] = [
    ("connector.plugin.version", "there is one version of each plugin"),
    ("key.converter.plugin.version", "there is one version of each plugin"),
    ("value.converter.plugin.version", "there is one version of each plugin"),
    ("header.converter.plugin.version", "there is one version of each plugin"),
];

/// What `name` means in `config`, whose whole definition is `definition`. A key whose documentation begins with
/// `Ignored` is understood and without effect by the connector's own declaration.
#[must_use]
pub fn describe_key(name: &str, definition: &ConfigDef, config: &Config) -> KeyMeaning {
    if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(known, _)| name.starts_with(known)) {
        return KeyMeaning::Ignored((*why).to_owned());
    }
    if let Some(meaning) = topic_creation::meaning(name, definition, config) {
        return meaning;
    }
    if let Some(known) = definition.get(name) {
        return match known.doc.strip_prefix("Ignored") {
            Some(why) => KeyMeaning::Ignored(why.trim_start_matches([':', ' ', ',']).trim().to_owned()),
            None => KeyMeaning::Understood,
        };
    }
    for converter in ["key.converter", "value.converter", "header.converter"] {
        if name.strip_prefix(converter).is_some_and(|rest| rest.starts_with('.')) {
            return if config.contains(converter) {
                KeyMeaning::Understood
            } else {
                KeyMeaning::Ignored(format!(
                    "the worker's converter is used with the worker's settings; set '{converter}' too"
                ))
            };
        }
    }
    if ClientKind::ALL.iter().any(|kind| name.starts_with(kind.override_prefix())) {
        return KeyMeaning::Understood;
    }
    KeyMeaning::Unknown(nearest_name(name, definition.iter().map(|key| key.name.as_ref())).map(str::to_owned))
}

/// Parts of the names of keys whose values are secrets.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "jaas",
    "token",
    "credential",
    "keystore.key",
    "private.key",
    "access.key",
    "api.key",
    "user.info",
];

/// Whether values of `name` are secrets, by the definition or, for keys without one, by their name.
#[must_use]
pub(crate) fn is_secret(name: &str, definition: &ConfigDef) -> bool {
    match definition.get(name) {
        Some(key) => key.kind == Kind::Password,
        None => {
            let lower = name.to_ascii_lowercase();
            SECRET_WORDS.iter().any(|word| lower.contains(word))
        }
    }
}
