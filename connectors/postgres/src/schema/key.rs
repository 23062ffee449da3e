//! `message.key.columns`: other key columns than the catalogue's.

use fancy_regex::Regex;
use lavka_api::{Error, Result};

use super::pattern::{compile, is_match};
use crate::model::TableId;

/// The columns that make keys, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct KeyColumns {
    /// Each matches `schema.table.column`.
    patterns: Vec<Regex>,
}

impl KeyColumns {
    /// Reads `schema.table:col[,col…];…`, where table and columns are regular expressions.
    ///
    /// # Errors
    /// Where an entry has no columns or no table, or is no regular expression.
    pub fn parse(text: &str) -> Result<Self> {
        let mut patterns = Vec::new();
        for entry in text.split(';').filter(|entry| !entry.trim().is_empty()) {
            let malformed = || {
                // In Debezium's words, with its expression.
                Error::config(format!(
                    r"{entry} has an invalid format (expecting '^\s*([^:]+):([^:,]+(,[^:,]+)*)\s*$')"
                ))
            };
            let (table, columns) = entry.split_once(':').ok_or_else(malformed)?;
            let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
            if table.trim().is_empty()
                || columns.iter().any(|column| column.is_empty() || column.contains(':'))
            {
                return Err(malformed());
            }
            for column in columns {
                patterns.push(compile(&format!("{}.{column}", table.trim()))?);
            }
        }
        Ok(Self { patterns })
    }

    /// The positions of a table's key columns among `columns`, in key order; `None` where nothing is said of the table.
    pub(crate) fn positions<'a>(
        &self,
        table: &TableId,
        columns: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<Vec<usize>> {
        let mut found = Vec::new();
        for pattern in &self.patterns {
            for (position, column) in columns.clone().enumerate() {
                let matches = is_match(pattern, &format!("{table}.{column}"));
                if matches && !found.contains(&position) {
                    found.push(position);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_order_of_the_configuration() {
        let keys = KeyColumns::parse(r"inv.keyed:b,a;(.*)\.log:id").unwrap();
        let columns = ["a", "b", "c"];
        let of = |schema: &str, table: &str, columns: &[&'static str]| {
            keys.positions(&TableId::new(schema, table), columns.iter().copied())
        };
        assert_eq!(of("inv", "keyed", &columns), Some(vec![1, 0]));
        assert_eq!(of("x", "log", &["t", "id"]), Some(vec![1]));
        assert_eq!(of("x", "other", &columns), None);
    }

    #[test]
    fn malformed_entries_are_refused() {
        for text in ["inv.t", ":a", "inv.t:", "inv.t:a,", "inv.t:a:b", "inv.(:a"] {
            assert!(KeyColumns::parse(text).is_err(), "{text}");
        }
        assert!(KeyColumns::parse(" ; ").unwrap().patterns.is_empty());
    }
}
