//! Upserts, for databases that know them as `MERGE` and the like.
//!
//! Those of Oracle, SQL Server and DB2 are written as Confluent's sink writes them.

use super::{Dialect, Statements, placeholders};
use crate::table::TableId;

impl Statements {
    /// The upsert of a row; the first `keys` columns are the key. Its values come in the columns' order.
    pub(crate) fn upsert_row(&self, table: &TableId, columns: &[&str], keys: usize) -> String {
        match self.dialect {
            Dialect::Oracle => self.merge_oracle(table, columns, keys),
            Dialect::SqlServer => self.merge_sql_server(table, columns, keys),
            Dialect::Db2 => self.merge_db2(table, columns, keys),
            Dialect::Teradata => self.merge_from(
                table,
                &format!("USING VALUES ({}) AS incoming ({})", marks(columns.len()), self.list(columns)),
                columns,
                keys,
            ),
            _ => {
                let mut sql = self.insert_head(table, columns);
                sql.push_str(&placeholders(1, columns.len(), false));
                sql.push_str(&self.upsert_tail(columns, keys));
                sql
            }
        }
    }

    /// Whether upserts go through a table beside: their `MERGE` is made for many rows, and knows no types of parameters.
    pub(crate) fn stages_upserts(&self) -> bool {
        matches!(self.dialect, Dialect::Vertica | Dialect::Snowflake)
    }

    /// The statement that makes a table beside, of the columns as `table` has them. It lives as long as the session.
    pub(crate) fn create_stage(&self, stage: &str, table: &TableId, columns: &[&str]) -> String {
        let select = format!("SELECT {} FROM {} WHERE 1 = 0", self.list(columns), self.table(table));
        let name = self.quoted(stage);
        match self.dialect {
            Dialect::Vertica => {
                format!("CREATE LOCAL TEMPORARY TABLE {name} ON COMMIT PRESERVE ROWS AS {select}")
            }
            _ => format!("CREATE TEMPORARY TABLE {name} AS {select}"),
        }
    }

    /// Merges the rows of a table beside, no two of which have one key.
    pub(crate) fn merge_stage(&self, table: &TableId, stage: &str, columns: &[&str], keys: usize) -> String {
        self.merge_from(table, &format!("USING {} AS incoming", self.quoted(stage)), columns, keys)
    }

    /// `MERGE` as the standard has it.
    fn merge_from(&self, table: &TableId, source: &str, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        let same = self.each(key, " AND ", |name| format!("target.{name} = incoming.{name}"));
        let mut sql = format!("MERGE INTO {} AS target {source} ON ({same})", self.table(table));
        if !rest.is_empty() {
            let set = self.each(rest, ", ", |name| format!("{name} = incoming.{name}"));
            sql.push_str(&format!(" WHEN MATCHED THEN UPDATE SET {set}"));
        }
        let values = self.each(columns, ", ", |name| format!("incoming.{name}"));
        let names = self.each(columns, ", ", str::to_owned);
        sql.push_str(&format!(" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"));
        sql
    }

    fn merge_oracle(&self, table: &TableId, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        let table = self.table(table);
        let same = |name: &str| format!("{table}.{name}=incoming.{name}");
        let mut sql = format!(
            "merge into {table} using (select {} FROM dual) incoming on({})",
            self.each(columns, ", ", |name| format!("? {name}")),
            self.each(key, " and ", same)
        );
        if !rest.is_empty() {
            sql.push_str(&format!(" when matched then update set {}", self.each(rest, ",", same)));
        }
        let inserted: Vec<&str> = rest.iter().chain(key).copied().collect();
        sql.push_str(&format!(
            " when not matched then insert({}) values({})",
            self.each(&inserted, ",", |name| format!("{table}.{name}")),
            self.each(&inserted, ",", |name| format!("incoming.{name}"))
        ));
        sql
    }

    fn merge_sql_server(&self, table: &TableId, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        // The lock keeps two tasks from inserting one key.
        let mut sql = format!(
            "merge into {} with (HOLDLOCK) AS target using (select {}) AS incoming on ({})",
            self.table(table),
            self.each(columns, ", ", |name| format!("? AS {name}")),
            self.each(key, " and ", |name| format!("target.{name}=incoming.{name}"))
        );
        if !rest.is_empty() {
            let set = self.each(rest, ",", |name| format!("{name}=incoming.{name}"));
            sql.push_str(&format!(" when matched then update set {set}"));
        }
        let inserted: Vec<&str> = rest.iter().chain(key).copied().collect();
        sql.push_str(&format!(
            " when not matched then insert ({}) values ({});",
            self.each(&inserted, ", ", str::to_owned),
            self.each(&inserted, ",", |name| format!("incoming.{name}"))
        ));
        sql
    }

    fn merge_db2(&self, table: &TableId, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        let table = self.table(table);
        let same = |name: &str| format!("{table}.{name}=DAT.{name}");
        let mut sql = format!(
            "merge into {table} using (values({})) as DAT({}) on {}",
            marks(columns.len()),
            self.each(columns, ", ", str::to_owned),
            self.each(key, " and ", same)
        );
        if !rest.is_empty() {
            sql.push_str(&format!(" when matched then update set {}", self.each(rest, ", ", same)));
        }
        let inserted: Vec<&str> = rest.iter().chain(key).copied().collect();
        sql.push_str(&format!(
            " when not matched then insert({}) values({})",
            self.each(&inserted, ",", |name| format!("{table}.{name}")),
            self.each(&inserted, ",", |name| format!("DAT.{name}"))
        ));
        sql
    }

    /// Quoted names in a form, with something between them.
    fn each(&self, names: &[&str], between: &str, form: impl Fn(&str) -> String) -> String {
        let forms: Vec<String> = names.iter().map(|name| form(&self.quoted(name))).collect();
        forms.join(between)
    }
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}
