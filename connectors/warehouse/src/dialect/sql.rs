//! Statements. Names are quoted, values are placeholders: nothing of a record gets into the text.

use std::fmt::Write as _;

use super::Dialect;
use super::types::ColumnSpec;
use crate::table::TableId;

/// Whether names are quoted in statements that make tables and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    Always,
    /// Names that need no quotes mean what they mean without: the database folds their case as it does.
    Never,
}

/// Writes the statements of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statements {
    pub(crate) dialect: Dialect,
    pub(crate) quoting: Quoting,
}

impl Statements {
    /// `name` as a quoted identifier. A NUL cannot be in a name and is left out.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let (open, close) = self.dialect.quotes();
        let mut out = String::with_capacity(name.len() + 2);
        out.push(open);
        for c in name.chars().filter(|c| *c != '\0') {
            if c == close {
                out.push(close);
            }
            out.push(c);
        }
        out.push(close);
        out
    }

    /// A name that is new to the database. One that is not to be quoted is written as the database would fold it, and
    /// quoted all the same, so that words of SQL are names too.
    pub(crate) fn new_name(&self, name: &str) -> String {
        if self.quoting == Quoting::Always || !is_plain(name) {
            return self.quoted(name);
        }
        match self.dialect {
            Dialect::Postgres | Dialect::Redshift => self.quoted(&name.to_ascii_lowercase()),
            Dialect::Oracle | Dialect::Snowflake | Dialect::Db2 => self.quoted(&name.to_ascii_uppercase()),
            _ => self.quoted(name),
        }
    }

    /// A table that is there.
    pub(crate) fn table(&self, id: &TableId) -> String {
        let parts: Vec<String> = id.parts().iter().map(|part| self.quoted(part)).collect();
        parts.join(".")
    }

    /// A table that is to be made or looked for.
    pub(crate) fn new_table(&self, id: &TableId) -> String {
        let parts: Vec<String> = id.parts().iter().map(|part| self.new_name(part)).collect();
        parts.join(".")
    }

    /// `CREATE TABLE`, with the primary key at its end.
    pub(crate) fn create_table(&self, id: &TableId, columns: &[ColumnSpec]) -> String {
        let mut sql = format!("CREATE TABLE {} (\n", self.new_table(id));
        for (at, column) in columns.iter().enumerate() {
            sql.push_str(if at == 0 { "" } else { ",\n" });
            self.column(&mut sql, column);
        }
        let keys: Vec<String> =
            columns.iter().filter(|column| column.key).map(|column| self.new_name(&column.name)).collect();
        // Hive knows primary keys in some versions, and holds none of them to it.
        if !keys.is_empty() && self.dialect != Dialect::Hive {
            let _ = write!(sql, ",\nPRIMARY KEY({})", keys.join(","));
        }
        sql.push(')');
        sql
    }

    /// `ALTER TABLE ... ADD`: one statement for all columns, or one for each where the database takes one at a time.
    pub(crate) fn add_columns(&self, id: &TableId, columns: &[ColumnSpec]) -> Vec<String> {
        let head = format!("ALTER TABLE {} ", self.table(id));
        let add = |column: &ColumnSpec| {
            let mut sql = String::from("ADD ");
            self.column(&mut sql, column);
            sql
        };
        let plain = || {
            let specs: Vec<String> = columns
                .iter()
                .map(|column| {
                    let mut sql = String::new();
                    self.column(&mut sql, column);
                    sql
                })
                .collect();
            specs.join(",\n")
        };
        match self.dialect {
            Dialect::Sqlite | Dialect::Redshift | Dialect::Vertica | Dialect::Generic => {
                return columns.iter().map(|column| format!("{head}{}", add(column))).collect();
            }
            Dialect::Oracle => return vec![format!("{head}ADD(\n{})", plain())],
            Dialect::SqlServer | Dialect::Snowflake => return vec![format!("{head}ADD\n{}", plain())],
            Dialect::Hive => return vec![format!("{head}ADD COLUMNS (\n{})", plain())],
            _ => {}
        }
        let adds: Vec<String> = columns.iter().map(add).collect();
        // DB2 has several clauses of one statement without commas between.
        let between = if self.dialect == Dialect::Db2 { "\n" } else { ",\n" };
        vec![format!("{head}{}", adds.join(between))]
    }

    fn column(&self, sql: &mut String, column: &ColumnSpec) {
        let _ = write!(sql, "{} {}", self.new_name(&column.name), column.ty);
        if self.dialect == Dialect::Hive {
            return;
        }
        match &column.default {
            Some(default) => {
                let _ = write!(sql, " DEFAULT {default}");
            }
            // What is not said to be otherwise may be null; DB2 and Teradata have no word for it.
            None if column.optional && !column.key => {
                if !matches!(self.dialect, Dialect::Db2 | Dialect::Teradata) {
                    sql.push_str(" NULL");
                }
            }
            None => sql.push_str(" NOT NULL"),
        }
        // A column with a default could be set to NULL otherwise, also where it is a key.
        if column.key && column.default.is_some() {
            sql.push_str(" NOT NULL");
        }
    }

    /// `INSERT INTO t (a,b) ` without its rows.
    pub(crate) fn insert_head(&self, table: &TableId, columns: &[&str]) -> String {
        format!("INSERT INTO {} ({}) ", self.table(table), self.list(columns))
    }

    /// What follows the rows of an upsert; the first `keys` columns are the key.
    pub(crate) fn upsert_tail(&self, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        if self.dialect.is_mysql() {
            // A row that is all key is set to what it is.
            let set = if rest.is_empty() { key } else { rest };
            let set: Vec<String> = set
                .iter()
                .map(|name| {
                    let name = self.quoted(name);
                    format!("{name}=VALUES({name})")
                })
                .collect();
            return format!(" ON DUPLICATE KEY UPDATE {}", set.join(","));
        }
        if rest.is_empty() {
            return format!(" ON CONFLICT ({}) DO NOTHING", self.list(key));
        }
        let set: Vec<String> = rest
            .iter()
            .map(|name| {
                let name = self.quoted(name);
                format!("{name}=EXCLUDED.{name}")
            })
            .collect();
        format!(" ON CONFLICT ({}) DO UPDATE SET {}", self.list(key), set.join(","))
    }

    /// `UPDATE t SET a = ? WHERE k = ?`; the first `keys` columns are the key.
    pub(crate) fn update_row(&self, table: &TableId, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        let pairs = |names: &[&str], between: &str| {
            let pairs: Vec<String> = names.iter().map(|name| format!("{} = ?", self.quoted(name))).collect();
            pairs.join(between)
        };
        let set = if rest.is_empty() { key } else { rest };
        format!("UPDATE {} SET {} WHERE {}", self.table(table), pairs(set, ", "), pairs(key, " AND "))
    }

    /// `DELETE FROM t WHERE ...` for `rows` keys, with question marks.
    pub(crate) fn delete_rows(&self, table: &TableId, keys: &[&str], rows: usize) -> String {
        let head = format!("DELETE FROM {} WHERE ", self.table(table));
        if let [only] = keys {
            return format!("{head}{} IN ({})", self.quoted(only), vec!["?"; rows].join(","));
        }
        let row = format!("({})", vec!["?"; keys.len()].join(","));
        let rows = vec![row.as_str(); rows].join(",");
        let values = if self.dialect == Dialect::Sqlite { "VALUES " } else { "" };
        format!("{head}({}) IN ({values}{rows})", self.list(keys))
    }

    /// `DELETE FROM t WHERE k = ?` for one row.
    pub(crate) fn delete_row(&self, table: &TableId, keys: &[&str]) -> String {
        let same: Vec<String> = keys.iter().map(|name| format!("{} = ?", self.quoted(name))).collect();
        format!("DELETE FROM {} WHERE {}", self.table(table), same.join(" AND "))
    }

    /// `UPDATE t SET ... FROM stage` where rows were copied beside the table; the first `keys` columns are the key.
    pub(crate) fn update_from(&self, table: &TableId, stage: &str, columns: &[&str], keys: usize) -> String {
        let (key, rest) = columns.split_at(keys.min(columns.len()));
        let set: Vec<String> = if rest.is_empty() { key } else { rest }
            .iter()
            .map(|name| {
                let name = self.quoted(name);
                format!("{name} = s.{name}")
            })
            .collect();
        format!(
            "UPDATE {} AS t SET {} FROM {stage} AS s WHERE {}",
            self.table(table),
            set.join(", "),
            self.same(key)
        )
    }

    /// `DELETE FROM t USING stage`.
    pub(crate) fn delete_using(&self, table: &TableId, stage: &str, keys: &[&str]) -> String {
        format!("DELETE FROM {} AS t USING {stage} AS s WHERE {}", self.table(table), self.same(keys))
    }

    /// Empties a table, within the transaction: MySQL's TRUNCATE would end it, SQLite has none.
    pub(crate) fn truncate(&self, table: &TableId) -> String {
        let verb = if self.dialect.is_postgres() || !self.dialect.has_transactions() {
            "TRUNCATE TABLE"
        } else {
            "DELETE FROM"
        };
        format!("{verb} {}", self.table(table))
    }

    /// Names, quoted, with commas between.
    pub(crate) fn list(&self, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| self.quoted(name)).collect();
        names.join(",")
    }

    fn same(&self, keys: &[&str]) -> String {
        let same: Vec<String> = keys
            .iter()
            .map(|name| {
                let name = self.quoted(name);
                format!("t.{name} = s.{name}")
            })
            .collect();
        same.join(" AND ")
    }
}

/// Rows of placeholders: `VALUES (?,?),(?,?)`, or with `$1` numbered from `first`.
pub(crate) fn placeholders(rows: usize, columns: usize, numbered: bool) -> String {
    let mut sql = String::with_capacity(8 + rows * columns * if numbered { 6 } else { 2 });
    sql.push_str("VALUES ");
    let mut number = 0_usize;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                sql.push(',');
            }
            if numbered {
                number += 1;
                let _ = write!(sql, "${number}");
            } else {
                sql.push('?');
            }
        }
        sql.push(')');
    }
    sql
}

/// A name that is an identifier as it stands: the same in every dialect, and no way to end it.
fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(dialect: Dialect) -> Statements {
        Statements { dialect, quoting: Quoting::Always }
    }

    #[test]
    fn quotes_within_names_are_doubled() {
        let hostile = r#"a"; DROP TABLE x; --"#;
        assert_eq!(statements(Dialect::Postgres).quoted(hostile), r#""a""; DROP TABLE x; --""#);
        assert_eq!(statements(Dialect::MySql).quoted("a`b"), "`a``b`");
        assert_eq!(statements(Dialect::Sqlite).quoted("a\0b"), r#""ab""#);
    }

    #[test]
    fn without_quoting_a_name_is_still_no_sql() {
        let never = Statements { dialect: Dialect::Postgres, quoting: Quoting::Never };
        assert_eq!(never.new_name("Orders_1"), "\"orders_1\"");
        for name in ["", "1A", "A b", "A;b", "Č"] {
            assert_eq!(never.new_name(name), format!("\"{name}\""));
        }
        let mysql = Statements { dialect: Dialect::MySql, ..never };
        assert_eq!(mysql.new_name("Orders_1"), "`Orders_1`");
    }

    #[test]
    fn statements_are_those_of_the_java_sinks() {
        let id = TableId::parse("t", '"');
        let (columns, keys) = (["k", "a"], 1);
        let postgres = statements(Dialect::Postgres);
        assert_eq!(
            format!(
                "{}{}{}",
                postgres.insert_head(&id, &columns),
                placeholders(1, 2, false),
                postgres.upsert_tail(&columns, keys)
            ),
            r#"INSERT INTO "t" ("k","a") VALUES (?,?) ON CONFLICT ("k") DO UPDATE SET "a"=EXCLUDED."a""#
        );
        assert_eq!(postgres.upsert_tail(&["k"], 1), r#" ON CONFLICT ("k") DO NOTHING"#);
        assert_eq!(postgres.update_row(&id, &columns, keys), r#"UPDATE "t" SET "a" = ? WHERE "k" = ?"#);
        let mysql = statements(Dialect::MySql);
        assert_eq!(mysql.upsert_tail(&columns, keys), " ON DUPLICATE KEY UPDATE `a`=VALUES(`a`)");
        assert_eq!(mysql.delete_rows(&id, &["k"], 2), "DELETE FROM `t` WHERE `k` IN (?,?)");
        let sqlite = statements(Dialect::Sqlite);
        assert_eq!(
            sqlite.delete_rows(&id, &["k", "l"], 2),
            r#"DELETE FROM "t" WHERE ("k","l") IN (VALUES (?,?),(?,?))"#
        );
        assert_eq!(placeholders(2, 2, true), "VALUES ($1,$2),($3,$4)");
        assert_eq!(
            postgres.update_from(&id, "s1", &columns, keys),
            r#"UPDATE "t" AS t SET "a" = s."a" FROM s1 AS s WHERE t."k" = s."k""#
        );
    }
}
