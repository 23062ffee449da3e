//! The keys of `ExtractNewRecordState`.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::{Error, Result};

use crate::nulls::replace_null_with_default;

use super::reference::Reference;

lavka_api::config! {
    /// Keys of `ExtractNewRecordState`.
    pub(in crate::debezium) struct ExtractNewRecordStateConfig {
        mode: String = key("delete.tombstone.handling.mode").default("tombstone")
            .check(Check::one_of_ignoring_case(&["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"]))
            .doc("What becomes of deletes and of the tombstones after them. drop: neither is kept. tombstone: the delete \
                  becomes a record without a value, with the row's schema. rewrite: it becomes the row as it was, and \
                  each row gets a field __deleted. rewrite-with-tombstone: as rewrite, and tombstones are kept. \
                  delete-to-tombstone: the delete becomes a tombstone, without a schema."),
        route_by_field: String = key("route.by.field").default("").low()
            .doc("Field of the row whose text becomes the topic."),
        fields_prefix: String = key("add.fields.prefix").default("__").low().doc("What the names of added fields begin with."),
        fields: Vec<String> = key("add.fields").default("").low()
            .doc("Fields of the event to add to the row: op, ts_ms, source.lsn, table, or as name:NEW with another name."),
        headers_prefix: String = key("add.headers.prefix").default("__").low().doc("What the names of added headers begin with."),
        headers: Vec<String> = key("add.headers").default("").low()
            .doc("Fields of the event to add as headers, written as for add.fields."),
        drop_header: String = key("drop.fields.header.name").default("").low()
            .doc("Header with a list of names of fields that are left out of the row."),
        drop_from_key: bool = key("drop.fields.from.key").default(false).low()
            .doc("Whether those fields are left out of the key too."),
        drop_compatible: bool = key("drop.fields.keep.schema.compatible").default(true).low()
            .doc("Whether only fields that may be null are left out."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// `delete.tombstone.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletes {
    Drop,
    Tombstone,
    Rewrite,
    RewriteWithTombstone,
    DeleteToTombstone,
}

impl Deletes {
    fn by_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "drop" => Self::Drop,
            "rewrite" => Self::Rewrite,
            "rewrite-with-tombstone" => Self::RewriteWithTombstone,
            "delete-to-tombstone" => Self::DeleteToTombstone,
            _ => Self::Tombstone,
        }
    }

    /// Whether rows get a field that says whether they were deleted.
    pub(super) fn rewrites(self) -> bool {
        matches!(self, Self::Rewrite | Self::RewriteWithTombstone)
    }
}

/// The configuration, read.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) deletes: Deletes,
    pub(super) route_by_field: Option<String>,
    pub(super) fields: Vec<Reference>,
    pub(super) headers: Vec<Reference>,
    pub(super) drop_header: Option<String>,
    pub(super) drop_from_key: bool,
    pub(super) drop_compatible: bool,
    pub(super) replace_nulls: bool,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Result<Self> {
        refuse_old_keys(config)?;
        let config = ExtractNewRecordStateConfig::from_config(config)?;
        let unless_blank = |text: String| (!text.trim().is_empty()).then_some(text);
        Ok(Self {
            deletes: Deletes::by_name(&config.mode),
            route_by_field: unless_blank(config.route_by_field),
            fields: Reference::list("add.fields", &config.fields_prefix, &config.fields)?,
            headers: Reference::list("add.headers", &config.headers_prefix, &config.headers)?,
            drop_header: unless_blank(config.drop_header),
            drop_from_key: config.drop_from_key,
            drop_compatible: config.drop_compatible,
            replace_nulls: config.replace_null_with_default,
        })
    }
}

/// Keys of Debezium 2, which would be passed over in silence and deletes with them.
fn refuse_old_keys(config: &Config) -> Result<()> {
    let (drops, mode) = (config.get("drop.tombstones"), config.get("delete.handling.mode"));
    let Some((old, text)) = [("delete.handling.mode", mode), ("drop.tombstones", drops)]
        .into_iter()
        .find_map(|(key, text)| Some((key, text?)))
    else {
        return Ok(());
    };
    if config.contains("delete.tombstone.handling.mode") {
        return Ok(());
    }
    let keeps_tombstones = drops.is_some_and(|text| text.trim().eq_ignore_ascii_case("false"));
    let same = match (mode.map(str::trim), keeps_tombstones) {
        (Some("rewrite"), true) => "rewrite-with-tombstone",
        (Some("rewrite"), false) => "rewrite",
        (Some("drop"), false) => "drop",
        _ => "tombstone",
    };
    Err(Error::invalid_value(
        old,
        text,
        format!("Debezium 3 has no such key any more; delete.tombstone.handling.mode={same} takes its place"),
    ))
}
