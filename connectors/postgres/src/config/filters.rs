//! Which tables, columns and messages are captured, and what is hidden of them.

use lavka_api::config::key;

const FILTERS: &str = "Tables and Columns";

lavka_api::config! {
    /// Which tables, columns and messages are captured, and what is hidden of them.
    pub(crate) struct FilterKeys {
        pub(crate) message_prefix_include_list: Option<Vec<String>> = key("message.prefix.include.list").group(FILTERS)
            .doc("Regex list of pg_logical_emit_message prefixes kept."),
        pub(crate) message_prefix_exclude_list: Option<Vec<String>> = key("message.prefix.exclude.list").group(FILTERS)
            .doc("… dropped (exclusive with include)."),
        pub(crate) column_include_list: Option<Vec<String>> = key("column.include.list").group(FILTERS)
            .doc("Regex list on schema.table.column."),
        pub(crate) column_exclude_list: Option<Vec<String>> = key("column.exclude.list").group(FILTERS)
            .doc("Opposite. Key columns stay in the key."),
        pub(crate) table_include_list: Option<Vec<String>> = key("table.include.list").high().group(FILTERS)
            .doc("Comma list of regexes matched against the whole schema.table, case-insensitive. Excludes \
                  everything else. Exclusive with table.exclude.list."),
        pub(crate) table_exclude_list: Option<Vec<String>> = key("table.exclude.list").group(FILTERS)
            .doc("Opposite."),
        pub(crate) table_ignore_builtin: bool = key("table.ignore.builtin").default(true).group(FILTERS)
            .doc("Skip pg_catalog, information_schema, pg_toast…."),
        pub(crate) schema_include_list: Option<Vec<String>> = key("schema.include.list").group(FILTERS)
            .doc("Same for schema."),
        pub(crate) schema_exclude_list: Option<Vec<String>> = key("schema.exclude.list").group(FILTERS)
            .doc("Opposite."),
        pub(crate) message_key_columns: Option<String> = key("message.key.columns").group(FILTERS)
            .doc("Schema.table:col[,col…];… replaces the key columns (works for tables with no key)."),
    }
}
