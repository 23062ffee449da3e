//! Which tables, columns and messages are captured.

use lavka_api::{Error, Result};

use super::PatternList;
use crate::model::TableId;

/// A list to include or one to exclude, or neither.
#[derive(Clone, Debug, Default)]
struct Choice {
    include: Option<PatternList>,
    exclude: Option<PatternList>,
}

impl Choice {
    fn parse(include: Option<&str>, exclude: Option<&str>, keys: [&str; 2]) -> Result<Self> {
        let list = |text: Option<&str>| {
            text.filter(|text| !text.trim().is_empty()).map(PatternList::parse).transpose()
        };
        let choice = Self { include: list(include)?, exclude: list(exclude)? };
        if choice.include.is_some() && choice.exclude.is_some() {
            return Err(Error::config(format!(
                "\"{}\" is already specified, so \"{}\" cannot be",
                keys[0], keys[1]
            )));
        }
        Ok(choice)
    }

    fn takes(&self, text: &str) -> bool {
        match (&self.include, &self.exclude) {
            (Some(include), _) => include.matches(text),
            (None, Some(exclude)) => !exclude.matches(text),
            (None, None) => true,
        }
    }
}

/// `schema.include.list`, `schema.exclude.list`, `table.include.list`, `table.exclude.list`, `table.ignore.builtin`.
#[derive(Clone, Debug)]
pub struct TableFilter {
    schemas: Choice,
    tables: Choice,
    ignore_builtin: bool,
    signals: Option<TableId>,
}

impl TableFilter {
    /// Reads the lists; `tables` and `schemas` are each (include, exclude).
    ///
    /// # Errors
    /// Where an entry is no regular expression, or both lists of a kind are set.
    pub fn parse(
        schemas: (Option<&str>, Option<&str>),
        tables: (Option<&str>, Option<&str>),
        ignore_builtin: bool,
    ) -> Result<Self> {
        Ok(Self {
            schemas: Choice::parse(schemas.0, schemas.1, ["schema.include.list", "schema.exclude.list"])?,
            tables: Choice::parse(tables.0, tables.1, ["table.include.list", "table.exclude.list"])?,
            ignore_builtin,
            signals: None,
        })
    }

    /// Takes the signal table in, whatever the lists say (`signal.data.collection`).
    #[must_use]
    pub fn with_signal_table(mut self, signals: Option<TableId>) -> Self {
        self.signals = signals;
        self
    }

    /// Whether a table's changes become records.
    #[must_use]
    pub fn takes(&self, table: &TableId) -> bool {
        if self.signals.as_ref() == Some(table) {
            return true;
        }
        if self.ignore_builtin && is_builtin(&table.schema) {
            return false;
        }
        self.schemas.takes(&table.schema) && self.tables.takes(&table.to_string())
    }
}

fn is_builtin(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema" | "pg_toast")
        || schema.starts_with("pg_temp")
        || schema.starts_with("pg_toast_temp")
}

/// `column.include.list`, `column.exclude.list`. Key columns stay in the key.
#[derive(Clone, Debug, Default)]
pub struct ColumnFilter(Choice);

impl ColumnFilter {
    /// Reads the lists.
    ///
    /// # Errors
    /// As [`TableFilter::parse`].
    pub fn parse(include: Option<&str>, exclude: Option<&str>) -> Result<Self> {
        Choice::parse(include, exclude, ["column.include.list", "column.exclude.list"]).map(Self)
    }

    /// Whether a column is part of its table's rows.
    #[must_use]
    pub fn takes(&self, table: &TableId, column: &str) -> bool {
        // Most connectors have no such list, and then no text is needed.
        (self.0.include.is_none() && self.0.exclude.is_none()) || self.0.takes(&format!("{table}.{column}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_chosen_by_schema_and_name() {
        let filter =
            TableFilter::parse((Some("inv,w"), None), (None, Some(r"inv\.orders,w\..*_tmp")), true).unwrap();
        for (schema, table, taken) in [
            ("inv", "customers", true),
            ("inv", "orders", false),
            ("w", "a_tmp", false),
            ("W", "a", true),
            ("x", "a", false),
        ] {
            assert_eq!(filter.takes(&TableId::new(schema, table)), taken, "{schema}.{table}");
        }
        let signals = filter.with_signal_table(Some(TableId::new("x", "signals")));
        assert!(signals.takes(&TableId::new("x", "signals")));
    }

    #[test]
    fn tables_of_the_server_are_left_out() {
        let filter = TableFilter::parse((None, None), (None, None), true).unwrap();
        assert!(!filter.takes(&TableId::new("pg_catalog", "pg_class")));
        assert!(filter.takes(&TableId::new("public", "t")));
    }

    #[test]
    fn both_lists_of_a_kind_are_refused() {
        let error = ColumnFilter::parse(Some("a"), Some("b")).unwrap_err();
        assert!(error.message().unwrap().contains("column.exclude.list"));
        let filter = ColumnFilter::parse(None, Some(r".*\.secret")).unwrap();
        assert!(
            !filter.takes(&TableId::new("u", "t"), "secret") && filter.takes(&TableId::new("u", "t"), "id")
        );
    }
}
