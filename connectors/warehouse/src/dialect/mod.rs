//! What differs between databases in the text of statements: names, types, upserts.

mod sql;
mod types;

pub(crate) use sql::{Quoting, Statements, placeholders};
pub(crate) use types::{ColumnSpec, TypeRules, literal};

/// Which database's SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// PostgreSQL and what speaks its protocol and its SQL.
    Postgres,
    /// PostgreSQL's protocol without `COPY FROM STDIN` and without `ON CONFLICT`.
    Redshift,
    MySql,
    MariaDb,
    Sqlite,
}

impl Dialect {
    /// The names that `dialect.name` takes, each with its dialect.
    pub(crate) const NAMED: [(&'static str, Dialect); 5] = [
        ("PostgreSqlDatabaseDialect", Dialect::Postgres),
        ("RedshiftDatabaseDialect", Dialect::Redshift),
        ("MySqlDatabaseDialect", Dialect::MySql),
        ("MariaDbDatabaseDialect", Dialect::MariaDb),
        ("SqliteDatabaseDialect", Dialect::Sqlite),
    ];

    /// The name in `dialect.name`.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, dialect)| *dialect == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn is_postgres(self) -> bool {
        matches!(self, Dialect::Postgres | Dialect::Redshift)
    }

    pub(crate) fn is_mysql(self) -> bool {
        matches!(self, Dialect::MySql | Dialect::MariaDb)
    }

    pub(crate) fn default_port(self) -> u16 {
        match self {
            Dialect::Postgres => 5432,
            Dialect::Redshift => 5439,
            Dialect::MySql | Dialect::MariaDb => 3306,
            Dialect::Sqlite => 0,
        }
    }

    /// The character around quoted names.
    pub(crate) fn quote(self) -> char {
        if self.is_mysql() { '`' } else { '"' }
    }
}
