//! `topic.creation.*`: what the topics are like that a source connector's tasks create (KIP-158).
//!
//! Connect checks these keys when a connector starts and not when its configuration is validated, and so does this.

use std::sync::Arc;

use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec, key};
use lavka_api::plugin::Catalogue;
use lavka_api::{Error, Result};
use lavka_engine::TopicMatcher;
use lavka_engine::source::TopicGroup;

use super::connector::{KeyMeaning, aliases};
use crate::topic_names::matcher;

/// What all keys begin with.
pub(crate) const PREFIX: &str = "topic.creation.";
/// The group that always is there.
const DEFAULT: &str = "default";
const LIST: &str = "topic.creation.groups";
/// Keys of a group that are no topic settings.
const OWN_KEYS: [&str; 4] = ["include", "exclude", "replication.factor", "partitions"];

lavka_api::config! {
    /// Keys of the default group, behind `topic.creation.default.`.
    struct DefaultGroup {
        /// `replication.factor`.
        replication_factor: i16 = key("replication.factor").low().check(positive_or_broker(REPLICATION))
            .doc("Replication factor of new topics; -1 for the broker's default."),
        /// `partitions`.
        partitions: i32 = key("partitions").low().check(positive_or_broker(PARTITIONS))
            .doc("Number of partitions of new topics; -1 for the broker's default."),
    }
}

lavka_api::config! {
    /// Keys of any other group, behind `topic.creation.ALIAS.`; the default group's values are the defaults of its
    /// numbers.
    struct NamedGroup {
        /// `include`.
        include: Vec<String> = key("include").default("").low()
            .doc("Java regular expressions. A topic whose whole name matches one of them belongs to the group."),
        /// `exclude`.
        exclude: Vec<String> = key("exclude").default("").low()
            .doc("Java regular expressions. A topic whose whole name matches one of them does not belong to the group, \
                  whatever 'include' says."),
        /// `replication.factor`.
        replication_factor: Option<i16> = key("replication.factor").low().check(positive_or_broker(REPLICATION))
            .doc("Replication factor of new topics; -1 for the broker's default. Not set: as in the default group."),
        /// `partitions`.
        partitions: Option<i32> = key("partitions").low().check(positive_or_broker(PARTITIONS))
            .doc("Number of partitions of new topics; -1 for the broker's default. Not set: as in the default group."),
    }
}

const REPLICATION: &str = "Replication factor must be positive and not larger than the number of brokers in the Kafka \
                           cluster, or -1 to use the broker's default";
const PARTITIONS: &str = "Number of partitions must be positive, or -1 to use the broker's default";

fn positive_or_broker(complaint: &'static str) -> Check {
    Check::new("[1,...] or -1", move |text| match text.trim().parse::<i32>() {
        Ok(number) if number < 1 && number != -1 => Err(complaint.to_owned()),
        _ => Ok(()),
    })
}

/// The keys of the group `alias`.
#[must_use]
pub fn topic_group_definition(alias: &str) -> ConfigDef {
    let own = if alias == DEFAULT { DefaultGroup::definition() } else { NamedGroup::definition() };
    own.embedded(&format!("{PREFIX}{alias}."), &format!("Topic Creation: {alias}"))
}

/// Whether `connector` has anything to say on new topics.
pub(crate) fn is_used(connector: &Config) -> bool {
    connector.keys().any(|key| key.starts_with(PREFIX))
}

/// Names of the groups that `connector` lists, in their order, and the default group.
pub(crate) fn group_names(connector: &Config) -> Vec<String> {
    let mut names = aliases(connector, LIST);
    names.retain(|name| name != DEFAULT);
    names.push(DEFAULT.to_owned());
    names
}

/// What `name` means in `config` if it is a key of a group and the connector, as its `definition` says, a source.
pub(super) fn meaning(name: &str, definition: &ConfigDef, config: &Config) -> Option<KeyMeaning> {
    let rest = name.strip_prefix(PREFIX).filter(|rest| *rest != "groups")?;
    definition.get(LIST)?;
    let listed = group_names(config);
    let group = listed.iter().find_map(|group| Some((group, rest.strip_prefix(group)?.strip_prefix('.')?)));
    Some(match group {
        Some((group, "include" | "exclude")) if group == DEFAULT => {
            KeyMeaning::Ignored("the default group takes every topic that is in no other".to_owned())
        }
        Some(_) => KeyMeaning::Understood,
        None => {
            let alias = rest.split_once('.').map_or(rest, |(alias, _)| alias);
            KeyMeaning::Ignored(format!("'{alias}' is not listed in '{LIST}'"))
        }
    })
}

/// The groups in the order in which a topic is looked for; the last takes all topics. `None` where `connector` has no
/// key of topic creation.
///
/// # Errors
/// A config error with Connect's text, for the first key that is wrong.
pub(crate) fn topic_groups(connector: &Config, catalogue: &Catalogue) -> Result<Option<Vec<TopicGroup>>> {
    if !is_used(connector) {
        return Ok(None);
    }
    // The defaults of the others come from it.
    let default: DefaultGroup = read(DEFAULT, connector)?;
    let names = group_names(connector).into_iter();
    names.map(|name| group(name, &default, connector, catalogue)).collect::<Result<_>>().map(Some)
}

fn group(
    name: String,
    default: &DefaultGroup,
    connector: &Config,
    catalogue: &Catalogue,
) -> Result<TopicGroup> {
    let (mut partitions, mut replication) = (default.partitions, default.replication_factor);
    let matcher: Arc<TopicMatcher> = if name == DEFAULT {
        Arc::new(|_| true)
    } else {
        let keys: NamedGroup = read(&name, connector)?;
        partitions = keys.partitions.unwrap_or(partitions);
        replication = keys.replication_factor.unwrap_or(replication);
        let include = one_of("include", &keys.include, catalogue)?;
        let exclude = one_of("exclude", &keys.exclude, catalogue)?;
        Arc::new(move |topic| !exclude(topic) && include(topic))
    };
    let settings = connector.with_prefix_stripped(&format!("{PREFIX}{name}."));
    let settings = settings.iter().filter(|(key, _)| !OWN_KEYS.contains(key));
    Ok(TopicGroup {
        configs: settings.filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect(),
        name,
        matcher,
        // -1, the only number below 1 that gets through, is the broker's choice.
        partitions: Some(partitions).filter(|number| *number > 0),
        replication_factor: Some(replication).filter(|number| *number > 0),
    })
}

/// Reads the keys of a group. Values of the wrong type are named with their whole key.
fn read<T: ConfigSpec>(alias: &str, connector: &Config) -> Result<T> {
    let definition = topic_group_definition(alias);
    let mut errors = definition.iter().flat_map(|key| key.errors(connector.entry(&key.name)));
    match errors.next() {
        Some(error) => Err(Error::config(error)),
        None => T::from_config(&connector.with_prefix_stripped(&format!("{PREFIX}{alias}."))),
    }
}

/// Whether a topic's name matches one of `patterns`. As in Connect they are one expression in the end, so that an
/// embedded flag holds for those behind it too.
fn one_of(key: &str, patterns: &[String], catalogue: &Catalogue) -> Result<Arc<TopicMatcher>> {
    if patterns.is_empty() {
        return Ok(Arc::new(|_| false));
    }
    let compile = |pattern: &str| {
        matcher(pattern, catalogue).map_err(|reason| {
            let shown = format!("[{}]", patterns.join(", "));
            Error::invalid_value(key, shown, format!("Syntax error in regular expression: {reason}"))
        })
    };
    for pattern in patterns {
        compile(pattern)?;
    }
    compile(&patterns.join("|"))
}
