//! Rules over several keys of sinks: topics, dead letters, the consumer group.

use lavka_api::config::{Config, ConfigType};
use lavka_api::plugin::PluginKind;
use lavka_engine::sink::TopicSelection;

use super::Validation;
use super::reports::Reports;
use crate::assembly::topic_selection;

pub(super) fn check(kind: PluginKind, config: &Config, against: &Validation<'_>, reports: &mut Reports) {
    if kind == PluginKind::Sink {
        check_topics(config, against, reports);
        if let Some(group) = against.worker.get("group.id") {
            check_group(config, group.trim(), reports);
        }
    }
}

fn check_topics(config: &Config, against: &Validation<'_>, reports: &mut Reports) {
    let topics = Vec::<String>::parse(config.get("topics").unwrap_or_default()).unwrap_or_default();
    let regex = config.get("topics.regex").map(str::trim).filter(|text| !text.is_empty());
    let mut both = |text: &str| {
        for key in ["topics", "topics.regex"] {
            reports.complain(key, text.to_owned());
        }
    };
    match (topics.is_empty(), regex) {
        (false, Some(_)) => {
            return both("topics and topics.regex are mutually exclusive options, but both are set.");
        }
        (true, None) => return both("Must configure one of topics or topics.regex"),
        _ => {}
    }
    let selection = match topic_selection(config, against.catalogue) {
        Ok(selection) => selection,
        Err(error) => {
            return reports.complain("topics.regex", error.message().unwrap_or_default().to_owned());
        }
    };
    let dead_letters = config.get("errors.deadletterqueue.topic.name").map(str::trim).unwrap_or_default();
    if dead_letters.is_empty() {
        return;
    }
    match selection {
        TopicSelection::Named(topics) if topics.iter().any(|topic| topic == dead_letters) => {
            let text = format!(
                "The DLQ topic '{dead_letters}' may not be included in the list of topics ('topics=[{}]') consumed by \
                 the connector",
                topics.join(", ")
            );
            reports.complain("topics", text);
        }
        TopicSelection::Matching { regex, matcher } if matcher(dead_letters) => {
            let text = format!(
                "The DLQ topic '{dead_letters}' may not be matched by the regex for the topics \
                 ('topics.regex={regex}') consumed by the connector"
            );
            reports.complain("topics.regex", text);
        }
        _ => {}
    }
}

/// A sink's consumer group must not be the one that the workers form (`group.id` of the worker).
fn check_group(config: &Config, workers: &str, reports: &mut Reports) {
    let key = "consumer.override.group.id";
    match config.get(key).map(str::trim) {
        Some(group) if group == workers => {
            let text = format!("Consumer group {group} conflicts with Connect worker group {workers}");
            reports.complain(key, text);
        }
        Some(_) => {}
        None => {
            let name = config.get("name").map(str::trim).unwrap_or_default();
            if workers.strip_prefix("connect-") == Some(name) {
                let text = format!(
                    "Consumer group for sink connector named {name} conflicts with Connect worker group {workers}"
                );
                reports.complain("name", text);
            }
        }
    }
}
