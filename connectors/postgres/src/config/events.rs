//! What the keys say about records.

use lavka_api::data::Str;
use lavka_api::{Error, Result};

use super::{FailureMode, Settings, invalid, items};
use crate::event::{ContextHeaders, EventSettings, OnUnconvertible, SkippedOperations};
use crate::model::TableId;
use crate::schema::{
    ColumnFilter, ColumnMappers, KeyColumns, NameAdjustment, PatternList, TableFilter, TopicNaming,
    TopicRegex,
};
use crate::types::{Conversions, Placeholder};

/// The naming strategies that rewrite names by `topic.regex`.
const REGEX_STRATEGIES: [&str; 2] = [
    "io.debezium.schema.SchemaRegexTopicNamingStrategy",
    "io.debezium.schema.DefaultRegexTopicNamingStrategy",
];
/// Those that do not, by their Java names.
const STRATEGIES: [&str; 2] =
    ["io.debezium.schema.SchemaTopicNamingStrategy", "io.debezium.schema.DefaultTopicNamingStrategy"];

impl Settings {
    /// The settings of records. `run` is who makes them, for the headers.
    ///
    /// # Errors
    /// A config error that names the key.
    pub(crate) fn events(&self, run: ContextHeaders) -> Result<EventSettings> {
        let records = &self.records;
        let filters = &self.filters;
        let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(","));
        let text = |list: &Option<String>| list.as_deref().map(str::to_owned);
        let patterns = |key: &'static str, value: &Option<String>| {
            value.as_deref().map(PatternList::parse).transpose().map_err(|error| at(key, &error))
        };
        let skipped = records.skipped_operations.iter().map(String::as_str);
        Ok(EventSettings {
            database: self.database().into(),
            topics: self.topics()?,
            schema_names: word(
                "schema.name.adjustment.mode",
                &records.schema_name_adjustment_mode,
                NameAdjustment::parse,
            )?,
            field_names: word(
                "field.name.adjustment.mode",
                &records.field_name_adjustment_mode,
                NameAdjustment::parse,
            )?,
            conversions: self.conversions()?,
            on_unconvertible: match records.event_converting_failure_handling_mode {
                FailureMode::Fail => OnUnconvertible::Fail,
                FailureMode::Warn => OnUnconvertible::Warn,
                FailureMode::Skip => OnUnconvertible::Skip,
            },
            tables: self.tables()?,
            columns: ColumnFilter::parse(
                list(&filters.column_include_list).as_deref(),
                list(&filters.column_exclude_list).as_deref(),
            )
            .map_err(|error| at("column.include.list", &error))?,
            mappers: ColumnMappers::from_config(
                self.raw.iter().filter_map(|(key, value)| Some((key, value?))),
            )?,
            keys: match &filters.message_key_columns {
                Some(keys) => KeyColumns::parse(keys).map_err(|error| at("message.key.columns", &error))?,
                None => KeyColumns::default(),
            },
            message_include: patterns(
                "message.prefix.include.list",
                &text(&list(&filters.message_prefix_include_list)),
            )?,
            message_exclude: patterns(
                "message.prefix.exclude.list",
                &text(&list(&filters.message_prefix_exclude_list)),
            )?,
            skipped: SkippedOperations::parse(skipped)
                .map_err(|why| Error::config(invalid("skipped.operations", why)))?,
            tombstones: records.tombstones_on_delete,
            skip_unchanged: records.skip_messages_without_change,
            transaction_metadata: records.provide_transaction_metadata,
            comments: records.include_schema_comments,
            headers: records.extended_headers_enabled.then_some(run),
        })
    }

    /// Which tables are captured.
    ///
    /// # Errors
    /// Where a list is no list of regular expressions, or both of a kind are set.
    pub(crate) fn tables(&self) -> Result<TableFilter> {
        let filters = &self.filters;
        let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(","));
        TableFilter::parse(
            (list(&filters.schema_include_list).as_deref(), list(&filters.schema_exclude_list).as_deref()),
            (list(&filters.table_include_list).as_deref(), list(&filters.table_exclude_list).as_deref()),
            filters.table_ignore_builtin,
        )
        .map(|tables| tables.with_signal_table(self.signal_table()))
        .map_err(|error| at("table.include.list", &error))
    }

    /// `signal.data.collection`.
    pub(crate) fn signal_table(&self) -> Option<TableId> {
        let name = self.run.signal_data_collection.as_ref()?.first()?;
        let (schema, table) = name.split_once('.')?;
        Some(TableId::new(schema.trim(), table.trim()))
    }

    /// The tables that the snapshot reads, of those that are captured.
    ///
    /// # Errors
    /// Where `snapshot.include.collection.list` is no list of regular expressions.
    pub(crate) fn snapshot_tables(&self) -> Result<Option<PatternList>> {
        let list = self.snapshot.snapshot_include_collection_list.as_ref().map(|list| list.join(","));
        list.as_deref()
            .filter(|list| !list.trim().is_empty())
            .map(PatternList::parse)
            .transpose()
            .map_err(|error| at("snapshot.include.collection.list", &error))
    }

    fn conversions(&self) -> Result<Conversions> {
        let records = &self.records;
        let placeholder = &records.unavailable_value_placeholder;
        Ok(Conversions {
            time: word(
                "time.precision.mode",
                &records.time_precision_mode,
                crate::types::TimePrecision::parse,
            )?,
            decimal: word(
                "decimal.handling.mode",
                &records.decimal_handling_mode,
                crate::types::DecimalMode::parse,
            )?,
            binary: word(
                "binary.handling.mode",
                &records.binary_handling_mode,
                crate::types::BinaryMode::parse,
            )?,
            hstore: word(
                "hstore.handling.mode",
                &records.hstore_handling_mode,
                crate::types::HstoreMode::parse,
            )?,
            interval: word(
                "interval.handling.mode",
                &records.interval_handling_mode,
                crate::types::IntervalMode::parse,
            )?,
            money_fraction_digits: i32::from(records.money_fraction_digits),
            include_unknown: records.include_unknown_datatypes,
            placeholder: Placeholder::parse(placeholder).ok_or_else(|| {
                Error::config(invalid(
                    "unavailable.value.placeholder",
                    "hexadecimal digits are expected behind hex:",
                ))
            })?,
        })
    }

    fn topics(&self) -> Result<TopicNaming> {
        let records = &self.records;
        let mut topics = TopicNaming::new(self.server());
        topics.delimiter.clone_from(&records.topic_delimiter);
        topics.transaction.clone_from(&records.topic_transaction);
        topics.heartbeat_name.clone_from(&records.topic_heartbeat_name);
        // The older name counts where the newer one is not set.
        topics.heartbeat_prefix = if self.raw.contains("topic.heartbeat.prefix") {
            records.topic_heartbeat_prefix.clone()
        } else {
            records.heartbeat_topics_prefix.clone()
        };
        let strategy = records.topic_naming_strategy.0.as_str();
        if REGEX_STRATEGIES.contains(&strategy) {
            let key = |name: &str| self.raw.get(name).map(str::trim).filter(|text| !text.is_empty());
            let missing = |name: &str| Error::config(invalid(name, "A value is required"));
            let regex = key("topic.regex").ok_or_else(|| missing("topic.regex"))?;
            let replacement = key("topic.replacement").ok_or_else(|| missing("topic.replacement"))?;
            let unique =
                key("topic.key.enforce.uniqueness").is_none_or(|text| !text.eq_ignore_ascii_case("false"));
            let field = key("topic.key.field.name").unwrap_or("__dbz__physicalTableIdentifier");
            let value = key("topic.key.field.regex").zip(key("topic.key.field.replacement"));
            topics.regex = Some(
                TopicRegex::new(regex, replacement, unique, field, value)
                    .map_err(|error| at("topic.regex", &error))?,
            );
        } else if !STRATEGIES.contains(&strategy) {
            return Err(Error::config(invalid(
                "topic.naming.strategy",
                &format!(
                    "{strategy} is a Java class of your own, which cannot be run here; one of {}, {} is expected",
                    STRATEGIES.join(", "),
                    REGEX_STRATEGIES.join(", ")
                ),
            )));
        }
        Ok(topics)
    }
}

/// The mode of a word; the key's check has seen to it that it is one.
fn word<T>(key: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    parse(text).ok_or_else(|| Error::config(invalid(key, &format!("{text} is none of the values"))))
}

/// `error` with its key in front.
fn at(key: &str, error: &Error) -> Error {
    Error::config(invalid(key, error.message().unwrap_or_default()))
}

/// Who makes the records of a run: a UUID of version 7 (RFC 9562) of the wall clock and 74 random bits.
pub(crate) fn run(task: u32, now_millis: u64, random: u128) -> ContextHeaders {
    let id = (u128::from(now_millis & 0xffff_ffff_ffff) << 80)
        | (0x7 << 76)
        | ((random >> 62) & 0xfff) << 64
        | (0b10 << 62)
        | (random & 0x3fff_ffff_ffff_ffff);
    let hex = format!("{id:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let uuid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
    ContextHeaders { task_id: Str::from(task.to_string()), run_id: Str::from(uuid) }
}

/// Keys that name Java classes of the user's own, which cannot be run here.
pub(crate) fn refused(settings: &Settings) -> Vec<(&'static str, String)> {
    let java = |key: &'static str, name: &str| {
        (key, invalid(key, &format!("{name} is a Java class, which cannot be run here")))
    };
    let mut out = Vec::new();
    let custom = "custom needs a Java class, which cannot be run here";
    if settings.snapshot.snapshot_mode == super::SnapshotMode::Custom {
        out.push(("snapshot.mode", invalid("snapshot.mode", custom)));
    }
    if settings.snapshot.snapshot_locking_mode == super::LockingMode::Custom {
        out.push(("snapshot.locking.mode", invalid("snapshot.locking.mode", custom)));
    }
    if settings.snapshot.snapshot_query_mode == super::QueryMode::Custom {
        out.push(("snapshot.query.mode", invalid("snapshot.query.mode", custom)));
    }
    for name in settings.records.converters.iter().flat_map(|list| items(list)) {
        out.push(java("converters", &name));
    }
    out
}

impl Settings {
    /// What the configuration asks for and this build does not have, for the log.
    pub(crate) fn without_effect(&self) -> Vec<String> {
        let mut out = Vec::new();
        for channel in &self.run.signal_enabled_channels {
            if !["source", "file", "kafka", ""].contains(&channel.trim().to_ascii_lowercase().as_str()) {
                out.push(format!(
                    "signal.enabled.channels: {channel} is not in this build; source, file and kafka are"
                ));
            }
        }
        for channel in self.run.notification_enabled_channels.iter().flatten() {
            if !["sink", "log", ""].contains(&channel.trim().to_ascii_lowercase().as_str()) {
                out.push(format!(
                    "notification.enabled.channels: {channel} is not in this build; sink and log are"
                ));
            }
        }
        if self.stream_params().any(|entry| entry.is_none()) {
            out.push("slot.stream.params: an entry without name=value is passed over".to_owned());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec};

    use super::*;

    fn settings(entries: &[(&str, &str)]) -> Settings {
        let mut config = Config::from([("topic.prefix", "srv"), ("database.dbname", "d")]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        Settings::from_config(&config).unwrap()
    }

    #[test]
    fn the_defaults_are_debeziums() {
        let events = settings(&[]).events(run(0, 1, 2)).unwrap();
        assert_eq!(events.topics.heartbeat(), "__debezium-heartbeat.srv");
        assert!(events.skipped.truncate && !events.skipped.delete && events.tombstones);
        assert!(events.tables.takes(&TableId::new("public", "t")));
    }

    #[test]
    fn what_is_wrong_is_told_by_key() {
        for (entries, key) in [
            (&[("skipped.operations", "x")][..], "skipped.operations"),
            (&[("topic.naming.strategy", "org.x.Mine")], "topic.naming.strategy"),
            (&[("unavailable.value.placeholder", "hex:0")], "unavailable.value.placeholder"),
        ] {
            let error = settings(entries).events(run(0, 1, 2)).unwrap_err();
            assert!(error.to_string().starts_with(&format!("The '{key}' value is invalid: ")), "{error}");
        }
        let custom = settings(&[("snapshot.mode", "custom"), ("converters", "a,b")]);
        assert_eq!(refused(&custom).len(), 3);
        let missing = settings(&[
            ("signal.enabled.channels", "source,kafka,jmx"),
            ("notification.enabled.channels", "sink,jmx"),
        ]);
        assert_eq!(missing.without_effect().len(), 2);
    }

    #[test]
    fn a_run_has_a_uuid_of_version_7() {
        let id = run(3, 0x01a1_fb4c_922c, u128::MAX);
        assert_eq!((id.task_id.as_str(), id.run_id.as_str()), ("3", "01a1fb4c-922c-7fff-bfff-ffffffffffff"));
    }
}
