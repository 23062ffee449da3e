//! What the configuration says about records.

use lavka_api::data::Str;

use crate::schema::{
    ColumnFilter, ColumnMappers, KeyColumns, NameAdjustment, PatternList, TableFilter, TopicNaming,
};
use crate::types::{Conversions, modes};

modes! {
    /// `event.converting.failure.handling.mode`: what becomes of a column's value that cannot be converted.
    OnUnconvertible {
        /// It becomes null, and a warning is logged, once for a column.
        #[default]
        Warn = "warn",
        /// It becomes null.
        Skip = "skip",
        /// The task fails.
        Fail = "fail",
    }
}

/// `skipped.operations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedOperations {
    /// `c`.
    pub create: bool,
    /// `u`.
    pub update: bool,
    /// `d`.
    pub delete: bool,
    /// `t`.
    pub truncate: bool,
}

impl Default for SkippedOperations {
    fn default() -> Self {
        Self { create: false, update: false, delete: false, truncate: true }
    }
}

impl SkippedOperations {
    /// Reads the list; `none` stands for an empty one.
    ///
    /// # Errors
    /// Where an entry is no operation, or `none` is not alone; in Debezium's words.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, &'static str> {
        let mut skipped = Self { create: false, update: false, delete: false, truncate: false };
        let (mut none, mut some) = (false, false);
        for entry in entries {
            let entry = entry.trim();
            none |= entry == "none";
            some |= !matches!(entry, "none" | "");
            match entry {
                "c" => skipped.create = true,
                "u" => skipped.update = true,
                "d" => skipped.delete = true,
                "t" => skipped.truncate = true,
                "none" | "" => {}
                _ => return Err("Invalid operation"),
            }
        }
        if none && some {
            return Err("'none' cannot be specified with other skipped operation types");
        }
        Ok(skipped)
    }
}

/// The headers of change records (`extended.headers.enabled`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextHeaders {
    /// The task's number.
    pub task_id: Str,
    /// A UUID (version 7) of the run.
    pub run_id: Str,
}

/// All that records depend on besides the data.
#[derive(Clone, Debug)]
pub struct EventSettings {
    /// `database.dbname`.
    pub database: Str,
    /// `topic.prefix` and how topics are named.
    pub topics: TopicNaming,
    /// `schema.name.adjustment.mode`.
    pub schema_names: NameAdjustment,
    /// `field.name.adjustment.mode`.
    pub field_names: NameAdjustment,
    /// How columns become values.
    pub conversions: Conversions,
    /// `event.converting.failure.handling.mode`.
    pub on_unconvertible: OnUnconvertible,
    /// Which tables are captured.
    pub tables: TableFilter,
    /// Which columns.
    pub columns: ColumnFilter,
    /// Masks, hashes, truncation, source types.
    pub mappers: ColumnMappers,
    /// `message.key.columns`.
    pub keys: KeyColumns,
    /// `message.prefix.include.list`.
    pub message_include: Option<PatternList>,
    /// `message.prefix.exclude.list`.
    pub message_exclude: Option<PatternList>,
    /// `skipped.operations`.
    pub skipped: SkippedOperations,
    /// `tombstones.on.delete`.
    pub tombstones: bool,
    /// `skip.messages.without.change`.
    pub skip_unchanged: bool,
    /// `provide.transaction.metadata`.
    pub transaction_metadata: bool,
    /// `include.schema.comments`: comments of columns become documentation.
    pub comments: bool,
    /// The headers of change records, unless `extended.headers.enabled` is false.
    pub headers: Option<ContextHeaders>,
}

impl EventSettings {
    /// Debezium's defaults for a topic prefix and a database.
    ///
    /// # Errors
    /// None in practice: the default filters are valid.
    pub fn new(prefix: &str, database: &str) -> lavka_api::Result<Self> {
        Ok(Self {
            database: database.into(),
            topics: TopicNaming::new(prefix),
            schema_names: NameAdjustment::default(),
            field_names: NameAdjustment::default(),
            conversions: Conversions::default(),
            on_unconvertible: OnUnconvertible::default(),
            tables: TableFilter::parse((None, None), (None, None), true)?,
            columns: ColumnFilter::default(),
            mappers: ColumnMappers::default(),
            keys: KeyColumns::default(),
            message_include: None,
            message_exclude: None,
            skipped: SkippedOperations::default(),
            tombstones: true,
            skip_unchanged: false,
            transaction_metadata: false,
            comments: false,
            headers: None,
        })
    }
}
