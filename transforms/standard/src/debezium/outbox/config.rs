//! The keys of the outbox `EventRouter`.

use lavka_api::config::{Check, Config, ConfigSpec, ConfigType, key};
use lavka_api::data::Str;
use lavka_api::plugin::RemarkLevel;
use lavka_api::{Error, Result};

use crate::regex::{JavaRegex, valid_regex};

lavka_api::config! {
    /// Keys of the outbox `EventRouter`.
    pub(in crate::debezium) struct EventRouterConfig {
        id: String = key("table.field.event.id").default("id").low()
            .doc("Column with the id of the event, which becomes the header id."),
        key: String = key("table.field.event.key").default("aggregateid").low()
            .doc("Column with the key of the message."),
        _kind: String = key("table.field.event.type").default("type").low().doc("Column with the type of the event."),
        payload: String = key("table.field.event.payload").default("payload").low()
            .doc("Column with the message."),
        timestamp: Option<String> = key("table.field.event.timestamp")
            .doc("Column with the time of the message. Without it the time of the change event is taken."),
        version: Option<String> = key("table.field.event.schema.version").low()
            .doc("Column with the version of the message's schema."),
        additional: Vec<String> = key("table.fields.additional.placement").default("").high()
            .check(Check::new("list of column:placement or column:placement:name", |text| {
                Vec::<String>::parse(text)?.iter().try_for_each(|item| Additional::parse(item).map(drop))
            }))
            .doc("More columns of the message, as column:placement or column:placement:name. Placements: header, envelope \
                  (the message becomes a struct with the payload in its field payload) and partition."),
        missing: String = key("table.field.additional.missing").default("error")
            .check(Check::one_of_ignoring_case(&["error", "ignore"]))
            .doc("What becomes of a row that lacks one of those columns. error: it fails. ignore: it does without."),
        error_on_missing: bool = key("table.fields.additional.error.on.missing").default(true)
            .doc("Older name of the key before: false is ignore."),
        route_by: String = key("route.by.field").default("aggregatetype").high()
            .doc("Column whose text the topic is made of."),
        topic_regex: String = key("route.topic.regex").default("(?<routedByValue>.*)").low().check(valid_regex())
            .doc("Java regular expression for that text."),
        topic_replacement: String = key("route.topic.replacement").default("outbox.event.${routedByValue}").high()
            .doc("The topic; ${routedByValue} stands for the text, or $1 for what a group of route.topic.regex matched."),
        tombstones: bool = key("route.tombstone.on.empty.payload").default(false).high()
            .doc("Whether an empty payload makes a tombstone."),
        on_update: String = key("table.op.invalid.behavior").default("warn")
            .check(Check::one_of_ignoring_case(&["warn", "error", "fatal"]))
            .doc("What becomes of updates, which an outbox table has none of. warn and error: they are dropped, and the \
                  log says so at that level. fatal: they fail."),
        expand_json: bool = key("table.expand.json.payload").default(false)
            .doc("Whether a payload that is JSON text becomes a struct with the schema that its data looks like."),
        json_nulls: String = key("table.json.payload.null.behavior").default("ignore")
            .check(Check::one_of_ignoring_case(&["ignore", "optional_bytes"]))
            .doc("What becomes of nulls in such JSON. ignore: they are left out. optional_bytes: they are nulls of bytes."),
    }
}

/// Where a column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    Header,
    Envelope,
    Partition,
}

/// A column besides the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Additional {
    pub(super) column: String,
    pub(super) placement: Placement,
    pub(super) name: Str,
}

impl Additional {
    fn parse(item: &str) -> Result<Self, String> {
        let refused =
            || format!("A comma-separated list of valid String pairs or trios is expected but got: {item}");
        let mut parts = item.split(':').map(str::trim);
        let (Some(column), Some(placement), name, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let placement = match placement.to_ascii_lowercase().as_str() {
            "header" => Placement::Header,
            "envelope" => Placement::Envelope,
            "partition" => Placement::Partition,
            other => return Err(format!("{other} is no placement; header, envelope and partition are")),
        };
        if column.is_empty() || name.is_some_and(str::is_empty) {
            return Err(refused());
        }
        Ok(Self { column: column.to_owned(), placement, name: name.unwrap_or(column).into() })
    }
}

/// The configuration, read.
pub(super) struct Settings {
    pub(super) id: String,
    pub(super) key: Option<String>,
    pub(super) payload: String,
    pub(super) timestamp: Option<String>,
    pub(super) version: Option<String>,
    pub(super) additional: Vec<Additional>,
    pub(super) error_on_missing: bool,
    pub(super) route_by: String,
    pub(super) topic_regex: JavaRegex,
    pub(super) topic_replacement: String,
    pub(super) tombstones: bool,
    pub(super) updates_fail: bool,
    /// How an update that is dropped is spoken of.
    pub(super) update_remark: RemarkLevel,
    pub(super) expand_json: bool,
    pub(super) keeps_json_nulls: bool,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let config = EventRouterConfig::from_config(config)?;
        let unless_empty = |text: String| (!text.is_empty()).then_some(text);
        let additional = config.additional.iter().map(|item| Additional::parse(item).map_err(Error::config));
        Ok(Self {
            additional: additional.collect::<Result<_>>()?,
            id: config.id,
            key: unless_empty(config.key),
            payload: config.payload,
            timestamp: config.timestamp.and_then(unless_empty),
            version: config.version.and_then(unless_empty),
            error_on_missing: config.error_on_missing && config.missing.eq_ignore_ascii_case("error"),
            route_by: config.route_by,
            topic_regex: JavaRegex::compile(&config.topic_regex).map_err(Error::config)?,
            topic_replacement: config.topic_replacement,
            tombstones: config.tombstones,
            updates_fail: config.on_update.eq_ignore_ascii_case("fatal"),
            update_remark: if config.on_update.eq_ignore_ascii_case("error") {
                RemarkLevel::Error
            } else {
                RemarkLevel::Warn
            },
            expand_json: config.expand_json,
            keeps_json_nulls: config.json_nulls.eq_ignore_ascii_case("optional_bytes"),
        })
    }

    /// Whether the message is a struct around the payload.
    pub(super) fn has_envelope(&self) -> bool {
        self.additional.iter().any(|field| field.placement == Placement::Envelope)
    }
}
